//! What the query worker knows: every SeatingEvent's seats, in memory, as of a sequence.
//!
//! Data path: [`snapshot`] loads the view that the `seat-view` consumer keeps ([`postgres`] is where from),
//! [`follow`] goes on from its checkpoint on the log (through [`reader`]) and writes [`Views`]; [`live_map`] is one
//! SeatingEvent, [`picture`] its seats as JSON, rendered once a sequence, [`tag`] which. [`stats`] keeps the newest statistics.
//! Handlers in [`crate::http`] read; nothing here writes a store, and no request waits for one.

pub mod follow;
pub mod live_map;
pub mod picture;
pub mod postgres;
pub mod reader;
pub mod snapshot;
pub mod stats;
pub mod tag;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use boxoffice_domain::checkpoint::{Span, Start, Verdict, classify};
use boxoffice_domain::{ChartError, DomainEvent, SeatMap, SeatingEventId};

use tokio::sync::watch;

pub use live_map::LiveMap;
pub use snapshot::{Snapshot, SnapshotError, Snapshots};
pub use stats::Stats;

/// Every SeatingEvent that was ever provisioned; closed ones are kept, because they may be opened again, but not
/// shown. One task writes ([`follow::Follower`]); readers never wait for more than one event's application.
#[derive(Debug, Default)]
pub struct Views {
    maps: RwLock<BTreeMap<SeatingEventId, Arc<LiveMap>>>,
    changed: watch::Sender<()>,
}

/// Whom to believe where a snapshot and the memory differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Whichever is further: both tell one history, and readers never see it go backwards.
    Further,
    /// The snapshot alone: the log that the memory came from is not the one that there is now.
    Snapshot,
}

impl Views {
    /// A SeatingEvent that is not closed.
    pub fn get(&self, event: &str) -> Option<Arc<LiveMap>> {
        self.find(event).filter(|live| live.read(|map| !map.closed))
    }

    /// Every SeatingEvent that is not closed, in the order of their ids.
    pub fn list(&self) -> Vec<Arc<LiveMap>> {
        let maps = self.maps.read().unwrap_or_else(PoisonError::into_inner);
        maps.values().filter(|live| live.read(|map| !map.closed)).cloned().collect()
    }

    /// Takes over a snapshot's maps.
    pub fn install(&self, snapshot: Vec<SeatMap>, trust: Trust) {
        let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
        if trust == Trust::Snapshot {
            maps.retain(|id, _| snapshot.iter().any(|map| map.id == *id));
        }
        for map in snapshot {
            match maps.get(&map.id) {
                Some(live)
                    if trust == Trust::Further && live.read(|known| known.sequence >= map.sequence) => {}
                Some(live) => live.replace(map),
                None => drop(maps.insert(map.id.clone(), Arc::new(LiveMap::new(map)))),
            }
        }
    }

    /// Takes in the domain event with `sequence` of a SeatingEvent: applied where it is the next one, left alone where
    /// it was seen, and refused where events are missing before it. `fact` is `None` where the event's type or text
    /// cannot be read: then only the sequence advances, as it does in the view's checkpoint (I5).
    ///
    /// # Errors
    /// A definition whose chart does not expand; the sequence advances nevertheless, if the SeatingEvent is known.
    pub fn apply(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        fact: Option<&DomainEvent>,
    ) -> Result<Verdict, ChartError> {
        let live = self.find(event.as_str());
        let met = live.as_ref().map(|live| Span { first: 1, last: live.read(|map| map.sequence) });
        // Replicas remember no event ids: whether an old event is a fork is for the view's consumer to find (I5).
        let verdict = classify(met, Start::Earliest, sequence, true);
        if verdict != Verdict::Apply {
            return Ok(verdict);
        }
        match (live, fact) {
            (Some(live), fact) => live.apply(fact, sequence)?,
            (None, Some(DomainEvent::EventCreated(created))) => {
                let map = SeatMap::created(created, sequence)?;
                let mut maps = self.maps.write().unwrap_or_else(PoisonError::into_inner);
                maps.insert(event.clone(), Arc::new(LiveMap::new(map)));
            }
            // A first event that creates nothing leaves the next one a gap, which a new snapshot closes.
            (None, _) => {}
        }
        Ok(Verdict::Apply)
    }

    /// Returns when the domain event with `sequence` of a SeatingEvent was taken in.
    pub async fn reached(&self, event: &SeatingEventId, sequence: u64) {
        let mut changed = self.changed.subscribe();
        while self.find(event.as_str()).is_none_or(|live| live.read(|map| map.sequence) < sequence) {
            // The sender is in `self`.
            drop(changed.changed().await);
        }
    }

    /// Tells whoever waits that something was taken in: once a batch, because nobody waits for most events.
    pub fn announce(&self) {
        self.changed.send_replace(());
    }

    fn find(&self, event: &str) -> Option<Arc<LiveMap>> {
        self.maps.read().unwrap_or_else(PoisonError::into_inner).get(event).cloned()
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
