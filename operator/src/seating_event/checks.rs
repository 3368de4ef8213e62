//! What came of looking at definitions: a chart is expanded once a generation. Pure.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use boxoffice_crds::common::condition::STALLED;
use kube::Resource;

use super::slim::SlimSeatingEvent;
use crate::conditions::{Stall, is_met};
use crate::directory::Key;

/// The verdicts of this process, by SeatingEvent, each about the definition with that digest.
#[derive(Default)]
pub struct Checks(Mutex<HashMap<Key, Verdict>>);

struct Verdict {
    definition: String,
    stall: Option<Stall>,
}

impl Checks {
    /// Whether the definition has to be looked at: nobody has, as far as status and memory say.
    pub fn is_due(&self, show: &SlimSeatingEvent) -> bool {
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verdicts.get(&show.key());
        known.is_none_or(|verdict| verdict.definition != show.spec.definition_hash) && !was_sound(show)
    }

    /// Why the definition is none, where it is known to be so.
    pub fn stall(&self, show: &SlimSeatingEvent) -> Option<Stall> {
        let verdicts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = verdicts.get(&show.key());
        known.filter(|verdict| verdict.definition == show.spec.definition_hash)?.stall.clone()
    }

    /// Notes what came of looking at one.
    pub fn note(&self, show: &Key, definition: String, stall: Option<Stall>) {
        let verdict = Verdict { definition, stall };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(show.clone(), verdict);
    }

    /// Forgets a SeatingEvent that is gone.
    pub fn forget(&self, show: &Key) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(show);
    }
}

/// Whether the status speaks about this generation and finds nothing wrong with it.
fn was_sound(show: &SlimSeatingEvent) -> bool {
    show.status.as_ref().is_some_and(|status| {
        status.observed_generation == show.meta().generation && !is_met(&status.conditions, STALLED)
    })
}

#[cfg(test)]
mod tests {
    use boxoffice_crds::SeatingEventStatus;
    use boxoffice_crds::common::{Condition, Time};

    use super::*;
    use crate::seating_event::fixtures;

    #[test]
    fn a_definition_is_looked_at_once() {
        let (checks, mut show) = (Checks::default(), fixtures::show());
        assert!(checks.is_due(&show));
        let stall = Stall::new("InvalidChart", "overlap");
        checks.note(&show.key(), show.spec.definition_hash.clone(), Some(stall.clone()));
        assert!(!checks.is_due(&show));
        assert_eq!(checks.stall(&show), Some(stall));
        show.spec.definition_hash = "other".into();
        assert!(checks.is_due(&show));
        assert_eq!(checks.stall(&show), None);
    }

    #[test]
    fn a_restarted_operator_looks_only_at_those_that_were_found_wrong() {
        let (checks, mut show) = (Checks::default(), fixtures::show());
        let status = |generation, stalled: &str| SeatingEventStatus {
            observed_generation: Some(generation),
            conditions: vec![Condition {
                last_transition_time: Time(jiff::Timestamp::UNIX_EPOCH),
                message: String::new(),
                observed_generation: None,
                reason: "X".into(),
                status: stalled.into(),
                type_: STALLED.into(),
            }],
            ..SeatingEventStatus::default()
        };
        for (generation, stalled, is_due) in [(2, "False", false), (2, "True", true), (1, "False", true)] {
            show.status = Some(status(generation, stalled));
            assert_eq!(checks.is_due(&show), is_due, "{generation} {stalled}");
        }
    }
}
