//! Reads what scripts answer: `scripts/lib/reply.lua` and the head of each script say how it is written.

use std::str::{FromStr, Split};

use boxoffice_domain::command::ConflictReason;
use boxoffice_domain::{Answer, Conflict, PricedSeat, Rejection};

use crate::store::{Outcome, StoreError};

/// What a script says about a command.
#[derive(Debug, PartialEq)]
pub enum Reply {
    /// It was carried out, or its answer repeated.
    Done(Outcome),
    /// It was refused, by the rules of the sale.
    Rejected(Rejection),
    /// Its idempotency key was used before, for something else.
    Mismatch,
    /// It was refused because so many events wait to be published.
    Full(u64),
    /// It was prepared for a definition that has changed.
    Changed,
}

impl Reply {
    /// Reads the words of a reply, which stand on lines of their own.
    pub fn read(text: &str) -> Result<Self, StoreError> {
        let unexpected = || StoreError::Corrupt(format!("a script answered {text:?}"));
        Words(text.split('\n')).reply().ok_or_else(unexpected)
    }
}

/// Before the reason of a conflict with the caller's own hold or reservation.
pub const MINE: &str = "MINE ";

/// The words that are still to be read. `None` where they are not what they should be.
struct Words<'a>(Split<'a, char>);

impl<'a> Words<'a> {
    fn reply(&mut self) -> Option<Reply> {
        match self.word()? {
            "changed" => Some(Reply::Changed),
            "mismatch" => Some(Reply::Mismatch),
            "done" => Some(Reply::Done(self.outcome(false)?)),
            "repeated" => Some(Reply::Done(self.outcome(true)?)),
            "full" => Some(Reply::Full(self.next()?)),
            "rejected" => Some(Reply::Rejected(self.rejection()?)),
            _ => None,
        }
    }

    fn outcome(&mut self, repeated: bool) -> Option<Outcome> {
        let correlation = self.next()?;
        let changed = match self.word()? {
            "changed" => true,
            "unchanged" => false,
            _ => return None,
        };
        let (word, at) = (self.word()?, self.next()?);
        Some(Outcome { answer: self.answer(word)?, at, correlation, changed, repeated })
    }

    fn answer(&mut self, word: &str) -> Option<Answer> {
        Some(match word {
            "held" => {
                let (hold, expires_at, sequence, currency) =
                    (self.next()?, self.next()?, self.next()?, self.next()?);
                Answer::Held { hold, seats: self.priced()?, currency, expires_at, together: false, sequence }
            }
            "reserved" => {
                let (reservation, reserved_at, sequence, currency) =
                    (self.next()?, self.next()?, self.next()?, self.next()?);
                Answer::Reserved { reservation, seats: self.priced()?, currency, reserved_at, sequence }
            }
            "released" => {
                let (expires_at, sequence, currency) = (self.optional()?, self.next()?, self.next()?);
                let released: usize = self.next()?;
                let released = self.0.by_ref().take(released).map(str::to_owned).collect();
                Answer::Released { released, left: self.priced()?, currency, expires_at, sequence }
            }
            "provisioned" => {
                let sequence = self.next()?;
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
                wanted: self.next()?,
                available: self.next()?,
                section: self.word().filter(|section| !section.is_empty()).map(str::to_owned),
            },
            "SEAT_NOT_HELD" => Rejection::SeatNotHeld,
            "HOLD_EXPIRED" => Rejection::HoldExpired,
            "LIMIT_EXCEEDED" => {
                Rejection::LimitExceeded { limit: self.next()?, claimed: self.next()?, wanted: self.next()? }
            }
            "SALES_NOT_OPEN" => Rejection::SalesNotOpen { opens_at: self.next()? },
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
            seats.push(PricedSeat { key: key.to_owned(), amount: self.next()?, price_category });
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

    /// A word that may be empty.
    fn optional<T: FromStr>(&mut self) -> Option<Option<T>> {
        match self.word()? {
            "" => Some(None),
            word => word.parse().ok().map(Some),
        }
    }

    fn word(&mut self) -> Option<&'a str> {
        self.0.next()
    }

    fn next<T: FromStr>(&mut self) -> Option<T> {
        self.word()?.parse().ok()
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
