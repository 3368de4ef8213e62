//! What domain events say of reservations, as rows of JSON: [`super::seat_view`] and [`super::persistence`] write them
//! in runs, and each takes the columns that it keeps.

use boxoffice_domain::Envelope;
use boxoffice_domain::events::ReservedSeats;
use serde_json::{Value, json};

/// The row of a reservation that was made, or of what was cancelled of one.
pub fn row(reservation: &ReservedSeats, envelope: &Envelope) -> Value {
    json!({
        "reservation_id": reservation.reservation_id,
        "event_id": reservation.event_id,
        "user_id": reservation.user_id,
        "seat_ids": reservation.seat_ids,
        "amount": reservation.amount,
        "currency": reservation.currency,
        "paid_by": reservation.paid_by,
        "reason": reservation.reason,
        "note": reservation.note,
        "at": envelope.timestamp,
        "correlation_id": envelope.metadata.correlation_id,
        "sequence": envelope.metadata.sequence.unwrap_or_default(),
    })
}
