//! What a consumer does with domain events: one handler a process, each with tables of its own.
//!
//! A handler sees events that are new, in order and readable, and writes inside the transaction that also holds the
//! checkpoint (see [`crate::view`]). It never sees the log. Reading order: [`seats`] are the SeatingEvents in a database,
//! shared by [`seat_view`] and [`stats`]; [`reservations`] and [`payments`] are those that [`seat_view`] and
//! [`persistence`] keep. [`payment`] and [`webhook`] keep what [`crate::effects`] carries out.

pub mod seats;

pub mod reservations;

pub mod payments;

pub mod seat_view;

pub mod persistence;

pub mod stats;

pub mod payment;

pub mod webhook;

use async_trait::async_trait;
use boxoffice_domain::{Envelope, SeatingEventId, UnixMillis};
use sqlx::PgConnection;
use sqlx::migrate::Migrator;

/// A topic, by what it carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// The seats' domain events.
    Seats,
    /// `payment.requested`, `payment.completed`, `payment.failed` and `payment.refund_requested`.
    Payments,
    /// `stats.updated`.
    Stats,
}

/// What becomes of the later events of an aggregate of which one is parked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Followers {
    /// They are parked behind it, in order, because what they mean hangs on it.
    Wait,
    /// They are applied, because the handler keeps with all that it writes the sequence that it came with: what is redriven
    /// changes nothing that a later event said.
    GoOn,
}

/// A SeatingEvent that was created on another log than the one that all is of that is known of it. That one is gone, and with
/// it the purge that came before the creation, should the view not have met it; and sequences may begin anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reborn {
    /// Which one.
    pub event: SeatingEventId,
    /// When it was created.
    pub at: UnixMillis,
}

/// For how long a view keeps what is old.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Days for which the trace is kept.
    pub trace_days: u32,
    /// Days for which reservations and payments are kept once their show is over.
    pub reservation_days: u32,
}

/// Whether old things are left after a round of upkeep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Upkeep {
    /// There may be more.
    More,
    /// There are none.
    Done,
}

/// Builds a view.
#[async_trait]
pub trait Handler: Send + Sync + 'static {
    /// Its name on the command line, in logs and in metrics.
    const NAME: &'static str;

    /// Whether applying the same events to an empty database again has no effect outside of it (I9).
    const REPLAYABLE: bool;

    /// Which topics it reads. Events of different topics come in no order that it can rely on.
    const READS: &'static [Topic] = &[Topic::Seats];

    /// What a parked event means for later ones of its aggregate.
    const FOLLOWERS: Followers = Followers::Wait;

    /// Whether it produces domain events of its own: then its tables include an `outbox`.
    const PRODUCES: bool = false;

    /// Where these go.
    const PRODUCES_TO: Topic = Topic::Stats;

    /// Whether something in its tables gets old: then [`upkeep`](Self::upkeep) is called now and then.
    const HAS_UPKEEP: bool = false;

    /// Its tables.
    fn migrations() -> Migrator;

    /// Writes `events`, in order, on a connection that is inside a transaction. Called again with the same events when
    /// that is rolled back, and with fewer and fewer of them when its tables refuse one of several. An event that was
    /// parked comes when it is redriven: late, with a sequence that is not above the checkpoint's.
    async fn apply(&self, connection: &mut PgConnection, events: &[&Envelope]) -> Result<(), ApplyError>;

    /// Forgets what is known of SeatingEvents that are created now, as a purge would, before their events come.
    async fn forget(&self, _connection: &mut PgConnection, _reborn: &[Reborn]) -> Result<(), ApplyError> {
        Ok(())
    }

    /// Takes out a bounded part of what is old at `now`, on a connection that is inside a transaction of its own, of one
    /// member at a time.
    async fn upkeep(
        &self,
        _connection: &mut PgConnection,
        _retention: Retention,
        _now: UnixMillis,
    ) -> Result<Upkeep, ApplyError> {
        Ok(Upkeep::Done)
    }
}

/// Why a handler did not write.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An event cannot be written, now or later: it is parked.
    #[error("{0}")]
    Refused(String),
    /// The database gave up: trying again may work.
    #[error(transparent)]
    Database(sqlx::Error),
}

impl From<sqlx::Error> for ApplyError {
    /// Data that does not fit (SQLSTATE class 22) and constraints that do not hold (23) are the event's fault.
    fn from(error: sqlx::Error) -> Self {
        let refusal = error.as_database_error().filter(|refusal| {
            refusal.code().is_some_and(|code| code.starts_with("22") || code.starts_with("23"))
        });
        match refusal {
            Some(refusal) => Self::Refused(refusal.to_string()),
            None => Self::Database(error),
        }
    }
}

/// A number as the database's `bigint`.
fn bigint(number: u64) -> Result<i64, ApplyError> {
    i64::try_from(number)
        .map_err(|_| ApplyError::Refused(format!("{number} is larger than any amount or time")))
}
