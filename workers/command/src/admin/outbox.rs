//! `GET /admin/outbox`: what of all SeatingEvents waits to be published; the operator shows it in the status.

use axum::Json;
use axum::extract::State;
use boxoffice_runtime::http::Problem;
use serde::Serialize;
use utoipa::ToSchema;

use super::Admin;
use crate::openapi::{LOG, OfOperator};
use crate::store::Backlog;

/// What of all SeatingEvents waits to be published.
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

/// Show what waits for the log
///
/// Domain events that are written and not yet published, of all SeatingEvents together.
#[utoipa::path(
    get,
    path = "/admin/outbox",
    operation_id = "showOutbox",
    tag = LOG,
    responses(
        (
            status = 200,
            description = "How much waits, and for how long.",
            body = OutboxBody,
            example = json!({"events": 1, "depth": 3, "oldestSeconds": 7})
        ),
        OfOperator
    )
)]
pub(super) async fn show(State(admin): State<Admin>) -> Result<Json<OutboxBody>, Problem> {
    let events: Vec<_> = admin.outbox.pinned().await?.into_iter().map(|(event, _)| event).collect();
    Ok(Json(admin.outbox.backlogs(&events).await.into()))
}
