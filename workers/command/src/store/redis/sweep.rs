//! Ends the holds whose deadlines have passed, in many SeatingEvents at once, forgets what has been remembered for long
//! enough, tries again what of a definition was refused because of seats that somebody had, and finds what is over.

use std::collections::BTreeSet;

use boxoffice_domain::{Answer, CorrelationId, SeatingEventId, UnixMillis};
use futures::future::join_all;
use futures::{StreamExt, stream};
use uuid::Uuid;

use super::RedisStore;
use super::reply::Reply;
use super::wire::SweptMeta;
use crate::store::{Cause, StoreError, Swept};

/// Most holds of one SeatingEvent that one pass ends.
const HOLDS_A_PASS: usize = 1000;
/// SeatingEvents whose deadlines are read in one go.
const EVENTS_A_PIPELINE: usize = 1000;
/// Holds that are ended at the same time.
const IN_FLIGHT: usize = 32;

/// What is asked about a SeatingEvent: holds that are due, whether a seat map is wanted that was refused and where it
/// stands, and what is due first.
type Due = (Vec<String>, SweptMeta, Vec<(String, UnixMillis)>);

impl RedisStore {
    pub(super) async fn sweep_all(&self, events: &[SeatingEventId]) -> Swept {
        let servers = self.by_server(events.to_vec()).into_iter().map(|events| self.sweep_server(events));
        let mut all = Swept::default();
        for some in join_all(servers).await {
            all.add(some);
        }
        all
    }

    /// Those of one server, at least one. What it fails at is no reason not to ask the others, nor have these to wait.
    async fn sweep_server(&self, events: Vec<SeatingEventId>) -> Swept {
        let mut all = Swept::default();
        for events in events.chunks(EVENTS_A_PIPELINE) {
            match self.sweep_some(events).await {
                Ok(some) => all.add(some),
                Err(error) => tracing::debug!(%error, "a server's holds cannot be released"),
            }
        }
        all
    }

    /// Ends what is due of SeatingEvents of one server. What is wrong with one of them is missing in what is told.
    async fn sweep_some(&self, events: &[SeatingEventId]) -> Result<Swept, StoreError> {
        let slot = self.slot_of_first(events);
        let now: UnixMillis = self.invoke_script(&self.time(slot)).await?;
        let mut deadlines = redis::pipe();
        for event in events {
            let keys = self.keys.event(event);
            deadlines.cmd("ZRANGEBYSCORE").arg(keys.deadlines()).arg("-inf").arg(now);
            deadlines.arg("LIMIT").arg(0).arg(HOLDS_A_PASS);
            deadlines.cmd("HMGET").arg(keys.meta()).arg(SweptMeta::FIELDS);
            deadlines.cmd("ZRANGE").arg(keys.deadlines()).arg(0).arg(0).arg("WITHSCORES");
        }
        let answers: Vec<redis::Value> = self.query_all(slot, &deadlines).await?;
        let mut due = vec![];
        for (event, answer) in events.iter().zip(answers.chunks(3)) {
            let answer: Due = redis::from_redis_value(redis::Value::Array(answer.to_vec()))
                .map_err(|error| StoreError::Corrupt(format!("deadlines of {event}: {error}")))?;
            due.push((event, answer));
        }
        let ends = due.iter().flat_map(|(event, (holds, ..))| {
            holds.iter().map(|hold| async { (*event, self.end(event, hold.clone()).await) })
        });
        let ended: Vec<_> =
            stream::iter(ends.collect::<Vec<_>>()).buffer_unordered(IN_FLIGHT).collect().await;
        let mut failed = BTreeSet::new();
        let mut swept = Swept::default();
        for (event, ended) in ended {
            match ended {
                Ok(ended) => swept.ended += usize::from(ended),
                Err(error) => {
                    tracing::debug!(%event, %error, "a hold cannot be released");
                    failed.insert(event);
                }
            }
        }
        let (mut quiet, mut archived) = (vec![], vec![]);
        for (event, (holds, meta, first)) in &due {
            // After the seats that came back by themselves.
            if meta.wants.is_some()
                && let Err(error) = self.try_wanted(event).await
            {
                tracing::debug!(%event, %error, "the seat map that is wanted waits");
                failed.insert(event);
            }
            if failed.contains(event) {
                continue;
            }
            // What was ended is to be forgotten later, and there may be more that is due.
            let first = first.first().map(|(_, at)| at.saturating_sub(now));
            let next = if holds.is_empty() { first } else { Some(0) };
            swept.next.push(((*event).clone(), next));
            match &meta.revision {
                Some(_) if meta.archived.is_some() => {
                    // One that is being woken is about to be recovered.
                    archived.extend((!self.is_awake(event)).then(|| (*event).clone()));
                }
                Some(revision) if next.is_none() && meta.is_settled() => {
                    quiet.push((*event, revision.as_str()));
                }
                Some(_) | None => {}
            }
        }
        match self.over_among(slot, quiet, now).await {
            Ok(over) => swept.over = over,
            Err(error) => tracing::debug!(%error, "which SeatingEvents are over is not known"),
        }
        // Whoever archived them did not come so far.
        if !archived.is_empty()
            && let Err(error) = self.shelve(&archived).await
        {
            tracing::debug!(%error, "SeatingEvents that are archived are still looked after");
        }
        Ok(swept)
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

impl Swept {
    fn add(&mut self, some: Self) {
        self.ended += some.ended;
        self.next.extend(some.next);
        self.over.extend(some.over);
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
