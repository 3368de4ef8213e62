//! What the payment of a reservation makes of it: one that fails takes its seats back, one that succeeds after all gives
//! them back, if they are still there. Whoever pays late is asked neither for the limit nor for single seats: the seats
//! were theirs.

use uuid::Uuid;

use super::holding::Growing;
use super::reserving::Sold;
use super::{Provisioned, decided};
use crate::command::{Answer, Decision, PricedSeat, Reinstatement};
use crate::events::{DomainEvent, NotReinstated, PaidBy, ReleaseReason};
use crate::state::FailedReservation;

impl Provisioned<'_> {
    pub(super) fn fail_payment(&self, id: Uuid) -> Decision {
        // What of it failed before is kept with the rest.
        self.failed_called(id);
        match self.reservation_called(id).filter(|reservation| reservation.paid_by.is_none()) {
            Some(reservation) => {
                self.cancel_seats(id, reservation, &reservation.seats, ReleaseReason::PaymentFailed, None)
            }
            None => self.released(vec![], &[], vec![], self.sale.definition.currency(), None),
        }
    }

    pub(super) fn reinstate(&self, id: Uuid, payment: &str, hold: Uuid, reinstated: Uuid) -> Decision {
        let Some(failed) = self.failed_called(id).filter(|failed| !self.has_come(failed.forgotten_at()))
        else {
            return self.answered(None, vec![]);
        };
        if failed.outcome.is_some() {
            return self.answered(failed.outcome, vec![]);
        }
        let FailedReservation { user, seats, currency, .. } = failed;
        let is_free = |(key, _): &(String, u64)| self.conflict(key, user).is_none();
        if self.check_sales().is_err() || !seats.iter().all(is_free) {
            let refused = DomainEvent::ReservationNotReinstated(NotReinstated {
                reservation_id: self.reservation_id(id),
                event_id: self.state.id.clone(),
                user_id: user.clone(),
                payment_id: payment.to_owned(),
            });
            return self.answered(Some(Reinstatement::NotReinstated), vec![refused]);
        }
        let seats: Vec<PricedSeat> = seats.iter().map(|(key, amount)| self.priced(key, *amount)).collect();
        let expires_at = self.now + u64::from(self.sale.definition.hold.ttl_seconds) * 1000;
        let mut changes = self.hold_free(&Growing { id: hold, user, currency, expires_at, has: &[] }, &seats);
        let paid_by = Some(PaidBy::Reservation(self.reservation_id(id).to_string()));
        let sold = Sold { hold_id: hold, reservation: reinstated, user, currency, paid_by };
        changes.extend(self.reserve_held(&sold, &seats));
        self.answered(Some(Reinstatement::Reinstated(reinstated)), changes)
    }

    fn answered(&self, outcome: Option<Reinstatement>, changes: Vec<DomainEvent>) -> Decision {
        decided(Answer::Reinstatement { outcome, sequence: self.after(&changes) }, changes)
    }
}
