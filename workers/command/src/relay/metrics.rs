//! What is measured of the relay.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use boxoffice_domain::{SeatingEventId, UnixMillis};
use boxoffice_runtime::clock;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use crate::store::OutboxEntry;

/// The relay's metrics, of the SeatingEvents that this process publishes.
#[derive(Clone, Default)]
pub struct RelayMetrics {
    /// Domain events published.
    pub published: Counter,
    /// Attempts to publish that failed.
    pub failures: Counter,
    leases: Gauge,
    waiting: Gauge,
    age: Gauge,
    backlogs: Arc<Mutex<HashMap<SeatingEventId, Backlog>>>,
}

/// What of one SeatingEvent waits to be published.
#[derive(Debug, Clone, Copy)]
struct Backlog {
    entries: u64,
    oldest: UnixMillis,
}

impl RelayMetrics {
    /// Registers them.
    pub fn register(registry: &mut Registry) -> Self {
        let metrics = Self::default();
        let Self { published, failures, leases, waiting, age, backlogs: _ } = metrics.clone();
        registry.register("outbox_published", "Domain events published", published);
        registry.register("outbox_publish_failures", "Attempts to publish that failed", failures);
        registry.register("outbox_leases", "Buckets that this process publishes", leases);
        registry.register("outbox_entries", "Domain events that wait to be published", waiting);
        registry.register_with_unit("outbox_age", "Age of the oldest that waits", Unit::Seconds, age);
        metrics
    }

    /// These entries of a SeatingEvent, and perhaps more, wait.
    pub fn reading(&self, event: &SeatingEventId, entries: &[OutboxEntry]) {
        let oldest = entries.first().map_or(UnixMillis::MAX, |entry| entry.envelope.timestamp);
        self.backlogs().insert(event.clone(), Backlog { entries: entries.len() as u64, oldest });
    }

    /// They could not be published, and with them wait all `depth` entries of the outbox.
    pub fn stuck(&self, event: &SeatingEventId, depth: u64) {
        if let Some(backlog) = self.backlogs().get_mut(event) {
            backlog.entries = depth;
        }
    }

    /// Nothing of it waits, or it is another process' business now.
    pub fn nothing_waits(&self, event: &SeatingEventId) {
        self.backlogs().remove(event);
    }

    /// Brings the gauges up to date.
    pub fn refresh(&self, leases: usize) {
        let (entries, oldest) = {
            let backlogs = self.backlogs();
            let entries: u64 = backlogs.values().map(|backlog| backlog.entries).sum();
            (entries, backlogs.values().map(|backlog| backlog.oldest).min())
        };
        let age = oldest.map_or(0, |oldest| clock::now().saturating_sub(oldest) / 1000);
        let gauge = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
        self.leases.set(gauge(leases as u64));
        self.waiting.set(gauge(entries));
        self.age.set(gauge(age));
    }

    fn backlogs(&self) -> std::sync::MutexGuard<'_, HashMap<SeatingEventId, Backlog>> {
        self.backlogs.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
