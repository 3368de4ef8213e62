//! What a database has to be before a handler works on it: reached without a pooler that forgets prepared statements,
//! with this handler's tables, and nobody else's.
//!
//! All of it is one transaction under a lock that ends with it, so members that start together wait for each other,
//! also behind a pooler.

use std::fmt;

use boxoffice_runtime::postgres::{self, pooler};
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};

use crate::handlers::Handler;

/// The lock under which tables are made.
const LOCK: i64 = 0x626f_786f_7461_626c;
/// The framework's migrations are numbered below this, a handler's from here on.
const HANDLERS: i64 = 1000;

/// Whose database it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// The ReservationService, as namespace/name.
    pub service: String,
    /// The consumer group.
    pub group: String,
    /// The topic of the seats' domain events.
    pub topic: String,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { service, group, topic } = self;
        write!(f, "group {group} of service {service} on topic {topic}")
    }
}

/// Why a database is not ready.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// It is away, or others keep it busy: trying again may work.
    #[error(transparent)]
    Away(#[from] sqlx::Error),
    /// It is another handler's, or changed by hand.
    #[error(
        "the database has other tables than this handler's ({0}): give every consumer a database of its own"
    )]
    Tables(MigrateError),
    /// Its tables cannot be brought up to date for now.
    #[error("the tables cannot be brought up to date: {0}")]
    Migration(MigrateError),
    /// It is another consumer's.
    #[error("the database belongs to {owner}, and this is {me}: give every consumer a database of its own")]
    Owned {
        /// Whose it is.
        owner: Box<Owner>,
        /// Who asked.
        me: Box<Owner>,
    },
    /// What stands before it.
    #[error("{0}")]
    Pooler(String),
}

impl DatabaseError {
    /// Whether trying again cannot help.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Away(_) | Self::Migration(_) => false,
            Self::Tables(_) | Self::Owned { .. } | Self::Pooler(_) => true,
        }
    }
}

impl From<MigrateError> for DatabaseError {
    fn from(error: MigrateError) -> Self {
        match error {
            MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => Self::Tables(error),
            _ => Self::Migration(error),
        }
    }
}

/// Brings the database's tables up to date: the framework's and the handler's. Those of a newer version of the same
/// handler are left as they are, so that a worker can go back to an older image.
///
/// # Errors
/// A database that is away, or that has another handler's tables.
pub fn migrate<H: Handler>(
    options: &PgConnectOptions,
) -> impl Future<Output = Result<(), DatabaseError>> + Send + use<H> {
    prepared::<H>(options.clone(), None)
}

/// The same, and makes the database `owner`'s.
///
/// # Errors
/// A database of somebody else, and a pooler that forgets prepared statements.
pub fn claim<H: Handler>(
    options: &PgConnectOptions,
    owner: &Owner,
) -> impl Future<Output = Result<(), DatabaseError>> + Send + use<H> {
    let (options, owner) = (options.clone(), owner.clone());
    async move {
        if let Some(problem) = pooler::problem(&options).await? {
            return Err(DatabaseError::Pooler(problem));
        }
        prepared::<H>(options, Some(owner)).await
    }
}

async fn prepared<H: Handler>(options: PgConnectOptions, owner: Option<Owner>) -> Result<(), DatabaseError> {
    let framework: Migrator = sqlx::migrate!("migrations/framework");
    let migrations: Vec<_> = framework.iter().chain(H::migrations().iter()).cloned().collect();
    let mut connection = postgres::connect(&options).await?;
    let mut transaction = connection.begin().await?;
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *transaction).await?;
    let known: Vec<i64> = migrations.iter().map(|migration| migration.version).collect();
    refuse_unknown(&mut transaction, &known).await?;
    let mut migrator = Migrator::with_migrations(migrations);
    migrator.set_locking(false).set_ignore_missing(true);
    migrator.run_direct(None, &mut *transaction, false).await?;
    if let Some(owner) = owner {
        own(&mut transaction, owner).await?;
    }
    transaction.commit().await?;
    connection.close().await?;
    Ok(())
}

/// Refuses tables that this handler does not know, unless they are newer than all that it knows.
async fn refuse_unknown(connection: &mut PgConnection, known: &[i64]) -> Result<(), DatabaseError> {
    let there: bool = sqlx::query_scalar("SELECT to_regclass('_sqlx_migrations') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await?;
    if !there {
        return Ok(());
    }
    let unknown: Option<i64> = sqlx::query_scalar(
        "SELECT min(version) FROM _sqlx_migrations
         WHERE version <> ALL($1) AND version <= CASE WHEN version < $2 THEN $3 ELSE $4 END",
    )
    .bind(known)
    .bind(HANDLERS)
    .bind(known.iter().filter(|version| **version < HANDLERS).max())
    .bind(known.iter().max())
    .fetch_one(connection)
    .await?;
    unknown.map_or(Ok(()), |version| Err(MigrateError::VersionMissing(version).into()))
}

async fn own(connection: &mut PgConnection, me: Owner) -> Result<(), DatabaseError> {
    sqlx::query(
        "INSERT INTO owner (service, consumer_group, topic) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(&me.service)
    .bind(&me.group)
    .bind(&me.topic)
    .execute(&mut *connection)
    .await?;
    let (service, group, topic) =
        sqlx::query_as("SELECT service, consumer_group, topic FROM owner").fetch_one(connection).await?;
    let owner = Owner { service, group, topic };
    if owner == me {
        return Ok(());
    }
    Err(DatabaseError::Owned { owner: Box::new(owner), me: Box::new(me) })
}
