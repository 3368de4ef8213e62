//! What everybody shares who works on this process' lanes.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::EventLog;

use super::leases::Leases;
use super::metrics::RelayMetrics;
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
    /// The topic.
    pub topic: String,
    /// The ReservationService, as the events' source; lanes are called after it.
    pub source: String,
    /// The ownerships of this process.
    pub leases: Leases,
    /// What is measured.
    pub metrics: RelayMetrics,
    partitions: AtomicU32,
    pinned: RwLock<HashMap<SeatingEventId, u32>>,
    touched: Mutex<BTreeSet<SeatingEventId>>,
    over: Mutex<BTreeSet<SeatingEventId>>,
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
        Self {
            outbox,
            log,
            recovery,
            topic,
            source,
            leases,
            metrics,
            partitions: AtomicU32::new(0),
            pinned: RwLock::default(),
            touched: Mutex::default(),
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

    /// The SeatingEvents of partitions of which `is_meant` says so.
    pub fn pinned_to(&self, is_meant: impl Fn(u32) -> bool) -> Vec<SeatingEventId> {
        let pinned = self.pinned();
        pinned.iter().filter(|(_, partition)| is_meant(**partition)).map(|(event, _)| event.clone()).collect()
    }

    /// `event` is pinned to `partition`.
    pub fn pin(&self, event: SeatingEventId, partition: u32) {
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).insert(event, partition);
    }

    /// These are all that there are.
    pub fn pin_all(&self, all: Vec<(SeatingEventId, u32)>) {
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

    /// Those that are over since the last call. What does not come to be archived is found again.
    pub fn take_over(&self) -> BTreeSet<SeatingEventId> {
        std::mem::take(&mut *self.over())
    }

    /// Something was written about `event`: what is due there may be due earlier.
    pub fn touch(&self, event: &SeatingEventId) {
        self.touched().insert(event.clone());
    }

    /// What was touched since the last call.
    pub fn take_touched(&self) -> BTreeSet<SeatingEventId> {
        std::mem::take(&mut *self.touched())
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
