//! `GET /users/{userId}/reservations` and `/holds`: what a user has, told to that user alone. To others there is nothing here.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use boxoffice_domain::{HoldId, UnixMillis, UserId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfUser;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::{Nothing, Query};
use serde::Serialize;
use utoipa::ToSchema;

use super::headers::Headers;
use super::reservations::{ReservationBody, SeatOf};
use super::{Knowledge, Private};
use crate::openapi::{OfUserRead, USERS};
use crate::orders::{HeldSeat, Hold};

/// Seats that a user holds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Hold)]
#[serde(rename_all = "camelCase")]
pub(super) struct HoldBody {
    /// Its id.
    #[schema(value_type = schemas::HoldId)]
    hold_id: HoldId,
    /// Its SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: String,
    /// Its seats, by id, with what they cost.
    seats: Vec<SeatOf>,
    /// Of the prices and the total; absent where these are not known, because the seats were held by an earlier version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    currency: Option<String>,
    /// What its seats cost together.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    total: Option<u64>,
    /// Until when they are held.
    expires_at: UnixMillis,
}

/// List a user's reservations
///
/// Newest first, at most 1,000, cancelled ones too. Only the user itself sees them: to others there is nothing at this
/// address. What was reserved a moment ago may not be among them yet.
#[utoipa::path(
    get,
    path = "/users/{userId}/reservations",
    operation_id = "listReservations",
    tag = USERS,
    params(OfUser),
    security(("user" = []), ("token" = [])),
    responses(
        (
            status = 200,
            description = "The reservations.",
            body = Vec<ReservationBody>,
            example = json!([crate::openapi::examples::reservation()])
        ),
        OfUserRead
    )
)]
pub(super) async fn reservations(
    State(known): State<Arc<Knowledge>>,
    Id(user): Id<UserId>,
    _: Query<Nothing>,
    Headers(headers): Headers,
) -> Result<Private<Vec<ReservationBody>>, Problem> {
    known.is_caller(&user, &headers).await?;
    let reservations = known.order_service.orders().reservations_of(&user).await?;
    Ok(known.private(reservations.into_iter().map(ReservationBody::from).collect()))
}

/// List a user's holds
///
/// With their seats, prices and deadlines. Only the user itself sees them: to others there is nothing at this address. A hold
/// is here until its seats are back on sale, which is up to a second after its deadline.
#[utoipa::path(
    get,
    path = "/users/{userId}/holds",
    operation_id = "listHolds",
    tag = USERS,
    params(OfUser),
    security(("user" = []), ("token" = [])),
    responses(
        (
            status = 200,
            description = "The holds.",
            body = Vec<HoldBody>,
            example = json!([{
                "holdId": "arena-night.5f0c2a34-9f1e-4c58-8a53-0d7d2e6b9c11",
                "eventId": "arena-night",
                "seats": [
                    {"seatId": "arena-night.A-1-1", "sectionId": "A", "price": 12_000},
                    {"seatId": "arena-night.A-1-2", "sectionId": "A", "price": 12_000}
                ],
                "currency": "EUR",
                "total": 24_000,
                "expiresAt": 1_700_000_300_000_u64
            }])
        ),
        OfUserRead
    )
)]
pub(super) async fn holds(
    State(known): State<Arc<Knowledge>>,
    Id(user): Id<UserId>,
    _: Query<Nothing>,
    Headers(headers): Headers,
) -> Result<Private<Vec<HoldBody>>, Problem> {
    known.is_caller(&user, &headers).await?;
    let holds = known.order_service.orders().holds_of(&user).await?;
    Ok(known.private(holds.into_iter().map(HoldBody::from).collect()))
}

impl Knowledge {
    /// Fails unless the one who asks is `user`.
    async fn is_caller(&self, user: &UserId, headers: &HeaderMap) -> Result<(), Problem> {
        if self.identity.caller(headers).await? == *user {
            Ok(())
        } else {
            let detail = "there is nothing here for you: name yourself in the address";
            Err(Problem::new(StatusCode::NOT_FOUND, code::NOT_FOUND, detail))
        }
    }

    /// An answer that depends on who asks, so nothing on the way may keep it.
    pub(super) fn private<T>(&self, body: T) -> Private<T> {
        (self.private_headers(), Json(body))
    }
}

impl From<Hold> for HoldBody {
    fn from(Hold { id, seats, currency, expires_at }: Hold) -> Self {
        let event_id = id.event_id().to_string();
        let total = seats.iter().map(|seat| seat.amount).sum();
        let seats = seats.into_iter().map(SeatOf::held);
        Self { hold_id: id, event_id, seats: seats.collect(), currency, total, expires_at }
    }
}

impl SeatOf {
    fn held(HeldSeat { id, amount }: HeldSeat) -> Self {
        Self { price: amount, ..Self::from(id) }
    }
}
