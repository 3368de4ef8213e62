//! The specification: what a command does to a SeatingEvent, as a pure function.
//!
//! Everything is checked before anything is written, because the scripts in Redis, which are held to this function by
//! tests with generated commands, cannot roll back. A hold whose deadline has passed counts as gone (equal to the
//! deadline counts as expired, I6): who asks for its seats first has it released in the same step.
//!
//! Here a command finds its rule, and all rules what they need. The rules: [`holding`] with the [`selection`] of seats,
//! [`reserving`], [`releasing`], what box-office [`staff`] do, what comes of [`paying`] or not, and what the operator does,
//! [`operating`] and [`redefining`].

mod holding;

pub mod selection;

mod reserving;

mod releasing;

mod staff;

mod paying;

mod operating;

mod redefining;

use std::cell::{Cell, RefCell};

use uuid::Uuid;

use crate::command::{Answer, Command, Conflict, ConflictReason, Decision, PricedSeat, Reads, Rejection};
use crate::events::DomainEvent;
use crate::ids::{HoldId, ReservationId, SeatId, UnixMillis, UserId};
use crate::state::{
    EXPIRED_HOLD_MEMORY, FailedReservation, Hold, HoldStatus, Reservation, Sale, Seat, SeatingEventState,
};

pub use redefining::in_words;

/// Decides `command` on `state` at `now`.
///
/// # Errors
/// The [`Rejection`], where the command does nothing.
pub fn decide(state: &SeatingEventState, command: &Command, now: UnixMillis) -> Result<Decision, Rejection> {
    At::of(state, now).decide(command)
}

/// Decides on a state of which perhaps only a part is there, and says which of its records that looked at. Where all of
/// them are there the decision is that of the whole state. Which seats are to be chosen, and how much a user may claim,
/// only the whole state tells.
pub fn decide_on_part(
    part: &SeatingEventState,
    command: &Command,
    now: UnixMillis,
) -> (Result<Decision, Rejection>, Reads) {
    let at = At::of(part, now);
    let decision = at.decide(command);
    (decision, at.reads.into_inner())
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
    At::of(state, now).provisioned()?.find_hold(hold, user)
}

/// [`find_hold`] on a state of which perhaps only a part is there, with what it looked at.
pub fn find_hold_on_part(
    part: &SeatingEventState,
    hold: Uuid,
    user: &UserId,
    now: UnixMillis,
) -> (Result<Answer, Rejection>, Reads) {
    let at = At::of(part, now);
    let found = at.provisioned().and_then(|this| this.find_hold(hold, user));
    (found, at.reads.into_inner())
}

/// A SeatingEvent at one moment, and what was looked at there.
struct At<'a> {
    state: &'a SeatingEventState,
    now: UnixMillis,
    reads: RefCell<Reads>,
    until: Cell<Option<UnixMillis>>,
}

/// One that is provisioned.
#[derive(Clone, Copy)]
struct Provisioned<'a> {
    at: &'a At<'a>,
    state: &'a SeatingEventState,
    sale: &'a Sale,
    now: UnixMillis,
}

impl<'a> At<'a> {
    fn of(state: &'a SeatingEventState, now: UnixMillis) -> Self {
        Self { state, now, reads: RefCell::default(), until: Cell::new(None) }
    }

    fn decide(&'a self, command: &Command) -> Result<Decision, Rejection> {
        let decision = match (command, self.provisioned()) {
            (Command::Provision { definition }, Err(_)) => {
                redefining::create(&self.state.id, self.state.sequence, definition)
            }
            (_, Err(rejection)) => Err(rejection),
            (command, Ok(provisioned)) => provisioned.decide(command),
        };
        decision.map(|decision| Decision { until: self.until.get(), ..decision })
    }

    fn provisioned(&'a self) -> Result<Provisioned<'a>, Rejection> {
        let sale = self.state.sale.as_deref().ok_or(Rejection::EventNotFound)?;
        Ok(Provisioned { at: self, state: self.state, sale, now: self.now })
    }
}

impl<'a> Provisioned<'a> {
    fn decide(&self, command: &Command) -> Result<Decision, Rejection> {
        match command {
            Command::Hold { wanted, user, hold } => self.hold(wanted, user, *hold),
            Command::AddToHold { hold, wanted, user } => self.add_to_hold(*hold, wanted, user),
            Command::ExtendHold { hold, user, seconds } => self.extend(*hold, user, *seconds),
            Command::ReserveSeat { seat, user, reservation } => self.reserve_seat(seat, user, *reservation),
            Command::ReserveHold { hold, user, reservation } => self.reserve_hold(*hold, user, *reservation),
            Command::ReleaseSeat { seat, user } => self.release_seat(seat, user),
            Command::ReleaseHold { hold, user } => self.release_hold(*hold, user),
            Command::CancelReservation { reservation, user } => self.cancel(*reservation, user),
            Command::Expire { hold } => Ok(self.expire(*hold)),
            Command::StaffHold { seats, user, hold, blocked } => {
                self.staff_hold(seats, user, *hold, *blocked)
            }
            Command::StaffReserve { hold, reservation } => self.staff_reserve(*hold, *reservation),
            Command::StaffRelease { hold, note } => self.staff_release(*hold, note.as_deref()),
            Command::StaffCancel { reservation, note } => self.staff_cancel(*reservation, note.as_deref()),
            Command::FailPayment { reservation } => Ok(self.fail_payment(*reservation)),
            Command::Reinstate { reservation, payment, hold, reinstated } => {
                Ok(self.reinstate(*reservation, payment, *hold, *reinstated))
            }
            Command::Block { seats, reason } => self.block(seats, reason),
            Command::Unblock { seats } => self.unblock(seats),
            Command::Close => Ok(self.close()),
            Command::Purge => Ok(self.purge()),
            Command::Provision { definition } => self.redefine(definition),
        }
    }

    /// Whether `moment` has come. What is decided because it has not is another decision from then on.
    fn has_come(&self, moment: UnixMillis) -> bool {
        let come = self.now >= moment;
        if !come {
            let first = self.at.until.get().map_or(moment, |until| until.min(moment));
            self.at.until.set(Some(first));
        }
        come
    }

    /// What there is to say about a seat.
    fn seat(&self, key: &str) -> Option<&'a Seat> {
        self.at.reads.borrow_mut().seats.insert(key.to_owned());
        self.state.seats.get(key)
    }

    /// What there is to say about a seat of the chart.
    fn existing_seat(&self, key: &str) -> Result<Option<&'a Seat>, Rejection> {
        if self.sale.chart().contains(key) {
            Ok(self.seat(key))
        } else {
            Err(Rejection::SeatNotFound(vec![Conflict::new(key, ConflictReason::NotFound)]))
        }
    }

    fn hold_called(&self, id: Uuid) -> Option<&'a Hold> {
        self.at.reads.borrow_mut().holds.insert(id);
        self.state.holds.get(&id)
    }

    fn reservation_called(&self, id: Uuid) -> Option<&'a Reservation> {
        self.at.reads.borrow_mut().reservations.insert(id);
        self.state.reservations.get(&id)
    }

    /// A reservation whose payment failed, whether or not it is to be forgotten by now.
    fn failed_called(&self, id: Uuid) -> Option<&'a FailedReservation> {
        self.at.reads.borrow_mut().failed.insert(id);
        self.state.failed.get(&id)
    }

    fn has_lapsed(&self, hold: Uuid) -> bool {
        self.hold_called(hold).is_none_or(|hold| self.has_come(hold.expires_at))
    }

    /// The hold of a held seat, which must be `user`'s and live.
    fn live_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        let hold = self.hold_called(id).ok_or(Rejection::SeatNotHeld)?;
        let expired = self.has_come(hold.expires_at);
        match (hold.user == *user, expired) {
            (true, false) => Ok(hold),
            (true, true) => Err(Rejection::HoldExpired),
            (false, true) => Err(Rejection::SeatNotHeld),
            (false, false) => Err(Rejection::NotHolder),
        }
    }

    /// Anybody's hold, if it is not forgotten.
    fn remembered_hold(&self, id: Uuid) -> Result<&'a Hold, Rejection> {
        let hold = self.hold_called(id).ok_or(Rejection::HoldNotFound)?;
        if hold.status == HoldStatus::Expired && self.has_come(hold.expires_at + EXPIRED_HOLD_MEMORY) {
            return Err(Rejection::HoldNotFound);
        }
        Ok(hold)
    }

    /// A hold that `user` may ask about: theirs, and not forgotten.
    fn own_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        let hold = self.remembered_hold(id)?;
        if hold.user == *user { Ok(hold) } else { Err(Rejection::NotHolder) }
    }

    /// A hold of `user`'s that still has seats.
    fn own_live_hold(&self, id: Uuid, user: &UserId) -> Result<&'a Hold, Rejection> {
        self.still_live(self.own_hold(id, user)?)
    }

    fn still_live(&self, hold: &'a Hold) -> Result<&'a Hold, Rejection> {
        match hold.status {
            HoldStatus::Reserved(_) => Err(Rejection::HoldNotFound),
            HoldStatus::Expired => Err(Rejection::HoldExpired),
            HoldStatus::Active if self.has_come(hold.expires_at) => Err(Rejection::HoldExpired),
            HoldStatus::Active => Ok(hold),
        }
    }

    fn own_reservation(&self, id: Uuid, user: &UserId) -> Result<&'a Reservation, Rejection> {
        let reservation = self.reservation_called(id).ok_or(Rejection::ReservationNotFound)?;
        if reservation.user == *user { Ok(reservation) } else { Err(Rejection::NotHolder) }
    }

    /// Deleting the SeatingEvent ends holding and reserving at once.
    fn check_not_closed(&self) -> Result<(), Rejection> {
        if self.sale.closed { Err(Rejection::SalesClosed) } else { Ok(()) }
    }

    /// A claimed seat with the price that it was held at.
    fn at_its_price(&self, key: &str) -> PricedSeat {
        let amount = match self.seat(key) {
            Some(Seat::Held { amount, .. } | Seat::Reserved { amount, .. }) => *amount,
            Some(Seat::Lapsed { .. } | Seat::Blocked { .. }) | None => 0,
        };
        self.priced(key, amount)
    }

    fn priced(&self, key: &str, amount: u64) -> PricedSeat {
        PricedSeat { key: key.to_owned(), amount, price_category: self.sale.category_of(key).to_owned() }
    }

    fn all_at_their_price(&self, keys: &[String]) -> Vec<PricedSeat> {
        keys.iter().map(|key| self.at_its_price(key)).collect()
    }

    /// A hold with all that it has.
    fn held(
        &self,
        id: Uuid,
        seats: Vec<PricedSeat>,
        currency: &str,
        expires_at: UnixMillis,
        sequence: u64,
    ) -> Answer {
        let together = self.sale.are_together(seats.iter().map(|seat| seat.key.as_str()));
        Answer::Held { hold: id, seats, currency: currency.to_owned(), expires_at, together, sequence }
    }

    fn held_as_it_is(&self, id: Uuid, hold: &Hold) -> Answer {
        let seats = self.all_at_their_price(&hold.seats);
        self.held(id, seats, &hold.currency, hold.expires_at, hold.sequence)
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

/// A decision, whose answer holds for as long as [`At`] says.
fn decided(answer: Answer, changes: Vec<DomainEvent>) -> Decision {
    Decision { answer, changes, until: None }
}

/// How a seat is claimed, if it is. A lapsed hold that was not yet released still counts: the caller tries again, and
/// a second later it is gone.
fn claimed(seat: &Seat) -> Option<ConflictReason> {
    match seat {
        Seat::Held { .. } => Some(ConflictReason::Held),
        Seat::Reserved { .. } => Some(ConflictReason::Reserved),
        Seat::Lapsed { .. } | Seat::Blocked { .. } => None,
    }
}

/// Why a seat that is in no hold and no reservation cannot be reserved or released by `user`.
fn not_held(seat: Option<&Seat>, user: &UserId) -> Rejection {
    match seat {
        Some(Seat::Lapsed { user: last }) if last == user => Rejection::HoldExpired,
        Some(Seat::Lapsed { .. } | Seat::Held { .. } | Seat::Reserved { .. } | Seat::Blocked { .. })
        | None => Rejection::SeatNotHeld,
    }
}

fn count(seats: usize) -> u32 {
    u32::try_from(seats).unwrap_or(u32::MAX)
}
