//! Reads what scripts answer: `scripts/lib/reply.lua` and the head of each script say how it is written.

use boxoffice_domain::command::{ConflictReason, Reinstatement};
use boxoffice_domain::{Answer, Conflict, PricedSeat, Rejection};

use super::wire::answers::{
    HeldWords, MINE, NONE, ProvisionedWords, REFUSED, ReinstatementWords, ReleasedWords, ReservedWords, Words,
};
use crate::store::{Outcome, StoreError};

/// A command that was carried out, or whose answer is repeated.
#[derive(Debug, PartialEq)]
pub struct Ran {
    /// What came of it.
    pub outcome: Outcome,
    /// Whether a seat map is wanted that was refused: it may be possible now.
    pub wanting: bool,
}

/// What a script says about a command.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// It was carried out, or its answer repeated.
    Done(Ran),
    /// It was refused, by the rules of the sale.
    Rejected(Rejection),
    /// Its idempotency key was used before, for something else.
    Mismatch,
    /// It was refused because so many events wait to be published.
    Full(u64),
    /// It was prepared for a definition, or decided on records, that have changed.
    Changed,
    /// It is one of those that the worker decides.
    Cold,
}

impl Reply {
    /// Reads the words of a reply, which stand on lines of their own.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        let unexpected = || StoreError::Corrupt(format!("a script answered {text:?}"));
        Words::of(text).reply().ok_or_else(unexpected)
    }
}

impl Words<'_> {
    fn reply(&mut self) -> Option<Reply> {
        match self.word()? {
            "changed" => Some(Reply::Changed),
            "cold" => Some(Reply::Cold),
            "mismatch" => Some(Reply::Mismatch),
            "done" => Some(Reply::Done(self.outcome(false)?)),
            "repeated" => Some(Reply::Done(self.outcome(true)?)),
            "full" => Some(Reply::Full(self.parsed()?)),
            "rejected" => Some(Reply::Rejected(self.rejection()?)),
            _ => None,
        }
    }

    fn outcome(&mut self, repeated: bool) -> Option<Ran> {
        let correlation = self.parsed()?;
        let (changed, wanting) = match self.word()? {
            "changed" => (true, false),
            "wanting" => (true, !repeated),
            "unchanged" => (false, false),
            _ => return None,
        };
        let (word, at) = (self.word()?, self.parsed()?);
        Some(Ran {
            outcome: Outcome { answer: self.answer(word)?, at, correlation, changed, repeated },
            wanting,
        })
    }

    fn answer(&mut self, word: &str) -> Option<Answer> {
        Some(match word {
            "held" => {
                let HeldWords { hold, expires, sequence, currency } = HeldWords::read(self)?;
                let (seats, together) = (self.priced()?, false);
                Answer::Held { hold, seats, currency, expires_at: expires, together, sequence }
            }
            "reserved" => {
                let ReservedWords { reservation, reserved, sequence, currency } = ReservedWords::read(self)?;
                let seats = self.priced()?;
                Answer::Reserved { reservation, seats, currency, reserved_at: reserved, sequence }
            }
            "released" => {
                let ReleasedWords { expires, sequence, currency, count } = ReleasedWords::read(self)?;
                let released = (0..count).map(|_| self.word().map(str::to_owned)).collect::<Option<_>>()?;
                let expires_at = Some(expires).filter(|expires| *expires > 0);
                Answer::Released { released, left: self.priced()?, currency, expires_at, sequence }
            }
            "reinstatement" => {
                let ReinstatementWords { outcome, sequence } = ReinstatementWords::read(self)?;
                let outcome = match outcome.as_str() {
                    NONE => None,
                    REFUSED => Some(Reinstatement::NotReinstated),
                    reservation => Some(Reinstatement::Reinstated(reservation.parse().ok()?)),
                };
                Answer::Reinstatement { outcome, sequence }
            }
            "provisioned" => {
                let ProvisionedWords { sequence } = ProvisionedWords::read(self)?;
                Answer::Provisioned { refused: self.conflicts()?, sequence }
            }
            _ => return None,
        })
    }

    fn rejection(&mut self) -> Option<Rejection> {
        Some(match self.word()? {
            "EVENT_NOT_FOUND" => Rejection::EventNotFound,
            "SEAT_NOT_FOUND" => Rejection::SeatNotFound(self.conflicts()?),
            "HOLD_NOT_FOUND" => Rejection::HoldNotFound,
            "RESERVATION_NOT_FOUND" => Rejection::ReservationNotFound,
            "NOT_HOLDER" => Rejection::NotHolder,
            "SEAT_NOT_AVAILABLE" => Rejection::SeatNotAvailable(self.conflicts()?),
            "NOT_ENOUGH_SEATS" => Rejection::NotEnoughSeats {
                wanted: self.parsed()?,
                available: self.parsed()?,
                section: self.word().filter(|section| !section.is_empty()).map(str::to_owned),
            },
            "SEAT_NOT_HELD" => Rejection::SeatNotHeld,
            "HOLD_EXPIRED" => Rejection::HoldExpired,
            "LIMIT_EXCEEDED" => Rejection::LimitExceeded {
                limit: self.parsed()?,
                claimed: self.parsed()?,
                wanted: self.parsed()?,
            },
            "HOLD_FULL" => Rejection::HoldFull { has: self.parsed()?, wanted: self.parsed()? },
            "SALES_NOT_OPEN" => Rejection::SalesNotOpen { opens_at: self.parsed()? },
            "SALES_PAUSED" => Rejection::SalesPaused,
            "SALES_CLOSED" => Rejection::SalesClosed,
            "OTHER_SEATS_HELD" => Rejection::OtherSeatsHeld,
            _ => return None,
        })
    }

    fn priced(&mut self) -> Option<Vec<PricedSeat>> {
        let mut seats = vec![];
        while let Some(key) = self.word() {
            let price_category = String::new();
            seats.push(PricedSeat { key: key.to_owned(), amount: self.parsed()?, price_category });
        }
        Some(seats)
    }

    fn conflicts(&mut self) -> Option<Vec<Conflict>> {
        let mut conflicts = vec![];
        while let Some(seat) = self.word() {
            let (word, mine) = self.word().map(|word| match word.strip_prefix(MINE) {
                Some(word) => (word, true),
                None => (word, false),
            })?;
            let reason = ConflictReason::ALL.into_iter().find(|reason| reason.as_str() == word)?;
            conflicts.push(Conflict { seat: seat.to_owned(), reason, mine });
        }
        Some(conflicts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Reply, StoreError> {
        Reply::read(&text.replace(' ', "\n"))
    }

    #[test]
    fn a_conflict_names_every_seat() {
        let expected = Rejection::SeatNotAvailable(vec![
            Conflict::new("A-1-1", ConflictReason::Held),
            Conflict::new("A-1-2", ConflictReason::Reserved),
        ]);
        let reply = read("rejected SEAT_NOT_AVAILABLE A-1-1 HELD A-1-2 RESERVED").unwrap();
        assert_eq!(reply, Reply::Rejected(expected));
    }

    #[test]
    fn what_is_no_reply_is_shown_as_it_came() {
        for text in [
            "",
            "polished 1",
            "done c-1 changed held 1 2 3",
            "done c-1 held 1",
            "rejected WHIM",
            "full of it",
        ] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains(&format!("{:?}", text.replace(' ', "\n"))), "{error}");
        }
    }
}
