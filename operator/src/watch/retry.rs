//! When a watch that failed is begun again: at once, and then later after each failure in a row, up to 5 s. Pure.

use std::time::Duration;

use kube::runtime::utils::Backoff;

const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(5);

/// The delays of one watch. Any event of it begins them anew.
#[derive(Debug, Default)]
pub struct Retry {
    failures: u32,
}

impl Iterator for Retry {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let delay = FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        // Watches of one process that failed together do not come back together.
        Some(delay.mul_f64(0.75 + fastrand::f64() / 4.0))
    }
}

impl Backoff for Retry {
    fn reset(&mut self) {
        self.failures = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_longer_each_time_and_never_more_than_five_seconds() {
        let mut retry = Retry::default();
        let delays: Vec<_> = retry.by_ref().take(40).collect();
        assert!(delays[0] <= FIRST && delays[3] > delays[0], "{delays:?}");
        assert!(delays.iter().all(|delay| *delay <= LONGEST), "{delays:?}");
        retry.reset();
        assert!(retry.next().unwrap() <= FIRST);
    }
}
