//! Claiming seats for a while, and for a while longer.

use std::collections::HashSet;

use uuid::Uuid;

use super::{Provisioned, count, decided, selection};
use crate::command::{
    Answer, Conflict, ConflictReason, Decision, MOST_SEATS_OF_A_HOLD, PricedSeat, Rejection, Wanted,
};
use crate::events::{DomainEvent, HoldExtended, ReleaseReason, SeatHeld};
use crate::ids::{UnixMillis, UserId, section_of};
use crate::state::{Hold, HoldStatus, Seat};

/// A hold as it is before it gets more seats.
pub(super) struct Growing<'a> {
    pub id: Uuid,
    pub user: &'a UserId,
    pub currency: &'a str,
    pub expires_at: UnixMillis,
    /// What it has already.
    pub has: &'a [String],
}

impl<'a> Provisioned<'a> {
    pub(super) fn hold(&self, wanted: &Wanted, user: &UserId, id: Uuid) -> Result<Decision, Rejection> {
        if let Ok(hold) = self.remembered_hold(id) {
            return self.held_before(id, hold, wanted, user);
        }
        selection::check(&self.sale.definition, wanted)?;
        self.check_sales()?;
        if let Some(answer) = self.repeats_own_hold(wanted, user) {
            return Ok(decided(answer, vec![]));
        }
        self.check_limit(user, selection::wanted_count(wanted))?;
        let seats = self.select(wanted, user)?;
        let definition = &self.sale.definition;
        let expires_at = self.now + u64::from(definition.hold.ttl_seconds) * 1000;
        let currency = definition.currency();
        Ok(self.claim(&Growing { id, user, currency, expires_at, has: &[] }, &seats))
    }

    pub(super) fn add_to_hold(
        &self,
        id: Uuid,
        wanted: &Wanted,
        user: &UserId,
    ) -> Result<Decision, Rejection> {
        selection::check(&self.sale.definition, wanted)?;
        self.check_sales()?;
        let hold = self.own_live_hold(id, user)?;
        let wanted = selection::without(wanted, &hold.seats);
        let (had, more) = (count(hold.seats.len()), selection::wanted_count(&wanted));
        if more == 0 {
            return Ok(decided(self.held_as_it_is(id, hold), vec![]));
        }
        if had.saturating_add(more) > MOST_SEATS_OF_A_HOLD {
            return Err(Rejection::HoldFull { has: had, wanted: more });
        }
        self.check_limit(user, more)?;
        let seats = self.select(&wanted, user)?;
        let Hold { currency, expires_at, seats: has, .. } = hold;
        Ok(self.claim(&Growing { id, user, currency, expires_at: *expires_at, has }, &seats))
    }

    /// Releases what stands in the way of seats but has lapsed, then holds them.
    pub(super) fn claim(&self, growing: &Growing<'_>, keys: &[String]) -> Decision {
        let Growing { id, currency, expires_at, has, .. } = *growing;
        let added: Vec<_> = keys.iter().map(|key| self.at_todays_price(key)).collect();
        let changes = self.hold_free(growing, &added);
        let mut seats = self.all_at_their_price(has);
        seats.extend(added);
        let sequence = self.after(&changes);
        decided(self.held(id, seats, currency, expires_at, sequence), changes)
    }

    /// The facts of [`Self::claim`], at the prices that `seats` have.
    pub(super) fn hold_free(&self, growing: &Growing<'_>, seats: &[PricedSeat]) -> Vec<DomainEvent> {
        let Growing { id, user, currency, expires_at, has: _ } = *growing;
        let mut changes = Vec::with_capacity(seats.len());
        for (id, expired) in self.lapsed_holds(seats) {
            changes.extend(self.release(id, expired, ReleaseReason::Expired, None));
        }
        changes.extend(seats.iter().map(|seat| {
            DomainEvent::SeatHeld(SeatHeld {
                seat_id: self.seat_id(&seat.key),
                event_id: self.state.id.clone(),
                user_id: user.clone(),
                section_id: section_of(&seat.key).to_owned(),
                hold_id: self.hold_id(id),
                held_at: self.now,
                expires_at,
                amount: seat.amount,
                currency: currency.to_owned(),
            })
        }));
        changes
    }

    pub(super) fn check_sales(&self) -> Result<(), Rejection> {
        let definition = &self.sale.definition;
        if self.sale.closed || self.has_come(definition.closes_at()) {
            return Err(Rejection::SalesClosed);
        }
        if let Some(opens_at) = definition.sales.opens_at.filter(|opens| !self.has_come(*opens)) {
            return Err(Rejection::SalesNotOpen { opens_at });
        }
        if definition.sales.paused { Err(Rejection::SalesPaused) } else { Ok(()) }
    }

    /// A hold that was made before under the id that this one is to have, which derives from its idempotency key: it is
    /// answered as it is now, and never made again.
    pub(super) fn held_before(
        &self,
        id: Uuid,
        hold: &'a Hold,
        wanted: &Wanted,
        user: &UserId,
    ) -> Result<Decision, Rejection> {
        if hold.user != *user {
            return Err(Rejection::OtherSeatsHeld);
        }
        let as_it_is = match hold.status {
            HoldStatus::Reserved(reservation) => self.reserved_before(reservation, user)?,
            HoldStatus::Active | HoldStatus::Expired => self.held_as_it_is(id, self.still_live(hold)?),
        };
        let (Answer::Held { seats, .. } | Answer::Reserved { seats, .. }) = &as_it_is else {
            return Err(Rejection::HoldNotFound);
        };
        if selection::asks_for_others(wanted, seats) {
            return Err(Rejection::OtherSeatsHeld);
        }
        Ok(decided(as_it_is, vec![]))
    }

    /// Asking again for seats that one own live hold has gives that hold again, all of it.
    fn repeats_own_hold(&self, wanted: &Wanted, user: &UserId) -> Option<Answer> {
        let Wanted::These { seats, areas } = wanted else { return None };
        if !areas.is_empty() {
            return None;
        }
        let Some(Seat::Held { hold: id, .. }) = self.seat(seats.first()?) else { return None };
        let hold = self.hold_called(*id).filter(|hold| hold.user == *user)?;
        if self.has_come(hold.expires_at) || !seats.iter().all(|key| hold.seats.contains(key)) {
            return None;
        }
        Some(self.held_as_it_is(*id, hold))
    }

    /// What stands in the way of a seat for `user`.
    pub(super) fn conflict(&self, key: &str, user: &UserId) -> Option<Conflict> {
        let conflict = |reason, mine| Some(Conflict { seat: key.to_owned(), reason, mine });
        if !self.sale.chart().contains(key) {
            return conflict(ConflictReason::NotFound, false);
        }
        match self.seat(key)? {
            Seat::Held { hold, blocked, .. } if self.has_lapsed(*hold) => {
                blocked.as_ref().and_then(|_| conflict(ConflictReason::Blocked, false))
            }
            Seat::Held { hold, .. } => {
                let mine = self.hold_called(*hold).is_some_and(|hold| hold.user == *user);
                conflict(ConflictReason::Held, mine)
            }
            Seat::Reserved { reservation, .. } => {
                let mine = self.reservation_called(*reservation).is_some_and(|it| it.user == *user);
                conflict(ConflictReason::Reserved, mine)
            }
            Seat::Blocked { .. } => conflict(ConflictReason::Blocked, false),
            Seat::Lapsed { .. } => None,
        }
    }

    /// The holds that stand in the way of `seats` but have lapsed, each once, in the order met.
    fn lapsed_holds(&self, seats: &[PricedSeat]) -> Vec<(Uuid, &'a Hold)> {
        let mut met = HashSet::new();
        let holds = seats.iter().filter_map(|seat| match self.seat(&seat.key)? {
            Seat::Held { hold, .. } if met.insert(*hold) => Some((*hold, self.hold_called(*hold)?)),
            Seat::Held { .. } | Seat::Lapsed { .. } | Seat::Reserved { .. } | Seat::Blocked { .. } => None,
        });
        holds.collect()
    }

    /// What a user claims is what the claims say, without the seats of holds that have lapsed.
    fn check_limit(&self, user: &UserId, wanted: u32) -> Result<(), Rejection> {
        let Some(limit) = self.sale.definition.limits.seats_per_user else { return Ok(()) };
        let claimed = self.state.claims.get(user).copied().unwrap_or(0);
        if claimed.saturating_add(wanted) <= limit {
            return Ok(());
        }
        let lapsed = self.state.holds.values().filter(|hold| {
            hold.user == *user && hold.status == HoldStatus::Active && self.now >= hold.expires_at
        });
        let claimed = claimed.saturating_sub(count(lapsed.map(|hold| hold.seats.len()).sum()));
        if claimed.saturating_add(wanted) > limit {
            return Err(Rejection::LimitExceeded { limit, claimed, wanted });
        }
        Ok(())
    }

    /// A seat with the price of its category.
    fn at_todays_price(&self, key: &str) -> PricedSeat {
        let amount = self.sale.definition.price_of(section_of(key)).map_or(0, |price| price.amount);
        self.priced(key, amount)
    }

    pub(super) fn find_hold(&self, id: Uuid, user: &UserId) -> Result<Answer, Rejection> {
        Ok(self.held_as_it_is(id, self.own_live_hold(id, user)?))
    }

    pub(super) fn extend(
        &self,
        id: Uuid,
        user: &UserId,
        seconds: Option<u32>,
    ) -> Result<Decision, Rejection> {
        self.check_not_closed()?;
        let hold = self.own_live_hold(id, user)?;
        let policy = &self.sale.definition.hold;
        let wished = hold.expires_at + u64::from(seconds.unwrap_or(policy.ttl_seconds)) * 1000;
        let latest = hold.held_at + u64::from(policy.max_seconds) * 1000;
        let expires_at = wished.min(latest).max(hold.expires_at);
        if expires_at == hold.expires_at {
            return Ok(decided(self.held_as_it_is(id, hold), vec![]));
        }
        let changes = vec![DomainEvent::HoldExtended(HoldExtended {
            hold_id: self.hold_id(id),
            event_id: self.state.id.clone(),
            user_id: user.clone(),
            seat_ids: hold.seats.iter().map(|key| self.seat_id(key)).collect(),
            expires_at,
        })];
        let sequence = self.after(&changes);
        let seats = self.all_at_their_price(&hold.seats);
        Ok(decided(self.held(id, seats, &hold.currency, expires_at, sequence), changes))
    }
}
