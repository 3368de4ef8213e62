//! What box-office staff do for somebody else: outside the sales window, a pause, the limit and the gap rule, but never
//! with a seat that somebody has.

use uuid::Uuid;

use super::holding::Growing;
use super::{Provisioned, decided};
use crate::command::{Conflict, ConflictReason, Decision, Rejection};
use crate::events::{PaidBy, ReleaseReason};
use crate::ids::UserId;
use crate::state::HoldStatus;

impl Provisioned<'_> {
    pub(super) fn staff_hold(
        &self,
        seats: &[String],
        user: &UserId,
        id: Uuid,
        blocked: bool,
    ) -> Result<Decision, Rejection> {
        if let Ok(hold) = self.remembered_hold(id) {
            return self.held_before(id, hold, &seats.to_vec().into(), user);
        }
        self.check_not_closed()?;
        let in_the_way = |conflict: &Conflict| !(blocked && conflict.reason == ConflictReason::Blocked);
        let conflicts = seats.iter().filter_map(|key| self.conflict(key, user)).filter(in_the_way);
        Self::refuse(conflicts.collect())?;
        let definition = &self.sale.definition;
        let expires_at = self.now + u64::from(definition.hold.ttl_seconds) * 1000;
        let currency = definition.currency();
        Ok(self.claim(&Growing { id, user, currency, expires_at, has: &[] }, seats))
    }

    pub(super) fn staff_reserve(&self, id: Uuid, reservation: Uuid) -> Result<Decision, Rejection> {
        let hold = self.remembered_hold(id)?;
        if let HoldStatus::Reserved(reservation) = hold.status {
            return Ok(decided(self.reserved_before(reservation, &hold.user)?, vec![]));
        }
        let hold = self.still_live(hold)?;
        self.check_not_closed()?;
        Ok(self.reserve(id, hold, &hold.seats, reservation, Some(PaidBy::Counter)))
    }

    pub(super) fn staff_release(&self, id: Uuid, note: Option<&str>) -> Result<Decision, Rejection> {
        let hold = self.still_live(self.remembered_hold(id)?)?;
        Ok(self.release_from_hold(id, hold, &hold.seats, ReleaseReason::Admin, note))
    }

    pub(super) fn staff_cancel(&self, id: Uuid, note: Option<&str>) -> Result<Decision, Rejection> {
        let reservation = self.reservation_called(id).ok_or(Rejection::ReservationNotFound)?;
        Ok(self.cancel_seats(id, reservation, &reservation.seats, ReleaseReason::Admin, note))
    }
}
