//! The HTTP API of buyers: one route a command.
//!
//! The [`gate`] lets a [`caller`] in, [`once`] says whether they asked before; the [`desk`] has the command carried out,
//! [`answers`] and [`refusal`] say how it ended.
//! Nothing here knows how a seat is claimed; correlation ids, time-outs and metrics are the runtime's.

pub mod gate;

mod buckets;

pub mod caller;

pub mod body;

mod once;

mod seats;

mod holds;

pub mod desk;

mod answers;

pub mod refusal;

use axum::Router;
use axum::extract::{DefaultBodyLimit, FromRef};
use axum::routing::{delete, get, post};

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
    Router::new()
        .route("/seats/{seatId}/hold", post(seats::hold))
        .route("/seats/{seatId}/reserve", post(seats::reserve))
        .route("/seats/{seatId}/release", post(seats::release))
        .route("/events/{eventId}/holds", post(holds::create))
        .route("/holds/{holdId}", get(holds::show).delete(holds::release))
        .route("/holds/{holdId}/reserve", post(holds::reserve))
        .route("/holds/{holdId}/extend", post(holds::extend))
        .route("/reservations/{reservationId}", delete(holds::cancel))
        .with_state(Hall { gate, desk })
        .layer(DefaultBodyLimit::max(max_body_bytes))
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod choosing_tests;

#[cfg(test)]
mod gate_tests;
