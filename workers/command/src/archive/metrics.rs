//! What is measured of archives.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Of this process.
#[derive(Clone, Default)]
pub struct ArchiveMetrics {
    /// Archives that were written.
    pub written: Counter,
    /// Times that one could not be: its SeatingEvent stays in the store.
    pub failures: Counter,
}

impl ArchiveMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { written, failures } = metrics.clone();
        registry.register("archives_written", "Archives of SeatingEvents that were written", written);
        let help = "Times that no archive of a SeatingEvent could be written, so that it was not archived";
        registry.register("archives_failures", help, failures);
        metrics
    }
}
