//! The seats of every SeatingEvent, changed in place: what the seat view shows.

use std::collections::{BTreeMap, HashMap};

use boxoffice_consumer::handlers::seats::blocks;
use boxoffice_consumer::handlers::seats::known::{Change, Rows};
use boxoffice_domain::events::SeatingEventDefined;
use boxoffice_domain::project::SeatView;
use boxoffice_domain::{ChartError, DomainEvent, Projected, SeatMap, SeatingEventId, project};

/// See the module. Closed SeatingEvents are kept, because they may be opened again; purged ones are forgotten.
#[derive(Debug, Default)]
pub struct Maps {
    defined: BTreeMap<SeatingEventId, SeatMap>,
    /// The seats of those that have no definition yet, because the event that brought it cannot be read: they are shown
    /// when another one brings it.
    undefined: HashMap<SeatingEventId, Rows<SeatView>>,
}

impl Maps {
    /// Applies a fact.
    ///
    /// # Errors
    /// A definition whose chart does not expand; nothing has changed then.
    pub fn apply(&mut self, fact: &DomainEvent, sequence: u64) -> Result<(), ChartError> {
        let id = fact.seating_event();
        match (self.defined.get_mut(id.as_str()), project(fact)) {
            (_, Projected::Purged) => {
                self.defined.remove(id.as_str());
                self.undefined.remove(id.as_str());
            }
            (Some(map), _) => drop(map.apply(fact, sequence)?),
            (None, Projected::Defined(defined)) => self.define(defined, sequence)?,
            (None, Projected::Seat { seat, to }) => {
                let seats = self.undefined.entry(id.clone()).or_default();
                seats.entry(seat.clone()).or_default().take(sequence, Change::Set(to));
            }
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

    fn define(&mut self, defined: &SeatingEventDefined, sequence: u64) -> Result<(), ChartError> {
        let id = &defined.event_id;
        let mut map = SeatMap::created(defined, sequence)?;
        if let Some(mut seats) = self.undefined.remove(id) {
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

    /// A SeatingEvent.
    pub fn get(&self, event: &str) -> Option<&SeatMap> {
        self.defined.get(event)
    }

    /// Every SeatingEvent, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &SeatMap> {
        self.defined.values()
    }
}
