//! What tools and people read about an API: the document, and a paragraph a problem code. Everything is in the binary; the
//! pages load nothing from elsewhere and may not. The page to browse the document is one of `boxoffice_web`.

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use utoipa::openapi::OpenApi;

use crate::http::{Code, Problem};

/// Only what comes from here, and nothing inline.
const POLICY: &str =
    "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `/openapi.json` and `/problems/...`.
pub fn routes(document: &OpenApi) -> Router {
    Router::new()
        .route("/openapi.json", serving("application/json", super::text(document)))
        .route("/problems/page.css", serving("text/css; charset=utf-8", include_str!("page.css")))
        .route("/problems/{code}", get(problem))
}

/// `/command/openapi.json`: the document of the command worker, where a gateway has both workers at one origin.
pub fn of_commands(document: &OpenApi) -> Router {
    Router::new().route("/command/openapi.json", serving("application/json", super::text(document)))
}

/// `/admin/openapi.json`, the document of an admin port.
pub fn of_operators(document: &OpenApi) -> Router {
    Router::new().route("/admin/openapi.json", serving("application/json", super::text(document)))
}

/// A route that answers one text.
fn serving<S: Clone + Send + Sync + 'static>(
    content_type: &'static str,
    text: impl Into<Bytes>,
) -> axum::routing::MethodRouter<S> {
    let text: Bytes = text.into();
    get(move || async move { page(content_type, text) })
}

async fn problem(Path(slug): Path<String>) -> Result<Response, Problem> {
    let code = Code::by_slug(&slug).ok_or_else(Problem::no_route)?;
    Ok(page("text/html; charset=utf-8", explained(code)))
}

fn page(content_type: &'static str, text: impl Into<Bytes>) -> Response {
    let headers = [
        (CONTENT_TYPE, content_type),
        (CONTENT_SECURITY_POLICY, POLICY),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (REFERRER_POLICY, "no-referrer"),
        // A worker of another version may answer next.
        (CACHE_CONTROL, "no-cache"),
    ];
    (headers, text.into()).into_response()
}

/// The page of a code. Its texts are this crate's own and have nothing to escape.
fn explained(code: Code) -> String {
    let statuses: Vec<_> = code.statuses().iter().map(u16::to_string).collect();
    let retryable = if code.retryable() { "retryable" } else { "not retryable" };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title}</title>\n\
         <link rel=\"stylesheet\" href=\"/problems/page.css\">\n<main>\n<h1>{title}</h1>\n\
         <p><code>{name}</code>, status {statuses}, {retryable}</p>\n<p>{paragraph}</p>\n\
         <p><a href=\"/docs\">The API</a></p>\n</main>\n</html>\n",
        title = code.title(),
        name = code.name(),
        statuses = statuses.join(" or "),
        paragraph = code.paragraph(),
    )
}

#[cfg(test)]
mod tests {
    use axum::body::{Body, to_bytes};
    use axum::http::Request;
    use tower::ServiceExt;

    use super::*;
    use crate::http::code;

    async fn get(path: &str) -> (u16, String, String) {
        let router = routes(&crate::openapi::about("Title", "About", &[]));
        let response = router.oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = response.status().as_u16();
        let policy =
            response.headers().get(CONTENT_SECURITY_POLICY).map(|it| it.to_str().unwrap().to_owned());
        let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
        (status, policy.unwrap_or_default(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn a_paragraph_runs_nothing_and_loads_nothing_from_elsewhere() {
        let (status, policy, html) = get("/problems/not-found").await;
        assert_eq!(status, 200);
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("script"), "{policy}");
        assert!(html.contains("href=\"/problems/page.css\"") && !html.contains("<script"), "{html}");
        let (status, _, css) = get("/problems/page.css").await;
        assert!(status == 200 && !css.contains("http"), "{css}");
    }

    #[tokio::test]
    async fn every_code_has_a_page_and_nothing_else_has() {
        for code in code::ALL {
            let (status, _, html) = get(&format!("/problems/{}", code.slug())).await;
            assert!(status == 200 && html.contains(&code.paragraph()), "{}", code.name());
            assert!(!code.paragraph().contains(['<', '>', '&']), "{} has something to escape", code.name());
        }
        assert_eq!(get("/problems/SEAT_NOT_AVAILABLE").await.0, 404);
    }
}
