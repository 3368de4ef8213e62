//! The HTTP API of readers: every answer comes from memory, none from a store.
//!
//! `events` answers for SeatingEvents, `chart` for what does not change of their seats, `seat_map` for what does (with
//! `conditional`: tags and encodings), `stream` for that as it happens, `seats` for one seat; `viewed` says of which state, `web` what a page has to
//! know. A closed SeatingEvent is answered as one that is not there.

mod chart;
mod conditional;
mod events;
mod pieces;
mod seat_map;
mod seats;
mod stream;
mod viewed;
mod web;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use boxoffice_runtime::identity::Identity;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::metrics::Metrics;
use crate::openapi::{about_readers, for_readers};
use crate::view::age::Age;
use crate::view::streams::Streams;
use crate::view::{Stats, Views};

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
    /// Counts renderings.
    pub metrics: Metrics,
}

/// The routes.
pub fn routes(knowledge: Knowledge) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.layer(from_fn_with_state(knowledge.clone(), viewed::tell_age)).with_state(knowledge)
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_readers(described().into_openapi())
}

fn described() -> OpenApiRouter<Knowledge> {
    OpenApiRouter::with_openapi(about_readers())
        .routes(routes!(events::list))
        .routes(routes!(events::show))
        .routes(routes!(chart::show))
        .routes(routes!(seat_map::show))
        .routes(routes!(stream::show))
        .routes(routes!(events::stats))
        .routes(routes!(seats::show))
        .routes(routes!(web::show))
}

#[cfg(test)]
mod tests;
