//! Reservations for good, each with its seats and its payment: I1's backstop where there is no server.
//!
//! A seat that a reservation has and has not released can be in no other one: a second owner is refused, as the
//! partial unique index on PostgreSQL does, and parked with that index' name.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_domain::{
    CorrelationId, DomainEvent, Envelope, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId, events,
};

use super::payments::Payments;
use super::{LogPosition, MemoryHandler, Refusal};

/// A reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Whose it is.
    pub user_id: UserId,
    /// Every seat that it ever had, and when it released it.
    pub seats: BTreeMap<SeatId, Option<UnixMillis>>,
    /// What the seats that it still has cost together, in the currency's minor unit.
    pub amount: u64,
    /// The currency.
    pub currency: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its last seat left.
    pub cancelled_at: Option<UnixMillis>,
    /// The chain that it was made in.
    pub correlation_id: CorrelationId,
}

/// Keeps reservations.
#[derive(Debug, Default)]
pub struct Persistence {
    reservations: HashMap<ReservationId, Reservation>,
    /// Which reservation has a seat.
    owners: HashMap<SeatId, ReservationId>,
    payments: Payments,
}

impl MemoryHandler for Persistence {
    fn apply(&mut self, event: &Envelope, _: LogPosition<'_>) -> Result<(), Refusal> {
        match &event.event {
            DomainEvent::ReservationCreated(created) => self.create(created, event)?,
            DomainEvent::ReservationCancelled(cancelled) => self.cancel(cancelled, event.timestamp),
            DomainEvent::EventPurged(purged) => self.forget_claims(&purged.event_id, event.timestamp),
            _ => {}
        }
        self.payments.apply(event);
        Ok(())
    }
}

impl Persistence {
    /// A reservation.
    pub fn reservation(&self, id: &ReservationId) -> Option<&Reservation> {
        self.reservations.get(id)
    }

    /// The payments.
    pub fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Every seat that a reservation has, with that reservation.
    pub fn owners(&self) -> impl Iterator<Item = (&SeatId, &ReservationId)> {
        self.owners.iter()
    }

    fn create(&mut self, created: &events::ReservedSeats, event: &Envelope) -> Result<(), Refusal> {
        let id = &created.reservation_id;
        if self.reservations.contains_key(id) {
            return Err(Refusal::CreatedBefore(id.clone()));
        }
        let mut named = HashSet::new();
        for seat in &created.seat_ids {
            let owner = self.owners.get(seat).or_else(|| (!named.insert(seat)).then_some(id));
            if let Some(owner) = owner {
                return Err(Refusal::SecondOwner { seat: seat.clone(), owner: owner.clone() });
            }
        }
        self.owners.extend(created.seat_ids.iter().map(|seat| (seat.clone(), id.clone())));
        let reservation = Reservation {
            user_id: created.user_id.clone(),
            seats: created.seat_ids.iter().map(|seat| (seat.clone(), None)).collect(),
            amount: created.amount,
            currency: created.currency.clone(),
            created_at: event.timestamp,
            cancelled_at: None,
            correlation_id: event.metadata.correlation_id.clone(),
        };
        self.reservations.insert(id.clone(), reservation);
        Ok(())
    }

    /// Reservations stay on record as they were, but their seats are nobody's: they may be sold again.
    fn forget_claims(&mut self, event: &SeatingEventId, at: UnixMillis) {
        self.owners.retain(|seat, _| seat.event() != event.as_str());
        let of_it = self.reservations.iter_mut().filter(|(id, _)| id.event_id() == event);
        for released_at in of_it.flat_map(|(_, reservation)| reservation.seats.values_mut()) {
            released_at.get_or_insert(at);
        }
    }

    /// Releases seats of a reservation; one that was never created has none.
    fn cancel(&mut self, cancelled: &events::ReservedSeats, at: UnixMillis) {
        let Some(reservation) = self.reservations.get_mut(&cancelled.reservation_id) else { return };
        for seat in &cancelled.seat_ids {
            if let Some(released_at) = reservation.seats.get_mut(seat) {
                *released_at = Some(at);
                if self.owners.get(seat) == Some(&cancelled.reservation_id) {
                    self.owners.remove(seat);
                }
            }
        }
        reservation.amount = reservation.amount.saturating_sub(cancelled.amount);
        let has_seats = reservation.seats.values().any(Option::is_none);
        reservation.cancelled_at = (!has_seats).then_some(at);
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::events::VERSION;
    use boxoffice_domain::{Metadata, SeatingEventId};
    use uuid::Uuid;

    use super::*;

    fn arena_night() -> SeatingEventId {
        "arena-night".parse().unwrap()
    }

    fn seat(key: &str) -> SeatId {
        SeatId::new(&arena_night(), key).unwrap()
    }

    fn id(number: u128) -> ReservationId {
        ReservationId::new(arena_night(), Uuid::from_u128(number))
    }

    fn of(number: u128, seats: &[&str]) -> events::ReservedSeats {
        events::ReservedSeats {
            reservation_id: id(number),
            event_id: arena_night(),
            user_id: "alice".parse().unwrap(),
            seat_ids: seats.iter().map(|key| seat(key)).collect(),
            amount: 100 * seats.len() as u64,
            currency: "EUR".into(),
            paid_by: None,
            reason: None,
            note: None,
        }
    }

    fn apply(handler: &mut Persistence, event: DomainEvent) -> Result<(), Refusal> {
        let metadata = Metadata {
            correlation_id: "c".parse().unwrap(),
            causation_id: Uuid::nil(),
            user_id: None,
            sequence: Some(1),
        };
        let event = Envelope { event_id: Uuid::nil(), timestamp: 7, version: VERSION, metadata, event };
        handler.apply(&event, LogPosition { topic: "seat-events", partition: 0, offset: 0 })
    }

    #[test]
    fn i1_of_a_second_owner_nothing_is_kept() {
        let mut handler = Persistence::default();
        apply(&mut handler, DomainEvent::ReservationCreated(of(1, &["A-1-2"]))).unwrap();
        let second = DomainEvent::ReservationCreated(of(2, &["A-1-1", "A-1-2"]));
        let refusal = apply(&mut handler, second.clone()).unwrap_err().to_string();
        assert!(refusal.starts_with("i1_one_reservation_a_seat: seat arena-night.A-1-2"), "{refusal}");
        assert_eq!(handler.reservation(&id(2)), None);
        assert_eq!(handler.owners().collect::<Vec<_>>(), [(&seat("A-1-2"), &id(1))]);
        apply(&mut handler, DomainEvent::ReservationCancelled(of(1, &["A-1-2"]))).unwrap();
        apply(&mut handler, second).unwrap();
        assert_eq!(handler.owners().count(), 2);
    }

    #[test]
    fn i1_a_reservation_names_a_seat_once_and_is_created_once() {
        let mut handler = Persistence::default();
        let twice = DomainEvent::ReservationCreated(of(1, &["A-1-1", "A-1-1"]));
        assert!(matches!(apply(&mut handler, twice), Err(Refusal::SecondOwner { .. })));
        apply(&mut handler, DomainEvent::ReservationCreated(of(1, &["A-1-1"]))).unwrap();
        let again = DomainEvent::ReservationCreated(of(1, &["A-1-2"]));
        assert!(matches!(apply(&mut handler, again), Err(Refusal::CreatedBefore(_))));
    }

    #[test]
    fn a_cancellation_takes_no_seat_from_its_next_owner() {
        let mut handler = Persistence::default();
        let cancelled = DomainEvent::ReservationCancelled(of(1, &["A-1-1"]));
        apply(&mut handler, cancelled.clone()).unwrap();
        apply(&mut handler, DomainEvent::ReservationCreated(of(1, &["A-1-1"]))).unwrap();
        apply(&mut handler, cancelled.clone()).unwrap();
        apply(&mut handler, DomainEvent::ReservationCreated(of(2, &["A-1-1"]))).unwrap();
        apply(&mut handler, cancelled).unwrap();
        assert_eq!(handler.owners().collect::<Vec<_>>(), [(&seat("A-1-1"), &id(2))]);
    }
}
