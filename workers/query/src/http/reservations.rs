//! `GET /reservations/{reservationId}`: a reservation with its payment, told to its user; may wait for a change.

use std::sync::Arc;

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use boxoffice_domain::events::{PaidBy, PaymentFailure};
use boxoffice_domain::{PaymentState, ReservationId, SeatId, UnixMillis};
use boxoffice_runtime::http::negotiate::has_any;
use boxoffice_runtime::http::{Id, Lasting, Problem, REQUEST_TIMEOUT, code};
use boxoffice_runtime::openapi::params::OfReservation;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Knowledge;
use super::headers::Headers;
use crate::openapi::{OfReservationRead, USERS};
use crate::orders::{Payment, Reservation};

/// Longest wait, in seconds.
const LONGEST_WAIT: u64 = 25;

/// How long the route may take.
pub(super) const LASTING: Lasting =
    ("/reservations/{reservationId}", Duration::from_secs(LONGEST_WAIT).saturating_add(REQUEST_TIMEOUT));

/// A reservation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Reservation)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReservationBody {
    /// Its id.
    #[schema(value_type = schemas::ReservationId)]
    pub reservation_id: ReservationId,
    /// Its SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    pub event_id: String,
    /// The seats that it still has.
    pub seats: Vec<SeatOf>,
    /// Of the total, the charge and the refund.
    pub currency: String,
    /// What its seats cost together.
    pub total: u64,
    /// When it was made.
    pub reserved_at: UnixMillis,
    /// When its last seat left; absent as long as it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub cancelled_at: Option<UnixMillis>,
    /// What pays for it where no payment of its own does: `counter`, or the id of the reservation whose payment came late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    pub paid_by: Option<PaidBy>,
    /// Its payment; absent where none was asked for, or not yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = PaymentBody, required = false)]
    pub payment: Option<PaymentBody>,
}

/// A seat of a hold or a reservation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OwnSeat)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SeatOf {
    /// Its id.
    #[schema(value_type = schemas::SeatId)]
    pub seat_id: SeatId,
    /// Its section.
    pub section_id: String,
    /// What it is held at; what is reserved has its total alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = u64, required = false)]
    pub price: Option<u64>,
}

/// A payment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payment)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PaymentBody {
    /// Where it stands: `REQUESTED` of the gateway, `PAID`, `DECLINED`, `REFUSED` (the request itself), `TIMED_OUT`, `CANCELLED`
    /// before it was charged, `REINSTATED` (it pays for another reservation of the same seats), `REFUND_REQUESTED`.
    #[schema(value_type = PaymentStateWord)]
    pub state: PaymentState,
    /// What was charged.
    pub charged: u64,
    /// What is to be given back of it.
    pub refunded: u64,
    /// Why it failed: `declined`, `refused` or `timeout`; absent where that is not how it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = String)]
    pub reason: Option<&'static str>,
}

/// What a payment can be.
#[derive(ToSchema)]
#[schema(as = PaymentState, rename_all = "SCREAMING_SNAKE_CASE")]
#[expect(dead_code, reason = "describes the words of the domain's")]
pub(crate) enum PaymentStateWord {
    Requested,
    Paid,
    Declined,
    Refused,
    TimedOut,
    Cancelled,
    Reinstated,
    RefundRequested,
}

/// Whether to wait.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// Seconds, at most 25, to wait until the reservation or its payment changes, or until it comes where it is not there yet;
    /// without a change the answer is as it was. Absent or 0: answered at once.
    #[param(value_type = Option<u64>, required = false, maximum = 25, example = 1)]
    wait: u64,
}

/// What a reservation is asked for with that the client has already.
#[derive(utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "describes what is read of the headers")]
struct Conditional {
    /// The `etag` of the answer that the client has. With `wait` it says what a change is a change of, so that none is missed
    /// between two requests. Where it still holds, the answer is 304.
    #[param(rename = "if-none-match", example = "\"2-24000-PAID-24000-0\"")]
    if_none_match: Option<String>,
}

/// Show a reservation
///
/// With its payment, to its user; another user's is not there. With `?wait=` the answer comes when the reservation or
/// its payment has changed. What was reserved a moment ago may not be there yet: with `?wait=` it is waited for. At
/// most 1,000 requests wait at once; more are answered 503.
#[utoipa::path(
    get,
    path = "/reservations/{reservationId}",
    operation_id = "showReservation",
    tag = USERS,
    params(OfReservation, Asked, Conditional),
    security(("user" = []), ("token" = [])),
    responses(
        (
            status = 200,
            description = "The reservation.",
            body = ReservationBody,
            headers(("etag" = String, description = "Of the reservation with its payment.")),
            example = json!(crate::openapi::examples::reservation())
        ),
        (status = 304, description = "It is as the client has it."),
        OfReservationRead
    )
)]
pub(super) async fn show(
    State(known): State<Arc<Knowledge>>,
    Id(id): Id<ReservationId>,
    Query(Asked { wait }): Query<Asked>,
    Headers(headers): Headers,
) -> Result<Response, Problem> {
    if wait > LONGEST_WAIT {
        return Err(Problem::invalid(format!("wait: {wait} s is too long: ask for at most {LONGEST_WAIT}")));
    }
    let user = known.identity.caller(&headers).await?;
    let mut found = known.order_service.find(&id, &user).await?;
    let has = |found: &Option<Reservation>| {
        found.as_ref().is_some_and(|it| has_any(&headers, |named| named == tag(it)))
    };
    let is_news = found.is_some() && headers.contains_key(header::IF_NONE_MATCH) && !has(&found);
    if wait > 0 && !is_news {
        found = known.order_service.after(found, &id, &user, Duration::from_secs(wait)).await?;
    }
    let unchanged = has(&found);
    let unknown =
        || Problem::new(StatusCode::NOT_FOUND, code::RESERVATION_NOT_FOUND, "you have no such reservation");
    let reservation = found.ok_or_else(unknown)?;
    let mut response = if unchanged {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Json(ReservationBody::from(reservation.clone())).into_response()
    };
    response
        .headers_mut()
        .extend(known.private_headers().map(|(name, value)| (name, HeaderValue::from_static(value))));
    if let Ok(tag) = HeaderValue::from_str(&tag(&reservation)) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    Ok(response)
}

/// The entity tag: all of a reservation that changes. A seat that leaves takes its price along.
fn tag(reservation: &Reservation) -> String {
    let (seats, amount) = (reservation.seats.len(), reservation.amount);
    match &reservation.payment {
        None => format!("\"{seats}-{amount}\""),
        Some(Payment { state, charged, refunded, reason: _ }) => {
            format!("\"{seats}-{amount}-{state}-{charged}-{refunded}\"")
        }
    }
}

impl From<Reservation> for ReservationBody {
    fn from(reservation: Reservation) -> Self {
        let Reservation { id, user: _, seats, amount, currency, created_at, cancelled_at, paid_by, payment } =
            reservation;
        Self {
            event_id: id.event_id().to_string(),
            reservation_id: id,
            seats: seats.into_iter().map(SeatOf::from).collect(),
            currency,
            total: amount,
            reserved_at: created_at,
            cancelled_at,
            paid_by,
            payment: payment.map(PaymentBody::from),
        }
    }
}

impl From<SeatId> for SeatOf {
    fn from(seat_id: SeatId) -> Self {
        let section_id = seat_id.section().to_owned();
        Self { seat_id, section_id, price: None }
    }
}

impl From<Payment> for PaymentBody {
    fn from(Payment { state, charged, refunded, reason }: Payment) -> Self {
        Self { state, charged, refunded, reason: reason.map(PaymentFailure::as_str) }
    }
}
