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

use super::term::Term;
use crate::store::{LEASE_TERM, Outbox, Round};

/// Longest wait for the answer to a round: another one still fits into the term.
const ANSWER: Duration = Duration::from_millis(700);

type Terms = HashMap<u32, Arc<Term>>;

/// The terms of this process.
pub struct Leases {
    outbox: Arc<dyn Outbox>,
    owner: Uuid,
    stays: AtomicBool,
    terms: Mutex<Terms>,
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
            terms: Mutex::default(),
            idle: Arc::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// One round. `true` where it gave us a bucket.
    pub async fn keep(&self) -> bool {
        self.round(|term| term.is_some_and(|term| term.is_idle())).await
    }

    /// Gives every bucket back in which nothing is under way. The others run out by themselves.
    pub async fn leave(&self) {
        self.retire();
        for term in self.terms().values() {
            term.finish();
        }
        self.round(|term| term.is_none_or(|term| term.is_idle())).await;
    }

    /// A round that gives back the buckets of whose term `gives` says so; what is given back is not taken.
    async fn round(&self, gives: impl Fn(Option<&Arc<Term>>) -> bool + Send) -> bool {
        let _turn = self.turn.lock().await;
        let give_back: Vec<u32> = {
            let terms = self.terms();
            (0..self.outbox.buckets()).filter(|bucket| gives(terms.get(bucket))).collect()
        };
        let asked = Instant::now();
        let round = self.outbox.round(self.owner, self.stays.load(SeqCst), &give_back);
        let error = match timeout(ANSWER, round).await {
            Ok(Ok(round)) => return learn(&mut self.terms(), &round, asked + LEASE_TERM, &self.idle),
            Ok(Err(error)) => error.to_string(),
            Err(late) => late.to_string(),
        };
        tracing::debug!(error, "no round of the leases");
        for (_, term) in self.terms().extract_if(|_, term| term.has_ended()) {
            lost(&term);
        }
        false
    }

    /// The term of a SeatingEvent that is ours.
    pub fn of(&self, event: &SeatingEventId) -> Option<Arc<Term>> {
        self.terms().get(&self.outbox.bucket_of(event)).cloned()
    }

    /// How many buckets are ours.
    pub fn count(&self) -> usize {
        self.terms().len()
    }

    /// Returns when there is a bucket to give back.
    pub async fn any_idle(&self) {
        self.idle.notified().await;
    }

    /// From now on this process is leaving: whoever stays gets its buckets.
    pub fn retire(&self) {
        self.stays.store(false, SeqCst);
    }

    fn terms(&self) -> MutexGuard<'_, Terms> {
        self.terms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes `terms` what a round says, each until `ends`, and ends those above our share. `true` where one is new.
fn learn(terms: &mut Terms, round: &Round, ends: Instant, idle: &Arc<Notify>) -> bool {
    let mut before = std::mem::take(terms);
    let mut any_new = false;
    for lease in &round.leases {
        let known = before.remove(&lease.bucket);
        if let Some(term) = known.as_ref().filter(|term| term.lease == *lease) {
            term.renew(ends);
            terms.insert(lease.bucket, Arc::clone(term));
        } else {
            if let Some(term) = known {
                lost(&term);
            }
            terms.insert(lease.bucket, Arc::new(Term::new(*lease, ends, Arc::clone(idle))));
            any_new = true;
        }
    }
    for term in before.values() {
        lost(term);
    }
    let mut going_on: Vec<_> = terms.values().filter(|term| !term.is_over()).collect();
    going_on.sort_by_key(|term| term.lease.bucket);
    for term in going_on.iter().skip(round.share) {
        term.finish();
    }
    any_new
}

/// Ends a term that is not ours any more; that is news unless we gave it back.
fn lost(term: &Term) {
    if !term.is_idle() {
        tracing::info!(bucket = term.lease.bucket, "lease lost");
    }
    term.lose();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lease;

    fn round(buckets: impl IntoIterator<Item = u32>, share: usize) -> Round {
        Round { leases: buckets.into_iter().map(|bucket| Lease { bucket, token: 7 }).collect(), share }
    }

    fn going_on(terms: &Terms) -> Vec<u32> {
        let mut buckets: Vec<_> =
            terms.iter().filter(|(_, term)| !term.is_over()).map(|(bucket, _)| *bucket).collect();
        buckets.sort_unstable();
        buckets
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_above_the_share_is_finished_and_stays_ours_until_it_is_given_back() {
        let (mut terms, idle, ends) = (Terms::new(), Arc::default(), Instant::now() + LEASE_TERM);
        assert!(learn(&mut terms, &round(0..4, 4), ends, &idle), "all are new");
        let place = Arc::clone(&terms[&3]).enter();
        assert!(!learn(&mut terms, &round(0..4, 2), ends, &idle), "none is");
        assert_eq!((going_on(&terms), terms.len()), (vec![0, 1], 4));
        assert!(terms[&2].is_idle() && !terms[&3].is_idle(), "a lane is in 3");
        assert!(!learn(&mut terms, &round([0, 1, 3], 2), ends, &idle));
        assert_eq!((going_on(&terms), terms.len()), (vec![0, 1], 3));
        drop(place);
        assert!(terms[&3].is_idle());
    }

    #[tokio::test(start_paused = true)]
    async fn a_bucket_that_came_back_with_another_token_is_another_term() {
        let (mut terms, idle, ends) = (Terms::new(), Arc::default(), Instant::now() + LEASE_TERM);
        learn(&mut terms, &round([1], 4), ends, &idle);
        let before = Arc::clone(&terms[&1]);
        let again = Round { leases: vec![Lease { bucket: 1, token: 9 }], share: 4 };
        assert!(learn(&mut terms, &again, ends, &idle));
        assert!(before.is_over() && !terms[&1].is_over());
        assert!(!learn(&mut terms, &round([], 4), ends, &idle));
        assert!(terms.is_empty());
    }
}
