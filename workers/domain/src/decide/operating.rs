//! What the operator does: definitions, blocks, and the end of the sales.

use std::collections::HashSet;

use super::At;
use crate::chart::Chart;
use crate::command::{Answer, Conflict, Decision, Rejection};
use crate::definition::Definition;
use crate::events::{DomainEvent, SeatBlock, SeatingEventDefined};
use crate::ids::{SeatingEventId, section_of};
use crate::state::{Seat, SeatingEventState};

impl At<'_> {
    pub(super) fn block(&self, seats: &[String], reason: &str) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let claimed = seats.iter().filter_map(|key| match self.state.seats.get(key)? {
            Seat::Held { .. } => Some(Conflict { seat: key.clone(), reason: "HELD" }),
            Seat::Reserved { .. } => Some(Conflict { seat: key.clone(), reason: "RESERVED" }),
            Seat::Lapsed { .. } | Seat::Blocked { .. } => None,
        });
        let mut conflicts: Vec<_> = claimed.collect();
        conflicts.sort_by(|a, b| a.seat.cmp(&b.seat));
        if !conflicts.is_empty() {
            return Err(Rejection::SeatMapConflict(conflicts));
        }
        let blocked_so = Seat::Blocked { reason: reason.to_owned() };
        let changing = seats.iter().filter(|key| self.state.seats.get(*key) != Some(&blocked_so));
        Ok(self.provisioned(
            changing.map(|key| DomainEvent::SeatBlocked(self.seat_block(key, reason))).collect(),
        ))
    }

    pub(super) fn unblock(&self, seats: &[String]) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let changes = seats.iter().filter_map(|key| match self.state.seats.get(key)? {
            Seat::Blocked { reason } => Some(DomainEvent::SeatUnblocked(self.seat_block(key, reason))),
            _ => None,
        });
        Ok(self.provisioned(changes.collect()))
    }

    fn check_seats_exist(&self, seats: &[String]) -> Result<(), Rejection> {
        let missing = seats.iter().filter(|key| !self.show.chart.contains(key));
        let missing: Vec<_> =
            missing.map(|key| Conflict { seat: key.clone(), reason: "NOT_FOUND" }).collect();
        if missing.is_empty() { Ok(()) } else { Err(Rejection::SeatNotFound(missing)) }
    }

    fn seat_block(&self, key: &str, reason: &str) -> SeatBlock {
        SeatBlock {
            seat_id: self.seat_id(key),
            event_id: self.state.id.clone(),
            section_id: section_of(key).to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn provisioned(&self, changes: Vec<DomainEvent>) -> Decision {
        Decision { answer: Answer::Provisioned { sequence: self.after(&changes) }, changes }
    }

    pub(super) fn close(&self) -> Decision {
        let changes = if self.show.closed {
            vec![]
        } else {
            vec![DomainEvent::EventDeleted(defined(self.state.id.clone(), self.show.definition.clone()))]
        };
        self.provisioned(changes)
    }
}

fn defined(event_id: SeatingEventId, definition: Definition) -> SeatingEventDefined {
    SeatingEventDefined { event_id, chart_hash: definition.chart_hash(), definition }
}

pub(super) fn provision(state: &SeatingEventState, definition: &Definition) -> Result<Decision, Rejection> {
    let payload = || defined(state.id.clone(), definition.clone());
    let changes = match &state.show {
        None => vec![DomainEvent::EventCreated(payload())],
        Some(show) if !show.closed && show.definition == *definition => vec![],
        Some(_) => {
            let conflicts = chart_conflicts(state, definition);
            if !conflicts.is_empty() {
                return Err(Rejection::SeatMapConflict(conflicts));
            }
            vec![DomainEvent::EventUpdated(payload())]
        }
    };
    let sequence = state.sequence + changes.len() as u64;
    Ok(Decision { answer: Answer::Provisioned { sequence }, changes })
}

/// The claimed seats that `definition` would drop or block, in order of their keys. A lapsed hold that was not yet
/// released still counts: the caller tries again, and a second later it is gone.
fn chart_conflicts(state: &SeatingEventState, definition: &Definition) -> Vec<Conflict> {
    let chart = Chart::expand(definition).unwrap_or_default();
    let blocked: HashSet<&str> =
        definition.blocked.iter().flat_map(|b| b.seats.iter().map(String::as_str)).collect();
    let mut conflicts: Vec<_> = state
        .seats
        .iter()
        .filter(|(key, _)| !chart.contains(key) || blocked.contains(key.as_str()))
        .filter_map(|(key, seat)| {
            let reason = match seat {
                Seat::Held { .. } => "HELD",
                Seat::Reserved { .. } => "RESERVED",
                Seat::Lapsed { .. } | Seat::Blocked { .. } => return None,
            };
            Some(Conflict { seat: key.clone(), reason })
        })
        .collect();
    conflicts.sort_by(|a, b| a.seat.cmp(&b.seat));
    conflicts
}
