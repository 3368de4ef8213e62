//! Payments beside the reservations: what persistence and the seat view both keep of them.

use std::collections::HashMap;

use boxoffice_domain::payment_view::paid_reservation;
use boxoffice_domain::{Envelope, PaymentView, ReservationId};

/// The payments of all reservations.
#[derive(Debug, Default)]
pub struct Payments(HashMap<ReservationId, PaymentView>);

impl Payments {
    /// Takes in what an event says about a payment.
    pub fn apply(&mut self, event: &Envelope) {
        let Some(reservation) = paid_reservation(&event.event) else { return };
        if let Some(view) = PaymentView::after(self.0.remove(&reservation), event) {
            self.0.insert(reservation, view);
        }
    }

    /// The payment of a reservation.
    pub fn of(&self, reservation: &ReservationId) -> Option<&PaymentView> {
        self.0.get(reservation)
    }

    /// Every payment.
    pub fn iter(&self) -> impl Iterator<Item = (&ReservationId, &PaymentView)> {
        self.0.iter()
    }
}
