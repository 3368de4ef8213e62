//! How far each partition is behind the log: asked beside the loop, so that a slow answer holds nothing up.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_runtime::log::{EventLog, TopicPartition};
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// The first offset that is not in the view, of each partition that this member has.
#[derive(Debug, Clone, Default)]
pub struct Offsets(Arc<Mutex<BTreeMap<TopicPartition, u64>>>);

impl Offsets {
    /// The view got this far.
    pub fn set(&self, partition: &TopicPartition, next_offset: u64) {
        self.lock().insert(partition.clone(), next_offset);
    }

    /// The partition is another member's now.
    pub fn remove(&self, partition: &TopicPartition) {
        self.lock().remove(partition);
    }

    /// No partition is this member's any more.
    pub fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeMap<TopicPartition, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Looks until `stop`.
pub async fn watch(log: Arc<dyn EventLog>, offsets: Offsets, metrics: Metrics, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(EVERY)).await.is_some() {
        let offsets = offsets.lock().clone();
        for (partition, next_offset) in offsets {
            match log.bounds(&partition.topic, partition.partition).await {
                Ok((_, end)) => metrics.lag(&partition, end.saturating_sub(next_offset)),
                Err(error) => tracing::debug!(%error, "lag is unknown for now"),
            }
        }
    }
}
