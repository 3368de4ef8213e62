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

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Watch {
    watch: &'static str,
    namespace: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Object {
    kind: String,
    namespace: String,
    name: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Owner {
    namespace: String,
    owner: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Namespace {
    namespace: String,
}

#[derive(Clone, Debug, Hash, PartialEq, Eq, EncodeLabelSet)]
struct Kind {
    kind: &'static str,
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
    watches: Family<Watch, Gauge>,
    unreadable: Family<Object, Gauge>,
    refused: Family<Owner, Gauge>,
    without_rights: Family<Namespace, Gauge>,
    outdated: Family<Kind, Gauge>,
}

impl Metrics {
    /// Registers every metric.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self {
            reconciles: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(exponential_buckets(0.005, 2.0, 14))),
            last_completed: Family::default(),
            splits: Family::default(),
            watches: Family::default(),
            unreadable: Family::default(),
            refused: Family::default(),
            without_rights: Family::default(),
            outdated: Family::default(),
        };
        let Self { reconciles, durations, last_completed, splits, watches, .. } = metrics.clone();
        let Self { unreadable, refused, without_rights, outdated, .. } = metrics.clone();
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
        registry.register(
            "boxoffice_operator_watch_alive",
            "Whether a watch lives, by what is watched and namespace (empty: all)",
            watches,
        );
        registry.register(
            "boxoffice_operator_unreadable",
            "Objects that this version of the operator cannot read, each 1",
            unreadable,
        );
        registry.register(
            "boxoffice_operator_namespace_refused",
            "Namespaces that are left alone because they are another installation's, each 1",
            refused,
        );
        registry.register(
            "boxoffice_operator_namespace_without_rights",
            "Namespaces in which nothing is done because the operator has no rights there, each 1",
            without_rights,
        );
        registry.register(
            "boxoffice_operator_crds_outdated",
            "Whether the definition of a kind is older than the operator",
            outdated,
        );
        metrics
    }

    /// Notes whether a watch lives; an empty namespace is all.
    pub fn watch(&self, watch: &'static str, namespace: &str, is_alive: bool) {
        let namespace = namespace.to_owned();
        self.watches.get_or_create(&Watch { watch, namespace }).set(is_alive.into());
    }

    /// Notes which objects cannot be read now, by kind, namespace and name.
    pub fn unreadable<'a>(&self, all: impl Iterator<Item = (&'a String, &'a String, &'a String)>) {
        self.unreadable.clear();
        for (kind, namespace, name) in all {
            let object = Object { kind: kind.clone(), namespace: namespace.clone(), name: name.clone() };
            self.unreadable.get_or_create(&object).set(1);
        }
    }

    /// Notes whose a namespace is, where it is not ours, and whose it was before.
    pub fn refused(&self, namespace: &str, before: Option<&str>, owner: Option<&str>) {
        let named = |owner: &str| Owner { namespace: namespace.to_owned(), owner: owner.to_owned() };
        if let Some(before) = before {
            self.refused.remove(&named(before));
        }
        if let Some(owner) = owner {
            self.refused.get_or_create(&named(owner)).set(1);
        }
    }

    /// Notes whether nothing is done in a namespace for the lack of rights.
    pub fn without_rights(&self, namespace: &str, is_without: bool) {
        let namespace = Namespace { namespace: namespace.to_owned() };
        if is_without {
            self.without_rights.get_or_create(&namespace).set(1);
        } else {
            self.without_rights.remove(&namespace);
        }
    }

    /// Notes whether the definition of a kind is older than this operator.
    pub fn outdated(&self, kind: &'static str, is_outdated: bool) {
        self.outdated.get_or_create(&Kind { kind }).set(is_outdated.into());
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
