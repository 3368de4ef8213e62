//! I10: any sequence of commands does to a store exactly what [`boxoffice_domain::decide`] and `evolve` say: the same
//! answers and rejections, the same domain events, the same state.

use std::collections::BTreeMap;

use boxoffice_command::store::{
    Cause, Idempotency, Outbox, OutboxEntry, Outcome, Provisioning, SeatStore, StoreError,
};
use boxoffice_domain::events::Claim;
use boxoffice_domain::invariants::violations;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{EXPIRED_HOLD_MEMORY, FailedReservation, Hold, HoldStatus, Seat};
use boxoffice_domain::{
    Answer, Command, Definition, DomainEvent, Envelope, HoldId, Origin, Rejection, SeatingEventId,
    SeatingEventState, UnixMillis, attribute, decide, evolve, find_hold,
};
use uuid::Uuid;

use super::asked::{Asked, Names};
use super::expire_due;
use super::generate::{GeneratedStep, USERS};
use super::stage::{Fixture, START, must, valid};
use crate::servers::unique;

/// Every how many steps the whole state is compared.
const LOOK: usize = 5;
/// Events that wait before they are published; a step adds fewer than are missing to the high watermark.
const MOST_WAITING: usize = 12;

/// The specification, at work.
struct Model {
    state: SeatingEventState,
    now: UnixMillis,
    /// The definition whose seat map was refused and did not take effect since.
    wanted: Option<Box<Definition>>,
}

impl Model {
    /// Decides a command and applies its events. What is refused of a definition is kept in mind.
    fn run(&mut self, command: &Command, cause: &Cause) -> (Result<Outcome, Rejection>, Vec<Envelope>) {
        let decision = match decide(&self.state, command, self.now) {
            Ok(decision) => decision,
            Err(rejection) => return (Err(rejection), vec![]),
        };
        let origin = Origin {
            command: cause.command,
            correlation: cause.correlation.clone(),
            user: cause.user.clone(),
        };
        let (answer, correlation) = (decision.answer, cause.correlation.clone());
        let envelopes = attribute(&self.state, decision.changes, &origin, self.now);
        for envelope in &envelopes {
            evolve(&mut self.state, envelope);
        }
        match (command, &answer) {
            (Command::Provision { definition }, Answer::Provisioned { refused, .. }) => {
                self.wanted = (!refused.is_empty()).then(|| definition.clone());
            }
            (Command::Close | Command::Purge, _) => self.wanted = None,
            _ => {}
        }
        let changed = !envelopes.is_empty();
        (Ok(Outcome { answer, at: self.now, correlation, changed, repeated: false }), envelopes)
    }

    /// Whether a command is about a hold that expired so long ago that a store may still know its id, or not.
    fn may_be_forgotten(&self, command: &Command) -> bool {
        let Command::Hold { hold, .. } = command else { return false };
        self.state.holds.get(hold).is_some_and(|hold| is_forgotten(hold, self.now))
    }

    /// Whether nothing is in the way any more of what is wanted: then it is to be tried again.
    fn is_due(&self) -> Option<Command> {
        let command = Command::Provision { definition: self.wanted.clone()? };
        let changes =
            decide(&self.state, &command, self.now).is_ok_and(|decision| !decision.changes.is_empty());
        changes.then_some(command)
    }

    /// Tries what is wanted again where it is due, as the command that wrote `next`: what that does.
    fn try_again(&mut self, next: Option<&OutboxEntry>, context: &str) -> Vec<Envelope> {
        let Some(command) = self.is_due() else { return vec![] };
        let next =
            next.unwrap_or_else(|| panic!("{context}: the seat map that is wanted is not tried again"));
        let again = self.run(&command, &cause_of_nobody(next.envelope.metadata.causation_id)).1;
        assert_eq!(self.is_due(), None, "{context}: it was tried again");
        again
    }
}

/// The cause of what the store does by itself, in a chain of its own.
fn cause_of_nobody(command: Uuid) -> Cause {
    Cause { command, correlation: command.into(), user: None, traceparent: None, idempotency: None }
}

/// Runs `steps` on the store and on the specification side by side. Answers and domain events are compared after every
/// step, everything else every few steps and at the end.
pub async fn does_what_decide_says(on: &impl Fixture, steps: &[GeneratedStep]) {
    on.set_clock(START).await;
    let event = valid::<SeatingEventId>(&unique("sale"));
    let mut model = Model { state: SeatingEventState::new(event.clone()), now: START, wanted: None };
    let (mut names, mut waiting) = (Names::default(), vec![]);
    for (number, step) in steps.iter().enumerate() {
        let context = format!("step {number}, {step:?}");
        let mut cause = Cause {
            command: Uuid::new_v4(),
            correlation: valid(&format!("chain, of | step {number}")),
            user: Some(valid(USERS[step.user % USERS.len()])),
            traceparent: (number % 2 == 0).then(|| format!("00-{number:032x}-0000000000000001-01")),
            idempotency: None,
        };
        let (before, mut by_command) = (waiting.len(), 0);
        match names.asked(&step.wish, &cause, model.now) {
            Asked::Wait(by) => {
                model.now += by;
                on.set_clock(model.now).await;
            }
            Asked::WaitFor(hold, what) => {
                let moment = model.state.holds.get(&hold).map(|hold| what.of(hold.expires_at));
                model.now = model.now.max(moment.unwrap_or_default());
                on.set_clock(model.now).await;
            }
            Asked::WaitForgotten(reservation, early) => {
                let moment = model.state.failed.get(&reservation).map(|failed| failed.forgotten_at() - early);
                model.now = model.now.max(moment.unwrap_or_default());
                on.set_clock(model.now).await;
            }
            Asked::Sweep => {
                must(expire_due(&*on.store()).await);
                // The order in which a sweep ends holds is free: the specification follows the one that was taken.
                waiting.extend(follow(on, &mut model, before).await);
            }
            Asked::Restart => {
                on.restart().await;
                model.wanted = model.wanted.filter(|_| on.remembers_what_is_wanted());
            }
            Asked::Find(hold) => {
                let user = cause.user.as_ref().unwrap_or_else(|| panic!("somebody asks"));
                let found = must(on.store().hold(&HoldId::new(event.clone(), hold), user).await);
                assert_eq!(found, find_hold(&model.state, hold, user, model.now), "{context}");
            }
            Asked::Repeat(kept) => {
                let repeated = on.store().execute(&event, &kept.command, &kept.again()).await;
                let mut told = Outcome { repeated: true, ..kept.outcome };
                // What the records do not tell is as the definition that stands has it.
                model.state.sale.iter().for_each(|sale| sale.complete(&mut told.answer));
                assert_eq!(must(repeated), Ok(told), "{context}");
            }
            Asked::Misuse(kept) => {
                let refused = on.store().execute(&event, &kept.command, &kept.misused()).await;
                assert!(matches!(refused, Err(StoreError::KeyReused)), "{context}: {refused:?}");
            }
            Asked::Command(command) if model.may_be_forgotten(&command) => {}
            Asked::Command(command) => {
                cause.idempotency = step.keyed.then(|| key(number, &command, &cause)).flatten();
                let (expected, envelopes) = model.run(&command, &cause);
                let answered = execute(on, &model, &command, &cause, !envelopes.is_empty()).await;
                assert_eq!(answered, expected, "{context}");
                if let Ok(outcome) = &answered {
                    names.learn(&command, &cause, outcome);
                }
                if matches!(command, Command::Purge) && answered.is_ok() {
                    // What is created anew is of a later moment, by which its answers are told from those of before.
                    model.now += 1;
                    on.set_clock(model.now).await;
                }
                by_command = envelopes.len();
                waiting.extend(envelopes);
                let (_, entries) = must(on.store().unpublished(&event, 1000).await);
                waiting.extend(model.try_again(entries.get(waiting.len()), &context));
            }
        }
        let (_, entries) = must(on.store().unpublished(&event, 1000).await);
        let written: Vec<_> = entries.iter().map(|entry| entry.envelope.clone()).collect();
        assert_eq!(written, waiting, "{context}");
        for (place, entry) in entries.iter().enumerate().skip(before) {
            // What the store does by itself is part of no trace.
            let expected = cause.traceparent.as_ref().filter(|_| place < before + by_command);
            assert_eq!(entry.traceparent.as_ref(), expected, "{context}");
        }
        let is_last = number + 1 == steps.len();
        if is_last || waiting.len() >= MOST_WAITING {
            let last = model.state.sequence;
            assert_eq!(must(on.store().published(&event, last, last).await), 0, "{context}");
            waiting.clear();
        }
        if is_last || number % LOOK == LOOK - 1 {
            compare(on, &model, &context).await;
        }
    }
    // What is over makes no work for the sweeps of others.
    drop(must(on.store().execute(&event, &Command::Purge, &cause_of_nobody(Uuid::new_v4())).await));
}

/// The key of a command; only buyers and operators who act by hand have one.
fn key(number: usize, command: &Command, cause: &Cause) -> Option<Idempotency> {
    match command {
        Command::Provision { .. } | Command::Close | Command::Purge | Command::Expire { .. } => None,
        _ => Some(Idempotency::new(cause.user.as_ref()?, &format!("step {number}"), &format!("{command:?}"))),
    }
}

/// `model` has carried it out already.
async fn execute(
    on: &impl Fixture,
    model: &Model,
    command: &Command,
    cause: &Cause,
    changed: bool,
) -> Result<Outcome, Rejection> {
    let event = &model.state.id;
    if let Command::Provision { definition } = command {
        let Provisioning { inventory, refused } =
            must(on.store().provision(event, definition, 3, cause).await)?;
        let stands = model.state.sale.as_ref().map(|sale| (&sale.definition, sale.closed));
        assert_eq!(inventory.definition.as_ref().map(|definition| (definition, inventory.closed)), stands);
        let digest = stands.map(|(definition, _)| definition.digest());
        assert_eq!(Some(inventory.definition_hash), digest);
        let answer = Answer::Provisioned { refused, sequence: inventory.sequence };
        // An inventory does not say whether anything changed; the events do.
        let correlation = cause.correlation.clone();
        return Ok(Outcome { answer, at: inventory.at, correlation, changed, repeated: false });
    }
    must(on.store().execute(event, command, cause).await)
}

/// Has the specification expire the holds whose end waits in the outbox behind what waited `before`, and gives what it
/// says about them.
async fn follow(on: &impl Fixture, model: &mut Model, before: usize) -> Vec<Envelope> {
    let (_, mut entries) = must(on.store().unpublished(&model.state.id, 1000).await);
    entries.drain(..before);
    let mut expected = Vec::new();
    let mut causes: Vec<Uuid> = entries.iter().map(|entry| entry.envelope.metadata.causation_id).collect();
    causes.dedup();
    for command in causes {
        let first = entries.iter().find(|entry| entry.envelope.metadata.causation_id == command);
        let Some(first) = first.map(|entry| &entry.envelope) else { continue };
        if let (DomainEvent::EventUpdated(_), Some(again)) = (&first.event, model.is_due()) {
            expected.extend(model.run(&again, &cause_of_nobody(command)).1);
            continue;
        }
        let DomainEvent::SeatReleased(released) = &first.event else { panic!("a sweep wrote {first:?}") };
        let Claim::Hold(hold) = &released.claim else { panic!("a sweep wrote {first:?}") };
        let expire = Command::Expire { hold: hold.uuid() };
        expected.extend(model.run(&expire, &cause_of_nobody(command)).1);
    }
    assert_eq!(model.is_due(), None, "a sweep tries again what is wanted");
    let due = |hold: &&Hold| hold.status == HoldStatus::Active && model.now >= hold.expires_at;
    assert_eq!(model.state.holds.values().find(due), None, "a sweep leaves nothing that is due");
    expected
}

async fn compare(on: &impl Fixture, model: &Model, context: &str) {
    let (stored, expected) = (on.state(&model.state.id).await, &model.state);
    let sale =
        |state: &SeatingEventState| state.sale.as_ref().map(|sale| (sale.definition.clone(), sale.closed));
    assert_eq!(sale(&stored), sale(expected), "{context}: the definition");
    assert_eq!(stored.sequence, expected.sequence, "{context}: the sequence");
    assert_eq!(stored.seats, expected.seats, "{context}: the seats");
    assert_eq!(remembered(&stored, model.now), remembered(expected, model.now), "{context}: the holds");
    assert_eq!(stored.reservations, expected.reservations, "{context}: the reservations");
    let failed = [&stored, expected].map(|state| failed_of(state, model.now));
    assert_eq!(failed[0], failed[1], "{context}: the failed reservations");
    assert_eq!(stored.claims, expected.claims, "{context}: the claims");
    assert_eq!(violations(&stored), Vec::<String>::new(), "{context}");
    let inventory = must(on.store().inventory(&expected.id).await);
    assert_eq!(inventory.map(|inventory| inventory.seats), counts(expected), "{context}: the counts");
}

/// The holds but those that expired so long ago that they may be forgotten.
fn remembered(state: &SeatingEventState, now: UnixMillis) -> Vec<(Uuid, Hold)> {
    let holds = state.holds.iter().filter(|(_, hold)| !is_forgotten(hold, now));
    let mut holds: Vec<_> = holds.map(|(id, hold)| (*id, hold.clone())).collect();
    holds.sort_by_key(|(id, _)| *id);
    holds
}

/// The reservations whose payment failed, but those that may be forgotten.
fn failed_of(state: &SeatingEventState, now: UnixMillis) -> BTreeMap<Uuid, FailedReservation> {
    let failed = state.failed.iter().filter(|(_, failed)| now < failed.forgotten_at());
    failed.map(|(id, failed)| (*id, failed.clone())).collect()
}

fn is_forgotten(hold: &Hold, now: UnixMillis) -> bool {
    hold.status == HoldStatus::Expired && now >= hold.expires_at + EXPIRED_HOLD_MEMORY
}

fn counts(state: &SeatingEventState) -> Option<SeatCounts> {
    let total = state.sale.as_ref()?.chart().len() as u64;
    let mut counts = SeatCounts { total, available: total, ..SeatCounts::default() };
    for seat in state.seats.values() {
        let of_its_kind = match seat {
            Seat::Held { .. } => &mut counts.held,
            Seat::Reserved { .. } => &mut counts.reserved,
            Seat::Blocked { .. } => &mut counts.blocked,
            Seat::Lapsed { .. } => continue,
        };
        *of_its_kind += 1;
        counts.available -= 1;
    }
    Some(counts)
}
