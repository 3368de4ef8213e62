//! The statistics in memory: counts by section, announced as `stats.updated` once a batch and SeatingEvent.
//!
//! Counts by the consumer's own [`Tally`], one event at a time, so that one whose amount cannot be counted is refused
//! alone. What is announced waits in the [`Outbox`], which [`super::announcements`] publishes.

use std::collections::BTreeMap;

use boxoffice_consumer::handlers::Followers;
use boxoffice_consumer::handlers::seats::{blocks, dropped};
use boxoffice_consumer::handlers::stats::announcement::{Cause, announce};
use boxoffice_consumer::handlers::stats::tally::{Counts, Rows, Tally, totals};
use boxoffice_domain::events::{SeatingEventDefined, SectionStats};
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{Chart, Definition, Envelope, Projected, SeatId, SeatingEventId, project};

use super::announcements::Outbox;
use super::{LogPosition, MemoryHandler, Refusal};

/// Keeps the statistics.
#[derive(Debug, Default)]
pub struct Stats {
    shows: BTreeMap<SeatingEventId, SeatingEventCounts>,
    /// By SeatingEvent, the last event of this batch that was counted.
    counted: BTreeMap<SeatingEventId, Cause>,
    outbox: Outbox,
}

/// What is counted of a SeatingEvent.
#[derive(Debug, Default)]
struct SeatingEventCounts {
    /// `None` as long as the event that brings it could not be read.
    definition: Option<Definition>,
    /// Whether one of its id was purged before.
    was_purged: bool,
    rows: Rows,
    sections: BTreeMap<String, Counts>,
}

impl MemoryHandler for Stats {
    const FOLLOWERS: Followers = Followers::GoOn;

    fn apply(&mut self, event: &Envelope, _: LogPosition<'_>) -> Result<(), Refusal> {
        let Some(sequence) = event.metadata.sequence else { return Ok(()) };
        let id = event.event.seating_event();
        match project(&event.event) {
            Projected::Defined(defined) => {
                let chart = Chart::expand(&defined.definition)?;
                self.shows.entry(id.clone()).or_default().define(defined, &chart, sequence);
            }
            // What is announced of it then are no sections.
            Projected::Purged => {
                self.shows.insert(
                    id.clone(),
                    SeatingEventCounts { was_purged: true, ..SeatingEventCounts::default() },
                );
            }
            Projected::Seat { .. } | Projected::Extended { .. } => {
                let mut tally = Tally::default();
                tally.event(&event.event, sequence)?;
                self.shows.entry(id.clone()).or_default().count(tally);
            }
            Projected::Closed | Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => {
                return Ok(());
            }
        }
        self.counted.insert(id.clone(), event.into());
        Ok(())
    }

    fn batch_ended(&mut self) {
        for (event, cause) in std::mem::take(&mut self.counted) {
            let is_told =
                self.shows.get(&event).is_some_and(|show| show.definition.is_some() || show.was_purged);
            if is_told {
                let sections = self.sections(event.as_str());
                self.outbox.put(announce(event, cause, sections));
            }
        }
    }
}

impl Stats {
    /// Ids of the seats that are held or reserved.
    pub fn claimed(&self) -> impl Iterator<Item = &SeatId> {
        let seats = self.shows.values().flat_map(|show| &show.rows);
        let claimed = |status| matches!(status, SeatStatus::Held | SeatStatus::Reserved);
        seats.filter(move |(_, known)| claimed(known.state.status)).map(|(seat, _)| seat)
    }

    /// What is announced.
    pub fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// The counts of a SeatingEvent.
    pub fn sections(&self, event: &str) -> Vec<SectionStats> {
        let sections = self.shows.get(event).into_iter().flat_map(|show| &show.sections);
        let of_chart = sections.filter(|(_, counts)| counts.total > 0);
        of_chart.map(|(section, counts)| counts.announced(section.clone())).collect()
    }
}

impl SeatingEventCounts {
    fn define(&mut self, defined: &SeatingEventDefined, chart: &Chart, sequence: u64) {
        let mut tally = Tally::default();
        tally.extend(blocks(defined, self.definition.as_ref(), chart, sequence));
        let gone = self.rows.keys().filter(|seat| !chart.contains(seat.key()));
        tally.extend(gone.map(|seat| dropped(seat.clone(), sequence)).collect());
        self.count(tally);
        self.sections.values_mut().for_each(|counts| counts.total = 0);
        for (section, total) in totals(&defined.definition, chart) {
            self.sections.entry(section).or_default().total = total;
        }
        self.definition = Some(defined.definition.clone());
    }

    fn count(&mut self, tally: Tally) {
        for ((_, section), change) in tally.count(&mut self.rows) {
            *self.sections.entry(section).or_default() += change;
        }
    }
}
