//! What a client says that it takes (RFC 9110, 12.5) and that it has already (13.1.2).

use axum::http::{HeaderMap, HeaderName, header};

/// A coding that whoever takes any coding is sent.
pub const GZIP: &str = "gzip";
/// One that is sent to those who name it.
pub const BROTLI: &str = "br";

/// The coding of those that are `offered` which the client likes best, and of equals the first. None where it takes
/// none of them, or would rather have what is not compressed.
pub fn coding(headers: &HeaderMap, offered: impl IntoIterator<Item = &'static str>) -> Option<&'static str> {
    let named = |coding: &str| weight(headers, &header::ACCEPT_ENCODING, coding);
    let least = named("identity").unwrap_or_default();
    let mut best: Option<(&str, f32)> = None;
    for coding in offered {
        let any = || if coding == GZIP { named("*") } else { None };
        let weight = named(coding).or_else(any).unwrap_or_default();
        if weight > 0.0 && weight >= least && best.is_none_or(|(_, most)| weight > most) {
            best = Some((coding, weight));
        }
    }
    best.map(|(coding, _)| coding)
}

/// The weight that a header such as `accept` gives to `wanted`, if it speaks of it.
pub fn weight(headers: &HeaderMap, name: &HeaderName, wanted: &str) -> Option<f32> {
    let mut offers = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    offers.find_map(|offer| offer.split(',').find_map(|part| weight_of(part, wanted)))
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

/// Whether the client says that it has something with an entity tag that `is_known` (`If-None-Match`), or anything.
pub fn has_any(headers: &HeaderMap, mut is_known: impl FnMut(&str) -> bool) -> bool {
    let mut listed = headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    listed.any(|list| {
        let mut tags = list.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
        tags.any(|tag| tag == "*" || is_known(tag))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offering(offer: &str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, offer.parse().unwrap())])
    }

    #[test]
    fn a_coding_is_sent_to_those_who_take_it() {
        let cases = [
            ("gzip", true),
            ("br, GZIP;q=0.5", true),
            ("*", true),
            ("*;q=0", false),
            ("gzip;q=0, *", false),
            ("br", false),
            ("gzip;q=x", false),
            ("gzip;q=-1", false),
            ("gzip;q=nan", false),
            ("identity;q=0, gzip", true),
            ("identity, gzip", true),
            ("identity;q=1, gzip;q=0.5", false),
            ("identity, *;q=0.1", false),
            ("identity;q=0.5, *;q=0", false),
            ("", false),
        ];
        for (offer, taken) in cases {
            assert_eq!(coding(&offering(offer), [GZIP]).is_some(), taken, "{offer}");
        }
        assert_eq!(coding(&HeaderMap::new(), [BROTLI, GZIP]), None);
    }

    #[test]
    fn of_several_codings_the_one_is_sent_that_the_client_likes_best() {
        for (offer, sent) in [
            ("gzip, br", Some(BROTLI)),
            ("gzip, br;q=0.5", Some(GZIP)),
            ("gzip;q=0.5, br;q=0.6", Some(BROTLI)),
            ("gzip, br;q=0", Some(GZIP)),
            ("br;q=0", None),
            ("identity, gzip;q=0.2, br;q=0.1", None),
            // Any coding is none by name.
            ("*", Some(GZIP)),
            ("br;q=0.5, *", Some(GZIP)),
        ] {
            assert_eq!(coding(&offering(offer), [BROTLI, GZIP]), sent, "{offer}");
        }
    }
}
