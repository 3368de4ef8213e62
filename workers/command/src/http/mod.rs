//! The HTTP API of buyers: one route a command.
//!
//! The [`gate`] lets a [`caller`] in, [`idempotency_key`] says whether they asked before; the [`command_service`] has the
//! command carried out, [`answers`] and [`refusal`] say how it ended. Staff's and the operator's routes, in `admin`, use
//! the same.
//! Nothing here knows how a seat is claimed; correlation ids, time-outs and metrics are the runtime's.

pub mod gate;

mod buckets;

pub mod caller;

pub mod idempotency_key;

pub mod hold_request;

mod seats;

pub mod holds;

mod reservations;

pub mod command_service;

pub mod answers;

pub mod refusal;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::openapi::{about_buyers, for_buyers};
use command_service::CommandService;
use gate::Gate;

/// What the routes share.
#[derive(Clone)]
struct AppState {
    gate: Gate,
    commands: CommandService,
}

impl FromRef<AppState> for Gate {
    fn from_ref(state: &AppState) -> Self {
        state.gate.clone()
    }
}

impl FromRef<AppState> for CommandService {
    fn from_ref(state: &AppState) -> Self {
        state.commands.clone()
    }
}

/// The routes behind `gate`, with bodies of at most `max_body_bytes`.
pub fn routes(gate: Gate, commands: CommandService, max_body_bytes: usize) -> Router {
    let limited = with_body().layer(DefaultBodyLimit::max(max_body_bytes));
    let (routes, _) = without_body().merge(limited).split_for_parts();
    routes.with_state(AppState { gate, commands })
}

/// What the routes do, for programs and people.
pub fn document() -> OpenApi {
    for_buyers(without_body().merge(with_body()).into_openapi())
}

fn without_body() -> OpenApiRouter<AppState> {
    OpenApiRouter::with_openapi(about_buyers())
        .routes(routes!(seats::hold))
        .routes(routes!(seats::reserve))
        .routes(routes!(seats::release))
        .routes(routes!(holds::show, holds::release))
        .routes(routes!(holds::reserve))
        .routes(routes!(reservations::cancel))
}

/// Apart, because a layer costs each request that passes it several allocations, and these alone need the limit.
fn with_body() -> OpenApiRouter<AppState> {
    OpenApiRouter::new()
        .routes(routes!(holds::create))
        .routes(routes!(holds::add))
        .routes(routes!(holds::extend))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod choosing_tests;

#[cfg(test)]
mod keyed_tests;

#[cfg(test)]
mod waiting_tests;

#[cfg(test)]
mod gate_tests;
