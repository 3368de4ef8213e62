//! The HTTP API of readers: every answer comes from memory, none from a store.
//!
//! `events` answers for SeatingEvents, `seat_map` for their seats (with `conditional`: tags and encodings),
//! `seats` for one seat. A closed SeatingEvent is answered as one that is not there.

mod conditional;
mod events;
mod seat_map;
mod seats;

use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use boxoffice_runtime::http::Problem;
use boxoffice_runtime::identity::Identity;

use crate::metrics::Metrics;
use crate::view::{LiveMap, Stats, Views};

/// What the routes answer from.
#[derive(Debug, Clone)]
pub struct Knowledge {
    /// How readers are known, where it matters.
    pub identity: Identity,
    /// The seats.
    pub views: Arc<Views>,
    /// The statistics.
    pub stats: Arc<Stats>,
    /// Counts renderings.
    pub metrics: Metrics,
}

impl Knowledge {
    fn event(&self, id: &str) -> Result<Arc<LiveMap>, Problem> {
        let unknown = || Problem::new(StatusCode::NOT_FOUND, "EVENT_NOT_FOUND", "there is no such event");
        self.views.get(id).ok_or_else(unknown)
    }
}

/// The routes.
pub fn routes(knowledge: Knowledge) -> Router {
    Router::new()
        .route("/events", get(events::list))
        .route("/events/{eventId}", get(events::show))
        .route("/events/{eventId}/seats", get(seat_map::show))
        .route("/events/{eventId}/stats", get(events::stats))
        .route("/seats/{seatId}", get(seats::show))
        .with_state(knowledge)
}

#[cfg(test)]
mod tests;
