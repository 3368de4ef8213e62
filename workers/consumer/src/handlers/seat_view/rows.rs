//! The rows of seats: one of each that was ever claimed or blocked, with the sequences that made it what it is.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;

use boxoffice_domain::events::SeatHeld;
use boxoffice_domain::project::{SeatStatus, SeatView};
use boxoffice_domain::{HoldId, SeatId};
use sqlx::{FromRow, PgConnection};

use crate::handlers::seats::history::Histories;
use crate::handlers::seats::known::{Block, Known, Rows, SeatChange};
use crate::handlers::{ApplyError, bigint, seats};

/// What seats cost at which they are held: `seat.held` alone says it, so it is no part of what a seat is.
#[derive(Debug, Default)]
pub struct Prices(HashMap<(SeatId, HoldId), (u64, String)>);

impl Prices {
    /// Notes what a seat is held at.
    pub fn held(&mut self, held: &SeatHeld) {
        let price = (held.amount, held.currency.clone());
        self.0.insert((held.seat_id.clone(), held.hold_id.clone()), price);
    }

    /// What is known of a seat's price.
    fn of(&self, seat: &SeatId, view: &SeatView) -> Option<&(u64, String)> {
        match view {
            SeatView::Held { hold, .. } => self.0.get(&(seat.clone(), hold.clone())),
            SeatView::Available | SeatView::Reserved { .. } | SeatView::Blocked => None,
        }
    }
}

/// What a batch says about seats and is not written yet.
#[derive(Default)]
pub struct Pending {
    /// What they became, in order.
    pub changes: Vec<SeatChange<SeatView>>,
    /// What they are held at; kept when changes are written, because a seat may be changed again.
    pub prices: Prices,
}

/// Takes in all changes that are `pending`: however often a seat is among them, it is read and written once.
pub async fn write(
    connection: &mut PgConnection,
    histories: &mut Histories,
    pending: &mut Pending,
) -> Result<(), ApplyError> {
    let changes = std::mem::take(&mut pending.changes);
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = read(connection, &changes).await?;
    let mut shown = vec![];
    seats::take(&mut rows, changes, |seat, sequence, _, _| shown.push((seat.event_id(), sequence)));
    for (event, sequence) in shown {
        histories.changed(&event, sequence);
    }
    store(connection, rows.into_iter().collect(), &pending.prices).await
}

#[derive(Debug, FromRow)]
struct Row {
    event_id: String,
    seat_key: String,
    status: String,
    user_id: Option<String>,
    hold_id: Option<String>,
    reservation_id: Option<String>,
    expires_at: Option<i64>,
    sequence: i64,
    is_blocked: Option<bool>,
    block_sequence: Option<i64>,
}

/// What the database knows of the seats that `changes` are about.
async fn read(
    connection: &mut PgConnection,
    changes: &[SeatChange<SeatView>],
) -> Result<Rows<SeatView>, ApplyError> {
    let rows: Vec<Row> = sqlx::query_as(
        "SELECT DISTINCT event_id, seat_key, status, user_id, hold_id, reservation_id, expires_at, sequence, is_blocked,
                block_sequence
         FROM seats JOIN UNNEST($1::text[], $2::text[]) AS asked (event_id, seat_key) USING (event_id, seat_key)",
    )
    .bind(changes.iter().map(|(seat, _, _)| seat.event()).collect::<Vec<_>>())
    .bind(changes.iter().map(|(seat, _, _)| seat.key()).collect::<Vec<_>>())
    .fetch_all(connection)
    .await?;
    rows.into_iter().map(Row::known).collect()
}

impl Row {
    fn known(self) -> Result<(SeatId, Known<SeatView>), ApplyError> {
        let seat = format!("{}.{}", self.event_id, self.seat_key).parse();
        let seat = seat.map_err(|error| ApplyError::Refused(format!("{error}")))?;
        let state = match self.status.parse().map_err(|problem: String| self.malformed(&problem))? {
            SeatStatus::Available => SeatView::Available,
            SeatStatus::Blocked => SeatView::Blocked,
            SeatStatus::Held => SeatView::Held {
                user: self.column("user_id", self.user_id.as_deref())?,
                hold: self.column("hold_id", self.hold_id.as_deref())?,
                expires_at: self.expires_at.unwrap_or_default().cast_unsigned(),
            },
            SeatStatus::Reserved => SeatView::Reserved {
                user: self.column("user_id", self.user_id.as_deref())?,
                reservation: self.column("reservation_id", self.reservation_id.as_deref())?,
            },
        };
        let block = self
            .is_blocked
            .zip(self.block_sequence)
            .map(|(is_blocked, sequence)| Block { is_blocked, sequence: sequence.cast_unsigned() });
        Ok((seat, Known { state, sequence: self.sequence.cast_unsigned(), block }))
    }

    fn column<T: FromStr<Err: Display>>(&self, name: &str, text: Option<&str>) -> Result<T, ApplyError> {
        let text = text.ok_or_else(|| self.malformed(&format_args!("{name} is missing")))?;
        text.parse().map_err(|error| self.malformed(&error))
    }

    fn malformed(&self, problem: &dyn Display) -> ApplyError {
        ApplyError::Refused(format!("the row of seat {}.{}: {problem}", self.event_id, self.seat_key))
    }
}

async fn store(
    connection: &mut PgConnection,
    rows: Vec<(SeatId, Known<SeatView>)>,
    prices: &Prices,
) -> Result<(), ApplyError> {
    let deadline = |known: &Known<SeatView>| match &known.state {
        SeatView::Held { expires_at, .. } => bigint(*expires_at).map(Some),
        SeatView::Available | SeatView::Reserved { .. } | SeatView::Blocked => Ok(None),
    };
    let deadlines = rows.iter().map(|(_, known)| deadline(known)).collect::<Result<Vec<_>, _>>()?;
    let sequences = rows.iter().map(|(_, known)| bigint(known.sequence)).collect::<Result<Vec<_>, _>>()?;
    let blocks = rows.iter().map(|(_, known)| known.block.map(|block| bigint(block.sequence)).transpose());
    let known_prices: Vec<_> = rows.iter().map(|(seat, known)| prices.of(seat, &known.state)).collect();
    let amounts = known_prices.iter().map(|price| price.map(|(amount, _)| bigint(*amount)).transpose());
    // A price that is not said again is the one that the hold has.
    sqlx::query(
        "INSERT INTO seats (event_id, seat_key, status, user_id, hold_id, reservation_id, expires_at, sequence,
                            is_blocked, block_sequence, amount, currency)
         SELECT * FROM UNNEST($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::bigint[],
                              $8::bigint[], $9::boolean[], $10::bigint[], $11::bigint[], $12::text[])
         ON CONFLICT (event_id, seat_key) DO UPDATE SET
             status = EXCLUDED.status, user_id = EXCLUDED.user_id, hold_id = EXCLUDED.hold_id,
             reservation_id = EXCLUDED.reservation_id, expires_at = EXCLUDED.expires_at,
             sequence = EXCLUDED.sequence, is_blocked = EXCLUDED.is_blocked,
             block_sequence = EXCLUDED.block_sequence,
             amount = CASE WHEN seats.hold_id = EXCLUDED.hold_id THEN coalesce(EXCLUDED.amount, seats.amount)
                           ELSE EXCLUDED.amount END,
             currency = CASE WHEN seats.hold_id = EXCLUDED.hold_id THEN coalesce(EXCLUDED.currency, seats.currency)
                             ELSE EXCLUDED.currency END",
    )
    .bind(rows.iter().map(|(seat, _)| seat.event()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(seat, _)| seat.key()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| known.state.status().as_str()).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| known.state.user().map(ToString::to_string)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| hold(&known.state)).collect::<Vec<_>>())
    .bind(rows.iter().map(|(_, known)| reservation(&known.state)).collect::<Vec<_>>())
    .bind(deadlines)
    .bind(sequences)
    .bind(rows.iter().map(|(_, known)| known.block.map(|block| block.is_blocked)).collect::<Vec<_>>())
    .bind(blocks.collect::<Result<Vec<_>, _>>()?)
    .bind(amounts.collect::<Result<Vec<_>, _>>()?)
    .bind(known_prices.iter().map(|price| price.map(|(_, currency)| currency.as_str())).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
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
