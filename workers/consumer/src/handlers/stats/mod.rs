//! Counts by section, announced as `stats.updated` once a batch and SeatingEvent.
//!
//! [`tally`] counts in memory what a batch changes; the rows, and the [`announcement`] in the outbox, are written in
//! the batch's transaction. [`crate::relay`] publishes the outbox. Seats are kept as the seat view keeps them, by sequence,
//! so nothing is parked behind what cannot be read.

pub mod tally;

pub mod announcement;

use std::collections::BTreeMap;

use async_trait::async_trait;
use boxoffice_domain::{Chart, Definition, Envelope, Projected, SeatId, SeatingEventId, project};
use sqlx::migrate::Migrator;
use sqlx::{FromRow, PgConnection, Row as _};

use super::seats::history::Histories;
use super::seats::known::{Block, Known};
use super::{ApplyError, Followers, Handler, Reborn, bigint, seats};
use announcement::Cause;
use tally::{CountedSeat, Counts, Rows, Tally, totals};

/// Keeps the statistics.
#[derive(Debug, Clone, Copy)]
pub struct StatsHandler;

#[async_trait]
impl Handler for StatsHandler {
    const NAME: &'static str = "stats";
    /// Announcements of a replay say what was true before, and their readers go by `asOfSequence`.
    const REPLAYABLE: bool = true;
    const FOLLOWERS: Followers = Followers::GoOn;
    const PRODUCES: bool = true;

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/stats")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let mut histories = Histories::load(connection, events).await?;
        let mut last: BTreeMap<&SeatingEventId, &Envelope> = BTreeMap::new();
        let mut tally = Tally::default();
        for envelope in events {
            let event = envelope.event.seating_event();
            let Some(sequence) = envelope.metadata.sequence else { continue };
            if histories.is_forgotten(event, sequence) {
                continue;
            }
            match project(&envelope.event) {
                Projected::Defined(defined) => {
                    // Its chart is held against what the database has.
                    count(connection, std::mem::take(&mut tally)).await?;
                    let done = seats::define(connection, &histories, defined, sequence).await?;
                    tally.extend(done.seats);
                    if done.is_shown {
                        histories.is_there(event);
                        set_totals(connection, event, &defined.definition).await?;
                    }
                }
                // What is announced of it then are no sections.
                Projected::Purged => {
                    count(connection, std::mem::take(&mut tally)).await?;
                    let (freed, _) = seats::purge(connection, event, sequence).await?;
                    recount(connection, event).await?;
                    tally.extend(freed);
                    histories.purge(event, sequence, envelope.timestamp);
                }
                Projected::Seat { .. } | Projected::Extended { .. } => {
                    tally.event(&envelope.event, sequence)?;
                }
                Projected::Closed | Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => {
                    continue;
                }
            }
            last.insert(event, envelope);
        }
        count(connection, tally).await?;
        histories.write(connection).await?;
        for (event, cause) in last {
            // What came late is counted with all that was counted before.
            let cause = Cause::from(cause).not_before(histories.of(event).last);
            announce(connection, event, cause, histories.of(event).purged_at > 0).await?;
        }
        Ok(())
    }

    async fn forget(&self, connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), ApplyError> {
        seats::forget(connection, reborn).await?;
        sqlx::query("DELETE FROM section_stats WHERE event_id = ANY($1)")
            .bind(reborn.iter().map(|reborn| reborn.event.as_str()).collect::<Vec<_>>())
            .execute(connection)
            .await?;
        Ok(())
    }
}

/// Counts what changes of seats mean for their sections.
async fn count(connection: &mut PgConnection, tally: Tally) -> Result<(), ApplyError> {
    if tally.seats().next().is_none() {
        return Ok(());
    }
    let mut rows = read(connection, &tally).await?;
    let sections = tally.count(&mut rows);
    store(connection, rows.into_iter().collect()).await?;
    let column = |of: fn(&Counts) -> i64| sections.values().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "INSERT INTO section_stats AS stats (event_id, section_id, held, reserved, blocked, released, revenue)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
                              $7::bigint[])
         ON CONFLICT (event_id, section_id) DO UPDATE SET
             held = stats.held + EXCLUDED.held, reserved = stats.reserved + EXCLUDED.reserved,
             blocked = stats.blocked + EXCLUDED.blocked, released = stats.released + EXCLUDED.released,
             revenue = stats.revenue + EXCLUDED.revenue",
    )
    .bind(sections.keys().map(|(event, _)| event.as_str()).collect::<Vec<_>>())
    .bind(sections.keys().map(|(_, section)| section.as_str()).collect::<Vec<_>>())
    .bind(column(|counts| counts.held))
    .bind(column(|counts| counts.reserved))
    .bind(column(|counts| counts.blocked))
    .bind(column(|counts| counts.released))
    .bind(column(|counts| counts.revenue))
    .execute(connection)
    .await?;
    Ok(())
}

#[derive(Debug, FromRow)]
struct Row {
    event_id: String,
    seat_key: String,
    status: String,
    amount: i64,
    sequence: i64,
    is_blocked: Option<bool>,
    block_sequence: Option<i64>,
}

impl Row {
    fn known(self) -> Result<(SeatId, Known<CountedSeat>), ApplyError> {
        let seat = format!("{}.{}", self.event_id, self.seat_key).parse();
        let seat = seat.map_err(|error| ApplyError::Refused(format!("{error}")))?;
        let state =
            CountedSeat { status: self.status.parse().map_err(ApplyError::Refused)?, amount: self.amount };
        let block = self
            .is_blocked
            .zip(self.block_sequence)
            .map(|(is_blocked, sequence)| Block { is_blocked, sequence: sequence.cast_unsigned() });
        Ok((seat, Known { state, sequence: self.sequence.cast_unsigned(), block }))
    }
}

/// What the database knows of the seats that `tally` is about.
async fn read(connection: &mut PgConnection, tally: &Tally) -> Result<Rows, ApplyError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT DISTINCT event_id, seat_key, status, amount, sequence, is_blocked, block_sequence
         FROM seats JOIN UNNEST($1::text[], $2::text[]) AS asked (event_id, seat_key) USING (event_id, seat_key)",
    )
    .bind(tally.seats().map(SeatId::event).collect::<Vec<_>>())
    .bind(tally.seats().map(SeatId::key).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::known).collect()
}

async fn store(
    connection: &mut PgConnection,
    rows: Vec<(SeatId, Known<CountedSeat>)>,
) -> Result<(), ApplyError> {
    let sequences = rows.iter().map(|(_, known)| bigint(known.sequence)).collect::<Result<Vec<_>, _>>()?;
    let blocks = rows.iter().map(|(_, known)| known.block.map(|block| bigint(block.sequence)).transpose());
    sqlx::query(
        "INSERT INTO seats (event_id, seat_key, status, amount, sequence, is_blocked, block_sequence)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],
                              $7::bigint[])
         ON CONFLICT (event_id, seat_key) DO UPDATE SET
             status = EXCLUDED.status, amount = EXCLUDED.amount, sequence = EXCLUDED.sequence,
             is_blocked = EXCLUDED.is_blocked, block_sequence = EXCLUDED.block_sequence",
    )
    .bind(rows.iter().map(|(seat, _)| seat.event()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(seat, _)| seat.key()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| known.state.status.as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| known.state.amount).collect::<Vec<_>>())
    .bind(sequences)
    .bind(rows.iter().map(|(_, known)| known.block.map(|block| block.is_blocked)).collect::<Vec<_>>())
    .bind(blocks.collect::<Result<Vec<_>, _>>()?)
    .execute(connection)
    .await?;
    Ok(())
}

/// Writes how many seats the sections of a definition have; those that it does not have keep what was counted, and have
/// none.
async fn set_totals(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    definition: &Definition,
) -> Result<(), ApplyError> {
    let chart = Chart::expand(definition).map_err(|error| ApplyError::Refused(error.to_string()))?;
    let (sections, totals): (Vec<_>, Vec<_>) = totals(definition, &chart).into_iter().unzip();
    sqlx::query("UPDATE section_stats SET total = 0 WHERE event_id = $1 AND section_id <> ALL($2)")
        .bind(event.as_str())
        .bind(&sections)
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO section_stats (event_id, section_id, total)
         SELECT $1, * FROM UNNEST($2::text[], $3::bigint[])
         ON CONFLICT (event_id, section_id) DO UPDATE SET total = EXCLUDED.total",
    )
    .bind(event.as_str())
    .bind(sections)
    .bind(totals)
    .execute(connection)
    .await?;
    Ok(())
}

/// Counts a SeatingEvent's seats anew after a purge: nothing is left, unless it came late, behind events of one that was
/// created anew.
async fn recount(connection: &mut PgConnection, event: &SeatingEventId) -> Result<(), ApplyError> {
    sqlx::query("DELETE FROM section_stats WHERE event_id = $1")
        .bind(event.as_str())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO section_stats (event_id, section_id, held, reserved, blocked, revenue)
         SELECT event_id, split_part(seat_key, '-', 1),
                count(*) FILTER (WHERE status = 'HELD'), count(*) FILTER (WHERE status = 'RESERVED'),
                count(*) FILTER (WHERE status = 'BLOCKED'),
                coalesce(sum(amount) FILTER (WHERE status = 'RESERVED'), 0)::bigint
         FROM seats WHERE event_id = $1 GROUP BY 1, 2",
    )
    .bind(event.as_str())
    .execute(&mut *connection)
    .await?;
    if let Some((definition, _)) = seats::definition_of(connection, event.as_str()).await? {
        set_totals(connection, event, &definition).await?;
    }
    Ok(())
}

/// Puts the counts of a SeatingEvent into the outbox. Before its first definition there is nothing to tell.
async fn announce(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    cause: Cause,
    was_purged: bool,
) -> Result<(), ApplyError> {
    let rows = sqlx::query(
        "SELECT section_id, total, held, reserved, blocked, released, revenue FROM section_stats
         WHERE event_id = $1 AND total > 0 ORDER BY section_id",
    )
    .bind(event.as_str())
    .fetch_all(&mut *connection)
    .await?;
    if rows.is_empty() && !was_purged {
        return Ok(());
    }
    let sections = rows.iter().map(|row| {
        let counts = Counts {
            total: row.try_get("total")?,
            held: row.try_get("held")?,
            reserved: row.try_get("reserved")?,
            blocked: row.try_get("blocked")?,
            released: row.try_get("released")?,
            revenue: row.try_get("revenue")?,
        };
        Ok(counts.announced(row.try_get("section_id")?))
    });
    let sections = sections.collect::<Result<_, sqlx::Error>>()?;
    let epoch: Option<i64> = sqlx::query_scalar("SELECT epoch FROM shows WHERE event_id = $1")
        .bind(event.as_str())
        .fetch_optional(&mut *connection)
        .await?;
    let cause = cause.of_epoch(epoch.unwrap_or_default().cast_unsigned());
    let envelope = announcement::announce(event.clone(), cause, sections);
    let json = envelope.to_json().map_err(|error| ApplyError::Refused(error.to_string()))?;
    sqlx::query("INSERT INTO outbox (envelope) VALUES ($1)").bind(json).execute(connection).await?;
    Ok(())
}
