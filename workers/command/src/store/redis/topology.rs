//! The servers that hold the seats, one link a master, and which command goes where.
//!
//! One server is a map in which it has every slot. Of a Redis Cluster the map is asked, again whenever a server says
//! that a slot is elsewhere or cannot be reached. The client's own cluster connection is not used: it reconnects and
//! redirects without a word, and a script would then run on a server whose history nobody has read (I7). Whichever server
//! tells the map first is believed, so that one that hangs costs the others nothing. A slot that is
//! on its way between two masters (ASK) is not followed: its seats were the other server's, and have to be recovered
//! where they arrive before they are sold on.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use redis::{Client, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value};
use tokio::sync::{Mutex as AsyncMutex, Notify};
use tokio::time::{Instant, timeout};

use super::background::Background;
use super::link::{Connector, Link, OpenError, dropped, too_late};
use super::server::{Node, Server, patience};
use super::slots::{Shard, SlotMap};
use super::{RESPONSE_TIMEOUT, TOTAL_TIMEOUT};
use crate::store::StoreError;

/// Shortest time between two looks at the map.
const REFRESH: Duration = Duration::from_millis(250);
/// How long one server may take to tell the map before the next one is asked as well.
const NEXT: Duration = Duration::from_millis(100);
/// How often a command is sent elsewhere before its caller hears of it.
const REDIRECTIONS: usize = 5;

/// See the module.
pub struct Topology {
    server: Server,
    cluster: bool,
    fsync: bool,
    map: RwLock<SlotMap>,
    connectors: Mutex<HashMap<Node, Arc<Connector>>>,
    refreshed: AsyncMutex<Option<Instant>>,
    /// Whether a server said that something is elsewhere to somebody who asked that server and no other.
    stale: AtomicBool,
    opened: Arc<Notify>,
    background: Background,
}

/// What an error says about the map.
enum Lesson {
    /// Nothing: the caller hears of it.
    None,
    /// The command was not carried out, and is to be sent again.
    SendAgain,
}

impl Topology {
    /// Of `server` alone, or of the cluster that it belongs to.
    pub fn new(server: Server, cluster: bool, fsync: bool) -> Self {
        let map = if cluster { SlotMap::default() } else { SlotMap::of_one(server.first().clone()) };
        Self {
            server,
            cluster,
            fsync,
            map: RwLock::new(map),
            connectors: Mutex::default(),
            refreshed: AsyncMutex::default(),
            stale: AtomicBool::new(false),
            opened: Arc::default(),
            background: Background::default(),
        }
    }

    /// Opens a link to every master that answers, which one at least has to, or says exactly why one may not be used.
    pub async fn open(&self) -> Result<(), OpenError> {
        if self.cluster {
            self.refresh().await?;
        }
        let (mut any_opened, mut failed) = (false, None);
        for shard in self.shards() {
            match self.connector(&shard.node)?.first_link().await {
                Ok(link) => {
                    any_opened = true;
                    if self.cluster && stops_as_a_whole(&link).await {
                        tracing::warn!(
                            node = %shard.node,
                            "cluster-require-full-coverage is yes: while one shard is away redis serves the seats of no \
                             other either; set it to no"
                        );
                    }
                }
                Err(error) if error.passes() => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        match failed {
            Some(error) if !any_opened => Err(error),
            Some(_) | None => Ok(()),
        }
    }

    /// The links that are open now, one a master at most.
    pub fn open_links(&self) -> Vec<Arc<Link>> {
        let shards = self.shards();
        let connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        shards.iter().filter_map(|shard| connectors.get(&shard.node)?.current()).collect()
    }

    /// Hears of every new link.
    pub fn opened(&self) -> Arc<Notify> {
        Arc::clone(&self.opened)
    }

    /// What goes on for all links.
    pub fn background(&self) -> &Background {
        &self.background
    }

    /// Every master; none where the cluster has not been reached yet.
    pub fn shards(&self) -> Vec<Shard> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).shards()
    }

    /// Every master, after another look at the cluster where none is known or slots were moved.
    pub async fn known_shards(&self) -> Result<Vec<Shard>, StoreError> {
        let is_unknown = self.shards().is_empty();
        if (is_unknown || self.stale.load(SeqCst))
            && let Err(error) = self.refresh().await
            && is_unknown
        {
            return Err(error.into());
        }
        Ok(self.shards())
    }

    /// The master of a slot.
    pub fn shard_of(&self, slot: u16) -> Option<Shard> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).shard_of(slot)
    }

    /// The name of the master of a slot.
    pub fn owner(&self, slot: u16) -> Option<Node> {
        self.map.read().unwrap_or_else(PoisonError::into_inner).owner(slot).cloned()
    }

    /// The link to a master.
    pub async fn link_to(&self, node: &Node) -> Result<Arc<Link>, StoreError> {
        self.connector(node)?.link().await
    }

    /// Every server that is known, the one of the settings before all others.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = vec![self.server.first().clone()];
        let masters = self.shards().into_iter().map(|shard| shard.node);
        nodes.extend(masters.filter(|node| node != self.server.first()));
        nodes
    }

    /// A client of any server.
    pub fn client(&self, node: &Node) -> RedisResult<Client> {
        self.server.client(node)
    }

    /// A link to a master for one purpose alone: commands that block do so on a link of their own.
    pub fn connector_apart(&self, node: &Node) -> RedisResult<Connector> {
        let (client, background) = (self.client(node)?, self.background.clone());
        Ok(Connector::new(client, node.clone(), self.fsync, Arc::default(), background))
    }

    /// Has the master of `slot` asked. What it did not carry out because the slot is elsewhere is asked there.
    pub async fn ask<T, A>(&self, slot: u16, ask: impl Fn(Arc<Link>) -> A) -> Result<T, StoreError>
    where
        A: Future<Output = RedisResult<T>>,
    {
        let asked = async {
            for _ in 0..REDIRECTIONS {
                let link = self.link(slot).await?;
                match self.heed(&link, ask(Arc::clone(&link)).await) {
                    Err(error) => match self.learn(slot, &link, &error).await {
                        Lesson::None => return Err(error.into()),
                        Lesson::SendAgain => {}
                    },
                    Ok(answer) => return Ok(answer),
                }
            }
            Err(StoreError::Unavailable(format!("slot {slot} keeps moving")))
        };
        let late = |_| StoreError::Unavailable(format!("no answer within {TOTAL_TIMEOUT:?}"));
        timeout(TOTAL_TIMEOUT, asked).await.map_err(late)?
    }

    /// Passes on what came of using `link`, unless the link is over meanwhile, and gives it up where nothing more comes
    /// of it.
    pub fn heed<T>(&self, link: &Arc<Link>, answer: RedisResult<T>) -> RedisResult<T> {
        match answer {
            Ok(_) if link.is_over() => Err(dropped()),
            Ok(answer) => {
                link.answered();
                Ok(answer)
            }
            Err(error) => {
                link.heed(&error);
                if self.cluster && error.kind() == ErrorKind::Server(ServerErrorKind::Moved) {
                    self.stale.store(true, SeqCst);
                }
                Err(error)
            }
        }
    }

    /// The link to the master of `slot`, after another look at the map where it has none or cannot be reached.
    pub async fn link(&self, slot: u16) -> Result<Arc<Link>, StoreError> {
        let failed = match self.owner(slot) {
            Some(owner) => match self.link_to(&owner).await {
                Ok(link) => return Ok(link),
                Err(error) => error,
            },
            None => StoreError::Unavailable(format!("no server of the cluster has slot {slot}")),
        };
        if !self.cluster {
            return Err(failed);
        }
        self.refresh().await?;
        let owner = self.owner(slot).ok_or(failed)?;
        self.link_to(&owner).await
    }

    async fn learn(&self, slot: u16, link: &Link, error: &RedisError) -> Lesson {
        if !self.cluster {
            return Lesson::None;
        }
        let moved = error.kind() == ErrorKind::Server(ServerErrorKind::Moved);
        let elsewhere = [ServerErrorKind::Ask, ServerErrorKind::ReadOnly, ServerErrorKind::ClusterDown];
        if moved || error.is_unrecoverable_error() || elsewhere.map(ErrorKind::Server).contains(&error.kind())
        {
            // What it failed at is the next caller's to find out.
            drop(self.refresh().await);
        }
        if !moved {
            return Lesson::None;
        }
        if self.owner(slot).as_ref() == Some(&link.node)
            && let Some((address, _)) = error.redirect_node()
            && let Some(node) = Node::parse(address, &link.node)
        {
            self.map.write().unwrap_or_else(PoisonError::into_inner).assign(slot, &node);
        }
        Lesson::SendAgain
    }

    /// Looks at the map, unless somebody just did.
    async fn refresh(&self) -> RedisResult<()> {
        let mut refreshed = self.refreshed.lock().await;
        if refreshed.is_some_and(|at| at.elapsed() < REFRESH) {
            return Ok(());
        }
        let looked = self.look().await;
        *refreshed = Some(Instant::now());
        self.take(looked?);
        self.stale.store(false, SeqCst);
        Ok(())
    }

    /// The map of the first server that tells it.
    async fn look(&self) -> RedisResult<SlotMap> {
        let mut failed = RedisError::from((ErrorKind::Client, "no server of the cluster is known"));
        let (mut nodes, mut asked) = (self.nodes().into_iter(), FuturesUnordered::new());
        loop {
            match nodes.next() {
                Some(node) => asked.push(self.read_map(node)),
                None if asked.is_empty() => return Err(failed),
                None => {}
            }
            match timeout(NEXT, asked.next()).await {
                Ok(Some(Ok(map))) => return Ok(map),
                Ok(Some(Err(error))) => failed = error,
                // What is late may still come.
                Ok(None) | Err(_) => {}
            }
        }
    }

    async fn read_map(&self, node: Node) -> RedisResult<SlotMap> {
        let client = self.client(&node)?;
        let asked = async {
            let mut connection = client.get_multiplexed_async_connection_with_config(&patience()).await?;
            redis::cmd("CLUSTER").arg("SLOTS").query_async::<Value>(&mut connection).await
        };
        let answer = timeout(RESPONSE_TIMEOUT, asked).await.map_err(|_| too_late())??;
        SlotMap::read(&answer, &node)
            .ok_or_else(|| RedisError::from((ErrorKind::Client, "the cluster has no slots yet")))
    }

    /// Takes over a map, and forgets servers that are no masters any more.
    fn take(&self, map: SlotMap) {
        let masters: Vec<_> = map.shards().into_iter().map(|shard| shard.node).collect();
        if !map.is_complete() {
            tracing::warn!("the redis cluster has slots without a server: seats there cannot be sold");
        }
        self.connectors
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|node, _| masters.contains(node));
        *self.map.write().unwrap_or_else(PoisonError::into_inner) = map;
    }

    fn connector(&self, node: &Node) -> RedisResult<Arc<Connector>> {
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(connector) = connectors.get(node) {
            return Ok(Arc::clone(connector));
        }
        let client = self.client(node)?;
        let (opened, background) = (Arc::clone(&self.opened), self.background.clone());
        let connector = Arc::new(Connector::new(client, node.clone(), self.fsync, opened, background));
        connectors.insert(node.clone(), Arc::clone(&connector));
        Ok(connector)
    }
}

/// Whether a node of a cluster serves nothing while any slot has no master. One that may not be asked says nothing.
async fn stops_as_a_whole(link: &Link) -> bool {
    let mut ask = redis::cmd("CONFIG");
    ask.arg("GET").arg("cluster-require-full-coverage");
    let told = link.query::<HashMap<String, String>>(&ask).await.unwrap_or_default();
    told.values().any(|value| value == "yes")
}
