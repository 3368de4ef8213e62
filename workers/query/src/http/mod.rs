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
use boxoffice_runtime::http::{Problem, code};
use boxoffice_runtime::identity::Identity;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics::Metrics;
use crate::openapi::{about_readers, for_readers};
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
        let unknown = || Problem::new(StatusCode::NOT_FOUND, code::EVENT_NOT_FOUND, "there is no such event");
        self.views.get(id).ok_or_else(unknown)
    }
}

/// The routes.
pub fn routes(knowledge: Knowledge) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.with_state(knowledge)
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_readers(described().into_openapi())
}

fn described() -> OpenApiRouter<Knowledge> {
    OpenApiRouter::with_openapi(about_readers())
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(seat_map::show))
        .routes(routes!(events::stats))
        .routes(routes!(seats::show))
}

#[cfg(test)]
mod tests;
