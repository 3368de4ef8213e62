//! Whether all that was asked for happened, in one step (I2).

use anyhow::{bail, ensure};
use boxoffice_domain::SeatId;
use boxoffice_domain::events::{Claim, DomainEvent, ReservedSeats};

use super::request::Wish;
use super::trace::RequestTrace;

impl RequestTrace<'_> {
    /// All that was asked for happened, in one step.
    pub fn whole(&self) -> anyhow::Result<()> {
        let sequences: Vec<_> = self.made.iter().filter_map(|fact| fact.metadata.sequence).collect();
        let in_one_step = sequences.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
        ensure!(in_one_step, "I2: other things happened in between: {:?}", self.names());
        let (seats, end) = self.effect()?;
        let as_asked = match &self.request.wish {
            Wish::Hold(wanted) => seats == *wanted,
            Wish::Add(_, wanted) => {
                seats.iter().all(|seat| wanted.contains(seat))
                    && wanted.iter().all(|seat| self.has.contains(seat))
            }
            Wish::ReserveSeat(seat) | Wish::ReleaseSeat(seat) => seats == [seat.clone()],
            Wish::HoldBest(quantity) => seats.len() == *quantity as usize,
            Wish::HoldUnits { seats: wanted, section, quantity } => {
                seats.strip_prefix(wanted.as_slice()).is_some_and(|units| {
                    units.len() == *quantity as usize && units.iter().all(|unit| unit.section() == section)
                })
            }
            Wish::ExtendHold(_) => self.made.len() == 1,
            Wish::ReserveHold(_) | Wish::ReleaseHold(_) | Wish::Cancel(_) => true,
        };
        ensure!(as_asked, "I2: it is about {seats:?}: {:?}", self.names());
        ensure!(self.left.is_empty(), "I2: it left {:?} out: {:?}", self.left, self.names());
        if let Some(end) = end {
            ensure!(end.seat_ids == seats, "I2: the last one is about {:?}, not {seats:?}", end.seat_ids);
        }
        Ok(())
    }

    /// The seats of its events, all of the kind that was asked for, and the event about all of them at the end.
    pub fn effect(&self) -> anyhow::Result<(Vec<SeatId>, Option<&ReservedSeats>)> {
        let (mut seats, mut end, mut hold) = (vec![], None, None);
        for fact in &self.made {
            ensure!(end.is_none(), "I2: something comes after the end: {:?}", self.names());
            let seat = match (&self.request.wish, &fact.event) {
                (Wish::Hold(_) | Wish::HoldBest(_) | Wish::HoldUnits { .. }, DomainEvent::SeatHeld(e)) => {
                    let same = *hold.get_or_insert(&e.hold_id) == &e.hold_id;
                    ensure!(same, "I2: they are different holds: {:?}", self.names());
                    &e.seat_id
                }
                (Wish::Add(hold, _), DomainEvent::SeatHeld(e)) if e.hold_id == *hold => &e.seat_id,
                (Wish::ExtendHold(hold), DomainEvent::HoldExtended(e)) if e.hold_id == *hold => {
                    seats.extend(e.seat_ids.iter().cloned());
                    continue;
                }
                (Wish::ReserveSeat(_), DomainEvent::SeatReserved(e)) => &e.seat_id,
                (Wish::ReserveHold(hold), DomainEvent::SeatReserved(e)) if e.hold_id == *hold => &e.seat_id,
                (Wish::ReleaseSeat(_), DomainEvent::SeatReleased(e)) => &e.seat_id,
                (Wish::ReleaseHold(hold), DomainEvent::SeatReleased(e)) if matches!(&e.claim, Claim::Hold(its) if its == hold) => {
                    &e.seat_id
                }
                (Wish::Cancel(id), DomainEvent::SeatReleased(e)) if matches!(&e.claim, Claim::Reservation(its) if its == id) => {
                    &e.seat_id
                }
                (Wish::ReserveSeat(_) | Wish::ReserveHold(_), DomainEvent::ReservationCreated(e))
                | (Wish::ReleaseSeat(_) | Wish::Cancel(_), DomainEvent::ReservationCancelled(e)) => {
                    end = Some(e);
                    continue;
                }
                _ => bail!("I2: it did something else: {:?}", self.names()),
            };
            seats.push(seat.clone());
        }
        let needs_end = self.made.iter().any(|fact| match &fact.event {
            DomainEvent::SeatReserved(_) => true,
            DomainEvent::SeatReleased(e) => matches!(e.claim, Claim::Reservation(_)),
            _ => false,
        });
        ensure!(needs_end == end.is_some(), "I2: half of it happened: {:?}", self.names());
        Ok((seats, end))
    }
}
