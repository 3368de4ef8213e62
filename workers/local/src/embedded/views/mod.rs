//! The view store without a server: what consumers build, in memory (I5).
//!
//! Does what the store on PostgreSQL does, by the same [`Plan`]. Between the consumer's loop, which brings batches, and
//! a [`MemoryHandler`], which knows what to keep. [`ledger`] is the framework's own memory: checkpoints, what was seen,
//! what is set aside. Of the handlers, [`seat_view`] keeps [`maps`], [`seat_view`] and [`persistence`] keep [`payments`];
//! [`announcements`] publishes what [`stats`] announces.
//!
//! A batch is one moment because it is applied under one lock, and no commit can fail: a handler takes in an event
//! whole or not at all. Nothing survives the process. At every start views are built anew from the first record of the
//! log, whatever offset a group committed before; so a declared reset has nothing to undo, and the reset id is empty. What
//! is set aside goes with the process too, so nothing is redriven: every event comes in its order.

pub mod ledger;

pub mod maps;

pub mod payments;

pub mod seat_view;

pub mod persistence;

pub mod stats;

pub mod announcements;

use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use boxoffice_consumer::handlers::{ApplyError, Followers};
use boxoffice_consumer::view::entry::Entry;
use boxoffice_consumer::view::plan::{Plan, Rules};
use boxoffice_consumer::view::report;
use boxoffice_domain::{ChartError, Envelope, ReservationId, SeatId};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoints, ViewError, ViewStore};

use ledger::Ledger;
pub use persistence::Persistence;
pub use seat_view::{LocalOrders, SeatView, Trace};
pub use stats::Stats;

/// Builds a view in memory from domain events that are new, in order and readable.
pub trait MemoryHandler: Send + 'static {
    /// What a parked event means for later ones of its aggregate.
    const FOLLOWERS: Followers = Followers::Wait;

    /// Takes in one event, which stands at this position of the log.
    ///
    /// # Errors
    /// An event that cannot be taken in, now or later: nothing of it is kept, and it is parked.
    fn apply(&mut self, event: &Envelope, position: LogPosition<'_>) -> Result<(), Refusal>;

    /// Every event of a batch was taken in or refused.
    fn batch_ended(&mut self) {}
}

/// A position on the log.
#[derive(Debug, Clone, Copy)]
pub struct LogPosition<'a> {
    /// The topic.
    pub topic: &'a str,
    /// The partition.
    pub partition: u32,
    /// The offset.
    pub offset: u64,
}

/// Why an event is parked.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A definition whose ranges do not expand.
    #[error(transparent)]
    Chart(#[from] ChartError),
    /// A second reservation of a seat (I1).
    #[error("i1_one_reservation_a_seat: seat {seat} is in reservation {owner}, which has not released it")]
    SecondOwner {
        /// The seat.
        seat: SeatId,
        /// The reservation that has it.
        owner: ReservationId,
    },
    /// A second birth.
    #[error("reservation {0} was created before")]
    CreatedBefore(ReservationId),
    /// An amount that cannot be counted.
    #[error(transparent)]
    Amount(#[from] ApplyError),
}

/// A handler's view.
#[derive(Debug)]
pub struct MemoryView<H>(Mutex<State<H>>);

#[derive(Debug)]
struct State<H> {
    handler: H,
    ledger: Ledger,
}

impl<H: MemoryHandler> MemoryView<H> {
    /// The view of `handler`, which has seen nothing yet.
    pub fn new(handler: H) -> Self {
        Self(Mutex::new(State { handler, ledger: Ledger::default() }))
    }

    /// Looks at the view between two batches. `look` runs under the lock, so it is short.
    pub fn read<T>(&self, look: impl FnOnce(&H, &Ledger) -> T) -> T {
        let State { handler, ledger } = &*self.state();
        look(handler, ledger)
    }

    fn state(&self) -> MutexGuard<'_, State<H>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<H: MemoryHandler> State<H> {
    /// Applies a batch, of which `entries` are the records, up to a gap or a fork.
    fn apply(&mut self, batch: &Batch, entries: &[Entry]) -> Result<Applied, ViewError> {
        let start = match self.ledger.progress(&batch.topic, batch.partition) {
            Some((at, start)) if at == batch.expected => start,
            other => return Err(report::moved(batch, other.map(|(at, _)| at))),
        };
        let (mut plan, stop) =
            Plan::up_to_a_stop(entries, self.ledger.facts(entries), Rules { start, followers: H::FOLLOWERS });
        let entries = &entries[..stop.as_ref().map_or(entries.len(), |stop| stop.index)];
        for index in std::mem::take(&mut plan.apply) {
            let entry = &entries[index];
            let Some(event) = plan.still_due(index, entry) else { continue };
            let offset = batch.records[index].offset;
            match self
                .handler
                .apply(event, LogPosition { topic: &batch.topic, partition: batch.partition, offset })
            {
                Ok(()) => plan.apply.push(index),
                Err(refusal) => plan.park(index, entry, refusal.to_string()),
            }
        }
        self.handler.batch_ended();
        let next_offset = self.ledger.advance(batch, entries, &plan);
        report::log(batch, entries, &plan);
        match stop {
            Some(stop) => Err(stop.error),
            None => Ok(plan.outcome(next_offset)),
        }
    }
}

impl<H> State<H> {
    /// Moves the checkpoint over offsets that have no record.
    fn pass(&mut self, nothing: &Batch, next_offset: u64) -> Result<Applied, ViewError> {
        let at = self.ledger.progress(&nothing.topic, nothing.partition).map(|(at, _)| at);
        if at != Some(nothing.expected) {
            return Err(report::moved(nothing, at));
        }
        self.ledger.pass(&nothing.topic, nothing.partition, next_offset);
        Ok(Applied { next_offset, ..Applied::default() })
    }
}

#[async_trait]
impl<H: MemoryHandler> ViewStore for MemoryView<H> {
    async fn checkpoints(&self, partitions: &[TopicPartition]) -> Result<Checkpoints, ViewError> {
        Ok(self.read(|_, ledger| ledger.checkpoints(partitions)))
    }

    async fn begin(&self, beginnings: &[Beginning]) -> Result<Checkpoints, ViewError> {
        let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
        let mut state = self.state();
        state.ledger.begin(beginnings);
        Ok(state.ledger.checkpoints(&partitions))
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        let entries: Vec<Entry> = batch.records.iter().map(Entry::read).collect();
        self.state().apply(batch, &entries)
    }

    async fn pass(
        &self,
        partition: &TopicPartition,
        _log: Option<&str>,
        expected: u64,
        next_offset: u64,
    ) -> Result<Applied, ViewError> {
        let (topic, partition) = (partition.topic.clone(), partition.partition);
        let nothing = Batch { topic, partition, log: None, expected, records: vec![] };
        self.state().pass(&nothing, next_offset)
    }
}
