//! Entity tags and content encodings of the seat map.
//!
//! A tag is made of the seats' fingerprint, epoch and sequence, which say all that a map shows; so it holds on every
//! replica and after a restart. The other forms are other bytes and have tags of their own, but a client that has any of
//! them has the map.

use axum::http::{HeaderMap, HeaderName, header};
use boxoffice_runtime::http::negotiate::{GZIP, coding, has_any, weight};

use crate::view::forms::Encoding;
use crate::view::forms::packed::MEDIA_TYPE;

/// What a client says that takes JSON, from the most particular on.
const JSON: [&str; 3] = ["application/json", "application/*", "*/*"];

/// What a map is sent as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// JSON.
    Json(Encoding),
    /// As few bytes as it takes.
    Packed,
}

impl Form {
    const ALL: [Self; 3] = [Self::Json(Encoding::Identity), Self::Json(Encoding::Gzip), Self::Packed];

    /// Packed for those who name it and like nothing better, else JSON. A part of a map is never packed: there is none for
    /// those who take nothing else.
    pub(super) fn accepted(headers: &HeaderMap, is_whole: bool) -> Option<Self> {
        let weight = |range: &str| weight(headers, &header::ACCEPT, range);
        let packed = weight(MEDIA_TYPE).unwrap_or_default();
        let json = JSON.into_iter().find_map(weight).unwrap_or_default();
        match packed > 0.0 && packed >= json {
            true if is_whole => Some(Self::Packed),
            true if json <= 0.0 => None,
            true | false => Some(Self::Json(encoding(headers))),
        }
    }

    const fn suffix(self) -> &'static str {
        match self {
            Self::Json(Encoding::Identity) => "",
            Self::Json(Encoding::Gzip) => "-gzip",
            Self::Packed => "-packed",
        }
    }
}

/// Gzip where the client takes it.
fn encoding(headers: &HeaderMap) -> Encoding {
    if coding(headers, [GZIP]).is_some() { Encoding::Gzip } else { Encoding::Identity }
}

/// The `content-encoding`, where one is to be named.
pub(super) const fn content_encoding(encoding: Encoding) -> Option<[(HeaderName, &'static str); 1]> {
    match encoding {
        Encoding::Identity => None,
        Encoding::Gzip => Some([(header::CONTENT_ENCODING, GZIP)]),
    }
}

/// The strong entity tag of a form of a map, whose [tag](crate::view::tag::Tag) is written so.
pub(super) fn entity_tag(tag: &str, form: Form) -> String {
    ["\"", tag, form.suffix(), "\""].concat()
}

/// That of a section, which is weak: the seats are the same, the sequence that is told beside them goes on.
pub(super) fn entity_tag_of_section(tag: &str, form: Form) -> String {
    ["W/\"", tag, form.suffix(), "\""].concat()
}

/// Whether the client says that it has the map already (`If-None-Match`), in whichever form.
pub(super) fn has(headers: &HeaderMap, tag: &str) -> bool {
    has_any(headers, |named| {
        let named = named.strip_prefix('"').and_then(|named| named.strip_suffix('"'));
        let suffix = named.and_then(|named| named.strip_prefix(tag));
        suffix.is_some_and(|suffix| Form::ALL.iter().any(|form| form.suffix() == suffix))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn the_packed_form_is_sent_to_those_who_name_it() {
        for (offer, taken) in [
            ("application/vnd.boxoffice.seatmap", true),
            ("application/json;q=0.5, application/vnd.boxoffice.seatmap;q=0.9", true),
            ("application/vnd.boxoffice.seatmap;q=0, */*", false),
            ("application/vnd.boxoffice.seatmap, */*", true),
            ("application/vnd.boxoffice.seatmap;q=0.5, application/json", false),
            ("application/vnd.boxoffice.seatmap;q=0.5, application/*;q=0.8", false),
            ("application/vnd.boxoffice.seatmap;q=0.5, application/json;q=0.1, */*", true),
            ("APPLICATION/VND.boxoffice.seatmap; Q=1, text/html", true),
            ("*/*", false),
            ("application/json", false),
        ] {
            let form = Form::accepted(&headers(header::ACCEPT, offer), true);
            assert_eq!(form == Some(Form::Packed), taken, "{offer}");
        }
    }

    #[test]
    fn a_part_is_sent_as_json_to_those_who_take_that_too() {
        let json = Some(Form::Json(Encoding::Identity));
        for (offer, form) in [
            ("application/vnd.boxoffice.seatmap, application/json;q=0.5", json),
            ("application/vnd.boxoffice.seatmap, */*;q=0.1", json),
            ("application/vnd.boxoffice.seatmap", None),
            ("application/vnd.boxoffice.seatmap, application/json;q=0", None),
            ("text/html", json),
        ] {
            assert_eq!(Form::accepted(&headers(header::ACCEPT, offer), false), form, "{offer}");
        }
    }

    #[test]
    fn either_form_counts_as_having_the_map() {
        for (value, known) in [
            ("\"abc-0-7\"", true),
            ("W/\"abc-0-7\"", true),
            ("\"x\", \"abc-0-7-gzip\"", true),
            ("*", true),
            ("\"abc-0-6\"", false),
            ("abc-0-7", false),
            ("\"abc-1-7\"", false),
            ("\"abc-0-7-packed\"", true),
        ] {
            assert_eq!(has(&headers(header::IF_NONE_MATCH, value), "abc-0-7"), known, "{value}");
        }
    }
}
