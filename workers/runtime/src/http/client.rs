//! Requests to services that other people run: a payment gateway, a receiver of events.
//!
//! [`super::outbound`] says which addresses may be called. An answer has ten seconds and 64 KiB, redirects are not
//! followed, and what is sent is never logged here: it may hold a token.

use std::sync::Arc;
use std::time::Duration;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderMap, Request, StatusCode, Uri};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::crypto::ring;
use tokio::time::timeout;

use crate::clock;

/// Longest wait for an answer, its body included.
pub const ANSWER: Duration = Duration::from_secs(10);
/// Largest body that is read, in bytes.
const MAX_BYTES: usize = 64 << 10;
/// Longest wait for a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(20);

/// A client of one address.
#[derive(Clone)]
pub struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// How long the other side asks to be left alone.
    pub retry_after: Option<Duration>,
    /// The body; `None` where it is larger than 64 KiB or broke off.
    pub body: Option<Bytes>,
}

/// Why nothing came back.
#[derive(Debug, thiserror::Error)]
pub enum Silence {
    /// It took too long.
    #[error("no answer within {} s", ANSWER.as_secs())]
    Late,
    /// There is nobody.
    #[error("cannot be reached: {}", chain(.0))]
    Unreachable(#[from] legacy::Error),
}

/// An error with what it came from: the outer ones say little.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    std::iter::successors(Some(error), |error| error.source())
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(": ")
}

/// Connections to `uri`: over https the other side is trusted by the certificate authorities of the system.
pub(crate) fn connector(uri: &Uri) -> Result<HttpsConnector<HttpConnector>, String> {
    let mut http = HttpConnector::new();
    http.enforce_http(false);
    http.set_nodelay(true);
    http.set_connect_timeout(Some(CONNECT));
    let connector = HttpsConnectorBuilder::new();
    let connector = if uri.scheme_str() == Some("https") {
        let trusting = connector.with_provider_and_native_roots(ring::default_provider());
        trusting.map_err(|error| error.to_string())?.https_only()
    } else {
        let config = rustls::ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        connector.with_tls_config(config).https_or_http()
    };
    Ok(connector.enable_http1().wrap_connector(http))
}

impl Client {
    /// A client of `uri`, with connections that are kept for the next request.
    ///
    /// # Errors
    /// A system whose certificate authorities cannot be read.
    pub fn to(uri: &Uri) -> Result<Self, String> {
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .build(connector(uri)?);
        Ok(Self { client })
    }

    /// Asks once.
    ///
    /// # Errors
    /// Nobody there, or no answer in time: whether the request was heard is not known then.
    pub async fn ask(&self, request: Request<Full<Bytes>>) -> Result<Answer, Silence> {
        timeout(ANSWER, self.answer(request)).await.map_err(|_| Silence::Late)?
    }

    async fn answer(&self, request: Request<Full<Bytes>>) -> Result<Answer, Silence> {
        let response = self.client.request(request).await?;
        let (status, retry_after) = (response.status(), retry_after(response.headers(), clock::now()));
        let body = Limited::new(response.into_body(), MAX_BYTES).collect().await;
        Ok(Answer { status, retry_after, body: body.ok().map(http_body_util::Collected::to_bytes) })
    }
}

/// `Retry-After` as a time from `now` on: seconds, or a date.
fn retry_after(headers: &HeaderMap, now: u64) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(Duration::from_millis(u64::try_from(date.as_millisecond()).ok()?.saturating_sub(now)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_says_when_it_wants_to_be_asked_again() {
        let after =
            |text: &str, now| retry_after(&[(RETRY_AFTER, text.parse().unwrap())].into_iter().collect(), now);
        assert_eq!(after("120", 0), Some(Duration::from_mins(2)));
        let date = "Wed, 21 Oct 2015 07:28:00 GMT";
        assert_eq!(after(date, 1_445_412_470_000), Some(Duration::from_secs(10)));
        assert_eq!(after(date, 1_800_000_000_000), Some(Duration::ZERO), "it is over");
        assert_eq!(after("soon", 0), None);
        assert_eq!(retry_after(&HeaderMap::new(), 0), None);
    }
}
