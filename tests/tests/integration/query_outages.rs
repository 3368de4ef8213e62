//! A query worker whose Kafka or PostgreSQL, or both, are away, or whose broker is frozen: what it knows is served all the time,
//! it says how old that is, and never that it has become younger before it has. Each test has servers of its own.

use std::time::Duration;

use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::migrate;
use boxoffice_domain::DomainEvent;
use boxoffice_runtime::clock;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::history::{History, new_record};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Kafka, Postgres, Server, free_port, service, topic_on};
use boxoffice_tests::wait::until;
use reqwest::{Client, StatusCode};

/// What a worker whose log answers says at most: it hears from it twice a second.
const FRESH: Duration = Duration::from_secs(2);
/// Older than that no worker gets whose log answers.
const OLD: Duration = Duration::from_secs(4);

struct Stage {
    kafka: Server<Kafka>,
    postgres: Server<Postgres>,
    topic: String,
    history: History,
    /// The sequence of what was published last.
    published: u64,
    worker: Process,
    url: String,
    readyz: String,
    client: Client,
}

impl Stage {
    /// A worker that shows a hall, and knows that nothing is missing.
    async fn set() -> Self {
        let (kafka, postgres) =
            tokio::try_join!(Server::start(Kafka), Server::start(Postgres::default())).unwrap();
        let database_url = format!("{}/postgres", postgres.address());
        let options = DatabaseArgs::at(&database_url).options("test").unwrap();
        migrate::<SeatViewHandler>(&options).await.unwrap();
        let topic = topic_on(&kafka.address(), "seat-events", 1).await.unwrap();
        let stats = topic_on(&kafka.address(), "stats-events", 1).await.unwrap();
        let [http, admin, metrics] = [(); 3].map(|()| format!("127.0.0.1:{}", free_port().unwrap()));
        let environment = [
            ("BOXOFFICE_SERVICE", service("query")),
            ("BOXOFFICE_HTTP_ADDR", http.clone()),
            ("BOXOFFICE_ADMIN_ADDR", admin),
            ("BOXOFFICE_ADMIN_TOKEN", "secret".to_owned()),
            ("BOXOFFICE_METRICS_ADDR", metrics.clone()),
            ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka.address()),
            ("BOXOFFICE_KAFKA_TOPIC", topic.clone()),
            ("BOXOFFICE_KAFKA_STATS_TOPIC", stats),
            ("BOXOFFICE_DATABASE_URL", database_url),
        ];
        let mut worker = Process::start("boxoffice-query", environment).unwrap();
        let readyz = format!("http://{metrics}/readyz");
        worker.ready(&readyz).await.unwrap();
        let client = Client::builder().timeout(Duration::from_secs(10)).build().unwrap();
        let history = History::new("arena-night");
        let url = format!("http://{http}");
        let mut stage = Self { kafka, postgres, topic, history, published: 0, worker, url, readyz, client };
        let created = stage.history.created(20);
        stage.publish(created).await;
        stage.follows().await;
        stage
    }

    async fn publish(&mut self, event: DomainEvent) {
        let log = KafkaLog::new(&self.kafka.address()).unwrap();
        let event = self.history.next(event);
        self.published = event.metadata.sequence.unwrap();
        let record = NewRecord { timestamp: clock::now(), ..new_record(&event, 0) };
        log.publish(&self.topic, vec![record]).await.unwrap();
    }

    /// What was published last is seen, and the worker knows that it has seen everything.
    async fn follows(&self) {
        until("it shows what was published last, and is not old", async || {
            let answer =
                self.client.get(format!("{}/events/arena-night/seats", self.url)).send().await.ok()?;
            let of = |name: &str| answer.headers().get(name)?.to_str().ok()?.parse::<u64>().ok();
            let is_fresh = Duration::from_millis(of("x-view-age")?) < FRESH;
            (of("x-view-sequence")? == self.published && is_fresh).then_some(())
        })
        .await;
    }

    /// The age that is told, by an answer that shows the hall.
    async fn age(&self) -> Duration {
        let answer = self.client.get(format!("{}/events/arena-night/seats", self.url)).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(answer.headers()["x-view-sequence"], self.published.to_string().as_str());
        let age = answer.headers()["x-view-age"].to_str().unwrap().parse().unwrap();
        assert!(answer.text().await.unwrap().contains("arena-night.A-1-7"));
        Duration::from_millis(age)
    }

    /// It is served until the age that is told says that nobody knows anything any more, which never goes back.
    async fn grows_old(&self) {
        let mut last = Duration::ZERO;
        until("its age grows", async || {
            let age = self.age().await;
            // What was on its way when the log went away may still come in.
            assert!(age >= last || last < FRESH, "{age:?} after {last:?}");
            last = age;
            (age > OLD).then_some(())
        })
        .await;
        self.stays_ready().await;
    }

    async fn stays_ready(&self) {
        let answer = self.client.get(&self.readyz).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK, "without maxViewAgeSeconds");
    }

    /// What a user has is read where the view is kept.
    async fn own(&self) -> StatusCode {
        let own = self.client.get(format!("{}/users/alice/reservations", self.url));
        own.header("x-user-id", "alice").send().await.unwrap().status()
    }

    /// What happens now is seen, and so is that nothing is missing.
    async fn goes_on(mut self) {
        let held = self.history.held(7);
        self.publish(held).await;
        self.follows().await;
        until("what a user has is told", async || (self.own().await == StatusCode::OK).then_some(())).await;
        assert!(self.worker.terminate().await.unwrap().success(), "{}", self.worker.log());
    }
}

#[tokio::test]
async fn a_worker_whose_kafka_is_away_serves_and_says_how_old_that_is() {
    let mut stage = Stage::set().await;
    stage.kafka.kill();
    stage.grows_old().await;
    assert_eq!(stage.own().await, StatusCode::OK);
    stage.kafka.restart().await.unwrap();
    stage.goes_on().await;
}

#[tokio::test]
async fn a_worker_whose_broker_is_frozen_serves_and_says_how_old_that_is() {
    let mut stage = Stage::set().await;
    stage.kafka.pause();
    stage.grows_old().await;
    stage.kafka.resume();
    stage.goes_on().await;
}

#[tokio::test]
async fn a_worker_whose_postgres_is_away_follows_the_log() {
    let mut stage = Stage::set().await;
    stage.postgres.kill();
    assert_eq!(stage.own().await, StatusCode::SERVICE_UNAVAILABLE);
    let held = stage.history.held(3);
    stage.publish(held).await;
    stage.follows().await;
    stage.stays_ready().await;
    stage.postgres.restart().await.unwrap();
    stage.goes_on().await;
}

#[tokio::test]
async fn a_worker_without_kafka_and_postgres_serves_what_it_has() {
    let mut stage = Stage::set().await;
    stage.kafka.kill();
    stage.postgres.kill();
    stage.grows_old().await;
    assert_eq!(stage.own().await, StatusCode::SERVICE_UNAVAILABLE);
    stage.postgres.restart().await.unwrap();
    stage.kafka.restart().await.unwrap();
    stage.goes_on().await;
}
