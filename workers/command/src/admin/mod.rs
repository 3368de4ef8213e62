//! The operator's and the box office's API, on a port of its own: SeatingEvents go in as definitions and come back as
//! inventories (I8), and staff act for buyers.

pub mod changes;

mod provisioning;

mod plan;

mod blocks;

mod staff;

mod snapshot;

mod archive;

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

use self::changes::{Changes, News};

use crate::http::command_service::{CommandService, Order};
use crate::http::refusal::refused;
use crate::openapi::examples::{changed_inventories, inventory};
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
    /// What the lists showed.
    pub changes: Arc<Changes>,
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
        .routes(routes!(plan::plan))
        .routes(routes!(blocks::block, blocks::unblock))
        .routes(routes!(snapshot::show))
        .routes(routes!(archive::show))
        .routes(routes!(staff::hold))
        .routes(routes!(staff::reserve))
        .routes(routes!(staff::release))
        .routes(routes!(staff::cancel))
        .routes(routes!(outbox::show))
        .routes(routes!(log::tail))
}

/// An [`Inventory`] as the operator reads it.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Inventory)]
#[serde(rename_all = "camelCase")]
struct InventoryBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// Fingerprint of its seats and their prices.
    chart_hash: String,
    /// Digest of all of its definition: an equal one has the same.
    definition_hash: String,
    /// Whether its sales are closed for good; a definition opens them again, also an equal one.
    closed: bool,
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
        let Inventory {
            event,
            definition: _,
            phase,
            chart_hash,
            definition_hash,
            closed,
            partition,
            sequence,
            last_event_at,
            seats,
            at: _,
        } = inventory;
        Self {
            event_id: event,
            chart_hash,
            definition_hash,
            closed,
            partition,
            sequence,
            last_event_at,
            phase,
            seats,
        }
    }
}

/// What a list answers.
#[derive(Serialize, ToSchema)]
#[schema(as = Inventories)]
#[serde(untagged)]
enum ListBody {
    /// All of them.
    All(Vec<InventoryBody>),
    /// What changed since the cursor.
    Since(NewsBody),
}

/// What changed since a cursor.
#[derive(Serialize, ToSchema)]
#[schema(as = ChangedInventories)]
struct NewsBody {
    /// To come with next time.
    cursor: String,
    /// Whether these are all that there are, because the cursor was not known.
    all: bool,
    /// Those that are new or changed.
    events: Vec<InventoryBody>,
    /// Those that were there before and are not any more.
    #[schema(value_type = Vec<schemas::SeatingEventId>)]
    gone: Vec<SeatingEventId>,
    /// Those that are there and cannot be read just now; asked for alone, each says why.
    #[schema(value_type = Vec<schemas::SeatingEventId>)]
    unreadable: Vec<SeatingEventId>,
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct Wanted {
    /// The cursor of the answer before: only what changed since then is told. Any other text gives all, with a cursor.
    #[serde(default)]
    #[param(required = false, example = "begin")]
    cursor: Option<String>,
}

/// List SeatingEvents
///
/// All of them with their counts, by id: one call is enough for all statuses. Where a part of the store does not say what
/// it has, or one of them cannot be read, the answer has `x-partial: true`, and what is missing in it may be there all the
/// same. With `?cursor=` it tells what changed since the answer that gave that cursor, and which cannot be read.
#[utoipa::path(
    get,
    path = "/admin/events",
    operation_id = "listInventories",
    tag = OPERATOR,
    params(Wanted),
    responses(
        (
            status = 200,
            description = "The SeatingEvents, or what changed of them.",
            body = ListBody,
            headers((
                "x-partial" = bool,
                description = "There where something may be missing: a part of the store did not say what it has, or one \
                               of them cannot be read."
            )),
            examples(
                ("all" = (summary = "All of them", value = json!([inventory(1, "OnSale", 1)]))),
                ("changed" = (summary = "With a cursor that is not known", value = json!(changed_inventories())))
            )
        ),
        OfOperator
    )
)]
async fn list(State(admin): State<Admin>, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let Listing { inventories, unreadable, is_partial } = admin.store.inventories().await?;
    // Whoever does not know of those that cannot be read takes nothing for gone.
    let lacks_some = is_partial || !unreadable.is_empty();
    let list = inventories.into_iter().map(InventoryBody::from).collect();
    let body = match wanted.cursor {
        None => ListBody::All(list),
        Some(cursor) => {
            let News { cursor, all, events, gone } =
                admin.changes.since(&cursor, list, &unreadable, is_partial);
            ListBody::Since(NewsBody { cursor, all, events, gone, unreadable })
        }
    };
    let partial = lacks_some.then_some([(PARTIAL, "true")]);
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
