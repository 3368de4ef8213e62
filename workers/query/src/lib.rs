//! The query worker: what is on sale and which seats are free, answered from memory.
//!
//! Reading order: [`view`] loads and follows what happened, [`http`] answers from it, [`serve`] runs both. Replicas
//! share nothing, belong to no consumer group and write nothing, so there may be as many as readers need.

pub mod backoff;
pub mod http;
pub mod metrics;
pub mod view;

#[cfg(test)]
mod testing;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::Edge;
use boxoffice_runtime::log::EventLog;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use http::Knowledge;
use metrics::Metrics;
use view::follow::{Follower, READY};
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
    edge: Edge,
    metrics: Metrics,
    readiness: Readiness,
}

impl Query {
    /// A worker on `ports`. Its readiness is its own part of what the process reports.
    pub fn new(ports: Ports, topics: Topics, registry: &mut Registry) -> Self {
        Self {
            ports,
            topics,
            edge: Edge::new(registry.sub_registry_with_prefix("boxoffice_query")),
            metrics: Metrics::register(registry),
            readiness: Readiness::waiting_for(&[READY]),
        }
    }

    /// Not ready until the view is loaded.
    pub fn readiness(&self) -> Readiness {
        self.readiness.clone()
    }

    /// Follows the log and answers requests until `stop` is cancelled; requests in progress then have `drain` to end.
    ///
    /// # Errors
    /// A listener that fails.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: CancellationToken,
        drain: Duration,
    ) -> std::io::Result<()> {
        let Self { ports: Ports { snapshots, log }, topics, edge, metrics, readiness } = self;
        let (views, stats) = (Arc::new(Views::default()), Arc::new(Stats::default()));
        let knowledge =
            Knowledge { views: Arc::clone(&views), stats: Arc::clone(&stats), metrics: metrics.clone() };
        let follower =
            Follower { snapshots, log: Arc::clone(&log), topic: topics.seats, views, readiness, metrics };
        let service = boxoffice_runtime::http::service(http::routes(knowledge), edge);
        tokio::select! {
            served = boxoffice_runtime::http::serve(listener, service, stop, drain) => served,
            never = follower.run() => match never {},
            never = stats.follow(log, &topics.stats) => match never {},
        }
    }
}
