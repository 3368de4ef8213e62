//! The command worker as a process, on a real Redis and a real Kafka: what was acknowledged is on the topic, whatever
//! happened to the process or the broker in between.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use boxoffice_tests::command_worker::CommandWorker;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{self, Kafka, Redis, Server};
use boxoffice_tests::wait::until;
use futures::{StreamExt, stream};
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::KafkaError;
use rdkafka::{ClientConfig, Message, Offset, TopicPartitionList};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

pub(super) use boxoffice_tests::command_worker::TOKEN;

const EVENT: &str = "arena-night";

/// A command worker.
pub(super) struct Worker {
    pub(super) process: Process,
    pub(super) api: Arc<Api>,
}

/// How it is reached, and what it needs to be started again.
pub(super) struct Api {
    pub(super) client: Client,
    service: String,
    redis: String,
    kafka: String,
    pub(super) topic: String,
    pub(super) http: String,
    pub(super) admin: String,
    pub(super) ready: String,
}

impl Worker {
    pub(super) async fn start(kafka: &str) -> Self {
        Self::on(&servers::redis_url(), kafka).await
    }

    async fn on(redis: &str, kafka: &str) -> Self {
        let topic = servers::topic_on(kafka, "seat-events", 3).await.unwrap();
        let mut worker = Self::launch(&servers::service("command"), redis, kafka, &topic);
        worker.process.ready(&worker.api.ready).await.unwrap();
        worker
    }

    /// A worker that refuses holds where so many domain events of a SeatingEvent wait.
    pub(super) async fn refusing_above(high_watermark: u64, kafka: &str) -> Self {
        let topic = servers::topic_on(kafka, "seat-events", 3).await.unwrap();
        let more = ("BOXOFFICE_OUTBOX_HIGH_WATERMARK", high_watermark.to_string());
        let service = servers::service("command");
        let mut worker = Self::launch_with(&service, &servers::redis_url(), kafka, &topic, Some(more));
        worker.process.ready(&worker.api.ready).await.unwrap();
        worker
    }

    fn launch(service: &str, redis: &str, kafka: &str, topic: &str) -> Self {
        Self::launch_with(service, redis, kafka, topic, None)
    }

    fn launch_with(
        service: &str,
        redis: &str,
        kafka: &str,
        topic: &str,
        more: Option<(&'static str, String)>,
    ) -> Self {
        let worker = CommandWorker::start_with(service, redis, kafka, topic, more).unwrap();
        let CommandWorker { process, http, admin, watched, .. } = worker;
        let api = Api {
            client: Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap(),
            service: service.to_owned(),
            redis: redis.to_owned(),
            kafka: kafka.to_owned(),
            topic: topic.to_owned(),
            http,
            admin,
            ready: format!("{watched}/readyz"),
        };
        Self { process, api: Arc::new(api) }
    }

    /// Another process of the same service.
    pub(super) async fn again(&self) -> Self {
        let Api { service, redis, kafka, topic, .. } = &*self.api;
        let mut worker = Self::launch(service, redis, kafka, topic);
        worker.process.ready(&worker.api.ready).await.unwrap();
        worker
    }
}

impl Api {
    /// Puts `seats` standing places on sale, holds on which last `ttl` seconds.
    async fn provision(&self, seats: u32, ttl: u32) {
        let definition = json!({
            "title": "Arena Night", "startsAt": 4_000_000_000_000_u64, "hold": {"ttlSeconds": ttl, "maxSeconds": 900},
            "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
            "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": seats}]
        });
        let put = self.client.put(format!("{}/admin/events/{EVENT}", self.admin)).bearer_auth(TOKEN);
        let answer = put.json(&definition).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "{}", answer.text().await.unwrap());
    }

    async fn call(&self, user: &str, path: &str) -> reqwest::Result<(u16, Value)> {
        let request =
            self.client.request(Method::POST, format!("{}{path}", self.http)).header("x-user-id", user);
        let answer = request.header("x-correlation-id", "order-17").send().await?;
        Ok((answer.status().as_u16(), answer.json().await?))
    }

    async fn seat(&self, user: &str, seat: u32, verb: &str) -> (u16, Value) {
        self.call(user, &format!("/seats/{EVENT}.FLOOR-{seat}/{verb}")).await.unwrap()
    }

    /// What stands in the way of being ready; empty when nothing does.
    async fn obstacles(&self) -> Option<String> {
        let answer = self.client.get(&self.ready).send().await.ok()?;
        if answer.status() == StatusCode::OK { Some(String::new()) } else { answer.text().await.ok() }
    }

    async fn sequence(&self) -> u64 {
        let get = self.client.get(format!("{}/admin/events/{EVENT}", self.admin)).bearer_auth(TOKEN);
        let inventory: Value = get.send().await.unwrap().json().await.unwrap();
        inventory["sequence"].as_u64().unwrap()
    }

    /// Everything on the topic, once every domain event that Redis has numbered is there.
    async fn all_published(&self) -> Vec<Value> {
        let last = self.sequence().await;
        until("every domain event is on the topic", async || {
            let records = on_topic(&self.kafka, &self.topic).await;
            records.iter().any(|record| record["metadata"]["sequence"] == last).then_some(records)
        })
        .await
    }
}

/// The envelopes on a topic, in order within each partition.
pub async fn on_topic(kafka: &str, topic: &str) -> Vec<Value> {
    let (kafka, topic) = (kafka.to_owned(), topic.to_owned());
    tokio::task::spawn_blocking(move || read_topic(&kafka, &topic)).await.unwrap()
}

fn read_topic(kafka: &str, topic: &str) -> Vec<Value> {
    let timeout = Duration::from_secs(20);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka).set("group.id", "none").set("enable.partition.eof", "true");
    let consumer: BaseConsumer = config.create().unwrap();
    let metadata = consumer.fetch_metadata(Some(topic), timeout).unwrap();
    let mut assigned = TopicPartitionList::new();
    let mut open = 0;
    for partition in metadata.topics()[0].partitions() {
        open += 1;
        assigned.add_partition_offset(topic, partition.id(), Offset::Beginning).unwrap();
    }
    consumer.assign(&assigned).unwrap();
    let mut records = vec![];
    while open > 0 {
        match consumer.poll(timeout).unwrap() {
            Ok(record) => {
                assert_eq!(record.key(), Some(EVENT.as_bytes()));
                records.push(serde_json::from_slice(record.payload().unwrap()).unwrap());
            }
            // Not every offset has a record: transactions take some.
            Err(KafkaError::PartitionEOF(_)) => open -= 1,
            Err(error) => panic!("{error}"),
        }
    }
    records
}

/// I3: first occurrences have no gap, and repeats are the same event.
fn assert_gapless(records: &[Value]) -> Vec<&Value> {
    let mut firsts: Vec<&Value> = vec![];
    for record in records {
        let sequence = usize::try_from(record["metadata"]["sequence"].as_u64().unwrap()).unwrap();
        if let Some(first) = firsts.get(sequence - 1) {
            assert_eq!(*first, record, "a repeat is the same event");
        } else {
            assert_eq!(sequence, firsts.len() + 1, "I3: a gap");
            firsts.push(record);
        }
    }
    firsts
}

fn types<'a>(records: &[&'a Value]) -> Vec<&'a str> {
    records.iter().map(|record| record["eventType"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_sold_seat_is_four_events_in_one_chain() {
    let worker = Worker::start(&servers::kafka()).await;
    worker.api.provision(10, 300).await;
    assert_eq!(worker.api.seat("alice", 1, "hold").await.0, 200);
    let (status, reserved) = worker.api.seat("alice", 1, "reserve").await;
    assert_eq!((status, &reserved["sequence"]), (200, &json!(4)), "{reserved}");

    // I7: what was acknowledged is on the log already.
    let records = on_topic(&worker.api.kafka, &worker.api.topic).await;
    let records = assert_gapless(&records);
    assert_eq!(types(&records), ["event.created", "seat.held", "seat.reserved", "reservation.created"]);
    assert!(records[1..].iter().all(|record| record["metadata"]["correlationId"] == "order-17"));
    assert!(records[1..].iter().all(|record| record["metadata"]["userId"] == "alice"));
    assert_eq!(records[3]["aggregateId"], reserved["reservationId"]);

    let (status, refused) = worker.api.seat("bob", 1, "hold").await;
    assert_eq!((status, &refused["code"]), (409, &json!("SEAT_NOT_AVAILABLE")));
    assert_eq!(refused["conflicts"][0]["reason"], "RESERVED");
}

#[tokio::test]
async fn i6_a_hold_that_is_left_alone_is_released_as_expired() {
    let worker = Worker::start(&servers::kafka()).await;
    worker.api.provision(10, 1).await;
    let (_, held) = worker.api.seat("alice", 1, "hold").await;
    let released = until("the hold expires", async || {
        let records = on_topic(&worker.api.kafka, &worker.api.topic).await;
        records.into_iter().find(|record| record["eventType"] == "seat.released")
    })
    .await;
    assert_eq!(released["payload"]["reason"], "expired");
    assert_eq!(released["payload"]["holdId"], held["holdId"]);
    let late = released["payload"]["releasedAt"].as_u64().unwrap() - held["expiresAt"].as_u64().unwrap();
    assert!(late <= 1000, "released {late} ms after the deadline");
    assert_eq!(worker.api.seat("alice", 1, "reserve").await.1["code"], "HOLD_EXPIRED");
    assert_eq!(worker.api.seat("bob", 1, "hold").await.0, 200);
}

/// What callers were told.
#[derive(Default)]
struct Acknowledged {
    holds: Vec<Value>,
    reservations: Vec<Value>,
}

/// Buys `seats` from several callers at once until the worker is gone.
async fn buy(api: &Api, seats: std::ops::Range<u32>, told: &Mutex<Acknowledged>) {
    let buyers = stream::iter(seats).for_each_concurrent(16, |seat| async move {
        let user = format!("user-{}", seat % 7);
        let path = format!("/seats/{EVENT}.FLOOR-{seat}");
        let Ok((200, held)) = api.call(&user, &format!("{path}/hold")).await else { return };
        told.lock().unwrap().holds.push(held);
        if seat % 2 == 0 {
            let Ok((200, reserved)) = api.call(&user, &format!("{path}/reserve")).await else { return };
            told.lock().unwrap().reservations.push(reserved);
        }
    });
    buyers.await;
}

fn assert_holds_what_was_told(records: &[&Value], told: &Acknowledged) {
    let of_type = |name: &str, id: &str| -> HashSet<(String, String)> {
        let matching = records.iter().filter(|record| record["eventType"] == name);
        matching
            .map(|record| (record["aggregateId"].to_string(), record["payload"][id].to_string()))
            .collect()
    };
    let (held, reserved) = (of_type("seat.held", "holdId"), of_type("seat.reserved", "reservationId"));
    for hold in &told.holds {
        assert!(held.contains(&(hold["seatId"].to_string(), hold["holdId"].to_string())), "lost: {hold}");
    }
    for reservation in &told.reservations {
        let told = (reservation["seatId"].to_string(), reservation["reservationId"].to_string());
        assert!(reserved.contains(&told), "lost: {reservation}");
    }
}

#[tokio::test]
async fn i3_i7_kill_9_during_sales_loses_nothing_that_was_acknowledged() {
    const ROUNDS: u32 = 3;
    const SEATS: u32 = 2000;
    let mut worker = Worker::start(&servers::kafka()).await;
    worker.api.provision(ROUNDS * SEATS, 300).await;
    let told = Mutex::new(Acknowledged::default());
    for round in 0..ROUNDS {
        let enough = told.lock().unwrap().reservations.len() + 40;
        let survivor = worker.again().await;
        let mut dying = std::mem::replace(&mut worker, survivor);
        let buying = Arc::clone(&dying.api);
        let killing = async {
            until("some are sold", async || {
                (told.lock().unwrap().reservations.len() >= enough).then_some(())
            })
            .await;
            dying.process.kill();
        };
        tokio::join!(buy(&buying, round * SEATS + 1..(round + 1) * SEATS + 1, &told), killing);
    }
    let told = told.into_inner().unwrap();
    assert!(told.holds.len() < (ROUNDS * SEATS) as usize, "sold out before the kill");
    let records = worker.api.all_published().await;
    let firsts = assert_gapless(&records);
    assert_holds_what_was_told(&firsts, &told);
}

#[tokio::test]
async fn holds_go_on_while_kafka_is_frozen_and_reserves_say_that_they_stand() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let worker = Worker::start(&kafka.address()).await;
    worker.api.provision(10, 300).await;
    assert_eq!(worker.api.seat("alice", 1, "hold").await.0, 200);
    assert_eq!(worker.api.seat("alice", 1, "reserve").await.0, 200);

    kafka.pause();
    for seat in 2..=5 {
        let started = Instant::now();
        assert_eq!(worker.api.seat("alice", seat, "hold").await.0, 200);
        assert!(started.elapsed() < Duration::from_secs(1), "a hold does not wait for Kafka");
    }
    let started = Instant::now();
    let (status, refused) = worker.api.seat("alice", 2, "reserve").await;
    assert_eq!((status, &refused["code"], &refused["retryable"]), (503, &json!("UNAVAILABLE"), &json!(true)));
    assert!(started.elapsed() >= Duration::from_secs(5), "it waited for the log");
    assert_eq!(worker.api.seat("alice", 5, "release").await.0, 200);

    kafka.resume();
    let again = until("the reserve is on the log", async || {
        let (status, body) = worker.api.seat("alice", 2, "reserve").await;
        (status == 200).then_some(body)
    })
    .await;
    let records = worker.api.all_published().await;
    let firsts = assert_gapless(&records);
    let stood = firsts.iter().find(|record| record["aggregateId"] == again["reservationId"]).unwrap();
    assert_eq!(stood["metadata"]["sequence"], again["sequence"], "the reservation of the first try");
    assert_eq!(types(&firsts).last(), Some(&"seat.released"));
}

#[tokio::test]
async fn sigterm_publishes_what_is_written_and_exits_with_0() {
    let mut worker = Worker::start(&servers::kafka()).await;
    worker.api.provision(2000, 300).await;
    let told = Mutex::new(Acknowledged::default());
    buy(&worker.api, 1..201, &told).await;
    let last = worker.api.sequence().await;
    let status = worker.process.terminate().await.unwrap();
    assert_eq!(status.code(), Some(0), "{}", worker.process.log());
    let records = on_topic(&worker.api.kafka, &worker.api.topic).await;
    let firsts = assert_gapless(&records);
    assert_eq!(firsts.len() as u64, last);
    assert_holds_what_was_told(&firsts, &told.lock().unwrap());
    assert_eq!(told.lock().unwrap().holds.len(), 200);
}

#[tokio::test]
async fn an_outage_of_redis_is_told_by_each_answer_and_clears_by_itself() {
    let mut redis = Server::start(Redis { append_only: true }).await.unwrap();
    let worker = Worker::on(&redis.address(), &servers::kafka()).await;
    worker.api.provision(10, 300).await;
    assert_eq!(worker.api.seat("alice", 1, "hold").await.0, 200);

    redis.pause();
    let (status, refused) = worker.api.seat("alice", 2, "hold").await;
    assert_eq!((status, &refused["code"], &refused["retryable"]), (503, &json!("UNAVAILABLE"), &json!(true)));
    assert_eq!(worker.api.obstacles().await.as_deref(), Some(""), "it serves whatever can be served");
    redis.resume();
    let reserved = async || (worker.api.seat("alice", 1, "reserve").await.0 == 200).then_some(());
    until("seats are sold again", reserved).await;

    redis.stop().await.unwrap();
    assert_eq!(worker.api.seat("alice", 3, "hold").await.0, 503);
    let late = Worker::launch(&worker.api.service, &redis.address(), &worker.api.kafka, &worker.api.topic);
    until("a new one waits for redis", async || {
        late.api.obstacles().await?.contains("redis: ").then_some(())
    })
    .await;
    redis.restart().await.unwrap();
    until("both are ready", async || {
        let (old, new) = (worker.api.obstacles().await?, late.api.obstacles().await?);
        (old + &new).is_empty().then_some(())
    })
    .await;
    let (status, refused) = late.api.seat("bob", 1, "hold").await;
    assert_eq!((status, &refused["conflicts"][0]["reason"]), (409, &json!("RESERVED")));
    assert_eq!(late.api.seat("bob", 3, "hold").await.0, 200);
    until("the old one has reached it too", async || {
        (worker.api.seat("bob", 3, "reserve").await.0 == 200).then_some(())
    })
    .await;
    assert_gapless(&late.api.all_published().await);
}
