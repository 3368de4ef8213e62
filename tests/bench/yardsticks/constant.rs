//! The yardstick of everything behind HTTP: the workers' own HTTP stack with nothing behind it. It takes the request of
//! a hold, with its headers, and answers with a body of the same size; and that of a map, with as many bytes as it is told.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Bytes;
use axum::extract::Path;
use axum::routing::{get, post};
use boxoffice_runtime::http::{HttpLayer, listen, serve, service};
use boxoffice_runtime::shutdown;
use prometheus_client::registry::Registry;
use serde_json::json;

use std::time::Duration;

/// Longest answer.
const LONGEST: usize = 16 * 1024 * 1024;

/// Serves until SIGTERM.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn run(addr: SocketAddr) -> anyhow::Result<()> {
    let answer = || async {
        axum::Json(json!({
            "success": true,
            "correlationId": "3b241101-e2bb-4255-8caf-4136c566a962",
            "holdId": "bench-1.3b241101-e2bb-4255-8caf-4136c566a962",
            "seatId": "bench-1.A-100-100",
            "expiresAt": 1_700_000_300_000_u64,
            "sequence": 1000,
        }))
    };
    let bytes = Bytes::from(vec![b' '; LONGEST]);
    let of_size = move |Path(size): Path<usize>| async move { bytes.slice(..size.min(LONGEST)) };
    let routes = Router::new()
        .route("/readyz", get(|| async { "ok" }))
        .route("/seats/{seatId}/hold", post(answer))
        .route("/bytes/{size}", get(of_size));
    let routes = service(routes, HttpLayer::new(&mut Registry::default()));
    serve(listen(addr)?, routes, shutdown::on_signal()?, Duration::from_secs(1)).await;
    Ok(())
}
