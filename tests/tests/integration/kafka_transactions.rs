//! What Kafka does with the transactions behind an appender: one that is left open, and a broker that dies under one.

use std::time::{Duration, Instant};

use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_tests::conformance::event_log::{next, numbered, numbers, read_all};
use boxoffice_tests::servers::{self, Kafka, Server, topic, topic_on, unique};
use boxoffice_tests::wait::{PATIENCE, until};
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, FutureRecord, Producer};
use tokio::time::timeout;

/// A producer with a transaction that has one record, and is open.
pub async fn open_transaction(kafka: &str, id: &str, topic: &str, partition: u32) -> FutureProducer {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", kafka).set("transactional.id", id).set("transaction.timeout.ms", "60000");
    let producer: FutureProducer = config.create().unwrap();
    let own = producer.clone();
    let begin = move || {
        own.init_transactions(PATIENCE).unwrap();
        own.begin_transaction().unwrap();
    };
    tokio::task::spawn_blocking(begin).await.unwrap();
    let record = FutureRecord::<str, str>::to(topic).partition(partition.cast_signed()).payload("666");
    producer.send(record, PATIENCE).await.unwrap();
    producer
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_owner_with_an_open_transaction_is_fenced_soon_and_readers_go_on() {
    let (log, id) = (KafkaLog::new(&servers::kafka()).unwrap(), unique("owner"));
    let topic = topic("transactions", 1).await;
    let open = open_transaction(&servers::kafka(), &id, &topic, 0).await;
    // Behind the record that is not committed, and so is not to be read yet.
    log.publish(&topic, vec![numbered(0, 0)]).await.unwrap();
    assert_eq!(log.bounds(&topic, 0).await.unwrap(), (0, 0), "an end that readers can reach");
    let mut tail = log.tail(&topic, vec![(0, 0)]).await.unwrap();
    let nothing = timeout(PATIENCE, tail.next(10)).await.unwrap().unwrap();
    assert_eq!((nothing.records, nothing.ended), (vec![], vec![0]));

    let begun = Instant::now();
    let mut appender = log.appender(&id).await.unwrap();
    let taken = begun.elapsed();
    assert!(taken < Duration::from_secs(2), "{taken:?}");
    assert_eq!(numbers(&next(&mut *tail, 10).await), [0]);
    appender.append(&topic, vec![numbered(0, 1)]).await.unwrap();
    assert_eq!(numbers(&next(&mut *tail, 10).await), [1]);
    let late = tokio::task::spawn_blocking(move || open.commit_transaction(PATIENCE)).await.unwrap();
    assert!(late.is_err(), "what was left open is gone for good");
    assert_eq!(numbers(&read_all(&log, &topic).await), [0, 1]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_append_fails_in_time_when_the_broker_dies_and_the_next_appender_goes_on() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let (log, id) = (KafkaLog::new(&kafka.address()).unwrap(), unique("owner"));
    let topic = topic_on(&kafka.address(), "transactions", 1).await.unwrap();
    let mut appender = log.appender(&id).await.unwrap();
    appender.append(&topic, vec![numbered(0, 0)]).await.unwrap();
    kafka.kill();
    let begun = Instant::now();
    let lost = appender.append(&topic, vec![numbered(0, 1)]).await;
    assert!(matches!(lost, Err(LogError::Unavailable(_))), "{lost:?}");
    let absent = log.appender(&id).await.err();
    assert!(matches!(absent, Some(LogError::Unavailable(_))), "{absent:?}");
    let given_up = begun.elapsed();
    assert!(given_up < Duration::from_secs(10), "the limits of both: {given_up:?}");
    kafka.restart().await.unwrap();
    let mut next = until("the coordinator is back", async || log.appender(&id).await.ok()).await;
    next.append(&topic, vec![numbered(0, 2), numbered(0, 3)]).await.unwrap();
    until("readers see it", async || {
        let numbers = numbers(&read_all(&log, &topic).await);
        (numbers == [0, 2, 3]).then_some(())
    })
    .await;
}
