//! What domain events mean for payments: which rows an event concerns, and how it changes them. Pure; what keeps the
//! rows, PostgreSQL or the data file of one process, calls it inside of its transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_domain::events::{PaidBy, ReleaseReason};
use boxoffice_domain::subject::{OfReservation, Subject};
use boxoffice_domain::{DomainEvent, Envelope, ReservationId};
use serde::{Deserialize, Serialize};

use super::machine::{Cause, Payment};
use crate::effects::Moment;

/// What is kept of a reservation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kept {
    /// Its payment.
    Payment(Box<Payment>),
    /// The payment of another one covers it.
    CoveredBy(String),
}

/// Rows by reservation.
pub type Rows = BTreeMap<String, Kept>;

/// The reservations that `event` concerns; a row that is [`Kept::CoveredBy`] another one concerns that one too.
pub fn concerned(event: &DomainEvent) -> Vec<String> {
    match event.subject() {
        Subject::Reservation(OfReservation::Created(created)) => {
            let by = match &created.paid_by {
                Some(PaidBy::Reservation(by)) => Some(by.clone()),
                Some(PaidBy::Counter) | None => None,
            };
            by.into_iter().chain([created.reservation_id.to_string()]).collect()
        }
        Subject::Reservation(OfReservation::Cancelled(cancelled)) => {
            vec![cancelled.reservation_id.to_string()]
        }
        Subject::Reservation(OfReservation::NotReinstated(not)) => vec![not.reservation_id.to_string()],
        Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => vec![],
    }
}

/// Changes `rows`, which hold what is kept of all that it [`concerned`]s, by `envelope`; gives what is announced.
pub fn take_in(rows: &mut Rows, envelope: &Envelope, timeout: Duration, at: Moment) -> Vec<Envelope> {
    let cause = Cause::from(envelope);
    match envelope.event.subject() {
        Subject::Reservation(OfReservation::Created(created)) => {
            let id = created.reservation_id.to_string();
            match &created.paid_by {
                Some(PaidBy::Counter) => vec![],
                Some(PaidBy::Reservation(by)) => {
                    let Some(payment) = payment(rows, by) else { return vec![] };
                    let announced = payment.reinstated(created, &cause, at);
                    rows.insert(id, Kept::CoveredBy(by.clone()));
                    announced
                }
                None if rows.contains_key(&id) => vec![],
                None => {
                    let (payment, announced) = Payment::requested(created, envelope, timeout, at);
                    rows.insert(id, Kept::Payment(Box::new(payment)));
                    announced
                }
            }
        }
        // That is what a payment that failed came to.
        Subject::Reservation(OfReservation::Cancelled(cancelled))
            if cancelled.reason == Some(ReleaseReason::PaymentFailed) =>
        {
            vec![]
        }
        Subject::Reservation(OfReservation::Cancelled(cancelled)) => {
            let Some(payment) = of(rows, &cancelled.reservation_id) else { return vec![] };
            payment.cancelled(cancelled.seat_ids.len() as u64, cancelled.amount, cause, at)
        }
        Subject::Reservation(OfReservation::NotReinstated(not)) => {
            let Some(payment) = of(rows, &not.reservation_id) else { return vec![] };
            payment.not_reinstated(&cause, at)
        }
        Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => vec![],
    }
}

fn of<'r>(rows: &'r mut Rows, reservation: &ReservationId) -> Option<&'r mut Payment> {
    let id = reservation.to_string();
    let id = match rows.get(&id)? {
        Kept::Payment(_) => id,
        Kept::CoveredBy(by) => by.clone(),
    };
    payment(rows, &id)
}

fn payment<'r>(rows: &'r mut Rows, id: &str) -> Option<&'r mut Payment> {
    match rows.get_mut(id)? {
        Kept::Payment(payment) => Some(payment),
        Kept::CoveredBy(_) => None,
    }
}
