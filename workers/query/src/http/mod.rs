//! The HTTP API of readers. What everybody is shown comes from memory; what one user has, and how it came about, from where
//! the view is kept.
//!
//! `events` answers for SeatingEvents, `chart` for what does not change of their seats (by brotli from `charts`),
//! `seat_map` for what does (with `conditional`: tags and encodings), `stream` for that as it happens, `seats` for one
//! seat; `viewed` says of which state, `web` what a page has to know; `headers` are those of a request. A closed
//! SeatingEvent is answered as one that is not there. `users` and `reservations` tell a user what the user has, `trace`
//! what came of a request.

mod chart;
mod charts;
mod conditional;
mod events;
mod headers;
mod pieces;
pub(crate) mod reservations;
mod seat_map;
mod seats;
mod stream;
pub(crate) mod trace;
mod users;
pub(crate) mod viewed;
mod web;

use std::sync::Arc;

use axum::http::{HeaderName, StatusCode, header};
use axum::{Json, Router};
use boxoffice_domain::events::SectionStats;
use boxoffice_runtime::http::{Lasting, Problem, code};
use boxoffice_runtime::identity::Identity;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

pub use charts::Charts;

use crate::metrics::Metrics;
use crate::openapi::{about_readers, for_readers};
use crate::orders::OrderService;
use crate::view::age::Age;
use crate::view::streams::Streams;
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
    /// Those who are told of every change.
    pub streams: Arc<Streams>,
    /// How old all of that may be.
    pub age: Arc<Age>,
    /// Where pages send commands, where that is not their own origin.
    pub command_url: Option<String>,
    /// Charts that were compressed.
    pub charts: Arc<Charts>,
    /// What users have.
    pub order_service: OrderService,
    /// Counts renderings.
    pub metrics: Metrics,
}

/// An answer that depends on who asks, so nothing on the way may keep it.
type Private<T> = ([(HeaderName, &'static str); 2], Json<T>);

/// Reads that may take longer than others.
pub const LASTING: &[Lasting] = &[reservations::LASTING];

impl Knowledge {
    /// A SeatingEvent that is not closed.
    fn event(&self, id: &str) -> Result<Arc<LiveMap>, Problem> {
        self.views.get(id).ok_or_else(|| self.no_event())
    }

    /// The same, closed or not.
    pub(crate) fn any_event(&self, id: &str) -> Result<Arc<LiveMap>, Problem> {
        self.views.find(id).ok_or_else(|| self.no_event())
    }

    /// What is said of a SeatingEvent that is not known: nothing, as long as no other is.
    fn no_event(&self) -> Problem {
        self.loaded().err().unwrap_or_else(|| {
            Problem::new(StatusCode::NOT_FOUND, code::EVENT_NOT_FOUND, "there is no such event")
        })
    }

    /// Fails until it is known which SeatingEvents there are: that none is known does not say that there is none.
    fn loaded(&self) -> Result<(), Problem> {
        if self.views.is_loaded() {
            Ok(())
        } else {
            Err(Problem::unavailable("what is on sale is not known here yet: ask again"))
        }
    }

    /// The statistics of a SeatingEvent, and the sequence of the last domain event that they cover.
    pub(crate) fn statistics(&self, event: &str) -> Result<(u64, Vec<SectionStats>), Problem> {
        let newest = self.stats.get(event).map(|stats| (stats.as_of_sequence, stats.sections.clone()));
        // Nothing was read of it yet, which says nothing of what was sold.
        newest.ok_or_else(|| Problem::unavailable("its statistics are not known here yet: ask again"))
    }

    fn private_headers(&self) -> [(HeaderName, &'static str); 2] {
        [(header::CACHE_CONTROL, "private, no-store"), (header::VARY, self.identity.header())]
    }
}

/// The routes.
pub fn routes(knowledge: Knowledge) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.with_state(Arc::new(knowledge))
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_readers(described().into_openapi())
}

fn described() -> OpenApiRouter<Arc<Knowledge>> {
    OpenApiRouter::with_openapi(about_readers())
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(chart::show))
        .routes(routes!(seat_map::show))
        .routes(routes!(stream::show))
        .routes(routes!(events::stats))
        .routes(routes!(seats::show))
        .routes(routes!(web::show))
        .routes(routes!(users::reservations))
        .routes(routes!(users::holds))
        .routes(routes!(reservations::show))
        .routes(routes!(trace::show))
}

#[cfg(test)]
mod own_tests;

#[cfg(test)]
mod tests;
