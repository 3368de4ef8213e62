//! The routes of holds and reservations: several seats, all or none.

use std::collections::HashSet;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{Answer, Area, Best, Command, HoldId, ReservationId, SeatId, SeatingEventId, Wanted};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::{OfEvent, OfHold as HoldInPath, OfReservation};
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Body, OptionalBody};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::answers::{Done, Held, Released, Reserved};
use super::caller::Caller;
use super::desk::Desk;
use super::once::Once;
use crate::openapi::examples::{held, released, reserved};
use crate::openapi::{HOLDS, OfCancelling, OfChoosing, OfHold, OfKeepingHold, RESERVATIONS};
use crate::store::{Idempotency, Outcome};

/// Most seats of one hold.
const MAX_SEATS: usize = 100;

/// The body of `POST /events/{eventId}/holds`: `seats` and `areas` together, or `bestAvailable` alone.
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

/// Hold several seats
///
/// All or none. `seats` and `areas` go together, up to 100; `bestAvailable` stands alone and takes adjacent seats where
/// there are. Seats that one's own hold has already give that hold again.
#[utoipa::path(
    post,
    path = "/events/{eventId}/holds",
    operation_id = "createHold",
    tag = HOLDS,
    params(OfEvent, Once),
    request_body(content = HoldRequest, examples(
        ("seats" = (
            summary = "Two seats",
            value = json!({"seats": ["arena-night.A-1-1", "arena-night.A-1-2"]})
        )),
        ("areas" = (
            summary = "Two places in a general-admission area, and a seat",
            value = json!({
                "seats": ["arena-night.A-1-1"], "areas": [{"sectionId": "FLOOR", "quantity": 2}]
            })
        )),
        ("bestAvailable" = (
            summary = "The two best seats of a section",
            value = json!({"bestAvailable": {"quantity": 2, "sectionId": "A"}})
        ))
    )),
    responses(
        (
            status = 201,
            description = "The seats are held.",
            body = Held,
            headers(("location", description = "The hold's address.")),
            example = json!(held(1_700_000_300_000, 3))
        ),
        (
            status = 200,
            description = "One's own hold has these seats already: that hold.",
            body = Held,
            example = json!(held(1_700_000_300_000, 3))
        ),
        OfChoosing
    )
)]
pub async fn create(
    State(desk): State<Desk>,
    caller: Caller,
    once: Once,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<HoldRequest>,
) -> Result<Response, Problem> {
    let once = once.with(&request).by(&caller.user);
    let (wanted, user) = (request.wanted(&event)?, caller.user.clone());
    let command = Command::Hold { wanted, user, hold: Uuid::new_v4() };
    let Outcome { answer, correlation, changed, .. } = desk.execute(&event, command, &caller, once).await?;
    let body = Done::with_seats(&event, &answer, correlation);
    Ok(match answer {
        Answer::Held { hold, .. } if changed => {
            let location = format!("/holds/{}", HoldId::new(event, hold));
            (StatusCode::CREATED, [(header::LOCATION, location)], body).into_response()
        }
        _ => body.into_response(),
    })
}

/// Show a hold
///
/// One's own, as long as it holds.
#[utoipa::path(
    get,
    path = "/holds/{holdId}",
    operation_id = "showHold",
    tag = HOLDS,
    params(HoldInPath),
    responses(
        (
            status = 200,
            description = "The hold.",
            body = Held,
            example = json!(held(1_700_000_300_000, 3))
        ),
        OfHold
    )
)]
pub async fn show(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Done, Problem> {
    let answer = desk.hold(&hold, &caller.user).await?;
    Ok(Done::with_seats(hold.event_id(), &answer, caller.chain.correlation))
}

/// Reserve a hold
///
/// Every seat that it still has, in one reservation. A hold that is reserved already gives the same answer again.
#[utoipa::path(
    post,
    path = "/holds/{holdId}/reserve",
    operation_id = "reserveHold",
    tag = HOLDS,
    params(HoldInPath, Once),
    responses(
        (
            status = 200,
            description = "The seats are reserved.",
            body = Reserved,
            example = json!(reserved(1_700_000_000_000, 6))
        ),
        OfKeepingHold
    )
)]
pub async fn reserve(
    desk: State<Desk>,
    caller: Caller,
    once: Once,
    Id(hold): Id<HoldId>,
) -> Result<Done, Problem> {
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ReserveHold { hold: id, user, reservation: Uuid::new_v4() };
    about(&desk, &caller, once.by(&caller.user), hold.event_id(), command).await
}

/// The body of `POST /holds/{holdId}/extend`, which may be left out.
#[derive(Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExtendRequest {
    /// By how many seconds; absent: as long as a new hold lasts.
    #[schema(minimum = 1)]
    #[serde(default)]
    seconds: Option<u32>,
}

/// Extend a hold
///
/// Its deadline moves away, as far as the SeatingEvent's `hold.maxSeconds` allows.
#[utoipa::path(
    post,
    path = "/holds/{holdId}/extend",
    operation_id = "extendHold",
    tag = HOLDS,
    params(HoldInPath, Once),
    request_body(content = Option<ExtendRequest>, examples(
        ("seconds" = (summary = "Two minutes more", value = json!({"seconds": 120})))
    )),
    responses(
        (
            status = 200,
            description = "The hold with its deadline; it is the old one where there was nothing left to add.",
            body = Held,
            example = json!(held(1_700_000_420_000, 4))
        ),
        OfKeepingHold
    )
)]
pub async fn extend(
    desk: State<Desk>,
    caller: Caller,
    once: Once,
    Id(hold): Id<HoldId>,
    OptionalBody(request): OptionalBody<ExtendRequest>,
) -> Result<Done, Problem> {
    if request.seconds == Some(0) {
        return Err(Problem::invalid("seconds: give 1 or more, or leave it out"));
    }
    let once = once.with(&request).by(&caller.user);
    let (id, user) = (hold.uuid(), caller.user.clone());
    let command = Command::ExtendHold { hold: id, user, seconds: request.seconds };
    about(&desk, &caller, once, hold.event_id(), command).await
}

/// Release a hold
///
/// All its seats are available again.
#[utoipa::path(
    delete,
    path = "/holds/{holdId}",
    operation_id = "releaseHold",
    tag = HOLDS,
    params(HoldInPath),
    responses(
        (
            status = 200,
            description = "The seats are available again.",
            body = Released,
            example = json!(released(5))
        ),
        OfHold
    )
)]
pub async fn release(desk: State<Desk>, caller: Caller, Id(hold): Id<HoldId>) -> Result<Done, Problem> {
    let command = Command::ReleaseHold { hold: hold.uuid(), user: caller.user.clone() };
    about(&desk, &caller, None, hold.event_id(), command).await
}

/// Cancel a reservation
///
/// All its seats are available again.
#[utoipa::path(
    delete,
    path = "/reservations/{reservationId}",
    operation_id = "cancelReservation",
    tag = RESERVATIONS,
    params(OfReservation),
    responses(
        (
            status = 200,
            description = "The seats are available again.",
            body = Released,
            example = json!(released(9))
        ),
        OfCancelling
    )
)]
pub async fn cancel(
    desk: State<Desk>,
    caller: Caller,
    Id(reservation): Id<ReservationId>,
) -> Result<Done, Problem> {
    let command = Command::CancelReservation { reservation: reservation.uuid(), user: caller.user.clone() };
    about(&desk, &caller, None, reservation.event_id(), command).await
}

async fn about(
    desk: &Desk,
    caller: &Caller,
    once: Option<Idempotency>,
    event: &SeatingEventId,
    command: Command,
) -> Result<Done, Problem> {
    let done = desk.execute(event, command, caller, once).await?;
    Ok(Done::with_seats(event, &done.answer, done.correlation))
}
