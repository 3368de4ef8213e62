//! One SeatingEvent as the read side keeps it in memory: every seat in chart order, with counts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::chart::{Chart, ChartError};
use crate::definition::{Definition, Phase};
use crate::events::{DomainEvent, SeatingEventDefined};
use crate::evolve::block_changes;
use crate::ids::{SeatingEventId, UnixMillis};
use crate::project::{Projected, SeatView, project};

/// Seats by status.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatCounts {
    pub total: u64,
    pub available: u64,
    pub held: u64,
    pub reserved: u64,
    pub blocked: u64,
}

/// A SeatingEvent's seats as of a sequence.
#[derive(Debug, Clone)]
pub struct SeatMap {
    /// The SeatingEvent.
    pub id: SeatingEventId,
    /// Its definition.
    pub definition: Definition,
    /// Whether it is closed for good.
    pub closed: bool,
    /// Sequence of the last domain event applied.
    pub sequence: u64,
    chart: Chart,
    seats: Vec<SeatView>,
    counts: SeatCounts,
}

impl SeatMap {
    /// The seats of a definition, all available: what is blocked or claimed is [`set`](Self::set).
    pub fn new(id: SeatingEventId, definition: Definition, sequence: u64) -> Result<Self, ChartError> {
        let chart = Chart::expand(&definition)?;
        let total = chart.seats().len();
        let counts = SeatCounts { total: total as u64, available: total as u64, ..SeatCounts::default() };
        let seats = vec![SeatView::Available; total];
        Ok(Self { id, definition, closed: false, sequence, chart, seats, counts })
    }

    /// The seats of a SeatingEvent that has just come on the platform.
    pub fn created(e: &SeatingEventDefined, sequence: u64) -> Result<Self, ChartError> {
        let mut map = Self::new(e.event_id.clone(), e.definition.clone(), sequence)?;
        let (blocks, _) = block_changes(e, None);
        for key in blocks.keys() {
            map.set(key, SeatView::Blocked);
        }
        Ok(map)
    }

    /// Applies a fact and says which seats it changed, as places in chart order; `None` where the chart itself is
    /// another one now and every seat may have changed.
    ///
    /// # Errors
    /// The chart of an `event.updated` that does not expand.
    pub fn apply(&mut self, event: &DomainEvent, sequence: u64) -> Result<Option<Vec<usize>>, ChartError> {
        let changed = match project(event) {
            Projected::Defined(defined) => {
                self.redefine(defined)?;
                None
            }
            // Whoever keeps the map forgets it; whoever still looks at it sees that nothing more is sold.
            Projected::Closed | Projected::Purged => {
                self.closed = true;
                Some(vec![])
            }
            Projected::Seat { seat, to } => Some(self.set(seat.key(), to).into_iter().collect()),
            Projected::Extended { seats, expires_at } => {
                Some(seats.iter().filter_map(|seat| self.extend(seat.key(), expires_at)).collect())
            }
            Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => Some(vec![]),
        };
        self.sequence = sequence;
        Ok(changed)
    }

    /// Sets the status of a seat; its place, if the chart has it.
    pub fn set(&mut self, key: &str, to: SeatView) -> Option<usize> {
        let position = self.chart.position(key)?;
        let seat = &mut self.seats[position];
        *self.counts.of(seat) -= 1;
        *self.counts.of(&to) += 1;
        *seat = to;
        Some(position)
    }

    fn extend(&mut self, key: &str, until: UnixMillis) -> Option<usize> {
        let position = self.chart.position(key)?;
        match &mut self.seats[position] {
            SeatView::Held { expires_at, .. } => *expires_at = until,
            _ => return None,
        }
        Some(position)
    }

    fn redefine(&mut self, e: &SeatingEventDefined) -> Result<(), ChartError> {
        let (blocks, unblocks) = block_changes(e, Some(&self.definition));
        let mut next = Self::new(self.id.clone(), e.definition.clone(), self.sequence)?;
        for (seat, view) in self.chart.seats().iter().zip(self.seats.drain(..)) {
            if view != SeatView::Available {
                next.set(&seat.key, view);
            }
        }
        for (key, to) in unblocks
            .iter()
            .map(|key| (key, SeatView::Available))
            .chain(blocks.keys().map(|key| (key, SeatView::Blocked)))
        {
            if next
                .chart
                .position(key)
                .and_then(|at| next.seats.get(at))
                .is_some_and(|seat| seat.user().is_none())
            {
                next.set(key, to);
            }
        }
        *self = next;
        Ok(())
    }

    /// The seats of the chart, in order.
    pub fn chart(&self) -> &Chart {
        &self.chart
    }

    /// The status of the seat at a place in chart order.
    pub fn seat(&self, position: usize) -> Option<&SeatView> {
        self.seats.get(position)
    }

    /// The statuses, in chart order.
    pub fn seats(&self) -> &[SeatView] {
        &self.seats
    }

    /// Seats by status.
    pub fn counts(&self) -> SeatCounts {
        self.counts
    }

    /// Where the sale stands at `now`.
    pub fn phase(&self, now: UnixMillis) -> Phase {
        self.definition.phase(self.closed, self.counts.available, now)
    }
}

impl SeatCounts {
    /// Counts one more seat.
    pub fn add(&mut self, seat: &SeatView) {
        self.total += 1;
        *self.of(seat) += 1;
    }

    fn of(&mut self, seat: &SeatView) -> &mut u64 {
        match seat {
            SeatView::Available => &mut self.available,
            SeatView::Held { .. } => &mut self.held,
            SeatView::Reserved { .. } => &mut self.reserved,
            SeatView::Blocked => &mut self.blocked,
        }
    }
}
