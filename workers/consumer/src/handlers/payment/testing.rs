//! Payments for tests.

use std::time::Duration;

use boxoffice_domain::events::{PaidBy, ReservedSeats, VERSION};
use boxoffice_domain::{DomainEvent, Envelope, Metadata, ReservationId, SeatId};
use uuid::Uuid;

use super::Payment;
use crate::effects::Moment;

pub fn reservation(number: u128) -> ReservationId {
    ReservationId::new("arena-night".parse().unwrap(), Uuid::from_u128(number))
}

pub fn created(user: &str, amount: u64, seats: usize, paid_by: Option<PaidBy>) -> ReservedSeats {
    let event = "arena-night".parse().unwrap();
    ReservedSeats {
        reservation_id: reservation(1),
        user_id: user.parse().unwrap(),
        seat_ids: (1..=seats).map(|seat| SeatId::from_chart(&event, &format!("A-1-{seat}"))).collect(),
        event_id: event,
        amount,
        currency: "EUR".into(),
        paid_by,
        reason: None,
        note: None,
    }
}

/// `reservation.created`, at 1,000,000.
pub fn envelope(created: ReservedSeats) -> Envelope {
    Envelope {
        event_id: Uuid::from_u128(0xc),
        timestamp: 1_000_000,
        version: VERSION,
        metadata: Metadata {
            correlation_id: "c-1".parse().unwrap(),
            causation_id: Uuid::from_u128(0xd),
            user_id: Some(created.user_id.clone()),
            sequence: Some(4),
        },
        event: DomainEvent::ReservationCreated(created),
    }
}

/// The payment of a user's two seats for 200, requested at 1,000,000, to be paid within 15 minutes.
pub fn payment_of(user: &str) -> Payment {
    let reserved = created(user, 200, 2, None);
    let envelope = envelope(reserved.clone());
    Payment::requested(&reserved, &envelope, Duration::from_mins(15), Moment { now: 1_000_000, dice: 500 }).0
}
