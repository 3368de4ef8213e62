//! What every HTTP server of a worker has around its routes: the chain that a request belongs to, limits, the log
//! line, metrics, and problem+json for whatever is not answered ([`code`] lists what that can be).
//!
//! Handlers answer `Result<_, Problem>` and take [`RequestContext`] and [`Id`]; [`service`] puts the [`HttpLayer`]
//! around them, [`listen`] opens a port, [`guarded`] is the door of operators, [`locked`] the one of a port that asks
//! for no password, [`negotiate`] reads what a client takes, [`client`] asks services of other people where
//! [`outbound`] allows it, and [`serve`] ends when told to, after the requests in progress.

mod admin;
pub mod client;
pub mod code;
mod context;
mod layer;
mod listen;
mod lock;
mod metrics;
pub mod negotiate;
pub mod outbound;
mod presence;
mod problem;
mod rate;
mod server;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;

pub use admin::{AdminToken, UnusableToken, guarded, json_alone};
pub use code::Code;
pub use context::{CORRELATION_ID, Id, RequestContext, sole};
pub use layer::{HttpLayer, Lasting, MAX_IN_FLIGHT, REQUEST_TIMEOUT};
pub use listen::{allow_open_files, listen, system_backlog};
pub use lock::{Lock, locked};
pub(crate) use problem::ProblemBody;
pub use problem::{ConflictBody, Moment, Problem};
pub use server::serve;

/// `routes` with everything that each request passes on its way in and out.
pub fn service(routes: Router, layer: HttpLayer) -> Router {
    let cors = layer.cors.clone();
    let service = routes
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::no_method() })
        .layer(from_fn_with_state(Arc::new(layer), layer::pass));
    match cors {
        Some(cors) => service.layer(cors),
        None => service,
    }
}

#[cfg(test)]
mod tests;
