//! Snapshots: what the log says of a SeatingEvent up to an offset, so that nobody has to read it from its first record.
//!
//! They are folded from the log by the owner of a lane ([`folder`]), never read from the store: what is in one was
//! published. They lie in a compacted topic beside the events' one, in the partition of the same number, one SeatingEvent
//! in as many records as its size asks for ([`chunks`]); [`index`] says where each is. A purged SeatingEvent has one
//! too, which says its sequence and no more.

mod chunks;

pub mod folder;

pub mod index;

mod metrics;

use boxoffice_domain::{SeatingEventId, SeatingEventState, UnixMillis};
use boxoffice_runtime::log::{EventLog, LogError};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub(crate) use self::chunks::{PIECE, number};
use self::index::Index;
pub use self::metrics::SnapshotMetrics;
use crate::replay::records::RecordsError;

/// The form that this version writes. It reads this one and the one before.
pub const FORMAT: u32 = 1;

/// One SeatingEvent as of an offset.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The form that it was written in.
    pub format: u32,
    /// Its partition, pinned (I4).
    pub partition: u32,
    /// Everything of it that lies on the log before this offset is in it.
    pub offset: u64,
    /// When its last domain event happened.
    pub time: UnixMillis,
    /// Id of the command that wrote the definition; none where it was purged.
    pub revision: Option<Uuid>,
    /// What its domain events add up to.
    pub state: SeatingEventState,
}

/// Why there is no snapshot to be had.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The log did not do its part.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log gave no records.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// One cannot be written or read.
    #[error("the snapshot of {event} is of no use: {reason}")]
    Unusable {
        /// Whose it is.
        event: SeatingEventId,
        /// What is wrong with it.
        reason: String,
    },
}

/// The newest snapshot of `event`, which is pinned to `partition` of `topic`; `None` where it has none yet.
///
/// # Errors
/// A log that does not answer, or has no topic for snapshots; a snapshot of another version.
pub async fn read(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    event: &SeatingEventId,
) -> Result<Option<Snapshot>, SnapshotError> {
    let index = Index::read(log, topic, partition).await?;
    let Some(place) = index.place_of(event) else { return Ok(None) };
    let mut found = index::load(log, topic, partition, &[(event.clone(), place)]).await?;
    found.pop().map(|loaded| loaded.snapshot).transpose()
}

#[cfg(test)]
mod tests;
