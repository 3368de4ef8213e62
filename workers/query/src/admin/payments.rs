//! `GET /admin/payments`: how payments stand, by state, and which they are.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use boxoffice_domain::{PaymentState, ReservationId, UnixMillis, UserId};
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::minutes_ago;
use crate::http::Knowledge;
use crate::http::reservations::{PaymentBody, PaymentStateWord};
use crate::openapi::{ORDERS, OfOperator};
use crate::orders::{Paid, Sum};

/// How payments stand.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Payments)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentsBody {
    /// Those that changed since then are counted and listed.
    since: UnixMillis,
    /// By state and currency; what no payment stands in is left out.
    states: Vec<SumBody>,
    /// Those that changed last, at most 200.
    payments: Vec<PaidBody>,
}

/// Payments of one state and currency.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentSum)]
#[serde(rename_all = "camelCase")]
struct SumBody {
    /// Their state.
    #[schema(value_type = PaymentStateWord)]
    state: PaymentState,
    /// Their currency.
    currency: String,
    /// How many there are.
    count: u64,
    /// What was charged, together.
    charged: u64,
    /// What is to be given back of it.
    refunded: u64,
}

/// A payment, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PaymentOfUser)]
#[serde(rename_all = "camelCase")]
struct PaidBody {
    /// The reservation that it is for.
    #[schema(value_type = schemas::ReservationId)]
    reservation_id: ReservationId,
    /// Its SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: String,
    /// Who pays.
    #[schema(value_type = schemas::UserId)]
    user_id: UserId,
    /// The currency.
    currency: String,
    #[serde(flatten)]
    payment: PaymentBody,
    /// The gateway's name for it, once it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    payment_id: Option<String>,
    /// When it changed last.
    updated_at: UnixMillis,
}

/// Which payments.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How many minutes back, at most a week; absent: a day.
    #[param(required = false, minimum = 1, maximum = 10_080, default = 1_440, example = 60)]
    minutes: u64,
    /// Only those of this state.
    #[param(value_type = Option<PaymentStateWord>, required = false, example = "PAID")]
    state: Option<PaymentState>,
}

impl Default for Asked {
    fn default() -> Self {
        Self { minutes: 1_440, state: None }
    }
}

/// List payments by state
///
/// How many changed in the last minutes and what they came to, by state and currency; and the last of them, latest first.
#[utoipa::path(
    get,
    path = "/admin/payments",
    operation_id = "listPayments",
    tag = ORDERS,
    params(Asked),
    responses(
        (
            status = 200,
            description = "The payments.",
            body = PaymentsBody,
            example = json!(crate::openapi::examples::payments())
        ),
        OfOperator
    )
)]
pub(super) async fn list(
    State(known): State<Arc<Knowledge>>,
    Query(Asked { minutes, state }): Query<Asked>,
) -> Result<Json<PaymentsBody>, Problem> {
    let since = minutes_ago(minutes)?;
    let orders = known.order_service.orders();
    let (sums, payments) = tokio::try_join!(orders.sums(since), orders.payments(since, state))?;
    let is_asked_for = |sum: &Sum| state.is_none_or(|state| sum.state == state);
    Ok(Json(PaymentsBody {
        since,
        states: sums.into_iter().filter(is_asked_for).map(SumBody::from).collect(),
        payments: payments.into_iter().map(PaidBody::from).collect(),
    }))
}

impl From<Sum> for SumBody {
    fn from(Sum { state, currency, count, charged, refunded }: Sum) -> Self {
        Self { state, currency, count, charged, refunded }
    }
}

impl From<Paid> for PaidBody {
    fn from(Paid { reservation, user, currency, payment, payment_id, updated_at }: Paid) -> Self {
        Self {
            event_id: reservation.event_id().to_string(),
            reservation_id: reservation,
            user_id: user,
            currency,
            payment: payment.into(),
            payment_id,
            updated_at,
        }
    }
}
