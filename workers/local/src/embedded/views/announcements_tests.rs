use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use async_trait::async_trait;
use boxoffice_domain::Metadata;
use boxoffice_domain::events::VERSION;
use boxoffice_runtime::log::{Appender, Batch, ReadToEnd, Subscription, Tail};
use boxoffice_runtime::record::Record;
use tokio::sync::watch;
use tokio_util::sync::DropGuard;
use uuid::Uuid;

use super::*;

const PARTITIONS: u32 = 12;

fn announcement(event: &str, as_of_sequence: u64) -> Envelope {
    let stats = StatsUpdated { event_id: event.parse().unwrap(), as_of_sequence, epoch: 0, sections: vec![] };
    Envelope {
        event_id: Uuid::new_v4(),
        timestamp: 1,
        version: VERSION,
        metadata: Metadata {
            correlation_id: "c".parse().unwrap(),
            causation_id: Uuid::nil(),
            user_id: None,
            sequence: None,
        },
        event: DomainEvent::StatsUpdated(stats),
    }
}

/// Remembers what was published; fails as often as it is told to.
#[derive(Default)]
struct FakeLog {
    records: watch::Sender<Vec<NewRecord>>,
    failures: AtomicUsize,
}

impl FakeLog {
    fn fails(&self) -> Result<(), LogError> {
        match self.failures.fetch_update(SeqCst, SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Err(LogError::Unavailable("it is away".into())),
            Err(_) => Ok(()),
        }
    }

    fn of(&self, partition: u32) -> Vec<Record> {
        let records = self.records.borrow();
        let of_partition = records.iter().filter(|record| record.partition == partition).cloned().zip(0..);
        let read = |(NewRecord { partition, key, value, headers, timestamp: _ }, offset)| {
            Record::new(partition, offset, key, value, headers)
        };
        of_partition.map(read).collect()
    }
}

#[async_trait]
impl EventLog for FakeLog {
    async fn publish(&self, _: &str, records: Vec<NewRecord>) -> Result<(), LogError> {
        self.fails()?;
        self.records.send_modify(|all| all.extend(records));
        Ok(())
    }

    async fn appender(&self, _: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Unavailable("a relay only publishes".into()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        self.fails().map(|()| PARTITIONS)
    }

    async fn bounds(&self, _: &str, partition: u32) -> Result<(u64, u64), LogError> {
        Ok((0, self.of(partition).len() as u64))
    }

    async fn tail(&self, _: &str, from: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        self.fails()?;
        Ok(Box::new(FakeTail(from.into_iter().flat_map(|(partition, _)| self.of(partition)).collect())))
    }

    async fn subscribe(&self, _: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Unavailable("a relay joins no group".into()))
    }
}

struct FakeTail(Vec<Record>);

#[async_trait]
impl Tail for FakeTail {
    async fn next(&mut self, _: usize) -> Result<Batch, LogError> {
        assert!(!self.0.is_empty(), "read beyond the end: that waits for ever");
        Ok(Batch { records: vec![self.0.remove(0)], ended: vec![] })
    }

    fn read_to_end(&self) -> ReadToEnd {
        ReadToEnd::Always
    }
}

/// A life of the process; it ends with its guard.
fn life(log: &Arc<FakeLog>, outbox: &Outbox) -> DropGuard {
    let stop = CancellationToken::new();
    let relay = Relay {
        log: Arc::clone(log) as _,
        topic: "stats-events".into(),
        source: "tickets/main".into(),
        outbox: outbox.clone(),
    };
    tokio::spawn(relay.run(stop.clone()));
    stop.drop_guard()
}

/// What was announced, once that is `count` announcements.
async fn announced(log: &FakeLog, count: usize) -> Vec<(String, u64)> {
    let mut records = log.records.subscribe();
    let records = records.wait_for(|records| records.len() >= count).await.unwrap();
    let read = records.iter().map(|record| stats(&record.value).unwrap());
    read.map(|stats| (stats.event_id.to_string(), stats.as_of_sequence)).collect()
}

#[tokio::test]
async fn what_waits_is_published_to_the_partition_of_its_seating_event() {
    let (log, outbox) = (Arc::new(FakeLog::default()), Outbox::default());
    outbox.put(announcement("arena-night", 4));
    outbox.put(announcement("other", 9));
    let _life = life(&log, &outbox);
    assert_eq!(announced(&log, 2).await, [("arena-night".into(), 4), ("other".into(), 9)]);
    for record in log.records.borrow().iter() {
        assert_eq!(record.partition, partition_of(&record.key, PARTITIONS));
        assert!(record.headers.contains(&("ce_source".into(), "/boxoffice/tickets/main".into())));
    }
}

#[tokio::test]
async fn an_announcement_takes_the_place_of_an_earlier_one_that_waits() {
    let outbox = Outbox::default();
    outbox.put(announcement("arena-night", 4));
    outbox.put(announcement("other", 9));
    outbox.put(announcement("arena-night", 5));
    let waiting = outbox.take().await;
    let sequences: Vec<_> =
        waiting.iter().map(|envelope| stats(&envelope.to_json().unwrap()).unwrap()).collect();
    assert_eq!(sequences.iter().map(|stats| stats.as_of_sequence).collect::<Vec<_>>(), [5, 9]);
}

#[tokio::test(start_paused = true)]
async fn what_the_log_does_not_take_is_tried_again_before_anything_later() {
    let (log, outbox) = (Arc::new(FakeLog::default()), Outbox::default());
    log.failures.store(3, SeqCst);
    outbox.put(announcement("arena-night", 4));
    let _life = life(&log, &outbox);
    announced(&log, 1).await;
    log.failures.store(3, SeqCst);
    outbox.put(announcement("arena-night", 5));
    assert_eq!(announced(&log, 2).await, [("arena-night".into(), 4), ("arena-night".into(), 5)]);
}

#[tokio::test]
async fn what_an_earlier_life_announced_is_not_announced_again() {
    let log = Arc::new(FakeLog::default());
    let earlier = Outbox::default();
    let ends = life(&log, &earlier);
    earlier.put(announcement("arena-night", 7));
    announced(&log, 1).await;
    earlier.put(announcement("arena-night", 9));
    announced(&log, 2).await;
    drop(ends);

    let outbox = Outbox::default();
    outbox.put(announcement("arena-night", 9));
    let _life = life(&log, &outbox);
    outbox.put(announcement("other", 1));
    announced(&log, 3).await;
    outbox.put(announcement("arena-night", 8));
    outbox.put(announcement("other", 2));
    announced(&log, 4).await;
    outbox.put(announcement("arena-night", 10));
    let expected = [("arena-night", 7), ("arena-night", 9), ("other", 1), ("other", 2), ("arena-night", 10)];
    let expected = expected.map(|(event, sequence)| (event.to_owned(), sequence));
    assert_eq!(announced(&log, 5).await, expected);
}
