//! The route of reservations: giving all of one back.

use axum::extract::State;
use boxoffice_domain::{Command, ReservationId};
use boxoffice_runtime::http::{Id, Problem};
use boxoffice_runtime::openapi::params::OfReservation;

use super::answers::{AnswerBody, Released};
use super::caller::Caller;
use super::command_service::{CommandService, Order};
use crate::openapi::examples::released;
use crate::openapi::{OfCancelling, RESERVATIONS};

/// Cancel a reservation
///
/// All its seats are available again. Buyers cancel until the SeatingEvent's `sales.cancelUntil`.
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
            example = json!(released(&["A-1-1", "A-1-2"], &[], None, 9))
        ),
        OfCancelling
    )
)]
pub async fn cancel(
    State(commands): State<CommandService>,
    Caller { user, chain }: Caller,
    Id(reservation): Id<ReservationId>,
) -> Result<AnswerBody, Problem> {
    let event = reservation.event_id();
    let command = Command::CancelReservation { reservation: reservation.uuid(), user: user.clone() };
    let order = Order { chain: &chain, user: Some(&user), idempotency: None };
    let done = commands.execute(event, &command, order).await?;
    AnswerBody::new(event, None, done.answer, done.correlation)
}
