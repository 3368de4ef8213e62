//! Applies facts to the state. Facts are never refused: what happened, happened.

use std::collections::HashMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::command::Reinstatement;
use crate::definition::{Blocked, Definition};
use crate::events::{
    Claim, DomainEvent, Envelope, PaidBy, ReleaseReason, ReservedSeats, SeatReleased, SeatingEventDefined,
};
use crate::ids::{ReservationId, UserId};
use crate::state::{FailedReservation, Hold, HoldStatus, Reservation, Sale, Seat, SeatingEventState};

/// Applies one domain event, and takes its sequence as the state's.
pub fn evolve(state: &mut SeatingEventState, envelope: &Envelope) {
    if let Some(sequence) = envelope.metadata.sequence {
        state.sequence = sequence;
    }
    match &envelope.event {
        DomainEvent::SeatHeld(e) => {
            let key = e.seat_id.key().to_owned();
            // One that expired so long ago that its id was forgotten.
            if state.holds.get(&e.hold_id.uuid()).is_some_and(|hold| hold.status == HoldStatus::Expired) {
                state.holds.remove(&e.hold_id.uuid());
            }
            let hold = state.holds.entry(e.hold_id.uuid()).or_insert_with(|| Hold {
                user: e.user_id.clone(),
                correlation: envelope.metadata.correlation_id.clone(),
                seats: vec![],
                held_at: e.held_at,
                expires_at: e.expires_at,
                currency: e.currency.clone(),
                sequence: 0,
                status: HoldStatus::Active,
            });
            hold.seats.push(key.clone());
            hold.sequence = state.sequence;
            let blocked = match state.seats.remove(&key) {
                Some(Seat::Blocked { reason }) => Some(reason),
                Some(Seat::Lapsed { .. } | Seat::Held { .. } | Seat::Reserved { .. }) | None => None,
            };
            state.seats.insert(key, Seat::Held { hold: e.hold_id.uuid(), amount: e.amount, blocked });
            *state.claims.entry(e.user_id.clone()).or_default() += 1;
        }
        DomainEvent::SeatReserved(e) => {
            let (key, hold, reservation) = (e.seat_id.key(), e.hold_id.uuid(), e.reservation_id.uuid());
            leave_hold(&mut state.holds, hold, key, HoldStatus::Reserved(reservation), state.sequence);
            state.seats.insert(key.to_owned(), Seat::Reserved { reservation, hold, amount: e.amount });
            let reservation = state.reservations.entry(reservation).or_insert_with(|| Reservation {
                user: e.user_id.clone(),
                hold,
                seats: vec![],
                reserved_at: e.reserved_at,
                currency: e.currency.clone(),
                paid_by: None,
                sequence: 0,
            });
            reservation.seats.push(key.to_owned());
            reservation.sequence = state.sequence;
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
                hold.sequence = state.sequence;
            }
        }
        DomainEvent::ReservationCreated(e) => create(state, e),
        DomainEvent::ReservationCancelled(e) => {
            if let Some(reservation) = state.reservations.get_mut(&e.reservation_id.uuid()) {
                reservation.sequence = state.sequence;
            }
        }
        DomainEvent::EventCreated(e) | DomainEvent::EventUpdated(e) => define(state, e),
        DomainEvent::EventDeleted(_) => {
            if let Some(sale) = &state.sale {
                state.sale = Some(Arc::new(Sale::new(sale.definition.clone(), true)));
            }
        }
        DomainEvent::EventPurged(_) => {
            let sequence = state.sequence;
            *state = SeatingEventState { sequence, ..SeatingEventState::new(state.id.clone()) };
        }
        DomainEvent::ReservationNotReinstated(e) => {
            if let Some(failed) = state.failed.get_mut(&e.reservation_id.uuid()) {
                failed.outcome = Some(Reinstatement::NotReinstated);
            }
        }
        DomainEvent::StatsUpdated(_)
        | DomainEvent::PaymentRequested(_)
        | DomainEvent::PaymentCompleted(_)
        | DomainEvent::PaymentFailed(_)
        | DomainEvent::PaymentRefundRequested(_) => {}
    }
}

/// A reservation says what pays for it; where that is the payment of one that failed, it stands for that one.
fn create(state: &mut SeatingEventState, e: &ReservedSeats) {
    let id = e.reservation_id.uuid();
    if let Some(reservation) = state.reservations.get_mut(&id) {
        reservation.sequence = state.sequence;
        reservation.paid_by.clone_from(&e.paid_by);
    }
    let Some(PaidBy::Reservation(paid)) = &e.paid_by else { return };
    let failed = paid.parse().ok().and_then(|paid: ReservationId| state.failed.get_mut(&paid.uuid()));
    if let Some(failed) = failed {
        failed.outcome = Some(Reinstatement::Reinstated(id));
    }
}

/// Keeps a seat, with its price, that leaves a reservation because its payment failed.
fn remember(state: &mut SeatingEventState, e: &SeatReleased, id: &ReservationId) {
    let key = e.seat_id.key();
    let Some(Seat::Reserved { amount, .. }) = state.seats.get(key) else { return };
    let Some(reservation) = state.reservations.get(&id.uuid()) else { return };
    let failed = state.failed.entry(id.uuid()).or_insert_with(|| FailedReservation {
        user: e.user_id.clone(),
        seats: vec![],
        currency: reservation.currency.clone(),
        failed_at: e.released_at,
        outcome: None,
    });
    failed.seats.push((key.to_owned(), *amount));
}

fn release(state: &mut SeatingEventState, e: &SeatReleased) {
    let key = e.seat_id.key();
    if let (Claim::Reservation(id), ReleaseReason::PaymentFailed) = (&e.claim, e.reason) {
        remember(state, e, id);
    }
    if e.reason == ReleaseReason::Expired {
        state.seats.insert(key.to_owned(), Seat::Lapsed { user: e.user_id.clone() });
    } else {
        state.seats.remove(key);
    }
    unclaim(state, &e.user_id);
    match &e.claim {
        Claim::Hold(hold) => {
            let id = hold.uuid();
            leave_hold(&mut state.holds, id, key, HoldStatus::Expired, state.sequence);
            let gone = state.holds.get(&id).is_some_and(|hold| hold.status == HoldStatus::Expired);
            if gone && e.reason != ReleaseReason::Expired {
                state.holds.remove(&id);
            }
        }
        Claim::Reservation(reservation) => {
            let id = reservation.uuid();
            let Some(reservation) = state.reservations.get_mut(&id) else { return };
            take_out(&mut reservation.seats, key);
            reservation.sequence = state.sequence;
            if reservation.seats.is_empty() {
                let hold = reservation.hold;
                state.reservations.remove(&id);
                if state.holds.get(&hold).is_some_and(|hold| hold.status == HoldStatus::Reserved(id)) {
                    state.holds.remove(&hold);
                }
            }
        }
    }
}

/// Takes a seat out of its hold, which has status `when_empty` once its last seat has left.
fn leave_hold(holds: &mut HashMap<Uuid, Hold>, id: Uuid, key: &str, when_empty: HoldStatus, sequence: u64) {
    if let Some(hold) = holds.get_mut(&id) {
        take_out(&mut hold.seats, key);
        hold.sequence = sequence;
        if hold.seats.is_empty() {
            hold.status = when_empty;
        }
    }
}

/// Takes a seat out of those that go together. Whoever gives all of them back does so in their order, so it is mostly the
/// first one: it is found without a look at the others.
fn take_out<S: PartialEq<str>>(seats: &mut Vec<S>, key: &str) {
    if let Some(place) = seats.iter().position(|seat| *seat == *key) {
        seats.remove(place);
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

/// Takes over a definition, with what it blocks and unblocks. Staff may hold a seat that was blocked: there it changes
/// what becomes of the seat when the hold ends unsold.
fn define(state: &mut SeatingEventState, e: &SeatingEventDefined) {
    let before = state.sale.take();
    let (blocks, unblocks) = block_changes(e, before.as_ref().map(|sale| &sale.definition));
    for key in unblocks {
        match state.seats.get_mut(&key) {
            Some(Seat::Blocked { .. }) => drop(state.seats.remove(&key)),
            Some(Seat::Held { blocked, .. }) => *blocked = None,
            Some(Seat::Lapsed { .. } | Seat::Reserved { .. }) | None => {}
        }
    }
    for (key, reason) in blocks {
        if !matches!(state.seats.get(&key), Some(Seat::Held { .. } | Seat::Reserved { .. })) {
            state.seats.insert(key, Seat::Blocked { reason });
        }
    }
    let same_seats = before.is_some_and(|before| before.definition.sections == e.definition.sections);
    let sale = Sale::new(e.definition.clone(), false);
    if !same_seats {
        state.seats.retain(|key, _| sale.chart().contains(key));
    }
    state.sale = Some(Arc::new(sale));
}

/// The seats that an event about a definition blocks, with their reasons, and those that it unblocks. Events of before
/// these were told mean the difference of what the definition names and what the one `before` named.
pub fn block_changes(
    e: &SeatingEventDefined,
    before: Option<&Definition>,
) -> (HashMap<String, String>, Vec<String>) {
    match (&e.blocks, &e.unblocks) {
        (None, None) => {
            let (before, after) = (before.map(named_blocks).unwrap_or_default(), named_blocks(&e.definition));
            let unblocks = before.into_keys().filter(|key| !after.contains_key(key)).collect();
            (after, unblocks)
        }
        (blocks, unblocks) => (named(blocks.iter().flatten()), unblocks.clone().unwrap_or_default()),
    }
}

/// The seats that a definition names as blocked, with their reasons; the first reason given for a seat stands.
pub fn named_blocks(definition: &Definition) -> HashMap<String, String> {
    named(&definition.blocked)
}

fn named<'a>(blocks: impl IntoIterator<Item = &'a Blocked>) -> HashMap<String, String> {
    let mut seats = HashMap::new();
    for block in blocks {
        for key in &block.seats {
            seats.entry(key.clone()).or_insert_with(|| block.reason.clone());
        }
    }
    seats
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    /// A seat that counts how often it is looked at.
    struct Counted<'a>(String, &'a Cell<usize>);

    impl PartialEq<str> for Counted<'_> {
        fn eq(&self, key: &str) -> bool {
            self.1.set(self.1.get() + 1);
            self.0 == key
        }
    }

    #[test]
    fn giving_many_seats_back_takes_one_look_at_each() {
        let (looks, keys) = (Cell::new(0), (0..1000).map(|seat| format!("A-1-{seat}")).collect::<Vec<_>>());
        let mut seats: Vec<_> = keys.iter().map(|key| Counted(key.clone(), &looks)).collect();
        for key in &keys {
            take_out(&mut seats, key);
        }
        assert_eq!((seats.len(), looks.get()), (0, 1000));
        let mut seats = keys.clone();
        take_out(&mut seats, "A-1-7");
        take_out(&mut seats, "B-1-7");
        assert_eq!(seats.len(), 999);
        assert!(!seats.contains(&keys[7]));
    }
}
