//! What a caller reads when a request is not answered: one type behind every `application/problem+json`.
//!
//! A [`Problem`] speaks to the caller: a stable code, what is wrong and whether repeating helps. What only the log may
//! know travels beside it as the cause. [`super::layer`] renders it, because it knows the correlation id. A detail may
//! repeat what the caller wrote, so it is made [`plain`] here, once for all: short, without control characters, and
//! with nothing in the body that a browser could take for HTML.

use std::fmt::Write;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::command::ConflictReason;
use boxoffice_domain::{CorrelationId, SeatId, UnixMillis};
use serde::Serialize;
use utoipa::ToSchema;

use super::code::{self, Code};
use crate::openapi::schemas;

/// Seconds after which a failure is worth another try.
const RETRY_AFTER: u16 = 1;
/// Most characters of a detail: enough for every one that is ours, few enough for one that is the caller's.
const MAX_DETAIL: usize = 400;

/// A request that was not answered, or whose outcome is not known.
#[derive(Debug, Clone)]
pub struct Problem {
    status: StatusCode,
    code: Code,
    detail: String,
    conflicts: Vec<ConflictBody>,
    moment: Option<Moment>,
    cause: Option<String>,
}

/// The moment that makes the difference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// From then on it may succeed.
    OpensAt(UnixMillis),
    /// Until then it would have.
    CancelUntil(UnixMillis),
}

/// A seat in the way.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = Conflict)]
#[serde(rename_all = "camelCase")]
pub struct ConflictBody {
    /// The seat.
    #[schema(value_type = schemas::SeatId)]
    pub seat_id: SeatId,
    /// What is in the way.
    #[schema(value_type = schemas::ConflictReason)]
    pub reason: ConflictReason,
    /// `true` where it is the caller's own hold or reservation; absent otherwise.
    #[serde(skip_serializing_if = "is_false")]
    #[schema(required = false)]
    pub mine: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands out references")]
fn is_false(value: &bool) -> bool {
    !value
}

/// What is answered in place of what was asked for.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ProblemBody<'a> {
    /// Names the code; `/problems/...` of this service tells about it.
    r#type: String,
    /// The code in words.
    title: String,
    /// The status of the answer.
    status: u16,
    /// What is wrong, for people. It changes; programs go by `code`.
    detail: &'a str,
    /// What is wrong, for programs.
    code: &'static str,
    /// Whether the very same request may succeed when it is sent again, and does no harm.
    retryable: bool,
    /// Finds the request in the log, and what followed from it.
    #[schema(value_type = schemas::CorrelationId)]
    correlation_id: &'a CorrelationId,
    /// The seats in the way, where there are.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    conflicts: &'a [ConflictBody],
    /// When sales open, in milliseconds since 1970; of `SALES_NOT_OPEN` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    opens_at: Option<UnixMillis>,
    /// The last moment at which buyers could cancel, in milliseconds since 1970; of `CANCELLATION_CLOSED` alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    cancel_until: Option<UnixMillis>,
}

impl Problem {
    /// A problem with one of [`code`]'s codes and a status of that code; `detail` is for people.
    pub fn new(status: StatusCode, code: Code, detail: impl Into<String>) -> Self {
        debug_assert!(
            code.statuses().contains(&status.as_u16()),
            "{} does not come with {status}",
            code.name()
        );
        Self { status, code, detail: plain(&detail.into()), conflicts: vec![], moment: None, cause: None }
    }

    /// 400: the request says something that no state of the seats could make right.
    pub fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code::INVALID_REQUEST, detail)
    }

    /// 401: who acts is not known, or not believed.
    pub fn unauthenticated(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, code::UNAUTHENTICATED, detail)
    }

    /// 404: no such route.
    pub fn no_route() -> Self {
        Self::new(StatusCode::NOT_FOUND, code::NOT_FOUND, "there is nothing at this address")
    }

    /// 405: the route does not take this method.
    pub fn no_method() -> Self {
        let detail = "this address does not take this method: the Allow header lists those that it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, code::METHOD_NOT_ALLOWED, detail)
    }

    /// 429: more than one user may ask for; the request was not looked at.
    pub fn rate_limited(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, code::RATE_LIMITED, detail)
    }

    /// 503: not now; repeating is safe.
    pub fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, code::UNAVAILABLE, detail)
    }

    /// 409: done under the same idempotency key already, but not yet as durable as promised; repeating is safe.
    pub fn in_flight(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code::IDEMPOTENCY_IN_FLIGHT, detail)
    }

    /// The same with the seats in the way.
    #[must_use]
    pub fn conflicts(mut self, conflicts: Vec<ConflictBody>) -> Self {
        self.conflicts = conflicts;
        self
    }

    /// The same with the moment that makes the difference.
    #[must_use]
    pub fn at(mut self, moment: Moment) -> Self {
        self.moment = Some(moment);
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

    /// What the caller with this correlation id reads.
    pub(crate) fn body<'a>(&'a self, correlation_id: &'a CorrelationId) -> ProblemBody<'a> {
        let Self { status, code, detail, conflicts, moment, cause: _ } = self;
        let (opens_at, cancel_until) = match moment {
            Some(Moment::OpensAt(moment)) => (Some(*moment), None),
            Some(Moment::CancelUntil(moment)) => (None, Some(*moment)),
            None => (None, None),
        };
        ProblemBody {
            r#type: format!("https://boxoffice.dev/problems/{}", code.slug()),
            title: code.title(),
            status: status.as_u16(),
            detail,
            code: code.name(),
            retryable: code.retryable(),
            correlation_id,
            conflicts,
            opens_at,
            cancel_until,
        }
    }

    /// The answer, for the caller with this correlation id.
    pub fn render(&self, correlation: &CorrelationId) -> Response {
        let body = self.body(correlation);
        // It is made of strings and numbers, which JSON can always say.
        let json = serde_json::to_string(&body).map(|json| without_html(&json)).unwrap_or_default();
        let mut response = (self.status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        // A cache may keep a 404 or a 410 that says nothing else; what is not there now may be there in a moment.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.code.retryable() {
            headers.insert(header::RETRY_AFTER, RETRY_AFTER.into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// `text` as it can be shown: control characters, and those that reorder or hide text, escaped; what is too long cut off.
fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len().min(4 * MAX_DETAIL));
    for (index, character) in text.chars().enumerate() {
        if index == MAX_DETAIL {
            plain.push('…');
            break;
        }
        if character.is_control() || is_invisible(character) {
            // Writing to a string does not fail.
            let _ = write!(plain, "{}", character.escape_default());
        } else {
            plain.push(character);
        }
    }
    plain
}

/// Zero-width characters, line separators, and what turns the direction of text.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// The same JSON: these characters are in its strings alone, where they may be escaped.
fn without_html(json: &str) -> String {
    json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// Left for [`super::layer`] to render.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_shows_what_could_not_be_seen() {
        assert_eq!(plain("seat \"é\": a\r\nb\u{0}\u{202e}"), r#"seat "é": a\r\nb\u{0}\u{202e}"#);
    }

    #[test]
    fn a_detail_is_bounded_whatever_the_caller_wrote() {
        assert_eq!(plain(&"é".repeat(MAX_DETAIL)).chars().count(), MAX_DETAIL);
        let cut = plain(&"\u{1}".repeat(1_000_000));
        assert!(cut.ends_with('…') && cut.len() <= 6 * MAX_DETAIL, "{}", cut.len());
    }

    #[test]
    fn a_body_without_html_is_the_same_json() {
        let json = serde_json::json!({ "detail": "<script>&</script>" }).to_string();
        let safe = without_html(&json);
        assert!(!safe.contains(['<', '>', '&']), "{safe}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap()["detail"], "<script>&</script>");
    }
}
