//! One owner's time with a lane: from the round that gave the lease to the one that gives it back, or says that somebody
//! else has it.
//!
//! It says who works. Who may publish is the log's to say, so nothing here runs out by a clock: an owner whose lease
//! cannot be asked about goes on until the log refuses it. One that is given back ends in order: what is under way in it
//! is finished, and nothing more is begun.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::store::Lease;

/// See the module.
pub struct Ownership {
    /// What the store knows.
    pub lease: Lease,
    /// Nothing more is begun in it.
    over: CancellationToken,
    /// How many are at work in it: one a partition.
    occupied: AtomicUsize,
    /// Told when it is over and nobody is.
    idle: Arc<Notify>,
}

impl Ownership {
    /// An ownership; `idle` is told when it can be given back.
    pub fn new(lease: Lease, idle: Arc<Notify>) -> Self {
        Self { lease, over: CancellationToken::new(), occupied: AtomicUsize::new(0), idle }
    }

    /// Returns when nothing more is to be begun.
    pub async fn over(&self) {
        self.over.cancelled().await;
    }

    /// Whether nothing more is to be begun.
    pub fn is_over(&self) -> bool {
        self.over.is_cancelled()
    }

    /// Lets nothing more begin: it can be given back when what is under way has ended, or is somebody else's already.
    pub fn finish(&self) {
        self.over.cancel();
        if self.is_idle() {
            self.idle.notify_one();
        }
    }

    /// The place of whoever works in it.
    pub fn enter(self: &Arc<Self>) -> Occupancy {
        self.occupied.fetch_add(1, SeqCst);
        Occupancy(Arc::clone(self))
    }

    /// Whether it can be given back.
    pub fn is_idle(&self) -> bool {
        self.is_over() && self.occupied.load(SeqCst) == 0
    }
}

/// Somebody's place in an ownership.
pub struct Occupancy(Arc<Ownership>);

impl std::ops::Deref for Occupancy {
    type Target = Ownership;

    fn deref(&self) -> &Ownership {
        &self.0
    }
}

impl Drop for Occupancy {
    fn drop(&mut self) {
        self.0.occupied.fetch_sub(1, SeqCst);
        if self.0.is_idle() {
            self.0.idle.notify_one();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_ownership_is_given_back_when_all_who_work_in_it_have_left() {
        let ownership = Arc::new(Ownership::new(Lease { lane: 0, token: 1 }, Arc::default()));
        let places = [ownership.enter(), ownership.enter()];
        ownership.finish();
        for place in places {
            assert!(!ownership.is_idle());
            drop(place);
        }
        assert!(ownership.is_idle());
        ownership.idle.notified().await;
    }
}
