//! One connection to one master, and the history that this server had when the connection opened.
//!
//! A connection that came back by itself could come back to a server that has forgotten the last second: restarted, or
//! a replica that was promoted. So nothing here reconnects. A link knows the history of its server from its first
//! command on; a link that fails is dropped, and whoever needs the server next opens another one, once for all who
//! wait, and learns its history (I7). A server may also take on another history while its connections stay open
//! (REPLICAOF, FAILOVER): every link asks again in the pace of the leases' rounds, each for itself, and is over when the
//! server says something else. What was answered on a link that is over meanwhile counts as not answered. While an answer is
//! overdue nobody else waits for that server: what others have must not stand behind it. Who may sell
//! on that server is the fence's business, not the link's.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use redis::aio::MultiplexedConnection;
use redis::{
    Client, Cmd, ErrorKind, FromRedisValue, InfoDict, Pipeline, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::{Mutex, Notify};
use tokio::time::{Instant, sleep, timeout};

use super::background::Background;
use super::fsync::{self, Fsync};
use super::history::{self, NoHistory, SECTIONS};
use super::invocation::ScriptInvocation;
use super::server::{Node, patience};
use super::{CONNECT_TIMEOUT, TOTAL_TIMEOUT};
use crate::store::{History, LEASE_ROUND, StoreError};

/// Shortest and longest pause between two attempts to open a link; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(50), Duration::from_millis(500));

/// So many confirmations in a row that nobody answers end a link.
const VANISHED: u32 = 2;

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
    /// It cannot be told from another one.
    #[error(transparent)]
    NoHistory(#[from] NoHistory),
}

impl OpenError {
    /// Whether another attempt may go better without anybody's help.
    pub fn passes(&self) -> bool {
        matches!(self, Self::Redis(_) | Self::Replica(_))
    }
}

/// An open connection.
pub struct Link {
    connection: MultiplexedConnection,
    /// The server.
    pub node: Node,
    /// The history that the server had when the link opened.
    pub history: History,
    /// How it can put writes on its disk; only where that is asked for.
    pub fsync: Option<Fsync>,
    /// Whether it keeps an append-only file.
    pub appends: bool,
    /// When the link opened.
    pub opened: Instant,
    over: AtomicBool,
    /// Whether an answer is overdue and none has come since.
    silent: AtomicBool,
}

impl Link {
    async fn open(client: &Client, node: &Node, fsync: bool) -> Result<Self, OpenError> {
        let patience = patience();
        let opening = client.get_multiplexed_async_connection_with_config(&patience);
        // The time-out of the connection itself does not cover looking up its name.
        let mut connection = timeout(CONNECT_TIMEOUT * 2, opening).await.map_err(|_| too_late())??;
        let mut info = redis::cmd("INFO");
        info.arg(&SECTIONS).arg(&["memory", "persistence"]);
        let about: InfoDict = info.query_async(&mut connection).await?;
        let text = |name: &str| about.get::<String>(name).unwrap_or_default();
        let history = history::read(&about)?;
        if !history::is_master(&about) {
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
        let (node, appends) = (node.clone(), text("aof_enabled") == "1");
        let (opened, over, silent) = (Instant::now(), AtomicBool::new(false), AtomicBool::new(false));
        Ok(Self { connection, node, history, fsync, appends, opened, over, silent })
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
        let command = run.command(&self.history);
        match self.query(&command).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                self.query::<String>(&run.load()).await?;
                self.query(&command).await
            }
            ran => ran,
        }
    }

    /// Fails where the server is not, or no longer, a master of the link's history.
    pub async fn confirm(&self) -> RedisResult<()> {
        let about: InfoDict = self.query(redis::cmd("INFO").arg(&SECTIONS)).await?;
        history::confirm(&about, &self.history)
    }

    /// Whether it is of no use any more.
    pub fn is_over(&self) -> bool {
        self.over.load(SeqCst)
    }

    /// Whether whoever asks now would wait in vain, by all that is known.
    pub fn is_silent(&self) -> bool {
        self.silent.load(SeqCst)
    }

    /// It answers.
    pub fn answered(&self) {
        // Mostly it always did, and then this is one look.
        if self.is_silent() && self.silent.swap(false, SeqCst) {
            tracing::info!(node = %self.node, "redis answers again");
        }
    }

    /// Ends the link where `error` means that nothing more comes of it, and has nobody wait where it came too late.
    pub fn heed(&self, error: &RedisError) {
        if is_over(error) {
            self.give_up(error);
        } else if error.is_timeout() && !self.silent.swap(true, SeqCst) {
            tracing::warn!(node = %self.node, "redis does not answer: nobody waits for it until it does");
        }
    }

    /// Ends the link.
    fn give_up(&self, error: &RedisError) {
        if !self.over.swap(true, SeqCst) {
            tracing::info!(node = %self.node, %error, "link to redis dropped");
        }
    }
}

/// Confirms a link for as long as it is kept, and drops it when it is over. A server that answers late delays
/// nobody but itself; one that does not answer within the connection's own time-out, twice in a row, is given up, and
/// sought anew.
async fn look_after(endpoint: Weak<Endpoint>, link: Weak<Link>) {
    let mut unanswered = 0;
    loop {
        sleep(LEASE_ROUND).await;
        let (Some(endpoint), Some(link)) = (endpoint.upgrade(), link.upgrade()) else { return };
        if !link.is_over() {
            match link.confirm().await {
                Ok(()) => {
                    unanswered = 0;
                    link.answered();
                }
                Err(error) => {
                    unanswered += u32::from(error.is_timeout());
                    link.heed(&error);
                    // A host that vanished says nothing, and its address may be another's by now.
                    if unanswered == VANISHED {
                        link.give_up(&error);
                        endpoint.fails(Some(error.to_string()));
                        endpoint.try_again();
                    }
                }
            }
        }
        if link.is_over() {
            endpoint.drop_link(&link);
            return;
        }
    }
}

/// The one link to a server at a time.
pub struct Connector {
    endpoint: Arc<Endpoint>,
    turn: Mutex<()>,
}

/// What it takes to open one.
struct Endpoint {
    client: Client,
    node: Node,
    fsync: bool,
    link: RwLock<Option<Arc<Link>>>,
    /// Why the last attempt failed, while others go on by themselves.
    failed: RwLock<Option<String>>,
    opened: Arc<Notify>,
    background: Background,
}

impl Connector {
    /// To `node`, which has to be able to put writes on disk where `fsync` says so. `opened` hears of every new link.
    pub fn new(client: Client, node: Node, fsync: bool, opened: Arc<Notify>, background: Background) -> Self {
        let (link, failed) = (RwLock::default(), RwLock::default());
        Self {
            endpoint: Arc::new(Endpoint { client, node, fsync, link, failed, opened, background }),
            turn: Mutex::default(),
        }
    }

    /// The link, opened if need be. After a failure others are tried in the background, and until one goes well the
    /// reason of the last is the answer: nobody waits for a server that is away, nor for one that hangs.
    pub async fn link(&self) -> Result<Arc<Link>, StoreError> {
        if let Some(known) = self.endpoint.known() {
            return known;
        }
        let turn = timeout(TOTAL_TIMEOUT, self.turn.lock()).await;
        let _turn = turn.map_err(|_| StoreError::Unavailable("nobody answers".into()))?;
        if let Some(known) = self.endpoint.known() {
            return known;
        }
        self.endpoint.open().await.map_err(|error| {
            self.endpoint.fails(Some(error.to_string()));
            self.endpoint.try_again();
            StoreError::Unavailable(error.to_string())
        })
    }

    /// Opens the first link, and says exactly why not.
    pub async fn first_link(&self) -> Result<Arc<Link>, OpenError> {
        self.endpoint.open().await
    }

    /// The link, where it is open.
    pub fn current(&self) -> Option<Arc<Link>> {
        self.endpoint.current()
    }
}

impl Endpoint {
    async fn open(self: &Arc<Self>) -> Result<Arc<Link>, OpenError> {
        let opening = Link::open(&self.client, &self.node, self.fsync);
        let link = Arc::new(opening.await.inspect_err(|error| {
            if !error.passes() {
                tracing::error!(node = %self.node, %error, "redis is not one to sell seats on");
            }
        })?);
        tracing::debug!(node = %self.node, history = %link.history, "link to redis opened");
        *self.link.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        let confirming = look_after(Arc::downgrade(self), Arc::downgrade(&link));
        self.background.begin("confirmation of a link to redis", confirming);
        self.opened.notify_one();
        Ok(link)
    }

    fn try_again(self: &Arc<Self>) {
        self.background.begin("search for a redis that is away", try_again(Arc::downgrade(self)));
    }

    /// The link, or why there is none; nothing where nobody knows.
    fn known(&self) -> Option<Result<Arc<Link>, StoreError>> {
        if let Some(link) = self.current() {
            if link.is_silent() {
                return Some(Err(StoreError::Unavailable(format!("{} does not answer", link.node))));
            }
            return Some(Ok(link));
        }
        let failed = self.failed.read().unwrap_or_else(PoisonError::into_inner).clone();
        failed.map(|reason| Err(StoreError::Unavailable(reason)))
    }

    /// The link, where it is open, be it that nothing is answered on it.
    fn current(&self) -> Option<Arc<Link>> {
        let link = self.link.read().unwrap_or_else(PoisonError::into_inner).clone();
        link.filter(|link| !link.is_over())
    }

    fn drop_link(&self, link: &Arc<Link>) {
        let mut current = self.link.write().unwrap_or_else(PoisonError::into_inner);
        drop(current.take_if(|current| Arc::ptr_eq(current, link)));
    }

    fn fails(&self, reason: Option<String>) {
        *self.failed.write().unwrap_or_else(PoisonError::into_inner) = reason;
    }
}

/// Tries to open a link until there is one, or nobody wants it any more. It is named by its type, for what it opens may
/// begin it again.
fn try_again(endpoint: Weak<Endpoint>) -> BoxFuture<'static, ()> {
    async move {
        for failures in 1.. {
            sleep(pause(failures)).await;
            let Some(endpoint) = endpoint.upgrade() else { return };
            let opened = endpoint.open().await;
            endpoint.fails(opened.as_ref().err().map(ToString::to_string));
            if opened.is_ok() {
                return;
            }
        }
    }
    .boxed()
}

/// Whether a link is of no use after `error`: it is broken, or its server is no master any more, or has another history.
fn is_over(error: &RedisError) -> bool {
    let demoted = [ServerErrorKind::ReadOnly, ServerErrorKind::MasterDown].map(ErrorKind::Server);
    error.is_unrecoverable_error() || demoted.contains(&error.kind()) || history::has_ended(error)
}

fn pause(failures: u32) -> Duration {
    PAUSE.0.saturating_mul(1 << failures.saturating_sub(1).min(5)).min(PAUSE.1)
}

/// The error of a link that was dropped before an answer on it was taken.
pub fn dropped() -> RedisError {
    io::Error::new(io::ErrorKind::ConnectionAborted, "the link was dropped meanwhile").into()
}

/// The error of a time-out.
pub fn too_late() -> RedisError {
    io::Error::from(io::ErrorKind::TimedOut).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::redis::server::Server;
    use boxoffice_runtime::tls::Tls;

    #[test]
    fn a_slow_answer_keeps_the_link_and_a_broken_one_a_demotion_or_another_history_does_not() {
        assert!(!is_over(&too_late()));
        assert!(is_over(&io::Error::from(io::ErrorKind::BrokenPipe).into()));
        assert!(is_over(&history::ended()));
        assert!(!is_over(&redis::make_extension_error("RECOVERING".into(), None)));
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!([1, 2, 3].map(pause), [50, 100, 200].map(Duration::from_millis));
        assert_eq!(pause(40), PAUSE.1);
    }

    #[tokio::test]
    async fn nobody_waits_for_a_server_that_is_away_and_it_is_known_when_it_is_back() {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let server = Server::new(&format!("redis://127.0.0.1:{port}"), &Tls::default()).unwrap();
        let client = server.client(server.first()).unwrap();
        let background = Background::default();
        let connector = Connector::new(client, server.first().clone(), false, Arc::default(), background);
        assert!(connector.link().await.is_err());
        assert!(matches!(connector.endpoint.known(), Some(Err(_))));
        let back = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        // Whoever comes in was not asked to by anybody here.
        drop(back.accept().await.unwrap());
    }
}
