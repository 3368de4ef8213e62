//! A member of a consumer group: classic protocol, cooperative-sticky assignment.
//!
//! librdkafka tells a rebalance and then waits for the member to carry it out. Here that happens in two steps: `next`
//! hands it to the caller, and the call of `next` after that carries it out. So a start offset given by `seek` is
//! known before the first record is fetched, and a partition is another member's only when the caller, having seen
//! `Revoked`, came back: nothing of it is in flight any more, and what it finished could still be committed.
//! The committed offset is a copy of the view's checkpoint (I5), so a commit is not waited for; one that fails is tried again.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures::FutureExt;
use rdkafka::Offset;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::consumer::{Consumer, StreamConsumer};
use rdkafka::error::KafkaError;
use rdkafka::message::{BorrowedMessage, Message};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use tokio::time::{Instant, sleep, timeout};

use super::commits::Commits;
use super::group_context::{GroupContext, Rebalance};
use super::idle_partitions::IdlePartitions;
use super::partition_list::{committed, list, one};
use super::requests::send_commit;
use super::{
    ANSWER, Detached, KafkaLog, LogError, ask, failed, named, number, position, read_error, record, said,
    unavailable,
};
use crate::log::{Committed, GroupEvent, Subscription, TopicPartition};
use crate::record::Record;

/// Longest wait for the group's goodbye.
const LEAVE: Duration = Duration::from_secs(5);
/// Time until the next try to seek in a partition whose reading is only starting.
const STARTING: Duration = Duration::from_millis(20);

/// One membership.
pub struct Member {
    consumer: Detached<Arc<StreamConsumer<GroupContext>>>,
    rebalances: UnboundedReceiver<Rebalance>,
    /// The rebalance that the caller knows and that is to be carried out.
    told: Option<Rebalance>,
    /// What the caller said of partitions whose assignment is to be carried out.
    starts: HashMap<TopicPartition, u64>,
    paused: HashSet<TopicPartition>,
    idle_partitions: IdlePartitions,
    commits: Commits,
    /// What came after the records of the last batch.
    error: Option<LogError>,
}

impl Member {
    /// Joins `group`.
    pub fn join(log: &KafkaLog, group: &str, topics: &[String]) -> Result<Self, LogError> {
        let mut config = log.settings.client();
        config
            .set("group.id", group)
            .set("partition.assignment.strategy", "cooperative-sticky")
            .set("session.timeout.ms", "6000")
            .set("heartbeat.interval.ms", "2000")
            .set("max.poll.interval.ms", "300000")
            .set("enable.auto.commit", "false")
            .set("enable.auto.offset.store", "false")
            .set("isolation.level", "read_committed")
            .set("enable.partition.eof", "true")
            .set("auto.offset.reset", "earliest");
        let (sender, rebalances) = unbounded_channel();
        let (answers, commits) = Commits::new();
        let (trouble, leaving) = (log.trouble.clone(), AtomicBool::new(false));
        let context = GroupContext { rebalances: sender, commits: answers, trouble, leaving };
        let consumer = StreamConsumer::from_config_and_context(&config, context).map_err(unavailable)?;
        let topics: Vec<&str> = topics.iter().map(String::as_str).collect();
        consumer.subscribe(&topics).map_err(unavailable)?;
        Ok(Self {
            consumer: Detached::new(Arc::new(consumer)),
            rebalances,
            told: None,
            starts: HashMap::new(),
            paused: HashSet::new(),
            idle_partitions: IdlePartitions::new(log.clone()),
            commits,
            error: None,
        })
    }

    /// Carries out a rebalance.
    fn carry_out(&mut self, rebalance: Rebalance) -> Result<(), LogError> {
        let consumer = self.consumer.get()?;
        match rebalance {
            Rebalance::Assigned(partitions) => {
                let start = |partition: &TopicPartition| {
                    self.starts.get(partition).map_or(Offset::Stored, |at| position(*at))
                };
                consumer.incremental_assign(&list(&partitions, start)?).map_err(unavailable)?;
                for partition in &partitions {
                    self.idle_partitions.begins(partition, self.starts.get(partition).copied());
                }
                let paused: Vec<_> = partitions.into_iter().filter(|one| self.paused.contains(one)).collect();
                consumer.pause(&list(&paused, |_| Offset::Invalid)?).map_err(unavailable)?;
            }
            Rebalance::Revoked(partitions) => {
                consumer
                    .incremental_unassign(&list(&partitions, |_| Offset::Invalid)?)
                    .map_err(unavailable)?;
                for partition in &partitions {
                    self.idle_partitions.ends(partition);
                    self.commits.ends(partition);
                }
            }
        }
        self.starts.clear();
        self.paused.clear();
        Ok(())
    }

    /// Sends a commit, and remembers it until it is taken.
    fn send(&mut self, partition: &TopicPartition, commit: Committed) -> Result<(), LogError> {
        let list = one(partition, position(commit.offset))?;
        if let Some(id) = &commit.log {
            for mut element in list.elements() {
                element.set_metadata(said::of(id));
            }
        }
        let consumer = self.consumer.get()?;
        self.commits.sends(partition, commit);
        let sent = send_commit(consumer.client(), &list);
        if sent.is_err() {
            self.commits.refused(partition);
        }
        sent.map_err(|failure| unavailable(failure.code))
    }

    /// Whether its assignment is known to the caller and yet to be carried out.
    fn is_starting(&self, partition: &TopicPartition) -> bool {
        matches!(&self.told, Some(Rebalance::Assigned(partitions)) if partitions.contains(partition))
    }

    /// The records that are there, beginning with `first`.
    fn batch(&mut self, first: (TopicPartition, Record), max: usize) -> Result<GroupEvent, LogError> {
        let mut records = vec![first];
        while records.len() < max {
            let Some(ready) = self.consumer.get()?.recv().now_or_never() else { break };
            match ready {
                Ok(message) => records.push(entry(&message)),
                Err(KafkaError::PartitionEOF(number)) => self.idle_partitions.ended(number.unsigned_abs()),
                Err(error) => {
                    self.error = read_error(&error).err();
                    break;
                }
            }
        }
        self.idle_partitions.handed_out(&records);
        Ok(GroupEvent::Records(records))
    }
}

#[async_trait]
impl Subscription for Member {
    async fn next(&mut self, max: usize, wait: Duration) -> Result<GroupEvent, LogError> {
        if let Some(error) = self.error.take() {
            return Err(error);
        }
        if let Some(rebalance) = self.told.take() {
            self.carry_out(rebalance)?;
        }
        for (partition, commit) in self.commits.due() {
            if let Err(error) = self.send(&partition, commit) {
                let TopicPartition { topic, partition } = partition;
                tracing::warn!(topic, partition, %error, "the committed offset stays behind for now: trying again");
            }
        }
        let idle = Instant::now() + wait;
        loop {
            tokio::select! {
                biased;
                Some(rebalance) = self.rebalances.recv() => {
                    let (Rebalance::Assigned(partitions) | Rebalance::Revoked(partitions)) = &rebalance;
                    if partitions.is_empty() {
                        self.carry_out(rebalance)?;
                        continue;
                    }
                    let partitions = partitions.clone();
                    let event = match rebalance {
                        Rebalance::Assigned(_) => GroupEvent::Assigned(partitions),
                        Rebalance::Revoked(_) => GroupEvent::Revoked(partitions),
                    };
                    self.told = Some(rebalance);
                    return Ok(event);
                }
                received = self.consumer.get()?.recv() => match received {
                    Ok(message) => {
                        let first = entry(&message);
                        drop(message);
                        return self.batch(first, max);
                    }
                    Err(KafkaError::PartitionEOF(number)) => self.idle_partitions.ended(number.unsigned_abs()),
                    Err(error) => read_error(&error)?,
                },
                ends = self.idle_partitions.found(|| self.consumer.get().map(Arc::downgrade)) => {
                    return Ok(GroupEvent::Ended(ends));
                }
                () = tokio::time::sleep_until(idle) => return Ok(GroupEvent::Idle),
            }
        }
    }

    async fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        if self.is_starting(partition) {
            self.starts.insert(partition.clone(), offset);
            return Ok(());
        }
        let deadline = Instant::now() + ANSWER;
        let number = number(&partition.topic, partition.partition)?;
        loop {
            let (consumer, topic) = (self.consumer.get()?.clone(), partition.topic.clone());
            let trouble = consumer.context().trouble.clone();
            let sought = ask(&trouble, move || {
                consumer.seek(&topic, number, position(offset), ANSWER).map_err(failed)
            })
            .await;
            // librdkafka refuses as long as the partition's reading is only starting.
            if sought.is_ok() || Instant::now() >= deadline {
                self.idle_partitions.begins(partition, Some(offset));
                return sought;
            }
            sleep(STARTING).await;
        }
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        if self.is_starting(partition) {
            self.paused.insert(partition.clone());
            return Ok(());
        }
        self.consumer.get()?.pause(&one(partition, Offset::Invalid)?).map_err(unavailable)
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        if self.is_starting(partition) {
            self.paused.remove(partition);
            return Ok(());
        }
        self.consumer.get()?.resume(&one(partition, Offset::Invalid)?).map_err(unavailable)
    }

    async fn commit(
        &mut self,
        partition: &TopicPartition,
        offset: u64,
        log: Option<&str>,
    ) -> Result<(), LogError> {
        self.send(partition, Committed { offset, log: log.map(str::to_owned) })
    }

    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<Committed>, LogError> {
        let (consumer, list) = (self.consumer.get()?.clone(), one(partition, Offset::Invalid)?);
        let trouble = consumer.context().trouble.clone();
        let answer = ask(&trouble, move || consumer.committed_offsets(list, ANSWER).map_err(failed)).await;
        let answer = answer.map_err(|error| named(error, &partition.topic, partition.partition))?;
        Ok(committed(&answer))
    }

    async fn leave(mut self: Box<Self>) {
        self.let_go();
        if timeout(LEAVE, self.consumer.retire()).await.is_err() {
            tracing::warn!("the group was not told of the leave; it notices by its session time-out");
        }
    }
}

impl Member {
    /// Carries out what is open, so that librdkafka waits for nothing when it closes the consumer.
    fn let_go(&mut self) {
        if let Ok(consumer) = self.consumer.get() {
            consumer.context().leaving.store(true, Ordering::Relaxed);
        }
        let open = std::iter::from_fn(|| self.told.take().or_else(|| self.rebalances.try_recv().ok()));
        for rebalance in open.collect::<Vec<_>>() {
            if let Err(error) = self.carry_out(rebalance) {
                tracing::warn!(%error, "leaving");
            }
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.let_go();
    }
}

fn entry(message: &BorrowedMessage<'_>) -> (TopicPartition, Record) {
    let record = record(message);
    (TopicPartition { topic: message.topic().to_owned(), partition: record.partition }, record)
}

#[cfg(test)]
mod tests {
    use rdkafka::mocking::MockCluster;
    use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

    use super::*;

    const WAIT: Duration = Duration::from_millis(100);

    #[tokio::test(flavor = "multi_thread")]
    async fn a_commit_that_the_group_refuses_is_taken_when_it_takes_commits_again() {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("payments", 1, 1).unwrap();
        let log = KafkaLog::new(&cluster.bootstrap_servers()).unwrap();
        let mut member = Member::join(&log, "command-payments", &["payments".to_owned()]).unwrap();
        let partition = loop {
            if let GroupEvent::Assigned(partitions) = member.next(1, WAIT).await.unwrap() {
                break partitions[0].clone();
            }
        };
        member.next(1, WAIT).await.unwrap();
        let refusals = [RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS; 2];
        cluster.request_errors(RDKafkaApiKey::OffsetCommit, &refusals);
        member.commit(&partition, 7, Some("id")).await.unwrap();
        let expected = Committed { offset: 7, log: Some("id".to_owned()) };
        while member.committed(&partition).await.unwrap().as_ref() != Some(&expected) {
            member.next(1, WAIT).await.unwrap();
        }
        Box::new(member).leave().await;
    }
}
