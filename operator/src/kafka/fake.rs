//! A Kafka of a few maps, for tests: topics by name, ends of logs, commits by group, members by group.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::{Answers, Commits, GroupFacts, Kafka, KafkaError, Offsets, Start, Topic, TopicFacts};

#[derive(Default)]
pub struct Fake {
    pub topics: Mutex<BTreeMap<String, TopicFacts>>,
    /// Topics that were ever created: what ids are made of.
    pub births: AtomicU32,
    pub ends: Mutex<Offsets>,
    pub commits: Mutex<BTreeMap<String, BTreeMap<String, Commits>>>,
    pub members: BTreeMap<String, i32>,
    /// Topics that the user may not describe.
    pub hidden: BTreeSet<String>,
    /// The whole cluster.
    pub is_down: bool,
    /// Calls by name.
    pub calls: Mutex<BTreeMap<&'static str, usize>>,
}

impl Fake {
    fn called(&self, name: &'static str) -> Result<(), KafkaError> {
        *self.calls.lock().unwrap().entry(name).or_default() += 1;
        let detail = "timed out".to_owned();
        let down = || KafkaError::Unreachable { bootstrap_servers: "kafka:9092".into(), detail };
        if self.is_down { Err(down()) } else { Ok(()) }
    }

    pub fn facts(&self, topic: &str) -> TopicFacts {
        self.topics.lock().unwrap()[topic].clone()
    }
}

#[async_trait]
impl Kafka for Fake {
    async fn cluster_id(&self) -> Result<Option<String>, KafkaError> {
        self.called("cluster_id")?;
        Ok(Some("c1".to_owned()))
    }
    async fn topics(&self, names: &[String]) -> Result<Answers<Option<TopicFacts>>, KafkaError> {
        self.called("topics")?;
        let topics = self.topics.lock().unwrap();
        let answer = |name: &String| {
            if self.hidden.contains(name) {
                let right = super::Right {
                    operation: "Describe",
                    resource: super::Resource::Topic,
                    name: name.clone(),
                };
                return Err(KafkaError::Forbidden { right, principal: None });
            }
            Ok(topics.get(name).cloned())
        };
        Ok(names.iter().map(|name| (name.clone(), answer(name))).collect())
    }
    async fn create_topic(&self, topic: &Topic) -> Result<(), KafkaError> {
        self.called("create_topic")?;
        let id = Some(format!("id-{}", self.births.fetch_add(1, Ordering::Relaxed)));
        let (partitions, config) = (topic.partitions, topic.config.clone());
        let facts = TopicFacts { id, partitions, replicas: 1, config };
        self.topics.lock().unwrap().insert(topic.name.clone(), facts);
        Ok(())
    }
    async fn grow_topic(&self, name: &str, partitions: i32) -> Result<(), KafkaError> {
        self.called("grow_topic")?;
        self.topics.lock().unwrap().get_mut(name).unwrap().partitions = partitions;
        Ok(())
    }
    async fn configure_topic(&self, name: &str, config: &BTreeMap<String, String>) -> Result<(), KafkaError> {
        self.called("configure_topic")?;
        self.topics.lock().unwrap().get_mut(name).unwrap().config.extend(config.clone());
        Ok(())
    }
    async fn delete_topic(&self, name: &str) -> Result<(), KafkaError> {
        self.called("delete_topic")?;
        self.topics.lock().unwrap().remove(name);
        Ok(())
    }
    async fn offsets(
        &self,
        partitions: &BTreeMap<String, i32>,
        start: Start,
    ) -> Result<Answers<Offsets>, KafkaError> {
        self.called("offsets")?;
        let ends = self.ends.lock().unwrap();
        let end = |partition| ends.get(&partition).copied().unwrap_or_default();
        let at = |partition| if start == Start::Latest { end(partition) } else { 0 };
        let of = |count: i32| (0..count).map(|partition| (partition, at(partition))).collect();
        Ok(partitions.iter().map(|(topic, count)| (topic.clone(), Ok(of(*count)))).collect())
    }
    async fn committed(&self, group: &str) -> Result<BTreeMap<String, Commits>, KafkaError> {
        self.called("committed")?;
        Ok(self.commits.lock().unwrap().get(group).cloned().unwrap_or_default())
    }
    async fn commit(&self, group: &str, commits: &BTreeMap<String, Commits>) -> Result<(), KafkaError> {
        self.called("commit")?;
        let mut groups = self.commits.lock().unwrap();
        let of_group = groups.entry(group.to_owned()).or_default();
        for (topic, commits) in commits {
            of_group.entry(topic.clone()).or_default().extend(commits.clone());
        }
        Ok(())
    }
    async fn delete_group(&self, name: &str) -> Result<(), KafkaError> {
        self.called("delete_group")?;
        self.commits.lock().unwrap().remove(name);
        Ok(())
    }
    async fn group(&self, name: &str) -> Result<Option<GroupFacts>, KafkaError> {
        self.called("group")?;
        let is_known = self.commits.lock().unwrap().contains_key(name);
        let members = self.members.get(name).copied().unwrap_or_default();
        let state = if members > 0 { "Stable" } else { "Empty" };
        Ok((is_known || members > 0).then(|| GroupFacts { state: state.into(), members }))
    }
}
