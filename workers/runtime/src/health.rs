//! `/healthz`, `/readyz` and `/metrics`, on a port that no buyer reaches.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::registry::Registry;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::http;

/// How long probes in progress have at the end.
const DRAIN: Duration = Duration::from_secs(1);

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Whether the process can serve: the parts that cannot, each with its reason.
#[derive(Debug, Clone, Default)]
pub struct Readiness(Arc<watch::Sender<BTreeMap<&'static str, String>>>);

impl Readiness {
    /// Not ready until every one of `parts` says that it is.
    pub fn waiting_for(parts: &[&'static str]) -> Self {
        let starting = parts.iter().map(|part| (*part, "starting".to_owned())).collect();
        Self(Arc::new(watch::Sender::new(starting)))
    }

    /// `part` can serve.
    pub fn ready(&self, part: &'static str) {
        self.0.send_if_modified(|parts| parts.remove(part).is_some());
    }

    /// `part` cannot serve, for `reason`.
    pub fn not_ready(&self, part: &'static str, reason: impl Into<String>) {
        self.0.send_modify(|parts| drop(parts.insert(part, reason.into())));
    }

    /// What stands in the way, a line a part; empty when ready.
    pub fn obstacles(&self) -> Vec<String> {
        self.0.borrow().iter().map(|(part, reason)| format!("{part}: {reason}")).collect()
    }

    /// Returns when nothing stands in the way.
    pub async fn reached(&self) {
        // The sender is in `self`.
        drop(self.0.subscribe().wait_for(BTreeMap::is_empty).await);
    }
}

/// `/healthz`, `/readyz` and `/metrics`.
pub fn routes(registry: Registry, readiness: Readiness) -> Router {
    Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(metrics).with_state(Arc::new(registry)))
}

/// Serves until `stop` is cancelled.
///
/// # Errors
/// An address that cannot be listened on.
pub async fn serve(
    addr: SocketAddr,
    registry: Registry,
    readiness: Readiness,
    stop: CancellationToken,
) -> std::io::Result<()> {
    http::serve(http::listen(addr)?, routes(registry, readiness), stop, DRAIN).await;
    Ok(())
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let obstacles = readiness.obstacles();
    if obstacles.is_empty() {
        return "ok\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, obstacles.join("\n") + "\n").into_response()
}

async fn metrics(State(registry): State<Arc<Registry>>) -> Response {
    let mut text = String::new();
    if prometheus_client::encoding::text::encode(&mut text, &registry).is_err() {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    ([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_names_what_is_missing() {
        let readiness = Readiness::waiting_for(&["redis", "kafka"]);
        readiness.ready("kafka");
        readiness.not_ready("redis", "connection refused");
        assert_eq!(readiness.obstacles(), ["redis: connection refused"]);
        readiness.ready("redis");
        assert!(readiness.obstacles().is_empty());
    }
}
