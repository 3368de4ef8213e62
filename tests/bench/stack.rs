//! The write side as it is in a cluster: Redis with an append-only file, Kafka, and command workers, each a process of its
//! own on this machine. A scenario starts its own Redis and workers; Kafka, which takes longest, is shared by all.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::state::seats_hash;
use boxoffice_command::store::redis::{RedisStore, Settings};
use boxoffice_domain::SeatingEventId;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Kafka, KafkaCluster, Redis, Server, child, free_port, service, topic_on};
use boxoffice_tests::wait::within;
use redis::aio::MultiplexedConnection;
use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::shows::SeatGrid;

const TOKEN: &str = "bench";
/// Partitions of the topic, as a ReservationService has them by default.
pub const PARTITIONS: u32 = 12;
/// More than any scenario writes: that new holds are refused above it is not what is measured.
const HIGH_WATERMARK: u32 = 100_000_000;
/// Longest wait for one administrative answer, and for an outbox to be published.
const PATIENCE: Duration = Duration::from_mins(2);

/// The brokers of a Kafka.
pub trait Brokers {
    /// Their bootstrap servers.
    fn address(&self) -> String;

    /// CPU seconds that they have spent so far.
    ///
    /// # Errors
    /// They have ended.
    fn cpu_seconds(&self) -> anyhow::Result<f64>;
}

impl Brokers for Server<Kafka> {
    fn address(&self) -> String {
        self.address()
    }

    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        self.cpu_seconds()
    }
}

impl Brokers for KafkaCluster {
    fn address(&self) -> String {
        self.address().to_owned()
    }

    fn cpu_seconds(&self) -> anyhow::Result<f64> {
        Ok(self.cpu_seconds())
    }
}

/// A running write side.
pub struct Stack<'a> {
    /// Its Redis.
    pub redis: Server<Redis>,
    /// Its Kafka.
    pub kafka: &'a dyn Brokers,
    /// Its topic.
    pub topic: String,
    /// Where buyers reach each worker.
    pub buyers: Vec<SocketAddr>,
    workers: Vec<Process>,
    admin: String,
    service: String,
    keys: Keys,
    client: Client,
    connection: MultiplexedConnection,
}

/// CPU seconds of every process that takes part.
#[derive(Debug, Clone, Copy, Default)]
pub struct Cpu {
    /// All workers, relay included.
    pub worker: f64,
    /// Redis.
    pub redis: f64,
    /// Kafka.
    pub kafka: f64,
    /// This process, which sends the requests.
    pub load: f64,
}

impl Cpu {
    /// What was spent since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self {
            worker: self.worker - earlier.worker,
            redis: self.redis - earlier.redis,
            kafka: self.kafka - earlier.kafka,
            load: self.load - earlier.load,
        }
    }
}

impl<'a> Stack<'a> {
    /// Starts Redis and `workers` workers and waits until they are ready.
    ///
    /// # Errors
    /// A program that is not installed or not built, or does not become ready.
    pub async fn start(kafka: &'a Server<Kafka>, workers: usize) -> anyhow::Result<Self> {
        let topic = topic_on(&kafka.address(), "seat-events", PARTITIONS).await?;
        Self::publishing_to(kafka, topic, workers).await
    }

    /// The same with a topic that there is.
    ///
    /// # Errors
    /// A program that is not installed or not built, or does not become ready.
    pub async fn publishing_to(
        kafka: &'a dyn Brokers,
        topic: String,
        workers: usize,
    ) -> anyhow::Result<Self> {
        let (redis, service) = (Server::start(Redis { append_only: true }).await?, service("bench"));
        let mut stack = Self {
            kafka,
            buyers: vec![],
            workers: vec![],
            admin: String::new(),
            keys: Keys::new(&service),
            service,
            client: Client::builder().timeout(PATIENCE).no_proxy().build()?,
            connection: redis::Client::open(redis.address())?.get_multiplexed_async_connection().await?,
            topic,
            redis,
        };
        stack.add_workers(workers).await?;
        Ok(stack)
    }

    /// Starts workers and waits until they are ready.
    pub async fn add_workers(&mut self, count: usize) -> anyhow::Result<()> {
        for _ in 0..count {
            self.add_worker().await?;
        }
        Ok(())
    }

    async fn add_worker(&mut self) -> anyhow::Result<()> {
        let addr = || anyhow::Ok(format!("127.0.0.1:{}", free_port()?));
        let (http, admin, metrics) = (addr()?, addr()?, addr()?);
        let environment = [
            ("BOXOFFICE_SERVICE", self.service.clone()),
            ("BOXOFFICE_HTTP_ADDR", http.clone()),
            ("BOXOFFICE_ADMIN_ADDR", admin.clone()),
            ("BOXOFFICE_METRICS_ADDR", metrics.clone()),
            ("BOXOFFICE_ADMIN_TOKEN", TOKEN.to_owned()),
            ("BOXOFFICE_REDIS_URL", self.redis.address()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", self.kafka.address()),
            ("BOXOFFICE_KAFKA_TOPIC", self.topic.clone()),
            ("BOXOFFICE_OUTBOX_HIGH_WATERMARK", HIGH_WATERMARK.to_string()),
        ];
        let mut worker = Process::start("boxoffice-command", environment)?;
        worker.ready(&format!("http://{metrics}/readyz")).await?;
        self.admin = format!("http://{admin}/admin/events");
        self.buyers.push(http.parse()?);
        self.workers.push(worker);
        Ok(())
    }

    /// Puts `shows` on sale, and waits until that is published and each worker has held a seat of each: what a worker
    /// works out once a show is not what is measured.
    pub async fn put_on_sale(&mut self, shows: &[SeatGrid]) -> anyhow::Result<()> {
        for show in shows {
            let put = self.client.put(format!("{}/{}", self.admin, show.id)).bearer_auth(TOKEN);
            answer(put.json(&show.definition())).await?;
            for (worker, addr) in self.buyers.iter().enumerate() {
                let seat = show.seat(show.seats() - 1);
                let warm = |verb| format!("http://{addr}/seats/{seat}/{verb}");
                for verb in ["hold", "release"] {
                    answer(self.client.post(warm(verb)).header("x-user-id", format!("warm-{worker}")))
                        .await?;
                }
            }
        }
        self.drained(shows).await.map(drop)
    }

    /// Takes seats off sale.
    pub async fn block(&self, show: &SeatGrid, keys: &[String]) -> anyhow::Result<()> {
        let body = serde_json::json!({"seats": keys, "reason": "filled"});
        let post = self.client.post(format!("{}/{}/blocks", self.admin, show.id)).bearer_auth(TOKEN);
        answer(post.json(&body)).await.map(drop)
    }

    /// A request of a buyer's to the first worker.
    pub fn buyer(&self, method: Method, path: &str, user: &str) -> anyhow::Result<RequestBuilder> {
        let addr = self.buyers.first().context("no worker")?;
        Ok(self.client.request(method, format!("http://{addr}{path}")).header("x-user-id", user))
    }

    /// How many domain events of `shows` wait to be published.
    pub async fn depth(&self, shows: &[SeatGrid]) -> anyhow::Result<u64> {
        let mut pipe = redis::pipe();
        for show in shows {
            pipe.cmd("XLEN").arg(self.keys.event(&show.id.parse::<SeatingEventId>()?).outbox());
        }
        let depths: Vec<u64> = pipe.query_async(&mut self.connection.clone()).await?;
        Ok(depths.into_iter().sum())
    }

    /// Waits until nothing waits: how long that took.
    pub async fn drained(&self, shows: &[SeatGrid]) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        let drained = within(PATIENCE, async || match self.depth(shows).await {
            Ok(0) => Some(Ok(())),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        });
        drained.await.context("the outbox is not published within two minutes")??;
        Ok(begun.elapsed())
    }

    /// CPU seconds that every process has spent so far.
    pub fn cpu(&self) -> anyhow::Result<Cpu> {
        Ok(Cpu {
            worker: self.workers.iter().map(Process::cpu_seconds).sum::<anyhow::Result<f64>>()?,
            redis: self.redis.cpu_seconds()?,
            kafka: self.kafka.cpu_seconds()?,
            load: child::cpu_seconds(std::process::id())?,
        })
    }

    /// The most memory that a worker has had, in MiB.
    pub fn worker_memory(&self) -> anyhow::Result<f64> {
        let peaks = self.workers.iter().map(Process::peak_memory);
        peaks.collect::<anyhow::Result<Vec<_>>>().map(|peaks| peaks.into_iter().fold(0.0, f64::max))
    }

    /// The seats of a show as Redis has them, as a hash.
    pub async fn seats_hash(&self, show: &SeatGrid) -> anyhow::Result<String> {
        let store = RedisStore::connect(Settings::new(self.redis.address(), self.service.clone())).await?;
        Ok(seats_hash(&store.state(&show.id.parse()?).await?))
    }

    /// Ends the workers, so that Redis has the machine for itself.
    pub async fn send_workers_home(&mut self) -> anyhow::Result<()> {
        for mut worker in self.workers.drain(..) {
            worker.terminate().await?;
        }
        self.buyers.clear();
        Ok(())
    }

    /// A connection to Redis.
    pub fn connection(&self) -> MultiplexedConnection {
        self.connection.clone()
    }
}

/// The body of a successful answer.
pub async fn answer(request: RequestBuilder) -> anyhow::Result<Value> {
    let answer = request.send().await?;
    let (status, text) = (answer.status(), answer.text().await?);
    ensure!(status.is_success(), "{status}: {text}");
    Ok(serde_json::from_str(&text).unwrap_or_default())
}
