//! `converge` on a Kafka of a few maps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::*;
use crate::kafka::GroupFacts;

/// A cluster in memory: topics by name, ends of logs, commits by group and topic, members by group.
#[derive(Default)]
struct Fake {
    topics: Mutex<BTreeMap<String, TopicFacts>>,
    births: AtomicU32,
    ends: Offsets,
    commits: Mutex<BTreeMap<(String, String), Offsets>>,
    members: BTreeMap<String, i32>,
}

#[async_trait]
impl Kafka for Fake {
    async fn topic(&self, name: &str) -> Result<Option<TopicFacts>, KafkaError> {
        Ok(self.topics.lock().unwrap().get(name).cloned())
    }
    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError> {
        let id = Some(format!("id-{}", self.births.fetch_add(1, Ordering::Relaxed)));
        let facts = TopicFacts { id, partitions: topic.partitions, config: topic.config.clone() };
        self.topics.lock().unwrap().insert(topic.name.clone(), facts);
        Ok(())
    }
    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.topics.lock().unwrap().get_mut(name).unwrap().partitions = partitions;
        Ok(())
    }
    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        self.topics.lock().unwrap().remove(name);
        Ok(())
    }
    async fn offsets(&self, _topic: &str, partitions: i32, start: Start) -> Result<Offsets, KafkaError> {
        let end = |partition| self.ends.get(&partition).copied().unwrap_or_default();
        Ok((0..partitions).map(|p| (p, if start == Start::Latest { end(p) } else { 0 })).collect())
    }
    async fn committed(&self, group: &str, topic: &str, _partitions: i32) -> Result<Offsets, KafkaError> {
        let key = (group.to_owned(), topic.to_owned());
        Ok(self.commits.lock().unwrap().get(&key).cloned().unwrap_or_default())
    }
    async fn commit(&self, group: &str, topic: &str, offsets: &Offsets) -> Result<(), KafkaError> {
        let key = (group.to_owned(), topic.to_owned());
        self.commits.lock().unwrap().entry(key).or_default().extend(offsets);
        Ok(())
    }
    async fn delete_group(&self, name: &str) -> Result<(), KafkaError> {
        self.commits.lock().unwrap().retain(|(group, _), _| group != name);
        Ok(())
    }
    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError> {
        let known = self.commits.lock().unwrap().keys().any(|(group, _)| group == name);
        let members = self.members.get(name).copied().unwrap_or_default();
        let state = if members > 0 { "Stable" } else { "Empty" };
        Ok((known || members > 0).then(|| GroupFacts { state: state.into(), members }))
    }
}

fn seat_events(partitions: i32) -> Topic {
    Topic { name: "seat-events".into(), partitions, replication_factor: -1, config: BTreeMap::new() }
}

fn group_from(start: Start) -> Group {
    Group { name: "persistence".into(), topics: vec!["seat-events".into()], start }
}

/// Every topic has so many partitions.
fn of(partitions: i32) -> BTreeMap<&'static str, i32> {
    [("seat-events", partitions), ("payment-events", partitions)].into()
}

async fn converge(fake: &Fake, topic: Topic, owned: &[&str]) -> (BTreeSet<String>, TopicState) {
    let known = Knowledge { owned: owned.iter().map(ToString::to_string).collect(), seen: None };
    let mut surveys = survey(fake, &[topic], &known, Adoption::Fail).await.unwrap();
    let claimed = claims(&surveys);
    (claimed, carry_out(fake, surveys.remove(0)).await.unwrap())
}

#[tokio::test]
async fn an_absent_topic_is_claimed_then_created() {
    let fake = Fake::default();
    let (claimed, state) = converge(&fake, seat_events(3), &[]).await;
    assert_eq!(claimed, ["seat-events".to_owned()].into());
    assert_eq!((state.partitions, state.deed.unwrap().0), (3, "TopicCreated"));
    let (claimed, state) = converge(&fake, seat_events(3), &["seat-events"]).await;
    assert!(claimed.is_empty() && state.deed.is_none(), "a second pass does nothing");
}

#[tokio::test]
async fn a_foreign_topic_is_left_alone() {
    let fake = Fake::default();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let (claimed, state) = converge(&fake, seat_events(3), &[]).await;
    assert!(claimed.is_empty());
    assert_eq!((state.partitions, state.refused.unwrap().0), (1, "TopicExists"));
}

#[tokio::test]
async fn a_readopted_topic_grows() {
    let fake = Fake::default();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let (_, state) = converge(&fake, seat_events(3), &["seat-events"]).await;
    assert_eq!((state.partitions, state.deed.unwrap().0), (3, "TopicGrown"));
    assert!(state.differences.is_empty());
}

/// Converges with what the status has of the topic.
async fn converge_again(fake: &Fake, seen: &TopicState) -> TopicState {
    let seen_before = Seen { name: seen.name.clone(), id: seen.id.clone() };
    let known = Knowledge { owned: [seen.name.clone()].into(), seen: Some(seen_before) };
    let mut surveys = survey(fake, &[seat_events(3)], &known, Adoption::Fail).await.unwrap();
    carry_out(fake, surveys.remove(0)).await.unwrap()
}

#[tokio::test]
async fn a_topic_is_known_by_its_first_id() {
    let fake = Fake::default();
    let (_, created) = converge(&fake, seat_events(3), &[]).await;
    assert_eq!(created.id, None, "not looked at yet");
    let pinned = converge_again(&fake, &created).await;
    assert_eq!(pinned.id.as_deref(), Some("id-0"));
    assert_eq!(converge_again(&fake, &pinned).await, pinned, "I12");
    fake.delete_topic("seat-events").await.unwrap();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let replaced = converge_again(&fake, &pinned).await;
    assert_eq!((replaced.id.as_deref(), replaced.partitions), (Some("id-0"), 1), "neither pinned nor grown");
    assert_eq!(replaced.refused.as_ref().unwrap().0, "TopicReplaced");
    assert_eq!(converge_again(&fake, &replaced).await, replaced, "it stays refused");
    let (_, readopted) = converge(&fake, seat_events(1), &["seat-events"]).await;
    assert_eq!((readopted.id.as_deref(), readopted.refused), (Some("id-1"), None), "applied again");
}

#[tokio::test]
async fn the_id_of_a_foreign_topic_is_not_pinned() {
    let fake = Fake::default();
    fake.create_topic(&seat_events(1)).await.unwrap();
    let (_, state) = converge(&fake, seat_events(3), &[]).await;
    assert_eq!(state.id, None);
}

#[tokio::test]
async fn a_latest_group_begins_at_the_end_of_its_creation_and_stays_there() {
    let mut fake = Fake { ends: [(0, 7), (1, 2)].into(), ..Fake::default() };
    let first = group(&fake, &group_from(Start::Latest), &of(2)).await.unwrap();
    assert!(first.created);
    assert_eq!((first.lag, first.state.as_str()), (0, "Empty"));
    fake.ends = [(0, 9), (1, 2)].into();
    let second = group(&fake, &group_from(Start::Latest), &of(2)).await.unwrap();
    assert!(!second.created);
    assert_eq!(second.lag, 2, "what came after its creation is still to be consumed");
}

#[tokio::test]
async fn an_earliest_group_has_the_whole_log_before_it() {
    let fake = Fake { ends: [(0, 7), (1, 2)].into(), ..Fake::default() };
    assert_eq!(group(&fake, &group_from(Start::Earliest), &of(2)).await.unwrap().lag, 9);
}

#[tokio::test]
async fn a_group_with_members_is_never_committed_for() {
    let fake =
        Fake { ends: [(0, 7)].into(), members: [("persistence".to_owned(), 2)].into(), ..Fake::default() };
    let state = group(&fake, &group_from(Start::Latest), &of(1)).await.unwrap();
    assert_eq!((state.members, state.state.as_str(), state.lag), (2, "Stable", 7));
    assert!(fake.commits.lock().unwrap().is_empty());
}

#[tokio::test]
async fn a_topic_that_a_group_reads_from_now_on_begins_where_it_was_declared() {
    let fake = Fake { ends: [(0, 7)].into(), ..Fake::default() };
    let before = group(&fake, &group_from(Start::Latest), &of(1)).await.unwrap();
    let both =
        Group { topics: vec!["seat-events".into(), "payment-events".into()], ..group_from(Start::Latest) };
    let after = group(&fake, &both, &of(1)).await.unwrap();
    assert!(before.created && !after.created, "it was there before");
    assert_eq!(after.lag, 0);
    let of_payments = fake.committed("persistence", "payment-events", 1).await.unwrap();
    assert_eq!(of_payments, [(0, 7)].into());
}
