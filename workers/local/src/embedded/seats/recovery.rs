//! Reads every SeatingEvent back from its domain events, and the answers under idempotency keys: what a process remembers
//! is what it was told by the last one.

use std::collections::HashMap;
use std::fmt::Display;

use boxoffice_command::store::embedded::{Aggregate, Given};
use boxoffice_command::store::{OutboxEntry, StoreError};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{Envelope, SeatingEventId};
use futures::TryStreamExt;
use sqlx::SqlitePool;

const PINNED: &str = "
    SELECT seating_event, partition, coalesce(published.sequence, 0)
    FROM seating_events LEFT JOIN published USING (seating_event)";
const ANSWERS: &str =
    "SELECT seating_event, at, key, fingerprint, answer FROM answers ORDER BY seating_event, at";

/// Every SeatingEvent with its seats, and in its outbox what the log does not have yet.
pub async fn aggregates(file: &SqlitePool) -> Result<HashMap<SeatingEventId, Aggregate>, StoreError> {
    let pinned: Vec<(String, u32, i64)> =
        sqlx::query_as(PINNED).fetch_all(file).await.map_err(|error| unreadable(&error))?;
    let mut aggregates = HashMap::new();
    for (event, partition, published) in pinned {
        let id: SeatingEventId = event.parse().map_err(|error| unexpected(&event, &error))?;
        aggregates.insert(id.clone(), Aggregate::of_the_past(id, partition, published.cast_unsigned()));
    }
    let statement =
        "SELECT seating_event, sequence, envelope, traceparent FROM events ORDER BY seating_event, sequence";
    let mut rows = sqlx::query_as::<_, (String, i64, String, Option<String>)>(statement).fetch(file);
    while let Some((event, sequence, json, traceparent)) =
        rows.try_next().await.map_err(|error| unreadable(&error))?
    {
        let aggregate =
            aggregates.get_mut(event.as_str()).ok_or_else(|| unexpected(&event, &"it has no partition"))?;
        let envelope = envelope(&event, &json)?;
        if (envelope.metadata.sequence, aggregate.sequence() + 1)
            != (Some(sequence.cast_unsigned()), sequence.cast_unsigned())
        {
            return Err(unexpected(
                &event,
                &format_args!("I3: sequence {sequence} follows {}", aggregate.sequence()),
            ));
        }
        aggregate.apply(OutboxEntry { envelope, traceparent, after: None });
    }
    recall_answers(file, &mut aggregates).await?;
    Ok(aggregates)
}

/// Gives every SeatingEvent the answers that its callers may still ask for again.
async fn recall_answers(
    file: &SqlitePool,
    aggregates: &mut HashMap<SeatingEventId, Aggregate>,
) -> Result<(), StoreError> {
    let mut rows = sqlx::query_as::<_, (String, i64, String, String, String)>(ANSWERS).fetch(file);
    while let Some((event, at, key, fingerprint, json)) =
        rows.try_next().await.map_err(|error| unreadable(&error))?
    {
        let aggregate =
            aggregates.get_mut(event.as_str()).ok_or_else(|| unexpected(&event, &"it has no partition"))?;
        let given = Given::read(&json).map_err(|error| unexpected(&event, &error))?;
        aggregate.recall(&key, fingerprint, given.at(at.cast_unsigned()));
    }
    Ok(())
}

fn envelope(event: &str, json: &str) -> Result<Envelope, StoreError> {
    match parse(json.as_bytes()) {
        Ok(Incoming::Known(envelope)) => Ok(envelope),
        Ok(Incoming::Unknown(unknown)) => {
            Err(unexpected(event, &format_args!("{} is of another version", unknown.event_type)))
        }
        Err(error) => Err(unexpected(event, &error)),
    }
}

fn unreadable(error: &sqlx::Error) -> StoreError {
    StoreError::Unavailable(format!("the data file cannot be read: {error}"))
}

fn unexpected(event: &str, problem: &dyn Display) -> StoreError {
    StoreError::Corrupt(format!("the data file, event {event}: {problem}"))
}
