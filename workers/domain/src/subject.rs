//! Domain events by what they are about: whoever cares for reservations alone matches those, and names the other subjects
//! in one arm. A new kind of event still does not compile before everyone who cares for its subject knows it.

use crate::events::{
    DomainEvent, HoldExtended, NotReinstated, Payment, ReservedSeats, SeatBlock, SeatHeld, SeatReleased,
    SeatReserved, SeatingEventDefined, SeatingEventPurged, StatsUpdated,
};

/// What a domain event is about.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Subject<'e> {
    /// One seat.
    Seat(OfSeat<'e>),
    /// A hold: its deadline moved.
    Hold(&'e HoldExtended),
    /// A reservation.
    Reservation(OfReservation<'e>),
    /// The SeatingEvent itself.
    SeatingEvent(OfSeatingEvent<'e>),
    /// Counts of a SeatingEvent.
    Statistics(&'e StatsUpdated),
    /// The payment of a reservation.
    Payment(OfPayment<'e>),
}

/// What happened to a seat.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the events' own names")]
pub enum OfSeat<'e> {
    Held(&'e SeatHeld),
    Reserved(&'e SeatReserved),
    Released(&'e SeatReleased),
    Blocked(&'e SeatBlock),
    Unblocked(&'e SeatBlock),
}

/// What happened to a reservation.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the events' own names")]
pub enum OfReservation<'e> {
    Created(&'e ReservedSeats),
    Cancelled(&'e ReservedSeats),
    NotReinstated(&'e NotReinstated),
}

/// What happened to a SeatingEvent.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the events' own names")]
pub enum OfSeatingEvent<'e> {
    Created(&'e SeatingEventDefined),
    Updated(&'e SeatingEventDefined),
    Deleted(&'e SeatingEventDefined),
    Purged(&'e SeatingEventPurged),
}

/// What happened to a payment.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(missing_docs, reason = "the events' own names")]
pub enum OfPayment<'e> {
    Requested(&'e Payment),
    Completed(&'e Payment),
    Failed(&'e Payment),
    RefundRequested(&'e Payment),
}

impl DomainEvent {
    /// What it is about.
    pub const fn subject(&self) -> Subject<'_> {
        match self {
            Self::SeatHeld(e) => Subject::Seat(OfSeat::Held(e)),
            Self::SeatReserved(e) => Subject::Seat(OfSeat::Reserved(e)),
            Self::SeatReleased(e) => Subject::Seat(OfSeat::Released(e)),
            Self::SeatBlocked(e) => Subject::Seat(OfSeat::Blocked(e)),
            Self::SeatUnblocked(e) => Subject::Seat(OfSeat::Unblocked(e)),
            Self::HoldExtended(e) => Subject::Hold(e),
            Self::ReservationCreated(e) => Subject::Reservation(OfReservation::Created(e)),
            Self::ReservationCancelled(e) => Subject::Reservation(OfReservation::Cancelled(e)),
            Self::ReservationNotReinstated(e) => Subject::Reservation(OfReservation::NotReinstated(e)),
            Self::EventCreated(e) => Subject::SeatingEvent(OfSeatingEvent::Created(e)),
            Self::EventUpdated(e) => Subject::SeatingEvent(OfSeatingEvent::Updated(e)),
            Self::EventDeleted(e) => Subject::SeatingEvent(OfSeatingEvent::Deleted(e)),
            Self::EventPurged(e) => Subject::SeatingEvent(OfSeatingEvent::Purged(e)),
            Self::StatsUpdated(e) => Subject::Statistics(e),
            Self::PaymentRequested(e) => Subject::Payment(OfPayment::Requested(e)),
            Self::PaymentCompleted(e) => Subject::Payment(OfPayment::Completed(e)),
            Self::PaymentFailed(e) => Subject::Payment(OfPayment::Failed(e)),
            Self::PaymentRefundRequested(e) => Subject::Payment(OfPayment::RefundRequested(e)),
        }
    }
}
