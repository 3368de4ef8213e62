//! What is measured of reactions to payments.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;

/// Counters of this process.
#[derive(Clone, Default)]
pub struct PaymentMetrics {
    /// Payments that changed seats.
    pub reacted: Counter,
    /// Payments that changed nothing: taken in before, or of a reservation that is gone.
    pub repeated: Counter,
    /// Attempts that failed and are repeated.
    pub failures: Counter,
    /// Records that cannot be read and are left out.
    pub unreadable: Counter,
}

impl PaymentMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { reacted, repeated, failures, unreadable } = metrics.clone();
        registry.register("payments_reacted", "Payments that changed seats", reacted);
        registry.register("payments_repeated", "Payments that changed nothing", repeated);
        registry.register("payments_failures", "Attempts to take a payment in that failed", failures);
        registry.register("payments_unreadable", "Payment records that cannot be read", unreadable);
        metrics
    }
}
