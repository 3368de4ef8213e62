//! The routes of holds and reservations: several seats, all or none.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{Answer, Area, Best, Command, HoldId, ReservationId, SeatId, SeatingEventId, Wanted};
use boxoffice_runtime::http::{Id, Problem};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::answers::Done;
use super::body::{Body, OptionalBody};
use super::caller::Caller;
use super::desk::Desk;
use super::once::Once;
use crate::store::{Idempotency, Outcome};

/// Most seats of one hold.
const MAX_SEATS: usize = 100;

/// The body of `POST /events/{eventId}/holds`: `seats` and `areas` together, or `bestAvailable` alone.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldRequest {
    #[serde(default)]
    seats: Vec<SeatId>,
    #[serde(default)]
    areas: Vec<Area>,
    #[serde(default)]
    best_available: Option<Best>,
}

impl HoldRequest {
    /// What is to be held of `event`: between 1 and [`MAX_SEATS`] seats, none of them and no area twice.
    fn wanted(self, event: &SeatingEventId) -> Result<Wanted, Problem> {
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
        let all = self.seats.len() + units;
        if all == 0 || all > MAX_SEATS {
            let detail = format!("seats, areas: ask for 1 to {MAX_SEATS} seats together, not {all}");
            return Err(Problem::invalid(detail));
        }
        if let Some(stranger) = self.seats.iter().find(|seat| seat.event() != event.as_str()) {
            return Err(Problem::invalid(format!("seats: {stranger} is not a seat of {event}")));
        }
        let mut seen = HashSet::new();
        if let Some(repeated) = self.seats.iter().find(|seat| !seen.insert(seat.key())) {
            return Err(Problem::invalid(format!("seats: {repeated} is there more than once")));
        }
        let seats = self.seats.iter().map(|seat| seat.key().to_owned()).collect();
        Ok(Wanted::These { seats, areas: self.areas })
    }
}

fn quantity(field: &str, quantity: u32) -> Result<(), Problem> {
    if (1..=MAX_SEATS).contains(&(quantity as usize)) {
        return Ok(());
    }
    Err(Problem::invalid(format!("{field}: ask for 1 to {MAX_SEATS}, not {quantity}")))
}

/// `POST /events/{eventId}/holds`: 201 with a new hold, 200 where the seats are one's own hold already.
pub async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    once: Once,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<HoldRequest>,
) -> Result<Response, Problem> {
    let (new, once) = (Uuid::new_v4(), once.with(&request).by(&caller.user));
    let command = Command::Hold { wanted: request.wanted(&event)?, user: caller.user.clone(), hold: new };
    let Outcome { answer, repeated, .. } = desk.execute(&event, command, &caller, once).await?;
    let body = Json(Done::with_seats(&event, &answer, caller.chain.correlation));
    Ok(match answer {
        // What is stored is the answer of the time when the hold was new.
        Answer::Held { hold, .. } if hold == new || repeated => {
            let location = format!("/holds/{}", HoldId::new(event, hold));
            (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response()
        }
        _ => body.into_response(),
    })
}

/// `GET /holds/{holdId}`: one's own.
pub async fn show(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Json<Done>, Problem> {
    let answer = desk.hold(&hold, &caller.user).await?;
    Ok(Json(Done::with_seats(hold.event_id(), &answer, caller.chain.correlation)))
}

/// `POST /holds/{holdId}/reserve`: every seat that the hold still has.
pub async fn reserve(
    desk: State<Desk>,
    caller: Caller,
    once: Once,
    Id(hold): Id<HoldId>,
) -> Result<Json<Done>, Problem> {
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ReserveHold { hold: id, user, reservation: Uuid::new_v4() };
    about(&desk, &caller, once.by(&caller.user), hold.event_id(), command).await
}

/// The body of `POST /holds/{holdId}/extend`, which may be left out.
#[derive(Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtendRequest {
    #[serde(default)]
    seconds: Option<u32>,
}

/// `POST /holds/{holdId}/extend`: its deadline moves away, as far as the SeatingEvent's `hold.maxSeconds` allows.
pub async fn extend(
    desk: State<Desk>,
    caller: Caller,
    once: Once,
    Id(hold): Id<HoldId>,
    OptionalBody(request): OptionalBody<ExtendRequest>,
) -> Result<Json<Done>, Problem> {
    if request.seconds == Some(0) {
        return Err(Problem::invalid("seconds: give 1 or more, or leave it out"));
    }
    let once = once.with(&request).by(&caller.user);
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ExtendHold { hold: id, user, seconds: request.seconds };
    about(&desk, &caller, once, hold.event_id(), command).await
}

/// `DELETE /holds/{holdId}`: all its seats are available again.
pub async fn release(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Json<Done>, Problem> {
    let command = Command::ReleaseHold { hold: hold.uuid(), user: caller.user.clone() };
    about(&desk, &caller, None, hold.event_id(), command).await
}

/// `DELETE /reservations/{reservationId}`: all its seats are available again.
pub async fn cancel(
    desk: State<Desk>,
    caller: Caller,
    Id(reservation): Id<ReservationId>,
) -> Result<Json<Done>, Problem> {
    let command = Command::CancelReservation { reservation: reservation.uuid(), user: caller.user.clone() };
    about(&desk, &caller, None, reservation.event_id(), command).await
}

async fn about(
    desk: &Desk,
    caller: &Caller,
    once: Option<Idempotency>,
    event: &SeatingEventId,
    command: Command,
) -> Result<Json<Done>, Problem> {
    let done = desk.execute(event, command, caller, once).await?;
    Ok(Json(Done::with_seats(event, &done.answer, caller.chain.correlation.clone())))
}
