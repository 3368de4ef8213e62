//! What the tests of payment and webhook workers share: topics, a group and a database of one's own, and workers that
//! join them.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::conformance::event_log::read_all;
use boxoffice_tests::groups::{Begin, declare};
use boxoffice_tests::history::new_record;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{self, Database, database, free_port, topic, unique};
use boxoffice_tests::wait::within;
use sqlx::postgres::PgPoolOptions;
use sqlx::{AssertSqlSafe, PgPool};

pub const PARTITIONS: u32 = 3;

/// The topics of a ReservationService.
pub struct Topics {
    pub log: KafkaLog,
    pub seats: String,
    pub payments: String,
}

/// A consumer with effects, of one handler.
pub struct Stage {
    pub pool: PgPool,
    environment: Vec<(&'static str, String)>,
    _database: Database,
}

/// A running worker.
pub struct Worker {
    pub process: Process,
    address: String,
}

impl Topics {
    pub async fn new() -> Self {
        Self {
            log: KafkaLog::new(&servers::kafka()).unwrap(),
            seats: topic("seat-events", PARTITIONS).await,
            payments: topic("payment-events", PARTITIONS).await,
        }
    }

    pub async fn publish<'a>(&self, events: impl IntoIterator<Item = &'a Envelope>) {
        let partition = |event: &Envelope| partition_of(event.event.seating_event().as_str(), PARTITIONS);
        let records = events.into_iter().map(|event| new_record(event, partition(event))).collect();
        self.log.publish(&self.seats, records).await.unwrap();
    }

    /// What is on the payments' topic, without repeats, by the reservation.
    pub async fn payments(&self) -> BTreeMap<String, Vec<Envelope>> {
        let mut found: BTreeMap<String, Vec<Envelope>> = BTreeMap::new();
        for record in read_all(&self.log, &self.payments).await {
            let Ok(Incoming::Known(event)) = parse(&record.value) else { panic!("no event") };
            let of = found.entry(event.event.aggregate_id()).or_default();
            if !of.contains(&event) {
                of.push(event);
            }
        }
        found
    }
}

impl Stage {
    /// A consumer whose group begins at the topics' beginning; `settings` are those of its handler.
    pub async fn new(topics: &Topics, handler: &str, settings: &[(&'static str, String)]) -> Self {
        Self::beginning(topics, handler, settings, Begin::First).await
    }

    /// The same with a group that begins there.
    pub async fn beginning(
        topics: &Topics,
        handler: &str,
        settings: &[(&'static str, String)],
        begin: Begin,
    ) -> Self {
        let (database, group) = (database("effects").await, unique("group"));
        let read = match handler {
            "webhook" => vec![topics.seats.clone(), topics.payments.clone()],
            _ => vec![topics.seats.clone()],
        };
        declare(&topics.log, &group, &read, PARTITIONS, begin).await.unwrap();
        let mut environment = vec![
            ("BOXOFFICE_SERVICE", "test/effects".into()),
            ("BOXOFFICE_HANDLER", handler.into()),
            ("BOXOFFICE_GROUP", group),
            ("BOXOFFICE_START_FROM", "latest".into()),
            ("BOXOFFICE_DATABASE_URL", database.url.clone()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", servers::kafka()),
            ("BOXOFFICE_KAFKA_TOPIC", topics.seats.clone()),
            ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", topics.payments.clone()),
        ];
        environment.extend_from_slice(settings);
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        Self { pool: options.connect_lazy(&database.url).unwrap(), environment, _database: database }
    }

    pub fn start(&self) -> Worker {
        let address = format!("127.0.0.1:{}", free_port().unwrap());
        let environment = self.environment.iter().cloned();
        let environment = environment.chain([("BOXOFFICE_METRICS_ADDR", address.clone())]);
        Worker { process: Process::start("boxoffice-consumer", environment).unwrap(), address }
    }

    pub async fn ready(&self) -> Worker {
        let mut worker = self.start();
        worker.process.ready(&format!("http://{}/readyz", worker.address)).await.unwrap();
        worker
    }

    /// Has the database tell a time that [`Self::move_clock`] moves on: a function of that name is found before its own.
    /// To be called before a worker connects.
    pub async fn with_clock(self) -> Self {
        let time = "RETURN pg_catalog.clock_timestamp() + (SELECT by FROM moved.clock)";
        let found =
            "EXECUTE format('ALTER DATABASE %I SET search_path = public, pg_catalog', current_database())";
        for statement in [
            "CREATE SCHEMA moved".to_owned(),
            "CREATE TABLE moved.clock AS SELECT interval '0' AS by".to_owned(),
            format!("CREATE FUNCTION public.clock_timestamp() RETURNS timestamptz VOLATILE {time}"),
            format!("DO $$ BEGIN {found}; END $$"),
        ] {
            sqlx::query(AssertSqlSafe(statement)).execute(&self.pool).await.unwrap();
        }
        self
    }

    /// Moves the database's time on.
    pub async fn move_clock(&self, by: Duration) {
        let moved = sqlx::query("UPDATE moved.clock SET by = by + make_interval(secs => $1)");
        moved.bind(by.as_secs_f64()).execute(&self.pool).await.unwrap();
    }

    /// One number of the database; `None` while its tables are not there.
    pub async fn count(&self, query: &'static str) -> Option<i64> {
        sqlx::query_scalar(query).fetch_one(&self.pool).await.ok()
    }

    /// Waits until a query counts this many.
    pub async fn counts(&self, query: &'static str, expected: i64) {
        let mut last = None;
        let reached = within(Duration::from_mins(3), async || {
            last = self.count(query).await;
            (last == Some(expected)).then_some(())
        });
        let reached = reached.await;
        assert_eq!(reached, Some(()), "{query}: {last:?}, not {expected}");
    }
}

impl Worker {
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let text = reqwest::get(format!("http://{}/metrics", self.address)).await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

/// What kinds of events these are.
pub fn kinds(events: &[Envelope]) -> Vec<&'static str> {
    events.iter().map(|event| event.event.event_type()).collect()
}

/// Whether it is a success after a time-out, and how much was charged or is to be given back.
pub fn money(event: &Envelope) -> (bool, u64) {
    match &event.event {
        DomainEvent::PaymentRequested(told)
        | DomainEvent::PaymentCompleted(told)
        | DomainEvent::PaymentFailed(told)
        | DomainEvent::PaymentRefundRequested(told) => (told.late, told.amount),
        other => panic!("{} is not about money", other.event_type()),
    }
}
