//! The payment gateway: what it is asked, and what its answers mean.
//!
//! [`http`](HttpGateway) asks one of other people over HTTP; [`super::sandbox`] is one that is built in. Whatever is not
//! understood is no answer: it is asked again, and somebody is told.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::http::client::{self, Client, Silence};
use boxoffice_runtime::http::outbound;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use http::{HeaderValue, Method, Request, StatusCode, Uri};
use http_body_util::Full;
use serde::Deserialize;
use serde_json::json;

use super::machine::{Answer, Ask, Payment};
use crate::effects::{Refused, Setting};

/// What charges.
#[async_trait]
pub trait Gateway: Send + Sync + 'static {
    /// Asks once, to charge `payment` or what became of it.
    async fn ask(&self, ask: Ask, payment: &Payment) -> Reply;
}

/// What came of asking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// What it means.
    pub answer: Answer,
    /// What somebody has to look at.
    pub alarm: Option<String>,
}

/// A gateway over HTTP.
pub struct HttpGateway {
    charges: Uri,
    token: Option<HeaderValue>,
    client: Client,
}

impl fmt::Debug for HttpGateway {
    /// Without the token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HttpGateway").field("charges", &self.charges).finish_non_exhaustive()
    }
}

impl HttpGateway {
    /// The gateway at `url`, which wants to see `token`.
    ///
    /// # Errors
    /// An address that must not be called, or a token that no header can carry.
    pub fn new(url: &str, token: Option<&str>) -> Result<Self, Refused> {
        let refused = |problem: String| Refused { setting: Setting::PaymentUrl, problem };
        let url = outbound::check(url).map_err(refused)?;
        let charges: Uri = url.as_str().parse().map_err(|error| refused(format!("{url}: {error}")))?;
        let token = token.map(str::trim).filter(|token| !token.is_empty());
        let token = token.map(|token| {
            let mut value = HeaderValue::from_str(&format!("Bearer {token}")).map_err(|_| Refused {
                setting: Setting::PaymentSecret,
                problem: "the token has characters that no HTTP header can carry".to_owned(),
            })?;
            value.set_sensitive(true);
            Ok::<_, Refused>(value)
        });
        let client = Client::to(&charges).map_err(refused)?;
        Ok(Self { charges, token: token.transpose()?, client })
    }

    fn request(&self, ask: Ask, payment: &Payment) -> Result<Request<Full<Bytes>>, http::Error> {
        let key = payment.reservation_id.to_string();
        let request = Request::builder()
            .header(ACCEPT, "application/json")
            .header(USER_AGENT, concat!("boxoffice/", env!("CARGO_PKG_VERSION")))
            .header("x-correlation-id", payment.cause.correlation_id.as_str())
            .header("traceparent", &payment.traceparent);
        let request = match &self.token {
            Some(token) => request.header(AUTHORIZATION, token),
            None => request,
        };
        match ask {
            Ask::Post => request
                .method(Method::POST)
                .uri(self.charges.clone())
                .header("idempotency-key", key)
                .header(CONTENT_TYPE, "application/json")
                .body(Full::from(body(payment))),
            Ask::Get => request.method(Method::GET).uri(below(&self.charges, &key)?).body(Full::default()),
        }
    }
}

/// The address of one charge: a path below that of all.
fn below(charges: &Uri, key: &str) -> Result<Uri, http::Error> {
    let path = charges.path().trim_end_matches('/');
    let path = match charges.query() {
        Some(query) => format!("{path}/{key}?{query}"),
        None => format!("{path}/{key}"),
    };
    let mut parts = charges.clone().into_parts();
    parts.path_and_query = Some(path.parse()?);
    Ok(Uri::from_parts(parts)?)
}

fn body(payment: &Payment) -> String {
    json!({
        "reservationId": payment.reservation_id,
        "eventId": payment.event_id,
        "userId": payment.user_id,
        "amount": payment.amount,
        "currency": payment.currency,
    })
    .to_string()
}

#[async_trait]
impl Gateway for HttpGateway {
    async fn ask(&self, ask: Ask, payment: &Payment) -> Reply {
        match self.request(ask, payment) {
            Ok(request) => read(ask, self.client.ask(request).await),
            Err(error) => again(None, Some(format!("the request cannot be written: {error}"))),
        }
    }
}

fn again(after: Option<Duration>, alarm: Option<String>) -> Reply {
    Reply { answer: Answer::Again { after }, alarm }
}

/// What a gateway says about a charge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Said {
    status: Status,
    payment_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Status {
    Succeeded,
    Declined,
    Pending,
}

/// What an answer means.
fn read(asked: Ask, answer: Result<client::Answer, Silence>) -> Reply {
    let calm = |answer| Reply { answer, alarm: None };
    let client::Answer { status, retry_after, body } = match answer {
        Ok(answer) => answer,
        Err(silence) => {
            tracing::info!(%silence, "the gateway does not answer");
            return again(None, None);
        }
    };
    match (status, asked) {
        (status, _) if status.is_success() => match body.as_deref().map(serde_json::from_slice::<Said>) {
            Some(Ok(Said { status: Status::Declined, .. })) => calm(Answer::Declined),
            Some(Ok(Said { status: Status::Pending, .. })) => calm(Answer::Pending),
            Some(Ok(Said { status: Status::Succeeded, payment_id: Some(id) }))
                if !id.is_empty() && id.len() <= 256 && !id.contains('\0') =>
            {
                calm(Answer::Succeeded { payment_id: id })
            }
            _ => {
                let alarm = format!("{status} with a body that is not {{status, paymentId}}");
                again(retry_after, Some(alarm))
            }
        },
        (StatusCode::PAYMENT_REQUIRED, _) => calm(Answer::Declined),
        (StatusCode::NOT_FOUND, Ask::Get) => calm(Answer::NotFound),
        (StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS, _) => {
            again(retry_after, None)
        }
        (status, _) if status.is_server_error() => again(retry_after, None),
        (status, Ask::Post) if status.is_client_error() => {
            let alarm = Some(format!("{status} to a charge: payment.url, its token or the request is wrong"));
            Reply { answer: Answer::Refused, alarm }
        }
        (status, _) => again(retry_after, Some(format!("{status}, which is no answer about a charge"))),
    }
}

#[cfg(test)]
#[path = "gateway_tests.rs"]
mod tests;
