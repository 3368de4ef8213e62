//! The consumer worker and a database in trouble: far away, silent, failing over to its standby, behind a pooler.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::time::{Duration, Instant};

use boxoffice_consumer::handlers::persistence::PersistenceHandler;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::DomainEvent;
use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::log::{EventLog, TopicPartition};
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::view::{Batch, Beginning, ViewStore};
use boxoffice_tests::history::{History, new_record, record};
use boxoffice_tests::proxy::Proxy;
use boxoffice_tests::servers::{PgBouncer, Postgres, Server, Standby, database, topic};
use boxoffice_tests::wait::{until, within};
use sqlx::{Connection, PgConnection};

use super::consumer_stage::{Stage, Worker, sales};

const RESERVATIONS: &str = "SELECT count(*) FROM reservations";
/// From a database's return to work going on.
const SOON: Duration = Duration::from_secs(10);

/// The server's part of a URL: host:port.
fn server(url: &str) -> &str {
    url.rsplit_once('@').unwrap().1.split('/').next().unwrap()
}

async fn answers(worker: &Worker, status: u16) {
    let url = format!("{}/readyz", worker.metrics);
    until("readiness changes", async || {
        reqwest::get(&url).await.ok().filter(|answer| answer.status().as_u16() == status)
    })
    .await;
}

/// Asserts that it has been a member of its group all the time.
fn kept_its_partitions(worker: &Worker) {
    let log = worker.process.log();
    assert!(!log.contains("joining the group again") && !log.contains("revoked"), "{log}");
}

#[tokio::test]
async fn one_refused_event_of_five_hundred_is_parked_alone_at_ten_milliseconds_a_round_trip() {
    let database = database("far").await;
    let proxy = Proxy::start(server(&database.url), Duration::from_millis(5)).await.unwrap();
    let database_url = database.url.replace(server(&database.url), &proxy.address());
    let options = DatabaseArgs::at(database_url).options("test").unwrap();
    migrate::<PersistenceHandler>(&options).await.unwrap();
    let store = PgViewStore::new(options, PersistenceHandler, Start::Earliest, String::new());
    let partition = TopicPartition { topic: "seat-events".into(), partition: 0 };
    store.begin(&[Beginning { partition, offset: 0, earliest: true, log: None }]).await.unwrap();

    let mut history = History::new("arena-night");
    let mut events: Vec<DomainEvent> =
        (1..=500).map(|seat| DomainEvent::ReservationCreated(history.reservation(seat))).collect();
    let mut second = history.reservation(311);
    second.seat_ids = vec![history.seat(7)];
    events[310] = DomainEvent::ReservationCreated(second);
    let events: Vec<_> = events.into_iter().map(|event| history.next(event)).collect();
    let records = events.iter().zip(0..).map(|(event, offset)| record(event, 0, offset)).collect();
    let batch = Batch { topic: "seat-events".into(), partition: 0, log: None, expected: 0, records };
    let begun = Instant::now();
    let applied = store.apply(&batch).await.unwrap();
    let took = begun.elapsed();
    assert_eq!((applied.applied, applied.parked), (499, 1));
    assert!(took < SOON, "{took:?}");
    let mut connection = PgConnection::connect(&database.url).await.unwrap();
    let parked: Vec<i64> = sqlx::query_scalar("SELECT record_offset FROM parked_events")
        .fetch_all(&mut connection)
        .await
        .unwrap();
    assert_eq!(parked, [310]);
}

#[tokio::test]
async fn a_host_that_vanishes_and_comes_back_elsewhere_is_found_again_soon() {
    let server_of = Server::start(Postgres::default()).await.unwrap();
    let url = format!("{}/postgres", server_of.address());
    let mut proxy = Proxy::start(server(&url), Duration::ZERO).await.unwrap();
    let mut stage = Stage::on("persistence", url.clone()).await;
    stage.url = url.replace(server(&url), &proxy.address());
    let worker = stage.ready().await;
    let events = sales("arena-night", 200);
    stage.publish(&events[..301]).await;
    stage.counts(RESERVATIONS, 100).await;
    proxy.fall_silent();
    stage.publish(&events[301..]).await;
    answers(&worker, 503).await;
    proxy.lead_to(server(&url));
    let back = Instant::now();
    stage.counts(RESERVATIONS, 200).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    kept_its_partitions(&worker);
    answers(&worker, 200).await;
}

#[tokio::test]
async fn two_hundred_partitions_stay_with_their_member_while_its_database_hangs() {
    const MANY: u32 = 200;
    let server_of = Server::start(Postgres::default()).await.unwrap();
    let url = format!("{}/postgres", server_of.address());
    let mut proxy = Proxy::start(server(&url), Duration::ZERO).await.unwrap();
    let mut stage = Stage::on("persistence", url.clone()).await;
    stage.url = url.replace(server(&url), &proxy.address());
    stage.topic = topic("seat-events", MANY).await;
    let worker = stage.ready().await;
    let shows: Vec<_> = (0..MANY).map(|number| sales(&format!("arena-{number}"), 2)).collect();
    let part = async |range: std::ops::Range<usize>| {
        let records = (0..).zip(&shows).flat_map(|(partition, events)| {
            events[range.clone()].iter().map(move |event| new_record(event, partition))
        });
        // A few partitions at once: all are written to for the first time.
        for records in records.collect::<Vec<_>>().chunks(40) {
            let published = async || stage.log.publish(&stage.topic, records.to_vec()).await.ok();
            until("the log takes them", published).await;
        }
    };
    part(0..4).await;
    stage.counts(RESERVATIONS, MANY.into()).await;
    proxy.fall_silent();
    part(4..7).await;
    answers(&worker, 503).await;
    // The first ones tried again and again, and the others wait for their turn.
    let tried = |log: &str| log.matches("trying again").count() >= 12;
    until("some have tried again", async || tried(&worker.process.log()).then_some(())).await;
    proxy.lead_to(server(&url));
    let back = Instant::now();
    stage.counts(RESERVATIONS, i64::from(MANY) * 2).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    kept_its_partitions(&worker);
}

#[tokio::test]
async fn a_promoted_standby_takes_over_and_nothing_is_lost() {
    let mut primary = Server::start(Postgres::default()).await.unwrap();
    let url = format!("{}/postgres", primary.address());
    let mut proxy = Proxy::start(server(&url), Duration::ZERO).await.unwrap();
    let mut stage = Stage::on("persistence", url.clone()).await;
    stage.url = url.replace(server(&url), &proxy.address());
    let worker = stage.ready().await;
    let events = sales("arena-night", 300);
    stage.publish(&events[..301]).await;
    stage.counts(RESERVATIONS, 100).await;
    let standby = Server::start(Standby { of: primary.address() }).await.unwrap();
    let after = Stage::on("persistence", format!("{}/postgres", standby.address())).await;
    after.counts(RESERVATIONS, 100).await;

    // The address leads to the standby before that is promoted: it answers, and takes nothing.
    primary.kill();
    proxy.lead_to(server(&after.url));
    stage.publish(&events[301..601]).await;
    answers(&worker, 503).await;
    until("it is told why", async || worker.process.log().contains("read-only").then_some(())).await;
    let promoted: bool = sqlx::query_scalar("SELECT pg_promote()").fetch_one(&after.pool).await.unwrap();
    assert!(promoted);
    let back = Instant::now();
    after.counts(RESERVATIONS, 200).await;
    assert!(back.elapsed() < SOON, "{:?}", back.elapsed());
    stage.publish(&events[601..]).await;
    after.counts(RESERVATIONS, 300).await;
    assert_eq!(after.count("SELECT count(*) FROM parked_events").await, Some(0));
    kept_its_partitions(&worker);
    answers(&worker, 200).await;
}

#[tokio::test]
async fn behind_a_pooler_it_works_by_session_and_by_transaction_it_says_why_not() {
    let server_of = Server::start(Postgres::default()).await.unwrap();
    let port: u16 = server_of.address().rsplit_once(':').unwrap().1.parse().unwrap();
    let pooler = |mode| Server::start(PgBouncer { server: port, mode });
    let events = sales("arena-night", 10);

    let session = pooler("session").await.unwrap();
    let direct = format!("{}/postgres", server_of.address());
    let mut stage = Stage::on("persistence", direct).await;
    stage.url = format!("{}/postgres", session.address());
    let mut worker = stage.ready().await;
    stage.publish(&events).await;
    stage.counts(RESERVATIONS, 10).await;
    assert!(worker.process.terminate().await.unwrap().success());

    let transaction = pooler("transaction").await.unwrap();
    stage.url = format!("{}/postgres", transaction.address());
    let mut worker = stage.start();
    let settled = within(Duration::from_mins(1), async || {
        let log = worker.process.log();
        (log.contains("pool_mode = session") || log.contains("assigned")).then_some(log)
    });
    let log = settled.await.unwrap();
    if log.contains("assigned") {
        // One that keeps track of prepared statements (from 1.21 on) works.
        stage.publish(&sales("other", 10)).await;
        stage.counts(RESERVATIONS, 20).await;
    } else {
        assert_eq!(worker.process.ended().await.unwrap().code(), Some(1));
    }
}

#[tokio::test]
async fn the_outbox_has_one_publisher_and_its_lock_goes_with_its_connection() {
    let stage = Stage::new("stats").await;
    let mut other = PgConnection::connect(&stage.url).await.unwrap();
    sqlx::raw_sql("BEGIN; SELECT pg_advisory_xact_lock(7093020357986511203)")
        .execute(&mut other)
        .await
        .unwrap();
    let held: i32 = sqlx::query_scalar("SELECT pg_backend_pid()").fetch_one(&mut other).await.unwrap();
    let worker = stage.ready().await;
    let events = sales("arena-night", 5);
    // Every commit wakes it, and it asks for the lock in vain.
    for part in events.chunks(4) {
        stage.publish(part).await;
        let reached = part.last().and_then(|event| event.metadata.sequence).unwrap();
        stage.counts("SELECT sequence FROM checkpoint_events", reached.cast_signed()).await;
    }
    let waiting = stage.count("SELECT count(*) FROM outbox").await;
    assert!(waiting >= Some(4), "{waiting:?}");
    // The other publisher's host is gone, and the server lets its connection go.
    sqlx::query("SELECT pg_terminate_backend($1)").bind(held).execute(&stage.pool).await.unwrap();
    stage.counts("SELECT count(*) FROM outbox", 0).await;
    assert!(worker.process.log().contains("publishing the outbox"));
}
