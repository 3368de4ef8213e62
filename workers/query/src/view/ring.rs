//! What changed lately, of every SeatingEvent: in place of a whole map a client that has an earlier one gets this, and a
//! stream goes on from where it broke off.
//!
//! One ring for a replica, with a fixed number of chunks that are made at its start. A SeatingEvent takes a chunk when the
//! one before is full; where none is left, the one with the most gives up its oldest. So a show that is rushed at keeps
//! seconds, and a quiet one beside it keeps its days.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{PoisonError, RwLock};

use boxoffice_domain::SeatingEventId;
use boxoffice_domain::project::SeatStatus;

/// Changes of a chunk.
const CHUNK: usize = 64;
/// What a replica keeps: 16 MiB.
const CHUNKS: usize = 16 * 1024 * 1024 / size_of::<Chunk>();

type Chunk = [Change; CHUNK];

/// A seat became something else.
#[derive(Debug, Clone, Copy, Default)]
struct Change {
    sequence: u64,
    place: u32,
    status: SeatStatus,
}

/// What changed after a sequence.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Up to this sequence.
    pub upto: u64,
    /// Places in chart order, each with what the seat is now.
    pub seats: BTreeMap<u32, SeatStatus>,
}

/// The ring does not reach back so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gone;

/// See the module.
#[derive(Debug)]
pub struct Ring(RwLock<Kept>);

#[derive(Debug)]
struct Kept {
    chunks: Vec<Chunk>,
    free: Vec<usize>,
    histories: HashMap<SeatingEventId, History>,
}

/// What is kept of one SeatingEvent.
#[derive(Debug)]
struct History {
    /// Everything after this sequence is here.
    after: u64,
    /// Up to this one.
    upto: u64,
    /// Its chunks, the oldest first; all but the last are full.
    chunks: VecDeque<usize>,
    /// How many changes the last one has.
    last: usize,
}

impl Default for Ring {
    fn default() -> Self {
        Self::of(CHUNKS)
    }
}

impl Ring {
    fn of(count: usize) -> Self {
        // Written to, so that a replica takes at once what it will take.
        let change = Change { sequence: u64::MAX, ..Change::default() };
        let chunks = vec![[change; CHUNK]; count];
        Self(RwLock::new(Kept { chunks, free: (0..count).collect(), histories: HashMap::new() }))
    }

    /// What came before `sequence` is of no use: places mean something else from there on, or nobody knows it.
    pub fn begin(&self, event: &SeatingEventId, sequence: u64) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.forget(event);
        let history = History { after: sequence, upto: sequence, chunks: VecDeque::new(), last: CHUNK };
        kept.histories.insert(event.clone(), history);
    }

    /// Forgets a SeatingEvent.
    pub fn forget(&self, event: &SeatingEventId) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).forget(event);
    }

    /// With `sequence` the seats at some places became something else.
    pub fn push(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        changed: impl IntoIterator<Item = (usize, SeatStatus)>,
    ) {
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for (place, status) in changed {
            let Ok(place) = u32::try_from(place) else { continue };
            kept.push(event, Change { sequence, place, status });
        }
        if let Some(history) = kept.histories.get_mut(event) {
            history.upto = sequence;
        }
    }

    /// What changed after `sequence`.
    pub fn since(&self, event: &SeatingEventId, sequence: u64) -> Result<Changes, Gone> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let history = kept.histories.get(event).filter(|history| history.after <= sequence).ok_or(Gone)?;
        let all = history.chunks.iter().enumerate().flat_map(|(nth, chunk)| {
            let is_last = nth + 1 == history.chunks.len();
            kept.chunks[*chunk].iter().take(if is_last { history.last } else { CHUNK })
        });
        let later = all.filter(|change| change.sequence > sequence);
        let seats = later.map(|change| (change.place, change.status)).collect();
        Ok(Changes { upto: history.upto, seats })
    }
}

impl Kept {
    fn forget(&mut self, event: &SeatingEventId) {
        if let Some(history) = self.histories.remove(event) {
            self.free.extend(history.chunks);
        }
    }

    fn push(&mut self, event: &SeatingEventId, change: Change) {
        if self.histories.get(event).is_none_or(|history| history.last == CHUNK) {
            let Some(chunk) = self.free.pop().or_else(|| self.oldest_of_the_largest()) else { return };
            let Some(history) = self.histories.get_mut(event) else {
                self.free.push(chunk);
                return;
            };
            history.chunks.push_back(chunk);
            history.last = 0;
        }
        let Some(history) = self.histories.get_mut(event) else { return };
        let Some(last) = history.chunks.back() else { return };
        self.chunks[*last][history.last] = change;
        history.last += 1;
    }

    fn oldest_of_the_largest(&mut self) -> Option<usize> {
        let largest = self.histories.values_mut().max_by_key(|history| history.chunks.len())?;
        let oldest = largest.chunks.pop_front()?;
        // All changes of one event have its sequence, so some of this one may be in the next chunk.
        largest.after = self.chunks[oldest][CHUNK - 1].sequence;
        Some(oldest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> SeatingEventId {
        id.parse().unwrap()
    }

    fn fill(ring: &Ring, id: &str, sequences: std::ops::RangeInclusive<u64>) {
        for sequence in sequences {
            let place = usize::try_from(sequence % 10).unwrap();
            ring.push(&event(id), sequence, [(place, SeatStatus::ALL[(sequence % 4) as usize])]);
        }
    }

    #[test]
    fn the_newest_status_of_each_seat_that_changed_since() {
        let ring = Ring::of(8);
        ring.begin(&event("a"), 3);
        fill(&ring, "a", 4..=25);
        let changes = ring.since(&event("a"), 21).unwrap();
        let expected = [(2, 22), (3, 23), (4, 24), (5, 25)];
        let expected = expected.map(|(place, nth)| (place, SeatStatus::ALL[nth % 4])).into();
        assert_eq!(changes, Changes { upto: 25, seats: expected });
        assert_eq!(ring.since(&event("a"), 3).unwrap().seats.len(), 10, "each once");
        ring.push(&event("a"), 26, []);
        assert_eq!(ring.since(&event("a"), 25), Ok(Changes { upto: 26, ..Changes::default() }));
        assert_eq!(ring.since(&event("a"), 2), Err(Gone), "nobody knows what came before");
        assert_eq!(ring.since(&event("b"), 0), Err(Gone));
    }

    #[test]
    fn the_largest_gives_up_its_oldest_and_a_quiet_one_keeps_its_own() {
        let ring = Ring::of(4);
        for id in ["busy", "quiet"] {
            ring.begin(&event(id), 0);
        }
        fill(&ring, "quiet", 1..=1);
        fill(&ring, "busy", 1..=3 * CHUNK as u64);
        assert!(ring.since(&event("busy"), 0).is_ok());
        fill(&ring, "busy", 193..=193);
        assert_eq!(ring.since(&event("busy"), 63), Err(Gone));
        assert!(ring.since(&event("busy"), 64).is_ok());
        assert_eq!(ring.since(&event("quiet"), 0).unwrap().seats.len(), 1);
        // One that begins anew gives back what it had.
        ring.begin(&event("busy"), 193);
        assert_eq!(ring.since(&event("busy"), 192), Err(Gone));
        fill(&ring, "quiet", 2..=4 * CHUNK as u64);
        assert!(ring.since(&event("quiet"), 0).is_ok());
    }

    #[test]
    fn a_sequence_with_many_changes_is_there_as_a_whole_or_not_at_all() {
        let ring = Ring::of(2);
        ring.begin(&event("a"), 0);
        ring.push(&event("a"), 1, (0..100).map(|place| (place, SeatStatus::Blocked)));
        ring.push(&event("a"), 2, (0..60).map(|place| (place, SeatStatus::Available)));
        assert_eq!(ring.since(&event("a"), 0), Err(Gone));
        assert_eq!(ring.since(&event("a"), 1).unwrap().seats.len(), 60);
    }

    #[test]
    fn a_replica_keeps_sixteen_mebibytes() {
        assert_eq!(size_of::<Change>(), 16);
        assert_eq!(CHUNKS * size_of::<Chunk>(), 16 << 20);
    }
}
