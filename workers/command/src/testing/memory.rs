//! The embedded seat store with nothing behind it, whose clock and outages tests set.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_domain::plan::Plan;
use boxoffice_domain::{Answer, Command, Definition, HoldId, Rejection, SeatingEventId, UserId};
use futures::FutureExt;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use crate::store::embedded::journal::{SeatJournal, Ticket, Write};
use crate::store::embedded::{EmbeddedSeats, Rules};
use crate::store::{
    Backlog, Cause, Distrust, History, Inventory, LANES, LeaseTable, Listing, Outbox, OutboxEntry, Outcome,
    Provisioning, Round, SeatStore, Servers, Signal, StoreError, StoreServer, Swept, over_at,
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
    failing: Mutex<Option<Failure>>,
    quiet: AtomicBool,
    unrenewed: AtomicBool,
    history: Mutex<History>,
    partitions: Mutex<Option<u32>>,
    distrusted: Mutex<Vec<(SeatingEventId, Distrust)>>,
    archived: Mutex<BTreeMap<SeatingEventId, u64>>,
    asked: AtomicUsize,
    failing_for: Mutex<Option<(SeatingEventId, Failure)>>,
    twisted: Mutex<Option<Twist>>,
    swept: AtomicUsize,
    dropped: AtomicU64,
    untold: AtomicBool,
    broken: AtomicBool,
}

/// How calls fail.
type Failure = fn() -> StoreError;
/// What becomes of entries before they are told.
pub type Twist = fn(&mut Vec<OutboxEntry>);

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
            partitions: Mutex::default(),
            distrusted: Mutex::default(),
            archived: Mutex::default(),
            asked: AtomicUsize::default(),
            failing_for: Mutex::default(),
            twisted: Mutex::default(),
            swept: AtomicUsize::default(),
            dropped: AtomicU64::default(),
            untold: AtomicBool::default(),
            broken: AtomicBool::default(),
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

    /// How the outbox of one SeatingEvent cannot be read from now on.
    pub fn fail_for(&self, event: &SeatingEventId, how: Option<fn() -> StoreError>) {
        *self.failing_for.lock().unwrap() = how.map(|how| (event.clone(), how));
    }

    /// How what waits is told from now on.
    pub fn twist(&self, how: Option<Twist>) {
        *self.twisted.lock().unwrap() = how;
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

    /// Whoever has a round of the leases panics from now on.
    pub fn break_rounds(&self) {
        self.broken.store(true, SeqCst);
    }

    /// Has another history from now on.
    pub fn begin_anew(&self, history: &str) {
        *self.history.lock().unwrap() = History::named(history);
    }

    /// What was written up to this moment was dropped.
    pub fn drop_up_to(&self, moment: u64) {
        self.dropped.store(moment, SeqCst);
    }

    /// Whether nobody can be kept from selling from now on, and nothing else fails.
    pub fn deny_distrust(&self, deny: bool) {
        self.untold.store(deny, SeqCst);
    }

    /// Has another relay, which then dies, take every lane.
    pub fn usurp(&self) {
        *self.leases.lock().unwrap() = LeaseTable::default();
        self.relays_round(Uuid::new_v4(), true, LANES, &[]);
    }

    /// How many of so many lanes a relay that comes now is given.
    pub fn free(&self, lanes: u32) -> usize {
        self.relays_round(Uuid::new_v4(), true, lanes, &[]).leases.len()
    }

    /// Leases run out by the time of the test's runtime.
    fn relays_round(&self, owner: Uuid, stays: bool, lanes: u32, give_back: &[u32]) -> Round {
        let now = self.now.load(SeqCst) + u64::try_from(self.started.elapsed().as_millis()).unwrap();
        self.leases.lock().unwrap().round(lanes, owner, stays, give_back, now)
    }

    /// How many SeatingEvents were swept.
    pub fn swept(&self) -> usize {
        self.swept.load(SeqCst)
    }

    /// Those that nobody may sell until they are recovered.
    pub fn distrusted(&self) -> Vec<(SeatingEventId, Distrust)> {
        self.distrusted.lock().unwrap().clone()
    }

    /// Where the snapshots of those are that are archived.
    pub fn stubs(&self) -> BTreeMap<SeatingEventId, u64> {
        self.archived.lock().unwrap().clone()
    }

    /// Has one that is archived back.
    pub fn wake(&self, event: &SeatingEventId) {
        self.archived.lock().unwrap().remove(event);
    }

    /// How often anybody asked for a watermark.
    pub fn asked(&self) -> usize {
        self.asked.load(SeqCst)
    }

    /// Sweeps all; how many holds ended.
    pub async fn expire_due(&self) -> Result<usize, StoreError> {
        self.check()?;
        let all: Vec<_> = self.pinned().await?.into_iter().map(|(event, _)| event).collect();
        Ok(self.sweep(&all).await.ended)
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

    fn check_for(&self, event: &SeatingEventId) -> Result<(), StoreError> {
        self.check()?;
        if self.archived.lock().unwrap().contains_key(event) { Err(StoreError::Recovering) } else { Ok(()) }
    }

    /// The sequence of one that is over, where nothing of it waits or is live.
    async fn over(&self, event: &SeatingEventId) -> Option<u64> {
        let Inventory { definition, sequence, seats, at, .. } = self.seats.inventory(event).await.ok()??;
        let waits = !self.seats.backlogs(std::slice::from_ref(event)).await.is_empty();
        let is_archived = self.archived.lock().unwrap().contains_key(event);
        let is_over = at >= over_at(&definition?) && seats.held == 0 && !waits && !is_archived;
        is_over.then_some(sequence)
    }

    /// Passes on what the seats said, in the history that there is now.
    fn tell(&self) {
        let mut heard = self.heard.lock().unwrap();
        while let Ok(signal) = heard.try_recv() {
            let signal = match signal {
                Signal::Published(event, _, upto) => {
                    Signal::Published(event, self.history.lock().unwrap().clone(), upto)
                }
                other @ (Signal::Wrote(_) | Signal::Awaited(_) | Signal::Missed) => other,
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
        self.check_for(event)?;
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
        let stands = self.seats.inventory(event).await?.and_then(|inventory| inventory.definition);
        if stands.as_ref() != Some(definition) {
            self.check_for(event)?;
        }
        let provisioned = self.seats.provision(event, definition, partition, cause).await;
        self.tell();
        provisioned
    }

    async fn plan(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
    ) -> Result<Result<Plan, Rejection>, StoreError> {
        self.check_for(event)?;
        self.seats.plan(event, definition).await
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        self.check_for(hold.event_id())?;
        self.seats.hold(hold, user).await
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        self.check()?;
        self.seats.inventory(event).await
    }

    async fn inventories(&self) -> Result<Listing, StoreError> {
        self.check()?;
        self.seats.inventories().await
    }

    async fn ping(&self) -> Result<Servers, StoreError> {
        self.check()?;
        Ok(Servers::new())
    }

    fn servers(&self) -> Vec<StoreServer> {
        let history = self.history.lock().unwrap().clone();
        vec![StoreServer { address: "memory:1".to_owned(), history }]
    }
}

#[async_trait]
impl Outbox for Memory {
    async fn round(
        &self,
        owner: Uuid,
        stays: bool,
        lanes: u32,
        give_back: &[u32],
    ) -> Result<Round, StoreError> {
        self.check()?;
        assert!(!self.broken.load(SeqCst), "on purpose");
        if self.unrenewed.load(SeqCst) {
            return Err(StoreError::Unavailable("timed out".into()));
        }
        Ok(self.relays_round(owner, stays, lanes, give_back))
    }

    async fn partitions(&self, known: Option<u32>) -> Result<Option<u32>, StoreError> {
        self.check()?;
        let mut partitions = self.partitions.lock().unwrap();
        *partitions = known.or(*partitions);
        Ok(*partitions)
    }

    async fn pinned(&self) -> Result<Vec<(SeatingEventId, u32)>, StoreError> {
        self.check()?;
        let mut pinned = self.seats.pinned().await?;
        pinned.retain(|(event, _)| !self.archived.lock().unwrap().contains_key(event));
        Ok(pinned)
    }

    async fn pinned_partition(&self, event: &SeatingEventId) -> Result<Option<u32>, StoreError> {
        self.check()?;
        self.seats.pinned_partition(event).await
    }

    async fn backlogs(&self, events: &[SeatingEventId]) -> Vec<Backlog> {
        if self.check().is_err() {
            return vec![];
        }
        self.seats.backlogs(events).await
    }

    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        self.check_for(event)?;
        if let Some((failing, how)) = &*self.failing_for.lock().unwrap()
            && failing == event
        {
            return Err(how());
        }
        let (partition, mut entries) = self.seats.unpublished(event, max).await?;
        if let Some(twist) = *self.twisted.lock().unwrap() {
            twist(&mut entries);
        }
        Ok((partition, entries))
    }

    async fn published(&self, event: &SeatingEventId, upto: u64, offset: u64) -> Result<u64, StoreError> {
        self.check()?;
        let published = self.seats.published(event, upto, offset).await;
        self.tell();
        published
    }

    async fn move_offsets(&self, events: &[SeatingEventId], offset: u64) {
        self.seats.move_offsets(events, offset).await;
    }

    async fn archive(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        snapshot: u64,
    ) -> Result<bool, StoreError> {
        self.check()?;
        let is_over = self.over(event).await == Some(sequence);
        if is_over {
            self.archived.lock().unwrap().insert(event.clone(), snapshot);
        }
        Ok(is_over)
    }

    async fn archived(&self) -> Result<u64, StoreError> {
        self.check()?;
        Ok(self.stubs().len() as u64)
    }

    async fn distrust(&self, event: &SeatingEventId, why: Distrust) -> Result<(), StoreError> {
        self.check()?;
        if self.untold.load(SeqCst) {
            return Err(StoreError::Unavailable("timed out".into()));
        }
        self.distrusted.lock().unwrap().push((event.clone(), why));
        Ok(())
    }

    async fn sweep(&self, events: &[SeatingEventId]) -> Swept {
        if self.check().is_err() {
            return Swept::default();
        }
        self.swept.fetch_add(events.len(), SeqCst);
        let mut swept = self.seats.sweep(events).await;
        self.tell();
        swept.over.clear();
        for event in events {
            if self.over(event).await.is_some() {
                swept.over.push(event.clone());
            }
        }
        swept
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        self.asked.fetch_add(1, SeqCst);
        self.check_for(event)?;
        self.seats.watermark(event).await
    }

    async fn history(&self, _: &SeatingEventId) -> Result<History, StoreError> {
        self.check()?;
        Ok(self.history.lock().unwrap().clone())
    }

    async fn dropped(&self, event: &SeatingEventId) -> Result<(History, u64), StoreError> {
        Ok((self.history(event).await?, self.dropped.load(SeqCst)))
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
