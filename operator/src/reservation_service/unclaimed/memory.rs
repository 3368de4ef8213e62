//! What is remembered of the sales of services: when they were compared with their SeatingEvents, and since when each is
//! known to be unclaimed. Pure.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::definition::Phase;
use tokio::time::Instant;

use crate::admin::{Inventory, Listing};
use crate::departures::ServiceKey;

/// How often the sales of a service are compared with its SeatingEvents while nothing is wrong.
pub(super) const EVERY: Duration = Duration::from_mins(1);
/// Most services that are remembered. Above that it is as if this process had just started.
const MOST: usize = 20_000;

/// What this process remembers of the sales of services.
#[derive(Default)]
pub struct SalesMemory(Mutex<HashMap<ServiceKey, Seen>>);

/// Of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    /// When its sales were last compared with its SeatingEvents, and which these were.
    pub(super) looked: Option<(Instant, BTreeSet<String>)>,
    /// Since when each sale is known to be unclaimed.
    pub(super) unclaimed: BTreeMap<String, Instant>,
    pub(super) closed: BTreeSet<String>,
}

impl SalesMemory {
    /// The service is gone.
    pub fn forget(&self, service: &ServiceKey) {
        self.all().remove(service);
    }

    pub(super) fn of(&self, service: &ServiceKey) -> Seen {
        self.all().get(service).cloned().unwrap_or_default()
    }

    pub(super) fn keep(&self, service: &ServiceKey, seen: Seen) {
        let mut all = self.all();
        if all.len() >= MOST && !all.contains_key(service) {
            all.clear();
        }
        all.insert(service.clone(), seen);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<ServiceKey, Seen>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Seen {
    /// Whether to look again: nothing is wrong and nothing changed for a while otherwise.
    pub(super) fn is_due(&self, claimed: &BTreeSet<String>, now: Instant) -> bool {
        let Some((at, before)) = &self.looked else { return true };
        !self.unclaimed.is_empty() || before != claimed || now - *at >= EVERY
    }

    /// Forgets what is claimed by now, or on sale no more. What a partial list leaves out is as it was.
    pub(super) fn compare(&mut self, listing: &Listing, claimed: &BTreeSet<String>) {
        let open: BTreeSet<_> =
            unclaimed(&listing.inventories, claimed).into_iter().map(|sale| sale.event_id).collect();
        let listed: BTreeSet<_> = listing.inventories.iter().map(|sale| &sale.event_id).collect();
        let may_be_open = |sale: &String| {
            open.contains(sale) || (listing.is_partial && !claimed.contains(sale) && !listed.contains(sale))
        };
        self.unclaimed.retain(|sale, _| may_be_open(sale));
        self.closed.retain(|sale| !claimed.contains(sale) && !open.contains(sale));
    }

    pub(super) fn unclaimed_for(&self, sale: &str, now: Instant) -> Option<Duration> {
        self.unclaimed.get(sale).map(|since| now - *since)
    }
}

/// What is or will be on sale, and is none of `claimed`.
pub(super) fn unclaimed(sales: &[Inventory], claimed: &BTreeSet<String>) -> Vec<Inventory> {
    let is_open = |sale: &&Inventory| match sale.phase {
        Phase::Pending | Phase::Scheduled | Phase::OnSale | Phase::SoldOut => true,
        Phase::Closed => false,
    };
    sales.iter().filter(is_open).filter(|sale| !claimed.contains(&sale.event_id)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let memory = SalesMemory::default();
        for number in 0..=MOST {
            memory.keep(&("tickets".into(), number.to_string()), Seen::default());
        }
        assert_eq!(memory.all().len(), 1);
    }
}
