//! Which seats a hold gets: those that it names, units of areas, or the best that are available.

use super::{Provisioned, count};
use crate::chart::ChartSeat;
use crate::choose::{available, avoidable_gaps, best, units};
use crate::command::{Area, Best, Conflict, ConflictReason, PricedSeat, Rejection, Wanted};
use crate::definition::{Definition, GapPolicy, Section};
use crate::ids::UserId;
use crate::seating::{Seating, TAKEN};
use crate::state::Seat;

/// Whether a definition has the sections and price categories that `wanted` names.
///
/// # Errors
/// What it does not have.
pub fn check(definition: &Definition, wanted: &Wanted) -> Result<(), Rejection> {
    match wanted {
        Wanted::These { areas, .. } => areas.iter().try_for_each(|area| {
            match section(definition, "areas.sectionId", &area.section_id)?.capacity {
                Some(_) => Ok(()),
                None => Err(Rejection::WrongSection {
                    field: "areas.sectionId",
                    name: area.section_id.clone(),
                    problem: "has numbered seats: name them in seats, or ask for bestAvailable",
                }),
            }
        }),
        Wanted::Best(best) => {
            let (field, problem) = ("bestAvailable.sectionId", "has no numbered seats: ask for it in areas");
            match best.section_id.as_deref().map(|id| section(definition, field, id)).transpose()? {
                Some(section) if section.capacity.is_some() => {
                    return Err(Rejection::WrongSection { field, name: section.id.clone(), problem });
                }
                _ => {}
            }
            best.price_category.as_deref().map_or(Ok(()), |name| check_category(definition, name))?;
            if definition.sections.iter().all(|section| section.capacity.is_some()) {
                let (field, name) = ("bestAvailable", definition.title.clone());
                return Err(Rejection::WrongSection { field, name, problem: ONLY_AREAS });
            }
            Ok(())
        }
    }
}

/// What a choice of numbered seats is told where there are none.
const ONLY_AREAS: &str = "has areas alone, without numbered seats: ask for them in areas";

fn check_category(definition: &Definition, name: &str) -> Result<(), Rejection> {
    let field = "bestAvailable.priceCategory";
    if !definition.price_categories.iter().any(|price| price.name == name) {
        return Err(Rejection::SectionNotFound { field, what: "price category", name: name.to_owned() });
    }
    let mut sections = definition.sections.iter().filter(|section| section.price_category == name).peekable();
    if sections.peek().is_some() && sections.all(|section| section.capacity.is_some()) {
        return Err(Rejection::WrongSection { field, name: name.to_owned(), problem: ONLY_AREAS });
    }
    Ok(())
}

fn section<'a>(definition: &'a Definition, field: &'static str, id: &str) -> Result<&'a Section, Rejection> {
    let found = definition.sections.iter().find(|section| section.id == id);
    found.ok_or_else(|| Rejection::SectionNotFound { field, what: "section", name: id.to_owned() })
}

/// The sections that the best seats may come from, by index.
pub fn sections_of(definition: &Definition, best: &Best) -> Vec<usize> {
    let fits = |section: &Section| {
        section.capacity.is_none()
            && best.section_id.as_ref().is_none_or(|id| *id == section.id)
            && best.price_category.as_ref().is_none_or(|name| *name == section.price_category)
    };
    definition.sections.iter().enumerate().filter(|(_, section)| fits(section)).map(|(at, _)| at).collect()
}

/// How many seats are wanted.
pub fn wanted_count(wanted: &Wanted) -> u32 {
    match wanted {
        Wanted::These { seats, areas } => {
            areas.iter().fold(count(seats.len()), |sum, area| sum.saturating_add(area.quantity))
        }
        Wanted::Best(best) => best.quantity,
    }
}

/// What is wanted beside seats that are there already.
pub(super) fn without(wanted: &Wanted, has: &[String]) -> Wanted {
    match wanted {
        Wanted::These { seats, areas } => Wanted::These {
            seats: seats.iter().filter(|key| !has.contains(key)).cloned().collect(),
            areas: areas.clone(),
        },
        Wanted::Best(_) => wanted.clone(),
    }
}

/// Whether seats are named that are others than those that a claim has. It may have lost some since, or got more.
pub(super) fn asks_for_others(wanted: &Wanted, has: &[PricedSeat]) -> bool {
    let Wanted::These { seats, .. } = wanted else { return false };
    let missing = seats.iter().any(|key| has.iter().all(|seat| seat.key != *key));
    missing && has.iter().any(|seat| !seats.contains(&seat.key))
}

impl Provisioned<'_> {
    /// The keys of the seats that a hold gets.
    pub(super) fn select(&self, wanted: &Wanted, user: &UserId) -> Result<Vec<String>, Rejection> {
        match wanted {
            Wanted::These { seats, areas } => self.select_these(seats, areas, user),
            Wanted::Best(best) => self.select_best(best),
        }
    }

    /// Refuses where anything is in the way.
    pub(super) fn refuse(conflicts: Vec<Conflict>) -> Result<(), Rejection> {
        if conflicts.iter().any(|conflict| conflict.reason == ConflictReason::NotFound) {
            return Err(Rejection::SeatNotFound(conflicts));
        }
        if conflicts.is_empty() { Ok(()) } else { Err(Rejection::SeatNotAvailable(conflicts)) }
    }

    fn select_these(
        &self,
        seats: &[String],
        areas: &[Area],
        user: &UserId,
    ) -> Result<Vec<String>, Rejection> {
        Self::refuse(seats.iter().filter_map(|key| self.conflict(key, user)).collect())?;
        let gaps = self.sale.definition.hold.no_single_seat_gaps;
        if areas.is_empty() && gaps != GapPolicy::Enforce {
            return Ok(seats.to_vec());
        }
        let (seating, mut map) = (self.sale.seating(), self.map());
        let named: Vec<_> = seats.iter().filter_map(|key| self.place(key)).collect();
        if gaps == GapPolicy::Enforce {
            self.refuse_gaps(seating, &map, &named)?;
        }
        take(&mut map, &named);
        let mut chosen = seats.to_vec();
        for area in areas {
            chosen.extend(self.select_units(seating, &mut map, area)?);
        }
        Ok(chosen)
    }

    fn select_units(&self, seating: &Seating, map: &mut [u8], area: &Area) -> Result<Vec<String>, Rejection> {
        let row = seating.areas().iter().find(|row| row.name == area.section_id);
        let free = row.map(|row| units(row, map, area.quantity as usize)).unwrap_or_default();
        if free.len() < area.quantity as usize {
            return Err(Rejection::NotEnoughSeats {
                wanted: area.quantity,
                available: count(free.len()),
                section: Some(area.section_id.clone()),
            });
        }
        take(map, &free);
        Ok(free.iter().filter_map(|place| self.key_at(*place)).collect())
    }

    fn select_best(&self, wanted: &Best) -> Result<Vec<String>, Rejection> {
        let definition = &self.sale.definition;
        let (seating, map) = (self.sale.seating(), self.map());
        let sections = sections_of(definition, wanted);
        let gaps = definition.hold.no_single_seat_gaps;
        let together = wanted.together.unwrap_or_default();
        match best(seating, &map, wanted.quantity as usize, &sections, gaps, together) {
            Some(chosen) => Ok(chosen.iter().filter_map(|place| self.key_at(*place)).collect()),
            None => Err(Rejection::NotEnoughSeats {
                wanted: wanted.quantity,
                available: count(available(seating, &map, &sections)),
                section: wanted.section_id.clone(),
            }),
        }
    }

    fn refuse_gaps(&self, seating: &Seating, map: &[u8], named: &[usize]) -> Result<(), Rejection> {
        let gaps = avoidable_gaps(seating, map, named);
        let conflict =
            |place: &usize| Some(Conflict::new(self.key_at(*place)?, ConflictReason::SingleSeatGap));
        let conflicts: Vec<_> = gaps.iter().filter_map(conflict).collect();
        if conflicts.is_empty() { Ok(()) } else { Err(Rejection::SeatNotAvailable(conflicts)) }
    }

    /// What can be had; the seats of a hold that has lapsed can.
    fn map(&self) -> Vec<u8> {
        let mut map = self.sale.seating().map().to_vec();
        let taken = self.state.seats.iter().filter(|(_, seat)| match seat {
            Seat::Lapsed { .. } => false,
            Seat::Held { hold, blocked, .. } => blocked.is_some() || !self.has_lapsed(*hold),
            Seat::Reserved { .. } | Seat::Blocked { .. } => true,
        });
        let places: Vec<_> = taken.filter_map(|(key, _)| self.place(key)).collect();
        take(&mut map, &places);
        map
    }

    fn place(&self, key: &str) -> Option<usize> {
        self.sale.seating().place(self.sale.chart().position(key)?)
    }

    fn key_at(&self, place: usize) -> Option<String> {
        let seat = self.sale.seating().seat_at(place)?;
        self.sale.chart().seat(seat).map(ChartSeat::key)
    }
}

fn take(map: &mut [u8], places: &[usize]) {
    for place in places {
        if let Some(at) = map.get_mut(*place) {
            *at = TAKEN;
        }
    }
}
