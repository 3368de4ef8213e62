//! The routes of one seat: hold, reserve, release.

use axum::Json;
use axum::extract::State;
use boxoffice_domain::{Command, SeatId};
use boxoffice_runtime::http::{Id, Problem};
use uuid::Uuid;

use super::answers::Done;
use super::caller::Caller;
use super::desk::Desk;
use super::once::Once;

type Answered = Result<Json<Done>, Problem>;

/// `POST /seats/{seatId}/hold`. One's own held seat gives the same hold again.
pub async fn hold(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (wanted, user) = (vec![seat.key().to_owned()].into(), caller.user.clone());
    about(&desk, &caller, &once, &seat, Command::Hold { wanted, user, hold: Uuid::new_v4() }).await
}

/// `POST /seats/{seatId}/reserve`. The seat leaves its hold for a reservation of its own.
pub async fn reserve(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (key, user) = (seat.key().to_owned(), caller.user.clone());
    let command = Command::ReserveSeat { seat: key, user, reservation: Uuid::new_v4() };
    about(&desk, &caller, &once, &seat, command).await
}

/// `POST /seats/{seatId}/release`, out of one's own hold or reservation.
pub async fn release(desk: State<Desk>, caller: Caller, once: Once, Id(seat): Id<SeatId>) -> Answered {
    let (key, user) = (seat.key().to_owned(), caller.user.clone());
    about(&desk, &caller, &once, &seat, Command::ReleaseSeat { seat: key, user }).await
}

async fn about(desk: &Desk, caller: &Caller, once: &Once, seat: &SeatId, command: Command) -> Answered {
    let done = desk.execute(&seat.event_id(), command, caller, once.by(&caller.user)).await?;
    Ok(Json(Done::with_seat(seat, &done.answer, caller.chain.correlation.clone())))
}
