//! The consumer worker as a process of its own, on real Kafka and PostgreSQL: what it shows after crashes, repeats,
//! poison and servers that are away.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::Duration;

use boxoffice_domain::events::{self, Incoming};
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::history::{History, PRICE, new_record};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{self, Database, Postgres, Server, database, free_port, topic, unique};
use boxoffice_tests::wait::{until, within};
use sqlx::postgres::{PgPoolOptions, PgRow};
use sqlx::{FromRow, PgPool};

const PARTITIONS: u32 = 3;

/// A topic, a group and a database of one's own, and workers that join them.
struct Stage {
    log: KafkaLog,
    topic: String,
    stats_topic: String,
    group: String,
    handler: &'static str,
    url: String,
    pool: PgPool,
    _database: Option<Database>,
}

/// A running worker.
struct Worker {
    process: Process,
    metrics: String,
}

impl Stage {
    async fn new(handler: &'static str) -> Self {
        let database = database("consumer").await;
        let url = database.url.clone();
        Self { _database: Some(database), ..Self::on(handler, url).await }
    }

    /// On a database that the test keeps by itself.
    async fn on(handler: &'static str, url: String) -> Self {
        let options = PgPoolOptions::new().max_connections(2).acquire_timeout(Duration::from_secs(5));
        Self {
            log: KafkaLog::new(&servers::kafka()).unwrap(),
            topic: topic("seat-events", PARTITIONS).await,
            stats_topic: topic("stats-events", PARTITIONS).await,
            group: unique("group"),
            handler,
            pool: options.connect_lazy(&url).unwrap(),
            url,
            _database: None,
        }
    }

    fn start(&self) -> Worker {
        let port = free_port().unwrap();
        let environment = [
            ("BOXOFFICE_SERVICE", "test/consumer".into()),
            ("BOXOFFICE_HANDLER", self.handler.into()),
            ("BOXOFFICE_GROUP", self.group.clone()),
            ("BOXOFFICE_DATABASE_URL", self.url.clone()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", servers::kafka()),
            ("BOXOFFICE_KAFKA_TOPIC", self.topic.clone()),
            ("BOXOFFICE_KAFKA_STATS_TOPIC", self.stats_topic.clone()),
            ("BOXOFFICE_METRICS_ADDR", format!("127.0.0.1:{port}")),
        ];
        let process = Process::start("boxoffice-consumer", environment).unwrap();
        Worker { process, metrics: format!("http://127.0.0.1:{port}") }
    }

    async fn ready(&self) -> Worker {
        let mut worker = self.start();
        worker.process.ready(&format!("{}/readyz", worker.metrics)).await.unwrap();
        worker
    }

    async fn publish<'a>(&self, events: impl IntoIterator<Item = &'a Envelope>) {
        let records = events.into_iter().map(|event| new_record(event, partition(event))).collect();
        self.send(records).await;
    }

    async fn send(&self, records: Vec<NewRecord>) {
        self.log.publish(&self.topic, records).await.unwrap();
    }

    async fn one<T: for<'r> FromRow<'r, PgRow> + Send + Unpin>(&self, query: &'static str) -> Option<T> {
        sqlx::query_as(query).fetch_optional(&self.pool).await.ok().flatten()
    }

    async fn count(&self, query: &'static str) -> Option<i64> {
        self.one::<(i64,)>(query).await.map(|(count,)| count)
    }

    /// Waits until a query counts this many.
    async fn counts(&self, query: &'static str, expected: i64) {
        let mut last = None;
        let reached = within(Duration::from_mins(1), async || {
            last = self.count(query).await;
            (last == Some(expected)).then_some(())
        });
        let reached = reached.await;
        assert_eq!(reached, Some(()), "{query}: {last:?}, not {expected}");
    }

    /// Waits until every published event of `histories` is in the view.
    async fn caught_up(&self, sequence: u64, histories: i64) {
        assert_eq!(sequence % 3, 1, "event.created and three events a seat");
        let expected = sequence.cast_signed() * histories;
        self.counts("SELECT coalesce(sum(sequence), 0)::bigint FROM checkpoint_events", expected).await;
    }
}

fn partition(event: &Envelope) -> u32 {
    partition_of(event.event.seating_event().as_str(), PARTITIONS)
}

impl Worker {
    async fn metric(&self, name: &str) -> Option<f64> {
        let text = reqwest::get(format!("{}/metrics", self.metrics)).await.ok()?.text().await.ok()?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        line.rsplit_once(' ')?.1.parse().ok()
    }
}

const RESERVATIONS: &str = "SELECT count(*) FROM reservations";

/// `event.created`, then as many seats sold.
fn sales(event: &str, seats: u32) -> Vec<Envelope> {
    let mut history = History::new(event);
    let created = history.created(seats);
    let mut events = vec![history.next(created)];
    (1..=seats).for_each(|seat| events.extend(history.sold(seat)));
    events
}

#[tokio::test]
async fn a_reservation_becomes_one_row_within_a_second() {
    let stage = Stage::new("persistence").await;
    let mut worker = stage.ready().await;
    let mut history = History::new("arena-night");
    let created = history.created(10);
    stage.publish(&[history.next(created)]).await;
    stage.counts("SELECT count(*) FROM checkpoint_events", 1).await;

    stage.publish(&history.sold(1)).await;
    let row = within(Duration::from_secs(1), async || {
        stage.one::<(String, i64, String)>("SELECT status, amount, correlation_id FROM reservations").await
    });
    let row = row.await.unwrap();
    assert_eq!(row, ("CONFIRMED".into(), PRICE.cast_signed(), history.correlation.to_string()));

    let applied = "boxoffice_consumer_events_total{handler=\"persistence\",outcome=\"applied\"}";
    until("the metric counts", async || worker.metric(applied).await.filter(|count| *count >= 4.0)).await;
    assert!(worker.process.terminate().await.unwrap().success(), "SIGTERM ends it with 0");
}

#[tokio::test]
async fn i5_duplicates_on_the_topic_change_nothing() {
    let stage = Stage::new("stats").await;
    let worker = stage.ready().await;
    let events = sales("arena-night", 5);
    stage.publish(&events).await;
    stage.publish(&events[3..9]).await;
    stage.publish(&events).await;
    let duplicates = "boxoffice_consumer_events_total{handler=\"stats\",outcome=\"duplicate\"}";
    until("all repeats were seen", async || worker.metric(duplicates).await.filter(|count| *count >= 22.0))
        .await;
    let stats: (i64, i64, i64) =
        stage.one("SELECT available, reserved, revenue FROM section_stats").await.unwrap();
    assert_eq!(stats, (0, 5, 5 * PRICE.cast_signed()));
}

#[tokio::test]
async fn i5_kills_under_load_lose_nothing_and_double_nothing() {
    const SEATS: u32 = 400;
    const ROUNDS: usize = 4;
    let stage = Stage::new("persistence").await;
    let histories: Vec<_> = ["one", "two", "three"].map(|event| sales(event, SEATS)).into();
    let load = async {
        for chunk in 0..=SEATS as usize / 10 {
            for events in &histories {
                stage.publish(events.chunks(31).nth(chunk).into_iter().flatten()).await;
            }
        }
    };
    let kills = async {
        for round in 1..=ROUNDS {
            let mut worker = stage.start();
            let goal =
                i64::from(SEATS) * 3 * i64::try_from(round).unwrap() / i64::try_from(ROUNDS + 2).unwrap();
            until("some progress", async || stage.count(RESERVATIONS).await.filter(|count| *count >= goal))
                .await;
            worker.process.kill();
        }
    };
    tokio::join!(load, kills);
    let _worker = stage.start();
    stage.caught_up(1 + 3 * u64::from(SEATS), 3).await;
    assert_eq!(stage.count(RESERVATIONS).await, Some(3 * i64::from(SEATS)));
    assert_eq!(
        stage.count("SELECT count(*) FROM processed_events").await,
        Some(3 * (1 + 3 * i64::from(SEATS)))
    );
    assert_eq!(stage.count("SELECT count(*) FROM parked_events").await, Some(0));
}

const END_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE application_name = 'boxoffice-consumer persistence'";

#[tokio::test]
async fn a_database_that_freezes_or_restarts_loses_nothing_and_doubles_nothing() {
    let mut server = Server::start(Postgres::default()).await.unwrap();
    let stage = Stage::on("persistence", format!("{}/postgres", server.address())).await;
    let mut worker = stage.ready().await;
    let events = sales("arena-night", 300);
    let mut parts = events.chunks(301);
    stage.publish(parts.next().unwrap()).await;
    stage.counts(RESERVATIONS, 100).await;

    // What is frozen is who accepts connections; those that the worker has end, and new ones hang.
    let mut ours = stage.pool.acquire().await.unwrap();
    server.pause();
    let ended: i64 = sqlx::query_scalar(END_CONNECTIONS).fetch_one(&mut *ours).await.unwrap();
    drop(ours);
    assert!(ended > 0);
    stage.publish(parts.next().unwrap()).await;
    let url = format!("{}/readyz", worker.metrics);
    until("the worker says that it is not ready", async || {
        reqwest::get(&url).await.ok().filter(|answer| answer.status().as_u16() == 503)
    })
    .await;
    server.resume();
    stage.counts("SELECT sequence FROM checkpoint_events", 602).await;

    server.kill();
    stage.publish(parts.next().unwrap()).await;
    server.restart().await.unwrap();
    stage.counts("SELECT sequence FROM checkpoint_events", 901).await;
    assert_eq!(stage.count(RESERVATIONS).await, Some(300));
    assert_eq!(stage.count("SELECT count(*) FROM parked_events").await, Some(0));
    worker.process.ready(&url).await.unwrap();
}

#[tokio::test]
async fn poison_is_parked_and_the_rest_goes_on() {
    let stage = Stage::new("seat-view").await;
    let worker = stage.ready().await;
    let mut history = History::new("arena-night");
    let created = history.created(10);
    stage.publish(&[history.next(created)]).await;
    let partition = partition_of("arena-night", PARTITIONS);
    let mut poison = new_record(&history.next(history.held(1)), partition);
    poison.value = b"}{".to_vec();
    let foreign = NewRecord {
        partition,
        key: String::new(),
        value: vec![0xff, 0x00],
        headers: vec![],
        timestamp: poison.timestamp,
    };
    stage.send(vec![poison, foreign]).await;
    let later = [history.held(2), history.released(1), history.held(3)].map(|event| history.next(event));
    stage.publish(&later).await;
    stage.counts("SELECT count(*) FROM seats WHERE status = 'HELD'", 2).await;
    let parked: (Vec<Option<String>>, Vec<i64>) = stage
        .one("SELECT array_agg(aggregate_id ORDER BY id), array_agg(record_offset ORDER BY id) FROM parked_events")
        .await
        .unwrap();
    let seat = Some("arena-night.A-1-1".to_owned());
    assert_eq!(parked, (vec![seat.clone(), None, seat], vec![1, 2, 4]));
    let metric = "boxoffice_consumer_events_total{handler=\"seat-view\",outcome=\"parked\"}";
    assert_eq!(worker.metric(metric).await, Some(3.0));
}

#[tokio::test]
async fn i5_a_gap_stops_its_partition_alone_and_is_alarmed() {
    let stage = Stage::new("persistence").await;
    let worker = stage.ready().await;
    let mut broken = sales("arena-night", 3);
    broken.remove(4);
    stage.publish(&broken).await;
    let other = event_in((partition(&broken[0]) + 1) % PARTITIONS);
    stage.publish(&sales(&other, 3)).await;
    stage.counts(RESERVATIONS, 1 + 3).await;
    let stops = "boxoffice_consumer_i5_stops_total{handler=\"persistence\"}";
    until("the alarm", async || worker.metric(stops).await.filter(|count| *count >= 1.0)).await;
    assert!(worker.process.log().contains("events are missing"));
    assert_eq!(stage.count("SELECT min(sequence) FROM checkpoint_events").await, Some(4));
}

#[tokio::test]
async fn stats_are_announced_in_the_chain_of_what_they_count() {
    let stage = Stage::new("stats").await;
    let _worker = stage.ready().await;
    let events = sales("arena-night", 2);
    stage.publish(&events).await;
    let partition = partition_of("arena-night", PARTITIONS);
    let mut tail = stage.log.tail(&stage.stats_topic, vec![(partition, 0)]).await.unwrap();
    let cause = &events[5];
    let announced = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            for record in tail.next(10).await.unwrap() {
                let Ok(Incoming::Known(envelope)) = events::parse(&record.value) else { continue };
                assert_eq!(record.key, "arena-night");
                if let DomainEvent::StatsUpdated(stats) = &envelope.event
                    && stats.as_of_sequence == 6
                {
                    return envelope;
                }
            }
        }
    });
    let announced = announced.await.unwrap();
    assert_eq!(announced.metadata.causation_id, cause.event_id);
    assert_eq!(announced.metadata.correlation_id, cause.metadata.correlation_id);
    let DomainEvent::StatsUpdated(stats) = announced.event else { unreachable!() };
    let section = &stats.sections[0];
    assert_eq!((section.available, section.reserved, section.revenue), (0, 2, 2 * PRICE));
    stage.counts("SELECT count(*) FROM outbox", 0).await;
}

#[tokio::test]
async fn a_second_member_takes_over_from_one_that_froze() {
    let stage = Stage::new("persistence").await;
    let histories: Vec<_> = (0..PARTITIONS).map(|partition| sales(&event_in(partition), 20)).collect();
    let mut frozen = stage.ready().await;
    for events in &histories {
        stage.publish(&events[..31]).await;
    }
    stage.counts(RESERVATIONS, 30).await;
    let _second = stage.ready().await;
    frozen.process.pause();
    for events in &histories {
        stage.publish(&events[31..]).await;
    }
    stage.counts(RESERVATIONS, 60).await;
    frozen.process.resume();
    stage.publish(&histories[0][..4]).await;
    let url = format!("{}/readyz", frozen.metrics);
    frozen.process.ready(&url).await.unwrap();
    assert_eq!(stage.count(RESERVATIONS).await, Some(60));
}

/// The name of a SeatingEvent that belongs to this partition.
fn event_in(partition: u32) -> String {
    let names = (0..100).map(|number| format!("arena-{number}"));
    names.into_iter().find(|name| partition_of(name, PARTITIONS) == partition).unwrap()
}
