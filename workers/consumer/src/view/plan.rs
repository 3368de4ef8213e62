//! What becomes of each record of a batch, decided in memory before anything is written (I5). No IO.
//!
//! The plan is made from what the store said once for the whole batch. Within the batch sequences advance as
//! records are met, so consecutive events of one SeatingEvent need no further question.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_domain::Envelope;
use boxoffice_domain::checkpoint::{Seen, Span, Start, Verdict, classify};
use boxoffice_runtime::view::{Applied, ViewError};
use uuid::Uuid;

use super::entry::{Body, Entry, StreamPosition};
use crate::handlers::{Followers, Reborn};

/// What the store says about a batch.
#[derive(Debug, Default)]
pub struct Facts {
    /// The sequences met, by SeatingEvent.
    pub spans: HashMap<String, Span>,
    /// Those of them that were met on another log, so far.
    pub former: HashSet<String>,
    /// Ids of the batch that were never seen before.
    pub fresh: HashSet<Uuid>,
    /// Aggregates of the batch that have parked events: later ones join them, in order.
    pub parked: HashSet<String>,
}

/// By what records are decided on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Where the view began.
    pub start: Start,
    /// What a parked event means for later ones of its aggregate.
    pub followers: Followers,
}

/// What becomes of the records of a batch, by their index.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// For the handler, in order.
    pub apply: Vec<usize>,
    /// To set aside, with the reason.
    pub park: BTreeMap<usize, String>,
    /// Those that were seen before.
    pub duplicates: Vec<usize>,
    /// How many are from before the view's start.
    pub before_start: u64,
    /// How many are of an unknown type.
    pub unknown: u64,
    /// The sequences met by SeatingEvent, of those that advance.
    pub spans: BTreeMap<String, Span>,
    /// SeatingEvents that are created on this log and were another one's before.
    pub reborn: Vec<Reborn>,
    followers: Followers,
    parked: HashSet<String>,
}

/// The record at which a batch must stop, and why.
#[derive(Debug)]
pub struct Stop {
    /// Its index: everything before it can be applied.
    pub index: usize,
    /// [`ViewError::Gap`] or [`ViewError::Fork`].
    pub error: ViewError,
}

impl Plan {
    /// Decides on `entries`.
    ///
    /// # Errors
    /// The first record that shows a gap or a fork.
    pub fn new(entries: &[Entry], facts: Facts, rules: Rules) -> Result<Self, Stop> {
        match Self::up_to_a_stop(entries, facts, rules) {
            (plan, None) => Ok(plan),
            (_, Some(stop)) => Err(stop),
        }
    }

    /// Decides on `entries` up to the first one that shows a gap or a fork, if there is one.
    pub fn up_to_a_stop(entries: &[Entry], facts: Facts, rules: Rules) -> (Self, Option<Stop>) {
        let Facts { mut spans, mut former, mut fresh, parked } = facts;
        let Rules { start, followers } = rules;
        let mut plan = Self {
            apply: vec![],
            park: BTreeMap::new(),
            duplicates: vec![],
            before_start: 0,
            unknown: 0,
            spans: BTreeMap::new(),
            reborn: vec![],
            followers,
            parked,
        };
        for (index, entry) in entries.iter().enumerate() {
            let Some(position) = &entry.position else {
                plan.take(index, entry);
                continue;
            };
            let event = position.seating_event.as_str();
            let known = position.event_id.is_none_or(|id| !fresh.remove(&id));
            let creates = entry.creates();
            if let Some(envelope) = entry.envelope().filter(|_| creates && !known && former.remove(event)) {
                spans.remove(event);
                plan.reborn.push(Reborn { event: position.seating_event.clone(), at: envelope.timestamp });
            }
            let met = spans.get(event).copied();
            let verdict = match position.sequence {
                Some(sequence) => classify(met, start, Seen { sequence, known, creates }),
                None if known => Verdict::Duplicate,
                None => Verdict::Apply,
            };
            match verdict {
                Verdict::Apply => {
                    if let Some(last) = position.sequence {
                        let span = met.map_or(Span::beginning_with(last), |met| Span { last, ..met });
                        spans.insert(event.to_owned(), span);
                        plan.spans.insert(event.to_owned(), span);
                        former.remove(event);
                    }
                    plan.take(index, entry);
                }
                Verdict::Duplicate => plan.duplicates.push(index),
                Verdict::BeforeStart => plan.before_start += 1,
                Verdict::Fork => {
                    let sequence = position.sequence.unwrap_or_default();
                    let error = ViewError::Fork { event: event.to_owned(), sequence, offset: entry.offset };
                    return (plan, Some(Stop { index, error }));
                }
                Verdict::Gap { expected } => {
                    let sequence = position.sequence.unwrap_or_default();
                    let error =
                        ViewError::Gap { event: event.to_owned(), sequence, expected, offset: entry.offset };
                    return (plan, Some(Stop { index, error }));
                }
            }
        }
        (plan, None)
    }

    fn take(&mut self, index: usize, entry: &Entry) {
        match &entry.body {
            Body::Known(_) if self.held_up(entry) => self.join(index),
            Body::Known(_) => self.apply.push(index),
            Body::Unknown(_) => self.unknown += 1,
            Body::Unreadable(reason) => self.park(index, entry, reason.clone()),
        }
    }

    /// The event at `index` that was to be applied, unless one of the same aggregate was parked since: then it waits
    /// behind that one.
    pub fn still_due<'e>(&mut self, index: usize, entry: &'e Entry) -> Option<&'e Envelope> {
        if self.held_up(entry) {
            self.join(index);
            return None;
        }
        entry.envelope()
    }

    /// Of the events at `indexes`, those that are [still due](Self::still_due).
    pub fn still_due_of(&mut self, indexes: &[usize], entries: &[Entry]) -> Vec<usize> {
        indexes.iter().copied().filter(|index| self.still_due(*index, &entries[*index]).is_some()).collect()
    }

    /// Whether earlier events of the same aggregate are parked, so that this one must wait behind them.
    fn held_up(&self, entry: &Entry) -> bool {
        self.followers == Followers::Wait
            && entry
                .position
                .as_ref()
                .is_some_and(|StreamPosition { aggregate, .. }| self.parked.contains(aggregate))
    }

    /// Parks the record at `index` behind earlier ones of its aggregate.
    fn join(&mut self, index: usize) {
        self.park.insert(index, "an earlier event of the same aggregate is parked".into());
    }

    /// Parks the record at `index` for `reason`, and where the handler needs that, what comes later of its aggregate.
    pub fn park(&mut self, index: usize, entry: &Entry, reason: String) {
        self.park.insert(index, reason);
        self.parked.extend(entry.position.as_ref().map(|position| position.aggregate.clone()));
    }

    /// What it comes to, once it is carried out and the checkpoint is at `next_offset`.
    pub fn outcome(&self, next_offset: u64) -> Applied {
        Applied {
            applied: self.apply.len() as u64,
            duplicates: self.duplicates.len() as u64,
            before_start: self.before_start,
            unknown: self.unknown,
            parked: self.park.len() as u64,
            next_offset,
        }
    }
}

#[cfg(test)]
#[path = "plan_tests.rs"]
mod tests;
