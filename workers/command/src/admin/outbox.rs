//! `GET /admin/outbox`: what of all SeatingEvents waits to be published, and whether another store sells the same seats;
//! the operator shows both in the status.

use axum::Json;
use axum::extract::State;
use boxoffice_runtime::http::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use crate::openapi::{LOG, OfOperator};
use crate::store::{Backlog, StoreServer};

/// What of all SeatingEvents waits to be published, and what this process says of its store.
#[derive(Serialize, ToSchema)]
#[schema(as = Outbox)]
#[serde(rename_all = "camelCase")]
pub(super) struct OutboxBody {
    /// SeatingEvents of which something waits.
    events: usize,
    /// Domain events that wait.
    depth: u64,
    /// How long the oldest of them has waited.
    oldest_seconds: u64,
    /// Lanes of this process that another Redis sells too, so that nothing is sold there.
    splits: u64,
    /// The Redis masters that this process uses.
    servers: Vec<ServerBody>,
}

/// A Redis master.
#[derive(Serialize, ToSchema)]
#[schema(as = RedisServer)]
struct ServerBody {
    /// Its address, `host:port`.
    address: String,
    /// The beginnings of its run id and its replication id: two masters at one address differ in them.
    history: String,
}

impl From<StoreServer> for ServerBody {
    fn from(StoreServer { address, history }: StoreServer) -> Self {
        Self { address, history: history.in_short() }
    }
}

impl OutboxBody {
    fn new(backlogs: &[Backlog], splits: i64, servers: Vec<StoreServer>) -> Self {
        Self {
            events: backlogs.len(),
            depth: backlogs.iter().map(|backlog| backlog.entries).sum(),
            oldest_seconds: backlogs.iter().map(|backlog| backlog.age.as_secs()).max().unwrap_or_default(),
            splits: u64::try_from(splits).unwrap_or_default(),
            servers: servers.into_iter().map(ServerBody::from).collect(),
        }
    }
}

/// Show what waits for the log
///
/// Domain events that are written and not yet published, of all SeatingEvents together; and of this process alone, which
/// Redis it uses and whether another one sells the same seats.
#[utoipa::path(
    get,
    path = "/admin/outbox",
    operation_id = "showOutbox",
    tag = LOG,
    responses(
        (
            status = 200,
            description = "How much waits, and for how long; the servers.",
            body = OutboxBody,
            example = json!({
                "events": 1, "depth": 3, "oldestSeconds": 7, "splits": 0,
                "servers": [{"address": "redis:6379", "history": "0a1b2c3d:4e5f6071"}]
            })
        ),
        OfOperator
    )
)]
pub(super) async fn show(State(admin): State<Admin>) -> Result<Json<OutboxBody>, Problem> {
    let events: Vec<_> = admin.outbox.pinned().await?.into_iter().map(|(event, _)| event).collect();
    let backlogs = admin.outbox.backlogs(&events).await;
    Ok(Json(OutboxBody::new(&backlogs, admin.relay.splits(), admin.store.servers())))
}
