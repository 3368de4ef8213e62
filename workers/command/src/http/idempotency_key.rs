//! `Idempotency-Key`: what makes a request that is sent again known as the same one.

use axum::extract::FromRequestParts;
use axum::http::HeaderName;
use axum::http::request::Parts;
use boxoffice_domain::UserId;
use boxoffice_runtime::http::{Problem, sole};
use boxoffice_runtime::openapi::params::parameter;
use serde::Serialize;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{RefOr, Required};

use crate::store::Idempotency;

/// Header: a name that the caller gives a request, and repeats when it repeats the request.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Longest key.
const LONGEST: usize = 255;

/// The key of a request, and what it asks for. Read on every `POST`; anywhere else there is none.
#[derive(Debug, Clone)]
pub struct RequestKey {
    key: Option<String>,
    asked: String,
}

impl RequestKey {
    /// The same, of a request with this body.
    #[must_use]
    pub fn with(mut self, body: &impl Serialize) -> Self {
        if self.key.is_some() {
            // Written from what was read: spaces and the order of fields make no other request of it.
            self.asked.push_str(&serde_json::to_string(body).unwrap_or_default());
        }
        self
    }

    /// What the store keeps the answer to a buyer by.
    pub fn of(&self, user: &UserId) -> Option<Idempotency> {
        self.key.as_ref().map(|key| Idempotency::new(user, key, &self.asked))
    }

    /// What the store keeps the answer to staff by, who act for `user` where they name one.
    pub fn of_staff(&self, user: Option<&UserId>) -> Option<Idempotency> {
        self.key.as_ref().map(|key| Idempotency::of_staff(user, key, &self.asked))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestKey {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = sole(&parts.headers, &IDEMPOTENCY_KEY)?;
        if key.is_some_and(|key| !is_key(key)) {
            let detail =
                format!("{IDEMPOTENCY_KEY}: give 1 to {LONGEST} printable ASCII characters, such as a UUID");
            return Err(Problem::invalid(detail));
        }
        let asked = key.map(|_| format!("{} ", parts.uri.path())).unwrap_or_default();
        Ok(Self { key: key.map(str::to_owned), asked })
    }
}

impl IntoParams for RequestKey {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let description = "A name for this request, such as a UUID. Sent again with the same key and body it is not done \
            again: the stored answer comes back. A key belongs to one user and one SeatingEvent. \
            Answers are kept for as long as a hold can last, and an hour.";
        let text = ObjectBuilder::new()
            .schema_type(SchemaType::new(Type::String))
            .min_length(Some(1))
            .max_length(Some(LONGEST))
            .pattern(Some("^[\\x20-\\x7e]+$"));
        let (schema, key) = (RefOr::T(Schema::Object(text.build())), "0b8e3f3a-7a1d-4a35-b9f4-6c1f2d8a5e77");
        vec![parameter("Idempotency-Key", ParameterIn::Header, Required::False, schema, description, key)]
    }
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
