//! What the operator counts, on the port of its health server.

use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Controller {
    controller: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Result {
    controller: &'static str,
    result: &'static str,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Service {
    namespace: String,
    service: String,
}

impl Service {
    fn named(namespace: &str, service: &str) -> Self {
        Self { namespace: namespace.to_owned(), service: service.to_owned() }
    }
}

/// The operator's metrics.
#[derive(Clone)]
pub struct Metrics {
    reconciles: Family<Result, Counter>,
    durations: Family<Controller, Histogram>,
    last_completed: Family<Controller, Gauge>,
    splits: Family<Service, Gauge>,
}

impl Metrics {
    /// Registers every metric.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            last_completed: Family::default(),
            splits: Family::default(),
        };
        let Self { reconciles, durations, last_completed, splits } = metrics.clone();
        registry.register("boxoffice_operator_reconciles", "Reconciles by controller and result", reconciles);
        registry.register_with_unit(
            "boxoffice_operator_reconcile_duration",
            "How long a reconcile took",
            Unit::Seconds,
            durations,
        );
        registry.register_with_unit(
            "boxoffice_operator_last_completed_reconcile_timestamp",
            "When the last reconcile without an error ended, Unix time",
            Unit::Seconds,
            last_completed,
        );
        registry.register(
            "boxoffice_operator_redis_split",
            "Whether two Redis masters sell the seats of a ReservationService",
            splits,
        );
        metrics
    }

    /// Notes whether the seats of a service are sold twice.
    pub fn split(&self, namespace: &str, service: &str, is_split: bool) {
        self.splits.get_or_create(&Service::named(namespace, service)).set(is_split.into());
    }

    /// Forgets a service.
    pub fn forget(&self, namespace: &str, service: &str) {
        self.splits.remove(&Service::named(namespace, service));
    }

    /// Notes a reconcile that took `elapsed` and ended at `now` (Unix seconds).
    pub fn reconciled(&self, controller: &'static str, completed: bool, elapsed: Duration, now: i64) {
        let result = if completed { "completed" } else { "failed" };
        self.reconciles.get_or_create(&Result { controller, result }).inc();
        self.durations.get_or_create(&Controller { controller }).observe(elapsed.as_secs_f64());
        if completed {
            self.last_completed.get_or_create(&Controller { controller }).set(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_is_told_by_service_for_as_long_as_there_is_the_service() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        let text = || {
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
            text
        };
        metrics.split("tickets", "main", true);
        let split = "boxoffice_operator_redis_split{namespace=\"tickets\",service=\"main\"} 1";
        assert!(text().contains(split), "{}", text());
        metrics.forget("tickets", "main");
        assert!(!text().contains("tickets"), "{}", text());
    }

    #[test]
    fn only_a_completed_reconcile_moves_the_timestamp() {
        let mut registry = Registry::default();
        let metrics = Metrics::register(&mut registry);
        metrics.reconciled("seating-event", true, Duration::from_millis(3), 100);
        metrics.reconciled("seating-event", false, Duration::from_millis(3), 200);
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        assert!(text.contains("timestamp_seconds{controller=\"seating-event\"} 100"), "{text}");
        assert!(
            text.contains("reconciles_total{controller=\"seating-event\",result=\"failed\"} 1"),
            "{text}"
        );
    }
}
