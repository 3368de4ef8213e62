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

use super::entry::Place;

/// The checkpoints of those of `partitions` that have one.
pub async fn checkpoints(
    connection: &mut PgConnection,
    partitions: &[TopicPartition],
) -> Result<Checkpoints, sqlx::Error> {
    let (topics, numbers) = columns(partitions);
    let rows = sqlx::query(
        "SELECT topic, partition, next_offset, reset_id FROM checkpoint_partitions
         JOIN UNNEST($1::text[], $2::integer[]) AS asked (topic, partition) USING (topic, partition)",
    )
    .bind(topics)
    .bind(numbers)
    .fetch_all(connection)
    .await?;
    let checkpoint = |row: &sqlx::postgres::PgRow| {
        let number: i32 = row.try_get(1)?;
        let partition = TopicPartition { topic: row.try_get(0)?, partition: number.cast_unsigned() };
        let checkpoint = Checkpoint { next_offset: offset(row.try_get(2)?), reset_id: row.try_get(3)? };
        Ok((partition, checkpoint))
    };
    rows.iter().map(checkpoint).collect()
}

/// Makes the checkpoints of partitions that have none.
pub async fn begin(
    connection: &mut PgConnection,
    beginnings: &[Beginning],
    reset_id: &str,
) -> Result<(), sqlx::Error> {
    let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
    let (topics, numbers) = columns(&partitions);
    sqlx::query(
        "INSERT INTO checkpoint_partitions (topic, partition, next_offset, begins_at, earliest, reset_id)
         SELECT topic, partition, begins_at, begins_at, earliest, $5
         FROM UNNEST($1::text[], $2::integer[], $3::bigint[], $4::boolean[])
              AS beginning (topic, partition, begins_at, earliest)
         ORDER BY topic, partition ON CONFLICT DO NOTHING",
    )
    .bind(topics)
    .bind(numbers)
    .bind(beginnings.iter().map(|beginning| beginning.offset.cast_signed()).collect::<Vec<_>>())
    .bind(beginnings.iter().map(|beginning| beginning.earliest).collect::<Vec<_>>())
    .bind(reset_id)
    .execute(connection)
    .await
    .map(drop)
}

fn columns(partitions: &[TopicPartition]) -> (Vec<&str>, Vec<i32>) {
    partitions.iter().map(|partition| (partition.topic.as_str(), signed(partition.partition))).unzip()
}

/// Locks the checkpoint row of the batch's partition until the transaction ends, and says where it is and where the view
/// began: there is none where the database was emptied meanwhile. `declared` is the start of a view that began before
/// views kept it.
pub async fn lock(
    connection: &mut PgConnection,
    batch: &Batch,
    declared: Start,
) -> Result<Option<(u64, Start)>, sqlx::Error> {
    let row: Option<(i64, Option<bool>)> = sqlx::query_as(
        "SELECT next_offset, earliest FROM checkpoint_partitions WHERE topic = $1 AND partition = $2 FOR UPDATE",
    )
    .bind(&batch.topic)
    .bind(signed(batch.partition))
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

/// The sequences met of each SeatingEvent that has any.
pub async fn spans(
    connection: &mut PgConnection,
    events: &[&str],
) -> Result<HashMap<String, Span>, sqlx::Error> {
    let rows: Vec<(String, i64, i64)> = sqlx::query_as(
        "SELECT seating_event, coalesce(first_sequence, sequence), sequence FROM checkpoint_events
         WHERE seating_event = ANY($1)",
    )
    .bind(events)
    .fetch_all(connection)
    .await?;
    let span = |(event, first, last)| (event, Span { first: offset(first), last: offset(last) });
    Ok(rows.into_iter().map(span).collect())
}

/// Notes the sequences met of each SeatingEvent; the first one stays.
pub async fn advance_spans(
    connection: &mut PgConnection,
    spans: &BTreeMap<String, Span>,
) -> Result<(), sqlx::Error> {
    if spans.is_empty() {
        return Ok(());
    }
    let numbers =
        |of: fn(&Span) -> u64| spans.values().map(|span| of(span).cast_signed()).collect::<Vec<_>>();
    sqlx::query(
        "INSERT INTO checkpoint_events (seating_event, first_sequence, sequence)
         SELECT * FROM UNNEST($1::text[], $2::bigint[], $3::bigint[])
         ON CONFLICT (seating_event) DO UPDATE SET sequence = EXCLUDED.sequence,
             first_sequence = coalesce(checkpoint_events.first_sequence, EXCLUDED.first_sequence)",
    )
    .bind(spans.keys().map(String::as_str).collect::<Vec<_>>())
    .bind(numbers(|span| span.first))
    .bind(numbers(|span| span.last))
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
    pub place: Option<&'a Place>,
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
    .bind(parked.iter().map(|parked| parked.place.map(|place| storable(&place.aggregate))).collect::<Vec<_>>())
    .bind(parked.iter().map(|parked| parked.place.map(|place| place.seating_event.to_string())).collect::<Vec<_>>())
    .bind(
        parked
            .iter()
            .map(|parked| parked.place.and_then(|place| place.sequence).map(u64::cast_signed))
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
