//! Payments beside the reservations: the table `payments`, which persistence and the seat view both have.
//!
//! A reservation's events come on two topics, and so from partitions that may be applied at the same time: the rows
//! that a batch changes are made and locked in one order, read, folded by [`PaymentView`], and written back.

use std::collections::BTreeMap;

use boxoffice_domain::events::PaymentFailure;
use boxoffice_domain::payment_view::paid_reservation;
use boxoffice_domain::{Envelope, PaymentState, PaymentView, ReservationId};
use serde_json::{Value, json};
use sqlx::types::Json;
use sqlx::{FromRow, PgConnection};

use super::ApplyError;

/// What the database has of a payment.
#[derive(Debug, FromRow)]
struct Row {
    reservation_id: String,
    event_id: String,
    user_id: String,
    currency: String,
    charged: i64,
    refunded: i64,
    payment_id: Option<String>,
    updated_at: i64,
    requested: Option<i64>,
    completed: bool,
    cancelled: Option<i64>,
    reinstated_by: Option<String>,
    failure: Option<String>,
}

/// Writes what `events` say about payments.
pub async fn write(connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
    let mut by_reservation: BTreeMap<ReservationId, Vec<&Envelope>> = BTreeMap::new();
    for event in events {
        if let Some(reservation) = paid_reservation(&event.event) {
            by_reservation.entry(reservation).or_default().push(event);
        }
    }
    if by_reservation.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = by_reservation.keys().map(ToString::to_string).collect();
    let mut known = known(connection, &ids).await?;
    let mut rows = Vec::with_capacity(by_reservation.len());
    for (reservation, events) in by_reservation {
        let mut view = known.remove(reservation.to_string().as_str());
        for event in events {
            view = PaymentView::after(view, event);
        }
        rows.extend(view.map(|view| row(&reservation, &view)));
    }
    sqlx::query(WRITE).bind(Json(rows)).execute(connection).await?;
    Ok(())
}

/// What is known of payments. Each has a row then that is locked until the transaction ends.
async fn known(
    connection: &mut PgConnection,
    ids: &[String],
) -> Result<BTreeMap<String, PaymentView>, ApplyError> {
    sqlx::query(
        "INSERT INTO payments (reservation_id, event_id, user_id, currency, updated_at)
         SELECT id, '', '', '', 0 FROM UNNEST($1::text[]) AS new (id) ORDER BY id ON CONFLICT DO NOTHING",
    )
    .bind(ids)
    .execute(&mut *connection)
    .await?;
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT reservation_id, event_id, user_id, currency, charged, refunded, payment_id, updated_at, requested,
                completed, cancelled, reinstated_by, failure
         FROM payments WHERE reservation_id = ANY($1) ORDER BY reservation_id FOR UPDATE",
    )
    .bind(ids)
    .fetch_all(connection)
    .await?;
    let known = rows.into_iter().filter(|row| !row.event_id.is_empty());
    known.map(|row| Ok((row.reservation_id.clone(), row.read()?))).collect()
}

impl Row {
    fn read(self) -> Result<PaymentView, ApplyError> {
        let refused = |what: &str| ApplyError::Refused(format!("payment {}: {what}", self.reservation_id));
        Ok(PaymentView {
            event_id: self.event_id.parse().map_err(|_| refused("event_id is no SeatingEvent"))?,
            user_id: self.user_id.parse().map_err(|_| refused("user_id is no user"))?,
            requested: self.requested.map(i64::cast_unsigned),
            charged: self.completed.then_some(self.charged.cast_unsigned()),
            refunded: self.refunded.cast_unsigned(),
            cancelled: self.cancelled.map(i64::cast_unsigned),
            reinstated_by: match &self.reinstated_by {
                Some(id) => Some(id.parse().map_err(|_| refused("reinstated_by is no reservation"))?),
                None => None,
            },
            failure: self.failure.as_deref().and_then(failure),
            updated_at: self.updated_at.cast_unsigned(),
            currency: self.currency,
            payment_id: self.payment_id,
        })
    }
}

fn failure(word: &str) -> Option<PaymentFailure> {
    use PaymentFailure::{Declined, Refused, Timeout};
    [Declined, Refused, Timeout].into_iter().find(|failure| failure.as_str() == word)
}

fn row(reservation: &ReservationId, view: &PaymentView) -> Value {
    json!({
        "reservation_id": reservation,
        "event_id": view.event_id,
        "user_id": view.user_id,
        "currency": view.currency,
        "state": view.state().map(PaymentState::as_str),
        "charged": view.charged.unwrap_or_default(),
        "refunded": view.refunded,
        "payment_id": view.payment_id,
        "reason": view.reason().map(PaymentFailure::as_str),
        "updated_at": view.updated_at,
        "requested": view.requested,
        "completed": view.charged.is_some(),
        "cancelled": view.cancelled,
        "reinstated_by": view.reinstated_by,
        "failure": view.failure.map(PaymentFailure::as_str),
    })
}

const WRITE: &str = "
    UPDATE payments SET
        event_id = fact.event_id, user_id = fact.user_id, currency = fact.currency, state = fact.state,
        charged = fact.charged, refunded = fact.refunded, payment_id = fact.payment_id, reason = fact.reason,
        updated_at = fact.updated_at, requested = fact.requested, completed = fact.completed,
        cancelled = fact.cancelled, reinstated_by = fact.reinstated_by, failure = fact.failure
    FROM jsonb_to_recordset($1) AS fact
        (reservation_id text, event_id text, user_id text, currency text, state text, charged bigint, refunded bigint,
         payment_id text, reason text, updated_at bigint, requested bigint, completed boolean, cancelled bigint,
         reinstated_by text, failure text)
    WHERE payments.reservation_id = fact.reservation_id";
