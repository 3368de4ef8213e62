//! What everybody shares who works on this process' lanes.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::EventLog;

use super::leases::Leases;
use super::metrics::RelayMetrics;
use crate::published::Published;
use crate::recover::Recover;
use crate::store::{LANES, Outbox, lane_of};

/// See the module.
pub struct Shared {
    /// Where entries wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they go.
    pub log: Arc<dyn EventLog>,
    /// What puts right what the store lost.
    pub recovery: Arc<dyn Recover>,
    /// Who of this process waits for what is published.
    pub published: Arc<Published>,
    /// The topic.
    pub topic: String,
    /// The ReservationService (namespace/name), as the events' source; who publishes is called after it.
    pub source: String,
    /// The ownerships of this process.
    pub leases: Leases,
    /// What is measured.
    pub metrics: RelayMetrics,
    partitions: AtomicU32,
    pinned: RwLock<HashMap<SeatingEventId, u32>>,
    touched: Mutex<BTreeSet<SeatingEventId>>,
    logged: Mutex<BTreeMap<u32, Logged>>,
    over: Mutex<BTreeSet<SeatingEventId>>,
}

/// What was published to a partition.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logged {
    /// The offset behind it.
    pub end: u64,
    /// Whether the sales of a SeatingEvent were closed for good, or it was purged.
    pub closes: bool,
}

impl Logged {
    /// What was published with that, and with this before it.
    #[must_use]
    pub fn and(self, that: Self) -> Self {
        Self { end: self.end.max(that.end), closes: self.closes || that.closes }
    }
}

impl Shared {
    /// Of a topic of which nothing is known yet.
    pub fn new(
        outbox: Arc<dyn Outbox>,
        log: Arc<dyn EventLog>,
        recovery: Arc<dyn Recover>,
        topic: String,
        source: String,
        metrics: RelayMetrics,
    ) -> Self {
        let leases = Leases::new(Arc::clone(&outbox));
        let published = Published::new(Arc::clone(&outbox));
        Self {
            outbox,
            log,
            recovery,
            published,
            topic,
            source,
            leases,
            metrics,
            partitions: AtomicU32::new(0),
            pinned: RwLock::default(),
            touched: Mutex::default(),
            logged: Mutex::default(),
            over: Mutex::default(),
        }
    }

    /// How many partitions the topic is known to have; it never has fewer.
    pub fn partitions(&self) -> u32 {
        self.partitions.load(SeqCst)
    }

    /// It has so many.
    pub fn has_partitions(&self, count: u32) {
        let before = self.partitions.fetch_max(count, SeqCst);
        self.leases.share_out(count.max(before).min(LANES));
    }

    /// The partitions of `lane`.
    pub fn partitions_of(&self, lane: u32) -> Vec<u32> {
        (lane..self.partitions()).step_by(LANES as usize).collect()
    }

    /// The partition of a SeatingEvent, where it is known.
    pub fn partition_of(&self, event: &SeatingEventId) -> Option<u32> {
        self.pinned().get(event).copied()
    }

    /// The SeatingEvents of all lanes that are ours.
    pub fn ours(&self) -> Vec<SeatingEventId> {
        let pinned = self.pinned();
        let ours = pinned.iter().filter(|(_, partition)| self.leases.of(lane_of(**partition)).is_some());
        ours.map(|(event, _)| event.clone()).collect()
    }

    /// The SeatingEvents of a partition.
    pub fn pinned_to(&self, partition: u32) -> Vec<SeatingEventId> {
        let pinned = self.pinned();
        pinned.iter().filter(|(_, its)| **its == partition).map(|(event, _)| event.clone()).collect()
    }

    /// `event` is pinned to `partition`, so there is that one.
    pub fn pin(&self, event: SeatingEventId, partition: u32) {
        self.has_partitions(partition.saturating_add(1));
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).insert(event, partition);
    }

    /// These are all that there are.
    pub fn pin_all(&self, all: Vec<(SeatingEventId, u32)>) {
        let last = all.iter().map(|(_, partition)| partition.saturating_add(1)).max();
        self.has_partitions(last.unwrap_or_default());
        *self.pinned.write().unwrap_or_else(PoisonError::into_inner) = all.into_iter().collect();
    }

    /// `event` is archived: nobody looks after it any more.
    pub fn forget(&self, event: &SeatingEventId) {
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).remove(event);
        self.over().remove(event);
    }

    /// These are over, and nothing of them waits: they can be archived.
    pub fn are_over(&self, events: impl IntoIterator<Item = SeatingEventId>) {
        self.over().extend(events);
    }

    /// Whether `event` is one of those that nobody has taken yet.
    pub fn is_over(&self, event: &SeatingEventId) -> bool {
        self.over().contains(event)
    }

    /// Those that are over since the last call, by partition. What does not come to be archived is found again.
    pub fn take_over(&self) -> BTreeMap<u32, BTreeSet<SeatingEventId>> {
        let over = std::mem::take(&mut *self.over());
        let mut by_partition: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
        for event in over {
            if let Some(partition) = self.partition_of(&event) {
                by_partition.entry(partition).or_default().insert(event);
            }
        }
        by_partition
    }

    /// Something was written about `event`: what is due there may be due earlier.
    pub fn touch(&self, event: &SeatingEventId) {
        self.touched().insert(event.clone());
    }

    /// What was touched since the last call.
    pub fn take_touched(&self) -> BTreeSet<SeatingEventId> {
        std::mem::take(&mut *self.touched())
    }

    /// So much of a partition is published.
    pub fn logged(&self, partition: u32, logged: Logged) {
        let mut all = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let before = all.entry(partition).or_default();
        *before = before.and(logged);
    }

    /// What was published since the last call.
    pub fn take_logged(&self) -> BTreeMap<u32, Logged> {
        std::mem::take(&mut *self.logged.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn touched(&self) -> MutexGuard<'_, BTreeSet<SeatingEventId>> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn over(&self) -> MutexGuard<'_, BTreeSet<SeatingEventId>> {
        self.over.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pinned(&self) -> RwLockReadGuard<'_, HashMap<SeatingEventId, u32>> {
        self.pinned.read().unwrap_or_else(PoisonError::into_inner)
    }
}
