//! Where routes hand their commands in: the store decides, and the answer waits until it is as durable as promised.

use std::sync::Arc;

use boxoffice_domain::{Answer, Command, HoldId, SeatingEventId, UserId};
use boxoffice_runtime::http::Problem;

use super::caller::{Caller, cause};
use super::refusal::refused;
use crate::durability::{Durability, Promise};
use crate::published::{Published, Unreached};
use crate::store::{Idempotency, Outcome, SeatStore, StoreError};

/// What the routes share.
#[derive(Clone)]
pub struct Desk {
    store: Arc<dyn SeatStore>,
    published: Arc<Published>,
    durability: Durability,
}

impl Desk {
    /// A desk in front of `store`.
    pub fn new(store: Arc<dyn SeatStore>, published: Arc<Published>, durability: Durability) -> Self {
        Self { store, published, durability }
    }

    /// Has a command carried out (I7): when this answers, a loss that `durability` covers does not undo it. An answer
    /// that repeats an earlier one waits too.
    pub async fn execute(
        &self,
        event: &SeatingEventId,
        command: Command,
        caller: &Caller,
        idempotency: Option<Idempotency>,
    ) -> Result<Outcome, Problem> {
        let cause = cause(&caller.chain, Some(caller.user.clone()), idempotency);
        let history = match self.durability.of(&command) {
            // Asked before: what runs on a later history than this one is told to be repeated.
            Promise::Log => Some(self.published.history(event).await?),
            Promise::Redis | Promise::Fsync | Promise::Replicas(_) => None,
        };
        let outcome = self.store.execute(event, &command, &cause).await.map_err(|error| match error {
            StoreError::Unsecured { repeated, .. } => {
                stands(&command, "as durable as it has to be", repeated).because(error.to_string())
            }
            other => other.into(),
        })?;
        let mut outcome = outcome.map_err(|rejection| refused(event, &rejection))?;
        // Who names a chain is answered in it, also where the answer is that of another one.
        if outcome.repeated && caller.chain.named {
            outcome.correlation = caller.chain.correlation.clone();
        }
        if let Some(history) = history {
            let reached = self.published.reached(event, history, outcome.answer.sequence()).await;
            reached.map_err(|unreached| match unreached {
                Unreached::NotYet { .. } => {
                    stands(&command, "on the log", outcome.repeated).because(unreached.to_string())
                }
                Unreached::AnotherHistory { .. } => {
                    let kind = kind(&command);
                    let detail = format!(
                        "the seats began anew before the {kind} was on the log, and it may be lost: repeat with \
                         the same Idempotency-Key"
                    );
                    Problem::unavailable(detail).because(unreached.to_string())
                }
            })?;
        }
        Ok(outcome)
    }

    /// A live hold of `user`.
    pub async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Answer, Problem> {
        let found = self.store.hold(hold, user).await?;
        found.map_err(|rejection| refused(hold.event_id(), &rejection))
    }
}

/// What is done, but not yet as durable as promised. Who repeats it under its key learns that it is still under way.
fn stands(command: &Command, how: &str, repeated: bool) -> Problem {
    let kind = kind(command);
    let detail = format!("the {kind} stands but is not {how} yet: repeat with the same Idempotency-Key");
    if repeated { Problem::in_flight(detail) } else { Problem::unavailable(detail) }
}

/// What a command makes, for people.
fn kind(command: &Command) -> &'static str {
    match command {
        Command::Hold { .. } | Command::ExtendHold { .. } => "hold",
        _ => "reservation",
    }
}
