//! What a consumer counts. The handler is a label of every metric; invariants keep their numbers.

use std::time::Duration;

use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::view::Applied;
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(non_camel_case_types, reason = "the names are the label's values")]
enum Outcome {
    applied,
    duplicate,
    before_start,
    unknown,
    parked,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByOutcome {
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByPartition {
    topic: String,
    partition: u32,
}

impl From<&TopicPartition> for ByPartition {
    fn from(partition: &TopicPartition) -> Self {
        Self { topic: partition.topic.clone(), partition: partition.partition }
    }
}

/// The metrics of one handler; clones count together.
#[derive(Debug, Clone)]
pub struct Metrics {
    events: Family<ByOutcome, Counter>,
    retries: Counter,
    stops: Counter,
    stopped: Family<ByPartition, Gauge>,
    next_offset: Family<ByPartition, Gauge>,
    lag: Family<ByPartition, Gauge>,
    batch_seconds: Histogram,
}

impl Metrics {
    /// Metrics in `registry`, labelled with the handler's name.
    pub fn new(registry: &mut Registry, handler: &str) -> Self {
        let metrics = Self {
            events: Family::default(),
            retries: Counter::default(),
            stops: Counter::default(),
            stopped: Family::default(),
            next_offset: Family::default(),
            lag: Family::default(),
            batch_seconds: Histogram::new(exponential_buckets(0.001, 2.0, 15)),
        };
        let registry = registry
            .sub_registry_with_prefix("boxoffice_consumer")
            .sub_registry_with_label(("handler".into(), handler.to_owned().into()));
        registry.register("events", "Records by what became of them", metrics.events.clone());
        registry.register("retries", "Batches given back for a later attempt", metrics.retries.clone());
        registry.register("i5_stops", "Gaps and forks met (I5)", metrics.stops.clone());
        registry.register(
            "i5_stopped",
            "1 for a partition that stands still at a gap or fork (I5)",
            metrics.stopped.clone(),
        );
        registry.register(
            "next_offset",
            "The first offset that is not in the view",
            metrics.next_offset.clone(),
        );
        registry.register("lag", "Records on the log that are not in the view", metrics.lag.clone());
        registry.register("batch_seconds", "Time to apply a batch", metrics.batch_seconds.clone());
        metrics
    }

    /// A batch was committed.
    pub fn applied(&self, partition: &TopicPartition, applied: &Applied, took: Duration) {
        let outcomes = [
            (Outcome::applied, applied.applied),
            (Outcome::duplicate, applied.duplicates),
            (Outcome::before_start, applied.before_start),
            (Outcome::unknown, applied.unknown),
            (Outcome::parked, applied.parked),
        ];
        for (outcome, count) in outcomes {
            self.events.get_or_create(&ByOutcome { outcome }).inc_by(count);
        }
        self.next_offset.get_or_create(&partition.into()).set(applied.next_offset.cast_signed());
        self.batch_seconds.observe(took.as_secs_f64());
    }

    /// A batch was given back for a later attempt.
    pub fn retried(&self) {
        self.retries.inc();
    }

    /// A partition stands still.
    pub fn stopped(&self, partition: &TopicPartition) {
        self.stops.inc();
        self.stopped.get_or_create(&partition.into()).set(1);
    }

    /// A partition that stood still goes on.
    pub fn goes_on(&self, partition: &TopicPartition) {
        self.stopped.remove(&partition.into());
    }

    /// How far a partition is behind.
    pub fn lag(&self, partition: &TopicPartition, records: u64) {
        self.lag.get_or_create(&partition.into()).set(records.cast_signed());
    }

    /// A partition is another member's now.
    pub fn forget(&self, partition: &TopicPartition) {
        for family in [&self.stopped, &self.next_offset, &self.lag] {
            family.remove(&partition.into());
        }
    }
}
