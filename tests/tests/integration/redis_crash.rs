//! kill -9 of Redis while buyers are at it, with a command worker as a process and a real Kafka: nothing is sold before
//! what was lost is back, and then Redis and the log say the same (I7).
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::{BTreeMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use boxoffice_command::store::redis::state::seats_hash;
use boxoffice_command::store::redis::{RedisStore, Settings};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{SeatingEventId, SeatingEventState, evolve};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::redis_kinds::RedisKind;
use boxoffice_tests::servers::{self, Server, free_port};
use boxoffice_tests::wait::until;
use reqwest::Client;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::command_worker::on_topic;

const TOKEN: &str = "secret";
const EVENT: &str = "arena-night";
const BUYERS: usize = 8;

/// Buyers at a worker, and what they were told.
struct Sale {
    client: Client,
    http: String,
    next_seat: AtomicU32,
    reserved: Mutex<HashSet<String>>,
    recovering: AtomicU32,
}

impl Sale {
    async fn post(&self, user: &str, path: &str) -> Option<(u16, Value)> {
        let request = self.client.post(format!("{}{path}", self.http)).header("x-user-id", user);
        let answer = request.send().await.ok()?;
        Some((answer.status().as_u16(), answer.json().await.ok()?))
    }

    /// Buys one seat after the other, for ever; a refusal for now is met by trying again.
    async fn buy(self: Arc<Self>, user: String) {
        loop {
            let seat = format!("{EVENT}.FLOOR-{}", self.next_seat.fetch_add(1, SeqCst));
            if self.insist(&user, &format!("/seats/{seat}/hold")).await.is_none() {
                continue;
            }
            if let Some(answer) = self.insist(&user, &format!("/seats/{seat}/reserve")).await {
                let reservation = answer["reservationId"].as_str().unwrap().to_owned();
                self.reserved.lock().unwrap().insert(reservation);
            }
        }
    }

    /// The answer, or none where it was refused for good.
    async fn insist(&self, user: &str, path: &str) -> Option<Value> {
        loop {
            match self.post(user, path).await {
                Some((200, answer)) => return Some(answer),
                Some((503, problem)) => {
                    if problem["code"] == "RECOVERING" {
                        self.recovering.fetch_add(1, SeqCst);
                    }
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                Some(_) => return None,
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn acknowledged(&self) -> usize {
        self.reserved.lock().unwrap().len()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_redis_is_killed_under_writes_and_then_says_what_the_log_says() {
    for kind in [RedisKind::every_second(), RedisKind::default()] {
        let mut redis = Server::start(kind).await.unwrap();
        let (kafka, service) = (servers::kafka(), servers::service("crash"));
        let topic = servers::topic_on(&kafka, "seat-events", 3).await.unwrap();
        let [http, admin, metrics] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
        let environment = [
            ("BOXOFFICE_SERVICE", service.clone()),
            ("BOXOFFICE_HTTP_ADDR", http.clone()),
            ("BOXOFFICE_ADMIN_ADDR", admin.clone()),
            ("BOXOFFICE_METRICS_ADDR", metrics.clone()),
            ("BOXOFFICE_ADMIN_TOKEN", TOKEN.to_owned()),
            ("BOXOFFICE_REDIS_URL", redis.address()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka.clone()),
            ("BOXOFFICE_KAFKA_TOPIC", topic.clone()),
        ];
        let mut worker = Process::start("boxoffice-command", environment).unwrap();
        let ready = format!("http://{metrics}/readyz");
        worker.ready(&ready).await.unwrap();
        let client = Client::builder().timeout(Duration::from_secs(20)).no_proxy().build().unwrap();
        provision(&client, &admin).await;

        let sale = Arc::new(Sale {
            client,
            http: format!("http://{http}"),
            next_seat: AtomicU32::new(1),
            reserved: Mutex::default(),
            recovering: AtomicU32::default(),
        });
        let mut buyers = JoinSet::new();
        for buyer in 0..BUYERS {
            buyers.spawn(Arc::clone(&sale).buy(format!("user-{buyer}")));
        }
        until("buyers are at it", async || (sale.acknowledged() > 100).then_some(())).await;
        redis.kill();
        redis.restart().await.unwrap();
        let before = sale.acknowledged();
        until("seats are sold again", async || (sale.acknowledged() > before + 20).then_some(())).await;
        buyers.shutdown().await;
        assert!(sale.recovering.load(SeqCst) > 0, "buyers were told to come again");
        assert_eq!(
            reqwest::get(&ready).await.unwrap().status(),
            200,
            "each request says what is wrong, not the worker"
        );
        says_the_same(&redis.address(), &service, &kafka, &topic, &sale).await;
    }
}

async fn provision(client: &Client, admin: &str) {
    let definition = json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 20_000}]
    });
    let put = client.put(format!("http://{admin}/admin/events/{EVENT}")).bearer_auth(TOKEN);
    let answer = put.json(&definition).send().await.unwrap();
    assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
}

/// Once all is published: the log has no gap, every acknowledged reservation, and the same seats as Redis.
async fn says_the_same(redis: &str, service: &str, kafka: &str, topic: &str, sale: &Sale) {
    let store = RedisStore::connect(Settings::new(redis, service)).await.unwrap();
    let event: SeatingEventId = EVENT.parse().unwrap();
    let settled = async || {
        let state = store.state(&event).await.unwrap();
        let events: BTreeMap<u64, Value> = first_occurrences(on_topic(kafka, topic).await);
        (events.len() as u64 == state.sequence).then_some((state, events))
    };
    let (state, events) = until("everything is published", settled).await;
    let mut on_the_log = SeatingEventState::new(event);
    let mut reservations = HashSet::new();
    for (expected, (sequence, value)) in (1..).zip(events) {
        assert_eq!(sequence, expected, "I3");
        let Incoming::Known(envelope) = parse(value.to_string().as_bytes()).unwrap() else {
            panic!("an event of another version: {value}")
        };
        if value["eventType"] == "reservation.created" {
            reservations.insert(value["payload"]["reservationId"].as_str().unwrap().to_owned());
        }
        evolve(&mut on_the_log, &envelope);
    }
    assert_eq!(seats_hash(&state), seats_hash(&on_the_log));
    let lost: Vec<_> = sale.reserved.lock().unwrap().difference(&reservations).cloned().collect();
    assert!(lost.is_empty(), "I7: acknowledged and lost: {lost:?}");
}

/// By sequence; a record may be there twice, but never another event in its place.
fn first_occurrences(records: Vec<Value>) -> BTreeMap<u64, Value> {
    let mut events = BTreeMap::new();
    for record in records {
        let sequence = record["metadata"]["sequence"].as_u64().unwrap();
        let first = events.entry(sequence).or_insert_with(|| record.clone());
        assert_eq!(first["eventId"], record["eventId"], "I3: two events have sequence {sequence}");
    }
    events
}
