//! What is measured of the relay.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use crate::store::Backlog;

/// Seconds; those of around 20 ms are transactions that came too early for the log.
const BUCKETS: [f64; 10] = [0.0025, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.5, 2.5];

/// The relay's metrics, of the SeatingEvents that this process publishes.
#[derive(Clone)]
pub struct RelayMetrics {
    /// Domain events published.
    pub published: Counter,
    /// How long each of their transactions took.
    pub took: Histogram,
    /// Attempts to publish that failed.
    pub failures: Counter,
    archived: Gauge,
    leases: Gauge,
    splits: Gauge,
    waiting: Gauge,
    age: Gauge,
}

impl Default for RelayMetrics {
    fn default() -> Self {
        Self {
            published: Counter::default(),
            took: Histogram::new(BUCKETS),
            failures: Counter::default(),
            archived: Gauge::default(),
            leases: Gauge::default(),
            splits: Gauge::default(),
            waiting: Gauge::default(),
            age: Gauge::default(),
        }
    }
}

impl RelayMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { published, took, failures, archived, leases, splits, waiting, age } = metrics.clone();
        registry.register("outbox_published", "Domain events published", published);
        registry.register_with_unit(
            "outbox_transaction_duration",
            "From the first record of a batch to its commit on the log",
            Unit::Seconds,
            took,
        );
        registry.register("outbox_publish_failures", "Attempts to publish that failed", failures);
        let help = "SeatingEvents that are over, of which the store keeps what lists show and no more";
        registry.register("archived_seating_events", help, archived);
        registry.register("outbox_leases", "Lanes that this process owns", leases);
        registry.register(
            "outbox_splits",
            "Lanes of this process that another store sells too, so that nothing is sold there",
            splits,
        );
        registry.register("outbox_entries", "Domain events that wait to be published", waiting);
        registry.register_with_unit("outbox_age", "Age of the oldest that waits", Unit::Seconds, age);
        metrics
    }

    /// Another store sells a lane of ours, until what is returned is dropped.
    pub fn split(&self) -> Split {
        self.splits.inc();
        Split(self.splits.clone())
    }

    /// How many lanes of ours another store sells too.
    pub fn splits(&self) -> i64 {
        self.splits.get()
    }

    /// So many SeatingEvents are archived, whoever did it.
    pub fn archived(&self, count: u64) {
        self.archived.set(gauge(count));
    }

    /// So many lanes are ours.
    pub fn leases(&self, count: usize) {
        self.leases.set(gauge(count as u64));
    }

    /// All that waits of the SeatingEvents that are ours, as the store has it.
    pub fn waiting<'a>(&self, backlogs: impl IntoIterator<Item = &'a Backlog>) {
        let (mut entries, mut age) = (0, 0);
        for backlog in backlogs {
            entries += backlog.entries;
            age = age.max(backlog.age.as_secs());
        }
        self.waiting.set(gauge(entries));
        self.age.set(gauge(age));
    }

    /// Whether anything waited when it was looked at last.
    pub fn anything_waits(&self) -> bool {
        self.waiting.get() > 0
    }
}

/// A lane that two stores sell.
pub struct Split(Gauge);

impl Drop for Split {
    fn drop(&mut self) {
        self.0.dec();
    }
}

fn gauge(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}
