//! Where this member stands in one partition, and how long it waits after trouble. No IO.

use std::time::Duration;

use tokio::time::Instant;

/// Back-off after a failed batch: doubled from the first to the last. With the time that a connection takes it is well
/// below ten seconds from a database's return to the next attempt.
const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(3);

/// Where this member stands in one partition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Paused: at `until` the checkpoint is asked for.
    Waiting {
        /// When.
        until: Instant,
        /// How long to wait should that fail.
        next: Duration,
    },
    /// Paused: its checkpoint was asked for, and reading goes on from there.
    Asking {
        /// How long to wait should that fail.
        next: Duration,
    },
    /// Reading.
    Reading {
        /// The checkpoint.
        checkpoint: u64,
        /// How long to wait should the next batch fail.
        next: Duration,
    },
    /// A batch is in hand.
    Applying {
        /// The checkpoint before it.
        checkpoint: u64,
        /// Whether reading is paused, because it takes long.
        paused: bool,
        /// How long to wait should it fail.
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

    /// Its checkpoint is asked for.
    #[must_use]
    pub fn asking(self) -> Self {
        Self::Asking { next: self.backoff() }
    }

    /// Reading from the checkpoint; the back-off goes on growing until a batch succeeds.
    #[must_use]
    pub fn reading(self, checkpoint: u64) -> Self {
        Self::Reading { checkpoint, next: self.backoff() }
    }

    /// A batch was committed.
    pub fn applied(next_offset: u64) -> Self {
        Self::Reading { checkpoint: next_offset, next: FIRST }
    }

    /// Something failed that may work later.
    #[must_use]
    pub fn failed(self, now: Instant) -> Self {
        let wait = self.backoff();
        Self::Waiting { until: now + wait, next: (wait * 2).min(LAST) }
    }

    /// The offset that comes next, where it is known.
    pub fn offset(self) -> Option<u64> {
        match self {
            Self::Reading { checkpoint, .. } | Self::Applying { checkpoint, .. } => Some(checkpoint),
            Self::Waiting { .. } | Self::Asking { .. } | Self::Stopped => None,
        }
    }

    fn backoff(self) -> Duration {
        match self {
            Self::Waiting { next, .. }
            | Self::Asking { next }
            | Self::Reading { next, .. }
            | Self::Applying { next, .. } => next,
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
            position = position.asking().reading(7).failed(now);
            if let Position::Waiting { until, .. } = position {
                waits.push((until - now).as_millis());
            }
        }
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3000, 3000, 3000, 3000]);
        assert_eq!(Position::applied(8).failed(now), Position::assigned(now).failed(now));
    }
}
