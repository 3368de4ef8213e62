//! One request and what it did, and whether that is what it was told.

use std::collections::BTreeMap;

use anyhow::bail;
use boxoffice_domain::{Envelope, SeatId};

use super::name;
use super::request::{Answer, Loss, Request};

/// Domain events by sequence.
pub type Facts<'a> = BTreeMap<u64, &'a Envelope>;

/// A request and what it did.
pub struct RequestTrace<'a> {
    /// The request.
    pub request: &'a Request,
    /// Its domain events, in order.
    pub made: Vec<Envelope>,
    /// Seats that it was to take all of, and that were still there after the last of `made`.
    pub left: Vec<String>,
    /// What the hold or the reservation that the last of `made` is about had then.
    pub has: Vec<SeatId>,
}

impl RequestTrace<'_> {
    /// `first` is the request of the same key that did what this one was told.
    pub fn examine(&self, facts: &Facts<'_>, first: Option<&Self>, losses: &[Loss]) -> anyhow::Result<()> {
        match (&self.request.answer, self.made.is_empty()) {
            (Answer::Refused { .. } | Answer::Unknown, true) => Ok(()),
            (Answer::Refused { .. }, false) => bail!("I2: it had an effect: {:?}", self.names()),
            (Answer::Unknown, false) => self.whole(),
            (answer, false) => self.whole().and_then(|()| self.is_as_told(answer)),
            (answer, true) => {
                let mut was_so = first.map_or_else(|| self.repeats(facts), |first| first.is_as_told(answer));
                let is_hold = self.request.wish.makes_a_hold();
                if is_hold || first.is_some_and(|first| first.request.was_under_way(losses)) {
                    // A hold is known by its key for as long as it is remembered, and answered as it is; or the answer
                    // that was stored with its effect is gone, and the effect itself came back from the log.
                    was_so = was_so.or_else(|_| self.repeats(facts));
                }
                was_so.or_else(|error| if self.request.may_be_lost(losses) { Ok(()) } else { Err(error) })
            }
        }
    }

    /// Its domain events, for a person.
    pub fn names(&self) -> Vec<String> {
        self.made.iter().map(name).collect()
    }
}
