//! What `/trace/{correlationId}` is drawn from: the log itself, whose records the data file finds by their chain.
//!
//! What is older than `retention.traceDays` is not told; the log keeps it, for it is what everything is worked out from.

use std::collections::HashSet;
use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{CorrelationId, Envelope, UnixMillis, UserId};
use boxoffice_query::orders::{MOST_EVENTS, OrdersError, Traced};
use futures::TryStreamExt;
use sqlx::SqlitePool;
use tokio::time::timeout;

use crate::embedded::seats::Clock;

/// The longest that a chain is looked for: one that is named by everything that a client sends may be as long as the log.
const PATIENCE: Duration = Duration::from_secs(2);
const DAY: UnixMillis = 86_400_000;

const CHAIN: &str = "
    SELECT value FROM records
    WHERE CASE WHEN json_valid(value) THEN json_extract(value, '$.metadata.correlationId') END = ?
        AND timestamp >= ? AND topic IN (?, ?)
    ORDER BY timestamp";

/// See the module.
#[derive(Clone)]
pub struct Trace {
    file: SqlitePool,
    /// Of seats, and of payments.
    topics: [String; 2],
    days: u32,
    clock: Clock,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace")
            .field("topics", &self.topics)
            .field("days", &self.days)
            .finish_non_exhaustive()
    }
}

impl Trace {
    /// The events of the last `days` days by `clock`, on the topics of seats and payments of a log in `file`.
    pub fn new(file: SqlitePool, topics: [&str; 2], days: u32, clock: Clock) -> Self {
        Self { file, topics: topics.map(str::to_owned), days, clock }
    }

    /// The events of a chain, oldest first; those that name a user, where one is given.
    ///
    /// # Errors
    /// A file that cannot be read, or takes too long.
    pub async fn of(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, OrdersError> {
        let read = timeout(PATIENCE, self.read(chain, user)).await;
        let mut events = read
            .map_err(|_| OrdersError(format!("no answer within {} s", PATIENCE.as_secs())))?
            .map_err(|error| OrdersError(error.to_string()))?;
        events.sort_by_key(|event| (event.timestamp, event.sequence, event.event_id));
        Ok(events)
    }

    async fn read(&self, chain: &CorrelationId, user: Option<&UserId>) -> Result<Vec<Traced>, sqlx::Error> {
        let since = (self.clock)().saturating_sub(UnixMillis::from(self.days) * DAY);
        let [seats, payments] = &self.topics;
        let query = sqlx::query_scalar::<_, String>(CHAIN).bind(chain.as_str());
        let query = query.bind(since.cast_signed()).bind(seats).bind(payments);
        let mut values = query.fetch(&self.file);
        // The log may repeat a record.
        let (mut events, mut seen) = (vec![], HashSet::new());
        while events.len() <= MOST_EVENTS
            && let Some(value) = values.try_next().await?
        {
            let Ok(Incoming::Known(envelope)) = parse(value.as_bytes()) else { continue };
            let is_named = user.is_none_or(|user| envelope.user() == Some(user));
            if is_named && seen.insert(envelope.event_id) {
                events.push(traced(&envelope));
            }
        }
        Ok(events)
    }
}

fn traced(envelope: &Envelope) -> Traced {
    Traced {
        user: envelope.user().cloned(),
        event_id: envelope.event_id,
        causation_id: envelope.metadata.causation_id,
        event_type: envelope.event.event_type().to_owned(),
        aggregate_id: envelope.event.aggregate_id(),
        seating_event: envelope.event.seating_event().clone(),
        sequence: envelope.metadata.sequence,
        timestamp: envelope.timestamp,
    }
}
