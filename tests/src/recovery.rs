//! Opening the fence of a seat store (I7) for tests that have no log behind it, or none that anybody publishes to.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_command::recover::Recover;
use boxoffice_command::store::redis::RedisStore;
use boxoffice_command::store::redis::recovery::{Recovery, RecoveryMetrics};
use boxoffice_command::store::{Outbox, OutboxEntry, StoreError};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::{Appender, Batch, EventLog, LogError, ReadToEnd, Subscription, Tail};
use boxoffice_runtime::record::{CE_SEQUENCE, NewRecord, Record, encode};
use tokio::time::{Instant, sleep};

use crate::wait::PATIENCE;

const POLL: Duration = Duration::from_millis(50);

/// A log without a record.
pub struct EmptyLog;

#[async_trait]
impl EventLog for EmptyLog {
    async fn publish(&self, topic: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        Err(LogError::Missing(topic.to_owned()))
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Missing(id.to_owned()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(1)
    }

    async fn bounds(&self, _: &str, _: u32) -> Result<(u64, u64), LogError> {
        Ok((0, 0))
    }

    async fn tail(&self, topic: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Err(LogError::Missing(topic.to_owned()))
    }

    async fn subscribe(&self, group: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Missing(group.to_owned()))
    }
}

/// A log in memory, on which tests publish what waits in a store.
#[derive(Default)]
pub struct KeptLog(Mutex<Vec<NewRecord>>);

impl KeptLog {
    /// Publishes what waits of `event`, as the relay does.
    ///
    /// # Errors
    /// A store that does not give it, or takes it for published.
    pub async fn publish_all(&self, store: &RedisStore, event: &SeatingEventId) -> Result<(), StoreError> {
        let (partition, entries) = store.unpublished(event, 10_000).await?;
        self.append(partition, &entries);
        if let Some(last) = entries.last().and_then(|entry| entry.envelope.metadata.sequence) {
            let (_, end) = self.bounds("", partition).await.unwrap_or_default();
            store.published(event, last, end).await?;
        }
        Ok(())
    }

    /// Adds records that nobody takes for published.
    ///
    /// # Panics
    /// Never: every envelope can be written.
    pub fn append(&self, partition: u32, entries: &[OutboxEntry]) {
        let record = |entry: &OutboxEntry| encode(&entry.envelope, partition, "tests/redis", None);
        match entries.iter().map(record).collect::<Result<Vec<_>, _>>() {
            Ok(records) => self.records().extend(records),
            Err(error) => panic!("{error}"),
        }
    }

    /// The sequences of all records, as they came.
    pub fn sequences(&self) -> Vec<u64> {
        let sequence = |record: &NewRecord| {
            let header = record.headers.iter().find(|(name, _)| name == CE_SEQUENCE)?;
            header.1.parse().ok()
        };
        self.records().iter().filter_map(sequence).collect()
    }

    fn records(&self) -> MutexGuard<'_, Vec<NewRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl EventLog for KeptLog {
    async fn publish(&self, _: &str, records: Vec<NewRecord>) -> Result<(), LogError> {
        self.records().extend(records);
        Ok(())
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Missing(id.to_owned()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(4)
    }

    async fn bounds(&self, _: &str, partition: u32) -> Result<(u64, u64), LogError> {
        let count = self.records().iter().filter(|record| record.partition == partition).count();
        Ok((0, count as u64))
    }

    async fn tail(&self, _: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        let mut offsets = [0; 4];
        let place = |record: NewRecord| {
            let offset = &mut offsets[record.partition as usize];
            *offset += 1;
            Record::new(record.partition, *offset - 1, record.key, record.value, record.headers)
        };
        let wanted = |record: &Record| {
            from.iter().any(|(partition, offset)| record.partition == *partition && record.offset >= *offset)
        };
        let records = self.records().clone().into_iter().map(place).filter(wanted).collect();
        Ok(Box::new(KeptTail(records)))
    }

    async fn subscribe(&self, group: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Missing(group.to_owned()))
    }
}

struct KeptTail(VecDeque<Record>);

#[async_trait]
impl Tail for KeptTail {
    async fn next(&mut self, max: usize) -> Result<Batch, LogError> {
        if self.0.is_empty() {
            std::future::pending::<()>().await;
        }
        let count = max.min(self.0.len());
        Ok(Batch { records: self.0.drain(..count).collect(), ended: vec![] })
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Always
    }
}

/// Says that `store` has all that there ever was.
pub async fn nothing_was_lost(store: &Arc<RedisStore>) {
    recover(store, Arc::new(EmptyLog), "").await;
}

/// Reads back what `store` lost.
///
/// # Panics
/// Where that takes too long.
pub async fn recover(store: &Arc<RedisStore>, log: Arc<dyn EventLog>, topic: &str) -> RecoveryMetrics {
    let metrics = RecoveryMetrics::default();
    let recovery = Recovery::new(Arc::clone(store), Arc::clone(&log), topic.to_owned(), metrics.clone());
    let partitions: Vec<u32> = (0..log.partitions(topic).await.unwrap_or_default()).collect();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pinned = store.pinned().await.unwrap_or_default();
        let doubted: BTreeSet<_> = pinned.into_iter().map(|(event, _)| event).collect();
        let mut failed = None;
        for partition in &partitions {
            failed = recovery.recover(*partition, &doubted).await.err().or(failed);
        }
        if failed.is_none() && store.all_recovered().await.is_ok() {
            return metrics;
        }
        assert!(Instant::now() < deadline, "the store is not recovered: {failed:?}");
        sleep(POLL).await;
    }
}
