//! `GET /admin/events/{eventId}/archive`: what a SeatingEvent that is over came to, as it was told last.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use boxoffice_domain::{Rejection, SeatingEventId};
use boxoffice_runtime::http::{Id, Problem, code};
use boxoffice_runtime::openapi::params::OfEvent;
use tokio::time::timeout;

use super::Admin;
use crate::archive::{Archive, shelf};
use crate::http::refusal::refused;
use crate::openapi::examples::archive;
use crate::openapi::{OPERATOR, OfArchive};

/// Longest time that looking for one takes: all archives of its partition are read for it.
const READ_TIMEOUT: Duration = Duration::from_secs(8);

/// Show an archive
///
/// What the SeatingEvent came to when it was over: counts, revenue, reservations, and the hash of it all. It names users. One
/// that was put on again is told anew when it is over again, and until then this is what it was.
#[utoipa::path(
    get,
    path = "/admin/events/{eventId}/archive",
    operation_id = "showArchive",
    tag = OPERATOR,
    params(OfEvent),
    responses(
        (status = 200, description = "The archive.", body = Archive, example = json!(archive())),
        OfArchive
    )
)]
pub(super) async fn show(
    State(admin): State<Admin>,
    Id(event): Id<SeatingEventId>,
) -> Result<Json<Archive>, Problem> {
    let partition = admin.outbox.pinned_partition(&event).await?;
    let partition = partition.ok_or_else(|| refused(&event, &Rejection::EventNotFound))?;
    let reading = shelf::read(admin.log.as_ref(), &admin.topic, partition, &event);
    let found = timeout(READ_TIMEOUT, reading).await.map_err(|_| {
        let seconds = READ_TIMEOUT.as_secs();
        Problem::unavailable(format!(
            "the archives of partition {partition} were not read within {seconds} s: try again"
        ))
    })?;
    let found = found.map_err(|error| {
        Problem::unavailable(format!("the archives of partition {partition} cannot be read: {error}"))
    })?;
    found.map(Json).ok_or_else(|| {
        let detail = format!(
            "there is no archive of {event} yet: it is written 50 h after both sales.closesAt and sales.cancelUntil, when all \
             of it is published and no hold is left"
        );
        Problem::new(StatusCode::NOT_FOUND, code::ARCHIVE_NOT_FOUND, detail)
    })
}
