//! What every event log does: order, bounds, tails, and groups that hand partitions over without losing any; in
//! [`appending`] what owners of an id append, and what readers see of it.
//!
//! [`event_log_conformance!`](crate::event_log_conformance) makes a test of each behaviour.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "a suite panics where a test would"
)]

mod appending;

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_runtime::log::{
    Batch, Committed, EventLog, GroupEvent, LogError, Subscription, Tail, TopicPartition, UntilEnd,
};
use boxoffice_runtime::record::{NewRecord, Record};
use tokio::time::timeout;

pub use self::appending::*;
use crate::servers::unique;
use crate::wait::PATIENCE;

/// How long a member waits at a time, as the workers do.
const WAIT: Duration = Duration::from_millis(500);

/// A log to test, and topics on it.
#[async_trait]
pub trait Logs: Sync {
    /// The log; each call may give a new one on the same records.
    fn log(&self) -> Box<dyn EventLog>;

    /// A new, empty topic.
    async fn topic(&self, partitions: u32) -> String;

    /// Ends whatever the log runs in and starts it again on what is stored; nothing of [`log`](Self::log) is in use.
    /// Servers of their own, which outlive every client, need not do anything.
    async fn restart(&self) {}
}

/// A test of each behaviour on the log that the expression gives.
#[macro_export]
macro_rules! event_log_conformance {
    ($logs:expr) => {
        $crate::event_log_conformance! { $logs =>
            records_keep_their_order_within_and_across_calls
            keys_bodies_and_headers_survive
            bounds_are_the_first_offset_and_the_next
            a_tail_begins_in_the_middle
            a_tail_waits_and_wakes
            a_tail_takes_no_more_than_asked
            a_tail_outside_the_bounds_is_refused
            what_is_not_there_is_missing
            a_group_begins_at_the_earliest_record
            a_member_resumes_at_the_commit
            a_seek_wins_over_the_commit
            a_seek_moves_a_partition_that_is_being_read
            a_paused_partition_gives_nothing_until_it_is_resumed
            a_partition_paused_when_assigned_gives_nothing
            two_members_share_the_partitions_and_none_is_lost
            a_revoked_partition_waits_for_its_member
            a_member_that_leaves_hands_over_at_once
            groups_do_not_share_offsets
            topics_and_records_survive_a_restart
            an_append_is_all_or_nothing_and_tells_its_offsets
            a_later_appender_fences_the_earlier_one
            an_appender_that_rests_stays_the_owner_and_no_longer
            a_fenced_appender_leaves_nothing_to_a_group
            contenders_that_read_before_they_append_never_repeat_each_other
            appenders_of_different_ids_do_not_disturb_each_other
            an_append_that_nobody_waits_for_is_settled_by_the_next_appender
            a_tail_is_told_each_end_behind_its_records
            ends_and_bounds_agree
            a_group_is_told_an_end_that_is_further_than_its_last_record
            a_group_of_two_topics_is_told_the_ends_of_each
            who_is_no_member_reads_what_a_group_committed
        }
    };
    ($logs:expr => $($behaviour:ident)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $behaviour() {
                $crate::conformance::event_log::$behaviour(&$logs).await;
            }
        )+
    };
}

/// What a group committed is told to who has not joined it, with the topic that it was said of where topics have ids, and leaves
/// its members alone.
pub async fn who_is_no_member_reads_what_a_group_committed(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(2).await, unique("group"));
    let at = |partition| TopicPartition { topic: topic.clone(), partition };
    assert_eq!(log.committed(&group, &at(0)).await.unwrap(), None);
    log.publish(&topic, vec![numbered(0, 1), numbered(0, 2)]).await.unwrap();
    let mut member = join(&*log, &group, &topic).await;
    assigned(&mut *member).await;
    let id = log.identity(&topic).await.unwrap();
    member.commit(&at(0), 2, id.as_deref()).await.unwrap();
    let committed = Some(Committed { offset: 2, log: id });
    assert_eq!(log.committed(&group, &at(0)).await.unwrap(), committed);
    assert_eq!(log.committed(&group, &at(1)).await.unwrap(), None);
    assert_eq!(member.committed(&at(0)).await.unwrap(), committed, "it is still a member");
    member.leave().await;
}

/// Records of a partition come back in the order of publishing, also those of different calls.
pub async fn records_keep_their_order_within_and_across_calls(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(2).await);
    for call in 0..3 {
        let records = (0..100).map(|n| numbered(n % 2, call * 100 + n)).collect();
        log.publish(&topic, records).await.unwrap();
    }
    let read = read_tail(&*log, &topic, vec![(0, 0), (1, 0)], 300).await;
    for partition in 0..2 {
        let expected: Vec<_> = (0..300).filter(|n| n % 2 == partition).collect();
        assert_eq!(numbers(read.iter().filter(|record| record.partition == partition)), expected);
    }
}

/// What was published is what is read.
pub async fn keys_bodies_and_headers_survive(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    let headers = vec![("ce_id".into(), "1".into()), ("ce_subject".into(), "früh".into())];
    let value = br#"{"any":"body"}"#.to_vec();
    let record = NewRecord { partition: 0, key: "arena-night".into(), value, headers, timestamp: 1 };
    log.publish(&topic, vec![record.clone()]).await.unwrap();
    let read = read_tail(&*log, &topic, vec![(0, 0)], 1).await;
    let NewRecord { partition, key, value, headers, timestamp: _ } = record;
    assert_eq!(read, [Record::new(partition, 0, key, value, headers)]);
}

/// An empty partition begins and ends at 0; each record moves the end.
pub async fn bounds_are_the_first_offset_and_the_next(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(2).await);
    assert_eq!(log.partitions(&topic).await.unwrap(), 2);
    assert_eq!(log.bounds(&topic, 1).await.unwrap(), (0, 0));
    log.publish(&topic, (0..3).map(|n| numbered(1, n)).collect()).await.unwrap();
    assert_eq!(log.bounds(&topic, 1).await.unwrap(), (0, 3));
    assert_eq!(log.bounds(&topic, 0).await.unwrap(), (0, 0));
}

/// A tail gives the record at its offset first.
pub async fn a_tail_begins_in_the_middle(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    let read = read_tail(&*log, &topic, vec![(0, 7)], 3).await;
    assert_eq!(numbers(&read), [7, 8, 9]);
    assert_eq!(read[0].offset, 7);
}

/// A tail at the end gives the next record as soon as it is published.
pub async fn a_tail_waits_and_wakes(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    let mut tail = log.tail(&topic, vec![(0, 0)]).await.unwrap();
    for n in 0..3 {
        let (read, published) = tokio::join!(next(&mut *tail, 10), log.publish(&topic, vec![numbered(0, n)]));
        published.unwrap();
        assert_eq!(numbers(&read), [n]);
    }
}

/// A batch has at most the number asked for.
pub async fn a_tail_takes_no_more_than_asked(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut tail = log.tail(&topic, vec![(0, 0)]).await.unwrap();
    let mut read = Vec::new();
    while read.len() < 10 {
        let batch = next(&mut *tail, 3).await;
        assert!((1..=3).contains(&batch.len()), "{} records", batch.len());
        read.extend(batch);
    }
    assert_eq!(numbers(&read), (0..10).collect::<Vec<_>>());
}

/// An offset that the partition does not have yet is an error that says what it has.
pub async fn a_tail_outside_the_bounds_is_refused(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..3).map(|n| numbered(0, n)).collect()).await.unwrap();
    let error = log.tail(&topic, vec![(0, 4)]).await.err().expect("an error");
    assert!(
        matches!(error, LogError::OutOfRange { partition: 0, offset: 4, begin: 0, end: 3, .. }),
        "{error}"
    );
}

/// A topic or partition that is not there is told as that.
pub async fn what_is_not_there_is_missing(logs: &dyn Logs) {
    let (log, topic, absent) = (logs.log(), logs.topic(1).await, unique("absent"));
    let errors = [
        log.partitions(&absent).await.err(),
        log.bounds(&absent, 0).await.err(),
        log.bounds(&topic, 1).await.err(),
        log.publish(&absent, vec![numbered(0, 0)]).await.err(),
        log.publish(&topic, vec![numbered(1, 0)]).await.err(),
        log.tail(&absent, vec![(0, 0)]).await.err(),
        log.tail(&topic, vec![(1, 0)]).await.err(),
        log.subscribe(&unique("group"), std::slice::from_ref(&absent)).await.err(),
    ];
    for (n, error) in errors.iter().enumerate() {
        assert!(matches!(error, Some(LogError::Missing(_))), "call {n}: {error:?}");
    }
    log.publish(&topic, vec![numbered(0, 0)]).await.unwrap();
}

/// A group without offsets reads everything, after it was told which partitions it has.
pub async fn a_group_begins_at_the_earliest_record(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(2).await);
    log.publish(&topic, (0..10).map(|n| numbered(n % 2, n)).collect()).await.unwrap();
    let mut member = join(&*log, &unique("group"), &topic).await;
    assert_eq!(assigned(&mut *member).await, [partition(&topic, 0), partition(&topic, 1)]);
    assert_eq!(member.committed(&partition(&topic, 0)).await.unwrap(), None);
    let mut read = numbers(&records(&mut *member, 10).await);
    read.sort_unstable();
    assert_eq!(read, (0..10).collect::<Vec<_>>());
    member.leave().await;
}

/// The next member begins where the last one said it was done.
pub async fn a_member_resumes_at_the_commit(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(1).await, unique("group"));
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut first = join(&*log, &group, &topic).await;
    assigned(&mut *first).await;
    records(&mut *first, 10).await;
    first.commit(&partition(&topic, 0), 6, None).await.unwrap();
    first.leave().await;

    let mut second = join(&*log, &group, &topic).await;
    assigned(&mut *second).await;
    assert_eq!(place(&mut *second, &partition(&topic, 0)).await, Some(6));
    assert_eq!(numbers(&records(&mut *second, 4).await), [6, 7, 8, 9]);
    second.leave().await;
}

/// The view's checkpoint is the truth (I5): a seek at the assignment decides, wherever the group is.
pub async fn a_seek_wins_over_the_commit(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(1).await, unique("group"));
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut first = join(&*log, &group, &topic).await;
    assigned(&mut *first).await;
    first.commit(&partition(&topic, 0), 8, None).await.unwrap();
    first.leave().await;

    let mut second = join(&*log, &group, &topic).await;
    assigned(&mut *second).await;
    second.seek(&partition(&topic, 0), 3).await.unwrap();
    assert_eq!(numbers(&records(&mut *second, 7).await), (3..10).collect::<Vec<_>>());
    second.leave().await;
}

/// Nothing from before a seek comes after it.
pub async fn a_seek_moves_a_partition_that_is_being_read(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..100).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut member = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *member).await;
    let read = match event(&mut *member, 5).await {
        GroupEvent::Records(records) => records.len(),
        other => panic!("records expected: {other:?}"),
    };
    assert!((1..=5).contains(&read), "{read} records");
    member.seek(&partition(&topic, 0), 90).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 10).await), (90..100).collect::<Vec<_>>());
    member.seek(&partition(&topic, 0), 0).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 100).await), (0..100).collect::<Vec<_>>());
    member.leave().await;
}

/// The other partitions go on; after the resume nothing is missing.
pub async fn a_paused_partition_gives_nothing_until_it_is_resumed(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(2).await);
    let mut member = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *member).await;
    log.publish(&topic, vec![numbered(0, 0)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 1).await), [0]);

    member.pause(&partition(&topic, 0)).unwrap();
    log.publish(&topic, vec![numbered(0, 1), numbered(0, 2), numbered(1, 3)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 1).await), [3]);
    idle(&mut *member).await;

    member.resume(&partition(&topic, 0)).unwrap();
    assert_eq!(numbers(&records(&mut *member, 2).await), [1, 2]);
    member.leave().await;
}

/// As a consumer does that must first ask its view where to begin.
pub async fn a_partition_paused_when_assigned_gives_nothing(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut member = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *member).await;
    member.pause(&partition(&topic, 0)).unwrap();
    idle(&mut *member).await;
    member.seek(&partition(&topic, 0), 5).await.unwrap();
    member.resume(&partition(&topic, 0)).unwrap();
    assert_eq!(numbers(&records(&mut *member, 5).await), (5..10).collect::<Vec<_>>());
    member.leave().await;
}

/// Each partition has one member at a time, and together they read every record.
pub async fn two_members_share_the_partitions_and_none_is_lost(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(4).await, unique("group"));
    let mut first = join(&*log, &group, &topic).await;
    assert_eq!(assigned(&mut *first).await.len(), 4);
    let mut second = join(&*log, &group, &topic).await;

    let (given, taken) = timeout(PATIENCE, hand_over(&mut *first, &mut *second)).await.expect("a hand-over");
    assert_eq!(given, taken);
    assert_eq!(given.len(), 2);

    log.publish(&topic, (0..40).map(|n| numbered(n % 4, n)).collect()).await.unwrap();
    let (left, right) = tokio::join!(records(&mut *first, 20), records(&mut *second, 20));
    assert!(right.iter().all(|record| taken.iter().any(|own| own.partition == record.partition)));
    let mut read = [numbers(&left), numbers(&right)].concat();
    read.sort_unstable();
    assert_eq!(read, (0..40).collect::<Vec<_>>());
    first.leave().await;
    second.leave().await;
}

/// A partition goes to the next member only when the last one came back from `Revoked`; what it committed meanwhile
/// is where the next one begins.
pub async fn a_revoked_partition_waits_for_its_member(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(2).await, unique("group"));
    log.publish(&topic, (0..20).map(|n| numbered(n % 2, n)).collect()).await.unwrap();
    let mut first = join(&*log, &group, &topic).await;
    assigned(&mut *first).await;
    records(&mut *first, 20).await;
    let mut second = join(&*log, &group, &topic).await;
    let revoked = match until_event(&mut *first, &mut *second).await {
        GroupEvent::Revoked(partitions) => partitions,
        other => panic!("revoked expected: {other:?}"),
    };
    let [own] = revoked.as_slice() else { panic!("one partition expected: {revoked:?}") };

    idle(&mut *second).await;
    first.commit(own, 10, None).await.unwrap();
    idle(&mut *second).await;

    let ((), taken) = tokio::join!(idle(&mut *first), assigned(&mut *second));
    assert_eq!(taken, revoked);
    assert_eq!(place(&mut *second, own).await, Some(10));
    log.publish(&topic, vec![numbered(own.partition, 99)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *second, 1).await), [99]);
    first.leave().await;
    second.leave().await;
}

/// Nobody waits for a session to time out.
pub async fn a_member_that_leaves_hands_over_at_once(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(2).await, unique("group"));
    let mut first = join(&*log, &group, &topic).await;
    assigned(&mut *first).await;
    let mut second = join(&*log, &group, &topic).await;
    timeout(PATIENCE, hand_over(&mut *first, &mut *second)).await.expect("a hand-over");
    first.leave().await;
    let taken = timeout(Duration::from_secs(5), assigned(&mut *second)).await;
    assert_eq!(taken.expect("a hand-over below the session time-out").len(), 1);
    second.leave().await;
}

/// What one group committed is nothing to another.
pub async fn groups_do_not_share_offsets(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    log.publish(&topic, (0..3).map(|n| numbered(0, n)).collect()).await.unwrap();
    let mut one = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *one).await;
    one.commit(&partition(&topic, 0), 3, None).await.unwrap();
    one.leave().await;
    let mut other = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *other).await;
    assert_eq!(numbers(&records(&mut *other, 3).await), [0, 1, 2]);
    other.leave().await;
}

/// Topics keep their partitions and records; what is published next comes behind them.
pub async fn topics_and_records_survive_a_restart(logs: &dyn Logs) {
    let topic = logs.topic(2).await;
    logs.log().publish(&topic, (0..6).map(|n| numbered(n % 2, n)).collect()).await.unwrap();
    logs.restart().await;
    let log = logs.log();
    assert_eq!(log.partitions(&topic).await.unwrap(), 2);
    assert_eq!(log.bounds(&topic, 0).await.unwrap(), (0, 3));
    log.publish(&topic, vec![numbered(0, 6)]).await.unwrap();
    let read = read_tail(&*log, &topic, vec![(0, 1)], 3).await;
    assert_eq!(numbers(&read), [2, 4, 6]);
    assert_eq!(read.iter().map(|record| record.offset).collect::<Vec<_>>(), [1, 2, 3]);

    let mut member = join(&*log, &unique("group"), &topic).await;
    assert_eq!(assigned(&mut *member).await.len(), 2);
    assert_eq!(numbers(&records(&mut *member, 7).await), [0, 2, 4, 6, 1, 3, 5]);
    member.leave().await;
}

/// A record that says which one it is.
pub fn numbered(partition: u32, number: u32) -> NewRecord {
    NewRecord {
        partition,
        key: "arena-night".to_owned(),
        value: number.to_string().into_bytes(),
        headers: Vec::new(),
        timestamp: 1_700_000_000_000,
    }
}

/// Which ones these are.
pub fn numbers<'a>(records: impl IntoIterator<Item = &'a Record>) -> Vec<u32> {
    let number = |record: &Record| std::str::from_utf8(&record.value).unwrap().parse().unwrap();
    records.into_iter().map(number).collect()
}

/// The next `count` records, or more, from these offsets.
pub async fn read_tail(log: &dyn EventLog, topic: &str, from: Vec<(u32, u64)>, count: usize) -> Vec<Record> {
    let mut tail = log.tail(topic, from).await.unwrap();
    let mut records = Vec::new();
    while records.len() < count {
        records.extend(batch(&mut *tail, 1000).await.records);
    }
    records
}

/// Everything that is on a topic now, in order within each partition.
pub async fn read_all(log: &dyn EventLog, topic: &str) -> Vec<Record> {
    let mut reading = UntilEnd::open(log, topic).await.unwrap();
    let mut all = Vec::new();
    while let Some(records) = timeout(PATIENCE, reading.next(1000)).await.expect("the end in time").unwrap() {
        all.extend(records);
    }
    all
}

/// The next records of a tail: at least one.
pub async fn next(tail: &mut dyn Tail, max: usize) -> Vec<Record> {
    loop {
        let batch = batch(tail, max).await;
        if !batch.records.is_empty() {
            return batch.records;
        }
    }
}

async fn batch(tail: &mut dyn Tail, max: usize) -> Batch {
    timeout(PATIENCE, tail.next(max)).await.expect("something in time").unwrap()
}

fn partition(topic: &str, partition: u32) -> TopicPartition {
    TopicPartition { topic: topic.to_owned(), partition }
}

/// Where the member's group is.
async fn place(member: &mut dyn Subscription, partition: &TopicPartition) -> Option<u64> {
    member.committed(partition).await.unwrap().map(|committed| committed.offset)
}

async fn join(log: &dyn EventLog, group: &str, topic: &str) -> Box<dyn Subscription> {
    log.subscribe(group, &[topic.to_owned()]).await.unwrap()
}

/// What happens next, other than nothing.
async fn event(member: &mut dyn Subscription, max: usize) -> GroupEvent {
    timeout(PATIENCE, async {
        loop {
            match member.next(max, WAIT).await.unwrap() {
                GroupEvent::Idle => {}
                other => return other,
            }
        }
    })
    .await
    .expect("an event in time")
}

async fn assigned(member: &mut dyn Subscription) -> Vec<TopicPartition> {
    match event(member, 1).await {
        GroupEvent::Assigned(mut partitions) => {
            partitions.sort();
            partitions
        }
        other => panic!("assigned expected: {other:?}"),
    }
}

/// The next `count` records, each partition's in order.
async fn records(member: &mut dyn Subscription, count: usize) -> Vec<Record> {
    let mut read: BTreeMap<TopicPartition, Vec<Record>> = BTreeMap::new();
    while read.values().map(Vec::len).sum::<usize>() < count {
        match event(member, 1000).await {
            GroupEvent::Records(records) => {
                for (partition, record) in records {
                    read.entry(partition).or_default().push(record);
                }
            }
            other => panic!("records expected: {other:?}"),
        }
    }
    read.into_values().flatten().collect()
}

/// Nothing happens for a while.
async fn idle(member: &mut dyn Subscription) {
    match member.next(1000, WAIT).await.unwrap() {
        GroupEvent::Idle => {}
        other => panic!("nothing expected: {other:?}"),
    }
}

/// The first event of `first` while `second` goes on joining.
async fn until_event(first: &mut dyn Subscription, second: &mut dyn Subscription) -> GroupEvent {
    tokio::select! {
        event = event(first, 1000) => event,
        event = event(second, 1000) => panic!("nothing expected of the second member yet: {event:?}"),
    }
}

/// Both members go on until the second one has partitions: those that the first one gave, and that the second took.
async fn hand_over(
    first: &mut dyn Subscription,
    second: &mut dyn Subscription,
) -> (Vec<TopicPartition>, Vec<TopicPartition>) {
    let mut given = Vec::new();
    let taken = tokio::select! {
        taken = assigned(second) => taken,
        () = async {
            loop {
                match event(first, 1000).await {
                    GroupEvent::Revoked(mut partitions) => {
                        partitions.sort();
                        given = partitions;
                    }
                    other => panic!("revoked expected: {other:?}"),
                }
            }
        } => unreachable!("it ends by a panic only"),
    };
    (given, taken)
}
