//! What a failed call of the client means, by its code and by what librdkafka told on its own account. Pure.

use boxoffice_runtime::log::kafka::trouble::{Kind, Told};
use rdkafka::error::{KafkaError as ClientError, RDKafkaErrorCode as Code};

use super::{KafkaError, Resource, Right};
use boxoffice_runtime::log::kafka::requests::Failure;

/// What was asked of a cluster: in words, and by which right.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What: `create topic seat-events`.
    pub words: String,
    /// The right that it takes.
    pub right: Right,
}

impl Action {
    /// What is done to a topic.
    pub fn topic(verb: &str, operation: &'static str, name: &str) -> Self {
        Self::on(verb, operation, Resource::Topic, name)
    }

    /// What is done to a group.
    pub fn group(verb: &str, operation: &'static str, name: &str) -> Self {
        Self::on(verb, operation, Resource::Group, name)
    }

    fn on(verb: &str, operation: &'static str, resource: Resource, name: &str) -> Self {
        Self {
            words: format!("{verb} {resource} {name}"),
            right: Right { operation, resource, name: name.to_owned() },
        }
    }
}

/// Where something was asked, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// The addresses that were tried.
    pub bootstrap_servers: String,
    /// The user, where there is one.
    pub principal: Option<String>,
}

impl Asked {
    /// The failure of `action`. A cluster that does not admit a client looks like one that does not answer; `told` makes
    /// the difference.
    pub fn failure(&self, action: &Action, failure: &Failure, told: Option<Told>) -> KafkaError {
        let Failure { code, words } = failure;
        let detail =
            || if words.is_empty() { ClientError::AdminOp(*code).to_string() } else { words.clone() };
        match *code {
            code if is_silence(code) => self.silence(&detail(), told),
            code if is_settling(code) => KafkaError::Settling(format!("{}: {}", action.words, detail())),
            code => match missing(code, &action.right) {
                Some(right) => KafkaError::Forbidden { right, principal: self.principal.clone() },
                None => KafkaError::Refused { action: action.words.clone(), detail: detail() },
            },
        }
    }

    /// The failure of a call that got no answer, for the reason `detail`.
    pub fn silence(&self, detail: &str, told: Option<Told>) -> KafkaError {
        let bootstrap_servers = self.bootstrap_servers.clone();
        match told {
            Some(Told { kind: Kind::Credentials, words: detail }) => {
                KafkaError::Unauthenticated { bootstrap_servers, detail }
            }
            Some(Told { kind: Kind::Tls, words: detail }) => {
                KafkaError::Insecure { bootstrap_servers, detail }
            }
            Some(Told { kind: Kind::Other, words }) => {
                KafkaError::Unreachable { bootstrap_servers, detail: format!("{detail} ({words})") }
            }
            None => KafkaError::Unreachable { bootstrap_servers, detail: detail.to_owned() },
        }
    }
}

/// The right that lacks, where brokers name the resource of the action, or the cluster.
fn missing(code: Code, right: &Right) -> Option<Right> {
    match (code, right.resource) {
        (Code::TopicAuthorizationFailed, Resource::Topic)
        | (Code::GroupAuthorizationFailed, Resource::Group) => Some(right.clone()),
        (Code::ClusterAuthorizationFailed, _) => Some(Right {
            operation: right.operation,
            resource: Resource::Cluster,
            name: "kafka-cluster".to_owned(),
        }),
        _ => None,
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

/// A topic that is not known is one of these as well: it may be that a broker has yet to hear of it, or is being deleted.
/// Who asks whether it exists looks at the code itself.
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
            | Code::UnknownTopic
            | Code::UnknownPartition
            | Code::TopicAlreadyExists
            | Code::NotController
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(action: &Action, code: Code, told: Option<(Kind, &str)>) -> KafkaError {
        let told = told.map(|(kind, words)| Told { kind, words: words.to_owned() });
        let asked = Asked { bootstrap_servers: "kafka:9093".into(), principal: Some("boxoffice".into()) };
        asked.failure(action, &code.into(), told)
    }

    fn describe() -> Action {
        Action::topic("describe", "Describe", "seat-events")
    }

    #[test]
    fn a_silence_has_the_reason_that_was_told() {
        let of = |code, told| of(&describe(), code, told);
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
        assert_eq!(of(&describe(), Code::CoordinatorNotAvailable, told).reason(), "KafkaSettling");
        assert_eq!(of(&describe(), Code::InvalidConfig, None).reason(), "KafkaRefused");
    }

    #[test]
    fn a_right_that_lacks_is_named_as_kafkas_tool_takes_it() {
        let forbidden = of(&describe(), Code::TopicAuthorizationFailed, None);
        assert_eq!(forbidden.reason(), "KafkaForbidden");
        let said = forbidden.to_string();
        let rule = "--allow-principal User:boxoffice --operation Describe --topic seat-events";
        assert!(said.contains(rule), "{said}");
        let delete = Action::group("delete", "Delete", "stats");
        let said = of(&delete, Code::GroupAuthorizationFailed, None).to_string();
        assert!(said.contains("--operation Delete --group stats"), "{said}");
        let create = Action::topic("create", "Create", "seat-events");
        let said = of(&create, Code::ClusterAuthorizationFailed, None).to_string();
        assert!(said.contains("--operation Create --cluster"), "{said}");
    }
}
