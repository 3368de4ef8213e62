//! Where this member stands in one partition, and how long it waits after trouble. No IO.

use std::time::Duration;

use tokio::time::Instant;

/// Back-off after a failed batch: doubled from the first to the last.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(10);

/// Where this member stands in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Paused: at `until` the checkpoint is read and reading goes on from there.
    Waiting {
        /// When.
        until: Instant,
        /// How long to wait should that fail.
        next: Duration,
    },
    /// Reading.
    Reading {
        /// The checkpoint; `None` before the view's first batch.
        checkpoint: Option<u64>,
        /// How long to wait should the next batch fail.
        next: Duration,
    },
    /// Paused for good: a gap or a fork (I5), or a log that no longer has what comes next.
    Stopped,
}

impl Position {
    /// To be read from its checkpoint on, at once.
    pub fn assigned(now: Instant) -> Self {
        Self::Waiting { until: now, next: FIRST }
    }

    /// Reading from the checkpoint; the back-off goes on growing until a batch succeeds.
    #[must_use]
    pub fn reading(self, checkpoint: Option<u64>) -> Self {
        Self::Reading { checkpoint, next: self.backoff() }
    }

    /// A batch was committed.
    pub fn applied(next_offset: u64) -> Self {
        Self::Reading { checkpoint: Some(next_offset), next: FIRST }
    }

    /// Something failed that may work later.
    #[must_use]
    pub fn failed(self, now: Instant) -> Self {
        let wait = self.backoff();
        Self::Waiting { until: now + wait, next: (wait * 2).min(LAST) }
    }

    fn backoff(self) -> Duration {
        match self {
            Self::Waiting { next, .. } | Self::Reading { next, .. } => next,
            Self::Stopped => LAST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_back_off_grows_to_its_limit_and_starts_again_after_a_success() {
        let now = Instant::now();
        let mut position = Position::assigned(now);
        let mut waits = vec![];
        for _ in 0..9 {
            position = position.reading(Some(7)).failed(now);
            if let Position::Waiting { until, .. } = position {
                waits.push((until - now).as_millis());
            }
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
        assert_eq!(Position::applied(8).failed(now), Position::assigned(now).failed(now));
    }
}
