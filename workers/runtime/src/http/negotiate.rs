//! What a client says that it takes (RFC 9110, 12.5) and that it has already (13.1.2).

use axum::http::{HeaderMap, HeaderName, header};

/// Whether the client takes this coding, by its name or as any coding.
pub fn takes(headers: &HeaderMap, coding: &str) -> bool {
    let weight = |coding: &str| weight(headers, &header::ACCEPT_ENCODING, coding);
    weight(coding).or_else(|| weight("*")).is_some_and(|weight| weight > 0.0)
}

/// Whether the client names this coding as one that it takes.
pub fn names(headers: &HeaderMap, coding: &str) -> bool {
    weight(headers, &header::ACCEPT_ENCODING, coding).is_some_and(|weight| weight > 0.0)
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
            ("", false),
        ];
        for (offer, taken) in cases {
            assert_eq!(takes(&offering(offer), "gzip"), taken, "{offer}");
        }
        assert!(!takes(&HeaderMap::new(), "gzip"));
    }

    #[test]
    fn any_coding_is_no_coding_by_name() {
        assert!(names(&offering("gzip, br"), "br"));
        assert!(!names(&offering("*"), "br") && !names(&offering("br;q=0"), "br"));
    }
}
