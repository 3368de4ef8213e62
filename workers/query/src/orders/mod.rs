//! What users have, what it came to and how it came about: reservations with their payments, holds, and the trace of domain
//! events. Asked for one by one, so it is read where the seat view is kept and not held in memory.
//!
//! [`Orders`] is the port, [`postgres`] the view database; one process has its own, in memory. [`OrderService`] is what
//! routes ask: it turns what cannot be read into a problem, and lets requests wait ([`waiting`]) for a change.
//! [`trace_tree`] makes a tree of a trace.

pub mod trace_tree;

mod order_service;

pub mod postgres;

mod waiting;

#[cfg(test)]
pub(crate) mod testing;

use std::fmt;

use async_trait::async_trait;
use boxoffice_domain::events::{PaidBy, PaymentFailure};
use boxoffice_domain::{
    CorrelationId, HoldId, PaymentState, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId,
};
use uuid::Uuid;

pub use order_service::OrderService;
pub use waiting::MAX_WAITING;

/// Most reservations that one answer tells: the newest.
pub const MOST_RESERVATIONS: usize = 1_000;
/// Most holds that one answer tells.
pub const MOST_HOLDS: usize = 1_000;
/// Most domain events of a chain that one answer tells: the oldest.
pub const MOST_EVENTS: usize = 1_000;
/// Most payments that one answer lists: those that changed last.
pub const MOST_PAYMENTS: usize = 200;

/// A reservation, as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reservation {
    /// Its id.
    pub id: ReservationId,
    /// Whose it is.
    pub user: UserId,
    /// The seats that it still has.
    pub seats: Vec<SeatId>,
    /// What these cost together, in the currency's minor unit.
    pub amount: u64,
    /// The currency.
    pub currency: String,
    /// When it was made.
    pub created_at: UnixMillis,
    /// When its last seat left.
    pub cancelled_at: Option<UnixMillis>,
    /// What pays for it where no payment of its own does.
    pub paid_by: Option<PaidBy>,
    /// Its payment, once one was asked for.
    pub payment: Option<Payment>,
}

/// Where a payment stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// In a word.
    pub state: PaymentState,
    /// What was charged.
    pub charged: u64,
    /// What is to be given back of it.
    pub refunded: u64,
    /// Why it failed, where that is how it stands.
    pub reason: Option<PaymentFailure>,
}

/// Seats that somebody holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// Its id.
    pub id: HoldId,
    /// Its seats, by id.
    pub seats: Vec<HeldSeat>,
    /// Of their prices; not told where these are not known.
    pub currency: Option<String>,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// A seat of a hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldSeat {
    /// Its id.
    pub id: SeatId,
    /// What it is held at, in the currency's minor unit; not known of one that was held before views kept it.
    pub amount: Option<u64>,
}

/// A domain event of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its id.
    pub event_id: Uuid,
    /// The event that caused it, or the command's own id.
    pub causation_id: Uuid,
    /// Its type.
    pub event_type: String,
    /// What it is about.
    pub aggregate_id: String,
    /// Its SeatingEvent.
    pub seating_event: SeatingEventId,
    /// Its number within the SeatingEvent; events of payments and statistics have none.
    pub sequence: Option<u64>,
    /// When it happened.
    pub timestamp: UnixMillis,
    /// Whom it names.
    pub user: Option<UserId>,
}

/// What was sold in a minute, as far as it was not given back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minute {
    /// When it began.
    pub at: UnixMillis,
    /// Reservations that were made in it, cancelled ones too.
    pub reservations: u64,
    /// The seats that these still have.
    pub seats: u64,
    /// What these cost together.
    pub amount: u64,
    /// The currency.
    pub currency: String,
}

/// Payments of one state and currency.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sum {
    /// Their state.
    pub state: PaymentState,
    /// Their currency.
    pub currency: String,
    /// How many there are.
    pub count: u64,
    /// What was charged, together.
    pub charged: u64,
    /// What is to be given back of it.
    pub refunded: u64,
}

/// A payment, for those who look after payments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paid {
    /// The reservation that it is for.
    pub reservation: ReservationId,
    /// Who pays.
    pub user: UserId,
    /// The currency.
    pub currency: String,
    /// Where it stands.
    pub payment: Payment,
    /// The gateway's name for it.
    pub payment_id: Option<String>,
    /// When the last of what is known happened.
    pub updated_at: UnixMillis,
}

/// It cannot be read now.
#[derive(Debug, Clone, thiserror::Error)]
#[error("orders cannot be read: {0}")]
pub struct OrdersError(pub String);

/// Where orders are read. Every read ends within some seconds, well or badly, and tells no more than the bounds above.
#[async_trait]
pub trait Orders: fmt::Debug + Send + Sync + 'static {
    /// Those of `ids` that there are, in any order.
    async fn reservations(&self, ids: &[ReservationId]) -> Result<Vec<Reservation>, OrdersError>;

    /// A user's, newest first.
    async fn reservations_of(&self, user: &UserId) -> Result<Vec<Reservation>, OrdersError>;

    /// A user's, by id.
    async fn holds_of(&self, user: &UserId) -> Result<Vec<Hold>, OrdersError>;

    /// The domain events of a chain, oldest first: of a user's those that name the user. May tell one more than
    /// [`MOST_EVENTS`], for who asks to know that there are more.
    async fn trace(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, OrdersError>;

    /// Everybody's reservations from `since` on, newest first.
    async fn reservations_since(&self, since: UnixMillis) -> Result<Vec<Reservation>, OrdersError>;

    /// What was sold of a SeatingEvent from `since` on, by minute; minutes without a reservation are left out.
    async fn curve(&self, event: &SeatingEventId, since: UnixMillis) -> Result<Vec<Minute>, OrdersError>;

    /// The payments that changed from `since` on, by state and currency.
    async fn sums(&self, since: UnixMillis) -> Result<Vec<Sum>, OrdersError>;

    /// The payments that changed from `since` on, latest first; those of one state, or all.
    async fn payments(
        &self,
        since: UnixMillis,
        state: Option<PaymentState>,
    ) -> Result<Vec<Paid>, OrdersError>;
}
