//! Where routes hand their commands in: the store decides, and the answer waits until it is as durable as promised.

use std::sync::Arc;

use boxoffice_domain::{Answer, Command, HoldId, SeatingEventId, UserId};
use boxoffice_runtime::http::Problem;

use super::caller::{Caller, cause};
use super::refusal::refused;
use crate::durability::{Durability, Promise};
use crate::published::Published;
use crate::store::{SeatStore, StoreError};

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
    ) -> Result<Answer, Problem> {
        let cause = cause(&caller.chain, Some(caller.user.clone()));
        let outcome = self.store.execute(event, &command, &cause).await.map_err(|error| match error {
            StoreError::Unsecured(_) => stands(&command, "as durable as it has to be", error.to_string()),
            other => other.into(),
        })?;
        let answer = outcome.map_err(|rejection| refused(event, &rejection))?.answer;
        if self.durability.of(&command) == Promise::Log {
            let reached = self.published.reached(event, answer.sequence()).await;
            reached.map_err(|not_yet| stands(&command, "on the log", not_yet.to_string()))?;
        }
        Ok(answer)
    }

    /// A live hold of `user`.
    pub async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Answer, Problem> {
        let found = self.store.hold(hold, user).await?;
        found.map_err(|rejection| refused(hold.event_id(), &rejection))
    }
}

/// The answer for a command that is done but not yet as safe as promised.
fn stands(command: &Command, how: &str, why: String) -> Problem {
    let what = if matches!(command, Command::Hold { .. }) { "hold" } else { "reservation" };
    let detail = format!("the {what} stands but is not {how} yet: repeat with the same Idempotency-Key");
    Problem::unavailable(detail).because(why)
}
