//! Publishes what a consumer with effects announces: from its [`Book`] to a topic of their own, in order, as the
//! consumer's relay does it from an outbox on PostgreSQL. There is one process, so there is no lock. What the process
//! ends before it noted as published is published again: readers go by `eventId`.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::partition::partition_of;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_runtime::record::{NewRecord, encode};
use tokio_util::sync::CancellationToken;

use super::book::Book;
use crate::embedded::journal::JournalError;

/// Events published at once.
const BATCH: usize = 200;
/// Wait before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// See the module.
pub struct Relay {
    /// Where to publish.
    pub log: Arc<dyn EventLog>,
    /// To which topic.
    pub topic: String,
    /// The ReservationService, as namespace/name: `ce_source`.
    pub source: String,
    /// What to publish.
    pub book: Book,
}

#[derive(Debug, thiserror::Error)]
enum RelayError {
    #[error(transparent)]
    Log(#[from] LogError),
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl Relay {
    /// Publishes until `stop`. Whatever fails is tried again.
    pub async fn run(self, stop: CancellationToken) {
        let more = self.book.announced();
        while !stop.is_cancelled() {
            let published = match stop.run_until_cancelled(self.publish()).await {
                Some(Ok(published)) => published,
                Some(Err(error)) => {
                    tracing::warn!(%error, topic = self.topic, "announcements wait");
                    stop.run_until_cancelled(tokio::time::sleep(AGAIN)).await;
                    continue;
                }
                None => return,
            };
            if !published {
                stop.run_until_cancelled(more.notified()).await;
            }
        }
    }

    /// Publishes the oldest announcements; whether there were any.
    async fn publish(&self) -> Result<bool, RelayError> {
        let Some((upto, batch)) = self.book.to_announce(BATCH).await? else { return Ok(false) };
        let partitions = self.log.partitions(&self.topic).await?;
        let records = batch.iter().filter_map(|json| self.record(json, partitions)).collect();
        self.log.publish(&self.topic, records).await?;
        self.book.published(upto);
        Ok(true)
    }

    fn record(&self, json: &str, partitions: u32) -> Option<NewRecord> {
        // Anything else is of another version.
        let Ok(Incoming::Known(envelope)) = parse(json.as_bytes()) else { return None };
        let partition = partition_of(envelope.event.seating_event().as_str(), partitions);
        let record = encode(&envelope, partition, &self.source, None);
        record.inspect_err(|error| tracing::error!(%error, "an announcement is dropped")).ok()
    }
}
