//! What leaves the view because it is old: months of the trace, the seats of shows that are over, and long after these
//! their reservations with their payments.
//!
//! A show may be put off when its seats have left: what they were is then worked out again from the reservations, which
//! stay, and from the list of those that were blocked.

use boxoffice_domain::{SeatingEventId, UnixMillis};
use sqlx::PgConnection;

use crate::handlers::seats::history::History;
use crate::handlers::{ApplyError, Retention, Upkeep, bigint};

/// A day in milliseconds.
const DAY: u64 = 24 * 60 * 60 * 1000;

/// A bounded part of what is to be done at `now`: each is a transaction of its own.
pub async fn round(
    connection: &mut PgConnection,
    retention: Retention,
    now: UnixMillis,
) -> Result<Upkeep, ApplyError> {
    let Retention { trace_days, reservation_days } = retention;
    // So that a batch seldom has to.
    sqlx::query("SELECT trace_month($1 + ahead * 31 * 86400000::bigint) FROM generate_series(0, 1) AS ahead")
        .bind(bigint(now)?)
        .execute(&mut *connection)
        .await?;
    sqlx::query("SELECT trace_forget($1)")
        .bind(bigint(now.saturating_sub(u64::from(trace_days) * DAY))?)
        .execute(&mut *connection)
        .await?;
    let has_left = leave(connection, now).await?;
    let long_ago = now.saturating_sub(u64::from(reservation_days) * DAY);
    let is_forgotten = forget(connection, long_ago).await?;
    Ok(if has_left || is_forgotten { Upkeep::More } else { Upkeep::Done })
}

/// Takes the seats of one show that is over out of the view; whether there was one.
async fn leave(connection: &mut PgConnection, now: UnixMillis) -> Result<bool, ApplyError> {
    let over: Option<String> = sqlx::query_scalar(
        "SELECT event_id FROM seating_events WHERE over_at <= $1 ORDER BY over_at LIMIT 1",
    )
    .bind(bigint(now)?)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(event) = over else { return Ok(false) };
    // No batch is under way then: one that puts the show off sees it either here or gone.
    sqlx::query("SELECT FROM checkpoint_partitions ORDER BY topic, partition FOR UPDATE")
        .execute(&mut *connection)
        .await?;
    let left = sqlx::query(
        "INSERT INTO shows (event_id, over_at, blocked)
         SELECT event_id, over_at, ARRAY(SELECT seat_key FROM seats
                                         WHERE seats.event_id = show.event_id AND status = 'BLOCKED' ORDER BY 1)
         FROM seating_events AS show WHERE event_id = $1 AND over_at <= $2
         ON CONFLICT (event_id) DO UPDATE SET over_at = EXCLUDED.over_at, blocked = EXCLUDED.blocked",
    )
    .bind(&event)
    .bind(bigint(now)?)
    .execute(&mut *connection)
    .await?;
    if left.rows_affected() > 0 {
        for statement in
            ["DELETE FROM seats WHERE event_id = $1", "DELETE FROM seating_events WHERE event_id = $1"]
        {
            sqlx::query(statement).bind(&event).execute(&mut *connection).await?;
        }
        tracing::info!(event, "the seats of a show that is over have left the view");
    }
    Ok(true)
}

/// Forgets the reservations and payments of one show that was over `long_ago`; whether there was one.
async fn forget(connection: &mut PgConnection, long_ago: UnixMillis) -> Result<bool, ApplyError> {
    let over: Option<String> = sqlx::query_scalar(
        "SELECT event_id FROM shows
         WHERE over_at <= $1 AND (EXISTS (SELECT FROM reservations WHERE reservations.event_id = shows.event_id)
                                  OR EXISTS (SELECT FROM payments WHERE payments.event_id = shows.event_id))
         LIMIT 1",
    )
    .bind(bigint(long_ago)?)
    .fetch_optional(&mut *connection)
    .await?;
    let Some(event) = over else { return Ok(false) };
    for statement in [
        "DELETE FROM reservations WHERE event_id = $1",
        "DELETE FROM early_cancellations WHERE event_id = $1",
        "DELETE FROM payments WHERE event_id = $1",
    ] {
        sqlx::query(statement).bind(&event).execute(&mut *connection).await?;
    }
    tracing::info!(event, "the reservations of a show that was over long ago are forgotten");
    Ok(true)
}

/// Puts the seats of a show back that had left.
pub async fn come_back(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    history: History,
) -> Result<(), ApplyError> {
    let statements = [
        "INSERT INTO seats (event_id, seat_key, status, user_id, reservation_id, sequence)
         SELECT event_id, substr(seat_id, length(event_id) + 2), 'RESERVED', user_id, reservation_id, $2
         FROM reservations, UNNEST(seat_ids) AS seat (seat_id)
         WHERE event_id = $1 AND sequence >= 0 AND (sequence > $3 OR $3 = 0) ON CONFLICT DO NOTHING",
        "INSERT INTO seats (event_id, seat_key, status, sequence)
         SELECT event_id, seat_key, 'BLOCKED', $2 FROM shows, UNNEST(blocked) AS seat (seat_key)
         WHERE event_id = $1 AND purged_at <= $3 ON CONFLICT DO NOTHING",
    ];
    for statement in statements {
        sqlx::query(statement)
            .bind(event.as_str())
            .bind(bigint(history.last)?)
            .bind(bigint(history.purged_at)?)
            .execute(&mut *connection)
            .await?;
    }
    Ok(())
}
