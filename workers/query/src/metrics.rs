//! What the query worker counts, besides its requests.

use boxoffice_domain::UnixMillis;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Taken {
    /// It is in memory now.
    Applied,
    /// It was already.
    Seen,
    /// Its type or text cannot be read: only the sequence advanced.
    Unreadable,
    /// Events are missing before it.
    Gap,
    /// No command worker wrote it.
    Foreign,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Records {
    taken: Taken,
}

/// The metrics.
#[derive(Debug, Clone)]
pub struct Metrics {
    records: Family<Records, Counter>,
    age: Histogram,
    /// Snapshots loaded again after the first, of all SeatingEvents or of one.
    pub reloads: Counter,
    stale: Gauge,
    /// Seat maps rendered, rather than served as they were.
    pub renders: Counter,
}

impl Metrics {
    /// Metrics in `registry`.
    pub fn register(registry: &mut Registry) -> Self {
        const AGES: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0, 600.0];
        let metrics = Self {
            records: Family::default(),
            age: Histogram::new(AGES),
            reloads: Counter::default(),
            stale: Gauge::default(),
            renders: Counter::default(),
        };
        let registry = registry.sub_registry_with_prefix("boxoffice_query");
        registry.register("records", "Records read from the log", metrics.records.clone());
        registry.register_with_unit(
            "event_age",
            "From a domain event to its place in memory",
            Unit::Seconds,
            metrics.age.clone(),
        );
        registry.register("reloads", "Snapshots loaded again", metrics.reloads.clone());
        let stale =
            "SeatingEvents of which events are missing: they stay as they were until they are loaded again";
        registry.register("stale_seating_events", stale, metrics.stale.clone());
        registry.register("renders", "Seat maps rendered", metrics.renders.clone());
        metrics
    }

    /// So many SeatingEvents have a gap.
    pub fn stale(&self, count: usize) {
        self.stale.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Counts a record.
    pub fn taken(&self, taken: Taken) {
        self.records.get_or_create(&Records { taken }).inc();
    }

    /// An event was applied `age` milliseconds after it happened, by the clocks of two machines.
    pub fn age(&self, age: UnixMillis) {
        self.age.observe(std::time::Duration::from_millis(age).as_secs_f64());
    }
}
