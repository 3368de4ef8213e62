//! The consumers of a ReservationService: which handler each runs, from where it reads, and into which database it writes.

use k8s_openapi::api::core::v1::{ResourceRequirements, SecretKeySelector};
use kube::KubeSchema;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::common::MOMENT;
use crate::tls::Tls;

/// Where effects may go, as a regular expression that CEL takes: https anywhere; http to loopback and to names that only
/// the cluster has. `boxoffice_runtime::http::outbound` is the same rule for programs.
const OUTBOUND: &str = concat!(
    r"^(https://[^/?#@ ]+|http://(localhost|127[.][0-9.]+|\\[::1\\]|[a-z0-9]([-a-z0-9]*[a-z0-9])?",
    r"|[-a-z0-9.]+[.]svc([.]cluster[.]local)?)(:[0-9]+)?)([/?].*)?$"
);

/// One consumer: a Deployment, and a consumer group of the same name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("!has(self.startFrom) || self.startFrom == 'earliest' || \
                            !(self.handler in ['seat-view', 'stats'])")
        .message("startFrom must be earliest for the handlers seat-view and stats: their views need every event")
        .field_path(".startFrom"),
    validation = Rule::new("!has(self.startFrom) || self.startFrom != 'earliest' || \
                            !(self.handler in ['payment', 'webhook'])")
        .message("startFrom must not be earliest for the handlers payment and webhook, which would charge and tell again: \
                  write latest or a time, or leave it out")
        .field_path(".startFrom"),
    validation = Rule::new("!has(self.reset) || !(self.handler in ['payment', 'webhook'])")
        .message("the handlers payment and webhook cannot be replayed, which would charge and tell again: remove reset")
        .field_path(".reset"),
    validation = Rule::new("(self.handler == 'payment') == has(self.payment)")
        .message("the section payment belongs to handler payment, and only to it: add or remove it")
        .field_path(".payment"),
    validation = Rule::new("(self.handler == 'webhook') == has(self.webhook)")
        .message("the section webhook belongs to handler webhook, and only to it: add or remove it")
        .field_path(".webhook")
)]
pub struct Consumer {
    /// Its name and that of its consumer group (behind `kafka.prefix`). Example: `reservation-persistence-service`.
    #[schemars(length(min = 1, max = 63))]
    #[x_kube(
        validation = Rule::new("self.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')")
            .message("a consumer's name must be a DNS label: lower-case letters, digits and hyphens, a letter first"),
        validation = Rule::new("!(self in ['command', 'query', 'command-payments'])")
            .message("a consumer cannot be called command, query or command-payments, as those workers and their group \
                      are: choose another name")
    )]
    pub name: String,
    /// What it does with events: `seat-view` (the state of every seat, for the query worker), `persistence`
    /// (reservations in a database of their own), `stats` (counts and revenue per section), `payment` (charges
    /// reservations at a gateway) or `webhook` (passes events to another service over HTTP).
    pub handler: Handler,
    /// Its database, PostgreSQL. Every consumer has one of its own.
    #[x_kube(validation = Rule::new("has(self.url) != has(self.urlFrom)")
        .message("database: give either url or urlFrom"))]
    pub database: Database,
    /// Where the group begins when it is created: `earliest`, `latest` (the end of the log at that moment), or an RFC
    /// 3339 time such as `2026-11-01T00:00:00Z`. Default: `latest` for payment and webhook, which are never at
    /// `earliest`, and `earliest` for all others. It does not move a group that exists: see `reset`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new("self in ['earliest', 'latest'] || timestamp(self).getFullYear() > 999")
        .message("startFrom must be earliest, latest or an RFC 3339 time of a day that exists"))]
    pub start_from: Option<StartFrom>,
    /// How many pods. Left out: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("!(has(self.replicas) && has(self.lag))")
            .message("scaling: give either replicas or lag"),
        validation = Rule::new("!(has(self.autoscaling) && has(self.lag))")
            .message("scaling: give either autoscaling or lag")
    )]
    pub scaling: Option<Scaling>,
    /// What each pod requests and may use, as in a pod. Default: no requests and no limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resources: Option<ResourceRequirements>,
    /// Replays events: drains the consumer, moves its group, goes on. Done once for each new `requestId`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reset: Option<Reset>,
    /// The payment gateway. Only, and always, with handler `payment`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(
        validation = Rule::new("has(self.url) != self.sandbox")
            .message("payment: give either url or sandbox: true"),
        validation = Rule::new("!(self.sandbox && has(self.secretRef))")
            .message("payment: the sandbox takes no token: remove secretRef"),
        validation = Rule::new(format!("!has(self.url) || self.url.matches('{OUTBOUND}')"))
            .message("payment.url must be https, or http to this machine or to a name of the cluster: nobody in between may \
                      read the token")
            .field_path(".url")
    )]
    pub payment: Option<Payment>,
    /// The receiver of the events. Only, and always, with handler `webhook`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[x_kube(validation = Rule::new(format!("self.url.matches('{OUTBOUND}')"))
        .message("webhook.url must be https, or http to this machine or to a name of the cluster: nobody in between may \
                  read what is sent")
        .field_path(".url"))]
    pub webhook: Option<Webhook>,
}

/// What a consumer does with events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Handler {
    /// Keeps the view that the query worker serves.
    SeatView,
    /// Keeps reservations.
    Persistence,
    /// Keeps counts and revenue per section, and publishes them.
    Stats,
    /// Charges reservations at a gateway.
    Payment,
    /// Passes events on over HTTP.
    Webhook,
}

impl Handler {
    /// Whether what it does reaches outside of its database: then it begins at no old event and is never replayed.
    pub fn acts_outside(self) -> bool {
        match self {
            Self::SeatView | Self::Persistence | Self::Stats => false,
            Self::Payment | Self::Webhook => true,
        }
    }
}

/// Where a database is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Database {
    /// Its address, in plain sight: for trials. Example: `postgres://view@postgres/view`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// Its address in a Secret of the same namespace.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url_from: Option<UrlFrom>,
    /// Speak TLS, and check the server's certificate and the host that it names; whatever the address says of `sslmode` and
    /// certificates. Public authorities are trusted besides the one that is named. Left out: as the address says, by default
    /// TLS where the server speaks it, with any certificate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
}

/// An address that stands in a Secret.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct UrlFrom {
    /// The Secret, in the same namespace, and its key. Another content replaces the pods that read it.
    pub secret_key_ref: SecretKeySelector,
}

/// Where a new group begins: a string in the resource, `earliest`, `latest` or an RFC 3339 time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StartFrom {
    /// The first record of every partition.
    #[default]
    Earliest,
    /// The end of every partition when the group is created.
    Latest,
    /// The first record of every partition at or after this moment.
    #[serde(untagged)]
    Timestamp(jiff::Timestamp),
}

impl JsonSchema for StartFrom {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "StartFrom".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "maxLength": 35, "pattern": format!("^(earliest|latest|{MOMENT})$") })
    }
}

/// How many pods a consumer has. Never more than the topic has partitions: those would idle.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Scaling {
    /// A fixed number of pods, 1 to 1000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub replicas: Option<u32>,
    /// As many pods as it takes to keep up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lag: Option<LagScaling>,
    /// Leaves the number of pods to somebody else, such as KEDA.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<ExternalScaling>,
}

/// Scaling by somebody else.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ExternalScaling {
    /// `true`: `replicas` counts when the pods are made, and is left alone afterwards. Default: `false`.
    pub external: bool,
}

/// Scaling by consumer lag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("self.minReplicas <= self.maxReplicas")
    .message("lag.minReplicas must not be more than lag.maxReplicas"))]
pub struct LagScaling {
    /// Fewest pods, from 1.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: u32,
    /// Most pods.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: u32,
    /// Records behind the end of the log, for each pod, at which pods are added. Example: 1000.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub target_lag: u32,
}

/// A replay of the log into a consumer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Reset {
    /// Names this replay; the same one is never done twice. Example: `2026-11-23-a`.
    #[schemars(length(min = 1, max = 63))]
    pub request_id: String,
    /// Where to go on: `earliest`, `latest`, an RFC 3339 time, or the domain event `{eventId, sequence}` of one
    /// SeatingEvent, `{eventId: arena-night, sequence: 120}`.
    pub to: ResetTo,
}

/// Where a replay begins. A schema cannot say "a string or an object", so this takes any value and the operator answers
/// [`ResetTo::Other`] with a condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum ResetTo {
    /// `earliest`, `latest` or a time.
    Position(StartFrom),
    /// A domain event.
    #[serde(rename_all = "camelCase")]
    Event {
        /// The SeatingEvent's name.
        event_id: String,
        /// The domain event's sequence within it.
        sequence: u64,
    },
    /// Nothing that a replay could begin at.
    Other(Value),
}

impl JsonSchema for ResetTo {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "ResetTo".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "x-kubernetes-preserve-unknown-fields": true })
    }
}

/// The payment gateway that handler `payment` calls.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Payment {
    /// Where charges are posted. Example: `https://payments.example.com/charges`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub url: Option<String>,
    /// `true`, in place of `url`: a built-in gateway that accepts every charge and moves no money. For trials: the
    /// condition `SandboxPayments` says so for as long as it is declared. Default: `false`.
    #[serde(default)]
    pub sandbox: bool,
    /// Seconds after which an unpaid reservation is released, 1 to 86400. Default: 900.
    #[serde(default = "fifteen_minutes")]
    #[schemars(range(min = 1, max = 86_400))]
    pub timeout_seconds: u32,
    /// The gateway's bearer token. Left out: none is sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}

fn fifteen_minutes() -> u32 {
    900
}

/// The receiver that handler `webhook` posts CloudEvents to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Webhook {
    /// Where events are posted. Example: `https://notify.example.com/events`.
    #[schemars(length(min = 1, max = 2048))]
    pub url: String,
    /// The key that signs each request, as Standard Webhooks has it (HMAC-SHA-256): `whsec_` and base64, or any text.
    /// While it is exchanged the Secret holds two, each on a line of its own, and requests carry both signatures.
    pub secret_ref: SecretKeySelector,
    /// The event types to pass on. Left out: all. Example: `[seat.reserved]`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 1, max = 64)))]
    pub events: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_start_is_a_word_or_a_time() {
        let start = |value: Value| serde_json::from_value::<StartFrom>(value).ok();
        assert_eq!(start(json!("earliest")), Some(StartFrom::Earliest));
        assert_eq!(start(json!("latest")), Some(StartFrom::Latest));
        assert_eq!(
            start(json!("1970-01-01T01:00:01+01:00")),
            Some(StartFrom::Timestamp(jiff::Timestamp::constant(1, 0)))
        );
        assert_eq!(start(json!("tomorrow")), None);
    }

    #[test]
    fn a_replay_begins_at_a_position_or_at_a_domain_event_and_anything_else_is_kept_for_the_operator_to_refuse()
     {
        let to = |value: Value| serde_json::from_value::<ResetTo>(value).unwrap();
        assert_eq!(to(json!("earliest")), ResetTo::Position(StartFrom::Earliest));
        let event = ResetTo::Event { event_id: "arena-night".into(), sequence: 7 };
        assert_eq!(to(json!({ "eventId": "arena-night", "sequence": 7 })), event);
        assert_eq!(to(json!(["tomorrow"])), ResetTo::Other(json!(["tomorrow"])));
    }
}
