//! The routes of one seat: hold, reserve, release.

use axum::extract::State;
use boxoffice_domain::{Command, SeatId};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfSeat;
use uuid::Uuid;

use super::answers::{AnswerBody, HeldOrReserved, Released, Reserved};
use super::caller::Caller;
use super::command_service::{CommandService, Order};
use super::idempotency_key::RequestKey;
use crate::openapi::examples::{held, of_seat, released, reserved};
use crate::openapi::{OfHolding, OfReleasingSeat, OfReservingSeat, SEATS};
use crate::store::{Idempotency, hold_id};

type Answered = Result<AnswerBody, Problem>;

/// Hold a seat
///
/// The seat is the caller's until `expiresAt`. One's own held seat gives its whole hold again; a hold that was made
/// before under the same Idempotency-Key is told as it is now.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/hold",
    operation_id = "holdSeat",
    tag = SEATS,
    params(OfSeat, RequestKey),
    responses(
        (
            status = 200,
            description = "The seat is held. The hold is all of it: it may have more seats.",
            body = HeldOrReserved,
            examples(
                ("held" = (summary = "A hold", value = json!(of_seat(held(1_700_000_300_000, 2))))),
                ("reserved" = (
                    summary = "The hold of this Idempotency-Key is reserved by now",
                    value = json!(of_seat(reserved(1_700_000_000_000, 6)))
                ))
            )
        ),
        OfHolding
    )
)]
pub async fn hold(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(seat): Id<SeatId>,
) -> Answered {
    let (wanted, user, key) = (vec![seat.key().to_owned()].into(), caller.user.clone(), key.of(&caller.user));
    let hold = hold_id(&seat.event_id(), key.as_ref());
    about(&commands, &caller, key, seat, Command::Hold { wanted, user, hold }).await
}

/// Reserve a held seat
///
/// The seat leaves its hold for a reservation of its own. A seat that is reserved already gives its reservation again.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/reserve",
    operation_id = "reserveSeat",
    tag = SEATS,
    params(OfSeat, RequestKey),
    responses(
        (
            status = 200,
            description = "The seat is reserved.",
            body = Reserved,
            example = json!(of_seat(reserved(1_700_000_000_000, 5)))
        ),
        OfReservingSeat
    )
)]
pub async fn reserve(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(seat): Id<SeatId>,
) -> Answered {
    let user = caller.user.clone();
    let command = Command::ReserveSeat { seat: seat.key().to_owned(), user, reservation: Uuid::new_v4() };
    about(&commands, &caller, key.of(&caller.user), seat, command).await
}

/// Release a seat
///
/// Out of one's own hold, or out of one's own reservation, which is cancelled as far as that seat is concerned.
#[utoipa::path(
    post,
    path = "/seats/{seatId}/release",
    operation_id = "releaseSeat",
    tag = SEATS,
    params(OfSeat, RequestKey),
    responses(
        (
            status = 200,
            description = "The seat is available again; the hold or the reservation has the others still.",
            body = Released,
            example = json!(of_seat(released(&["A-1-1"], &["A-1-2"], Some(1_700_000_300_000), 4)))
        ),
        OfReleasingSeat
    )
)]
pub async fn release(
    commands: State<CommandService>,
    caller: Caller,
    key: RequestKey,
    Id(seat): Id<SeatId>,
) -> Answered {
    let command = Command::ReleaseSeat { seat: seat.key().to_owned(), user: caller.user.clone() };
    about(&commands, &caller, key.of(&caller.user), seat, command).await
}

async fn about(
    commands: &CommandService,
    Caller { user, chain }: &Caller,
    idempotency: Option<Idempotency>,
    seat: SeatId,
    command: Command,
) -> Answered {
    let event = seat.event_id();
    let done = commands.execute(&event, &command, Order { chain, user: Some(user), idempotency }).await?;
    AnswerBody::new(&event, Some(seat), done.answer, done.correlation)
}
