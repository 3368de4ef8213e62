//! One connection to one master, and what that server was called when the connection opened.
//!
//! A connection that came back by itself could come back to a server that has forgotten the last second: restarted, or
//! a replica that was promoted. So nothing here reconnects. A link knows the run id of its server from its first
//! command on; a link that fails is dropped, and whoever needs the server next opens another one, once for all who
//! wait, and learns its run id (I7). Who may sell on that server is the fence's business, not the link's.

use std::io;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, InfoDict, Pipeline, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, timeout};

use super::fsync::{self, Fsync};
use super::invocation::ScriptInvocation;
use super::server::{Node, patience};
use super::{CONNECT_TIMEOUT, TOTAL_TIMEOUT};
use crate::store::StoreError;

/// Shortest and longest pause between two attempts to open a link; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// Why a server is not one to sell seats on.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It does not answer, or refuses.
    #[error(transparent)]
    Redis(#[from] RedisError),
    /// It is a replica.
    #[error("{0} is a replica: the address has to lead to the master")]
    Replica(Node),
    /// It would throw seats away when its memory is full.
    #[error("redis has maxmemory-policy {0}, under which it may drop sold seats: set it to noeviction")]
    Evicts(String),
    /// It cannot keep what `durability: fsync` promises.
    #[error("durability fsync: {0}")]
    Fsync(String),
}

impl OpenError {
    /// Whether another attempt may go better without anybody's help.
    fn passes(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Replica(_))
    }
}

/// An open connection.
pub struct Link {
    connection: MultiplexedConnection,
    /// The server.
    pub node: Node,
    /// What this life of the server is called.
    pub run_id: String,
    /// How it can put writes on its disk; only where that is asked for.
    pub fsync: Option<Fsync>,
    /// Whether it keeps an append-only file.
    pub appends: bool,
    /// When the link opened.
    pub opened: Instant,
}

impl Link {
    async fn open(client: &Client, node: &Node, fsync: bool) -> Result<Self, OpenError> {
        let patience = patience();
        let opening = client.get_multiplexed_async_connection_with_config(&patience);
        // The time-out of the connection itself does not cover looking up its name.
        let mut connection = timeout(CONNECT_TIMEOUT * 2, opening).await.map_err(|_| too_late())??;
        let sections = ["server", "replication", "memory", "persistence"];
        let about: InfoDict = redis::cmd("INFO").arg(&sections).query_async(&mut connection).await?;
        let text = |name: &str| about.get::<String>(name).unwrap_or_default();
        if text("role") != "master" {
            return Err(OpenError::Replica(node.clone()));
        }
        if !["", "noeviction"].contains(&text("maxmemory_policy").as_str()) {
            return Err(OpenError::Evicts(text("maxmemory_policy")));
        }
        let fsync = if fsync {
            Some(fsync::ask(&mut connection, &about).await?.map_err(OpenError::Fsync)?)
        } else {
            None
        };
        let (node, run_id, appends) = (node.clone(), text("run_id"), text("aof_enabled") == "1");
        Ok(Self { connection, node, run_id, fsync, appends, opened: Instant::now() })
    }

    /// Runs a command.
    pub async fn query<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// Runs several in one go.
    pub async fn query_all<T: FromRedisValue>(&self, commands: &Pipeline) -> RedisResult<T> {
        commands.query_async(&mut self.connection.clone()).await
    }

    /// Runs a script, which the server is given first where it does not know it.
    pub async fn invoke<T: FromRedisValue>(&self, run: &ScriptInvocation<'_>) -> RedisResult<T> {
        let command = run.command(&self.run_id);
        match self.query(&command).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.query::<String>(&run.load()).await?;
                self.query(&command).await
            }
            ran => ran,
        }
    }
}

/// The one link to a server at a time.
pub struct Dial {
    client: Client,
    node: Node,
    fsync: bool,
    link: RwLock<Option<Arc<Link>>>,
    attempts: Mutex<Attempts>,
    opened: Arc<Notify>,
}

/// What came of trying to open a link.
#[derive(Default)]
struct Attempts {
    failures: u32,
    last: Option<(Instant, String)>,
}

impl Dial {
    /// To `node`, which has to be able to put writes on disk where `fsync` says so. `opened` hears of every new link.
    pub fn new(client: Client, node: Node, fsync: bool, opened: Arc<Notify>) -> Self {
        Self { client, node, fsync, link: RwLock::default(), attempts: Mutex::default(), opened }
    }

    /// The link, opened if need be. After a failure the next attempt is made by whoever comes after a pause, and until
    /// then the reason of the last one is the answer.
    pub async fn link(&self) -> Result<Arc<Link>, StoreError> {
        if let Some(link) = self.current() {
            return Ok(link);
        }
        let turn = timeout(TOTAL_TIMEOUT, self.attempts.lock()).await;
        let mut attempts = turn.map_err(|_| StoreError::Unavailable("nobody answers".into()))?;
        if let Some(link) = self.current() {
            return Ok(link);
        }
        if let Some((at, reason)) = &attempts.last
            && at.elapsed() < pause(attempts.failures)
        {
            return Err(StoreError::Unavailable(reason.clone()));
        }
        match self.open().await {
            Ok(link) => {
                *attempts = Attempts::default();
                Ok(link)
            }
            Err(error) => {
                attempts.failures += 1;
                attempts.last = Some((Instant::now(), error.to_string()));
                Err(StoreError::Unavailable(error.to_string()))
            }
        }
    }

    /// Opens the first link, and says exactly why not.
    pub async fn first_link(&self) -> Result<Arc<Link>, OpenError> {
        self.open().await
    }

    async fn open(&self) -> Result<Arc<Link>, OpenError> {
        let opening = Link::open(&self.client, &self.node, self.fsync);
        let link = Arc::new(opening.await.inspect_err(|error| {
            if !error.passes() {
                tracing::error!(node = %self.node, %error, "redis is not one to sell seats on");
            }
        })?);
        tracing::debug!(node = %self.node, run_id = link.run_id, "link to redis opened");
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        self.opened.notify_one();
        Ok(link)
    }

    /// Gives up `link` where `error` means that nothing more comes of it.
    pub fn heed(&self, link: &Arc<Link>, error: &RedisError) {
        if !is_over(error) {
            return;
        }
        let mut current = self.link.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            tracing::debug!(node = %self.node, %error, "link to redis dropped");
            *current = None;
        }
    }

    fn current(&self) -> Option<Arc<Link>> {
        self.link.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Whether a link is of no use after `error`: it is broken, or its server is no master any more.
fn is_over(error: &RedisError) -> bool {
    let demoted = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown].map(ErrorKind::Server);
    error.is_unrecoverable_error() || demoted.contains(&error.kind())
}

fn pause(failures: u32) -> Duration {
    PAUSE.0.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(PAUSE.1)
}

/// The error of a time-out.
pub fn too_late() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::server::Server;

    #[test]
    fn a_slow_answer_keeps_the_link_and_a_broken_one_or_a_demotion_does_not() {
        assert!(!is_over(&too_late()));
        assert!(is_over(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(!is_over(&redis::make_extension_error("RECOVERING".into(), None)));
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!([1, 2, 3].map(pause), [50, 100, 200].map(Duration::from_millis));
        assert_eq!(pause(40), PAUSE.1);
    }

    #[tokio::test]
    async fn nobody_tries_again_before_the_pause_is_over() {
        let server = Server::new("redis://127.0.0.1:1", None).unwrap();
        let client = server.client(server.first()).unwrap();
        let dial = Dial::new(client, server.first().clone(), false, Arc::default());
        assert!(dial.link().await.is_err());
        assert!(dial.link().await.is_err());
        assert_eq!(dial.attempts.lock().await.failures, 1);
    }
}
