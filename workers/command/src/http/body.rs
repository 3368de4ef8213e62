//! JSON bodies, with errors that name the field. Whatever the content type says: what is no JSON is told so.

use axum::body::{Bytes, HttpBody};
use axum::extract::{FromRequest, Request};
use axum::http::StatusCode;
use boxoffice_runtime::http::{Problem, code};
use serde::de::DeserializeOwned;

/// A JSON body.
pub struct Body<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let bytes =
            Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status() {
                status @ StatusCode::PAYLOAD_TOO_LARGE => {
                    Problem::new(status, code::PAYLOAD_TOO_LARGE, "the body is too large")
                }
                _ => Problem::invalid(rejection.body_text()),
            })?;
        read(&bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub struct OptionalBody<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Default> FromRequest<S> for OptionalBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(T::default()));
        }
        Body::from_request(request, state).await.map(|Body(body)| Self(body))
    }
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let body =
        serde_path_to_error::deserialize(&mut json).map_err(|error| match error.path().to_string() {
            root if root == "." || root == "?" => {
                let hint = if error.inner().is_data() { "" } else { ": send a JSON document" };
                Problem::invalid(format!("body: {}{hint}", error.inner()))
            }
            field => Problem::invalid(format!("{field}: {}", error.inner())),
        })?;
    json.end().map_err(|error| Problem::invalid(format!("body: {error}")))?;
    Ok(body)
}
