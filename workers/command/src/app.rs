//! The command worker put together on its ports: servers, relay, sweeper, and the way out.
//!
//! Generic over what stands behind the ports; `run` chooses Redis and Kafka, others may choose otherwise.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded, listen, serve as answer, service};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::pages;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;

use crate::admin::{self, Admin};
use crate::archive::ArchiveMetrics;
use crate::durability::Durability;
use crate::http;
use crate::http::command_service::CommandService;
use crate::http::gate::Gate;
use crate::payments::{Payments, Source};
use crate::published::Published;
use crate::recover::Recover;
use crate::relay::{Relay, RelayMetrics, Shared};
use crate::servers::ServerMetrics;
use crate::snapshot::SnapshotMetrics;
use crate::snapshot::folder::Folder;
use crate::store::{Outbox, SeatStore, Servers};
use crate::sweeper::sweep;
use crate::tasks::Tasks;

/// Readiness part: the servers listen.
pub const LISTENING: &str = "http";
/// Readiness part: the seat store answers.
pub const STORE: &str = "redis";
/// Tasks that are waited for by name.
const RELAY: &str = "relay";
const SERVERS: &str = "server";
const PAYMENTS: &str = "reader of payments";
/// How often the store is asked whether it answers.
const PING: Duration = Duration::from_secs(2);

/// What the worker is told.
#[derive(Clone)]
pub struct Settings {
    /// The ReservationService that it belongs to, namespace/name.
    pub service: String,
    /// Topic of the seats' domain events.
    pub topic: String,
    /// Topic of the statistics.
    pub stats_topic: String,
    /// Topic of the payments.
    pub payment_topic: String,
    /// What acknowledged commands survive.
    pub durability: Durability,
    /// How buyers are known.
    pub identity: Identity,
    /// Requests that one of them may send in a second; nothing is no limit.
    pub requests_per_user_per_second: Option<NonZeroU32>,
    /// Longest body of a command.
    pub max_body_bytes: usize,
    /// Where payments are read; nothing is none.
    pub payments: Option<Source>,
    /// How long the way out may take.
    pub drain: Duration,
}

/// Where the worker listens, and whom its operator's API lets in.
#[derive(Clone)]
pub struct Addresses {
    /// Where buyers' commands come in.
    pub http_addr: SocketAddr,
    /// Where the operator's come in.
    pub admin_addr: SocketAddr,
    /// What the operator shows.
    pub admin_token: AdminToken,
}

/// What stands behind the ports.
pub struct Ports<S> {
    /// Where seats are claimed, and the outbox.
    pub store: Arc<S>,
    /// Where their domain events go.
    pub log: Arc<dyn EventLog>,
    /// What puts back what the store lost.
    pub recovery: Arc<dyn Recover>,
    /// Where the log keeps snapshots of SeatingEvents: what is measured of them.
    pub snapshots: Option<SnapshotMetrics>,
    /// Where it keeps what they came to: what is measured of that.
    pub archives: Option<ArchiveMetrics>,
}

/// What is measured.
pub struct Metrics {
    /// Of requests.
    pub layer: HttpLayer,
    /// Of the relay.
    pub relay: RelayMetrics,
    /// Of the seat store's servers.
    pub servers: ServerMetrics,
}

impl Metrics {
    /// Registers all of it.
    pub fn register(registry: &mut Registry) -> Self {
        let (relay, servers) = (RelayMetrics::register(registry), ServerMetrics::register(registry));
        Self { layer: HttpLayer::new(registry), relay, servers }
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

/// The worker on its ports: what it answers, and what it does besides.
pub struct App {
    gate: Gate,
    commands: CommandService,
    admin: Admin,
    published: Arc<Published>,
    seats: Arc<dyn SeatStore>,
    relayed: Arc<Shared>,
    snapshots: Option<SnapshotMetrics>,
    archives: Option<ArchiveMetrics>,
    servers: ServerMetrics,
    payments: Option<Payments>,
    max_body_bytes: usize,
    drain: Duration,
    readiness: Readiness,
    stop: CancellationToken,
}

impl App {
    /// A worker that does nothing yet. It goes on until `stop` is cancelled.
    pub fn new<S: SeatStore + Outbox>(
        ports: Ports<S>,
        settings: Settings,
        (metrics, servers): (RelayMetrics, ServerMetrics),
        readiness: Readiness,
        stop: CancellationToken,
    ) -> Self {
        let Ports { store, log, recovery, snapshots, archives } = ports;
        let Settings {
            service, topic, stats_topic, payment_topic, durability, max_body_bytes, drain, ..
        } = settings;
        let gate = Gate::new(settings.identity, settings.requests_per_user_per_second);
        let seats: Arc<dyn SeatStore> = Arc::clone(&store) as _;
        let outbox: Arc<dyn Outbox> = store;
        let relayed = Arc::new(Shared::new(
            Arc::clone(&outbox),
            Arc::clone(&log),
            recovery,
            topic.clone(),
            service,
            metrics.clone(),
        ));
        let published = Arc::clone(&relayed.published);
        let commands = CommandService::new(Arc::clone(&seats), Arc::clone(&published), durability);
        let payments = settings.payments.map(|source| {
            let (log, store, published) = (Arc::clone(&log), Arc::clone(&seats), Arc::clone(&published));
            Payments { log, source, store, published }
        });
        let admin = Admin {
            commands: commands.apart(),
            store: Arc::clone(&seats),
            outbox,
            relay: metrics,
            log,
            topic: topic.into(),
            stats_topic: stats_topic.into(),
            payment_topic: payment_topic.into(),
            changes: Arc::default(),
            keeps_snapshots: snapshots.is_some(),
            stop: stop.clone(),
        };
        Self {
            gate,
            commands,
            admin,
            published,
            seats,
            relayed,
            snapshots,
            archives,
            servers,
            payments,
            max_body_bytes,
            drain,
            readiness,
            stop,
        }
    }

    /// The routes of buyers.
    pub fn buyers(&self) -> Router {
        http::routes(self.gate.clone(), self.commands.clone(), self.max_body_bytes)
    }

    /// The routes of the operator, for whoever reaches them.
    pub fn operators(&self) -> Router {
        admin::routes(self.admin.clone())
    }

    /// Publishes, sweeps and reacts to payments as long as `serving` goes on, which ends by themselves when `stop` is
    /// cancelled; then publishes what is written.
    ///
    /// # Errors
    /// A part that ended before it was asked to.
    pub async fn run(self, serving: impl Future<Output = ()> + Send + 'static) -> Result<(), AppError> {
        let Self { servers, published, seats, relayed, snapshots, archives, .. } = self;
        let Self { payments, drain, readiness, stop, .. } = self;
        let publishing = CancellationToken::new();
        let mut tasks = Tasks::default();
        tasks.begin("sweeper of lapsed holds", sweep(Arc::clone(&relayed)));
        if let Some(archives) = archives {
            let folder = Folder::new(Arc::clone(&relayed), snapshots, archives);
            tasks.begin("folder of snapshots and archives", folder.run());
        }
        tasks.begin(RELAY, Relay::new(relayed).run(publishing.clone(), drain / 2));
        tasks.begin("listener for published events", published.listen());
        tasks.begin("watch on the seat store", watch(seats, servers, readiness.clone()));
        let reacting = stop.clone();
        tasks.begin(PAYMENTS, async move {
            match payments {
                Some(payments) => payments.run(&reacting).await,
                None => reacting.cancelled().await,
            }
        });
        tasks.begin(SERVERS, serving);
        readiness.ready(LISTENING);

        tokio::select! {
            () = stop.cancelled() => {}
            Some(ended) = tasks.next() => if !stop.is_cancelled() || ![SERVERS, PAYMENTS].contains(&ended) {
                return Err(AppError::Ended(ended));
            },
        }
        readiness.not_ready(LISTENING, "shutting down");
        let deadline = Instant::now() + drain;
        // Reserves in flight wait for the log, so the relay goes on until they are answered.
        unasked(&tasks.until(SERVERS).await)?;
        // So do reactions to payments.
        if let Ok(others) = timeout_at(deadline - drain / 2, tasks.until(PAYMENTS)).await {
            unasked(&others)?;
        } else {
            tracing::warn!("a payment was still in hand: it is taken in again");
        }
        publishing.cancel();
        match timeout_at(deadline, tasks.until(RELAY)).await {
            Ok(others) => unasked(&others),
            Err(_) => Ok(()),
        }
    }
}

/// Fails where a task ended that nobody asked to.
fn unasked(ended: &[&'static str]) -> Result<(), AppError> {
    ended.iter().find(|name| **name != PAYMENTS).map_or(Ok(()), |name| Err(AppError::Ended(name)))
}

/// Serves buyers and operators, each behind a door of their own, until `stop` is cancelled; then stops accepting,
/// finishes what is in flight, publishes what is written.
pub async fn serve<S: SeatStore + Outbox>(
    ports: Ports<S>,
    settings: Settings,
    addresses: Addresses,
    metrics: Metrics,
    readiness: Readiness,
    stop: CancellationToken,
) -> Result<(), AppError> {
    let (http_listener, admin_listener) = (bind(addresses.http_addr)?, bind(addresses.admin_addr)?);
    let (Metrics { layer, relay, servers }, drain) = (metrics, settings.drain);
    let app = App::new(ports, settings, (relay, servers), readiness, stop.clone());
    let operators = app.operators().merge(pages::of_operators(&admin::document()));
    let operators = guarded(operators, addresses.admin_token);
    let operators = answer(admin_listener, service(operators, layer.apart()), stop.clone(), drain / 2);
    let document = http::document();
    let buyers = app.buyers().merge(pages::routes(&document)).merge(pages::of_commands(&document));
    let buyers = buyers.merge(boxoffice_web::of_command());
    let buyers = answer(http_listener, service(buyers, layer), stop, drain / 2);
    app.run(async move { _ = tokio::join!(buyers, operators) }).await
}

fn bind(addr: SocketAddr) -> Result<Arc<TcpListener>, AppError> {
    let failed = |source| AppError::Bind { addr, source };
    let listener = listen(addr).map_err(failed)?;
    let addr = listener.local_addr().map_err(failed)?;
    tracing::info!(%addr, "listening");
    Ok(listener)
}

/// Says that the store can be used as soon as any part of it answers. From then on one that does not is told by the
/// commands that need it: others may be served, and a worker that no Service leads to would serve nobody. Kafka is no
/// part of it: holds go on without.
async fn watch(store: Arc<dyn SeatStore>, servers: ServerMetrics, readiness: Readiness) {
    let mut turn = interval(PING);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut answered = true;
    loop {
        turn.tick().await;
        match store.ping().await {
            Ok(state) => {
                servers.are(&state);
                readiness.ready(STORE);
                if !std::mem::replace(&mut answered, true) {
                    tracing::info!("the seat store answers again");
                }
            }
            Err(error) => {
                servers.are(&Servers::new());
                if std::mem::replace(&mut answered, false) {
                    tracing::warn!(%error, "the seat store does not answer");
                }
            }
        }
    }
}
