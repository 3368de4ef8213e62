//! The framework's own tables in a handler's database: checkpoints, what was seen, what is set aside.
//!
//! Every function takes the connection of the batch's transaction and asks once for the whole batch.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_domain::checkpoint::{Span, Start};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Batch, Beginning, Checkpoint, Checkpoints};
use sqlx::types::Json;
use sqlx::{PgConnection, Row};
use uuid::Uuid;

use super::entry::StreamPosition;
use crate::handlers::Reborn;

/// The checkpoints of those of `partitions` that have one.
pub async fn checkpoints(
    connection: &mut PgConnection,
    partitions: &[TopicPartition],
) -> Result<Checkpoints, sqlx::Error> {
    let (topics, numbers) = columns(partitions);
    let rows = sqlx::query(
        "SELECT topic, partition, next_offset, reset_id, log FROM checkpoint_partitions
         JOIN UNNEST($1::text[], $2::integer[]) AS asked (topic, partition) USING (topic, partition)",
    )
    .bind(topics)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    let checkpoint = |row: &sqlx::postgres::PgRow| {
        let number: i32 = row.try_get(1)?;
        let partition = TopicPartition { topic: row.try_get(0)?, partition: number.cast_unsigned() };
        let next_offset = offset(row.try_get(2)?);
        let checkpoint = Checkpoint { next_offset, reset_id: row.try_get(3)?, log: row.try_get(4)? };
        Ok((partition, checkpoint))
    };
    rows.iter().map(checkpoint).collect()
}

/// Makes the checkpoints of partitions that have none, or one of another topic of that name. One of which nobody knows of
/// which topic it is stays where it is, and so do the sequences that were met on it.
pub async fn begin(
    connection: &mut PgConnection,
    beginnings: &[Beginning],
    reset_id: &str,
) -> Result<(), sqlx::Error> {
    let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
    let (topics, numbers) = columns(&partitions);
    let logs: Vec<_> = beginnings.iter().map(|beginning| beginning.log.as_deref()).collect();
    sqlx::query(
        "UPDATE checkpoint_partitions AS known SET log = beginning.log
         FROM UNNEST($1::text[], $2::integer[], $3::text[]) AS beginning (topic, partition, log)
         WHERE (known.topic, known.partition) = (beginning.topic, beginning.partition)
             AND known.log IS NULL AND beginning.log IS NOT NULL",
    )
    .bind(&topics)
    .bind(&numbers)
    .bind(&logs)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO checkpoint_partitions AS known
            (topic, partition, next_offset, begins_at, earliest, reset_id, log)
         SELECT topic, partition, begins_at, begins_at, earliest, $5, log
         FROM UNNEST($1::text[], $2::integer[], $3::bigint[], $4::boolean[], $6::text[])
              AS beginning (topic, partition, begins_at, earliest, log)
         ORDER BY topic, partition
         ON CONFLICT (topic, partition) DO UPDATE SET
             (next_offset, begins_at, earliest, reset_id, log) =
             (EXCLUDED.next_offset, EXCLUDED.begins_at, EXCLUDED.earliest, EXCLUDED.reset_id, EXCLUDED.log)
         WHERE known.log <> EXCLUDED.log",
    )
    .bind(&topics)
    .bind(&numbers)
    .bind(beginnings.iter().map(|beginning| beginning.offset.cast_signed()).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|beginning| beginning.earliest).collect::<Vec<_>>())
    .bind(reset_id)
    .bind(&logs)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE checkpoint_events SET log = beginning.log
         FROM UNNEST($1::text[], $2::text[]) AS beginning (topic, log) JOIN owner USING (topic)
         WHERE checkpoint_events.log IS NULL AND beginning.log IS NOT NULL",
    )
    .bind(&topics)
    .bind(&logs)
    .execute(connection)
    .await
    .map(drop)
}

fn columns(partitions: &[TopicPartition]) -> (Vec<&str>, Vec<i32>) {
    partitions.iter().map(|partition| (partition.topic.as_str(), signed(partition.partition))).unzip()
}

/// Locks the checkpoint row of the batch's partition until the transaction ends, and says where it is and where the view
/// began: there is none where the database was emptied meanwhile, or the view began on another topic. `declared` is the start
/// of a view that began before views kept it.
pub async fn lock(
    connection: &mut PgConnection,
    batch: &Batch,
    declared: Start,
) -> Result<Option<(u64, Start)>, sqlx::Error> {
    let row: Option<(i64, Option<bool>)> = sqlx::query_as(
        "SELECT next_offset, earliest FROM checkpoint_partitions
         WHERE topic = $1 AND partition = $2 AND log IS NOT DISTINCT FROM coalesce($3, log) FOR UPDATE",
    )
    .bind(&batch.topic)
    .bind(signed(batch.partition))
    .bind(&batch.log)
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|(at, earliest)| {
        let start = match earliest {
            Some(true) => Start::Earliest,
            Some(false) => Start::Elsewhere,
            None => declared,
        };
        (offset(at), start)
    }))
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

/// The sequences met of each SeatingEvent that has any, and those that were met on another topic than `log`.
pub async fn spans(
    connection: &mut PgConnection,
    events: &[&str],
    log: Option<&str>,
) -> Result<(HashMap<String, Span>, HashSet<String>), sqlx::Error> {
    let rows: Vec<(String, i64, i64, bool)> = sqlx::query_as(
        "SELECT seating_event, coalesce(first_sequence, sequence), sequence, coalesce(log <> $2, false)
         FROM checkpoint_events WHERE seating_event = ANY($1)",
    )
    .bind(events)
    .bind(log)
    .fetch_all(connection)
    .await?;
    let former = rows.iter().filter(|(.., is_former)| *is_former).map(|(event, ..)| event.clone()).collect();
    let span = |(event, first, last, _)| (event, Span { first: offset(first), last: offset(last) });
    Ok((rows.into_iter().map(span).collect(), former))
}

/// Forgets the sequences met of SeatingEvents that are created anew, and what is set aside of before: redriven, it would be
/// taken for theirs. How many records that was.
pub async fn forget(connection: &mut PgConnection, reborn: &[Reborn]) -> Result<u64, sqlx::Error> {
    let events: Vec<_> = reborn.iter().map(|reborn| reborn.event.as_str()).collect();
    sqlx::query("DELETE FROM checkpoint_events WHERE seating_event = ANY($1)")
        .bind(&events)
        .execute(&mut *connection)
        .await?;
    let parked = sqlx::query("DELETE FROM parked_events WHERE seating_event = ANY($1)")
        .bind(&events)
        .execute(connection)
        .await?;
    Ok(parked.rows_affected())
}

/// Notes the sequences met of each SeatingEvent on the topic `log`; the first one stays.
pub async fn advance_spans(
    connection: &mut PgConnection,
    spans: &BTreeMap<String, Span>,
    log: Option<&str>,
) -> Result<(), sqlx::Error> {
    if spans.is_empty() {
        return Ok(());
    }
    let numbers =
        |of: fn(&Span) -> u64| spans.values().map(|span| of(span).cast_signed()).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO checkpoint_events (seating_event, first_sequence, sequence, log)
         SELECT *, $4::text FROM UNNEST($1::text[], $2::bigint[], $3::bigint[])
         ON CONFLICT (seating_event) DO UPDATE SET sequence = EXCLUDED.sequence, log = EXCLUDED.log,
             first_sequence = coalesce(checkpoint_events.first_sequence, EXCLUDED.first_sequence)",
    )
    .bind(spans.keys().map(String::as_str).collect::<Vec<_>>())
    .bind(numbers(|span| span.first))
    .bind(numbers(|span| span.last))
    .bind(log)
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

/// A record that is set aside.
pub struct Parked<'a> {
    /// The record.
    pub record: &'a Record,
    /// Where it stands; `None` where it is foreign.
    pub position: Option<&'a StreamPosition>,
    /// Why.
    pub reason: &'a str,
}

/// Sets records aside, in order: one statement, however many there are.
pub async fn park(
    connection: &mut PgConnection,
    topic: &str,
    parked: &[Parked<'_>],
) -> Result<(), sqlx::Error> {
    if parked.is_empty() {
        return Ok(());
    }
    let headers = |record: &Record| {
        let headers = record.headers.iter().map(|(name, value)| (storable(name), storable(value)));
        Json(headers.collect::<Vec<_>>())
    };
    sqlx::query(
        "INSERT INTO parked_events
            (topic, partition, record_offset, aggregate_id, seating_event, sequence, reason, key, headers, value)
         SELECT $1, partition, record_offset, aggregate_id, seating_event, sequence, reason, key, headers, value
         FROM UNNEST($2::integer[], $3::bigint[], $4::text[], $5::text[], $6::bigint[], $7::text[], $8::text[],
                     $9::jsonb[], $10::bytea[]) WITH ORDINALITY
              AS parked (partition, record_offset, aggregate_id, seating_event, sequence, reason, key, headers,
                         value, place)
         ORDER BY place",
    )
    .bind(topic)
    .bind(parked.iter().map(|parked| signed(parked.record.partition)).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| parked.record.offset.cast_signed()).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| parked.position.map(|position| storable(&position.aggregate))).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| parked.position.map(|position| position.seating_event.to_string())).collect::<Vec<_>>())
    .bind(
        parked
            .iter()
            .map(|parked| parked.position.and_then(|position| position.sequence).map(u64::cast_signed))
            .collect::<Vec<_>>(),
    )
    .bind(parked.iter().map(|parked| storable(parked.reason)).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| storable(&parked.record.key)).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| headers(parked.record)).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| parked.record.value.clone()).collect::<Vec<_>>())
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
