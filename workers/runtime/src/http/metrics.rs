//! What is counted about requests: how many, how they ended, how long they took.

use axum::http::{Method, StatusCode};
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Seconds; the last ones are the waits for the log.
const BUCKETS: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0];

/// The metrics of both servers.
#[derive(Clone)]
pub struct HttpMetrics {
    requests: Family<Ended, Counter>,
    durations: Family<Took, Histogram, fn() -> Histogram>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Took {
    method: &'static str,
    route: String,
}

impl HttpMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        };
        registry.register("http_requests", "Requests answered", metrics.requests.clone());
        registry.register_with_unit(
            "http_request_duration",
            "From a request's headers to its answer",
            Unit::Seconds,
            metrics.durations.clone(),
        );
        metrics
    }

    /// Counts a request. `route` is the pattern that matched, never the path.
    pub fn count(&self, method: &Method, route: &str, status: StatusCode, seconds: f64) {
        let took = Took { method: known(method), route: route.to_owned() };
        self.durations.get_or_create(&took).observe(seconds);
        let Took { method, route } = took;
        self.requests.get_or_create(&Ended { method, route, status: status.as_u16() }).inc();
    }
}

/// Callers choose methods, labels must stay few.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        _ => "other",
    }
}
