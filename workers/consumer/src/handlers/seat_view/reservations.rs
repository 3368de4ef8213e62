//! Reservations as their user sees them: the seats that they still have, and what these cost.
//!
//! Created and cancelled ones are written in runs, so that a seat that changes hands within a batch ends with the
//! right one. What is cancelled of a reservation that is not there, because the event that made it is parked, is kept
//! aside until it comes.

use boxoffice_domain::Envelope;
use boxoffice_domain::subject::{OfReservation, Subject};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;

use crate::handlers::reservations::row;
use crate::handlers::{ApplyError, Reborn};

/// Writes what `events` say about reservations.
pub async fn write(connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
    let facts: Vec<(bool, Value)> = events.iter().filter_map(|envelope| fact(envelope)).collect();
    for run in facts.chunk_by(|one, next| one.0 == next.0) {
        let rows: Vec<&Value> = run.iter().map(|(_, row)| row).collect();
        let cancelled = run.first().is_some_and(|(cancelled, _)| *cancelled);
        let statements = if cancelled { [KEEP, CANCEL] } else { [CREATE, TAKE_UP] };
        for statement in statements {
            sqlx::query(statement).bind(Json(&rows)).execute(&mut *connection).await?;
        }
    }
    Ok(())
}

/// Reservations of SeatingEvents that are created anew stay their users', with a sequence below all that there are: their
/// seats are nobody's.
pub async fn set_apart(connection: &mut PgConnection, reborn: &[Reborn]) -> Result<(), ApplyError> {
    let events: Vec<_> = reborn.iter().map(|reborn| reborn.event.as_str()).collect();
    for statement in [
        "UPDATE reservations SET sequence = -1 WHERE event_id = ANY($1)",
        "DELETE FROM early_cancellations WHERE event_id = ANY($1)",
    ] {
        sqlx::query(statement).bind(&events).execute(&mut *connection).await?;
    }
    Ok(())
}

const CREATE: &str = "
    INSERT INTO reservations (reservation_id, event_id, user_id, seat_ids, amount, currency, created_at, paid_by,
                              sequence)
    SELECT * FROM jsonb_to_recordset($1) AS fact
        (reservation_id text, event_id text, user_id text, seat_ids text[], amount bigint, currency text, at bigint,
         paid_by text, sequence bigint)";

/// Cancels of those that were just created what was cancelled before.
const TAKE_UP: &str = "
    WITH early AS (
        DELETE FROM early_cancellations USING jsonb_to_recordset($1) AS fact (reservation_id text)
        WHERE early_cancellations.reservation_id = fact.reservation_id
        RETURNING early_cancellations.*
    )
    UPDATE reservations SET
        seat_ids = ARRAY(SELECT seat_id FROM UNNEST(reservations.seat_ids) WITH ORDINALITY AS seat (seat_id, place)
                         WHERE seat_id <> ALL(early.seat_ids) ORDER BY place),
        amount = reservations.amount - early.amount,
        cancelled_at = CASE WHEN reservations.seat_ids <@ early.seat_ids THEN early.at END
    FROM early WHERE reservations.reservation_id = early.reservation_id";

/// Keeps aside what is cancelled of reservations that are not there.
const KEEP: &str = "
    INSERT INTO early_cancellations AS early (reservation_id, event_id, seat_ids, amount, at)
    SELECT reservation_id, min(event_id), array_agg(seat_id), sum(amount) FILTER (WHERE place = 1), max(at)
    FROM jsonb_to_recordset($1) AS fact (reservation_id text, event_id text, seat_ids text[], amount bigint, at bigint),
         UNNEST(fact.seat_ids) WITH ORDINALITY AS seat (seat_id, place)
    WHERE NOT EXISTS (SELECT FROM reservations WHERE reservations.reservation_id = fact.reservation_id)
    GROUP BY reservation_id
    ON CONFLICT (reservation_id) DO UPDATE SET
        seat_ids = early.seat_ids || EXCLUDED.seat_ids, amount = early.amount + EXCLUDED.amount, at = EXCLUDED.at";

const CANCEL: &str = "
    WITH fact AS (
        SELECT reservation_id, array_agg(seat_id) AS seat_ids, max(at) AS at
        FROM jsonb_to_recordset($1) AS fact (reservation_id text, seat_ids text[], at bigint),
             UNNEST(fact.seat_ids) AS seat (seat_id)
        GROUP BY reservation_id
    ), price AS (
        SELECT reservation_id, sum(amount)::bigint AS amount
        FROM jsonb_to_recordset($1) AS fact (reservation_id text, amount bigint)
        GROUP BY reservation_id
    )
    UPDATE reservations SET
        seat_ids = ARRAY(SELECT seat_id FROM UNNEST(reservations.seat_ids) WITH ORDINALITY AS seat (seat_id, place)
                         WHERE seat_id <> ALL(fact.seat_ids) ORDER BY place),
        amount = reservations.amount - price.amount,
        cancelled_at = CASE WHEN reservations.seat_ids <@ fact.seat_ids THEN fact.at END
    FROM fact JOIN price USING (reservation_id)
    WHERE reservations.reservation_id = fact.reservation_id";

/// Whether it is a cancellation, and the row.
fn fact(envelope: &Envelope) -> Option<(bool, Value)> {
    match envelope.event.subject() {
        Subject::Reservation(OfReservation::Created(reservation)) => {
            Some((false, row(reservation, envelope)))
        }
        Subject::Reservation(OfReservation::Cancelled(reservation)) => {
            Some((true, row(reservation, envelope)))
        }
        Subject::Reservation(OfReservation::NotReinstated(_))
        | Subject::Seat(_)
        | Subject::Hold(_)
        | Subject::SeatingEvent(_)
        | Subject::Statistics(_)
        | Subject::Payment(_) => None,
    }
}
