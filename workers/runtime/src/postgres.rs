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

use std::fmt;
use std::future::Future;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

use clap::Args;
use clap::builder::NonEmptyStringValueParser;
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use sqlx::{Connection, PgConnection, PgPool, Postgres};
use tokio_util::sync::CancellationToken;

use crate::address::{self, InvalidAddress};
use crate::tls::{ClientCertificate, Tls};
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
#[derive(Clone, Args)]
pub struct DatabaseArgs {
    /// PostgreSQL, as `postgres://user:password@host:5432/database`.
    #[arg(long, env = "BOXOFFICE_DATABASE_URL", hide_env_values = true)]
    pub database_url: String,
    /// How it is known.
    #[command(flatten)]
    pub database_tls: DatabaseTlsArgs,
}

/// How the server is known: left out, as the URL says (`sslmode`), which is by no certificate where it says nothing.
#[derive(Clone, Default, Args)]
pub struct DatabaseTlsArgs {
    /// Speak TLS with PostgreSQL, and check its certificate and the host that it names, whatever the URL says.
    #[arg(long, env = "BOXOFFICE_DATABASE_TLS")]
    pub database_tls: bool,
    /// Certificates of the authorities that sign PostgreSQL's, as text in PEM form, besides those that everybody trusts.
    #[arg(long, env = "BOXOFFICE_DATABASE_CA", hide_env_values = true, value_name = "PEM")]
    #[arg(requires = "database_tls", value_parser = NonEmptyStringValueParser::new())]
    pub database_ca: Option<String>,
    /// This client's certificate, where PostgreSQL asks for one, as text in PEM form.
    #[arg(long, env = "BOXOFFICE_DATABASE_CERTIFICATE", hide_env_values = true, value_name = "PEM")]
    #[arg(requires_all = ["database_tls", "database_key"], value_parser = NonEmptyStringValueParser::new())]
    pub database_certificate: Option<String>,
    /// Its private key, as text in PEM form without a password; give it in the environment, as a password.
    #[arg(long, env = "BOXOFFICE_DATABASE_KEY", hide_env_values = true, value_name = "PEM")]
    #[arg(requires = "database_certificate", value_parser = NonEmptyStringValueParser::new())]
    pub database_key: Option<String>,
}

impl DatabaseTlsArgs {
    fn tls(&self) -> Option<Tls> {
        let Self { database_tls, database_ca, database_certificate, database_key } = self.clone();
        let certificate = ClientCertificate::given(database_certificate, database_key);
        database_tls.then_some(Tls { authority: database_ca, certificate })
    }
}

impl fmt::Debug for DatabaseTlsArgs {
    /// As what it is turned into, which hides the key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.tls().fmt(f)
    }
}

impl fmt::Debug for DatabaseArgs {
    /// Without the address, in which a password may stand.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseArgs").field("database_tls", &self.database_tls).finish_non_exhaustive()
    }
}

impl DatabaseArgs {
    /// The server of `url`, known as that says.
    pub fn at(url: impl Into<String>) -> Self {
        Self { database_url: url.into(), database_tls: DatabaseTlsArgs::default() }
    }

    /// How to connect, as `application`.
    ///
    /// # Errors
    /// A URL that is none.
    pub fn options(&self, application: &str) -> Result<PgConnectOptions, InvalidAddress> {
        let options = address::postgres(&self.database_url)?;
        // Poolers do not know the setting that would be sent along by default.
        let options = options.application_name(application).extra_float_digits(None);
        Ok(match self.database_tls.tls() {
            Some(tls) => over(options, tls),
            None => options,
        })
    }
}

/// By TLS with a server whose certificate names its host.
fn over(options: PgConnectOptions, tls: Tls) -> PgConnectOptions {
    let Tls { authority, certificate } = tls;
    let options = options.ssl_mode(PgSslMode::VerifyFull);
    let options = match authority {
        Some(pem) => options.ssl_root_cert_from_pem(pem.into_bytes()),
        None => options,
    };
    match certificate {
        Some(ClientCertificate { certificate, key }) => {
            options.ssl_client_cert_from_pem(certificate).ssl_client_key_from_pem(key)
        }
        None => options,
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
    E: fmt::Display,
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
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Worker {
        #[command(flatten)]
        database: DatabaseArgs,
    }

    fn parsed(given: &[&str]) -> Result<DatabaseArgs, String> {
        let all = ["worker", "--database-url=postgres://view@db/view?sslmode=disable"].iter().chain(given);
        Worker::try_parse_from(all).map(|worker| worker.database).map_err(|error| error.to_string())
    }

    #[test]
    fn a_database_is_known_as_its_url_says_or_by_its_certificate_whatever_that_says() {
        let mode = |given: &[&str]| {
            let options = parsed(given).unwrap().options("test").unwrap();
            format!("{:?}", options.get_ssl_mode())
        };
        assert_eq!(mode(&[]), "Disable");
        assert_eq!(mode(&["--database-tls"]), "VerifyFull");
        let all = ["--database-tls", "--database-ca=CA", "--database-certificate=C", "--database-key=hush"];
        assert_eq!(mode(&all), "VerifyFull");
        let tls = parsed(&all).unwrap().database_tls.tls().unwrap();
        let certificate = ClientCertificate::given(Some("C".into()), Some("hush".into()));
        assert_eq!(tls, Tls { authority: Some("CA".into()), certificate });
        assert!(!format!("{:?}", parsed(&all).unwrap()).contains("hush"));
    }

    #[test]
    fn what_is_given_by_half_is_refused_with_what_is_missing() {
        let refused = |given: &[&str], missing: &str| {
            let refused = parsed(given).unwrap_err();
            assert!(refused.contains(missing), "{refused}");
        };
        refused(&["--database-ca=CA"], "--database-tls");
        refused(&["--database-tls", "--database-certificate=C"], "--database-key");
        refused(&["--database-tls", "--database-key=hush"], "--database-certificate");
    }

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
