//! The seat store on Redis: one Lua script a command, which changes the state and writes its domain events to the
//! outbox in one step (I2), under the server's clock (I6).
//!
//! Reading order: [`keys`] and [`scripts`] say what there is, [`catalog`] knows the definitions, [`commands`] prepares
//! scripts and [`reply`] reads their answers; [`inventory`] and [`sweep`] look after all SeatingEvents; [`entry`],
//! [`outbox`] and [`signals`] are the relay's side. Redis keeps only what is not simply available: whether a seat
//! exists and what it costs comes from the definition. Does not publish anything to Kafka: `relay` does.

use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{Answer, Command, Definition, HoldId, Rejection, SeatingEventId, UnixMillis, UserId};
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use redis::io::tcp::TcpSettings;
use redis::{
    Cmd, ErrorKind, FromRedisValue, IntoConnectionInfo, Pipeline, RedisError, RedisResult, ServerErrorKind,
};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use self::catalog::Catalog;
use self::invocation::{Script, ScriptInvocation};
use self::keys::Keys;
use self::reply::Reply;
use self::scripts::Scripts;
use self::signals::Subscription;
use crate::store::{Cause, Inventory, Outcome, SeatStore, Signal, StoreError};

pub mod keys;

pub mod invocation;

pub mod scripts;

pub mod catalog;

pub mod commands;

pub mod reply;

pub mod inventory;

pub mod sweep;

pub mod entry;

pub mod outbox;

pub mod signals;

pub use scripts::Clock;

/// How long an answer may take. A command that takes longer may have been carried out all the same.
const RESPONSE_TIMEOUT: Duration = Duration::from_secs(2);
/// How long what was sent may stay without the peer's acknowledgement before the connection counts as dead. A server
/// that lost its power answers nothing at all, and the kernel alone would try for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);
/// How long it may take together with what it takes to connect again and to give Redis a script that it forgot.
const TOTAL_TIMEOUT: Duration = Duration::from_secs(4);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest pause between two attempts to connect again.
const RECONNECT_DELAY: Duration = Duration::from_millis(500);
/// Signals that a slow listener may lag behind before it misses some.
const SIGNALS_KEPT: usize = 4096;

/// Where the store is, and whose.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `redis://host:port`, or `rediss://` for TLS.
    pub url: String,
    /// The ReservationService, as namespace/name.
    pub service: String,
    /// Most events that may wait to be published before new holds are refused.
    pub high_watermark: u64,
    /// Where the time comes from.
    pub clock: Clock,
}

/// Why the store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The address is not one.
    #[error("the redis url is not valid: {0}")]
    Url(RedisError),
    /// Nobody answers there.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It would throw seats away when its memory is full.
    #[error("redis has maxmemory-policy {0}, under which it may drop sold seats: set it to noeviction")]
    Evicts(String),
}

/// The seat store on Redis. Cheap to use from many tasks at once: they share one connection, which comes back by
/// itself after a failure.
pub struct RedisStore {
    connection: ConnectionManager,
    run_id: String,
    keys: Keys,
    scripts: Scripts,
    catalog: Catalog,
    high_watermark: u64,
    signals: broadcast::Sender<Signal>,
    _listening: AbortOnDropHandle<()>,
}

impl RedisStore {
    /// Connects, and checks that the server may be trusted with seats.
    pub async fn connect(settings: Settings) -> Result<Self, ConnectError> {
        let address = settings.url.into_connection_info().map_err(ConnectError::Url)?;
        let socket = TcpSettings::default().set_user_timeout(UNACKNOWLEDGED);
        let client = redis::Client::open(address.set_tcp_settings(socket)).map_err(ConnectError::Url)?;
        let config = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_max_delay(RECONNECT_DELAY)
            .set_number_of_retries(2);
        let mut connection =
            client.get_connection_manager_with_config(config).await.map_err(StoreError::from)?;
        let about: redis::InfoDict =
            redis::cmd("INFO").arg("server").query_async(&mut connection).await.map_err(StoreError::from)?;
        let keys = Keys::new(&settings.service);
        let (signals, _) = broadcast::channel(SIGNALS_KEPT);
        let subscription = Subscription::begin(&client, &keys.signals()).await.map_err(StoreError::from)?;
        let listening = tokio::spawn(signals::listen(subscription, client, keys.signals(), signals.clone()));
        let store = Self {
            connection,
            run_id: about.get("run_id").unwrap_or_default(),
            keys,
            scripts: Scripts::new(&settings.clock),
            catalog: Catalog::default(),
            high_watermark: settings.high_watermark,
            signals,
            _listening: AbortOnDropHandle::new(listening),
        };
        store.check_eviction().await?;
        Ok(store)
    }

    async fn check_eviction(&self) -> Result<(), ConnectError> {
        let info: redis::InfoDict = self.query(redis::cmd("INFO").arg("memory")).await?;
        match info.get::<String>("maxmemory_policy") {
            Some(policy) if policy != "noeviction" => Err(ConnectError::Evicts(policy)),
            _ => Ok(()),
        }
    }

    /// A script of a SeatingEvent with what `scripts/lib/head.lua` expects.
    fn begin<'a>(&self, script: &'a Script, event: &SeatingEventId, cause: &Cause) -> ScriptInvocation<'a> {
        let mut run = script.prepare_invoke();
        run.key(self.keys.event(event).all());
        run.arg(cause.command.to_string()).arg(cause.correlation.as_str());
        run.arg(cause.user.as_ref().map_or("", UserId::as_str))
            .arg(cause.traceparent.as_deref().unwrap_or(""));
        run.arg(self.keys.signals()).arg(event.as_str()).run_id();
        run
    }

    /// Runs a script that answers as `scripts/lib/reply.lua` says.
    async fn invoke(&self, run: &ScriptInvocation<'_>) -> Result<Reply, StoreError> {
        Reply::read(self.invoke_script(run).await?)
    }

    /// Runs any script, which Redis is given first where it does not know it.
    async fn invoke_script<T: FromRedisValue>(&self, run: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        answer(async {
            let mut connection = self.connection.clone();
            let command = run.command(&self.run_id);
            match command.query_async(&mut connection).await {
                Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                    run.load().exec_async(&mut connection).await?;
                    command.query_async(&mut connection).await
                }
                ran => ran,
            }
        })
        .await
    }

    async fn query<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, StoreError> {
        answer(command.query_async(&mut self.connection.clone())).await
    }

    async fn query_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, StoreError> {
        answer(commands.query_async(&mut self.connection.clone())).await
    }

    /// The store's time.
    async fn now(&self) -> Result<UnixMillis, StoreError> {
        self.invoke_script(&self.scripts.time.prepare_invoke()).await
    }
}

/// Waits for an answer, but not for ever.
async fn answer<T>(asked: impl Future<Output = RedisResult<T>>) -> Result<T, StoreError> {
    match timeout(TOTAL_TIMEOUT, asked).await {
        Ok(answered) => Ok(answered?),
        Err(_) => Err(StoreError::Unavailable(format!("no answer within {TOTAL_TIMEOUT:?}"))),
    }
}

/// What a failure of Redis means: an answer that makes no sense, or none for now.
impl From<RedisError> for StoreError {
    fn from(error: RedisError) -> Self {
        match error.kind() {
            _ if error.code() == Some("RECOVERING") => Self::Recovering,
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
        self.run_command(event, command, cause).await
    }

    async fn provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Inventory, Rejection>, StoreError> {
        self.run_provision(event, definition, partition, cause).await
    }

    async fn hold(&self, hold: &HoldId, user: &UserId) -> Result<Result<Answer, Rejection>, StoreError> {
        match self.run_find_hold(hold, user).await? {
            Reply::Done(outcome) => Ok(Ok(outcome.answer)),
            Reply::Rejected(rejection) => Ok(Err(rejection)),
            other => Err(StoreError::Corrupt(format!("looking for {hold} gave {other:?}"))),
        }
    }

    async fn inventory(&self, event: &SeatingEventId) -> Result<Option<Inventory>, StoreError> {
        self.find_inventory(event).await
    }

    async fn inventories(&self) -> Result<Vec<Inventory>, StoreError> {
        self.all_inventories().await
    }

    async fn purge(&self, event: &SeatingEventId) -> Result<bool, StoreError> {
        self.run_purge(event).await
    }

    async fn expire_due(&self) -> Result<usize, StoreError> {
        self.sweep().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.query::<String>(&redis::cmd("PING")).await.map(drop)
    }
}
