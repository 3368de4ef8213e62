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

use super::origin;
use super::position::Position;
use super::questions::{self, Answers, Found, Identities};
use super::replaced::{self, Ended, Replaced};
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
    /// The topics that it joined on.
    identities: &'a Identities,
    positions: BTreeMap<TopicPartition, Position>,
    questions: FuturesUnordered<BoxFuture<'a, Answers>>,
    batches: FuturesUnordered<BoxFuture<'a, Outcome>>,
    permits: Arc<Semaphore>,
}

/// What a view knows of a partition.
enum Known {
    /// It has not begun there.
    Nothing,
    /// How far it is.
    Here(Checkpoint),
    /// How far it is, on a topic of which it kept no id: taken for this one.
    Somewhere { offset: u64 },
    /// It is on another topic of that name.
    Elsewhere { known: String, found: String },
}

/// What the loop goes on with.
enum Next {
    Event(GroupEvent),
    Answers(Answers),
    Applied(Outcome),
}

impl<'a> Member<'a> {
    /// A member that has no partitions yet.
    pub fn new(
        consumer: &'a Consumer,
        subscription: &'a mut dyn Subscription,
        identities: &'a Identities,
    ) -> Self {
        Self {
            consumer,
            subscription,
            identities,
            positions: BTreeMap::new(),
            questions: FuturesUnordered::new(),
            batches: FuturesUnordered::new(),
            permits: Arc::new(Semaphore::new(PARTITIONS)),
        }
    }

    /// Applies records until `stop`; the batches in hand are finished.
    ///
    /// # Errors
    /// A log that gave this membership up, and a topic on which the group has no place.
    pub async fn run(&mut self, stop: &CancellationToken) -> Result<(), Ended> {
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
            GroupEvent::Records(records) => self.records(records)?,
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
    async fn answered(&mut self, answers: Answers) -> Result<(), Ended> {
        let (mut beginnings, mut trouble) = (vec![], None);
        for (partition, found) in answers {
            let Some(position @ Position::Asking { .. }) = self.positions.get(&partition).copied() else {
                continue;
            };
            // Trouble with one partition, be it its view or its broker, is no reason to leave the others. A group that
            // cannot be asked about one partition is not asked about the next one.
            let next = match (found, &trouble) {
                (Err(error), _) => self.failed(&partition, position, &error),
                (Ok(found), trouble_before) => match (self.known(&partition, &found), trouble_before) {
                    (Known::Here(checkpoint), _) => {
                        match self.go_on(&partition, position, &checkpoint, (found.first, found.end)).await {
                            Ok(next) => next,
                            Err(error) => self.failed(&partition, position, &error),
                        }
                    }
                    (Known::Somewhere { offset }, _) => {
                        beginnings.push((self.beginning_at(&partition, offset, false), found));
                        position
                    }
                    (Known::Nothing | Known::Elsewhere { .. }, Some(error)) => {
                        self.failed(&partition, position, error)
                    }
                    (known @ (Known::Nothing | Known::Elsewhere { .. }), None) => {
                        match self.beginning(&partition, &found, known).await {
                            Ok(Ok(beginning)) => {
                                beginnings.push((beginning, found));
                                position
                            }
                            Ok(Err(reason)) => self.stalled(&partition, position, &reason),
                            Err(Ended::Log(error)) if !matches!(error, LogError::Replaced { .. }) => {
                                let next = self.failed(&partition, position, &error);
                                trouble = Some(error);
                                next
                            }
                            Err(ended) => return Err(ended),
                        }
                    }
                },
            };
            self.positions.insert(partition, next);
        }
        if !beginnings.is_empty() {
            self.questions.push(Box::pin(questions::begin(self.consumer, beginnings)));
        }
        Ok(())
    }

    /// The id of the topic that a partition is of.
    fn log_of(&self, partition: &TopicPartition) -> Option<&'a str> {
        self.identities.get(&partition.topic)?.as_deref()
    }

    /// What the view knows of a partition.
    fn known(&self, partition: &TopicPartition, found: &Found) -> Known {
        let Some(checkpoint) = &found.checkpoint else { return Known::Nothing };
        match (&checkpoint.log, self.log_of(partition)) {
            (Some(known), Some(log)) if known != log => {
                Known::Elsewhere { known: known.clone(), found: log.to_owned() }
            }
            (None, Some(_)) => Known::Somewhere { offset: checkpoint.next_offset },
            (Some(_) | None, Some(_) | None) => Known::Here(checkpoint.clone()),
        }
    }

    fn beginning_at(&self, partition: &TopicPartition, offset: u64, earliest: bool) -> Beginning {
        let log = self.log_of(partition).map(str::to_owned);
        Beginning { partition: partition.clone(), offset, earliest, log }
    }

    /// Where the view is to begin in a partition; or why it does not.
    async fn beginning(
        &mut self,
        partition: &TopicPartition,
        found: &Found,
        known: Known,
    ) -> Result<Result<Beginning, String>, Ended> {
        let origin = &self.consumer.origin;
        let is_another = matches!(known, Known::Elsewhere { .. });
        let committed = if origin.asks_the_group() || is_another {
            let committed = self.subscription.committed(partition).await?;
            origin::counts(committed, self.log_of(partition), is_another)
        } else {
            None
        };
        if let Known::Elsewhere { known, found } = known {
            // It may have been replaced since this member joined; then the others know better.
            let now = questions::identities(self.consumer).await?;
            if let Some(replaced) = replaced::difference(self.identities, &now) {
                return Err(replaced.into());
            }
            if committed.is_none() {
                return Err(Ended::Replaced(Replaced { partition: partition.clone(), known, found }));
            }
        }
        let start = match origin.start_position(found.first, committed) {
            Ok(start) if start.offset > found.end => {
                let (offset, end) = (start.offset, found.end);
                return Ok(Err(format!("the log ends before {end}, and the group is at {offset}")));
            }
            Ok(start) => start,
            Err(reason) => return Ok(Err(reason.to_owned())),
        };
        let (topic, number, offset) = (partition.topic.as_str(), partition.partition, start.offset);
        if is_another {
            tracing::warn!(
                topic,
                partition = number,
                offset,
                "the topic is another one: the view goes on with it"
            );
        } else if origin.replayable {
            tracing::info!(topic, partition = number, offset, "the view begins");
        } else {
            tracing::warn!(
                topic,
                partition = number,
                offset,
                "the database is empty: it goes on at the group's offset"
            );
        }
        Ok(Ok(self.beginning_at(partition, offset, start.earliest)))
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
    ///
    /// # Errors
    /// A log that went back: it is another one, or has lost what was read.
    fn records(&mut self, records: Vec<(TopicPartition, Record)>) -> Result<(), LogError> {
        let mut batches: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
        for (partition, record) in records {
            batches.entry(partition).or_default().push(record);
        }
        for (partition, records) in batches {
            let Some(Position::Reading { checkpoint, next }) = self.positions.get(&partition).copied() else {
                continue;
            };
            let (topic, number) = (partition.topic.clone(), partition.partition);
            if let Some(record) = records.first().filter(|record| record.offset < checkpoint) {
                let at = record.offset;
                return Err(LogError::Unavailable(format!(
                    "{topic}[{number}] went back from {checkpoint} to {at}"
                )));
            }
            let log = self.log_of(&partition).map(str::to_owned);
            let batch = Batch { topic, partition: number, log, expected: checkpoint, records };
            let consumer = self.consumer;
            let applying = Position::Applying { checkpoint, paused: false, next };
            self.begin(partition, applying, async move { consumer.apply(&batch).await });
        }
        Ok(())
    }

    /// Moves checkpoints behind offsets that have no record. Where a partition is not just being read it is read again
    /// from its checkpoint, and ends again.
    fn ended(&mut self, ends: Vec<(TopicPartition, u64)>) {
        for (partition, end) in ends {
            let Some(Position::Reading { checkpoint, next }) = self.positions.get(&partition).copied() else {
                continue;
            };
            if checkpoint < end {
                let (consumer, at, log) = (self.consumer, partition.clone(), self.log_of(&partition));
                let applying = Position::Applying { checkpoint, paused: false, next };
                let passing = async move { consumer.pass(&at, log, checkpoint, end).await };
                self.begin(partition, applying, passing);
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
                let log = self.log_of(&partition);
                if let Err(error) = self.subscription.commit(&partition, applied.next_offset, log).await {
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
