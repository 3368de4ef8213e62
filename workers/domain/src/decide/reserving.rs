//! Claiming held seats for good.

use uuid::Uuid;

use super::{At, not_held};
use crate::command::{Answer, Decision, PricedSeat, Rejection};
use crate::events::{DomainEvent, SeatReserved};
use crate::ids::{UserId, section_of};
use crate::state::{Hold, HoldStatus, Seat};

impl At<'_> {
    pub(super) fn reserve_seat(
        &self,
        key: &str,
        user: &UserId,
        reservation: Uuid,
    ) -> Result<Decision, Rejection> {
        match self.seat(key)? {
            Some(Seat::Held { hold, .. }) => {
                let (id, hold) = (*hold, self.live_hold(*hold, user)?);
                Ok(self.reserve(id, hold, &[key.to_owned()], reservation))
            }
            Some(Seat::Reserved { reservation, .. }) => self.reserved_already(*reservation, Some(key), user),
            other => Err(not_held(other, user)),
        }
    }

    pub(super) fn reserve_hold(
        &self,
        id: Uuid,
        user: &UserId,
        reservation: Uuid,
    ) -> Result<Decision, Rejection> {
        let hold = self.own_hold(id, user)?;
        match hold.status {
            HoldStatus::Reserved(reservation) => self.reserved_already(reservation, None, user),
            HoldStatus::Expired => Err(Rejection::HoldExpired),
            HoldStatus::Active if self.now >= hold.expires_at => Err(Rejection::HoldExpired),
            HoldStatus::Active => Ok(self.reserve(id, hold, &hold.seats, reservation)),
        }
    }

    fn reserve(&self, id: Uuid, hold: &Hold, keys: &[String], reservation: Uuid) -> Decision {
        let seats: Vec<_> = keys.iter().map(|key| self.at_its_price(key)).collect();
        let reserved = |seat: &PricedSeat| {
            DomainEvent::SeatReserved(SeatReserved {
                seat_id: self.seat_id(&seat.key),
                event_id: self.state.id.clone(),
                user_id: hold.user.clone(),
                section_id: section_of(&seat.key).to_owned(),
                hold_id: self.hold_id(id),
                reservation_id: self.reservation_id(reservation),
                reserved_at: self.now,
                amount: seat.amount,
                currency: self.currency(),
            })
        };
        let mut changes: Vec<_> = seats.iter().map(reserved).collect();
        changes.push(DomainEvent::ReservationCreated(self.reservation(reservation, &hold.user, &seats)));
        let sequence = self.after(&changes);
        Decision { answer: Answer::Reserved { reservation, seats, reserved_at: self.now, sequence }, changes }
    }

    /// Reserving again gives the answer of the first time; of one seat, where one is asked for.
    fn reserved_already(&self, id: Uuid, seat: Option<&str>, user: &UserId) -> Result<Decision, Rejection> {
        let claimed = self.own_reservation(id, user)?;
        let asked_for = claimed.seats.iter().filter(|key| seat.is_none_or(|seat| seat == key.as_str()));
        let answer = Answer::Reserved {
            reservation: id,
            seats: asked_for.map(|key| self.at_its_price(key)).collect(),
            reserved_at: claimed.reserved_at,
            sequence: claimed.sequence,
        };
        Ok(Decision { answer, changes: vec![] })
    }
}
