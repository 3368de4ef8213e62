//! What is measured of recoveries.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The recovery's metrics, of this process.
#[derive(Clone)]
pub struct RecoveryMetrics {
    /// Recoveries that ended well.
    pub runs: Counter,
    /// How long they took.
    pub seconds: Histogram,
    /// Domain events that were read back from the log.
    pub applied: Counter,
    /// SeatingEvents of which the log had another event than Redis.
    pub forks: Counter,
    /// SeatingEvents that stay behind the fence.
    pub troubles: Gauge,
    /// Recoveries under way.
    pub running: Gauge,
}

impl Default for RecoveryMetrics {
    fn default() -> Self {
        Self {
            runs: Counter::default(),
            seconds: Histogram::new(exponential_buckets(1.0, 2.0, 12)),
            applied: Counter::default(),
            forks: Counter::default(),
            troubles: Gauge::default(),
            running: Gauge::default(),
        }
    }
}

impl RecoveryMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { runs, seconds, applied, forks, troubles, running } = metrics.clone();
        registry.register("recovery_runs", "Recoveries of a server from the log", runs);
        registry.register_with_unit("recovery_duration", "How long they took", Unit::Seconds, seconds);
        registry.register("recovery_events_applied", "Domain events read back from the log", applied);
        registry.register("recovery_forks", "SeatingEvents of which the log had another history", forks);
        registry.register("recovery_troubles", "SeatingEvents that cannot be recovered", troubles);
        registry.register("recovery_running", "Recoveries under way", running);
        metrics
    }
}
