//! The seat view: every seat with its status, the reservations of each user with their payments, and the trace of every
//! domain event.
//!
//! The query worker loads these tables as its snapshot and goes on from their checkpoint by itself.
//! [`changes`] collapses a batch to the last state of each seat, [`reservations`] and [`trace`] write the rest.

pub mod changes;
mod reservations;
mod trace;

use async_trait::async_trait;
use boxoffice_domain::project::SeatView;
use boxoffice_domain::{Envelope, Projected, SeatId, project};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::{ApplyError, Handler, Topic, bigint, payments, seats};
use changes::Changes;

/// Keeps the seat view.
#[derive(Debug, Clone, Copy)]
pub struct SeatViewHandler;

#[async_trait]
impl Handler for SeatViewHandler {
    const NAME: &'static str = "seat-view";
    const REPLAYABLE: bool = true;
    const READS: &'static [Topic] = &[Topic::Seats, Topic::Payments];

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/seat_view")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let mut changes = Changes::default();
        for envelope in events {
            match project(&envelope.event) {
                Projected::Defined(defined) => {
                    write(connection, std::mem::take(&mut changes)).await?;
                    seats::define(connection, defined).await?;
                }
                Projected::Purged => {
                    write(connection, std::mem::take(&mut changes)).await?;
                    seats::purge(connection, envelope.event.seating_event()).await?;
                }
                Projected::Closed => seats::close(connection, envelope.event.seating_event()).await?,
                Projected::Seat { seat, to } => changes.set(seat, to),
                Projected::Extended { seats, expires_at } => changes.extend(seats, expires_at),
                Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => {}
            }
        }
        write(connection, changes).await?;
        reservations::write(connection, events).await?;
        payments::write(connection, events).await?;
        trace::write(connection, events).await
    }
}

/// Writes the last state of every seat that changed, in two statements.
async fn write(connection: &mut PgConnection, changes: Changes) -> Result<(), ApplyError> {
    let (set, extended) = changes.into_parts();
    if !set.is_empty() {
        set_seats(connection, &set).await?;
    }
    if !extended.is_empty() {
        let deadlines = extended.iter().map(|(_, at)| bigint(*at)).collect::<Result<Vec<_>, _>>()?;
        sqlx::query(
            "UPDATE seats SET expires_at = change.expires_at
             FROM UNNEST($1::text[], $2::text[], $3::bigint[]) AS change (event_id, seat_key, expires_at)
             WHERE seats.event_id = change.event_id AND seats.seat_key = change.seat_key
             AND seats.status = 'HELD'",
        )
        .bind(extended.iter().map(|(seat, _)| seat.event()).collect::<Vec<_>>())
        .bind(extended.iter().map(|(seat, _)| seat.key()).collect::<Vec<_>>())
        .bind(deadlines)
        .execute(connection)
        .await?;
    }
    Ok(())
}

async fn set_seats(connection: &mut PgConnection, set: &[(SeatId, SeatView)]) -> Result<(), ApplyError> {
    let deadlines = set.iter().map(|(_, view)| deadline(view)).collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "UPDATE seats SET status = change.status, user_id = change.user_id, hold_id = change.hold_id,
                reservation_id = change.reservation_id, expires_at = change.expires_at
         FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[])
              AS change (event_id, seat_key, status, user_id, hold_id, reservation_id, expires_at)
         WHERE seats.event_id = change.event_id AND seats.seat_key = change.seat_key",
    )
    .bind(set.iter().map(|(seat, _)| seat.event()).collect::<Vec<_>>())
    .bind(set.iter().map(|(seat, _)| seat.key()).collect::<Vec<_>>())
    .bind(set.iter().map(|(_, view)| view.status().as_str()).collect::<Vec<_>>())
    .bind(set.iter().map(|(_, view)| view.user().map(ToString::to_string)).collect::<Vec<_>>())
    .bind(set.iter().map(|(_, view)| hold(view)).collect::<Vec<_>>())
    .bind(set.iter().map(|(_, view)| reservation(view)).collect::<Vec<_>>())
    .bind(deadlines)
    .execute(connection)
    .await?;
    Ok(())
}

fn deadline(view: &SeatView) -> Result<Option<i64>, ApplyError> {
    match view {
        SeatView::Held { expires_at, .. } => bigint(*expires_at).map(Some),
        SeatView::Available | SeatView::Reserved { .. } | SeatView::Blocked => Ok(None),
    }
}

fn hold(view: &SeatView) -> Option<String> {
    match view {
        SeatView::Held { hold, .. } => Some(hold.to_string()),
        SeatView::Available | SeatView::Reserved { .. } | SeatView::Blocked => None,
    }
}

fn reservation(view: &SeatView) -> Option<String> {
    match view {
        SeatView::Reserved { reservation, .. } => Some(reservation.to_string()),
        SeatView::Available | SeatView::Held { .. } | SeatView::Blocked => None,
    }
}
