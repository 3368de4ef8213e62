//! Where a view begins, and that it goes on from there: on real Kafka and PostgreSQL, with the worker as a process of its
//! own.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use boxoffice_domain::Envelope;
use boxoffice_tests::servers;
use boxoffice_tests::wait::until;
use rdkafka::consumer::{BaseConsumer, CommitMode, Consumer};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::consumer_stage::{Stage, partition, sales};

const RESERVATIONS: &str = "SELECT count(*) FROM reservations";
const SEQUENCE: &str = "SELECT sequence FROM checkpoint_events";

/// Declares where the group is, as the operator does: in the partition of these events.
async fn commit(stage: &Stage, events: &[Envelope], offset: i64) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers::kafka())
        .set("group.id", &stage.group)
        .create()
        .unwrap();
    let mut list = TopicPartitionList::new();
    let number = i32::try_from(partition(&events[0])).unwrap();
    list.add_partition_offset(&stage.topic, number, Offset::Offset(offset)).unwrap();
    // A group with a member that is being counted out refuses for a moment.
    let consumer = std::sync::Arc::new(consumer);
    until("the group takes the offset", async || {
        let (consumer, list) = (std::sync::Arc::clone(&consumer), list.clone());
        let committed = tokio::task::spawn_blocking(move || consumer.commit(&list, CommitMode::Sync));
        committed.await.unwrap().ok()
    })
    .await;
}

#[tokio::test]
async fn i5_a_group_that_began_at_latest_goes_on_when_the_log_repeats_what_was_before() {
    let stage = Stage { start_from: "latest", ..Stage::new("persistence").await };
    let events = sales("arena-night", 30);
    stage.publish(&events[..50]).await;
    commit(&stage, &events, 50).await;
    let mut worker = stage.ready().await;
    stage.publish(&events[50..54]).await;
    stage.counts(SEQUENCE, 54).await;
    // A relay that lost its way begins again before the start: 45 to 54.
    stage.publish(&events[44..54]).await;
    stage.publish(&events[54..61]).await;
    stage.counts(SEQUENCE, 61).await;
    let before = "boxoffice_consumer_events_total{handler=\"persistence\",outcome=\"before_start\"}";
    assert_eq!(worker.metric(before).await, Some(6.0));
    let count = stage.count(RESERVATIONS).await;
    assert!(worker.process.terminate().await.unwrap().success());

    // Edited after it began, and offsets that somebody else moved meanwhile: the checkpoint says where it is.
    commit(&stage, &events, 3).await;
    let stage = Stage { start_from: "earliest", ..stage };
    let _worker = stage.ready().await;
    stage.publish(&events[44..61]).await;
    stage.publish(&events[61..64]).await;
    stage.counts(SEQUENCE, 64).await;
    assert_eq!(stage.count(RESERVATIONS).await, count.map(|count| count + 1));
    assert_eq!(stage.count("SELECT first_sequence FROM checkpoint_events").await, Some(51));
}

#[tokio::test]
async fn i5_an_emptied_database_of_an_earliest_handler_is_built_again_from_the_logs_first_record() {
    let stage = Stage::new("persistence").await;
    let mut worker = stage.ready().await;
    let events = sales("arena-night", 20);
    stage.publish(&events).await;
    stage.counts(RESERVATIONS, 20).await;
    assert!(worker.process.terminate().await.unwrap().success());
    empty(&stage).await;
    let _worker = stage.ready().await;
    stage.counts(RESERVATIONS, 20).await;
}

#[tokio::test]
async fn i9_a_handler_that_is_not_replayable_never_begins_by_itself() {
    let stage = Stage { start_from: "latest", ..Stage::new("payment").await };
    let events = sales("arena-night", 10);
    stage.publish(&events).await;
    // A worker is not ready as long as a partition of its own stands still, so it is never waited for here.
    let mut worker = stage.start();
    worker.process.says("this handler must not see events again").await.unwrap();
    assert!(worker.process.terminate().await.unwrap().success());
    assert_eq!(stage.count("SELECT count(*) FROM checkpoint_partitions").await, Some(0));

    // The operator declares where it begins, and later its database is emptied.
    commit(&stage, &events, 28).await;
    let mut worker = stage.start();
    stage.counts(PAID, 1).await;
    assert!(worker.process.terminate().await.unwrap().success());
    empty(&stage).await;
    let mut worker = stage.start();
    worker.process.says("the database is empty").await.unwrap();
    stage.counts("SELECT count(*) FROM checkpoint_partitions WHERE next_offset = 31", 1).await;
    assert_eq!(stage.count("SELECT count(*) FROM payments").await, Some(0), "nobody is charged again");
}

/// By the sandbox.
const PAID: &str = "SELECT count(*) FROM payments WHERE state = 'PAID'";

/// Somebody lost the database and made it again.
async fn empty(stage: &Stage) {
    for statement in ["DROP SCHEMA public CASCADE", "CREATE SCHEMA public"] {
        sqlx::query(statement).execute(&stage.pool).await.unwrap();
    }
}

#[tokio::test]
async fn a_database_refuses_another_group_and_names_both() {
    let stage = Stage::new("persistence").await;
    let mut worker = stage.ready().await;
    assert!(worker.process.terminate().await.unwrap().success());
    let first = stage.group.clone();
    let stage = Stage { group: "other-group".into(), ..stage };
    let mut other = stage.start();
    assert_eq!(other.process.ended().await.unwrap().code(), Some(1));
    let log = other.process.log();
    assert!(log.contains(&first) && log.contains("other-group") && log.contains("test/consumer"), "{log}");

    let stage = Stage { handler: "stats", group: first, ..stage };
    let mut other = stage.start();
    assert_eq!(other.process.ended().await.unwrap().code(), Some(1));
    assert!(other.process.log().contains("a database of its own"));
}
