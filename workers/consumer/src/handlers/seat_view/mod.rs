//! The seat view: every seat that was ever claimed or blocked, the reservations of each user with their payments, and the
//! trace of every domain event.
//!
//! The query worker loads these tables as its snapshot and goes on from their checkpoint by itself. [`rows`] are the
//! seats, [`reservations`] and [`trace`] the rest; [`upkeep`] takes out what is old. All of it is the same whatever
//! order events come in, so an event that cannot be read is parked alone: later ones of its seat are applied, and it
//! changes nothing that they said when it is redriven.

mod reservations;
mod rows;
mod trace;
mod upkeep;

use async_trait::async_trait;
use boxoffice_domain::project::SeatView;
use boxoffice_domain::subject::{OfSeat, Subject};
use boxoffice_domain::{Envelope, Projected, UnixMillis, project};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

use super::seats::history::Histories;
use super::seats::known::Change;
use super::{ApplyError, Followers, Handler, Reborn, Retention, Topic, Upkeep, payments, seats};
use rows::Pending;

/// Keeps the seat view.
#[derive(Debug, Clone, Copy)]
pub struct SeatViewHandler;

#[async_trait]
impl Handler for SeatViewHandler {
    const NAME: &'static str = "seat-view";
    const REPLAYABLE: bool = true;
    const READS: &'static [Topic] = &[Topic::Seats, Topic::Payments];
    const FOLLOWERS: Followers = Followers::GoOn;
    const HAS_UPKEEP: bool = true;

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/seat_view")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let mut histories = Histories::load(connection, events).await?;
        let mut pending = Pending::default();
        for envelope in events {
            // What has no sequence is about no seat.
            let Some(sequence) = envelope.metadata.sequence else { continue };
            if histories.is_forgotten(envelope.event.seating_event(), sequence) {
                continue;
            }
            if let Subject::Seat(OfSeat::Held(held)) = envelope.event.subject() {
                pending.prices.held(held);
            }
            take(connection, &mut histories, &mut pending, envelope, sequence).await?;
        }
        rows::write(connection, &mut histories, &mut pending).await?;
        histories.write(connection).await?;
        reservations::write(connection, events).await?;
        payments::write(connection, events).await?;
        trace::write(connection, events).await
    }

    async fn forget(&self, connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), ApplyError> {
        seats::forget(connection, reborn).await?;
        reservations::set_apart(connection, reborn).await
    }

    async fn upkeep(
        &self,
        connection: &mut PgConnection,
        retention: Retention,
        now: UnixMillis,
    ) -> Result<Upkeep, ApplyError> {
        upkeep::round(connection, retention, now).await
    }
}

/// Takes in what `event` says about seats: most of it is `pending`, to be written together.
async fn take(
    connection: &mut PgConnection,
    histories: &mut Histories,
    pending: &mut Pending,
    envelope: &Envelope,
    sequence: u64,
) -> Result<(), ApplyError> {
    let event = &envelope.event;
    let show = event.seating_event();
    match project(event) {
        Projected::Defined(defined) => {
            // Its chart is held against what the database has.
            rows::write(connection, histories, pending).await?;
            if histories.of(show).has_left {
                upkeep::come_back(connection, show, histories.of(show)).await?;
            }
            let done = seats::define(connection, histories, defined, sequence).await?;
            if done.is_shown {
                histories.is_there(show);
                histories.changed(show, sequence);
            }
            pending.changes.extend(done.seats);
        }
        Projected::Purged => {
            rows::write(connection, histories, pending).await?;
            let (freed, is_gone) = seats::purge(connection, show, sequence).await?;
            if is_gone {
                histories.changed(show, sequence);
            }
            histories.purge(show, sequence, envelope.timestamp);
            pending.changes.extend(freed);
        }
        Projected::Closed => {
            if seats::close(connection, show, sequence).await? {
                histories.changed(show, sequence);
            }
            histories.close(show, sequence);
        }
        Projected::Seat { seat, to } => pending.changes.push((seat.clone(), sequence, Change::Set(to))),
        // An extension says the whole state of each of its seats.
        Projected::Extended { seats, user, hold, expires_at } => {
            let to = SeatView::Held { user: user.clone(), hold: hold.clone(), expires_at };
            pending
                .changes
                .extend(seats.iter().map(|seat| (seat.clone(), sequence, Change::Set(to.clone()))));
        }
        Projected::Reserved(_) | Projected::Cancelled(_) | Projected::Nothing => {}
    }
    Ok(())
}
