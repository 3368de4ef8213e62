//! What `GET /` leads to: a page with everything that there is behind the one port. It loads nothing from elsewhere.

use axum::Router;
use boxoffice_runtime::openapi::pages::serving;

/// The links, each with what is there.
const LINKS: [(&str, &str); 6] = [
    ("/events", "the SeatingEvents on sale"),
    ("/docs", "the API, to browse and to try: what buyers send and what readers ask for"),
    ("/openapi.json", "the same for programs"),
    ("/healthz", "whether the process lives"),
    ("/readyz", "whether it is ready, and what it waits for"),
    ("/metrics", "metrics for Prometheus"),
];

/// The page.
pub(super) fn routes() -> Router {
    Router::new().route("/", serving("text/html; charset=utf-8", page()))
}

/// Its texts are this file's own and have nothing to escape.
fn page() -> String {
    let links = LINKS
        .map(|(path, about)| format!("<li><a href=\"{path}\"><code>{path}</code></a>: {about}</li>\n"))
        .concat();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>Box Office</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/page.css\">\n<main>\n<h1>Box Office</h1>\n\
         <p>A ReservationService and its SeatingEvents, in one process.</p>\n<ul>\n{links}</ul>\n\
         <p>From a terminal: <code>boxoffice --help</code></p>\n</main>\n</html>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_names_everything_and_loads_nothing_from_elsewhere() {
        let page = page();
        for (path, _) in LINKS {
            assert!(page.contains(&format!("href=\"{path}\"")), "{path}");
        }
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("<script"));
    }
}
