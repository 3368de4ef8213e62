//! The view store on PostgreSQL: one transaction a batch holds the handler's rows, the dedupe rows, the parked ones
//! and the checkpoint (I5), so redelivery is harmless.
//!
//! Between [`crate::run`], which brings batches, and a [`Handler`], which knows its tables. [`entry`] reads records,
//! [`plan`] decides what becomes of each, [`rows`] are the statements on the framework's own tables, [`report`] says
//! what went otherwise than usual; [`database`] is what a database has to be before any of this.
//!
//! A gap or a fork does not undo the good records before it: the batch is cut there, what comes before is committed,
//! and then the error is returned. A record that the handler's tables refuse costs the batch a second attempt, in which
//! it is found by halving and parked alone.

pub mod database;
pub mod entry;
pub mod plan;
pub mod report;
mod rows;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::Envelope;
use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::postgres::watch::Lost;
use boxoffice_runtime::postgres::{self, Lent};
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoints, ViewError, ViewStore};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Notify;

use crate::handlers::{ApplyError, Followers, Handler, Reborn};
pub use database::migrate;
use entry::Entry;
use plan::{Facts, Plan, Rules, Stop};
use report::{log, moved};
use rows::Parked;

/// Longest time for a batch; then the transaction is given up and tried again.
const APPLY: Duration = Duration::from_secs(30);
/// Longest time for a batch in which refused events are looked for.
const SEARCH: Duration = Duration::from_mins(2);
/// Longest time for a question.
const ASK: Duration = Duration::from_secs(10);
/// Connections of one worker: batches of different partitions, and questions.
const CONNECTIONS: u32 = 6;

/// A handler's view.
pub struct PgViewStore<H> {
    pool: PgPool,
    handler: H,
    start: Start,
    reset_id: String,
    committed: Arc<Notify>,
    lost: Lost,
}

/// How the handler is given a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// All events at once: the rule.
    Whole,
    /// Halves behind savepoints, to find the ones that are refused.
    Halving,
}

/// Why an attempt was rolled back.
enum Failure {
    Stop(Stop),
    Refused(String),
    View(ViewError),
}

impl From<ViewError> for Failure {
    fn from(error: ViewError) -> Self {
        Self::View(error)
    }
}

impl From<sqlx::Error> for Failure {
    fn from(error: sqlx::Error) -> Self {
        Self::View(unavailable(error))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "used as a function of map_err")]
fn unavailable(error: impl ToString) -> ViewError {
    ViewError::Unavailable(error.to_string())
}

impl<H: Handler> PgViewStore<H> {
    /// The view of `handler` in a database that [`migrate`] has prepared. `start` says where its consumer group
    /// began, `reset_id` names the declared reset that it began with.
    pub fn new(options: PgConnectOptions, handler: H, start: Start, reset_id: String) -> Self {
        let lost = Lost::default();
        let pool = postgres::watched(options, CONNECTIONS, lost.clone());
        Self { pool, handler, start, reset_id, committed: Arc::new(Notify::new()), lost }
    }

    /// Told after every commit.
    pub fn committed(&self) -> Arc<Notify> {
        Arc::clone(&self.committed)
    }

    /// Where it is told that the server is lost: what waits for it gives up.
    pub fn lost(&self) -> &Lost {
        &self.lost
    }

    /// One transaction; it is undone unless it succeeds.
    async fn attempt(&self, batch: &Batch, attempt: Attempt) -> Result<Applied, Failure> {
        let mut connection = Lent::from(&self.pool).await?;
        let mut transaction = connection.begin().await?;
        let entries: Vec<Entry> = batch.records.iter().map(Entry::read).collect();
        match self.write(&mut transaction, batch, &entries, attempt).await {
            Ok(plan) => {
                transaction.commit().await?;
                connection.give_back();
                self.committed.notify_one();
                log(batch, &entries, &plan);
                Ok(plan.outcome(behind(batch)))
            }
            Err(Failure::View(error @ ViewError::Unavailable(_))) => Err(Failure::View(error)),
            Err(failure) => {
                transaction.rollback().await?;
                connection.give_back();
                Err(failure)
            }
        }
    }

    async fn write(
        &self,
        connection: &mut PgConnection,
        batch: &Batch,
        entries: &[Entry],
        attempt: Attempt,
    ) -> Result<Plan, Failure> {
        let start = match rows::lock(connection, batch, self.start).await? {
            Some((at, start)) if at == batch.expected => start,
            other => return Err(Failure::View(moved(batch, other.map(|(at, _)| at)))),
        };
        let log = batch.log.as_deref();
        let facts = facts::<H>(connection, entries, log).await?;
        let rules = Rules { start, followers: H::FOLLOWERS };
        let mut plan = Plan::new(entries, facts, rules).map_err(Failure::Stop)?;
        if !plan.reborn.is_empty() {
            self.forget(connection, &plan.reborn).await?;
        }
        match attempt {
            Attempt::Whole => self.whole(connection, entries, &plan).await?,
            Attempt::Halving => self.halving(connection, entries, &mut plan).await?,
        }
        let parked = plan.park.iter().map(|(index, reason)| Parked {
            record: &batch.records[*index],
            position: entries[*index].position.as_ref(),
            reason,
        });
        rows::park(connection, &batch.topic, &parked.collect::<Vec<_>>()).await?;
        rows::advance_spans(connection, &plan.spans, log).await?;
        rows::advance(connection, batch, behind(batch)).await?;
        Ok(plan)
    }

    /// Has the events of SeatingEvents that are created on another log find nothing of before.
    async fn forget(&self, connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), Failure> {
        let parked = rows::forget(connection, reborn).await?;
        for Reborn { event, at: _ } in reborn {
            tracing::info!(handler = H::NAME, %event, "it is created on another log: what was known of it is forgotten");
        }
        if parked > 0 {
            tracing::warn!(handler = H::NAME, parked, "with it what was set aside of the log that is gone");
        }
        self.handler.forget(connection, reborn).await.map_err(|error| match error {
            ApplyError::Refused(reason) => unavailable(reason).into(),
            ApplyError::Database(error) => error.into(),
        })
    }

    async fn whole(
        &self,
        connection: &mut PgConnection,
        entries: &[Entry],
        plan: &Plan,
    ) -> Result<(), Failure> {
        let events = envelopes(entries, &plan.apply);
        if events.is_empty() {
            return Ok(());
        }
        self.handler.apply(connection, &events).await.map_err(|error| match error {
            ApplyError::Refused(reason) => Failure::Refused(reason),
            ApplyError::Database(error) => error.into(),
        })
    }

    /// Applies what it can. A run of events of which one is refused is halved, down to that one, which is parked: of 500
    /// events it is found with 18 more attempts.
    async fn halving(
        &self,
        connection: &mut PgConnection,
        entries: &[Entry],
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        // The last one comes next.
        let mut runs = vec![std::mem::take(&mut plan.apply)];
        while let Some(run) = runs.pop() {
            let run = plan.still_due_of(&run, entries);
            if run.is_empty() {
                continue;
            }
            let mut savepoint = connection.begin().await?;
            match self.handler.apply(&mut savepoint, &envelopes(entries, &run)).await {
                Ok(()) => {
                    savepoint.commit().await?;
                    plan.apply.extend(run);
                }
                Err(ApplyError::Refused(reason)) => {
                    savepoint.rollback().await?;
                    if let [index] = *run.as_slice() {
                        plan.park(index, &entries[index], reason);
                    } else {
                        let (earlier, later) = run.split_at(run.len() / 2);
                        runs.extend([later.to_vec(), earlier.to_vec()]);
                    }
                }
                Err(ApplyError::Database(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// An attempt, for a while, and no longer than the server is there.
    async fn limited(&self, batch: &Batch, attempt: Attempt) -> Result<Applied, Failure> {
        let limit = match attempt {
            Attempt::Whole => APPLY,
            Attempt::Halving => SEARCH,
        };
        let work = tokio::time::timeout(limit, self.attempt(batch, attempt));
        self.while_there(work)
            .await
            .map_err(Failure::View)?
            .map_err(|late| Failure::View(unavailable(late)))?
    }

    async fn while_there<T>(&self, work: impl Future<Output = T>) -> Result<T, ViewError> {
        self.lost.unless_lost(work).await.ok_or_else(|| unavailable("the server is lost"))
    }

    async fn ask(
        &self,
        question: impl AsyncFnOnce(&mut PgConnection) -> Result<Checkpoints, sqlx::Error>,
    ) -> Result<Checkpoints, ViewError> {
        let asking = async {
            let mut connection = Lent::from(&self.pool).await?;
            let checkpoints = question(&mut connection).await?;
            connection.give_back();
            Ok::<_, sqlx::Error>(checkpoints)
        };
        let answer = self.while_there(tokio::time::timeout(ASK, asking)).await?;
        answer.map_err(unavailable)?.map_err(unavailable)
    }

    /// A transaction that moves the checkpoint and does nothing else.
    async fn advance(&self, nothing: Batch, next_offset: u64) -> Result<Applied, ViewError> {
        let mut connection = Lent::from(&self.pool).await.map_err(unavailable)?;
        let mut transaction = connection.begin().await.map_err(unavailable)?;
        let at = rows::lock(&mut transaction, &nothing, self.start).await.map_err(unavailable)?;
        let at = at.map(|(at, _)| at);
        if at != Some(nothing.expected) {
            return Err(moved(&nothing, at));
        }
        rows::advance(&mut transaction, &nothing, next_offset).await.map_err(unavailable)?;
        transaction.commit().await.map_err(unavailable)?;
        connection.give_back();
        Ok(Applied { next_offset, ..Applied::default() })
    }

    async fn apply_or_park(&self, batch: &Batch) -> Result<Applied, Failure> {
        match self.limited(batch, Attempt::Whole).await {
            Err(Failure::Refused(reason)) => {
                tracing::warn!(
                    handler = H::NAME,
                    partition = batch.partition,
                    reason,
                    "looking for a refused event"
                );
                self.limited(batch, Attempt::Halving).await
            }
            result => result,
        }
    }

    async fn apply_up_to_a_stop(&self, batch: &Batch) -> Result<Applied, ViewError> {
        let stop = match self.apply_or_park(batch).await {
            Ok(applied) => return Ok(applied),
            Err(Failure::View(error)) => return Err(error),
            Err(Failure::Refused(reason)) => return Err(ViewError::Unavailable(reason)),
            Err(Failure::Stop(stop)) => stop,
        };
        if stop.index > 0 {
            let good = Batch { records: batch.records[..stop.index].to_vec(), ..batch.clone() };
            match self.apply_or_park(&good).await {
                Err(Failure::View(error)) => return Err(error),
                Err(Failure::Refused(reason)) => return Err(ViewError::Unavailable(reason)),
                Ok(_) | Err(Failure::Stop(_)) => {}
            }
        }
        Err(stop.error)
    }
}

#[async_trait]
impl<H: Handler> ViewStore for PgViewStore<H> {
    async fn checkpoints(&self, partitions: &[TopicPartition]) -> Result<Checkpoints, ViewError> {
        self.ask(async |connection| rows::checkpoints(connection, partitions).await).await
    }

    async fn begin(&self, beginnings: &[Beginning]) -> Result<Checkpoints, ViewError> {
        let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
        self.ask(async |connection| {
            let mut transaction = connection.begin().await?;
            rows::begin(&mut transaction, beginnings, &self.reset_id).await?;
            let checkpoints = rows::checkpoints(&mut transaction, &partitions).await?;
            transaction.commit().await?;
            Ok(checkpoints)
        })
        .await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        if batch.records.is_empty() {
            return Ok(Applied { next_offset: batch.expected, ..Applied::default() });
        }
        self.apply_up_to_a_stop(batch).await
    }

    async fn pass(
        &self,
        partition: &TopicPartition,
        log: Option<&str>,
        expected: u64,
        next_offset: u64,
    ) -> Result<Applied, ViewError> {
        let (topic, partition, log) = (partition.topic.clone(), partition.partition, log.map(str::to_owned));
        let passing = self.advance(Batch { topic, partition, log, expected, records: vec![] }, next_offset);
        self.while_there(tokio::time::timeout(ASK, passing)).await?.map_err(unavailable)?
    }
}

/// The first offset behind a batch.
fn behind(batch: &Batch) -> u64 {
    batch.records.last().map_or(batch.expected, |record| record.offset + 1)
}

fn envelopes<'e>(entries: &'e [Entry], indexes: &[usize]) -> Vec<&'e Envelope> {
    indexes.iter().filter_map(|index| entries[*index].envelope()).collect()
}

async fn facts<H: Handler>(
    connection: &mut PgConnection,
    entries: &[Entry],
    log: Option<&str>,
) -> Result<Facts, sqlx::Error> {
    let positions: Vec<_> = entries.iter().filter_map(|entry| entry.position.as_ref()).collect();
    let ids: Vec<_> = positions.iter().filter_map(|position| position.event_id).collect();
    let mut events: Vec<&str> = positions.iter().map(|position| position.seating_event.as_str()).collect();
    events.sort_unstable();
    events.dedup();
    let aggregates: Vec<&str> = positions.iter().map(|position| position.aggregate.as_str()).collect();
    let (spans, former) = rows::spans(connection, &events, log).await?;
    Ok(Facts {
        spans,
        former,
        fresh: rows::remember(connection, &ids).await?,
        parked: match H::FOLLOWERS {
            Followers::Wait => rows::parked(connection, &aggregates).await?,
            Followers::GoOn => HashSet::new(),
        },
    })
}
