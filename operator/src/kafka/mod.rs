//! What the operator asks of Kafka: topics, start offsets of consumer groups, lag.
//!
//! Services say what they want in `declarations`, and read there what was last seen: no reconcile waits for Kafka.
//! `rounds` go to each cluster in turn. `topics`, `groups`, `promise` and `turns` decide (pure), `converge` carries out
//! through the [`Kafka`] trait, `librdkafka` implements that with the runtime's `requests` for what its safe calls lack
//! and `failure` for what went wrong; `pool` keeps the clients by their `connection`, and `limits` how many requests a
//! cluster has at once. Nothing here produces or consumes a record.

pub mod connection;
pub mod converge;
pub mod declarations;
pub mod durability;
mod failure;
#[cfg(test)]
pub(crate) mod fake;
pub mod groups;
pub mod librdkafka;
mod limits;
pub mod pool;
pub mod rounds;
pub mod topics;
pub mod turns;

use std::collections::BTreeMap;
use std::fmt;

use async_trait::async_trait;
pub use boxoffice_runtime::log::kafka::requests::Commit;

use crate::conditions::progress;

/// Offsets by partition.
pub type Offsets = BTreeMap<i32, i64>;

/// What a group committed, by partition.
pub type Commits = BTreeMap<i32, Commit>;

/// A topic as the service wants it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Full name, prefix included.
    pub name: String,
    /// Partitions to have at least.
    pub partitions: i32,
    /// Replicas of each partition; -1 is the broker's default.
    pub replication_factor: i32,
    /// Configuration that is the service's own: set, and set again where it drifts. All other keys are left alone.
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
    /// On how many brokers each partition is.
    pub replicas: i32,
    /// Its effective configuration, values the broker hides left out.
    pub config: BTreeMap<String, String>,
}

/// A consumer group as its coordinator has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupFacts {
    /// Kafka's own word: `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`; `Unknown` for those of newer
    /// protocols that the client has no word for.
    pub state: String,
    /// Consumers in it now.
    pub members: i32,
}

impl GroupFacts {
    /// Whether nobody is in the group, so that offsets may be committed from outside.
    pub fn is_vacant(&self) -> bool {
        self.members == 0 && self.state == "Empty"
    }
}

/// A right that Kafka grants by an ACL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Right {
    /// As `kafka-acls.sh --operation` takes it.
    pub operation: &'static str,
    /// On what.
    pub resource: Resource,
    /// Its name.
    pub name: String,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.operation, self.resource, self.name)
    }
}

impl Right {
    /// As `kafka-acls.sh` takes it.
    pub fn rule(&self) -> String {
        let Self { operation, resource, name } = self;
        match resource {
            Resource::Topic | Resource::Group => format!("--operation {operation} --{resource} {name}"),
            Resource::Cluster => format!("--operation {operation} --{resource}"),
        }
    }
}

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// A topic.
    Topic,
    /// A consumer group.
    Group,
    /// All of the cluster.
    Cluster,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Cluster => "cluster",
        })
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
    /// A Secret or a `ConfigMap` that the spec names is not there, or not what is needed of it.
    #[error("{0}")]
    SecretUnusable(String),
    /// A broker answered that the cluster is electing a leader or a coordinator: a matter of moments.
    #[error("kafka is not done settling: {0}")]
    Settling(String),
    /// The user lacks a right.
    #[error(
        "{} may not {right}: have an administrator of Kafka run kafka-acls.sh --add --allow-principal User:{} {}",
        principal.as_ref().map_or_else(|| "the operator".to_owned(), |user| format!("user {user}")),
        principal.as_deref().unwrap_or("(the name that brokers know the operator by)"),
        right.rule()
    )]
    Forbidden {
        /// The right.
        right: Right,
        /// The user, where the operator knows it.
        principal: Option<String>,
    },
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
            Self::Forbidden { .. } => "KafkaForbidden",
            Self::Refused { .. } => "KafkaRefused",
        }
    }

    /// Whether the clients had no use of the cluster at all, and new ones have to begin.
    pub fn is_silence(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Unauthenticated { .. } | Self::Insecure { .. })
    }
}

/// An answer for each of many names: what is wrong with one is no matter of the others.
pub type Answers<T> = BTreeMap<String, Result<T, KafkaError>>;

/// The calls to one Kafka cluster; each ends by its own time-out.
#[async_trait]
pub trait Kafka: Send + Sync {
    /// The id that tells this cluster from all others, however it is reached; nothing where brokers do not say.
    async fn cluster_id(&self) -> Result<Option<String>, KafkaError>;
    /// Topics by name; nothing for those that the broker that was asked does not know.
    async fn topics(&self, names: &[String]) -> Result<Answers<Option<TopicFacts>>, KafkaError>;
    /// Creates the topic with its configuration.
    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError>;
    /// Grows the topic to `partitions`.
    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError>;
    /// Sets these keys of the topic's configuration and leaves all others.
    async fn configure_topic(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), KafkaError>;
    /// Deletes the topic; an absent one is no error.
    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError>;
    /// The offset at `start` of each partition, given how many partitions each topic has.
    async fn offsets(
        &self,
        partitions: &BTreeMap<String, i32>,
        start: Start,
    ) -> Result<Answers<Offsets>, KafkaError>;
    /// What the group committed, by topic; partitions without a commit are left out.
    async fn committed(&self, group: &str) -> Result<BTreeMap<String, Commits>, KafkaError>;
    /// Commits for a vacant group, from outside, which creates it.
    async fn commit(&self, group: &str, commits: &BTreeMap<String, Commits>) -> Result<(), KafkaError>;
    /// Deletes a vacant group with its offsets; an absent one is no error.
    async fn delete_group(&self, name: &str) -> Result<(), KafkaError>;
    /// The group's facts, or nothing where the coordinator does not know it.
    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError>;
}
