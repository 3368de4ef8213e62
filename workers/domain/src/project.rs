//! Turns a fact into what views show: the one projection behind the view database, the query worker's memory and
//! the statistics.

use std::str::FromStr;

use serde::Serialize;

use crate::events::{DomainEvent, ReservedSeats, SeatingEventDefined};
use crate::ids::{HoldId, ReservationId, SeatId, UnixMillis, UserId};

/// What a domain event changes in a view.
#[derive(Debug, Clone, PartialEq)]
pub enum Projected<'a> {
    /// A SeatingEvent has this definition now. Seats that it drops are gone, new ones are available, its blocked
    /// ones are blocked; claimed seats stay claimed.
    Defined(&'a SeatingEventDefined),
    /// A SeatingEvent is closed for good.
    Closed,
    /// A SeatingEvent is forgotten with its seats; what was reserved of it stays on record.
    Purged,
    /// A seat has this status now.
    Seat {
        /// The seat.
        seat: &'a SeatId,
        /// Its status.
        to: SeatView,
    },
    /// Held seats have another deadline now.
    Extended {
        /// The seats.
        seats: &'a [SeatId],
        /// Who holds them.
        user: &'a UserId,
        /// In which hold.
        hold: &'a HoldId,
        /// Their deadline.
        expires_at: UnixMillis,
    },
    /// A reservation has these seats.
    Reserved(&'a ReservedSeats),
    /// A reservation lost these seats, and what they cost.
    Cancelled(&'a ReservedSeats),
    /// Nothing that a view of seats shows.
    Nothing,
}

/// A seat as views show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SeatView {
    /// It can be held.
    Available,
    /// Somebody holds it.
    Held {
        /// Who.
        user: UserId,
        /// In which hold.
        hold: HoldId,
        /// Until when.
        expires_at: UnixMillis,
    },
    /// Somebody has it.
    Reserved {
        /// Who.
        user: UserId,
        /// In which reservation.
        reservation: ReservationId,
    },
    /// It is not for sale.
    Blocked,
}

/// What a seat can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[repr(u8)]
#[expect(missing_docs, reason = "the contract's words")]
pub enum SeatStatus {
    #[default]
    Available,
    Held,
    Reserved,
    Blocked,
}

impl SeatStatus {
    /// All that there are, in the order of their numbers.
    pub const ALL: [Self; 4] = [Self::Available, Self::Held, Self::Reserved, Self::Blocked];

    /// `AVAILABLE`, `HELD`, `RESERVED` or `BLOCKED`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Available => "AVAILABLE",
            Self::Held => "HELD",
            Self::Reserved => "RESERVED",
            Self::Blocked => "BLOCKED",
        }
    }
}

impl FromStr for SeatStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|status| status.as_str() == text);
        found.ok_or_else(|| format!("there is no status {text:?}"))
    }
}

impl SeatView {
    /// What the seat is.
    pub const fn status(&self) -> SeatStatus {
        match self {
            Self::Available => SeatStatus::Available,
            Self::Held { .. } => SeatStatus::Held,
            Self::Reserved { .. } => SeatStatus::Reserved,
            Self::Blocked => SeatStatus::Blocked,
        }
    }

    /// Whose it is, if anybody's.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::Held { user, .. } | Self::Reserved { user, .. } => Some(user),
            Self::Available | Self::Blocked => None,
        }
    }
}

/// What `event` changes in a view.
pub fn project(event: &DomainEvent) -> Projected<'_> {
    match event {
        DomainEvent::EventCreated(e) | DomainEvent::EventUpdated(e) => Projected::Defined(e),
        DomainEvent::EventDeleted(_) => Projected::Closed,
        DomainEvent::EventPurged(_) => Projected::Purged,
        DomainEvent::SeatHeld(e) => Projected::Seat {
            seat: &e.seat_id,
            to: SeatView::Held { user: e.user_id.clone(), hold: e.hold_id.clone(), expires_at: e.expires_at },
        },
        DomainEvent::SeatReserved(e) => Projected::Seat {
            seat: &e.seat_id,
            to: SeatView::Reserved { user: e.user_id.clone(), reservation: e.reservation_id.clone() },
        },
        DomainEvent::SeatReleased(e) => Projected::Seat { seat: &e.seat_id, to: SeatView::Available },
        DomainEvent::SeatBlocked(e) => Projected::Seat { seat: &e.seat_id, to: SeatView::Blocked },
        DomainEvent::SeatUnblocked(e) => Projected::Seat { seat: &e.seat_id, to: SeatView::Available },
        DomainEvent::HoldExtended(e) => Projected::Extended {
            seats: &e.seat_ids,
            user: &e.user_id,
            hold: &e.hold_id,
            expires_at: e.expires_at,
        },
        DomainEvent::ReservationCreated(e) => Projected::Reserved(e),
        DomainEvent::ReservationCancelled(e) => Projected::Cancelled(e),
        DomainEvent::ReservationNotReinstated(_)
        | DomainEvent::StatsUpdated(_)
        | DomainEvent::PaymentRequested(_)
        | DomainEvent::PaymentCompleted(_)
        | DomainEvent::PaymentFailed(_)
        | DomainEvent::PaymentRefundRequested(_) => Projected::Nothing,
    }
}
