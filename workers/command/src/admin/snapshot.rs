//! `GET /admin/events/{eventId}/snapshot`: the newest snapshot of a SeatingEvent, which is what the log says of it up to
//! an offset; what recovery begins with.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use boxoffice_domain::state::{FailedReservation, Hold, Reservation, Sale, Seat};
use boxoffice_domain::{Rejection, SeatingEventId, UnixMillis, UserId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfEvent;
use boxoffice_runtime::openapi::schemas;
use serde::Serialize;
use tokio::time::timeout;
use utoipa::ToSchema;
use uuid::Uuid;

use super::Admin;
use crate::http::refusal::refused;
use crate::openapi::examples::snapshot;
use crate::openapi::{OPERATOR, OfSnapshot};
use crate::snapshot::folder::BEHIND;
use crate::snapshot::{Snapshot, read};

/// Longest time that looking for one takes: all snapshots of its partition are read for it.
const READ_TIMEOUT: Duration = Duration::from_secs(8);

/// A SeatingEvent as the log says it was.
#[derive(Serialize, ToSchema)]
#[schema(as = Snapshot)]
#[serde(rename_all = "camelCase")]
pub(super) struct SnapshotBody {
    /// The SeatingEvent.
    #[schema(value_type = schemas::SeatingEventId)]
    event_id: SeatingEventId,
    /// The form that it was written in.
    format: u32,
    /// The partition that its domain events go to.
    partition: u32,
    /// Everything of it that lies on the log before this offset is in the snapshot.
    offset: u64,
    /// Sequence of the last domain event that is in it.
    sequence: u64,
    /// When that happened.
    time: UnixMillis,
    /// Id of the command that wrote the definition; absent where it was purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = String, required = false)]
    revision: Option<Uuid>,
    /// Its definition, and whether its sales are closed for good; absent where it was purged.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object, required = false)]
    sale: Option<Arc<Sale>>,
    /// Seats that are not simply available, by their keys.
    #[schema(value_type = Object)]
    seats: BTreeMap<String, Seat>,
    /// Holds, also those that expired or were reserved, by their UUIDs.
    #[schema(value_type = Object)]
    holds: BTreeMap<Uuid, Hold>,
    /// Reservations, by their UUIDs.
    #[schema(value_type = Object)]
    reservations: BTreeMap<Uuid, Reservation>,
    /// Reservations whose payment failed, by their UUIDs.
    #[schema(value_type = Object)]
    failed: BTreeMap<Uuid, FailedReservation>,
    /// How many seats each user holds or has reserved.
    #[schema(value_type = Object)]
    claims: BTreeMap<UserId, u32>,
}

impl From<Snapshot> for SnapshotBody {
    fn from(Snapshot { format, partition, offset, time, revision, state }: Snapshot) -> Self {
        Self {
            event_id: state.id,
            format,
            partition,
            offset,
            sequence: state.sequence,
            time,
            revision,
            sale: state.sale,
            seats: state.seats.into_iter().collect(),
            holds: state.holds.into_iter().collect(),
            reservations: state.reservations.into_iter().collect(),
            failed: state.failed.into_iter().collect(),
            claims: state.claims,
        }
    }
}

/// Show a snapshot
///
/// The newest one of the SeatingEvent: what the log says of it up to an offset, from which recovery goes on. It names
/// users, and it may be some 50,000 domain events old.
#[utoipa::path(
    get,
    path = "/admin/events/{eventId}/snapshot",
    operation_id = "showSnapshot",
    tag = OPERATOR,
    params(OfEvent),
    responses(
        (status = 200, description = "The snapshot.", body = SnapshotBody, example = json!(snapshot())),
        OfSnapshot
    )
)]
pub(super) async fn show(
    State(admin): State<Admin>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<SnapshotBody>, Problem> {
    let partition = admin.outbox.pinned_partition(&event).await?;
    let partition = partition.ok_or_else(|| refused(&event, &Rejection::EventNotFound))?;
    if !admin.keeps_snapshots {
        return Err(none(
            "no snapshots are kept here: one process works its seats out from all of its log at each start"
                .to_owned(),
        ));
    }
    let reading = read(admin.log.as_ref(), &admin.topic, partition, &event);
    let found = timeout(READ_TIMEOUT, reading).await.map_err(|_| {
        let seconds = READ_TIMEOUT.as_secs();
        Problem::unavailable(format!(
            "the snapshots of partition {partition} were not read within {seconds} s: try again"
        ))
    })?;
    let found = found.map_err(|error| {
        Problem::unavailable(format!("the snapshots of partition {partition} cannot be read: {error}"))
    })?;
    let found = found.ok_or_else(|| {
        none(format!(
            "there is no snapshot of {event} yet: the first is written when {BEHIND} records of partition {partition} \
             are published, or sales of one of its SeatingEvents are closed for good; until then recovery reads its \
             domain events from the first one"
        ))
    })?;
    Ok(Json(found.into()))
}

fn none(detail: String) -> Problem {
    Problem::new(StatusCode::NOT_FOUND, code::SNAPSHOT_NOT_FOUND, detail)
}
