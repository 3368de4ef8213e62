//! The statistics in memory: counts by section, announced as `stats.updated` once a batch and SeatingEvent.
//!
//! Counts by the consumer's own [`Tally`], one event at a time, so that one whose amount cannot be counted is refused
//! alone. What is announced waits in the [`Outbox`], which [`super::announcements`] publishes.

use std::collections::{BTreeMap, HashMap};

use boxoffice_consumer::handlers::stats::announcement::{Cause, announce};
use boxoffice_consumer::handlers::stats::tally::{Claim, Counts, Sections, Tally};
use boxoffice_domain::events::SectionStats;
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{DomainEvent, Envelope, Projected, SeatId, SeatingEventId, project};

use super::announcements::Outbox;
use super::maps::Maps;
use super::{MemoryHandler, Place, Refusal};

/// Keeps the statistics.
#[derive(Debug, Default)]
pub struct Stats {
    maps: Maps,
    /// What the claim on a seat costs, which its release does not say again; seats that cost nothing are absent.
    amounts: HashMap<SeatId, i64>,
    sections: Sections,
    /// By SeatingEvent, the last event of this batch that was counted.
    counted: BTreeMap<SeatingEventId, Cause>,
    outbox: Outbox,
}

impl MemoryHandler for Stats {
    fn apply(&mut self, event: &Envelope, _: Place<'_>) -> Result<(), Refusal> {
        let sequence = event.metadata.sequence.unwrap_or_default();
        match project(&event.event) {
            Projected::Defined(defined) => {
                self.maps.apply(&event.event, sequence)?;
                self.recount(&defined.event_id);
            }
            Projected::Purged => {
                self.maps.apply(&event.event, sequence)?;
                self.forget(event.event.seating_event());
            }
            Projected::Seat { seat, .. } => self.count(seat, &event.event, sequence)?,
            _ => return Ok(()),
        }
        self.counted.insert(event.event.seating_event().clone(), event.into());
        Ok(())
    }

    fn batch_ended(&mut self) {
        for (event, cause) in std::mem::take(&mut self.counted) {
            let sections = self.sections(event.as_str());
            self.outbox.put(announce(event, cause, sections));
        }
    }
}

impl Stats {
    /// The seats that are counted.
    pub fn maps(&self) -> &Maps {
        &self.maps
    }

    /// What is announced.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The counts of a SeatingEvent.
    pub fn sections(&self, event: &str) -> Vec<SectionStats> {
        let from = (event.to_owned(), String::new());
        let sections = self.sections.range(from..).take_while(|((of, _), _)| of == event);
        sections.map(|((_, section), counts)| counts.announced(section.clone())).collect()
    }

    /// Counts what an event means for the section of its seat; one that the chart does not have counts nothing.
    fn count(&mut self, seat: &SeatId, event: &DomainEvent, sequence: u64) -> Result<(), Refusal> {
        let Some(status) = self.maps.status(seat) else { return Ok(()) };
        let mut tally = Tally::new([(seat.clone(), self.claim(seat, status))].into());
        tally.count(event)?;
        self.maps.apply(event, sequence)?;
        let (claims, changes) = tally.into_parts();
        for (seat, Claim { amount, .. }) in claims {
            if amount == 0 {
                self.amounts.remove(&seat);
            } else {
                self.amounts.insert(seat, amount);
            }
        }
        for (section, change) in changes {
            *self.sections.entry(section).or_default() += change;
        }
        Ok(())
    }

    /// Counts a SeatingEvent's seats from scratch; `released` goes on.
    fn recount(&mut self, event: &SeatingEventId) {
        let Some(map) = self.maps.get(event.as_str()) else { return };
        let mut sections = vec![Counts::default(); map.definition.sections.len()];
        for (seat, status) in map.chart().seats().zip(map.statuses()) {
            let id = SeatId::from_chart(event, &seat.key());
            sections[seat.section()] += Counts::of(&self.claim(&id, *status), 1);
        }
        let known = self.sections.extract_if(.., |(of, _), _| of == event.as_str());
        let released: BTreeMap<String, i64> =
            known.map(|((_, section), counts)| (section, counts.released)).collect();
        for (section, counts) in map.definition.sections.iter().zip(sections) {
            let released = released.get(&section.id).copied().unwrap_or_default();
            self.sections.insert((event.to_string(), section.id.clone()), Counts { released, ..counts });
        }
    }

    /// What is announced of it then are no sections.
    fn forget(&mut self, event: &SeatingEventId) {
        self.amounts.retain(|seat, _| seat.event() != event.as_str());
        self.sections.retain(|(of, _), _| of != event.as_str());
    }

    fn claim(&self, seat: &SeatId, status: SeatStatus) -> Claim {
        Claim { status, amount: self.amounts.get(seat).copied().unwrap_or_default() }
    }
}
