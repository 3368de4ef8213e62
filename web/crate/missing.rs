//! What stands in for a page in a binary that was compiled without it.

use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};

/// It has to be read by itself: there may be no other file of the pages.
const TEXT: &str = "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Box Office</title>
<main>
<h1>Box Office</h1>
<p>This binary was compiled without its pages. In its checkout, <code>make run</code> builds them and starts it;
<code>make web</code> builds them for the next <code>cargo build</code>.</p>
<p>The API answers all the same: <a href=\"/openapi.json\">its document</a>.</p>
</main>
</html>
";

/// The page that says how to have the pages.
pub(crate) fn answer() -> Response {
    ([(CONTENT_TYPE, "text/html; charset=utf-8"), (CACHE_CONTROL, "no-store")], TEXT).into_response()
}
