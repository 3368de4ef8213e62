//! Entity tags and content encodings of the seat map.
//!
//! A tag is made of the chart's fingerprint and the sequence, which say all that a map shows; so it holds on every
//! replica and after a restart. The gzip form is other bytes and has a tag of its own, but a client that has either
//! form has the map.

use axum::http::{HeaderMap, header};

use crate::view::tag::Tag;

/// How a body is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Encoding {
    /// As it is.
    Identity,
    /// Compressed.
    Gzip,
}

impl Encoding {
    /// Gzip where the client takes it (RFC 9110, 12.5.3).
    pub(super) fn accepted(headers: &HeaderMap) -> Self {
        let weight = |coding: &str| {
            let mut offers =
                headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
            offers.find_map(|offer| offer.split(',').find_map(|part| weight_of(part, coding)))
        };
        if weight("gzip").or_else(|| weight("*")).is_some_and(|weight| weight > 0.0) {
            Self::Gzip
        } else {
            Self::Identity
        }
    }

    /// The `content-encoding`, where one is to be named.
    pub(super) fn name(self) -> Option<&'static str> {
        match self {
            Self::Identity => None,
            Self::Gzip => Some("gzip"),
        }
    }
}

/// The weight that `part` (`gzip;q=0.5`) gives to `coding`, if it speaks of it.
fn weight_of(part: &str, coding: &str) -> Option<f32> {
    let mut words = part.split(';').map(str::trim);
    if !words.next()?.eq_ignore_ascii_case(coding) {
        return None;
    }
    let weight = words.find_map(|word| word.strip_prefix("q=").or_else(|| word.strip_prefix("Q=")));
    Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

/// The strong entity tag of a form of a map.
pub(super) fn entity_tag(tag: &Tag, encoding: Encoding) -> String {
    let form = encoding.name().map(|name| format!("-{name}")).unwrap_or_default();
    format!("\"{}-{}{form}\"", tag.chart_hash, tag.sequence)
}

/// Whether the client says that it has the map already (`If-None-Match`), in whichever form.
pub(super) fn has(headers: &HeaderMap, tag: &Tag) -> bool {
    let forms = [Encoding::Identity, Encoding::Gzip].map(|encoding| entity_tag(tag, encoding));
    let mut listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed.any(|list| {
        let mut tags = list.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || forms.iter().any(|form| form == tag))
    })
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn headers(name: HeaderName, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(name, value.parse().unwrap())])
    }

    #[test]
    fn gzip_is_sent_to_those_who_take_it() {
        let cases = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("br", false),
            ("gzip;q=x", false),
            ("", false),
        ];
        for (offer, taken) in cases {
            let accepted = Encoding::accepted(&headers(header::ACCEPT_ENCODING, offer));
            assert_eq!(accepted == Encoding::Gzip, taken, "{offer}");
        }
        assert_eq!(Encoding::accepted(&HeaderMap::new()), Encoding::Identity);
    }

    #[test]
    fn either_form_counts_as_having_the_map() {
        let tag = Tag { chart_hash: "abc".into(), sequence: 7 };
        for (value, known) in [
            ("\"abc-7\"", true),
            ("W/\"abc-7\"", true),
            ("\"x\", \"abc-7-gzip\"", true),
            ("*", true),
            ("\"abc-6\"", false),
            ("abc-7", false),
        ] {
            assert_eq!(has(&headers(header::IF_NONE_MATCH, value), &tag), known, "{value}");
        }
    }
}
