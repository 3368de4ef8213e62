//! What is done about the records of one partition, in their order, and how far that got.

use std::sync::Arc;

use boxoffice_domain::{SeatingEventId, UnixMillis};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::record::Record;

use super::metrics::PaymentMetrics;
use super::reaction::{Asks, Reaction};
use crate::published::{Patience, Published, Unreached};
use crate::store::{History, SeatStore, StoreError};

/// What reactions need.
#[derive(Clone)]
pub struct Reactions {
    /// Where the seats are.
    pub store: Arc<dyn SeatStore>,
    /// Whether what was done is on the log.
    pub published: Arc<Published>,
    /// What is measured.
    pub metrics: PaymentMetrics,
}

/// How far the work got.
#[derive(Debug, PartialEq, Eq)]
pub struct Worked {
    /// Everything before this offset is done, and on the log.
    pub next_offset: u64,
    /// Whether the record at this offset is to be tried again.
    pub failed: bool,
}

#[derive(Debug, thiserror::Error)]
enum ReactError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Unreached(#[from] Unreached),
}

/// What was done, and has to be on the log before its record is done with.
struct Reacted {
    offset: u64,
    event: SeatingEventId,
    history: History,
    sequence: u64,
    at: UnixMillis,
}

impl Reactions {
    /// Does what `records` ask for, up to the first that fails, and waits until it is on the log.
    pub async fn work(&self, partition: &TopicPartition, records: Vec<Record>) -> Worked {
        let mut next_offset = 0;
        let (mut done, mut failed) = (vec![], None);
        for record in &records {
            match self.take(partition, record).await {
                Ok(what) => done.extend(what),
                Err(error) => {
                    failed = Some((record.offset, error));
                    break;
                }
            }
            next_offset = record.offset + 1;
        }
        // Others were written behind it, so most are there by then.
        for what in done {
            let offset = what.offset;
            if let Err(error) = self.is_on_the_log(what).await {
                failed = Some((offset, error));
                break;
            }
        }
        if let Some((offset, error)) = &failed {
            let (topic, number) = (partition.topic.as_str(), partition.partition);
            tracing::warn!(topic, partition = number, offset, %error, "a payment is not taken in yet: trying again");
            self.metrics.failures.inc();
        }
        Worked {
            next_offset: failed.as_ref().map_or(next_offset, |(offset, _)| *offset),
            failed: failed.is_some(),
        }
    }

    async fn is_on_the_log(&self, done: Reacted) -> Result<(), ReactError> {
        let Reacted { offset: _, event, history, sequence, at } = done;
        let logged = self.published.is_logged(&event, &history, (sequence, at), Patience::Waits).await?;
        Ok(logged?)
    }

    /// Does what a record asks for. One that cannot be read will never be: it is told and left out.
    async fn take(&self, partition: &TopicPartition, record: &Record) -> Result<Option<Reacted>, ReactError> {
        let (topic, number, offset) = (partition.topic.as_str(), partition.partition, record.offset);
        match Asks::of(record) {
            Asks::For(reaction) => self.react(*reaction, offset).await,
            Asks::Nothing => Ok(None),
            Asks::Unknown(event_type) => {
                tracing::warn!(topic, partition = number, offset, event_type, "unknown event: skipped");
                Ok(None)
            }
            Asks::Unreadable(reason) => {
                tracing::error!(topic, partition = number, offset, reason, "unreadable payment: skipped");
                self.metrics.unreadable.inc();
                Ok(None)
            }
        }
    }

    async fn react(&self, reaction: Reaction, offset: u64) -> Result<Option<Reacted>, ReactError> {
        let Reaction { event, event_type, command, cause } = reaction;
        // Asked before: what runs on a later history than this one is done again.
        let history = self.published.history(&event).await?;
        let (event_id, correlation) = (cause.command, &cause.correlation);
        let outcome = match self.store.execute(&event, &command, &cause).await? {
            Ok(outcome) => outcome,
            Err(rejection) => {
                tracing::info!(%event_id, event_type, %event, %correlation, %rejection, "nothing is left to be done");
                self.metrics.repeated.inc();
                return Ok(None);
            }
        };
        let answer = &outcome.answer;
        if outcome.changed {
            tracing::info!(%event_id, event_type, %event, %correlation, ?answer, "taken in");
            self.metrics.reacted.inc();
        } else {
            tracing::info!(%event_id, event_type, %event, %correlation, ?answer, "duplicate, or nothing is left to be done");
            self.metrics.repeated.inc();
        }
        let (sequence, at) = (outcome.answer.sequence(), outcome.at);
        Ok(Some(Reacted { offset, event, history, sequence, at }))
    }
}
