//! One SeatingEvent in memory: its state, what of it waits for the log, which hold ends next, and what seat map is wanted
//! but refused. No IO; everything happens under the caller's lock.

use std::collections::{BTreeSet, HashSet, VecDeque};

use boxoffice_domain::command::Wants;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{EXPIRED_HOLD_MEMORY, HoldStatus, Seat};
use boxoffice_domain::subject::{OfReservation, OfSeat, OfSeatingEvent, Subject};
use boxoffice_domain::{
    Answer, ChartSeat, Command, CorrelationId, Decision, Definition, DomainEvent, Envelope, HoldId, Origin,
    Rejection, SeatId, SeatingEventId, SeatingEventState, UnixMillis, UserId, attribute, decide, evolve,
    find_hold,
};
use uuid::Uuid;

use super::answers::{Answers, Given, OtherRequest};
use super::journal::{Ticket, WrittenAnswer, WrittenEvent};
use crate::store::{Cause, Idempotency, Inventory, OutboxEntry, Outcome, answer_memory, over_at};

/// See the module.
#[derive(Debug)]
pub struct Aggregate {
    pub(super) state: SeatingEventState,
    /// Pinned (I4).
    pub(super) partition: u32,
    /// What the log does not have yet, in order.
    pub(super) outbox: VecDeque<OutboxEntry>,
    /// Sequence up to which it has everything.
    pub(super) published: u64,
    /// The last write about it: what is read of it was committed once that is.
    pub(super) written: Ticket,
    /// What callers who repeat themselves are told.
    answers: Answers,
    /// When it was purged last: what was answered until then is no answer to who asks for one that is created anew.
    purged_at: UnixMillis,
    /// The definition whose seat map is refused, until it takes effect.
    wanted: Option<Wanted>,
    /// When a hold is to be looked at, at its deadline and when it is forgotten, and when a reservation whose payment
    /// failed is forgotten.
    deadlines: BTreeSet<(UnixMillis, Uuid)>,
    /// Its time never goes back, whatever the clock does (I6).
    now: UnixMillis,
    /// When its last domain event happened.
    last_event_at: UnixMillis,
    /// With which sequence what it came to was told, as far as this process knows.
    archived: Option<u64>,
}

/// A definition whose seat map did not take effect.
#[derive(Debug)]
struct Wanted {
    definition: Box<Definition>,
    /// The seats in its way: it is tried again when one of them comes back.
    refused: HashSet<String>,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub(super) enum Refusal {
    /// A business refusal.
    Rejected(Rejection),
    /// This many events wait for the log: no new holds.
    Full(u64),
    /// The idempotency key was used for another request.
    KeyReused,
    /// What cannot be written, and why.
    Unwritable(String),
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Decided {
    /// What the caller learns.
    pub outcome: Outcome,
    /// Its domain events, to be written before anybody is told (I2).
    pub events: Vec<WrittenEvent>,
    /// Its answer, to be written with them.
    pub answer: Option<WrittenAnswer>,
}

impl Aggregate {
    /// One of which nothing has happened yet.
    pub fn new(id: SeatingEventId, partition: u32) -> Self {
        Self {
            state: SeatingEventState::new(id),
            partition,
            outbox: VecDeque::new(),
            published: 0,
            written: Ticket::default(),
            answers: Answers::default(),
            purged_at: 0,
            wanted: None,
            deadlines: BTreeSet::new(),
            now: 0,
            last_event_at: 0,
            archived: None,
        }
    }

    /// One that is read back: its domain events are to be [applied](Self::apply), those after `published` wait for the
    /// log.
    pub fn of_the_past(id: SeatingEventId, partition: u32, published: u64) -> Self {
        Self { published, ..Self::new(id, partition) }
    }

    /// Sequence of its last domain event.
    pub fn sequence(&self) -> u64 {
        self.state.sequence
    }

    /// The time, by a clock that says `clock`.
    pub(super) fn time(&mut self, clock: UnixMillis) -> UnixMillis {
        self.now = self.now.max(clock);
        self.now
    }

    /// Decides a command and applies it, unless it was answered already under the same idempotency key. A seat map that
    /// is wanted is tried again behind it, where a seat that was in the way came back.
    pub(super) fn execute(
        &mut self,
        command: &Command,
        cause: &Cause,
        clock: UnixMillis,
        high_watermark: u64,
    ) -> Result<Decided, Refusal> {
        let at = self.time(clock);
        if let Some(asked) = &cause.idempotency
            && let Some(before) = self.answers.find(asked, self.answers_since(at))
        {
            let mut outcome = before.map_err(|OtherRequest| Refusal::KeyReused)?;
            if let Some(sale) = &self.state.sale {
                sale.complete(&mut outcome.answer);
            }
            return Ok(Decided { outcome, events: vec![], answer: None });
        }
        let (mut done, came_back) = self.carry_out(command, cause, at, high_watermark)?;
        self.take_note(command, &done.outcome.answer);
        if came_back {
            done.events.extend(self.try_again(at)?);
        }
        Ok(done)
    }

    /// Decides a command and applies it; also, whether a seat came back that is in the way of what is wanted.
    fn carry_out(
        &mut self,
        command: &Command,
        cause: &Cause,
        at: UnixMillis,
        high_watermark: u64,
    ) -> Result<(Decided, bool), Refusal> {
        let decision = decide(&self.state, command, at).map_err(Refusal::Rejected)?;
        let depth = self.outbox.len() as u64;
        if decision.takes_seats() && depth >= high_watermark {
            return Err(Refusal::Full(depth));
        }
        let Decision { answer, changes, .. } = decision;
        let origin = Origin {
            command: cause.command,
            correlation: cause.correlation.clone(),
            user: cause.user.clone(),
        };
        let (correlation, changed) = (cause.correlation.clone(), !changes.is_empty());
        let outcome = Outcome { answer, at, correlation, changed, repeated: false };
        let envelopes = attribute(&self.state, changes, &origin, at);
        // Everything that can go wrong comes before the first change.
        let written = envelopes.iter().map(|envelope| written(envelope, cause.traceparent.as_deref()));
        let events = written.collect::<Result<_, _>>()?;
        let answer = cause.idempotency.as_ref().map(|asked| written_answer(asked, &outcome)).transpose()?;
        let came_back = envelopes.iter().any(|envelope| self.was_in_the_way(&envelope.event));
        for envelope in envelopes {
            self.apply(OutboxEntry { envelope, traceparent: cause.traceparent.clone(), after: None });
        }
        if let Some(Idempotency { key, fingerprint }) = &cause.idempotency {
            self.answers.keep(key.digest(), fingerprint.clone(), outcome.clone());
        }
        Ok((Decided { outcome, events, answer }, came_back))
    }

    /// Keeps in mind what is wanted from now on: a new definition takes the place of the one before, and where the sales
    /// are over nothing is wanted.
    fn take_note(&mut self, command: &Command, answer: &Answer) {
        match command.wants() {
            Wants::Definition(definition) => {
                let seats: HashSet<_> =
                    answer.refused().iter().map(|conflict| conflict.seat.clone()).collect();
                let wanted = |refused| Wanted { definition: Box::new(definition.clone()), refused };
                self.wanted = (!seats.is_empty()).then(|| wanted(seats));
            }
            Wants::Nothing => self.wanted = None,
            Wants::AsBefore => {}
        }
    }

    fn was_in_the_way(&self, event: &DomainEvent) -> bool {
        let Some(wanted) = &self.wanted else { return false };
        freed(event).is_some_and(|seat| wanted.refused.contains(seat.key()))
    }

    /// Provisions what is wanted again, as a command of nobody's: its events.
    fn try_again(&mut self, at: UnixMillis) -> Result<Vec<WrittenEvent>, Refusal> {
        let Some(wanted) = self.wanted.take() else { return Ok(vec![]) };
        let command = Command::Provision { definition: wanted.definition };
        match self.carry_out(&command, &cause_of_nobody(), at, u64::MAX) {
            Ok((done, _)) => {
                self.take_note(&command, &done.outcome.answer);
                Ok(done.events)
            }
            // It cannot be any more, and whoever wants it is told so when they ask again.
            Err(Refusal::Rejected(_)) => Ok(vec![]),
            Err(refusal) => Err(refusal),
        }
    }

    /// Until when answers are forgotten.
    fn answers_since(&self, now: UnixMillis) -> UnixMillis {
        let memory = self.state.sale.as_ref().map(|sale| answer_memory(&sale.definition));
        now.saturating_sub(memory.unwrap_or_default()).max(self.purged_at)
    }

    /// Takes in an answer that was read back; they come in the order in which they were given.
    pub fn recall(&mut self, key: &str, fingerprint: String, outcome: Outcome) {
        self.now = self.now.max(outcome.at);
        self.answers.keep(key, fingerprint, outcome);
    }

    /// Forgets what nobody repeats any more: up to which time, if there was any such answer.
    pub(super) fn forget_answers(&mut self, clock: UnixMillis) -> Option<UnixMillis> {
        let now = self.time(clock);
        self.answers.forget(self.answers_since(now))
    }

    /// Takes in a domain event, new or read back.
    pub fn apply(&mut self, entry: OutboxEntry) {
        evolve(&mut self.state, &entry.envelope);
        self.last_event_at = entry.envelope.timestamp;
        self.now = self.now.max(entry.envelope.timestamp);
        match entry.envelope.event.subject() {
            Subject::Seat(OfSeat::Held(held)) => {
                self.deadlines.insert((held.expires_at, held.hold_id.uuid()));
            }
            Subject::Hold(extended) => {
                self.deadlines.insert((extended.expires_at, extended.hold_id.uuid()));
            }
            Subject::Reservation(OfReservation::Cancelled(cancelled)) => {
                let id = cancelled.reservation_id.uuid();
                let forgotten_at = self.state.failed.get(&id).map(|failed| (failed.forgotten_at(), id));
                self.deadlines.extend(forgotten_at);
            }
            Subject::SeatingEvent(OfSeatingEvent::Purged(_)) => {
                self.deadlines.clear();
                // All that comes is of a later moment.
                self.purged_at = entry.envelope.timestamp;
                self.now = self.now.max(self.purged_at + 1);
            }
            Subject::Seat(
                OfSeat::Reserved(_) | OfSeat::Released(_) | OfSeat::Blocked(_) | OfSeat::Unblocked(_),
            )
            | Subject::Reservation(OfReservation::Created(_) | OfReservation::NotReinstated(_))
            | Subject::SeatingEvent(
                OfSeatingEvent::Created(_) | OfSeatingEvent::Updated(_) | OfSeatingEvent::Deleted(_),
            )
            | Subject::Statistics(_)
            | Subject::Payment(_) => {}
        }
        if self.state.sequence > self.published {
            self.outbox.push_back(entry);
        }
    }

    /// The next hold whose deadline has passed, taken off the list. What has nothing left to end is passed over, and
    /// holds that expired an hour ago are forgotten, as are reservations whose payment failed two days ago.
    pub(super) fn next_due(&mut self, clock: UnixMillis) -> Option<Uuid> {
        let now = self.time(clock);
        loop {
            let first = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
            self.deadlines.remove(&first);
            let (_, id) = first;
            let Some(hold) = self.state.holds.get(&id) else {
                self.state.failed.remove(&id);
                continue;
            };
            let forgotten_at = hold.expires_at + EXPIRED_HOLD_MEMORY;
            match hold.status {
                HoldStatus::Active if hold.expires_at <= now => {
                    self.deadlines.insert((forgotten_at, id));
                    return Some(id);
                }
                HoldStatus::Active => drop(self.deadlines.insert((hold.expires_at, id))),
                HoldStatus::Expired if forgotten_at <= now => drop(self.state.holds.remove(&id)),
                HoldStatus::Expired => drop(self.deadlines.insert((forgotten_at, id))),
                HoldStatus::Reserved(_) => {}
            }
        }
    }

    /// In how many milliseconds something is due next, if anything is.
    pub(super) fn due_in(&mut self, clock: UnixMillis) -> Option<u64> {
        let now = self.time(clock);
        self.deadlines.first().map(|(deadline, _)| deadline.saturating_sub(now))
    }

    /// A live hold of `user`'s.
    pub(super) fn hold(
        &mut self,
        hold: &HoldId,
        user: &UserId,
        clock: UnixMillis,
    ) -> Result<Answer, Rejection> {
        let now = self.time(clock);
        find_hold(&self.state, hold.uuid(), user, now)
    }

    /// It as the operator sees it; `None` before its first event, and when it is purged.
    pub(super) fn inventory(&mut self, clock: UnixMillis) -> Option<Inventory> {
        let at = self.time(clock);
        let sale = self.state.sale.as_ref()?;
        let total = sale.chart().len() as u64;
        let mut seats = SeatCounts { total, available: total, ..SeatCounts::default() };
        for seat in self.state.seats.values() {
            let of_its_kind = match seat {
                Seat::Held { .. } => &mut seats.held,
                Seat::Reserved { .. } => &mut seats.reserved,
                Seat::Blocked { .. } => &mut seats.blocked,
                Seat::Lapsed { .. } => continue,
            };
            *of_its_kind += 1;
            seats.available -= 1;
        }
        Some(Inventory {
            event: self.state.id.clone(),
            definition: Some(sale.definition.clone()),
            phase: sale.definition.phase(sale.closed, seats.available, at),
            chart_hash: sale.definition.chart_hash(),
            definition_hash: sale.definition.digest(),
            closed: sale.closed,
            partition: self.partition,
            sequence: self.state.sequence,
            last_event_at: Some(self.last_event_at),
            seats,
            at,
        })
    }

    /// The first seat of the chart that is available.
    pub(super) fn free_seat(&self) -> Option<SeatId> {
        let taken = |key: &str| !matches!(self.state.seats.get(key), None | Some(Seat::Lapsed { .. }));
        let mut keys = self.state.sale.as_ref()?.chart().seats().map(ChartSeat::key);
        keys.find(|key| !taken(key)).map(|key| SeatId::from_chart(&self.state.id, &key))
    }

    /// Whether it is over and nothing waits or is remembered, and what it came to was not told yet.
    pub(super) fn is_over(&mut self, clock: UnixMillis) -> bool {
        let now = self.time(clock);
        let Some(sale) = &self.state.sale else { return false };
        now >= over_at(&sale.definition)
            && self.outbox.is_empty()
            && self.wanted.is_none()
            && self.archived != Some(self.state.sequence)
            && self.state.failed.is_empty()
            && self.state.holds.values().all(|hold| matches!(hold.status, HoldStatus::Reserved(_)))
    }

    /// What it came to with this sequence is told: whether it is over with that one.
    pub(super) fn archive(&mut self, sequence: u64, clock: UnixMillis) -> bool {
        let is_done = sequence == self.state.sequence && self.is_over(clock);
        if is_done {
            self.archived = Some(sequence);
        }
        is_done
    }

    /// Moves the published watermark to `upto`.
    pub(super) fn published(&mut self, upto: u64) {
        self.published = self.published.max(upto.min(self.state.sequence));
        let known =
            |entry: &OutboxEntry| entry.envelope.metadata.sequence.unwrap_or_default() <= self.published;
        while self.outbox.front().is_some_and(known) {
            self.outbox.pop_front();
        }
    }
}

/// The seat that nobody claims any more, and that is not blocked any more, by `event`.
fn freed(event: &DomainEvent) -> Option<&SeatId> {
    match event.subject() {
        Subject::Seat(OfSeat::Released(released)) => Some(&released.seat_id),
        Subject::Seat(OfSeat::Unblocked(block)) => Some(&block.seat_id),
        Subject::Seat(OfSeat::Held(_) | OfSeat::Reserved(_) | OfSeat::Blocked(_))
        | Subject::Hold(_)
        | Subject::Reservation(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => None,
    }
}

fn written(envelope: &Envelope, traceparent: Option<&str>) -> Result<WrittenEvent, Refusal> {
    let json = envelope.to_json().map_err(|error| Refusal::Unwritable(error.to_string()))?;
    let json = String::from_utf8(json)
        .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
    let sequence = envelope.metadata.sequence.unwrap_or_default();
    Ok(WrittenEvent { sequence, json, traceparent: traceparent.map(str::to_owned) })
}

fn written_answer(asked: &Idempotency, outcome: &Outcome) -> Result<WrittenAnswer, Refusal> {
    let json = Given::of(outcome).json();
    let json = json.map_err(|error| Refusal::Unwritable(error.to_string()))?;
    let Idempotency { key, fingerprint } = asked;
    let (key, fingerprint) = (key.digest().to_owned(), fingerprint.clone());
    Ok(WrittenAnswer { at: outcome.at, key, fingerprint, json })
}

/// The cause of what nobody asked for.
pub(super) fn cause_of_nobody() -> Cause {
    let command = Uuid::new_v4();
    Cause {
        command,
        correlation: CorrelationId::from(command),
        user: None,
        traceparent: None,
        idempotency: None,
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::state::FAILED_PAYMENT_MEMORY;

    use super::*;
    use crate::testing::{arena, definition};

    fn run(aggregate: &mut Aggregate, command: &Command, clock: UnixMillis) {
        aggregate.execute(command, &cause_of_nobody(), clock, 100).unwrap();
    }

    #[test]
    fn a_reservation_whose_payment_failed_is_not_kept_for_ever() {
        let mut aggregate = Aggregate::new(arena(), 3);
        let (user, ids): (UserId, _) = ("alice".parse().unwrap(), [1, 2].map(Uuid::from_u128));
        let wanted = vec!["A-1-1".to_owned()].into();
        for command in [
            Command::Provision { definition: Box::new(definition()) },
            Command::Hold { wanted, user: user.clone(), hold: ids[0] },
            Command::ReserveHold { hold: ids[0], user, reservation: ids[1] },
            Command::FailPayment { reservation: ids[1] },
        ] {
            run(&mut aggregate, &command, 1000);
        }
        assert_eq!(aggregate.next_due(1000 + FAILED_PAYMENT_MEMORY - 1), None);
        assert!(aggregate.state.failed.contains_key(&ids[1]));
        assert_eq!(aggregate.next_due(1000 + FAILED_PAYMENT_MEMORY), None, "no hold ends by it");
        assert!(aggregate.state.failed.is_empty() && aggregate.deadlines.is_empty());
    }
}
