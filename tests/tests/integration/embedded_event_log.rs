//! The event log in a data file: what every log does, and what Kafka does not need a test of here: groups' declared
//! starts, growth, and records that are older than what is in memory.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_local::embedded::journal::Journal;
use boxoffice_local::embedded::log::EmbeddedLog;
use boxoffice_operator::kafka::Start;
use boxoffice_runtime::log::{EventLog, GroupEvent, LogError, Subscription, TopicPartition};
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::conformance::event_log::{Logs, numbered, numbers, read_tail};
use boxoffice_tests::event_log_conformance;
use boxoffice_tests::servers::unique;
use boxoffice_tests::wait::PATIENCE;
use tempfile::TempDir;
use tokio::time::timeout;

/// A log in a folder of its own.
struct Embedded {
    folder: TempDir,
    /// None only while it restarts.
    log: Mutex<Option<EmbeddedLog>>,
}

impl Embedded {
    async fn new() -> Self {
        let logs = Self { folder: tempfile::tempdir().unwrap(), log: Mutex::default() };
        logs.restart().await;
        logs
    }

    fn get(&self) -> EmbeddedLog {
        self.log.lock().unwrap().clone().expect("a log that is open")
    }
}

#[async_trait]
impl Logs for Embedded {
    fn log(&self) -> Box<dyn EventLog> {
        Box::new(self.get())
    }

    async fn topic(&self, partitions: u32) -> String {
        let name = unique("log");
        self.get().create_topic(&name, partitions).await.unwrap();
        name
    }

    async fn restart(&self) {
        drop(self.log.lock().unwrap().take());
        let journal = Journal::open(self.folder.path()).await.expect("a folder that nothing uses any more");
        let log = EmbeddedLog::open(journal).await.unwrap();
        *self.log.lock().unwrap() = Some(log);
    }
}

event_log_conformance!(Embedded::new().await);

fn at(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

/// Where `group` begins in the two partitions of `topic`.
async fn starts(log: &EmbeddedLog, group: &str, topic: &str) -> [Option<u64>; 2] {
    let mut member = log.subscribe(group, &[topic.to_owned()]).await.unwrap();
    let starts = [offset(&mut *member, topic, 0).await, offset(&mut *member, topic, 1).await];
    member.leave().await;
    starts
}

/// Where the member's group is in a partition.
async fn offset(member: &mut dyn Subscription, topic: &str, partition: u32) -> Option<u64> {
    member.committed(&at(topic, partition)).await.unwrap().map(|committed| committed.offset)
}

/// The partitions that the member is assigned next.
async fn assigned(member: &mut dyn Subscription) -> Vec<u32> {
    match timeout(PATIENCE, member.next(1, PATIENCE)).await.unwrap().unwrap() {
        GroupEvent::Assigned(partitions) => partitions.iter().map(|one| one.partition).collect(),
        other => panic!("assigned expected: {other:?}"),
    }
}

/// Which ones the next `count` records are.
async fn records(member: &mut dyn Subscription, count: usize) -> Vec<u32> {
    let mut read = Vec::new();
    while read.len() < count {
        match timeout(PATIENCE, member.next(count, PATIENCE)).await.unwrap().unwrap() {
            GroupEvent::Records(records) => read.extend(numbers(records.iter().map(|(_, record)| record))),
            other => panic!("records expected: {other:?}"),
        }
    }
    read
}

fn of_time(partition: u32, number: u32, timestamp: u64) -> NewRecord {
    NewRecord { timestamp, ..numbered(partition, number) }
}

#[tokio::test]
async fn a_group_begins_where_it_was_declared_when_it_was_created() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(2).await);
    let times = vec![of_time(0, 0, 100), of_time(0, 1, 300), of_time(0, 2, 200), of_time(1, 3, 100)];
    log.publish(&topic, times).await.unwrap();
    let declared = [
        ("earliest", Start::Earliest, [Some(0), Some(0)]),
        ("latest", Start::Latest, [Some(3), Some(1)]),
        ("timestamp", Start::Timestamp(150), [Some(1), Some(1)]),
    ];
    for (group, start, _) in declared {
        log.create_group(group, &topic, start).await.unwrap();
    }
    log.publish(&topic, (4..8).map(|n| numbered(n % 2, n)).collect()).await.unwrap();
    for (group, _, expected) in declared {
        // A second declaration, also of another start, moves nothing.
        log.create_group(group, &topic, Start::Latest).await.unwrap();
        assert_eq!(starts(&log, group, &topic).await, expected, "{group}");
    }
    drop(log);
    logs.restart().await;
    let log = logs.get();
    for (group, _, expected) in declared {
        log.create_group(group, &topic, Start::Latest).await.unwrap();
        assert_eq!(starts(&log, group, &topic).await, expected, "{group} after a restart");
    }
    let mut member = log.subscribe("latest", std::slice::from_ref(&topic)).await.unwrap();
    assert_eq!(assigned(&mut *member).await, [0, 1]);
    let mut read = records(&mut *member, 4).await;
    read.sort_unstable();
    assert_eq!(read, [4, 5, 6, 7], "what came after its creation");
}

#[tokio::test]
async fn a_commit_is_forgotten_with_the_process_and_a_declared_start_is_not() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    log.create_group("group", &topic, Start::Earliest).await.unwrap();
    log.publish(&topic, (0..5).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut member = log.subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    assigned(&mut *member).await;
    member.commit(&at(&topic, 0), 4, None).await.unwrap();
    assert_eq!(offset(&mut *member, &topic, 0).await, Some(4));
    member.leave().await;
    drop(log);
    logs.restart().await;
    let mut member = logs.get().subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    assert_eq!(offset(&mut *member, &topic, 0).await, Some(0));
}

#[tokio::test]
async fn a_topic_grows_under_its_members_and_never_shrinks() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    log.create_group("group", &topic, Start::Latest).await.unwrap();
    let mut member = log.subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    assert_eq!(assigned(&mut *member).await, [0]);

    let (grown, created) = tokio::join!(assigned(&mut *member), log.create_topic(&topic, 3));
    created.unwrap();
    assert_eq!(grown, [1, 2], "while it waits");
    log.publish(&topic, vec![numbered(2, 7)]).await.unwrap();
    assert_eq!(records(&mut *member, 1).await, [7]);
    log.create_group("group", &topic, Start::Latest).await.unwrap();
    assert_eq!(offset(&mut *member, &topic, 2).await, Some(0), "a new partition is read from its beginning");
    member.leave().await;

    log.create_topic(&topic, 2).await.unwrap();
    assert_eq!(log.partitions(&topic).await.unwrap(), 3);
    drop(log);
    logs.restart().await;
    assert_eq!(logs.get().partitions(&topic).await.unwrap(), 3);
    assert_eq!(logs.get().bounds(&topic, 2).await.unwrap(), (0, 1));
    assert_eq!(logs.get().bounds(&topic, 1).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn what_is_older_than_memory_is_read_from_the_file_and_then_goes_on() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    let published = 12_000;
    for first in (0..published).step_by(1_000) {
        log.publish(&topic, (first..first + 1_000).map(|n| numbered(0, n)).collect()).await.unwrap();
    }
    let read = read_tail(&log, &topic, vec![(0, 5)], 11_995).await;
    assert_eq!(numbers(&read), (5..published).collect::<Vec<_>>());
    assert!(read.iter().zip(5..).all(|(record, offset)| record.offset == offset));
}

#[tokio::test]
async fn a_partition_with_a_backlog_does_not_starve_another() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(2).await);
    log.publish(&topic, (0..100).map(|n| numbered(u32::from(n == 99), n)).collect()).await.unwrap();
    let mut tail = log.tail(&topic, vec![(0, 0), (1, 0)]).await.unwrap();
    let mut read = Vec::new();
    for _ in 0..2 {
        read.extend(tail.next(10).await.unwrap().records);
    }
    assert!(numbers(&read).contains(&99), "{:?}", numbers(&read));
}

#[tokio::test]
async fn a_publish_of_what_is_not_text_writes_nothing_and_says_why() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    let binary = NewRecord { value: vec![0xff], ..numbered(0, 1) };
    let error = log.publish(&topic, vec![numbered(0, 0), binary]).await.unwrap_err();
    assert!(error.to_string().contains("must be text"), "{error}");
    assert_eq!(log.bounds(&topic, 0).await.unwrap(), (0, 0));
}

#[tokio::test]
async fn a_member_has_no_say_over_anothers_partition() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    let mut first = log.subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    assigned(&mut *first).await;
    let mut second = log.subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    let error = second.commit(&at(&topic, 0), 0, None).await.unwrap_err();
    assert!(matches!(&error, LogError::Missing(_)), "{error}");
    // Dropped rather than left: its partition is free all the same.
    drop(first);
    assert_eq!(assigned(&mut *second).await, [0]);
    let nothing = second.next(1, Duration::ZERO).await.unwrap();
    assert!(matches!(nothing, GroupEvent::Idle), "{nothing:?}");
}

#[tokio::test]
async fn whoever_builds_a_view_anew_begins_where_the_group_was_declared_to() {
    let logs = Embedded::new().await;
    let (log, topic) = (logs.get(), logs.topic(1).await);
    log.publish(&topic, (0..4).map(|n| numbered(0, n)).collect()).await.unwrap();
    log.create_group("group", &topic, Start::Earliest).await.unwrap();
    let mut member = log.subscribe("group", std::slice::from_ref(&topic)).await.unwrap();
    assigned(&mut *member).await;
    member.commit(&at(&topic, 0), 3, None).await.unwrap();
    assert_eq!(offset(&mut *member, &topic, 0).await, Some(3));
    log.begin_anew();
    assert_eq!(offset(&mut *member, &topic, 0).await, Some(0));
}
