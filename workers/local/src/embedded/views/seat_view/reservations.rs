//! Reservations as their user sees them: the seats that they still have, and what these cost.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use boxoffice_domain::events::PaidBy;
use boxoffice_domain::{Envelope, ReservationId, SeatId, UnixMillis, UserId, events};

use crate::embedded::views::Refusal;

/// A reservation.
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
    /// What pays for it where no payment of its own does.
    pub paid_by: Option<PaidBy>,
    /// When it was made.
    pub created_at: UnixMillis,
    /// The sequence of the domain event that made it.
    pub sequence: u64,
    /// When its last seat left.
    pub cancelled_at: Option<UnixMillis>,
}

/// The reservations of everybody.
#[derive(Debug, Default)]
pub struct Reservations {
    all: HashMap<ReservationId, Reservation>,
    /// In the order in which they were made.
    by_user: HashMap<UserId, Vec<ReservationId>>,
}

impl Reservations {
    /// A reservation.
    pub fn get(&self, id: &ReservationId) -> Option<&Reservation> {
        self.all.get(id)
    }

    /// Everybody's, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &Reservation> {
        self.all.values()
    }

    /// The reservations of a user, cancelled ones too, oldest first.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &Reservation> {
        self.by_user.get(user).into_iter().flatten().filter_map(|id| self.all.get(id))
    }

    pub(super) fn create(
        &mut self,
        created: &events::ReservedSeats,
        event: &Envelope,
    ) -> Result<(), Refusal> {
        let id = &created.reservation_id;
        let Entry::Vacant(vacant) = self.all.entry(id.clone()) else {
            return Err(Refusal::CreatedBefore(id.clone()));
        };
        vacant.insert(Reservation {
            id: id.clone(),
            user: created.user_id.clone(),
            seats: created.seat_ids.clone(),
            amount: created.amount,
            currency: created.currency.clone(),
            paid_by: created.paid_by.clone(),
            created_at: event.timestamp,
            sequence: event.metadata.sequence.unwrap_or_default(),
            cancelled_at: None,
        });
        self.by_user.entry(created.user_id.clone()).or_default().push(id.clone());
        Ok(())
    }

    /// Takes seats from a reservation; one that was never created has none.
    pub(super) fn cancel(&mut self, cancelled: &events::ReservedSeats, at: UnixMillis) {
        let Some(reservation) = self.all.get_mut(&cancelled.reservation_id) else { return };
        let gone: HashSet<&SeatId> = cancelled.seat_ids.iter().collect();
        reservation.seats.retain(|seat| !gone.contains(seat));
        reservation.amount = reservation.amount.saturating_sub(cancelled.amount);
        reservation.cancelled_at = reservation.seats.is_empty().then_some(at);
    }
}
