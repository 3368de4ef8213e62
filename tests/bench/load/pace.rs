//! When requests are due.
//!
//! In a closed loop each connection sends when it has its answer, so a slow server is asked less: that finds the most
//! it can do. In an open loop requests are due at a constant rate, whatever became of those before, and latencies count
//! from the moment that a request was due: waiting for a free connection is part of them, as it is for buyers.

use std::time::Duration;

/// How requests follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pace {
    /// As fast as answers come, for so long.
    Closed(Duration),
    /// So many a second, for so long.
    Open {
        /// Requests a second.
        rate: f64,
        /// How long.
        time: Duration,
    },
    /// As fast as answers come, until there are no more requests.
    All,
}

/// What a connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// Sends at once.
    Now,
    /// Sends so long after the beginning, or at once if that has passed; its latency counts from there.
    At(Duration),
    /// Nothing more.
    Over,
}

impl Pace {
    /// What a connection does that takes request `number`, from 0, at `elapsed` after the beginning.
    pub fn turn(self, number: u64, elapsed: Duration) -> Turn {
        match self {
            Self::All => Turn::Now,
            Self::Closed(time) if elapsed < time => Turn::Now,
            Self::Closed(_) => Turn::Over,
            Self::Open { rate, time } => {
                let due = Duration::from_secs_f64(super::count(number) / rate);
                if due < time { Turn::At(due) } else { Turn::Over }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn a_closed_loop_goes_on_until_its_time_is_over() {
        let pace = Pace::Closed(100 * MS);
        assert_eq!(pace.turn(7, 99 * MS), Turn::Now);
        assert_eq!(pace.turn(8, 100 * MS), Turn::Over);
    }

    #[test]
    fn an_open_loop_is_due_at_a_constant_rate_however_late_it_is() {
        let pace = Pace::Open { rate: 200.0, time: 100 * MS };
        assert_eq!(pace.turn(0, Duration::ZERO), Turn::At(Duration::ZERO));
        assert_eq!(pace.turn(1, Duration::ZERO), Turn::At(5 * MS));
        assert_eq!(pace.turn(3, 90 * MS), Turn::At(15 * MS));
        assert_eq!(pace.turn(19, 500 * MS), Turn::At(95 * MS), "what was due in time is sent, if late");
        assert_eq!(pace.turn(20, Duration::ZERO), Turn::Over);
    }
}
