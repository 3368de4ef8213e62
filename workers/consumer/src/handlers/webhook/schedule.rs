//! When a delivery that failed is tried again, and when it is set aside. Pure.

use std::time::Duration;

use boxoffice_domain::UnixMillis;
use serde::{Deserialize, Serialize};

use crate::effects::backoff::jittered;
use crate::effects::{Change, Due, Held, Moment};

/// Waits after one failure, two, and so on; the last one from then on.
const WAITS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
];
/// How long it is tried.
const GIVE_UP: u64 = 24 * 60 * 60 * 1000;
/// How often a receiver may refuse an event before it is set aside.
const REFUSALS: u32 = 3;
/// Longest wait that a receiver can ask for.
const LONGEST: Duration = Duration::from_hours(1);

/// Why a delivery failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// The receiver is in trouble, or does not answer; not before so long.
    Trouble {
        /// What it asks for.
        after: Option<Duration>,
        /// What it is, for the log.
        reason: String,
    },
    /// The receiver will not have this event.
    Refused(String),
    /// The receiver wants no more.
    Gone,
    /// The event cannot be sent.
    Unsendable(String),
}

/// What came of a turn: how far it got, and what stopped it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Effects up to this number were delivered.
    pub delivered: Option<u64>,
    /// What stopped it.
    pub failure: Option<Failure>,
}

/// What is kept of a lane whose first effect failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Failing {
    /// Since when.
    since: UnixMillis,
    /// How often it was refused.
    refusals: u32,
}

/// What a lane becomes by what came of a turn.
pub fn after(held: &Held, Outcome { delivered, failure }: &Outcome, at: Moment) -> Change {
    let change = Change { done: *delivered, ..Change::default() };
    let Some(failure) = failure else { return change };
    // What was delivered begins the next effect's count anew.
    let before = held.state.as_deref().filter(|_| delivered.is_none());
    let before = before.and_then(|state| serde_json::from_str::<Failing>(state).ok());
    let mut failing = before.unwrap_or(Failing { since: at.now, refusals: 0 });
    let attempts = if delivered.is_some() { 0 } else { held.attempts };
    let again = |failing: Failing, after: Option<Duration>| {
        let wait = WAITS[usize::try_from(attempts).unwrap_or(WAITS.len()).min(WAITS.len() - 1)];
        let wait = jittered(wait, at.dice).max(after.unwrap_or_default().min(LONGEST));
        let wait = u64::try_from(wait.as_millis()).unwrap_or_default();
        Change {
            // Never in practice: two numbers.
            state: serde_json::to_string(&failing).ok(),
            attempts: attempts.saturating_add(1),
            due: Due::At(at.now.saturating_add(wait)),
            ..change.clone()
        }
    };
    let aside = |reason: String| Change {
        attempts: attempts.saturating_add(1),
        due: Due::Never,
        parked: Some(reason),
        ..change.clone()
    };
    match failure {
        Failure::Trouble { reason, .. } if at.now >= failing.since.saturating_add(GIVE_UP) => {
            aside(format!("the receiver was tried for 24 hours; in the end: {reason}"))
        }
        Failure::Trouble { after, .. } => again(failing, *after),
        Failure::Refused(reason) => {
            failing.refusals += 1;
            if failing.refusals >= REFUSALS {
                aside(format!("the receiver refused it {REFUSALS} times: {reason}"))
            } else {
                again(failing, None)
            }
        }
        // Not this event's fault: it counts for nothing.
        Failure::Gone => Change {
            state: held.state.clone().filter(|_| delivered.is_none()),
            attempts,
            due: Due::At(at.now),
            ..change
        },
        Failure::Unsendable(reason) => aside(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effects::Lane;

    fn lane() -> Held {
        let lane = Lane { topic: "seat-events".into(), aggregate: "arena-night.A-1-1".into() };
        Held { lane, attempts: 0, state: None, effects: vec![] }
    }

    fn trouble() -> Outcome {
        let failure = Failure::Trouble { after: None, reason: "503".into() };
        Outcome { delivered: None, failure: Some(failure) }
    }

    fn step(held: &mut Held, outcome: &Outcome, now: u64) -> Change {
        let change = after(held, outcome, Moment { now, dice: 500 });
        (held.state, held.attempts) = (change.state.clone(), change.attempts);
        change
    }

    #[test]
    fn what_fails_is_tried_again_for_a_day() {
        let (mut held, mut now, mut waits) = (lane(), 1_000, vec![]);
        let parked = loop {
            let change = step(&mut held, &trouble(), now);
            let Due::At(due) = change.due else { break change };
            waits.push((due - now) / 1000);
            now = due;
        };
        assert_eq!(waits[..8], [1, 5, 30, 120, 600, 3600, 3600, 3600]);
        assert!((86_400_000..90_000_000).contains(&(now - 1_000)), "{now}");
        assert!(parked.parked.unwrap().contains("24 hours; in the end: 503"));
    }

    #[test]
    fn a_receiver_is_left_alone_as_long_as_it_asks_for_but_an_hour() {
        let asked = |seconds| {
            let failure =
                Failure::Trouble { after: Some(Duration::from_secs(seconds)), reason: "429".into() };
            step(&mut lane(), &Outcome { delivered: None, failure: Some(failure) }, 0).due
        };
        assert_eq!(asked(40), Due::At(40_000));
        assert_eq!(asked(0), Due::At(1_000));
        assert_eq!(asked(1_000_000), Due::At(3_600_000));
    }

    #[test]
    fn what_is_refused_three_times_is_set_aside() {
        let mut held = lane();
        let refused = Outcome { delivered: None, failure: Some(Failure::Refused("400".into())) };
        assert!(matches!(step(&mut held, &refused, 0).due, Due::At(_)));
        assert!(matches!(step(&mut held, &trouble(), 1).due, Due::At(_)));
        assert!(matches!(step(&mut held, &refused, 2).due, Due::At(_)));
        let parked = step(&mut held, &refused, 3);
        assert_eq!((parked.due, parked.done), (Due::Never, None));
        assert!(parked.parked.unwrap().contains("refused it 3 times: 400"));
    }

    #[test]
    fn what_was_delivered_is_done_and_the_next_begins_anew() {
        let mut held = lane();
        held.attempts = 4;
        held.state = Some(r#"{"since": 1, "refusals": 2}"#.into());
        let all = step(&mut held.clone(), &Outcome { delivered: Some(7), failure: None }, 9);
        assert_eq!(all, Change { done: Some(7), ..Change::default() });
        let part = step(&mut held, &Outcome { delivered: Some(6), ..trouble() }, 9);
        assert_eq!((part.done, part.attempts, part.due), (Some(6), 1, Due::At(1009)));
        assert_eq!(part.state.as_deref(), Some(r#"{"since":9,"refusals":0}"#));
    }

    #[test]
    fn a_receiver_that_is_gone_costs_no_attempt() {
        let mut held = lane();
        let gone = step(&mut held, &Outcome { delivered: None, failure: Some(Failure::Gone) }, 5);
        assert_eq!((gone.due, gone.attempts, gone.parked), (Due::At(5), 0, None));
    }
}
