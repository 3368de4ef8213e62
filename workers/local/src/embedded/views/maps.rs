//! The seats of every SeatingEvent, changed in place: what the seat view shows and the statistics count.

use std::collections::BTreeMap;

use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{ChartError, DomainEvent, SeatId, SeatMap, SeatingEventId};

/// See the module. Closed SeatingEvents are kept, because they may be opened again; purged ones are forgotten.
#[derive(Debug, Default)]
pub struct Maps(BTreeMap<SeatingEventId, SeatMap>);

impl Maps {
    /// Applies a fact; one about a SeatingEvent that was never defined changes nothing.
    ///
    /// # Errors
    /// A definition whose chart does not expand; nothing has changed then.
    pub fn apply(&mut self, fact: &DomainEvent, sequence: u64) -> Result<(), ChartError> {
        let id = fact.seating_event();
        match (self.0.get_mut(id.as_str()), fact) {
            (Some(_), DomainEvent::EventPurged(_)) => drop(self.0.remove(id.as_str())),
            (Some(map), fact) => drop(map.apply(fact, sequence)?),
            (None, DomainEvent::EventCreated(defined) | DomainEvent::EventUpdated(defined)) => {
                let map = SeatMap::created(defined, sequence)?;
                self.0.insert(id.clone(), map);
            }
            (None, _) => {}
        }
        Ok(())
    }

    /// A SeatingEvent.
    pub fn get(&self, event: &str) -> Option<&SeatMap> {
        self.0.get(event)
    }

    /// Every SeatingEvent, in the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &SeatMap> {
        self.0.values()
    }

    /// What a seat is, if the chart has it.
    pub fn status(&self, seat: &SeatId) -> Option<SeatStatus> {
        let map = self.get(seat.event())?;
        map.status(map.chart().position(seat.key())?)
    }
}
