//! The embedded seat store with nothing behind it, whose clock and outages tests set.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_domain::{Answer, Command, Definition, HoldId, Rejection, SeatingEventId, UserId};
use futures::FutureExt;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::store::embedded::journal::{SeatJournal, Ticket, Write};
use crate::store::embedded::{EmbeddedSeats, Rules};
use crate::store::{
    Backlog, Cause, History, Inventory, Lease, LeaseTable, Outbox, OutboxEntry, Outcome, Provisioning, Round,
    SeatStore, Signal, StoreError,
};

/// See the module.
pub struct Memory {
    seats: EmbeddedSeats<Nowhere>,
    /// What the seats say, not yet passed on.
    heard: Mutex<broadcast::Receiver<Signal>>,
    signals: broadcast::Sender<Signal>,
    leases: Mutex<LeaseTable>,
    now: Arc<AtomicU64>,
    started: Instant,
    failing: Mutex<Option<fn() -> StoreError>>,
    quiet: AtomicBool,
    unrenewed: AtomicBool,
    history: Mutex<History>,
}

/// Forgets what is written, and says that it is safe.
struct Nowhere;

#[async_trait]
impl SeatJournal for Nowhere {
    fn write(&self, _: Write) -> Ticket {
        Ticket::default()
    }

    async fn committed(&self, _: Ticket) -> Result<(), StoreError> {
        Ok(())
    }
}

impl Default for Memory {
    fn default() -> Self {
        let now = Arc::new(AtomicU64::new(1_700_000_000_000));
        let clock = Arc::clone(&now);
        let seats = EmbeddedSeats::new(Nowhere, Arc::new(move || clock.load(SeqCst)), []);
        Self {
            heard: Mutex::new(seats.signals()),
            seats,
            signals: broadcast::Sender::new(1024),
            leases: Mutex::default(),
            now,
            started: Instant::now(),
            failing: Mutex::default(),
            quiet: AtomicBool::default(),
            unrenewed: AtomicBool::default(),
            history: Mutex::default(),
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

    /// Whether the outbox is at its high watermark from now on.
    pub fn fill(&self, full: bool) {
        let rules = Rules::default();
        self.seats.keep_to(if full { Rules { high_watermark: 1, ..rules } } else { rules });
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
        self.seats.published(event, &lease, 0).now_or_never().unwrap().unwrap().unwrap();
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
        self.entries(event).iter().map(|entry| entry.envelope.event.event_type()).collect()
    }

    /// What waits in an outbox.
    pub fn entries(&self, event: &SeatingEventId) -> Vec<OutboxEntry> {
        // It waits for nothing.
        self.seats.unpublished(event, usize::MAX).now_or_never().unwrap().unwrap().1
    }

    fn check(&self) -> Result<(), StoreError> {
        let failing = *self.failing.lock().unwrap();
        failing.map_or(Ok(()), |how| Err(how()))
    }

    /// Passes on what the seats said, in the history that there is now.
    fn tell(&self) {
        let mut heard = self.heard.lock().unwrap();
        while let Ok(signal) = heard.try_recv() {
            let signal = match signal {
                Signal::Published(event, _, upto) => {
                    Signal::Published(event, self.history.lock().unwrap().clone(), upto)
                }
                other @ (Signal::Wrote(_) | Signal::Missed) => other,
            };
            if !self.quiet.load(SeqCst) {
                let _nobody_may_listen = self.signals.send(signal);
            }
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
        self.check()?;
        let executed = self.seats.execute(event, command, cause).await;
        self.tell();
        executed
    }

    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError> {
        self.check()?;
        let provisioned = self.seats.provision(event, definition, partition, cause).await;
        self.tell();
        provisioned
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        self.check()?;
        self.seats.hold(hold, user).await
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        self.check()?;
        self.seats.inventory(event).await
    }

    async fn inventories(&self) -> Result<Vec<Inventory>, StoreError> {
        self.check()?;
        self.seats.inventories().await
    }

    async fn purge(&self, event: &SeatingEventId) -> Result<bool, StoreError> {
        self.check()?;
        self.seats.purge(event).await
    }

    async fn expire_due(&self) -> Result<usize, StoreError> {
        self.check()?;
        let expired = self.seats.expire_due().await;
        self.tell();
        expired
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.check()
    }
}

#[async_trait]
impl Outbox for Memory {
    fn buckets(&self) -> u32 {
        self.seats.buckets()
    }

    fn bucket_of(&self, event: &SeatingEventId) -> u32 {
        self.seats.bucket_of(event)
    }

    async fn round(&self, owner: Uuid, stays: bool, give_back: &[u32]) -> Result<Round, StoreError> {
        self.check()?;
        if self.unrenewed.load(SeqCst) {
            return Err(StoreError::Unavailable("timed out".into()));
        }
        Ok(self.relays_round(owner, stays, give_back))
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        self.check()?;
        self.seats.backlogs().await
    }

    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        self.check()?;
        self.seats.unpublished(event, max).await
    }

    async fn published(
        &self,
        event: &SeatingEventId,
        lease: &Lease,
        upto: u64,
    ) -> Result<Option<u64>, StoreError> {
        self.check()?;
        let published = self.seats.published(event, lease, upto).await;
        self.tell();
        published
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        self.check()?;
        self.seats.watermark(event).await
    }

    async fn history(&self, _: &SeatingEventId) -> Result<History, StoreError> {
        self.check()?;
        Ok(self.history.lock().unwrap().clone())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
