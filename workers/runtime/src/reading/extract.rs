//! What routes take of a request. Whatever its content type says: what is no JSON is told so.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::http::{Problem, code};

/// A JSON body.
#[derive(Debug)]
pub struct Body<T>(pub T);

/// A JSON body that may be left out.
#[derive(Debug)]
pub struct OptionalBody<T>(pub T);

/// The query of the address. Parameters that the type does not know are refused by name where it denies unknown fields.
#[derive(Debug)]
pub struct Query<T>(pub T);

/// The query of an address that takes none.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
                status @ StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(status, code::PAYLOAD_TOO_LARGE, "the body is too large")
                }
                _ => Problem::invalid("body: broke off: send all of it").because(rejection.body_text()),
            })?;
        super::json(&bytes).map(Self).map_err(|wrong| Problem::invalid(wrong.told("body", "field")))
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(body))
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = super::query(parts.uri.query().unwrap_or_default());
        read.map(Self).map_err(|wrong| Problem::invalid(wrong.told("query", "parameter")))
    }
}
