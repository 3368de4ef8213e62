//! Snapshots on real servers: what an emptied Redis is rebuilt from where the log no longer has its beginning, and what a
//! SeatingEvent that is over is woken from.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_command::snapshot::{self, Snapshot};
use boxoffice_command::store::redis::state::seats_hash;
use boxoffice_command::store::redis::{RedisStore, Settings};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, UntilEnd};
use boxoffice_tests::command_worker::{CommandWorker, TOKEN};
use boxoffice_tests::servers::redis_kinds::{RedisKind, connection};
use boxoffice_tests::servers::{self, Server};
use boxoffice_tests::wait::until;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use reqwest::{Client, Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// Long ago.
pub const PAST: u64 = 1_600_000_000_000;
pub const FUTURE: u64 = 4_000_000_000_000;

/// A worker on a Redis of its own and topics of its own.
pub struct Stage {
    pub redis: Server<RedisKind>,
    pub log: KafkaLog,
    pub topic: String,
    service: String,
    pub worker: CommandWorker,
    client: Client,
}

impl Stage {
    pub async fn new() -> Self {
        let redis = Server::start(RedisKind::every_second()).await.unwrap();
        let topic = servers::topic("seat-events", 1).await;
        let service = servers::service("snapshots");
        let mut worker = CommandWorker::start(&service, &redis.address(), &servers::kafka(), &topic).unwrap();
        worker.ready().await.unwrap();
        let log = KafkaLog::new(&servers::kafka()).unwrap();
        let client = Client::builder().timeout(Duration::from_secs(10)).no_proxy().build().unwrap();
        Self { redis, log, topic, service, worker, client }
    }

    /// A show of a hundred places that closes with its start.
    pub async fn show(&self, hint: &str, starts_at: u64) -> SeatingEventId {
        let event = servers::unique(hint).parse().unwrap();
        self.worker.provision(&event, &definition(starts_at)).await.unwrap();
        event
    }

    pub async fn sell(&self, event: &SeatingEventId, place: u32) {
        for verb in ["hold", "reserve"] {
            until("a place is sold", async || {
                let post =
                    self.client.post(format!("{}/seats/{event}.FLOOR-{place}/{verb}", self.worker.http));
                let answer = post.header("x-user-id", "alice").send().await.unwrap();
                answer.status().is_success().then_some(())
            })
            .await;
        }
    }

    pub async fn admin(
        &self,
        method: Method,
        event: &SeatingEventId,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}/admin/events/{event}", self.worker.admin));
        let request = body.iter().fold(request.bearer_auth(TOKEN), RequestBuilder::json);
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap_or_default())
    }

    /// The snapshot of `event` as soon as it has `sequence`.
    async fn snapshot(&self, event: &SeatingEventId, sequence: u64) -> Snapshot {
        until("a snapshot has it all", async || {
            let read = snapshot::read(&self.log, &self.topic, 0, event).await.unwrap();
            read.filter(|snapshot| snapshot.state.sequence >= sequence)
        })
        .await
    }

    /// How many SeatingEvents the worker says are archived.
    pub async fn archived(&self) -> Option<u64> {
        self.metric("boxoffice_archived_seating_events").await
    }

    pub async fn metric(&self, name: &str) -> Option<u64> {
        let metrics = self.client.get(format!("{}/metrics", self.worker.watched)).send().await.unwrap();
        let text = metrics.text().await.unwrap();
        let line =
            text.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }

    /// Puts it on with another start, which wakes it if it is archived.
    pub async fn put_on(&self, event: &SeatingEventId, starts_at: u64) {
        until("it is woken", async || {
            let (status, told) = self.admin(Method::PUT, event, Some(definition(starts_at))).await;
            if status == StatusCode::OK {
                return Some(());
            }
            let code = (status, &told["code"]);
            assert_eq!(code, (StatusCode::SERVICE_UNAVAILABLE, &json!("RECOVERING")), "{told}");
            None
        })
        .await;
    }

    pub async fn sequence(&self, event: &SeatingEventId) -> u64 {
        self.worker.counts(event).await.unwrap().0
    }

    async fn hash(&self, event: &SeatingEventId) -> String {
        let settings = Settings::new(self.redis.address(), self.service.clone());
        seats_hash(&RedisStore::connect(settings).await.unwrap().state(event).await.unwrap())
    }

    /// Takes all records before `offset` off the log, as no retention that keeps promises does.
    async fn lose_the_beginning(&self, offset: u64) {
        let admin: AdminClient<DefaultClientContext> =
            ClientConfig::new().set("bootstrap.servers", servers::kafka()).create().unwrap();
        let mut before = TopicPartitionList::new();
        let offset = Offset::Offset(i64::try_from(offset).unwrap());
        before.add_partition_offset(&self.topic, 0, offset).unwrap();
        admin.delete_records(&before, &AdminOptions::new()).await.unwrap();
    }
}

fn definition(starts_at: u64) -> Value {
    json!({
        "title": "Tonight", "startsAt": starts_at,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 100}]
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_an_emptied_redis_is_rebuilt_from_snapshots_and_the_log_behind_them() {
    let mut stage = Stage::new().await;
    let shows = [stage.show("one", FUTURE).await, stage.show("two", FUTURE).await];
    let closed = stage.show("closed", FUTURE).await;
    for place in 1..4 {
        for show in &shows {
            stage.sell(show, place).await;
        }
    }
    // Closing one has all of its partition folded.
    stage.sell(&closed, 1).await;
    assert_eq!(stage.admin(Method::DELETE, &closed, None).await.0, StatusCode::OK);
    let mut folded = u64::MAX;
    for show in shows.iter().chain([&closed]) {
        let snapshot = stage.snapshot(show, stage.sequence(show).await).await;
        folded = folded.min(snapshot.offset);
    }
    stage.sell(&shows[1], 4).await;
    let late = stage.show("late", FUTURE).await;
    stage.sell(&late, 1).await;
    let all = [&shows[0], &shows[1], &closed, &late];
    let mut before = BTreeMap::new();
    for show in all {
        before.insert(show, (stage.sequence(show).await, stage.hash(show).await));
    }

    stage.lose_the_beginning(folded).await;
    redis::cmd("FLUSHALL").exec_async(&mut connection(&stage.redis.address()).await.unwrap()).await.unwrap();
    stage.redis.kill();
    stage.redis.restart().await.unwrap();
    for show in [&shows[0], &shows[1], &late] {
        stage.sell(show, 50).await;
        let (sequence, _) = before[show];
        assert!(stage.sequence(show).await > sequence);
        // A hold and its reserve: what was sold before is what it was.
        let (_, counts) = stage.worker.counts(show).await.unwrap();
        assert_eq!(counts.reserved, if *show == late { 2 } else { reserved(show, &shows) });
    }
    assert_eq!(stage.sequence(&closed).await, before[&closed].0);
    assert_eq!(stage.hash(&closed).await, before[&closed].1);
    // And nothing of it is on the log twice.
    let mut reading = UntilEnd::open(&stage.log, &stage.topic).await.unwrap();
    let mut last: BTreeMap<String, u64> = BTreeMap::new();
    while let Some(records) = reading.next(1000).await.unwrap() {
        for record in records {
            let sequence: u64 = record.header("ce_sequence").unwrap().parse().unwrap();
            let before = last.insert(record.key.clone(), sequence);
            assert!(before.is_none_or(|before| before + 1 == sequence), "{} {sequence}", record.key);
        }
    }
    let (begin, _) = stage.log.bounds(&stage.topic, 0).await.unwrap();
    assert!(begin >= folded, "the log begins behind what the snapshots have");
}

/// Three or four were sold before, and one after.
fn reserved(show: &SeatingEventId, shows: &[SeatingEventId; 2]) -> u64 {
    if *show == shows[0] { 4 } else { 5 }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_over_is_archived_and_woken_by_whoever_asks_for_more() {
    let stage = Stage::new().await;
    let event = stage.show("long-ago", PAST).await;
    until("it is archived", async || (stage.archived().await == Some(1)).then_some(())).await;
    let (status, listed) = stage.admin(Method::GET, &event, None).await;
    assert_eq!((status, &listed["seats"]["total"]), (StatusCode::OK, &json!(100)), "{listed}");
    assert_eq!(stage.admin(Method::PUT, &event, Some(definition(PAST))).await.0, StatusCode::OK);
    assert_eq!(stage.archived().await, Some(1), "an equal definition wakes nobody");

    // It is put on again.
    stage.put_on(&event, FUTURE).await;
    stage.sell(&event, 1).await;
    assert_eq!(stage.sequence(&event).await, 5, "created, updated, held, reserved and the reservation");
}

/// By whoever repeats it until it is done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_archived_is_purged_and_created_anew() {
    let stage = Stage::new().await;
    let event = stage.show("long-ago", PAST).await;
    until("it is archived", async || (stage.archived().await == Some(1)).then_some(())).await;
    let purge = format!("{}/admin/events/{event}?purge=true", stage.worker.admin);
    until("it is purged", async || {
        let answer = stage.client.delete(&purge).bearer_auth(TOKEN).send().await.unwrap();
        (answer.status() == StatusCode::NO_CONTENT).then_some(())
    })
    .await;
    assert_eq!(stage.admin(Method::GET, &event, None).await.0, StatusCode::NOT_FOUND);
    until("nothing is archived", async || (stage.archived().await == Some(0)).then_some(())).await;
    stage.worker.provision(&event, &definition(FUTURE)).await.unwrap();
    assert_eq!(stage.sequence(&event).await, 4, "created, deleted, purged and created");
    stage.sell(&event, 1).await;
}
