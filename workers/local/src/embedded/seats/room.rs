//! One SeatingEvent in memory: its state, what of it waits for the log, and which hold ends next. No IO; everything
//! happens under the caller's lock.

use std::collections::{BTreeSet, VecDeque};

use boxoffice_command::store::{Cause, Idempotency, Inventory, OutboxEntry, Outcome};
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{EXPIRED_HOLD_MEMORY, HoldStatus, Seat};
use boxoffice_domain::{
    Answer, Command, CorrelationId, Decision, DomainEvent, Envelope, HoldId, Origin, Rejection, SeatId,
    SeatingEventId, SeatingEventState, UnixMillis, UserId, attribute, decide, evolve, find_hold,
};
use uuid::Uuid;

use super::answers::{Answers, Given, OtherRequest};
use crate::embedded::journal::{AnswerRow, EventRow, Ticket};

/// See the module.
#[derive(Debug)]
pub struct Room {
    pub(super) state: SeatingEventState,
    /// Pinned (I4).
    pub(super) partition: u32,
    /// What the log does not have yet, in order.
    pub(super) outbox: VecDeque<OutboxEntry>,
    /// Sequence up to which it has everything.
    pub(super) published: u64,
    /// The highest lease token that has spoken.
    pub(super) token: u64,
    /// The last write about it: what is read of it was committed once that is.
    pub(super) written: Ticket,
    /// What callers who repeat themselves are told.
    answers: Answers,
    /// When a hold is to be looked at: at its deadline, and when it is forgotten.
    deadlines: BTreeSet<(UnixMillis, Uuid)>,
    /// Its time never goes back, whatever the clock does (I6).
    now: UnixMillis,
}

/// Why a command was not carried out.
#[derive(Debug)]
pub enum Refusal {
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
pub struct Done {
    /// What the caller learns.
    pub outcome: Outcome,
    /// Its domain events, to be written before anybody is told (I2).
    pub events: Vec<EventRow>,
    /// Its answer, to be written with them.
    pub answer: Option<AnswerRow>,
}

impl Room {
    /// One of which nothing has happened yet.
    pub fn new(id: SeatingEventId, partition: u32) -> Self {
        Self {
            state: SeatingEventState::new(id),
            partition,
            outbox: VecDeque::new(),
            published: 0,
            token: 0,
            written: Ticket::default(),
            answers: Answers::default(),
            deadlines: BTreeSet::new(),
            now: 0,
        }
    }

    /// The time, by a clock that says `clock`.
    pub fn time(&mut self, clock: UnixMillis) -> UnixMillis {
        self.now = self.now.max(clock);
        self.now
    }

    /// Decides a command and applies it, unless it was answered already under the same idempotency key.
    pub fn execute(
        &mut self,
        command: &Command,
        cause: &Cause,
        clock: UnixMillis,
        high_watermark: u64,
    ) -> Result<Done, Refusal> {
        let at = self.time(clock);
        if let Some(asked) = &cause.idempotency
            && let Some(before) = self.answers.find(asked, at)
        {
            let outcome = before.map_err(|OtherRequest| Refusal::KeyReused)?;
            return Ok(Done { outcome, events: vec![], answer: None });
        }
        let Decision { answer, changes } = decide(&self.state, command, at).map_err(Refusal::Rejected)?;
        let depth = self.outbox.len() as u64;
        if matches!(command, Command::Hold { .. }) && !changes.is_empty() && depth >= high_watermark {
            return Err(Refusal::Full(depth));
        }
        let origin = Origin {
            command: cause.command,
            correlation: cause.correlation.clone(),
            user: cause.user.clone(),
        };
        let (correlation, changed) = (cause.correlation.clone(), !changes.is_empty());
        let outcome = Outcome { answer, at, correlation, changed, repeated: false };
        let envelopes = attribute(&self.state, changes, &origin, at);
        // Everything that can go wrong comes before the first change.
        let rows = envelopes.iter().map(|envelope| self.row(envelope, cause.traceparent.as_deref()));
        let events = rows.collect::<Result<_, _>>()?;
        let answer = cause.idempotency.as_ref().map(|asked| self.answer_row(asked, &outcome)).transpose()?;
        for envelope in envelopes {
            self.apply(OutboxEntry { envelope, traceparent: cause.traceparent.clone() });
        }
        if let Some(Idempotency { key, fingerprint }) = &cause.idempotency {
            self.answers.keep(key.digest(), fingerprint.clone(), outcome.clone());
        }
        Ok(Done { outcome, events, answer })
    }

    fn row(&self, envelope: &Envelope, traceparent: Option<&str>) -> Result<EventRow, Refusal> {
        let json = envelope.to_json().map_err(|error| Refusal::Unwritable(error.to_string()))?;
        let json = String::from_utf8(json)
            .unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned());
        let sequence = envelope.metadata.sequence.unwrap_or_default();
        Ok(EventRow(self.state.id.to_string(), sequence, json, traceparent.map(str::to_owned)))
    }

    fn answer_row(&self, asked: &Idempotency, outcome: &Outcome) -> Result<AnswerRow, Refusal> {
        let json = Given::of(outcome).json();
        let json = json.map_err(|error| Refusal::Unwritable(error.to_string()))?;
        let Idempotency { key, fingerprint } = asked;
        let (event, key) = (self.state.id.to_string(), key.digest().to_owned());
        Ok(AnswerRow(event, outcome.at, key, fingerprint.clone(), json))
    }

    /// Takes in an answer that was read back; they come in the order in which they were given.
    pub fn recall(&mut self, key: &str, fingerprint: String, outcome: Outcome) {
        self.now = self.now.max(outcome.at);
        self.answers.keep(key, fingerprint, outcome);
    }

    /// Forgets what nobody repeats any more: up to which time, if there was any such answer.
    pub fn forget_answers(&mut self, clock: UnixMillis) -> Option<UnixMillis> {
        let now = self.time(clock);
        self.answers.forget(now)
    }

    /// Takes in a domain event, new or read back.
    pub fn apply(&mut self, entry: OutboxEntry) {
        evolve(&mut self.state, &entry.envelope);
        self.now = self.now.max(entry.envelope.timestamp);
        match &entry.envelope.event {
            DomainEvent::SeatHeld(held) => {
                self.deadlines.insert((held.expires_at, held.hold_id.uuid()));
            }
            DomainEvent::HoldExtended(extended) => {
                self.deadlines.insert((extended.expires_at, extended.hold_id.uuid()));
            }
            _ => {}
        }
        if self.state.sequence > self.published {
            self.outbox.push_back(entry);
        }
    }

    /// The next hold whose deadline has passed, taken off the list. What has nothing left to end is passed over, and
    /// holds that expired an hour ago are forgotten.
    pub fn next_due(&mut self, clock: UnixMillis) -> Option<Uuid> {
        let now = self.time(clock);
        loop {
            let first = *self.deadlines.first().filter(|(deadline, _)| *deadline <= now)?;
            self.deadlines.remove(&first);
            let (_, id) = first;
            let Some(hold) = self.state.holds.get(&id) else { continue };
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

    /// A live hold of `user`'s.
    pub fn hold(&mut self, hold: &HoldId, user: &UserId, clock: UnixMillis) -> Result<Answer, Rejection> {
        let now = self.time(clock);
        find_hold(&self.state, hold.uuid(), user, now)
    }

    /// It as the operator sees it; `None` before its first event.
    pub fn inventory(&mut self, clock: UnixMillis) -> Option<Inventory> {
        let at = self.time(clock);
        let show = self.state.show.as_ref()?;
        let total = show.chart.seats().len() as u64;
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
            definition: show.definition.clone(),
            closed: show.closed,
            partition: self.partition,
            sequence: self.state.sequence,
            seats,
            at,
        })
    }

    /// The first seat of the chart that is available.
    pub fn free_seat(&self) -> Option<SeatId> {
        let taken = |key: &str| !matches!(self.state.seats.get(key), None | Some(Seat::Lapsed { .. }));
        let seats = self.state.show.as_ref()?.chart.seats();
        seats.iter().find(|seat| !taken(&seat.key)).map(|seat| SeatId::from_chart(&self.state.id, &seat.key))
    }

    /// Moves the published watermark to `upto`, unless a later lease has spoken already: then `false`.
    pub fn published(&mut self, token: u64, upto: u64) -> bool {
        if token < self.token {
            return false;
        }
        self.token = token;
        self.published = self.published.max(upto.min(self.state.sequence));
        let known =
            |entry: &OutboxEntry| entry.envelope.metadata.sequence.unwrap_or_default() <= self.published;
        while self.outbox.front().is_some_and(known) {
            self.outbox.pop_front();
        }
        true
    }
}

/// The cause of an expiry, which nobody asked for.
pub fn cause_of_nobody() -> Cause {
    let command = Uuid::new_v4();
    Cause {
        command,
        correlation: CorrelationId::from(command),
        user: None,
        traceparent: None,
        idempotency: None,
    }
}
