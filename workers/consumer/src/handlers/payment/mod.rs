//! Payments: `reservation.created` is charged at a gateway, and what comes of it is announced on a topic of its own.
//!
//! [`machine`] is the life of one payment, [`intake`] what domain events mean for it; both are pure. The handler writes
//! rows and announcements inside of the loop's transaction (I5), [`work`] asks the [`gateway`] beside the loop. The
//! [`sandbox`] is a gateway that is built in. Nothing here can be replayed: a charge is no row.

pub mod machine;

pub mod intake;

pub mod gateway;

pub mod sandbox;

pub mod work;

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{Envelope, UnixMillis};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;
use uuid::Uuid;

use super::{ApplyError, Handler, Topic};
use crate::effects::postgres::{Clock, announce};
use crate::effects::{Lane, Moment};
use intake::{Kept, Rows, concerned, take_in};

/// Keeps payments.
#[derive(Debug, Clone)]
pub struct PaymentHandler {
    /// How long a reservation may be unpaid.
    pub timeout: Duration,
    /// The time.
    pub clock: Clock,
}

#[async_trait]
impl Handler for PaymentHandler {
    const NAME: &'static str = "payment";
    const REPLAYABLE: bool = false;
    const PRODUCES: bool = true;
    const PRODUCES_TO: Topic = Topic::Payments;

    fn migrations() -> Migrator {
        sqlx::migrate!("migrations/payment")
    }

    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError> {
        let ids: BTreeSet<String> = events.iter().flat_map(|envelope| concerned(&envelope.event)).collect();
        if ids.is_empty() {
            return Ok(());
        }
        let before = load(connection, ids).await?;
        let now = self.clock.now(connection).await?;
        let mut rows = before.clone();
        let mut announced = vec![];
        for envelope in events {
            let at = Moment::new(now, Uuid::new_v4());
            announced.extend(take_in(&mut rows, envelope, self.timeout, at));
        }
        rows.retain(|id, kept| before.get(id) != Some(&*kept));
        store(connection, &rows).await?;
        announce(connection, &announced.iter().collect::<Vec<_>>()).await?;
        Ok(())
    }
}

/// What is kept of these reservations and of those that cover them, locked.
async fn load(connection: &mut PgConnection, ids: BTreeSet<String>) -> Result<Rows, ApplyError> {
    let mut rows = Rows::new();
    let mut wanted = ids;
    while !wanted.is_empty() {
        let found: Vec<(String, String)> = sqlx::query_as(
            "SELECT aggregate, state::text FROM effect_lanes WHERE topic = $1 AND aggregate = ANY($2)
             ORDER BY topic, aggregate FOR UPDATE",
        )
        .bind(Lane::payment("").topic)
        .bind(wanted.iter().map(String::as_str).collect::<Vec<_>>())
        .fetch_all(&mut *connection)
        .await?;
        wanted.clear();
        for (id, state) in found {
            let kept = read(&state)?;
            if let Kept::CoveredBy(by) = &kept
                && !rows.contains_key(by)
            {
                wanted.insert(by.clone());
            }
            rows.insert(id, kept);
        }
        wanted.retain(|id| !rows.contains_key(id));
    }
    Ok(rows)
}

/// Writes them; one that a member has just taken stays its until the lease ends.
async fn store(connection: &mut PgConnection, rows: &Rows) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let due = |kept: &Kept| due(kept).map(|due| i64::try_from(due).unwrap_or(i64::MAX));
    sqlx::query(
        "INSERT INTO effect_lanes AS lane (topic, aggregate, state, due)
         SELECT $1, aggregate, state::jsonb, due
         FROM UNNEST($2::text[], $3::text[], $4::bigint[]) AS kept (aggregate, state, due) ORDER BY aggregate
         ON CONFLICT (topic, aggregate) DO UPDATE SET
             state = EXCLUDED.state, due = CASE WHEN lane.token IS NULL THEN EXCLUDED.due ELSE lane.due END",
    )
    .bind(Lane::payment("").topic)
    .bind(rows.keys().map(String::as_str).collect::<Vec<_>>())
    .bind(rows.values().map(written).collect::<Vec<_>>())
    .bind(rows.values().map(due).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// When a row is due.
pub fn due(kept: &Kept) -> Option<UnixMillis> {
    match kept {
        Kept::Payment(payment) => payment.due,
        Kept::CoveredBy(_) => None,
    }
}

/// A row from its JSON.
pub fn read(state: &str) -> Result<Kept, ApplyError> {
    serde_json::from_str(state)
        .map_err(|error| ApplyError::Refused(format!("the row is of another version: {error}")))
}

/// A row as JSON.
pub fn written(kept: &Kept) -> String {
    // Never in practice: it has no map whose keys are not text.
    serde_json::to_string(kept).unwrap_or_default()
}
