//! What every HTTP server of a worker has around its routes: the chain that a request belongs to, limits, the log
//! line, metrics, and problem+json for whatever is not answered.
//!
//! Handlers answer `Result<_, Problem>` and take [`Chain`] and [`Id`]; [`service`] puts the [`Edge`] around them, and
//! [`serve`] ends when told to, after the requests in progress.

mod chain;
mod edge;
mod metrics;
mod problem;

use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

pub use chain::{CORRELATION_ID, Chain, Id, sole};
pub use edge::{Edge, REQUEST_TIMEOUT};
pub use problem::{ConflictBody, Problem};

/// `routes` with everything that each request passes on its way in and out.
pub fn service(routes: Router, edge: Edge) -> Router {
    routes
        .fallback(|| async { Problem::no_route() })
        .method_not_allowed_fallback(|| async { Problem::no_method() })
        .layer(from_fn_with_state(edge, edge::pass))
}

/// Serves until `stop` is cancelled; requests in progress then have `drain` to end.
///
/// # Errors
/// A listener that fails.
pub async fn serve(
    listener: TcpListener,
    service: Router,
    stop: CancellationToken,
    drain: Duration,
) -> std::io::Result<()> {
    let serving = axum::serve(listener, service).with_graceful_shutdown(stop.clone().cancelled_owned());
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(drain).await;
    };
    tokio::select! {
        served = serving => served,
        () = overdue => {
            tracing::warn!("requests in progress are cut off: draining took too long");
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
