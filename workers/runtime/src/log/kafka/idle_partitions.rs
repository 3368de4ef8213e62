//! Partitions that went idle: finds out how far a member of a group has been handed everything that there is.
//!
//! Behind the last record there may be offsets that no record has, such as the end of a transaction. librdkafka says
//! neither where a partition ended nor, through the rdkafka crate, of which topic it is; and its statistics are not to be
//! gone by, because for a moment after a pause, which it also makes by itself, they are of before. So where a partition
//! has ended and then was idle for a while the log itself is asked where it ends, and then a reader of its own whether
//! there is a record before that. Nothing is asked as long as no partition ends.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::pending;
use std::sync::Weak;
use std::time::Duration;

use rdkafka::Offset;
use rdkafka::consumer::{Consumer, StreamConsumer};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::task::AbortOnDropHandle;

use super::group_context::GroupContext;
use super::partition_list::{self, one};
use super::{ANSWER, KafkaLog, LogError, ask, failed, unavailable};
use crate::log::{Ends, EventLog, TopicPartition};
use crate::record::Record;

/// How long a partition has no record before it is idle.
const IDLE: Duration = Duration::from_secs(1);
/// Least time between two looks at the log.
const PAUSE: Duration = Duration::from_secs(2);
/// Records taken at once.
const BATCH: usize = 100;

/// See the module.
pub struct IdlePartitions {
    log: KafkaLog,
    readings: HashMap<TopicPartition, Reading>,
    /// How many there were.
    begun: u64,
    /// Those that ended, and may have offsets behind their last record.
    ended: BTreeSet<TopicPartition>,
    look_at: Instant,
    looking: Option<AbortOnDropHandle<Looked>>,
}

/// How far a partition was handed out since it was assigned or sought last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Reading {
    number: u64,
    /// Everything before this has been; `None` where it began with what the group committed and nothing came.
    behind: Option<u64>,
    last: Instant,
}

/// What was asked about, and the ends of those that have no more records.
type Looked = (Vec<(TopicPartition, Reading)>, Result<Vec<(TopicPartition, u64)>, LogError>);

type Group = StreamConsumer<GroupContext>;

impl IdlePartitions {
    /// Nothing is read yet.
    pub fn new(log: KafkaLog) -> Self {
        let (readings, ended) = (HashMap::new(), BTreeSet::new());
        Self { log, readings, begun: 0, ended, look_at: Instant::now(), looking: None }
    }

    /// A partition is read from `start` on, or from where the group is.
    pub fn begins(&mut self, partition: &TopicPartition, start: Option<u64>) {
        self.begun += 1;
        let reading = Reading { number: self.begun, behind: start, last: Instant::now() };
        self.readings.insert(partition.clone(), reading);
    }

    /// It is another member's.
    pub fn ends(&mut self, partition: &TopicPartition) {
        self.readings.remove(partition);
        self.ended.remove(partition);
    }

    /// These are handed out.
    pub fn handed_out(&mut self, records: &[(TopicPartition, Record)]) {
        let now = Instant::now();
        for (partition, record) in records {
            if let Some(reading) = self.readings.get_mut(partition) {
                (reading.behind, reading.last) = (Some(record.offset + 1), now);
            }
        }
    }

    /// A partition of this number ended; of which topic is not known.
    pub fn ended(&mut self, number: u32) {
        if self.ended.is_empty() {
            self.look_at = self.look_at.max(Instant::now() + IDLE);
        }
        self.ended.extend(self.readings.keys().filter(|one| one.partition == number).cloned());
    }

    /// The ends that are further than what was handed out, each once, as soon as they are known. Giving up the wait loses
    /// nothing.
    pub async fn found(
        &mut self,
        group: impl Fn() -> Result<Weak<Group>, LogError>,
    ) -> Vec<(TopicPartition, u64)> {
        loop {
            let Some(looking) = &mut self.looking else {
                if self.ended.is_empty() {
                    return pending().await;
                }
                sleep_until(self.look_at).await;
                self.look(&group);
                continue;
            };
            let looked = looking.await;
            self.looking = None;
            let Ok((asked, found)) = looked else { continue };
            match found {
                Ok(found) => {
                    let found = self.still_true(&asked, found);
                    if !found.is_empty() {
                        return found;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "where partitions end is not known yet");
                    self.ended.extend(asked.into_iter().map(|(partition, _)| partition));
                }
            }
        }
    }

    /// Asks about all that are idle.
    fn look(&mut self, group: impl Fn() -> Result<Weak<Group>, LogError>) {
        let now = Instant::now();
        self.look_at = now + PAUSE;
        self.ended.retain(|partition| self.readings.contains_key(partition));
        let idle: Vec<_> = self
            .ended
            .iter()
            .filter_map(|partition| Some((partition.clone(), *self.readings.get(partition)?)))
            .filter(|(_, reading)| reading.last + IDLE <= now)
            .collect();
        let Ok(group) = group() else { return };
        if idle.is_empty() {
            return;
        }
        self.ended.retain(|partition| idle.iter().all(|(one, _)| one != partition));
        let log = self.log.clone();
        self.looking = Some(AbortOnDropHandle::new(tokio::spawn(async move {
            let found = look(&log, &group, &idle).await;
            (idle, found)
        })));
    }

    /// What was found out about readings that go on where they were when it was asked. Others end again.
    fn still_true(
        &mut self,
        asked: &[(TopicPartition, Reading)],
        found: Vec<(TopicPartition, u64)>,
    ) -> Vec<(TopicPartition, u64)> {
        let mut ends = found;
        ends.retain(|(partition, end)| {
            let before = asked.iter().find(|(one, _)| one == partition).map(|(_, reading)| *reading);
            match self.readings.get_mut(partition) {
                Some(reading) if Some(*reading) == before => {
                    reading.behind = Some(*end);
                    true
                }
                Some(_) | None => false,
            }
        });
        ends
    }
}

/// The ends of those partitions that have offsets behind what was handed out, and no record there.
async fn look(
    log: &KafkaLog,
    group: &Weak<Group>,
    idle: &[(TopicPartition, Reading)],
) -> Result<Vec<(TopicPartition, u64)>, LogError> {
    let mut topics: BTreeMap<&str, BTreeMap<u32, (u64, u64)>> = BTreeMap::new();
    for (partition, reading) in idle {
        let (begin, end) = log.bounds(&partition.topic, partition.partition).await?;
        let behind = match reading.behind {
            Some(behind) => behind,
            None => committed(log, group.clone(), partition).await?.unwrap_or(begin),
        };
        if (begin..end).contains(&behind) {
            topics.entry(&partition.topic).or_default().insert(partition.partition, (behind, end));
        }
    }
    let mut found = vec![];
    for (topic, mut partitions) in topics {
        let from = partitions.iter().map(|(partition, (behind, _))| (*partition, *behind)).collect();
        let mut ends: Ends = partitions.iter().map(|(partition, (_, end))| (*partition, *end)).collect();
        let mut tail = log.tail(topic, from).await?;
        while !ends.is_empty() {
            let mut batch = timeout(ANSWER, tail.next(BATCH)).await.map_err(unavailable)??;
            for Record { partition, offset, .. } in &batch.records {
                if partitions.get(partition).is_some_and(|(_, end)| offset < end) {
                    // The member gets it too.
                    partitions.remove(partition);
                    batch.ended.push(*partition);
                }
            }
            ends.reached(&batch);
        }
        let at = |partition| TopicPartition { topic: topic.to_owned(), partition };
        found.extend(partitions.into_iter().map(|(partition, (_, end))| (at(partition), end)));
    }
    Ok(found)
}

async fn committed(
    log: &KafkaLog,
    group: Weak<Group>,
    partition: &TopicPartition,
) -> Result<Option<u64>, LogError> {
    let list = one(partition, Offset::Invalid)?;
    let answer = ask(&log.trouble, move || match group.upgrade() {
        Some(group) => group.committed_offsets(list, ANSWER).map_err(failed),
        None => Err(unavailable("it has been left")),
    });
    Ok(partition_list::committed(&answer.await?).map(|committed| committed.offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(topic: &str, partition: u32) -> TopicPartition {
        TopicPartition { topic: topic.to_owned(), partition }
    }

    /// Two partitions of two topics each; nothing is ever sent.
    fn idle() -> IdlePartitions {
        let mut idle = IdlePartitions::new(KafkaLog::new("127.0.0.1:1").unwrap());
        for topic in ["seats", "payments"] {
            idle.begins(&at(topic, 0), Some(7));
            idle.begins(&at(topic, 1), None);
        }
        idle
    }

    fn handed_out(idle: &mut IdlePartitions, partition: &TopicPartition, offset: u64) {
        let record = Record::new(partition.partition, offset, String::new(), vec![], vec![]);
        idle.handed_out(&[(partition.clone(), record)]);
    }

    /// What is asked about a partition now.
    fn asked(idle: &IdlePartitions, partition: &TopicPartition) -> (TopicPartition, Reading) {
        (partition.clone(), idle.readings[partition])
    }

    #[tokio::test]
    async fn an_end_is_of_any_topic_that_has_a_partition_of_its_number() {
        let mut idle = idle();
        idle.ended(0);
        assert_eq!(idle.ended, [at("payments", 0), at("seats", 0)].into());
        idle.ended(2);
        idle.ends(&at("seats", 0));
        assert_eq!(idle.ended, [at("payments", 0)].into());
    }

    #[tokio::test]
    async fn what_was_found_out_counts_where_the_reading_is_still_where_it_was() {
        let mut idle = idle();
        let (still, further, sought, left) =
            (at("seats", 0), at("seats", 1), at("payments", 0), at("payments", 1));
        let all = [&still, &further, &sought, &left].map(|partition| asked(&idle, partition));
        handed_out(&mut idle, &further, 4);
        idle.begins(&sought, Some(7));
        idle.ends(&left);
        let found: Vec<_> = all.iter().map(|(partition, _)| (partition.clone(), 9)).collect();
        assert_eq!(idle.still_true(&all, found.clone()), [(still.clone(), 9)]);
        assert_eq!(idle.readings[&still].behind, Some(9), "so it is told once");
        assert_eq!(idle.still_true(&all, found), []);
    }

    #[tokio::test(start_paused = true)]
    async fn nothing_is_asked_of_a_partition_that_has_records_all_the_time() {
        let (mut idle, busy) = (idle(), at("seats", 1));
        idle.readings.retain(|partition, _| *partition == busy);
        let group = || Ok(Weak::new());
        for offset in 0..20 {
            handed_out(&mut idle, &busy, offset);
            idle.ended(1);
            timeout(IDLE / 2, idle.found(group)).await.unwrap_err();
            assert!(idle.looking.is_none());
        }
        tokio::time::advance(IDLE).await;
        idle.look(group);
        assert!(idle.looking.is_some() && idle.ended.is_empty(), "and then it is");
    }
}
