//! What the box office does for buyers: holds for somebody, sells at the counter, takes back. Outside the sales window, a
//! pause, the limit and the gap rule, but by the same commands, and answered as buyers are.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use boxoffice_domain::{Command, HoldId, ReservationId, SeatId, SeatingEventId, UserId};
use boxoffice_runtime::http::{Id, Problem, RequestContext};
use boxoffice_runtime::openapi::params::{OfEvent, OfHold, OfReservation};
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Body, Query};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::Admin;
use crate::http::answers::{AnswerBody, Held, HeldOrReserved, Released, Reserved};
use crate::http::command_service::Order;
use crate::http::hold_request::keys_of;
use crate::http::holds::made;
use crate::http::idempotency_key::RequestKey;
use crate::openapi::examples::{held, released, reserved};
use crate::openapi::{OfStaffCancelling, OfStaffHolding, OfStaffReleasing, OfStaffReserving, STAFF};
use crate::store::{Idempotency, hold_id};

/// Longest note, in characters.
const LONGEST_NOTE: usize = 500;

/// The body of `POST /admin/events/{eventId}/holds`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct StaffHoldRequest {
    /// For whom.
    #[schema(value_type = schemas::UserId)]
    user_id: UserId,
    /// The seats; none twice.
    #[schema(value_type = Vec<schemas::SeatId>, min_items = 1, max_items = 100)]
    seats: Vec<SeatId>,
    /// Whether blocked seats may be among them; they are blocked again when the hold ends unsold.
    #[serde(default)]
    blocked: bool,
}

/// Hold for somebody
///
/// All or none. Blocked seats too where `blocked` says so, in one step: nobody else gets them in between.
#[utoipa::path(
    post,
    path = "/admin/events/{eventId}/holds",
    operation_id = "holdForSomebody",
    tag = STAFF,
    params(OfEvent, RequestKey),
    request_body(content = StaffHoldRequest, examples(
        ("seats" = (
            summary = "Two seats",
            value = json!({"userId": "alice", "seats": ["arena-night.A-1-1", "arena-night.A-1-2"]})
        )),
        ("blocked" = (
            summary = "A seat and a blocked one",
            value = json!({
                "userId": "alice", "seats": ["arena-night.A-1-1", "arena-night.A-1-4"], "blocked": true
            })
        ))
    )),
    responses(
        (
            status = 201,
            description = "The seats are held.",
            body = Held,
            example = json!(held(1_700_000_300_000, 3))
        ),
        (
            status = 200,
            description = "The hold that was made before under this Idempotency-Key, as it is now.",
            body = HeldOrReserved,
            examples(("reserved" = (
                summary = "It is reserved by now", value = json!(reserved(1_700_000_000_000, 6))
            )))
        ),
        OfStaffHolding
    )
)]
pub(super) async fn hold(
    State(admin): State<Admin>,
    chain: RequestContext,
    key: RequestKey,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<StaffHoldRequest>,
) -> Result<Response, Problem> {
    let idempotency = key.with(&request).of_staff(Some(&request.user_id));
    let StaffHoldRequest { user_id: user, seats, blocked } = request;
    let (seats, hold) = (keys_of(&event, &seats)?, hold_id(&event, idempotency.as_ref()));
    let command = Command::StaffHold { seats, user, hold, blocked };
    let order = Order { chain: &chain, user: None, idempotency };
    let outcome = admin.commands.execute(&event, &command, order).await?;
    let status = if made(&event, &outcome).is_some() { StatusCode::CREATED } else { StatusCode::OK };
    let body = AnswerBody::new(&event, None, outcome.answer, outcome.correlation)?;
    Ok((status, body).into_response())
}

/// The body of `POST /admin/holds/{holdId}/reserve`.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Sale {
    /// How the reservation is paid for.
    paid_by: PaidAt,
}

/// Where a reservation is paid for.
#[derive(Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
enum PaidAt {
    /// At the box office: it is never charged.
    Counter,
}

/// Sell a hold
///
/// Every seat that anybody's hold still has, in one reservation that is paid for at the counter and never charged. A hold
/// that is reserved already gives its reservation again.
#[utoipa::path(
    post,
    path = "/admin/holds/{holdId}/reserve",
    operation_id = "sellHold",
    tag = STAFF,
    params(OfHold, RequestKey),
    request_body(content = Sale, examples(
        ("counter" = (summary = "Paid for at the counter", value = json!({"paidBy": "counter"})))
    )),
    responses(
        (
            status = 200,
            description = "The seats are reserved.",
            body = Reserved,
            example = json!(reserved(1_700_000_000_000, 6))
        ),
        OfStaffReserving
    )
)]
pub(super) async fn reserve(
    State(admin): State<Admin>,
    chain: RequestContext,
    key: RequestKey,
    Id(hold): Id<HoldId>,
    Body(sale): Body<Sale>,
) -> Result<AnswerBody, Problem> {
    let key = key.with(&sale).of_staff(None);
    let Sale { paid_by: PaidAt::Counter } = sale;
    let command = Command::StaffReserve { hold: hold.uuid(), reservation: Uuid::new_v4() };
    admin.staffs(&chain, key, hold.event_id(), command).await
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Noted {
    /// Why, for those who read the domain events later: 1 to 500 characters.
    #[serde(default)]
    #[param(min_length = 1, max_length = 500, required = false, example = "rebooked")]
    note: Option<String>,
}

impl Noted {
    fn read(self) -> Result<Option<String>, Problem> {
        let Some(note) = self.note else { return Ok(None) };
        if !(1..=LONGEST_NOTE).contains(&note.chars().count()) || note.chars().any(char::is_control) {
            let detail =
                format!("note: say in 1 to {LONGEST_NOTE} characters on one line why, or leave it out");
            return Err(Problem::invalid(detail));
        }
        Ok(Some(note))
    }
}

/// Take a hold back
///
/// Anybody's, with every seat that it still has.
#[utoipa::path(
    delete,
    path = "/admin/holds/{holdId}",
    operation_id = "takeHoldBack",
    tag = STAFF,
    params(OfHold, Noted),
    responses(
        (
            status = 200,
            description = "The seats are available again, or blocked again.",
            body = Released,
            example = json!(released(&["A-1-1", "A-1-2"], &[], None, 5))
        ),
        OfStaffReleasing
    )
)]
pub(super) async fn release(
    State(admin): State<Admin>,
    chain: RequestContext,
    Id(hold): Id<HoldId>,
    Query(noted): Query<Noted>,
) -> Result<AnswerBody, Problem> {
    let command = Command::StaffRelease { hold: hold.uuid(), note: noted.read()? };
    admin.staffs(&chain, None, hold.event_id(), command).await
}

/// Cancel anybody's reservation
///
/// With every seat that it still has, also after `sales.cancelUntil`.
#[utoipa::path(
    delete,
    path = "/admin/reservations/{reservationId}",
    operation_id = "cancelForSomebody",
    tag = STAFF,
    params(OfReservation, Noted),
    responses(
        (
            status = 200,
            description = "The seats are available again.",
            body = Released,
            example = json!(released(&["A-1-1", "A-1-2"], &[], None, 9))
        ),
        OfStaffCancelling
    )
)]
pub(super) async fn cancel(
    State(admin): State<Admin>,
    chain: RequestContext,
    Id(reservation): Id<ReservationId>,
    Query(noted): Query<Noted>,
) -> Result<AnswerBody, Problem> {
    let command = Command::StaffCancel { reservation: reservation.uuid(), note: noted.read()? };
    admin.staffs(&chain, None, reservation.event_id(), command).await
}

impl Admin {
    async fn staffs(
        &self,
        chain: &RequestContext,
        idempotency: Option<Idempotency>,
        event: &SeatingEventId,
        command: Command,
    ) -> Result<AnswerBody, Problem> {
        let done = self.commands.execute(event, &command, Order { chain, user: None, idempotency }).await?;
        AnswerBody::new(event, None, done.answer, done.correlation)
    }
}
