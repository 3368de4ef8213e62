//! What every reconcile of this process shares.

use std::sync::Arc;

use boxoffice_crds::PAUSED_ANNOTATION;
use boxoffice_crds::common::Time;
use kube::{Client, Resource, ResourceExt};

use crate::admin::AdminApi;
use crate::backoff::Backoff;
use crate::kafka::desk::Desk;
use crate::kafka::pool::Pool;
use crate::metrics::Metrics;
use crate::notices::Notices;
use crate::seating_event::inventories::Inventories;

/// Clients, caches and settings.
pub struct Context {
    /// The Kubernetes API.
    pub client: Client,
    /// The command workers' admin API.
    pub admin: AdminApi,
    /// Kafka clients by cluster and credentials.
    pub kafka: Pool,
    /// What services want of Kafka, and what was last seen of it.
    pub desk: Arc<Desk>,
    /// What the command workers last said about SeatingEvents.
    pub inventories: Inventories,
    /// Delays after failures.
    pub backoff: Backoff,
    /// Kubernetes Events.
    pub notices: Notices,
    /// Counters.
    pub metrics: Metrics,
    /// The workers' image for services that name none.
    pub default_image: String,
    /// The clock of conditions.
    pub now: fn() -> Time,
}

/// Names an object in logs and in the back-off: `Kind/namespace/name`.
pub fn key<K: Resource<DynamicType = ()>>(object: &K) -> String {
    format!("{}/{}/{}", K::kind(&()), object.namespace().unwrap_or_default(), object.name_any())
}

/// Whether a person asked to leave the object alone.
pub fn is_paused<K: Resource>(object: &K) -> bool {
    object.annotations().get(PAUSED_ANNOTATION).is_some_and(|value| value == "true")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::arena_night;

    #[test]
    fn only_the_word_true_pauses() {
        let mut event = arena_night();
        assert!(!is_paused(&event));
        for (value, paused) in [("true", true), ("yes", false)] {
            event.annotations_mut().insert(PAUSED_ANNOTATION.into(), value.into());
            assert_eq!(is_paused(&event), paused, "{value}");
        }
    }
}
