//! Which buckets this process may publish: its rounds of the leases, and what follows from each.
//!
//! A round is one call for all buckets. It keeps what is ours, takes what is free up to our share, and gives back what
//! is above it once its lanes have left. Nothing here waits for a publish.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::ownership::Ownership;
use crate::store::{LEASE_LIFE, Outbox, Round};

/// Longest wait for the answer to a round: another one still fits into the ownership.
const ANSWER: Duration = Duration::from_millis(700);

type Ownerships = HashMap<u32, Arc<Ownership>>;

/// The ownerships of this process.
pub struct Leases {
    outbox: Arc<dyn Outbox>,
    owner: Uuid,
    stays: AtomicBool,
    ownerships: Mutex<Ownerships>,
    idle: Arc<Notify>,
    /// One round at a time: what an earlier one says must not be learnt after what a later one says.
    turn: tokio::sync::Mutex<()>,
}

impl Leases {
    /// None yet.
    pub fn new(outbox: Arc<dyn Outbox>) -> Self {
        Self {
            outbox,
            owner: Uuid::new_v4(),
            stays: AtomicBool::new(true),
            ownerships: Mutex::default(),
            idle: Arc::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// One round. `true` where it gave us a bucket.
    pub async fn keep(&self) -> bool {
        self.round(|ownership| ownership.is_some_and(|ownership| ownership.is_idle())).await
    }

    /// Gives every bucket back in which nothing is under way. The others run out by themselves.
    pub async fn leave(&self) {
        self.retire();
        for ownership in self.ownerships().values() {
            ownership.finish();
        }
        self.round(|ownership| ownership.is_none_or(|ownership| ownership.is_idle())).await;
    }

    /// A round that gives back the buckets of whose ownership `gives` says so; what is given back is not taken.
    async fn round(&self, gives: impl Fn(Option<&Arc<Ownership>>) -> bool + Send) -> bool {
        let _turn = self.turn.lock().await;
        let give_back: Vec<u32> = {
            let ownerships = self.ownerships();
            (0..self.outbox.buckets()).filter(|bucket| gives(ownerships.get(bucket))).collect()
        };
        let asked = Instant::now();
        let round = self.outbox.round(self.owner, self.stays.load(SeqCst), &give_back);
        let error = match timeout(ANSWER, round).await {
            Ok(Ok(round)) => return learn(&mut self.ownerships(), &round, asked + LEASE_LIFE, &self.idle),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::debug!(error, "no round of the leases");
        for (_, ownership) in self.ownerships().extract_if(|_, ownership| ownership.has_ended()) {
            lost(&ownership);
        }
        false
    }

    /// The ownership of a SeatingEvent that is ours.
    pub fn of(&self, event: &SeatingEventId) -> Option<Arc<Ownership>> {
        self.ownerships().get(&self.outbox.bucket_of(event)).cloned()
    }

    /// How many buckets are ours.
    pub fn count(&self) -> usize {
        self.ownerships().len()
    }

    /// Returns when there is a bucket to give back.
    pub async fn any_idle(&self) {
        self.idle.notified().await;
    }

    /// From now on this process is leaving: whoever stays gets its buckets.
    pub fn retire(&self) {
        self.stays.store(false, SeqCst);
    }

    fn ownerships(&self) -> MutexGuard<'_, Ownerships> {
        self.ownerships.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes `ownerships` what a round says, each until `ends`, and ends those above our share. `true` where one is new.
fn learn(ownerships: &mut Ownerships, round: &Round, ends: Instant, idle: &Arc<Notify>) -> bool {
    let mut before = std::mem::take(ownerships);
    let mut any_new = false;
    for lease in &round.leases {
        let known = before.remove(&lease.bucket);
        if let Some(ownership) = known.as_ref().filter(|ownership| ownership.lease == *lease) {
            ownership.renew(ends);
            ownerships.insert(lease.bucket, Arc::clone(ownership));
        } else {
            if let Some(ownership) = known {
                lost(&ownership);
            }
            ownerships.insert(lease.bucket, Arc::new(Ownership::new(*lease, ends, Arc::clone(idle))));
            any_new = true;
        }
    }
    for ownership in before.values() {
        lost(ownership);
    }
    let mut going_on: Vec<_> = ownerships.values().filter(|ownership| !ownership.is_over()).collect();
    going_on.sort_by_key(|ownership| ownership.lease.bucket);
    for ownership in going_on.iter().skip(round.share) {
        ownership.finish();
    }
    any_new
}

/// Ends a ownership that is not ours any more; that is news unless we gave it back.
fn lost(ownership: &Ownership) {
    if !ownership.is_idle() {
        tracing::info!(bucket = ownership.lease.bucket, "lease lost");
    }
    ownership.lose();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lease;

    fn round(buckets: impl IntoIterator<Item = u32>, share: usize) -> Round {
        Round { leases: buckets.into_iter().map(|bucket| Lease { bucket, token: 7 }).collect(), share }
    }

    fn going_on(ownerships: &Ownerships) -> Vec<u32> {
        let mut buckets: Vec<_> = ownerships
            .iter()
            .filter(|(_, ownership)| !ownership.is_over())
            .map(|(bucket, _)| *bucket)
            .collect();
        buckets.sort_unstable();
        buckets
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_above_the_share_is_finished_and_stays_ours_until_it_is_given_back() {
        let (mut ownerships, idle, ends) = (Ownerships::new(), Arc::default(), Instant::now() + LEASE_LIFE);
        assert!(learn(&mut ownerships, &round(0..4, 4), ends, &idle), "all are new");
        let place = Arc::clone(&ownerships[&3]).enter();
        assert!(!learn(&mut ownerships, &round(0..4, 2), ends, &idle), "none is");
        assert_eq!((going_on(&ownerships), ownerships.len()), (vec![0, 1], 4));
        assert!(ownerships[&2].is_idle() && !ownerships[&3].is_idle(), "a lane is in 3");
        assert!(!learn(&mut ownerships, &round([0, 1, 3], 2), ends, &idle));
        assert_eq!((going_on(&ownerships), ownerships.len()), (vec![0, 1], 3));
        drop(place);
        assert!(ownerships[&3].is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_came_back_with_another_token_is_another_term() {
        let (mut ownerships, idle, ends) = (Ownerships::new(), Arc::default(), Instant::now() + LEASE_LIFE);
        learn(&mut ownerships, &round([1], 4), ends, &idle);
        let before = Arc::clone(&ownerships[&1]);
        let again = Round { leases: vec![Lease { bucket: 1, token: 9 }], share: 4 };
        assert!(learn(&mut ownerships, &again, ends, &idle));
        assert!(before.is_over() && !ownerships[&1].is_over());
        assert!(!learn(&mut ownerships, &round([], 4), ends, &idle));
        assert!(ownerships.is_empty());
    }
}
