//! Whether an answer says what happened (I7), now or at the first time where it repeats an earlier answer.

use anyhow::{Context, bail, ensure};
use boxoffice_domain::events::{Claim, DomainEvent};
use boxoffice_domain::{HoldId, ReservationId, SeatId, UnixMillis, UserId};

use super::name;
use super::request::Answer;
use super::trace::{Facts, RequestTrace};

impl RequestTrace<'_> {
    /// `answer` says what this request did, and all that there is of the hold or the reservation after it.
    pub fn is_as_told(&self, answer: &Answer) -> anyhow::Result<()> {
        let last = self.made.last().context("nothing happened")?;
        let (told_seats, told_sequence) = match answer {
            Answer::Held { hold, seats, expires_at, sequence } => {
                let made = match &last.event {
                    DomainEvent::SeatHeld(e) => (&e.hold_id, &e.expires_at),
                    DomainEvent::HoldExtended(e) => (&e.hold_id, &e.expires_at),
                    _ => bail!("I7: nothing was held: {}", name(last)),
                };
                ensure!(made == (hold, expires_at), "I7: another hold was made: {:?}", last.event);
                (seats, sequence)
            }
            Answer::Reserved { reservation, seats, reserved_at, sequence } => {
                let of_them = self.made.iter().filter_map(|fact| match &fact.event {
                    DomainEvent::SeatReserved(e) => Some((&e.reservation_id, &e.reserved_at)),
                    _ => None,
                });
                let all = of_them.clone().count() > 0
                    && of_them.into_iter().all(|it| it == (reservation, reserved_at));
                ensure!(all, "I7: another reservation was made: {:?}", self.names());
                (seats, sequence)
            }
            Answer::Released { released, left, sequence } => {
                let (seats, _) = self.effect()?;
                ensure!(seats == *released, "I7: it is about {seats:?}");
                (left, sequence)
            }
            Answer::Refused { .. } | Answer::Unknown => return Ok(()),
        };
        ensure!(self.has == *told_seats, "I7: what it has is {:?}", self.has);
        ensure!(last.metadata.sequence == Some(*told_sequence), "I7: the last one is {}", name(last));
        Ok(())
    }

    /// The answer is about what the user has already: it was so as of the sequence that it tells.
    pub fn repeats(&self, facts: &Facts<'_>) -> anyhow::Result<()> {
        let user = &self.request.user;
        match &self.request.answer {
            Answer::Held { hold, seats, expires_at, sequence } => {
                let then = Told::of_hold(hold, facts, *sequence).context("I7: no such seat.held")?;
                ensure!(then.user == user, "I7: that was another hold: {hold} of {}", then.user);
                ensure!(then.expires_at == *expires_at, "I6: that hold did not expire at {expires_at}");
                ensure!(then.seats == *seats, "I7: that hold had {:?}", then.seats);
            }
            Answer::Reserved { reservation, seats, sequence, .. } => {
                let then = Told::of_reservation(reservation, facts, *sequence);
                let then = then.context("I7: no such reservation.created")?;
                ensure!(
                    then.user == user,
                    "I7: that was another reservation: {reservation} of {}",
                    then.user
                );
                ensure!(then.seats == *seats, "I7: that reservation had {:?}", then.seats);
            }
            Answer::Released { .. } => bail!("I7: nothing was released"),
            Answer::Refused { .. } | Answer::Unknown => {}
        }
        Ok(())
    }
}

/// A hold or a reservation as it was.
struct Told<'a> {
    user: &'a UserId,
    seats: Vec<SeatId>,
    /// Of a hold.
    expires_at: UnixMillis,
}

impl<'a> Told<'a> {
    /// `hold` after the domain event with this sequence, which must be one of its own.
    fn of_hold(hold: &HoldId, facts: &Facts<'a>, sequence: u64) -> Option<Self> {
        let (mut told, mut last) = (None::<Self>, 0);
        for (at, fact) in facts.range(..=sequence) {
            match &fact.event {
                DomainEvent::SeatHeld(e) if e.hold_id == *hold => {
                    let new = || Self { user: &e.user_id, seats: vec![], expires_at: e.expires_at };
                    told.get_or_insert_with(new).seats.push(e.seat_id.clone());
                }
                DomainEvent::HoldExtended(e) if e.hold_id == *hold => {
                    if let Some(told) = &mut told {
                        told.expires_at = e.expires_at;
                    }
                }
                DomainEvent::SeatReserved(e) if e.hold_id == *hold => {
                    if let Some(told) = &mut told {
                        told.lose(&e.seat_id);
                    }
                }
                DomainEvent::SeatReleased(e) if e.claim == Claim::Hold(hold.clone()) => {
                    if let Some(told) = &mut told {
                        told.lose(&e.seat_id);
                    }
                }
                _ => continue,
            }
            last = *at;
        }
        told.filter(|_| last == sequence)
    }

    /// The same of a reservation.
    fn of_reservation(id: &ReservationId, facts: &Facts<'a>, sequence: u64) -> Option<Self> {
        let (mut told, mut last) = (None::<Self>, 0);
        for (at, fact) in facts.range(..=sequence) {
            match &fact.event {
                DomainEvent::ReservationCreated(e) if e.reservation_id == *id => {
                    told = Some(Self { user: &e.user_id, seats: e.seat_ids.clone(), expires_at: 0 });
                }
                DomainEvent::ReservationCancelled(e) if e.reservation_id == *id => {
                    if let Some(told) = &mut told {
                        e.seat_ids.iter().for_each(|seat| told.lose(seat));
                    }
                }
                _ => continue,
            }
            last = *at;
        }
        told.filter(|_| last == sequence)
    }

    fn lose(&mut self, seat: &SeatId) {
        self.seats.retain(|has| has != seat);
    }
}
