//! Where the snapshots of a partition are.
//!
//! A compacted topic cannot be asked for a key: it is read once from its beginning, and what stays of that is a few words
//! a SeatingEvent. The snapshots themselves are read again when they are needed, several at a time, in the order in which
//! they lie there.

use std::collections::HashMap;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::{NewRecord, Record};
use boxoffice_runtime::settings::snapshots_topic;
use serde::{Deserialize, Serialize};

use super::chunks::{Head, piece_of, put_together};
use super::{Snapshot, SnapshotError};
use crate::replay::records::Records;

/// Pieces taken at once: each may be close to a megabyte.
const BATCH: usize = 16;
/// Up to so many bytes of JSON a snapshot is taken apart where it is read: within a few milliseconds, and by a thread that
/// goes on and uses the memory again. What a state takes that an idle thread made stays that thread's when it is given up.
const SMALL: u64 = 512 * 1024;
/// The key of the mark; no piece's key is without a slash.
const FOLDED: &str = "folded";

/// Where a snapshot is, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotAt {
    /// Offset of its first piece.
    pub first: u64,
    /// What its pieces say.
    pub head: Head,
}

/// The snapshots of a partition.
#[derive(Debug, Default)]
pub struct Index {
    places: HashMap<SeatingEventId, SnapshotAt>,
    /// How many pieces of each were met so far, in order, of those that belong together.
    met: HashMap<SeatingEventId, u32>,
    folded: Folded,
}

/// What the mark says: together the snapshots have everything of the partition that lies on the log before the offset.
/// Which SeatingEvents have none has nothing before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Folded {
    offset: u64,
}

impl Index {
    /// Reads where the snapshots are of a partition of `topic`, whose snapshots' topic this is to be called with.
    ///
    /// # Errors
    /// A log that does not answer, or has no topic for snapshots.
    pub async fn read(log: &dyn EventLog, topic: &str, partition: u32) -> Result<Self, SnapshotError> {
        let topic = snapshots_topic(topic);
        let (begin, end) = log.bounds(&topic, partition).await?;
        let mut records = Records::open(log, &topic, partition, begin, end).await?.at_once(BATCH);
        let mut index = Self::default();
        while let Some(some) = records.next().await? {
            for record in &some {
                index.take(record);
            }
        }
        Ok(index)
    }

    pub(super) fn take(&mut self, record: &Record) {
        if record.key == FOLDED {
            // One that cannot be read has everything be read again.
            self.folded = serde_json::from_slice(&record.value).unwrap_or_default();
            return;
        }
        let Some((event, number)) = piece_of(&record.key) else { return };
        let Some(head) = Head::of(record) else {
            // Taken off: a purged one has a snapshot of its own, so this is what a longer one had.
            return;
        };
        let met = self.met.entry(event.clone()).or_default();
        if number == 0 {
            *met = 1;
            self.places.insert(event, SnapshotAt { first: record.offset, head });
        } else if *met == number && self.places.get(&event).is_some_and(|place| place.head == head) {
            *met += 1;
        }
    }

    /// Where the snapshot of `event` is, if it has one.
    pub fn place_of(&self, event: &SeatingEventId) -> Option<SnapshotAt> {
        let place = *self.places.get(event)?;
        (self.met.get(event) == Some(&place.head.pieces)).then_some(place)
    }

    /// All SeatingEvents that have one, in the order in which they lie there.
    pub fn all(&self) -> Vec<(SeatingEventId, SnapshotAt)> {
        let whole = self.places.keys().filter_map(|event| Some((event.clone(), self.place_of(event)?)));
        let mut all: Vec<_> = whole.collect();
        all.sort_unstable_by_key(|(_, place)| place.first);
        all
    }

    /// Everything of the partition that lies on the log before this offset is in the snapshots. Where pieces of one are missing
    /// that is nothing: what it had is on the log alone, and to go on from the mark would be to take it for one that never was.
    pub fn folded(&self) -> u64 {
        let is_whole = self.met.keys().all(|event| self.place_of(event).is_some());
        if is_whole { self.folded.offset } else { 0 }
    }

    /// One was written.
    pub fn written(&mut self, event: SeatingEventId, place: SnapshotAt) {
        self.met.insert(event.clone(), place.head.pieces);
        self.places.insert(event, place);
    }

    /// The record that says so of `offset`.
    pub fn fold(&mut self, partition: u32, offset: u64, timestamp: u64) -> NewRecord {
        self.folded = Folded { offset };
        let value = format!(r#"{{"offset":{offset}}}"#).into_bytes();
        NewRecord { partition, key: FOLDED.to_owned(), value, headers: vec![], timestamp }
    }
}

/// The snapshot of `event` whose first piece is at `offset`, if it is there.
///
/// # Errors
/// A log that does not answer.
pub async fn at(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    event: &SeatingEventId,
    offset: u64,
) -> Result<Option<SnapshotAt>, SnapshotError> {
    let topic = snapshots_topic(topic);
    let (begin, end) = log.bounds(&topic, partition).await?;
    let mut records = Records::open(log, &topic, partition, offset.max(begin), end.min(offset + 1)).await?;
    let some = records.next().await?.unwrap_or_default();
    let first = some
        .iter()
        .find(|record| piece_of(&record.key).is_some_and(|(of, piece)| (&of, piece) == (event, 0)));
    Ok(first.and_then(|record| Some(SnapshotAt { first: record.offset, head: Head::of(record)? })))
}

/// What was found at a place.
#[derive(Debug)]
pub struct Loaded {
    /// Whose it is.
    pub event: SeatingEventId,
    /// Bytes of its JSON.
    pub size: u64,
    /// The snapshot, or why it is of no use.
    pub snapshot: Result<Snapshot, SnapshotError>,
}

/// Reads the snapshots at `wanted`, which are in the order in which they lie there. One that is not there any more, for a
/// later one has taken its place, is left out; one that is of no use says why.
///
/// # Errors
/// A log that does not answer.
pub async fn load(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    wanted: &[(SeatingEventId, SnapshotAt)],
) -> Result<Vec<Loaded>, SnapshotError> {
    let (Some((_, first)), Some((_, last))) = (wanted.first(), wanted.last()) else { return Ok(vec![]) };
    let topic = snapshots_topic(topic);
    let (begin, end) = log.bounds(&topic, partition).await?;
    let end = end.min(last.first + u64::from(last.head.pieces));
    let mut records = Records::open(log, &topic, partition, first.first.max(begin), end).await?;
    records = records.at_once(BATCH);
    let (mut loaded, mut wanted) = (vec![], wanted.iter().peekable());
    let mut packed = vec![];
    while let Some(some) = records.next().await? {
        for record in &some {
            let is_behind = |place: &SnapshotAt| record.offset >= place.first + u64::from(place.head.pieces);
            while wanted.next_if(|(_, place)| is_behind(place)).is_some() {
                packed.clear();
            }
            let Some((event, place)) = wanted.peek() else { break };
            if record.offset < place.first || Head::of(record) != Some(place.head) {
                continue;
            }
            packed.extend_from_slice(&record.value);
            if record.offset + 1 == place.first + u64::from(place.head.pieces) {
                let packed = std::mem::take(&mut packed);
                let (event, head) = (event.clone(), place.head);
                let snapshot = unpacked(event.clone(), head, packed).await;
                loaded.push(Loaded { event, size: head.size, snapshot });
            }
        }
    }
    Ok(loaded)
}

/// Takes a snapshot apart, elsewhere where that may take a while.
async fn unpacked(event: SeatingEventId, head: Head, packed: Vec<u8>) -> Result<Snapshot, SnapshotError> {
    if head.size <= SMALL {
        return put_together(&event, head, &packed);
    }
    let of = event.clone();
    let work = tokio::task::spawn_blocking(move || put_together(&event, head, &packed));
    work.await.unwrap_or_else(|error| Err(SnapshotError::Unusable { event: of, reason: error.to_string() }))
}
