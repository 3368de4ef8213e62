//! The seat store without a server: the specification itself, `decide` and `evolve`, under a lock a SeatingEvent, with
//! every domain event in the journal before anybody is told (I2).
//!
//! [`aggregate`] is one SeatingEvent, [`answers`] what it tells those who repeat themselves, [`outbox`] the relay's side, and
//! [`journal`] what is written. What Redis' scripts do in one step is here one step under the aggregate's lock, which is held
//! until the write has its place in the journal: so the journal never has an event without the earlier ones.

mod answers;

mod aggregate;

mod outbox;

pub mod journal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use boxoffice_domain::plan::{Plan, plan};
use boxoffice_domain::{
    Answer, Command, CommandKind, Definition, HoldId, Rejection, SeatId, SeatingEventId, UnixMillis, UserId,
};
use tokio::sync::broadcast;

use self::aggregate::{Decided, Refusal};
use self::journal::{SeatJournal, Ticket, Write};

use super::{
    Cause, Inventory, LeaseTable, Listing, Outcome, Provisioning, SeatStore, Servers, Signal, StoreError,
};

pub use self::aggregate::Aggregate;
pub use self::answers::Given;

/// Signals that a slow listener may be behind before it is told that it missed some.
const SIGNALS: usize = 1024;

/// Tells the time.
pub type Clock = Arc<dyn Fn() -> UnixMillis + Send + Sync>;

/// What the store keeps to; it may change while it works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Domain events of one SeatingEvent that may wait for the log before new holds are refused.
    pub high_watermark: u64,
    /// Whether a hold must survive a power cut before it is acknowledged.
    pub sync_holds: bool,
    /// Whether a reservation must.
    pub sync_reservations: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self { high_watermark: 100_000, sync_holds: false, sync_reservations: true }
    }
}

impl Rules {
    /// Whether a command must survive a power cut before it is acknowledged.
    fn sync(self, command: &Command) -> bool {
        match command.kind() {
            CommandKind::Hold => self.sync_holds,
            CommandKind::Reserve => self.sync_reservations,
            CommandKind::Release | CommandKind::Operate => false,
        }
    }
}

/// See the module.
pub struct EmbeddedSeats<J> {
    journal: J,
    clock: Clock,
    rules: RwLock<Rules>,
    aggregates: RwLock<BTreeMap<SeatingEventId, Mutex<Aggregate>>>,
    leases: Mutex<LeaseTable>,
    signals: broadcast::Sender<Signal>,
}

impl<J: SeatJournal> EmbeddedSeats<J> {
    /// The store of what was read back from `journal`. `clock` is that of all seats (I6).
    pub fn new(
        journal: J,
        clock: Clock,
        aggregates: impl IntoIterator<Item = (SeatingEventId, Aggregate)>,
    ) -> Self {
        let aggregates = aggregates.into_iter().map(|(id, aggregate)| (id, Mutex::new(aggregate))).collect();
        let signals = broadcast::Sender::new(SIGNALS);
        let (rules, leases) = (RwLock::default(), Mutex::default());
        Self { journal, clock, rules, aggregates: RwLock::new(aggregates), leases, signals }
    }

    /// Has it keep to other rules from now on.
    pub fn keep_to(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// A seat of a SeatingEvent that is available, if one is.
    pub fn free_seat(&self, event: &SeatingEventId) -> Option<SeatId> {
        self.with(event, |aggregate| aggregate.free_seat()).flatten()
    }

    fn rules(&self) -> Rules {
        *self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a SeatingEvent, or changes it.
    fn with<T>(&self, event: &SeatingEventId, look: impl FnOnce(&mut Aggregate) -> T) -> Option<T> {
        let aggregates = self.aggregates.read().unwrap_or_else(PoisonError::into_inner);
        aggregates.get(event).map(|aggregate| look(&mut lock(aggregate)))
    }

    /// Looks at each SeatingEvent in the order of their ids.
    fn each<T>(&self, mut look: impl FnMut(&mut Aggregate) -> T) -> Vec<T> {
        let aggregates = self.aggregates.read().unwrap_or_else(PoisonError::into_inner);
        aggregates.values().map(|aggregate| look(&mut lock(aggregate))).collect()
    }

    fn make_room(&self, event: &SeatingEventId, partition: u32) {
        let mut aggregates = self.aggregates.write().unwrap_or_else(PoisonError::into_inner);
        aggregates
            .entry(event.clone())
            .or_insert_with(|| Mutex::new(Aggregate::new(event.clone(), partition)));
    }

    fn now(&self) -> UnixMillis {
        (self.clock)()
    }

    /// Decides, applies and gives the write its place, in one step; then waits for the journal.
    async fn run(&self, event: &SeatingEventId, command: &Command, cause: &Cause) -> Executed {
        let decided = self.with(event, |aggregate| self.decide(aggregate, command, cause));
        let (outcome, ticket) = match decided.unwrap_or(Err(Refusal::Rejected(Rejection::EventNotFound))) {
            Ok(done) => done,
            Err(Refusal::Rejected(rejection)) => return Ok(Err(rejection)),
            Err(Refusal::Full(depth)) => {
                return Err(StoreError::OutboxFull { depth, limit: self.rules().high_watermark });
            }
            Err(Refusal::KeyReused) => return Err(StoreError::KeyReused),
            Err(Refusal::Unwritable(error)) => return Err(StoreError::Corrupt(error)),
        };
        self.journal.committed(ticket).await?;
        Ok(Ok(outcome))
    }

    fn decide(
        &self,
        aggregate: &mut Aggregate,
        command: &Command,
        cause: &Cause,
    ) -> Result<(Outcome, Ticket), Refusal> {
        let (is_new, was_empty) = (aggregate.state.sequence == 0, aggregate.outbox.is_empty());
        let rules = self.rules();
        let Decided { outcome, events, answer } =
            aggregate.execute(command, cause, self.now(), rules.high_watermark)?;
        let has_events = !events.is_empty();
        if has_events || answer.is_some() {
            let (event, pinned) = (aggregate.state.id.clone(), is_new.then_some(aggregate.partition));
            let sync = rules.sync(command);
            aggregate.written = self.journal.write(Write::Done { event, pinned, events, answer, sync });
        }
        if has_events && rules.sync(command) {
            self.signal(Signal::Awaited(aggregate.state.id.clone()));
        } else if has_events && was_empty {
            self.signal(Signal::Wrote(aggregate.state.id.clone()));
        }
        // What an answer that changes nothing repeats may itself still be on its way to the journal.
        Ok((outcome, aggregate.written))
    }

    /// Tells everybody who listens, which may be nobody.
    fn signal(&self, signal: Signal) {
        drop(self.signals.send(signal));
    }
}

type Executed = Result<Result<Outcome, Rejection>, StoreError>;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[async_trait]
impl<J: SeatJournal> SeatStore for EmbeddedSeats<J> {
    async fn execute(&self, event: &SeatingEventId, command: &Command, cause: &Cause) -> Executed {
        self.run(event, command, cause).await
    }

    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError> {
        self.make_room(event, partition);
        let command = Command::Provision { definition: Box::new(definition.clone()) };
        let refused = match self.run(event, &command, cause).await? {
            Ok(Outcome { answer: Answer::Provisioned { refused, .. }, .. }) => refused,
            Ok(_) => vec![],
            Err(rejection) => return Ok(Err(rejection)),
        };
        let inventory = self.inventory(event).await?.ok_or(Rejection::EventNotFound);
        Ok(inventory.map(|inventory| Provisioning { inventory, refused }))
    }

    async fn plan(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
    ) -> Result<Result<Plan, Rejection>, StoreError> {
        let planned = self.with(event, |aggregate| {
            let now = aggregate.time(self.now());
            plan(&aggregate.state, definition, now).0
        });
        Ok(planned.unwrap_or(Err(Rejection::EventNotFound)))
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        let found = self
            .with(hold.event_id(), |aggregate| (aggregate.hold(hold, user, self.now()), aggregate.written));
        let Some((found, ticket)) = found else { return Ok(Err(Rejection::EventNotFound)) };
        self.journal.committed(ticket).await?;
        Ok(found)
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        Ok(self.with(event, |aggregate| aggregate.inventory(self.now())).flatten())
    }

    async fn inventories(&self) -> Result<Listing, StoreError> {
        let listed = |inventory: Inventory| Inventory { definition: None, ..inventory };
        let inventories = self.each(|aggregate| aggregate.inventory(self.now()).map(listed));
        let inventories = inventories.into_iter().flatten().collect();
        Ok(Listing { inventories, unreadable: vec![], is_partial: false })
    }

    async fn ping(&self) -> Result<Servers, StoreError> {
        self.journal.committed(Ticket::default()).await?;
        Ok(Servers::new())
    }
}
