//! What the command workers last said about their SeatingEvents, and which definitions they were given. `poll` asks them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use boxoffice_domain::Definition;

use crate::admin::{AdminError, Inventory, Listing};

/// Names an object: namespace and name.
pub type Key = (String, String);
/// All SeatingEvents of one service by id, or why it did not say.
pub type Answer = Result<BTreeMap<String, Inventory>, AdminError>;

/// The last answer of each service, and the last definition given for each SeatingEvent.
#[derive(Default)]
pub struct Inventories {
    answers: Mutex<HashMap<Key, Answer>>,
    provisioned: Mutex<HashMap<Key, Definition>>,
}

impl Inventories {
    /// The last answer of the service.
    pub fn answer(&self, service: &Key) -> Option<Answer> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }

    /// The definition last given for the SeatingEvent by this process.
    pub fn provisioned(&self, event: &Key) -> Option<Definition> {
        self.provisioned.lock().unwrap_or_else(PoisonError::into_inner).get(event).cloned()
    }

    /// Notes that the service took the definition and answered with the inventory.
    pub fn note_provisioned(&self, service: &Key, event: &Key, definition: Definition, inventory: Inventory) {
        self.provisioned.lock().unwrap_or_else(PoisonError::into_inner).insert(event.clone(), definition);
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if let Ok(known) = answers.entry(service.clone()).or_insert_with(|| Ok(BTreeMap::new())) {
            known.insert(event.1.clone(), inventory);
        }
    }

    /// Forgets a SeatingEvent that is gone.
    pub fn forget(&self, event: &Key) {
        self.provisioned.lock().unwrap_or_else(PoisonError::into_inner).remove(event);
    }

    /// Keeps the new answer of a service and says for which of `events` it differs from the last one.
    pub fn note_answer(
        &self,
        service: &Key,
        told: Result<Listing, AdminError>,
        events: &BTreeSet<String>,
    ) -> BTreeSet<String> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let before = answers.remove(service);
        let answer = told.map(|told| completed(told, before.as_ref()));
        let changed = changed(before.as_ref(), &answer, events);
        answers.insert(service.clone(), answer);
        changed
    }
}

/// What a service told, with what it told `before` of those that a partial answer leaves out: they are there, as far as
/// anybody knows.
fn completed(told: Listing, before: Option<&Answer>) -> BTreeMap<String, Inventory> {
    let mut known = match before {
        Some(Ok(before)) if told.is_partial => before.clone(),
        Some(Ok(_) | Err(_)) | None => BTreeMap::new(),
    };
    known.extend(told.inventories.into_iter().map(|one| (one.event_id.clone(), one)));
    known
}

fn changed(before: Option<&Answer>, after: &Answer, events: &BTreeSet<String>) -> BTreeSet<String> {
    match (before, after) {
        (Some(Ok(before)), Ok(after)) => {
            events.iter().filter(|id| before.get(*id) != after.get(*id)).cloned().collect()
        }
        (Some(Err(_)), Err(_)) => BTreeSet::new(),
        _ => events.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::inventory;

    fn events(ids: &[&str]) -> BTreeSet<String> {
        ids.iter().map(ToString::to_string).collect()
    }

    fn down() -> Answer {
        Err(AdminError::Unreachable { url: "http://x".into(), detail: "refused".into() })
    }

    fn two(sequence: u64) -> BTreeMap<String, Inventory> {
        let arena = Inventory { sequence, ..inventory() };
        let opera = Inventory { event_id: "opera".into(), ..inventory() };
        [("arena-night".to_owned(), arena), ("opera".to_owned(), opera)].into()
    }

    #[test]
    fn only_what_changed_is_reconciled() {
        let all = events(&["arena-night", "opera", "unknown"]);
        assert_eq!(changed(Some(&Ok(two(7))), &Ok(two(8)), &all), events(&["arena-night"]));
        assert!(changed(Some(&Ok(two(7))), &Ok(two(7)), &all).is_empty());
    }

    #[test]
    fn a_seating_event_that_the_store_lost_is_reconciled() {
        assert_eq!(changed(Some(&Ok(two(7))), &Ok(BTreeMap::new()), &events(&["opera"])), events(&["opera"]));
    }

    #[test]
    fn a_seating_event_that_a_partial_answer_leaves_out_stays_as_it_was_known() {
        let (inventories, service) = (Inventories::default(), ("tickets".to_owned(), "main".to_owned()));
        let all = events(&["arena-night", "opera"]);
        let told = |names: &[&str], sequence, is_partial| {
            let listed = two(sequence).into_iter().filter(|(id, _)| names.contains(&id.as_str()));
            let listing = Listing { inventories: listed.map(|(_, one)| one).collect(), is_partial };
            inventories.note_answer(&service, Ok(listing), &all)
        };
        told(&["arena-night", "opera"], 7, false);
        assert_eq!(told(&["arena-night"], 8, true), events(&["arena-night"]), "opera is as it was");
        assert_eq!(inventories.answer(&service), Some(Ok(two(8))));
        assert_eq!(told(&["arena-night"], 8, false), events(&["opera"]), "now it is not there");
    }

    #[test]
    fn a_service_that_falls_silent_or_returns_concerns_all_once() {
        let all = events(&["arena-night", "opera"]);
        assert_eq!(changed(Some(&Ok(two(7))), &down(), &all), all);
        assert!(changed(Some(&down()), &down(), &all).is_empty());
        assert_eq!(changed(Some(&down()), &Ok(two(7)), &all), all);
        assert_eq!(changed(None, &Ok(two(7)), &all), all);
    }
}
