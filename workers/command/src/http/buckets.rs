//! How much one user may ask for: a token bucket a user, in this process alone, so that n replicas let n times as much
//! through. A bucket holds as many tokens as it gets in a second, and a user who comes first finds it full.
//!
//! Memory is bounded whatever users callers make up. A bucket that nobody touched for a second is full, which is what
//! an absent one is: buckets move between two generations, and a generation that ends takes its untouched ones along.
//! Where a generation is full of users, further ones pass uncounted, and those who are counted still are.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Buckets are spread over so many locks: [`shard_of`] a hash is its top six bits.
const SHARDS: usize = 64;
/// Most users of a shard in one generation: 256 Ki of all.
const MAX_USERS: usize = 4096;
/// What a full bucket lasts for, and a generation.
const SECOND: u64 = 1_000_000_000;

/// The buckets of all users.
pub(super) struct Buckets {
    rate: NonZeroU32,
    opened: Instant,
    /// Keyed at random in each process, so that nobody can make up users who share a bucket.
    hasher: RandomState,
    shards: Vec<Mutex<Shard>>,
}

/// By the user's hash: when the bucket will be full again, in nanoseconds since the buckets were opened.
type Generation = HashMap<u64, u64>;

#[derive(Default)]
struct Shard {
    began: u64,
    current: Generation,
    previous: Generation,
}

impl Buckets {
    /// Buckets that get `rate` tokens a second.
    pub(super) fn new(rate: NonZeroU32) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { rate, opened: Instant::now(), hasher: RandomState::new(), shards }
    }

    /// Tokens a second.
    pub(super) fn rate(&self) -> NonZeroU32 {
        self.rate
    }

    /// Takes a token out of the user's bucket, if there is one.
    pub(super) fn take(&self, user: &str) -> bool {
        self.take_at(user, self.opened.elapsed())
    }

    fn take_at(&self, user: &str, now: Duration) -> bool {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX - 2 * SECOND);
        let hash = self.hasher.hash_one(user);
        let Some(shard) = self.shards.get(shard_of(hash)) else { return true };
        let token = SECOND / u64::from(self.rate.get());
        shard.lock().unwrap_or_else(PoisonError::into_inner).take(hash, token, now)
    }
}

/// The top bits: the map of a shard goes by the lower ones.
fn shard_of(hash: u64) -> usize {
    usize::try_from(hash >> 58).unwrap_or_default()
}

impl Shard {
    fn take(&mut self, user: u64, token: u64, now: u64) -> bool {
        self.turn(now);
        let known = self.current.get(&user).or_else(|| self.previous.get(&user));
        let full_again = known.copied().unwrap_or_default().max(now) + token;
        if full_again > now + SECOND {
            return false;
        }
        if self.current.len() < MAX_USERS || self.current.contains_key(&user) {
            self.current.insert(user, full_again);
        }
        true
    }

    /// Begins a new generation when the current one has lasted long enough.
    fn turn(&mut self, now: u64) {
        let age = now.saturating_sub(self.began);
        if age >= SECOND {
            self.previous = std::mem::take(&mut self.current);
            if age >= 2 * SECOND {
                self.previous.clear();
            }
            self.began = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(rate: u32) -> Buckets {
        Buckets::new(NonZeroU32::new(rate).unwrap())
    }

    fn taken(buckets: &Buckets, user: &str, times: u32, now: Duration) -> usize {
        (0..times).filter(|_| buckets.take_at(user, now)).count()
    }

    const START: Duration = Duration::from_secs(10);

    #[test]
    fn a_user_may_ask_for_a_seconds_worth_at_once_and_then_as_tokens_come() {
        let buckets = buckets(5);
        assert_eq!(taken(&buckets, "alice", 9, START), 5);
        assert_eq!(taken(&buckets, "alice", 9, START + Duration::from_millis(199)), 0);
        assert_eq!(taken(&buckets, "alice", 9, START + Duration::from_millis(200)), 1);
        assert_eq!(taken(&buckets, "alice", 9, START + Duration::from_millis(600)), 2);
        assert_eq!(taken(&buckets, "alice", 9, START + Duration::from_mins(1)), 5);
    }

    #[test]
    fn the_least_rate_is_one() {
        let buckets = buckets(1);
        assert_eq!(taken(&buckets, "alice", 3, START), 1);
        assert_eq!(taken(&buckets, "alice", 3, START + Duration::from_secs(1)), 1);
    }

    #[test]
    fn users_do_not_use_up_each_others_tokens() {
        let buckets = buckets(2);
        assert_eq!(taken(&buckets, "alice", 9, START), 2);
        assert_eq!(taken(&buckets, "bob", 9, START), 2);
    }

    #[test]
    fn nobody_gains_by_the_end_of_a_generation() {
        for rate in [1, 3, 7, 1000] {
            let buckets = buckets(rate);
            let (step, mut let_through) = (Duration::from_millis(7), 0);
            for turn in 0..1000 {
                let_through += taken(&buckets, "alice", 20, START + turn * step);
            }
            let at_most = usize::try_from(rate).unwrap() * 8;
            assert!(let_through <= at_most, "{let_through} of at most {at_most}");
            assert!(let_through >= at_most * 9 / 10 - 1, "{let_through} of {at_most}");
        }
    }

    #[test]
    fn made_up_users_cannot_grow_it_without_bound_nor_free_those_who_are_counted() {
        let buckets = buckets(2);
        assert_eq!(taken(&buckets, "alice", 9, START), 2);
        for user in 0..2 * SHARDS * MAX_USERS {
            assert!(buckets.take_at(&user.to_string(), START));
        }
        let kept = buckets.shards.iter().map(|shard| shard.lock().unwrap().current.len()).sum::<usize>();
        assert!(kept <= SHARDS * MAX_USERS, "{kept}");
        assert_eq!(taken(&buckets, "alice", 9, START), 0);
        taken(&buckets, "alice", 1, START + Duration::from_secs(3));
        let idle: usize = buckets.shards.iter().map(|shard| shard.lock().unwrap().previous.len()).sum();
        assert!(idle < kept, "idle users are forgotten: {idle}");
    }
}
