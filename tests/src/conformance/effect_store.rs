//! What every store of effects does. An implementation brings a [`Fixture`] and names it in
//! [`effect_store_conformance!`](crate::effect_store_conformance), which makes one test of each behaviour.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a suite panics where a test would")]

use async_trait::async_trait;
use boxoffice_consumer::effects::{
    Change, Due, EffectStore, Held, LEASE, Lane, Lease, Moment, Settled, Verdict, Work,
};
use boxoffice_domain::Envelope;
use boxoffice_domain::events::{Incoming, parse};

use crate::history::History;

/// A store of its own for one test.
#[async_trait]
pub trait Fixture: Sized + Send + Sync {
    /// What it is.
    type Store: EffectStore;
    /// One with nothing in it.
    async fn fresh() -> Self;
    /// The store.
    fn store(&self) -> &Self::Store;
    /// Hangs events below their lanes, as the webhook handler does it.
    async fn put(&self, events: &[Envelope]);
    /// So many milliseconds pass.
    fn pass(&self, millis: u64);
    /// What was announced, as JSON.
    async fn announced(&self) -> Vec<String>;
    /// What was set aside: lanes with the reason.
    async fn parked(&self) -> Vec<(Lane, String)>;
    /// The same after the process has ended and begun anew.
    async fn restarted(self) -> Self;
}

/// Work that does what a test says.
struct Told;

/// What a test says came of a job.
enum Outcome {
    /// All that was taken was done, up to this number.
    Done(u64),
    /// Nothing; again after so many milliseconds.
    Again(u64),
    /// Nothing, and never again.
    Aside,
    /// All was done, and this is announced.
    Announces(u64, Box<Envelope>),
}

#[async_trait]
impl Work for Told {
    type Job = Held;
    type Outcome = Outcome;

    fn begin(&self, held: &Held, at: Moment) -> (Change, Option<Held>) {
        let state = Some(format!("{{\"begun\": {}}}", at.now));
        let change = Change { state, attempts: held.attempts, ..Change::default() };
        let is_there = !held.effects.is_empty();
        (change, is_there.then(|| held.clone()))
    }

    async fn carry_out(&self, _: Held) -> Outcome {
        Outcome::Aside
    }

    fn end(&self, held: &Held, outcome: &Outcome, at: Moment) -> Change {
        let change = Change { state: held.state.clone(), attempts: held.attempts, ..Change::default() };
        match outcome {
            Outcome::Done(upto) => Change { state: None, done: Some(*upto), ..change },
            Outcome::Again(after) => {
                Change { due: Due::At(at.now + after), attempts: held.attempts + 1, ..change }
            }
            Outcome::Aside => Change { due: Due::Never, parked: Some("it is torn".into()), ..change },
            Outcome::Announces(upto, envelope) => {
                Change { done: Some(*upto), announce: vec![(**envelope).clone()], ..change }
            }
        }
    }

    fn verdict(&self, _: &Outcome) -> Verdict {
        Verdict::There
    }

    fn side_by_side(&self) -> usize {
        1
    }
}

/// A store, and what happens to a SeatingEvent.
struct Stage<F> {
    fixture: F,
    history: History,
}

impl<F: Fixture> Stage<F> {
    async fn new() -> Self {
        Self { fixture: F::fresh().await, history: History::new("arena-night") }
    }

    /// The `number`-th seat is held: an event of its lane.
    async fn held(&mut self, number: u32) -> Envelope {
        let event = self.history.next(self.history.held(number));
        self.fixture.put(std::slice::from_ref(&event)).await;
        event
    }

    async fn take(&self) -> Vec<(Lease, Held)> {
        self.fixture.store().take(&Told, 10).await.unwrap().jobs
    }

    async fn settle(&self, lease: &Lease, outcome: Outcome) -> Settled {
        self.fixture.store().settle(&Told, &[(lease.clone(), outcome)]).await.unwrap()
    }

    /// What is due, seat by seat, as ids of events.
    async fn due(&self) -> Vec<Vec<String>> {
        self.take().await.iter().map(|(_, held)| ids(held)).collect()
    }
}

fn ids(held: &Held) -> Vec<String> {
    let id = |json: &str| match parse(json.as_bytes()) {
        Ok(Incoming::Known(envelope)) => envelope.event_id.to_string(),
        other => panic!("not an event: {other:?}"),
    };
    held.effects.iter().map(|effect| id(&effect.envelope)).collect()
}

fn last(held: &Held) -> u64 {
    held.effects.last().unwrap().number
}

fn id(event: &Envelope) -> String {
    event.event_id.to_string()
}

/// A lane is taken with its effects in order, by one, and others beside it.
pub async fn takes_each_lane_once_with_its_effects_in_order<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let events = [stage.held(1).await, stage.held(2).await, stage.held(1).await];
    let mut taken = stage.due().await;
    taken.sort_by_key(Vec::len);
    assert_eq!(taken, [vec![id(&events[1])], vec![id(&events[0]), id(&events[2])]]);
    assert_eq!(stage.due().await, Vec::<Vec<String>>::new(), "all of it is taken");
}

/// No more lanes are taken than were asked for.
pub async fn takes_no_more_than_asked_for<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    for seat in 1..=3 {
        stage.held(seat).await;
    }
    let taken = stage.fixture.store().take(&Told, 2).await.unwrap();
    assert_eq!((taken.looked_at, taken.jobs.len()), (2, 2));
    assert_eq!(stage.take().await.len(), 1);
}

/// What is left of a lane is due at once; an empty one is forgotten and begins anew.
pub async fn goes_on_with_what_is_left<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let events = [stage.held(1).await, stage.held(1).await];
    let (lease, held) = stage.take().await.remove(0);
    stage.settle(&lease, Outcome::Done(held.effects[0].number)).await;
    let (lease, held) = stage.take().await.remove(0);
    assert_eq!(ids(&held), [id(&events[1])]);
    stage.settle(&lease, Outcome::Done(last(&held))).await;
    assert_eq!(stage.take().await, []);
    let next = stage.held(1).await;
    assert_eq!(stage.due().await, [[id(&next)]]);
}

/// What comes to a lane that is taken waits until it is settled.
pub async fn lets_what_comes_meanwhile_wait<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    stage.held(1).await;
    let (lease, held) = stage.take().await.remove(0);
    let later = stage.held(1).await;
    assert_eq!(stage.take().await, []);
    stage.settle(&lease, Outcome::Done(last(&held))).await;
    assert_eq!(stage.due().await, [[id(&later)]]);
}

/// A lane whose lease ended is another's, and what the first one came to counts for nothing.
pub async fn gives_a_lane_to_another_when_its_lease_ends<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let event = stage.held(1).await;
    let (first, held) = stage.take().await.remove(0);
    stage.fixture.pass(LEASE - 2000);
    assert_eq!(stage.take().await, []);
    stage.fixture.pass(2001);
    let (second, again) = stage.take().await.remove(0);
    assert_eq!(ids(&again), [id(&event)]);
    let late = Outcome::Announces(last(&held), Box::new(event));
    assert_eq!(stage.settle(&first, late).await, Settled { lost: 1, ..Settled::default() });
    assert_eq!(stage.fixture.announced().await, Vec::<String>::new());
    assert_eq!(stage.settle(&second, Outcome::Done(last(&again))).await.lost, 0);
    stage.fixture.pass(LEASE + 1);
    assert_eq!(stage.take().await, []);
}

/// What came to nothing is due when it was said, with what is kept of it.
pub async fn tries_again_when_it_was_said<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let event = stage.held(1).await;
    let (lease, _) = stage.take().await.remove(0);
    stage.settle(&lease, Outcome::Again(60_000)).await;
    let nothing = stage.fixture.store().take(&Told, 10).await.unwrap();
    let next = nothing.next.unwrap().as_millis();
    assert!(nothing.jobs.is_empty() && (50_000..=60_000).contains(&next), "{next}");
    stage.fixture.pass(60_000);
    let (_, held) = stage.take().await.remove(0);
    assert_eq!((ids(&held), held.attempts), (vec![id(&event)], 1));
    assert!(held.state.unwrap().contains("begun"));
}

/// What is set aside stays there with all that follows it; others go on.
pub async fn sets_a_lane_aside_with_its_followers<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    stage.held(1).await;
    let (lease, held) = stage.take().await.remove(0);
    assert_eq!(stage.settle(&lease, Outcome::Aside).await.parked, 1);
    stage.held(1).await;
    let other = stage.held(2).await;
    assert_eq!(stage.due().await, [[id(&other)]]);
    assert_eq!(stage.fixture.parked().await, [(held.lane, "it is torn".to_owned())]);
}

/// What is settled and what is announced are one write.
pub async fn announces_with_what_it_settles<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let event = stage.held(1).await;
    let (lease, held) = stage.take().await.remove(0);
    let settled = stage.settle(&lease, Outcome::Announces(last(&held), Box::new(event.clone()))).await;
    assert!(settled.announced);
    let json = String::from_utf8(event.to_json().unwrap()).unwrap();
    assert_eq!(stage.fixture.announced().await, [json]);
}

/// What was taken when the process ended is taken again, and what was done is not.
pub async fn remembers_what_was_done_and_what_was_not<F: Fixture>() {
    let mut stage = Stage::<F>::new().await;
    let events = [stage.held(1).await, stage.held(2).await, stage.held(1).await];
    for (lease, held) in stage.take().await {
        if held.effects.len() == 2 {
            stage.settle(&lease, Outcome::Done(held.effects[0].number)).await;
        }
    }
    let mut stage = Stage { fixture: stage.fixture.restarted().await, ..stage };
    stage.fixture.pass(LEASE + 1);
    let mut taken = stage.due().await;
    taken.sort();
    let mut expected = [vec![id(&events[1])], vec![id(&events[2])]];
    expected.sort();
    assert_eq!(taken, expected);
    let later = stage.held(3).await;
    assert_eq!(stage.due().await, [[id(&later)]]);
}

/// One test of each behaviour of a store of effects, for a [`Fixture`](crate::conformance::effect_store::Fixture).
#[macro_export]
macro_rules! effect_store_conformance {
    ($fixture:ty) => {
        $crate::effect_store_conformance!($fixture:
            takes_each_lane_once_with_its_effects_in_order takes_no_more_than_asked_for goes_on_with_what_is_left
            lets_what_comes_meanwhile_wait gives_a_lane_to_another_when_its_lease_ends tries_again_when_it_was_said
            sets_a_lane_aside_with_its_followers announces_with_what_it_settles
            remembers_what_was_done_and_what_was_not);
    };
    ($fixture:ty: $($behaviour:ident)*) => {
        $(
            #[tokio::test]
            async fn $behaviour() {
                $crate::conformance::effect_store::$behaviour::<$fixture>().await;
            }
        )*
    };
}
