//! Counts by section, announced as `stats.updated` once a batch and SeatingEvent.
//!
//! [`tally`] counts in memory what a batch changes; the rows, and the [`announcement`] in the outbox, are written in
//! the batch's transaction. [`crate::relay`] publishes the outbox.

pub mod tally;

pub mod announcement;

use std::collections::BTreeMap;

use async_trait::async_trait;
use boxoffice_domain::{DomainEvent, Envelope, Projected, SeatId, SeatingEventId, project};
use sqlx::migrate::Migrator;
use sqlx::{PgConnection, Row};

use super::{ApplyError, Handler, seats};
use announcement::Cause;
use tally::{Claim, Counts, Tally};

/// Keeps the statistics.
#[derive(Debug, Clone, Copy)]
pub struct StatsHandler;

#[async_trait]
impl Handler for StatsHandler {
    const NAME: &'static str = "stats";
    /// Announcements of a replay say what was true before, and their readers go by `asOfSequence`.
    const REPLAYABLE: bool = true;
    const PRODUCES: bool = true;

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/stats")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let mut last: BTreeMap<&SeatingEventId, &Envelope> = BTreeMap::new();
        let mut pending: Vec<&DomainEvent> = vec![];
        for envelope in events {
            match project(&envelope.event) {
                Projected::Defined(defined) => {
                    count(connection, std::mem::take(&mut pending)).await?;
                    seats::define(connection, defined).await?;
                    recount(connection, &defined.event_id).await?;
                }
                // What is announced of it then are no sections.
                Projected::Purged => {
                    count(connection, std::mem::take(&mut pending)).await?;
                    forget(connection, envelope.event.seating_event()).await?;
                }
                Projected::Seat { .. } => pending.push(&envelope.event),
                _ => continue,
            }
            last.insert(envelope.event.seating_event(), envelope);
        }
        count(connection, pending).await?;
        for (event, cause) in last {
            announce(connection, event, cause.into()).await?;
        }
        Ok(())
    }
}

/// Counts what changes of seats mean for their sections.
async fn count(connection: &mut PgConnection, events: Vec<&DomainEvent>) -> Result<(), ApplyError> {
    if events.is_empty() {
        return Ok(());
    }
    let touched: Vec<&SeatId> = events.iter().filter_map(|event| tally::seat(event)).collect();
    let mut tally = Tally::new(claims(connection, &touched).await?);
    for event in events {
        tally.count(event)?;
    }
    let (claims, sections) = tally.into_parts();
    sqlx::query(
        "UPDATE seats SET status = change.status, amount = change.amount
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[]) AS change (event_id, seat_key, status, amount)
         WHERE seats.event_id = change.event_id AND seats.seat_key = change.seat_key",
    )
    .bind(claims.keys().map(SeatId::event).collect::<Vec<_>>())
    .bind(claims.keys().map(SeatId::key).collect::<Vec<_>>())
    .bind(claims.values().map(|claim| claim.status.as_str()).collect::<Vec<_>>())
    .bind(claims.values().map(|claim| claim.amount).collect::<Vec<_>>())
    .execute(&mut *connection)
    .await?;
    let column = |of: fn(&Counts) -> i64| sections.values().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "UPDATE section_stats AS stats SET
             available = stats.available + change.available, held = stats.held + change.held,
             reserved = stats.reserved + change.reserved, released = stats.released + change.released,
             revenue = stats.revenue + change.revenue
         FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
              AS change (event_id, section_id, available, held, reserved, released, revenue)
         WHERE stats.event_id = change.event_id AND stats.section_id = change.section_id",
    )
    .bind(sections.keys().map(|(event, _)| event.as_str()).collect::<Vec<_>>())
    .bind(sections.keys().map(|(_, section)| section.as_str()).collect::<Vec<_>>())
    .bind(column(|counts| counts.available))
    .bind(column(|counts| counts.held))
    .bind(column(|counts| counts.reserved))
    .bind(column(|counts| counts.released))
    .bind(column(|counts| counts.revenue))
    .execute(connection)
    .await?;
    Ok(())
}

/// The claims on `seats` as the database has them.
async fn claims(
    connection: &mut PgConnection,
    seats: &[&SeatId],
) -> Result<BTreeMap<SeatId, Claim>, ApplyError> {
    let rows: Vec<(String, String, i64)> = sqlx::query_as(
        "SELECT DISTINCT event_id || '.' || seat_key, status, amount FROM seats
         JOIN UNNEST($1::text[], $2::text[]) AS wanted (event_id, seat_key) USING (event_id, seat_key)",
    )
    .bind(seats.iter().map(|seat| seat.event()).collect::<Vec<_>>())
    .bind(seats.iter().map(|seat| seat.key()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter()
        .map(|(seat, status, amount)| {
            let seat = seat.parse().map_err(|error| ApplyError::Refused(format!("{error}")))?;
            let status = status.parse().map_err(ApplyError::Refused)?;
            Ok((seat, Claim { status, amount }))
        })
        .collect()
}

/// Counts a SeatingEvent's seats from scratch; `released` goes on.
async fn recount(connection: &mut PgConnection, event: &SeatingEventId) -> Result<(), ApplyError> {
    sqlx::query(
        "DELETE FROM section_stats WHERE event_id = $1 AND section_id NOT IN
             (SELECT split_part(seat_key, '-', 1) FROM seats WHERE event_id = $1)",
    )
    .bind(event.as_str())
    .execute(&mut *connection)
    .await?;
    sqlx::query(
        "INSERT INTO section_stats (event_id, section_id, available, held, reserved, revenue)
         SELECT event_id, split_part(seat_key, '-', 1),
                count(*) FILTER (WHERE status = 'AVAILABLE'), count(*) FILTER (WHERE status = 'HELD'),
                count(*) FILTER (WHERE status = 'RESERVED'),
                coalesce(sum(amount) FILTER (WHERE status = 'RESERVED'), 0)::bigint
         FROM seats WHERE event_id = $1 GROUP BY 1, 2
         ON CONFLICT (event_id, section_id) DO UPDATE SET
             available = EXCLUDED.available, held = EXCLUDED.held, reserved = EXCLUDED.reserved,
             revenue = EXCLUDED.revenue",
    )
    .bind(event.as_str())
    .execute(connection)
    .await?;
    Ok(())
}

/// Forgets a SeatingEvent with its seats and their counts: one of the same id that comes later is counted from nothing.
async fn forget(connection: &mut PgConnection, event: &SeatingEventId) -> Result<(), ApplyError> {
    seats::purge(connection, event).await?;
    sqlx::query("DELETE FROM section_stats WHERE event_id = $1")
        .bind(event.as_str())
        .execute(connection)
        .await?;
    Ok(())
}

/// Puts the counts of a SeatingEvent into the outbox.
async fn announce(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    cause: Cause,
) -> Result<(), ApplyError> {
    let rows = sqlx::query(
        "SELECT section_id, available, held, reserved, released, revenue FROM section_stats
         WHERE event_id = $1 ORDER BY section_id",
    )
    .bind(event.as_str())
    .fetch_all(&mut *connection)
    .await?;
    let sections = rows.iter().map(|row| {
        let counts = Counts {
            available: row.try_get("available")?,
            held: row.try_get("held")?,
            reserved: row.try_get("reserved")?,
            released: row.try_get("released")?,
            revenue: row.try_get("revenue")?,
        };
        Ok(counts.announced(row.try_get("section_id")?))
    });
    let sections = sections.collect::<Result<_, sqlx::Error>>()?;
    let envelope = announcement::announce(event.clone(), cause, sections);
    let json = envelope.to_json().map_err(|error| ApplyError::Refused(error.to_string()))?;
    sqlx::query("INSERT INTO outbox (envelope) VALUES ($1)").bind(json).execute(connection).await?;
    Ok(())
}
