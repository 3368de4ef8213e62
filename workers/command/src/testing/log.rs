//! A log that keeps what was published and appended, and fails when told to.
//!
//! As on Kafka, the end of each append takes an offset that no record has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::{Appender, Batch, EventLog, LogError, ReadToEnd, Subscription, Tail};
use boxoffice_runtime::record::{CE_SEQUENCE, NewRecord, Record};
use tokio::sync::watch;

/// How many partitions every topic has where nothing else is said.
const PARTITIONS: u32 = 12;

/// See the module.
#[derive(Default)]
pub struct FakeLog(Arc<Shared>);

#[derive(Default)]
struct Shared {
    kept: watch::Sender<Kept>,
    away: AtomicBool,
    halfway: AtomicUsize,
    lost: AtomicUsize,
    delay: Mutex<Duration>,
    at_work: Mutex<HashSet<String>>,
    more_partitions: AtomicU32,
    leaderless: Mutex<HashSet<u32>>,
    /// Partitions of transactions that have not ended, by id.
    open: Mutex<HashMap<String, HashSet<u32>>>,
    appenders: AtomicUsize,
    /// Which owner of an id is the last, by the order of taking over.
    owners: Mutex<HashMap<String, u64>>,
}

/// What there is, in the order in which it came.
#[derive(Default)]
struct Kept {
    records: Vec<(String, u64, NewRecord)>,
    ends: HashMap<(String, u32), u64>,
}

impl Kept {
    fn end(&self, topic: &str, partition: u32) -> u64 {
        self.ends.get(&(topic.to_owned(), partition)).copied().unwrap_or_default()
    }

    fn keep(&mut self, topic: &str, record: NewRecord) {
        let end = self.ends.entry((topic.to_owned(), record.partition)).or_default();
        self.records.push((topic.to_owned(), *end, record));
        *end += 1;
    }

    /// The records of a partition from an offset on.
    fn read(&self, topic: &str, partition: u32, from: u64, max: usize) -> Vec<Record> {
        let is_wanted = |(on, offset, record): &&(String, u64, NewRecord)| {
            on == topic && record.partition == partition && *offset >= from
        };
        let read = |(_, offset, record): &(String, u64, NewRecord)| {
            let NewRecord { partition, key, value, headers, timestamp: _ } = record.clone();
            Record::new(partition, *offset, key, value, headers)
        };
        self.records.iter().filter(is_wanted).take(max).map(read).collect()
    }
}

impl FakeLog {
    /// Whether it cannot be reached from now on.
    pub fn away(&self, away: bool) {
        self.0.away.store(away, SeqCst);
    }

    /// The next `times` publishes write their first half and fail; appends write nothing and fail.
    pub fn fail_halfway(&self, times: usize) {
        self.0.halfway.store(times, SeqCst);
    }

    /// The next `times` appends write everything and fail all the same: the answer is lost.
    pub fn lose_answers(&self, times: usize) {
        self.0.lost.store(times, SeqCst);
    }

    /// How long every publish and append takes.
    pub fn takes(&self, delay: Duration) {
        *self.0.delay.lock().unwrap() = delay;
    }

    /// Every topic has so many partitions from now on, 12 at least.
    pub fn has_partitions(&self, count: u32) {
        self.0.more_partitions.store(count.saturating_sub(PARTITIONS), SeqCst);
    }

    /// Whether a partition has a leader from now on. As on Kafka, a transaction that has one without does not end before it
    /// has one again, and its id begins no other meanwhile.
    pub fn lead(&self, partition: u32, is_led: bool) {
        let mut leaderless = self.0.leaderless.lock().unwrap();
        if is_led {
            leaderless.remove(&partition);
        } else {
            leaderless.insert(partition);
        }
    }

    /// How many there are.
    pub fn appenders(&self) -> usize {
        self.0.appenders.load(SeqCst)
    }

    /// Sequences of what was published with a key, in order.
    pub fn sequences(&self, key: &str) -> Vec<u64> {
        let kept = self.0.kept.borrow();
        let of_key = kept.records.iter().filter(|(_, _, record)| record.key == key);
        of_key
            .map(|(_, _, record)| {
                record.headers.iter().find(|(name, _)| name == CE_SEQUENCE).unwrap().1.parse().unwrap()
            })
            .collect()
    }

    /// Topic and record of what was published, in order.
    pub fn records(&self) -> Vec<(String, NewRecord)> {
        let kept = self.0.kept.borrow();
        kept.records.iter().map(|(topic, _, record)| (topic.clone(), record.clone())).collect()
    }
}

impl Shared {
    fn is_due(times: &AtomicUsize) -> bool {
        times.fetch_update(SeqCst, SeqCst, |times| times.checked_sub(1)).is_ok()
    }

    fn reached(&self) -> Result<(), LogError> {
        if self.away.load(SeqCst) { Err(LogError::Unavailable("no broker".into())) } else { Ok(()) }
    }

    /// Waits as long as a write of these records takes; no other write of their first key comes meanwhile.
    async fn take_time(&self, records: &[NewRecord]) {
        let key = records[0].key.clone();
        assert!(self.at_work.lock().unwrap().insert(key.clone()), "two writes of {key} at once");
        let _at_work = AtWork { log: self, key };
        let delay = *self.delay.lock().unwrap();
        tokio::time::sleep(delay).await;
    }

    /// Fails where one of `partitions` has no leader.
    fn led<'a>(&self, partitions: impl IntoIterator<Item = &'a u32>) -> Result<(), LogError> {
        let leaderless = self.leaderless.lock().unwrap();
        match partitions.into_iter().find(|partition| leaderless.contains(partition)) {
            Some(partition) => Err(LogError::Unavailable(format!("partition {partition} has no leader"))),
            None => Ok(()),
        }
    }

    fn is_owner(&self, id: &str, owner: u64) -> bool {
        self.owners.lock().unwrap().get(id) == Some(&owner)
    }
}

/// A write of a key, until it ends or is given up.
struct AtWork<'a> {
    log: &'a Shared,
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
        self.0.take_time(&records).await;
        self.0.reached()?;
        let halfway = Shared::is_due(&self.0.halfway);
        let count = if halfway { records.len() / 2 } else { records.len() };
        self.0.kept.send_modify(|kept| {
            records.into_iter().take(count).for_each(|record| kept.keep(topic, record));
        });
        if halfway { Err(LogError::Unavailable("connection reset".into())) } else { Ok(()) }
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        self.0.reached()?;
        self.0.led(self.0.open.lock().unwrap().get(id).into_iter().flatten())?;
        self.0.open.lock().unwrap().remove(id);
        let mut owners = self.0.owners.lock().unwrap();
        let last = owners.entry(id.to_owned()).or_default();
        *last += 1;
        self.0.appenders.fetch_add(1, SeqCst);
        Ok(Box::new(FakeAppender { log: self.0.clone(), id: id.to_owned(), owner: *last, is_spent: false }))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        self.0.reached().map(|()| PARTITIONS + self.0.more_partitions.load(SeqCst))
    }

    async fn bounds(&self, topic: &str, partition: u32) -> Result<(u64, u64), LogError> {
        self.0.reached()?;
        self.0.led(&[partition])?;
        Ok((0, self.0.kept.borrow().end(topic, partition)))
    }

    async fn tail(&self, topic: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        self.0.reached()?;
        Ok(Box::new(FakeTail { log: self.0.clone(), topic: topic.to_owned(), from, told: HashMap::new() }))
    }

    async fn subscribe(&self, group: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Missing(group.into()))
    }
}

struct FakeAppender {
    log: Arc<Shared>,
    id: String,
    owner: u64,
    is_spent: bool,
}

#[async_trait]
impl Appender for FakeAppender {
    async fn append(&mut self, topic: &str, records: Vec<NewRecord>) -> Result<BTreeMap<u32, u64>, LogError> {
        if !self.log.is_owner(&self.id, self.owner) {
            return Err(LogError::Fenced(self.id.clone()));
        }
        if std::mem::replace(&mut self.is_spent, true) {
            return Err(LogError::Unavailable("an append failed before".into()));
        }
        self.log.take_time(&records).await;
        self.log.reached()?;
        let partitions: HashSet<_> = records.iter().map(|record| record.partition).collect();
        if let Err(error) = self.log.led(&partitions) {
            self.log.open.lock().unwrap().insert(self.id.clone(), partitions);
            return Err(error);
        }
        if !self.log.is_owner(&self.id, self.owner) {
            return Err(LogError::Fenced(self.id.clone()));
        }
        if Shared::is_due(&self.log.halfway) {
            return Err(LogError::Unavailable("connection reset".into()));
        }
        let mut ends = BTreeMap::new();
        self.log.kept.send_modify(|kept| {
            for record in records {
                let partition = record.partition;
                kept.keep(topic, record);
                ends.insert(partition, kept.end(topic, partition));
            }
            for (&partition, &end) in &ends {
                kept.ends.insert((topic.to_owned(), partition), end + 1);
            }
        });
        if Shared::is_due(&self.log.lost) {
            return Err(LogError::Unavailable("connection reset".into()));
        }
        self.is_spent = false;
        Ok(ends)
    }
}

impl Drop for FakeAppender {
    fn drop(&mut self) {
        self.log.appenders.fetch_sub(1, SeqCst);
    }
}

struct FakeTail {
    log: Arc<Shared>,
    topic: String,
    from: Vec<(u32, u64)>,
    /// The end of a partition that was told last.
    told: HashMap<u32, u64>,
}

#[async_trait]
impl Tail for FakeTail {
    async fn next(&mut self, max: usize) -> Result<Batch, LogError> {
        let mut changes = self.log.kept.subscribe();
        loop {
            self.log.reached()?;
            let mut batch = Batch::default();
            {
                let kept = changes.borrow_and_update();
                for (partition, from) in &mut self.from {
                    let room = max - batch.records.len();
                    let records = kept.read(&self.topic, *partition, *from, room);
                    let is_all = records.len() < room;
                    if let Some(last) = records.last() {
                        *from = last.offset + 1;
                    }
                    batch.records.extend(records);
                    let end = kept.end(&self.topic, *partition);
                    if is_all && self.told.insert(*partition, end) != Some(end) {
                        batch.ended.push(*partition);
                    }
                }
            }
            if batch != Batch::default() {
                return Ok(batch);
            }
            changes.changed().await.ok();
        }
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Always
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(partition: u32) -> NewRecord {
        NewRecord { partition, key: "k".into(), value: vec![], headers: vec![], timestamp: 0 }
    }

    #[tokio::test]
    async fn the_last_owner_alone_appends_all_or_nothing() {
        let log = FakeLog::default();
        let mut first = log.appender("a").await.unwrap();
        assert_eq!(
            first.append("t", vec![record(0), record(1), record(0)]).await.unwrap(),
            [(0, 2), (1, 1)].into()
        );
        assert_eq!(log.bounds("t", 0).await.unwrap(), (0, 3), "behind the end of the append");
        log.appender("other").await.unwrap();
        first.append("t", vec![record(1)]).await.unwrap();

        let mut second = log.appender("a").await.unwrap();
        for _ in 0..2 {
            let fenced = first.append("t", vec![record(0)]).await;
            assert!(matches!(fenced, Err(LogError::Fenced(id)) if id == "a"));
        }
        log.fail_halfway(1);
        second.append("t", vec![record(0)]).await.unwrap_err();
        second.append("t", vec![record(0)]).await.unwrap_err();
        assert_eq!(log.records().len(), 4, "nothing of what failed");

        log.lose_answers(1);
        log.appender("a").await.unwrap().append("t", vec![record(0)]).await.unwrap_err();
        let mut tail = log.tail("t", vec![(0, 0), (1, 4)]).await.unwrap();
        let read = tail.next(10).await.unwrap();
        assert_eq!(read.records.iter().map(|record| record.offset).collect::<Vec<_>>(), [0, 1, 3]);
        assert_eq!(read.ended, [0, 1]);
    }
}
