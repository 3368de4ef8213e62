//! Which archives a partition has, and the newest one of a SeatingEvent.
//!
//! A compacted topic cannot be asked for a key: it is read from its beginning.

use std::collections::HashMap;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::settings::archive_topic;

use super::pieces::{Head, piece_of};
use super::{Archive, ArchiveError, FORMAT};
use crate::replay::records::Records;

/// Pieces taken at once: each may be close to a megabyte.
const BATCH: usize = 16;

/// The archives of a partition, by what they say of themselves.
#[derive(Debug, Default)]
pub struct Shelf(HashMap<SeatingEventId, Head>);

impl Shelf {
    /// Reads which there are of a partition of `topic`, whose archives' topic this is to be called with.
    ///
    /// # Errors
    /// A log that does not answer, or has no topic for archives.
    pub async fn read(log: &dyn EventLog, topic: &str, partition: u32) -> Result<Self, ArchiveError> {
        let mut shelf = Self::default();
        each(log, topic, partition, |record| shelf.take(record)).await?;
        Ok(shelf)
    }

    fn take(&mut self, record: &Record) {
        // All pieces of one are there, or none is, and the first says how many there are.
        if let (Some((event, 0)), Some(head)) = (piece_of(&record.key), Head::of(record)) {
            self.0.insert(event, head);
        }
    }

    /// Whether there is one of everything up to `sequence`, in today's form: it would be the same again.
    pub fn has(&self, event: &SeatingEventId, sequence: u64) -> bool {
        self.0.get(event).is_some_and(|head| (head.format, head.sequence) == (FORMAT, sequence))
    }

    /// How many pieces the one has that there is.
    pub fn pieces_of(&self, event: &SeatingEventId) -> u32 {
        self.0.get(event).map_or(0, |head| head.pieces)
    }

    /// One was written.
    pub fn written(&mut self, event: SeatingEventId, head: Head) {
        self.0.insert(event, head);
    }
}

/// The newest archive of `event`, which is pinned to `partition` of `topic`; `None` where it has none.
///
/// # Errors
/// A log that does not answer, or has no topic for archives; an archive of another version, or torn.
pub async fn read(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    event: &SeatingEventId,
) -> Result<Option<Archive>, ArchiveError> {
    let mut newest: Option<(Head, Vec<u8>)> = None;
    let mut met = 0;
    each(log, topic, partition, |record| {
        let Some((of, number)) = piece_of(&record.key) else { return };
        let Some(head) = Head::of(record) else { return };
        if of != *event {
            return;
        }
        if number == 0 {
            (newest, met) = (Some((head, record.value.clone())), 1);
        } else if let Some((first, text)) = &mut newest
            && (&*first, met) == (&head, number)
        {
            text.extend_from_slice(&record.value);
            met += 1;
        }
    })
    .await?;
    let Some((head, text)) = newest else { return Ok(None) };
    if met != head.pieces {
        let reason = format!("it has {} pieces, and {met} are there", head.pieces);
        return Err(ArchiveError::Unusable { event: event.clone(), reason });
    }
    Archive::read(event, &text).map(Some)
}

/// Has a look at every record of the partition.
async fn each(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    mut look: impl FnMut(&Record) + Send,
) -> Result<(), ArchiveError> {
    let topic = archive_topic(topic);
    let (begin, end) = log.bounds(&topic, partition).await?;
    let mut records = Records::open(log, &topic, partition, begin, end).await?.at_once(BATCH);
    while let Some(some) = records.next().await? {
        some.iter().for_each(&mut look);
    }
    Ok(())
}
