//! The right to publish a bucket, until a moment that renewals move.
//!
//! An [`Ownership`] ends by the local clock, counted from before the store was asked: whatever the network does, it has ended
//! here before the store gives the bucket to somebody else. One that is given back ends in order: lanes that are in it
//! finish their step, and nobody enters any more.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::store::Lease;

/// See the module.
pub struct Ownership {
    /// What the store knows.
    pub lease: Lease,
    ends: watch::Sender<Instant>,
    /// Nothing more is begun in it.
    over: CancellationToken,
    lanes: Mutex<usize>,
    /// Told when it is over and the last lane has left.
    idle: Arc<Notify>,
}

impl Ownership {
    /// A ownership until `ends`; `idle` is told when it can be given back.
    pub fn new(lease: Lease, ends: Instant, idle: Arc<Notify>) -> Self {
        let (ends, over) = (watch::Sender::new(ends), CancellationToken::new());
        Self { lease, ends, over, lanes: Mutex::new(0), idle }
    }

    /// Whether something may be begun that needs `span` of it.
    pub fn lasts(&self, span: Duration) -> bool {
        !self.over.is_cancelled() && *self.ends.borrow() >= Instant::now() + span
    }

    /// Whether it has run out.
    pub fn has_ended(&self) -> bool {
        *self.ends.borrow() <= Instant::now()
    }

    /// Returns as soon as less than `span` of it remains, whatever renewals come until then.
    pub async fn runs_out(&self, span: Duration) {
        let mut ends = self.ends.subscribe();
        loop {
            let end = *ends.borrow_and_update();
            // The sender is in `self`, which outlives this.
            tokio::select! {
                () = sleep_until(end.checked_sub(span).unwrap_or(end)) => return,
                _ = ends.changed() => {}
            }
        }
    }

    /// Returns when nothing more is to be begun.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Whether it is.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Lasts until `ends`.
    pub fn renew(&self, ends: Instant) {
        self.ends.send_replace(ends);
    }

    /// Lets nothing more begin; it can be given back when the last lane has left.
    pub fn finish(&self) {
        self.over.cancel();
        if self.is_idle() {
            self.idle.notify_one();
        }
    }

    /// Another owner has the bucket, or may have it: what is under way is to be given up.
    pub fn lose(&self) {
        self.over.cancel();
        self.ends.send_replace(Instant::now());
    }

    /// A place in it for a lane, unless it is over.
    pub fn enter(self: Arc<Self>) -> Option<Occupancy> {
        let mut lanes = self.lanes();
        if self.is_over() {
            return None;
        }
        *lanes += 1;
        drop(lanes);
        Some(Occupancy(self))
    }

    /// Whether it is over, and nobody is in it.
    pub fn is_idle(&self) -> bool {
        self.is_over() && *self.lanes() == 0
    }

    fn lanes(&self) -> MutexGuard<'_, usize> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A lane's place in a ownership.
pub struct Occupancy(Arc<Ownership>);

impl std::ops::Deref for Occupancy {
    type Target = Ownership;

    fn deref(&self) -> &Ownership {
        &self.0
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        *self.0.lanes() -= 1;
        if self.0.is_idle() {
            self.0.idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership(millis: u64) -> Arc<Ownership> {
        let ends = Instant::now() + Duration::from_millis(millis);
        Arc::new(Ownership::new(Lease { bucket: 0, token: 1 }, ends, Arc::default()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_that_is_renewed_does_not_run_out() {
        let (ownership, begun) = (ownership(1000), Instant::now());
        let renewing = async {
            tokio::time::sleep(Duration::from_millis(700)).await;
            ownership.renew(begun + Duration::from_millis(1700));
        };
        tokio::join!(ownership.runs_out(Duration::from_millis(200)), renewing);
        assert_eq!(begun.elapsed(), Duration::from_millis(1500));
        assert!(ownership.lasts(Duration::from_millis(200)) && !ownership.lasts(Duration::from_millis(201)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_that_is_lost_runs_out_at_once() {
        let (ownership, begun) = (ownership(1000), Instant::now());
        tokio::join!(ownership.runs_out(Duration::ZERO), async { ownership.lose() });
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn a_term_is_given_back_when_the_last_lane_has_left_it() {
        let ownership = ownership(1000);
        let places = [Arc::clone(&ownership).enter().unwrap(), Arc::clone(&ownership).enter().unwrap()];
        ownership.finish();
        assert!(Arc::clone(&ownership).enter().is_none(), "nobody enters any more");
        assert!(!ownership.is_idle());
        drop(places);
        assert!(ownership.is_idle());
        ownership.idle.notified().await;
    }
}
