//! Ends the holds whose deadlines have passed, in all SeatingEvents at once, forgets what has been remembered for long
//! enough, and tries again what of a definition was
//! refused because of seats that somebody had.

use boxoffice_domain::{Answer, CorrelationId, SeatingEventId, UnixMillis};
use futures::StreamExt;
use futures::stream;
use uuid::Uuid;

use super::RedisStore;
use super::reply::Reply;
use crate::store::{Cause, StoreError};

/// Most holds of one SeatingEvent that one pass ends.
const HOLDS_A_PASS: usize = 1000;
/// SeatingEvents whose deadlines are read in one go.
const EVENTS_A_PIPELINE: usize = 1000;
/// Holds that are ended at the same time.
const IN_FLIGHT: usize = 32;

impl RedisStore {
    pub(super) async fn sweep(&self) -> Result<usize, StoreError> {
        let mut all = Ok(0);
        for events in self.by_server(self.registered().await?) {
            for events in events.chunks(EVENTS_A_PIPELINE) {
                // What one server fails at is no reason not to ask the others.
                let some = self.sweep_some(events).await;
                all = all.and_then(|ended| Ok(ended + some?));
            }
        }
        all
    }

    /// Ends what is due of SeatingEvents of one server.
    async fn sweep_some(&self, events: &[SeatingEventId]) -> Result<usize, StoreError> {
        let slot = events.first().map_or(0, |event| self.keys.event(event).slot());
        let now: UnixMillis = self.invoke_script(&self.time(slot)).await?;
        let mut deadlines = redis::pipe();
        for event in events {
            let keys = self.keys.event(event);
            deadlines.cmd("ZRANGEBYSCORE").arg(keys.deadlines()).arg("-inf").arg(now);
            deadlines.arg("LIMIT").arg(0).arg(HOLDS_A_PASS);
            deadlines.cmd("HEXISTS").arg(keys.meta()).arg("wants");
        }
        let due: Vec<redis::Value> = self.query_all(slot, &deadlines).await?;
        let (mut ends, mut wanting) = (Vec::new(), Vec::new());
        for (event, due) in events.iter().zip(due.chunks(2)) {
            let (holds, wants): (Vec<String>, bool) =
                redis::from_redis_value(redis::Value::Array(due.to_vec()))
                    .map_err(|error| StoreError::Corrupt(format!("deadlines of {event}: {error}")))?;
            ends.extend(holds.into_iter().map(|hold| self.end(event, hold)));
            wanting.extend(wants.then_some(event));
        }
        let ended: Vec<_> = stream::iter(ends).buffer_unordered(IN_FLIGHT).collect().await;
        // After the seats that came back by themselves.
        for event in wanting {
            self.try_wanted(event).await?;
        }
        // Every hold gets its turn before the first failure is told.
        ended.into_iter().try_fold(0, |sum, ended| Ok(sum + usize::from(ended?)))
    }

    /// Ends a hold; whether that released seats.
    async fn end(&self, event: &SeatingEventId, hold: String) -> Result<bool, StoreError> {
        Ok(match self.run_expire(event, &hold, &Cause::of_nobody()).await? {
            Reply::Done(ran) => match ran.outcome.answer {
                Answer::Released { released, .. } => !released.is_empty(),
                Answer::Held { .. }
                | Answer::Reserved { .. }
                | Answer::Reinstatement { .. }
                | Answer::Provisioned { .. } => false,
            },
            Reply::Rejected(_) | Reply::Mismatch | Reply::Full(_) | Reply::Changed | Reply::Cold => false,
        })
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
