//! Where a ReservationService finds Kafka, and the topic that it declares there.

use std::collections::BTreeMap;

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::common::DeletionPolicy;
use crate::tls::Tls;

/// Where Kafka is, and what is declared there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.prefix.size() + self.topic.name.size() <= 239")
        .message("kafka.prefix and kafka.topic.name together may have 239 characters, so that a topic of that name with \
                  .snapshots behind it has the 249 that Kafka takes: shorten one of them"),
    validation = Rule::new("!((self.prefix + self.topic.name) in ['.', '..'])")
        .message("kafka.topic.name: Kafka takes no topic . or ..: choose another name"),
    validation = Rule::new("!(self.topic.name in ['stats-events', 'payment-events'])")
        .message("kafka.topic.name: stats-events and payment-events are the topics of something else: choose another name")
)]
pub struct Kafka {
    /// Brokers to ask first, with commas. Example: `kafka-0:9092,kafka-1:9092`.
    #[schemars(length(min = 1, max = 2048))]
    pub bootstrap_servers: String,
    /// Speak TLS. Left out: plain text. `{}` trusts what the image trusts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tls: Option<Tls>,
    /// Authenticate. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sasl: Option<KafkaSasl>,
    /// Put before the names of topics and consumer groups, so that several installations share brokers. Default: none.
    /// Example: `staging.`
    #[serde(default)]
    #[schemars(length(max = 100))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9._-]*$')")
            .message("kafka.prefix may have only letters, digits, dots, underscores and hyphens"),
        validation = Rule::new("self == oldSelf")
            .message("kafka.prefix is immutable: topics cannot be renamed; create another ReservationService")
    )]
    pub prefix: String,
    /// The topic of seat, hold, reservation and event events.
    #[serde(default)]
    pub topic: Topic,
}

/// Authentication at the brokers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct KafkaSasl {
    /// `PLAIN`, `SCRAM-SHA-256` or `SCRAM-SHA-512`.
    pub mechanism: SaslMechanism,
    /// The user's name. Left out: it stands in the Secret, under `username`. Example, where the Secret is one of Strimzi's:
    /// the name of the KafkaUser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub username: Option<String>,
    /// A Secret of the same namespace with the keys `password` and, unless it stands beside, `username`.
    pub secret_ref: LoginRef,
}

/// A Secret with what a user logs in by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoginRef {
    /// The Secret, in the same namespace. Another content replaces the pods that read it.
    pub name: String,
    /// Key of the password. Left out: `password`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub key: Option<String>,
}

impl LoginRef {
    /// Key of the password.
    pub fn password_key(&self) -> &str {
        self.key.as_deref().unwrap_or("password")
    }
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum SaslMechanism {
    /// User name and password, for use with TLS.
    #[serde(rename = "PLAIN")]
    Plain,
    /// Salted challenge and response with SHA-256.
    #[serde(rename = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge and response with SHA-512.
    #[serde(rename = "SCRAM-SHA-512")]
    ScramSha512,
}

/// The topic that domain events go to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct Topic {
    /// Its name, behind `kafka.prefix`. Default: `seat-events`. It cannot be changed.
    #[serde(default = "seat_events")]
    #[schemars(length(min = 1, max = 149))]
    #[x_kube(
        validation = Rule::new("self.matches('^[A-Za-z0-9._-]+$')")
            .message("kafka.topic.name may have only letters, digits, dots, underscores and hyphens"),
        validation = Rule::new("self == oldSelf")
            .message("kafka.topic.name is immutable: topics cannot be renamed; create another ReservationService")
    )]
    pub name: String,
    /// How many partitions, 1 to 1000. Default: 12. It may grow: SeatingEvents stay where they are, new ones spread.
    #[serde(default = "twelve")]
    #[schemars(range(min = 1, max = 1000))]
    #[x_kube(validation = Rule::new("self >= oldSelf")
        .message("kafka.topic.partitions never shrinks: Kafka cannot take partitions away; keep the number or raise it"))]
    pub partitions: u32,
    /// On how many brokers each record is. Left out: the brokers' own default. It takes effect only when the topic is created:
    /// where an existing topic has another one, `TopicsReady` says so (`ReplicationFactorDiffers`) and nothing is moved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 15))]
    pub replication_factor: Option<u32>,
    /// Topic configuration, all values as strings. Default: `{retention.ms: "-1"}`, kept for ever. Only keys that stand
    /// here are the operator's, which sets them again where they drift; all others are left as they are. A topic that is only
    /// observed is not configured.
    #[serde(default = "endless_retention")]
    #[schemars(extend("maxProperties" = 64))]
    pub config: BTreeMap<String, String>,
    /// What to do about a topic that exists already: `Fail` (default), `Adopt` (grow and configure it as declared), or
    /// `Observe` (use it and change nothing).
    #[serde(default)]
    pub adoption_policy: AdoptionPolicy,
    /// What deleting this object does to its topics and consumer groups: `Retain` (default) or `Delete`, which purges the
    /// seats of all its shows first. Retained ones are taken up again by a ReservationService of the same namespace and
    /// name. `Delete` is also for the group of a consumer that is removed, once nobody is in it.
    #[serde(default)]
    pub deletion_policy: DeletionPolicy,
}

fn seat_events() -> String {
    "seat-events".to_owned()
}

fn twelve() -> u32 {
    12
}

fn endless_retention() -> BTreeMap<String, String> {
    BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())])
}

impl Default for Topic {
    fn default() -> Self {
        Self {
            name: seat_events(),
            partitions: twelve(),
            replication_factor: None,
            config: endless_retention(),
            adoption_policy: AdoptionPolicy::default(),
            deletion_policy: DeletionPolicy::default(),
        }
    }
}

/// What to do about a topic that exists already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum AdoptionPolicy {
    /// Refuse.
    #[default]
    Fail,
    /// Make it as declared.
    Adopt,
    /// Use it as it is.
    Observe,
}
