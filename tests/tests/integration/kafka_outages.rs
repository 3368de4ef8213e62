//! What the event log does when Kafka freezes, dies, comes back, or has deleted what is asked for: each test has a
//! Kafka of its own.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::{EventLog, GroupEvent, LogError};
use boxoffice_tests::conformance::event_log::{next, numbered, numbers, read_all, read_tail};
use boxoffice_tests::servers::{Kafka, Server, topic_on, unique};
use boxoffice_tests::wait::PATIENCE;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const BATCH: u32 = 50;
const BATCHES: u32 = 60;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_first_occurrences_have_no_gap_when_the_broker_freezes() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let sale = Sale::start(&kafka).await;
    sale.until(|seen| seen.durable >= 10).await;
    kafka.pause();
    sale.until(|seen| seen.failures >= 2).await;
    kafka.resume();
    sale.has_no_gap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i3_first_occurrences_have_no_gap_when_the_broker_dies() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let sale = Sale::start(&kafka).await;
    sale.until(|seen| seen.durable >= 10).await;
    kafka.kill();
    sale.until(|seen| seen.failures >= 1).await;
    kafka.restart().await.unwrap();
    sale.has_no_gap().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publish_is_given_up_in_time_and_leaves_nothing_behind() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let log = KafkaLog::new(&kafka.address()).unwrap();
    let topic = topic_on(&kafka.address(), "outage", 1).await.unwrap();
    log.publish(&topic, vec![numbered(0, 0)]).await.unwrap();
    kafka.kill();
    let lost = timeout(Duration::from_secs(4), log.publish(&topic, vec![numbered(0, 1)])).await;
    assert!(matches!(lost, Ok(Err(LogError::Unavailable(_)))), "soon after its limit: {lost:?}");
    kafka.restart().await.unwrap();
    log.publish(&topic, vec![numbered(0, 2)]).await.unwrap();
    assert_eq!(numbers(&read_tail(&log, &topic, vec![(0, 0)], 2).await), [0, 2]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_and_a_member_go_on_when_the_broker_is_back() {
    let mut kafka = Server::start(Kafka).await.unwrap();
    let log = KafkaLog::new(&kafka.address()).unwrap();
    let topic = topic_on(&kafka.address(), "outage", 1).await.unwrap();
    let mut tail = log.tail(&topic, vec![(0, 0)]).await.unwrap();
    let mut member = log.subscribe(&unique("group"), std::slice::from_ref(&topic)).await.unwrap();
    log.publish(&topic, vec![numbered(0, 1)]).await.unwrap();
    assert_eq!(numbers(&next(&mut *tail, 10).await), [1]);
    let mut read = Vec::new();
    while read.is_empty() {
        if let GroupEvent::Records(records) = member.next(10, PATIENCE).await.unwrap() {
            read = records;
        }
    }

    kafka.restart().await.unwrap();
    log.publish(&topic, vec![numbered(0, 2)]).await.unwrap();
    let read = next(&mut *tail, 10).await;
    assert_eq!(numbers(&read), [2]);
    let read = timeout(PATIENCE, async {
        loop {
            if let GroupEvent::Records(records) = member.next(10, PATIENCE).await.unwrap()
                && records.iter().any(|(_, record)| record.offset == 1)
            {
                return records;
            }
        }
    });
    read.await.expect("the member goes on");
    member.leave().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tail_of_deleted_records_is_refused() {
    let kafka = Server::start(Kafka).await.unwrap();
    let log = KafkaLog::new(&kafka.address()).unwrap();
    let topic = topic_on(&kafka.address(), "deleted", 1).await.unwrap();
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();

    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.address()).create().unwrap();
    let mut before = TopicPartitionList::new();
    before.add_partition_offset(&topic, 0, Offset::Offset(6)).unwrap();
    let options = AdminOptions::new().operation_timeout(Some(PATIENCE)).request_timeout(Some(PATIENCE));
    admin.delete_records(&before, &options).await.unwrap();

    assert_eq!(log.bounds(&topic, 0).await.unwrap(), (6, 10));
    let error = log.tail(&topic, vec![(0, 5)]).await.err().expect("an error");
    assert!(matches!(error, LogError::OutOfRange { offset: 5, begin: 6, end: 10, .. }), "{error}");
    assert_eq!(numbers(&read_tail(&log, &topic, vec![(0, 6)], 4).await), [6, 7, 8, 9]);
}

/// Two relays that share a log and publish a partition each, batch after batch, as relays do: one that failed is
/// published again before the next.
struct Sale {
    log: Arc<KafkaLog>,
    topic: String,
    seen: watch::Receiver<Seen>,
    relays: Vec<JoinHandle<()>>,
}

/// What the relays saw so far.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    durable: u32,
    failures: u32,
}

impl Sale {
    async fn start(kafka: &Server<Kafka>) -> Self {
        let log = Arc::new(KafkaLog::new(&kafka.address()).unwrap());
        let topic = topic_on(&kafka.address(), "outage", 2).await.unwrap();
        let (tell, seen) = watch::channel(Seen::default());
        let tell = Arc::new(tell);
        let relays = (0..2).map(|partition| {
            let (log, topic, tell) = (log.clone(), topic.clone(), tell.clone());
            tokio::spawn(async move {
                for batch in 0..BATCHES {
                    let records: Vec<_> =
                        (batch * BATCH..(batch + 1) * BATCH).map(|n| numbered(partition, n)).collect();
                    while let Err(error) = log.publish(&topic, records.clone()).await {
                        assert!(matches!(error, LogError::Unavailable(_)), "{error}");
                        tell.send_modify(|seen| seen.failures += 1);
                    }
                    tell.send_modify(|seen| seen.durable += 1);
                }
            })
        });
        Self { relays: relays.collect(), log, topic, seen }
    }

    async fn until(&self, condition: impl FnMut(&Seen) -> bool) {
        let mut seen = self.seen.clone();
        timeout(PATIENCE, seen.wait_for(condition)).await.expect("the relays get that far").unwrap();
    }

    async fn has_no_gap(self) {
        for relay in self.relays {
            timeout(PATIENCE, relay).await.expect("the relay ends").unwrap();
        }
        let read = read_all(&*self.log, &self.topic).await;
        for partition in 0..2 {
            let mut next = 0;
            for number in numbers(read.iter().filter(|record| record.partition == partition)) {
                assert!(number <= next, "{number} comes before {next}");
                next = next.max(number + 1);
            }
            assert_eq!(next, BATCH * BATCHES);
        }
    }
}
