//! The seats of every SeatingEvent, changed in place: what the seat view shows.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_consumer::handlers::seats::blocks;
use boxoffice_consumer::handlers::seats::known::{Change, Rows};
use boxoffice_domain::events::SeatingEventDefined;
use boxoffice_domain::project::{SeatStatus, SeatView};
use boxoffice_domain::{
    ChartError, DomainEvent, Projected, SeatId, SeatMap, SeatingEventId, UnixMillis, project,
};

/// See the module. Closed SeatingEvents are kept, because they may be opened again; purged ones are forgotten, and of those
/// that are over little is kept, because they may be put off.
#[derive(Debug, Default)]
pub struct Maps {
    defined: BTreeMap<SeatingEventId, SeatMap>,
    /// The seats of those that have no definition yet, because the event that brought it cannot be read: they are shown
    /// when another one brings it.
    undefined: HashMap<SeatingEventId, Rows<SeatView>>,
    /// Which seats are not for sale of those that have left because they were over.
    left: HashMap<SeatingEventId, HashSet<SeatId>>,
    /// With which sequence one was purged last.
    purged: HashMap<SeatingEventId, u64>,
}

impl Maps {
    /// Applies a fact. `claims` says which seats of its SeatingEvent somebody has by what is not of before the sequence of a
    /// purge: it is asked where one comes back that has left.
    ///
    /// # Errors
    /// A definition whose chart does not expand; nothing has changed then.
    pub fn apply(
        &mut self,
        fact: &DomainEvent,
        sequence: u64,
        claims: impl FnOnce(u64) -> Vec<(SeatId, SeatView)>,
    ) -> Result<(), ChartError> {
        let id = fact.seating_event();
        match (self.defined.get_mut(id.as_str()), project(fact)) {
            (_, Projected::Purged) => {
                self.defined.remove(id.as_str());
                self.undefined.remove(id.as_str());
                self.left.remove(id.as_str());
                self.purged.insert(id.clone(), sequence);
            }
            (Some(map), _) => drop(map.apply(fact, sequence)?),
            (None, Projected::Defined(defined)) => self.define(defined, sequence, claims)?,
            (None, Projected::Seat { seat, to }) => match (self.left.get_mut(id.as_str()), to) {
                (Some(blocked), SeatView::Blocked) => {
                    blocked.insert(seat.clone());
                }
                (Some(blocked), SeatView::Available | SeatView::Held { .. } | SeatView::Reserved { .. }) => {
                    blocked.remove(seat);
                }
                (None, to) => {
                    let seats = self.undefined.entry(id.clone()).or_default();
                    seats.entry(seat.clone()).or_default().take(sequence, Change::Set(to));
                }
            },
            (
                None,
                Projected::Extended { .. }
                | Projected::Closed
                | Projected::Reserved(_)
                | Projected::Cancelled(_)
                | Projected::Nothing,
            ) => {}
        }
        Ok(())
    }

    fn define(
        &mut self,
        defined: &SeatingEventDefined,
        sequence: u64,
        claims: impl FnOnce(u64) -> Vec<(SeatId, SeatView)>,
    ) -> Result<(), ChartError> {
        let id = &defined.event_id;
        let mut map = SeatMap::created(defined, sequence)?;
        let mut seats = self.undefined.remove(id).unwrap_or_default();
        if let Some(blocked) = self.left.remove(id) {
            let blocked = blocked.into_iter().map(|seat| (seat, SeatView::Blocked));
            let purged = self.purged.get(id).copied().unwrap_or_default();
            for (seat, to) in claims(purged).into_iter().chain(blocked) {
                seats.entry(seat).or_default().take(sequence - 1, Change::Set(to));
            }
        }
        if !seats.is_empty() {
            for (seat, sequence, change) in blocks(defined, None, map.chart(), sequence) {
                seats.entry(seat).or_default().take(sequence, change);
            }
            for (seat, known) in &seats {
                map.set(seat.key(), &known.state);
            }
        }
        self.defined.insert(id.clone(), map);
        Ok(())
    }

    /// Takes leave of those that are over at `now`.
    pub fn leave(&mut self, now: UnixMillis) {
        let left = &mut self.left;
        self.defined.retain(|id, map| {
            let is_over = map.definition.over_at() <= now;
            if is_over {
                left.insert(id.clone(), blocked(map));
                tracing::info!(event = %id, "the seats of a show that is over have left the view");
            }
            !is_over
        });
    }

    /// A SeatingEvent.
    pub fn get(&self, event: &str) -> Option<&SeatMap> {
        self.defined.get(event)
    }

    /// Every SeatingEvent, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &SeatMap> {
        self.defined.values()
    }
}

/// The seats that are not for sale.
fn blocked(map: &SeatMap) -> HashSet<SeatId> {
    let seats = map.chart().seats().zip(map.statuses());
    let blocked = seats.filter(|(_, status)| **status == SeatStatus::Blocked);
    blocked.map(|(seat, _)| SeatId::from_chart(&map.id, &seat.key())).collect()
}
