//! Redis in other forms than the shared one: flushed at every write, a replica, behind TLS and a password, a cluster.

use std::path::Path;
use std::process::Command;

use anyhow::Context;
use async_trait::async_trait;
use boxoffice_command::store::redis::server::Server as Reached;

use super::certificates::Certificates;
use super::child::bound;
use super::server::{Program, Server, free_port};
use crate::wait::within;

/// How long a cluster may take until it agrees on who has what.
const AGREEMENT: std::time::Duration = std::time::Duration::from_secs(30);

/// The last slot of each master of a cluster.
const LAST_SLOTS: [u16; 3] = [5460, 10_922, 16_383];

/// A Redis server with arguments of its own.
#[derive(Debug, Clone, Default)]
pub struct RedisKind {
    arguments: Vec<String>,
    certificates: Option<Certificates>,
    asks_clients: bool,
    user: Option<(&'static str, &'static str)>,
}

impl RedisKind {
    /// With these arguments.
    pub fn new(arguments: &[&str]) -> Self {
        Self { arguments: arguments.iter().map(ToString::to_string).collect(), ..Self::default() }
    }

    /// Every write is on disk before its answer leaves.
    pub fn always() -> Self {
        Self::new(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// Writes are on disk a second later.
    pub fn every_second() -> Self {
        Self::new(&["--appendonly", "yes", "--appendfsync", "everysec"])
    }

    /// A replica of the server at `address`.
    pub fn replica_of(address: &str) -> Self {
        Self::new(&["--replicaof", "127.0.0.1", address.rsplit(':').next().unwrap_or_default()])
    }

    /// Gives whoever follows it all that it has without waiting for others who might.
    pub fn followed_at_once() -> Self {
        Self::new(&["--repl-diskless-sync-delay", "0"])
    }

    /// Speaks TLS, and nothing else.
    #[must_use]
    pub fn with_tls(mut self, certificates: Certificates) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Asks clients for a certificate of the same authority.
    #[must_use]
    pub fn asking_clients(mut self) -> Self {
        self.asks_clients = true;
        self
    }

    /// Lets in one user, who may do what a command worker does and nothing else.
    #[must_use]
    pub fn with_user(mut self, name: &'static str, password: &'static str) -> Self {
        self.user = Some((name, password));
        self
    }

    fn reached(&self, port: u16) -> anyhow::Result<redis::Client> {
        let tls = self.certificates.as_ref().map(Certificates::client_tls).unwrap_or_default();
        let server = Reached::new(&self.address(port), &tls)?;
        Ok(server.client(server.first())?)
    }
}

#[async_trait]
impl Program for RedisKind {
    const NAME: &'static str = "redis";

    async fn prepare(&self, _: &Path, _: u16) -> anyhow::Result<()> {
        Ok(())
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        let mut command = bound("redis-server", Self::END, None);
        command.args(["--bind", "127.0.0.1", "--save", "", "--maxmemory-policy", "noeviction"]);
        command.arg("--dir").arg(folder).args(&self.arguments);
        match &self.certificates {
            None => command.args(["--port", &port.to_string()]),
            Some(certificates) => command
                .args(["--port", "0", "--tls-port", &port.to_string()])
                .args(["--tls-auth-clients", if self.asks_clients { "yes" } else { "no" }])
                .arg("--tls-cert-file")
                .arg(&certificates.certificate.path)
                .arg("--tls-key-file")
                .arg(&certificates.key.path)
                .arg("--tls-ca-cert-file")
                .arg(&certificates.authority.path),
        };
        if let Some((name, password)) = self.user {
            let password = format!(">{password}");
            command.args(["--user", name, "on", &password, "~*", "&*", "+@all", "-@dangerous", "+info"]);
            command.args(["--user", "default", "off"]);
        }
        Ok(command)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        let mut connection = self.reached(port)?.get_multiplexed_async_connection().await?;
        redis::cmd("PING").query_async::<()>(&mut connection).await?;
        Ok(())
    }

    fn address(&self, port: u16) -> String {
        let scheme = if self.certificates.is_some() { "rediss" } else { "redis" };
        let user = self.user.map(|(name, password)| format!("{name}:{password}@")).unwrap_or_default();
        format!("{scheme}://{user}127.0.0.1:{port}")
    }
}

impl Server<RedisKind> {
    /// Has it follow the server at `address`, and waits until it has what that one has.
    ///
    /// # Errors
    /// It does not follow.
    pub async fn follow(&self, address: &str) -> anyhow::Result<()> {
        let port = address.rsplit(':').next().unwrap_or_default();
        self.replicate("127.0.0.1", port).await?;
        self.follows().await
    }

    /// Makes it a master.
    ///
    /// # Errors
    /// It refuses.
    pub async fn promote(&self) -> anyhow::Result<()> {
        self.replicate("NO", "ONE").await
    }

    /// Waits until it has what its master has.
    ///
    /// # Errors
    /// It does not follow.
    pub async fn follows(&self) -> anyhow::Result<()> {
        let follows = within(AGREEMENT, async || {
            let told = self.replication().await.ok()?;
            (told.get::<String>("master_link_status")? == "up").then_some(())
        });
        follows.await.context("the replica does not follow")
    }

    /// What it says of its part in replication.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn replication(&self) -> anyhow::Result<redis::InfoDict> {
        let mut connection = connection(&self.address()).await?;
        Ok(redis::cmd("INFO").arg("replication").query_async(&mut connection).await?)
    }

    async fn replicate(&self, host: &str, port: &str) -> anyhow::Result<()> {
        let mut connection = connection(&self.address()).await?;
        Ok(redis::cmd("REPLICAOF").arg(host).arg(port).exec_async(&mut connection).await?)
    }
}

/// A Redis Cluster of three masters.
#[derive(Debug)]
pub struct RedisCluster {
    /// The masters.
    pub masters: Vec<Server<RedisKind>>,
    /// Replicas, where any were added.
    pub replicas: Vec<Server<RedisKind>>,
}

impl RedisCluster {
    /// Starts it and waits until every slot has its master.
    ///
    /// # Errors
    /// A server that does not start, or servers that do not agree.
    pub async fn start() -> anyhow::Result<Self> {
        let masters = vec![node().await?, node().await?, node().await?];
        let mut first_slot = 0;
        for (master, last_slot) in masters.iter().zip(LAST_SLOTS) {
            let mut connection = connection(&master.address()).await?;
            let mut take = redis::cmd("CLUSTER");
            take.arg("ADDSLOTSRANGE").arg(first_slot).arg(last_slot);
            take.exec_async(&mut connection).await?;
            first_slot = last_slot + 1;
        }
        for other in &masters[1..] {
            meet(&masters[0], other).await?;
        }
        let cluster = Self { masters, replicas: vec![] };
        cluster.agreed().await?;
        Ok(cluster)
    }

    /// How clients name it: by one node.
    pub fn address(&self) -> String {
        self.masters[0].address()
    }

    /// Adds a replica of one of the masters, and waits until it has what the master has.
    ///
    /// # Errors
    /// A replica that does not follow.
    pub async fn add_replica(&mut self, master: usize) -> anyhow::Result<()> {
        let replica = node().await?;
        meet(&self.masters[master], &replica).await?;
        let id: String = redis::cmd("CLUSTER")
            .arg("MYID")
            .query_async(&mut connection(&self.masters[master].address()).await?)
            .await?;
        let mut connection = connection(&replica.address()).await?;
        let mut follow = redis::cmd("CLUSTER");
        follow.arg("REPLICATE").arg(id);
        let known = within(AGREEMENT, async || follow.exec_async(&mut connection).await.ok());
        known.await.context("the replica does not know its master")?;
        replica.follows().await?;
        self.replicas.push(replica);
        self.agreed().await
    }

    /// Which of the masters had `slot` when the cluster was started.
    pub fn first_master(slot: u16) -> usize {
        LAST_SLOTS.partition_point(|last| *last < slot)
    }

    /// Moves a slot with all that is in it, while it is used, from one of the masters to another.
    ///
    /// # Errors
    /// One of them refuses.
    pub async fn move_slot(&self, slot: u16, from: usize, to: usize) -> anyhow::Result<()> {
        let mut ids = vec![];
        for master in &self.masters {
            let my_id = redis::cmd("CLUSTER").arg("MYID").to_owned();
            ids.push(my_id.query_async::<String>(&mut connection(&master.address()).await?).await?);
        }
        let set = async |master: usize, state: &str, of: usize| -> anyhow::Result<()> {
            let mut set = redis::cmd("CLUSTER");
            set.arg("SETSLOT").arg(slot).arg(state).arg(&ids[of]);
            Ok(set.exec_async(&mut connection(&self.masters[master].address()).await?).await?)
        };
        set(to, "IMPORTING", from).await?;
        set(from, "MIGRATING", to).await?;
        let mut source = connection(&self.masters[from].address()).await?;
        let port = self.masters[to].address().rsplit(':').next().unwrap_or_default().to_owned();
        loop {
            let mut some = redis::cmd("CLUSTER");
            some.arg("GETKEYSINSLOT").arg(slot).arg(100);
            let keys: Vec<String> = some.query_async(&mut source).await?;
            if keys.is_empty() {
                break;
            }
            let mut migrate = redis::cmd("MIGRATE");
            migrate.arg("127.0.0.1").arg(&port).arg("").arg(0).arg(5000).arg("KEYS").arg(keys);
            migrate.exec_async(&mut source).await?;
        }
        set(to, "NODE", to).await?;
        for master in (0..self.masters.len()).filter(|master| *master != to) {
            set(master, "NODE", to).await?;
        }
        Ok(())
    }

    /// Waits until every master says that the cluster is whole.
    async fn agreed(&self) -> anyhow::Result<()> {
        for server in self.masters.iter().chain(&self.replicas) {
            let mut connection = connection(&server.address()).await?;
            let whole = within(AGREEMENT, async || {
                let info: String =
                    redis::cmd("CLUSTER").arg("INFO").query_async(&mut connection).await.ok()?;
                let nodes = self.masters.len() + self.replicas.len();
                let whole = info.contains("cluster_state:ok")
                    && info.contains(&format!("cluster_known_nodes:{nodes}"))
                    && info.contains("cluster_size:3");
                whole.then_some(())
            });
            whole.await.context("the cluster does not agree")?;
        }
        Ok(())
    }
}

async fn node() -> anyhow::Result<Server<RedisKind>> {
    let bus = free_port()?.to_string();
    let arguments = [
        ["--cluster-enabled", "yes"],
        ["--cluster-node-timeout", "1500"],
        ["--cluster-port", &bus],
        // A master that is lost costs its own slots.
        ["--cluster-require-full-coverage", "no"],
        ["--appendonly", "yes"],
    ];
    Server::start(RedisKind::new(arguments.as_flattened())).await
}

async fn meet(one: &Server<RedisKind>, other: &Server<RedisKind>) -> anyhow::Result<()> {
    let (mut from, mut to) = (connection(&one.address()).await?, connection(&other.address()).await?);
    let myself: String = redis::cmd("CLUSTER").arg("NODES").query_async(&mut to).await?;
    // `<id> <host>:<port>@<bus> myself,master ...`
    let bus = myself.split(['@', ' ', ',']).nth(2).context("a node without a bus")?.to_owned();
    let port = other.address().rsplit(':').next().unwrap_or_default().to_owned();
    redis::cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(port).arg(bus).exec_async(&mut from).await?;
    Ok(())
}

/// A connection to the server at `address`.
///
/// # Errors
/// Nobody answers there.
pub async fn connection(address: &str) -> anyhow::Result<redis::aio::MultiplexedConnection> {
    Ok(redis::Client::open(address)?.get_multiplexed_async_connection().await?)
}
