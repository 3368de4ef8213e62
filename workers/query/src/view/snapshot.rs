//! The port through which the view is loaded: a database in a cluster, and whatever else keeps the same view.

use std::collections::BTreeMap;

use async_trait::async_trait;
use boxoffice_domain::{SeatMap, SeatingEventId};

/// Every SeatingEvent at one moment, and where the log goes on from there.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// Every SeatingEvent that is there, closed ones too.
    pub maps: Vec<SeatMap>,
    /// Of SeatingEvents that have no map because they were purged, the sequence of the last domain event.
    pub gone: BTreeMap<SeatingEventId, u64>,
    /// By partition of the topic, the first offset whose record is not in `maps`; partitions that the view has
    /// nothing of are absent.
    pub next_offsets: BTreeMap<u32, u64>,
}

/// The view cannot be read now: its store is away, or the consumer that owns it has not made it yet.
#[derive(Debug, thiserror::Error)]
#[error("the view cannot be loaded: {0}")]
pub struct SnapshotError(pub String);

/// Where the view is loaded from.
#[async_trait]
pub trait Snapshots: Send + Sync + 'static {
    /// The view as of now. All of it is of one moment: the maps hold exactly the records before the offsets.
    async fn load(&self) -> Result<Snapshot, SnapshotError>;

    /// One SeatingEvent as of now; `None` where the view has no seats of it.
    async fn load_one(&self, event: &SeatingEventId) -> Result<Option<SeatMap>, SnapshotError>;
}
