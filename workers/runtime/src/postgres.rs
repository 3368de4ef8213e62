//! Connections to PostgreSQL, with a limit on every wait: for a free connection, for a lock, for a statement.
//!
//! Used by the consumer, which writes a view, and by the query worker, which loads one. What is asked of the
//! database stands with whoever asks. [`watch`] notices a server that is gone or that can no longer be written to, and
//! [`pooler`] one behind which this client cannot work.
//!
//! The client library sets no keepalive and no time-out on its sockets, so a host that vanishes is noticed here: every
//! wait has an end of its own, and what did not come to a good end closes its connection ([`Lent`]).

pub mod pooler;
pub mod watch;

use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use clap::Args;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio_util::sync::CancellationToken;

use watch::Lost;

/// Longest wait for a connection, a new one or a pooled one.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest wait for the answer of a pooled connection that was idle; then it is closed and another one is taken.
const PING: Duration = Duration::from_secs(1);
/// Back-off between attempts at start: doubled from the first to the last.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// What the server itself cuts short, and how soon it misses a client that vanished: so locks are not kept for long.
/// Set once connected: poolers refuse what is asked of them while connecting.
const SERVER_LIMITS: &str = "
    SET statement_timeout = '30s';
    SET lock_timeout = '10s';
    SET idle_in_transaction_session_timeout = '30s';
    SET tcp_keepalives_idle = 10;
    SET tcp_keepalives_interval = 5;
    SET tcp_keepalives_count = 3;
    SET tcp_user_timeout = '20s'";

/// Where the view is kept.
#[derive(Debug, Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL, as `postgres://user:password@host:5432/database`.
    #[arg(long, env = "BOXOFFICE_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
}

impl DatabaseArgs {
    /// How to connect, as `application`.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn options(&self, application: &str) -> Result<PgConnectOptions, sqlx::Error> {
        let options: PgConnectOptions = self.database_url.parse()?;
        // Poolers do not know the setting that would be sent along by default.
        Ok(options.application_name(application).extra_float_digits(None))
    }
}

/// A pool of at most `max` connections. Connects when first used; a database that is away fails within 5 s.
pub fn pool(options: PgConnectOptions, max: u32) -> PgPool {
    watched(options, max, Lost::default())
}

/// The same for reads that the server gives up after `longest`.
pub fn reading(options: PgConnectOptions, max: u32, longest: Duration) -> PgPool {
    let longest = format!("{}ms", longest.as_millis());
    settings(max, Lost::default())
        .after_connect(move |connection, _| {
            let longest = longest.clone();
            Box::pin(async move {
                limit(connection).await?;
                let set = sqlx::query("SELECT set_config('statement_timeout', $1, false)").bind(longest);
                set.execute(connection).await.map(drop)
            })
        })
        .connect_lazy_with(options)
}

/// The same, without the connections that were open when the server was `lost`.
pub fn watched(options: PgConnectOptions, max: u32, lost: Lost) -> PgPool {
    settings(max, lost).connect_lazy_with(options)
}

fn settings(max: u32, lost: Lost) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(CONNECT)
        .max_lifetime(Duration::from_mins(30))
        .after_connect(|connection, _| Box::pin(limit(connection)))
        .test_before_acquire(false)
        .before_acquire(move |connection, meta| {
            let is_of_before = lost.was_within(meta.age);
            Box::pin(async move {
                Ok(!is_of_before && matches!(tokio::time::timeout(PING, connection.ping()).await, Ok(Ok(()))))
            })
        })
}

/// A connection that no pool has.
///
/// # Errors
/// A database that is away: within 5 s.
pub async fn connect(options: &PgConnectOptions) -> Result<PgConnection, sqlx::Error> {
    let connecting = async {
        let mut connection = PgConnection::connect_with(options).await?;
        limit(&mut connection).await?;
        Ok(connection)
    };
    tokio::time::timeout(CONNECT, connecting).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

async fn limit(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(SERVER_LIMITS).execute(connection).await.map(drop)
}

/// A pooled connection that goes back to its pool when what it was taken for came to a good end, and is closed
/// otherwise: a server that became a standby (SQLSTATE 25006), one that shut down, and one that no longer answers are
/// not asked again on the same connection.
pub struct Lent {
    connection: PoolConnection<Postgres>,
    is_good: bool,
}

impl Lent {
    /// Takes one.
    ///
    /// # Errors
    /// None is free or can be made within 5 s.
    pub async fn from(pool: &PgPool) -> Result<Self, sqlx::Error> {
        Ok(Self { connection: pool.acquire().await?, is_good: false })
    }

    /// Gives it back: all went well.
    pub fn give_back(mut self) {
        self.is_good = true;
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if !self.is_good {
            self.connection.close_on_drop();
        }
    }
}

/// Does `attempt` until it succeeds, waiting longer and longer in between: a worker that starts before its database
/// waits for it. `None` where `stop` came first.
pub async fn until_reached<T, E, F>(
    what: &str,
    stop: &CancellationToken,
    mut attempt: impl FnMut() -> F,
) -> Option<T>
where
    E: std::fmt::Display,
    F: Future<Output = Result<T, E>>,
{
    let mut wait = FIRST_RETRY;
    loop {
        match stop.run_until_cancelled(attempt()).await? {
            Ok(value) => return Some(value),
            Err(error) => tracing::warn!(%error, retry_in = ?wait, "{what}: trying again"),
        }
        stop.run_until_cancelled(tokio::time::sleep(wait)).await?;
        wait = (wait * 2).min(LAST_RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waits_until_the_attempt_succeeds() {
        let (stop, mut attempts) = (CancellationToken::new(), 0);
        let reached = until_reached("database", &stop, || {
            attempts += 1;
            let result = if attempts < 3 { Err("away") } else { Ok(attempts) };
            async move { result }
        });
        assert_eq!(reached.await, Some(3));
    }

    #[tokio::test]
    async fn gives_up_when_told_to_stop() {
        let stop = CancellationToken::new();
        stop.cancel();
        assert_eq!(until_reached("database", &stop, || async { Err::<(), _>("away") }).await, None);
    }
}
