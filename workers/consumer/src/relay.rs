//! Publishes the domain events that a handler produced: from the outbox of its database to a topic of their own.
//!
//! Each row was written in the transaction that also moved the checkpoint, so nothing is announced that did not
//! happen, and nothing that happened is forgotten. Of all members of the group one holds the advisory lock and
//! publishes, in order; a row goes once Kafka has acknowledged it. Who dies in between leaves it to be published
//! again: readers go by `eventId`.
//!
//! A round is one transaction: the lock, the rows, their end. So the lock is that of the very server connection that
//! reads and deletes, whatever stands in between, and it goes with that connection.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::events::{self, Incoming, MalformedEvent};
use boxoffice_domain::partition::partition_of;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_runtime::postgres;
use boxoffice_runtime::record::{NewRecord, encode};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, PgTransaction};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Rows published at once.
const BATCH: i64 = 200;
/// How long rows of another member's transactions may wait, and a member for the lock.
const POLL: Duration = Duration::from_secs(1);
/// Longest time for a round: read, publish, delete. Shorter than the server lets a transaction be idle.
const ROUND: Duration = Duration::from_secs(20);
/// The advisory lock: one publisher a database, and one who looks after what is old.
pub const LOCK: i64 = 0x626f_786f_6666_6963;

/// Publishes one database's outbox.
pub struct Relay {
    /// Where to publish.
    pub log: Arc<dyn EventLog>,
    /// To which topic.
    pub topic: String,
    /// The ReservationService, as namespace/name: `ce_source`.
    pub source: String,
    /// The handler's database.
    pub database: PgConnectOptions,
    /// Told after every batch that was committed here.
    pub committed: Arc<Notify>,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error("the outbox cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the outbox holds something unexpected: {0}")]
    Malformed(#[from] MalformedEvent),
    #[error("gave up after {ROUND:?}")]
    TimedOut(#[from] tokio::time::error::Elapsed),
}

impl Relay {
    /// Publishes until `stop`. Whatever fails is tried again, on another connection.
    pub async fn run(self, stop: CancellationToken) {
        while !stop.is_cancelled() {
            if let Err(error) = self.rounds(&stop).await {
                tracing::warn!(%error, topic = self.topic, "the outbox waits");
            }
            stop.run_until_cancelled(tokio::time::sleep(POLL)).await;
        }
    }

    /// Publishes round after round on one connection.
    async fn rounds(&self, stop: &CancellationToken) -> Result<(), RelayError> {
        let mut connection = postgres::connect(&self.database).await?;
        let mut has_published = false;
        while !stop.is_cancelled() {
            let published = tokio::time::timeout(ROUND, self.round(&mut connection)).await??;
            if published > 0 && !std::mem::replace(&mut has_published, true) {
                tracing::info!(topic = self.topic, "publishing the outbox");
            }
            if published == 0 {
                let more = tokio::time::timeout(POLL, self.committed.notified());
                stop.run_until_cancelled(more).await;
            }
        }
        Ok(connection.close().await?)
    }

    /// Publishes the oldest rows, where no other member is about it; how many.
    async fn round(&self, connection: &mut PgConnection) -> Result<usize, RelayError> {
        let mut transaction = connection.begin().await?;
        let is_mine: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
            .bind(LOCK)
            .fetch_one(&mut *transaction)
            .await?;
        let published = if is_mine { self.publish(&mut transaction).await? } else { 0 };
        transaction.commit().await?;
        Ok(published)
    }

    async fn publish(&self, transaction: &mut PgTransaction<'_>) -> Result<usize, RelayError> {
        let rows: Vec<(i64, Vec<u8>)> =
            sqlx::query_as("SELECT id, envelope FROM outbox ORDER BY id LIMIT $1")
                .bind(BATCH)
                .fetch_all(&mut **transaction)
                .await?;
        if rows.is_empty() {
            return Ok(0);
        }
        let partitions = self.log.partitions(&self.topic).await?;
        let records = rows.iter().map(|(_, envelope)| self.record(envelope, partitions));
        let records = records.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect();
        self.log.publish(&self.topic, records).await?;
        let ids: Vec<i64> = rows.iter().map(|(id, _)| *id).collect();
        sqlx::query("DELETE FROM outbox WHERE id = ANY($1)").bind(&ids).execute(&mut **transaction).await?;
        Ok(ids.len())
    }

    /// The record of an outbox row; `None` for a type that another version of this handler wrote.
    fn record(&self, json: &[u8], partitions: u32) -> Result<Option<NewRecord>, MalformedEvent> {
        let Incoming::Known(envelope) = events::parse(json)? else { return Ok(None) };
        let partition = partition_of(envelope.event.seating_event().as_str(), partitions);
        encode(&envelope, partition, &self.source, None).map(Some)
    }
}
