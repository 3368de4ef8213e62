//! Whatever is asked for under one `Idempotency-Key` is done once, and every answer to it is the same.

use std::collections::BTreeMap;

use boxoffice_domain::UserId;

use super::request::{Answer, Loss, Request};
use super::trace::RequestTrace;

/// The code of a refusal that says only that it is too early to answer.
const IN_FLIGHT: &str = "IDEMPOTENCY_IN_FLIGHT";
/// The code of a hold that is over.
const EXPIRED: &str = "HOLD_EXPIRED";

/// Requests that have a key, in the order they were sent.
pub struct Repetitions<'a>(BTreeMap<(&'a UserId, &'a str), Vec<&'a RequestTrace<'a>>>);

impl<'a> Repetitions<'a> {
    /// Sorts requests by their keys.
    pub fn of(traces: &'a [RequestTrace<'a>]) -> Self {
        let mut by_key: BTreeMap<_, Vec<&RequestTrace<'_>>> = BTreeMap::new();
        for trace in traces {
            if let Some(key) = &trace.request.key {
                by_key.entry((&trace.request.user, key.as_str())).or_default().push(trace);
            }
        }
        for sent in by_key.values_mut() {
            sent.sort_by_key(|trace| trace.request.between);
        }
        Self(by_key)
    }

    /// Who did what `trace` asks for, where that was another request of its key.
    pub fn first(&self, trace: &RequestTrace<'_>) -> Option<&'a RequestTrace<'a>> {
        let sent = self.0.get(&(&trace.request.user, trace.request.key.as_deref()?))?;
        let other = |other: &&&RequestTrace<'_>| {
            !other.made.is_empty() && other.request.correlation != trace.request.correlation
        };
        sent.iter().find(other).copied()
    }

    /// What was done twice, and answers that differ. With what the store lost went the answers that it had stored.
    pub fn findings(&self, losses: &[Loss]) -> Vec<String> {
        let keys =
            self.0.iter().filter(|(_, sent)| !sent.iter().any(|trace| trace.request.was_under_way(losses)));
        let found = keys.flat_map(|((user, key), sent)| {
            let about = move |finding: String| format!("key {key} of {user}: {finding}");
            twice(sent).into_iter().chain(differing(sent)).chain(forgotten(sent)).map(about)
        });
        found.collect()
    }
}

fn twice(sent: &[&RequestTrace<'_>]) -> Option<String> {
    let done: Vec<_> =
        sent.iter().filter(|trace| !trace.made.is_empty()).map(|trace| trace.names()).collect();
    (done.len() > 1).then(|| format!("I2: it was done {} times: {done:?}", done.len()))
}

fn differing(sent: &[&RequestTrace<'_>]) -> Option<String> {
    // What was held under a key is answered as it is now.
    let answered = sent.iter().filter(|trace| !trace.request.wish.makes_a_hold());
    let mut answers = answered.map(|trace| &trace.request.answer).filter(|answer| is_done(answer));
    let first = answers.next()?;
    let other = answers.find(|answer| *answer != first)?;
    Some(format!("I7: it was answered {first:?}, and then {other:?}"))
}

/// A refusal of what was answered as done before.
fn forgotten(sent: &[&RequestTrace<'_>]) -> Option<String> {
    let done = sent.iter().map(|trace| trace.request).find(|request| is_done(&request.answer))?;
    let later = |request: &&Request| request.between.0 > done.between.1;
    let refused =
        sent.iter().map(|trace| trace.request).filter(later).find_map(|later| match &later.answer {
            // What became of a hold is told too.
            Answer::Refused { code } if code == EXPIRED && later.wish.makes_a_hold() => None,
            Answer::Refused { code } if code != IN_FLIGHT => Some(code),
            _ => None,
        })?;
    Some(format!("I7: it was answered {:?}, and then refused: {refused}", done.answer))
}

fn is_done(answer: &Answer) -> bool {
    !matches!(answer, Answer::Refused { .. } | Answer::Unknown)
}
