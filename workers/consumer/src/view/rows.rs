//! The framework's own tables in a handler's database: checkpoints, what was seen, what is set aside.
//!
//! Every function takes the connection of the batch's transaction and asks once for the whole batch.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Batch, Checkpoint};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::entry::Place;

/// The checkpoint of a partition.
pub async fn checkpoint(
    connection: &mut PgConnection,
    topic: &str,
    partition: u32,
) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row = sqlx::query(
        "SELECT next_offset, reset_id FROM checkpoint_partitions WHERE topic = $1 AND partition = $2",
    )
    .bind(topic)
    .bind(signed(partition))
    .fetch_optional(connection)
    .await?;
    row.map(|row| Ok(Checkpoint { next_offset: offset(row.try_get(0)?), reset_id: row.try_get(1)? }))
        .transpose()
}

/// Locks the checkpoint row of the batch's partition until the transaction ends, and says where it is. Without a row
/// where one was expected to be missing, makes one: of two members that do, the second waits and then finds it moved.
pub async fn lock(
    connection: &mut PgConnection,
    batch: &Batch,
    reset_id: &str,
) -> Result<Option<u64>, sqlx::Error> {
    if batch.expected.is_none() {
        let made = sqlx::query(
            "INSERT INTO checkpoint_partitions (topic, partition, next_offset, reset_id) VALUES ($1, $2, 0, $3)
             ON CONFLICT DO NOTHING",
        )
        .bind(&batch.topic)
        .bind(signed(batch.partition))
        .bind(reset_id)
        .execute(&mut *connection)
        .await?;
        if made.rows_affected() == 1 {
            return Ok(None);
        }
    }
    let at: Option<i64> = sqlx::query_scalar(
        "SELECT next_offset FROM checkpoint_partitions WHERE topic = $1 AND partition = $2 FOR UPDATE",
    )
    .bind(&batch.topic)
    .bind(signed(batch.partition))
    .fetch_optional(connection)
    .await?;
    Ok(at.map(offset))
}

/// Moves the checkpoint of a partition that is locked.
pub async fn advance(
    connection: &mut PgConnection,
    batch: &Batch,
    next_offset: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query("UPDATE checkpoint_partitions SET next_offset = $3 WHERE topic = $1 AND partition = $2")
        .bind(&batch.topic)
        .bind(signed(batch.partition))
        .bind(next_offset.cast_signed())
        .execute(connection)
        .await
        .map(drop)
}

/// Remembers event ids, and says which of them were never seen before.
pub async fn remember(connection: &mut PgConnection, ids: &[Uuid]) -> Result<HashSet<Uuid>, sqlx::Error> {
    let fresh: Vec<Uuid> = sqlx::query_scalar(
        "INSERT INTO processed_events (event_id) SELECT * FROM UNNEST($1::uuid[])
         ON CONFLICT DO NOTHING RETURNING event_id",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    Ok(fresh.into_iter().collect())
}

/// The last sequence applied of each SeatingEvent that has one.
pub async fn sequences(
    connection: &mut PgConnection,
    events: &[&str],
) -> Result<HashMap<String, u64>, sqlx::Error> {
    let rows: Vec<(String, i64)> =
        sqlx::query_as("SELECT seating_event, sequence FROM checkpoint_events WHERE seating_event = ANY($1)")
            .bind(events)
            .fetch_all(connection)
            .await?;
    Ok(rows.into_iter().map(|(event, sequence)| (event, offset(sequence))).collect())
}

/// Sets the last sequence of each SeatingEvent.
pub async fn advance_sequences(
    connection: &mut PgConnection,
    sequences: &BTreeMap<String, u64>,
) -> Result<(), sqlx::Error> {
    let events: Vec<&str> = sequences.keys().map(String::as_str).collect();
    let numbers: Vec<i64> = sequences.values().map(|sequence| sequence.cast_signed()).collect();
    sqlx::query(
        "INSERT INTO checkpoint_events (seating_event, sequence) SELECT * FROM UNNEST($1::text[], $2::bigint[])
         ON CONFLICT (seating_event) DO UPDATE SET sequence = EXCLUDED.sequence",
    )
    .bind(events)
    .bind(numbers)
    .execute(connection)
    .await
    .map(drop)
}

/// Those of `aggregates` that have parked events.
pub async fn parked(
    connection: &mut PgConnection,
    aggregates: &[&str],
) -> Result<HashSet<String>, sqlx::Error> {
    let parked: Vec<String> =
        sqlx::query_scalar("SELECT DISTINCT aggregate_id FROM parked_events WHERE aggregate_id = ANY($1)")
            .bind(aggregates)
            .fetch_all(connection)
            .await?;
    Ok(parked.into_iter().collect())
}

/// Sets a record aside with the reason.
pub async fn park(
    connection: &mut PgConnection,
    topic: &str,
    record: &Record,
    place: Option<&Place>,
    reason: &str,
) -> Result<(), sqlx::Error> {
    let headers: Vec<(String, String)> =
        record.headers.iter().map(|(name, value)| (storable(name), storable(value))).collect();
    sqlx::query(
        "INSERT INTO parked_events
            (topic, partition, record_offset, aggregate_id, seating_event, sequence, reason, key, headers, value)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(topic)
    .bind(signed(record.partition))
    .bind(record.offset.cast_signed())
    .bind(place.map(|place| storable(&place.aggregate)))
    .bind(place.map(|place| place.seating_event.as_str()))
    .bind(place.map(|place| place.sequence.cast_signed()))
    .bind(storable(reason))
    .bind(storable(&record.key))
    .bind(Json(headers))
    .bind(&record.value)
    .execute(connection)
    .await
    .map(drop)
}

/// Text as PostgreSQL takes it, which has no NUL: a record that holds one must not stop the partition it is parked
/// from. The record's value is kept as it came.
fn storable(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn signed(partition: u32) -> i32 {
    partition.cast_signed()
}

fn offset(stored: i64) -> u64 {
    stored.cast_unsigned()
}
