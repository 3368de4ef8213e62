//! The snapshot from PostgreSQL: the database of the `seat-view` consumer, whose migrations own the tables read here.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::project::{SeatStatus, SeatView};
use boxoffice_domain::{Definition, SeatMap, SeatingEventId};
use futures::TryStreamExt;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use tokio::time::timeout;

use super::{Snapshot, SnapshotError, Snapshots};

/// Longest load: several hundred thousand seats take seconds.
const LOAD: Duration = Duration::from_mins(2);
/// Longest wait for one SeatingEvent.
const LOAD_ONE: Duration = Duration::from_secs(10);

/// The view database.
#[derive(Debug, Clone)]
pub struct PostgresSnapshots {
    pool: PgPool,
    topic: String,
}

impl PostgresSnapshots {
    /// The view that was built from `topic`.
    pub fn new(pool: PgPool, topic: &str) -> Self {
        Self { pool, topic: topic.to_owned() }
    }
}

#[async_trait]
impl Snapshots for PostgresSnapshots {
    async fn load(&self) -> Result<Snapshot, SnapshotError> {
        let load = async {
            // One snapshot of the database for all that is read: a batch of the consumer is in all of it or in none.
            let mut moment = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            // The one statement of this worker that may take longer than the server's limit for all others.
            sqlx::query("SET LOCAL statement_timeout = '120s'").execute(&mut *moment).await?;
            let (next_offsets, logs) = checkpoints(&mut moment, &self.topic).await?;
            let former = former(&mut moment, &logs).await?;
            let maps = maps(&mut moment, None).await?;
            let gone = gone(&mut moment).await?;
            moment.rollback().await?;
            Ok(Snapshot { maps, gone, next_offsets, logs, former })
        };
        timeout(LOAD, load).await.map_err(|_| SnapshotError(format!("no end within {} s", LOAD.as_secs())))?
    }

    async fn load_one(&self, event: &SeatingEventId) -> Result<Option<SeatMap>, SnapshotError> {
        let load = async {
            let mut moment = self.pool.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY").await?;
            let map = maps(&mut moment, Some(event)).await?.pop();
            moment.rollback().await?;
            Ok(map)
        };
        let late = |_| SnapshotError(format!("no end within {} s", LOAD_ONE.as_secs()));
        timeout(LOAD_ONE, load).await.map_err(late)?
    }
}

impl From<sqlx::Error> for SnapshotError {
    fn from(error: sqlx::Error) -> Self {
        Self(error.to_string())
    }
}

/// How far the view is in each partition, and on which topics that is.
async fn checkpoints(
    moment: &mut PgConnection,
    topic: &str,
) -> Result<(BTreeMap<u32, u64>, BTreeSet<String>), SnapshotError> {
    let rows: Vec<(i32, i64, Option<String>)> =
        sqlx::query_as("SELECT partition, next_offset, log FROM checkpoint_partitions WHERE topic = $1")
            .bind(topic)
            .fetch_all(moment)
            .await?;
    let logs = rows.iter().filter_map(|(_, _, log)| log.clone()).collect();
    let offsets = rows.into_iter().map(|(partition, offset, _)| Ok((number(partition)?, number(offset)?)));
    Ok((offsets.collect::<Result<_, SnapshotError>>()?, logs))
}

/// Those that were met on none of `logs`.
async fn former(
    moment: &mut PgConnection,
    logs: &BTreeSet<String>,
) -> Result<BTreeSet<SeatingEventId>, SnapshotError> {
    let events: Vec<String> =
        sqlx::query_scalar("SELECT seating_event FROM checkpoint_events WHERE log <> ALL($1)")
            .bind(logs.iter().collect::<Vec<_>>())
            .fetch_all(moment)
            .await?;
    events.iter().map(|event| id_of(event)).collect()
}

fn id_of(event: &str) -> Result<SeatingEventId, SnapshotError> {
    event.parse().map_err(|error| SnapshotError(format!("the checkpoint of {event}: {error}")))
}

/// All, or one.
async fn maps(
    moment: &mut PgConnection,
    only: Option<&SeatingEventId>,
) -> Result<Vec<SeatMap>, SnapshotError> {
    let only = only.map(SeatingEventId::as_str);
    let mut maps = HashMap::new();
    let mut rows = sqlx::query_as(
        "SELECT event_id, definition, closed, checkpoint_events.sequence, coalesce(epoch, 0)
         FROM seating_events JOIN checkpoint_events ON seating_event = event_id LEFT JOIN shows USING (event_id)
         WHERE $1::text IS NULL OR event_id = $1",
    )
    .bind(only)
    .fetch(&mut *moment);
    while let Some(row) = rows.try_next().await? {
        let map = seating_event(row)?;
        maps.insert(map.id.to_string(), map);
    }
    drop(rows);
    let mut rows = sqlx::query_as(
        "SELECT event_id, seat_key, status, user_id, hold_id, reservation_id, expires_at
         FROM seats WHERE status <> 'AVAILABLE' AND ($1::text IS NULL OR event_id = $1)",
    )
    .bind(only)
    .fetch(moment);
    while let Some(row) = rows.try_next().await? {
        let row: SeatRow = row;
        if let Some(map) = maps.get_mut(&row.event_id) {
            map.set(&row.seat_key, &seat(&row)?);
        }
    }
    drop(rows);
    Ok(maps.into_values().collect())
}

async fn gone(moment: &mut PgConnection) -> Result<BTreeMap<SeatingEventId, u64>, SnapshotError> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "SELECT seating_event, sequence FROM checkpoint_events
         WHERE NOT EXISTS (SELECT FROM seating_events WHERE event_id = seating_event)",
    )
    .fetch_all(moment)
    .await?;
    let read = |(event, sequence): (String, i64)| Ok((id_of(&event)?, number(sequence)?));
    rows.into_iter().map(read).collect()
}

/// A SeatingEvent whose seats are all available: the rows of its seats say which are not.
fn seating_event(row: (String, Json<Definition>, bool, i64, i64)) -> Result<SeatMap, SnapshotError> {
    let (id, Json(definition), closed, sequence, epoch) = row;
    let unexpected = |problem: &dyn Display| SnapshotError(format!("the row of {id}: {problem}"));
    let event = id.parse().map_err(|error| unexpected(&error))?;
    let mut map = SeatMap::new(event, definition, number(sequence)?).map_err(|error| unexpected(&error))?;
    (map.closed, map.epoch) = (closed, number(epoch)?);
    Ok(map)
}

#[derive(sqlx::FromRow)]
struct SeatRow {
    event_id: String,
    seat_key: String,
    status: String,
    user_id: Option<String>,
    hold_id: Option<String>,
    reservation_id: Option<String>,
    expires_at: Option<i64>,
}

fn seat(row: &SeatRow) -> Result<SeatView, SnapshotError> {
    Ok(match row.status.parse().map_err(|problem: String| malformed(row, &problem))? {
        SeatStatus::Held => SeatView::Held {
            user: column(row, "user_id", row.user_id.as_deref())?,
            hold: column(row, "hold_id", row.hold_id.as_deref())?,
            expires_at: number(row.expires_at.unwrap_or_default())?,
        },
        SeatStatus::Reserved => SeatView::Reserved {
            user: column(row, "user_id", row.user_id.as_deref())?,
            reservation: column(row, "reservation_id", row.reservation_id.as_deref())?,
        },
        SeatStatus::Blocked => SeatView::Blocked,
        SeatStatus::Available => SeatView::Available,
    })
}

/// A column that the row's status says is there.
fn column<T: std::str::FromStr<Err: Display>>(
    row: &SeatRow,
    name: &str,
    text: Option<&str>,
) -> Result<T, SnapshotError> {
    let text = text.ok_or_else(|| malformed(row, &format_args!("it is {} without {name}", row.status)))?;
    text.parse().map_err(|error| malformed(row, &error))
}

fn malformed(row: &SeatRow, problem: &dyn Display) -> SnapshotError {
    SnapshotError(format!("the row of seat {}.{}: {problem}", row.event_id, row.seat_key))
}

/// A count, which PostgreSQL keeps signed.
fn number<S: Display + Copy, U: TryFrom<S>>(signed: S) -> Result<U, SnapshotError> {
    U::try_from(signed).map_err(|_| SnapshotError(format!("{signed} where a count is due")))
}
