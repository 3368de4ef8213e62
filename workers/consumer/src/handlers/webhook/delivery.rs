//! One request: a domain event as CloudEvents has it over HTTP (binary mode), signed.
//!
//! The body is the envelope as it stands on Kafka, to the byte, and the headers are those of the record: `ce-id` for
//! `ce_id` and so on. A receiver tells a repeat by `webhook-id`, the event's id.

use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_runtime::clock;
use boxoffice_runtime::http::client::{Answer, Client, Silence};
use boxoffice_runtime::record::encode;
use bytes::Bytes;
use http::header::USER_AGENT;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::Full;
use tokio::time::Instant;

use super::schedule::{Failure, Outcome};
use super::signature::Signer;
use crate::effects::Effect;

/// After so long no further effect of a lane is begun: with an answer's ten seconds that is well within the lease.
const TURN: Duration = Duration::from_secs(10);

/// Whom to tell, and how.
#[derive(Clone)]
pub struct Receiver {
    /// The ReservationService, as namespace/name: `ce-source`.
    pub source: String,
    /// Where.
    pub url: Uri,
    /// What signs.
    pub signer: Signer,
    /// What connects.
    pub client: Client,
}

impl Receiver {
    /// Delivers effects one after the other, up to the first that fails.
    pub async fn deliver(&self, effects: &[Effect]) -> Outcome {
        let (begun, mut outcome) = (Instant::now(), Outcome::default());
        for effect in effects {
            if begun.elapsed() > TURN {
                break;
            }
            match self.deliver_one(&effect.envelope).await {
                Ok(()) => outcome.delivered = Some(effect.number),
                Err(failure) => {
                    outcome.failure = Some(failure);
                    break;
                }
            }
        }
        outcome
    }

    async fn deliver_one(&self, envelope: &str) -> Result<(), Failure> {
        let request = self.request(envelope, clock::now() / 1000).map_err(Failure::Unsendable)?;
        judged(self.client.ask(request).await)
    }

    /// The request of an event at a time, in seconds.
    fn request(&self, envelope: &str, timestamp: u64) -> Result<Request<Full<Bytes>>, String> {
        let event = match parse(envelope.as_bytes()) {
            Ok(Incoming::Known(event)) => event,
            Ok(Incoming::Unknown(event)) => {
                return Err(format!("a newer version wrote it: this one does not know {}", event.event_type));
            }
            Err(error) => return Err(error.to_string()),
        };
        let record = encode(&event, 0, &self.source, None).map_err(|error| error.to_string())?;
        let id = event.event_id.to_string();
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(self.url.clone())
            .header(USER_AGENT, concat!("boxoffice/", env!("CARGO_PKG_VERSION")))
            .header("x-correlation-id", event.metadata.correlation_id.as_str())
            .header("webhook-id", &id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", self.signer.sign(&id, timestamp, envelope.as_bytes()));
        for (name, value) in &record.headers {
            request = request.header(name.replace('_', "-"), value.as_ref());
        }
        request.body(Full::from(envelope.to_owned())).map_err(|error| error.to_string())
    }
}

/// What an answer means for the delivery.
fn judged(answer: Result<Answer, Silence>) -> Result<(), Failure> {
    let Answer { status, retry_after, .. } = match answer {
        Ok(answer) => answer,
        Err(silence) => return Err(Failure::Trouble { after: None, reason: silence.to_string() }),
    };
    let trouble = || Failure::Trouble { after: retry_after, reason: status.to_string() };
    match status {
        status if status.is_success() => Ok(()),
        StatusCode::GONE => Err(Failure::Gone),
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS => Err(trouble()),
        status if status.is_server_error() => Err(trouble()),
        // Redirects are not followed: what is signed for one address is not told to another.
        status => Err(Failure::Refused(status.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::events::{Payment, VERSION};
    use boxoffice_domain::{DomainEvent, Envelope, Metadata, ReservationId, SeatingEventId};
    use uuid::Uuid;

    use super::*;

    #[tokio::test]
    async fn a_request_is_a_signed_cloud_event_with_the_envelope_for_a_body() {
        let event_id: SeatingEventId = "arena-night".parse().unwrap();
        let envelope = Envelope {
            event_id: Uuid::from_u128(7),
            timestamp: 1_700_000_000_123,
            version: VERSION,
            metadata: Metadata {
                correlation_id: "c-1".parse().unwrap(),
                causation_id: Uuid::from_u128(8),
                user_id: None,
                sequence: None,
            },
            event: DomainEvent::PaymentCompleted(Payment {
                reservation_id: ReservationId::new(event_id.clone(), Uuid::from_u128(9)),
                event_id,
                user_id: "zoë".parse().unwrap(),
                amount: 12_000,
                currency: "EUR".into(),
                payment_id: Some("p-1".into()),
                reason: None,
                late: false,
            }),
        };
        let body = String::from_utf8(envelope.to_json().unwrap()).unwrap();
        let url: Uri = "http://localhost:1/events".parse().unwrap();
        let signer = Signer::new("hush").unwrap();
        let receiver = Receiver {
            source: "tickets/main".into(),
            client: Client::to(&url).unwrap(),
            signer: signer.clone(),
            url,
        };
        let request = receiver.request(&body, 1_700_000_001).unwrap();
        let header = |name: &str| request.headers()[name].to_str().unwrap();
        let id = "00000000-0000-0000-0000-000000000007";
        assert_eq!((header("ce-id"), header("webhook-id")), (id, id));
        assert_eq!((header("ce-type"), header("ce-specversion")), ("payment.completed", "1.0"));
        assert_eq!(header("ce-source"), "/boxoffice/tickets/main");
        assert_eq!(header("ce-subject"), "arena-night.00000000-0000-0000-0000-000000000009");
        assert_eq!(header("ce-time"), "2023-11-14T22:13:20.123Z");
        assert_eq!((header("content-type"), header("x-correlation-id")), ("application/json", "c-1"));
        assert!(header("traceparent").starts_with("00-00000000000000000000000000000008-"));
        assert_eq!(header("webhook-timestamp"), "1700000001");
        assert_eq!(header("webhook-signature"), signer.sign(id, 1_700_000_001, body.as_bytes()));
    }

    #[test]
    fn answers_mean_what_the_table_says() {
        let said = |status: u16| {
            let status = StatusCode::from_u16(status).unwrap();
            judged(Ok(Answer { status, retry_after: Some(Duration::from_secs(3)), body: None }))
        };
        for done in [200, 202, 204] {
            assert_eq!(said(done), Ok(()));
        }
        assert_eq!(said(410), Err(Failure::Gone));
        for again in [408, 425, 429, 500, 503] {
            assert!(matches!(said(again), Err(Failure::Trouble { after: Some(_), .. })), "{again}");
        }
        for refused in [301, 307, 400, 401, 404, 413] {
            assert!(matches!(said(refused), Err(Failure::Refused(_))), "{refused}");
        }
        assert!(matches!(judged(Err(Silence::Late)), Err(Failure::Trouble { after: None, .. })));
    }
}
