//! The query worker as a process: the view that the seat-view handler keeps on PostgreSQL, then Kafka.

use std::time::Duration;

use boxoffice_consumer::handlers::Handler;
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::events::{SectionStats, StatsUpdated};
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_runtime::clock;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, TopicPartition};
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::record::{NewRecord, Record};
use boxoffice_runtime::view::{Batch, Beginning, ViewStore};
use boxoffice_tests::history::{History, new_record};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Database, database, free_port, kafka, service, topic, unique};
use boxoffice_tests::wait::until;
use serde_json::{Value, json};
use sqlx::Connection;

const PARTITIONS: u32 = 3;

/// A view database and topics of a test's own.
struct Stage {
    database: Database,
    view: PgViewStore<SeatViewHandler>,
    log: KafkaLog,
    topic: String,
    stats_topic: String,
}

impl Stage {
    async fn set() -> Self {
        let database = database("view").await;
        let options = DatabaseArgs::at(&database.url).options("test").unwrap();
        migrate::<SeatViewHandler>(&options).await.unwrap();
        let view = PgViewStore::new(options, SeatViewHandler, Start::Earliest, String::new());
        Self {
            view,
            database,
            log: KafkaLog::new(&kafka()).unwrap(),
            topic: topic("seat-events", PARTITIONS).await,
            stats_topic: topic("stats-events", 1).await,
        }
    }

    /// What the relay does.
    async fn publish(&self, partition: u32, events: &[Envelope]) {
        self.publish_to(&self.topic, partition, events).await;
    }

    async fn publish_to(&self, topic: &str, partition: u32, events: &[Envelope]) {
        let records = events.iter().map(|event| new_record(event, partition));
        self.publish_records(topic, records.collect()).await;
    }

    async fn publish_records(&self, topic: &str, records: Vec<NewRecord>) {
        // Kafka refuses records of times to come, and that is when histories happen.
        let now = |record| NewRecord { timestamp: clock::now(), ..record };
        self.log.publish(topic, records.into_iter().map(now).collect()).await.unwrap();
    }

    /// What the seat-view consumer does with the first records of a partition.
    async fn consume(&self, partition: u32, events: &[Envelope]) {
        let records = events.iter().map(|event| new_record(event, partition));
        self.consume_records(partition, 0, records.collect()).await;
    }

    /// What it does with records of a partition that begin at an offset.
    async fn consume_records(&self, partition: u32, expected: u64, records: Vec<NewRecord>) {
        let read = |(NewRecord { key, value, headers, .. }, offset)| {
            Record::new(partition, offset, key, value, headers)
        };
        let records = records.into_iter().zip(expected..).map(read).collect();
        let begun = TopicPartition { topic: self.topic.clone(), partition };
        self.view
            .begin(&[Beginning { partition: begun, offset: 0, earliest: true, log: None }])
            .await
            .unwrap();
        let batch = Batch { topic: self.topic.clone(), partition, log: None, expected, records };
        self.view.apply(&batch).await.unwrap();
    }

    /// What an operator does with an event that was parked, once it can be read.
    async fn redrive(&self, event: &Envelope) {
        let mut connection = self.connection().await;
        let mut transaction = connection.begin().await.unwrap();
        SeatViewHandler.apply(&mut transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn connection(&self) -> sqlx::PgConnection {
        let options = DatabaseArgs::at(&self.database.url).options("test").unwrap();
        sqlx::PgConnection::connect_with(&options).await.unwrap()
    }

    async fn worker(&self) -> Worker {
        let [http, admin, metrics] = [(); 3].map(|()| free_port().unwrap());
        let environment = [
            ("BOXOFFICE_SERVICE", service("query")),
            ("BOXOFFICE_HTTP_ADDR", format!("127.0.0.1:{http}")),
            ("BOXOFFICE_ADMIN_ADDR", format!("127.0.0.1:{admin}")),
            ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
            ("BOXOFFICE_METRICS_ADDR", format!("127.0.0.1:{metrics}")),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka()),
            ("BOXOFFICE_KAFKA_TOPIC", self.topic.clone()),
            ("BOXOFFICE_KAFKA_STATS_TOPIC", self.stats_topic.clone()),
            ("BOXOFFICE_DATABASE_URL", self.database.url.clone()),
        ];
        let mut process = Process::start("boxoffice-query", environment).unwrap();
        process.ready(&format!("http://127.0.0.1:{metrics}/readyz")).await.unwrap();
        let [url, admin] = [http, admin].map(|port| format!("http://127.0.0.1:{port}"));
        Worker { process, url, admin }
    }
}

struct Worker {
    process: Process,
    url: String,
    admin: String,
}

impl Worker {
    async fn get(&self, path: &str) -> reqwest::Response {
        let client = reqwest::Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await.text().await.unwrap()).unwrap()
    }

    /// The first answer to `path` that has `value` at `pointer`.
    async fn shows(&self, path: &str, pointer: &str, value: Value) -> Value {
        until(&format!("{path} shows {value} at {pointer}"), async || {
            let answer = self.json(path).await;
            (answer.pointer(pointer) == Some(&value)).then_some(answer)
        })
        .await
    }
}

/// A seat map as a replica sends it.
#[derive(Debug, PartialEq, Eq)]
struct Sent {
    tag: String,
    bytes: String,
}

impl Sent {
    fn json(&self) -> Value {
        serde_json::from_str(&self.bytes).unwrap()
    }
}

impl Worker {
    /// The map as of a sequence, by a worker that takes as long as it likes to come to it.
    async fn map(&self, sequence: u64) -> Sent {
        self.shows("/events/arena-night", "/sequence", json!(sequence)).await;
        let answer = self.get(&format!("/events/arena-night/seats?after={sequence}")).await;
        let tag = answer.headers()["etag"].to_str().unwrap().to_owned();
        Sent { tag, bytes: answer.text().await.unwrap() }
    }
}

#[tokio::test]
async fn what_happens_is_seen_and_statistics_too() {
    let stage = Stage::set().await;
    let worker = stage.worker().await;
    assert_eq!(worker.json("/events").await, json!([]));

    let mut history = History::new("arena-night");
    let created = history.next(history.created(20));
    stage.publish(2, &[created]).await;
    let event = worker.shows("/events/arena-night", "/sequence", json!(1)).await;
    assert_eq!(event["seats"], json!({"total": 20, "available": 20, "held": 0, "reserved": 0, "blocked": 0}));

    let sold = history.sold(7);
    stage.publish(2, &sold).await;
    worker.shows("/seats/arena-night.A-1-7", "/status", json!("RESERVED")).await;
    let map = worker.shows("/events/arena-night/seats", "/sequence", json!(4)).await;
    let taken = map["seats"].as_array().unwrap().iter().filter(|seat| seat["status"] == "RESERVED");
    assert_eq!(taken.map(|seat| seat["seatId"].as_str().unwrap()).collect::<Vec<_>>(), ["arena-night.A-1-7"]);

    let section =
        SectionStats { section_id: "A".into(), available: 19, reserved: 1, ..SectionStats::default() };
    let stats = StatsUpdated {
        event_id: history.event.clone(),
        as_of_sequence: 4,
        epoch: 0,
        sections: vec![section],
    };
    let stats = history.next(DomainEvent::StatsUpdated(stats));
    stage.publish_to(&stage.stats_topic, 0, &[stats]).await;
    let stats = worker.shows("/events/arena-night/stats", "/asOfSequence", json!(4)).await;
    assert_eq!(
        (&stats["sections"][0]["available"], &stats["sections"][0]["reserved"]),
        (&json!(19), &json!(1))
    );
}

#[tokio::test]
async fn a_worker_is_ready_on_an_idle_log_that_ends_with_transactions() {
    let stage = Stage::set().await;
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(20))];
    events.extend(history.sold(3));
    let record = |event| NewRecord { timestamp: clock::now(), ..new_record(event, 1) };
    let mut appender = stage.log.appender(&unique("owner")).await.unwrap();
    let end = appender.append(&stage.topic, events.iter().map(record).collect()).await.unwrap()[&1];
    until("readers see it", async || {
        (stage.log.bounds(&stage.topic, 1).await.unwrap().1 > end).then_some(())
    })
    .await;
    // The view has its last record, and the checkpoint is right behind that.
    stage.consume(1, &events).await;
    let worker = stage.worker().await;
    worker.shows("/events/arena-night", "/sequence", json!(4)).await;
}

#[tokio::test]
async fn a_restart_goes_on_from_the_checkpoint_to_the_same_map() {
    let stage = Stage::set().await;
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(20))];
    events.extend(history.sold(3));
    events.push(history.next(history.held(4)));
    stage.publish(1, &events).await;
    stage.consume(1, &events[..3]).await;

    let mut first = stage.worker().await;
    first.shows("/events/arena-night", "/sequence", json!(5)).await;
    let before = first.get("/events/arena-night/seats").await;
    let tag = before.headers()["etag"].clone();
    let before = before.text().await.unwrap();
    assert!(first.process.terminate().await.unwrap().success(), "{}", first.process.log());

    let second = stage.worker().await;
    second.shows("/events/arena-night", "/sequence", json!(5)).await;
    let after = second.get("/events/arena-night/seats").await;
    assert_eq!(after.headers()["etag"], tag);
    assert_eq!(after.text().await.unwrap(), before);
}

/// `record` as nobody can read it.
fn torn(record: &NewRecord) -> NewRecord {
    NewRecord { value: b"}{".to_vec(), ..record.clone() }
}

/// `record` of a type that nobody knows.
fn unknown(record: &NewRecord) -> NewRecord {
    let body = String::from_utf8_lossy(&record.value).replace("seat.held", "seat.painted");
    NewRecord { value: body.into(), ..record.clone() }
}

#[tokio::test]
async fn replicas_whose_tags_are_equal_send_equal_bytes_whatever_was_parked_redriven_and_purged() {
    let stage = Stage::set().await;
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(20))];
    events.extend(history.sold(1));
    let others = [history.held(2), history.held(3), history.held(4), history.released(4)];
    events.extend(others.map(|event| history.next(event)));
    let mut records: Vec<_> = events.iter().map(|event| new_record(event, 1)).collect();
    (records[4], records[5]) = (torn(&records[4]), unknown(&records[5]));

    let tailed = stage.worker().await;
    stage.publish_records(&stage.topic, records.clone()).await;
    stage.consume_records(1, 0, records).await;
    let before = tailed.map(8).await;
    let restarted = stage.worker().await;
    assert_eq!(restarted.map(8).await, before);

    // What is redriven is nowhere on the log: who has followed that does not hear of it, and says another tag than who has.
    stage.redrive(&events[4]).await;
    let redriven = stage.worker().await;
    let changed = redriven.map(8).await;
    assert_eq!(
        (&changed.json()["epoch"], &changed.json()["seats"][1]["status"]),
        (&json!(1), &json!("HELD"))
    );
    assert_ne!(changed.tag, before.tag);
    assert_eq!(tailed.map(8).await, before);
    let next = [history.held(5)].map(|event| history.next(event));
    stage.publish(1, &next).await;
    stage.consume_records(1, 8, next.iter().map(|event| new_record(event, 1)).collect()).await;
    assert_eq!(tailed.map(9).await, restarted.map(9).await);
    assert_ne!(redriven.map(9).await.tag, tailed.map(9).await.tag);

    let mut anew = [history.purged(), history.created(20)].map(|event| history.next(event)).to_vec();
    anew.extend(history.sold(6));
    stage.publish(1, &anew).await;
    stage.consume_records(1, 9, anew.iter().map(|event| new_record(event, 1)).collect()).await;
    let mut sent = vec![];
    for worker in [&tailed, &restarted, &redriven, &stage.worker().await] {
        sent.push(worker.map(14).await);
    }
    for one in &sent {
        assert_eq!(one.json()["seats"], sent[0].json()["seats"], "nothing of before is left");
        for other in sent.iter().filter(|other| other.tag == one.tag) {
            assert_eq!(one, other);
        }
    }
}

#[tokio::test]
async fn what_was_sold_is_told_to_its_buyer_and_to_operators() {
    let stage = Stage::set().await;
    let mut history = History::new("arena-night");
    history.correlation = "order-17".parse().unwrap();
    let mut events = vec![history.next(history.created(20))];
    events.extend(history.sold(3));
    let worker = stage.worker().await;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let reservation = history.reservation(3).reservation_id;
    let as_alice = |path: String| client.get(format!("{}{path}", worker.url)).header("x-user-id", "alice");
    // Whoever waits for it is told as soon as it is in the view.
    let (waited, ()) = tokio::join!(as_alice(format!("/reservations/{reservation}?wait=20")).send(), async {
        stage.publish(2, &events).await;
        stage.consume(2, &events).await;
    });
    let waited = waited.unwrap();
    assert_eq!(waited.status(), 200);
    let told: Value = serde_json::from_str(&waited.text().await.unwrap()).unwrap();
    assert_eq!((&told["reservationId"], &told["total"]), (&json!(reservation), &json!(12_000)));
    let own = as_alice("/users/alice/reservations".to_owned()).send().await.unwrap().text().await.unwrap();
    assert_eq!(serde_json::from_str::<Value>(&own).unwrap(), json!([told]));

    let as_operator = async |path: &str, token: &str| {
        let answer = client.get(format!("{}{path}", worker.admin)).bearer_auth(token).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str::<Value>(&answer.text().await.unwrap()).unwrap())
    };
    let (_, chain) = as_operator("/admin/trace/order-17", "secret").await;
    assert_eq!(chain["events"].as_array().unwrap().len(), 4, "{chain}");
    assert_eq!(as_operator("/admin/trace/order-17", "guessed").await.0, 401);
    assert_eq!(worker.get("/admin/trace/order-17").await.status(), 404, "readers' port has none of it");
    let (_, document) = as_operator("/admin/openapi.json", "secret").await;
    assert!(document["paths"]["/admin/orders"]["get"].is_object());
}

#[tokio::test]
async fn a_worker_that_goes_away_answers_those_who_wait() {
    let stage = Stage::set().await;
    let mut worker = stage.worker().await;
    let client = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
    let reservation = History::new("arena-night").reservation(3).reservation_id;
    let waits = client.get(format!("{}/reservations/{reservation}?wait=25", worker.url));
    let waits = tokio::spawn(waits.header("x-user-id", "alice").send());
    until("it waits", async || {
        let busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%FROM reservations%' AND application_name = 'boxoffice-query'
                    AND datname = current_database()";
        let (looks,): (i64,) = sqlx::query_as(busy).fetch_one(&mut stage.connection().await).await.unwrap();
        (looks > 0).then_some(())
    })
    .await;
    let began = std::time::Instant::now();
    worker.process.terminate().await.unwrap();
    assert_eq!(waits.await.unwrap().unwrap().status(), 404);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}
