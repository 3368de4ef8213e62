//! What a record of the payments asks for. Pure.
//!
//! The command's id is the payment event's, and what it makes has ids that derive from it: a record that comes twice is
//! the same command, and finds what the first one did.

use boxoffice_domain::events::{Envelope, Payment};
use boxoffice_domain::subject::{OfPayment, Subject};
use boxoffice_domain::{Command, SeatingEventId};
use boxoffice_runtime::record::{Record, Said};
use uuid::Uuid;

use crate::store::{Cause, derived_id};

/// What a record asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Asks {
    /// A command.
    For(Box<Reaction>),
    /// Nothing: other payment events are others' business.
    Nothing,
    /// Something that this version does not know: the event's type.
    Unknown(String),
    /// Nobody can tell, for this reason.
    Unreadable(String),
}

/// What a payment has done to its reservation.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction {
    /// The SeatingEvent.
    pub event: SeatingEventId,
    /// The type of the payment's event.
    pub event_type: &'static str,
    /// The command.
    pub command: Command,
    /// Where it comes from.
    pub cause: Cause,
}

impl Asks {
    /// What `record` asks for.
    pub fn of(record: &Record) -> Self {
        let envelope = match record.said() {
            Said::Known(envelope) => envelope,
            Said::Unknown(unknown) => return Self::Unknown(unknown.event_type.clone()),
            Said::Malformed(reason) => return Self::Unreadable(reason.clone()),
        };
        let (command, payment) = match envelope.event.subject() {
            Subject::Payment(OfPayment::Failed(payment)) => {
                (Command::FailPayment { reservation: payment.reservation_id.uuid() }, payment)
            }
            Subject::Payment(OfPayment::Completed(payment)) if payment.late => {
                match reinstate(envelope, payment) {
                    Some(command) => (command, payment),
                    None => return Self::Unreadable("a payment that came late has no paymentId".to_owned()),
                }
            }
            Subject::Payment(
                OfPayment::Completed(_) | OfPayment::Requested(_) | OfPayment::RefundRequested(_),
            ) => return Self::Nothing,
            Subject::Seat(_)
            | Subject::Hold(_)
            | Subject::Reservation(_)
            | Subject::SeatingEvent(_)
            | Subject::Statistics(_) => return Self::Unknown(envelope.event.event_type().to_owned()),
        };
        if payment.reservation_id.event_id() != &payment.event_id {
            let reason = format!("{} is no reservation of {}", payment.reservation_id, payment.event_id);
            return Self::Unreadable(reason);
        }
        let cause = Cause {
            command: envelope.event_id,
            correlation: envelope.metadata.correlation_id.clone(),
            user: None,
            traceparent: record.header("traceparent").map(str::to_owned),
            idempotency: None,
        };
        let (event, event_type) = (payment.event_id.clone(), envelope.event.event_type());
        Self::For(Box::new(Reaction { event, event_type, command, cause }))
    }
}

fn reinstate(envelope: &Envelope, payment: &Payment) -> Option<Command> {
    let derived = |what: &str| -> Uuid { derived_id(&[&envelope.event_id.to_string(), "\n", what]) };
    Some(Command::Reinstate {
        reservation: payment.reservation_id.uuid(),
        payment: payment.payment_id.clone()?,
        hold: derived("hold"),
        reinstated: derived("reservation"),
    })
}
