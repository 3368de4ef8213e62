//! Seats that operators take off sale beside those that the definition blocks, and put back.

use std::collections::HashSet;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use boxoffice_domain::command::ConflictReason;
use boxoffice_domain::{Chart, Command, SeatId, SeatingEventId};
use boxoffice_runtime::http::{ConflictBody, Id, Problem, RequestContext, code};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::reading::Body;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Admin, InventoryBody};
use crate::http::command_service::Order;
use crate::http::idempotency_key::RequestKey;
use crate::openapi::examples::inventory;
use crate::openapi::{OPERATOR, OfBlocking, OfUnblocking};

/// Most seats of one body.
const MOST_SEATS: usize = 10_000;
/// Most seats that a refusal names.
const NAMED_SEATS: usize = 20;
/// Longest reason.
const LONGEST_REASON: usize = 200;

/// The body of `POST /admin/events/{eventId}/blocks`. Seats are named as in the resource (`A-1-1`) or by their ids.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Blocking {
    /// The seats, by their keys or their ids.
    #[schema(min_items = 1, max_items = 10_000)]
    seats: Vec<String>,
    /// Why; it is told in `seat.blocked`.
    #[schema(min_length = 1, max_length = 200)]
    reason: String,
}

/// The body of `DELETE /admin/events/{eventId}/blocks`.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Unblocking {
    /// The seats, by their keys or their ids.
    #[schema(min_items = 1, max_items = 10_000)]
    seats: Vec<String>,
}

/// Block seats
///
/// Takes seats that nobody has off sale, all or none. Sent again under its Idempotency-Key it blocks nothing more, and the
/// inventory is told as it is now.
#[utoipa::path(
    post,
    path = "/admin/events/{eventId}/blocks",
    operation_id = "blockSeats",
    tag = OPERATOR,
    params(OfEvent, RequestKey),
    request_body(content = Blocking, examples(
        ("seats" = (
            summary = "A seat by its key, another by its id",
            value = json!({"seats": ["A-1-1", "arena-night.A-1-2"], "reason": "camera"})
        ))
    )),
    responses(
        (
            status = 200,
            description = "The seats are blocked.",
            body = InventoryBody,
            example = json!(inventory(3, "OnSale", 3))
        ),
        OfBlocking
    )
)]
pub async fn block(
    State(admin): State<Admin>,
    chain: RequestContext,
    key: RequestKey,
    Id(event): Id<SeatingEventId>,
    Body(request): Body<Blocking>,
) -> Result<Json<InventoryBody>, Problem> {
    let idempotency = key.with(&request).of_staff(None);
    let Blocking { seats, reason } = request;
    let reason = reason.trim();
    if reason.is_empty() || reason.len() > LONGEST_REASON {
        return Err(Problem::invalid(format!("reason: say in 1 to {LONGEST_REASON} bytes why")));
    }
    let seats = keys(&admin, &event, &seats).await?;
    let order = Order { chain: &chain, user: None, idempotency };
    run(&admin, &event, &Command::Block { seats, reason: reason.to_owned() }, order).await
}

/// Unblock seats
///
/// Puts blocked seats back on sale, also those that the definition blocks; others stay as they are.
#[utoipa::path(
    delete,
    path = "/admin/events/{eventId}/blocks",
    operation_id = "unblockSeats",
    tag = OPERATOR,
    params(OfEvent),
    request_body(content = Unblocking, examples(
        ("seats" = (summary = "A seat by its key", value = json!({"seats": ["A-1-4"]})))
    )),
    responses(
        (
            status = 200,
            description = "The seats are not blocked any more.",
            body = InventoryBody,
            example = json!(inventory(2, "OnSale", 0))
        ),
        OfUnblocking
    )
)]
pub async fn unblock(
    State(admin): State<Admin>,
    chain: RequestContext,
    Id(event): Id<SeatingEventId>,
    Body(Unblocking { seats }): Body<Unblocking>,
) -> Result<Json<InventoryBody>, Problem> {
    let seats = keys(&admin, &event, &seats).await?;
    let order = Order { chain: &chain, user: None, idempotency: None };
    run(&admin, &event, &Command::Unblock { seats }, order).await
}

async fn run(
    admin: &Admin,
    event: &SeatingEventId,
    command: &Command,
    order: Order<'_>,
) -> Result<Json<InventoryBody>, Problem> {
    admin.commands.execute(event, command, order).await?;
    Ok(Json(admin.inventory(event).await?.into()))
}

/// The seats' keys, each once; all of them are there.
async fn keys(admin: &Admin, event: &SeatingEventId, seats: &[String]) -> Result<Vec<String>, Problem> {
    if seats.is_empty() || seats.len() > MOST_SEATS {
        let detail = format!("seats: name 1 to {MOST_SEATS} seats at once, not {}", seats.len());
        return Err(Problem::invalid(detail));
    }
    let (mut keys, mut seen) = (Vec::with_capacity(seats.len()), HashSet::new());
    for (index, name) in seats.iter().enumerate() {
        let seat = if name.contains('.') { name.parse() } else { SeatId::new(event, name) };
        let seat = seat.map_err(|error| Problem::invalid(format!("seats[{index}]: {error}")))?;
        if seat.event() != event.as_str() {
            return Err(Problem::invalid(format!("seats[{index}]: {seat} is not a seat of {event}")));
        }
        if seen.insert(seat.key().to_owned()) {
            keys.push(seat.key().to_owned());
        }
    }
    // Of one that is archived the command itself says that it has to be recovered first.
    let Some(definition) = admin.inventory(event).await?.definition else { return Ok(keys) };
    let chart = Chart::expand(&definition).map_err(|error| {
        Problem::unavailable("the chart cannot be read: try again").because(error.to_string())
    })?;
    match unknown(event, &chart, &keys) {
        Some(problem) => Err(problem),
        None => Ok(keys),
    }
}

/// Seats that the chart does not have: the first of them, and how many more there are.
fn unknown(event: &SeatingEventId, chart: &Chart, keys: &[String]) -> Option<Problem> {
    let mut unknown = keys.iter().filter(|key| !chart.contains(key));
    let named = unknown.by_ref().take(NAMED_SEATS);
    let named: Vec<_> = named
        .map(|key| ConflictBody {
            seat_id: SeatId::from_chart(event, key),
            reason: ConflictReason::NotFound,
            mine: false,
        })
        .collect();
    let more = unknown.count();
    let first = named.first()?;
    let detail = match named.len() + more - 1 {
        0 => format!("seats: there is no seat {}: look at the chart", first.seat_id),
        1 => format!("seats: there is no seat {}, nor another one: look at the chart", first.seat_id),
        others => format!(
            "seats: there is no seat {}, nor {others} others, of which conflicts names the first: look at the chart",
            first.seat_id
        ),
    };
    Some(Problem::new(StatusCode::NOT_FOUND, code::SEAT_NOT_FOUND, detail).conflicts(named))
}
