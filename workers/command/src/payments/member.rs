//! One membership of the group: what happens to the partitions that this member has.
//!
//! A partition is paused while its records are worked on, and worked on beside the loop: one that waits, for the log or
//! for seats that are away, delays no other, and polling goes on, so that the group keeps the member. Offsets are
//! committed behind what is on the log; after a failure the partition is read from there again.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_runtime::log::{GroupEvent, LogError, Subscription, TopicPartition};
use boxoffice_runtime::record::Record;
use futures::StreamExt;
use futures::future::{BoxFuture, FutureExt};
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::partition::{Reactions, Worked};

/// Most records taken at once.
const BATCH: usize = 100;
/// Longest wait for records before partitions that wait are looked at.
const WAIT: Duration = Duration::from_millis(500);
/// Back-off after a failure: doubled from the first to the last.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// A member of the group.
pub struct Member<'a> {
    reactions: &'a Reactions,
    subscription: &'a mut dyn Subscription,
    partitions: BTreeMap<TopicPartition, Position>,
    works: FuturesUnordered<BoxFuture<'static, (TopicPartition, u64, Worked)>>,
    /// How often a partition was assigned: work that an earlier assignment began is nobody's any more.
    assignments: u64,
}

/// Where a partition stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Position {
    assignment: u64,
    /// Failures since the last success.
    failures: u32,
    /// Whether its records are worked on.
    busy: bool,
    /// Whether it is to be read from this offset on, and when.
    again: Option<(u64, Instant)>,
}

impl Position {
    fn failed(&mut self) {
        self.failures += 1;
    }

    /// Has it read from `offset` on: at once, or after a while where it failed.
    fn read_from(&mut self, offset: u64) {
        self.again = Some((offset, Instant::now() + pause(self.failures)));
    }
}

impl<'a> Member<'a> {
    /// A member that has no partitions yet.
    pub fn new(reactions: &'a Reactions, subscription: &'a mut dyn Subscription) -> Self {
        let (partitions, works) = (BTreeMap::new(), FuturesUnordered::new());
        Self { reactions, subscription, partitions, works, assignments: 0 }
    }

    /// Takes payments in until `stop`; what is in hand is finished.
    ///
    /// # Errors
    /// A log that gave this membership up.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), LogError> {
        while !stop.is_cancelled() {
            self.wake().await;
            let wait = self.wait();
            tokio::select! {
                () = stop.cancelled() => break,
                Some((partition, assignment, worked)) = self.works.next() => {
                    self.settle(&partition, assignment, &worked).await?;
                }
                event = self.subscription.next(BATCH, wait) => match event? {
                    GroupEvent::Assigned(partitions) => self.assigned(partitions),
                    GroupEvent::Revoked(partitions) => self.revoked(&partitions),
                    GroupEvent::Records(records) => self.begin(records)?,
                    GroupEvent::Ended(ends) => self.ended(ends).await,
                    GroupEvent::Idle => {}
                },
            }
        }
        while let Some((partition, assignment, worked)) = self.works.next().await {
            self.settle(&partition, assignment, &worked).await?;
        }
        Ok(())
    }

    /// It is read from where the group is, or from its first record.
    fn assigned(&mut self, partitions: Vec<TopicPartition>) {
        for partition in partitions {
            tracing::info!(topic = partition.topic, partition = partition.partition, "payments assigned");
            self.assignments += 1;
            let assignment = self.assignments;
            self.partitions.insert(partition, Position { assignment, failures: 0, busy: false, again: None });
        }
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            tracing::info!(topic = partition.topic, partition = partition.partition, "payments revoked");
            self.partitions.remove(partition);
        }
    }

    /// How long to wait for records: until the first partition's back-off ends.
    fn wait(&self) -> Duration {
        let due = self.partitions.values().filter_map(|position| position.again);
        let waits = due.map(|(_, at)| at.saturating_duration_since(Instant::now()));
        waits.min().unwrap_or(WAIT).min(WAIT)
    }

    /// Goes on with every partition whose wait is over.
    async fn wake(&mut self) {
        let now = Instant::now();
        let due = |position: &Position| position.again.filter(|(_, at)| *at <= now);
        let due: Vec<_> = self
            .partitions
            .iter()
            .filter_map(|(partition, position)| Some((partition.clone(), due(position)?.0)))
            .collect();
        for (partition, offset) in due {
            let resumed = self.read_on(&partition, offset).await;
            let Some(position) = self.partitions.get_mut(&partition) else { continue };
            position.again = None;
            // Trouble with one partition's broker is no reason to leave the others.
            if let Err(error) = resumed {
                let (topic, number) = (partition.topic.as_str(), partition.partition);
                tracing::warn!(topic, partition = number, offset, %error, "payments are not read yet: trying again");
                self.reactions.metrics.failures.inc();
                position.failed();
                position.read_from(offset);
            }
        }
    }

    async fn read_on(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.subscription.seek(partition, offset).await?;
        self.subscription.resume(partition)
    }

    /// Works on records, a partition beside the other, and reads no more of theirs meanwhile.
    fn begin(&mut self, records: Vec<(TopicPartition, Record)>) -> Result<(), LogError> {
        let mut batches: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
        for (partition, record) in records {
            batches.entry(partition).or_default().push(record);
        }
        for (partition, records) in batches {
            // What comes all the same while it is paused is read again afterwards.
            let Some(position) = self.partitions.get_mut(&partition).filter(|position| !position.busy) else {
                continue;
            };
            position.busy = true;
            let assignment = position.assignment;
            self.subscription.pause(&partition)?;
            let reactions = self.reactions.clone();
            let work = async move {
                let worked = reactions.work(&partition, records).await;
                (partition, assignment, worked)
            };
            self.works.push(work.boxed());
        }
        Ok(())
    }

    /// What was worked on is committed, and the partition read on from there: at once, or after a while where it failed.
    async fn settle(
        &mut self,
        partition: &TopicPartition,
        assignment: u64,
        worked: &Worked,
    ) -> Result<(), LogError> {
        let position = self.partitions.get_mut(partition);
        let Some(position) = position.filter(|position| position.assignment == assignment) else {
            return Ok(());
        };
        position.busy = false;
        if worked.failed {
            position.failed();
        } else {
            position.failures = 0;
        }
        position.read_from(worked.next_offset);
        self.commit(partition, worked.next_offset).await;
        Ok(())
    }

    /// Commits ends of partitions of which nothing is in hand.
    async fn ended(&mut self, ends: Vec<(TopicPartition, u64)>) {
        for (partition, end) in ends {
            let position = self.partitions.get(&partition);
            if position.is_some_and(|position| !position.busy && position.again.is_none()) {
                self.commit(&partition, end).await;
            }
        }
    }

    async fn commit(&mut self, partition: &TopicPartition, offset: u64) {
        if let Err(error) = self.subscription.commit(partition, offset, None).await {
            let (topic, number) = (partition.topic.as_str(), partition.partition);
            tracing::warn!(topic, partition = number, %error, "the committed offset stays behind for now");
        }
    }
}

fn pause(failures: u32) -> Duration {
    match failures.checked_sub(1) {
        None => Duration::ZERO,
        Some(before) => PAUSE.0.saturating_mul(1 << before.min(10)).min(PAUSE.1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert_eq!(pause(0), Duration::ZERO);
        assert_eq!(pause(1), PAUSE.0);
        assert_eq!(pause(2), PAUSE.0 * 2);
        assert_eq!(pause(u32::MAX), PAUSE.1);
    }
}
