//! The routes of holds and reservations: several seats, all or none.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{Answer, Command, HoldId, ReservationId, SeatId, SeatingEventId};
use boxoffice_runtime::http::{Id, Problem};
use serde::Deserialize;
use serde::de::IgnoredAny;
use uuid::Uuid;

use super::answers::Done;
use super::body::Body;
use super::caller::Caller;
use super::desk::Desk;

/// Most seats of one hold.
const MAX_SEATS: usize = 100;

/// The body of `POST /events/{eventId}/holds`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct HoldRequest {
    #[serde(default)]
    seats: Vec<SeatId>,
    best_available: Option<IgnoredAny>,
    areas: Option<IgnoredAny>,
}

impl HoldRequest {
    /// The keys of the seats, all of `event`, none twice.
    fn keys(self, event: &SeatingEventId) -> Result<Vec<String>, Problem> {
        if self.best_available.is_some() || self.areas.is_some() {
            return Err(Problem::invalid(
                "areas and bestAvailable are not available in this version: name seats",
            ));
        }
        if self.seats.is_empty() || self.seats.len() > MAX_SEATS {
            return Err(Problem::invalid(format!(
                "seats: name 1 to {MAX_SEATS} seats, not {}",
                self.seats.len()
            )));
        }
        if let Some(stranger) = self.seats.iter().find(|seat| seat.event() != event.as_str()) {
            return Err(Problem::invalid(format!("seats: {stranger} is not a seat of {event}")));
        }
        let mut seen = HashSet::new();
        if let Some(repeated) = self.seats.iter().find(|seat| !seen.insert(seat.key())) {
            return Err(Problem::invalid(format!("seats: {repeated} is there more than once")));
        }
        Ok(self.seats.iter().map(|seat| seat.key().to_owned()).collect())
    }
}

/// `POST /events/{eventId}/holds`: 201 with a new hold, 200 where the seats are one's own hold already.
pub async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<HoldRequest>,
) -> Result<Response, Problem> {
    let new = Uuid::new_v4();
    let command = Command::Hold { seats: request.keys(&event)?, user: caller.user.clone(), hold: new };
    let answer = desk.execute(&event, command, &caller).await?;
    let body = Json(Done::with_seats(&event, &answer, caller.chain.correlation));
    Ok(match answer {
        Answer::Held { hold, .. } if hold == new => {
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
pub async fn reserve(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Json<Done>, Problem> {
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ReserveHold { hold: id, user, reservation: Uuid::new_v4() };
    about(&desk, &caller, hold.event_id(), command).await
}

/// `DELETE /holds/{holdId}`: all its seats are available again.
pub async fn release(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Json<Done>, Problem> {
    let command = Command::ReleaseHold { hold: hold.uuid(), user: caller.user.clone() };
    about(&desk, &caller, hold.event_id(), command).await
}

/// `DELETE /reservations/{reservationId}`: all its seats are available again.
pub async fn cancel(
    desk: State<Desk>,
    caller: Caller,
    Id(reservation): Id<ReservationId>,
) -> Result<Json<Done>, Problem> {
    let command = Command::CancelReservation { reservation: reservation.uuid(), user: caller.user.clone() };
    about(&desk, &caller, reservation.event_id(), command).await
}

async fn about(
    desk: &Desk,
    caller: &Caller,
    event: &SeatingEventId,
    command: Command,
) -> Result<Json<Done>, Problem> {
    let answer = desk.execute(event, command, caller).await?;
    Ok(Json(Done::with_seats(event, &answer, caller.chain.correlation.clone())))
}
