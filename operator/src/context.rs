//! What every reconcile of this process shares.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use boxoffice_crds::PAUSED_ANNOTATION;
use boxoffice_crds::common::Time;
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};
use tokio_util::sync::CancellationToken;

use crate::admin::AdminApi;
use crate::backoff::Backoff;
use crate::definitions::Definitions;
use crate::departures::Departures;
use crate::directory::Directory;
use crate::kafka::declarations::Declarations;
use crate::kafka::pool::Pool;
use crate::last_written::LastWritten;
use crate::metrics::Metrics;
use crate::namespace_leases::NamespaceLeases;
use crate::notices::Notices;
use crate::refusals::Refusals;
use crate::reservation_service::memory::Memory;
use crate::reservation_service::pods::Lists;
use crate::reservation_service::tokens::Keyring;
use crate::reservation_service::unclaimed::memory::SalesMemory;
use crate::seating_event::checks::Checks;
use crate::seating_event::inventories::Inventories;
use crate::seating_event::pace::Pace;
use crate::seating_event::slim::SlimSeatingEvent;
use crate::secrets::{ConfigMaps, Secrets};
use crate::watch::Watches;
use crate::watch::unreadable::Unreadable;

/// Clients, caches and settings.
pub struct Context {
    /// The Kubernetes API.
    pub client: Client,
    /// The command workers' admin API.
    pub admin: AdminApi,
    /// Kafka clients by cluster and credentials.
    pub kafka: Pool,
    /// What services want of Kafka, and what was last seen of it.
    pub declarations: Arc<Declarations>,
    /// What the command workers last said about SeatingEvents.
    pub inventories: Inventories,
    /// What is known of services' objects from before.
    pub memory: Arc<Memory>,
    /// What it remembers of deletions.
    pub departures: Departures,
    /// What it remembers of sales that no SeatingEvent claims.
    pub unclaimed: SalesMemory,
    /// How long such a sale goes on that is younger than its service.
    pub unclaimed_sales_after: Duration,
    /// Every SeatingEvent, once they are watched.
    pub shows: OnceLock<Store<SlimSeatingEvent>>,
    /// The services as they are watched.
    pub directory: Directory,
    /// Which definitions were looked at.
    pub checks: Checks,
    /// When counts are written.
    pub pace: Pace,
    /// Delays after failures.
    pub backoff: Backoff,
    /// How often objects are looked at that nothing woke.
    pub resync: Duration,
    /// Secrets that were read.
    pub secrets: Secrets,
    /// `ConfigMaps` that services name and were read.
    pub config_maps: ConfigMaps,
    /// The admin tokens of the services.
    pub tokens: Keyring,
    /// The pods of services at rest.
    pub pods: Lists,
    /// What the API server did not take.
    pub refusals: Refusals,
    /// Kubernetes Events.
    pub notices: Notices,
    /// Counters.
    pub metrics: Metrics,
    /// What is watched, and where.
    pub watches: Watches,
    /// Which namespaces are this installation's.
    pub namespace_leases: NamespaceLeases,
    /// The objects that this version cannot read.
    pub unreadable: Arc<Unreadable>,
    /// Whether the API server knows what this version does.
    pub definitions: Definitions,
    /// What became of statuses that were written.
    pub last_written: LastWritten,
    /// Cancelled when the process is to end: no reconcile begins after it.
    pub ending: CancellationToken,
    /// The workers' image for services that name none.
    pub default_image: String,
    /// Where the operator runs.
    pub namespace: String,
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
