//! The seat view as the query worker loads it, however far it got: once at the start, and again where that one's own
//! memory has a gap.

use async_trait::async_trait;
use boxoffice_domain::{SeatMap, SeatingEventId};
use boxoffice_query::view::{Snapshot, SnapshotError, Snapshots};

use super::SeatView;
use crate::embedded::views::MemoryView;
use crate::embedded::views::ledger::Ledger;

#[async_trait]
impl Snapshots for MemoryView<SeatView> {
    async fn load(&self) -> Result<Snapshot, SnapshotError> {
        Ok(self.read(|seat_view, ledger| {
            let maps = seat_view.maps().iter().map(|map| as_of(map, ledger)).collect();
            let gone = ledger.sequences().filter(|(event, _)| seat_view.maps().get(event.as_str()).is_none());
            let gone = gone.map(|(event, sequence)| (event.clone(), sequence)).collect();
            let next_offsets = ledger.next_offsets(&seat_view.topic);
            Snapshot { maps, gone, next_offsets, ..Snapshot::default() }
        }))
    }

    async fn load_one(&self, event: &SeatingEventId) -> Result<Option<SeatMap>, SnapshotError> {
        Ok(self.read(|seat_view, ledger| seat_view.maps().get(event.as_str()).map(|map| as_of(map, ledger))))
    }
}

/// A map as of what was read: events that were parked or skipped are behind the view too, and no map was told of them.
fn as_of(map: &SeatMap, ledger: &Ledger) -> SeatMap {
    let mut map = map.clone();
    if let Some(sequence) = ledger.sequence(map.id.as_str()) {
        map.sequence = sequence;
    }
    map
}
