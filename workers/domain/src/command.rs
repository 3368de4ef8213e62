//! Commands, and what deciding one gives: an answer with the facts it makes, or a rejection.

use uuid::Uuid;

use crate::definition::Definition;
use crate::events::DomainEvent;
use crate::ids::{UnixMillis, UserId};

/// A wish to change a SeatingEvent. Seats are named by their keys, holds and reservations by their UUIDs.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Claim seats for a while, all or none.
    Hold {
        /// Keys of the seats; no repeats.
        seats: Vec<String>,
        /// Who claims them.
        user: UserId,
        /// What the hold will be called.
        hold: Uuid,
    },
    /// Confirm one held seat, as a reservation of its own.
    ReserveSeat {
        /// The seat's key.
        seat: String,
        /// Who confirms.
        user: UserId,
        /// What the reservation will be called.
        reservation: Uuid,
    },
    /// Confirm every seat that a hold still has.
    ReserveHold {
        /// The hold.
        hold: Uuid,
        /// Who confirms.
        user: UserId,
        /// What the reservation will be called.
        reservation: Uuid,
    },
    /// Give one seat back: out of an own hold or an own reservation.
    ReleaseSeat {
        /// The seat's key.
        seat: String,
        /// Who gives it back.
        user: UserId,
    },
    /// Give back every seat that a hold still has.
    ReleaseHold {
        /// The hold.
        hold: Uuid,
        /// Who gives it back.
        user: UserId,
    },
    /// Give back every seat that a reservation still has.
    CancelReservation {
        /// The reservation.
        reservation: Uuid,
        /// Who cancels.
        user: UserId,
    },
    /// End a hold whose deadline has passed; nothing where it has not.
    Expire {
        /// The hold.
        hold: Uuid,
    },
    /// Create the SeatingEvent, or change its definition.
    Provision {
        /// What it is to be.
        definition: Box<Definition>,
    },
    /// Close the sales for good and keep the seats.
    Close,
}

/// What a command does: nothing of it, or all.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// What the caller learns.
    pub answer: Answer,
    /// The facts, in order; none where the answer repeats an earlier one.
    pub changes: Vec<DomainEvent>,
}

/// What the caller of an accepted command learns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The hold, new or already theirs.
    Held {
        /// The hold.
        hold: Uuid,
        /// Its seats, in the order asked for.
        seats: Vec<PricedSeat>,
        /// First moment at which it no longer holds.
        expires_at: UnixMillis,
        /// Sequence of its last domain event.
        sequence: u64,
    },
    /// The reservation, new or already theirs.
    Reserved {
        /// The reservation.
        reservation: Uuid,
        /// Its seats.
        seats: Vec<PricedSeat>,
        /// When it was made.
        reserved_at: UnixMillis,
        /// Sequence of its `reservation.created`.
        sequence: u64,
    },
    /// Seats given back, by key; also of an expiry.
    Released {
        /// The keys.
        seats: Vec<String>,
        /// Sequence of the last domain event.
        sequence: u64,
    },
    /// The definition stands, or the sales are closed.
    Provisioned {
        /// Sequence of the SeatingEvent's last domain event.
        sequence: u64,
    },
}

impl Answer {
    /// The sequence that a reader waits for to see the effect.
    pub fn sequence(&self) -> u64 {
        match self {
            Self::Held { sequence, .. }
            | Self::Reserved { sequence, .. }
            | Self::Released { sequence, .. }
            | Self::Provisioned { sequence } => *sequence,
        }
    }
}

/// A seat with the price that it was held at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PricedSeat {
    /// The seat's key.
    pub key: String,
    /// Price in the currency's minor unit.
    pub amount: u64,
}

/// A seat in the way of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The seat's key.
    pub seat: String,
    /// `HELD`, `RESERVED`, `BLOCKED` or `NOT_FOUND`.
    pub reason: &'static str,
}

/// A business refusal: the command changed nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no such SeatingEvent.
    #[error("there is no such event")]
    EventNotFound,
    /// The chart has no such seat.
    #[error("there is no such seat")]
    SeatNotFound(Vec<Conflict>),
    /// No such hold, or one that ended more than an hour ago.
    #[error("there is no such hold")]
    HoldNotFound,
    /// No such reservation, or a cancelled one.
    #[error("there is no such reservation")]
    ReservationNotFound,
    /// Somebody else's.
    #[error("it belongs to another user")]
    NotHolder,
    /// Seats that are taken or blocked.
    #[error("not every seat is available")]
    SeatNotAvailable(Vec<Conflict>),
    /// Nobody holds the seat.
    #[error("the seat is not held")]
    SeatNotHeld,
    /// The hold's deadline has passed.
    #[error("the hold has expired")]
    HoldExpired,
    /// More seats than one user may claim.
    #[error("at most {limit} seats a user: {claimed} claimed already, {wanted} wanted")]
    LimitExceeded {
        /// The limit.
        limit: u32,
        /// Seats held and reserved already.
        claimed: u32,
        /// Seats asked for.
        wanted: u32,
    },
    /// Sales open later.
    #[error("sales have not opened yet")]
    SalesNotOpen {
        /// When they open.
        opens_at: UnixMillis,
    },
    /// Sales are paused.
    #[error("sales are paused")]
    SalesPaused,
    /// Sales are over.
    #[error("sales have closed")]
    SalesClosed,
    /// The new definition would drop or block claimed seats.
    #[error("the change would drop or block seats that are held or sold")]
    SeatMapConflict(Vec<Conflict>),
}
