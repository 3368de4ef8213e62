//! The query worker: what is on sale and which seats are free, answered from memory.
//!
//! Reading order: [`view`] loads and follows what happened, [`http`] answers from it, [`openapi`] describes its answers, [`serve`] runs both. Replicas
//! share nothing, belong to no consumer group and write nothing, so there may be as many as readers need.

pub mod backoff;
pub mod http;
pub mod metrics;
pub mod openapi;
pub mod view;

#[cfg(test)]
mod testing;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::HttpLayer;
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::openapi::pages;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use http::Knowledge;
use metrics::Metrics;
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
    ports: Ports,
    topics: Topics,
    identity: Identity,
    metrics: Metrics,
    readiness: Readiness,
    views: Arc<Views>,
    stats: Arc<Stats>,
    streams: Arc<Streams>,
    age: Arc<Age>,
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
        Self {
            ports,
            topics,
            identity,
            metrics: Metrics::register(registry),
            readiness,
            views: Arc::default(),
            stats: Arc::default(),
            streams: Arc::new(Streams::new(stop.clone())),
            age: Arc::default(),
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
        http::routes(Knowledge {
            identity: self.identity.clone(),
            views: Arc::clone(&self.views),
            stats: Arc::clone(&self.stats),
            streams: Arc::clone(&self.streams),
            age: Arc::clone(&self.age),
            command_url: self.command_url.clone(),
            metrics: self.metrics.clone(),
        })
    }

    /// What is known.
    pub fn views(&self) -> Arc<Views> {
        Arc::clone(&self.views)
    }

    /// Loads the view and follows the log, for ever.
    pub async fn follow(self) -> Infallible {
        let Self {
            ports: Ports { snapshots, log },
            topics,
            metrics,
            readiness,
            views,
            stats,
            age,
            oldest,
            ..
        } = self;
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
        }
    }

    /// Follows the log and answers requests until it is stopped; requests in progress then have `drain` to end.
    pub async fn serve(self, listener: Arc<TcpListener>, layer: HttpLayer, drain: Duration) {
        let routes = self.routes().merge(pages::routes(&http::document()));
        let service = boxoffice_runtime::http::service(routes, layer);
        let stop = self.stop.clone();
        tokio::select! {
            () = boxoffice_runtime::http::serve(listener, service, stop, drain) => {}
            never = self.follow() => match never {},
        }
    }
}
