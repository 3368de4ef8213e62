//! The server under every router: connections, and what one of them may cost before anybody knows who it is.
//!
//! HTTP/1.1, and HTTP/2 for clients that begin with it. A connection has a while to send its first request and another
//! while to send each next one, has to take its answers at a [minimum rate](MinimumRate), and ends with its client
//! ([`Presence`]). A request's head is bounded: hyper answers 431 to one that is larger. Bodies are bounded where they are
//! read, requests in time by [`super::layer`], connections by what the process may open. It knows no route and no
//! problem+json.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use futures::future::{Either, select};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use rustix::process::{Resource, getrlimit};
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use tower::Service;

use super::presence::Presence;
use super::rate::MinimumRate;

/// Longest head of a request, in bytes: room for a token and a gateway's headers.
const MAX_HEAD_BYTES: usize = 16 << 10;
/// Longest time from a connection to its first request.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// Longest time from an answer to the head of the next request: longer than gateways keep idle connections, so that it
/// is the gateway that closes them.
const NEXT_REQUEST: Duration = Duration::from_secs(75);
/// Pause after a connection could not be accepted because the process has too much open.
const EXHAUSTED: Duration = Duration::from_millis(100);
/// That is told no more often than this.
const TOLD_EVERY: Duration = Duration::from_secs(10);
/// Most connections; where the process may not open so many files, fewer: it needs some for itself.
const CONNECTIONS: usize = 20_000;
const FILES_OF_ITS_OWN: u64 = 512;
/// Bytes that the system takes over before they can be sent: what is behind them stays where all who get it share it. Each
/// costs the system nearly as much again.
pub(super) const UNSENT: u32 = 6 * 1024;

/// Serves until `stop` is cancelled; requests in progress then have `drain` to end.
pub async fn serve(listener: Arc<TcpListener>, service: Router, stop: CancellationToken, drain: Duration) {
    // A task of its own: whatever else the caller polls beside this future, accepting does not wait for it.
    let accepting = AbortOnDropHandle::new(tokio::spawn(accept(listener, service, stop)));
    let Ok(connections) = accepting.await else { return };
    if tokio::time::timeout(drain, connections.shutdown()).await.is_err() {
        tracing::warn!("requests in progress are cut off: draining took too long");
    }
}

/// Accepts connections, each of which is answered by a task, until `stop` is cancelled.
async fn accept(listener: Arc<TcpListener>, service: Router, stop: CancellationToken) -> GracefulShutdown {
    let (server, connections) = (Arc::new(server()), GracefulShutdown::new());
    let permits = Arc::new(Semaphore::new(most_connections()));
    let mut told: Option<Instant> = None;
    loop {
        // Whoever finds no place waits in the port's queue.
        let accepted = tokio::select! {
            accepted = accepted(&listener, &permits) => accepted,
            () = stop.cancelled() => return connections,
        };
        match accepted {
            Ok((stream, permit)) => {
                // Made by the task itself: a future that is handed over to another takes up its room twice.
                tokio::spawn(answer(
                    Arc::clone(&server),
                    stream,
                    service.clone(),
                    connections.watcher(),
                    permit,
                ));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if told.is_none_or(|told| told.elapsed() >= TOLD_EVERY) {
                    tracing::warn!(%error, "connections cannot be accepted: they wait");
                    told = Some(Instant::now());
                }
                tokio::select! {
                    () = tokio::time::sleep(EXHAUSTED) => {}
                    () = stop.cancelled() => return connections,
                }
            }
        }
    }
}

async fn accepted(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    let socket = SockRef::from(&stream);
    // Neither is worth a connection.
    for set in [socket.set_tcp_nodelay(true), socket.set_tcp_notsent_lowat(UNSENT)] {
        if let Err(error) = set {
            tracing::debug!(%error, "a connection stays as the system makes it");
        }
    }
    Ok((stream, permit))
}

/// How many connections there may be.
fn most_connections() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let free = usize::try_from(files.saturating_sub(FILES_OF_ITS_OWN)).unwrap_or(usize::MAX);
    CONNECTIONS.min(free).max(1)
}

fn server() -> Builder<TokioExecutor> {
    let mut server = Builder::new(TokioExecutor::new());
    // The number of headers has hyper's bound, 100: another one would cost an allocation a request.
    server
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(NEXT_REQUEST)
        .max_buf_size(MAX_HEAD_BYTES)
        // Without it each stream would keep room for another head: hyper reads to see whether a client is still there.
        .half_close(true);
    server
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .keep_alive_interval(NEXT_REQUEST)
        .enable_connect_protocol();
    server
}

/// Answers the requests of one connection, which has its place until then. Errors are the client's: it went away, or sent what
/// is no HTTP.
async fn answer(
    server: Arc<Builder<TokioExecutor>>,
    stream: TcpStream,
    service: Router,
    watcher: Watcher,
    _permit: OwnedSemaphorePermit,
) {
    let begun = AtomicBool::new(false);
    let service = service_fn(|request: hyper::Request<Incoming>| {
        begun.store(true, Ordering::Relaxed);
        // A router is ready always, and takes any body.
        service.clone().call(request)
    });
    let stream = TokioIo::new(MinimumRate::new(Presence::new(stream)));
    let connection = watcher.watch(server.serve_connection_with_upgrades(stream, service));
    // On its own, for it is gone long before a stream ends.
    let patience = Box::pin(tokio::time::sleep(FIRST_REQUEST));
    if let Either::Right(((), connection)) = select(pin!(connection), patience).await
        && begun.load(Ordering::Relaxed)
    {
        let _ended = connection.await;
    }
}

/// Whether only the connection failed that was about to be accepted.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind as E;
    matches!(error.kind(), E::ConnectionRefused | E::ConnectionAborted | E::ConnectionReset)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
