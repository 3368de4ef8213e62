//! Whether an answer says what happened (I7), now or at the first time where it repeats an earlier answer.

use anyhow::{Context, bail, ensure};
use boxoffice_domain::HoldId;
use boxoffice_domain::events::DomainEvent;

use super::chains::{Chain, Facts};
use super::name;
use super::request::Answer;

impl Chain<'_> {
    /// `answer` says what this request did.
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
            Answer::Released { seats, sequence } => (seats, sequence),
            Answer::Refused { .. } | Answer::Unknown => return Ok(()),
        };
        let (seats, _) = self.effect()?;
        ensure!(seats == *told_seats, "I7: it is about {seats:?}");
        ensure!(last.metadata.sequence == Some(*told_sequence), "I7: the last one is {}", name(last));
        Ok(())
    }

    /// The answer is about what the user has already: what it says had happened.
    pub fn repeats(&self, facts: &Facts<'_>) -> anyhow::Result<()> {
        let user = &self.request.user;
        let at = |sequence: &u64| facts.get(sequence).map(|fact| &fact.event);
        match &self.request.answer {
            Answer::Held { hold, seats, expires_at, sequence } => {
                let (id, holder) = match at(sequence) {
                    Some(DomainEvent::SeatHeld(e)) => (&e.hold_id, &e.user_id),
                    Some(DomainEvent::HoldExtended(e)) => (&e.hold_id, &e.user_id),
                    _ => bail!("I7: no such seat.held"),
                };
                ensure!((id, holder) == (hold, user), "I7: that was another hold: {id} of {holder}");
                had(hold, facts, |event| match event {
                    DomainEvent::SeatHeld(e) => e.expires_at == *expires_at,
                    DomainEvent::HoldExtended(e) => e.expires_at == *expires_at,
                    _ => false,
                })
                .with_context(|| format!("I6: that hold never expired at {expires_at}"))?;
                for seat in seats {
                    had(hold, facts, |event| matches!(event, DomainEvent::SeatHeld(e) if e.seat_id == *seat))
                        .with_context(|| format!("I7: that hold never had {seat}"))?;
                }
            }
            Answer::Reserved { reservation, seats, sequence, .. } => {
                let Some(DomainEvent::ReservationCreated(e)) = at(sequence) else {
                    bail!("I7: no such reservation.created")
                };
                let same = (&e.reservation_id, &e.user_id) == (reservation, user);
                ensure!(same, "I7: that was another reservation: {e:?}");
                let known = seats.iter().all(|seat| e.seat_ids.contains(seat));
                ensure!(known, "I7: that reservation was of {:?}", e.seat_ids);
            }
            Answer::Released { .. } => bail!("I7: nothing was released"),
            Answer::Refused { .. } | Answer::Unknown => {}
        }
        Ok(())
    }
}

/// Whether one of the domain events of `hold` is such a one.
fn had(hold: &HoldId, facts: &Facts<'_>, is: impl Fn(&DomainEvent) -> bool) -> Option<()> {
    let of_it = facts.values().map(|fact| &fact.event).filter(|event| match event {
        DomainEvent::SeatHeld(e) => e.hold_id == *hold,
        DomainEvent::HoldExtended(e) => e.hold_id == *hold,
        _ => false,
    });
    of_it.into_iter().any(is).then_some(())
}
