//! One file as it is answered: in the smallest form that the client takes, and not at all where the client has it.

use axum::http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, VARY, X_CONTENT_TYPE_OPTIONS};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use boxoffice_runtime::http::negotiate::{BROTLI, GZIP, coding, has_any};

/// The name of a file changes with its content.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// Kept, and asked for again each time: a worker of another version may answer next.
const ASKED_AGAIN: &str = "no-cache";

/// A file of the pages.
pub(crate) struct Asset {
    /// Where it is, without a slash in front.
    pub(crate) path: &'static str,
    /// What it is.
    pub(crate) content_type: &'static str,
    /// Whether its name has a hash of its content.
    pub(crate) hashed: bool,
    /// A fingerprint of its content.
    pub(crate) tag: &'static str,
    /// Its content.
    pub(crate) plain: &'static [u8],
    /// The same by gzip, where that is smaller.
    pub(crate) gzip: Option<&'static [u8]>,
    /// The same by brotli, where that is smaller.
    pub(crate) brotli: Option<&'static [u8]>,
}

impl Asset {
    /// Whether it is a page, which has an address of its own.
    pub(crate) fn is_page(&self) -> bool {
        self.content_type.starts_with("text/html")
    }

    /// The answer to a request with these headers.
    pub(crate) fn answer(&self, headers: &HeaderMap) -> Response {
        let tags = ["", "-gzip", "-br"].map(|form| format!("\"{}{form}\"", self.tag));
        let [plain, gzip, brotli] = &tags;
        let forms = [(BROTLI, self.brotli, brotli), (GZIP, self.gzip, gzip)];
        let mut there = forms.into_iter().filter_map(|(name, bytes, tag)| Some((name, bytes?, tag)));
        let best = coding(headers, there.clone().map(|(name, ..)| name));
        let sent = there.find(|(name, ..)| Some(*name) == best);
        let (coding, bytes, tag) =
            sent.map_or((None, self.plain, plain), |(name, bytes, tag)| (Some(name), bytes, tag));
        let kept = if self.hashed { FOR_EVER } else { ASKED_AGAIN };
        let mut response = if has_any(headers, |named| tags.iter().any(|tag| tag == named)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let about = [(CONTENT_TYPE, self.content_type), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
            (about, coding.map(|coding| [(CONTENT_ENCODING, coding)]), bytes).into_response()
        };
        set(&mut response, CACHE_CONTROL, kept);
        set(&mut response, VARY, "accept-encoding");
        set(&mut response, ETAG, tag);
        response
    }
}

/// Sets a header to a text that is one.
pub(crate) fn set(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

/// The file at `path` in a table that is sorted by it.
pub(crate) fn find(table: &'static [&'static Asset], path: &str) -> Option<&'static Asset> {
    table.binary_search_by(|asset| asset.path.cmp(path)).ok().and_then(|index| table.get(index).copied())
}

include!(concat!(env!("OUT_DIR"), "/assets.rs"));
