//! How many jobs may go on at once: all, or a single probe while the other side is in trouble as a whole. Pure.

use std::time::Duration;

use tokio::time::Instant;

use super::Verdict;
use super::backoff::growing;

/// Failures in a row after which one probe goes at a time.
const FAILURES: u32 = 10;
/// Wait between two probes: doubled from the first to the last.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(30);

/// See the module.
#[derive(Debug)]
pub struct Gate {
    width: usize,
    /// In a row, while it is open; probes in a row, while it is not.
    failures: u32,
    /// When the next probe may go.
    probe: Option<Instant>,
    gone: bool,
}

impl Gate {
    /// Open, for so many jobs at once.
    pub fn new(width: usize) -> Self {
        Self { width, failures: 0, probe: None, gone: false }
    }

    /// How many more jobs may begin beside `running` ones.
    pub fn free(&self, running: usize, now: Instant) -> usize {
        match self.probe {
            _ if self.gone => 0,
            Some(at) => usize::from(running == 0 && now >= at),
            None => self.width.saturating_sub(running),
        }
    }

    /// How long until a probe may go, where one is waited for.
    pub fn wait(&self, now: Instant) -> Option<Duration> {
        self.probe.filter(|_| !self.gone).map(|at| at.saturating_duration_since(now))
    }

    /// Whether only probes go.
    pub fn is_closed(&self) -> bool {
        self.probe.is_some() || self.gone
    }

    /// Whether the other side wants no more.
    pub fn is_gone(&self) -> bool {
        self.gone
    }

    /// A job ended.
    pub fn told(&mut self, verdict: Verdict, now: Instant) {
        match verdict {
            Verdict::There => (self.failures, self.probe) = (0, None),
            // What was under way when it closed says nothing new.
            Verdict::Troubled if self.probe.is_some_and(|at| now < at) => {}
            Verdict::Troubled if self.probe.is_some() => {
                self.failures = self.failures.saturating_add(1);
                self.probe = Some(now + growing(FIRST, LAST, self.failures));
            }
            Verdict::Troubled => {
                self.failures += 1;
                if self.failures == FAILURES {
                    (self.failures, self.probe) = (0, Some(now + FIRST));
                }
            }
            Verdict::Gone => self.gone = true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_failures_in_a_row_leave_one_probe_at_a_time() {
        let (mut gate, now) = (Gate::new(64), Instant::now());
        for _ in 0..9 {
            gate.told(Verdict::Troubled, now);
        }
        assert_eq!((gate.free(60, now), gate.is_closed()), (4, false));
        gate.told(Verdict::There, now);
        for _ in 0..10 {
            gate.told(Verdict::Troubled, now);
        }
        for _ in 0..54 {
            gate.told(Verdict::Troubled, now);
        }
        assert_eq!((gate.free(0, now), gate.wait(now)), (0, Some(FIRST)), "stragglers count for nothing");
        assert_eq!((gate.free(0, now + FIRST), gate.free(1, now + FIRST)), (1, 0));
        gate.told(Verdict::Troubled, now + FIRST);
        assert_eq!(gate.wait(now + FIRST), Some(FIRST * 2));
        gate.told(Verdict::There, now + FIRST * 3);
        assert_eq!((gate.free(0, now + FIRST * 3), gate.wait(now)), (64, None));
    }

    #[test]
    fn who_wants_no_more_gets_no_more() {
        let (mut gate, now) = (Gate::new(64), Instant::now());
        gate.told(Verdict::Gone, now);
        gate.told(Verdict::There, now);
        assert_eq!((gate.free(0, now), gate.wait(now), gate.is_gone()), (0, None, true));
    }
}
