//! A log that keeps what was published and fails when told to.

use std::collections::HashSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::{EventLog, LogError, Subscription, Tail};
use boxoffice_runtime::record::{CE_SEQUENCE, NewRecord, Record};

/// See the module.
#[derive(Default)]
pub struct FakeLog {
    records: Mutex<Vec<(String, NewRecord)>>,
    away: AtomicBool,
    halfway: AtomicUsize,
    delay: Mutex<Duration>,
    at_work: Mutex<HashSet<String>>,
}

impl FakeLog {
    /// Whether it cannot be reached from now on.
    pub fn away(&self, away: bool) {
        self.away.store(away, SeqCst);
    }

    /// The next `times` publishes write their first half and fail.
    pub fn fail_halfway(&self, times: usize) {
        self.halfway.store(times, SeqCst);
    }

    /// How long every publish takes.
    pub fn takes(&self, delay: Duration) {
        *self.delay.lock().unwrap() = delay;
    }

    /// Sequences of what was published with a key, in order.
    pub fn sequences(&self, key: &str) -> Vec<u64> {
        let records = self.records.lock().unwrap();
        let of_key = records.iter().filter(|(_, record)| record.key == key);
        of_key
            .map(|(_, record)| {
                record.headers.iter().find(|(name, _)| name == CE_SEQUENCE).unwrap().1.parse().unwrap()
            })
            .collect()
    }

    /// Topic and record of what was published, in order.
    pub fn records(&self) -> Vec<(String, NewRecord)> {
        self.records.lock().unwrap().clone()
    }
}

/// A publish of a key, until it ends or is given up.
struct AtWork<'a> {
    log: &'a FakeLog,
    key: String,
}

impl Drop for AtWork<'_> {
    fn drop(&mut self) {
        self.log.at_work.lock().unwrap().remove(&self.key);
    }
}

#[async_trait]
impl EventLog for FakeLog {
    async fn publish(&self, topic: &str, records: Vec<NewRecord>) -> Result<(), LogError> {
        let key = records[0].key.clone();
        assert!(self.at_work.lock().unwrap().insert(key.clone()), "two publishes of {key} at once");
        let at_work = AtWork { log: self, key };
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
        drop(at_work);
        if self.away.load(SeqCst) {
            return Err(LogError::Unavailable("no broker".into()));
        }
        let halfway = self.halfway.fetch_update(SeqCst, SeqCst, |times| times.checked_sub(1)).is_ok();
        let count = if halfway { records.len() / 2 } else { records.len() };
        let named = records.into_iter().take(count).map(|record| (topic.to_owned(), record));
        self.records.lock().unwrap().extend(named);
        if halfway { Err(LogError::Unavailable("connection reset".into())) } else { Ok(()) }
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        if self.away.load(SeqCst) { Err(LogError::Unavailable("no broker".into())) } else { Ok(12) }
    }

    async fn bounds(&self, _: &str, _: u32) -> Result<(u64, u64), LogError> {
        Ok((0, 0))
    }

    async fn tail(&self, _: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Ok(Box::new(Silence))
    }

    async fn subscribe(&self, group: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Missing(group.into()))
    }
}

/// A tail that nothing comes from.
struct Silence;

#[async_trait]
impl Tail for Silence {
    async fn next(&mut self, _: usize) -> Result<Vec<Record>, LogError> {
        std::future::pending().await
    }
}
