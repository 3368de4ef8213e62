//! Definitions that come to be and change. A change is judged by what it changes.
//!
//! The seat map (sections, blocks, focal point, the set of price categories) is one part, taken or refused whole: it is
//! refused where it would drop or newly block a seat that somebody has. All the rest takes effect in any case.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use crate::chart::{Chart, ChartSeat};
use crate::command::{Answer, Conflict, Decision, Rejection};
use crate::definition::{Blocked, Definition, PriceCategory};
use crate::events::{DomainEvent, SeatingEventDefined};
use crate::evolve::named_blocks;
use crate::faults::sound;
use crate::ids::{SeatingEventId, section_of};
use crate::state::Seat;

use super::{Provisioned, claimed, decided};

/// Seats named one by one in a sentence.
const NAMED: usize = 20;

/// A SeatingEvent that nobody knows yet.
pub(super) fn create(id: &SeatingEventId, sequence: u64, wanted: &Definition) -> Result<Decision, Rejection> {
    sound(wanted, "")?;
    let blocks = grouped(named_blocks(wanted).into_iter().collect());
    let created = defined(id.clone(), wanted.clone(), Some(blocks), Some(vec![]));
    let answer = Answer::Provisioned { refused: vec![], sequence: sequence + 1 };
    Ok(decided(answer, vec![DomainEvent::EventCreated(created)]))
}

impl Provisioned<'_> {
    pub(super) fn redefine(&self, wanted: &Definition) -> Result<Decision, Rejection> {
        let current = &self.sale.definition;
        let before = current.currency();
        if let Some(other) = wanted.price_categories.iter().find(|price| price.currency != before) {
            let (before, after) = (before.to_owned(), other.currency.clone());
            return Err(Rejection::CurrencyChanged { before, after });
        }
        let chart = sound(wanted, "")?;
        let refused = self.in_the_way(wanted, &chart);
        let next = if refused.is_empty() { wanted.clone() } else { with_seat_map_of(current, wanted) };
        let mut changes = vec![];
        if self.sale.closed || next != *current {
            let (blocks, unblocks) = self.block_changes(&next);
            let updated = defined(self.state.id.clone(), next, Some(blocks), Some(unblocks));
            changes.push(DomainEvent::EventUpdated(updated));
        }
        Ok(decided(Answer::Provisioned { refused, sequence: self.after(&changes) }, changes))
    }

    /// The claimed seats that the wanted seat map drops or newly blocks, in order of their keys.
    fn in_the_way(&self, wanted: &Definition, chart: &Chart) -> Vec<Conflict> {
        let before = named_blocks(&self.sale.definition);
        let mut keys: Vec<_> =
            named_blocks(wanted).into_keys().filter(|key| !before.contains_key(key)).collect();
        if wanted.sections != self.sale.definition.sections {
            let before = self.sale.chart().seats().map(ChartSeat::key);
            keys.extend(before.filter(|key| !chart.contains(key)));
        }
        keys.sort_unstable();
        keys.dedup();
        let conflicts = keys.into_iter().filter_map(|key| {
            let reason = claimed(self.seat(&key)?)?;
            Some(Conflict::new(key, reason))
        });
        conflicts.collect()
    }

    /// What `next` blocks and unblocks: the difference of what the two definitions name, where nobody has the seat and
    /// nothing was done about it by hand.
    fn block_changes(&self, next: &Definition) -> (Vec<Blocked>, Vec<String>) {
        let (before, after) = (named_blocks(&self.sale.definition), named_blocks(next));
        let new = after.iter().filter(|(key, reason)| before.get(*key) != Some(*reason));
        let blocked = new.filter(|(key, _)| match self.seat(key) {
            None | Some(Seat::Lapsed { .. }) => !before.contains_key(*key),
            Some(Seat::Blocked { .. }) => true,
            Some(Seat::Held { .. } | Seat::Reserved { .. }) => false,
        });
        let blocks = grouped(blocked.map(|(key, reason)| (key.clone(), reason.clone())).collect());
        let lost = before.keys().filter(|key| !after.contains_key(*key));
        let unblocked = lost.filter(|key| match self.seat(key) {
            Some(Seat::Blocked { .. }) => true,
            Some(Seat::Held { blocked, .. }) => blocked.is_some(),
            Some(Seat::Lapsed { .. } | Seat::Reserved { .. }) | None => false,
        });
        let mut unblocks: Vec<_> = unblocked.cloned().collect();
        unblocks.sort_unstable();
        (blocks, unblocks)
    }
}

/// Blocks with the seats of each reason, in order.
fn grouped(seats: BTreeMap<String, String>) -> Vec<Blocked> {
    let mut reasons: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (key, reason) in seats {
        reasons.entry(reason).or_default().push(key);
    }
    reasons.into_iter().map(|(reason, seats)| Blocked { seats, reason }).collect()
}

/// What of `wanted` takes effect where its seat map does not.
fn with_seat_map_of(current: &Definition, wanted: &Definition) -> Definition {
    let amounts: HashMap<&str, u64> =
        wanted.price_categories.iter().map(|price| (price.name.as_str(), price.amount)).collect();
    let price_categories = current.price_categories.iter().map(|price| PriceCategory {
        amount: amounts.get(price.name.as_str()).copied().unwrap_or(price.amount),
        ..price.clone()
    });
    Definition {
        price_categories: price_categories.collect(),
        sections: current.sections.clone(),
        blocked: current.blocked.clone(),
        focal_point: current.focal_point,
        ..wanted.clone()
    }
}

/// The payload of an event about a definition.
pub(super) fn defined(
    event_id: SeatingEventId,
    definition: Definition,
    blocks: Option<Vec<Blocked>>,
    unblocks: Option<Vec<String>>,
) -> SeatingEventDefined {
    SeatingEventDefined { event_id, chart_hash: definition.chart_hash(), definition, blocks, unblocks }
}

/// What stands in the way of a seat map and what to do about it, for people. Units of an area are alike to buyers, but a
/// smaller area loses those with the highest numbers.
pub fn in_words(refused: &[Conflict], definition: &Definition) -> String {
    let seats: Vec<_> =
        refused.iter().take(NAMED).map(|it| format!("{} {}", it.seat, it.reason.as_str())).collect();
    let mut text = format!("seats that are held or sold would be dropped or blocked: {}", seats.join(", "));
    if refused.len() > NAMED {
        let _ = write!(text, " and {} more", refused.len() - NAMED);
    }
    let areas = definition.sections.iter().filter(|section| section.capacity.is_some());
    for area in areas {
        let units = refused.iter().filter(|it| section_of(&it.seat) == area.id);
        let numbers = units.filter_map(|it| it.seat.rsplit_once('-')?.1.parse::<u32>().ok());
        if let Some(highest) = numbers.max() {
            let _ = write!(
                text,
                "; {} can have no fewer than {highest} units while {}-{highest} is taken: release it, or have its \
                 buyer exchange it for a lower one, then lower the capacity",
                area.id, area.id
            );
        }
    }
    text
}
