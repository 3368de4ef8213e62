//! The operator's API, on a port of its own: SeatingEvents go in as definitions and come back as inventories (I8).

mod auth;

mod blocks;

mod log;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use axum::{Json, Router};
use boxoffice_domain::definition::Phase;
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Chart, Command, Definition, Rejection, SeatingEventId};
use boxoffice_runtime::http::{Chain, Id, Problem};
use boxoffice_runtime::log::EventLog;
use serde::{Deserialize, Serialize};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

pub use auth::{AdminToken, EmptyToken};

use crate::http::body::Body;
use crate::http::caller::cause;
use crate::http::refusal::refused;
use crate::published::Published;
use crate::store::{Backlog, Inventory, Outbox, SeatStore};

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

/// The routes, for whoever reaches them.
pub fn routes(admin: Admin) -> Router {
    Router::new()
        .route("/admin/events", get(list))
        .route("/admin/events/{eventId}", put(provision).get(show).delete(remove))
        .route("/admin/events/{eventId}/blocks", post(blocks::block).delete(blocks::unblock))
        .route("/admin/outbox", get(outbox))
        .route("/admin/log", get(log::tail))
        .with_state(admin)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
}

/// `routes` for whoever shows `token`.
pub fn guarded(routes: Router, token: AdminToken) -> Router {
    routes.layer(from_fn_with_state(token, auth::require))
}

/// An [`Inventory`] as the operator reads it.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct InventoryBody {
    event_id: SeatingEventId,
    chart_hash: String,
    partition: u32,
    sequence: u64,
    phase: Phase,
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

async fn list(State(admin): State<Admin>) -> Result<Json<Vec<InventoryBody>>, Problem> {
    Ok(Json(admin.store.inventories().await?.into_iter().map(InventoryBody::from).collect()))
}

async fn show(
    State(admin): State<Admin>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<InventoryBody>, Problem> {
    Ok(Json(admin.inventory(&event).await?.into()))
}

/// What of all SeatingEvents waits to be published.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OutboxBody {
    /// SeatingEvents of which something waits.
    events: usize,
    /// Domain events that wait.
    depth: u64,
    /// How long the oldest of them has waited.
    oldest_seconds: u64,
}

impl From<Vec<Backlog>> for OutboxBody {
    fn from(backlogs: Vec<Backlog>) -> Self {
        Self {
            events: backlogs.len(),
            depth: backlogs.iter().map(|backlog| backlog.entries).sum(),
            oldest_seconds: backlogs.iter().map(|backlog| backlog.age.as_secs()).max().unwrap_or_default(),
        }
    }
}

async fn outbox(State(admin): State<Admin>) -> Result<Json<OutboxBody>, Problem> {
    Ok(Json(admin.outbox.backlogs().await?.into()))
}

#[derive(Deserialize)]
struct Removal {
    #[serde(default)]
    purge: bool,
}

/// Closes the sales and keeps the seats; with `?purge=true` forgets them too, once every domain event is published.
async fn remove(
    State(admin): State<Admin>,
    chain: Chain,
    Id(event): Id<SeatingEventId>,
    removal: Result<Query<Removal>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Problem> {
    let Query(removal) = removal.map_err(|rejection| Problem::invalid(rejection.body_text()))?;
    let outcome = admin.store.execute(&event, &Command::Close, &cause(&chain, None, None)).await?;
    let closed = outcome.map_err(|rejection| refused(&event, &rejection))?;
    if !removal.purge {
        return Ok(Json(InventoryBody::from(admin.inventory(&event).await?)).into_response());
    }
    let unpublished =
        || Problem::unavailable("the sales are closed, but not every event is published: purge again");
    admin
        .published
        .reached(&event, closed.answer.sequence())
        .await
        .map_err(|not_yet| unpublished().because(not_yet.to_string()))?;
    if admin.store.purge(&event).await? {
        Ok(StatusCode::NO_CONTENT.into_response())
    } else {
        Err(unpublished())
    }
}

impl Admin {
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
