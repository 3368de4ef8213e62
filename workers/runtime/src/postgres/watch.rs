//! Whether the server can be written to, asked again and again on a connection of its own, and what follows where it
//! cannot: whatever waits for that server gives up, and its connections are not used again.
//!
//! This stands in for the sockets' keepalive: a host that vanished without a word costs those that wait for it the few
//! seconds until the next question fails, not their whole limit.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::PgConnection;
use sqlx::postgres::PgConnectOptions;
use tokio::sync::watch;

/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(3);

/// When the server was last found to be lost. Clones know the same.
#[derive(Debug, Clone, Default)]
pub struct Lost(Arc<watch::Sender<Option<Instant>>>);

impl Lost {
    /// It is lost now.
    pub fn happened(&self) {
        self.0.send_replace(Some(Instant::now()));
    }

    /// Whether it happened within the last `age`: to a connection that is that old.
    pub fn was_within(&self, age: Duration) -> bool {
        self.0.borrow().is_some_and(|at| at.elapsed() <= age)
    }

    /// Does `work` unless it happens meanwhile: then `None`.
    pub async fn unless_lost<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let mut next = self.0.subscribe();
        tokio::select! {
            done = work => Some(done),
            // The sender is in `self`.
            _ = next.changed() => None,
        }
    }
}

/// Why the server cannot be used for now.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It does not answer as it should.
    #[error("it cannot be asked: {0}")]
    Away(#[from] sqlx::Error),
    /// It hangs, or its host is gone.
    #[error("it does not answer within {ANSWER:?}")]
    Silent,
    /// It is a standby, or set to read only.
    #[error("it is read-only, as a standby is")]
    ReadOnly,
}

/// Asks.
#[derive(Debug)]
pub struct Watch {
    options: PgConnectOptions,
    connection: Option<PgConnection>,
}

impl Watch {
    /// Of the server that `options` name.
    pub fn new(options: PgConnectOptions) -> Self {
        Self { options, connection: None }
    }

    /// Whether it can be written to.
    ///
    /// # Errors
    /// That it cannot: within seconds.
    pub async fn ask(&mut self) -> Result<(), Unusable> {
        // Kept only after a good answer, so that the next question finds whoever has the address then.
        let kept = self.connection.take();
        let asked = async {
            let mut connection = match kept {
                Some(connection) => connection,
                None => super::connect(&self.options).await?,
            };
            let read_only: bool =
                sqlx::query_scalar("SELECT current_setting('transaction_read_only')::boolean")
                    .fetch_one(&mut connection)
                    .await?;
            if read_only { Err(Unusable::ReadOnly) } else { Ok(connection) }
        };
        let connection = tokio::time::timeout(ANSWER, asked).await.map_err(|_| Unusable::Silent)??;
        self.connection = Some(connection);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_waits_for_a_lost_server_gives_up_and_what_comes_later_does_not() {
        let lost = Lost::default();
        assert_eq!(lost.unless_lost(async { 7 }).await, Some(7));
        let waiting = lost.unless_lost(std::future::pending::<()>());
        let (gone, ()) = tokio::join!(waiting, async { lost.happened() });
        assert_eq!(gone, None);
        assert_eq!(lost.unless_lost(async { 7 }).await, Some(7));
    }

    #[test]
    fn connections_of_before_are_told_from_later_ones() {
        let lost = Lost::default();
        assert!(!lost.was_within(Duration::from_mins(1)));
        lost.happened();
        assert!(lost.was_within(Duration::from_mins(1)));
        assert!(!lost.was_within(Duration::ZERO));
    }
}
