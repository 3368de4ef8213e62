//! What the query worker knows: every SeatingEvent's seats, in memory, as of a sequence.
//!
//! Data path: [`snapshot`] loads the view that the `seat-view` consumer keeps ([`postgres`] is where from), [`follow`]
//! goes on from its checkpoint on the log (through [`reader`], with [`gaps`] in it) and writes [`Views`]; [`live_map`]
//! is one SeatingEvent, [`forms`] what is sent of its seats, [`tag`] which state of them, [`ring`] what changed lately.
//! [`stats`] keeps the newest statistics, [`age`] how old all of that may be. Handlers in [`crate::http`] read; nothing
//! here writes a store, and no request waits for one.

pub mod age;
pub mod follow;
pub mod forms;
pub mod gaps;
pub mod live_map;
pub mod postgres;
pub mod reader;
pub mod ring;
pub mod snapshot;
pub mod stats;
pub mod streams;
pub mod tag;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use boxoffice_domain::checkpoint::{Seen, Span, Start, Verdict, classify};
use boxoffice_domain::{ChartError, DomainEvent, SeatMap, SeatingEventId, UnixMillis};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep_until;

use forms::{Rendering, Renderings};
use live_map::Difference;
pub use live_map::LiveMap;
use ring::{Changes, Ring};
pub use snapshot::{Snapshot, SnapshotError, Snapshots};
pub use stats::Stats;

/// A rendering, and whether it was made for this request.
#[derive(Debug)]
pub struct Rendered {
    /// The rendering.
    pub rendering: Arc<Rendering>,
    /// Whether it was not there already.
    pub anew: bool,
}

/// Every SeatingEvent that is not over; closed ones are kept, because they may be opened again, but not shown. Of
/// purged ones and those that are over only the sequence is kept, for one of the same id goes on with the next. One
/// task writes ([`follow::Follower`]); readers never wait for more than one event's application.
#[derive(Debug, Default)]
pub struct Views {
    known: RwLock<Known>,
    changed: watch::Sender<()>,
    ring: Ring,
    renderings: Renderings,
}

/// What is asked for of a SeatingEvent and cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum Untold {
    /// What changed since then is not known any more.
    #[error("what changed of {event} since sequence {sequence} is not known any more")]
    Gone {
        /// The SeatingEvent.
        event: SeatingEventId,
        /// Since when.
        sequence: u64,
    },
    /// The process is shutting down.
    #[error("rendering stopped: {0}")]
    Stopped(#[from] tokio::task::JoinError),
}

#[derive(Debug, Default)]
struct Known {
    maps: BTreeMap<SeatingEventId, Arc<LiveMap>>,
    /// The last sequence of those that have no map any more.
    gone: BTreeMap<SeatingEventId, u64>,
    /// Those of which nothing was met yet on the topic that there is now.
    former: BTreeSet<SeatingEventId>,
    /// Whether a snapshot was taken over: before that nobody knows what there is.
    is_loaded: bool,
}

impl Known {
    /// The sequence of the last domain event that was taken in of a SeatingEvent.
    fn sequence(&self, event: &SeatingEventId) -> Option<u64> {
        let live = self.maps.get(event).map(|live| live.read(|map| map.sequence));
        live.or_else(|| self.gone.get(event).copied())
    }

    fn forget(&mut self, event: SeatingEventId, sequence: u64) {
        self.maps.remove(&event);
        self.gone.insert(event, sequence);
    }
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
        self.known().maps.values().filter(|live| live.read(|map| !map.closed)).cloned().collect()
    }

    /// Whether it is known which SeatingEvents there are.
    pub fn is_loaded(&self) -> bool {
        self.known().is_loaded
    }

    /// Takes over a snapshot: its maps, and the sequences of those that are gone.
    pub fn install(&self, maps: Vec<SeatMap>, gone: BTreeMap<SeatingEventId, u64>, trust: Trust) {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.is_loaded = true;
        if trust == Trust::Snapshot {
            known.maps.retain(|id, _| maps.iter().any(|map| map.id == *id));
            known.gone.clear();
        }
        let is_news = |known: &Known, event: &SeatingEventId, sequence| {
            trust == Trust::Snapshot || known.sequence(event).is_none_or(|met| met < sequence)
        };
        for map in maps {
            if !is_news(&known, &map.id, map.sequence) {
                continue;
            }
            known.gone.remove(&map.id);
            // Nobody knows what changed in between.
            self.ring.begin(&map.id, map.sequence);
            self.renderings.forget(&map.id);
            match known.maps.get(&map.id) {
                Some(live) => live.replace(map),
                None => drop(known.maps.insert(map.id.clone(), Arc::new(LiveMap::new(map)))),
            }
        }
        for (event, sequence) in gone {
            if is_news(&known, &event, sequence) {
                self.forget(&mut known, event, sequence);
            }
        }
    }

    /// Of these nothing was met yet on the topic that there is now: one that is created on it is another one than
    /// before, whatever its sequence is.
    pub fn set_former(&self, former: BTreeSet<SeatingEventId>) {
        self.change(|known| known.former = former);
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
        let is_creation = matches!(fact, Some(DomainEvent::EventCreated(_)));
        let (live, last, is_former) = {
            let known = self.known();
            (known.maps.get(event).cloned(), known.sequence(event), known.former.contains(event))
        };
        let met = last.filter(|_| !(is_former && is_creation)).map(|last| Span { first: 1, last });
        // Replicas remember no event ids: whether an old event is a fork is for the view's consumer to find (I5).
        let verdict = classify(met, Start::Earliest, Seen { sequence, known: true, creates: is_creation });
        if verdict != Verdict::Apply {
            return Ok(verdict);
        }
        if is_former {
            self.change(|known| {
                known.former.remove(event);
            });
        }
        // One that has left is put off: where it is kept, its seats are worked out again.
        if let (None, Some(DomainEvent::EventUpdated(_))) = (&live, fact) {
            return Ok(Verdict::Gap { expected: sequence });
        }
        match (live, fact) {
            (Some(live), Some(DomainEvent::EventPurged(_))) => {
                // For whoever still looks at it.
                live.apply(fact, sequence)?;
                self.change(|known| self.forget(known, event.clone(), sequence));
            }
            (Some(live), Some(DomainEvent::EventCreated(created))) if is_former => {
                let mut map = SeatMap::created(created, sequence)?;
                // What a sequence shows is something else from now on.
                map.epoch = live.read(|map| map.epoch) + 1;
                self.ring.begin(event, sequence);
                self.renderings.forget(event);
                live.replace(map);
            }
            (Some(live), fact) => match live.apply(fact, sequence)? {
                Difference::Seats(changed) => self.ring.push(event, sequence, changed),
                Difference::Chart => self.ring.begin(event, sequence),
            },
            (None, Some(DomainEvent::EventCreated(created))) => {
                let live = Arc::new(LiveMap::new(SeatMap::created(created, sequence)?));
                self.ring.begin(event, sequence);
                self.change(|known| {
                    known.gone.remove(event);
                    known.maps.insert(event.clone(), live);
                });
            }
            (None, _) if last.is_some() => self.change(|known| known.forget(event.clone(), sequence)),
            // A first event that creates nothing leaves the next one a gap, which a new snapshot closes.
            (None, _) => {}
        }
        Ok(Verdict::Apply)
    }

    /// Takes leave of the seats of SeatingEvents that are over at `now`; the sequence is kept, for one of them may be put off.
    pub fn leave(&self, now: UnixMillis) {
        let over = |live: &LiveMap| {
            live.read(|map| (map.definition.over_at() <= now).then(|| (map.id.clone(), map.sequence)))
        };
        let over: Vec<_> = self.known().maps.values().filter_map(|live| over(live)).collect();
        for (event, sequence) in over {
            self.change(|known| self.forget(known, event, sequence));
        }
    }

    /// The newest rendering, at most [`forms::TICK`] old, and not before `after` was taken in. A new one is made where the last
    /// one is that old and shows another state; whoever comes meanwhile waits for it.
    ///
    /// # Errors
    /// [`Untold::Stopped`].
    pub async fn rendering(&self, live: &Arc<LiveMap>, after: u64) -> Result<Rendered, Untold> {
        loop {
            let last = self.renderings.get(live.id());
            let of_now = live.tag();
            if let Some(rendering) = &last {
                let is_fresh =
                    || rendering.at.elapsed() < forms::TICK && rendering.tag.seats_hash == of_now.seats_hash;
                if rendering.tag == of_now || (rendering.tag.sequence >= after && is_fresh()) {
                    return Ok(Rendered { rendering: Arc::clone(rendering), anew: false });
                }
                // It waits for the next one with all others.
                sleep_until(rendering.at + forms::TICK).await;
            }
            let Ok(_turn) = live.turn.try_lock() else {
                drop(live.turn.lock().await);
                continue;
            };
            let moment = live.moment();
            let rendering = spawn_blocking(move || Rendering::new(moment, last.as_deref())).await?;
            let rendering = Arc::new(rendering);
            self.renderings.keep(live.id(), Arc::clone(&rendering));
            return Ok(Rendered { rendering, anew: true });
        }
    }

    /// What changed after a sequence of an epoch.
    ///
    /// # Errors
    /// [`Untold::Gone`] where the ring does not reach back so far, or the epoch is another one.
    pub fn since(&self, live: &LiveMap, sequence: u64, epoch: u64) -> Result<Changes, Untold> {
        let its = live.read(|map| map.epoch);
        let changes = self.ring.since(live.id(), sequence).ok().filter(|_| its == epoch);
        changes.ok_or_else(|| Untold::Gone { event: live.id().clone(), sequence })
    }

    /// Something of a SeatingEvent was read on a partition.
    pub(crate) fn lies_on(&self, event: &SeatingEventId, partition: u32) {
        if let Some(live) = self.known().maps.get(event) {
            live.lies_on(partition);
        }
    }

    /// Returns when the domain event with `sequence` of a SeatingEvent was taken in.
    pub async fn reached(&self, event: &SeatingEventId, sequence: u64) {
        self.holds(|| self.known().sequence(event).is_some_and(|last| last >= sequence)).await;
    }

    /// Returns when a condition holds that only what is taken in can bring about.
    pub async fn holds(&self, condition: impl Fn() -> bool) {
        let mut changed = self.changed.subscribe();
        while !condition() {
            // The sender is in `self`.
            drop(changed.changed().await);
        }
    }

    /// Tells whoever waits that something was taken in: once a batch, because nobody waits for most events.
    pub fn announce(&self) {
        self.changed.send_replace(());
    }

    /// A SeatingEvent, closed or not.
    pub fn find(&self, event: &str) -> Option<Arc<LiveMap>> {
        self.known().maps.get(event).cloned()
    }

    /// Forgets all of a SeatingEvent but its sequence.
    fn forget(&self, known: &mut Known, event: SeatingEventId, sequence: u64) {
        self.ring.forget(&event);
        self.renderings.forget(&event);
        known.forget(event, sequence);
    }

    fn known(&self) -> RwLockReadGuard<'_, Known> {
        self.known.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn change(&self, change: impl FnOnce(&mut Known)) {
        change(&mut self.known.write().unwrap_or_else(PoisonError::into_inner));
    }
}

#[cfg(test)]
#[path = "views_tests.rs"]
mod tests;
