//! Giving claimed seats back, or taking them back when their time is over.

use uuid::Uuid;

use super::{At, not_held};
use crate::command::{Answer, Decision, Rejection};
use crate::events::{Claim, DomainEvent, ReleaseReason, SeatReleased};
use crate::ids::{UserId, section_of};
use crate::state::{Claimed, Hold, HoldStatus, Seat};

impl At<'_> {
    pub(super) fn release_seat(&self, key: &str, user: &UserId) -> Result<Decision, Rejection> {
        match self.seat(key)? {
            Some(Seat::Held { hold, .. }) => {
                let (id, hold) = (*hold, self.live_hold(*hold, user)?);
                Ok(self.released(vec![self.release(key, hold, id, ReleaseReason::User)], &[key.to_owned()]))
            }
            Some(Seat::Reserved { reservation, .. }) => {
                let claimed = self.own_reservation(*reservation, user)?;
                Ok(self.cancel_seats(*reservation, claimed, &[key.to_owned()]))
            }
            other => Err(not_held(other, user)),
        }
    }

    pub(super) fn release_hold(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
        Ok(self.release_all(id, self.own_live_hold(id, user)?, ReleaseReason::User))
    }

    pub(super) fn cancel(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
        let claimed = self.own_reservation(id, user)?;
        Ok(self.cancel_seats(id, claimed, &claimed.seats))
    }

    fn cancel_seats(&self, id: Uuid, claimed: &Claimed, keys: &[String]) -> Decision {
        let release = |key: &String| {
            let claim = Claim::Reservation(self.reservation_id(id));
            self.seat_released(key, &claimed.user, claim, ReleaseReason::Cancelled)
        };
        let mut changes: Vec<_> = keys.iter().map(release).collect();
        let seats: Vec<_> = keys.iter().map(|key| self.at_its_price(key)).collect();
        changes.push(DomainEvent::ReservationCancelled(self.reservation(id, &claimed.user, &seats)));
        self.released(changes, keys)
    }

    pub(super) fn expire(&self, id: Uuid) -> Decision {
        match self.state.holds.get(&id) {
            Some(hold) if hold.status == HoldStatus::Active && self.now >= hold.expires_at => {
                self.release_all(id, hold, ReleaseReason::Expired)
            }
            _ => self.released(vec![], &[]),
        }
    }

    fn release_all(&self, id: Uuid, hold: &Hold, reason: ReleaseReason) -> Decision {
        let changes = hold.seats.iter().map(|key| self.release(key, hold, id, reason)).collect();
        self.released(changes, &hold.seats)
    }

    fn released(&self, changes: Vec<DomainEvent>, keys: &[String]) -> Decision {
        Decision {
            answer: Answer::Released { seats: keys.to_vec(), sequence: self.after(&changes) },
            changes,
        }
    }

    pub(super) fn release(&self, key: &str, hold: &Hold, id: Uuid, reason: ReleaseReason) -> DomainEvent {
        self.seat_released(key, &hold.user, Claim::Hold(self.hold_id(id)), reason)
    }

    fn seat_released(&self, key: &str, user: &UserId, claim: Claim, reason: ReleaseReason) -> DomainEvent {
        DomainEvent::SeatReleased(SeatReleased {
            seat_id: self.seat_id(key),
            event_id: self.state.id.clone(),
            user_id: user.clone(),
            section_id: section_of(key).to_owned(),
            claim,
            reason,
            released_at: self.now,
        })
    }
}
