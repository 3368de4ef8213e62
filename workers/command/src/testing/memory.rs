//! A seat store in memory, on `decide` and `evolve`, whose clock and outages tests set.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::events::VERSION;
use boxoffice_domain::ids::event_id;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{HoldStatus, Seat, SeatingEventState};
use boxoffice_domain::{
    Answer, Command, Definition, Envelope, HoldId, Metadata, PricedSeat, Rejection, SeatingEventId, UserId,
    decide, evolve,
};
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::store::{
    Backlog, Cause, History, Idempotency, IdempotencyKey, Inventory, Lease, LeaseTable, Outbox, OutboxEntry,
    Outcome, Round, SeatStore, Signal, StoreError,
};

/// See the module.
pub struct Memory {
    events: Mutex<HashMap<SeatingEventId, Room>>,
    leases: Mutex<LeaseTable>,
    now: AtomicU64,
    started: Instant,
    failing: Mutex<Option<fn() -> StoreError>>,
    full: AtomicBool,
    quiet: AtomicBool,
    unrenewed: AtomicBool,
    history: Mutex<History>,
    signals: broadcast::Sender<Signal>,
}

struct Room {
    state: SeatingEventState,
    partition: u32,
    outbox: Vec<OutboxEntry>,
    watermark: u64,
    token: u64,
    answers: HashMap<IdempotencyKey, (String, Outcome)>,
}

impl Default for Memory {
    fn default() -> Self {
        Self {
            events: Mutex::default(),
            leases: Mutex::default(),
            now: AtomicU64::new(1_700_000_000_000),
            started: Instant::now(),
            failing: Mutex::default(),
            full: AtomicBool::default(),
            quiet: AtomicBool::default(),
            unrenewed: AtomicBool::default(),
            history: Mutex::default(),
            signals: broadcast::Sender::new(1024),
        }
    }
}

impl Memory {
    /// Lets `millis` pass.
    pub fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, SeqCst);
    }

    /// Whether every call fails from now on.
    pub fn fail(&self, failing: bool) {
        let unavailable = || StoreError::Unavailable("connection refused".into());
        *self.failing.lock().unwrap() = failing.then_some(unavailable);
    }

    /// How every call fails from now on.
    pub fn fail_by(&self, how: fn() -> StoreError) {
        *self.failing.lock().unwrap() = Some(how);
    }

    /// Whether the outbox is above its high watermark from now on.
    pub fn fill(&self, full: bool) {
        self.full.store(full, SeqCst);
    }

    /// Whether nothing is signalled from now on.
    pub fn hush(&self, quiet: bool) {
        self.quiet.store(quiet, SeqCst);
    }

    /// Whether renewals of leases fail from now on, and nothing else.
    pub fn deny_renewals(&self, deny: bool) {
        self.unrenewed.store(deny, SeqCst);
    }

    /// Has another history from now on.
    pub fn begin_anew(&self, history: &str) {
        *self.history.lock().unwrap() = History::named(history);
    }

    /// Has another relay, which then dies, take every bucket and speak first.
    pub fn usurp(&self, event: &SeatingEventId) {
        *self.leases.lock().unwrap() = LeaseTable::default();
        let lease = self.relays_round(Uuid::new_v4(), true, &[]).leases[0];
        self.events.lock().unwrap().get_mut(event).unwrap().token = lease.token;
    }

    /// How many buckets a relay that comes now is given.
    pub fn free(&self) -> usize {
        self.relays_round(Uuid::new_v4(), true, &[]).leases.len()
    }

    /// The lease of a SeatingEvent, where no relay is at work.
    pub fn lease(&self, event: &SeatingEventId) -> Lease {
        let round = self.relays_round(Uuid::nil(), true, &[]);
        round.leases.into_iter().find(|lease| lease.bucket == self.bucket_of(event)).unwrap()
    }

    /// Leases run out by the time of the test's runtime.
    fn relays_round(&self, owner: Uuid, stays: bool, give_back: &[u32]) -> Round {
        let now = self.now.load(SeqCst) + u64::try_from(self.started.elapsed().as_millis()).unwrap();
        self.leases.lock().unwrap().round(self.buckets(), owner, stays, give_back, now)
    }

    /// A hold of `seats`, by the command.
    pub async fn hold_for(&self, user: &str, event: &SeatingEventId, seats: &[&str]) -> Answer {
        let wanted = seats.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>().into();
        let command = Command::Hold { wanted, user: user.parse().unwrap(), hold: Uuid::new_v4() };
        self.execute(event, &command, &super::cause()).await.unwrap().unwrap().answer
    }

    /// The types of what waits in an outbox.
    pub fn types(&self, event: &SeatingEventId) -> Vec<&'static str> {
        self.events.lock().unwrap()[event]
            .outbox
            .iter()
            .map(|entry| entry.envelope.event.event_type())
            .collect()
    }

    /// What waits in an outbox.
    pub fn entries(&self, event: &SeatingEventId) -> Vec<OutboxEntry> {
        self.events.lock().unwrap()[event].outbox.clone()
    }

    fn at(&self) -> Result<u64, StoreError> {
        if let Some(how) = *self.failing.lock().unwrap() {
            return Err(how());
        }
        Ok(self.now.load(SeqCst))
    }

    fn signal(&self, signal: Signal) {
        if !self.quiet.load(SeqCst) {
            let _nobody_may_listen = self.signals.send(signal);
        }
    }

    fn apply(
        &self,
        room: &mut Room,
        command: &Command,
        cause: &Cause,
        now: u64,
    ) -> Result<Outcome, Rejection> {
        let decision = decide(&room.state, command, now)?;
        let (was_empty, changed) = (room.outbox.is_empty(), !decision.changes.is_empty());
        for (index, event) in (0..).zip(decision.changes) {
            let envelope = Envelope {
                event_id: event_id(cause.command, index),
                timestamp: now,
                version: VERSION,
                metadata: Metadata {
                    correlation_id: cause.correlation.clone(),
                    causation_id: cause.command,
                    user_id: cause.user.clone(),
                    sequence: Some(room.state.sequence + 1),
                },
                event,
            };
            evolve(&mut room.state, &envelope);
            room.outbox.push(OutboxEntry { envelope, traceparent: cause.traceparent.clone() });
        }
        if was_empty && !room.outbox.is_empty() {
            self.signal(Signal::Wrote(room.state.id.clone()));
        }
        let (answer, correlation) = (decision.answer, cause.correlation.clone());
        let outcome = Outcome { answer, at: now, correlation, changed, repeated: false };
        if let Some(Idempotency { key, fingerprint }) = cause.idempotency.clone() {
            room.answers.insert(key, (fingerprint, outcome.clone()));
        }
        Ok(outcome)
    }

    fn describe(room: &Room, at: u64) -> Inventory {
        let show = room.state.show.as_ref().unwrap();
        let count = |is: fn(&Seat) -> bool| room.state.seats.values().filter(|seat| is(seat)).count() as u64;
        let total = show.chart.seats().len() as u64;
        let held = count(|seat| matches!(seat, Seat::Held { .. }));
        let reserved = count(|seat| matches!(seat, Seat::Reserved { .. }));
        let blocked = count(|seat| matches!(seat, Seat::Blocked { .. }));
        let available = total - held - reserved - blocked;
        Inventory {
            event: room.state.id.clone(),
            definition: show.definition.clone(),
            closed: show.closed,
            partition: room.partition,
            sequence: room.state.sequence,
            seats: SeatCounts { total, available, held, reserved, blocked },
            at,
        }
    }
}

#[async_trait]
impl SeatStore for Memory {
    async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        cause: &Cause,
    ) -> Result<Result<Outcome, Rejection>, StoreError> {
        let now = self.at()?;
        if self.full.load(SeqCst) && matches!(command, Command::Hold { .. }) {
            return Err(StoreError::OutboxFull { depth: 2, limit: 1 });
        }
        let mut events = self.events.lock().unwrap();
        let Some(room) = events.get_mut(event) else { return Ok(Err(Rejection::EventNotFound)) };
        if let Some(asked) = &cause.idempotency
            && let Some((fingerprint, outcome)) = room.answers.get(&asked.key)
        {
            if *fingerprint != asked.fingerprint {
                return Err(StoreError::KeyReused);
            }
            return Ok(Ok(Outcome { repeated: true, ..outcome.clone() }));
        }
        Ok(self.apply(room, command, cause, now))
    }

    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Inventory, Rejection>, StoreError> {
        let now = self.at()?;
        let mut events = self.events.lock().unwrap();
        let room = events.entry(event.clone()).or_insert_with(|| Room {
            state: SeatingEventState::new(event.clone()),
            partition,
            outbox: vec![],
            watermark: 0,
            token: 0,
            answers: HashMap::new(),
        });
        let command = Command::Provision { definition: Box::new(definition.clone()) };
        Ok(self.apply(room, &command, cause, now).map(|_| Self::describe(room, now)))
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        let now = self.at()?;
        let events = self.events.lock().unwrap();
        let Some(room) = events.get(hold.event_id()) else { return Ok(Err(Rejection::EventNotFound)) };
        let Some(found) = room.state.holds.get(&hold.uuid()) else { return Ok(Err(Rejection::HoldNotFound)) };
        if found.user != *user {
            return Ok(Err(Rejection::NotHolder));
        }
        if found.status != HoldStatus::Active || now >= found.expires_at {
            return Ok(Err(Rejection::HoldExpired));
        }
        let priced = |key: &String| match room.state.seats.get(key) {
            Some(Seat::Held { amount, .. }) => PricedSeat { key: key.clone(), amount: *amount },
            other => panic!("{key} is {other:?}"),
        };
        let seats = found.seats.iter().map(priced).collect();
        Ok(Ok(Answer::Held {
            hold: hold.uuid(),
            seats,
            expires_at: found.expires_at,
            sequence: found.sequence,
        }))
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        let now = self.at()?;
        Ok(self.events.lock().unwrap().get(event).map(|room| Self::describe(room, now)))
    }

    async fn inventories(&self) -> Result<Vec<Inventory>, StoreError> {
        let now = self.at()?;
        let mut all: Vec<_> =
            self.events.lock().unwrap().values().map(|room| Self::describe(room, now)).collect();
        all.sort_by(|a, b| a.event.cmp(&b.event));
        Ok(all)
    }

    async fn purge(&self, event: &SeatingEventId) -> Result<bool, StoreError> {
        self.at()?;
        let mut events = self.events.lock().unwrap();
        let empty = events.get(event).is_none_or(|room| room.outbox.is_empty());
        if empty {
            events.remove(event);
        }
        Ok(empty)
    }

    async fn expire_due(&self) -> Result<usize, StoreError> {
        let now = self.at()?;
        let mut expired = 0;
        for room in self.events.lock().unwrap().values_mut() {
            let is_due = |(id, hold): (&Uuid, &boxoffice_domain::state::Hold)| {
                (hold.status == HoldStatus::Active && now >= hold.expires_at).then_some(*id)
            };
            let due: Vec<_> = room.state.holds.iter().filter_map(is_due).collect();
            expired += due.len();
            for hold in due {
                self.apply(room, &Command::Expire { hold }, &super::cause(), now).unwrap();
            }
        }
        Ok(expired)
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.at().map(drop)
    }
}

#[async_trait]
impl Outbox for Memory {
    fn buckets(&self) -> u32 {
        4
    }

    fn bucket_of(&self, event: &SeatingEventId) -> u32 {
        u32::try_from(event.as_str().len()).unwrap() % self.buckets()
    }

    async fn round(&self, owner: Uuid, stays: bool, give_back: &[u32]) -> Result<Round, StoreError> {
        self.at()?;
        if self.unrenewed.load(SeqCst) {
            return Err(StoreError::Unavailable("timed out".into()));
        }
        Ok(self.relays_round(owner, stays, give_back))
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        let now = self.at()?;
        let events = self.events.lock().unwrap();
        let waiting = events.iter().filter_map(|(event, room)| {
            let age = Duration::from_millis(now - room.outbox.first()?.envelope.timestamp);
            Some(Backlog { event: event.clone(), entries: room.outbox.len() as u64, age })
        });
        Ok(waiting.collect())
    }

    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        self.at()?;
        let events = self.events.lock().unwrap();
        let room = &events[event];
        Ok((room.partition, room.outbox.iter().take(max).cloned().collect()))
    }

    async fn published(
        &self,
        event: &SeatingEventId,
        lease: &Lease,
        upto: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.at()?;
        let mut events = self.events.lock().unwrap();
        let room = events.get_mut(event).unwrap();
        if room.token > lease.token {
            return Ok(None);
        }
        room.token = lease.token;
        room.watermark = room.watermark.max(upto);
        room.outbox.retain(|entry| entry.envelope.metadata.sequence.unwrap() > upto);
        self.signal(Signal::Published(event.clone(), self.history.lock().unwrap().clone(), upto));
        Ok(Some(room.outbox.len() as u64))
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        self.at()?;
        Ok(self.events.lock().unwrap().get(event).map_or(0, |room| room.watermark))
    }

    async fn history(&self, _: &SeatingEventId) -> Result<History, StoreError> {
        self.at()?;
        Ok(self.history.lock().unwrap().clone())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
