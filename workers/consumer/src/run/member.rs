//! One membership of the consumer group: what happens to the partitions that this member has.
//!
//! The checkpoint in the view is the truth (I5): a partition is read from there when it is assigned, after every
//! failure, and when another member moved it. The committed offset is a copy for people and tools, read only where
//! there is no checkpoint. Batches of different partitions are applied side by side; while one partition waits, the
//! others go on and the loop keeps polling, so that the group does not give the member up.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use boxoffice_runtime::log::{GroupEvent, LogError, Subscription, TopicPartition};
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Applied, Batch, ViewError};
use futures::{StreamExt, stream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::position::Position;
use super::{Consumer, LOG};

/// Most records taken at once.
const BATCH: usize = 500;
/// Most partitions applied side by side.
const PARTITIONS: usize = 4;
/// Longest wait for records before partitions that wait are looked at.
const WAIT: Duration = Duration::from_millis(500);

/// A member of the group.
pub struct Member<'a> {
    consumer: &'a Consumer,
    subscription: &'a mut dyn Subscription,
    positions: BTreeMap<TopicPartition, Position>,
}

impl<'a> Member<'a> {
    /// A member that has no partitions yet.
    pub fn new(consumer: &'a Consumer, subscription: &'a mut dyn Subscription) -> Self {
        Self { consumer, subscription, positions: BTreeMap::new() }
    }

    /// Applies records until `stop`; the batch in hand is finished.
    ///
    /// # Errors
    /// A log that gave this membership up.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), LogError> {
        while !stop.is_cancelled() {
            self.wake().await;
            let Some(event) = stop.run_until_cancelled(self.subscription.next(BATCH, self.wait())).await
            else {
                break;
            };
            match event? {
                GroupEvent::Assigned(partitions) => self.assigned(partitions)?,
                GroupEvent::Revoked(partitions) => self.revoked(&partitions),
                GroupEvent::Records(records) => self.records(records).await?,
                GroupEvent::Idle => {}
            }
            self.consumer.readiness.ready(LOG);
        }
        Ok(())
    }

    fn assigned(&mut self, partitions: Vec<TopicPartition>) -> Result<(), LogError> {
        for partition in partitions {
            tracing::info!(topic = partition.topic, partition = partition.partition, "assigned");
            self.subscription.pause(&partition)?;
            self.positions.insert(partition, Position::assigned(Instant::now()));
        }
        Ok(())
    }

    fn revoked(&mut self, partitions: &[TopicPartition]) {
        for partition in partitions {
            tracing::info!(topic = partition.topic, partition = partition.partition, "revoked");
            self.positions.remove(partition);
            self.consumer.forget(partition);
        }
    }

    /// How long to wait for records: until the first partition's back-off ends.
    fn wait(&self) -> Duration {
        let now = Instant::now();
        let due = self.positions.values().filter_map(|position| match position {
            Position::Waiting { until, .. } => Some(until.saturating_duration_since(now)),
            Position::Reading { .. } | Position::Stopped => None,
        });
        due.min().unwrap_or(WAIT).min(WAIT)
    }

    /// Goes on with every partition whose wait is over, from its checkpoint.
    async fn wake(&mut self) {
        let now = Instant::now();
        let due = |position: &Position| matches!(position, Position::Waiting { until, .. } if *until <= now);
        let due: Vec<_> = self
            .positions
            .iter()
            .filter(|(_, position)| due(position))
            .map(|(at, p)| (at.clone(), *p))
            .collect();
        for (partition, position) in due {
            // Trouble with one partition, be it its view or its broker, is no reason to leave the others.
            let next = match self.begin(&partition, position).await {
                Ok(next) => next,
                Err(error) => self.failed(&partition, position, &error),
            };
            self.positions.insert(partition, next);
        }
    }

    /// Seeks a partition to its checkpoint and resumes it.
    async fn begin(&mut self, partition: &TopicPartition, position: Position) -> Result<Position, LogError> {
        let checkpoint = match self.consumer.view.checkpoint(&partition.topic, partition.partition).await {
            Ok(checkpoint) => checkpoint,
            Err(error) => return Ok(self.failed(partition, position, &error)),
        };
        if let Some(other) =
            checkpoint.as_ref().filter(|checkpoint| checkpoint.reset_id != self.consumer.reset_id)
        {
            let reason = format!(
                "the view began with reset {:?}, and this worker is told {:?}",
                other.reset_id, self.consumer.reset_id
            );
            return Ok(self.stopped(partition, &reason));
        }
        let (begin, end) = self.consumer.log.bounds(&partition.topic, partition.partition).await?;
        let checkpoint = checkpoint.map(|checkpoint| checkpoint.next_offset);
        let offset = match checkpoint {
            Some(offset) if offset < begin || offset > end => {
                let reason = format!("the log has offsets {begin} to {end}, and the view is at {offset}");
                return Ok(self.stopped(partition, &reason));
            }
            Some(offset) => offset,
            None => self.subscription.committed(partition).await?.unwrap_or(begin),
        };
        self.subscription.seek(partition, offset).await?;
        self.subscription.resume(partition)?;
        self.consumer.offsets.set(partition, offset);
        Ok(position.reading(checkpoint))
    }

    /// Applies records, partition by partition, side by side.
    async fn records(&mut self, records: Vec<(TopicPartition, Record)>) -> Result<(), LogError> {
        let mut batches: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
        for (partition, record) in records {
            batches.entry(partition).or_default().push(record);
        }
        let consumer = self.consumer;
        let work = batches.into_iter().filter_map(|(partition, records)| {
            let Some(Position::Reading { checkpoint, .. }) = self.positions.get(&partition) else {
                return None;
            };
            let batch = Batch {
                topic: partition.topic.clone(),
                partition: partition.partition,
                expected: *checkpoint,
                records,
            };
            Some(async move { (partition, consumer.apply(&batch).await) })
        });
        let results: Vec<_> = stream::iter(work).buffer_unordered(PARTITIONS).collect().await;
        for (partition, result) in results {
            self.settle(partition, result).await?;
        }
        Ok(())
    }

    /// What a batch's result means for its partition.
    async fn settle(
        &mut self,
        partition: TopicPartition,
        result: Result<Applied, ViewError>,
    ) -> Result<(), LogError> {
        let Some(position) = self.positions.get(&partition).copied() else { return Ok(()) };
        let next = match result {
            Ok(applied) => {
                if let Err(error) = self.subscription.commit(&partition, applied.next_offset).await {
                    tracing::warn!(%error, "the committed offset stays behind the checkpoint for now");
                }
                Position::applied(applied.next_offset)
            }
            Err(error @ ViewError::Unavailable(_)) => {
                self.subscription.pause(&partition)?;
                self.failed(&partition, position, &error)
            }
            Err(error @ ViewError::Moved { .. }) => {
                tracing::warn!(%error, "reading from the checkpoint again");
                self.subscription.pause(&partition)?;
                position.failed(Instant::now())
            }
            Err(error @ (ViewError::Gap { .. } | ViewError::Fork { .. })) => {
                self.subscription.pause(&partition)?;
                self.stopped(&partition, &error.to_string())
            }
        };
        self.positions.insert(partition, next);
        Ok(())
    }

    fn failed(&self, partition: &TopicPartition, position: Position, error: &dyn Display) -> Position {
        let (topic, number) = (partition.topic.as_str(), partition.partition);
        tracing::warn!(topic, partition = number, %error, "nothing is committed, trying again");
        self.consumer.metrics.retried();
        position.failed(Instant::now())
    }

    fn stopped(&self, partition: &TopicPartition, reason: &str) -> Position {
        let (topic, number) = (partition.topic.as_str(), partition.partition);
        tracing::error!(topic, partition = number, reason, invariant = "I5", "the partition stands still");
        self.consumer.metrics.stopped(partition);
        Position::Stopped
    }
}
