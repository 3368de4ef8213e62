//! One partition in memory: its order, how far it may be read, and its newest records. No IO.
//!
//! Appending gives a record its offset and its place among the writes in one step, so the file never has one without
//! the earlier ones. Readers at the head never touch the file; what is no longer here comes from `file`.

use std::collections::VecDeque;
use std::fmt::Display;
use std::sync::{Arc, Mutex};

use boxoffice_runtime::log::{LogError, TopicPartition};
use boxoffice_runtime::record::{NewRecord, Record};

use super::lock;
use crate::embedded::journal::RecordRow;

/// Newest records of a partition that are kept in memory: what a big sale publishes in half a second.
const RECENT: usize = 10_000;

/// See the module.
#[derive(Debug)]
pub struct Partition {
    id: TopicPartition,
    /// The topic's name, as the rows share it.
    topic: Arc<str>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Offset of the next record to be appended.
    next: u64,
    /// How far it may be read: everything before is committed.
    end: u64,
    /// The newest records up to `next`. One that falls out before it is committed is in the file after that.
    recent: VecDeque<Record>,
}

/// A record as it is handed out and as it is written; both get their offset when they are appended.
pub type Prepared = (Record, RecordRow);

/// What memory has from an offset on.
#[derive(Debug, PartialEq, Eq)]
pub enum Recent {
    /// These, which may be none.
    Records(Vec<Record>),
    /// Nothing so old: the file has it, and may be read up to this offset.
    InFile(u64),
}

impl Partition {
    /// A partition whose next record gets the offset `end`.
    pub fn new(topic: &str, partition: u32, end: u64) -> Self {
        let state = State { next: end, end, recent: VecDeque::new() };
        let id = TopicPartition { topic: topic.to_owned(), partition };
        Self { id, topic: Arc::from(topic), state: Mutex::new(state) }
    }

    /// Which one it is.
    pub fn id(&self) -> &TopicPartition {
        &self.id
    }

    /// Offset of the next record to come, for those who read.
    pub fn end(&self) -> u64 {
        lock(&self.state).end
    }

    /// Checks a record and makes of it what is to be appended.
    pub fn prepare(&self, record: NewRecord) -> Result<Prepared, LogError> {
        let unfit = |what: &str, problem: &dyn Display| {
            let TopicPartition { topic, partition } = &self.id;
            LogError::Unavailable(format!(
                "the {what} of a record for {topic}[{partition}] must be text: {problem}"
            ))
        };
        let NewRecord { partition, key, value, headers, timestamp } = record;
        let value = String::from_utf8(value).map_err(|error| unfit("value", &error))?;
        let json = serde_json::to_string(&headers).map_err(|error| unfit("headers", &error))?;
        let bytes = value.as_bytes().to_vec();
        let record = Record::new(partition, 0, key.clone(), bytes, headers);
        Ok((record, RecordRow(Arc::clone(&self.topic), partition, 0, key, value, json, timestamp)))
    }

    /// Appends records and hands their rows to `write`, before anybody else appends any. Gives the offset behind them,
    /// up to which they may be [shown](Self::show) when what `write` gave is committed.
    pub fn append<T>(&self, records: Vec<Prepared>, write: impl FnOnce(Vec<RecordRow>) -> T) -> (u64, T) {
        let mut state = lock(&self.state);
        let mut rows = Vec::with_capacity(records.len());
        for (mut record, mut row) in records {
            (record.offset, row.2) = (state.next, state.next);
            state.next += 1;
            state.recent.push_back(record);
            rows.push(row);
        }
        let surplus = state.recent.len().saturating_sub(RECENT);
        state.recent.drain(..surplus);
        (state.next, write(rows))
    }

    /// Lets everything before `end` be read. Earlier calls to `append` are committed earlier, so what is committed
    /// of a publish that nobody waits for any more is shown with the next one.
    pub fn show(&self, end: u64) {
        let mut state = lock(&self.state);
        state.end = state.end.max(end);
    }

    /// What memory has from `from` on, at most `max` records.
    pub fn recent(&self, from: u64, max: usize) -> Recent {
        let state = lock(&self.state);
        let Some(readable) = state.end.checked_sub(from) else { return Recent::Records(Vec::new()) };
        let first = state.next - state.recent.len() as u64;
        let Some(skipped) = from.checked_sub(first) else { return Recent::InFile(state.end) };
        let count = usize::try_from(readable).map_or(max, |readable| readable.min(max));
        let skipped =
            usize::try_from(skipped).map_or(state.recent.len(), |skipped| skipped.min(state.recent.len()));
        Recent::Records(state.recent.range(skipped..).take(count).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn append(partition: &Partition, count: usize) -> (u64, Vec<u64>) {
        let record =
            NewRecord { partition: 3, key: "k".into(), value: b"v".into(), headers: vec![], timestamp: 1 };
        let records = (0..count).map(|_| partition.prepare(record.clone()).unwrap()).collect();
        partition.append(records, |rows| rows.iter().map(|row| row.2).collect())
    }

    fn offsets(recent: &Recent) -> Vec<u64> {
        let Recent::Records(records) = recent else { panic!("in memory: {recent:?}") };
        records.iter().map(|record| record.offset).collect()
    }

    #[test]
    fn rows_get_the_next_offsets_in_the_order_of_appending() {
        let partition = Partition::new("seat-events", 3, 7);
        assert_eq!(append(&partition, 2), (9, vec![7, 8]));
        assert_eq!(append(&partition, 1), (10, vec![9]));
    }

    #[test]
    fn only_what_is_shown_can_be_read() {
        let partition = Partition::new("seat-events", 3, 0);
        append(&partition, 5);
        assert_eq!((partition.end(), offsets(&partition.recent(0, 9))), (0, vec![]));
        partition.show(3);
        assert_eq!((partition.end(), offsets(&partition.recent(1, 9))), (3, vec![1, 2]));
        partition.show(2);
        assert_eq!(partition.end(), 3, "it never goes back");
    }

    #[test]
    fn a_reader_gets_no_more_than_it_asked_for() {
        let partition = Partition::new("seat-events", 3, 0);
        partition.show(append(&partition, 5).0);
        assert_eq!(offsets(&partition.recent(1, 2)), [1, 2]);
        for beyond in [5, 6] {
            assert_eq!(partition.recent(beyond, 2), Recent::Records(vec![]));
        }
    }

    #[test]
    fn what_is_not_among_the_newest_is_in_the_file() {
        let partition = Partition::new("seat-events", 3, 7);
        partition.show(append(&partition, RECENT + 2).0);
        let end = 9 + RECENT as u64;
        assert_eq!(partition.recent(0, 1), Recent::InFile(end), "from before the start");
        assert_eq!(partition.recent(8, 1), Recent::InFile(end));
        assert_eq!(offsets(&partition.recent(9, 1)), [9]);
        assert_eq!(offsets(&partition.recent(end - 1, 9)), [end - 1]);
    }

    #[test]
    fn a_value_that_is_not_text_is_refused() {
        let record =
            NewRecord { partition: 3, key: "k".into(), value: vec![0xff], headers: vec![], timestamp: 1 };
        let error = Partition::new("seat-events", 3, 0).prepare(record).unwrap_err();
        assert!(
            error.to_string().contains("the value of a record for seat-events[3] must be text"),
            "{error}"
        );
    }
}
