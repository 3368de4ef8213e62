//! What a failed call of the client means, by its code and by what librdkafka told on its own account. Pure.

use boxoffice_runtime::log::kafka::trouble::{Kind, Told};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use super::KafkaError;

/// The failure of `action` at `bootstrap_servers`. A cluster that does not admit a client looks like one that does not
/// answer; `told` makes the difference.
pub fn failure(bootstrap_servers: &str, action: &str, error: &ClientError, told: Option<Told>) -> KafkaError {
    match error.rdkafka_error_code() {
        Some(code) if is_silence(code) => silence(bootstrap_servers, &error.to_string(), told),
        Some(code) if is_settling(code) => KafkaError::Settling(error.to_string()),
        _ => KafkaError::Refused { action: action.to_owned(), detail: error.to_string() },
    }
}

/// The failure of a call that got no answer, for the reason `detail`.
pub fn silence(bootstrap_servers: &str, detail: &str, told: Option<Told>) -> KafkaError {
    let bootstrap_servers = bootstrap_servers.to_owned();
    match told {
        Some(Told { kind: Kind::Credentials, words: detail }) => {
            KafkaError::Unauthenticated { bootstrap_servers, detail }
        }
        Some(Told { kind: Kind::Tls, words: detail }) => KafkaError::Insecure { bootstrap_servers, detail },
        Some(Told { kind: Kind::Other, words }) => {
            KafkaError::Unreachable { bootstrap_servers, detail: format!("{detail} ({words})") }
        }
        None => KafkaError::Unreachable { bootstrap_servers, detail: detail.to_owned() },
    }
}

fn is_silence(code: Code) -> bool {
    matches!(
        code,
        Code::BrokerTransportFailure
            | Code::AllBrokersDown
            | Code::Authentication
            | Code::OperationTimedOut
            | Code::RequestTimedOut
            | Code::Resolve
            | Code::TimedOutQueue
            | Code::WaitingForCoordinator
    )
}

fn is_settling(code: Code) -> bool {
    matches!(
        code,
        Code::NotCoordinator
            | Code::CoordinatorNotAvailable
            | Code::CoordinatorLoadInProgress
            | Code::LeaderNotAvailable
            | Code::NotLeaderForPartition
            | Code::FencedLeaderEpoch
            | Code::UnknownLeaderEpoch
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, told: Option<(Kind, &str)>) -> KafkaError {
        let told = told.map(|(kind, words)| Told { kind, words: words.to_owned() });
        failure("kafka:9093", "read the metadata", &ClientError::MetadataFetch(code), told)
    }

    #[test]
    fn a_silence_has_the_reason_that_was_told() {
        let refused = of(Code::OperationTimedOut, Some((Kind::Credentials, "invalid password")));
        assert_eq!(refused.reason(), "KafkaAuthenticationFailed");
        assert!(refused.to_string().contains("invalid password"), "{refused}");
        assert_eq!(of(Code::BrokerTransportFailure, Some((Kind::Tls, "x"))).reason(), "KafkaTlsFailed");
        let down = of(Code::BrokerTransportFailure, Some((Kind::Other, "connection refused")));
        assert_eq!(down.reason(), "KafkaUnreachable");
        assert!(down.to_string().contains("connection refused"), "{down}");
        assert_eq!(of(Code::BrokerTransportFailure, None).reason(), "KafkaUnreachable");
    }

    #[test]
    fn an_answer_is_taken_by_itself() {
        let told = Some((Kind::Credentials, "of another broker"));
        assert_eq!(of(Code::CoordinatorNotAvailable, told).reason(), "KafkaSettling");
        assert_eq!(of(Code::TopicAuthorizationFailed, told).reason(), "KafkaRefused");
    }
}
