//! The specification: what a command does to a SeatingEvent, as a pure function.
//!
//! Everything is checked before anything is written, because the scripts in Redis, which are held to this function by
//! tests with generated commands, cannot roll back. A hold whose deadline has passed counts as gone (equal to the
//! deadline counts as expired, I6): who asks for its seats first has it released in the same step.
//!
//! Here a command finds its rule, and all rules what they need. The rules: [`holding`] with the [`selection`] of seats,
//! [`reserving`], [`releasing`], and what the operator does, [`operating`].

mod holding;

pub mod selection;

mod reserving;

mod releasing;

mod operating;

use uuid::Uuid;

use crate::command::{Answer, Command, Conflict, Decision, PricedSeat, Rejection};
use crate::events::{DomainEvent, Reservation};
use crate::ids::{HoldId, ReservationId, SeatId, UnixMillis, UserId};
use crate::state::{Claimed, EXPIRED_HOLD_MEMORY, Hold, HoldStatus, Seat, SeatingEventState, Show};
use operating::provision;

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

    fn has_lapsed(&self, hold: Uuid) -> bool {
        self.state.holds.get(&hold).is_none_or(|hold| self.now >= hold.expires_at)
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
