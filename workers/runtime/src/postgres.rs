//! Connections to PostgreSQL, with a limit on every wait: for a free connection, for a lock, for a statement.
//!
//! Used by the consumer, which writes a view, and by the query worker, which loads one. What is asked of the
//! database stands with whoever asks.

use std::future::Future;
use std::time::Duration;

use clap::Args;
use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use tokio_util::sync::CancellationToken;

/// Longest wait for a connection, a new one or a pooled one.
const CONNECT: Duration = Duration::from_secs(5);
/// Back-off between attempts at start: doubled from the first to the last.
const FIRST_RETRY: Duration = Duration::from_millis(100);
const LAST_RETRY: Duration = Duration::from_secs(5);
/// What the server itself cuts short, in milliseconds.
const SERVER_LIMITS: [(&str, &str); 3] = [
    ("statement_timeout", "30000"),
    ("lock_timeout", "10000"),
    ("idle_in_transaction_session_timeout", "30000"),
];

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
        Ok(options.application_name(application).options(SERVER_LIMITS))
    }
}

/// A pool of at most `max` connections. Connects when first used; a database that is away fails within 5 s.
pub fn pool(options: PgConnectOptions, max: u32) -> PgPool {
    PgPoolOptions::new()
        .max_connections(max)
        .acquire_timeout(CONNECT)
        .max_lifetime(Duration::from_mins(30))
        .connect_lazy_with(options)
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

/// Whether the database answers.
///
/// # Errors
/// That it does not, within the pool's limits.
pub async fn ping(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query("SELECT 1").execute(pool).await.map(drop)
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
