//! What the wishes of [`super::generate`] ask of a store: they count holds and reservations back from the latest, and
//! here is which ones those are.

use boxoffice_command::store::{Cause, Idempotency, Outcome, answer_memory};
use boxoffice_domain::command::Reinstatement;
use boxoffice_domain::{Answer, Command, UnixMillis, Wanted};
use uuid::Uuid;

use super::generate::{Moment, Wish, definitions};
use super::stage::definition;

/// What a wish asks of the store.
pub enum Asked {
    Command(Command),
    /// What went well before, again.
    Repeat(Kept),
    /// The key of what went well before, for something else.
    Misuse(Kept),
    Find(Uuid),
    Sweep,
    Restart,
    Wait(UnixMillis),
    WaitFor(Uuid, Moment),
    WaitForgotten(Uuid, UnixMillis),
}

/// A command that went well with an idempotency key.
#[derive(Debug, Clone)]
pub struct Kept {
    pub command: Command,
    pub cause: Cause,
    pub outcome: Outcome,
}

/// The holds and reservations that earlier steps made, for later ones to refer to.
#[derive(Default)]
pub struct Names {
    holds: Vec<Uuid>,
    /// What each of them was for.
    wanted: Vec<(Uuid, Wanted)>,
    reservations: Vec<Uuid>,
    kept: Option<Kept>,
}

impl Names {
    /// What a wish means, at a time.
    pub fn asked(&self, wish: &Wish, cause: &Cause, now: UnixMillis) -> Asked {
        let user = cause.user.clone().unwrap_or_else(|| panic!("somebody asks"));
        let (hold_at, sold_at) = (|which| pick(&self.holds, which), |which| pick(&self.reservations, which));
        let new = Uuid::new_v4();
        Asked::Command(match wish.clone() {
            Wish::Wait(by) => return Asked::Wait(by),
            Wish::WaitFor { hold, what } => return Asked::WaitFor(hold_at(hold), what),
            Wish::WaitForgotten(reservation, early) => {
                return Asked::WaitForgotten(sold_at(reservation), early);
            }
            Wish::Sweep => return Asked::Sweep,
            Wish::Restart => return Asked::Restart,
            Wish::Find(hold) => return Asked::Find(hold_at(hold)),
            Wish::Repeat => return self.kept(now).map_or(Asked::Wait(0), Asked::Repeat),
            Wish::Misuse => return self.kept(now).map_or(Asked::Wait(0), Asked::Misuse),
            Wish::Hold(wanted) => Command::Hold { wanted, user, hold: new },
            Wish::HoldAgain(which, other) => {
                let hold = hold_at(which);
                let before = self.wanted.iter().find(|(id, _)| *id == hold).map(|(_, wanted)| wanted.clone());
                let wanted = other.or(before).unwrap_or_else(|| vec!["A-1-1".to_owned()].into());
                Command::Hold { wanted, user, hold: if hold.is_nil() { new } else { hold } }
            }
            Wish::Add(hold, wanted) => Command::AddToHold { hold: hold_at(hold), wanted, user },
            Wish::StaffHold(seats, blocked) => Command::StaffHold { seats, user, hold: new, blocked },
            Wish::StaffReserve(hold) => Command::StaffReserve { hold: hold_at(hold), reservation: new },
            Wish::StaffRelease(hold, note) => Command::StaffRelease { hold: hold_at(hold), note },
            Wish::StaffCancel(reservation, note) => {
                Command::StaffCancel { reservation: sold_at(reservation), note }
            }
            Wish::FailPayment(reservation) => Command::FailPayment { reservation: sold_at(reservation) },
            Wish::PayLate(reservation) => Command::Reinstate {
                reservation: sold_at(reservation),
                payment: "pay-1, \"late\"".into(),
                hold: Uuid::new_v4(),
                reinstated: new,
            },
            Wish::Extend(hold, seconds) => Command::ExtendHold { hold: hold_at(hold), user, seconds },
            Wish::Block(seats, reason) => Command::Block { seats, reason },
            Wish::Unblock(seats) => Command::Unblock { seats },
            Wish::ReserveSeat(seat) => Command::ReserveSeat { seat, user, reservation: new },
            Wish::ReserveHold(hold) => Command::ReserveHold { hold: hold_at(hold), user, reservation: new },
            Wish::ReleaseSeat(seat) => Command::ReleaseSeat { seat, user },
            Wish::ReleaseHold(hold) => Command::ReleaseHold { hold: hold_at(hold), user },
            Wish::Cancel(reservation) => {
                Command::CancelReservation { reservation: sold_at(reservation), user }
            }
            Wish::Expire(hold) => Command::Expire { hold: hold_at(hold) },
            Wish::Provision(which) => {
                Command::Provision { definition: Box::new(definitions()[which].clone()) }
            }
            Wish::Close => Command::Close,
            Wish::Purge => Command::Purge,
        })
    }

    /// Takes in what went well.
    pub fn learn(&mut self, command: &Command, cause: &Cause, outcome: &Outcome) {
        if cause.idempotency.is_some() {
            let (command, cause, outcome) = (command.clone(), cause.clone(), outcome.clone());
            self.kept = Some(Kept { command, cause, outcome });
        }
        match command {
            Command::Hold { wanted, hold, .. } => self.wanted.push((*hold, wanted.clone())),
            Command::StaffHold { seats, hold, .. } => self.wanted.push((*hold, seats.clone().into())),
            // Whether an answer of before is still there by chance is nobody's business.
            Command::Purge => self.kept = None,
            _ => {}
        }
        match &outcome.answer {
            Answer::Held { hold, .. } if !self.holds.contains(hold) => self.holds.push(*hold),
            Answer::Reserved { reservation, .. }
            | Answer::Reinstatement { outcome: Some(Reinstatement::Reinstated(reservation)), .. }
                if !self.reservations.contains(reservation) =>
            {
                self.reservations.push(*reservation);
            }
            _ => {}
        }
    }

    /// What is remembered of the last command with a key.
    fn kept(&self, now: UnixMillis) -> Option<Kept> {
        // No definition that is drawn says how long a hold may last.
        let memory = answer_memory(&definition());
        self.kept.clone().filter(|kept| now < kept.outcome.at + memory)
    }
}

impl Kept {
    /// A cause of its own for the same request.
    pub fn again(&self) -> Cause {
        Cause { command: Uuid::new_v4(), correlation: Uuid::new_v4().into(), ..self.cause.clone() }
    }

    /// The same for another request.
    pub fn misused(&self) -> Cause {
        let fingerprint = "another request".to_owned();
        let idempotency = self.cause.idempotency.clone().map(|its| Idempotency { fingerprint, ..its });
        Cause { idempotency, ..self.again() }
    }
}

/// One of the latest names; one that nobody has where there is none yet.
fn pick(names: &[Uuid], which: usize) -> Uuid {
    names.iter().rev().nth(which).copied().unwrap_or_else(Uuid::nil)
}
