//! How long to wait before trying again. Pure.

use std::time::Duration;

/// `first`, doubled with each of `tries`, at most `last`.
pub fn growing(first: Duration, last: Duration, tries: u32) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(tries)).min(last)
}

/// `wait`, up to a fifth shorter or longer by `dice` (0 to 999): what failed together is not tried again together.
pub fn jittered(wait: Duration, dice: u32) -> Duration {
    wait.saturating_mul(800 + dice.min(999) * 2 / 5) / 1000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_last() {
        let wait = |tries| growing(Duration::from_secs(1), Duration::from_mins(1), tries).as_secs();
        assert_eq!([0, 1, 2, 5, 6, 31, 32, u32::MAX].map(wait), [1, 2, 4, 32, 60, 60, 60, 60]);
    }

    #[test]
    fn jitter_is_a_fifth() {
        let wait = |dice| jittered(Duration::from_secs(10), dice).as_millis();
        assert_eq!([0, 500, 999, 5000].map(wait), [8000, 10_000, 11_990, 11_990]);
    }
}
