//! Reading a topic up to where it ended when that was asked.

use std::collections::BTreeMap;

use super::{Batch, EventLog, LogError, Tail};
use crate::record::Record;

/// Partitions that are still to be read, each up to the end that it had when it was asked, which was before the tail was
/// opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ends(BTreeMap<u32, u64>);

impl FromIterator<(u32, u64)> for Ends {
    fn from_iter<I: IntoIterator<Item = (u32, u64)>>(ends: I) -> Self {
        Self(ends.into_iter().collect())
    }
}

impl Ends {
    /// Whether all is read.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes note of what a tail handed out.
    pub fn reached(&mut self, batch: &Batch) {
        let last = |record: &Record, end: u64| record.offset + 1 >= end;
        for record in &batch.records {
            if self.0.get(&record.partition).is_some_and(|end| last(record, *end)) {
                self.0.remove(&record.partition);
            }
        }
        for partition in &batch.ended {
            self.0.remove(partition);
        }
    }

    /// Takes note of what a tail handed out, and gives those of its records that are before the ends.
    pub fn take(&mut self, batch: Batch) -> Vec<Record> {
        let before = self.clone();
        self.reached(&batch);
        let mut records = batch.records;
        records.retain(|record| before.0.get(&record.partition).is_some_and(|end| record.offset < *end));
        records
    }
}

/// Everything that a topic has when it is opened, and nothing that comes later.
pub struct UntilEnd {
    /// None where there is nothing to read.
    tail: Option<Box<dyn Tail>>,
    ends: Ends,
}

impl UntilEnd {
    /// Opens `topic` at its beginning.
    ///
    /// # Errors
    /// A log that does not answer, or has no such topic.
    pub async fn open(log: &dyn EventLog, topic: &str) -> Result<Self, LogError> {
        let (mut from, mut ends) = (vec![], BTreeMap::new());
        for partition in 0..log.partitions(topic).await? {
            let (begin, end) = log.bounds(topic, partition).await?;
            if begin < end {
                from.push((partition, begin));
                ends.insert(partition, end);
            }
        }
        let tail = if from.is_empty() { None } else { Some(log.tail(topic, from).await?) };
        Ok(Self { tail, ends: Ends(ends) })
    }

    /// Opens one partition at `from`, and reads what is before `end`, which was asked for before.
    ///
    /// # Errors
    /// A log that does not answer, or does not have `from`.
    pub async fn of(
        log: &dyn EventLog,
        topic: &str,
        partition: u32,
        from: u64,
        end: u64,
    ) -> Result<Self, LogError> {
        if from >= end {
            return Ok(Self { tail: None, ends: Ends::default() });
        }
        let tail = Some(log.tail(topic, vec![(partition, from)]).await?);
        Ok(Self { tail, ends: Ends::from_iter([(partition, end)]) })
    }

    /// The next records, at most `max`, in order within each partition; `None` when all are read.
    ///
    /// # Errors
    /// A tail that has ended; it is to be opened anew.
    pub async fn next(&mut self, max: usize) -> Result<Option<Vec<Record>>, LogError> {
        while let Some(tail) = self.tail.as_mut().filter(|_| !self.ends.is_empty()) {
            let records = self.ends.take(tail.next(max).await?);
            if !records.is_empty() {
                return Ok(Some(records));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(offsets: &[(u32, u64)], ended: &[u32]) -> Batch {
        let record = |(partition, offset): &(u32, u64)| {
            Record::new(*partition, *offset, String::new(), vec![], vec![])
        };
        Batch { records: offsets.iter().map(record).collect(), ended: ended.to_vec() }
    }

    fn taken(ends: &mut Ends, offsets: &[(u32, u64)], ended: &[u32]) -> Vec<(u32, u64)> {
        let records = ends.take(batch(offsets, ended));
        records.iter().map(|record| (record.partition, record.offset)).collect()
    }

    #[test]
    fn an_end_is_reached_by_its_last_record() {
        let mut ends = Ends::from_iter([(0, 2), (1, 1)]);
        assert_eq!(taken(&mut ends, &[(0, 0), (1, 0), (1, 1)], &[]), [(0, 0), (1, 0)]);
        assert_eq!(taken(&mut ends, &[(1, 2), (0, 1)], &[]), [(0, 1)]);
        assert!(ends.is_empty());
    }

    #[test]
    fn an_end_that_no_record_is_before_is_reached_by_what_comes_behind_it_or_by_the_partitions_end() {
        let mut ends = Ends::from_iter([(0, 3), (1, 5)]);
        assert_eq!(taken(&mut ends, &[(0, 1), (0, 4)], &[]), [(0, 1)], "offset 2 has no record");
        assert_eq!(taken(&mut ends, &[(1, 3)], &[0]), [(1, 3)]);
        assert!(!ends.is_empty());
        assert_eq!(taken(&mut ends, &[], &[1]), []);
        assert!(ends.is_empty());
    }
}
