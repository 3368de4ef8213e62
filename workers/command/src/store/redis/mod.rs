//! The seat store on Redis: one Lua script a command, which changes the state and writes its domain events to the
//! outbox in one step (I2), under the server's clock (I6).
//!
//! Reading order: [`keys`] and [`scripts`] say what there is, [`catalog`] knows the definitions, [`commands`] prepares
//! scripts and [`reply`] reads their answers; [`inventory`] and [`sweep`] look after all SeatingEvents, [`archive`]
//! after those that are over, [`places`] after leases; [`entry`], [`outbox`] and [`signals`] are the relay's side.
//! Below them, [`topology`] knows the servers, [`link`] one connection to one of them and [`history`] what tells
//! servers apart. I7 is kept by [`barrier`], which waits for disk and replicas, by [`fence`], which lets nobody sell on
//! a server that began anew, and by [`recovery`], which opens the fence again. Redis keeps only what is not simply
//! available: whether a seat exists and what it costs comes from the definition. Does not publish anything to Kafka:
//! `relay` does.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::plan::{Plan, plan};
use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Answer, Command, Definition, HoldId, Rejection, SeatingEventId, UserId};
use boxoffice_runtime::tls::Tls;
use futures::future::join_all;
use redis::{Cmd, ErrorKind, FromRedisValue, Pipeline, RedisError, ServerErrorKind};
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;

use self::archive::{Ends, Woken};
use self::barrier::{Barriers, Level};
use self::catalog::{Catalog, Gists, Known};
use self::fence::Called;
use self::history::NoHistory;
use self::invocation::ScriptInvocation;
use self::keys::{Keys, PLACES};
use self::link::{Link, OpenError};
use self::places::LeasePlace;
use self::reply::{Ran, Reply};
use self::script::Script;
use self::scripts::Scripts;
use self::server::Server;
use self::signals::Subscription;
use self::slots::slot_of;
use self::topology::Topology;
use self::wire::args::Head;
use self::wire::{ServerHistory, Told};
use crate::durability::Durability;
use crate::store::idempotency::answer_memory;
use crate::store::{
    Cause, Inventory, Listing, Outbox, Outcome, Provisioning, SeatStore, Servers, Signal, StoreError,
    StoreServer,
};

pub mod keys;

pub mod invocation;

pub mod wire;

pub mod script;

pub mod scripts;

pub mod catalog;

pub mod floor_plan;

pub mod commands;

pub mod stamp;

pub mod part;

pub mod cold;

pub mod apply;

pub mod reply;

pub mod inventory;

pub mod registry;

pub mod archive;

pub mod places;

pub mod sweep;

pub mod entry;

pub mod outbox;

pub mod signals;

pub mod slots;

pub mod server;

pub mod fsync;

pub mod history;

pub mod background;

pub mod link;

pub mod topology;

pub mod barrier;

pub mod fence;

pub mod state;

pub mod recovery;

pub use scripts::Clock;

/// How long an answer may take. A command that takes longer may have been carried out all the same.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long it may take together with what it takes to connect again and to give Redis a script that it forgot.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Signals that a slow listener may lag behind before it misses some.
const SIGNALS_KEPT: usize = 4096;

/// Where the store is, and whose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://[user:password@]host:port`, or `rediss://` for TLS.
    pub url: String,
    /// How the server and this client know each other, over TLS.
    pub tls: Tls,
    /// Whether `url` is one node of a Redis Cluster.
    pub cluster: bool,
    /// The ReservationService, as namespace/name.
    pub service: String,
    /// What acknowledged commands survive.
    pub durability: Durability,
    /// Most events that may wait to be published before new holds are refused.
    pub high_watermark: u64,
    /// Where the time comes from.
    pub clock: Clock,
}

impl Settings {
    /// One server, with everything as it is where nothing else is asked for.
    pub fn new(url: impl Into<String>, service: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            tls: Tls::default(),
            cluster: false,
            service: service.into(),
            durability: Durability::default(),
            high_watermark: 100_000,
            clock: Clock::Server,
        }
    }
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one, or its certificates are none.
    #[error("the redis url, or its certificates, cannot be used: {0}")]
    Url(RedisError),
    /// Nobody answers there, or only a replica does.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It would throw seats away when its memory is full.
    #[error("redis has maxmemory-policy {0}, under which it may drop sold seats: set it to noeviction")]
    Evicts(String),
    /// It cannot keep what `durability: fsync` promises.
    #[error("durability fsync: {0}")]
    Fsync(String),
    /// Nobody could tell when it has lost something.
    #[error(transparent)]
    NoHistory(#[from] NoHistory),
}

impl From<OpenError> for ConnectError {
    fn from(error: OpenError) -> Self {
        match error {
            OpenError::Evicts(policy) => Self::Evicts(policy),
            OpenError::Fsync(reason) => Self::Fsync(reason),
            OpenError::NoHistory(why) => Self::NoHistory(why),
            OpenError::Redis(_) | OpenError::Replica(_) => {
                Self::Store(StoreError::Unavailable(error.to_string()))
            }
        }
    }
}

/// The seat store on Redis. Cheap to use from many tasks at once: they share one connection a server.
pub struct RedisStore {
    topology: Arc<Topology>,
    keys: Keys,
    /// How many places have what belongs to no SeatingEvent.
    places: u16,
    lease_place: LeasePlace,
    scripts: Scripts,
    catalog: Catalog,
    ends: Ends,
    gists: Gists,
    woken: Woken,
    called: Called,
    /// Partitions never change, so each is asked for once.
    pinned: RwLock<HashMap<SeatingEventId, u32>>,
    barriers: Barriers,
    durability: Durability,
    levels: Vec<Level>,
    high_watermark: u64,
    /// Whoever listens to Redis alone keeps the channel open: where that ends, all who hear of it do.
    signals: broadcast::WeakSender<Signal>,
    _listening: AbortOnDropHandle<()>,
}

impl RedisStore {
    /// Connects, and checks that the servers may be trusted with seats.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let Settings { url, tls, cluster, service, durability, high_watermark, clock } = settings;
        let server = Server::new(&url, &tls).map_err(ConnectError::Url)?;
        let levels = Level::all(durability);
        let topology = Arc::new(Topology::new(server, cluster, levels.contains(&Level::Disk)));
        topology.open().await?;
        let keys = Keys::new(&service);
        let (signals, _) = broadcast::channel(SIGNALS_KEPT);
        let subscription = Subscription::begin(&topology, keys.signals(), None).await;
        let subscription = subscription.map_err(StoreError::from)?;
        let heard = signals.downgrade();
        let channel = keys.signals().to_owned();
        let listening = signals::listen(subscription, Arc::clone(&topology), channel, signals);
        let background = topology.background().clone();
        // With it the channel ends, and whoever listens: a worker that goes on with half of itself is worse than none.
        let listening = async move {
            tokio::select! {
                () = listening => {}
                () = background.broken() => {}
            }
        };
        Ok(Self {
            topology,
            keys,
            places: if cluster { PLACES } else { 1 },
            lease_place: LeasePlace::default(),
            scripts: Scripts::new(&clock, durability),
            catalog: Catalog::default(),
            ends: Ends::default(),
            gists: Gists::default(),
            woken: Woken::default(),
            called: Called::default(),
            pinned: RwLock::default(),
            barriers: Barriers::default(),
            durability,
            levels,
            high_watermark,
            signals: heard,
            _listening: AbortOnDropHandle::new(tokio::spawn(listening)),
        })
    }

    /// A script of a SeatingEvent with the head that all of them have, and what it is told itself.
    fn begin<'a, T: Told>(
        &self,
        script: &'a Script<(Head<'static>, T::Static)>,
        event: &'a SeatingEventId,
        known: Option<&'a Known>,
        cause: &Cause,
        own: T,
    ) -> ScriptInvocation<'a> {
        let asked = cause.idempotency.as_ref();
        let head = Head {
            command: cause.command,
            correlation: &cause.correlation,
            actor: cause.user.as_ref(),
            trace: cause.traceparent.as_deref(),
            channel: self.keys.signals(),
            event,
            history: ServerHistory,
            fingerprint: asked.map(|asked| asked.fingerprint.as_str()),
            answer_memory: known.map_or(EXPIRED_HOLD_MEMORY, |known| answer_memory(&known.sale.definition)),
        };
        let mut run = script.tell(&(head, own));
        run.about(event);
        match known {
            Some(known) => run.keys(&known.keys),
            None => run.key(&self.keys.event(event).all()),
        };
        if let Some(asked) = asked {
            run.key(self.keys.answer(event, &asked.key));
        }
        run
    }

    /// Runs a script that answers as `scripts/lib/reply.lua` says.
    async fn invoke(&self, run: &ScriptInvocation<'_>) -> Result<Reply, StoreError> {
        let reply = Reply::read(&self.invoke_script::<String>(run).await?)?;
        if reply == Reply::Rejected(Rejection::EventNotFound)
            && let Some(event) = run.event()
        {
            Box::pin(self.confirm_whole(event)).await?;
        }
        Ok(reply)
    }

    /// Runs any script on the server that has its keys.
    async fn invoke_script<T: FromRedisValue>(&self, run: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let ran = self.topology.ask(run.slot(), |link| async move {
            Ok(if run.may_run_on(&link.history) { Some(link.invoke(run).await?) } else { None })
        });
        match (ran.await, run.event()) {
            (Ok(Some(answer)), _) => Ok(answer),
            (Ok(None) | Err(StoreError::Recovering), Some(event)) => Err(self.behind_the_fence(event)),
            (Ok(None), None) => Err(StoreError::Recovering),
            (Err(error), _) => Err(error),
        }
    }

    /// Runs a command whose first argument is its key.
    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        let slot = match command.args_iter().nth(1) {
            Some(redis::Arg::Simple(key)) => slot_of(key),
            _ => 0,
        };
        self.topology.ask(slot, |link| async move { link.query(command).await }).await
    }

    /// Runs commands on the server that has `slot`.
    async fn query_all<T: FromRedisValue>(&self, slot: u16, commands: &Pipeline) -> Result<T, StoreError> {
        self.topology.ask(slot, |link| async move { link.query_all(commands).await }).await
    }

    /// The script that tells the time of the server that has `slot`.
    fn time(&self, slot: u16) -> ScriptInvocation<'_> {
        let mut time = self.scripts.time.tell(&());
        time.key(self.keys.history(slot));
        time
    }

    /// A slot of the server that has all of `events`.
    fn slot_of_first(&self, events: &[SeatingEventId]) -> u16 {
        events.first().map_or(0, |event| self.keys.event(event).slot())
    }

    /// SeatingEvents by the server that has them, at least one each.
    fn by_server(&self, events: Vec<SeatingEventId>) -> Vec<Vec<SeatingEventId>> {
        let mut servers: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for event in events {
            servers.entry(self.topology.owner(self.keys.event(&event).slot())).or_default().push(event);
        }
        servers.into_values().collect()
    }
}

/// What a failure of Redis means: an answer that makes no sense, or none for now.
impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            _ if error.code() == Some("RECOVERING") || history::has_ended(&error) => Self::Recovering,
            _ if error.code() == Some("SPLIT") => Self::Unavailable(error.to_string()),
            _ if error.code() == Some("FORMAT") => Self::Corrupt(error.to_string()),
            ErrorKind::UnexpectedReturnType
            | ErrorKind::Parse
            | ErrorKind::Server(ServerErrorKind::ResponseError) => Self::Corrupt(error.to_string()),
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

#[async_trait]
impl SeatStore for RedisStore {
    async fn execute(
        &self,
        event: &SeatingEventId,
        command: &Command,
        cause: &Cause,
    ) -> Result<Result<Outcome, Rejection>, StoreError> {
        let level = Level::of(self.durability.of(command));
        // What the barrier vouches for is of this history; a script that ran on a later one is told to be repeated.
        let history = match level {
            Some(_) => Some(self.history(event).await?),
            None => None,
        };
        let Ran { outcome, wanting } = match self.run_command(event, command, cause).await? {
            Ok(ran) => ran,
            Err(rejection) => return Ok(Err(rejection)),
        };
        if wanting && let Err(error) = Box::pin(self.try_wanted(event)).await {
            tracing::warn!(%event, %error, "the seat map that is wanted waits for the next sweep");
        }
        if let (Some(level), Some(history)) = (level, history) {
            self.secure(self.keys.event(event).slot(), level, &history).await.map_err(
                |error| match error {
                    StoreError::Unsecured { why, .. } => {
                        StoreError::Unsecured { why, repeated: outcome.repeated }
                    }
                    other => other,
                },
            )?;
        }
        Ok(Ok(outcome))
    }

    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError> {
        self.run_provision(event, definition, partition, cause).await
    }

    async fn plan(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
    ) -> Result<Result<Plan, Rejection>, StoreError> {
        self.peek(event, |state, at| plan(state, definition, at)).await
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        self.find_hold(hold, user).await
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        self.find_inventory(event).await
    }

    async fn inventories(&self) -> Result<Listing, StoreError> {
        self.all_inventories().await
    }

    async fn ping(&self) -> Result<Servers, StoreError> {
        let shards = self.topology.known_shards().await?;
        let pings = shards.iter().map(|shard| async {
            let link = self.topology.link_to(&shard.node).await?;
            let pinged = self.topology.heed(&link, link.query::<String>(&redis::cmd("PING")).await);
            Ok(pinged.map(drop)?)
        });
        let mut failed = StoreError::Unavailable("no server of the cluster is known".into());
        let mut servers = Servers::new();
        for (pinged, shard) in join_all(pings).await.into_iter().zip(&shards) {
            servers.insert(shard.node.to_string(), pinged.is_ok());
            if let Err(error) = pinged {
                failed = error;
            }
        }
        if servers.values().any(|is_up| *is_up) { Ok(servers) } else { Err(failed) }
    }

    fn servers(&self) -> Vec<StoreServer> {
        let server =
            |link: Arc<Link>| StoreServer { address: link.node.to_string(), history: link.history.clone() };
        self.topology.open_links().into_iter().map(server).collect()
    }
}
