//! The relay: publishes what the seat scripts wrote to the outboxes.
//!
//! SeatingEvents are spread over buckets, and the relays of all command workers share the buckets out ([`leases`]): one
//! owner a bucket, for a [`ownership`] at a time. The owner wakes at once when one of its SeatingEvents has something to
//! publish, and looks at all of them now and then in case it was not told. Each then has a [`lane`]. This file decides
//! who runs when; it reads and publishes nothing itself.

mod lane;

mod leases;

mod ownership;

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

use crate::store::{Backlog, LEASE_ROUND, Outbox, Signal};
use lane::Lanes;
use leases::Leases;
pub use metrics::RelayMetrics;
use ownership::Ownership;

/// How often all SeatingEvents are looked at, told or not.
const SCAN: Duration = Duration::from_secs(5);
/// How often while something waits: what is measured is that old at most.
const BUSY_SCAN: Duration = Duration::from_secs(1);
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
    scanned: Instant,
}

/// What ended.
enum Job {
    Lane(SeatingEventId),
    Scan(Option<Vec<Backlog>>),
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
            scanned: Instant::now(),
        }
    }

    /// Publishes until `stop` is cancelled. Then, for at most `drain`, it brings to an end what is under way and leaves
    /// the rest to those who stay; where nobody does, it publishes what is there.
    pub async fn run(mut self, stop: CancellationToken, drain: Duration) {
        let acquired = Arc::new(Notify::new());
        let keeping =
            AbortOnDropHandle::new(tokio::spawn(keep(Arc::clone(&self.lanes), Arc::clone(&acquired))));
        self.publish(&stop, &acquired).await;
        self.lanes.leases.retire();
        if timeout_at(Instant::now() + drain, self.finish()).await.is_err() {
            tracing::warn!("the outbox is not empty: whoever gets the leases next goes on");
        }
        // A round after this one would take the buckets again.
        keeping.abort();
        drop(keeping.await);
        self.lanes.leases.leave().await;
    }

    async fn publish(&mut self, stop: &CancellationToken, acquired: &Notify) {
        let mut signals = self.lanes.outbox.signals();
        let mut listening = true;
        let mut look = interval(BUSY_SCAN);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = acquired.notified() => self.scan(),
                _ = look.tick() => if self.is_scan_due() { self.scan() },
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

    /// Looks at everything once more and returns when nothing is under way.
    async fn finish(&mut self) {
        // Says that we are leaving, and learns whether somebody stays.
        self.lanes.leases.keep().await;
        self.scan();
        while let Some(ended) = self.jobs.join_next().await {
            self.ended(ended);
        }
    }

    /// Gives `event` a lane if its bucket is ours; a second one only when the first has ended.
    fn wake(&mut self, event: SeatingEventId) {
        if let Some(again) = self.busy.get_mut(&event) {
            *again = true;
            return;
        }
        let Some(place) = self.lanes.leases.of(&event).and_then(Ownership::enter) else { return };
        self.busy.insert(event.clone(), false);
        let lanes = Arc::clone(&self.lanes);
        self.jobs.spawn(async move {
            lanes.drain(&event, &place).await;
            Job::Lane(event)
        });
    }

    fn is_scan_due(&self) -> bool {
        let something_waits = !self.busy.is_empty() || self.lanes.metrics.anything_waits();
        something_waits || self.scanned.elapsed() >= SCAN
    }

    /// Looks at every SeatingEvent.
    fn scan(&mut self) {
        self.scan_again = self.scanning;
        if !self.scanning {
            (self.scanning, self.scanned) = (true, Instant::now());
            let lanes = Arc::clone(&self.lanes);
            self.jobs.spawn(async move {
                let found = lanes.outbox.backlogs().await;
                Job::Scan(found.inspect_err(|error| tracing::debug!(%error, "outboxes not looked at")).ok())
            });
        }
    }

    fn ended(&mut self, job: Result<Job, JoinError>) {
        match job {
            Ok(Job::Lane(event)) => {
                if self.busy.remove(&event) == Some(true) {
                    self.wake(event);
                }
            }
            Ok(Job::Scan(found)) => {
                self.scanning = false;
                if let Some(mut found) = found {
                    found.retain(|backlog| self.lanes.leases.of(&backlog.event).is_some());
                    self.lanes.metrics.waiting(&found);
                    for backlog in found {
                        self.wake(backlog.event);
                    }
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

/// Has rounds of the leases, for ever: in their pace, and at once when there is a bucket to give back.
async fn keep(lanes: Arc<Lanes>, acquired: Arc<Notify>) {
    let mut pace = interval(LEASE_ROUND);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = pace.tick() => {}
            () = lanes.leases.any_idle() => {}
        }
        if lanes.leases.keep().await {
            acquired.notify_one();
        }
        lanes.metrics.leases(lanes.leases.count());
    }
}

#[cfg(test)]
mod tests;
