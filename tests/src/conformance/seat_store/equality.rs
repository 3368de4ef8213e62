//! I10: any sequence of commands does to a store exactly what [`boxoffice_domain::decide`] and `evolve` say: the same
//! answers and rejections, the same domain events, the same state.

use boxoffice_command::store::{Cause, Outbox, Outcome, SeatStore};
use boxoffice_domain::events::Claim;
use boxoffice_domain::invariants::violations;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::{EXPIRED_HOLD_MEMORY, Hold, HoldStatus, Seat};
use boxoffice_domain::{
    Answer, Command, DomainEvent, Envelope, HoldId, Origin, Rejection, SeatingEventId, SeatingEventState,
    UnixMillis, attribute, decide, evolve, find_hold,
};
use proptest::test_runner::{Config, TestCaseError, TestRunner};
use uuid::Uuid;

use super::generate::{Moment, Step, USERS, Wish, definitions, steps};
use super::lease_of;
use super::stage::{Fixture, START, must, valid};
use crate::servers::unique;

/// The specification, at work.
struct Model {
    state: SeatingEventState,
    now: UnixMillis,
}

impl Model {
    /// Decides a command and applies its events.
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
        let envelopes = attribute(&self.state, decision.changes, &origin, self.now);
        for envelope in &envelopes {
            evolve(&mut self.state, envelope);
        }
        (Ok(Outcome { answer: decision.answer, at: self.now }), envelopes)
    }
}

/// Runs `cases` generated sequences of commands on the store and on the specification side by side.
pub fn generated_commands_do_what_decide_says<F: Fixture>(fresh: impl Future<Output = F>, cases: u32) {
    let runtime = must(tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build());
    let fixture = runtime.block_on(fresh);
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    let tested = runner.run(&steps(60), |steps| {
        let run = async || does_what_decide_says(&fixture, &steps).await;
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(run())))
            .map_err(|panic| TestCaseError::fail(message(&*panic)))
    });
    if let Err(error) = tested {
        panic!("{error}");
    }
}

fn message(panic: &(dyn std::any::Any + Send)) -> String {
    panic.downcast_ref::<String>().cloned().unwrap_or_else(|| "a panic without words".into())
}

/// Runs `steps` on the store and on the specification side by side.
async fn does_what_decide_says(on: &impl Fixture, steps: &[Step]) {
    on.set_clock(START).await;
    let event = valid::<SeatingEventId>(&unique("sale"));
    let lease = lease_of(&*on.store(), &event).await;
    let mut model = Model { state: SeatingEventState::new(event.clone()), now: START };
    let mut names = Names::default();
    for (number, step) in steps.iter().enumerate() {
        let context = format!("step {number}, {step:?}");
        let user = valid(USERS[step.user % USERS.len()]);
        let cause = Cause {
            command: Uuid::new_v4(),
            correlation: valid(&format!("chain, of | step {number}")),
            user: Some(user),
            traceparent: (number % 2 == 0).then(|| format!("00-{number:032x}-0000000000000001-01")),
        };
        let expected = match names.asked(&step.wish, &cause) {
            Asked::Wait(by) => {
                model.now += by;
                on.set_clock(model.now).await;
                vec![]
            }
            Asked::WaitFor(hold, what) => {
                let moment = model.state.holds.get(&hold).map(|hold| what.of(hold.expires_at));
                model.now = model.now.max(moment.unwrap_or_default());
                on.set_clock(model.now).await;
                vec![]
            }
            Asked::Sweep => {
                must(on.store().expire_due().await);
                // The order in which a sweep ends holds is free: the specification follows the one that was taken.
                follow(on, &mut model).await
            }
            Asked::Restart => {
                on.restart().await;
                vec![]
            }
            Asked::Find(hold) => {
                let user = cause.user.as_ref().unwrap_or_else(|| panic!("somebody asks"));
                let found = must(on.store().hold(&HoldId::new(event.clone(), hold), user).await);
                assert_eq!(found, find_hold(&model.state, hold, user, model.now), "{context}");
                vec![]
            }
            Asked::Command(command) => {
                let (expected, envelopes) = model.run(&command, &cause);
                let answered = execute(on, &event, &command, &cause).await;
                assert_eq!(answered, expected.map(|outcome| outcome.answer), "{context}");
                names.learn(&answered);
                envelopes
            }
        };
        let (_, entries) = must(on.store().unpublished(&event, 1000).await);
        let written: Vec<_> = entries.iter().map(|entry| entry.envelope.clone()).collect();
        assert_eq!(written, expected, "{context}");
        if !matches!(step.wish, Wish::Sweep) {
            assert!(entries.iter().all(|entry| entry.traceparent == cause.traceparent), "{context}");
        }
        if let Some(last) = written.last().and_then(|envelope| envelope.metadata.sequence) {
            assert_eq!(must(on.store().published(&event, &lease, last).await), Some(0), "{context}");
        }
        compare(on, &model, &context).await;
    }
}

async fn execute(
    on: &impl Fixture,
    event: &SeatingEventId,
    command: &Command,
    cause: &Cause,
) -> Result<Answer, Rejection> {
    if let Command::Provision { definition } = command {
        let inventory = must(on.store().provision(event, definition, 3, cause).await)?;
        assert_eq!((&inventory.definition, inventory.closed), (&**definition, false));
        return Ok(Answer::Provisioned { sequence: inventory.sequence });
    }
    must(on.store().execute(event, command, cause).await).map(|outcome| outcome.answer)
}

/// Has the specification expire the holds whose end waits in the outbox, and gives what it says about them.
async fn follow(on: &impl Fixture, model: &mut Model) -> Vec<Envelope> {
    let (_, entries) = must(on.store().unpublished(&model.state.id, 1000).await);
    let mut expected = Vec::new();
    let mut causes: Vec<Uuid> = entries.iter().map(|entry| entry.envelope.metadata.causation_id).collect();
    causes.dedup();
    for command in causes {
        let first = entries.iter().find(|entry| entry.envelope.metadata.causation_id == command);
        let Some(first) = first.map(|entry| &entry.envelope) else { continue };
        let DomainEvent::SeatReleased(released) = &first.event else { panic!("a sweep wrote {first:?}") };
        let Claim::Hold(hold) = &released.claim else { panic!("a sweep wrote {first:?}") };
        let cause = Cause { command, correlation: command.into(), user: None, traceparent: None };
        expected.extend(model.run(&Command::Expire { hold: hold.uuid() }, &cause).1);
    }
    let due = |hold: &&Hold| hold.status == HoldStatus::Active && model.now >= hold.expires_at;
    assert_eq!(model.state.holds.values().find(due), None, "a sweep leaves nothing that is due");
    expected
}

async fn compare(on: &impl Fixture, model: &Model, context: &str) {
    let (stored, expected) = (on.state(&model.state.id).await, &model.state);
    let show =
        |state: &SeatingEventState| state.show.as_ref().map(|show| (show.definition.clone(), show.closed));
    assert_eq!(show(&stored), show(expected), "{context}: the definition");
    assert_eq!(stored.sequence, expected.sequence, "{context}: the sequence");
    assert_eq!(stored.seats, expected.seats, "{context}: the seats");
    assert_eq!(remembered(&stored, model.now), remembered(expected, model.now), "{context}: the holds");
    assert_eq!(stored.reservations, expected.reservations, "{context}: the reservations");
    assert_eq!(stored.claims, expected.claims, "{context}: the claims");
    assert_eq!(violations(&stored), Vec::<String>::new(), "{context}");
    let inventory = must(on.store().inventory(&expected.id).await);
    assert_eq!(inventory.map(|inventory| inventory.seats), counts(expected), "{context}: the counts");
}

/// The holds but those that expired so long ago that they may be forgotten.
fn remembered(state: &SeatingEventState, now: UnixMillis) -> Vec<(Uuid, Hold)> {
    let forgotten =
        |hold: &Hold| hold.status == HoldStatus::Expired && now >= hold.expires_at + EXPIRED_HOLD_MEMORY;
    let holds = state.holds.iter().filter(|(_, hold)| !forgotten(hold));
    let mut holds: Vec<_> = holds.map(|(id, hold)| (*id, hold.clone())).collect();
    holds.sort_by_key(|(id, _)| *id);
    holds
}

fn counts(state: &SeatingEventState) -> Option<SeatCounts> {
    let total = state.show.as_ref()?.chart.seats().len() as u64;
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

/// What a wish asks of the store.
enum Asked {
    Command(Command),
    Find(Uuid),
    Sweep,
    Restart,
    Wait(UnixMillis),
    WaitFor(Uuid, Moment),
}

/// The holds and reservations that earlier steps made, for later ones to refer to.
#[derive(Default)]
struct Names {
    holds: Vec<Uuid>,
    reservations: Vec<Uuid>,
}

impl Names {
    fn asked(&self, wish: &Wish, cause: &Cause) -> Asked {
        let user = cause.user.clone().unwrap_or_else(|| panic!("somebody asks"));
        let (hold_at, sold_at) = (|which| pick(&self.holds, which), |which| pick(&self.reservations, which));
        let new = Uuid::new_v4();
        Asked::Command(match wish.clone() {
            Wish::Wait(by) => return Asked::Wait(by),
            Wish::WaitFor { hold, what } => return Asked::WaitFor(hold_at(hold), what),
            Wish::Sweep => return Asked::Sweep,
            Wish::Restart => return Asked::Restart,
            Wish::Find(hold) => return Asked::Find(hold_at(hold)),
            Wish::Hold(seats) => Command::Hold { seats, user, hold: new },
            Wish::ReserveSeat(seat) => Command::ReserveSeat { seat, user, reservation: new },
            Wish::ReserveHold(hold) => Command::ReserveHold { hold: hold_at(hold), user, reservation: new },
            Wish::ReleaseSeat(seat) => Command::ReleaseSeat { seat, user },
            Wish::ReleaseHold(hold) => Command::ReleaseHold { hold: hold_at(hold), user },
            Wish::Cancel(reservation) => {
                Command::CancelReservation { reservation: sold_at(reservation), user }
            }
            Wish::Expire(hold) => Command::Expire { hold: hold_at(hold) },
            Wish::Provision(which) => {
                Command::Provision { definition: Box::new(definitions().swap_remove(which)) }
            }
            Wish::Close => Command::Close,
        })
    }

    fn learn(&mut self, answered: &Result<Answer, Rejection>) {
        match answered {
            Ok(Answer::Held { hold, .. }) if !self.holds.contains(hold) => self.holds.push(*hold),
            Ok(Answer::Reserved { reservation, .. }) if !self.reservations.contains(reservation) => {
                self.reservations.push(*reservation);
            }
            _ => {}
        }
    }
}

/// One of the latest names; one that nobody has where there is none yet.
fn pick(names: &[Uuid], which: usize) -> Uuid {
    names.iter().rev().nth(which).copied().unwrap_or_else(Uuid::nil)
}
