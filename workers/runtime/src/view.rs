//! The view store port: where a consumer keeps what it built, with its checkpoint (I5).
//!
//! One database transaction a batch holds the view's rows, the dedupe rows and the checkpoint, so redelivery is
//! harmless: what was committed is skipped, what was not is done again. Every implementation passes the same
//! conformance suite.

use std::collections::BTreeMap;

use async_trait::async_trait;

use crate::log::TopicPartition;
use crate::record::Record;

/// Why a view store did not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum ViewError {
    /// The store cannot be reached or gave up: trying again is safe and may work.
    #[error("the view's store is unavailable: {0}")]
    Unavailable(String),
    /// Another member wrote this partition meanwhile: read the checkpoint again and go on from there.
    #[error(
        "partition {partition} of {topic} is at offset {at}, not at {expected}: another member writes it"
    )]
    Moved {
        /// Topic.
        topic: String,
        /// Partition.
        partition: u32,
        /// Where its checkpoint is.
        at: u64,
        /// Where this member thought it was.
        expected: u64,
    },
    /// Events are missing before this one (I5): the partition stops and an operator looks.
    #[error(
        "at offset {offset} {event} jumps to sequence {sequence} where {expected} was due: events are missing"
    )]
    Gap {
        /// SeatingEvent.
        event: String,
        /// The sequence that came.
        sequence: u64,
        /// The sequence that was due.
        expected: u64,
        /// Where the event stands in the partition.
        offset: u64,
    },
    /// Two histories of one SeatingEvent exist (I5): the partition stops and an operator looks.
    #[error("at offset {offset} {event} has another event with sequence {sequence}: two histories exist")]
    Fork {
        /// SeatingEvent.
        event: String,
        /// The sequence that came twice.
        sequence: u64,
        /// Where the other event stands in the partition.
        offset: u64,
    },
}

/// How far a view got in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The first offset that is not in the view.
    pub next_offset: u64,
    /// The declared reset that this generation of the view began with; empty before the first.
    pub reset_id: String,
    /// The id of the topic of which that is an offset; none where it is not known.
    pub log: Option<String>,
}

/// Where a view is to begin in a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beginning {
    /// The partition.
    pub partition: TopicPartition,
    /// The first offset that is to be in the view.
    pub offset: u64,
    /// Whether that is the log's first record, so that the first event of every SeatingEvent is due.
    pub earliest: bool,
    /// The id of the topic, where it has one.
    pub log: Option<String>,
}

/// Records of one partition, in order.
#[derive(Debug, Clone)]
pub struct Batch {
    /// Topic.
    pub topic: String,
    /// Partition.
    pub partition: u32,
    /// The id of the topic, where it has one: what another one of its name had changes nothing.
    pub log: Option<String>,
    /// The checkpoint's offset as this member knows it.
    pub expected: u64,
    /// The records.
    pub records: Vec<Record>,
}

/// What became of a batch's records.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Applied {
    /// Written to the view.
    pub applied: u64,
    /// Seen before.
    pub duplicates: u64,
    /// From before the view's start: skipped.
    pub before_start: u64,
    /// Of a type that this version does not know: skipped.
    pub unknown: u64,
    /// Set aside with the reason.
    pub parked: u64,
    /// The checkpoint now: the first offset that is not in the view.
    pub next_offset: u64,
}

/// Checkpoints by partition; one where the view has not begun yet is absent.
pub type Checkpoints = BTreeMap<TopicPartition, Checkpoint>;

/// One view with its checkpoint.
#[async_trait]
pub trait ViewStore: Send + Sync + 'static {
    /// How far the view got in each of these partitions: one question, however many there are.
    async fn checkpoints(&self, partitions: &[TopicPartition]) -> Result<Checkpoints, ViewError>;

    /// Writes where the view begins in partitions in which it has not begun, or has on another topic of that name, before
    /// anything is applied to it, and says how far it is in all of them. Where it has begun meanwhile, nothing changes; where
    /// nobody knows on which topic it did, it is this one from now on.
    ///
    /// What the view has of another topic stays: events that it knows are skipped also on this one, and those that come next
    /// are applied. A SeatingEvent that is created on it is another one than any of before, whatever its sequence is.
    async fn begin(&self, beginnings: &[Beginning]) -> Result<Checkpoints, ViewError>;

    /// Applies a batch in one transaction: all of it, with the checkpoint, or nothing. Duplicates, what is from before
    /// the start and unknown types are skipped, poison is parked, with the later events of the same aggregate where the view
    /// needs their order; all of them advance the checkpoint.
    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError>;

    /// Moves the checkpoint of a partition of the topic with the id `log` from `expected` on to `next_offset`, over offsets
    /// that have no record.
    async fn pass(
        &self,
        partition: &TopicPartition,
        log: Option<&str>,
        expected: u64,
        next_offset: u64,
    ) -> Result<Applied, ViewError>;
}
