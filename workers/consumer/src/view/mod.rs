//! The view store on PostgreSQL: one transaction a batch holds the handler's rows, the dedupe rows, the parked ones
//! and the checkpoint (I5), so redelivery is harmless.
//!
//! Between [`crate::run`], which brings batches, and a [`Handler`], which knows its tables. [`entry`] reads records,
//! [`plan`] decides what becomes of each, [`rows`] are the statements on the framework's own tables, [`report`] says
//! what went otherwise than usual.
//!
//! A gap or a fork does not undo the good records before it: the batch is cut there, what comes before is committed,
//! and then the error is returned. A record that the handler's tables refuse costs the batch a second attempt, event
//! by event, in which that one is parked.

pub mod entry;
pub mod plan;
pub mod report;
mod rows;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::Envelope;
use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::postgres;
use boxoffice_runtime::view::{Applied, Batch, Checkpoint, ViewError, ViewStore};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgPool};
use tokio::sync::Notify;

use crate::handlers::{ApplyError, Handler};
use entry::Entry;
use plan::{Facts, Plan, Stop};
use report::{log, moved};

/// Longest time for a batch; then the transaction is given up and tried again.
const APPLY: Duration = Duration::from_secs(30);
/// Longest time for a question.
const ASK: Duration = Duration::from_secs(10);
/// Connections of one worker: batches of different partitions, and the probe.
const CONNECTIONS: u32 = 6;

/// A handler's view.
pub struct PgViewStore<H> {
    pool: PgPool,
    handler: H,
    start: Start,
    reset_id: String,
    committed: Arc<Notify>,
}

/// How the handler is given a batch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Attempt {
    /// All events at once: the rule.
    Whole,
    /// Each event behind a savepoint, to find the ones that are refused.
    EventByEvent,
}

/// Why an attempt was rolled back.
enum Failure {
    Stop(Stop),
    Refused(String),
    View(ViewError),
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

/// Brings the database's tables up to date, under sqlx's own lock: the framework's and the handler's.
///
/// # Errors
/// A database that is away, or that has another handler's tables.
pub fn migrate<H: Handler>(
    options: &PgConnectOptions,
) -> impl Future<Output = Result<(), MigrateError>> + Send + use<H> {
    let framework: Migrator = sqlx::migrate!("migrations/framework");
    let migrations = framework.iter().chain(H::migrations().iter()).cloned().collect();
    // A pool of its own, because a migration that fails leaves the lock on its connection.
    let pool = postgres::pool(options.clone(), 1);
    async move {
        let migrated = Migrator::with_migrations(migrations).run(&pool).await;
        pool.close().await;
        migrated
    }
}

impl<H: Handler> PgViewStore<H> {
    /// The view of `handler` in a database that [`migrate`] has prepared. `start` says where its consumer group
    /// began, `reset_id` names the declared reset that it began with.
    pub fn new(options: PgConnectOptions, handler: H, start: Start, reset_id: String) -> Self {
        let pool = postgres::pool(options, CONNECTIONS);
        Self { pool, handler, start, reset_id, committed: Arc::new(Notify::new()) }
    }

    /// Told after every commit.
    pub fn committed(&self) -> Arc<Notify> {
        Arc::clone(&self.committed)
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<(), ViewError> {
        postgres::ping(&self.pool).await.map_err(unavailable)
    }

    async fn attempt(&self, batch: &Batch, attempt: Attempt) -> Result<Applied, Failure> {
        let entries: Vec<Entry> = batch.records.iter().map(Entry::read).collect();
        let mut transaction = self.pool.begin().await?;
        let at = rows::lock(&mut transaction, batch, &self.reset_id).await?;
        if at != batch.expected {
            return Err(Failure::View(moved(batch, at)));
        }
        let facts = facts(&mut transaction, &entries).await?;
        let mut plan = Plan::new(&entries, facts, self.start).map_err(Failure::Stop)?;
        match attempt {
            Attempt::Whole => self.whole(&mut transaction, &entries, &plan).await?,
            Attempt::EventByEvent => self.event_by_event(&mut transaction, &entries, &mut plan).await?,
        }
        let next_offset = batch.records.last().map_or(0, |record| record.offset + 1);
        for (index, reason) in &plan.park {
            let place = entries[*index].place.as_ref();
            rows::park(&mut transaction, &batch.topic, &batch.records[*index], place, reason).await?;
        }
        rows::advance_sequences(&mut transaction, &plan.sequences).await?;
        rows::advance(&mut transaction, batch, next_offset).await?;
        transaction.commit().await?;
        self.committed.notify_one();
        log(batch, &entries, &plan);
        Ok(plan.outcome(next_offset))
    }

    async fn whole(
        &self,
        connection: &mut PgConnection,
        entries: &[Entry],
        plan: &Plan,
    ) -> Result<(), Failure> {
        let events: Vec<&Envelope> =
            plan.apply.iter().filter_map(|index| entries[*index].envelope()).collect();
        if events.is_empty() {
            return Ok(());
        }
        self.handler.apply(connection, &events).await.map_err(|error| match error {
            ApplyError::Refused(reason) => Failure::Refused(reason),
            ApplyError::Database(error) => error.into(),
        })
    }

    async fn event_by_event(
        &self,
        connection: &mut PgConnection,
        entries: &[Entry],
        plan: &mut Plan,
    ) -> Result<(), Failure> {
        for index in std::mem::take(&mut plan.apply) {
            let entry = &entries[index];
            let Some(event) = plan.still_due(index, entry) else { continue };
            let mut savepoint = connection.begin().await?;
            match self.handler.apply(&mut savepoint, &[event]).await {
                Ok(()) => {
                    savepoint.commit().await?;
                    plan.apply.push(index);
                }
                Err(ApplyError::Refused(reason)) => {
                    savepoint.rollback().await?;
                    plan.park(index, entry, reason);
                }
                Err(ApplyError::Database(error)) => return Err(error.into()),
            }
        }
        Ok(())
    }

    async fn apply_or_park(&self, batch: &Batch) -> Result<Applied, Failure> {
        match self.attempt(batch, Attempt::Whole).await {
            Err(Failure::Refused(reason)) => {
                tracing::warn!(
                    handler = H::NAME,
                    partition = batch.partition,
                    reason,
                    "looking for a refused event"
                );
                self.attempt(batch, Attempt::EventByEvent).await
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
    async fn checkpoint(&self, topic: &str, partition: u32) -> Result<Option<Checkpoint>, ViewError> {
        let ask = async {
            let mut connection = self.pool.acquire().await?;
            rows::checkpoint(&mut connection, topic, partition).await
        };
        tokio::time::timeout(ASK, ask).await.map_err(unavailable)?.map_err(unavailable)
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        if batch.records.is_empty() {
            return Ok(Applied { next_offset: batch.expected.unwrap_or_default(), ..Applied::default() });
        }
        tokio::time::timeout(APPLY, self.apply_up_to_a_stop(batch)).await.map_err(unavailable)?
    }
}

async fn facts(connection: &mut PgConnection, entries: &[Entry]) -> Result<Facts, sqlx::Error> {
    let places: Vec<_> = entries.iter().filter_map(|entry| entry.place.as_ref()).collect();
    let ids: Vec<_> = places.iter().filter_map(|place| place.event_id).collect();
    let mut events: Vec<&str> = places.iter().map(|place| place.seating_event.as_str()).collect();
    events.sort_unstable();
    events.dedup();
    let aggregates: Vec<&str> = places.iter().map(|place| place.aggregate.as_str()).collect();
    Ok(Facts {
        sequences: rows::sequences(connection, &events).await?,
        fresh: rows::remember(connection, &ids).await?,
        parked: rows::parked(connection, &aggregates).await?,
    })
}
