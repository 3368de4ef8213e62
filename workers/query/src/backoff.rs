//! How long to wait before trying again: a tenth of a second, then twice as long each time, at most 30 s.

use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(30);

/// Waits that grow.
#[derive(Debug, Default)]
pub struct Backoff(Option<Duration>);

impl Backoff {
    /// How long to wait now.
    pub fn wait(&mut self) -> Duration {
        let wait = self.0.map_or(FIRST, |last| LONGEST.min(last * 2));
        *self.0.insert(wait)
    }

    /// It worked: the next wait is a short one.
    pub fn reset(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_limit_and_start_over() {
        let mut backoff = Backoff::default();
        let waits: Vec<_> = (0..10).map(|_| backoff.wait().as_millis()).collect();
        assert_eq!(waits, [100, 200, 400, 800, 1_600, 3_200, 6_400, 12_800, 25_600, 30_000]);
        backoff.reset();
        assert_eq!(backoff.wait(), FIRST);
    }
}
