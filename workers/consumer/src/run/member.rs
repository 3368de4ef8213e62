//! One membership of the consumer group: what happens to the partitions that this member has.
//!
//! The checkpoint in the view is the truth (I5): a partition is read from there when it is assigned, after every
//! failure, and when another member moved it. The committed offset is a copy for people and tools, read only where
//! there is no checkpoint. Batches of different partitions are applied side by side; whatever waits for the view, be it
//! a batch or a question, waits beside the loop, which keeps polling so that the group does not give the member up.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::log::{GroupEvent, LogError, Subscription, TopicPartition};
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoint, ViewError};
use futures::StreamExt;
use futures::future::BoxFuture;
use futures::stream::FuturesUnordered;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

use super::position::Position;
use super::questions::{self, Answers, Found};
use super::{Consumer, LOG};

/// Most records taken at once.
const BATCH: usize = 500;
/// Most partitions applied side by side.
const PARTITIONS: usize = 4;
/// Longest wait for records before partitions that wait are looked at.
const WAIT: Duration = Duration::from_millis(500);
/// How long the loop waits for the batches that it was given. Partitions of those that take longer are paused, and the
/// loop goes on with the others.
const HASTE: Duration = Duration::from_secs(1);

/// What became of a batch.
type Outcome = (TopicPartition, Result<Applied, ViewError>);

/// A member of the group.
pub struct Member<'a> {
    consumer: &'a Consumer,
    subscription: &'a mut dyn Subscription,
    positions: BTreeMap<TopicPartition, Position>,
    questions: FuturesUnordered<BoxFuture<'a, Answers>>,
    batches: FuturesUnordered<BoxFuture<'a, Outcome>>,
    permits: Arc<Semaphore>,
}

/// What the loop goes on with.
enum Next {
    Event(GroupEvent),
    Answers(Answers),
    Applied(Outcome),
}

impl<'a> Member<'a> {
    /// A member that has no partitions yet.
    pub fn new(consumer: &'a Consumer, subscription: &'a mut dyn Subscription) -> Self {
        Self {
            consumer,
            subscription,
            positions: BTreeMap::new(),
            questions: FuturesUnordered::new(),
            batches: FuturesUnordered::new(),
            permits: Arc::new(Semaphore::new(PARTITIONS)),
        }
    }

    /// Applies records until `stop`; the batches in hand are finished.
    ///
    /// # Errors
    /// A log that gave this membership up.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), LogError> {
        loop {
            self.wake();
            self.linger().await?;
            let wait = self.wait();
            let next = tokio::select! {
                biased;
                () = stop.cancelled() => break,
                Some(result) = self.batches.next() => Next::Applied(result),
                Some(answers) = self.questions.next() => Next::Answers(answers),
                event = self.subscription.next(BATCH, wait) => Next::Event(event?),
            };
            match next {
                Next::Event(event) => {
                    self.happened(event)?;
                    self.consumer.readiness.ready(LOG);
                }
                Next::Answers(answers) => self.answered(answers).await?,
                Next::Applied((partition, result)) => self.settle(partition, result).await?,
            }
        }
        while let Some((partition, result)) = self.batches.next().await {
            self.settle(partition, result).await?;
        }
        Ok(())
    }

    fn happened(&mut self, event: GroupEvent) -> Result<(), LogError> {
        match event {
            GroupEvent::Assigned(partitions) => self.assigned(partitions)?,
            GroupEvent::Revoked(partitions) => self.revoked(&partitions),
            GroupEvent::Records(records) => self.records(records),
            GroupEvent::Ended(ends) => self.ended(ends),
            GroupEvent::Idle => {}
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

    /// A batch in hand is not waited for: the next member finds the checkpoint where that leaves it.
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
            Position::Asking { .. }
            | Position::Reading { .. }
            | Position::Applying { .. }
            | Position::Stopped => None,
        });
        due.min().unwrap_or(WAIT).min(WAIT)
    }

    /// Asks about every partition whose wait is over.
    fn wake(&mut self) {
        let now = Instant::now();
        let mut due = vec![];
        for (partition, position) in &mut self.positions {
            if matches!(position, Position::Waiting { until, .. } if *until <= now) {
                *position = position.asking();
                due.push(partition.clone());
            }
        }
        if !due.is_empty() {
            self.questions.push(Box::pin(questions::ask(self.consumer, due)));
        }
    }

    /// Waits a moment for batches that were just begun, which mostly is enough; then pauses their partitions.
    async fn linger(&mut self) -> Result<(), LogError> {
        let until = Instant::now() + HASTE;
        let reads = |position: &Position| matches!(position, Position::Applying { paused: false, .. });
        while self.positions.values().any(reads) {
            match timeout_at(until, self.batches.next()).await {
                Ok(Some((partition, result))) => self.settle(partition, result).await?,
                Ok(None) => break,
                Err(_) => {
                    for (partition, position) in &mut self.positions {
                        if let Position::Applying { paused: paused @ false, .. } = position {
                            self.subscription.pause(partition)?;
                            *paused = true;
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Goes on with the partitions that were asked about.
    async fn answered(&mut self, answers: Answers) -> Result<(), LogError> {
        let (mut beginnings, mut trouble) = (vec![], None);
        for (partition, found) in answers {
            let Some(position @ Position::Asking { .. }) = self.positions.get(&partition).copied() else {
                continue;
            };
            // Trouble with one partition, be it its view or its broker, is no reason to leave the others. A group that
            // cannot be asked about one partition is not asked about the next one.
            let next = match (found, &trouble) {
                (Err(error), _) => self.failed(&partition, position, &error),
                (Ok(Found { checkpoint: None, .. }), Some(error)) => self.failed(&partition, position, error),
                (Ok(found @ Found { checkpoint: None, .. }), None) => {
                    match self.beginning(&partition, &found).await {
                        Ok(Ok(beginning)) => {
                            beginnings.push((beginning, found));
                            position
                        }
                        Ok(Err(reason)) => self.stalled(&partition, position, &reason),
                        Err(error) => {
                            let next = self.failed(&partition, position, &error);
                            trouble = Some(error);
                            next
                        }
                    }
                }
                (Ok(Found { checkpoint: Some(checkpoint), first, end }), _) => {
                    match self.go_on(&partition, position, &checkpoint, (first, end)).await {
                        Ok(next) => next,
                        Err(error) => self.failed(&partition, position, &error),
                    }
                }
            };
            self.positions.insert(partition, next);
        }
        if !beginnings.is_empty() {
            self.questions.push(Box::pin(questions::begin(self.consumer, beginnings)));
        }
        Ok(())
    }

    /// Where the view is to begin in a partition; or why it does not.
    async fn beginning(
        &mut self,
        partition: &TopicPartition,
        found: &Found,
    ) -> Result<Result<Beginning, String>, LogError> {
        let origin = &self.consumer.origin;
        let committed =
            if origin.asks_the_group() { self.subscription.committed(partition).await? } else { None };
        let place = match origin.place(found.first, committed) {
            Ok(place) if place.offset > found.end => {
                let (offset, end) = (place.offset, found.end);
                return Ok(Err(format!("the log ends before {end}, and the group is at {offset}")));
            }
            Ok(place) => place,
            Err(reason) => return Ok(Err(reason.to_owned())),
        };
        let (topic, number, offset) = (partition.topic.as_str(), partition.partition, place.offset);
        if origin.replayable {
            tracing::info!(topic, partition = number, offset, "the view begins");
        } else {
            tracing::warn!(
                topic,
                partition = number,
                offset,
                "the database is empty: it goes on at the group's offset"
            );
        }
        Ok(Ok(Beginning { partition: partition.clone(), offset, earliest: place.earliest }))
    }

    /// Seeks a partition to its checkpoint and resumes it.
    async fn go_on(
        &mut self,
        partition: &TopicPartition,
        position: Position,
        checkpoint: &Checkpoint,
        (first, end): (u64, u64),
    ) -> Result<Position, LogError> {
        let told = &self.consumer.reset_id;
        if checkpoint.reset_id != *told {
            let began = &checkpoint.reset_id;
            let reason = format!("the view began with reset {began:?}, and this worker is told {told:?}");
            return Ok(self.stopped(partition, &reason));
        }
        let offset = checkpoint.next_offset;
        if offset < first || offset > end {
            let reason = format!("the log has offsets {first} to {end}, and the view is at {offset}");
            return Ok(self.stopped(partition, &reason));
        }
        self.read_from(partition, offset).await?;
        self.consumer.metrics.goes_on(partition);
        self.consumer.standing.is_over(partition);
        self.consumer.offsets.set(partition, offset);
        Ok(position.reading(offset))
    }

    async fn read_from(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.subscription.seek(partition, offset).await?;
        self.subscription.resume(partition)
    }

    /// Begins to apply records, partition by partition, side by side.
    fn records(&mut self, records: Vec<(TopicPartition, Record)>) {
        let mut batches: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
        for (partition, record) in records {
            batches.entry(partition).or_default().push(record);
        }
        for (partition, records) in batches {
            let Some(Position::Reading { checkpoint, next }) = self.positions.get(&partition).copied() else {
                continue;
            };
            let (topic, number) = (partition.topic.clone(), partition.partition);
            let batch = Batch { topic, partition: number, expected: checkpoint, records };
            let consumer = self.consumer;
            let applying = Position::Applying { checkpoint, paused: false, next };
            self.begin(partition, applying, async move { consumer.apply(&batch).await });
        }
    }

    /// Moves checkpoints behind offsets that have no record. Where a partition is not just being read it is read again
    /// from its checkpoint, and ends again.
    fn ended(&mut self, ends: Vec<(TopicPartition, u64)>) {
        for (partition, end) in ends {
            let Some(Position::Reading { checkpoint, next }) = self.positions.get(&partition).copied() else {
                continue;
            };
            if checkpoint < end {
                let (consumer, at) = (self.consumer, partition.clone());
                let applying = Position::Applying { checkpoint, paused: false, next };
                self.begin(partition, applying, async move { consumer.pass(&at, checkpoint, end).await });
            }
        }
    }

    /// Begins what moves a partition's checkpoint, beside the loop.
    fn begin(
        &mut self,
        partition: TopicPartition,
        applying: Position,
        work: impl Future<Output = Result<Applied, ViewError>> + Send + 'a,
    ) {
        let permits = Arc::clone(&self.permits);
        self.positions.insert(partition.clone(), applying);
        self.batches.push(Box::pin(async move {
            // Nobody closes it.
            let _permit = permits.acquire_owned().await;
            (partition, work.await)
        }));
    }

    /// What a batch's result means for its partition.
    async fn settle(
        &mut self,
        partition: TopicPartition,
        result: Result<Applied, ViewError>,
    ) -> Result<(), LogError> {
        let Some(position @ Position::Applying { paused, .. }) = self.positions.get(&partition).copied()
        else {
            return Ok(());
        };
        if result.is_err() && !paused {
            self.subscription.pause(&partition)?;
        }
        let next = match result {
            Ok(applied) => {
                if let Err(error) = self.subscription.commit(&partition, applied.next_offset).await {
                    tracing::warn!(%error, "the committed offset stays behind the checkpoint for now");
                }
                let again =
                    if paused { self.read_from(&partition, applied.next_offset).await } else { Ok(()) };
                match again {
                    Ok(()) => Position::applied(applied.next_offset),
                    Err(error) => self.failed(&partition, position, &error),
                }
            }
            Err(error @ ViewError::Unavailable(_)) => self.failed(&partition, position, &error),
            Err(error @ ViewError::Moved { .. }) => {
                tracing::warn!(%error, "reading from the checkpoint again");
                position.failed(Instant::now())
            }
            Err(error @ (ViewError::Gap { .. } | ViewError::Fork { .. })) => {
                self.stopped(&partition, &error.to_string())
            }
        };
        self.positions.insert(partition, next);
        Ok(())
    }

    fn failed(&self, partition: &TopicPartition, position: Position, error: &dyn Display) -> Position {
        let (topic, number, offset) = (partition.topic.as_str(), partition.partition, position.offset());
        tracing::warn!(topic, partition = number, offset, %error, "nothing is committed, trying again");
        self.consumer.metrics.retried();
        position.failed(Instant::now())
    }

    /// Nothing can be done about it here, but somebody may do something outside.
    fn stalled(&self, partition: &TopicPartition, position: Position, reason: &str) -> Position {
        self.alarm(partition, reason);
        position.failed(Instant::now())
    }

    fn stopped(&self, partition: &TopicPartition, reason: &str) -> Position {
        self.alarm(partition, reason);
        Position::Stopped
    }

    fn alarm(&self, partition: &TopicPartition, reason: &str) {
        let (topic, number) = (partition.topic.as_str(), partition.partition);
        tracing::error!(topic, partition = number, reason, invariant = "I5", "the partition stands still");
        self.consumer.metrics.stopped(partition);
        self.consumer.standing.stopped(partition, reason);
    }
}
