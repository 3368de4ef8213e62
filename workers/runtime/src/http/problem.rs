//! What a caller reads when a request is not answered: one type behind every `application/problem+json`.
//!
//! A [`Problem`] speaks to the caller: a stable code, what is wrong and whether repeating helps. What only the log may
//! know travels beside it as the cause. [`super::edge`] renders it, because it knows the correlation id.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{CorrelationId, SeatId};
use serde::Serialize;

/// Seconds after which a failure is worth another try.
const RETRY_AFTER: u16 = 1;

/// The one refusal that repeating helps against.
const IN_FLIGHT: &str = "IDEMPOTENCY_IN_FLIGHT";

/// A request that was not answered, or whose outcome is not known.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    conflicts: Vec<ConflictBody>,
    cause: Option<String>,
}

/// A seat in the way.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConflictBody {
    /// The seat.
    pub seat_id: SeatId,
    /// `HELD`, `RESERVED`, `BLOCKED` or `NOT_FOUND`.
    pub reason: &'static str,
}

/// The body, as the contract has it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ProblemBody<'a> {
    r#type: String,
    title: String,
    status: u16,
    detail: &'a str,
    code: &'static str,
    retryable: bool,
    correlation_id: &'a CorrelationId,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    conflicts: &'a [ConflictBody],
}

impl Problem {
    /// A problem with one of the contract's codes; `detail` is for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), conflicts: vec![], cause: None }
    }

    /// 400: the request says something that no state of the seats could make right.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "INVALID_REQUEST", detail)
    }

    /// 404: no such route.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is nothing at this address")
    }

    /// 405: the route does not take this method.
    pub fn no_method() -> Self {
        let detail = "this address does not take this method: the Allow header lists those that it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", detail)
    }

    /// 503: not now; repeating is safe.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", detail)
    }

    /// 409: done under the same idempotency key already, but not yet as durable as promised; repeating is safe.
    pub fn in_flight(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, IN_FLIGHT, detail)
    }

    /// The same with the seats in the way.
    #[must_use]
    pub fn conflicts(mut self, conflicts: Vec<ConflictBody>) -> Self {
        self.conflicts = conflicts;
        self
    }

    /// The same with what the log should know.
    #[must_use]
    pub fn because(mut self, cause: impl Into<String>) -> Self {
        self.cause = Some(cause.into());
        self
    }

    /// What the log should know and the caller need not.
    pub fn cause(&self) -> Option<&str> {
        self.cause.as_deref()
    }

    /// The answer, for the caller with this correlation id.
    pub fn render(&self, correlation: &CorrelationId) -> Response {
        let retryable = self.status == StatusCode::SERVICE_UNAVAILABLE || self.code == IN_FLIGHT;
        let body = ProblemBody {
            r#type: format!("https://boxoffice.dev/problems/{}", self.code.to_lowercase().replace('_', "-")),
            title: title(self.code),
            status: self.status.as_u16(),
            detail: &self.detail,
            code: self.code,
            retryable,
            correlation_id: correlation,
            conflicts: &self.conflicts,
        };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if retryable {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `SEAT_NOT_AVAILABLE` as "Seat not available".
fn title(code: &str) -> String {
    let (first, rest) = code.split_at(1);
    first.to_owned() + &rest.to_lowercase().replace('_', " ")
}

/// Left for [`super::edge`] to render.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
