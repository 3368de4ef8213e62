//! The event log port: what domain events are published to and read from.
//!
//! Kafka stands behind it in a cluster. Every implementation passes the same conformance suite.
//! Topics and groups are made by the operator; nothing here creates them.

mod ends;
pub mod kafka;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::Instant;

pub use self::ends::{Ends, UntilEnd};
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
    /// The topic of that name is another one than the one that was read: what an offset was of one says nothing of the other.
    #[error("topic {topic} is another one than was read: its id was {known} and is {found}")]
    Replaced {
        /// Topic.
        topic: String,
        /// The id of the one that was read.
        known: String,
        /// The id of the one that is there.
        found: String,
    },
    /// Somebody else has taken the right to append; what was to be appended is not there.
    #[error("a later owner has taken over {0}")]
    Fenced(String),
}

/// Longest time that a publish goes on sending; then it fails, and its connections are made anew. Whoever may publish
/// only for a while gives it up earlier by no longer waiting for it.
pub const PUBLISH_LIMIT: Duration = Duration::from_millis(2500);

/// Longest time that taking the right to append goes on.
pub const TAKE_OVER_LIMIT: Duration = Duration::from_secs(5);

/// Publishing and reading without a group. Readers see what is committed, and nothing else.
#[async_trait]
pub trait EventLog: Send + Sync + 'static {
    /// Appends `records` to `topic` in order and returns when all are durable. Records of one partition keep their
    /// order, also across calls. On an error, and when the wait is given up, none, some or all of them may be there: the
    /// caller publishes the same records again, from the first one not known to be durable, before any later one.
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), LogError>;

    /// Takes the right to append under `id` from whoever had it, wherever they are: what they had not committed is gone
    /// for good, and what they try later fails with [`LogError::Fenced`]. It may take place also after the wait for it
    /// was given up.
    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError>;

    /// How many partitions `topic` has.
    async fn partitions(&self, topic: &str) -> Result<u32, LogError>;

    /// The id that tells `topic` from every other one of its name, before it and after it; `None` where the log gives none, or
    /// never has another one of a name.
    async fn identity(&self, _topic: &str) -> Result<Option<String>, LogError> {
        Ok(None)
    }

    /// First offset of a partition, and how far it can be read now: the offset of the next record to come, or of the
    /// first that is not committed yet.
    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError>;

    /// Reads a partition from `offset` on, for ever, without a group.
    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError>;

    /// Joins consumer group `group` on `topics`.
    async fn subscribe(&self, group: &str, topics: &[String]) -> Result<Box<dyn Subscription>, LogError>;

    /// What a group committed of a partition, if anything, for who is no member of it.
    async fn committed(
        &self,
        _group: &str,
        _partition: &TopicPartition,
    ) -> Result<Option<Committed>, LogError> {
        Ok(None)
    }
}

/// The right to append under an id.
#[async_trait]
pub trait Appender: Send {
    /// Appends all of `records` in order, or none; returns, for each partition among them, the offset behind its last
    /// record. Readers may see them a moment later.
    ///
    /// # Errors
    /// After one, and after a wait that was given up, nothing more can be appended with it; what became of the records
    /// is not known until the id's next appender is there, unless it is [`LogError::Fenced`]: then they are not there.
    async fn append(&mut self, topic: &str, records: Vec<NewRecord>) -> Result<BTreeMap<u32, u64>, LogError>;

    /// Nothing was appended for a while: lays down what only one who appends much needs. It stays the owner.
    fn rest(&mut self) {}
}

/// Reading partitions from given offsets, for ever.
#[async_trait]
pub trait Tail: Send {
    /// What comes next: at most `max` records. Waits for one, or for the end of a partition.
    /// Transient trouble is retried inside; an error is final for this tail. Giving up the wait loses nothing.
    async fn next(&mut self, max: usize) -> Result<Batch, LogError>;

    /// When it was known last that everything that could be read has been handed out.
    fn read_to_end(&self) -> ReadToEnd;
}

/// See [`Tail::read_to_end`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReadToEnd {
    /// Nothing is ever missing: the log is in this process.
    Always,
    /// By partition; one of which it was never known is not among them.
    Known(BTreeMap<u32, Instant>),
}

/// What a tail hands out at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Batch {
    /// Records, in order within each partition.
    pub records: Vec<Record>,
    /// Partitions of which everything that could be read has been handed out, with this batch and earlier ones: told
    /// each time that an end is reached, behind its records, and also where there is none.
    ///
    /// Not every offset has a record. So a reader up to an end that [`bounds`](EventLog::bounds) gave before the tail
    /// was opened is done with a partition also when it is among these; [`Ends`] goes by that.
    pub ended: Vec<u32>,
}

/// A partition of a topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicPartition {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
}

/// How far a group is in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// Everything before it is done.
    pub offset: u64,
    /// The [identity](EventLog::identity) of the topic that it was said of: on another one of that name it means nothing. `None`
    /// where whoever committed it did not say.
    pub log: Option<String>,
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
    /// Of these partitions everything before the offset has been handed out, and there were no more records before it:
    /// what a member that has applied all of it may checkpoint and commit. Told where the offset is further than the one
    /// behind the last record, and a little later than that record.
    Ended(Vec<(TopicPartition, u64)>),
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

    /// Tells the group that everything before `offset` is done: a copy of the view's own checkpoint (I5). `log` is the
    /// identity of the topic of which that was read, where it is known. It is not waited for; what the group refuses for a
    /// while is tried again as long as the partition is this member's.
    async fn commit(
        &mut self,
        partition: &TopicPartition,
        offset: u64,
        log: Option<&str>,
    ) -> Result<(), LogError>;

    /// What the group committed of a partition, if anything.
    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>, LogError>;

    /// Leaves the group at once, so that others need not wait for a time-out.
    async fn leave(self: Box<Self>);
}
