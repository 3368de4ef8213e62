//! The routes of one seat: hold, reserve, release.

use axum::extract::State;
use boxoffice_domain::{Command, SeatId};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfSeat;
use uuid::Uuid;

use super::answers::{Done, SeatHeld, SeatReleased, SeatReserved};
use super::caller::Caller;
use super::desk::Desk;
use super::once::Once;
use crate::openapi::{OfHolding, OfReleasingSeat, OfReservingSeat, SEATS};

type Answered = Result<Done, Problem>;

/// Hold a seat
///
/// The seat is the caller's until `expiresAt`. One's own held seat gives the same hold again.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/hold",
    operation_id = "holdSeat",
    tag = SEATS,
    params(OfSeat, Once),
    responses(
        (
            status = 200,
            description = "The seat is held.",
            body = SeatHeld,
            example = json!({
                "success": true,
                "correlationId": "order-17",
                "holdId": "arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11",
                "seatId": "arena-night.A-1-1",
                "expiresAt": 1_700_000_300_000_u64,
                "sequence": 2
            })
        ),
        OfHolding
    )
)]
pub async fn hold(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (wanted, user) = (vec![seat.key().to_owned()].into(), caller.user.clone());
    about(&desk, &caller, &once, &seat, Command::Hold { wanted, user, hold: Uuid::new_v4() }).await
}

/// Reserve a held seat
///
/// The seat leaves its hold for a reservation of its own. A seat that is reserved already gives the same answer again.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/reserve",
    operation_id = "reserveSeat",
    tag = SEATS,
    params(OfSeat, Once),
    responses(
        (
            status = 200,
            description = "The seat is reserved.",
            body = SeatReserved,
            example = json!({
                "success": true,
                "correlationId": "order-17",
                "reservationId": "arena-night.8d1f6c0e-2b7a-4e0d-9d55-3c1b7a90e2f4",
                "seatId": "arena-night.A-1-1",
                "reservedAt": 1_700_000_000_000_u64,
                "sequence": 5
            })
        ),
        OfReservingSeat
    )
)]
pub async fn reserve(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (key, user) = (seat.key().to_owned(), caller.user.clone());
    let command = Command::ReserveSeat { seat: key, user, reservation: Uuid::new_v4() };
    about(&desk, &caller, &once, &seat, command).await
}

/// Release a seat
///
/// Out of one's own hold, or out of one's own reservation, which is cancelled as far as that seat is concerned.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/release",
    operation_id = "releaseSeat",
    tag = SEATS,
    params(OfSeat, Once),
    responses(
        (
            status = 200,
            description = "The seat is available again.",
            body = SeatReleased,
            example = json!({
                "success": true, "correlationId": "order-17", "seatId": "arena-night.A-1-1", "sequence": 4
            })
        ),
        OfReleasingSeat
    )
)]
pub async fn release(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (key, user) = (seat.key().to_owned(), caller.user.clone());
    about(&desk, &caller, &once, &seat, Command::ReleaseSeat { seat: key, user }).await
}

async fn about(desk: &Desk, caller: &Caller, once: &Once, seat: &SeatId, command: Command) -> Answered {
    let done = desk.execute(&seat.event_id(), command, caller, once.by(&caller.user)).await?;
    Ok(Done::with_seat(seat, &done.answer, done.correlation))
}
