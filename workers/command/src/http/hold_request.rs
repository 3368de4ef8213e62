//! Which seats are wanted: the body of what makes a hold and of what adds to one, read and checked.

use std::collections::HashSet;

use boxoffice_domain::{Area, Best, SeatId, SeatingEventId, Wanted};
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::openapi::schemas;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most seats of one hold.
const MAX_SEATS: usize = 100;

/// The body of `POST /events/{eventId}/holds` and of `POST /holds/{holdId}/seats`: `seats` and `areas` together, or
/// `bestAvailable` alone.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldRequest {
    /// These seats; none twice.
    #[serde(default)]
    #[schema(value_type = Vec<schemas::SeatId>)]
    seats: Vec<SeatId>,
    /// Units of general-admission areas; none twice.
    #[serde(default)]
    #[schema(value_type = Vec<schemas::Area>)]
    areas: Vec<Area>,
    /// The best seats that are available, in place of seats and areas.
    #[serde(default)]
    #[schema(value_type = Option<schemas::Best>)]
    best_available: Option<Best>,
}

impl HoldRequest {
    /// What is to be held of `event`: between 1 and [`MAX_SEATS`] seats, none of them and no area twice.
    pub fn wanted(self, event: &SeatingEventId) -> Result<Wanted, Problem> {
        if let Some(best) = self.best_available {
            return if self.seats.is_empty() && self.areas.is_empty() {
                quantity("bestAvailable.quantity", best.quantity)?;
                Ok(Wanted::Best(best))
            } else {
                Err(Problem::invalid("bestAvailable stands alone: leave seats and areas out, or ask twice"))
            };
        }
        for (index, area) in self.areas.iter().enumerate() {
            quantity(&format!("areas[{index}].quantity"), area.quantity)?;
            if self.areas[..index].iter().any(|earlier| earlier.section_id == area.section_id) {
                let detail =
                    format!("areas[{index}].sectionId: {} is there already: add up", area.section_id);
                return Err(Problem::invalid(detail));
            }
        }
        let units: usize = self.areas.iter().map(|area| area.quantity as usize).sum();
        check_count("seats, areas", self.seats.len() + units)?;
        Ok(Wanted::These { seats: keys(event, &self.seats)?, areas: self.areas })
    }
}

/// The keys of 1 to [`MAX_SEATS`] seats of `event`, none of them twice.
///
/// # Errors
/// What is wrong with `seats`.
pub fn keys_of(event: &SeatingEventId, seats: &[SeatId]) -> Result<Vec<String>, Problem> {
    check_count("seats", seats.len())?;
    keys(event, seats)
}

fn keys(event: &SeatingEventId, seats: &[SeatId]) -> Result<Vec<String>, Problem> {
    if let Some(stranger) = seats.iter().find(|seat| seat.event() != event.as_str()) {
        return Err(Problem::invalid(format!("seats: {stranger} is not a seat of {event}")));
    }
    let mut seen = HashSet::new();
    if let Some(repeated) = seats.iter().find(|seat| !seen.insert(seat.key())) {
        return Err(Problem::invalid(format!("seats: {repeated} is there more than once")));
    }
    Ok(seats.iter().map(|seat| seat.key().to_owned()).collect())
}

fn check_count(fields: &str, count: usize) -> Result<(), Problem> {
    if (1..=MAX_SEATS).contains(&count) {
        return Ok(());
    }
    Err(Problem::invalid(format!("{fields}: ask for 1 to {MAX_SEATS} seats together, not {count}")))
}

fn quantity(field: &str, quantity: u32) -> Result<(), Problem> {
    if (1..=MAX_SEATS).contains(&(quantity as usize)) {
        return Ok(());
    }
    Err(Problem::invalid(format!("{field}: ask for 1 to {MAX_SEATS}, not {quantity}")))
}
