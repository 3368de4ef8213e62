//! The relay: publishes what the seat scripts wrote to the outboxes, and owns what goes on in the background.
//!
//! A SeatingEvent's partition belongs to a lane, and a lane has one owner: the relays of all command workers share the
//! lanes out ([`leases`]), and each works on those that it has, a partition beside the other ([`lane`]). It wakes when
//! something was written to one of its SeatingEvents, has no more come together where somebody's answer waits for that,
//! and looks at all of them now and then in case it was not told. This file decides who runs when; it reads and
//! publishes nothing itself.

mod lane;

mod split;

mod leases;

mod ownership;

mod queue;

mod shared;

mod metrics;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::sync::Mutex;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{Backlog, LANES, LEASE_ROUND, Signal, StoreError};
use lane::Lane;
pub use metrics::RelayMetrics;
use ownership::Ownership;
use queue::Wakes;
pub use shared::{Logged, Shared};
pub use split::STILL;

/// How often all SeatingEvents are looked at, told or not.
const SCAN: Duration = Duration::from_secs(5);
/// How often while something waits: what is measured is that old at most.
const BUSY_SCAN: Duration = Duration::from_secs(1);
/// How often the log is asked how many partitions there are.
const COUNT: Duration = Duration::from_secs(10);

/// Works on this process' share of the lanes.
pub struct Relay {
    shared: Arc<Shared>,
    jobs: JoinSet<Job>,
    /// The partitions that are worked on.
    works: BTreeMap<u32, Work>,
    /// How many partitions there were when all of our lanes' were begun with.
    begun: u32,
    /// One at a time works on a partition, also where an ownership follows another one at once: they would fence each
    /// other.
    turns: HashMap<u32, Arc<Mutex<()>>>,
    under_way: HashSet<Errand>,
    scan_again: bool,
    scanned: Instant,
    counted: Option<Instant>,
}

/// What is known of the work on a partition.
struct Work {
    ownership: Arc<Ownership>,
    wakes: Arc<Wakes>,
}

/// What is done by one job at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Errand {
    Scan,
    Look,
    Count,
}

/// What ended.
enum Job {
    Work(u32, Arc<Wakes>),
    Scan(Result<Vec<Backlog>, StoreError>),
    /// Partitions of which the store lacks something.
    Look(BTreeSet<u32>),
    /// Where an unknown SeatingEvent is pinned.
    Found(SeatingEventId, Option<u32>),
    Count,
}

impl Relay {
    /// A relay that has no lane yet. What it comes to own, everybody sees who shares it.
    pub fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            jobs: JoinSet::new(),
            works: BTreeMap::new(),
            begun: 0,
            turns: HashMap::new(),
            under_way: HashSet::new(),
            scan_again: false,
            scanned: Instant::now(),
            counted: None,
        }
    }

    /// Works until `stop` is cancelled. Then, for at most `drain`, it brings to an end what is under way and leaves the
    /// rest to those who stay; where nobody does, it publishes what is there. Without rounds of the leases it ends at once.
    pub async fn run(mut self, stop: CancellationToken, drain: Duration) {
        let (given, mut ownerships) = mpsc::unbounded_channel();
        let mut keeping = AbortOnDropHandle::new(tokio::spawn(keep(Arc::clone(&self.shared), given)));
        tokio::select! {
            () = self.work(&stop, &mut ownerships) => {}
            // Lanes would be lost without a word.
            _ = &mut keeping => return,
        }
        self.shared.leases.retire();
        if timeout_at(Instant::now() + drain, self.finish()).await.is_err() {
            tracing::warn!("the outbox is not empty: whoever gets the leases next goes on");
        }
        // A round after this one would take the lanes again.
        keeping.abort();
        drop(keeping.await);
        self.shared.leases.leave().await;
    }

    async fn work(&mut self, stop: &CancellationToken, ownerships: &mut UnboundedReceiver<Arc<Ownership>>) {
        let mut signals = self.shared.outbox.signals();
        let mut listening = true;
        let mut look = interval(BUSY_SCAN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                Some(ownership) = ownerships.recv() => self.begin(&ownership),
                _ = look.tick() => {
                    self.count();
                    self.grow();
                    self.look();
                    if self.is_scan_due() {
                        self.scan();
                    }
                }
                Some(ended) = self.jobs.join_next() => self.ended(ended),
                signal = signals.recv(), if listening => match signal {
                    Ok(Signal::Wrote(event)) => self.wake(event, false),
                    Ok(Signal::Awaited(event)) => self.wake(event, true),
                    Ok(Signal::Missed) | Err(RecvError::Lagged(_)) => {
                        self.look();
                        self.scan();
                    }
                    Ok(Signal::Published(..)) => {}
                    Err(RecvError::Closed) => listening = false,
                },
            }
        }
    }

    /// Looks at everything once more and returns when nothing is under way.
    async fn finish(&mut self) {
        // Says that we are leaving, and learns whether somebody stays.
        if let Err(error) = self.shared.leases.keep().await {
            tracing::debug!(%error, "nobody knows that this relay leaves");
        }
        self.scan();
        while self.under_way.contains(&Errand::Scan) {
            let Some(ended) = self.jobs.join_next().await else { break };
            self.ended(ended);
        }
        for work in self.works.values() {
            work.wakes.close();
        }
        while let Some(ended) = self.jobs.join_next().await {
            self.ended(ended);
        }
    }

    /// Begins to work on a lane.
    fn begin(&mut self, ownership: &Arc<Ownership>) {
        for partition in self.shared.partitions_of(ownership.lease.lane) {
            self.begin_on(partition, ownership);
        }
        self.scan();
    }

    /// Begins to work on a partition, unless that was begun in the same ownership.
    fn begin_on(&mut self, partition: u32, ownership: &Arc<Ownership>) {
        if self.works.get(&partition).is_some_and(|work| Arc::ptr_eq(&work.ownership, ownership)) {
            return;
        }
        let wakes = Arc::new(Wakes::default());
        self.works.insert(partition, Work { ownership: Arc::clone(ownership), wakes: Arc::clone(&wakes) });
        let lane = Lane::new(Arc::clone(&self.shared), partition, ownership.enter(), Arc::clone(&wakes));
        let turn = Arc::clone(self.turns.entry(partition).or_default());
        self.jobs.spawn(async move {
            let _turn = turn.lock().await;
            lane.run().await;
            Job::Work(partition, wakes)
        });
    }

    /// Begins to work on what our lanes got since, where the topic has grown.
    fn grow(&mut self) {
        if self.begun == self.shared.partitions() {
            return;
        }
        self.begun = self.shared.partitions();
        for ownership in (0..LANES).filter_map(|lane| self.shared.leases.of(lane)).collect::<Vec<_>>() {
            if !ownership.is_over() {
                self.begin(&ownership);
            }
        }
    }

    /// Wakes who works on the partition of `event`, if that is ours; somebody may wait for that.
    fn wake(&mut self, event: SeatingEventId, is_awaited: bool) {
        if let Some(partition) = self.shared.partition_of(&event) {
            self.shared.touch(&event);
            if let Some(work) = self.works.get(&partition) {
                work.wakes.wrote(event, is_awaited);
            }
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.jobs.spawn(async move {
            let found = shared.outbox.pinned_partition(&event).await;
            let found = found.inspect_err(|error| tracing::debug!(%event, %error, "its lane is not known"));
            Job::Found(event, found.ok().flatten())
        });
    }

    fn is_scan_due(&self) -> bool {
        self.shared.metrics.anything_waits() || self.scanned.elapsed() >= SCAN
    }

    /// Looks at every SeatingEvent.
    fn scan(&mut self) {
        self.scan_again = !self.under_way.insert(Errand::Scan);
        if !self.scan_again {
            self.scanned = Instant::now();
            let shared = Arc::clone(&self.shared);
            self.jobs.spawn(async move { Job::Scan(waiting(&shared).await) });
        }
    }

    /// Looks whether the store lacks something of our partitions.
    fn look(&mut self) {
        if self.works.is_empty() || !self.under_way.insert(Errand::Look) {
            return;
        }
        let (shared, ours): (_, Vec<_>) = (Arc::clone(&self.shared), self.works.keys().copied().collect());
        self.jobs.spawn(async move { Job::Look(shared.recovery.wanting(&ours).await) });
    }

    /// Asks how many partitions there are: the log now and then, at first also the store, which knows what the log said.
    fn count(&mut self) {
        if self.counted.is_some_and(|at| at.elapsed() < COUNT) || !self.under_way.insert(Errand::Count) {
            return;
        }
        let shared = Arc::clone(&self.shared);
        self.jobs.spawn(async move {
            count(&shared).await;
            Job::Count
        });
    }

    fn ended(&mut self, job: Result<Job, JoinError>) {
        match job {
            Ok(Job::Work(partition, wakes)) => {
                // Another ownership of the lane may have begun meanwhile.
                if self.works.get(&partition).is_some_and(|current| Arc::ptr_eq(&current.wakes, &wakes)) {
                    self.works.remove(&partition);
                }
            }
            Ok(Job::Scan(found)) => {
                self.under_way.remove(&Errand::Scan);
                match found {
                    Ok(found) => {
                        self.shared.metrics.waiting(&found);
                        // It has waited for long enough, and nobody told of it.
                        for backlog in found {
                            self.wake(backlog.event, true);
                        }
                    }
                    Err(error) => tracing::debug!(%error, "outboxes not looked at"),
                }
                if self.scan_again {
                    self.scan();
                }
            }
            Ok(Job::Look(wanting)) => {
                self.under_way.remove(&Errand::Look);
                for work in wanting.iter().filter_map(|partition| self.works.get(partition)) {
                    work.wakes.recover();
                }
            }
            Ok(Job::Found(event, Some(partition))) => {
                self.shared.pin(event.clone(), partition);
                self.grow();
                self.wake(event, true);
            }
            Ok(Job::Found(_, None)) => {}
            Ok(Job::Count) => {
                self.under_way.remove(&Errand::Count);
                self.counted = (self.shared.partitions() > 0).then(Instant::now);
                self.grow();
            }
            // A lane that panicked would leave its SeatingEvents unpublished in silence: the process starts anew.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}

/// What waits in our lanes.
async fn waiting(shared: &Shared) -> Result<Vec<Backlog>, StoreError> {
    shared.pin_all(shared.outbox.pinned().await?);
    match shared.outbox.archived().await {
        Ok(count) => shared.metrics.archived(count),
        Err(error) => tracing::debug!(%error, "how many SeatingEvents are archived is not known"),
    }
    Ok(shared.outbox.backlogs(&shared.ours()).await)
}

/// Learns how many partitions there are.
async fn count(shared: &Shared) {
    if shared.partitions() == 0
        && let Ok(Some(remembered)) = shared.outbox.partitions(None).await
    {
        shared.has_partitions(remembered);
    }
    match shared.log.partitions(&shared.topic).await {
        Ok(count) => {
            shared.has_partitions(count);
            if let Err(error) = shared.outbox.partitions(Some(count)).await {
                tracing::debug!(%error, "the number of partitions is not kept");
            }
        }
        Err(error) => tracing::debug!(%error, "the number of partitions is not known"),
    }
}

/// Has rounds of the leases, for ever: in their pace, and at once when there is a lane to give back.
async fn keep(shared: Arc<Shared>, given: UnboundedSender<Arc<Ownership>>) {
    let mut pace = interval(LEASE_ROUND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            () = shared.leases.any_idle() => {}
        }
        match shared.leases.keep().await {
            Ok(new) => {
                for ownership in new {
                    if given.send(ownership).is_err() {
                        return;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "no round of the leases"),
        }
        shared.metrics.leases(shared.leases.count());
    }
}

#[cfg(test)]
mod tests;
