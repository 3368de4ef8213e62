//! Claiming seats for a while, and for a while longer.

use std::collections::HashSet;

use uuid::Uuid;

use super::{At, count, selection};
use crate::command::{Answer, Conflict, Decision, PricedSeat, Rejection, Wanted};
use crate::events::{DomainEvent, HoldExtended, ReleaseReason, SeatHeld};
use crate::ids::{UserId, section_of};
use crate::state::{Hold, Seat};

impl<'a> At<'a> {
    pub(super) fn hold(&self, wanted: &Wanted, user: &UserId, hold: Uuid) -> Result<Decision, Rejection> {
        selection::check(&self.show.definition, wanted)?;
        self.check_sales()?;
        if let Some(answer) = self.repeats_own_hold(wanted, user) {
            return Ok(Decision { answer, changes: vec![] });
        }
        let seats = &self.select(wanted)?;
        let lapsed = self.lapsed_holds(seats);
        self.check_limit(user, seats.len(), &lapsed)?;

        let mut changes = Vec::with_capacity(seats.len());
        for (id, expired) in lapsed {
            changes.extend(
                expired.seats.iter().map(|key| self.release(key, expired, id, ReleaseReason::Expired)),
            );
        }
        let expires_at = self.now + u64::from(self.show.definition.hold.ttl_seconds) * 1000;
        let seats: Vec<_> = seats.iter().map(|key| self.at_todays_price(key)).collect();
        changes.extend(seats.iter().map(|seat| {
            DomainEvent::SeatHeld(SeatHeld {
                seat_id: self.seat_id(&seat.key),
                event_id: self.state.id.clone(),
                user_id: user.clone(),
                section_id: section_of(&seat.key).to_owned(),
                hold_id: self.hold_id(hold),
                held_at: self.now,
                expires_at,
                amount: seat.amount,
                currency: self.currency(),
            })
        }));
        let answer = Answer::Held { hold, seats, expires_at, sequence: self.after(&changes) };
        Ok(Decision { answer, changes })
    }

    fn check_sales(&self) -> Result<(), Rejection> {
        let definition = &self.show.definition;
        if self.show.closed || self.now >= definition.closes_at() {
            return Err(Rejection::SalesClosed);
        }
        if let Some(opens_at) = definition.sales.opens_at.filter(|opens| self.now < *opens) {
            return Err(Rejection::SalesNotOpen { opens_at });
        }
        if definition.sales.paused { Err(Rejection::SalesPaused) } else { Ok(()) }
    }

    /// Asking again for seats that one own live hold has gives that hold again.
    fn repeats_own_hold(&self, wanted: &Wanted, user: &UserId) -> Option<Answer> {
        let Wanted::These { seats, areas } = wanted else { return None };
        if !areas.is_empty() {
            return None;
        }
        let Some(Seat::Held { hold: id, .. }) = self.state.seats.get(seats.first()?) else { return None };
        let hold =
            self.state.holds.get(id).filter(|hold| hold.user == *user && self.now < hold.expires_at)?;
        seats.iter().all(|key| hold.seats.contains(key)).then(|| Answer::Held {
            hold: *id,
            seats: seats.iter().map(|key| self.at_its_price(key)).collect(),
            expires_at: hold.expires_at,
            sequence: hold.sequence,
        })
    }

    pub(super) fn conflict(&self, key: &str) -> Option<Conflict> {
        let reason = match self.state.seats.get(key) {
            _ if !self.show.chart.contains(key) => "NOT_FOUND",
            Some(Seat::Held { hold, .. }) if !self.has_lapsed(*hold) => "HELD",
            Some(Seat::Reserved { .. }) => "RESERVED",
            Some(Seat::Blocked { .. }) => "BLOCKED",
            _ => return None,
        };
        Some(Conflict { seat: key.to_owned(), reason })
    }

    /// The holds that stand in the way of `seats` but have lapsed, each once, in the order met.
    fn lapsed_holds(&self, seats: &[String]) -> Vec<(Uuid, &'a Hold)> {
        let mut met = HashSet::new();
        let holds = seats.iter().filter_map(|key| match self.state.seats.get(key) {
            Some(Seat::Held { hold, .. }) if met.insert(*hold) => Some((*hold, self.state.holds.get(hold)?)),
            _ => None,
        });
        holds.collect()
    }

    fn check_limit(&self, user: &UserId, wanted: usize, lapsed: &[(Uuid, &Hold)]) -> Result<(), Rejection> {
        let Some(limit) = self.show.definition.limits.seats_per_user else { return Ok(()) };
        let own_lapsed: usize =
            lapsed.iter().filter(|(_, hold)| hold.user == *user).map(|(_, h)| h.seats.len()).sum();
        let claimed = self.state.claims.get(user).copied().unwrap_or(0).saturating_sub(count(own_lapsed));
        let wanted = count(wanted);
        if claimed.saturating_add(wanted) > limit {
            return Err(Rejection::LimitExceeded { limit, claimed, wanted });
        }
        Ok(())
    }

    /// A seat with the price of its category.
    fn at_todays_price(&self, key: &str) -> PricedSeat {
        let amount = self.show.definition.price_of(section_of(key)).map_or(0, |price| price.amount);
        PricedSeat { key: key.to_owned(), amount }
    }

    pub(super) fn find_hold(&self, id: Uuid, user: &UserId) -> Result<Answer, Rejection> {
        let hold = self.own_live_hold(id, user)?;
        let seats = hold.seats.iter().map(|key| self.at_its_price(key)).collect();
        Ok(Answer::Held { hold: id, seats, expires_at: hold.expires_at, sequence: hold.sequence })
    }

    pub(super) fn extend(
        &self,
        id: Uuid,
        user: &UserId,
        seconds: Option<u32>,
    ) -> Result<Decision, Rejection> {
        let hold = self.own_live_hold(id, user)?;
        let policy = &self.show.definition.hold;
        let wished = hold.expires_at + u64::from(seconds.unwrap_or(policy.ttl_seconds)) * 1000;
        let latest = hold.held_at + u64::from(policy.max_seconds) * 1000;
        let expires_at = wished.min(latest).max(hold.expires_at);
        let mut changes = vec![];
        if expires_at > hold.expires_at {
            changes.push(DomainEvent::HoldExtended(HoldExtended {
                hold_id: self.hold_id(id),
                event_id: self.state.id.clone(),
                user_id: user.clone(),
                seat_ids: hold.seats.iter().map(|key| self.seat_id(key)).collect(),
                expires_at,
            }));
        }
        let seats = hold.seats.iter().map(|key| self.at_its_price(key)).collect();
        let sequence = if changes.is_empty() { hold.sequence } else { self.after(&changes) };
        Ok(Decision { answer: Answer::Held { hold: id, seats, expires_at, sequence }, changes })
    }
}
