//! What the operator asks of a Kafka cluster: topics, start offsets of consumer groups, lag.
//!
//! `topics` and `groups` plan (pure), `converge` carries plans out through the [`Kafka`] trait, `librdkafka`
//! implements that trait with `topic_ids` for what its safe calls lack and `failure` for what went wrong; `pool` keeps
//! its clients by their `connection`. Nothing here produces or consumes a record, and nothing alters the configuration of an
//! existing topic: the only call for it that the client offers resets every key it does not name.

pub mod connection;
pub mod converge;
mod failure;
pub mod groups;
pub mod librdkafka;
pub mod pool;
mod topic_ids;
pub mod topics;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;

use crate::conditions::progress;

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// A topic as the service wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Full name, prefix included.
    pub name: String,
    /// Partitions to have at least.
    pub partitions: i32,
    /// Replicas of each partition; -1 is the broker's default.
    pub replication_factor: i32,
    /// Configuration set at creation and compared afterwards.
    pub config: BTreeMap<String, String>,
}

/// A consumer group as the service wants it: there before its consumer runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Group id, prefix included.
    pub name: String,
    /// The topics it reads.
    pub topics: Vec<String>,
    /// Where it begins in each of them, when it is created there.
    pub start: Start,
}

/// A place in a topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// The oldest record that is still there.
    Earliest,
    /// The end of the log at the moment of asking.
    Latest,
    /// The first record at or after this time, Unix milliseconds; the end where there is none.
    Timestamp(i64),
}

impl fmt::Display for Start {
    /// As a consumer is told: `earliest`, `latest` or Unix milliseconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Earliest => f.write_str("earliest"),
            Self::Latest => f.write_str("latest"),
            Self::Timestamp(time) => write!(f, "{time}"),
        }
    }
}

/// A topic as the cluster has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// The id that Kafka gave it, of its own for each creation; nothing where the brokers give none.
    pub id: Option<String>,
    /// Number of partitions.
    pub partitions: i32,
    /// Its effective configuration, values the broker hides left out.
    pub config: BTreeMap<String, String>,
}

/// A consumer group as its coordinator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Kafka's own word: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead`.
    pub state: String,
    /// Consumers in it now.
    pub members: i32,
}

impl GroupFacts {
    /// Whether nobody is in the group, so that offsets may be committed from outside.
    pub fn is_vacant(&self) -> bool {
        matches!(self.state.as_str(), "Empty" | "Dead")
    }
}

/// What can go wrong between the operator and Kafka.
#[derive(Clone, Debug, thiserror::Error, PartialEq, Eq)]
pub enum KafkaError {
    /// No broker answered in time.
    #[error("no broker of {bootstrap_servers} answered: {detail}")]
    Unreachable {
        /// The addresses that were tried.
        bootstrap_servers: String,
        /// The client's own words.
        detail: String,
    },
    /// The brokers do not accept the credentials.
    #[error("the brokers of {bootstrap_servers} do not accept the credentials of kafka.sasl: {detail}")]
    Unauthenticated {
        /// The addresses that were tried.
        bootstrap_servers: String,
        /// Their own words.
        detail: String,
    },
    /// No TLS connection came about.
    #[error("no secure connection to {bootstrap_servers}, see kafka.tls: {detail}")]
    Insecure {
        /// The addresses that were tried.
        bootstrap_servers: String,
        /// The client's own words.
        detail: String,
    },
    /// A Secret that the spec names is not there, or not what is needed of it.
    #[error("{0}")]
    SecretUnusable(String),
    /// A broker answered that the cluster is electing a leader or a coordinator: a matter of moments.
    #[error("kafka is not done settling: {0}")]
    Settling(String),
    /// A broker answered and refused.
    #[error("kafka refused to {action}: {detail}")]
    Refused {
        /// What was asked.
        action: String,
        /// The broker's own words.
        detail: String,
    },
}

impl KafkaError {
    /// The condition reason that tells them apart.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Unreachable { .. } => "KafkaUnreachable",
            Self::Unauthenticated { .. } => "KafkaAuthenticationFailed",
            Self::Insecure { .. } => "KafkaTlsFailed",
            Self::SecretUnusable(_) => "KafkaSecretUnusable",
            Self::Settling(_) => progress::KAFKA_SETTLING,
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    /// Whether the clients had no use of the cluster at all, and new ones have to begin.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unauthenticated { .. } | Self::Insecure { .. })
    }
}

/// The calls to one Kafka cluster; each ends by its own time-out.
#[async_trait]
pub trait Kafka: Send + Sync {
    /// The topic's facts, or nothing where there is no such topic.
    async fn topic(&self, name: &str) -> Result<Option<TopicFacts>, KafkaError>;
    /// Creates the topic with its configuration.
    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError>;
    /// Grows the topic to `partitions`.
    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError>;
    /// Deletes the topic; an absent one is no error.
    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError>;
    /// The offset at `start` of each partition `0..partitions`.
    async fn offsets(&self, topic: &str, partitions: i32, start: Start) -> Result<Offsets, KafkaError>;
    /// What the group committed; partitions without a commit are left out.
    async fn committed(&self, group: &str, topic: &str, partitions: i32) -> Result<Offsets, KafkaError>;
    /// Commits for a vacant group, from outside, which creates it.
    async fn commit(&self, group: &str, topic: &str, offsets: &Offsets) -> Result<(), KafkaError>;
    /// Deletes a vacant group with its offsets; an absent one is no error.
    async fn delete_group(&self, name: &str) -> Result<(), KafkaError>;
    /// The group's facts, or nothing where the coordinator does not know it.
    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError>;
}
