//! The payment of a reservation as views show it, from the events of two topics that come in no common order.
//!
//! What is kept are facts that no later one takes back: what was asked for, charged, given back, cancelled. The state
//! follows from them, so whatever order the topics' events come in, the same facts make the same payment.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::events::{DomainEvent, Envelope, PaidBy, Payment, PaymentFailure, ReleaseReason, ReservedSeats};
use crate::ids::{ReservationId, SeatingEventId, UnixMillis, UserId};
use crate::subject::{OfPayment, OfReservation, Subject};

/// Where a payment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PaymentState {
    /// The gateway is asked.
    Requested,
    /// It was charged, in time or late.
    Paid,
    /// The gateway declined it.
    Declined,
    /// The gateway refused the request itself.
    Refused,
    /// The gateway gave no final answer in time.
    TimedOut,
    /// Every seat was given back before it was charged.
    Cancelled,
    /// It was charged late, and pays for another reservation of the same seats.
    Reinstated,
    /// What was charged is to be given back, all of it or a part.
    RefundRequested,
}

impl PaymentState {
    /// Every one.
    pub const ALL: [Self; 8] = [
        Self::Requested,
        Self::Paid,
        Self::Declined,
        Self::Refused,
        Self::TimedOut,
        Self::Cancelled,
        Self::Reinstated,
        Self::RefundRequested,
    ];

    /// The word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Requested => "REQUESTED",
            Self::Paid => "PAID",
            Self::Declined => "DECLINED",
            Self::Refused => "REFUSED",
            Self::TimedOut => "TIMED_OUT",
            Self::Cancelled => "CANCELLED",
            Self::Reinstated => "REINSTATED",
            Self::RefundRequested => "REFUND_REQUESTED",
        }
    }
}

impl fmt::Display for PaymentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for PaymentState {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let named = Self::ALL.into_iter().find(|state| state.as_str() == text);
        named.ok_or_else(|| format!("{text} is no state of a payment"))
    }
}

/// The payment of a reservation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PaymentView {
    /// The SeatingEvent.
    pub event_id: SeatingEventId,
    /// Who pays.
    pub user_id: UserId,
    /// The currency.
    pub currency: String,
    /// What a gateway was asked to charge, once it was.
    pub requested: Option<u64>,
    /// What it charged, once it did.
    pub charged: Option<u64>,
    /// What is to be given back of it.
    pub refunded: u64,
    /// What of the reservation its buyer or the box office cancelled, once they did.
    pub cancelled: Option<u64>,
    /// The reservation that it pays for in place of its own.
    pub reinstated_by: Option<ReservationId>,
    /// Why it failed, if it ever did: a success may have come later.
    pub failure: Option<PaymentFailure>,
    /// The gateway's name for it.
    pub payment_id: Option<String>,
    /// When the last of what is known happened.
    pub updated_at: UnixMillis,
}

/// What an event means for a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact<'a> {
    Requested(&'a Payment),
    Completed(&'a Payment),
    Failed(&'a Payment),
    RefundRequested(&'a Payment),
    Cancelled(&'a ReservedSeats),
    /// This reservation took the place of its own.
    Reinstated(&'a ReservedSeats),
}

/// The reservation whose payment an event is about, where it is about one.
pub fn paid_reservation(event: &DomainEvent) -> Option<ReservationId> {
    about(event).map(|(reservation, _)| reservation)
}

fn about(event: &DomainEvent) -> Option<(ReservationId, Fact<'_>)> {
    match event.subject() {
        Subject::Payment(OfPayment::Requested(payment)) => {
            Some((payment.reservation_id.clone(), Fact::Requested(payment)))
        }
        Subject::Payment(OfPayment::Completed(payment)) => {
            Some((payment.reservation_id.clone(), Fact::Completed(payment)))
        }
        Subject::Payment(OfPayment::Failed(payment)) => {
            Some((payment.reservation_id.clone(), Fact::Failed(payment)))
        }
        Subject::Payment(OfPayment::RefundRequested(payment)) => {
            Some((payment.reservation_id.clone(), Fact::RefundRequested(payment)))
        }
        Subject::Reservation(OfReservation::Cancelled(seats)) => match seats.reason {
            Some(ReleaseReason::PaymentFailed) => None,
            Some(
                ReleaseReason::User
                | ReleaseReason::Expired
                | ReleaseReason::Cancelled
                | ReleaseReason::Admin,
            )
            | None => Some((seats.reservation_id.clone(), Fact::Cancelled(seats))),
        },
        Subject::Reservation(OfReservation::Created(seats)) => match &seats.paid_by {
            Some(PaidBy::Reservation(paying)) => {
                paying.parse().ok().map(|paying| (paying, Fact::Reinstated(seats)))
            }
            Some(PaidBy::Counter) | None => None,
        },
        Subject::Reservation(OfReservation::NotReinstated(_))
        | Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_) => None,
    }
}

impl PaymentView {
    /// What is known after `event`, given what was known `before` of the payment that it is about
    /// ([`paid_reservation`]); `None` where it is about none.
    #[must_use]
    pub fn after(before: Option<Self>, event: &Envelope) -> Option<Self> {
        let (_, fact) = about(&event.event)?;
        let mut view = before.unwrap_or_else(|| Self::unknown(fact));
        view.updated_at = view.updated_at.max(event.timestamp);
        match fact {
            Fact::Requested(payment) => view.requested = Some(payment.amount),
            Fact::Completed(payment) => view.charged = Some(payment.amount),
            Fact::Failed(payment) => view.failure = payment.reason.or(Some(PaymentFailure::Declined)),
            Fact::RefundRequested(payment) => {
                view.refunded = view.refunded.saturating_add(payment.amount);
            }
            Fact::Cancelled(seats) => {
                view.cancelled = Some(view.cancelled.unwrap_or_default().saturating_add(seats.amount));
            }
            Fact::Reinstated(seats) => view.reinstated_by = Some(seats.reservation_id.clone()),
        }
        if let Fact::Requested(payment)
        | Fact::Completed(payment)
        | Fact::Failed(payment)
        | Fact::RefundRequested(payment) = fact
            && payment.payment_id.is_some()
        {
            view.payment_id.clone_from(&payment.payment_id);
        }
        Some(view)
    }

    fn unknown(fact: Fact<'_>) -> Self {
        let (event_id, user_id, currency) = match fact {
            Fact::Requested(payment)
            | Fact::Completed(payment)
            | Fact::Failed(payment)
            | Fact::RefundRequested(payment) => (&payment.event_id, &payment.user_id, &payment.currency),
            Fact::Cancelled(seats) | Fact::Reinstated(seats) => {
                (&seats.event_id, &seats.user_id, &seats.currency)
            }
        };
        Self {
            event_id: event_id.clone(),
            user_id: user_id.clone(),
            currency: currency.clone(),
            requested: None,
            charged: None,
            refunded: 0,
            cancelled: None,
            reinstated_by: None,
            failure: None,
            payment_id: None,
            updated_at: 0,
        }
    }

    /// Where it stands; `None` as long as nothing but a cancellation is known: then nobody asked for it, or not yet.
    pub fn state(&self) -> Option<PaymentState> {
        let every_seat_was_given_back = self.requested.is_some() && self.cancelled >= self.requested;
        match self.failure {
            _ if self.refunded > 0 => Some(PaymentState::RefundRequested),
            _ if self.reinstated_by.is_some() => Some(PaymentState::Reinstated),
            _ if self.charged.is_some() => Some(PaymentState::Paid),
            _ if every_seat_was_given_back => Some(PaymentState::Cancelled),
            Some(PaymentFailure::Declined) => Some(PaymentState::Declined),
            Some(PaymentFailure::Refused) => Some(PaymentState::Refused),
            Some(PaymentFailure::Timeout) => Some(PaymentState::TimedOut),
            None => self.requested.map(|_| PaymentState::Requested),
        }
    }

    /// Why it failed, where that is how it stands.
    pub fn reason(&self) -> Option<PaymentFailure> {
        match self.state()? {
            PaymentState::Declined | PaymentState::Refused | PaymentState::TimedOut => self.failure,
            PaymentState::Requested
            | PaymentState::Paid
            | PaymentState::Cancelled
            | PaymentState::Reinstated
            | PaymentState::RefundRequested => None,
        }
    }
}

#[cfg(test)]
#[path = "payment_view_tests.rs"]
mod tests;
