//! When it was known last that a reader has everything of a partition.
//!
//! A reader at a partition's end asks its leader again and again, which answers within half a second also where there is
//! nothing new. So as long as the leader is heard, the reader has everything; librdkafka tells once a second when that was.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::Statistics;
use rdkafka::client::ClientContext;
use rdkafka::consumer::ConsumerContext;
use rdkafka::error::KafkaError;
use tokio::time::Instant;

use super::trouble::Trouble;
use crate::log::Batch;

/// See the module.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<BTreeMap<u32, PartitionProgress>>>);

/// Where a reader is in a partition.
#[derive(Debug, Clone, Copy)]
struct PartitionProgress {
    is_at_end: bool,
    known_at: Instant,
}

impl Heard {
    /// These were handed out.
    pub fn took(&self, batch: &Batch) {
        let mut partitions = self.lock();
        for record in &batch.records {
            if let Some(progress) = partitions.get_mut(&record.partition) {
                progress.is_at_end = false;
            }
        }
        // An end comes behind its records.
        for partition in &batch.ended {
            partitions.insert(*partition, PartitionProgress { is_at_end: true, known_at: Instant::now() });
        }
    }

    /// By partition, when it was known last that nothing is missing.
    pub fn known(&self) -> BTreeMap<u32, Instant> {
        self.lock().iter().map(|(partition, progress)| (*partition, progress.known_at)).collect()
    }

    /// The leader of a partition was heard so long ago.
    fn leader_was_heard(&self, partition: u32, ago: Duration) {
        let mut partitions = self.lock();
        let Some(progress) = partitions.get_mut(&partition).filter(|progress| progress.is_at_end) else {
            return;
        };
        if let Some(at) = Instant::now().checked_sub(ago) {
            progress.known_at = progress.known_at.max(at);
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u32, PartitionProgress>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the call-backs of a reader of one topic go.
pub struct Listening {
    pub trouble: Trouble,
    pub topic: String,
    pub heard: Heard,
}

impl ClientContext for Listening {
    fn error(&self, error: KafkaError, reason: &str) {
        self.trouble.error(error, reason);
    }

    fn stats(&self, statistics: Statistics) {
        let Some(topic) = statistics.topics.get(&self.topic) else { return };
        for (partition, of_it) in &topic.partitions {
            let mut brokers = statistics.brokers.values();
            let leader = brokers.find(|broker| broker.nodeid == of_it.leader);
            // Below 0 it was never heard on this connection.
            let idle = leader.and_then(|leader| u64::try_from(leader.rxidle).ok());
            if let (Ok(partition), Some(idle)) = (u32::try_from(*partition), idle) {
                self.heard.leader_was_heard(partition, Duration::from_micros(idle));
            }
        }
    }
}

impl ConsumerContext for Listening {}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::Record;

    fn batch(records: &[u32], ended: &[u32]) -> Batch {
        let record = |partition: &u32| Record::new(*partition, 0, String::new(), vec![], Vec::new());
        Batch { records: records.iter().map(record).collect(), ended: ended.to_vec() }
    }

    #[tokio::test(start_paused = true)]
    async fn as_long_as_the_leader_is_heard_a_reader_at_the_end_has_everything() {
        let heard = Heard::default();
        let second = Duration::from_secs(1);
        let age = || heard.known().get(&0).map(Instant::elapsed);
        heard.leader_was_heard(0, Duration::ZERO);
        assert_eq!(age(), None, "nobody knows where the end is");
        heard.took(&batch(&[0], &[0]));
        tokio::time::advance(second * 3).await;
        assert_eq!(age(), Some(second * 3), "the leader is silent");
        heard.leader_was_heard(0, second);
        assert_eq!(age(), Some(second));
        heard.leader_was_heard(0, second * 2);
        assert_eq!(age(), Some(second), "it never goes back");
        heard.took(&batch(&[0], &[]));
        tokio::time::advance(second).await;
        heard.leader_was_heard(0, Duration::ZERO);
        assert_eq!(age(), Some(second * 2), "there is more to read");
        heard.took(&batch(&[], &[0]));
        assert_eq!(age(), Some(Duration::ZERO));
    }
}
