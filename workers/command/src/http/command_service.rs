//! Where routes hand their commands in, those of buyers and those of staff and operator: the store decides, and the answer
//! waits until it is as durable as is guaranteed.

use std::sync::Arc;

use boxoffice_domain::{Answer, Command, CommandKind, HoldId, SeatingEventId, UserId};
use boxoffice_runtime::http::{MAX_IN_FLIGHT, Problem, RequestContext};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::caller::cause;
use super::refusal::refused;
use crate::durability::{Durability, Guarantee};
use crate::published::{Own, Patience, Published, Unreached};
use crate::store::{History, Idempotency, Outcome, SeatStore, StoreError};

/// Most commands that wait for the log at once: while it is away, half of the requests that may be at work are left to
/// what goes on without it.
pub(super) const MAX_WAITING: usize = MAX_IN_FLIGHT / 2;

/// What the routes share. Clones are one.
#[derive(Clone)]
pub struct CommandService(Arc<Parts>);

struct Parts {
    store: Arc<dyn SeatStore>,
    published: Arc<Published>,
    durability: Durability,
    waiting: Semaphore,
}

/// Who gives a command, and how it is known again.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// The chain that it belongs to.
    pub chain: &'a RequestContext,
    /// Who acts; `None` where it is staff or the operator.
    pub user: Option<&'a UserId>,
    /// What makes a repetition of it known as one.
    pub idempotency: Option<Idempotency>,
}

impl CommandService {
    /// Commands for `store`.
    pub fn new(store: Arc<dyn SeatStore>, published: Arc<Published>, durability: Durability) -> Self {
        Self(Arc::new(Parts { store, published, durability, waiting: Semaphore::new(MAX_WAITING) }))
    }

    /// The same for another door: a crowd that waits at one must not keep others from waiting at this one.
    #[must_use]
    pub fn apart(&self) -> Self {
        let Parts { store, published, durability, waiting: _ } = &*self.0;
        Self::new(Arc::clone(store), Arc::clone(published), *durability)
    }

    /// Has a command carried out (I7): when this answers, a loss that `durability` covers does not undo it. An answer
    /// that repeats an earlier one waits too.
    pub async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        order: Order<'_>,
    ) -> Result<Outcome, Problem> {
        let again = Order { idempotency: None, ..order };
        let outcome = self.carry_out(event, command, order).await?;
        if command.kind() == CommandKind::Hold && matches!(outcome.answer, Answer::Reserved { .. }) {
            let reserving = reserving_again(command)?;
            let Outcome { answer, .. } = self.carry_out(event, &reserving, again).await?;
            return Ok(Outcome { answer, ..outcome });
        }
        Ok(outcome)
    }

    async fn carry_out(
        &self,
        event: &SeatingEventId,
        command: &Command,
        Order { chain, user, idempotency }: Order<'_>,
    ) -> Result<Outcome, Problem> {
        let cause = cause(chain, user.cloned(), idempotency);
        let awaited = match self.0.durability.of(command) {
            // Asked before: what runs on a later history than this one is told to be repeated.
            Guarantee::Log => {
                Some((self.0.published.history(event).await?, self.0.published.awaits(cause.command)))
            }
            Guarantee::Redis | Guarantee::Fsync | Guarantee::Replicas(_) => None,
        };
        let outcome = self.0.store.execute(event, command, &cause).await.map_err(|error| match error {
            StoreError::Unsecured { repeated, .. } => {
                stands(command, "as durable as it has to be", repeated).because(error.to_string())
            }
            other => other.into(),
        })?;
        let mut outcome = outcome.map_err(|rejection| refused(event, &rejection))?;
        // Who names a chain is answered in it, also where the answer is that of another one.
        if outcome.repeated && chain.named {
            outcome.correlation = chain.correlation.clone();
        }
        if let Some((history, own)) = awaited {
            self.reached(event, &history, own, &outcome).await?.map_err(|unreached| match unreached {
                Unreached::NotYet { .. } => {
                    stands(command, "on the log", outcome.repeated).because(unreached.to_string())
                }
                Unreached::AnotherHistory { .. } => {
                    let made = made(command);
                    let detail = format!(
                        "the seats began anew before the {made} was on the log, and it may be lost: repeat with \
                         the same Idempotency-Key"
                    );
                    Problem::unavailable(detail).because(unreached.to_string())
                }
            })?;
        }
        Ok(outcome)
    }

    /// Waits until what was done is on the log.
    async fn reached(
        &self,
        event: &SeatingEventId,
        history: &History,
        mut own: Own<'_>,
        outcome: &Outcome,
    ) -> Result<Result<(), Unreached>, StoreError> {
        let by_watermark = async {
            let place = self.0.waiting.try_acquire();
            let patience = if place.is_ok() { Patience::Waits } else { Patience::Asks };
            let written = (outcome.answer.sequence(), outcome.at);
            self.0.published.is_logged(event, history, written, patience).await
        };
        tokio::select! {
            biased;
            () = own.is_on_log() => Ok(Ok(())),
            logged = by_watermark => logged,
        }
    }

    /// A live hold of `user`.
    pub async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Answer, Problem> {
        let found = self.0.store.hold(hold, user).await?;
        found.map_err(|rejection| refused(hold.event_id(), &rejection))
    }
}

/// A hold that was made before, under the same key, and is reserved by now is told as a reservation. It has to be as
/// durable as one: this asks for it again, as a reservation, and makes none.
fn reserving_again(command: &Command) -> Result<Command, Problem> {
    let (Command::Hold { hold, user, .. } | Command::StaffHold { hold, user, .. }) = command else {
        return Err(StoreError::Corrupt(format!("{command:?} was answered as a reservation is")).into());
    };
    Ok(Command::ReserveHold { hold: *hold, user: user.clone(), reservation: Uuid::new_v4() })
}

/// What is done, but not yet as durable as is guaranteed. Who repeats it under its key learns that it is still under way.
fn stands(command: &Command, how: &str, repeated: bool) -> Problem {
    let made = made(command);
    let detail = format!("the {made} stands but is not {how} yet: repeat with the same Idempotency-Key");
    if repeated { Problem::in_flight(detail) } else { Problem::unavailable(detail) }
}

/// What a command makes, for people.
fn made(command: &Command) -> &'static str {
    match command.kind() {
        CommandKind::Hold => "hold",
        CommandKind::Reserve => "reservation",
        CommandKind::Release => "release",
        CommandKind::Operate => "change",
    }
}
