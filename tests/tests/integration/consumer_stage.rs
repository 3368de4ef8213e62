//! A consumer worker on the stage: a topic, a group and a database of a test's own, and workers that join them.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::Duration;

use boxoffice_domain::Envelope;
use boxoffice_domain::partition::partition_of;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::history::{History, new_record};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{self, Database, database, free_port, topic, unique};
use boxoffice_tests::wait::within;
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{FromRow, PgPool};

pub const PARTITIONS: u32 = 3;

/// A topic, a group and a database of one's own, and workers that join them.
pub struct Stage {
    pub log: KafkaLog,
    pub topic: String,
    pub stats_topic: String,
    pub payment_topic: String,
    pub start_from: &'static str,
    pub group: String,
    pub handler: &'static str,
    pub url: String,
    pub pool: PgPool,
    pub _database: Option<Database>,
}

/// A running worker.
pub struct Worker {
    pub process: Process,
    pub metrics: String,
}

impl Stage {
    pub async fn new(handler: &'static str) -> Self {
        let database = database("consumer").await;
        let url = database.url.clone();
        Self { _database: Some(database), ..Self::on(handler, url).await }
    }

    /// On a database that the test keeps by itself.
    pub async fn on(handler: &'static str, url: String) -> Self {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        Self {
            log: KafkaLog::new(&servers::kafka()).unwrap(),
            topic: topic("seat-events", PARTITIONS).await,
            stats_topic: topic("stats-events", PARTITIONS).await,
            payment_topic: topic("payment-events", PARTITIONS).await,
            start_from: "earliest",
            group: unique("group"),
            handler,
            pool: options.connect_lazy(&url).unwrap(),
            url,
            _database: None,
        }
    }

    pub fn start(&self) -> Worker {
        let port = free_port().unwrap();
        let environment = [
            ("BOXOFFICE_SERVICE", "test/consumer".into()),
            ("BOXOFFICE_HANDLER", self.handler.into()),
            ("BOXOFFICE_GROUP", self.group.clone()),
            ("BOXOFFICE_DATABASE_URL", self.url.clone()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", servers::kafka()),
            ("BOXOFFICE_KAFKA_TOPIC", self.topic.clone()),
            ("BOXOFFICE_KAFKA_STATS_TOPIC", self.stats_topic.clone()),
            ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", self.payment_topic.clone()),
            ("BOXOFFICE_START_FROM", self.start_from.into()),
            ("BOXOFFICE_PAYMENT_SANDBOX", "true".into()),
            ("BOXOFFICE_METRICS_ADDR", format!("127.0.0.1:{port}")),
        ];
        let process = Process::start("boxoffice-consumer", environment).unwrap();
        Worker { process, metrics: format!("http://127.0.0.1:{port}") }
    }

    pub async fn ready(&self) -> Worker {
        let mut worker = self.start();
        worker.process.ready(&format!("{}/readyz", worker.metrics)).await.unwrap();
        worker
    }

    pub async fn publish<'a>(&self, events: impl IntoIterator<Item = &'a Envelope>) {
        let records = events.into_iter().map(|event| new_record(event, partition(event))).collect();
        self.send(records).await;
    }

    pub async fn send(&self, records: Vec<NewRecord>) {
        self.log.publish(&self.topic, records).await.unwrap();
    }

    /// Publishes events of payments.
    pub async fn publish_payments<'a>(&self, events: impl IntoIterator<Item = &'a Envelope>) {
        let records = events.into_iter().map(|event| new_record(event, partition(event))).collect();
        self.log.publish(&self.payment_topic, records).await.unwrap();
    }

    pub async fn one<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(&self, query: &'static str) -> Option<T> {
        sqlx::query_as(query).fetch_optional(&self.pool).await.ok().flatten()
    }

    pub async fn count(&self, query: &'static str) -> Option<i64> {
        self.one::<(i64,)>(query).await.map(|(count,)| count)
    }

    /// Waits until a query counts this many.
    pub async fn counts(&self, query: &'static str, expected: i64) {
        let mut last = None;
        let reached = within(Duration::from_mins(1), async || {
            last = self.count(query).await;
            (last == Some(expected)).then_some(())
        });
        let reached = reached.await;
        assert_eq!(reached, Some(()), "{query}: {last:?}, not {expected}");
    }

    /// Waits until every published event of `histories` is in the view.
    pub async fn caught_up(&self, sequence: u64, histories: i64) {
        assert_eq!(sequence % 3, 1, "event.created and three events a seat");
        let expected = sequence.cast_signed() * histories;
        self.counts("SELECT coalesce(sum(sequence), 0)::bigint FROM checkpoint_events", expected).await;
    }
}

pub fn partition(event: &Envelope) -> u32 {
    partition_of(event.event.seating_event().as_str(), PARTITIONS)
}

impl Worker {
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = reqwest::get(format!("{}/metrics", self.metrics)).await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

/// `event.created`, then as many seats sold.
pub fn sales(event: &str, seats: u32) -> Vec<Envelope> {
    let mut history = History::new(event);
    let created = history.created(seats);
    let mut events = vec![history.next(created)];
    (1..=seats).for_each(|seat| events.extend(history.sold(seat)));
    events
}

/// The name of a SeatingEvent that belongs to this partition.
pub fn event_in(partition: u32) -> String {
    let names = (0..100).map(|number| format!("arena-{number}"));
    names.into_iter().find(|name| partition_of(name, PARTITIONS) == partition).unwrap()
}
