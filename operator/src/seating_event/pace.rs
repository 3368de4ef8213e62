//! When counts are written: those of one show every 10 s at most, of all together 50 in a second. Above that shows take turns
//! in the order in which they came. Whatever else there is to write does not wait, and counts yield to it. Pure.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::directory::Key;

/// Counts of one show are written this far apart.
const OF_ONE: Duration = Duration::from_secs(10);
/// And those of all this far, in the mean.
const OF_ALL: Duration = Duration::from_millis(20);

/// How many are remembered before those are forgotten that have nothing to wait for.
const MOST: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Pace(Mutex<Line>);

#[derive(Debug, Default)]
struct Line {
    /// When the next one in line has its turn.
    end: Option<Instant>,
    /// When those who wait have theirs.
    turns: HashMap<Key, Instant>,
    /// When each was written last. What is older than [`OF_ONE`] says nothing.
    written_at: HashMap<Key, Instant>,
}

impl Pace {
    /// How long the counts of a show wait; nothing where they are to be written now.
    pub fn wait(&self, show: &Key, now: Instant) -> Option<Duration> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = line.turns.get(show).copied() {
            if turn > now {
                return Some(turn - now);
            }
            line.turns.remove(show);
            line.written(show, now);
            return None;
        }
        let earliest = line.written_at.get(show).map(|at| *at + OF_ONE);
        if let Some(earliest) = earliest.filter(|earliest| *earliest > now) {
            return Some(earliest - now);
        }
        let turn = line.take(now);
        if turn > now {
            line.turns.insert(show.clone(), turn);
            return Some(turn - now);
        }
        line.written(show, now);
        None
    }

    /// Notes that something of a show is written that does not wait, and its counts with it.
    pub fn wrote(&self, show: &Key, now: Instant) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.take(now);
        line.turns.remove(show);
        line.written(show, now);
    }

    /// Forgets a show that is gone.
    pub fn forget(&self, show: &Key) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        line.turns.remove(show);
        line.written_at.remove(show);
    }
}

impl Line {
    fn take(&mut self, now: Instant) -> Instant {
        let turn = self.end.map_or(now, |end| end.max(now));
        self.end = Some(turn + OF_ALL);
        turn
    }

    fn written(&mut self, show: &Key, now: Instant) {
        if self.written_at.len() >= MOST {
            self.written_at.retain(|_, at| *at + OF_ONE > now);
            self.turns.retain(|_, turn| *turn + OF_ONE > now);
        }
        self.written_at.insert(show.clone(), now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn show(name: usize) -> Key {
        ("tickets".to_owned(), name.to_string())
    }

    /// How often each of `shows` writes in `length`, where each has something to write all the time.
    fn writes(shows: usize, length: Duration) -> Vec<usize> {
        let (pace, start) = (Pace::default(), Instant::now());
        let mut counts = vec![0; shows];
        let mut wakes: Vec<Instant> = vec![start; shows];
        let mut now = start;
        while now < start + length {
            for (name, wake) in wakes.iter_mut().enumerate() {
                if *wake > now {
                    continue;
                }
                match pace.wait(&show(name), now) {
                    Some(wait) => *wake = now + wait,
                    None => counts[name] += 1,
                }
            }
            now += Duration::from_millis(5);
        }
        counts
    }

    #[test]
    fn one_show_is_written_every_ten_seconds() {
        assert_eq!(writes(1, Duration::from_secs(100)), [10]);
        let (pace, now) = (Pace::default(), Instant::now());
        assert_eq!(pace.wait(&show(1), now), None);
        assert_eq!(pace.wait(&show(1), now + Duration::from_secs(4)), Some(Duration::from_secs(6)));
    }

    #[test]
    fn so_are_five_hundred() {
        let counts = writes(500, Duration::from_secs(40));
        assert!(counts.iter().all(|count| (3..=4).contains(count)), "{counts:?}");
    }

    #[test]
    fn above_that_they_take_turns_and_none_is_left_out() {
        let counts = writes(1_500, Duration::from_secs(100));
        assert!(counts.iter().sum::<usize>() <= 5_001, "{}", counts.iter().sum::<usize>());
        let (least, most) = (counts.iter().min().unwrap(), counts.iter().max().unwrap());
        assert!(*least >= 2 && most - least <= 1, "{least} to {most}");
    }

    #[test]
    fn what_is_remembered_of_shows_that_are_gone_has_a_bound() {
        let (pace, start) = (Pace::default(), Instant::now());
        for name in 0..3 * MOST {
            pace.wrote(&show(name), start + OF_ONE * 2 * u32::try_from(name / MOST).unwrap());
        }
        assert_eq!(pace.0.lock().unwrap().written_at.len(), MOST);
    }

    #[test]
    fn what_does_not_wait_takes_the_counts_along_and_the_turn_of_others() {
        let (pace, now) = (Pace::default(), Instant::now());
        for other in 1..=3 {
            pace.wrote(&show(other), now);
        }
        assert_eq!(pace.wait(&show(1), now + OF_ALL), Some(Duration::from_millis(9_980)));
        assert_eq!(pace.wait(&show(9), now), Some(OF_ALL * 3));
        pace.forget(&show(9));
        assert_eq!(pace.wait(&show(9), now), Some(OF_ALL * 4));
        pace.wrote(&show(9), now);
        assert_eq!(pace.0.lock().unwrap().turns.len(), 0);
    }
}
