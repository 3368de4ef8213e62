//! Claiming held seats for good.

use uuid::Uuid;

use super::{Provisioned, decided, not_held};
use crate::command::{Answer, Decision, PricedSeat, Rejection};
use crate::events::{DomainEvent, PaidBy, ReservedSeats, SeatReserved};
use crate::ids::{UserId, section_of};
use crate::state::{Hold, HoldStatus, Reservation, Seat};

/// What seats become a reservation of.
pub(super) struct Sold<'a> {
    pub hold_id: Uuid,
    pub reservation: Uuid,
    pub user: &'a UserId,
    pub currency: &'a str,
    pub paid_by: Option<PaidBy>,
}

impl Provisioned<'_> {
    pub(super) fn reserve_seat(
        &self,
        key: &str,
        user: &UserId,
        reservation: Uuid,
    ) -> Result<Decision, Rejection> {
        match self.existing_seat(key)? {
            Some(Seat::Held { hold, .. }) => {
                let (id, hold) = (*hold, self.live_hold(*hold, user)?);
                self.check_not_closed()?;
                Ok(self.reserve(id, hold, &[key.to_owned()], reservation, None))
            }
            Some(Seat::Reserved { reservation, .. }) => {
                Ok(decided(self.reserved_before(*reservation, user)?, vec![]))
            }
            other @ (Some(Seat::Lapsed { .. } | Seat::Blocked { .. }) | None) => Err(not_held(other, user)),
        }
    }

    pub(super) fn reserve_hold(
        &self,
        id: Uuid,
        user: &UserId,
        reservation: Uuid,
    ) -> Result<Decision, Rejection> {
        let hold = self.own_hold(id, user)?;
        if let HoldStatus::Reserved(reservation) = hold.status {
            return Ok(decided(self.reserved_before(reservation, user)?, vec![]));
        }
        let hold = self.still_live(hold)?;
        self.check_not_closed()?;
        Ok(self.reserve(id, hold, &hold.seats, reservation, None))
    }

    pub(super) fn reserve(
        &self,
        id: Uuid,
        hold: &Hold,
        keys: &[String],
        reservation: Uuid,
        paid_by: Option<PaidBy>,
    ) -> Decision {
        let (seats, hold_id) = (self.all_at_their_price(keys), id);
        let Hold { user, currency, .. } = hold;
        let changes = self.reserve_held(&Sold { hold_id, reservation, user, currency, paid_by }, &seats);
        let sequence = self.after(&changes);
        let currency = hold.currency.clone();
        decided(Answer::Reserved { reservation, seats, currency, reserved_at: self.now, sequence }, changes)
    }

    /// Seats of a hold become a reservation: n `seat.reserved`, then one `reservation.created`.
    pub(super) fn reserve_held(&self, sold: &Sold<'_>, seats: &[PricedSeat]) -> Vec<DomainEvent> {
        let Sold { hold_id, reservation, user, currency, paid_by } = sold;
        let reserved = |seat: &PricedSeat| {
            DomainEvent::SeatReserved(SeatReserved {
                seat_id: self.seat_id(&seat.key),
                event_id: self.state.id.clone(),
                user_id: (*user).clone(),
                section_id: section_of(&seat.key).to_owned(),
                hold_id: self.hold_id(*hold_id),
                reservation_id: self.reservation_id(*reservation),
                reserved_at: self.now,
                amount: seat.amount,
                currency: (*currency).to_owned(),
            })
        };
        let mut changes: Vec<_> = seats.iter().map(reserved).collect();
        changes.push(DomainEvent::ReservationCreated(ReservedSeats {
            paid_by: paid_by.clone(),
            ..self.reserved_seats(*reservation, user, currency, seats)
        }));
        changes
    }

    /// Reserving again gives the reservation that the seat or the hold went into, as it is now.
    pub(super) fn reserved_before(&self, id: Uuid, user: &UserId) -> Result<Answer, Rejection> {
        Ok(self.reserved_as_it_is(id, self.own_reservation(id, user)?))
    }

    pub(super) fn reserved_as_it_is(&self, id: Uuid, reservation: &Reservation) -> Answer {
        let Reservation { currency, reserved_at, sequence, seats, .. } = reservation;
        Answer::Reserved {
            reservation: id,
            seats: self.all_at_their_price(seats),
            currency: currency.clone(),
            reserved_at: *reserved_at,
            sequence: *sequence,
        }
    }

    pub(super) fn reserved_seats(
        &self,
        id: Uuid,
        user: &UserId,
        currency: &str,
        seats: &[PricedSeat],
    ) -> ReservedSeats {
        ReservedSeats {
            reservation_id: self.reservation_id(id),
            event_id: self.state.id.clone(),
            user_id: user.clone(),
            seat_ids: seats.iter().map(|seat| self.seat_id(&seat.key)).collect(),
            amount: seats.iter().map(|seat| seat.amount).sum(),
            currency: currency.to_owned(),
            paid_by: None,
            reason: None,
            note: None,
        }
    }
}
