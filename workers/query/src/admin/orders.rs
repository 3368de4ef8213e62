//! `GET /admin/orders`: what was reserved in the last minutes, by whom.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use boxoffice_domain::UserId;
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::minutes_ago;
use crate::http::Knowledge;
use crate::http::reservations::ReservationBody;
use crate::openapi::{ORDERS, OfOperator};
use crate::orders::Reservation;

/// A reservation, and whose it is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Order)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderBody {
    /// Whose it is.
    #[schema(value_type = schemas::UserId)]
    user_id: UserId,
    #[serde(flatten)]
    reservation: ReservationBody,
}

/// How far back.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(super) struct Asked {
    /// How many minutes back, at most a week; absent: 15.
    #[param(required = false, minimum = 1, maximum = 10_080, default = 15, example = 5)]
    minutes: u64,
}

impl Default for Asked {
    fn default() -> Self {
        Self { minutes: 15 }
    }
}

/// List the last orders
///
/// What was reserved in the last minutes, newest first, at most 1,000; cancelled ones too.
#[utoipa::path(
    get,
    path = "/admin/orders",
    operation_id = "listOrders",
    tag = ORDERS,
    params(Asked),
    responses(
        (
            status = 200,
            description = "The orders.",
            body = Vec<OrderBody>,
            example = json!([crate::openapi::examples::order()])
        ),
        OfOperator
    )
)]
pub(super) async fn list(
    State(known): State<Arc<Knowledge>>,
    Query(Asked { minutes }): Query<Asked>,
) -> Result<Json<Vec<OrderBody>>, Problem> {
    let orders = known.order_service.orders().reservations_since(minutes_ago(minutes)?).await?;
    Ok(Json(orders.into_iter().map(OrderBody::from).collect()))
}

impl From<Reservation> for OrderBody {
    fn from(reservation: Reservation) -> Self {
        Self { user_id: reservation.user.clone(), reservation: reservation.into() }
    }
}
