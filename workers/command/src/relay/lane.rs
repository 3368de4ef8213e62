//! Publishing one SeatingEvent: from the watermark on, in order, batch after batch, until nothing waits.
//!
//! What fails is published again from the watermark, so the log may repeat records but first occurrences have no gap
//! (I3). A lane is the only one of its SeatingEvent in this process; the term guards against other processes.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use boxoffice_domain::events::MalformedEvent;
use boxoffice_runtime::log::{EventLog, LogError, PUBLISH_LIMIT};
use boxoffice_runtime::record::encode;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};

use super::leases::{Leases, Term};
use super::metrics::RelayMetrics;
use crate::store::{Outbox, OutboxEntry, StoreError};

/// Most records a publish.
const BATCH: usize = 500;
/// Longest wait for the log; by then every record of the publish is durable or given up.
const PUBLISH_TIMEOUT: Duration = Duration::from_secs(5);
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
    /// The terms of this process.
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
    #[error("the log did not answer within {} s", PUBLISH_TIMEOUT.as_secs())]
    LogTimeout,
    #[error(transparent)]
    Malformed(#[from] MalformedEvent),
    #[error("I3: sequence {found} comes where {expected} should")]
    Gap { expected: u64, found: u64 },
    #[error("too little of the lease remains")]
    TermTooShort,
}

enum Step {
    Empty,
    More,
    /// A later owner has spoken.
    Fenced,
}

impl Lanes {
    /// Publishes what waits of `event`; returns when nothing does or when the term is over.
    pub async fn drain(&self, event: &SeatingEventId, term: &Arc<Term>) {
        let mut failures = 0;
        while term.lasts(Duration::ZERO) {
            match self.step(event, term).await {
                Ok(Step::Empty) => break,
                Ok(Step::More) => failures = 0,
                Ok(Step::Fenced) => self.leases.lose(term),
                Err(error) => {
                    if !self.failing.swap(true, Relaxed) {
                        tracing::warn!(%event, %error, "events wait to be published");
                    }
                    self.metrics.failures.inc();
                    if let Ok(depth) = self.outbox.depth(event).await {
                        self.metrics.stuck(event, depth);
                    }
                    let pause = PAUSE.0.saturating_mul(1 << failures.min(5)).min(PAUSE.1);
                    failures += 1;
                    tokio::select! {
                        () = sleep(pause) => {}
                        () = term.over() => {}
                    }
                }
            }
        }
        self.metrics.nothing_waits(event);
    }

    async fn step(&self, event: &SeatingEventId, term: &Term) -> Result<Step, StepError> {
        // The semaphore is never closed; without a permit the step would merely be less patient.
        let _permit = self.permits.acquire().await;
        let (partition, entries) = self.outbox.unpublished(event, BATCH).await?;
        let Some((first, last)) = ends(&entries)? else { return Ok(Step::Empty) };
        self.metrics.reading(event, &entries);
        let encoded = entries
            .iter()
            .map(|entry| encode(&entry.envelope, partition, &self.source, entry.traceparent.as_deref()));
        let records = encoded.collect::<Result<Vec<_>, _>>()?;
        // A publish that begins later could outlive the term.
        if !term.lasts(PUBLISH_LIMIT) {
            return Err(StepError::TermTooShort);
        }
        let published = timeout(PUBLISH_TIMEOUT, self.log.publish(&self.topic, records)).await;
        published.map_err(|_| StepError::LogTimeout)??;
        if self.failing.swap(false, Relaxed) {
            tracing::info!(%event, "events are published again");
        }
        self.metrics.published.inc_by(last - first + 1);
        Ok(match self.outbox.published(event, &term.lease, last).await? {
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
