//! The bearer token of the admin ports: the operator shows it, and whoever stands in for the operator.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::Response;
use subtle::ConstantTimeEq;

use super::Problem;

/// The token that the operator shows. Never printed.
#[derive(Clone)]
pub struct AdminToken(String);

/// A token that would let anybody in.
#[derive(Debug, thiserror::Error)]
#[error("the admin token is empty")]
pub struct EmptyToken;

impl AdminToken {
    /// The token.
    ///
    /// # Errors
    /// An empty one.
    pub fn new(token: String) -> Result<Self, EmptyToken> {
        if token.is_empty() { Err(EmptyToken) } else { Ok(Self(token)) }
    }

    /// Compares in a time that tells nothing about where the difference is.
    fn admits(&self, request: &Request) -> bool {
        let shown = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let shown = shown.and_then(|value| value.strip_prefix("Bearer "));
        shown.is_some_and(|shown| bool::from(shown.as_bytes().ct_eq(self.0.as_bytes())))
    }
}

/// `routes` for whoever shows `token`.
pub fn guarded(routes: Router, token: AdminToken) -> Router {
    routes.layer(from_fn_with_state(token, require))
}

/// Turns away whoever does not show the token.
async fn require(State(token): State<AdminToken>, request: Request, next: Next) -> Result<Response, Problem> {
    if token.admits(&request) {
        Ok(next.run(request).await)
    } else {
        Err(Problem::unauthenticated("the admin API takes the operator's bearer token"))
    }
}
