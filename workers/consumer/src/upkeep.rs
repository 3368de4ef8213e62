//! Takes out of a handler's database what is old, once an hour: rounds of a transaction each, of which one member at a time
//! does them, by the advisory lock that one publisher a database has too.

use std::time::Duration;

use boxoffice_runtime::{clock, postgres};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tokio_util::sync::CancellationToken;

use crate::handlers::{ApplyError, Handler, Retention, Upkeep};
use crate::relay::LOCK;

/// Time between two looks.
const EVERY: Duration = Duration::from_hours(1);
/// How soon what failed is tried again.
const AGAIN: Duration = Duration::from_mins(1);
/// Longest time for a round: the seats of a stadium, or the reservations of one.
const ROUND: Duration = Duration::from_mins(1);

/// Looks after what is old until `stop`.
pub async fn run<H: Handler>(
    handler: &H,
    database: PgConnectOptions,
    retention: Retention,
    stop: &CancellationToken,
) {
    loop {
        let done = stop.run_until_cancelled(rounds(handler, &database, retention)).await;
        let wait = match done {
            None => return,
            Some(Ok(())) => EVERY,
            Some(Err(error)) => {
                tracing::warn!(%error, handler = H::NAME, "what is old stays for now");
                AGAIN
            }
        };
        if stop.run_until_cancelled(tokio::time::sleep(wait)).await.is_none() {
            return;
        }
    }
}

/// Round after round, until nothing old is left or another member is about it.
///
/// # Errors
/// A database that is away or busy: what was done stays done.
pub async fn rounds<H: Handler>(
    handler: &H,
    database: &PgConnectOptions,
    retention: Retention,
) -> Result<(), ApplyError> {
    let mut connection = postgres::connect(database).await?;
    loop {
        let round = tokio::time::timeout(ROUND, round(handler, &mut connection, retention));
        match round
            .await
            .map_err(|_| ApplyError::Refused(format!("no end within {} s", ROUND.as_secs())))??
        {
            Upkeep::More => {}
            Upkeep::Done => return Ok(connection.close().await?),
        }
    }
}

async fn round<H: Handler>(
    handler: &H,
    connection: &mut PgConnection,
    retention: Retention,
) -> Result<Upkeep, ApplyError> {
    let mut transaction = connection.begin().await?;
    let is_mine: bool = sqlx::query_scalar("SELECT pg_try_advisory_xact_lock($1)")
        .bind(LOCK)
        .fetch_one(&mut *transaction)
        .await?;
    let round =
        if is_mine { handler.upkeep(&mut transaction, retention, clock::now()).await? } else { Upkeep::Done };
    transaction.commit().await?;
    Ok(round)
}
