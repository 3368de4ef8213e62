//! What is measured of snapshots.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The folder's metrics, of this process.
#[derive(Clone)]
pub struct SnapshotMetrics {
    /// Snapshots that were written.
    pub written: Counter,
    /// Bytes of their JSON.
    pub bytes: Counter,
    /// How long it took to fold a partition.
    pub seconds: Histogram,
    /// Partitions that could not be folded, each time.
    pub failures: Counter,
}

impl Default for SnapshotMetrics {
    fn default() -> Self {
        Self {
            written: Counter::default(),
            bytes: Counter::default(),
            seconds: Histogram::new(exponential_buckets(0.125, 2.0, 12)),
            failures: Counter::default(),
        }
    }
}

impl SnapshotMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { written, bytes, seconds, failures } = metrics.clone();
        registry.register("snapshots_written", "Snapshots of SeatingEvents that were written", written);
        registry.register_with_unit("snapshots_written", "Size of their JSON", Unit::Bytes, bytes);
        registry.register_with_unit(
            "snapshots_fold_duration",
            "How long it took to bring a partition's snapshots forward",
            Unit::Seconds,
            seconds,
        );
        registry.register("snapshots_failures", "Times that a partition could not be folded", failures);
        metrics
    }
}
