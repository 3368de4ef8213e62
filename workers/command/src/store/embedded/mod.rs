//! The seat store without a server: the specification itself, `decide` and `evolve`, under a lock a SeatingEvent, with
//! every domain event in the journal before anybody is told (I2).
//!
//! [`room`] is one SeatingEvent, [`answers`] what it tells those who repeat themselves, [`outbox`] the relay's side, and
//! [`journal`] what is written. What Redis' scripts do in one step is here one step under the room's lock, which is held
//! until the write has its place in the journal: so the journal never has an event without the earlier ones.

mod answers;

mod room;

mod outbox;

pub mod journal;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use async_trait::async_trait;
use boxoffice_domain::{
    Answer, Command, CommandKind, Definition, HoldId, Rejection, SeatId, SeatingEventId, UnixMillis, UserId,
};
use tokio::sync::broadcast;

use self::journal::{SeatJournal, Ticket, Write};
use self::room::{Done, Refusal, cause_of_nobody};

use super::{Cause, Inventory, LeaseTable, Outcome, Provisioning, SeatStore, Signal, StoreError};

pub use self::answers::Given;
pub use self::room::Room;

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
    rooms: RwLock<BTreeMap<SeatingEventId, Mutex<Room>>>,
    leases: Mutex<LeaseTable>,
    signals: broadcast::Sender<Signal>,
}

impl<J: SeatJournal> EmbeddedSeats<J> {
    /// The store of what was read back from `journal`. `clock` is that of all seats (I6).
    pub fn new(journal: J, clock: Clock, rooms: impl IntoIterator<Item = (SeatingEventId, Room)>) -> Self {
        let rooms = rooms.into_iter().map(|(id, room)| (id, Mutex::new(room))).collect();
        let signals = broadcast::Sender::new(SIGNALS);
        let (rules, leases) = (RwLock::default(), Mutex::default());
        Self { journal, clock, rules, rooms: RwLock::new(rooms), leases, signals }
    }

    /// Has it keep to other rules from now on.
    pub fn keep_to(&self, rules: Rules) {
        *self.rules.write().unwrap_or_else(PoisonError::into_inner) = rules;
    }

    /// A seat of a SeatingEvent that is available, if one is.
    pub fn free_seat(&self, event: &SeatingEventId) -> Option<SeatId> {
        self.with(event, |room| room.free_seat()).flatten()
    }

    fn rules(&self) -> Rules {
        *self.rules.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at a SeatingEvent, or changes it. It is not purged meanwhile.
    fn with<T>(&self, event: &SeatingEventId, look: impl FnOnce(&mut Room) -> T) -> Option<T> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.get(event).map(|room| look(&mut lock(room)))
    }

    /// Looks at each SeatingEvent in the order of their ids.
    fn each<T>(&self, mut look: impl FnMut(&mut Room) -> T) -> Vec<T> {
        let rooms = self.rooms.read().unwrap_or_else(PoisonError::into_inner);
        rooms.values().map(|room| look(&mut lock(room))).collect()
    }

    fn make_room(&self, event: &SeatingEventId, partition: u32) {
        let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
        rooms.entry(event.clone()).or_insert_with(|| Mutex::new(Room::new(event.clone(), partition)));
    }

    fn now(&self) -> UnixMillis {
        (self.clock)()
    }

    /// Decides, applies and gives the write its place, in one step; then waits for the journal.
    async fn run(&self, event: &SeatingEventId, command: &Command, cause: &Cause) -> Executed {
        let decided = self.with(event, |room| self.decide(room, command, cause));
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
        room: &mut Room,
        command: &Command,
        cause: &Cause,
    ) -> Result<(Outcome, Ticket), Refusal> {
        let (is_new, was_empty) = (room.state.sequence == 0, room.outbox.is_empty());
        let rules = self.rules();
        let Done { outcome, events, answer } =
            room.execute(command, cause, self.now(), rules.high_watermark)?;
        let has_events = !events.is_empty();
        if has_events || answer.is_some() {
            let (event, pinned) = (room.state.id.clone(), is_new.then_some(room.partition));
            let sync = rules.sync(command);
            room.written = self.journal.write(Write::Done { event, pinned, events, answer, sync });
        }
        if has_events && was_empty {
            self.signal(Signal::Wrote(room.state.id.clone()));
        }
        // What an answer that changes nothing repeats may itself still be on its way to the journal.
        Ok((outcome, room.written))
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

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        let found = self.with(hold.event_id(), |room| (room.hold(hold, user, self.now()), room.written));
        let Some((found, ticket)) = found else { return Ok(Err(Rejection::EventNotFound)) };
        self.journal.committed(ticket).await?;
        Ok(found)
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        Ok(self.with(event, |room| room.inventory(self.now())).flatten())
    }

    async fn inventories(&self) -> Result<Vec<Inventory>, StoreError> {
        Ok(self.each(|room| room.inventory(self.now())).into_iter().flatten().collect())
    }

    async fn purge(&self, event: &SeatingEventId) -> Result<bool, StoreError> {
        let ticket = {
            let mut rooms = self.rooms.write().unwrap_or_else(PoisonError::into_inner);
            let Some(room) = rooms.get(event) else { return Ok(true) };
            if !lock(room).outbox.is_empty() {
                return Ok(false);
            }
            rooms.remove(event);
            self.journal.write(Write::Purged(event.clone()))
        };
        self.journal.committed(ticket).await?;
        Ok(true)
    }

    async fn expire_due(&self) -> Result<usize, StoreError> {
        let ended = self.each(|room| {
            let (mut holds, mut last) = (0, Ticket::default());
            while let Some(hold) = room.next_due(self.now()) {
                if let Ok((_, ticket)) = self.decide(room, &Command::Expire { hold }, &cause_of_nobody()) {
                    (holds, last) = (holds + 1, ticket);
                }
            }
            if let Some(upto) = room.forget_answers(self.now()) {
                last = self.journal.write(Write::Forgotten(room.state.id.clone(), upto));
            }
            (holds, last)
        });
        let last = ended.iter().map(|(_, ticket)| *ticket).max().unwrap_or_default();
        self.journal.committed(last).await?;
        Ok(ended.iter().map(|(holds, _)| holds).sum())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.journal.committed(Ticket::default()).await
    }
}
