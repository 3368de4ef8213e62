//! What came of requests: how many were done, and how long they took.

use std::time::Duration;

use super::count;

/// Counts and latencies.
#[derive(Debug, Clone, Default)]
pub struct Tally {
    /// Answers of status 2xx.
    pub done: u64,
    /// Other answers.
    pub refused: u64,
    /// Time to each answer, in microseconds.
    latencies: Vec<u32>,
}

impl Tally {
    /// Counts an answer.
    pub fn add(&mut self, status: u16, latency: Duration) {
        if (200..300).contains(&status) {
            self.done += 1;
        } else {
            self.refused += 1;
        }
        self.latencies.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    /// Successful answers a second.
    pub fn rate(&self, took: Duration) -> f64 {
        count(self.done) / took.as_secs_f64()
    }

    /// The latency that so many of a thousand answers did not exceed, in milliseconds.
    pub fn latency_ms(&mut self, per_mille: usize) -> f64 {
        self.latencies.sort_unstable();
        percentile(&self.latencies, per_mille).map_or(0.0, |micros| f64::from(micros) / 1000.0)
    }
}

/// The value that so many of a thousand of `sorted` do not exceed; `None` where there are none.
pub fn percentile<T: Copy>(sorted: &[T], per_mille: usize) -> Option<T> {
    let place = (sorted.len() * per_mille).div_ceil(1000).saturating_sub(1);
    sorted.get(place).copied()
}

/// The middle one of `values`, or the mean of the two in the middle; 0 where there are none.
pub fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut sorted: Vec<f64> = values.into_iter().collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match sorted.get(middle.saturating_sub(1)..=middle) {
        Some([low, high]) if sorted.len().is_multiple_of(2) => f64::midpoint(*low, *high),
        Some([.., high]) => *high,
        _ => 0.0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_one_of_the_latencies() {
        let mut tally = Tally::default();
        for millis in (1..=100).rev() {
            tally.add(200, Duration::from_millis(millis));
        }
        let found = [500, 990, 1000].map(|per_mille| tally.latency_ms(per_mille));
        assert_eq!(found.map(|millis| format!("{millis:.1}")), ["50.0", "99.0", "100.0"]);
        assert!((tally.rate(Duration::from_secs(2)) - 50.0).abs() < 1e-9);
        assert_eq!(percentile::<u32>(&[], 990), None);
    }

    #[test]
    fn refusals_are_counted_apart() {
        let mut tally = Tally::default();
        for status in [201, 409, 503] {
            tally.add(status, Duration::ZERO);
        }
        assert_eq!((tally.done, tally.refused), (1, 2));
    }

    #[test]
    fn a_median_is_in_the_middle() {
        assert_eq!(median([]).to_bits(), 0.0_f64.to_bits());
        assert!((median([3.0]) - 3.0).abs() < 1e-9);
        assert!((median([9.0, 1.0, 2.0]) - 2.0).abs() < 1e-9);
        assert!((median([4.0, 1.0, 2.0, 9.0]) - 3.0).abs() < 1e-9);
    }
}
