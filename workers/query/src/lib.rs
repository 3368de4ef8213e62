//! The query worker: what is on sale and which seats are free, answered from memory.
//!
//! Reading order: [`view`] loads and follows what happened, [`orders`] are what users have, [`http`] answers buyers and [`admin`]
//! operators, [`openapi`] describes the answers, [`Query::serve`] runs it all. Replicas
//! share nothing, belong to no consumer group and write nothing, so there may be as many as readers need.

pub mod admin;
pub mod backoff;
pub mod http;
pub mod metrics;
pub mod openapi;
pub mod orders;
pub mod view;

#[cfg(test)]
mod testing;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{AdminToken, HttpLayer, guarded};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::pages;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use http::{Charts, Knowledge};
use metrics::Metrics;
use orders::{OrderService, Orders};
use view::age::Age;
use view::follow::Follower;
pub use view::follow::READY;
use view::streams::Streams;
use view::{Snapshots, Stats, Views};

/// What a query worker stands on.
pub struct Ports {
    /// Where the view is loaded from.
    pub snapshots: Arc<dyn Snapshots>,
    /// Where it goes on.
    pub log: Arc<dyn EventLog>,
    /// What users have.
    pub orders: Arc<dyn Orders>,
}

/// What a query worker reads.
#[derive(Debug, Clone)]
pub struct Topics {
    /// Topic of the seats' domain events.
    pub seats: String,
    /// Topic of `stats.updated`.
    pub stats: String,
}

/// A query worker that does nothing yet: its metrics are registered.
pub struct Query {
    snapshots: Arc<dyn Snapshots>,
    log: Arc<dyn EventLog>,
    order_service: OrderService,
    topics: Topics,
    identity: Identity,
    metrics: Metrics,
    readiness: Readiness,
    views: Arc<Views>,
    stats: Arc<Stats>,
    streams: Arc<Streams>,
    age: Arc<Age>,
    charts: Arc<Charts>,
    oldest: Option<Duration>,
    command_url: Option<String>,
    stop: CancellationToken,
}

impl Query {
    /// A worker on `ports`, until `stop` is cancelled; the process' `readiness` waits for its part [`READY`].
    pub fn new(
        ports: Ports,
        topics: Topics,
        identity: Identity,
        readiness: Readiness,
        registry: &mut Registry,
        stop: CancellationToken,
    ) -> Self {
        let Ports { snapshots, log, orders } = ports;
        Self {
            snapshots,
            log,
            order_service: OrderService::new(orders),
            topics,
            identity,
            metrics: Metrics::register(registry),
            readiness,
            views: Arc::default(),
            stats: Arc::default(),
            streams: Arc::new(Streams::new(stop.clone())),
            age: Arc::default(),
            charts: Arc::default(),
            oldest: None,
            command_url: None,
            stop,
        }
    }

    /// Not ready where what it knows may be older.
    #[must_use]
    pub fn not_older_than(self, oldest: Option<Duration>) -> Self {
        Self { oldest, ..self }
    }

    /// Tells pages where they send commands, where that is not their own origin.
    #[must_use]
    pub fn commanded_at(self, command_url: Option<String>) -> Self {
        Self { command_url, ..self }
    }

    /// The routes.
    pub fn routes(&self) -> Router {
        http::routes(self.knowledge())
    }

    /// The routes of operators, for whoever reaches them.
    pub fn operators(&self) -> Router {
        admin::routes(self.knowledge())
    }

    /// A layer that says of all that is answered how old that may be.
    pub fn aged(&self, layer: HttpLayer) -> HttpLayer {
        http::viewed::aged(layer, Arc::clone(&self.age))
    }

    fn knowledge(&self) -> Knowledge {
        Knowledge {
            identity: self.identity.clone(),
            views: Arc::clone(&self.views),
            stats: Arc::clone(&self.stats),
            streams: Arc::clone(&self.streams),
            age: Arc::clone(&self.age),
            charts: Arc::clone(&self.charts),
            command_url: self.command_url.clone(),
            order_service: self.order_service.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// What is known.
    pub fn views(&self) -> Arc<Views> {
        Arc::clone(&self.views)
    }

    /// Loads the view and follows the log, for ever. When the worker is stopped, requests that wait are answered.
    pub async fn follow(self) -> Infallible {
        let Self {
            snapshots,
            log,
            order_service,
            topics,
            metrics,
            readiness,
            views,
            stats,
            age,
            oldest,
            stop,
            ..
        } = self;
        let closing = async {
            stop.cancelled().await;
            order_service.close();
            std::future::pending().await
        };
        let follower = Follower {
            snapshots,
            log: Arc::clone(&log),
            topic: topics.seats,
            views,
            age,
            oldest,
            readiness,
            metrics,
        };
        tokio::select! {
            never = follower.run() => never,
            never = stats.follow(log, &topics.stats) => never,
            never = order_service.clone().look() => never,
            never = closing => never,
        }
    }

    /// Follows the log and answers readers and operators until it is stopped; requests in progress then have `drain` to end.
    pub async fn serve(
        self,
        listener: Arc<TcpListener>,
        operators: (Arc<TcpListener>, AdminToken),
        layer: HttpLayer,
        drain: Duration,
    ) {
        use boxoffice_runtime::http::{serve, service};
        let (admin_listener, token) = operators;
        let admin = guarded(self.operators().merge(pages::of_operators(&admin::document())), token);
        let layer = self.aged(layer);
        let admin = service(admin, layer.apart());
        let admin = serve(admin_listener, admin, self.stop.clone(), drain);
        let readers = self.routes().merge(pages::routes(&http::document()));
        let readers = readers.merge(boxoffice_web::of_query(self.command_url.as_deref()));
        let readers = service(readers, layer.lasting(http::LASTING));
        let readers = serve(listener, readers, self.stop.clone(), drain);
        tokio::select! {
            ((), ()) = async { tokio::join!(readers, admin) } => {}
            never = self.follow() => match never {},
        }
    }
}
