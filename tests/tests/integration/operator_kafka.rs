//! The operator's Kafka calls on a real broker: what a mock cluster cannot answer.
#![expect(clippy::unwrap_used, clippy::panic, reason = "what goes wrong in a test is a panic")]

use std::collections::BTreeMap;
use std::sync::Arc;

use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::converge::{
    Absences, Declaration, GroupState, Outlook, TopicState, ask, group,
};
use boxoffice_operator::kafka::declarations::Turn;
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_operator::kafka::rounds::round;
use boxoffice_operator::kafka::topics::{Adoption, Knowledge};
use boxoffice_operator::kafka::{Group, Kafka, KafkaError, Start, Topic, TopicFacts, groups};
use boxoffice_runtime::log::kafka::security::Security;
use boxoffice_tests::servers::{kafka, unique};
use boxoffice_tests::wait::until;
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
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

async fn facts(cluster: &dyn Kafka, name: &str) -> Result<Option<TopicFacts>, KafkaError> {
    cluster.topics(&[name.to_owned()]).await?.remove(name).unwrap()
}

/// Brokers learn of a topic one after the other.
async fn seen(cluster: &dyn Kafka, name: &str, partitions: i32) -> TopicFacts {
    until("the topic has its partitions", async || {
        facts(cluster, name).await.ok()?.filter(|facts| facts.partitions == partitions)
    })
    .await
}

/// Between two questions about it a topic may go, which is an error.
async fn gone(cluster: &dyn Kafka, name: &str) {
    until("the topic is gone", async || matches!(facts(cluster, name).await, Ok(None)).then_some(())).await;
}

fn produce(topic: &str) {
    let producer: BaseProducer = ClientConfig::new().set("bootstrap.servers", kafka()).create().unwrap();
    for _ in 0..RECORDS {
        producer.send(BaseRecord::<(), str>::to(topic).partition(0).payload("x")).unwrap();
    }
    producer.flush(std::time::Duration::from_secs(10)).unwrap();
}

/// Coordinators of a young cluster take a moment. Whether the group was created, and how it is.
async fn converged(cluster: &dyn Kafka, wanted: &Group, partitions: i32) -> (bool, GroupState) {
    let mut topics = Vec::new();
    for name in &wanted.topics {
        let id = seen(cluster, name, partitions).await.id;
        topics.push(TopicState { name: name.clone(), id, partitions, ..TopicState::default() });
    }
    let topics: Vec<_> = topics.iter().collect();
    let once = async || {
        let questions = ask(cluster, std::iter::once(wanted.name.as_str()), &topics).await?;
        group(cluster, wanted, &questions).await
    };
    until("the group has its start offsets", async || match once().await {
        Ok((state, deed)) => Some((deed.is_some(), state)),
        Err(KafkaError::Settling(_)) => None,
        Err(error) => panic!("{error}"),
    })
    .await
}

/// Rounds until they find everything settled; what is to be recorded is recorded in between.
async fn settled(cluster: &dyn Kafka, declaration: &mut Declaration) -> Outlook {
    until("the round finds all of it", async || {
        let turn =
            Turn { key: Default::default(), declaration: declaration.clone(), absences: Absences::default() };
        let (_, found) = round(cluster, &mut None, vec![turn]).await.remove(0);
        let outlook = found.seen?.outlook;
        declaration.known.record.extend(outlook.to_record.clone());
        (outlook.to_record.is_empty() && !outlook.is_unsettled()).then_some(outlook)
    })
    .await
}

#[tokio::test]
async fn a_topic_is_created_as_declared_and_grows() {
    let cluster = cluster();
    let mut declaration = Declaration { topics: vec![topic(2)], ..Declaration::default() };
    let name = declaration.topics[0].name.clone();
    settled(cluster.as_ref(), &mut declaration).await;
    let live = seen(cluster.as_ref(), &name, 2).await;
    assert_eq!(declaration.known.record, [(name.clone(), live.id)].into(), "its id is recorded");
    declaration.topics[0].partitions = 3;
    settled(cluster.as_ref(), &mut declaration).await;
    seen(cluster.as_ref(), &name, 3).await;
}

#[tokio::test]
async fn a_key_of_ours_is_set_again_and_all_others_stay() {
    let cluster = cluster();
    let mut declaration = Declaration { topics: vec![topic(1)], ..Declaration::default() };
    let name = declaration.topics[0].name.clone();
    settled(cluster.as_ref(), &mut declaration).await;
    let elsewhere = [("retention.ms", "60000"), ("segment.ms", "70000")];
    let elsewhere = elsewhere.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    cluster.configure_topic(&name, &elsewhere).await.unwrap();
    let shows = async |retention: &str| {
        until("the configuration is as it should be", async || {
            let config = facts(cluster.as_ref(), &name).await.ok()??.config;
            (config["retention.ms"] == retention && config["segment.ms"] == "70000").then_some(())
        })
        .await;
    };
    shows("60000").await;
    settled(cluster.as_ref(), &mut declaration).await;
    shows("-1").await;
}

#[tokio::test]
async fn a_value_that_brokers_do_not_take_is_refused_in_their_own_words() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    let nonsense = [("retention.ms".to_owned(), "soon".to_owned())].into();
    let refused = cluster.configure_topic(&topic.name, &nonsense).await.unwrap_err();
    assert_eq!(refused.reason(), "KafkaRefused");
    assert!(refused.to_string().contains("retention.ms"), "{refused}");
}

#[tokio::test]
async fn groups_begin_where_they_were_declared() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 2).await;
    produce(&topic.name);
    let starts = [(Start::Earliest, RECORDS), (Start::Latest, 0), (Start::Timestamp(0), RECORDS)];
    for (start, lag) in starts {
        let wanted = Group { name: unique("group"), topics: vec![topic.name.clone()], start };
        let (created, state) = converged(cluster.as_ref(), &wanted, 2).await;
        assert_eq!((created, state.lag), (true, lag), "{start}");
        let (created, state) = converged(cluster.as_ref(), &wanted, 2).await;
        assert_eq!((created, state.lag, state.state.as_str()), (false, lag, "Empty"), "{start}: once only");
    }
}

#[tokio::test]
async fn an_offset_says_of_which_topic_it_is() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 2).await;
    let id = seen(cluster.as_ref(), &topic.name, 2).await.id;
    let wanted = Group { name: unique("group"), topics: vec![topic.name.clone()], start: Start::Earliest };
    let committed = async || cluster.committed(&wanted.name).await.unwrap().remove(&topic.name).unwrap();
    let said = |offsets: [(i32, i64); 2]| groups::commits(&offsets.into(), id.as_deref());
    converged(cluster.as_ref(), &wanted, 2).await;
    assert_eq!(committed().await, said([(0, 0), (1, 0)]));

    // What a consumer commits that has yet to notice that its topic was replaced, and what somebody by Kafka's own tools.
    let mut commits = groups::commits(&[(0, 4)].into(), Some("another"));
    commits.extend(groups::commits(&[(1, 3)].into(), None));
    cluster.commit(&wanted.name, &[(topic.name.clone(), commits.clone())].into()).await.unwrap();
    assert_eq!(committed().await, commits);
    converged(cluster.as_ref(), &wanted, 2).await;
    assert_eq!(committed().await, said([(0, 0), (1, 3)]));
}

#[tokio::test]
async fn a_group_with_a_member_is_seen_and_left_alone() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    let wanted = Group { name: unique("group"), topics: vec![topic.name.clone()], start: Start::Earliest };
    let member: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", kafka()).set("group.id", &wanted.name).create().unwrap();
    member.subscribe(&[&topic.name]).unwrap();
    until("the member is in it", async || {
        member.poll(std::time::Duration::from_millis(100));
        let facts = cluster.group(&wanted.name).await.ok()??;
        (facts.members == 1 && facts.state == "Stable").then_some(())
    })
    .await;
    let (created, state) = converged(cluster.as_ref(), &wanted, 1).await;
    assert_eq!((created, state.members), (false, 1));
    assert!(cluster.committed(&wanted.name).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_time_after_the_last_record_is_the_end_of_the_log() {
    let cluster = cluster();
    let topic = created(cluster.as_ref(), 1).await;
    produce(&topic.name);
    let (tomorrow, asked) = (4_102_444_800_000, [(topic.name.clone(), 1)].into());
    let mut offsets = cluster.offsets(&asked, Start::Timestamp(tomorrow)).await.unwrap();
    assert_eq!(offsets.remove(&topic.name).unwrap().unwrap(), [(0, RECORDS)].into());
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
    assert_eq!(cluster.group(&wanted.name).await.unwrap(), None);
}

#[tokio::test]
async fn a_cluster_has_one_id_by_all_addresses() {
    let port = kafka().rsplit_once(':').unwrap().1.to_owned();
    let other = Connection { bootstrap_servers: format!("localhost:{port}"), security: Security::default() };
    let ids = [cluster(), Pool::default().get(&other).unwrap()];
    let ids = [ids[0].cluster_id().await.unwrap(), ids[1].cluster_id().await.unwrap()];
    assert!(ids[0].is_some());
    assert_eq!(ids[0], ids[1]);
}

#[tokio::test]
async fn a_topic_that_is_created_again_has_another_id_and_is_refused_until_it_is_accepted() {
    let cluster = cluster();
    let mut declaration = Declaration { topics: vec![topic(1)], ..Declaration::default() };
    let name = declaration.topics[0].name.clone();
    settled(cluster.as_ref(), &mut declaration).await;
    let first = declaration.known.record[&name].clone().unwrap();
    assert_eq!(first.len(), 22, "{first}");
    assert!(first.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c)), "{first}");
    cluster.delete_topic(&name).await.unwrap();
    gone(cluster.as_ref(), &name).await;
    cluster.create_topic(&declaration.topics[0]).await.unwrap();
    let second = seen(cluster.as_ref(), &name, 1).await.id.unwrap();
    assert_ne!(second, first);
    let refused =
        settled(cluster.as_ref(), &mut declaration).await.topics.unwrap().remove(0).refused.unwrap();
    assert_eq!(refused.0, "TopicReplaced");
    declaration.known = Knowledge { accepted: [second.clone()].into(), ..declaration.known };
    let outlook = settled(cluster.as_ref(), &mut declaration).await;
    assert_eq!(outlook.topics.unwrap()[0].refused, None);
    assert_eq!(declaration.known.record[&name], Some(second));
}

#[tokio::test]
async fn a_topic_that_breaks_the_promise_is_told_and_an_observed_one_is_not_changed() {
    let cluster = cluster();
    let mut finite = topic(1);
    finite.config = [("retention.ms".to_owned(), "60000".to_owned())].into();
    cluster.create_topic(&finite).await.unwrap();
    seen(cluster.as_ref(), &finite.name, 1).await;
    let mut declaration = Declaration {
        topics: vec![Topic { config: topic(1).config, ..finite.clone() }],
        adoption: Adoption::Observe,
        promised: Some(finite.name.clone()),
        ..Declaration::default()
    };
    let found = settled(cluster.as_ref(), &mut declaration).await.topics.unwrap().remove(0);
    assert!(found.breaches[0].contains("retention.ms=60000"), "{:?}", found.breaches);
    assert_eq!(found.differences.len(), 1);
    assert_eq!(facts(cluster.as_ref(), &finite.name).await.unwrap().unwrap().config["retention.ms"], "60000");
}
