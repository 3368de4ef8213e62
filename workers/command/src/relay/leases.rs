//! Which lanes are this process': its rounds of the leases, and what follows from each.
//!
//! A round is one call for all lanes. It keeps what is ours, takes what is free up to our share, and gives back what is
//! above it once whoever works there has left. A round that fails changes nothing: the log says who may publish.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::timeout;
use uuid::Uuid;

use super::ownership::Ownership;
use crate::store::{Outbox, Round, StoreError};

/// Longest wait for the answer to a round: another one still fits into the life of a lease.
const ANSWER: Duration = Duration::from_millis(700);

type Ownerships = BTreeMap<u32, Arc<Ownership>>;

/// The ownerships of this process.
pub struct Leases {
    outbox: Arc<dyn Outbox>,
    owner: Uuid,
    stays: AtomicBool,
    lanes: AtomicU32,
    ownerships: Mutex<Ownerships>,
    idle: Arc<Notify>,
    /// How many rounds were answered.
    rounds: watch::Sender<u64>,
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
            lanes: AtomicU32::new(0),
            ownerships: Mutex::default(),
            idle: Arc::default(),
            rounds: watch::Sender::new(0),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// From now on there are so many lanes.
    pub fn share_out(&self, lanes: u32) {
        self.lanes.store(lanes, SeqCst);
    }

    /// One round; which ownerships are new.
    ///
    /// # Errors
    /// A store that does not answer.
    pub async fn keep(&self) -> Result<Vec<Arc<Ownership>>, StoreError> {
        self.round(|ownership| ownership.is_some_and(|ownership| ownership.is_idle())).await
    }

    /// Gives every lane back in which nothing is under way. The others run out by themselves.
    pub async fn leave(&self) {
        self.retire();
        for ownership in self.ownerships().values() {
            ownership.finish();
        }
        let left = self.round(|ownership| ownership.is_none_or(|ownership| ownership.is_idle())).await;
        if let Err(error) = left {
            tracing::debug!(%error, "leases run out by themselves");
        }
    }

    /// A round that gives back the lanes of whose ownership `gives` says so; what is given back is not taken.
    async fn round(
        &self,
        gives: impl Fn(Option<&Arc<Ownership>>) -> bool + Send,
    ) -> Result<Vec<Arc<Ownership>>, StoreError> {
        let _turn = self.turn.lock().await;
        let lanes = self.lanes.load(SeqCst);
        let give_back: Vec<u32> = {
            let ownerships = self.ownerships();
            (0..lanes).filter(|lane| gives(ownerships.get(lane))).collect()
        };
        let round = self.outbox.round(self.owner, self.stays.load(SeqCst), lanes, &give_back);
        let late = |_| StoreError::Unavailable(format!("no round of the leases within {ANSWER:?}"));
        let round = timeout(ANSWER, round).await.map_err(late)??;
        let new = learn(&mut self.ownerships(), &round, &self.idle);
        self.rounds.send_modify(|rounds| *rounds += 1);
        Ok(new)
    }

    /// Returns when a round that began after this call was answered.
    pub async fn confirmed(&self) {
        let mut rounds = self.rounds.subscribe();
        // The first one may have begun before.
        let enough = *rounds.borrow() + 2;
        // The sender is in `self`, which outlives this.
        drop(rounds.wait_for(|rounds| *rounds >= enough).await);
    }

    /// The ownership of a lane that is ours.
    pub fn of(&self, lane: u32) -> Option<Arc<Ownership>> {
        self.ownerships().get(&lane).cloned()
    }

    /// How many lanes are ours.
    pub fn count(&self) -> usize {
        self.ownerships().len()
    }

    /// Returns when there is a lane to give back.
    pub async fn any_idle(&self) {
        self.idle.notified().await;
    }

    /// From now on this process is leaving: whoever stays gets its lanes.
    pub fn retire(&self) {
        self.stays.store(false, SeqCst);
    }

    fn ownerships(&self) -> MutexGuard<'_, Ownerships> {
        self.ownerships.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes `ownerships` what a round says, and ends those above our share. Which are new.
fn learn(ownerships: &mut Ownerships, round: &Round, idle: &Arc<Notify>) -> Vec<Arc<Ownership>> {
    let mut before = std::mem::take(ownerships);
    let mut new = vec![];
    for lease in &round.leases {
        let known = before.remove(&lease.lane);
        let ownership = match known {
            Some(ownership) if ownership.lease == *lease => ownership,
            other => {
                if let Some(ownership) = other {
                    lost(&ownership);
                }
                let ownership = Arc::new(Ownership::new(*lease, Arc::clone(idle)));
                new.push(Arc::clone(&ownership));
                ownership
            }
        };
        ownerships.insert(lease.lane, ownership);
    }
    for ownership in before.values() {
        lost(ownership);
    }
    let going_on = ownerships.values().filter(|ownership| !ownership.is_over());
    for ownership in going_on.skip(round.share) {
        ownership.finish();
    }
    new
}

/// Ends an ownership that is not ours any more; that is news unless we gave it back.
fn lost(ownership: &Ownership) {
    if !ownership.is_idle() {
        tracing::info!(lane = ownership.lease.lane, "lease lost");
    }
    ownership.finish();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lease;

    fn round(lanes: impl IntoIterator<Item = u32>, share: usize) -> Round {
        Round { leases: lanes.into_iter().map(|lane| Lease { lane, token: 7 }).collect(), share }
    }

    fn going_on(ownerships: &Ownerships) -> Vec<u32> {
        let going_on = ownerships.iter().filter(|(_, ownership)| !ownership.is_over());
        going_on.map(|(lane, _)| *lane).collect()
    }

    #[tokio::test]
    async fn what_is_above_the_share_is_finished_and_stays_ours_until_it_is_given_back() {
        let (mut ownerships, idle) = (Ownerships::new(), Arc::default());
        assert_eq!(learn(&mut ownerships, &round(0..4, 4), &idle).len(), 4, "all are new");
        let place = ownerships[&3].enter();
        assert!(learn(&mut ownerships, &round(0..4, 2), &idle).is_empty(), "none is");
        assert_eq!((going_on(&ownerships), ownerships.len()), (vec![0, 1], 4));
        assert!(ownerships[&2].is_idle() && !ownerships[&3].is_idle(), "somebody works in 3");
        assert!(learn(&mut ownerships, &round([0, 1, 3], 2), &idle).is_empty());
        assert_eq!((going_on(&ownerships), ownerships.len()), (vec![0, 1], 3));
        drop(place);
        assert!(ownerships[&3].is_idle());
    }

    #[tokio::test]
    async fn a_lane_that_came_back_with_another_token_is_another_ownership() {
        let (mut ownerships, idle) = (Ownerships::new(), Arc::default());
        learn(&mut ownerships, &round([1], 4), &idle);
        let before = Arc::clone(&ownerships[&1]);
        let again = Round { leases: vec![Lease { lane: 1, token: 9 }], share: 4 };
        assert_eq!(learn(&mut ownerships, &again, &idle).len(), 1);
        assert!(before.is_over() && !ownerships[&1].is_over());
        assert!(learn(&mut ownerships, &round([], 4), &idle).is_empty());
        assert!(ownerships.is_empty());
    }
}
