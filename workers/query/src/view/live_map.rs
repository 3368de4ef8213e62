//! One SeatingEvent in memory, behind a lock that is held for moments.
//!
//! Written by [`follow`](super::follow), read by the handlers; what is sent of it is rendered outside the lock
//! ([`forms`](super::forms)), from a [`Moment`] that is taken out of it.

use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard};

use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::seat_map::Changed;
use boxoffice_domain::{ChartError, DomainEvent, SeatMap, SeatingEventId};

use super::forms::Moment;
use super::tag::Tag;

/// A SeatingEvent's seats.
#[derive(Debug)]
pub struct LiveMap {
    id: SeatingEventId,
    current: RwLock<Current>,
    /// The turn of whoever renders.
    pub(super) turn: tokio::sync::Mutex<()>,
    /// Where on the log it lies, once something of it was read there.
    partition: OnceLock<u32>,
}

#[derive(Debug)]
struct Current {
    map: SeatMap,
    hashes: Hashes,
    /// Sequence of the last change of the definition.
    defined: u64,
    /// By section, the sequence of the last domain event that changed anything of it.
    sections: Vec<u64>,
}

/// Fingerprints of a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashes {
    /// Of all that a chart shows.
    pub chart: Arc<str>,
    /// Of which seats there are.
    pub seats: Arc<str>,
}

impl Hashes {
    fn of(map: &SeatMap) -> Self {
        Self { chart: map.definition.chart_hash().into(), seats: map.definition.seats_hash().into() }
    }
}

impl Current {
    fn new(map: SeatMap) -> Self {
        let sections = vec![map.sequence; map.definition.sections.len()];
        Self { hashes: Hashes::of(&map), defined: map.sequence, sections, map }
    }
}

/// What an event changed, for those who have an earlier map.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Difference {
    /// Places in chart order, and what the seats are now.
    Seats(Vec<(usize, SeatStatus)>),
    /// Places mean other seats.
    Chart,
}

impl LiveMap {
    /// A map.
    pub fn new(map: SeatMap) -> Self {
        Self {
            id: map.id.clone(),
            current: RwLock::new(Current::new(map)),
            turn: tokio::sync::Mutex::default(),
            partition: OnceLock::new(),
        }
    }

    /// The SeatingEvent.
    pub const fn id(&self) -> &SeatingEventId {
        &self.id
    }

    /// Looks at the seats. `look` runs under the lock, so it is short and takes no other lock.
    pub fn read<T>(&self, look: impl FnOnce(&SeatMap) -> T) -> T {
        look(&self.current().map)
    }

    /// The partition that it lies on, where that is known.
    pub fn partition(&self) -> Option<u32> {
        self.partition.get().copied()
    }

    /// Something of it was read on a partition, which is pinned (I4).
    pub(super) fn lies_on(&self, partition: u32) {
        self.partition.get_or_init(|| partition);
    }

    /// Fingerprints of the definition.
    pub fn hashes(&self) -> Hashes {
        self.current().hashes.clone()
    }

    /// The state that a request would see now.
    pub fn tag(&self) -> Tag {
        self.current().tag()
    }

    /// The state and all that a rendering of it takes.
    pub(super) fn moment(&self) -> Moment {
        let current = self.current();
        Moment {
            tag: current.tag(),
            event: self.id.clone(),
            definition: current.map.definition.clone(),
            chart: current.map.chart().clone(),
            defined: current.defined,
            sections: current.sections.clone(),
            statuses: current.map.statuses().to_vec(),
        }
    }

    /// Applies the next domain event; one that cannot be read (`None`) only advances the sequence.
    pub(super) fn apply(&self, fact: Option<&DomainEvent>, sequence: u64) -> Result<Difference, ChartError> {
        let mut guard = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let current = &mut *guard;
        current.map.sequence = sequence;
        let Some(fact) = fact else { return Ok(Difference::Seats(vec![])) };
        let places = match current.map.apply(fact, sequence)? {
            Changed::Seats(places) => {
                for section in places.iter().filter_map(|place| current.map.chart().seat(*place)) {
                    current.sections[section.section()] = sequence;
                }
                places
            }
            Changed::Definition(places) => {
                current.hashes = Hashes::of(&current.map);
                current.defined = sequence;
                current.sections.fill(sequence);
                places
            }
            Changed::Chart => {
                current.hashes = Hashes::of(&current.map);
                current.defined = sequence;
                current.sections = vec![sequence; current.map.definition.sections.len()];
                return Ok(Difference::Chart);
            }
        };
        let statuses = current.map.statuses();
        let changed = places.into_iter().filter_map(|place| Some((place, *statuses.get(place)?)));
        Ok(Difference::Seats(changed.collect()))
    }

    /// Takes another map in place of this one.
    pub(super) fn replace(&self, map: SeatMap) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Current::new(map);
    }

    fn current(&self) -> RwLockReadGuard<'_, Current> {
        self.current.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Current {
    fn tag(&self) -> Tag {
        Tag { seats_hash: Arc::clone(&self.hashes.seats), epoch: self.map.epoch, sequence: self.map.sequence }
    }
}
