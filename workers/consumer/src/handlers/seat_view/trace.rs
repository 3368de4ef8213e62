//! Every domain event with its correlation and cause: what `/trace/{correlationId}` is drawn from. A table a month, made
//! when a batch needs it.

use boxoffice_domain::{Envelope, UserId};
use sqlx::PgConnection;

use crate::handlers::{ApplyError, bigint};

/// Adds `events` to the trace.
pub async fn write(connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
    let timestamps = events.iter().map(|event| bigint(event.timestamp)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "SELECT trace_month(at) FROM (
             SELECT DISTINCT at FROM UNNEST($1::bigint[]) AS event (at)
             WHERE NOT EXISTS (SELECT FROM trace_months WHERE begins_at <= at AND at < ends_at)) AS missing",
    )
    .bind(&timestamps)
    .execute(&mut *connection)
    .await?;
    let sequences = events.iter().map(|event| bigint(event.metadata.sequence.unwrap_or_default()));
    sqlx::query(
        "INSERT INTO trace (event_id, correlation_id, causation_id, event_type, aggregate_id, seating_event,
                            sequence, timestamp, user_id, version)
         SELECT * FROM UNNEST($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::text[], $6::text[],
                              $7::bigint[], $8::bigint[], $9::text[], $10::integer[])",
    )
    .bind(events.iter().map(|event| event.event_id).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.metadata.correlation_id.as_str()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.metadata.causation_id).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event.event_type()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event.aggregate_id()).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.event.seating_event().as_str()).collect::<Vec<_>>())
    .bind(sequences.collect::<Result<Vec<_>, _>>()?)
    .bind(timestamps)
    .bind(events.iter().map(|event| event.user().map(UserId::as_str)).collect::<Vec<_>>())
    .bind(events.iter().map(|event| event.version.cast_signed()).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}
