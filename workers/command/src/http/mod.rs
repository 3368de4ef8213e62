//! The HTTP API of buyers: one route a command.
//!
//! The [`gate`] lets a [`caller`] in, [`once`] says whether they asked before; the [`desk`] has the command carried out,
//! [`answers`] and [`refusal`] say how it ended.
//! Nothing here knows how a seat is claimed; correlation ids, time-outs and metrics are the runtime's.

pub mod gate;

mod buckets;

pub mod caller;

mod once;

mod seats;

mod holds;

pub mod desk;

mod answers;

pub mod refusal;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::{about_buyers, for_buyers};
use desk::Desk;
use gate::Gate;

/// What the routes share.
#[derive(Clone)]
struct Hall {
    gate: Gate,
    desk: Desk,
}

impl FromRef<Hall> for Gate {
    fn from_ref(hall: &Hall) -> Self {
        hall.gate.clone()
    }
}

impl FromRef<Hall> for Desk {
    fn from_ref(hall: &Hall) -> Self {
        hall.desk.clone()
    }
}

/// The routes behind `gate`, with bodies of at most `max_body_bytes`.
pub fn routes(gate: Gate, desk: Desk, max_body_bytes: usize) -> Router {
    let (routes, _) = described().split_for_parts();
    routes.with_state(Hall { gate, desk }).layer(DefaultBodyLimit::max(max_body_bytes))
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_buyers(described().into_openapi())
}

fn described() -> OpenApiRouter<Hall> {
    OpenApiRouter::with_openapi(about_buyers())
        .routes(routes!(seats::hold))
        .routes(routes!(seats::reserve))
        .routes(routes!(seats::release))
        .routes(routes!(holds::create))
        .routes(routes!(holds::show, holds::release))
        .routes(routes!(holds::reserve))
        .routes(routes!(holds::extend))
        .routes(routes!(holds::cancel))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod choosing_tests;

#[cfg(test)]
mod gate_tests;
