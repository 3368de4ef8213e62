//! Reads several partitions, each from its own offset on: what a tail and a member of a group have in common.
//!
//! Each call begins with another partition, so that none starves behind one with a backlog. Offsets move only when
//! records are handed out, without waiting in between: giving up a call loses nothing.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::log::{LogError, TopicPartition};
use boxoffice_runtime::record::Record;
use futures::future::select_all;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::partition::{Partition, Recent};
use super::{BEGIN, EmbeddedLog, file};

/// Shortest time between two wake-ups: a reader that is woken for every publish of a big sale would take from the sale what
/// it needs to keep up. The first record after a pause is handed out at once.
const PACE: Duration = Duration::from_millis(10);

/// See the module.
pub struct Reader {
    log: EmbeddedLog,
    cursors: VecDeque<Cursor>,
    /// Whatever may end a wait; never empty. Their senders live as long as the log.
    news: Vec<watch::Receiver<()>>,
    /// When it may be woken next.
    paced: Instant,
}

/// Where a partition is read.
struct Cursor {
    partition: Arc<Partition>,
    offset: u64,
    is_paused: bool,
    /// The end that was told last.
    told: Option<u64>,
}

/// Records of one partition, in order.
pub type Batch = (TopicPartition, Vec<Record>);

impl Reader {
    /// A reader of no partition yet, for topics that have `news`, or whatever else is to end a wait.
    pub fn new(log: EmbeddedLog, news: Vec<watch::Receiver<()>>) -> Self {
        Self { log, cursors: VecDeque::new(), news, paced: Instant::now() }
    }

    /// Reads a partition too, from `offset` on.
    pub fn add(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        let partition = self.log.partition(&partition.topic, partition.partition)?;
        let offset = within_bounds(&partition, offset)?;
        self.cursors.push_back(Cursor { partition, offset, is_paused: false, told: None });
        Ok(())
    }

    /// Reads these no longer.
    pub fn remove(&mut self, partitions: &[TopicPartition]) {
        self.cursors.retain(|cursor| !partitions.contains(cursor.partition.id()));
    }

    /// Goes on reading a partition from `offset`.
    pub fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        let cursor = self.cursor(partition)?;
        cursor.offset = within_bounds(&cursor.partition, offset)?;
        Ok(())
    }

    /// Leaves a partition out for now, or no longer.
    pub fn pause(&mut self, partition: &TopicPartition, is_paused: bool) -> Result<(), LogError> {
        self.cursor(partition)?.is_paused = is_paused;
        Ok(())
    }

    /// Whether it is read.
    pub fn has(&self, partition: &TopicPartition) -> bool {
        self.cursors.iter().any(|cursor| cursor.partition.id() == partition)
    }

    fn cursor(&mut self, partition: &TopicPartition) -> Result<&mut Cursor, LogError> {
        let found = self.cursors.iter_mut().find(|cursor| cursor.partition.id() == partition);
        found.ok_or_else(|| not_assigned(partition))
    }

    /// From here on news end the next [`wait`](Self::wait). To be called before looking.
    pub fn listen(&mut self) {
        self.news.iter_mut().for_each(watch::Receiver::mark_unchanged);
    }

    /// Waits until there may be something new since [`listen`](Self::listen).
    pub async fn wait(&mut self) {
        select_all(self.news.iter_mut().map(|news| Box::pin(news.changed()))).await.0.ok();
        sleep_until(self.paced).await;
        self.paced = Instant::now() + PACE;
    }

    /// The records that are there, at most `max` and at least one; none where there are none.
    pub async fn ready(&mut self, max: usize) -> Result<Vec<Batch>, LogError> {
        // At the head nothing here ever waits: others on this thread get their turn all the same.
        tokio::task::coop::consume_budget().await;
        let (mut batches, mut room) = (Vec::new(), max.max(1));
        self.cursors.rotate_left(self.cursors.len().min(1));
        for cursor in self.cursors.iter_mut().filter(|cursor| !cursor.is_paused) {
            let records = match cursor.partition.recent(cursor.offset, room) {
                Recent::Records(records) => records,
                // Only with nothing in hand that would be lost; it is the first one's turn soon.
                Recent::InFile(end) if batches.is_empty() => {
                    let file = self.log.shared.journal.readers();
                    file::records(file, cursor.partition.id(), cursor.offset, end, room).await?
                }
                Recent::InFile(_) => continue,
            };
            if let Some(last) = records.last() {
                cursor.offset = last.offset + 1;
                room -= records.len();
                batches.push((cursor.partition.id().clone(), records));
            }
            if room == 0 {
                break;
            }
        }
        Ok(batches)
    }

    /// Partitions of which everything that is there now has been handed out; each end is told once.
    pub fn ended(&mut self) -> Vec<u32> {
        let mut ended = vec![];
        for cursor in &mut self.cursors {
            let end = cursor.partition.end();
            if cursor.offset == end && cursor.told != Some(end) {
                cursor.told = Some(end);
                ended.push(cursor.partition.id().partition);
            }
        }
        ended
    }
}

/// The offset, if the partition has it or will have it next.
fn within_bounds(partition: &Partition, offset: u64) -> Result<u64, LogError> {
    let end = partition.end();
    if offset <= end {
        return Ok(offset);
    }
    let TopicPartition { topic, partition } = partition.id().clone();
    Err(LogError::OutOfRange { topic, partition, offset, begin: BEGIN, end })
}

/// What a member is told that asks for another's partition.
pub fn not_assigned(TopicPartition { topic, partition }: &TopicPartition) -> LogError {
    LogError::Missing(format!("partition {topic}[{partition}] assigned to this member"))
}
