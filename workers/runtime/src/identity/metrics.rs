//! What is counted about tokens: why they were refused, and how the issuer's keys came.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

/// The metrics.
#[derive(Debug, Clone)]
pub(super) struct Metrics {
    refusals: Family<Refused, Counter>,
    refreshes: Family<Refreshed, Counter>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refused {
    reason: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refreshed {
    outcome: Outcome,
}

/// How a fetch of keys ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub(super) enum Outcome {
    /// With keys.
    Fetched,
    /// Without: the old ones stay.
    Failed,
}

impl Metrics {
    pub(super) fn register(registry: &mut Registry) -> Self {
        let metrics = Self { refusals: Family::default(), refreshes: Family::default() };
        registry.register("auth_refusals", "Tokens refused", metrics.refusals.clone());
        registry.register("auth_key_refreshes", "Fetches of the issuer's keys", metrics.refreshes.clone());
        metrics
    }

    pub(super) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Refused { reason }).inc();
    }

    pub(super) fn refreshed(&self, outcome: Outcome) {
        self.refreshes.get_or_create(&Refreshed { outcome }).inc();
    }
}
