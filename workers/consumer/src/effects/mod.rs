//! Effects outside: what a handler wrote down inside of its transaction (I5) is carried out beside the loop, and what
//! comes of it is written down again.
//!
//! A [`Lane`] is one aggregate on one topic; beside those of the write side it is called an effect lane (table
//! `effect_lanes`). It is what members take, each for a while, and its effects hang below it in
//! order: order is per aggregate and topic, nothing more. An [`EffectStore`] keeps lanes, a [`Work`] knows what they mean,
//! the [`engine`] brings the two together: takes what is due, carries it out side by side, settles what came of it. Who
//! is killed in between has its lanes taken by another once their lease ends; so an effect may be carried out twice, with
//! the same key.
//!
//! [`postgres`] is the store of a cluster; that of one process is in `boxoffice-local`. [`backoff`] and [`gate`] are the
//! arithmetic of trying again, [`settings`] what handlers of this kind are told.

pub mod backoff;

pub mod gate;

pub mod metrics;

pub mod postgres;

pub mod engine;

pub mod settings;

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::subject::Subject;
use boxoffice_domain::{DomainEvent, Envelope, UnixMillis};
use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY};
use uuid::{Builder, Uuid};

/// How long a lane belongs to who took it: longer than any turn.
pub const LEASE: u64 = 30_000;
/// Most effects of a lane that are taken at once.
pub const EFFECTS: usize = 32;

/// One aggregate on one topic.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// The topic, by the name that the contract has for it.
    pub topic: String,
    /// The aggregate.
    pub aggregate: String,
}

impl Lane {
    /// The lane of an event.
    pub fn of(event: &DomainEvent) -> Self {
        Self { topic: topic(event).to_owned(), aggregate: event.aggregate_id() }
    }

    /// The lane of a reservation's payment.
    pub fn payment(reservation: &str) -> Self {
        Self { topic: "seat-events".to_owned(), aggregate: reservation.to_owned() }
    }
}

/// The topic that an event is on, by the name that the contract has for it.
fn topic(event: &DomainEvent) -> &'static str {
    match event.subject() {
        Subject::Payment(_) => "payment-events",
        Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::Reservation(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_) => "seat-events",
    }
}

/// When something is decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// By the clock of the store.
    pub now: UnixMillis,
    /// A number from 0 to 999, thrown anew each time.
    pub dice: u32,
}

impl Moment {
    /// `now`, with the dice of a random id.
    pub fn new(now: UnixMillis, thrown: Uuid) -> Self {
        Self { now, dice: u32::try_from(thrown.as_u128() % 1000).unwrap_or_default() }
    }
}

/// What a lane holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Which it is.
    pub lane: Lane,
    /// Attempts in a row that came to nothing.
    pub attempts: u32,
    /// What the work keeps of it, as JSON.
    pub state: Option<String>,
    /// The first effects below it, in order.
    pub effects: Vec<Effect>,
}

/// An effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effect {
    /// Its place in the order.
    pub number: u64,
    /// The domain event that it is about, as JSON.
    pub envelope: String,
}

/// A lane that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Which.
    pub lane: Lane,
    /// Given with this lease, and to nobody else.
    pub token: Uuid,
}

/// What a lane becomes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Change {
    /// What the work keeps of it, as JSON.
    pub state: Option<String>,
    /// Attempts in a row that came to nothing.
    pub attempts: u32,
    /// When it is taken again.
    pub due: Due,
    /// Effects up to this number are done.
    pub done: Option<u64>,
    /// Domain events to announce.
    pub announce: Vec<Envelope>,
    /// Why it is set aside, with all that comes below it.
    pub parked: Option<String>,
}

/// When a lane is taken again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Due {
    /// At once, if there are effects below it; else the lane is forgotten.
    #[default]
    Queue,
    /// Then.
    At(UnixMillis),
    /// Not by itself.
    Never,
}

impl From<Option<UnixMillis>> for Due {
    fn from(at: Option<UnixMillis>) -> Self {
        at.map_or(Self::Never, Self::At)
    }
}

/// What an outcome says about the other side as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    There,
    /// It is in trouble.
    Troubled,
    /// It wants no more.
    Gone,
}

/// What lanes mean.
#[async_trait]
pub trait Work: Send + Sync + 'static {
    /// What is to be done outside.
    type Job: Send + 'static;
    /// What came of it.
    type Outcome: Send + Sync + 'static;

    /// What a lane that is due does now: it becomes this, and this is to be done. Called inside of the transaction that
    /// takes it, whose change is there before the job begins; the change's `due` counts where there is no job.
    fn begin(&self, held: &Held, at: Moment) -> (Change, Option<Self::Job>);

    /// Does it. Ends well within [`LEASE`].
    async fn carry_out(&self, job: Self::Job) -> Self::Outcome;

    /// What the lane becomes. `held` is what it holds now, without effects: events may have come in meanwhile.
    fn end(&self, held: &Held, outcome: &Self::Outcome, at: Moment) -> Change;

    /// What the outcome says about the other side.
    fn verdict(&self, outcome: &Self::Outcome) -> Verdict;

    /// How many jobs go on at once.
    fn side_by_side(&self) -> usize;
}

/// What was taken.
pub struct Taken<J> {
    /// To be done.
    pub jobs: Vec<(Lease, J)>,
    /// How many lanes were looked at: as many as were asked for means that there may be more.
    pub looked_at: usize,
    /// How long until the next lane is due, where one is.
    pub next: Option<Duration>,
    /// Whether something was announced.
    pub announced: bool,
}

impl<J> Default for Taken<J> {
    fn default() -> Self {
        Self { jobs: vec![], looked_at: 0, next: None, announced: false }
    }
}

/// What was settled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Settled {
    /// Lanes that were another's by then: what came of them counts for nothing.
    pub lost: usize,
    /// Lanes that were set aside.
    pub parked: usize,
    /// Whether something was announced.
    pub announced: bool,
}

/// Why a store did not do what it was asked to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("effects wait for their store: {0}")]
pub struct EffectError(pub String);

/// Where lanes are kept.
pub trait EffectStore: Send + Sync + 'static {
    /// Takes at most `limit` lanes that are due, for [`LEASE`].
    fn take<W: Work>(
        &self,
        work: &W,
        limit: usize,
    ) -> impl Future<Output = Result<Taken<W::Job>, EffectError>> + Send;

    /// Writes down what came of lanes that were taken and are still who took them's.
    fn settle<W: Work>(
        &self,
        work: &W,
        ended: &[(Lease, W::Outcome)],
    ) -> impl Future<Output = Result<Settled, EffectError>> + Send;
}

/// What a handler with effects is told: a field of the resource, and an option of the worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is called as its field")]
pub enum Setting {
    Payment,
    PaymentUrl,
    PaymentSecret,
    Webhook,
    WebhookUrl,
    WebhookSecret,
    WebhookEvents,
}

impl Setting {
    /// What a resource calls it, below the consumer.
    pub const fn field(self) -> &'static str {
        match self {
            Self::Payment => "payment",
            Self::PaymentUrl => "payment.url",
            Self::PaymentSecret => "payment.secretRef",
            Self::Webhook => "webhook",
            Self::WebhookUrl => "webhook.url",
            Self::WebhookSecret => "webhook.secretRef",
            Self::WebhookEvents => "webhook.events",
        }
    }

    /// What a worker calls it, which knows nothing of a resource.
    pub const fn option(self) -> &'static str {
        match self {
            Self::Payment | Self::PaymentUrl => "--payment-url",
            Self::PaymentSecret => "--payment-token",
            Self::Webhook | Self::WebhookUrl => "--webhook-url",
            Self::WebhookSecret => "--webhook-key",
            Self::WebhookEvents => "--webhook-events",
        }
    }
}

/// A setting that a handler with effects cannot begin with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", setting.field())]
pub struct Refused {
    /// Which one.
    pub setting: Setting,
    /// What is wrong with it, and what to do.
    pub problem: String,
}

/// The id of what `name`s a consequence of `cause`: always the same (UUID v5).
pub fn derived(cause: Uuid, name: &str) -> Uuid {
    let mut digest = Context::new(&SHA1_FOR_LEGACY_USE_ONLY);
    digest.update(cause.as_bytes());
    digest.update(name.as_bytes());
    let mut bytes = [0; 16];
    for (byte, of) in bytes.iter_mut().zip(digest.finish().as_ref()) {
        *byte = *of;
    }
    Builder::from_sha1_bytes(bytes).into_uuid()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_derived_id_is_the_standards() {
        // Python: uuid.uuid5(uuid.NAMESPACE_DNS, "python.org")
        let dns: Uuid = "6ba7b810-9dad-11d1-80b4-00c04fd430c8".parse().unwrap();
        assert_eq!(derived(dns, "python.org").to_string(), "886313e1-3b8a-5372-9b90-0c9aee199e5d");
    }

    #[test]
    fn the_dice_stay_on_the_table() {
        assert!((0..100).all(|_| Moment::new(7, Uuid::new_v4()).dice < 1000));
    }
}
