//! The owner of a lane at work on one of its partitions: what the store lost is put back, then what waits is published,
//! batch after batch.
//!
//! A batch has entries of several SeatingEvents and is one transaction on the log, under the partition's id: whoever takes
//! the lane over fences this owner there, wherever it is and whatever store it believes in. What fails is published again
//! from the watermark, so the log may repeat records but first occurrences have no gap (I3). What is wrong with one
//! SeatingEvent lets that one rest and no other. What is wrong with one partition holds up no other one: a transaction that
//! has a partition without a leader does not even end before that has one again, and nor does its id begin another one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::events::MalformedEvent;
use boxoffice_domain::subject::{OfSeatingEvent, Subject};
use boxoffice_domain::{DomainEvent, SeatingEventId};
use boxoffice_runtime::log::{Appender, LogError};
use boxoffice_runtime::record::{NewRecord, encode};
use futures::future::{join, join_all};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use uuid::Uuid;

use super::ownership::Occupancy;
use super::queue::{Queue, Wakes};
use super::shared::{Logged, Shared};
use super::split;
use crate::recover::{Compared, Last, LastEvents, RecoveryError};
use crate::store::{Distrust, Outbox, OutboxEntry, StoreError};

/// Most records of a batch, and most while publishing fails: what may be in vain is to be cheap.
const BATCH: usize = 500;
const TRIAL: usize = 50;
/// Most SeatingEvents of a batch, and most records of one where there are several.
const EVENTS: usize = 64;
const AT_LEAST: usize = 20;
/// First and longest pause after a failure; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));
/// After so many records the offsets of SeatingEvents of which nothing waits are moved forward.
const MOVE_EVERY: u64 = 10_000;
/// How many of them at once.
const MOVED_AT_ONCE: usize = 100;
/// Shortest and longest time in which more may come together, as long as nobody waits for it: between them it is as long as
/// the last transaction took. Who holds a seat may reserve it at once, and would find a transaction under way: the shortest is
/// longer than a client takes for that.
const LINGER: (Duration, Duration) = (Duration::from_millis(25), Duration::from_millis(50));
/// How long a batch waits for the store: a flush to disk may take two seconds, and buyers wait for five.
const SOON: Duration = Duration::from_millis(2500);
/// After so long without a record the right to publish is laid down: it costs threads and connections, of which a topic
/// with many partitions would have many.
const IDLE: Duration = Duration::from_mins(10);
/// After so long it rests: what is there for busy times alone is laid down.
const RESTING: Duration = Duration::from_secs(10);

/// Why a turn of a lane did not do all that there was to do.
#[derive(Debug, thiserror::Error)]
enum LaneError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Recovery(#[from] RecoveryError),
}

/// What is wrong with one SeatingEvent.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Malformed(#[from] MalformedEvent),
    #[error("I3: sequence {found} comes where {expected} should")]
    Gap { expected: u64, found: u64 },
    #[error("I3: what waits does not go on from what the log has")]
    Forked,
    #[error("I4: it is pinned to partition {0}")]
    Elsewhere(u32),
}

/// What is published at once.
#[derive(Default)]
struct Batch {
    records: Vec<NewRecord>,
    /// The commands whose events they are, all of each.
    commands: Vec<Uuid>,
    /// Each SeatingEvent's last event among them.
    last: Vec<(SeatingEventId, Last)>,
    /// SeatingEvents that are something else than the log has.
    forked: BTreeMap<SeatingEventId, Distrust>,
    /// Whether it says of one that it is closed for good or purged.
    closes: bool,
    /// Whether more waits of one of them than there was room for.
    is_cut: bool,
}

/// What the log has and the store was not told of yet: each SeatingEvent's last event, and the offset behind all of them.
struct Ahead {
    last: Vec<(SeatingEventId, Last)>,
    offset: u64,
}

/// How many entries still wait of a SeatingEvent of which the store was told.
type Left = (SeatingEventId, Result<u64, StoreError>);

/// See the module.
pub struct Lane {
    shared: Arc<Shared>,
    partition: u32,
    occupancy: Occupancy,
    wakes: Arc<Wakes>,
    queue: Queue,
    /// The right to publish, once it is taken.
    right: Option<Box<dyn Appender>>,
    /// What the log had when it was taken, and has since.
    last_events: LastEvents,
    ahead: Option<Ahead>,
    /// Whether the store may lack something.
    recovering: bool,
    /// SeatingEvents that met the fence (I7).
    doubted: BTreeSet<SeatingEventId>,
    /// Those that nobody may sell, which their server could not be told yet: nothing of them is published.
    untold: BTreeMap<SeatingEventId, Distrust>,
    closing: bool,
    /// Whether somebody waits for what was written.
    is_awaited: bool,
    /// How long the last transaction took.
    took: Duration,
    /// Turns that failed in a row.
    failures: u32,
    /// Records since offsets were moved; nobody knows when it begins.
    appended: Option<u64>,
}

impl Lane {
    /// A partition of a lane that was just taken: nobody knows what its store lacks.
    pub fn new(shared: Arc<Shared>, partition: u32, occupancy: Occupancy, wakes: Arc<Wakes>) -> Self {
        Self {
            shared,
            partition,
            occupancy,
            wakes,
            queue: Queue::default(),
            right: None,
            last_events: LastEvents::default(),
            ahead: None,
            recovering: false,
            doubted: BTreeSet::new(),
            untold: BTreeMap::new(),
            closing: false,
            is_awaited: false,
            took: Duration::ZERO,
            failures: 0,
            appended: None,
        }
    }

    /// Works until the ownership is over, or nothing waits and no more is to come. What is under way is finished.
    pub async fn run(mut self) {
        self.check().await;
        self.work().await;
        self.tell_ahead().await;
    }

    async fn work(&mut self) {
        while !self.occupancy.is_over() {
            self.hear();
            if !self.recovering && !self.is_next_due() {
                self.tell_ahead().await;
                if self.closing && self.queue.is_empty() {
                    return;
                }
                self.wait().await;
                continue;
            }
            self.linger().await;
            if self.occupancy.is_over() {
                return;
            }
            match self.turn().await {
                Ok(()) => self.succeeded(),
                Err(error) => {
                    let pause = self.failed(&error);
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = self.occupancy.over() => {}
                    }
                }
            }
        }
    }

    /// Whether it is somebody's turn.
    fn is_next_due(&self) -> bool {
        self.queue.next().is_some_and(|at| at <= Instant::now())
    }

    /// Asks whether the store lacks something.
    async fn check(&mut self) {
        self.recovering |= !self.shared.recovery.wanting(&[self.partition]).await.is_empty();
    }

    fn hear(&mut self) {
        let told = self.wakes.take();
        for event in told.events {
            self.queue.add(event);
        }
        self.recovering |= told.recover;
        self.is_awaited |= told.is_awaited;
        self.closing = told.closing;
    }

    /// Lets more come together, as long as nobody waits for it: a transaction costs the log the same whatever it has.
    async fn linger(&mut self) {
        if self.is_awaited || self.recovering || self.closing || self.right.is_none() {
            return;
        }
        tokio::select! {
            () = sleep(self.took.clamp(LINGER.0, LINGER.1)) => {}
            () = self.wakes.hurry() => {}
            () = self.occupancy.over() => {}
        }
        self.hear();
    }

    async fn wait(&mut self) {
        let turn = async {
            match self.queue.next() {
                Some(at) => sleep_until(at).await,
                None => std::future::pending().await,
            }
        };
        let news = async {
            tokio::select! {
                () = turn => {}
                () = self.wakes.news() => {}
                () = self.occupancy.over() => {}
            }
        };
        let mut news = std::pin::pin!(news);
        if let Some(right) = &mut self.right {
            if timeout(RESTING, &mut news).await.is_ok() {
                return;
            }
            right.rest();
            if timeout(IDLE, &mut news).await.is_ok() {
                return;
            }
            self.right = None;
        }
        news.await;
    }

    fn succeeded(&mut self) {
        if std::mem::take(&mut self.failures) > 0 {
            tracing::info!(partition = self.partition, "events are published again");
        }
    }

    /// How long to pause. An outage is logged once.
    fn failed(&mut self, error: &LaneError) -> Duration {
        if self.failures == 0 {
            tracing::warn!(partition = self.partition, %error, "events wait to be published");
        }
        self.shared.metrics.failures.inc();
        // Holds go on meanwhile, and nobody hears of them.
        for event in self.events() {
            self.shared.touch(&event);
        }
        let pause = PAUSE.0.saturating_mul(1 << self.failures.min(5)).min(PAUSE.1);
        self.failures += 1;
        pause
    }

    async fn turn(&mut self) -> Result<(), LaneError> {
        if self.recovering || self.right.is_none() {
            self.tell_ahead().await;
            self.open().await?;
        }
        // What was told before is among what is read.
        self.is_awaited = false;
        // In this order on one connection, so that what is read begins behind what the store is told of.
        let telling = tell(Arc::clone(&self.shared), self.ahead.take());
        let (left, mut batch) = join(telling, self.read()).await;
        self.go_on_with(left, &batch.last);
        self.is_awaited |= batch.is_cut;
        self.distrust(std::mem::take(&mut batch.forked)).await;
        if batch.records.is_empty() {
            return Ok(());
        }
        let (count, began) = (batch.records.len() as u64, Instant::now());
        match self.append(batch.records).await {
            Ok(end) => {
                self.took = began.elapsed();
                // Before the store is told, which would be another round trip for whoever waits.
                self.shared.published.appended(&batch.commands);
                self.shared.metrics.published.inc_by(count);
                self.shared.metrics.took.observe(self.took.as_secs_f64());
                self.shared.logged(self.partition, Logged { end, closes: batch.closes });
                for (event, last) in &batch.last {
                    self.last_events.published(event, *last);
                }
                self.ahead = Some(Ahead { last: batch.last, offset: end });
                self.hear();
                // Where somebody waits already, one way to the store and back tells it and reads what comes next.
                if !self.is_awaited || !self.is_next_due() {
                    self.tell_ahead().await;
                }
                self.moved_on(count, end).await;
            }
            Err(error) => {
                // It is of no use any more, and what became of the records is not known: they are published again.
                self.right = None;
                for (event, _) in batch.last {
                    self.queue.add(event);
                }
                match error {
                    LogError::Fenced(_) => {
                        self.recovering |= split::met(&self.shared, &self.occupancy, self.partition).await;
                    }
                    other @ (LogError::Unavailable(_)
                    | LogError::Missing(_)
                    | LogError::OutOfRange { .. }
                    | LogError::Replaced { .. }) => {
                        return Err(other.into());
                    }
                }
            }
        }
        Ok(())
    }

    /// Takes the right to publish from everybody who has it, then compares the store with the log, and puts back what it
    /// lacks: from here on nothing is added to the log that this owner does not know.
    async fn open(&mut self) -> Result<(), LaneError> {
        let id = format!("{}/{}", self.shared.source, self.partition);
        self.right = None;
        let right = self.shared.log.appender(&id).await?;
        // Somebody else may have published since.
        let Compared { contradicted, last_events } = self.shared.recovery.compare(self.partition).await?;
        self.last_events = last_events;
        self.distrust(contradicted).await;
        if self.recovering {
            self.recover().await?;
        }
        self.right = Some(right);
        Ok(())
    }

    /// Has nobody sell these until what the log has takes the place of what is here.
    async fn distrust(&mut self, events: BTreeMap<SeatingEventId, Distrust>) {
        for (event, why) in events {
            let seen = match why {
                Distrust::Split => "another store sold it",
                Distrust::Fork => "it is something else than the log has",
            };
            tracing::error!(%event, "{seen}: what the log has takes the place of what is here");
            self.tell(event, why).await;
        }
    }

    /// Tells the store that nobody may sell `event`, which is recovered then. Where it does not hear of it, what is there
    /// stays as it is, and nobody may publish it: that waits for its turn.
    async fn tell(&mut self, event: SeatingEventId, why: Distrust) {
        match self.shared.outbox.distrust(&event, why).await {
            Ok(()) => {
                self.untold.remove(&event);
                self.doubted.insert(event);
                self.recovering = true;
            }
            Err(error) => {
                if self.untold.insert(event.clone(), why).is_none() {
                    tracing::warn!(%event, %error, "it stays as it is, and unpublished, until its server answers");
                }
                self.queue.rest(event);
            }
        }
    }

    /// Those whose turn it is, without those that the store has to be told of first.
    async fn in_turn(&mut self) -> Vec<SeatingEventId> {
        let mut events = self.queue.take(EVENTS);
        let untold: Vec<_> =
            events.iter().filter_map(|event| Some((event.clone(), *self.untold.get(event)?))).collect();
        if !untold.is_empty() {
            events.retain(|event| !self.untold.contains_key(event));
        }
        for (event, why) in untold {
            self.tell(event, why).await;
        }
        events
    }

    async fn recover(&mut self) -> Result<(), LaneError> {
        self.shared.recovery.recover(self.partition, &self.doubted).await?;
        self.recovering = false;
        // Those that met the fence may meet it again: what is wrong with them costs the others nothing.
        for event in std::mem::take(&mut self.doubted) {
            self.queue.rest(event);
        }
        for event in self.events() {
            self.queue.add(event);
        }
        Ok(())
    }

    /// All SeatingEvents of the partition.
    fn events(&self) -> Vec<SeatingEventId> {
        self.shared.pinned_to(self.partition)
    }

    /// Appends a batch; the offset behind it.
    async fn append(&mut self, records: Vec<NewRecord>) -> Result<u64, LogError> {
        let Some(right) = &mut self.right else {
            return Err(LogError::Unavailable("nobody has the right to publish".to_owned()));
        };
        let ends = right.append(&self.shared.topic, records).await?;
        Ok(ends.get(&self.partition).copied().unwrap_or_default())
    }

    /// The first entries of those whose turn it is.
    async fn read(&mut self) -> Batch {
        let most = if self.failures > 0 { TRIAL } else { BATCH };
        let events = self.in_turn().await;
        let each = (most / events.len().max(1)).max(AT_LEAST);
        let outbox = self.shared.outbox.as_ref();
        let read = events.into_iter().map(|event| async move {
            let entries = in_time(whole_commands(outbox, &event, each)).await;
            (event, entries)
        });
        let read = join_all(read).await;
        let mut batch = Batch::default();
        for (event, entries) in read {
            self.shared.touch(&event);
            let records = match entries {
                Ok((partition, entries, is_all)) if partition == self.partition || entries.is_empty() => {
                    if self.last_events.goes_on(&event, &entries, is_all) {
                        batch.closes |= entries.iter().any(|entry| is_last(&entry.envelope.event));
                        batch.is_cut |= !is_all;
                        self.encoded(&entries)
                    } else {
                        Err(Trouble::Forked)
                    }
                }
                Ok((partition, ..)) => Err(Trouble::Elsewhere(partition)),
                Err(error) => Err(error.into()),
            };
            match records {
                Ok(None) => drop(self.queue.is_well(&event)),
                Ok(Some(Encoded { last, records, commands })) => {
                    batch.records.extend(records);
                    batch.commands.extend(commands);
                    batch.last.push((event, last));
                }
                Err(Trouble::Forked) => drop(batch.forked.insert(event, Distrust::Fork)),
                Err(trouble) => self.rest(event, &trouble),
            }
        }
        batch
    }

    /// What waits of a SeatingEvent, as it is to be published, if anything does.
    fn encoded(&self, entries: &[OutboxEntry]) -> Result<Option<Encoded>, Trouble> {
        let Some(last) = last_of(entries)? else { return Ok(None) };
        let (source, mut records) = (&self.shared.source, Vec::with_capacity(entries.len()));
        for entry in entries {
            records.push(encode(&entry.envelope, self.partition, source, entry.traceparent.as_deref())?);
        }
        let mut commands: Vec<_> = entries.iter().map(command).collect();
        commands.dedup();
        Ok(Some(Encoded { last, records, commands }))
    }

    fn rest(&mut self, event: SeatingEventId, trouble: &Trouble) {
        if let Trouble::Store(StoreError::Recovering) = trouble {
            self.doubted.insert(event);
            self.recovering = true;
            return;
        }
        if self.queue.was_well(&event) {
            tracing::warn!(%event, error = %trouble, "its events wait to be published");
        }
        self.shared.metrics.failures.inc();
        self.queue.rest(event);
    }

    /// Tells the store how far the log got, where it was not told yet.
    async fn tell_ahead(&mut self) {
        let left = tell(Arc::clone(&self.shared), self.ahead.take()).await;
        self.go_on_with(left, &[]);
    }

    /// Has those go on of which more waits, and was not read meanwhile.
    fn go_on_with(&mut self, left: Vec<Left>, read: &[(SeatingEventId, Last)]) {
        for (event, waiting) in left {
            self.shared.touch(&event);
            match waiting {
                Ok(waiting) => {
                    if self.queue.is_well(&event) {
                        tracing::info!(%event, "its events are published again");
                    }
                    if waiting > 0 && read.iter().all(|(other, _)| *other != event) {
                        self.queue.add(event);
                    }
                }
                Err(error) => self.rest(event, &error.into()),
            }
        }
    }

    /// Moves offsets forward when that is due: at first, for nobody knows how far behind they are, then after many
    /// records.
    async fn moved_on(&mut self, count: u64, offset: u64) {
        match self.appended {
            Some(before) if before + count < MOVE_EVERY => self.appended = Some(before + count),
            Some(_) | None => {
                self.tell_ahead().await;
                self.move_offsets(offset).await;
            }
        }
    }

    /// Moves the offsets of SeatingEvents of which nothing waits to where the log ends: a recovery need not read what
    /// comes before. One that could not be moved is the next time.
    async fn move_offsets(&mut self, offset: u64) {
        self.appended = Some(0);
        let all = self.shared.pinned_to(self.partition);
        self.last_events.keep(&all);
        for events in all.chunks(MOVED_AT_ONCE) {
            let moved = async {
                self.shared.outbox.move_offsets(events, offset).await;
                Ok(())
            };
            if let Err(error) = in_time(moved).await {
                tracing::debug!(%error, "offsets stay behind");
            }
        }
        self.shared.recovery.reached(self.partition, offset).await;
    }
}

/// Tells the store how far the log got.
async fn tell(shared: Arc<Shared>, ahead: Option<Ahead>) -> Vec<Left> {
    let Some(Ahead { last, offset }) = ahead else { return vec![] };
    let outbox = shared.outbox.as_ref();
    let told = last.into_iter().map(|(event, last)| async move {
        let waiting = in_time(outbox.published(&event, last.sequence, offset)).await;
        (event, waiting)
    });
    join_all(told).await
}

/// What the store says, if it does soon: a server that hangs must not hold up what is on others.
async fn in_time<T>(asked: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    let late = |_| StoreError::Unavailable(format!("no answer within {SOON:?}"));
    timeout(SOON, asked).await.map_err(late)?
}

/// What waits of one SeatingEvent, to be published.
struct Encoded {
    last: Last,
    records: Vec<NewRecord>,
    commands: Vec<Uuid>,
}

/// The command whose event an entry is.
const fn command(entry: &OutboxEntry) -> Uuid {
    entry.envelope.metadata.causation_id
}

/// The partition and the first entries of a SeatingEvent, about `each` of them, up to the end of a command, and whether
/// these are all: what a command did is on the log as a whole or not at all (I2), whatever the store loses next.
async fn whole_commands(
    outbox: &dyn Outbox,
    event: &SeatingEventId,
    each: usize,
) -> Result<(u32, Vec<OutboxEntry>, bool), StoreError> {
    let mut most = each;
    loop {
        let (partition, mut entries) = outbox.unpublished(event, most).await?;
        if entries.len() < most {
            return Ok((partition, entries, true));
        }
        let last = entries.last().map(command);
        let whole = entries.iter().rposition(|entry| Some(command(entry)) != last);
        if let Some(place) = whole {
            entries.truncate(place + 1);
            return Ok((partition, entries, false));
        }
        // All of it is one command, which may go on.
        most = most.saturating_mul(4);
    }
}

/// Whether no seats are sold any more after this.
const fn is_last(event: &DomainEvent) -> bool {
    match event.subject() {
        Subject::SeatingEvent(of) => match of {
            OfSeatingEvent::Deleted(_) | OfSeatingEvent::Purged(_) => true,
            OfSeatingEvent::Created(_) | OfSeatingEvent::Updated(_) => false,
        },
        Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::Reservation(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => false,
    }
}

/// The last of `entries`, which must have no gap.
fn last_of(entries: &[OutboxEntry]) -> Result<Option<Last>, Trouble> {
    for pair in entries.windows(2) {
        let (expected, found) = (pair[0].sequence() + 1, pair[1].sequence());
        if found != expected {
            return Err(Trouble::Gap { expected, found });
        }
    }
    Ok(Last::of(entries))
}
