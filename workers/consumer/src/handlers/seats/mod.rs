//! The SeatingEvents in a database: the tables `shows`, `seating_events` and `seats`, which the seat view and the
//! statistics both have.
//!
//! There is a row only of seats that were ever claimed or blocked: all others of the chart are available. Everything is
//! kept with the sequence that it came with, so that it may come in any order: [`known`] says what that means for a
//! seat, [`history`] what became of a SeatingEvent so far. Neither needs a definition to be there, so events of seats
//! are kept also where `event.created` is parked, and shown as soon as a definition comes.

pub mod history;

pub mod known;

use boxoffice_domain::events::SeatingEventDefined;
use boxoffice_domain::evolve::block_changes;
use boxoffice_domain::{Chart, Definition, SeatId, SeatingEventId};
use sqlx::PgConnection;
use sqlx::types::Json;

use super::{ApplyError, Reborn, bigint};
use history::Histories;
use known::{Change, Rows, SeatChange, State};

/// What a definition did.
pub struct Defined<S> {
    /// Whether it is the one that is shown now.
    pub is_shown: bool,
    /// What it means for seats: what it blocks and puts on sale, and those that its chart does not have.
    pub seats: Vec<SeatChange<S>>,
}

/// Takes over a definition with its sequence. One that comes late, behind a newer one, is not shown any more, and what it
/// did to seats counts nevertheless.
///
/// # Errors
/// [`ApplyError::Refused`] where its ranges do not expand.
pub async fn define<S: State>(
    connection: &mut PgConnection,
    histories: &Histories,
    defined: &SeatingEventDefined,
    sequence: u64,
) -> Result<Defined<S>, ApplyError> {
    let event = &defined.event_id;
    let chart = Chart::expand(&defined.definition).map_err(|error| ApplyError::Refused(error.to_string()))?;
    let (before, since) = definition_of(connection, event.as_str()).await?.unzip();
    let is_shown = since.is_none_or(|since| since < sequence);
    let mut seats = match (&defined.blocks, &defined.unblocks) {
        // It means the difference from the one before it, which is not known any more.
        (None, None) if !is_shown => vec![],
        _ => blocks(defined, before.as_ref(), &chart, sequence),
    };
    let has_same_seats = is_shown && before.is_some_and(|it| it.sections == defined.definition.sections);
    if !has_same_seats {
        let rows: Vec<String> =
            sqlx::query_scalar("SELECT seat_key FROM seats WHERE event_id = $1 AND sequence < $2")
                .bind(event.as_str())
                .bind(bigint(sequence)?)
                .fetch_all(&mut *connection)
                .await?;
        let rows = rows.iter().filter(|key| !chart.contains(key));
        seats.extend(rows.map(|key| dropped(SeatId::from_chart(event, key), sequence)));
    }
    if is_shown {
        sqlx::query(
            "INSERT INTO seating_events (event_id, definition, chart_hash, sequence, over_at, closed)
             VALUES ($1, $2, $3, $4, $5, $6)
             ON CONFLICT (event_id) DO UPDATE
             SET definition = EXCLUDED.definition, chart_hash = EXCLUDED.chart_hash, sequence = EXCLUDED.sequence,
                 over_at = EXCLUDED.over_at, closed = EXCLUDED.closed",
        )
        .bind(event.as_str())
        .bind(Json(&defined.definition))
        .bind(&defined.chart_hash)
        .bind(bigint(sequence)?)
        .bind(bigint(defined.definition.over_at())?)
        .bind(histories.of(event).closed_at > sequence)
        .execute(connection)
        .await?;
    }
    Ok(Defined { is_shown, seats })
}

/// What a definition blocks and puts on sale, where `before` is the one that it takes the place of.
pub fn blocks<S>(
    defined: &SeatingEventDefined,
    before: Option<&Definition>,
    chart: &Chart,
    sequence: u64,
) -> Vec<SeatChange<S>> {
    let (blocks, unblocks) = block_changes(defined, before);
    let blocks = blocks.into_keys().map(|key| (key, true));
    let all =
        blocks.chain(unblocks.into_iter().map(|key| (key, false))).filter(|(key, _)| chart.contains(key));
    let seat = |key: String| SeatId::from_chart(&defined.event_id, &key);
    all.map(|(key, is_blocked)| (seat(key), sequence, Change::Block(is_blocked))).collect()
}

/// What it means for a seat that a definition drops it: nobody had it, and if a later chart has it again it is free.
pub fn dropped<S: State>(seat: SeatId, sequence: u64) -> SeatChange<S> {
    (seat, sequence, Change::Set(S::free()))
}

/// Closes a SeatingEvent for good, unless a definition that came after `sequence` opened it again; its seats stay. Whether
/// that changed what is shown.
pub async fn close(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    sequence: u64,
) -> Result<bool, ApplyError> {
    let closed = sqlx::query(
        "UPDATE seating_events SET closed = true WHERE event_id = $1 AND sequence < $2 AND NOT closed",
    )
    .bind(event.as_str())
    .bind(bigint(sequence)?)
    .execute(connection)
    .await?;
    Ok(closed.rows_affected() > 0)
}

/// Forgets all that was said of a SeatingEvent and its seats before `sequence`; tells what that means for seats of which
/// something was said since, and whether anything is gone.
pub async fn purge<S: State>(
    connection: &mut PgConnection,
    event: &SeatingEventId,
    sequence: u64,
) -> Result<(Vec<SeatChange<S>>, bool), ApplyError> {
    let (id, before) = (event.as_str(), bigint(sequence)?);
    let mut gone = 0;
    for statement in [
        "DELETE FROM seats WHERE event_id = $1 AND greatest(sequence, coalesce(block_sequence, 0)) < $2",
        "DELETE FROM seating_events WHERE event_id = $1 AND sequence < $2",
    ] {
        gone += sqlx::query(statement).bind(id).bind(before).execute(&mut *connection).await?.rows_affected();
    }
    let left: Vec<String> =
        sqlx::query_scalar("SELECT seat_key FROM seats WHERE event_id = $1 AND sequence < $2")
            .bind(id)
            .bind(before)
            .fetch_all(connection)
            .await?;
    let freed = left.iter().map(|key| (SeatId::from_chart(event, key), sequence, Change::Set(S::free())));
    Ok((freed.collect(), gone > 0))
}

/// Forgets all that is known of SeatingEvents that are created anew, whatever sequences it came with. Readers cannot tell
/// these from those of before: what they show is another epoch.
pub async fn forget(connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), ApplyError> {
    let events: Vec<_> = reborn.iter().map(|reborn| reborn.event.as_str()).collect();
    for statement in [
        "DELETE FROM seats WHERE event_id = ANY($1)",
        "DELETE FROM seating_events WHERE event_id = ANY($1)",
        "INSERT INTO shows AS show (event_id, epoch) SELECT event_id, 1 FROM UNNEST($1::text[]) AS reborn (event_id)
         ON CONFLICT (event_id) DO UPDATE
         SET epoch = show.epoch + 1, closed_at = 0, purged_at = 0, over_at = NULL, blocked = NULL",
    ] {
        sqlx::query(statement).bind(&events).execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes `changes` in where they are due, with what is known of their seats. What each did is told: the seat, the
/// sequence, and what it was and is, where that is not the same.
pub fn take<S: State>(
    rows: &mut Rows<S>,
    changes: Vec<SeatChange<S>>,
    mut told: impl FnMut(&SeatId, u64, &S, &S),
) {
    for (seat, sequence, change) in changes {
        let known = rows.entry(seat.clone()).or_default();
        let before = known.state.clone();
        if known.take(sequence, change) {
            told(&seat, sequence, &before, &known.state);
        }
    }
}

/// The definition that is shown, and its sequence.
pub async fn definition_of(
    connection: &mut PgConnection,
    event: &str,
) -> Result<Option<(Definition, u64)>, ApplyError> {
    let shown: Option<(Json<Definition>, i64)> =
        sqlx::query_as("SELECT definition, sequence FROM seating_events WHERE event_id = $1")
            .bind(event)
            .fetch_optional(connection)
            .await?;
    Ok(shown.map(|(Json(definition), sequence)| (definition, sequence.cast_unsigned())))
}
