//! Growing delays per object: 1 s, 2 s, 4 s ... up to 30 s, back to nothing after a success; and a little of chance in each
//! of them, so that what failed together is not tried again together.
//!
//! Both controllers ask it in their error policy. It neither sleeps nor knows why an object failed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(30);
/// Most objects that are remembered: one may go while it fails, and nobody tells. Beyond that all begin anew.
const MOST: usize = 20_000;

/// How often each object failed in a row; keys are `Kind/namespace/name`.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: Mutex<HashMap<String, u32>>,
}

impl Backoff {
    /// Notes one more failure and returns how long to wait before the next try.
    pub fn failed(&self, key: &str) -> Duration {
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() >= MOST && !failures.contains_key(key) {
            failures.clear();
        }
        let count = failures.entry(key.to_owned()).or_default();
        *count = count.saturating_add(1);
        jittered(delay(*count))
    }

    /// Forgets the failures of an object that succeeded or is gone.
    pub fn succeeded(&self, key: &str) {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner).remove(key);
    }
}

/// About as long: up to a fifth less or more.
pub fn jittered(duration: Duration) -> Duration {
    spread(duration, fastrand::f64())
}

/// `chance` is from 0 to 1.
fn spread(duration: Duration, chance: f64) -> Duration {
    duration.mul_f64(0.8 + 0.4 * chance)
}

fn delay(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST.saturating_mul(1 << doublings).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn doubles_from_one_second_to_thirty() {
        let seconds: Vec<u64> = (1..=8).map(|n| delay(n).as_secs()).collect();
        assert_eq!(seconds, [1, 2, 4, 8, 16, 30, 30, 30]);
        assert_eq!(delay(u32::MAX), LONGEST);
    }

    #[test]
    fn counts_each_object_alone_and_starts_over_after_a_success() {
        let backoff = Backoff::default();
        let about = |delay: Duration, seconds| (0.8 * seconds..=1.2 * seconds).contains(&delay.as_secs_f64());
        backoff.failed("a");
        backoff.failed("a");
        assert!(about(backoff.failed("a"), 4.0));
        assert!(about(backoff.failed("b"), 1.0));
        backoff.succeeded("a");
        assert!(about(backoff.failed("a"), 1.0));
    }

    #[test]
    fn memory_is_bounded() {
        let backoff = Backoff::default();
        for number in 0..=MOST {
            backoff.failed(&number.to_string());
        }
        assert_eq!(backoff.failures.lock().unwrap().len(), 1);
    }

    #[test]
    fn chance_takes_or_adds_a_fifth() {
        let [least, most] = [0.0, 1.0].map(|chance| spread(Duration::from_mins(5), chance).as_millis());
        assert_eq!((least, most), (240_000, 360_000));
    }
}
