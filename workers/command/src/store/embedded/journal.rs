//! What the embedded store writes down before anybody is told (I2), and the port that takes it: a file in
//! `boxoffice local`, nothing in tests.

use async_trait::async_trait;
use boxoffice_domain::{SeatingEventId, UnixMillis};

use crate::store::StoreError;

/// A place in the order of writes; the default one comes before all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(pub u64);

/// A domain event as it is written.
#[derive(Debug)]
pub struct WrittenEvent {
    /// Its sequence.
    pub sequence: u64,
    /// Its envelope.
    pub json: String,
    /// The trace of the command that made it.
    pub traceparent: Option<String>,
}

/// The answer to a command that came with an idempotency key.
#[derive(Debug)]
pub struct WrittenAnswer {
    /// When it was given.
    pub at: UnixMillis,
    /// The key's digest.
    pub key: String,
    /// What was asked for.
    pub fingerprint: String,
    /// What was told: a [`Given`](super::Given).
    pub json: String,
}

/// What is written together, about one SeatingEvent.
#[derive(Debug)]
pub enum Write {
    /// What a command did.
    Done {
        /// To what.
        event: SeatingEventId,
        /// Where it is the first: the partition, pinned (I4).
        pinned: Option<u32>,
        /// Appended.
        events: Vec<WrittenEvent>,
        /// Kept.
        answer: Option<WrittenAnswer>,
        /// Whether it must survive a power cut, not only the end of the process.
        sync: bool,
    },
    /// Its answers up to this time are to be forgotten.
    Forgotten(SeatingEventId, UnixMillis),
    /// How far the log has its events.
    Published(SeatingEventId, u64),
}

/// Takes writes in order.
#[async_trait]
pub trait SeatJournal: Send + Sync + 'static {
    /// Puts `write` behind all earlier ones; it is committed soon, also when nobody waits.
    fn write(&self, write: Write) -> Ticket;

    /// Returns when the write with this ticket, and so every earlier one, is committed.
    async fn committed(&self, ticket: Ticket) -> Result<(), StoreError>;
}
