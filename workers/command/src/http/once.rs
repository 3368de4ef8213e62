//! `Idempotency-Key`: what makes a request that is sent again known as the same one.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use boxoffice_domain::UserId;
use boxoffice_runtime::http::{Problem, sole};
use serde::Serialize;

use crate::store::Idempotency;

/// Header: a name that the caller gives a request, and repeats when it repeats the request.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// Longest key.
const LONGEST: usize = 255;

/// The key of a request, and what it asks for. Read on every `POST`; anywhere else there is none.
#[derive(Debug, Clone)]
pub struct Once {
    key: Option<String>,
    asked: String,
}

impl Once {
    /// The same, of a request with this body.
    #[must_use]
    pub fn with(mut self, body: &impl Serialize) -> Self {
        if self.key.is_some() {
            // Written from what was read: spaces and the order of fields make no other request of it.
            self.asked.push_str(&serde_json::to_string(body).unwrap_or_default());
        }
        self
    }

    /// What the store keeps the answer by.
    pub fn by(&self, user: &UserId) -> Option<Idempotency> {
        self.key.as_ref().map(|key| Idempotency::new(user, key, &self.asked))
    }
}

impl<S: Sync> FromRequestParts<S> for Once {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let key = sole(&parts.headers, IDEMPOTENCY_KEY)?;
        if key.is_some_and(|key| !is_key(key)) {
            let detail =
                format!("{IDEMPOTENCY_KEY}: give 1 to {LONGEST} printable ASCII characters, such as a UUID");
            return Err(Problem::invalid(detail));
        }
        Ok(Self { key: key.map(str::to_owned), asked: format!("{} ", parts.uri.path()) })
    }
}

fn is_key(text: &str) -> bool {
    (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte))
}
