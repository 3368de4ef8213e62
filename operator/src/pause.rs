//! What the status says while a person asked to leave the object alone. Pure.

use boxoffice_crds::PAUSED_ANNOTATION;
use boxoffice_crds::common::condition::{RECONCILE_PAUSED, RECONCILING};
use boxoffice_crds::common::{Condition, Time};

use crate::conditions::{Finding, find, set};

/// The conditions while it is paused: `ReconcilePaused`, not Reconciling, and all others as they were last. The next
/// reconcile writes them without.
pub fn paused(before: &[Condition], generation: Option<i64>, now: &Time) -> Vec<Condition> {
    let mut after = before.to_vec();
    let reason = RECONCILE_PAUSED;
    if find(before, RECONCILING).is_some() {
        let resting = Finding::unmet(RECONCILING, reason, "");
        set(&mut after, before, RECONCILING, Some(resting), generation, now);
    }
    let message =
        format!("nothing is done while the annotation {PAUSED_ANNOTATION} is \"true\": remove it to go on");
    let paused = Finding::met(RECONCILE_PAUSED, reason, message);
    set(&mut after, before, RECONCILE_PAUSED, Some(paused), generation, now);
    after
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{is_met, update, with_summary};
    use boxoffice_crds::common::condition::{READY, TOPICS_READY};

    #[test]
    fn pausing_keeps_what_was_known_and_writes_once() {
        let at = |second| Time(jiff::Timestamp::from_second(second).unwrap());
        let step = Finding::unmet(TOPICS_READY, "KafkaUnreachable", "down");
        let before = update(&[], with_summary(vec![step], None), Some(1), &at(1));
        let after = paused(&before, Some(1), &at(2));
        assert!(is_met(&after, RECONCILE_PAUSED) && !is_met(&after, RECONCILING));
        assert_eq!(find(&after, READY), find(&before, READY));
        let again = paused(&after, Some(1), &at(3));
        assert!(again.iter().all(|condition| after.contains(condition)));
        assert_eq!(paused(&again, Some(1), &at(4)), again);
    }
}
