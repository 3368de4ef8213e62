//! The yardstick of everything behind HTTP: the workers' own HTTP stack with nothing behind it. It takes the request of
//! a hold, with its headers, and answers with a body of the same fields; that of a map, with as many bytes as it is
//! told; and that of a stream, of which everybody gets the same frames of so many bytes, ten a second.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::Path;
use axum::http::header;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use boxoffice_runtime::http::{HttpLayer, listen, serve, service};
use boxoffice_runtime::shutdown;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::free_port;
use futures::stream::unfold;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::sync::broadcast;
use tokio::time::interval;

/// Time between two frames of a stream.
const TICK: Duration = Duration::from_millis(100);
/// How many frames a listener may be behind.
const BEHIND: usize = 64;
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
            "seatId": "bench-1.A-100-100",
            "holdId": "bench-1.3b241101-e2bb-4255-8caf-4136c566a962",
            "seats": [{"seatId": "bench-1.A-100-100", "sectionId": "A", "priceCategory": "all", "price": 12_000}],
            "expiresAt": 1_700_000_300_000_u64,
            "together": true,
            "currency": "EUR",
            "total": 12_000,
            "sequence": 1000,
        }))
    };
    let bytes = Bytes::from(vec![b' '; LONGEST]);
    let (frames, _) = broadcast::channel::<()>(BEHIND);
    let told = frames.clone();
    tokio::spawn(async move {
        let mut ticks = interval(TICK);
        loop {
            ticks.tick().await;
            // Nobody may listen.
            drop(told.send(()));
        }
    });
    let shared = Arc::new(OnceLock::new());
    let stream = move |Path(size): Path<usize>| async move {
        let frame: &Bytes = shared.get_or_init(|| framed(size.min(LONGEST)));
        let (frame, listener) = (frame.clone(), frames.subscribe());
        let told = unfold((frame, listener), |(frame, mut listener)| async {
            listener.recv().await.ok()?;
            Some((Ok::<_, Infallible>(frame.clone()), (frame, listener)))
        });
        ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(told)).into_response()
    };
    let of_size = move |Path(size): Path<usize>| async move { bytes.slice(..size.min(LONGEST)) };
    let routes = Router::new()
        .route("/readyz", get(|| async { "ok" }))
        .route("/seats/{seatId}/hold", post(answer))
        .route("/bytes/{size}", get(of_size))
        .route("/stream/{size}", get(stream));
    let routes = service(routes, HttpLayer::new(&mut Registry::default()));
    serve(listen(addr)?, routes, shutdown::on_signal()?, Duration::from_secs(1)).await;
    Ok(())
}

/// A frame of so many bytes.
fn framed(size: usize) -> Bytes {
    let (head, end) = ("id: 1\nevent: changes\ndata: ", "\n\n");
    let filled = size.saturating_sub(head.len() + end.len());
    format!("{head}{}{end}", "0".repeat(filled)).into()
}

/// Starts it as a process of its own.
///
/// # Errors
/// It does not become ready.
pub async fn start() -> anyhow::Result<(Process, SocketAddr)> {
    let addr = SocketAddr::from(([127, 0, 0, 1], free_port()?));
    let mut server = Process::start_with("boxoffice-bench", ["constant", &addr.to_string()], [])?;
    server.ready(&format!("http://{addr}/readyz")).await?;
    Ok((server, addr))
}
