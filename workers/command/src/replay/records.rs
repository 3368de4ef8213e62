//! What one partition of the log has from an offset up to an end, as far as replays go.

use std::time::Duration;

use boxoffice_domain::{Envelope, SeatingEventId};
use boxoffice_runtime::log::{EventLog, LogError, UntilEnd};
use boxoffice_runtime::record::{CE_ID, CE_SEQUENCE, Record, Said};
use tokio::time::timeout;
use uuid::Uuid;

/// Records taken at once.
const BATCH: usize = 1000;
/// Longest wait for records that are there.
const RECORDS_TIMEOUT: Duration = Duration::from_secs(15);
/// How often progress is told, in records.
const PROGRESS: u64 = 250_000;

/// Why records did not come.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// The log did not do its part.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log gave nothing for too long.
    #[error("the log gave no record for {0} s")]
    Silence(u64),
}

/// See the module.
pub struct Records {
    reading: UntilEnd,
    partition: u32,
    batch: usize,
    read: u64,
}

impl Records {
    /// Those from `from` up to `end`.
    ///
    /// # Errors
    /// A log that does not answer, or does not have `from`.
    pub async fn open(
        log: &dyn EventLog,
        topic: &str,
        partition: u32,
        from: u64,
        end: u64,
    ) -> Result<Self, RecordsError> {
        let reading = UntilEnd::of(log, topic, partition, from, end).await?;
        Ok(Self { reading, partition, batch: BATCH, read: 0 })
    }

    /// So many at a time, where each may be large.
    #[must_use]
    pub fn at_once(self, batch: usize) -> Self {
        Self { batch, ..self }
    }

    /// The next ones, in order; `None` when all are read.
    ///
    /// # Errors
    /// A log that does not answer.
    pub async fn next(&mut self) -> Result<Option<Vec<Record>>, RecordsError> {
        let some = timeout(RECORDS_TIMEOUT, self.reading.next(self.batch)).await;
        let some = some.map_err(|_| RecordsError::Silence(RECORDS_TIMEOUT.as_secs()))??;
        let before = self.read / PROGRESS;
        self.read += some.as_ref().map_or(0, |records| records.len() as u64);
        if self.read / PROGRESS > before {
            tracing::info!(partition = self.partition, records = self.read, "reading the log");
        }
        Ok(some)
    }
}

/// Whose a record is, its sequence and its event's id; by the headers, which are there where the body is none.
pub fn identity(record: &Record) -> Option<(SeatingEventId, u64, Uuid)> {
    let sequence = record.header(CE_SEQUENCE)?.parse().ok()?;
    Some((record.key.parse().ok()?, sequence, record.header(CE_ID)?.parse().ok()?))
}

/// What a record says.
///
/// # Errors
/// Why that cannot be told.
pub fn envelope(record: &Record) -> Result<Envelope, String> {
    match record.said() {
        Said::Known(envelope) => Ok(Envelope::clone(envelope)),
        Said::Unknown(unknown) => Err(format!("{} is of a later version", unknown.event_type)),
        Said::Malformed(reason) => Err(reason.clone()),
    }
}
