//! What the wishes of [`super::generate`] ask of a store: they count holds and reservations back from the latest, and
//! here is which ones those are.

use boxoffice_command::store::{ANSWER_MEMORY, Cause, Idempotency, Outcome};
use boxoffice_domain::{Answer, Command, UnixMillis};
use uuid::Uuid;

use super::generate::{Moment, Wish, definitions};

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
            Wish::Sweep => return Asked::Sweep,
            Wish::Restart => return Asked::Restart,
            Wish::Find(hold) => return Asked::Find(hold_at(hold)),
            Wish::Repeat => return self.kept(now).map_or(Asked::Wait(0), Asked::Repeat),
            Wish::Misuse => return self.kept(now).map_or(Asked::Wait(0), Asked::Misuse),
            Wish::Hold(wanted) => Command::Hold { wanted, user, hold: new },
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
        })
    }

    /// Takes in what went well.
    pub fn learn(&mut self, command: &Command, cause: &Cause, outcome: &Outcome) {
        if cause.idempotency.is_some() {
            let (command, cause, outcome) = (command.clone(), cause.clone(), outcome.clone());
            self.kept = Some(Kept { command, cause, outcome });
        }
        match &outcome.answer {
            Answer::Held { hold, .. } if !self.holds.contains(hold) => self.holds.push(*hold),
            Answer::Reserved { reservation, .. } if !self.reservations.contains(reservation) => {
                self.reservations.push(*reservation);
            }
            _ => {}
        }
    }

    /// What is remembered of the last command with a key.
    fn kept(&self, now: UnixMillis) -> Option<Kept> {
        let memory = ANSWER_MEMORY.as_secs() * 1000;
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
