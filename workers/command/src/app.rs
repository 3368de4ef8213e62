//! The command worker put together on its ports: servers, relay, sweeper, and the way out.
//!
//! Generic over what stands behind the ports; `run` chooses Redis and Kafka, others may choose otherwise.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{Edge, serve as answer};
use boxoffice_runtime::log::EventLog;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::admin::{self, Admin, AdminToken};
use crate::durability::Durability;
use crate::http;
use crate::http::desk::Desk;
use crate::published::Published;
use crate::relay::{Relay, RelayMetrics};
use crate::store::{Outbox, SeatStore};
use crate::sweeper::sweep;

/// Readiness part: the servers listen.
pub const LISTENING: &str = "http";
/// Readiness part: the seat store answers.
pub const STORE: &str = "redis";
/// How often the store is asked whether it answers.
const PING: Duration = Duration::from_secs(2);

/// What the worker is told.
#[derive(Clone)]
pub struct Settings {
    /// The ReservationService that it belongs to, namespace/name.
    pub service: String,
    /// Topic of the seats' domain events.
    pub topic: String,
    /// Where buyers' commands come in.
    pub http_addr: SocketAddr,
    /// Where the operator's come in.
    pub admin_addr: SocketAddr,
    /// What the operator shows.
    pub admin_token: AdminToken,
    /// What acknowledged commands survive.
    pub durability: Durability,
    /// Longest body of a command.
    pub max_body_bytes: usize,
    /// How long the way out may take.
    pub drain: Duration,
}

/// What is measured.
pub struct Metrics {
    edge: Edge,
    relay: RelayMetrics,
}

impl Metrics {
    /// Registers all of it.
    pub fn register(registry: &mut Registry) -> Self {
        Self { edge: Edge::new(registry), relay: RelayMetrics::register(registry) }
    }
}

/// Why the worker ended before it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address that cannot be listened on.
    #[error("cannot listen on {addr}: {source}")]
    Bind {
        /// The address.
        addr: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// A part that should run for ever did not.
    #[error("the {0} ended unexpectedly")]
    Ended(&'static str),
}

/// Serves until `stop` is cancelled; then stops accepting, finishes what is in flight, publishes what is written.
pub async fn serve<S: SeatStore + Outbox>(
    store: Arc<S>,
    log: Arc<dyn EventLog>,
    settings: Settings,
    metrics: Metrics,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), AppError> {
    let Settings { service, topic, http_addr, admin_addr, admin_token, durability, max_body_bytes, drain } =
        settings;
    let http_listener = bind(http_addr).await?;
    let admin_listener = bind(admin_addr).await?;

    let seats: Arc<dyn SeatStore> = Arc::clone(&store) as _;
    let outbox: Arc<dyn Outbox> = store;
    let Metrics { edge, relay: metrics } = metrics;
    let published = Published::new(Arc::clone(&outbox));
    let desk = Desk::new(Arc::clone(&seats), Arc::clone(&published), durability);
    let admin = Admin {
        store: Arc::clone(&seats),
        log: Arc::clone(&log),
        topic: topic.as_str().into(),
        published: Arc::clone(&published),
    };

    let publishing = CancellationToken::new();
    let relay = Relay::new(outbox, log, topic, service, metrics);
    let mut relay = AbortOnDropHandle::new(tokio::spawn(relay.run(publishing.clone(), drain / 2)));
    let _listening = AbortOnDropHandle::new(tokio::spawn(published.listen()));
    let _sweeping = AbortOnDropHandle::new(tokio::spawn(sweep(Arc::clone(&seats))));
    let _watching = AbortOnDropHandle::new(tokio::spawn(watch(seats, readiness.clone())));
    let operators_edge = edge.apart();
    let buyers = http::router(desk, edge, max_body_bytes);
    let buyers = answer(http_listener, buyers, stop.clone(), drain / 2);
    let operators =
        answer(admin_listener, admin::router(admin, admin_token, operators_edge), stop.clone(), drain / 2);
    let mut servers = AbortOnDropHandle::new(tokio::spawn(async move { tokio::join!(buyers, operators) }));
    readiness.ready(LISTENING);

    tokio::select! {
        () = stop.cancelled() => {}
        _ = &mut relay => return Err(AppError::Ended("relay")),
        _ = &mut servers => if !stop.is_cancelled() { return Err(AppError::Ended("server")) },
    }
    readiness.not_ready(LISTENING, "shutting down");
    let deadline = Instant::now() + drain;
    // Reserves in flight wait for the log, so the relay goes on until they are answered.
    if !servers.is_finished() {
        let _in_flight_are_answered = (&mut servers).await;
    }
    publishing.cancel();
    match timeout_at(deadline, &mut relay).await {
        Ok(Ok(())) | Err(_) => Ok(()),
        Ok(Err(_)) => Err(AppError::Ended("relay")),
    }
}

async fn bind(addr: SocketAddr) -> Result<TcpListener, AppError> {
    let failed = |source| AppError::Bind { addr, source };
    let listener = TcpListener::bind(addr).await.map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    tracing::info!(%addr, "listening");
    Ok(listener)
}

/// Keeps readiness true to whether the store answers. Kafka is no part of it: holds go on without.
async fn watch(store: Arc<dyn SeatStore>, readiness: Readiness) {
    let mut turn = interval(PING);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        turn.tick().await;
        match store.ping().await {
            Ok(()) => readiness.ready(STORE),
            Err(error) => readiness.not_ready(STORE, error.to_string()),
        }
    }
}
