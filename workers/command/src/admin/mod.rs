//! The operator's and the box office's API, on a port of its own: SeatingEvents go in as definitions and come back as
//! inventories (I8), and staff act for buyers.

mod provisioning;

mod blocks;

mod staff;

mod snapshot;

mod outbox;

mod log;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderName, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use boxoffice_domain::definition::Phase;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Command, Rejection, SeatingEventId};
use boxoffice_runtime::http::{Id, Problem, RequestContext};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use boxoffice_runtime::reading::Query;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::http::command_service::{CommandService, Order};
use crate::http::refusal::refused;
use crate::openapi::examples::inventory;
use crate::openapi::{OPERATOR, OfInventory, OfOperator, about_operators, for_operators};
use crate::relay::RelayMetrics;
use crate::store::{Inventory, Listing, Outbox, Outcome, SeatStore};

/// Longest definition: four times what Kubernetes lets a resource's annotations have, and more than a stadium needs.
const MAX_BODY_BYTES: usize = 1 << 20;
/// Longest wait for the log to say how many partitions it has.
const LOG_TIMEOUT: Duration = Duration::from_secs(5);

/// The header of a list in which something may be missing.
const PARTIAL: HeaderName = HeaderName::from_static("x-partial");

/// What the routes share.
#[derive(Clone)]
pub struct Admin {
    /// What carries commands out.
    pub commands: CommandService,
    /// Where seats are.
    pub store: Arc<dyn SeatStore>,
    /// Where their domain events wait.
    pub outbox: Arc<dyn Outbox>,
    /// How the relay of this process is.
    pub relay: RelayMetrics,
    /// Where their domain events go.
    pub log: Arc<dyn EventLog>,
    /// Topic of the domain events.
    pub topic: Arc<str>,
    /// Topic of the statistics.
    pub stats_topic: Arc<str>,
    /// Topic of the payments.
    pub payment_topic: Arc<str>,
    /// Whether the log keeps snapshots beside the domain events.
    pub keeps_snapshots: bool,
    /// Ends answers that would go on for ever.
    pub stop: CancellationToken,
}

/// The routes, for whoever reaches them.
pub fn routes(admin: Admin) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.with_state(admin).layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_operators(described().into_openapi())
}

fn described() -> OpenApiRouter<Admin> {
    OpenApiRouter::with_openapi(about_operators())
        .routes(routes!(list))
        .routes(routes!(show, provisioning::provision, remove))
        .routes(routes!(blocks::block, blocks::unblock))
        .routes(routes!(snapshot::show))
        .routes(routes!(staff::hold))
        .routes(routes!(staff::reserve))
        .routes(routes!(staff::release))
        .routes(routes!(staff::cancel))
        .routes(routes!(outbox::show))
        .routes(routes!(log::tail))
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
    /// When that happened, in Unix milliseconds; absent where it is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false, value_type = u64)]
    last_event_at: Option<u64>,
    /// Where it stands in its life.
    #[schema(value_type = schemas::Phase)]
    phase: Phase,
    /// Seats by status.
    #[schema(value_type = schemas::SeatCounts)]
    seats: SeatCounts,
}

impl From<Inventory> for InventoryBody {
    fn from(inventory: Inventory) -> Self {
        let phase = inventory.phase();
        let Inventory { event, chart_hash, partition, sequence, last_event_at, seats, .. } = inventory;
        Self { event_id: event, chart_hash, partition, sequence, last_event_at, phase, seats }
    }
}

/// List SeatingEvents
///
/// All of them with their counts, by id: one call is enough for all statuses. Where a part of the store does not say what
/// it has, the answer has `x-partial: true`, and what is missing in it may be there all the same.
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
            headers((
                "x-partial" = bool,
                description = "There where a part of the store did not say what it has."
            )),
            example = json!([inventory(1, "OnSale", 1)])
        ),
        OfOperator
    )
)]
async fn list(State(admin): State<Admin>) -> Result<Response, Problem> {
    let Listing { inventories, is_partial } = admin.store.inventories().await?;
    let body: Vec<_> = inventories.into_iter().map(InventoryBody::from).collect();
    let partial = is_partial.then_some([(PARTIAL, "true")]);
    Ok((partial, Json(body)).into_response())
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
    /// Whether the seats are forgotten too, whoever has some of them.
    #[serde(default)]
    #[param(required = false, example = true)]
    purge: bool,
}

/// Remove a SeatingEvent
///
/// Closes the sales and keeps the seats; with `?purge=true` forgets them too, whoever has some of them. One that is
/// provisioned again under the same id has none of them, and its domain events go on with the next sequence.
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
    chain: RequestContext,
    Id(event): Id<SeatingEventId>,
    Query(removal): Query<Removal>,
) -> Result<Response, Problem> {
    admin.execute(&event, &Command::Close, &chain).await?;
    if !removal.purge {
        return Ok(Json(InventoryBody::from(admin.inventory(&event).await?)).into_response());
    }
    admin.execute(&event, &Command::Purge, &chain).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

impl Admin {
    /// Has a command of the operator's carried out.
    async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        chain: &RequestContext,
    ) -> Result<Outcome, Problem> {
        self.commands.execute(event, command, Order { chain, user: None, idempotency: None }).await
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Inventory, Problem> {
        let found = self.store.inventory(event).await?;
        found.ok_or_else(|| refused(event, &Rejection::EventNotFound))
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod staff_tests;
