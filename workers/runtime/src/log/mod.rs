//! The event log port: what domain events are published to and read from.
//!
//! Kafka stands behind it in a cluster. Every implementation passes the same conformance suite.
//! Topics and groups are made by the operator; nothing here creates them.

pub mod kafka;

use std::time::Duration;

use async_trait::async_trait;

use crate::record::{NewRecord, Record};

/// Why the log did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The log cannot be reached, or did not answer in time. Trying again is safe: records may repeat, never reorder.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// There is no such topic or partition.
    #[error("the log has no {0}")]
    Missing(String),
    /// A position that the log no longer has, or does not have yet.
    #[error("{topic}[{partition}] has no offset {offset}: it begins at {begin} and ends before {end}")]
    OutOfRange {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// The offset asked for.
        offset: u64,
        /// First offset.
        begin: u64,
        /// Offset of the next record to come.
        end: u64,
    },
}

/// Longest time that a publish goes on sending; then it fails, and its connections are made anew. Whoever may publish
/// only for a while gives it up earlier by no longer waiting for it.
pub const PUBLISH_LIMIT: Duration = Duration::from_millis(2500);

/// Publishing and reading without a group.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends `records` to `topic` in order and returns when all are durable. Records of one partition keep their
    /// order, also across calls. On an error, and when the wait is given up, none, some or all of them may be there: the
    /// caller publishes the same records again, from the first one not known to be durable, before any later one.
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), LogError>;

    /// How many partitions `topic` has.
    async fn partitions(&self, topic: &str) -> Result<u32, LogError>;

    /// First offset of a partition and the offset of the next record to come.
    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError>;

    /// Reads a partition from `offset` on, for ever, without a group.
    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError>;

    /// Joins consumer group `group` on `topics`.
    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Box<dyn Subscription>, LogError>;
}

/// Reading partitions from given offsets, for ever.
#[async_trait]
pub trait Tail: Send {
    /// The next records, in order within each partition: at least one, at most `max`. Waits for the first one.
    /// Transient trouble is retried inside; an error is final for this tail. Giving up the wait loses nothing.
    async fn next(&mut self, max: usize) -> Result<Vec<Record>, LogError>;
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
}

/// What a member of a group is told. Records of a partition come after its `Assigned` and never after its `Revoked`.
#[derive(Debug)]
pub enum GroupEvent {
    /// These partitions are this member's now; reading starts where [`Subscription::seek`] says, and until then at
    /// the group's committed offset (the earliest where there is none).
    Assigned(Vec<TopicPartition>),
    /// These are no longer.
    Revoked(Vec<TopicPartition>),
    /// Records, in order within each partition.
    Records(Vec<(TopicPartition, Record)>),
    /// Nothing came within the time given.
    Idle,
}

/// A member of a consumer group.
#[async_trait]
pub trait Subscription: Send {
    /// What happens next; [`GroupEvent::Idle`] after `wait`. Must be called often enough to stay in the group, also
    /// while every partition is paused. A revoked partition becomes another member's only with the call that follows
    /// its `Revoked`; until then it can still be committed. Giving up the wait loses nothing.
    async fn next(&mut self, max: usize, wait: Duration) -> Result<GroupEvent, LogError>;

    /// Reads `partition` from `offset` on.
    async fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError>;

    /// Stops reading `partition` for now.
    fn pause(&mut self, partition: &TopicPartition) -> Result<(), LogError>;

    /// Goes on reading it.
    fn resume(&mut self, partition: &TopicPartition) -> Result<(), LogError>;

    /// Tells the group that everything before `offset` is done: a copy of the view's own checkpoint (I5).
    async fn commit(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError>;

    /// The group's committed offset of a partition, where there is one.
    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<u64>, LogError>;

    /// Leaves the group at once, so that others need not wait for a time-out.
    async fn leave(self: Box<Self>);
}
