//! A member of a consumer group: what the group decided, told in the order that [`GroupEvent`] promises.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::{Committed, GroupEvent, LogError, Subscription, TopicPartition};
use tokio::time::{Instant, timeout_at};

use super::groups::{Change, MemberId};
use super::reader::{Reader, not_assigned};
use super::{BEGIN, EmbeddedLog, SharedGroup, lock};

/// One membership; it ends when it is dropped.
pub struct Member {
    log: EmbeddedLog,
    group: Arc<SharedGroup>,
    id: MemberId,
    reader: Reader,
    /// What the caller knows to be lost, and is another's when the caller comes back.
    lost: Vec<TopicPartition>,
}

impl Member {
    /// Joins `group`.
    pub fn join(log: EmbeddedLog, group: &str, topics: &[String]) -> Result<Self, LogError> {
        let group = log.group(group);
        let mut news = vec![group.news.subscribe()];
        for topic in topics {
            news.push(log.topic(topic)?.news.subscribe());
        }
        let id = group.change(|group| {
            let id = group.join(topics);
            group.balance(|topics| log.all_partitions(topics));
            id
        });
        let reader = Reader::new(log.clone(), news);
        Ok(Self { log, group, id, reader, lost: Vec::new() })
    }

    /// Gives away what was lost: the caller has come back from being told so.
    fn give_away(&mut self) {
        if !self.lost.is_empty() {
            let lost = std::mem::take(&mut self.lost);
            self.reader.remove(&lost);
            self.group.change(|group| group.free(&lost));
        }
    }

    /// What the group decided and this member does not know yet.
    fn rebalance(&mut self) -> Result<Option<GroupEvent>, LogError> {
        let mut group = lock(&self.group.group);
        Ok(match group.change(self.id) {
            Some(Change::Gained(partitions)) => {
                for partition in &partitions {
                    self.reader.add(partition, group.committed(partition).unwrap_or(BEGIN))?;
                }
                Some(GroupEvent::Assigned(partitions))
            }
            Some(Change::Lost(partitions)) => {
                self.lost.clone_from(&partitions);
                Some(GroupEvent::Revoked(partitions))
            }
            None => None,
        })
    }
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self, max: usize, wait: Duration) -> Result<GroupEvent, LogError> {
        self.give_away();
        let idle = Instant::now() + wait;
        loop {
            self.reader.listen();
            if let Some(event) = self.rebalance()? {
                return Ok(event);
            }
            let batches = self.reader.ready(max).await?;
            if !batches.is_empty() {
                let of_one = |(partition, records): (TopicPartition, Vec<_>)| {
                    records.into_iter().map(move |record| (partition.clone(), record))
                };
                return Ok(GroupEvent::Records(batches.into_iter().flat_map(of_one).collect()));
            }
            timeout_at(idle, self.reader.wait()).await.ok();
            // Also where news never end, but of partitions that are paused.
            if Instant::now() >= idle {
                return Ok(GroupEvent::Idle);
            }
        }
    }

    async fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.reader.seek(partition, offset)
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.reader.pause(partition, true)
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.reader.pause(partition, false)
    }

    async fn commit(
        &mut self,
        partition: &TopicPartition,
        offset: u64,
        _: Option<&str>,
    ) -> Result<(), LogError> {
        if !self.reader.has(partition) {
            return Err(not_assigned(partition));
        }
        lock(&self.group.group).commit(partition, offset);
        Ok(())
    }

    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>, LogError> {
        self.log.partition(&partition.topic, partition.partition)?;
        Ok(self.group.committed(partition))
    }

    async fn leave(self: Box<Self>) {}
}

impl Drop for Member {
    fn drop(&mut self) {
        self.group.change(|group| {
            group.leave(self.id);
            group.balance(|topics| self.log.all_partitions(topics));
        });
    }
}
