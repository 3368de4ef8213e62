//! The headers of a request, taken out of it and not copied: nobody behind a route needs them.

use std::convert::Infallible;

use axum::extract::{FromRequest, Request};
use axum::http::HeaderMap;

/// See the module.
#[derive(Debug)]
pub(super) struct Headers(pub(super) HeaderMap);

impl<S: Send + Sync> FromRequest<S> for Headers {
    type Rejection = Infallible;

    async fn from_request(request: Request, _: &S) -> Result<Self, Infallible> {
        Ok(Self(request.into_parts().0.headers))
    }
}
