//! What users have, for the query role: read from the view in memory, between two batches; and what came of a request, which
//! the log says.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use boxoffice_domain::{
    CorrelationId, PaymentState, PaymentView, ReservationId, SeatingEventId, UnixMillis, UserId,
};
use boxoffice_query::orders::{
    HeldSeat, Hold, MOST_HOLDS, MOST_PAYMENTS, MOST_RESERVATIONS, Minute, Orders, OrdersError, Paid, Payment,
    Reservation, Sum, Traced,
};

use super::SeatView;
use super::holds::Held;
use super::reservations::Reservation as Kept;
use super::trace::Trace;
use crate::embedded::views::MemoryView;

/// See the module.
#[derive(Debug)]
pub struct LocalOrders {
    view: Arc<MemoryView<SeatView>>,
    trace: Trace,
}

impl LocalOrders {
    /// What is in a view, and in the log that it is made of.
    pub fn new(view: Arc<MemoryView<SeatView>>, trace: Trace) -> Self {
        Self { view, trace }
    }

    fn read<T>(&self, look: impl FnOnce(&SeatView) -> T) -> T {
        self.view.read(|view, _| look(view))
    }
}

#[async_trait]
impl Orders for LocalOrders {
    async fn reservations(&self, ids: &[ReservationId]) -> Result<Vec<Reservation>, OrdersError> {
        Ok(self.read(|view| {
            ids.iter().filter_map(|id| view.reservations.get(id)).map(|kept| view.reservation(kept)).collect()
        }))
    }

    async fn reservations_of(&self, user: &UserId) -> Result<Vec<Reservation>, OrdersError> {
        Ok(self.read(|view| view.newest(view.reservations.of(user.as_str()))))
    }

    async fn holds_of(&self, user: &UserId) -> Result<Vec<Hold>, OrdersError> {
        let hold = |held: &Held| {
            let Held { id, seats, currency, expires_at } = held.clone();
            let seats = seats.into_iter().map(|(id, amount)| HeldSeat { id, amount: Some(amount) });
            Hold { id, seats: seats.collect(), currency: Some(currency), expires_at }
        };
        Ok(self.read(|view| view.holds.of(user.as_str()).take(MOST_HOLDS).map(hold).collect()))
    }

    async fn trace(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, OrdersError> {
        self.trace.of(chain, user).await
    }

    async fn reservations_since(&self, since: UnixMillis) -> Result<Vec<Reservation>, OrdersError> {
        Ok(self.read(|view| {
            view.newest(view.reservations.iter().filter(|reservation| reservation.created_at >= since))
        }))
    }

    async fn curve(&self, event: &SeatingEventId, since: UnixMillis) -> Result<Vec<Minute>, OrdersError> {
        Ok(self.read(|view| {
            let mut minutes: BTreeMap<(UnixMillis, &str), Minute> = BTreeMap::new();
            let of_event = |kept: &&Kept| kept.id.event_id() == event && kept.created_at >= since;
            for kept in view.reservations.iter().filter(of_event) {
                let at = kept.created_at / 60_000 * 60_000;
                let currency = kept.currency.clone();
                let minute = minutes.entry((at, &kept.currency)).or_insert(Minute {
                    at,
                    reservations: 0,
                    seats: 0,
                    amount: 0,
                    currency,
                });
                minute.reservations += 1;
                minute.seats += kept.seats.len() as u64;
                minute.amount += kept.amount;
            }
            minutes.into_values().collect()
        }))
    }

    async fn sums(&self, since: UnixMillis) -> Result<Vec<Sum>, OrdersError> {
        Ok(self.read(|view| {
            let mut sums: BTreeMap<(&str, &str), Sum> = BTreeMap::new();
            for (_, payment) in view.payments.iter().filter(|(_, payment)| payment.updated_at >= since) {
                let Some(Payment { state, charged, refunded, reason: _ }) = told(payment) else { continue };
                let currency = payment.currency.clone();
                let sum = sums.entry((state.as_str(), &payment.currency)).or_insert(Sum {
                    state,
                    currency,
                    count: 0,
                    charged: 0,
                    refunded: 0,
                });
                sum.count += 1;
                sum.charged += charged;
                sum.refunded += refunded;
            }
            sums.into_values().collect()
        }))
    }

    async fn payments(
        &self,
        since: UnixMillis,
        state: Option<PaymentState>,
    ) -> Result<Vec<Paid>, OrdersError> {
        let mut payments: Vec<_> = self.read(|view| {
            let paid = |(reservation, payment): (&ReservationId, &PaymentView)| {
                let told = told(payment).filter(|told| state.is_none_or(|state| told.state == state))?;
                (payment.updated_at >= since).then(|| Paid {
                    reservation: reservation.clone(),
                    user: payment.user_id.clone(),
                    currency: payment.currency.clone(),
                    payment: told,
                    payment_id: payment.payment_id.clone(),
                    updated_at: payment.updated_at,
                })
            };
            view.payments.iter().filter_map(paid).collect()
        });
        payments.sort_by_cached_key(|paid: &Paid| (Reverse(paid.updated_at), paid.reservation.to_string()));
        payments.truncate(MOST_PAYMENTS);
        Ok(payments)
    }
}

impl SeatView {
    fn reservation(&self, kept: &Kept) -> Reservation {
        let Kept { id, user, seats, amount, currency, paid_by, created_at, cancelled_at, sequence: _ } =
            kept.clone();
        let payment = self.payments.of(&id).and_then(told);
        Reservation { id, user, seats, amount, currency, created_at, cancelled_at, paid_by, payment }
    }

    /// The newest of these, newest first.
    fn newest<'a>(&self, kept: impl Iterator<Item = &'a Kept>) -> Vec<Reservation> {
        let mut kept: Vec<_> = kept.collect();
        kept.sort_by_cached_key(|kept| (Reverse(kept.created_at), kept.id.to_string()));
        kept.into_iter().take(MOST_RESERVATIONS).map(|kept| self.reservation(kept)).collect()
    }
}

/// A payment as it is told; nothing of one that nobody asked for, or not yet.
fn told(payment: &PaymentView) -> Option<Payment> {
    let (charged, refunded) = (payment.charged.unwrap_or_default(), payment.refunded);
    Some(Payment { state: payment.state()?, charged, refunded, reason: payment.reason() })
}
