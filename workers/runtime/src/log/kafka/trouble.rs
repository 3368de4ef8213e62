//! What librdkafka says on its own account: it is logged, and the last of it is remembered.
//!
//! A call that brokers do not admit only times out; why, librdkafka tells elsewhere, from where it goes on trying. All
//! clients of one cluster share a [`Trouble`], and whoever reports a failed call adds what it knows.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};

/// Most of what librdkafka has to say that is heard at once.
const SAYINGS: usize = 1000;

/// Why a cluster cannot be used, as far as librdkafka has told.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<Mutex<Option<Told>>>);

/// What it told last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What kind of trouble it is.
    pub kind: Kind,
    /// Its own words, without what differs from one time to the next.
    pub words: String,
}

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The brokers do not accept the credentials.
    Credentials,
    /// No TLS connection comes about, such as for a certificate that nobody known has signed.
    Tls,
    /// Anything else, such as a connection that is refused.
    Other,
}

impl Trouble {
    /// What was told last, unless a call succeeded since.
    pub fn last(&self) -> Option<Told> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Forgets it: a call succeeded.
    pub fn is_over(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn told(&self, error: &KafkaError, reason: &str) {
        let kind = match error.rdkafka_error_code() {
            // It only repeats what was said of each broker; or it is the end of one client, such as a producer whose id
            // has another owner, and the cluster is well.
            Some(RDKafkaErrorCode::AllBrokersDown | RDKafkaErrorCode::Fatal) => return,
            Some(RDKafkaErrorCode::Authentication | RDKafkaErrorCode::SaslAuthenticationFailed) => {
                Kind::Credentials
            }
            Some(RDKafkaErrorCode::SSL) => Kind::Tls,
            // OpenSSL's words: a handshake that fails at once has the code of any lost connection.
            _ if reason.contains("SSL routines") => Kind::Tls,
            _ => Kind::Other,
        };
        let told = Told { kind, words: lasting(reason).to_owned() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(told);
    }
}

impl ClientContext for Trouble {
    fn error(&self, error: KafkaError, reason: &str) {
        // No trouble at all: a reader has come to an end.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        tracing::warn!(%error, reason, "kafka");
        self.told(&error, reason);
    }
}

impl ConsumerContext for Trouble {}

/// Of a client that publishes nothing.
impl ProducerContext for Trouble {
    type DeliveryOpaque = ();

    fn delivery(&self, _result: &DeliveryResult<'_>, (): ()) {}
}

/// Hears what librdkafka has to say to a client that nobody polls all the time.
pub fn listen<C: ProducerContext>(client: &BaseProducer<C>) {
    for _ in 0..SAYINGS {
        if client.in_flight_count() == 0 {
            break;
        }
        client.poll(Duration::ZERO);
    }
}

/// `words` without the broker before them and the time behind them: what brokers say alike reads alike.
fn lasting(words: &str) -> &str {
    let said = match words.split_once(": ") {
        Some((broker, said)) if broker.contains("://") => said,
        _ => words,
    };
    said.rfind(" (after ").and_then(|end| said.get(..end)).unwrap_or(said).trim_end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const REFUSED: &str = "sasl_ssl://kafka-0:9093/bootstrap: SASL authentication error: Authentication failed: \
                           Invalid credentials (after 312ms in state AUTH_REQ, 3 identical error(s) suppressed)";

    fn error(code: RDKafkaErrorCode) -> KafkaError {
        KafkaError::Global(code)
    }

    #[test]
    fn the_same_trouble_reads_the_same_again() {
        let said = "SASL authentication error: Authentication failed: Invalid credentials";
        assert_eq!(lasting(REFUSED), said);
        assert_eq!(lasting(&REFUSED.replace("kafka-0", "kafka-1").replace("312", "5")), said);
        assert_eq!(lasting("1/1 brokers are down"), "1/1 brokers are down");
    }

    #[test]
    fn a_handshake_that_fails_at_once_is_trouble_with_tls_too() {
        let kind = |code, reason| {
            let trouble = Trouble::default();
            trouble.told(&error(code), reason);
            trouble.last().unwrap().kind
        };
        let reason = "ssl://kafka:9093/bootstrap: error:0A000086:SSL routines::certificate verify failed";
        assert_eq!(kind(RDKafkaErrorCode::BrokerTransportFailure, reason), Kind::Tls);
        assert_eq!(kind(RDKafkaErrorCode::SSL, "no certificate"), Kind::Tls);
        assert_eq!(kind(RDKafkaErrorCode::BrokerTransportFailure, "Connection refused"), Kind::Other);
    }

    #[test]
    fn the_last_word_counts_until_a_call_succeeds() {
        let trouble = Trouble::default();
        trouble.told(&error(RDKafkaErrorCode::BrokerTransportFailure), "refused");
        trouble.clone().told(&error(RDKafkaErrorCode::Authentication), REFUSED);
        trouble.told(&error(RDKafkaErrorCode::AllBrokersDown), "1/1 brokers are down");
        trouble.told(&error(RDKafkaErrorCode::Fatal), "fenced by a newer instance");
        assert_eq!(trouble.last().unwrap().kind, Kind::Credentials);
        trouble.is_over();
        assert_eq!(trouble.last(), None);
    }
}
