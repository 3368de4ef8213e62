//! The newest statistics of each SeatingEvent, from the topic that the `stats` consumer publishes to.
//!
//! Statistics are unsequenced and may repeat: of one epoch the one that covers most events stands. Those of another epoch,
//! whose sequences cannot be compared, stand from when they are published.

use std::collections::{BTreeMap, HashMap};
use std::convert::Infallible;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use boxoffice_domain::events::StatsUpdated;
use boxoffice_domain::{DomainEvent, SeatingEventId};
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_runtime::record::{Record, Said};
use tokio::time::sleep;

use super::reader::Reader;

/// Wait before reading a log that changed under the reader.
const AGAIN: Duration = Duration::from_secs(1);

/// The newest `stats.updated` of each SeatingEvent.
#[derive(Debug, Default)]
pub struct Stats {
    newest: RwLock<HashMap<SeatingEventId, Arc<StatsUpdated>>>,
}

impl Stats {
    /// What was published last about a SeatingEvent.
    pub fn get(&self, event: &str) -> Option<Arc<StatsUpdated>> {
        self.newest.read().unwrap_or_else(PoisonError::into_inner).get(event).cloned()
    }

    /// Keeps `stats` unless newer ones of their epoch are known.
    pub fn keep(&self, stats: StatsUpdated) {
        let mut newest = self.newest.write().unwrap_or_else(PoisonError::into_inner);
        let known = newest.get(&stats.event_id);
        if known
            .is_none_or(|known| known.epoch != stats.epoch || known.as_of_sequence <= stats.as_of_sequence)
        {
            newest.insert(stats.event_id.clone(), Arc::new(stats));
        }
    }

    /// Forgets all of them: the topic that said so is gone.
    fn forget(&self) {
        self.newest.write().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Reads `topic` from its beginning, for ever; one that is not there yet is waited for.
    pub async fn follow(&self, log: Arc<dyn EventLog>, topic: &str) -> Infallible {
        loop {
            let mut reader = Reader::new(Arc::clone(&log), topic, BTreeMap::new(), None);
            loop {
                match reader.next().await {
                    Ok(batch) => batch.records.iter().for_each(|record| self.take(record)),
                    Err(error) => {
                        tracing::warn!(%error, "statistics are read from their beginning again");
                        if matches!(error, LogError::Replaced { .. }) {
                            self.forget();
                        }
                        sleep(AGAIN).await;
                        break;
                    }
                }
            }
        }
    }

    fn take(&self, record: &Record) {
        match record.said() {
            Said::Known(envelope) => {
                if let DomainEvent::StatsUpdated(stats) = &envelope.event {
                    self.keep(stats.clone());
                }
            }
            Said::Unknown(unknown) => {
                tracing::warn!(event_type = unknown.event_type, "an unknown event type is skipped");
            }
            Said::Malformed(reason) => tracing::warn!(reason, "unreadable statistics are skipped"),
        }
    }
}
