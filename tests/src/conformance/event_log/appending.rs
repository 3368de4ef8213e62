//! What owners of an id append, what readers see of it, and how they are told that they have seen everything.

use std::collections::BTreeMap;

use boxoffice_runtime::log::{Appender, EventLog, GroupEvent, LogError, Subscription, TopicPartition};
use futures::future::join_all;
use futures::{FutureExt, poll};
use tokio::time::timeout;

use super::{
    Logs, WAIT, assigned, batch, event, join, next, numbered, numbers, partition, read_all, read_tail,
    records,
};
use crate::servers::unique;
use crate::wait::PATIENCE;

/// One call appends to several partitions, or to none of them; the offsets that it tells are those behind its records.
pub async fn an_append_is_all_or_nothing_and_tells_its_offsets(logs: &dyn Logs) {
    let (log, topic, id) = (logs.log(), logs.topic(2).await, unique("owner"));
    let mut appender = log.appender(&id).await.unwrap();
    assert_eq!(appender.append(&topic, vec![]).await.unwrap(), BTreeMap::new());
    let first = appender.append(&topic, vec![numbered(0, 0), numbered(1, 1), numbered(0, 2)]).await.unwrap();
    let second = appender.append(&topic, vec![numbered(1, 3)]).await.unwrap();
    assert_eq!(first[&0], 2);
    let read = read_tail(&*log, &topic, vec![(0, 0), (1, 0)], 4).await;
    let behind = |partition: u32, number: u32| {
        let is_it = |record: &&_| numbers([*record]) == [number];
        let record = read.iter().find(is_it).expect("a record that was appended");
        assert_eq!(record.partition, partition);
        record.offset + 1
    };
    assert_eq!((behind(0, 2), behind(1, 1), behind(1, 3)), (first[&0], first[&1], second[&1]));
    assert_eq!((first.len(), second.len()), (2, 1));

    // Its last record cannot be appended, so the others are not.
    let all = vec![numbered(0, 4), numbered(1, 5), numbered(2, 6)];
    let failed = appender.append(&topic, all).await;
    assert!(matches!(failed, Err(LogError::Missing(_))), "{failed:?}");
    let spent = appender.append(&topic, vec![numbered(0, 7)]).await;
    assert!(matches!(spent, Err(LogError::Unavailable(_))), "{spent:?}");
    let mut next = log.appender(&id).await.unwrap();
    next.append(&topic, vec![numbered(0, 8), numbered(1, 9)]).await.unwrap();
    assert_eq!(seen(&*log, &topic, 6).await, [0, 1, 2, 3, 8, 9]);
}

/// Whoever takes an id over is the only one that appends under it from then on.
pub async fn a_later_appender_fences_the_earlier_one(logs: &dyn Logs) {
    let (log, topic, id) = (logs.log(), logs.topic(1).await, unique("owner"));
    let mut first = log.appender(&id).await.unwrap();
    first.append(&topic, vec![numbered(0, 0)]).await.unwrap();
    // As another process would.
    let other = logs.log();
    let mut second = other.appender(&id).await.unwrap();
    let before = log.bounds(&topic, 0).await.unwrap();
    for _ in 0..2 {
        fenced(&mut *first, &id, &topic).await;
    }
    assert_eq!(log.bounds(&topic, 0).await.unwrap(), before, "nothing of it counts");
    second.append(&topic, vec![numbered(0, 2)]).await.unwrap();
    assert_eq!(seen(&*log, &topic, 2).await, [0, 2]);
    log.appender(&id).await.unwrap();
    fenced(&mut *second, &id, &topic).await;
}

/// One that rested appends as before, in order; and is refused as any other where another took over, however busy it was.
pub async fn an_appender_that_rests_stays_the_owner_and_no_longer(logs: &dyn Logs) {
    let (log, topic, id) = (logs.log(), logs.topic(1).await, unique("owner"));
    let mut first = log.appender(&id).await.unwrap();
    for number in 0..9 {
        if number % 3 == 0 {
            first.rest();
        }
        first.append(&topic, vec![numbered(0, number)]).await.unwrap();
    }
    assert_eq!(numbers(&read_all(&*log, &topic).await), (0..9).collect::<Vec<_>>());
    let mut second = logs.log().appender(&id).await.unwrap();
    first.rest();
    for _ in 0..2 {
        fenced(&mut *first, &id, &topic).await;
    }
    first.rest();
    fenced(&mut *first, &id, &topic).await;
    for number in 9..12 {
        second.append(&topic, vec![numbered(0, number)]).await.unwrap();
    }
    log.appender(&id).await.unwrap();
    for _ in 0..2 {
        fenced(&mut *second, &id, &topic).await;
    }
    assert_eq!(seen(&*log, &topic, 12).await, (0..12).collect::<Vec<_>>());
}

/// A group never gets what a fenced appender tried.
pub async fn a_fenced_appender_leaves_nothing_to_a_group(logs: &dyn Logs) {
    let (log, topic, id) = (logs.log(), logs.topic(1).await, unique("owner"));
    let mut member = join(&*log, &unique("group"), &topic).await;
    assigned(&mut *member).await;
    let mut first = log.appender(&id).await.unwrap();
    let mut second = log.appender(&id).await.unwrap();
    fenced(&mut *first, &id, &topic).await;
    second.append(&topic, vec![numbered(0, 2)]).await.unwrap();
    second.append(&topic, vec![numbered(0, 3)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 2).await), [2, 3]);
    member.leave().await;
}

/// Whoever reads what there is after taking over, and appends what comes next, knows that nobody else did: also where
/// several take over at the same time.
pub async fn contenders_that_read_before_they_append_never_repeat_each_other(logs: &dyn Logs) {
    let (topic, id) = (logs.topic(1).await, unique("owner"));
    let contend = |turns: u32| {
        let (log, topic, id) = (logs.log(), topic.clone(), id.clone());
        async move {
            for _ in 0..turns {
                let Ok(mut appender) = log.appender(&id).await else { continue };
                let Ok(there) = u32::try_from(read_all(&*log, &topic).await.len()) else { return };
                for next in there..there + 3 {
                    match appender.append(&topic, vec![numbered(0, next)]).await {
                        Ok(_) => {}
                        Err(LogError::Fenced(_)) => break,
                        Err(other) => panic!("{other:?}"),
                    }
                }
            }
        }
    };
    join_all((0..3).map(|_| contend(4))).await;
    let mut last = logs.log().appender(&id).await.unwrap();
    let there = read_all(&*logs.log(), &topic).await;
    last.append(&topic, vec![numbered(0, u32::try_from(there.len()).unwrap())]).await.unwrap();
    let numbers = numbers(&read_all(&*logs.log(), &topic).await);
    assert_eq!(numbers, (0..).take(numbers.len()).collect::<Vec<_>>());
}

/// Taking over one id is nothing to the owner of another, on the same partition.
pub async fn appenders_of_different_ids_do_not_disturb_each_other(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(1).await);
    let (one, other) = (unique("owner"), unique("owner"));
    let mut first = log.appender(&one).await.unwrap();
    first.append(&topic, vec![numbered(0, 0)]).await.unwrap();
    let mut second = log.appender(&other).await.unwrap();
    for call in 0..3 {
        let (left, right) = tokio::join!(
            first.append(&topic, vec![numbered(0, call * 2 + 1)]),
            second.append(&topic, vec![numbered(0, call * 2 + 2)]),
        );
        assert_ne!(left.unwrap()[&0], right.unwrap()[&0]);
    }
    log.publish(&topic, vec![numbered(0, 7)]).await.unwrap();
    assert_eq!(seen(&*log, &topic, 8).await, (0..8).collect::<Vec<_>>());
}

/// Once the next owner is there, all of it is to be read, or none.
pub async fn an_append_that_nobody_waits_for_is_settled_by_the_next_appender(logs: &dyn Logs) {
    let (log, topic, id) = (logs.log(), logs.topic(2).await, unique("owner"));
    for _ in 0..3 {
        let mut appender = log.appender(&id).await.unwrap();
        let all = (0..40).map(|n| numbered(n % 2, n)).collect();
        let given_up = {
            let mut appending = appender.append(&topic, all).boxed();
            // One that takes no time is there.
            poll!(&mut appending).is_pending()
        };
        if given_up {
            let spent = appender.append(&topic, vec![numbered(0, 99)]).await;
            assert!(matches!(spent, Err(LogError::Unavailable(_))), "{spent:?}");
        }
        drop(appender);
        log.appender(&id).await.unwrap();
        let there = read_all(&*log, &topic).await.len();
        assert_eq!(there % 40, 0, "all or none of it");
        assert_eq!(read_all(&*log, &topic).await.len(), there, "and so it stays");
    }
}

/// Also where a partition has no records, and once each time that it ends.
pub async fn a_tail_is_told_each_end_behind_its_records(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(2).await);
    let mut appender = log.appender(&unique("owner")).await.unwrap();
    appender.append(&topic, (0..10).map(|n| numbered(0, n)).collect()).await.unwrap();
    seen(&*log, &topic, 10).await;
    let mut tail = log.tail(&topic, vec![(0, 0), (1, 0)]).await.unwrap();
    let (mut read, mut ended) = (vec![], vec![]);
    while ended.len() < 2 {
        let batch = batch(&mut *tail, 4).await;
        read.extend(numbers(&batch.records));
        if batch.ended.contains(&0) {
            assert_eq!(read, (0..10).collect::<Vec<_>>(), "it ends behind its records");
        }
        ended.extend(batch.ended);
    }
    ended.sort_unstable();
    assert_eq!(ended, [0, 1]);

    appender.append(&topic, vec![numbered(1, 10)]).await.unwrap();
    let (mut read, mut ended) = (vec![], vec![]);
    while ended.is_empty() {
        let batch = batch(&mut *tail, 4).await;
        read.extend(numbers(&batch.records));
        ended = batch.ended;
    }
    assert_eq!((read, ended), (vec![10], vec![1]));
}

/// A reader up to the ends that were asked for has everything; a tail that begins at the end is at it at once.
pub async fn ends_and_bounds_agree(logs: &dyn Logs) {
    let (log, topic) = (logs.log(), logs.topic(3).await);
    let mut appender = log.appender(&unique("owner")).await.unwrap();
    for n in 0..5 {
        appender.append(&topic, vec![numbered(0, n), numbered(1, n)]).await.unwrap();
    }
    log.publish(&topic, vec![numbered(1, 5)]).await.unwrap();
    assert_eq!(seen(&*log, &topic, 11).await.len(), 11);
    let mut ends = vec![];
    for partition in 0..3 {
        let (begin, end) = log.bounds(&topic, partition).await.unwrap();
        let records = read_all(&*log, &topic).await;
        let last = records.iter().rfind(|record| record.partition == partition);
        assert!(last.map_or(0, |record| record.offset + 1) <= end);
        assert_eq!(begin, 0);
        ends.push((partition, end));
    }
    let mut tail = log.tail(&topic, ends).await.unwrap();
    let mut ended = vec![];
    while ended.len() < 3 {
        let batch = batch(&mut *tail, 10).await;
        assert_eq!(batch.records, []);
        ended.extend(batch.ended);
    }
    appender.append(&topic, vec![numbered(2, 11)]).await.unwrap();
    assert_eq!(numbers(&next(&mut *tail, 10).await), [11]);
}

/// So that what it commits is the end of the partition, whatever comes behind the last record there; also where there is
/// no record left to be read. Where every offset has a record it is told nothing.
pub async fn a_group_is_told_an_end_that_is_further_than_its_last_record(logs: &dyn Logs) {
    let (log, topic, group) = (logs.log(), logs.topic(2).await, unique("group"));
    let mut appender = log.appender(&unique("owner")).await.unwrap();
    appender.append(&topic, (0..4).map(|n| numbered(0, n)).collect()).await.unwrap();
    seen(&*log, &topic, 4).await;
    let own = partition(&topic, 0);

    let mut member = join(&*log, &group, &topic).await;
    assigned(&mut *member).await;
    assert_eq!(numbers(&records(&mut *member, 4).await), [0, 1, 2, 3]);
    member.commit(&own, 4, None).await.unwrap();
    until_end(&*log, &mut *member, &own, 4).await;
    appender.append(&topic, vec![numbered(0, 4)]).await.unwrap();
    let behind = match event(&mut *member, 10).await {
        GroupEvent::Records(records) => records[0].1.offset + 1,
        other => panic!("a record expected: {other:?}"),
    };
    until_end(&*log, &mut *member, &own, behind).await;

    // It goes back, and begins behind the last record.
    member.seek(&own, 2).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 3).await), [2, 3, 4]);
    member.seek(&own, behind).await.unwrap();
    until_end(&*log, &mut *member, &own, behind).await;
    member.commit(&own, behind, None).await.unwrap();
    member.leave().await;
    let mut member = join(&*log, &group, &topic).await;
    assigned(&mut *member).await;
    until_end(&*log, &mut *member, &own, behind).await;
    member.leave().await;
}

/// Also where partitions of both have the same number, and only one has offsets behind its last record.
pub async fn a_group_of_two_topics_is_told_the_ends_of_each(logs: &dyn Logs) {
    let (log, one, other) = (logs.log(), logs.topic(1).await, logs.topic(1).await);
    let mut member = log.subscribe(&unique("group"), &[one.clone(), other.clone()]).await.unwrap();
    assert_eq!(assigned(&mut *member).await.len(), 2);
    let mut appender = log.appender(&unique("owner")).await.unwrap();
    log.publish(&one, vec![numbered(0, 0)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 1).await), [0]);
    let end = appender.append(&other, vec![numbered(0, 1)]).await.unwrap()[&0];
    assert_eq!(numbers(&records(&mut *member, 1).await), [1]);
    until_end(&*log, &mut *member, &partition(&other, 0), end).await;
    log.publish(&one, vec![numbered(0, 2)]).await.unwrap();
    assert_eq!(numbers(&records(&mut *member, 1).await), [2]);
    member.leave().await;
}

/// What readers see of a topic as soon as that is `count` records, in order.
async fn seen(log: &dyn EventLog, topic: &str, count: usize) -> Vec<u32> {
    let partitions = log.partitions(topic).await.unwrap();
    read_tail(log, topic, (0..partitions).map(|partition| (partition, 0)).collect(), count).await;
    let mut numbers = numbers(&read_all(log, topic).await);
    numbers.sort_unstable();
    numbers
}

async fn fenced(appender: &mut dyn Appender, id: &str, topic: &str) {
    let error = appender.append(topic, vec![numbered(0, 1)]).await;
    assert!(matches!(&error, Err(LogError::Fenced(of)) if of == id), "{error:?}");
}

/// The member is told that `partition` ends where the log says so, and commits it, unless that is right behind what it
/// has read; then it is told nothing more.
async fn until_end(
    log: &dyn EventLog,
    member: &mut dyn Subscription,
    partition: &TopicPartition,
    behind: u64,
) {
    let mut done = behind;
    let ending = async {
        loop {
            match member.next(10, WAIT).await.unwrap() {
                GroupEvent::Ended(ends) => {
                    let [(ended, end)] = ends.as_slice() else { panic!("one end expected: {ends:?}") };
                    assert!(ended == partition && *end > done, "{ended:?} at {end}, done at {done}");
                    done = *end;
                    member.commit(partition, done, None).await.unwrap();
                }
                GroupEvent::Idle => {
                    if log.bounds(&partition.topic, partition.partition).await.unwrap().1 == done {
                        return;
                    }
                }
                other => panic!("the end expected: {other:?}"),
            }
        }
    };
    timeout(PATIENCE, ending).await.expect("the end in time");
}
