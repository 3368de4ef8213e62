//! The operator's API, on a port of its own: SeatingEvents go in as definitions and come back as inventories (I8).

mod auth;

mod blocks;

mod outbox;

mod log;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use boxoffice_domain::definition::Phase;
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Chart, Command, Definition, Rejection, SeatingEventId};
use boxoffice_runtime::http::{Chain, Id, Problem};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::pages::serving;
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::{schemas, text};
use boxoffice_runtime::reading::{Body, Query};
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use auth::{AdminToken, EmptyToken};

use crate::http::caller::cause;
use crate::http::refusal::refused;
use crate::openapi::examples::inventory;
use crate::openapi::{OPERATOR, OfInventory, OfOperator, OfProvisioning, about_operators, for_operators};
use crate::published::Published;
use crate::store::{Inventory, Outbox, Outcome, SeatStore};

/// Longest definition: four times what Kubernetes lets a resource's annotations have, and more than a stadium needs.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Longest wait for the log to say how many partitions it has.
const LOG_TIMEOUT: Duration = Duration::from_secs(5);

/// What the routes share.
#[derive(Clone)]
pub struct Admin {
    /// Where seats are.
    pub store: Arc<dyn SeatStore>,
    /// Where their domain events wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where their domain events go.
    pub log: Arc<dyn EventLog>,
    /// Topic of the domain events.
    pub topic: Arc<str>,
    /// Topic of the statistics.
    pub stats_topic: Arc<str>,
    /// Whether they are there.
    pub published: Arc<Published>,
    /// Ends answers that would go on for ever.
    pub stop: CancellationToken,
}

/// The routes, for whoever reaches them, and their document.
pub fn routes(admin: Admin) -> Router {
    let (routes, _) = described().split_for_parts();
    routes
        .with_state(admin)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .route("/admin/openapi.json", serving("application/json", text(&document())))
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_operators(described().into_openapi())
}

fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(about_operators())
        .routes(routes!(list))
        .routes(routes!(show, provision, remove))
        .routes(routes!(blocks::block, blocks::unblock))
        .routes(routes!(outbox::show))
        .routes(routes!(log::tail))
}

/// `routes` for whoever shows `token`.
pub fn guarded(routes: Router, token: AdminToken) -> Router {
    routes.layer(from_fn_with_state(token, auth::require))
}

/// An [`Inventory`] as the operator reads it.
#[derive(Serialize, ToSchema)]
#[schema(as = Inventory)]
#[serde(rename_all = "camelCase")]
struct InventoryBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// Fingerprint of its seats and their prices.
    chart_hash: String,
    /// The partition that its domain events go to.
    partition: u32,
    /// Sequence of its last domain event.
    sequence: u64,
    /// Where it stands in its life.
    #[schema(value_type = schemas::Phase)]
    phase: Phase,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    seats: SeatCounts,
}

impl From<Inventory> for InventoryBody {
    fn from(inventory: Inventory) -> Self {
        let Inventory { event, definition, closed, partition, sequence, seats, at } = inventory;
        Self {
            event_id: event,
            chart_hash: definition.chart_hash(),
            partition,
            sequence,
            phase: definition.phase(closed, seats.available, at),
            seats,
        }
    }
}

/// Provision a SeatingEvent
///
/// Creates it or changes its definition. A change that would drop or block seats that are held or sold is refused; an
/// unchanged definition changes nothing.
#[utoipa::path(
    put,
    path = "/admin/events/{eventId}",
    operation_id = "provisionEvent",
    tag = OPERATOR,
    params(OfEvent),
    request_body(content = schemas::Definition, examples(
        ("definition" = (
            summary = "A row of four seats and two standing places",
            value = json!({
                "title": "Arena Night",
                "startsAt": 4_000_000_000_000_u64,
                "sales": {"opensAt": 1_600_000_000_000_u64, "paused": false},
                "hold": {"ttlSeconds": 300, "maxSeconds": 900, "noSingleSeatGaps": "prefer"},
                "limits": {"seatsPerUser": 4},
                "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
                "sections": [
                    {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
                    {"id": "FLOOR", "priceCategory": "gold", "capacity": 2}
                ],
                "blocked": [{"seats": ["A-1-4"], "reason": "camera"}]
            })
        ))
    )),
    responses(
        (
            status = 200,
            description = "It is as the definition says.",
            body = InventoryBody,
            example = json!(inventory(1, "OnSale", 1))
        ),
        OfProvisioning
    )
)]
async fn provision(
    State(admin): State<Admin>,
    chain: Chain,
    Id(event): Id<SeatingEventId>,
    Body(definition): Body<Definition>,
) -> Result<Json<InventoryBody>, Problem> {
    Chart::expand(&definition).map_err(|error| Problem::invalid(error.to_string()))?;
    let partition = admin.partition(&event).await?;
    let outcome = admin.store.provision(&event, &definition, partition, &cause(&chain, None, None)).await?;
    let inventory = outcome.map_err(|rejection| refused(&event, &rejection))?;
    Ok(Json(inventory.into()))
}

/// List SeatingEvents
///
/// All of them with their counts, by id: one call is enough for all statuses.
#[utoipa::path(
    get,
    path = "/admin/events",
    operation_id = "listInventories",
    tag = OPERATOR,
    responses(
        (
            status = 200,
            description = "The SeatingEvents.",
            body = Vec<InventoryBody>,
            example = json!([inventory(1, "OnSale", 1)])
        ),
        OfOperator
    )
)]
async fn list(State(admin): State<Admin>) -> Result<Json<Vec<InventoryBody>>, Problem> {
    Ok(Json(admin.store.inventories().await?.into_iter().map(InventoryBody::from).collect()))
}

/// Show a SeatingEvent
///
/// Its inventory, as of now.
#[utoipa::path(
    get,
    path = "/admin/events/{eventId}",
    operation_id = "showInventory",
    tag = OPERATOR,
    params(OfEvent),
    responses(
        (
            status = 200,
            description = "The inventory.",
            body = InventoryBody,
            example = json!(inventory(1, "OnSale", 1))
        ),
        OfInventory
    )
)]
async fn show(
    State(admin): State<Admin>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<InventoryBody>, Problem> {
    Ok(Json(admin.inventory(&event).await?.into()))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Removal {
    /// Whether the seats are forgotten too, once every domain event is published.
    #[serde(default)]
    #[param(required = false, example = true)]
    purge: bool,
}

/// Remove a SeatingEvent
///
/// Closes the sales and keeps the seats; with `?purge=true` forgets them too, once every domain event is published.
#[utoipa::path(
    delete,
    path = "/admin/events/{eventId}",
    operation_id = "removeEvent",
    tag = OPERATOR,
    params(OfEvent, Removal),
    responses(
        (
            status = 200,
            description = "The sales are closed.",
            body = InventoryBody,
            example = json!(inventory(2, "Closed", 1))
        ),
        (status = 204, description = "It is forgotten."),
        OfInventory
    )
)]
async fn remove(
    State(admin): State<Admin>,
    chain: Chain,
    Id(event): Id<SeatingEventId>,
    Query(removal): Query<Removal>,
) -> Result<Response, Problem> {
    let history = admin.published.history(&event).await?;
    let closed = admin.execute(&event, &Command::Close, &chain).await?;
    if !removal.purge {
        return Ok(Json(InventoryBody::from(admin.inventory(&event).await?)).into_response());
    }
    let unpublished =
        || Problem::unavailable("the sales are closed, but not every event is published: purge again");
    admin
        .published
        .reached(&event, history, closed.answer.sequence())
        .await
        .map_err(|unreached| unpublished().because(unreached.to_string()))?;
    if admin.store.purge(&event).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unpublished())
    }
}

impl Admin {
    /// Has a command of the operator's carried out.
    async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        chain: &Chain,
    ) -> Result<Outcome, Problem> {
        let outcome = self.store.execute(event, command, &cause(chain, None, None)).await?;
        outcome.map_err(|rejection| refused(event, &rejection))
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Inventory, Problem> {
        let found = self.store.inventory(event).await?;
        found.ok_or_else(|| refused(event, &Rejection::EventNotFound))
    }

    /// The partition of `event` (I4): the pinned one, or what Kafka's own producers would choose today.
    async fn partition(&self, event: &SeatingEventId) -> Result<u32, Problem> {
        if let Some(inventory) = self.store.inventory(event).await? {
            return Ok(inventory.partition);
        }
        let unavailable =
            || Problem::unavailable("the log does not answer, and a new event needs its partition from it");
        let asked = timeout(LOG_TIMEOUT, self.log.partitions(&self.topic)).await;
        let partitions =
            asked.map_err(|_| unavailable())?.map_err(|error| unavailable().because(error.to_string()))?;
        Ok(partition_of(event.as_str(), partitions))
    }
}

#[cfg(test)]
mod tests;
