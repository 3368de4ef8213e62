//! Ends the holds whose deadlines have passed, in all SeatingEvents at once.

use boxoffice_domain::{Answer, CorrelationId, SeatingEventId};
use futures::StreamExt;
use futures::stream;
use uuid::Uuid;

use super::RedisStore;
use super::reply::Reply;
use crate::store::{Cause, Outcome, StoreError};

/// Most holds of one SeatingEvent that one pass ends.
const HOLDS_A_PASS: usize = 1000;
/// SeatingEvents whose deadlines are read in one go.
const EVENTS_A_PIPELINE: usize = 1000;
/// Holds that are ended at the same time.
const IN_FLIGHT: usize = 32;

impl RedisStore {
    pub(super) async fn sweep(&self) -> Result<usize, StoreError> {
        let now = self.now().await?;
        let mut ended = 0;
        for events in self.registered().await?.chunks(EVENTS_A_PIPELINE) {
            ended += self.sweep_some(events, now).await?;
        }
        Ok(ended)
    }

    async fn sweep_some(&self, events: &[SeatingEventId], now: u64) -> Result<usize, StoreError> {
        let mut deadlines = redis::pipe();
        for event in events {
            let keys = self.keys.event(event);
            deadlines.cmd("ZRANGEBYSCORE").arg(keys.deadlines()).arg("-inf").arg(now);
            deadlines.arg("LIMIT").arg(0).arg(HOLDS_A_PASS);
        }
        let due: Vec<Vec<String>> = self.query_all(&deadlines).await?;
        let mut ends = Vec::new();
        for (event, holds) in events.iter().zip(due) {
            ends.extend(holds.into_iter().map(|hold| self.end(event, hold)));
        }
        let ended: Vec<_> = stream::iter(ends).buffer_unordered(IN_FLIGHT).collect().await;
        // Every hold gets its turn before the first failure is told.
        ended.into_iter().try_fold(0, |sum, ended| Ok(sum + usize::from(ended?)))
    }

    /// Ends a hold; whether that released seats.
    async fn end(&self, event: &SeatingEventId, hold: String) -> Result<bool, StoreError> {
        let reply = self.run_expire(event, &hold, &Cause::of_nobody()).await?;
        Ok(
            matches!(reply, Reply::Done(Outcome { answer: Answer::Released { seats, .. }, .. }) if !seats.is_empty()),
        )
    }
}

impl Cause {
    /// The cause of what happens by itself.
    pub(super) fn of_nobody() -> Self {
        let command = Uuid::new_v4();
        Self {
            command,
            correlation: CorrelationId::from(command),
            user: None,
            traceparent: None,
            idempotency: None,
        }
    }
}
