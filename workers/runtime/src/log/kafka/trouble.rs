//! What librdkafka says on its own account: it is logged, the same again only now and then, and the last of it is remembered.
//!
//! A call that brokers do not admit only times out; why, librdkafka tells elsewhere, from where it goes on trying. All
//! clients of one cluster share a [`Trouble`], and whoever reports a failed call adds what it knows.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::producer::{BaseProducer, DeliveryResult, Producer, ProducerContext};

/// Most of what librdkafka has to say that is heard at once.
const SAYINGS: usize = 1000;

/// The same is logged again after so long: librdkafka says it at every try to connect, of every client.
const AGAIN: Duration = Duration::from_secs(30);
/// Most sayings that are known to be logged; beyond that all count as new.
const LOGGED: usize = 64;

/// Why a cluster cannot be used, as far as librdkafka has told.
#[derive(Debug, Clone, Default)]
pub struct Trouble(Arc<Mutex<Heard>>);

#[derive(Debug, Default)]
struct Heard {
    last: Option<Told>,
    /// What was logged, and when last: also where a call succeeded since, for of three brokers one may be away.
    logged: HashMap<String, Instant>,
}

impl Heard {
    /// Whether these words are worth a line: they are new, or were logged long ago.
    fn is_news(&mut self, words: &str, now: Instant) -> bool {
        if self.logged.get(words).is_some_and(|at| now.duration_since(*at) < AGAIN) {
            return false;
        }
        if self.logged.len() >= LOGGED {
            self.logged.clear();
        }
        self.logged.insert(words.to_owned(), now);
        true
    }
}

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
        self.heard().last.clone()
    }

    /// Forgets it: a call succeeded.
    pub fn is_over(&self) {
        self.heard().last = None;
    }

    fn heard(&self) -> MutexGuard<'_, Heard> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        self.heard().last = Some(told);
    }
}

impl ClientContext for Trouble {
    fn error(&self, error: KafkaError, reason: &str) {
        // No trouble at all: a reader has come to an end.
        if error.rdkafka_error_code() == Some(RDKafkaErrorCode::PartitionEOF) {
            return;
        }
        if self.heard().is_news(untimed(reason), Instant::now()) {
            tracing::warn!(%error, reason, "kafka");
        } else {
            tracing::debug!(%error, reason, "kafka");
        }
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
    untimed(said)
}

/// `words` without the time behind them.
fn untimed(words: &str) -> &str {
    words.rfind(" (after ").and_then(|end| words.get(..end)).unwrap_or(words).trim_end()
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
    fn what_is_said_again_and_again_is_logged_now_and_then() {
        let (mut heard, began) = (Heard::default(), Instant::now());
        let [one, other] = ["kafka-0:9092: Connection refused", "1/1 brokers are down"];
        assert!(heard.is_news(one, began) && heard.is_news(other, began));
        for second in 0..AGAIN.as_secs() {
            let now = began + Duration::from_secs(second);
            assert!(!heard.is_news(one, now) && !heard.is_news(other, now));
        }
        assert!(heard.is_news(one, began + AGAIN));
        for number in 0..10 * LOGGED {
            assert!(heard.is_news(&format!("broker {number}"), began));
            assert!(heard.logged.len() <= LOGGED);
        }
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
