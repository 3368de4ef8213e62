//! The seat store port: where seats are claimed, and the outbox that the relay empties.
//!
//! Redis stands behind it in a cluster, in one process [`embedded`]. Every implementation passes the same conformance
//! suite, and does to every command what [`boxoffice_domain::decide`] says (I10).

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::definition::Phase;
use boxoffice_domain::plan::Plan;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::FAILED_PAYMENT_MEMORY;
use boxoffice_domain::{
    Answer, Command, Conflict, CorrelationId, Definition, Envelope, HoldId, Rejection, SeatingEventId,
    UnixMillis, UserId,
};
use tokio::sync::broadcast;
use uuid::Uuid;

mod history;

mod leases;

pub mod embedded;

pub mod redis;

mod idempotency;

pub use history::History;
pub use idempotency::{Idempotency, IdempotencyKey, answer_memory, derived_id, hold_id};
pub use leases::LeaseTable;

/// Why the store did not do what it was asked to. The command may or may not have been carried out.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The store cannot be reached, or did not answer in time.
    #[error("the seat store is unavailable: {0}")]
    Unavailable(String),
    /// The store began anew, and what it lost is being read back from the log (I7).
    #[error("the seats are being recovered from the log")]
    Recovering,
    /// It is done, but not known to be as safe as it was promised to be.
    #[error("not as durable as promised yet: {why}")]
    Unsecured {
        /// What was waited for.
        why: String,
        /// Whether it is a repeated command that is still under way.
        repeated: bool,
    },
    /// The outbox has more entries than the high watermark allows: no new holds until the relay has caught up.
    #[error("{depth} events wait to be published, more than {limit}")]
    OutboxFull {
        /// Entries waiting.
        depth: u64,
        /// The high watermark.
        limit: u64,
    },
    /// The caller's idempotency key was used before, for something else.
    #[error("the idempotency key was used for another request")]
    KeyReused,
    /// What the store holds is not what this version writes.
    #[error("the seat store holds something unexpected: {0}")]
    Corrupt(String),
}

/// Where a command comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// The command's own id: the causationId of its events, whose ids derive from it
    /// ([`boxoffice_domain::ids::event_id`]).
    pub command: Uuid,
    /// The chain that it belongs to.
    pub correlation: CorrelationId,
    /// Who acts; `None` where nobody does.
    pub user: Option<UserId>,
    /// The caller's W3C trace, carried to the events' headers.
    pub traceparent: Option<String>,
    /// What makes a repetition of it known as one.
    pub idempotency: Option<Idempotency>,
}

/// What a command did.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// What the caller learns.
    pub answer: Answer,
    /// The store's time at which it was decided.
    pub at: UnixMillis,
    /// The chain that it belongs to: that of the command, or of the earlier one that it repeats.
    pub correlation: CorrelationId,
    /// Whether it changed anything.
    pub changed: bool,
    /// Whether this is the answer of an earlier command under the same idempotency key.
    pub repeated: bool,
}

/// How long nothing more is sold or cancelled when a SeatingEvent is over: as long as a failed payment is remembered, so that
/// a late one is met by all that it needs.
pub const AFTERWARDS: UnixMillis = FAILED_PAYMENT_MEMORY;

/// When a SeatingEvent is over, so that it is archived as soon as a snapshot has all that happened to it.
pub fn over_at(definition: &Definition) -> UnixMillis {
    definition.closes_at().max(definition.cancel_until()).saturating_add(AFTERWARDS)
}

/// A SeatingEvent as the operator sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inventory {
    /// Its id.
    pub event: SeatingEventId,
    /// Its definition; `None` of one that is archived, and in lists.
    pub definition: Option<Definition>,
    /// Where its sale stands. One that is archived has been closed for long.
    pub phase: Phase,
    /// A fingerprint of its seats and their prices.
    pub chart_hash: String,
    /// [`Definition::digest`] of the definition that stands.
    pub definition_hash: String,
    /// Whether it is closed for good.
    pub closed: bool,
    /// Its partition, pinned (I4).
    pub partition: u32,
    /// Sequence of its last domain event.
    pub sequence: u64,
    /// When that happened, where it is known.
    pub last_event_at: Option<UnixMillis>,
    /// Seats by status.
    pub seats: SeatCounts,
    /// The store's time.
    pub at: UnixMillis,
}

/// All SeatingEvents that can be told about.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// Those that are there, by id.
    pub inventories: Vec<Inventory>,
    /// Those that are there and of which no more can be said: their definition cannot be read, or they are being recovered.
    pub unreadable: Vec<SeatingEventId>,
    /// Whether a part of the store did not say what it has: what is missing may be there all the same.
    pub is_partial: bool,
}

/// Whether each server of a store answers, by its name; none where the store has no server.
pub type Servers = BTreeMap<String, bool>;

/// What became of a definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioning {
    /// The SeatingEvent as it is now.
    pub inventory: Inventory,
    /// The seats in the way of the seat map that is wanted; empty where all of it took effect. It is kept, and tried
    /// again when one of them comes back.
    pub refused: Vec<Conflict>,
}

/// A server of the store, as it is told from others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreServer {
    /// Its address, without anything that lets one in.
    pub address: String,
    /// The history that it has.
    pub history: History,
}

/// Commands and look-ups.
#[async_trait]
pub trait SeatStore: Send + Sync + 'static {
    /// Decides a command and writes its events to the outbox, in one step (I2), together with the answer where the
    /// cause has an idempotency key: for as long as [`answer_memory`] says the same key gives that answer again, told
    /// by the definition that stands ([`Sale::complete`](boxoffice_domain::state::Sale::complete)), and for another
    /// request [`StoreError::KeyReused`]. Refusals are not kept. [`Command::Provision`] changes here only what is
    /// there; [`provision`](Self::provision) creates, for it pins the partition.
    async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        cause: &Cause,
    ) -> Result<Result<Outcome, Rejection>, StoreError>;

    /// Creates a SeatingEvent or changes its definition, as [`Command::Provision`] decides. `partition` is pinned the
    /// first time and ignored after, also where it was purged meanwhile: of a purged one sequence and partition stay.
    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError>;

    /// What a definition would do to the seats that are there, as of now; nothing is done.
    async fn plan(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
    ) -> Result<Result<Plan, Rejection>, StoreError>;

    /// [`Answer::Held`] of a live hold that is `user`'s; else why not.
    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError>;

    /// One SeatingEvent; `None` where there is none, or it is purged.
    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError>;

    /// All that are there, as far as any part of the store says so.
    async fn inventories(&self) -> Result<Listing, StoreError>;

    /// Which parts of the store answer; fails where none does.
    async fn ping(&self) -> Result<Servers, StoreError>;

    /// The servers that it uses now; none where it has none.
    fn servers(&self) -> Vec<StoreServer> {
        Vec::new()
    }
}

/// What the outbox tells whoever listens, in every process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// A SeatingEvent whose outbox was empty has entries now.
    Wrote(SeatingEventId),
    /// It has more entries, and somebody's answer waits until they are on the log.
    Awaited(SeatingEventId),
    /// Its domain events up to this sequence of this history are published.
    Published(SeatingEventId, History, u64),
    /// Signals may have been missed: look at everything once.
    Missed,
}

/// A domain event that waits to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxEntry {
    /// The event; its sequence is set.
    pub envelope: Envelope,
    /// The trace of the command that wrote it.
    pub traceparent: Option<String>,
    /// The id of the domain event that it goes on from, where it says so.
    pub after: Option<Uuid>,
}

impl OutboxEntry {
    /// The event's sequence.
    pub fn sequence(&self) -> u64 {
        self.envelope.metadata.sequence.unwrap_or_default()
    }
}

/// Why nobody may sell a SeatingEvent before it is recovered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Distrust {
    /// Another store may have sold its seats: what the log has more is added to what is here.
    Split,
    /// What is here is not what the log has: it is of no use.
    Fork,
}

/// How many lanes there are at most: a SeatingEvent's is its partition modulo this, so that growing the topic changes no
/// lane.
pub const LANES: u32 = 64;

/// The lane of a partition: all that goes on in the background for its SeatingEvents is one owner's.
pub const fn lane_of(partition: u32) -> u32 {
    partition % LANES
}

/// The right to work on a lane. Who may publish says the log
/// ([`EventLog::appender`](boxoffice_runtime::log::EventLog::appender)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lease {
    /// The lane.
    pub lane: u32,
    /// Rises with every owner.
    pub token: u64,
}

/// How long a lease lasts from the round that gave or kept it: a relay that dies is followed within this and the pause
/// between two rounds.
pub const LEASE_LIFE: Duration = Duration::from_millis(1500);

/// How often there is a round of the leases, a sixth of their life: it may be late by several of itself. Links to the
/// store's servers are confirmed in the same pace.
pub const LEASE_ROUND: Duration = Duration::from_millis(250);

/// What a round of the leases gave a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Round {
    /// What is its own for another life.
    pub leases: Vec<Lease>,
    /// How many lanes it should have; what it has above that it is to give back.
    pub share: usize,
}

/// What of a SeatingEvent waits to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backlog {
    /// The SeatingEvent.
    pub event: SeatingEventId,
    /// How many domain events, one at least.
    pub entries: u64,
    /// How long the oldest has waited, by the store's clock.
    pub age: Duration,
}

/// What a sweep came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Holds that ended.
    pub ended: usize,
    /// For each SeatingEvent that was looked at, in how many milliseconds something is due there, if anything is known
    /// to be.
    pub next: Vec<(SeatingEventId, Option<u64>)>,
    /// Those of them that are over ([`over_at`]), of which nothing waits to be published and nothing is due any more.
    pub over: Vec<SeatingEventId>,
}

/// The side of the store that owners of lanes use.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// One relay's round of the leases of the first `lanes` lanes: `owner` gives back those of `give_back`, keeps all
    /// others that it has, and takes free ones up to its fair share among the relays that stay. One that is leaving
    /// takes none, unless nobody stays. [`LeaseTable`] is the rule.
    async fn round(
        &self,
        owner: Uuid,
        stays: bool,
        lanes: u32,
        give_back: &[u32],
    ) -> Result<Round, StoreError>;

    /// How many partitions the topic was known to have when anybody last asked the log, and `known` of now on, where
    /// somebody did: an owner goes on while the log is away.
    async fn partitions(&self, known: Option<u32>) -> Result<Option<u32>, StoreError>;

    /// Every SeatingEvent that is not archived, with its pinned partition (I4), by id. Those of a server that is away are
    /// left out unless they were known before.
    async fn pinned(&self) -> Result<Vec<(SeatingEventId, u32)>, StoreError>;

    /// The pinned partition of one.
    async fn pinned_partition(&self, event: &SeatingEventId) -> Result<Option<u32>, StoreError>;

    /// Those of `events` of which something waits. What a server that is away has is left out.
    async fn backlogs(&self, events: &[SeatingEventId]) -> Vec<Backlog>;

    /// The pinned partition of a SeatingEvent with its first unpublished entries, at most `max`, in order.
    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError>;

    /// Advances and announces the published watermark to `upto`, trims what lies below it and keeps `offset`: nothing
    /// of the SeatingEvent that lies on the log from there on is published yet. How many entries still wait.
    async fn published(&self, event: &SeatingEventId, upto: u64, offset: u64) -> Result<u64, StoreError>;

    /// Moves `offset` forward to this one for those of `events` of which nothing waits. Those that cannot be told stay as
    /// they are.
    async fn move_offsets(&self, events: &[SeatingEventId], offset: u64);

    /// Archives a SeatingEvent that is over, all of whose domain events up to `sequence` are in a snapshot that begins at
    /// offset `snapshot` of its partition of the snapshots' topic: inventories show it as before and an equal definition
    /// changes nothing; for all else it has to be recovered first. `false` where it is not over, something of it waits to
    /// be published or may become due, or `sequence` is not its last one. A store that is its own log keeps all of it, and
    /// does not find it over again.
    async fn archive(&self, event: &SeatingEventId, sequence: u64, snapshot: u64)
    -> Result<bool, StoreError>;

    /// How many SeatingEvents are archived.
    async fn archived(&self) -> Result<u64, StoreError>;

    /// Lets nobody sell `event` until it is recovered.
    async fn distrust(&self, event: &SeatingEventId, why: Distrust) -> Result<(), StoreError>;

    /// The published watermark of the history that the store has now.
    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError>;

    /// The history that the store has of a SeatingEvent now. One that it had before never comes back.
    async fn history(&self, _event: &SeatingEventId) -> Result<History, StoreError> {
        Ok(History::default())
    }

    /// The history that the store has of a SeatingEvent now, and the last moment of its time of which something that waited was
    /// dropped, for the log had something else in its place, or at which one of the same id was purged that was created anew; 0
    /// where that never was.
    async fn dropped(&self, event: &SeatingEventId) -> Result<(History, UnixMillis), StoreError> {
        Ok((self.history(event).await?, 0))
    }

    /// Releases every hold of `events` whose deadline has passed, and forgets what has been remembered for long enough.
    /// What one server fails at is no reason not to ask the others: its SeatingEvents are missing in the answer.
    async fn sweep(&self, events: &[SeatingEventId]) -> Swept;

    /// What happens to outboxes from now on.
    fn signals(&self) -> broadcast::Receiver<Signal>;
}
