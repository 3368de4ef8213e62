//! What the operator does on Kafka: topics, which only grow, and where groups begin, which is decided once.

use std::sync::{Arc, PoisonError};

use boxoffice_operator::kafka::{Offsets, Start, groups};
use boxoffice_runtime::log::{LogError, TopicPartition};

use super::groups::Group;
use super::partition::Partition;
use super::{BEGIN, EmbeddedLog, Topic, file, lock};
use crate::embedded::journal::{GroupStartRow, JournalError, Write};

impl EmbeddedLog {
    /// Makes a topic with this many partitions, or gives it as many where it has fewer.
    ///
    /// # Errors
    /// A data file that cannot be written.
    pub async fn create_topic(&self, name: &str, partitions: u32) -> Result<(), JournalError> {
        let ticket = {
            let mut topics = self.shared.topics.write().unwrap_or_else(PoisonError::into_inner);
            let old = topics.get(name);
            let (mut all, news) =
                old.map_or_else(Default::default, |old| (old.partitions.clone(), old.news.clone()));
            let missing = (0..partitions).skip(all.len());
            all.extend(missing.map(|number| Arc::new(Partition::new(name, number, BEGIN))));
            if old.is_some_and(|old| old.partitions.len() == all.len()) {
                return Ok(());
            }
            topics.insert(name.to_owned(), Arc::new(Topic { partitions: all, news }));
            self.shared
                .journal
                .write(Write { topic: Some((name.to_owned(), partitions)), ..Write::default() })
        };
        for group in lock(&self.shared.groups).values() {
            group.change(|group| group.balance(|topics| self.all_partitions(topics)));
        }
        self.shared.journal.committed(ticket).await
    }

    /// Says where `group` begins in each partition of `topic`. Where that has been said before it stays, and a
    /// partition that came later is read from its beginning.
    ///
    /// # Errors
    /// A topic that is not there, or a data file that cannot be read or written.
    pub async fn create_group(&self, group: &str, topic: &str, start: Start) -> Result<(), LogError> {
        let topic = self.topic(topic)?;
        let shared = self.group(group);
        let undeclared = undeclared(&topic, &lock(&shared.group), start);
        let mut starts = Vec::new();
        for (partition, start) in undeclared {
            starts.push((partition.id().clone(), self.offset(partition, start).await?));
        }
        // Somebody else may have said it meanwhile.
        starts.retain(|(partition, offset)| lock(&shared.group).declare(partition, *offset));
        if starts.is_empty() {
            return Ok(());
        }
        let row = |(TopicPartition { topic, partition }, offset)| {
            GroupStartRow(group.to_owned(), topic, partition, offset)
        };
        let group_starts = starts.into_iter().map(row).collect();
        let ticket = self.shared.journal.write(Write { group_starts, ..Write::default() });
        Ok(self.shared.journal.committed(ticket).await?)
    }

    /// Every group begins where it was declared to: whoever builds views anew calls this before.
    pub fn begin_anew(&self) {
        for group in lock(&self.shared.groups).values() {
            lock(&group.group).begin_anew();
        }
    }

    /// Where a place in a topic is in one of its partitions.
    async fn offset(&self, partition: &Partition, place: Start) -> Result<u64, JournalError> {
        let end = partition.end();
        match place {
            Start::Earliest => Ok(BEGIN),
            Start::Latest => Ok(end),
            Start::Timestamp(time) => {
                let first =
                    file::first_since(self.shared.journal.readers(), partition.id(), time, end).await?;
                Ok(first.unwrap_or(end))
            }
        }
    }
}

/// The partitions that the group has no offset of, and where it begins there: by the operator's own rule.
fn undeclared<'a>(topic: &'a Topic, group: &Group, declared: Start) -> Vec<(&'a Partition, Start)> {
    let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
    let committed: Offsets = (0..count)
        .zip(&topic.partitions)
        .filter_map(|(number, partition)| Some((number, group.committed(partition.id())?.cast_signed())))
        .collect();
    let plan = groups::plan(declared, count, &committed);
    plan.into_iter()
        .filter_map(|(number, start)| Some((topic.partition(number.unsigned_abs())?.as_ref(), start)))
        .collect()
}
