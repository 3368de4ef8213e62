//! In which place of a Redis Cluster a relay has its leases.
//!
//! Leases, and what belongs to no SeatingEvent besides, lie in several places ([`super::keys::PLACES`]). Every relay asks
//! the places in the same order and takes the first that answers, so all agree on one, but for moments in which a server
//! comes or goes, or where not all of them reach it. Then the log decides who publishes: whoever takes a lane fences its
//! earlier owner there. So that this happens as seldom as can be, a relay that comes to another place keeps what it
//! had and takes nothing more for as long as a lease lives: those who had the rest have come by then, or their leases
//! are over wherever they are. What it keeps has the same token as before, and whoever works there goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::store::{LEASE_LIFE, Round};

/// How long one place may take, where there is another one. Together they are given less than a round may take.
pub const ANSWER: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Debug, Default)]
pub struct LeasePlace(Mutex<Had>);

/// What the last round gave, and where.
#[derive(Debug, Default)]
struct Had {
    place: u16,
    since: Option<Instant>,
    lanes: BTreeMap<u32, Held>,
}

/// A lease: its token at the place where it is, and the one under which it is known here.
#[derive(Debug, Clone, Copy)]
struct Held {
    token: u64,
    known_as: u64,
}

impl LeasePlace {
    /// What is given back, or not taken, in a round at `place` that is to give back `lanes_given`.
    pub fn given_back(&self, place: u16, lanes: u32, lanes_given: &[u32]) -> Vec<u32> {
        let had = self.had();
        let is_new = had.place != place || had.since.is_some_and(|since| since.elapsed() < LEASE_LIFE);
        let mut given: BTreeSet<_> = lanes_given.iter().copied().collect();
        if is_new {
            given.extend((0..lanes).filter(|lane| !had.lanes.contains_key(lane)));
        }
        given.into_iter().collect()
    }

    /// What `round`, which was answered at `place`, comes to.
    pub fn answered(&self, place: u16, mut round: Round) -> Round {
        let mut had = self.had();
        let has_moved = had.place != place;
        if has_moved {
            tracing::info!(place, "leases are in another place now");
            (had.place, had.since) = (place, Some(Instant::now()));
        }
        let before = std::mem::take(&mut had.lanes);
        for lease in &mut round.leases {
            let same = before.get(&lease.lane).filter(|held| has_moved || held.token == lease.token);
            let held = Held { token: lease.token, known_as: same.map_or(lease.token, |held| held.known_as) };
            lease.token = held.known_as;
            had.lanes.insert(lease.lane, held);
        }
        round
    }

    fn had(&self) -> MutexGuard<'_, Had> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Lease;

    fn round(lanes: impl IntoIterator<Item = u32>, token: u64) -> Round {
        Round { leases: lanes.into_iter().map(|lane| Lease { lane, token }).collect(), share: 4 }
    }

    #[tokio::test(start_paused = true)]
    async fn at_another_place_a_relay_keeps_what_it_had_and_takes_more_only_after_a_leases_life() {
        let place = LeasePlace::default();
        assert!(place.given_back(0, 4, &[]).is_empty(), "who begins at the first place takes what is free");
        assert_eq!(place.answered(0, round([1, 2], 7)), round([1, 2], 7));
        assert!(place.given_back(0, 4, &[]).is_empty());
        assert_eq!(place.given_back(1, 4, &[2]), [0, 2, 3]);
        assert_eq!(place.answered(1, round([1], 9)), round([1], 7), "it is the same lease");
        assert_eq!(place.given_back(1, 4, &[]), [0, 2, 3]);
        assert_eq!(place.answered(1, round([1], 9)), round([1], 7));
        tokio::time::advance(LEASE_LIFE).await;
        assert_eq!(place.answered(1, round([1], 10)), round([1], 10), "somebody else had it meanwhile");
        assert_eq!(place.given_back(1, 4, &[3]), [3]);
        assert_eq!(place.given_back(0, 4, &[]), [0, 2, 3], "the same on the way back");
    }

    #[tokio::test(start_paused = true)]
    async fn who_begins_elsewhere_takes_nothing_at_first() {
        assert_eq!(LeasePlace::default().given_back(2, 3, &[]), [0, 1, 2]);
    }
}
