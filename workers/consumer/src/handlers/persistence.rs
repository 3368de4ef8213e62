//! Reservations for good: one row each, with their seats and their payment, within a second of the sale.
//!
//! The partial unique index on a seat's unreleased rows is I1's backstop. What it refuses is parked with the index's
//! name as the reason: no second owner is ever written.

use async_trait::async_trait;
use boxoffice_domain::Envelope;
use boxoffice_domain::subject::{OfReservation, OfSeatingEvent, Subject};
use serde_json::{Value, json};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use sqlx::types::Json;

use super::reservations::row;
use super::{ApplyError, Handler, Reborn, Topic, payments};

/// Keeps reservations.
#[derive(Debug, Clone, Copy)]
pub struct PersistenceHandler;

#[async_trait]
impl Handler for PersistenceHandler {
    const NAME: &'static str = "persistence";
    const REPLAYABLE: bool = true;
    const READS: &'static [Topic] = &[Topic::Seats, Topic::Payments];

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/persistence")
    }

    /// Created and cancelled ones, and those of SeatingEvents that are purged, are written in runs: a seat that is sold
    /// again within a batch is free before its next reservation is written.
    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let facts: Vec<(Fact, Value)> = events.iter().filter_map(|envelope| fact(envelope)).collect();
        for run in facts.chunk_by(|one, next| one.0 == next.0) {
            let statements = match run.first() {
                Some((Fact::Created, _)) => [CREATE, CREATE_SEATS].as_slice(),
                Some((Fact::Cancelled, _)) => [RELEASE_SEATS, CANCEL].as_slice(),
                Some((Fact::Purged, _)) => [FORGET_CLAIMS].as_slice(),
                None => &[],
            };
            let rows: Vec<&Value> = run.iter().map(|(_, row)| row).collect();
            for statement in statements {
                sqlx::query(*statement).bind(Json(&rows)).execute(&mut *connection).await?;
            }
        }
        payments::write(connection, events).await
    }

    async fn forget(&self, connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), ApplyError> {
        let rows = reborn.iter().map(|Reborn { event, at }| json!({"event_id": event, "at": at}));
        sqlx::query(FORGET_CLAIMS).bind(Json(rows.collect::<Vec<_>>())).execute(connection).await?;
        Ok(())
    }
}

const CREATE: &str = "
    INSERT INTO reservations (reservation_id, event_id, user_id, amount, currency, status, created_at, correlation_id,
                              paid_by)
    SELECT reservation_id, event_id, user_id, amount, currency, 'CONFIRMED', at, correlation_id, paid_by
    FROM jsonb_to_recordset($1) AS fact (reservation_id text, event_id text, user_id text, amount bigint,
                                         currency text, at bigint, correlation_id text, paid_by text)";

const CREATE_SEATS: &str = "
    INSERT INTO reservation_seats (reservation_id, seat_id)
    SELECT reservation_id, seat_id
    FROM jsonb_to_recordset($1) AS fact (reservation_id text, seat_ids text[]), UNNEST(seat_ids) AS seat (seat_id)";

const RELEASE_SEATS: &str = "
    UPDATE reservation_seats SET released_at = fact.at, reason = fact.reason, note = fact.note
    FROM (SELECT reservation_id, seat_id, at, reason, note
          FROM jsonb_to_recordset($1)
               AS fact (reservation_id text, seat_ids text[], at bigint, reason text, note text),
               UNNEST(seat_ids) AS seat (seat_id)) AS fact
    WHERE reservation_seats.reservation_id = fact.reservation_id AND reservation_seats.seat_id = fact.seat_id";

/// A reservation without seats is cancelled; one that has some left only costs less.
const CANCEL: &str = "
    WITH fact AS (
        SELECT reservation_id, sum(amount)::bigint AS amount, max(at) AS at
        FROM jsonb_to_recordset($1) AS fact (reservation_id text, amount bigint, at bigint)
        GROUP BY reservation_id
    ), left_over AS (
        SELECT fact.*, EXISTS (SELECT FROM reservation_seats AS seat
                               WHERE seat.reservation_id = fact.reservation_id AND released_at IS NULL) AS has_seats
        FROM fact
    )
    UPDATE reservations SET
        amount = reservations.amount - left_over.amount,
        status = CASE WHEN has_seats THEN 'CONFIRMED' ELSE 'CANCELLED' END,
        cancelled_at = CASE WHEN has_seats THEN NULL ELSE left_over.at END
    FROM left_over WHERE reservations.reservation_id = left_over.reservation_id";

/// The reservations stay on record as they were, but their seats are nobody's: they may be sold again.
const FORGET_CLAIMS: &str = "
    UPDATE reservation_seats SET released_at = fact.at
    FROM jsonb_to_recordset($1) AS fact (event_id text, at bigint) JOIN reservations USING (event_id)
    WHERE reservation_seats.reservation_id = reservations.reservation_id AND released_at IS NULL";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fact {
    Created,
    Cancelled,
    Purged,
}

fn fact(envelope: &Envelope) -> Option<(Fact, Value)> {
    match envelope.event.subject() {
        Subject::Reservation(OfReservation::Created(reservation)) => {
            Some((Fact::Created, row(reservation, envelope)))
        }
        Subject::Reservation(OfReservation::Cancelled(reservation)) => {
            Some((Fact::Cancelled, row(reservation, envelope)))
        }
        Subject::SeatingEvent(OfSeatingEvent::Purged(purged)) => {
            Some((Fact::Purged, json!({"event_id": purged.event_id, "at": envelope.timestamp})))
        }
        Subject::Reservation(OfReservation::NotReinstated(_))
        | Subject::SeatingEvent(
            OfSeatingEvent::Created(_) | OfSeatingEvent::Updated(_) | OfSeatingEvent::Deleted(_),
        )
        | Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => None,
    }
}
