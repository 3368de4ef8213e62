//! What the command workers said about their SeatingEvents, and what became of the definitions that this process gave them.
//! `poll` asks them.
//!
//! A service that does not answer is silent from the first time on, but its shows learn of it only when it has been so for
//! a while: until then they are as they were said to be last. Nothing is given to a service while it is silent: one that
//! hangs would keep the shows of all others waiting. Those that have something for it are woken when it answers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_crds::common::Time;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::given::{Became, Given};
use crate::admin::{AdminError, Inventory, Listing};
use crate::backoff::jittered;
pub use crate::directory::Key;

/// How often each service is asked: counts are well under 10 s old with it.
const INTERVAL: Duration = Duration::from_secs(5);
/// How long a service is silent before its shows are said not to be known.
pub const SILENCE: Duration = Duration::from_secs(30);
/// How many definitions are given to one service at once.
const GIVEN_AT_ONCE: usize = 2;

/// See the module.
#[derive(Default)]
pub struct Inventories {
    services: Mutex<HashMap<Key, Service>>,
    given: Mutex<HashMap<Key, Given>>,
    /// Whether it is known which services have SeatingEvents.
    is_begun: AtomicBool,
    /// Somebody wants a service to be asked before its time.
    nudge: Notify,
}

/// What is known of one SeatingEvent.
#[derive(Clone, Debug, PartialEq)]
pub enum Told {
    /// Its service has said nothing yet.
    Nothing,
    /// Its service has been silent for a while, and this is how.
    Silent(AdminError),
    /// Its service has it, and cannot read what it has.
    Unreadable,
    /// What the service said last.
    Known {
        /// It, where it is there.
        inventory: Option<Inventory>,
        /// Whether the service answers.
        answers: bool,
    },
}

/// How a service takes what it is asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Answering {
    /// Nobody asks it.
    Unasked,
    /// It does not answer, but not for long; or was not asked yet.
    Unsure,
    /// It answers.
    Answers,
    /// It has been silent for a while.
    Silent(AdminError),
}

#[derive(Default)]
struct Service {
    known: BTreeMap<String, Inventory>,
    /// Those that it cannot read: what was known of them stays for when it can.
    unreadable: BTreeSet<String>,
    /// To come with when it is asked next.
    cursor: String,
    /// When it was asked what it answered last.
    heard: Option<Time>,
    failing: Option<Failing>,
    asking: Option<Asking>,
    /// When it is to be asked next.
    due: Option<Instant>,
    /// Definitions that are being given to it.
    giving: usize,
    /// SeatingEvents that have something for it.
    waiting: BTreeSet<String>,
    presence: Option<Presence>,
}

/// Whether a service is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is not.
    Absent,
    /// It is.
    Here,
    /// It is being deleted.
    Leaving,
}

struct Failing {
    since: Instant,
    error: AdminError,
    /// Whether its shows were told.
    is_told: bool,
}

/// A question that is under way.
struct Asking {
    at: Time,
    /// What was said otherwise meanwhile.
    meanwhile: Vec<Inventory>,
    /// What went meanwhile.
    gone: BTreeSet<String>,
}

/// The right to give a definition to a service; it is given back when dropped.
pub struct Turn<'a> {
    inventories: &'a Inventories,
    service: Key,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(service) = self.inventories.services().get_mut(&self.service) {
            service.giving = service.giving.saturating_sub(1);
        }
    }
}

impl Inventories {
    /// What is known of a SeatingEvent of a service.
    pub fn told(&self, service: &Key, id: &str) -> Told {
        let services = self.services();
        let Some(service) = services.get(service) else { return Told::Nothing };
        match (&service.failing, &service.heard) {
            (Some(failing), _) if failing.is_told => Told::Silent(failing.error.clone()),
            (_, None) => Told::Nothing,
            (_, Some(_)) if service.unreadable.contains(id) => Told::Unreadable,
            (failing, Some(_)) => {
                Told::Known { inventory: service.known.get(id).cloned(), answers: failing.is_none() }
            }
        }
    }

    /// Whether a service answers.
    pub fn answering(&self, service: &Key) -> Answering {
        let services = self.services();
        match services.get(service).map(|service| (&service.failing, &service.heard)) {
            None if self.is_begun.load(Ordering::Relaxed) => Answering::Unasked,
            Some((None, Some(_))) => Answering::Answers,
            Some((Some(failing), _)) if failing.is_told => Answering::Silent(failing.error.clone()),
            None | Some((Some(_), _) | (None, None)) => Answering::Unsure,
        }
    }

    /// When a service was asked what is known of it.
    pub fn heard(&self, service: &Key) -> Option<Time> {
        self.services().get(service)?.heard.clone()
    }

    /// Has a SeatingEvent woken by the next answer of its service, and has that asked soon where it never was.
    pub fn wait(&self, service: &Key, id: &str) {
        let mut services = self.services();
        let entry = services.entry(service.clone()).or_default();
        entry.waiting.insert(id.to_owned());
        if entry.heard.is_none() && entry.failing.is_none() && entry.asking.is_none() {
            self.nudge.notify_one();
        }
    }

    /// Has a service asked now.
    pub fn ask_soon(&self, service: &Key) {
        if let Some(service) = self.services().get_mut(service) {
            service.due = None;
            self.nudge.notify_one();
        }
    }

    /// Waits until somebody wants a service to be asked before its time.
    pub async fn nudged(&self) {
        self.nudge.notified().await;
    }

    /// The right to give a definition to a service, unless enough are being given to it.
    pub fn turn(&self, service: &Key) -> Option<Turn<'_>> {
        let mut services = self.services();
        let entry = services.entry(service.clone()).or_default();
        (entry.giving < GIVEN_AT_ONCE).then(|| {
            entry.giving += 1;
            Turn { inventories: self, service: service.clone() }
        })
    }

    /// What became of the definition `wanted` of a SeatingEvent, where that still stands.
    pub fn given(&self, event: &Key, wanted: &str, told: Option<&Inventory>, now: Instant) -> Option<Became> {
        let given = self.given.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(event).and_then(|given| given.stands(wanted, told, now)).cloned()
    }

    /// Notes what became of a definition, and what the service said of it where it did.
    pub fn note_given(&self, service: &Key, event: &Key, given: Given, inventory: Option<Inventory>) {
        self.given.lock().unwrap_or_else(PoisonError::into_inner).insert(event.clone(), given);
        let mut services = self.services();
        let (Some(inventory), Some(service)) = (inventory, services.get_mut(service)) else { return };
        if let Some(asking) = &mut service.asking {
            asking.meanwhile.push(inventory.clone());
        }
        service.known.insert(event.1.clone(), inventory);
    }

    /// Forgets a SeatingEvent that is gone, also what its service said of it: one that is made again under its name may find
    /// nothing there, and what is being told just now is from before.
    pub fn forget(&self, event: &Key) {
        let (namespace, id) = event;
        self.given.lock().unwrap_or_else(PoisonError::into_inner).remove(event);
        for (_, service) in self.services().iter_mut().filter(|((of, _), _)| of == namespace) {
            service.known.remove(id);
            if let Some(asking) = &mut service.asking {
                asking.gone.insert(id.clone());
            }
        }
    }

    /// Forgets services that have no SeatingEvents any more.
    pub fn keep_only<T>(&self, services: &BTreeMap<Key, T>) {
        self.services().retain(|service, entry| services.contains_key(service) || entry.giving > 0);
        self.is_begun.store(true, Ordering::Relaxed);
    }

    /// Notes whether a service is there, and says whether that is new.
    pub fn note_presence(&self, service: &Key, presence: Presence) -> bool {
        let mut services = self.services();
        let entry = services.entry(service.clone()).or_default();
        let before = entry.presence.replace(presence);
        let is_new = before.is_some_and(|before| before != presence);
        if is_new && presence == Presence::Here {
            // The one of before may have taken its seats along.
            *entry = Service { presence: entry.presence, giving: entry.giving, ..Service::default() };
        }
        is_new
    }

    /// The cursor to ask a service with, where it is due and not being asked.
    pub fn begin(&self, service: &Key, now: Instant, at: Time) -> Option<String> {
        let mut services = self.services();
        let service = services.entry(service.clone()).or_default();
        if service.asking.is_some() || service.due.is_some_and(|due| due > now) {
            return None;
        }
        service.asking = Some(Asking { at, meanwhile: Vec::new(), gone: BTreeSet::new() });
        Some(service.cursor.clone())
    }

    /// Notes that a service could not even be asked.
    pub fn give_up(&self, service: &Key, now: Instant) {
        if let Some(service) = self.services().get_mut(service) {
            service.asking = None;
            service.due = Some(now + jittered(INTERVAL));
        }
    }

    /// Takes in what a service answered and says which of `events` are to look at it.
    pub fn note_answer(
        &self,
        service: &Key,
        answer: Result<Listing, AdminError>,
        events: &BTreeSet<String>,
        now: Instant,
    ) -> BTreeSet<String> {
        let mut services = self.services();
        let Some(service) = services.get_mut(service) else { return BTreeSet::new() };
        // Else it came back meanwhile, and the answer is that of the one of before.
        let Some(asking) = service.asking.take() else { return BTreeSet::new() };
        service.due = Some(now + jittered(INTERVAL));
        match answer {
            Ok(listing) => service.hear(listing, asking, events),
            Err(error) => service.miss(error, events, now),
        }
    }

    fn services(&self) -> MutexGuard<'_, HashMap<Key, Service>> {
        self.services.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Service {
    fn hear(&mut self, listing: Listing, asking: Asking, events: &BTreeSet<String>) -> BTreeSet<String> {
        let were_told = self.failing.take().is_some_and(|failing| failing.is_told);
        let is_first = self.heard.is_none();
        self.cursor.clone_from(&listing.cursor);
        let mut changed = self.take(listing);
        let Asking { at, meanwhile, gone } = asking;
        self.heard = Some(at);
        self.known.retain(|id, _| !gone.contains(id));
        for newer in meanwhile {
            let known = self.known.get(&newer.event_id);
            if known.is_none_or(|known| known.sequence < newer.sequence) {
                self.known.insert(newer.event_id.clone(), newer);
            }
        }
        changed.append(&mut self.waiting);
        if were_told || is_first {
            return events.clone();
        }
        events.intersection(&changed).cloned().collect()
    }

    /// The ids of those that are another way than before.
    fn take(&mut self, listing: Listing) -> BTreeSet<String> {
        let Listing { cursor: _, inventories, all, gone, unreadable, is_partial } = listing;
        let mut changed: BTreeSet<_> =
            gone.into_iter().filter(|id| self.known.remove(id).is_some()).collect();
        let unreadable = unreadable.into_iter().collect();
        changed.extend(self.unreadable.symmetric_difference(&unreadable).cloned());
        self.unreadable = unreadable;
        if all && !is_partial {
            let listed: BTreeSet<_> = inventories.iter().map(|one| &one.event_id).collect();
            let lost: Vec<_> = self.known.keys().filter(|id| !listed.contains(id)).cloned().collect();
            for id in lost {
                self.known.remove(&id);
                changed.insert(id);
            }
        }
        for one in inventories {
            if self.known.get(&one.event_id) != Some(&one) {
                changed.insert(one.event_id.clone());
                self.known.insert(one.event_id.clone(), one);
            }
        }
        changed
    }

    fn miss(&mut self, error: AdminError, events: &BTreeSet<String>, now: Instant) -> BTreeSet<String> {
        let failing =
            self.failing.get_or_insert_with(|| Failing { since: now, error: error.clone(), is_told: false });
        if failing.is_told || now.saturating_duration_since(failing.since) < SILENCE {
            return BTreeSet::new();
        }
        failing.is_told = true;
        failing.error = error;
        events.clone()
    }
}

#[cfg(test)]
#[path = "inventories_tests.rs"]
mod tests;
