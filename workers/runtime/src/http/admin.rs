//! The door of the admin ports: a bearer token that the operator shows, and whoever stands in for the operator; and bodies
//! that are said to be JSON, which no page of another site can send without asking first.

use axum::Router;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::{Problem, sole};

/// What every body is.
const JSON: &str = "application/json";

/// The token that the operator shows, and while it is exchanged the one of before too. Never printed.
#[derive(Clone)]
pub struct AdminToken {
    token: String,
    previous: Option<String>,
}

/// A token that would let anybody in, or nobody: a header carries no other characters.
#[derive(Debug, thiserror::Error)]
#[error("--admin-token must be visible ASCII characters without blanks, one or more: give another")]
pub struct UnusableToken;

impl AdminToken {
    /// The token.
    ///
    /// # Errors
    /// One that cannot be shown.
    pub fn new(token: String) -> Result<Self, UnusableToken> {
        let is_usable = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_graphic());
        if is_usable { Ok(Self { token, previous: None }) } else { Err(UnusableToken) }
    }

    /// The same, which takes `previous` too; an empty one is none.
    #[must_use]
    pub fn or(self, previous: Option<String>) -> Self {
        Self { previous: previous.filter(|previous| !previous.is_empty()), ..self }
    }

    /// Compares in a time that tells nothing about where the difference is.
    fn admits(&self, request: &Request) -> bool {
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
        let is_one = |shown: &str| {
            let taken = std::iter::once(&self.token).chain(&self.previous);
            taken.fold(false, |is_one, token| is_one | bool::from(shown.as_bytes().ct_eq(token.as_bytes())))
        };
        shown.is_some_and(is_one)
    }
}

/// `routes` for whoever shows `token`.
pub fn guarded(routes: Router, token: AdminToken) -> Router {
    json_alone(routes).layer(from_fn_with_state(token, require))
}

/// `routes` without what a form or a script of another site could send: a browser asks before it sends JSON there.
pub fn json_alone(routes: Router) -> Router {
    routes.layer(from_fn(require_json))
}

/// Turns away what does not say that it is JSON.
async fn require_json(request: Request, next: Next) -> Result<Response, Problem> {
    let has_body = request.method() == Method::POST || !request.body().is_end_stream();
    if has_body && !is_json(request.headers())? {
        return Err(Problem::invalid(
            "content-type: the admin API takes JSON alone: send content-type: application/json",
        ));
    }
    Ok(next.run(request).await)
}

fn is_json(headers: &HeaderMap) -> Result<bool, Problem> {
    let named = sole(headers, &header::CONTENT_TYPE)?.and_then(|value| value.split(';').next());
    Ok(named.is_some_and(|media_type| media_type.trim().eq_ignore_ascii_case(JSON)))
}

/// Turns away whoever does not show the token.
async fn require(State(token): State<AdminToken>, request: Request, next: Next) -> Result<Response, Problem> {
    if token.admits(&request) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::unauthenticated("the admin API takes the operator's bearer token"))
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use axum::routing::post;
    use tower::ServiceExt;

    use super::*;

    #[test]
    fn the_token_of_before_is_taken_while_it_is_exchanged_and_nothing_else() {
        let admits = |token: &AdminToken, shown: &str| {
            let request = Request::get("/").header("authorization", format!("Bearer {shown}"));
            token.admits(&request.body(Body::empty()).unwrap())
        };
        let token = AdminToken::new("new".into()).unwrap();
        assert!(admits(&token, "new") && !admits(&token, "old"));
        let both = token.clone().or(Some("old".into()));
        assert!(admits(&both, "new") && admits(&both, "old") && !admits(&both, "ne"));
        assert!(!admits(&token.or(Some(String::new())), ""), "an empty one is none");
    }

    #[tokio::test]
    async fn what_a_page_of_another_site_can_send_without_asking_is_turned_away() {
        let routes =
            || json_alone(Router::new().route("/", post(|| async {}).delete(|| async {}).get(|| async {})));
        for (method, content_type, body, status) in [
            ("POST", Some("application/json"), "{}", 200),
            ("POST", Some("Application/JSON; charset=utf-8"), "{}", 200),
            ("POST", Some("text/plain"), "{}", 400),
            ("POST", Some("text/plain; application/json"), "{}", 400),
            ("POST", Some("application/x-www-form-urlencoded"), "a=b", 400),
            ("POST", Some("multipart/form-data; boundary=x"), "{}", 400),
            ("POST", None, "{}", 400),
            ("POST", None, "", 400),
            ("DELETE", None, "", 200),
            ("DELETE", Some("text/plain"), "{}", 400),
            ("GET", None, "", 200),
        ] {
            let request = Request::builder().method(method).uri("/");
            let request =
                content_type.into_iter().fold(request, |request, it| request.header("content-type", it));
            let request = request.body(Body::from(body)).unwrap();
            let answer = routes().oneshot(request).await.unwrap();
            assert_eq!(answer.status().as_u16(), status, "{method} {content_type:?} {body:?}");
            if status == 400 {
                let problem = answer.extensions().get::<Problem>().unwrap();
                assert!(format!("{problem:?}").contains("content-type: application/json"), "{problem:?}");
            }
        }
        let twice = Request::post("/")
            .header("content-type", "application/json")
            .header("content-type", "text/plain");
        let answer = routes().oneshot(twice.body(Body::from("{}")).unwrap()).await.unwrap();
        assert_eq!(answer.status().as_u16(), 400);
    }
}
