//! Domain events of one SeatingEvent as they would come from the command worker, for tests of what reads them.
#![expect(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "what goes wrong in here is a failed test"
)]

use boxoffice_domain::definition::{HoldPolicy, Limits, PriceCategory, Rows, Sales, Section};
use boxoffice_domain::events::{
    Claim, Payment, ReleaseReason, ReservedSeats, SeatHeld, SeatReleased, SeatReserved, SeatingEventDefined,
    SeatingEventPurged, VERSION,
};
use boxoffice_domain::{
    CorrelationId, Definition, DomainEvent, Envelope, HoldId, Metadata, ReservationId, SeatId,
    SeatingEventId, UserId,
};
use boxoffice_runtime::record::{NewRecord, Record, encode};
use uuid::Uuid;

/// Price of every seat, in cents.
pub const PRICE: u64 = 12_000;
/// When everything happens: in the past, because Kafka refuses records from the future.
pub const NOW: u64 = 1_700_000_000_000;

/// Numbers the events of one SeatingEvent. Section A has one row: seats `A-1-1`, `A-1-2`, ...
#[derive(Debug, Clone)]
pub struct History {
    /// The SeatingEvent.
    pub event: SeatingEventId,
    /// The chain that the next event belongs to.
    pub correlation: CorrelationId,
    sequence: u64,
}

impl History {
    /// Nothing has happened yet.
    pub fn new(event: &str) -> Self {
        let event = event.parse().unwrap();
        Self { event, correlation: Uuid::new_v4().into(), sequence: 0 }
    }

    /// Goes on as if `sequence` events had happened.
    pub fn skip_to(&mut self, sequence: u64) {
        self.sequence = sequence;
    }

    /// The next event, in its envelope.
    pub fn next(&mut self, event: DomainEvent) -> Envelope {
        self.sequence += 1;
        let user_id = Some(user());
        Envelope {
            event_id: Uuid::new_v4(),
            timestamp: NOW + self.sequence,
            version: VERSION,
            metadata: Metadata {
                correlation_id: self.correlation.clone(),
                causation_id: Uuid::new_v4(),
                user_id,
                sequence: Some(self.sequence),
            },
            event,
        }
    }

    /// `event.created` with this many seats.
    pub fn created(&self, seats: u32) -> DomainEvent {
        DomainEvent::EventCreated(self.defined(seats))
    }

    /// `event.purged`.
    pub fn purged(&self) -> DomainEvent {
        DomainEvent::EventPurged(SeatingEventPurged { event_id: self.event.clone() })
    }

    /// A definition with this many seats.
    pub fn defined(&self, seats: u32) -> SeatingEventDefined {
        let rows = Rows { row: Some("1".into()), rows: None, seats: format!("1-{seats}") };
        let price = PriceCategory { name: "gold".into(), amount: PRICE, currency: "EUR".into() };
        let definition = Definition {
            title: "Arena Night".into(),
            starts_at: NOW * 2,
            sales: Sales::default(),
            hold: HoldPolicy::default(),
            focal_point: None,
            limits: Limits::default(),
            price_categories: vec![price],
            sections: vec![Section {
                id: "A".into(),
                title: None,
                price_category: "gold".into(),
                rows: vec![rows],
                capacity: None,
                layout: None,
            }],
            blocked: vec![],
        };
        SeatingEventDefined {
            event_id: self.event.clone(),
            chart_hash: definition.chart_hash(),
            definition,
            blocks: Some(vec![]),
            unblocks: Some(vec![]),
        }
    }

    /// The `number`-th seat.
    pub fn seat(&self, number: u32) -> SeatId {
        SeatId::from_chart(&self.event, &format!("A-1-{number}"))
    }

    /// `seat.held`.
    pub fn held(&self, number: u32) -> DomainEvent {
        DomainEvent::SeatHeld(SeatHeld {
            seat_id: self.seat(number),
            event_id: self.event.clone(),
            user_id: user(),
            section_id: "A".into(),
            hold_id: self.hold(number),
            held_at: NOW,
            expires_at: NOW + 300_000,
            amount: PRICE,
            currency: "EUR".into(),
        })
    }

    /// `seat.reserved`, from the hold that [`Self::held`] made.
    pub fn reserved(&self, number: u32) -> DomainEvent {
        DomainEvent::SeatReserved(SeatReserved {
            seat_id: self.seat(number),
            event_id: self.event.clone(),
            user_id: user(),
            section_id: "A".into(),
            hold_id: self.hold(number),
            reservation_id: self.reservation_id(number),
            reserved_at: NOW,
            amount: PRICE,
            currency: "EUR".into(),
        })
    }

    /// `seat.released`, from its hold.
    pub fn released(&self, number: u32) -> DomainEvent {
        DomainEvent::SeatReleased(SeatReleased {
            seat_id: self.seat(number),
            event_id: self.event.clone(),
            user_id: user(),
            section_id: "A".into(),
            claim: Claim::Hold(self.hold(number)),
            reason: ReleaseReason::User,
            released_at: NOW,
            note: None,
        })
    }

    /// What a payment event of the `number`-th reservation says, without how it went.
    pub fn payment(&self, number: u32) -> Payment {
        Payment {
            reservation_id: self.reservation_id(number),
            event_id: self.event.clone(),
            user_id: user(),
            amount: PRICE,
            currency: "EUR".into(),
            payment_id: None,
            reason: None,
            late: false,
        }
    }

    /// `payment.requested` of the `number`-th reservation.
    pub fn payment_requested(&self, number: u32) -> DomainEvent {
        DomainEvent::PaymentRequested(self.payment(number))
    }

    /// An event that has no sequence, in its envelope: those of payments.
    pub fn unnumbered(&self, event: DomainEvent) -> Envelope {
        let mut envelope = self.clone().next(event);
        envelope.metadata.sequence = None;
        envelope
    }

    /// A reservation of one seat.
    pub fn reservation(&self, number: u32) -> ReservedSeats {
        ReservedSeats {
            reservation_id: self.reservation_id(number),
            event_id: self.event.clone(),
            user_id: user(),
            seat_ids: vec![self.seat(number)],
            amount: PRICE,
            currency: "EUR".into(),
            paid_by: None,
            reason: None,
            note: None,
        }
    }

    /// The three events of a seat sold: held, reserved, and its reservation.
    pub fn sold(&mut self, number: u32) -> [Envelope; 3] {
        let events = [
            self.held(number),
            self.reserved(number),
            DomainEvent::ReservationCreated(self.reservation(number)),
        ];
        events.map(|event| self.next(event))
    }

    fn hold(&self, number: u32) -> HoldId {
        HoldId::new(self.event.clone(), Uuid::from_u128(u128::from(number)))
    }

    fn reservation_id(&self, number: u32) -> ReservationId {
        ReservationId::new(self.event.clone(), Uuid::from_u128(0x1_0000 + u128::from(number)))
    }
}

fn user() -> UserId {
    "alice".parse().unwrap()
}

/// The record that publishes `envelope`.
pub fn new_record(envelope: &Envelope, partition: u32) -> NewRecord {
    encode(envelope, partition, "test/history", None).unwrap()
}

/// The record as it is read from `offset`.
pub fn record(envelope: &Envelope, partition: u32, offset: u64) -> Record {
    let NewRecord { partition, key, value, headers, timestamp: _ } = new_record(envelope, partition);
    Record::new(partition, offset, key, value, headers)
}
