//! The operator's Kafka calls on a real broker: what a mock cluster cannot answer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test is a panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::converge::{Knowledge, Seen, carry_out, claims, group, survey};
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_operator::kafka::topics::Adoption;
use boxoffice_operator::kafka::{Group, Kafka, KafkaError, Start, Topic};
use boxoffice_runtime::log::kafka::security::Security;
use boxoffice_tests::servers::{kafka, unique};
use boxoffice_tests::wait::until;
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

const RECORDS: i64 = 5;

fn cluster() -> Arc<dyn Kafka> {
    Pool::default().get(&Connection { bootstrap_servers: kafka(), security: Security::default() }).unwrap()
}

fn topic(partitions: i32) -> Topic {
    let config = BTreeMap::from([("retention.ms".to_owned(), "-1".to_owned())]);
    Topic { name: unique("operator"), partitions, replication_factor: -1, config }
}

async fn created(cluster: &dyn Kafka, partitions: i32) -> Topic {
    let topic = topic(partitions);
    cluster.create_topic(&topic).await.unwrap();
    seen(cluster, &topic.name, partitions).await;
    topic
}

/// Brokers learn of a topic one after the other.
async fn seen(cluster: &dyn Kafka, name: &str, partitions: i32) {
    until("the topic has its partitions", async || {
        let facts = cluster.topic(name).await.ok()??;
        (facts.partitions == partitions).then_some(())
    })
    .await;
}

/// Between its two questions a topic may go, which is an error.
async fn gone(cluster: &dyn Kafka, name: &str) {
    until("the topic is gone", async || matches!(cluster.topic(name).await, Ok(None)).then_some(())).await;
}

fn produce(topic: &str) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap();
    for _ in 0..RECORDS {
        producer.send(BaseRecord::<(), str>::to(topic).partition(0).payload("x")).unwrap();
    }
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
}

/// Coordinators of a young cluster take a moment.
async fn converged(cluster: &dyn Kafka, wanted: &Group, partitions: i32) -> (bool, i64) {
    let partitions = wanted.topics.iter().map(|topic| (topic.as_str(), partitions)).collect();
    until("the group has its start offsets", async || match group(cluster, wanted, &partitions).await {
        Ok(state) => Some((state.created, state.lag)),
        Err(KafkaError::Settling(_)) => None,
        Err(error) => panic!("{error}"),
    })
    .await
}

#[tokio::test]
async fn a_topic_is_created_as_declared_and_grows() {
    let cluster = cluster();
    let mut wanted = topic(2);
    let surveys =
        survey(cluster.as_ref(), &[wanted.clone()], &Knowledge::default(), Adoption::Fail).await.unwrap();
    assert_eq!(claims(&surveys), [wanted.name.clone()].into());
    for survey in surveys {
        carry_out(cluster.as_ref(), survey).await.unwrap();
    }
    seen(cluster.as_ref(), &wanted.name, 2).await;
    wanted.partitions = 3;
    let seen_before = Seen { name: wanted.name.clone(), id: None };
    let known = Knowledge { owned: [wanted.name.clone()].into(), seen: Some(seen_before) };
    let surveys = survey(cluster.as_ref(), &[wanted.clone()], &known, Adoption::Fail).await.unwrap();
    for survey in surveys {
        let state = carry_out(cluster.as_ref(), survey).await.unwrap();
        assert!(state.differences.is_empty(), "{:?}", state.differences);
    }
    seen(cluster.as_ref(), &wanted.name, 3).await;
}

#[tokio::test]
async fn groups_begin_where_they_were_declared() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 2).await;
    produce(&topic.name);
    let starts = [(Start::Earliest, RECORDS), (Start::Latest, 0), (Start::Timestamp(0), RECORDS)];
    for (start, lag) in starts {
        let wanted = Group { name: unique("group"), topics: vec![topic.name.clone()], start };
        assert_eq!(converged(cluster.as_ref(), &wanted, 2).await, (true, lag), "{start}");
        assert_eq!(converged(cluster.as_ref(), &wanted, 2).await, (false, lag), "{start}: once only");
    }
}

#[tokio::test]
async fn a_time_after_the_last_record_is_the_end_of_the_log() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    produce(&topic.name);
    let tomorrow = 4_102_444_800_000;
    let offsets = cluster.offsets(&topic.name, 1, Start::Timestamp(tomorrow)).await.unwrap();
    assert_eq!(offsets, [(0, RECORDS)].into());
}

#[tokio::test]
async fn deleting_twice_is_no_error() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    let wanted = Group { name: unique("group"), topics: vec![topic.name.clone()], start: Start::Earliest };
    converged(cluster.as_ref(), &wanted, 1).await;
    for _ in 0..2 {
        cluster.delete_group(&wanted.name).await.unwrap();
        cluster.delete_topic(&topic.name).await.unwrap();
    }
    gone(cluster.as_ref(), &topic.name).await;
}

#[tokio::test]
async fn a_topic_that_is_created_again_has_another_id() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    let id = async || cluster.topic(&topic.name).await.unwrap().unwrap().id.unwrap();
    let first = id().await;
    assert_eq!(first.len(), 22, "{first}");
    assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{first}");
    assert_eq!(id().await, first);
    cluster.delete_topic(&topic.name).await.unwrap();
    gone(cluster.as_ref(), &topic.name).await;
    cluster.create_topic(&topic).await.unwrap();
    seen(cluster.as_ref(), &topic.name, 1).await;
    assert_ne!(id().await, first);
    let seen_before = Seen { name: topic.name.clone(), id: Some(first) };
    let known = Knowledge { owned: [topic.name.clone()].into(), seen: Some(seen_before) };
    let mut surveys = survey(cluster.as_ref(), &[topic], &known, Adoption::Fail).await.unwrap();
    let state = carry_out(cluster.as_ref(), surveys.remove(0)).await.unwrap();
    assert_eq!(state.refused.unwrap().0, "TopicReplaced");
}
