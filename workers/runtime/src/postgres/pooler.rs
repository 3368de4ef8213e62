//! A pooler between this client and its database that gives every transaction another connection.
//!
//! Statements are prepared once a connection and used again, so behind such a pooler they are there only if it keeps
//! track of them itself (PgBouncer does so from 1.21 on, where `max_prepared_statements` is above 0). Whether it does is
//! found out at the start, because afterwards it would show only now and then. Nothing else here needs a session:
//! locks are those of a transaction, and limits that another session has do no harm.

use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection, Row};

/// What is prepared on the first connection, and asked again there while a second one has its server.
const PREPARED: &str = "SELECT pg_backend_pid() WHERE $1::boolean";

/// What makes a pooler unusable; `None` where there is none, or one that keeps track.
///
/// # Errors
/// A database that is away.
pub async fn problem(options: &PgConnectOptions) -> Result<Option<String>, sqlx::Error> {
    let mut first = super::connect(options).await?;
    let mut second = super::connect(options).await?;
    match ask(&mut first, &mut second).await {
        Ok(()) => {
            first.close().await?;
            second.close().await?;
            Ok(None)
        }
        Err(error) if is_about_prepared(&error) => Ok(Some(format!(
            "a pooler gives every transaction another connection and does not keep prepared statements ({error}): \
             use pool_mode = session, or PgBouncer from 1.21 on with max_prepared_statements above 0"
        ))),
        Err(error) => Err(error),
    }
}

async fn ask(first: &mut PgConnection, second: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query(PREPARED).bind(true).fetch_one(&mut *first).await?;
    // Whoever comes next gets the server connection that was given back last.
    sqlx::raw_sql("BEGIN").execute(&mut *second).await?;
    let taken: i32 = sqlx::raw_sql("SELECT pg_backend_pid()").fetch_one(&mut *second).await?.try_get(0)?;
    let answered = sqlx::query(PREPARED).bind(true).fetch_one(&mut *first).await;
    sqlx::raw_sql("ROLLBACK").execute(&mut *second).await?;
    let now: i32 = answered?.try_get(0)?;
    tracing::debug!(taken, now, "prepared statements are kept");
    Ok(())
}

/// A prepared statement that is not there (26000), or that is there already (42P05).
fn is_about_prepared(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    code.is_some_and(|code| code == "26000" || code == "42P05")
}
