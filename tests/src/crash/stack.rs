//! What sells seats in a cluster, all of it one's own: Redis that appends to a file, Kafka, and two command workers, on
//! which one SeatingEvent is on sale. Whatever is killed comes back at the same address, with the data that it had.

use std::collections::BTreeSet;

use anyhow::ensure;
use boxoffice_command::store::Outbox;
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::{RedisStore, Settings};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Envelope, SeatId, SeatingEventId, SeatingEventState};
use boxoffice_runtime::log::kafka::KafkaLog;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::command_worker::{BINARY, CommandWorker};
use crate::conformance::event_log::read_all;
use crate::servers::redis_kinds::RedisKind;
use crate::servers::{Kafka, Server, topic_on};

/// The general-admission area of what is on sale.
pub const AREA: &str = "FLOOR";
const SERVICE: &str = "tests/stack";

/// The stack.
pub struct Stack {
    /// Its Redis.
    pub redis: Server<RedisKind>,
    /// Its Kafka.
    pub kafka: Server<Kafka>,
    /// Its command workers.
    pub workers: [CommandWorker; 2],
    /// What is on sale.
    pub event: SeatingEventId,
    /// The seats on sale that have names.
    pub seats: Vec<SeatId>,
    /// Topic of the seats' domain events.
    pub topic: String,
    /// Topic of the payments, which the workers read.
    pub payment_topic: String,
}

/// How many partitions each topic has.
pub const PARTITIONS: u32 = 2;

/// What Redis keeps of what is on sale, at one moment.
#[derive(Debug)]
pub struct Kept {
    /// Its state.
    pub state: SeatingEventState,
    /// The holds that have a deadline.
    pub deadlines: BTreeSet<Uuid>,
    /// How many seats are what.
    pub counts: SeatCounts,
}

/// Rows of ten, an area of a third as many, and a limit at which a dozen users can have them all. Holds are short, so that
/// some of them expire while others are being reserved.
fn definition(rows: u32) -> Value {
    json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
        "hold": {"ttlSeconds": 2, "maxSeconds": 5}, "limits": {"seatsPerUser": rows * 4 / 3},
        "priceCategories": [
            {"name": "gold", "amount": 12_000, "currency": "EUR"},
            {"name": "silver", "amount": 6_000, "currency": "EUR"}
        ],
        "sections": [
            {"id": "A", "priceCategory": "gold", "rows": [{"rows": format!("1-{rows}"), "seats": "1-10"}]},
            {"id": AREA, "priceCategory": "silver", "capacity": rows * 10 / 3}
        ]
    })
}

impl Stack {
    /// Starts everything, with a SeatingEvent of so many rows on sale.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn start(redis: RedisKind, rows: u32) -> anyhow::Result<Self> {
        let redis = Server::start(redis).await?;
        let address = redis.address();
        Self::around(redis, [&address, &address], rows).await
    }

    /// The same around a Redis that runs, which each worker reaches at an address of its own.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn around(redis: Server<RedisKind>, reached: [&str; 2], rows: u32) -> anyhow::Result<Self> {
        Self::with(redis, reached, BINARY, rows).await
    }

    /// The same with workers of another version.
    ///
    /// # Errors
    /// Whatever does not start.
    pub async fn of_one_version(redis: RedisKind, binary: &str, rows: u32) -> anyhow::Result<Self> {
        let redis = Server::start(redis).await?;
        let address = redis.address();
        Self::with(redis, [&address, &address], binary, rows).await
    }

    async fn with(
        redis: Server<RedisKind>,
        reached: [&str; 2],
        binary: &str,
        rows: u32,
    ) -> anyhow::Result<Self> {
        let kafka = Server::start(Kafka).await?;
        let topic = topic_on(&kafka.address(), "seat-events", PARTITIONS).await?;
        let payment_topic = topic_on(&kafka.address(), "payment-events", PARTITIONS).await?;
        let worker = |redis: &str| {
            let payments = [
                ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", payment_topic.clone()),
                ("BOXOFFICE_PAYMENTS_GROUP", "command-payments".to_owned()),
            ];
            CommandWorker::start_with(SERVICE, redis, &kafka.address(), &topic, payments)
        };
        let mut workers = [worker(reached[0])?, worker(reached[1])?];
        if binary != BINARY {
            workers.iter_mut().try_for_each(|worker| worker.becomes(binary))?;
        }
        let event: SeatingEventId = "arena-night".parse()?;
        let named = (1..=rows).flat_map(|row| (1..=10).map(move |seat| format!("A-{row}-{seat}")));
        let seats = named.map(|key| SeatId::from_chart(&event, &key)).collect();
        let mut stack = Self { redis, kafka, workers, event, seats, topic, payment_topic };
        stack.ready().await?;
        stack.workers[0].provision(&stack.event, &definition(rows)).await?;
        Ok(stack)
    }

    /// Waits until every worker is ready.
    ///
    /// # Errors
    /// One that ends instead, or is not ready in time.
    pub async fn ready(&mut self) -> anyhow::Result<()> {
        for worker in &mut self.workers {
            worker.ready().await?;
        }
        Ok(())
    }

    /// Where buyers go.
    pub fn urls(&self) -> Vec<String> {
        self.workers.iter().map(|worker| worker.http.clone()).collect()
    }

    /// What Redis keeps, once it is at rest and everything is on the log; `None` before.
    ///
    /// # Errors
    /// No answer, or none that makes sense.
    pub async fn at_rest(&self) -> anyhow::Result<Option<Kept>> {
        let store = RedisStore::connect(Settings::new(self.redis.address(), SERVICE)).await?;
        let client = redis::Client::open(self.redis.address())?;
        let mut connection = client.get_multiplexed_async_connection().await?;
        let state = store.state(&self.event).await?;
        let keys = Keys::new(SERVICE).event(&self.event);
        let read = redis::cmd("ZRANGE").arg(keys.deadlines()).arg(0).arg(-1).to_owned();
        let deadlines: Vec<String> = read.query_async(&mut connection).await?;
        let published = store.watermark(&self.event).await?;
        // Whoever writes counts up: what was read before is of one moment, if it has the same number.
        let (sequence, counts) = self.workers[0].counts(&self.event).await?;
        // Beside holds, reservations have one whose payment failed.
        let of_holds = deadlines.iter().filter(|id| !id.starts_with("failed:"));
        let deadlines = of_holds.map(|id| id.parse()).collect::<Result<_, _>>()?;
        let is_at_rest = sequence == state.sequence && published == sequence;
        Ok(is_at_rest.then_some(Kept { state, deadlines, counts }))
    }

    /// Every record of the log.
    ///
    /// # Errors
    /// A log that cannot be read, or holds something else.
    pub async fn records(&self) -> anyhow::Result<Vec<Envelope>> {
        records(&self.kafka.address(), &self.topic).await
    }

    /// What the workers have logged since they were started last, and what Redis has.
    pub fn logs(&self) -> String {
        let workers = self.workers.iter().map(|worker| worker.process.log());
        workers.chain([self.redis.log()]).collect::<Vec<_>>().join("\n\n")
    }
}

/// What a payment worker of the stack is told, but for its database, its gateway and its own address.
pub fn payment_worker(stack: &Stack) -> Vec<(&'static str, String)> {
    vec![
        ("BOXOFFICE_SERVICE", SERVICE.to_owned()),
        ("BOXOFFICE_HANDLER", "payment".to_owned()),
        ("BOXOFFICE_START_FROM", "latest".to_owned()),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", stack.kafka.address()),
        ("BOXOFFICE_KAFKA_TOPIC", stack.topic.clone()),
        ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", stack.payment_topic.clone()),
    ]
}

/// Every record of a topic that holds the domain events of one SeatingEvent, in order: on one partition (I4).
///
/// # Errors
/// A log that cannot be read, or holds something else.
pub async fn records(kafka: &str, topic: &str) -> anyhow::Result<Vec<Envelope>> {
    let all = read_all(&KafkaLog::new(kafka)?, topic).await;
    let partitions: BTreeSet<_> = all.iter().map(|record| record.partition).collect();
    ensure!(partitions.len() <= 1, "I4: there are records on several partitions");
    let parsed = all.iter().map(|record| match parse(&record.value)? {
        Incoming::Known(envelope) => Ok(envelope),
        Incoming::Unknown(unknown) => anyhow::bail!("an event of an unknown type: {unknown:?}"),
    });
    parsed.collect()
}
