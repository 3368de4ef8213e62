//! Publishes what the statistics announce: from memory to a topic of their own, as the consumer's relay does it from an
//! outbox on PostgreSQL. There is one process, so there is no lock.
//!
//! Of each SeatingEvent the newest announcement alone waits, because readers go by `asOfSequence`; so little is in
//! memory, however long the log is away. Views are built anew at every start of the process, so statistics come by
//! again what an earlier life announced: before anything is published the topic is read, and what is not beyond its
//! last announcement of that SeatingEvent is dropped.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::events::{Incoming, StatsUpdated, parse};
use boxoffice_domain::partition::partition_of;
use boxoffice_domain::{DomainEvent, Envelope, SeatingEventId};
use boxoffice_runtime::log::{EventLog, LogError, UntilEnd};
use boxoffice_runtime::record::{NewRecord, encode};
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// Records read at once.
const BATCH: usize = 500;
/// Wait before something that failed is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// What is to be announced. Clones are the same outbox.
#[derive(Debug, Clone, Default)]
pub struct Outbox(Arc<Waiting>);

#[derive(Debug, Default)]
struct Waiting {
    announcements: Mutex<BTreeMap<SeatingEventId, Envelope>>,
    more: Notify,
}

impl Outbox {
    /// Lets an announcement wait, in place of an earlier one of its SeatingEvent.
    pub fn put(&self, announcement: Envelope) {
        self.waiting().insert(announcement.event.seating_event().clone(), announcement);
        self.0.more.notify_one();
    }

    /// What waits, which is no longer in here then: at least one, in the order of the SeatingEvents.
    pub async fn take(&self) -> Vec<Envelope> {
        loop {
            let waiting = std::mem::take(&mut *self.waiting());
            if !waiting.is_empty() {
                return waiting.into_values().collect();
            }
            self.0.more.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, BTreeMap<SeatingEventId, Envelope>> {
        self.0.announcements.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes an outbox.
pub struct Relay {
    /// Where to publish.
    pub log: Arc<dyn EventLog>,
    /// To which topic.
    pub topic: String,
    /// The ReservationService, as namespace/name: `ce_source`.
    pub source: String,
    /// What to publish.
    pub outbox: Outbox,
}

impl Relay {
    /// Publishes until `stop`. Whatever fails is tried again.
    pub async fn run(self, stop: CancellationToken) {
        stop.run_until_cancelled(self.publish_all()).await;
    }

    async fn publish_all(&self) -> Infallible {
        let announced = self.until_done(|| self.announced()).await;
        loop {
            let mut waiting = self.outbox.take().await;
            waiting.retain(|envelope| is_news(envelope, &announced));
            if !waiting.is_empty() {
                self.until_done(|| self.publish(&waiting)).await;
            }
        }
    }

    /// The last sequence that was announced of each SeatingEvent before this process began.
    async fn announced(&self) -> Result<HashMap<SeatingEventId, u64>, LogError> {
        let mut announced = HashMap::new();
        let mut reading = UntilEnd::open(self.log.as_ref(), &self.topic).await?;
        while let Some(records) = reading.next(BATCH).await? {
            for stats in records.iter().filter_map(|record| stats(&record.value)) {
                let last: &mut u64 = announced.entry(stats.event_id).or_default();
                *last = stats.as_of_sequence.max(*last);
            }
        }
        Ok(announced)
    }

    async fn publish(&self, announcements: &[Envelope]) -> Result<(), LogError> {
        let partitions = self.log.partitions(&self.topic).await?;
        let records = announcements.iter().filter_map(|envelope| self.record(envelope, partitions)).collect();
        self.log.publish(&self.topic, records).await
    }

    fn record(&self, announcement: &Envelope, partitions: u32) -> Option<NewRecord> {
        let partition = partition_of(announcement.event.seating_event().as_str(), partitions);
        let record = encode(announcement, partition, &self.source, None);
        record.inspect_err(|error| tracing::error!(%error, "an announcement is dropped")).ok()
    }

    async fn until_done<T, F>(&self, work: impl Fn() -> F) -> T
    where
        F: Future<Output = Result<T, LogError>>,
    {
        loop {
            match work().await {
                Ok(done) => return done,
                Err(error) => tracing::warn!(%error, topic = self.topic, "announcements wait"),
            }
            sleep(AGAIN).await;
        }
    }
}

/// Whether an announcement says more than the last one of an earlier life.
fn is_news(announcement: &Envelope, announced: &HashMap<SeatingEventId, u64>) -> bool {
    match &announcement.event {
        DomainEvent::StatsUpdated(stats) => {
            announced.get(&stats.event_id).is_none_or(|last| stats.as_of_sequence > *last)
        }
        _ => true,
    }
}

fn stats(value: &[u8]) -> Option<StatsUpdated> {
    match parse(value) {
        Ok(Incoming::Known(Envelope { event: DomainEvent::StatsUpdated(stats), .. })) => Some(stats),
        _ => None,
    }
}

#[cfg(test)]
#[path = "announcements_tests.rs"]
mod tests;
