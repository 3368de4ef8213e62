//! Applies facts to the state. Facts are never refused: what happened, happened.

use std::collections::HashMap;

use uuid::Uuid;

use crate::chart::Chart;
use crate::definition::Definition;
use crate::events::{Claim, DomainEvent, Envelope, ReleaseReason, SeatReleased, SeatingEventDefined};
use crate::ids::UserId;
use crate::state::{Claimed, Hold, HoldStatus, Seat, SeatingEventState, Show};

/// Applies one domain event, and takes its sequence as the state's.
pub fn evolve(state: &mut SeatingEventState, envelope: &Envelope) {
    if let Some(sequence) = envelope.metadata.sequence {
        state.sequence = sequence;
    }
    match &envelope.event {
        DomainEvent::SeatHeld(e) => {
            let key = e.seat_id.key().to_owned();
            let hold = state.holds.entry(e.hold_id.uuid()).or_insert_with(|| Hold {
                user: e.user_id.clone(),
                correlation: envelope.metadata.correlation_id.clone(),
                seats: vec![],
                held_at: e.held_at,
                expires_at: e.expires_at,
                sequence: 0,
                status: HoldStatus::Active,
            });
            hold.seats.push(key.clone());
            hold.sequence = state.sequence;
            state.seats.insert(key, Seat::Held { hold: e.hold_id.uuid(), amount: e.amount });
            *state.claims.entry(e.user_id.clone()).or_default() += 1;
        }
        DomainEvent::SeatReserved(e) => {
            let (key, hold, reservation) = (e.seat_id.key(), e.hold_id.uuid(), e.reservation_id.uuid());
            leave_hold(&mut state.holds, hold, key, HoldStatus::Reserved(reservation));
            state.seats.insert(key.to_owned(), Seat::Reserved { reservation, hold, amount: e.amount });
            let claimed = state.reservations.entry(reservation).or_insert_with(|| Claimed {
                user: e.user_id.clone(),
                hold,
                seats: vec![],
                reserved_at: e.reserved_at,
                sequence: 0,
            });
            claimed.seats.push(key.to_owned());
        }
        DomainEvent::SeatReleased(e) => release(state, e),
        DomainEvent::SeatBlocked(e) => {
            state.seats.insert(e.seat_id.key().to_owned(), Seat::Blocked { reason: e.reason.clone() });
        }
        DomainEvent::SeatUnblocked(e) => {
            state.seats.remove(e.seat_id.key());
        }
        DomainEvent::HoldExtended(e) => {
            if let Some(hold) = state.holds.get_mut(&e.hold_id.uuid()) {
                hold.expires_at = e.expires_at;
            }
        }
        DomainEvent::ReservationCreated(e) => {
            if let Some(claimed) = state.reservations.get_mut(&e.reservation_id.uuid()) {
                claimed.sequence = state.sequence;
            }
        }
        DomainEvent::EventCreated(e) | DomainEvent::EventUpdated(e) => define(state, e),
        DomainEvent::EventDeleted(_) => {
            if let Some(show) = &mut state.show {
                show.closed = true;
            }
        }
        DomainEvent::ReservationCancelled(_) | DomainEvent::StatsUpdated(_) => {}
    }
}

fn release(state: &mut SeatingEventState, e: &SeatReleased) {
    let key = e.seat_id.key();
    if e.reason == ReleaseReason::Expired {
        state.seats.insert(key.to_owned(), Seat::Lapsed { user: e.user_id.clone() });
    } else {
        state.seats.remove(key);
    }
    unclaim(state, &e.user_id);
    match &e.claim {
        Claim::Hold(hold) => {
            let id = hold.uuid();
            leave_hold(&mut state.holds, id, key, HoldStatus::Expired);
            let gone = state.holds.get(&id).is_some_and(|hold| hold.status == HoldStatus::Expired);
            if gone && e.reason != ReleaseReason::Expired {
                state.holds.remove(&id);
            }
        }
        Claim::Reservation(reservation) => {
            let id = reservation.uuid();
            let Some(claimed) = state.reservations.get_mut(&id) else { return };
            claimed.seats.retain(|seat| seat != key);
            if claimed.seats.is_empty() {
                let hold = claimed.hold;
                state.reservations.remove(&id);
                if state.holds.get(&hold).is_some_and(|hold| hold.status == HoldStatus::Reserved(id)) {
                    state.holds.remove(&hold);
                }
            }
        }
    }
}

/// Takes a seat out of its hold, which has status `when_empty` once its last seat has left.
fn leave_hold(holds: &mut HashMap<Uuid, Hold>, id: Uuid, key: &str, when_empty: HoldStatus) {
    if let Some(hold) = holds.get_mut(&id) {
        hold.seats.retain(|seat| seat != key);
        if hold.seats.is_empty() {
            hold.status = when_empty;
        }
    }
}

fn unclaim(state: &mut SeatingEventState, user: &UserId) {
    if let Some(claims) = state.claims.get_mut(user) {
        *claims = claims.saturating_sub(1);
        if *claims == 0 {
            state.claims.remove(user);
        }
    }
}

/// Takes over a definition. Its `blocked` list is the whole truth about blocked seats only where it changed: seats
/// that it names become blocked, seats that the definition before named and this one does not become available.
fn define(state: &mut SeatingEventState, e: &SeatingEventDefined) {
    let definition = &e.definition;
    let chart = Chart::expand(definition).unwrap_or_default();
    let before = state.show.take().map(|show| blocked(&show.definition)).unwrap_or_default();
    let after = blocked(definition);
    for key in before.keys().filter(|key| !after.contains_key(*key)) {
        if matches!(state.seats.get(key), Some(Seat::Blocked { .. })) {
            state.seats.remove(key);
        }
    }
    for (key, reason) in after {
        if !matches!(state.seats.get(&key), Some(Seat::Held { .. } | Seat::Reserved { .. })) {
            state.seats.insert(key, Seat::Blocked { reason });
        }
    }
    state.seats.retain(|key, _| chart.contains(key));
    state.show = Some(Show::new(definition.clone(), chart, false));
}

/// The blocked seats of a definition with their reasons; the first reason given for a seat stands.
pub fn blocked(definition: &Definition) -> HashMap<String, String> {
    let mut seats = HashMap::new();
    for block in &definition.blocked {
        for key in &block.seats {
            seats.entry(key.clone()).or_insert_with(|| block.reason.clone());
        }
    }
    seats
}
