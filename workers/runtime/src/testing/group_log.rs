//! A log in memory with one topic, read by a group of one member: for tests of what reads a group. They append records,
//! take partitions away, and look at what was committed.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use crate::log::{Appender, Committed, EventLog, GroupEvent, LogError, Subscription, Tail, TopicPartition};
use crate::record::{NewRecord, Record};

/// The log; its clones are the same one.
#[derive(Debug, Clone)]
pub struct GroupLog {
    topic: Arc<str>,
    group: Arc<Mutex<Group>>,
    changed: Arc<Notify>,
}

/// What is on the log, and how the group stands.
#[derive(Debug, Default)]
pub struct Group {
    /// Who joined last.
    pub name: String,
    /// The partitions.
    pub records: BTreeMap<u32, Vec<Record>>,
    /// What the member is told before it is given records.
    pub rebalances: VecDeque<GroupEvent>,
    /// What is given next.
    pub positions: BTreeMap<u32, u64>,
    /// What is given nothing.
    pub paused: BTreeSet<u32>,
    /// The group's offsets.
    pub committed: BTreeMap<u32, u64>,
    /// Of which topic they are, where that was said.
    pub said: BTreeMap<u32, String>,
    /// How often it was polled.
    pub polls: usize,
    /// The longest time between two polls.
    pub longest_pause: Duration,
    /// How often somebody joined.
    pub joined: usize,
    /// How often somebody left.
    pub left: usize,
    /// How many joins and seeks fail first.
    pub refused: usize,
    /// The topic's id.
    pub identity: Option<String>,
    polled: Option<Instant>,
}

impl GroupLog {
    /// `topic` with so many partitions, all of them empty.
    pub fn new(topic: &str, partitions: u32) -> Self {
        let records = (0..partitions).map(|partition| (partition, vec![])).collect();
        let group = Group { records, ..Group::default() };
        Self { topic: topic.into(), group: Arc::new(Mutex::new(group)), changed: Arc::default() }
    }

    /// Looks at it.
    pub fn look<T>(&self, look: impl FnOnce(&Group) -> T) -> T {
        self.within(|group| look(group))
    }

    /// Changes it; a member that waits for records looks again.
    pub fn change<T>(&self, change: impl FnOnce(&mut Group) -> T) -> T {
        let result = self.within(change);
        self.changed.notify_waiters();
        result
    }

    /// One of its partitions.
    pub fn partition(&self, partition: u32) -> TopicPartition {
        TopicPartition { topic: self.topic.to_string(), partition }
    }

    fn within<T>(&self, work: impl FnOnce(&mut Group) -> T) -> T {
        work(&mut self.group.lock().unwrap())
    }
}

impl Group {
    /// Appends a record.
    pub fn append(&mut self, record: NewRecord) {
        let NewRecord { partition, key, value, headers, timestamp: _ } = record;
        let records = self.records.entry(partition).or_default();
        records.push(Record::new(partition, records.len() as u64, key, value, headers));
    }

    /// The topic is deleted and made again, with nothing on it and nothing committed.
    pub fn replace(&mut self, identity: &str) {
        self.identity = Some(identity.to_owned());
        self.records.values_mut().for_each(Vec::clear);
        self.committed.clear();
        self.said.clear();
    }

    /// Commits, and says of which topic that is.
    pub fn commit(&mut self, partition: u32, offset: u64, log: Option<&str>) {
        self.committed.insert(partition, offset);
        self.said.remove(&partition);
        self.said.extend(log.map(|log| (partition, log.to_owned())));
    }

    fn committed(&self, partition: u32) -> Option<Committed> {
        let offset = *self.committed.get(&partition)?;
        Some(Committed { offset, log: self.said.get(&partition).cloned() })
    }

    fn refuse(&mut self) -> Result<(), LogError> {
        let refused = self.refused;
        self.refused = refused.saturating_sub(1);
        if refused > 0 { Err(LogError::Unavailable("no broker".into())) } else { Ok(()) }
    }

    fn next(&mut self, topic: &str, max: usize) -> Option<GroupEvent> {
        if let Some(rebalance) = self.rebalances.pop_front() {
            return Some(rebalance);
        }
        let mut batch = vec![];
        for (partition, position) in &mut self.positions {
            let records = self.records.get(partition).map(Vec::as_slice).unwrap_or_default();
            while !self.paused.contains(partition) && batch.len() < max {
                let Some(record) = records.get(usize::try_from(*position).unwrap()) else { break };
                batch.push((
                    TopicPartition { topic: topic.to_owned(), partition: *partition },
                    record.clone(),
                ));
                *position += 1;
            }
        }
        (!batch.is_empty()).then_some(GroupEvent::Records(batch))
    }
}

#[async_trait]
impl EventLog for GroupLog {
    async fn publish(&self, topic: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        Err(LogError::Missing(topic.into()))
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Missing(id.into()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(self.within(|group| u32::try_from(group.records.len()).unwrap()))
    }

    async fn identity(&self, _: &str) -> Result<Option<String>, LogError> {
        Ok(self.within(|group| group.identity.clone()))
    }

    async fn bounds(&self, _: &str, partition: u32) -> Result<(u64, u64), LogError> {
        Ok((0, self.within(|group| group.records[&partition].len() as u64)))
    }

    async fn tail(&self, topic: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Err(LogError::Missing(topic.into()))
    }

    /// Everything is assigned to who joins.
    async fn subscribe(&self, name: &str, topics: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        assert_eq!(topics, [self.topic.to_string()]);
        self.within(|group| {
            group.refuse()?;
            group.joined += 1;
            name.clone_into(&mut group.name);
            let position = |partition| group.committed.get(partition).copied().unwrap_or(0);
            group.positions = group.records.keys().map(|at| (*at, position(at))).collect();
            group.paused.clear();
            let all = group.records.keys().map(|partition| self.partition(*partition)).collect();
            group.rebalances = [GroupEvent::Assigned(all)].into();
            Ok(())
        })?;
        Ok(Box::new(self.clone()))
    }

    async fn committed(&self, _: &str, partition: &TopicPartition) -> Result<Option<Committed>, LogError> {
        Ok(self.within(|group| group.committed(partition.partition)))
    }
}

#[async_trait]
impl Subscription for GroupLog {
    async fn next(&mut self, max: usize, wait: Duration) -> Result<GroupEvent, LogError> {
        let changed = self.changed.notified();
        let event = self.within(|group| {
            let now = Instant::now();
            let pause = group.polled.replace(now).map_or(Duration::ZERO, |before| now - before);
            group.longest_pause = group.longest_pause.max(pause);
            group.polls += 1;
            group.next(&self.topic, max)
        });
        if event.is_none() {
            timeout(wait.max(Duration::from_millis(1)), changed).await.ok();
        }
        Ok(event.unwrap_or(GroupEvent::Idle))
    }

    async fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.within(|group| {
            group.refuse()?;
            group.positions.insert(partition.partition, offset);
            Ok(())
        })
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.within(|group| group.paused.insert(partition.partition));
        Ok(())
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.within(|group| group.paused.remove(&partition.partition));
        Ok(())
    }

    async fn commit(
        &mut self,
        partition: &TopicPartition,
        offset: u64,
        log: Option<&str>,
    ) -> Result<(), LogError> {
        self.within(|group| group.commit(partition.partition, offset, log));
        Ok(())
    }

    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>, LogError> {
        Ok(self.within(|group| group.committed(partition.partition)))
    }

    async fn leave(self: Box<Self>) {
        self.within(|group| group.left += 1);
    }
}
