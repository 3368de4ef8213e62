//! What a request says about itself: the chain that it belongs to, and the id in its path.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName};
use boxoffice_domain::CorrelationId;
use boxoffice_domain::ids::InvalidId;
use uuid::Uuid;

use super::Problem;

/// Header: the chain that a request belongs to.
pub const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
/// Header: the caller's W3C trace.
pub(super) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// The chain that a request belongs to.
#[derive(Debug, Clone)]
pub struct RequestContext {
    /// Taken from the request, or made.
    pub correlation: CorrelationId,
    /// Whether it was taken from the request.
    pub named: bool,
    /// The caller's W3C trace, where it has one.
    pub traceparent: Option<String>,
}

impl RequestContext {
    /// The chain that the headers name, or a new one.
    ///
    /// # Errors
    /// A correlation id that is none.
    pub fn of(headers: &HeaderMap) -> Result<Self, Problem> {
        let named = sole(headers, &CORRELATION_ID)?;
        let correlation = match named {
            Some(text) => text.parse().map_err(|error: InvalidId| Problem::invalid(error.to_string()))?,
            None => Uuid::new_v4().into(),
        };
        let traceparent = headers.get(TRACEPARENT).and_then(|value| value.to_str().ok());
        let traceparent = traceparent.filter(|text| is_traceparent(text)).map(str::to_owned);
        Ok(Self { correlation, named: named.is_some(), traceparent })
    }

    /// The chain of a request that named none that could be understood.
    pub fn begun_here() -> Self {
        Self { correlation: Uuid::new_v4().into(), named: false, traceparent: None }
    }
}

impl<S: Sync> FromRequestParts<S> for RequestContext {
    type Rejection = Problem;

    /// [`super::layer`] read it already.
    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        match parts.extensions.get::<Self>() {
            Some(chain) => Ok(chain.clone()),
            None => Self::of(&parts.headers),
        }
    }
}

/// The only value of a header: of two, a gateway may have checked the other one.
///
/// # Errors
/// Several values, or one that is not UTF-8.
pub fn sole<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => std::str::from_utf8(value.as_bytes())
            .map(Some)
            .map_err(|_| Problem::invalid(format!("header {name} is not UTF-8"))),
        (Some(_), Some(_)) => Err(Problem::invalid(format!("header {name} is there more than once"))),
    }
}

/// Whether `text` is a W3C trace context of version 00: `00-<trace>-<span>-<flags>`, in lower case, no id all zeros.
fn is_traceparent(text: &str) -> bool {
    let hex = |part: &str, length: usize| {
        part.len() == length && part.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    };
    let id = |part: &str, length: usize| hex(part, length) && part.bytes().any(|b| b != b'0');
    let parts: Vec<_> = text.split('-').collect();
    matches!(parts.as_slice(), ["00", trace, span, flags] if id(trace, 32) && id(span, 16) && hex(flags, 2))
}

/// The id in the path.
#[derive(Debug)]
pub struct Id<T>(pub T);

impl<S: Send + Sync, T: FromStr<Err = InvalidId>> FromRequestParts<S> for Id<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        let Path(text) = path.map_err(|rejection| {
            Problem::invalid("the id in the address is not UTF-8: write it as it was given")
                .because(rejection.body_text())
        })?;
        text.parse().map(Self).map_err(|error| Problem::invalid(error.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_taken_only_when_well_formed() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        assert!(is_traceparent(&format!("00-{trace}-{span}-01")));
        let zeros = "0".repeat(32);
        for bad in [
            String::new(),
            format!("01-{trace}-{span}-01"),
            format!("00-{trace}-{span}"),
            format!("00-{zeros}-{span}-01"),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}-01-more"),
        ] {
            assert!(!is_traceparent(&bad), "{bad}");
        }
    }
}
