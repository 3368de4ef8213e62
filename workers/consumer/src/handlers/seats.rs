//! The chart in a database: the tables `seating_events` and `seats`, which the seat view and the statistics both have.
//!
//! Does to rows what [`boxoffice_domain::SeatMap`] does in memory when a definition changes: seats that it drops go,
//! new ones are available, what the event says it blocks and unblocks is so, claimed ones stay claimed.

use boxoffice_domain::events::SeatingEventDefined;
use boxoffice_domain::evolve::block_changes;
use boxoffice_domain::{Chart, ChartSeat, Definition, SeatingEventId};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::ApplyError;

/// Takes over a definition.
///
/// # Errors
/// [`ApplyError::Refused`] where its ranges do not expand.
pub async fn define(connection: &mut PgConnection, defined: &SeatingEventDefined) -> Result<(), ApplyError> {
    let event = defined.event_id.as_str();
    let chart = Chart::expand(&defined.definition).map_err(|error| ApplyError::Refused(error.to_string()))?;
    let keys: Vec<String> = chart.seats().map(ChartSeat::key).collect();
    let before = definition_of(connection, event).await?;
    let (blocks, unblocks) = block_changes(defined, before.as_ref());
    let blocks: Vec<String> = blocks.into_keys().collect();

    sqlx::query(
        "INSERT INTO seating_events (event_id, definition, chart_hash) VALUES ($1, $2, $3)
         ON CONFLICT (event_id) DO UPDATE
         SET definition = EXCLUDED.definition, chart_hash = EXCLUDED.chart_hash, closed = false",
    )
    .bind(event)
    .bind(Json(&defined.definition))
    .bind(&defined.chart_hash)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "DELETE FROM seats WHERE event_id = $1
         AND NOT EXISTS (SELECT FROM UNNEST($2::text[]) AS chart (seat_key) WHERE chart.seat_key = seats.seat_key)",
    )
    .bind(event)
    .bind(&keys)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE seats SET status = 'AVAILABLE'
         WHERE event_id = $1 AND seat_key = ANY($2) AND status = 'BLOCKED'",
    )
    .bind(event)
    .bind(&unblocks)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO seats (event_id, seat_key, status) SELECT $1, seat_key, 'AVAILABLE'
         FROM UNNEST($2::text[]) AS chart (seat_key) ON CONFLICT DO NOTHING",
    )
    .bind(event)
    .bind(&keys)
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "UPDATE seats SET status = 'BLOCKED'
         WHERE event_id = $1 AND seat_key = ANY($2) AND status = 'AVAILABLE'",
    )
    .bind(event)
    .bind(&blocks)
    .execute(connection)
    .await?;
    Ok(())
}

/// Closes a SeatingEvent for good; its seats stay.
pub async fn close(connection: &mut PgConnection, event: &SeatingEventId) -> Result<(), ApplyError> {
    sqlx::query("UPDATE seating_events SET closed = true WHERE event_id = $1")
        .bind(event.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Forgets a SeatingEvent with its seats.
pub async fn purge(connection: &mut PgConnection, event: &SeatingEventId) -> Result<(), ApplyError> {
    for statement in
        ["DELETE FROM seats WHERE event_id = $1", "DELETE FROM seating_events WHERE event_id = $1"]
    {
        sqlx::query(statement).bind(event.as_str()).execute(&mut *connection).await?;
    }
    Ok(())
}

/// The definition so far.
async fn definition_of(connection: &mut PgConnection, event: &str) -> Result<Option<Definition>, ApplyError> {
    let before: Option<Json<Definition>> =
        sqlx::query_scalar("SELECT definition FROM seating_events WHERE event_id = $1")
            .bind(event)
            .fetch_optional(connection)
            .await?;
    Ok(before.map(|Json(definition)| definition))
}
