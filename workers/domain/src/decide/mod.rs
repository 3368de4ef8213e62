//! The specification: what a command does to a SeatingEvent, as a pure function.
//!
//! Everything is checked before anything is written, because the scripts in Redis, which are held to this function by
//! tests with generated commands, cannot roll back. A hold whose deadline has passed counts as gone (equal to the
//! deadline counts as expired, I6): who asks for its seats first has it released in the same step.

pub mod selection;

use std::collections::HashSet;

use uuid::Uuid;

use crate::chart::Chart;
use crate::command::{Answer, Command, Conflict, Decision, PricedSeat, Rejection, Wanted};
use crate::definition::Definition;
use crate::events::{
    Claim, DomainEvent, HoldExtended, ReleaseReason, Reservation, SeatBlock, SeatHeld, SeatReleased,
    SeatReserved, SeatingEventDefined,
};
use crate::ids::{HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId, section_of};
use crate::state::{Claimed, EXPIRED_HOLD_MEMORY, Hold, HoldStatus, Seat, SeatingEventState, Show};

/// Decides `command` on `state` at `now`.
///
/// # Errors
/// The [`Rejection`], where the command does nothing.
pub fn decide(state: &SeatingEventState, command: &Command, now: UnixMillis) -> Result<Decision, Rejection> {
    let at = || At::of(state, now);
    match command {
        Command::Hold { wanted, user, hold } => at()?.hold(wanted, user, *hold),
        Command::ExtendHold { hold, user, seconds } => at()?.extend(*hold, user, *seconds),
        Command::ReserveSeat { seat, user, reservation } => at()?.reserve_seat(seat, user, *reservation),
        Command::ReserveHold { hold, user, reservation } => at()?.reserve_hold(*hold, user, *reservation),
        Command::ReleaseSeat { seat, user } => at()?.release_seat(seat, user),
        Command::ReleaseHold { hold, user } => at()?.release_hold(*hold, user),
        Command::CancelReservation { reservation, user } => at()?.cancel(*reservation, user),
        Command::Expire { hold } => Ok(at()?.expire(*hold)),
        Command::Block { seats, reason } => at()?.block(seats, reason),
        Command::Unblock { seats } => at()?.unblock(seats),
        Command::Close => Ok(at()?.close()),
        Command::Provision { definition } => provision(state, definition),
    }
}

/// A live hold of `user`'s, answered as when it was made but with the seats that it still has.
///
/// # Errors
/// Why there is none.
pub fn find_hold(
    state: &SeatingEventState,
    hold: Uuid,
    user: &UserId,
    now: UnixMillis,
) -> Result<Answer, Rejection> {
    At::of(state, now)?.find_hold(hold, user)
}

/// A provisioned SeatingEvent at one moment.
struct At<'a> {
    state: &'a SeatingEventState,
    show: &'a Show,
    now: UnixMillis,
}

impl<'a> At<'a> {
    fn of(state: &'a SeatingEventState, now: UnixMillis) -> Result<Self, Rejection> {
        let show = state.show.as_ref().ok_or(Rejection::EventNotFound)?;
        Ok(Self { state, show, now })
    }

    fn hold(&self, wanted: &Wanted, user: &UserId, hold: Uuid) -> Result<Decision, Rejection> {
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

    fn conflict(&self, key: &str) -> Option<Conflict> {
        let reason = match self.state.seats.get(key) {
            _ if !self.show.chart.contains(key) => "NOT_FOUND",
            Some(Seat::Held { hold, .. }) if !self.has_lapsed(*hold) => "HELD",
            Some(Seat::Reserved { .. }) => "RESERVED",
            Some(Seat::Blocked { .. }) => "BLOCKED",
            _ => return None,
        };
        Some(Conflict { seat: key.to_owned(), reason })
    }

    fn has_lapsed(&self, hold: Uuid) -> bool {
        self.state.holds.get(&hold).is_none_or(|hold| self.now >= hold.expires_at)
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

    fn reserve_seat(&self, key: &str, user: &UserId, reservation: Uuid) -> Result<Decision, Rejection> {
        match self.seat(key)? {
            Some(Seat::Held { hold, .. }) => {
                let (id, hold) = (*hold, self.live_hold(*hold, user)?);
                Ok(self.reserve(id, hold, &[key.to_owned()], reservation))
            }
            Some(Seat::Reserved { reservation, .. }) => self.reserved_already(*reservation, Some(key), user),
            other => Err(not_held(other, user)),
        }
    }

    fn reserve_hold(&self, id: Uuid, user: &UserId, reservation: Uuid) -> Result<Decision, Rejection> {
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

    fn release_seat(&self, key: &str, user: &UserId) -> Result<Decision, Rejection> {
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

    fn release_hold(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
        Ok(self.release_all(id, self.own_live_hold(id, user)?, ReleaseReason::User))
    }

    fn find_hold(&self, id: Uuid, user: &UserId) -> Result<Answer, Rejection> {
        let hold = self.own_live_hold(id, user)?;
        let seats = hold.seats.iter().map(|key| self.at_its_price(key)).collect();
        Ok(Answer::Held { hold: id, seats, expires_at: hold.expires_at, sequence: hold.sequence })
    }

    fn cancel(&self, id: Uuid, user: &UserId) -> Result<Decision, Rejection> {
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

    fn expire(&self, id: Uuid) -> Decision {
        match self.state.holds.get(&id) {
            Some(hold) if hold.status == HoldStatus::Active && self.now >= hold.expires_at => {
                self.release_all(id, hold, ReleaseReason::Expired)
            }
            _ => self.released(vec![], &[]),
        }
    }

    fn extend(&self, id: Uuid, user: &UserId, seconds: Option<u32>) -> Result<Decision, Rejection> {
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

    fn block(&self, seats: &[String], reason: &str) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let claimed = seats.iter().filter_map(|key| match self.state.seats.get(key)? {
            Seat::Held { .. } => Some(Conflict { seat: key.clone(), reason: "HELD" }),
            Seat::Reserved { .. } => Some(Conflict { seat: key.clone(), reason: "RESERVED" }),
            Seat::Lapsed { .. } | Seat::Blocked { .. } => None,
        });
        let mut conflicts: Vec<_> = claimed.collect();
        conflicts.sort_by(|a, b| a.seat.cmp(&b.seat));
        if !conflicts.is_empty() {
            return Err(Rejection::SeatMapConflict(conflicts));
        }
        let blocked_so = Seat::Blocked { reason: reason.to_owned() };
        let changing = seats.iter().filter(|key| self.state.seats.get(*key) != Some(&blocked_so));
        Ok(self.provisioned(
            changing.map(|key| DomainEvent::SeatBlocked(self.seat_block(key, reason))).collect(),
        ))
    }

    fn unblock(&self, seats: &[String]) -> Result<Decision, Rejection> {
        self.check_seats_exist(seats)?;
        let changes = seats.iter().filter_map(|key| match self.state.seats.get(key)? {
            Seat::Blocked { reason } => Some(DomainEvent::SeatUnblocked(self.seat_block(key, reason))),
            _ => None,
        });
        Ok(self.provisioned(changes.collect()))
    }

    fn check_seats_exist(&self, seats: &[String]) -> Result<(), Rejection> {
        let missing = seats.iter().filter(|key| !self.show.chart.contains(key));
        let missing: Vec<_> =
            missing.map(|key| Conflict { seat: key.clone(), reason: "NOT_FOUND" }).collect();
        if missing.is_empty() { Ok(()) } else { Err(Rejection::SeatNotFound(missing)) }
    }

    fn seat_block(&self, key: &str, reason: &str) -> SeatBlock {
        SeatBlock {
            seat_id: self.seat_id(key),
            event_id: self.state.id.clone(),
            section_id: section_of(key).to_owned(),
            reason: reason.to_owned(),
        }
    }

    fn provisioned(&self, changes: Vec<DomainEvent>) -> Decision {
        Decision { answer: Answer::Provisioned { sequence: self.after(&changes) }, changes }
    }

    fn close(&self) -> Decision {
        let changes = if self.show.closed {
            vec![]
        } else {
            vec![DomainEvent::EventDeleted(defined(self.state.id.clone(), self.show.definition.clone()))]
        };
        self.provisioned(changes)
    }

    /// What there is to say about a seat of the chart.
    fn seat(&self, key: &str) -> Result<Option<&'a Seat>, Rejection> {
        if self.show.chart.contains(key) {
            Ok(self.state.seats.get(key))
        } else {
            Err(Rejection::SeatNotFound(vec![Conflict { seat: key.to_owned(), reason: "NOT_FOUND" }]))
        }
    }

    /// The hold of a held seat, which must be `user`'s and live.
    fn live_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        let hold = self.state.holds.get(&id).ok_or(Rejection::SeatNotHeld)?;
        let expired = self.now >= hold.expires_at;
        match (hold.user == *user, expired) {
            (true, false) => Ok(hold),
            (true, true) => Err(Rejection::HoldExpired),
            (false, true) => Err(Rejection::SeatNotHeld),
            (false, false) => Err(Rejection::NotHolder),
        }
    }

    /// A hold that `user` may ask about: theirs, and not forgotten.
    fn own_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        let hold = self.state.holds.get(&id).ok_or(Rejection::HoldNotFound)?;
        if hold.status == HoldStatus::Expired && self.now >= hold.expires_at + EXPIRED_HOLD_MEMORY {
            return Err(Rejection::HoldNotFound);
        }
        if hold.user == *user { Ok(hold) } else { Err(Rejection::NotHolder) }
    }

    /// A hold of `user`'s that still has seats.
    fn own_live_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        let hold = self.own_hold(id, user)?;
        match hold.status {
            HoldStatus::Reserved(_) => Err(Rejection::HoldNotFound),
            HoldStatus::Expired => Err(Rejection::HoldExpired),
            HoldStatus::Active if self.now >= hold.expires_at => Err(Rejection::HoldExpired),
            HoldStatus::Active => Ok(hold),
        }
    }

    fn own_reservation(&self, id: Uuid, user: &UserId) -> Result<&'a Claimed, Rejection> {
        let claimed = self.state.reservations.get(&id).ok_or(Rejection::ReservationNotFound)?;
        if claimed.user == *user { Ok(claimed) } else { Err(Rejection::NotHolder) }
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

    fn release(&self, key: &str, hold: &Hold, id: Uuid, reason: ReleaseReason) -> DomainEvent {
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

    fn reservation(&self, id: Uuid, user: &UserId, seats: &[PricedSeat]) -> Reservation {
        Reservation {
            reservation_id: self.reservation_id(id),
            event_id: self.state.id.clone(),
            user_id: user.clone(),
            seat_ids: seats.iter().map(|seat| self.seat_id(&seat.key)).collect(),
            amount: seats.iter().map(|seat| seat.amount).sum(),
            currency: self.currency(),
        }
    }

    /// A seat with the price of its category.
    fn at_todays_price(&self, key: &str) -> PricedSeat {
        let amount = self.show.definition.price_of(section_of(key)).map_or(0, |price| price.amount);
        PricedSeat { key: key.to_owned(), amount }
    }

    /// A claimed seat with the price that it was held at.
    fn at_its_price(&self, key: &str) -> PricedSeat {
        let amount = match self.state.seats.get(key) {
            Some(Seat::Held { amount, .. } | Seat::Reserved { amount, .. }) => *amount,
            _ => 0,
        };
        PricedSeat { key: key.to_owned(), amount }
    }

    fn currency(&self) -> String {
        self.show.definition.currency().to_owned()
    }

    fn seat_id(&self, key: &str) -> SeatId {
        SeatId::from_chart(&self.state.id, key)
    }

    fn hold_id(&self, id: Uuid) -> HoldId {
        HoldId::new(self.state.id.clone(), id)
    }

    fn reservation_id(&self, id: Uuid) -> ReservationId {
        ReservationId::new(self.state.id.clone(), id)
    }

    /// The sequence after `changes`.
    fn after(&self, changes: &[DomainEvent]) -> u64 {
        self.state.sequence + changes.len() as u64
    }
}

/// Why a seat that is in no hold and no reservation cannot be reserved or released by `user`.
fn not_held(seat: Option<&Seat>, user: &UserId) -> Rejection {
    match seat {
        Some(Seat::Lapsed { user: last }) if last == user => Rejection::HoldExpired,
        _ => Rejection::SeatNotHeld,
    }
}

fn count(seats: usize) -> u32 {
    u32::try_from(seats).unwrap_or(u32::MAX)
}

fn defined(event_id: SeatingEventId, definition: Definition) -> SeatingEventDefined {
    SeatingEventDefined { event_id, chart_hash: definition.chart_hash(), definition }
}

fn provision(state: &SeatingEventState, definition: &Definition) -> Result<Decision, Rejection> {
    let payload = || defined(state.id.clone(), definition.clone());
    let changes = match &state.show {
        None => vec![DomainEvent::EventCreated(payload())],
        Some(show) if !show.closed && show.definition == *definition => vec![],
        Some(_) => {
            let conflicts = chart_conflicts(state, definition);
            if !conflicts.is_empty() {
                return Err(Rejection::SeatMapConflict(conflicts));
            }
            vec![DomainEvent::EventUpdated(payload())]
        }
    };
    let sequence = state.sequence + changes.len() as u64;
    Ok(Decision { answer: Answer::Provisioned { sequence }, changes })
}

/// The claimed seats that `definition` would drop or block, in order of their keys. A lapsed hold that was not yet
/// released still counts: the caller tries again, and a second later it is gone.
fn chart_conflicts(state: &SeatingEventState, definition: &Definition) -> Vec<Conflict> {
    let chart = Chart::expand(definition).unwrap_or_default();
    let blocked: HashSet<&str> =
        definition.blocked.iter().flat_map(|b| b.seats.iter().map(String::as_str)).collect();
    let mut conflicts: Vec<_> = state
        .seats
        .iter()
        .filter(|(key, _)| !chart.contains(key) || blocked.contains(key.as_str()))
        .filter_map(|(key, seat)| {
            let reason = match seat {
                Seat::Held { .. } => "HELD",
                Seat::Reserved { .. } => "RESERVED",
                Seat::Lapsed { .. } | Seat::Blocked { .. } => return None,
            };
            Some(Conflict { seat: key.clone(), reason })
        })
        .collect();
    conflicts.sort_by(|a, b| a.seat.cmp(&b.seat));
    conflicts
}
