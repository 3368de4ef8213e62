//! The relay: publishes what the seat scripts wrote to the outboxes.
//!
//! SeatingEvents are spread over buckets, and a bucket has one owner ([`leases`]). The owner wakes at once when one of
//! its SeatingEvents has something to publish, and looks at all of them now and then in case it was not told. Each
//! then has a [`lane`]. This file decides who runs when; it reads and publishes nothing itself.

mod lane;

mod leases;

mod metrics;

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::EventLog;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Notify, Semaphore};
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use crate::store::{Outbox, Signal};
use lane::Lanes;
use leases::Leases;
pub use metrics::RelayMetrics;

/// How often leases are renewed, a quarter of their term.
const RENEW: Duration = Duration::from_secs(1);
/// How often all SeatingEvents are looked at, told or not.
const SCAN: Duration = Duration::from_secs(5);
/// How many SeatingEvents are published at once.
const LANES: usize = 32;

/// Publishes this process' share of the outboxes.
pub struct Relay {
    lanes: Arc<Lanes>,
    jobs: JoinSet<Job>,
    /// SeatingEvents that have a lane, and whether they wait for another one.
    busy: HashMap<SeatingEventId, bool>,
    scanning: bool,
    scan_again: bool,
}

/// What ended.
enum Job {
    Lane(SeatingEventId),
    Scan(Vec<SeatingEventId>),
}

impl Relay {
    /// A relay from `outbox` to `topic` of `log`; `source` is the ReservationService (namespace/name).
    pub fn new(
        outbox: Arc<dyn Outbox>,
        log: Arc<dyn EventLog>,
        topic: String,
        source: String,
        metrics: RelayMetrics,
    ) -> Self {
        let leases = Arc::new(Leases::new(Arc::clone(&outbox)));
        let (permits, failing) = (Semaphore::new(LANES), AtomicBool::new(false));
        let lanes = Lanes { outbox, log, topic, source, leases, permits, failing, metrics };
        Self {
            lanes: Arc::new(lanes),
            jobs: JoinSet::new(),
            busy: HashMap::new(),
            scanning: false,
            scan_again: false,
        }
    }

    /// Publishes until `stop` is cancelled, then what is there, for at most `drain`, and gives its leases back.
    pub async fn run(mut self, stop: CancellationToken, drain: Duration) {
        let acquired = Arc::new(Notify::new());
        let keeping =
            AbortOnDropHandle::new(tokio::spawn(keep(Arc::clone(&self.lanes), Arc::clone(&acquired))));
        self.publish(&stop, &acquired).await;
        let drained = timeout_at(Instant::now() + drain, self.finish()).await.is_ok();
        keeping.abort();
        if drained {
            self.lanes.leases.release_all().await;
        } else {
            // A publish may still be on its way: the terms run out by themselves.
            tracing::warn!("the outbox is not empty: whoever gets the leases next goes on");
        }
    }

    async fn publish(&mut self, stop: &CancellationToken, acquired: &Notify) {
        let mut signals = self.lanes.outbox.signals();
        let mut listening = true;
        let mut look = interval(SCAN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = acquired.notified() => self.scan(),
                _ = look.tick() => self.scan(),
                Some(ended) = self.jobs.join_next() => self.ended(ended),
                signal = signals.recv(), if listening => match signal {
                    Ok(Signal::Wrote(event)) => self.wake(event),
                    Ok(Signal::Missed) | Err(RecvError::Lagged(_)) => self.scan(),
                    Ok(Signal::Published(..)) => {}
                    Err(RecvError::Closed) => listening = false,
                },
            }
        }
    }

    /// Looks at everything once more and returns when nothing waits.
    async fn finish(&mut self) {
        self.scan();
        while let Some(ended) = self.jobs.join_next().await {
            self.ended(ended);
        }
    }

    /// Gives `event` a lane if its bucket is ours; a second one only when the first has ended.
    fn wake(&mut self, event: SeatingEventId) {
        let Some(term) = self.lanes.leases.of(self.lanes.outbox.bucket_of(&event)) else { return };
        if let Some(again) = self.busy.get_mut(&event) {
            *again = true;
            return;
        }
        self.busy.insert(event.clone(), false);
        let lanes = Arc::clone(&self.lanes);
        self.jobs.spawn(async move {
            lanes.drain(&event, &term).await;
            Job::Lane(event)
        });
    }

    /// Looks at every SeatingEvent of our buckets.
    fn scan(&mut self) {
        self.scan_again = self.scanning;
        if !self.scanning {
            self.scanning = true;
            let lanes = Arc::clone(&self.lanes);
            self.jobs.spawn(async move { Job::Scan(ours(&lanes).await) });
        }
    }

    fn ended(&mut self, job: Result<Job, JoinError>) {
        match job {
            Ok(Job::Lane(event)) => {
                if self.busy.remove(&event) == Some(true) {
                    self.wake(event);
                }
            }
            Ok(Job::Scan(events)) => {
                self.scanning = false;
                for event in events {
                    self.wake(event);
                }
                if self.scan_again {
                    self.scan();
                }
            }
            // A lane that panicked would leave its SeatingEvent unpublished in silence: the process starts anew.
            Err(error) => {
                if let Ok(panic) = error.try_into_panic() {
                    std::panic::resume_unwind(panic);
                }
            }
        }
    }
}

/// The SeatingEvents of our buckets.
async fn ours(lanes: &Lanes) -> Vec<SeatingEventId> {
    let mut found = vec![];
    for bucket in lanes.leases.buckets() {
        match lanes.outbox.events(bucket).await {
            Ok(events) => found.extend(events),
            Err(error) => tracing::debug!(%error, bucket, "bucket not looked at"),
        }
    }
    found
}

/// Keeps leases, for ever.
async fn keep(lanes: Arc<Lanes>, acquired: Arc<Notify>) {
    let mut round = interval(RENEW);
    round.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        round.tick().await;
        if lanes.leases.keep().await {
            acquired.notify_one();
        }
        lanes.metrics.refresh(lanes.leases.buckets().len());
    }
}

#[cfg(test)]
mod tests;
