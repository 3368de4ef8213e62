//! Orders that a test gives, and one of each kind.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{
    CorrelationId, HoldId, PaymentState, ReservationId, SeatingEventId, UnixMillis, UserId,
};
use uuid::Uuid;

use super::{HeldSeat, Hold, Minute, Orders, OrdersError, Paid, Payment, Reservation, Sum, Traced};
use crate::testing::event_id;

/// The number of Alice's reservation of the examples.
pub const HERS: u128 = 0x8d1f_6c0e_2b7a_4e0d_9d55_3c1b_7a90_e2f4;
/// When everything happens.
const NOW: UnixMillis = 1_700_000_000_000;

/// See the module.
#[derive(Debug, Default)]
pub struct FakeOrders {
    reservations: Mutex<Vec<Reservation>>,
    pub holds: Vec<Hold>,
    pub trace: Vec<Traced>,
    reads: AtomicUsize,
    away: AtomicBool,
    takes: Mutex<Duration>,
}

impl FakeOrders {
    pub fn with(reservations: Vec<Reservation>) -> Self {
        Self { reservations: Mutex::new(reservations), ..Self::default() }
    }

    /// Alice's reservation of the examples, which is paid, a hold of hers, and how the payment came about.
    pub fn of_examples() -> Self {
        Self {
            reservations: Mutex::new(vec![paid(reservation(HERS, "alice"), PaymentState::Paid)]),
            holds: vec![Hold {
                id: HoldId::new(event_id("arena-night"), Uuid::from_u128(7)),
                seats: reservation(1, "alice")
                    .seats
                    .into_iter()
                    .map(|id| HeldSeat { id, amount: Some(12_000) })
                    .collect(),
                currency: Some("EUR".to_owned()),
                expires_at: NOW + 300_000,
            }],
            trace: vec![
                traced(1, 99, "reservation.created", Some(4), Some("alice")),
                traced(2, 1, "payment.requested", None, Some("alice")),
            ],
            ..Self::default()
        }
    }

    /// The same, and in the chain an event that names nobody.
    pub fn of_a_busy_day() -> Self {
        let mut orders = Self::of_examples();
        orders.trace.push(traced(3, 98, "seat.blocked", Some(5), None));
        orders.put(reservation(2, "bob"));
        orders
    }

    /// Puts a reservation in the place of an earlier one of its id.
    pub fn put(&self, reservation: Reservation) {
        let mut reservations = self.reservations.lock().unwrap();
        reservations.retain(|known| known.id != reservation.id);
        reservations.push(reservation);
    }

    /// How often reservations were looked up by id.
    pub fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }

    /// So long it takes from now on until what was looked up by id is told.
    pub fn takes(&self, takes: Duration) {
        *self.takes.lock().unwrap() = takes;
    }

    pub fn away(&self, away: bool) {
        self.away.store(away, SeqCst);
    }

    fn read<T>(&self, look: impl Fn(&Reservation) -> Option<T>) -> Result<Vec<T>, OrdersError> {
        if self.away.load(SeqCst) {
            return Err(OrdersError("it is away".into()));
        }
        Ok(self.reservations.lock().unwrap().iter().filter_map(look).collect())
    }
}

/// Two seats of arena-night.
pub fn reservation(number: u128, user: &str) -> Reservation {
    let seats = ["arena-night.A-1-1", "arena-night.A-1-2"];
    Reservation {
        id: ReservationId::new(event_id("arena-night"), Uuid::from_u128(number)),
        user: user.parse().unwrap(),
        seats: seats.map(|seat| seat.parse().unwrap()).into(),
        amount: 24_000,
        currency: "EUR".into(),
        created_at: NOW,
        cancelled_at: None,
        paid_by: None,
        payment: None,
    }
}

pub fn paid(reservation: Reservation, state: PaymentState) -> Reservation {
    let payment = Payment { state, charged: 24_000, refunded: 0, reason: None };
    Reservation { payment: Some(payment), ..reservation }
}

fn traced(id: u128, cause: u128, event_type: &str, sequence: Option<u64>, user: Option<&str>) -> Traced {
    Traced {
        event_id: Uuid::from_u128(id),
        causation_id: Uuid::from_u128(cause),
        event_type: event_type.into(),
        aggregate_id: reservation(1, "alice").id.to_string(),
        seating_event: event_id("arena-night"),
        sequence,
        timestamp: NOW,
        user: user.map(|user| user.parse().unwrap()),
    }
}

#[async_trait]
impl Orders for FakeOrders {
    async fn reservations(&self, ids: &[ReservationId]) -> Result<Vec<Reservation>, OrdersError> {
        self.reads.fetch_add(1, SeqCst);
        let found = self.read(|it| ids.contains(&it.id).then(|| it.clone()));
        let takes = *self.takes.lock().unwrap();
        if !takes.is_zero() {
            tokio::time::sleep(takes).await;
        }
        found
    }

    async fn reservations_of(&self, user: &UserId) -> Result<Vec<Reservation>, OrdersError> {
        self.read(|it| (it.user == *user).then(|| it.clone()))
    }

    async fn holds_of(&self, user: &UserId) -> Result<Vec<Hold>, OrdersError> {
        self.read(|_| Some(()))?;
        Ok(if user.as_str() == "alice" { self.holds.clone() } else { vec![] })
    }

    async fn trace(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, OrdersError> {
        self.read(|_| Some(()))?;
        let is_shown = |event: &&Traced| user.is_none() || event.user.as_ref() == user;
        let known = chain.as_str() == "order-17";
        Ok(self.trace.iter().filter(|event| known && is_shown(event)).cloned().collect())
    }

    async fn reservations_since(&self, since: UnixMillis) -> Result<Vec<Reservation>, OrdersError> {
        // The clock of the test is not that of the examples.
        self.read(|it| (since > 0).then(|| it.clone()))
    }

    async fn curve(&self, event: &SeatingEventId, since: UnixMillis) -> Result<Vec<Minute>, OrdersError> {
        let minute = |it: &Reservation| {
            let (seats, currency) = (it.seats.len() as u64, it.currency.clone());
            let minute = Minute { at: NOW, reservations: 1, seats, amount: it.amount, currency };
            (since > 0 && it.id.event_id() == event).then_some(minute)
        };
        self.read(minute)
    }

    async fn sums(&self, since: UnixMillis) -> Result<Vec<Sum>, OrdersError> {
        let sum = |it: &Reservation| {
            let Payment { state, charged, refunded, reason: _ } = it.payment.clone()?;
            (since > 0).then(|| Sum { state, currency: it.currency.clone(), count: 1, charged, refunded })
        };
        self.read(sum)
    }

    async fn payments(
        &self,
        since: UnixMillis,
        state: Option<PaymentState>,
    ) -> Result<Vec<Paid>, OrdersError> {
        let paid = |it: &Reservation| {
            let payment =
                it.payment.clone().filter(|it| since > 0 && state.is_none_or(|state| it.state == state))?;
            Some(Paid {
                reservation: it.id.clone(),
                user: it.user.clone(),
                currency: it.currency.clone(),
                payment,
                payment_id: Some("pay-17".into()),
                updated_at: NOW,
            })
        };
        self.read(paid)
    }
}
