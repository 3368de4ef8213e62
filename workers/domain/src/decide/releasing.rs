//! Giving claimed seats back, or taking them back when their time is over.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Provisioned, decided, not_held};
use crate::command::{Answer, Decision, PricedSeat, Rejection};
use crate::events::{Claim, DomainEvent, ReleaseReason, ReservedSeats, SeatReleased};
use crate::ids::{UserId, section_of};
use crate::state::{Hold, HoldStatus, Reservation, Seat};

impl Provisioned<'_> {
    pub(super) fn release_seat(&self, key: &str, user: &UserId) -> Result<Decision, Rejection> {
        match self.existing_seat(key)? {
            Some(Seat::Held { hold, .. }) => {
                let (id, hold) = (*hold, self.live_hold(*hold, user)?);
                Ok(self.release_from_hold(id, hold, &[key.to_owned()], ReleaseReason::User, None))
            }
            Some(Seat::Reserved { reservation, .. }) => {
                let (id, reservation) = (*reservation, self.own_reservation(*reservation, user)?);
                self.check_cancellable()?;
                Ok(self.cancel_seats(id, reservation, &[key.to_owned()], ReleaseReason::Cancelled, None))
            }
            other @ (Some(Seat::Lapsed { .. } | Seat::Blocked { .. }) | None) => Err(not_held(other, user)),
        }
    }

    pub(super) fn release_hold(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
        let hold = self.own_live_hold(id, user)?;
        Ok(self.release_from_hold(id, hold, &hold.seats, ReleaseReason::User, None))
    }

    pub(super) fn cancel(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
        let reservation = self.own_reservation(id, user)?;
        self.check_cancellable()?;
        Ok(self.cancel_seats(id, reservation, &reservation.seats, ReleaseReason::Cancelled, None))
    }

    /// Buyers cancel until the last moment that the definition gives them.
    fn check_cancellable(&self) -> Result<(), Rejection> {
        let cancel_until = self.sale.definition.cancel_until();
        if self.has_come(cancel_until.saturating_add(1)) {
            return Err(Rejection::CancellationClosed { cancel_until });
        }
        Ok(())
    }

    pub(super) fn cancel_seats(
        &self,
        id: Uuid,
        reservation: &Reservation,
        keys: &[String],
        reason: ReleaseReason,
        note: Option<&str>,
    ) -> Decision {
        let Reservation { user, currency, .. } = reservation;
        let claim = || Claim::Reservation(self.reservation_id(id));
        let mut changes: Vec<_> =
            keys.iter().map(|key| self.seat_released(key, user, claim(), reason, note)).collect();
        let seats = self.all_at_their_price(keys);
        changes.push(DomainEvent::ReservationCancelled(ReservedSeats {
            reason: Some(reason),
            note: note.map(str::to_owned),
            ..self.reserved_seats(id, user, currency, &seats)
        }));
        let left = self.left(&reservation.seats, keys);
        if left.is_empty() {
            // The hold that it came from is forgotten with it.
            self.hold_called(reservation.hold);
        }
        self.released(changes, keys, left, currency, None)
    }

    pub(super) fn expire(&self, id: Uuid) -> Decision {
        match self.hold_called(id) {
            Some(hold) if hold.status == HoldStatus::Active && self.has_come(hold.expires_at) => {
                self.release_from_hold(id, hold, &hold.seats, ReleaseReason::Expired, None)
            }
            _ => self.released(vec![], &[], vec![], self.sale.definition.currency(), None),
        }
    }

    pub(super) fn release_from_hold(
        &self,
        id: Uuid,
        hold: &Hold,
        keys: &[String],
        reason: ReleaseReason,
        note: Option<&str>,
    ) -> Decision {
        let changes = self.release_seats(id, hold, keys, reason, note);
        let left = self.left(&hold.seats, keys);
        let expires_at = (!left.is_empty()).then_some(hold.expires_at);
        self.released(changes, keys, left, &hold.currency, expires_at)
    }

    fn left(&self, seats: &[String], released: &[String]) -> Vec<PricedSeat> {
        let released: HashSet<_> = released.iter().collect();
        let left = seats.iter().filter(|key| !released.contains(key));
        left.map(|key| self.at_its_price(key)).collect()
    }

    pub(super) fn released(
        &self,
        changes: Vec<DomainEvent>,
        keys: &[String],
        left: Vec<PricedSeat>,
        currency: &str,
        expires_at: Option<u64>,
    ) -> Decision {
        let (released, sequence) = (keys.to_vec(), self.after(&changes));
        let currency = currency.to_owned();
        decided(Answer::Released { released, left, currency, expires_at, sequence }, changes)
    }

    /// Every seat of a hold.
    pub(super) fn release(
        &self,
        id: Uuid,
        hold: &Hold,
        reason: ReleaseReason,
        note: Option<&str>,
    ) -> Vec<DomainEvent> {
        self.release_seats(id, hold, &hold.seats, reason, note)
    }

    /// Seats of a hold: each is released, and blocked again where it was blocked before staff held it.
    fn release_seats(
        &self,
        id: Uuid,
        hold: &Hold,
        keys: &[String],
        reason: ReleaseReason,
        note: Option<&str>,
    ) -> Vec<DomainEvent> {
        let mut changes = Vec::with_capacity(keys.len());
        for key in keys {
            let claim = Claim::Hold(self.hold_id(id));
            changes.push(self.seat_released(key, &hold.user, claim, reason, note));
            if let Some(Seat::Held { blocked: Some(before), .. }) = self.seat(key) {
                changes.push(DomainEvent::SeatBlocked(self.seat_block(key, before)));
            }
        }
        changes
    }

    fn seat_released(
        &self,
        key: &str,
        user: &UserId,
        claim: Claim,
        reason: ReleaseReason,
        note: Option<&str>,
    ) -> DomainEvent {
        DomainEvent::SeatReleased(SeatReleased {
            seat_id: self.seat_id(key),
            event_id: self.state.id.clone(),
            user_id: user.clone(),
            section_id: section_of(key).to_owned(),
            claim,
            reason,
            released_at: self.now,
            note: note.map(str::to_owned),
        })
    }
}
