//! Publishing one SeatingEvent: from the watermark on, in order, batch after batch, until nothing waits.
//!
//! What fails is published again from the watermark, so the log may repeat records but first occurrences have no gap
//! (I3). A lane is the only one of its SeatingEvent in this process; the ownership guards against other processes. While the
//! ownership is renewed a publish may take as long as the log lets it; it is given up when the ownership runs out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use boxoffice_domain::events::MalformedEvent;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_runtime::record::encode;
use tokio::sync::Semaphore;
use tokio::time::sleep;

use super::leases::Leases;
use super::metrics::RelayMetrics;
use super::ownership::{Occupancy, Ownership};
use crate::store::{Outbox, OutboxEntry, StoreError};

/// Most records a publish, and most while publishing fails: what may be in vain is to be cheap.
const BATCH: usize = 500;
const TRIAL: usize = 50;
/// A publish begins only while this much of the ownership remains: less means that renewals are late.
const TO_BEGIN: Duration = Duration::from_millis(500);
/// It is given up when only this remains, so that nothing is sent any more when the next owner begins.
const TO_GIVE_UP: Duration = Duration::from_millis(250);
/// First and longest pause after a failure; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(2));

/// What lanes share.
pub struct Lanes {
    /// Where entries wait.
    pub outbox: Arc<dyn Outbox>,
    /// Where they go.
    pub log: Arc<dyn EventLog>,
    /// The topic.
    pub topic: String,
    /// The ReservationService, as the events' source.
    pub source: String,
    /// The ownerships of this process.
    pub leases: Arc<Leases>,
    /// How many SeatingEvents are published at once.
    pub permits: Semaphore,
    /// Whether the last attempt failed: an outage is logged once, not once a SeatingEvent.
    pub failing: AtomicBool,
    /// What is measured.
    pub metrics: RelayMetrics,
}

/// Why a step published nothing, or not all.
#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Log(#[from] LogError),
    #[error("the lease ran out before the log answered")]
    OwnershipRanOut,
    #[error(transparent)]
    Malformed(#[from] MalformedEvent),
    #[error("I3: sequence {found} comes where {expected} should")]
    Gap { expected: u64, found: u64 },
}

enum Step {
    Empty,
    More,
    /// Renewals are late: nothing can be begun now.
    Late,
    /// A later owner has spoken.
    Fenced,
}

impl Lanes {
    /// Publishes what waits of `event`; returns when nothing does or when the ownership is over.
    pub async fn drain(&self, event: &SeatingEventId, ownership: &Occupancy) {
        let mut failures = 0;
        while ownership.lasts(Duration::ZERO) {
            let pause = match self.step(event, ownership).await {
                Ok(Step::Empty) => break,
                Ok(Step::More) => {
                    failures = 0;
                    continue;
                }
                Ok(Step::Late) => PAUSE.0,
                Ok(Step::Fenced) => {
                    tracing::info!(bucket = ownership.lease.bucket, %event, "a later lease has spoken");
                    // Should it be ours all the same, the next one has a higher token.
                    ownership.finish();
                    break;
                }
                Err(error) => {
                    if !self.failing.swap(true, Relaxed) {
                        tracing::warn!(%event, %error, "events wait to be published");
                    }
                    self.metrics.failures.inc();
                    let pause = PAUSE.0.saturating_mul(1 << failures.min(5)).min(PAUSE.1);
                    failures += 1;
                    pause
                }
            };
            tokio::select! {
                () = sleep(pause) => {}
                () = ownership.over() => {}
            }
        }
    }

    async fn step(&self, event: &SeatingEventId, ownership: &Ownership) -> Result<Step, StepError> {
        // The semaphore is never closed; without a permit the step would merely be less patient.
        let _permit = self.permits.acquire().await;
        let batch = if self.failing.load(Relaxed) { TRIAL } else { BATCH };
        let (partition, entries) = self.outbox.unpublished(event, batch).await?;
        let Some((first, last)) = ends(&entries)? else { return Ok(Step::Empty) };
        let encoded = entries
            .iter()
            .map(|entry| encode(&entry.envelope, partition, &self.source, entry.traceparent.as_deref()));
        let records = encoded.collect::<Result<Vec<_>, _>>()?;
        if !ownership.lasts(TO_BEGIN) {
            return Ok(Step::Late);
        }
        tokio::select! {
            published = self.log.publish(&self.topic, records) => published?,
            () = ownership.runs_out(TO_GIVE_UP) => return Err(StepError::OwnershipRanOut),
        }
        if self.failing.swap(false, Relaxed) {
            tracing::info!(%event, "events are published again");
        }
        self.metrics.published.inc_by(last - first + 1);
        Ok(match self.outbox.published(event, &ownership.lease, last).await? {
            None => Step::Fenced,
            Some(0) => Step::Empty,
            Some(_) => Step::More,
        })
    }
}

/// First and last sequence of `entries`, which must have no gap.
fn ends(entries: &[OutboxEntry]) -> Result<Option<(u64, u64)>, StepError> {
    let mut sequences = entries.iter().map(|entry| entry.envelope.metadata.sequence.unwrap_or_default());
    let Some(first) = sequences.next() else { return Ok(None) };
    let last = sequences.try_fold(first, |last, found| {
        if found == last + 1 { Ok(found) } else { Err(StepError::Gap { expected: last + 1, found }) }
    })?;
    Ok(Some((first, last)))
}
