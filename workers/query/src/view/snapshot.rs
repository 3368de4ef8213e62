//! The port through which the view is loaded: a database in a cluster, and whatever else keeps the same view.

use std::collections::{BTreeMap, BTreeSet};

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
    /// The ids of the topics of which these are offsets, as far as they are known: one, or several where the topic was
    /// replaced and the view has begun on the new one in some partitions and not yet in others.
    pub logs: BTreeSet<String>,
    /// SeatingEvents of which nothing was met yet on the topic that there is now: all that is known of them is of another one
    /// of its name.
    pub former: BTreeSet<SeatingEventId>,
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
