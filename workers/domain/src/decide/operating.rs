//! What the operator does with a SeatingEvent that is there: blocks, the end of the sales, and of all of it.

use super::redefining::defined;
use super::{Provisioned, claimed, decided};
use crate::command::{Answer, Conflict, ConflictReason, Decision, Rejection};
use crate::events::{DomainEvent, SeatBlock, SeatingEventPurged};
use crate::ids::section_of;
use crate::state::Seat;

impl Provisioned<'_> {
    pub(super) fn block(&self, seats: &[String], reason: &str) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let claimed = seats.iter().filter_map(|key| Some(Conflict::new(key, claimed(self.seat(key)?)?)));
        let mut conflicts: Vec<_> = claimed.collect();
        conflicts.sort_by(|a, b| a.seat.cmp(&b.seat));
        if !conflicts.is_empty() {
            return Err(Rejection::SeatsClaimed(conflicts));
        }
        let blocked_so = Seat::Blocked { reason: reason.to_owned() };
        let changing = seats.iter().filter(|key| self.seat(key) != Some(&blocked_so));
        Ok(self
            .operated(changing.map(|key| DomainEvent::SeatBlocked(self.seat_block(key, reason))).collect()))
    }

    pub(super) fn unblock(&self, seats: &[String]) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let changes = seats.iter().filter_map(|key| match self.seat(key)? {
            Seat::Blocked { reason } => Some(DomainEvent::SeatUnblocked(self.seat_block(key, reason))),
            Seat::Lapsed { .. } | Seat::Held { .. } | Seat::Reserved { .. } => None,
        });
        Ok(self.operated(changes.collect()))
    }

    fn check_seats_exist(&self, seats: &[String]) -> Result<(), Rejection> {
        let missing = seats.iter().filter(|key| !self.sale.chart().contains(key));
        let missing: Vec<_> = missing.map(|key| Conflict::new(key, ConflictReason::NotFound)).collect();
        if missing.is_empty() { Ok(()) } else { Err(Rejection::SeatNotFound(missing)) }
    }

    pub(super) fn seat_block(&self, key: &str, reason: &str) -> SeatBlock {
        SeatBlock {
            seat_id: self.seat_id(key),
            event_id: self.state.id.clone(),
            section_id: section_of(key).to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn operated(&self, changes: Vec<DomainEvent>) -> Decision {
        decided(Answer::Provisioned { refused: vec![], sequence: self.after(&changes) }, changes)
    }

    pub(super) fn close(&self) -> Decision {
        let definition = || self.sale.definition.clone();
        let deleted = || DomainEvent::EventDeleted(defined(self.state.id.clone(), definition(), None, None));
        self.operated(if self.sale.closed { vec![] } else { vec![deleted()] })
    }

    /// One that is purged already is not there any more.
    pub(super) fn purge(&self) -> Decision {
        let purged = SeatingEventPurged { event_id: self.state.id.clone() };
        self.operated(vec![DomainEvent::EventPurged(purged)])
    }
}
