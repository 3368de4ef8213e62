//! What each request did: the domain events of its chain, all that it asked for or nothing (I2), and as it was told (I7).
//! The end of a hold that lapsed belongs to the hold's chain, and that of a reservation that was not paid for to the
//! reservation's, but no client asked for either; nor for what operators do.

use std::collections::{BTreeMap, HashMap, HashSet};

use anyhow::{Context, bail, ensure};
use boxoffice_domain::events::{Claim, DomainEvent, ReleaseReason, Reservation};
use boxoffice_domain::{Envelope, HoldId, ReservationId, SeatId, SeatingEventState, UnixMillis, UserId};

use super::name;
use super::request::{Answer, Request, Wish};

/// Requests, each with what it did so far.
pub struct Chains<'a> {
    requests: Vec<Chain<'a>>,
    by_correlation: HashMap<&'a str, usize>,
    /// Requests about one chain: there must be none.
    repeated: Vec<String>,
    /// Reservations of which others than their owners took seats; that they were cancelled is still to be said.
    taken_away: HashSet<ReservationId>,
}

struct Chain<'a> {
    request: &'a Request,
    made: Vec<Envelope>,
    /// Seats that its hold or reservation still had after the last of `made`.
    left: Vec<String>,
}

impl<'a> Chains<'a> {
    /// Requests before anything happened.
    pub fn of(requests: &'a [Request]) -> Self {
        let (mut by_correlation, mut repeated) = (HashMap::new(), vec![]);
        for (place, request) in requests.iter().enumerate() {
            if by_correlation.insert(request.correlation.as_str(), place).is_some() {
                repeated.push(format!("two requests are one chain: {}", request.correlation));
            }
        }
        let requests = requests.iter().map(|request| Chain { request, made: vec![], left: vec![] }).collect();
        Self { requests, by_correlation, repeated, taken_away: HashSet::new() }
    }

    /// Takes a domain event, after which the state is `state`.
    pub fn take(&mut self, fact: &Envelope, state: &SeatingEventState) -> anyhow::Result<()> {
        if self.is_asked_by_no_client(&fact.event) {
            return Ok(());
        }
        let correlation = fact.metadata.correlation_id.as_str();
        let place = self.by_correlation.get(correlation).context("nobody asked for it")?;
        let chain = self.requests.get_mut(*place).context("nobody asked for it")?;
        ensure!(
            fact.metadata.user_id.as_ref() == Some(&chain.request.user),
            "{} asked for it, not {:?}",
            chain.request.user,
            fact.metadata.user_id
        );
        chain.made.push(fact.clone());
        chain.left = match &chain.request.wish {
            Wish::ReserveHold(hold) | Wish::ReleaseHold(hold) => {
                state.holds.get(&hold.uuid()).map(|hold| hold.seats.clone()).unwrap_or_default()
            }
            Wish::Cancel(id) => {
                state.reservations.get(&id.uuid()).map(|it| it.seats.clone()).unwrap_or_default()
            }
            Wish::Hold(_) | Wish::ExtendHold(_) | Wish::ReserveSeat(_) | Wish::ReleaseSeat(_) => vec![],
        };
        Ok(())
    }

    fn is_asked_by_no_client(&mut self, event: &DomainEvent) -> bool {
        match event {
            DomainEvent::EventCreated(_)
            | DomainEvent::EventUpdated(_)
            | DomainEvent::EventDeleted(_)
            | DomainEvent::SeatBlocked(_)
            | DomainEvent::SeatUnblocked(_) => true,
            DomainEvent::SeatReleased(e) => match e.reason {
                ReleaseReason::Expired => true,
                ReleaseReason::Admin | ReleaseReason::PaymentFailed => {
                    if let Claim::Reservation(id) = &e.claim {
                        self.taken_away.insert(id.clone());
                    }
                    true
                }
                ReleaseReason::User | ReleaseReason::Cancelled => false,
            },
            DomainEvent::ReservationCancelled(e) => self.taken_away.remove(&e.reservation_id),
            _ => false,
        }
    }

    /// What is wrong with what each request did, after all of `facts`.
    pub fn close(self, facts: &[Envelope]) -> Vec<String> {
        let facts: BTreeMap<_, _> =
            facts.iter().map(|fact| (fact.metadata.sequence.unwrap_or_default(), fact)).collect();
        let found = self.requests.iter().filter_map(|chain| {
            let error = chain.examine(&facts).err()?;
            let Request { user, wish, answer, .. } = chain.request;
            Some(format!("{user} asked for {wish:?} and was told {answer:?}: {error:#}"))
        });
        self.repeated.iter().cloned().chain(found).collect()
    }
}

impl Chain<'_> {
    fn examine(&self, facts: &BTreeMap<u64, &Envelope>) -> anyhow::Result<()> {
        match (&self.request.answer, self.made.is_empty()) {
            (Answer::Refused { .. } | Answer::Unknown, true) => Ok(()),
            (Answer::Refused { .. }, false) => bail!("I2: it had an effect: {:?}", self.names()),
            (Answer::Unknown, false) => self.whole(),
            (_, false) => self.whole().and_then(|()| self.as_told()),
            (_, true) => self.repeats(facts),
        }
    }

    fn names(&self) -> Vec<String> {
        self.made.iter().map(name).collect()
    }

    /// All that was asked for happened, in one step.
    fn whole(&self) -> anyhow::Result<()> {
        let sequences: Vec<_> = self.made.iter().filter_map(|fact| fact.metadata.sequence).collect();
        let in_one_step = sequences.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
        ensure!(in_one_step, "I2: other things happened in between: {:?}", self.names());
        let (seats, end) = self.effect()?;
        let expected = match &self.request.wish {
            Wish::Hold(seats) => Some(seats.clone()),
            Wish::ReserveSeat(seat) | Wish::ReleaseSeat(seat) => Some(vec![seat.clone()]),
            Wish::ExtendHold(_) | Wish::ReserveHold(_) | Wish::ReleaseHold(_) | Wish::Cancel(_) => None,
        };
        if let Some(expected) = expected {
            ensure!(seats == expected, "I2: it is about {seats:?}: {:?}", self.names());
        }
        ensure!(self.left.is_empty(), "I2: it left {:?} out: {:?}", self.left, self.names());
        if let Some(end) = end {
            ensure!(end.seat_ids == seats, "I2: the last one is about {:?}, not {seats:?}", end.seat_ids);
        }
        Ok(())
    }

    /// The seats of its events, all of the kind that was asked for, and the event about all of them at the end.
    fn effect(&self) -> anyhow::Result<(Vec<SeatId>, Option<&Reservation>)> {
        let (mut seats, mut end) = (vec![], None);
        for fact in &self.made {
            ensure!(end.is_none(), "I2: something comes after the end: {:?}", self.names());
            let seat = match (&self.request.wish, &fact.event) {
                (Wish::ExtendHold(hold), DomainEvent::HoldExtended(e)) if e.hold_id == *hold => {
                    ensure!(self.made.len() == 1, "I2: it was extended more than once: {:?}", self.names());
                    return Ok((e.seat_ids.clone(), None));
                }
                (Wish::Hold(_), DomainEvent::SeatHeld(e)) => &e.seat_id,
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

    /// The answer says what happened.
    fn as_told(&self) -> anyhow::Result<()> {
        let last = self.made.last().context("nothing happened")?;
        let (told_seats, told_sequence) = match &self.request.answer {
            Answer::Held { hold, seats, expires_at, sequence } => {
                let Some(made) = as_held(&last.event) else { bail!("no seat was held: {}", name(last)) };
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

    /// The answer repeats an earlier one: what it says had happened already.
    fn repeats(&self, facts: &BTreeMap<u64, &Envelope>) -> anyhow::Result<()> {
        let user = &self.request.user;
        let at = |sequence: &u64| facts.get(sequence).map(|fact| &fact.event);
        match &self.request.answer {
            Answer::Held { hold, seats, expires_at, sequence } => {
                let Some(last) = at(sequence) else { bail!("I7: no such seat.held") };
                let is_it = as_held(last).is_some_and(|(id, _)| id == hold) && holder(last) == Some(user);
                ensure!(is_it, "I7: that was another hold: {last:?}");
                let ends = facts.values().filter_map(|fact| as_held(&fact.event));
                let ended_then = ends.into_iter().any(|end| end == (hold, expires_at));
                ensure!(ended_then, "I6: that hold never expired at {expires_at}");
                let held = facts.values().filter_map(|fact| match &fact.event {
                    DomainEvent::SeatHeld(e) if e.hold_id == *hold => Some(&e.seat_id),
                    _ => None,
                });
                let held: Vec<_> = held.collect();
                ensure!(seats.iter().all(|seat| held.contains(&seat)), "I7: that hold was of {held:?}");
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

/// A hold and its deadline, as of a domain event that says both.
fn as_held(event: &DomainEvent) -> Option<(&HoldId, &UnixMillis)> {
    match event {
        DomainEvent::SeatHeld(e) => Some((&e.hold_id, &e.expires_at)),
        DomainEvent::HoldExtended(e) => Some((&e.hold_id, &e.expires_at)),
        _ => None,
    }
}

/// Whose hold that is.
fn holder(event: &DomainEvent) -> Option<&UserId> {
    match event {
        DomainEvent::SeatHeld(e) => Some(&e.user_id),
        DomainEvent::HoldExtended(e) => Some(&e.user_id),
        _ => None,
    }
}
