//! Orders from PostgreSQL: the database of the `seat-view` consumer, whose migrations own the tables read here. A read is one
//! statement; what is not answered in time is given up, by the server too.

use std::fmt::Display;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::events::{PaidBy, PaymentFailure};
use boxoffice_domain::{
    CorrelationId, HoldId, PaymentState, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId,
};
use boxoffice_runtime::postgres::Lent;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::QueryAs;
use sqlx::{FromRow, PgPool, Postgres};
use tokio::time::timeout;
use uuid::Uuid;

use super::{
    HeldSeat, Hold, MOST_EVENTS, MOST_HOLDS, MOST_PAYMENTS, MOST_RESERVATIONS, Minute, Orders, OrdersError,
    Paid, Payment, Reservation, Sum, Traced,
};

/// Most connections that reads take.
pub const CONNECTIONS: u32 = 2;
/// Longest read, with the wait for a connection.
pub const LONGEST: Duration = Duration::from_secs(2);

/// A reservation with its payment. One that nobody asked for, or not yet, has a row without a state at most.
macro_rules! reservations {
    ($which:literal) => {
        concat!(
            "SELECT r.reservation_id, r.user_id, r.seat_ids, r.amount, r.currency, r.created_at, r.cancelled_at,
                    r.paid_by, p.state, p.charged, p.refunded, p.reason
             FROM reservations r LEFT JOIN payments p ON p.reservation_id = r.reservation_id AND p.state IS NOT NULL ",
            $which
        )
    };
}

/// The view database.
#[derive(Debug, Clone)]
pub struct PostgresOrders {
    pool: PgPool,
}

impl PostgresOrders {
    /// Reads by the connections of `pool`.
    pub fn new(pool: PgPool) -> Self {
        Self { pool }
    }

    /// The rows that a statement gives. A connection that did not give them in time is closed.
    async fn rows<R>(&self, query: QueryAs<'_, Postgres, R, PgArguments>) -> Result<Vec<R>, OrdersError>
    where
        R: for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let read = async {
            let mut lent = Lent::from(&self.pool).await?;
            let rows = query.fetch_all(&mut *lent).await?;
            lent.give_back();
            Ok::<_, sqlx::Error>(rows)
        };
        match timeout(LONGEST, read).await {
            Ok(read) => read.map_err(|error| OrdersError(error.to_string())),
            Err(_) => Err(OrdersError(format!("no answer within {} s", LONGEST.as_secs()))),
        }
    }
}

#[async_trait]
impl Orders for PostgresOrders {
    async fn reservations(&self, ids: &[ReservationId]) -> Result<Vec<Reservation>, OrdersError> {
        let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
        let statement = sqlx::query_as(reservations!("WHERE r.reservation_id = ANY($1)")).bind(ids);
        self.rows(statement).await?.into_iter().map(ReservationRow::read).collect()
    }

    async fn reservations_of(&self, user: &UserId) -> Result<Vec<Reservation>, OrdersError> {
        let statement = sqlx::query_as(reservations!(
            "WHERE r.user_id = $1 ORDER BY r.created_at DESC, r.reservation_id LIMIT $2"
        ));
        let rows = self.rows(statement.bind(user.as_str()).bind(bound(MOST_RESERVATIONS))).await?;
        rows.into_iter().map(ReservationRow::read).collect()
    }

    async fn holds_of(&self, user: &UserId) -> Result<Vec<Hold>, OrdersError> {
        let statement = sqlx::query_as(
            "SELECT hold_id, array_agg(event_id || '.' || seat_key ORDER BY seat_key) AS seat_ids,
                    array_agg(amount ORDER BY seat_key) AS amounts, max(currency) AS currency,
                    max(expires_at) AS expires_at
             FROM seats WHERE user_id = $1 AND status = 'HELD' AND hold_id IS NOT NULL
             GROUP BY hold_id ORDER BY hold_id LIMIT $2",
        );
        let rows: Vec<HoldRow> = self.rows(statement.bind(user.as_str()).bind(bound(MOST_HOLDS))).await?;
        rows.into_iter().map(HoldRow::read).collect()
    }

    async fn trace(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, OrdersError> {
        let statement = sqlx::query_as(
            "SELECT event_id, causation_id, event_type, aggregate_id, seating_event, sequence, timestamp, user_id
             FROM trace WHERE correlation_id = $1 AND ($2::text IS NULL OR user_id = $2)
             ORDER BY timestamp, sequence, event_id LIMIT $3",
        );
        let statement = statement.bind(chain.as_str()).bind(user.map(UserId::as_str));
        let rows: Vec<TraceRow> = self.rows(statement.bind(bound(MOST_EVENTS) + 1)).await?;
        rows.into_iter().map(TraceRow::read).collect()
    }

    async fn reservations_since(&self, since: UnixMillis) -> Result<Vec<Reservation>, OrdersError> {
        let statement = sqlx::query_as(reservations!(
            "WHERE r.created_at >= $1 ORDER BY r.created_at DESC, r.reservation_id LIMIT $2"
        ));
        let rows = self.rows(statement.bind(time(since)).bind(bound(MOST_RESERVATIONS))).await?;
        rows.into_iter().map(ReservationRow::read).collect()
    }

    async fn curve(&self, event: &SeatingEventId, since: UnixMillis) -> Result<Vec<Minute>, OrdersError> {
        let statement = sqlx::query_as(
            "SELECT created_at / 60000 * 60000 AS at, currency, count(*), sum(cardinality(seat_ids))::bigint,
                    sum(amount)::bigint
             FROM reservations WHERE event_id = $1 AND created_at >= $2 GROUP BY at, currency ORDER BY at, currency",
        );
        let rows: Vec<(i64, String, i64, i64, i64)> =
            self.rows(statement.bind(event.as_str()).bind(time(since))).await?;
        let minute = |(at, currency, reservations, seats, amount)| {
            Ok(Minute {
                at: number(at)?,
                reservations: number(reservations)?,
                seats: number(seats)?,
                amount: number(amount)?,
                currency,
            })
        };
        rows.into_iter().map(minute).collect()
    }

    async fn sums(&self, since: UnixMillis) -> Result<Vec<Sum>, OrdersError> {
        let statement = sqlx::query_as(
            "SELECT state, currency, count(*), sum(charged)::bigint, sum(refunded)::bigint
             FROM payments WHERE state = ANY($1) AND updated_at >= $2
             GROUP BY state, currency ORDER BY state, currency",
        );
        let rows: Vec<(String, String, i64, i64, i64)> =
            self.rows(statement.bind(states(None)).bind(time(since))).await?;
        let sum = |(state, currency, count, charged, refunded): (String, _, _, _, _)| {
            Ok(Sum {
                state: parsed(&state)?,
                currency,
                count: number(count)?,
                charged: number(charged)?,
                refunded: number(refunded)?,
            })
        };
        rows.into_iter().map(sum).collect()
    }

    async fn payments(
        &self,
        since: UnixMillis,
        state: Option<PaymentState>,
    ) -> Result<Vec<Paid>, OrdersError> {
        let statement = sqlx::query_as(
            "SELECT reservation_id, user_id, currency, state, charged, refunded, reason, payment_id, updated_at
             FROM payments WHERE state = ANY($1) AND updated_at >= $2
             ORDER BY updated_at DESC, reservation_id LIMIT $3",
        );
        let statement = statement.bind(states(state)).bind(time(since)).bind(bound(MOST_PAYMENTS));
        let rows: Vec<PaymentRow> = self.rows(statement).await?;
        rows.into_iter().map(PaymentRow::read).collect()
    }
}

#[derive(FromRow)]
struct ReservationRow {
    reservation_id: String,
    user_id: String,
    seat_ids: Vec<String>,
    amount: i64,
    currency: String,
    created_at: i64,
    cancelled_at: Option<i64>,
    paid_by: Option<String>,
    state: Option<String>,
    charged: Option<i64>,
    refunded: Option<i64>,
    reason: Option<String>,
}

impl ReservationRow {
    fn read(self) -> Result<Reservation, OrdersError> {
        let (charged, refunded) = (self.charged.unwrap_or_default(), self.refunded.unwrap_or_default());
        let payment = match self.state {
            Some(state) => Some(payment(&state, charged, refunded, self.reason.as_deref())?),
            None => None,
        };
        Ok(Reservation {
            id: parsed(&self.reservation_id)?,
            user: parsed(&self.user_id)?,
            seats: seats_of(&self.seat_ids)?,
            amount: number(self.amount)?,
            currency: self.currency,
            created_at: number(self.created_at)?,
            cancelled_at: self.cancelled_at.map(number).transpose()?,
            paid_by: self.paid_by.map(PaidBy::from),
            payment,
        })
    }
}

#[derive(FromRow)]
struct HoldRow {
    hold_id: String,
    seat_ids: Vec<String>,
    amounts: Vec<Option<i64>>,
    currency: Option<String>,
    expires_at: i64,
}

impl HoldRow {
    fn read(self) -> Result<Hold, OrdersError> {
        let seats = seats_of(&self.seat_ids)?.into_iter().zip(self.amounts);
        let seats = seats.map(|(id, amount)| Ok(HeldSeat { id, amount: amount.map(number).transpose()? }));
        Ok(Hold {
            id: parsed::<HoldId>(&self.hold_id)?,
            seats: seats.collect::<Result<_, _>>()?,
            currency: self.currency,
            expires_at: number(self.expires_at)?,
        })
    }
}

#[derive(FromRow)]
struct TraceRow {
    event_id: Uuid,
    causation_id: Uuid,
    event_type: String,
    aggregate_id: String,
    seating_event: String,
    sequence: i64,
    timestamp: i64,
    user_id: Option<String>,
}

impl TraceRow {
    fn read(self) -> Result<Traced, OrdersError> {
        Ok(Traced {
            event_id: self.event_id,
            causation_id: self.causation_id,
            event_type: self.event_type,
            aggregate_id: self.aggregate_id,
            seating_event: parsed(&self.seating_event)?,
            // Sequences begin with 1: a row of an event without one has 0.
            sequence: Some(number(self.sequence)?).filter(|sequence| *sequence > 0),
            timestamp: number(self.timestamp)?,
            user: self.user_id.as_deref().map(parsed).transpose()?,
        })
    }
}

#[derive(FromRow)]
struct PaymentRow {
    reservation_id: String,
    user_id: String,
    currency: String,
    state: String,
    charged: i64,
    refunded: i64,
    reason: Option<String>,
    payment_id: Option<String>,
    updated_at: i64,
}

impl PaymentRow {
    fn read(self) -> Result<Paid, OrdersError> {
        Ok(Paid {
            reservation: parsed(&self.reservation_id)?,
            user: parsed(&self.user_id)?,
            currency: self.currency,
            payment: payment(&self.state, self.charged, self.refunded, self.reason.as_deref())?,
            payment_id: self.payment_id,
            updated_at: number(self.updated_at)?,
        })
    }
}

fn payment(state: &str, charged: i64, refunded: i64, reason: Option<&str>) -> Result<Payment, OrdersError> {
    use PaymentFailure::{Declined, Refused, Timeout};
    let failure = |word: &str| [Declined, Refused, Timeout].into_iter().find(|it| it.as_str() == word);
    Ok(Payment {
        state: parsed(state)?,
        charged: number(charged)?,
        refunded: number(refunded)?,
        reason: reason.and_then(failure),
    })
}

/// The words of a state, or of all that a payment can have.
fn states(state: Option<PaymentState>) -> Vec<&'static str> {
    match state {
        Some(state) => vec![state.as_str()],
        None => PaymentState::ALL.map(PaymentState::as_str).to_vec(),
    }
}

fn seats_of(ids: &[String]) -> Result<Vec<SeatId>, OrdersError> {
    ids.iter().map(|id| parsed(id)).collect()
}

fn parsed<T: std::str::FromStr<Err: Display>>(text: &str) -> Result<T, OrdersError> {
    text.parse().map_err(|problem| OrdersError(format!("a row is not understood: {problem}")))
}

/// A count or a time, which PostgreSQL keeps signed.
fn number(signed: i64) -> Result<u64, OrdersError> {
    u64::try_from(signed).map_err(|_| OrdersError(format!("{signed} where a count is due")))
}

fn time(at: UnixMillis) -> i64 {
    i64::try_from(at).unwrap_or(i64::MAX)
}

fn bound(most: usize) -> i64 {
    i64::try_from(most).unwrap_or(i64::MAX)
}
