//! The SeatingEvents of a lane of which something waits, in the order in which they get their turn, and what else a lane
//! is woken for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::sync::Notify;
use tokio::time::Instant;

/// First and longest time that a SeatingEvent rests that something is wrong with; it doubles in between.
const REST: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(4));

/// What others tell a lane.
#[derive(Default)]
pub struct Wakes {
    told: Mutex<Told>,
    news: Notify,
}

/// What a lane was told since it asked last.
#[derive(Debug, Default)]
pub struct Told {
    /// These were written to.
    pub events: Vec<SeatingEventId>,
    /// Somebody waits until what was written is on the log.
    pub is_awaited: bool,
    /// The store may have lost something.
    pub recover: bool,
    /// No more is to come: the lane ends when nothing waits.
    pub closing: bool,
}

impl Told {
    /// Whether there is no time to let more come together.
    const fn hurries(&self) -> bool {
        self.is_awaited || self.recover || self.closing
    }
}

impl Wakes {
    /// Something waits of `event`, and perhaps somebody for it.
    pub fn wrote(&self, event: SeatingEventId, is_awaited: bool) {
        self.tell(|told| {
            told.events.push(event);
            told.is_awaited |= is_awaited;
        });
    }

    /// The store may have lost something.
    pub fn recover(&self) {
        self.tell(|told| told.recover = true);
    }

    /// The lane is to end when nothing waits.
    pub fn close(&self) {
        self.tell(|told| told.closing = true);
    }

    /// Returns when there is something to take.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// Returns when there is something to take that is not to wait for more.
    pub async fn hurry(&self) {
        while !self.lock().hurries() {
            self.news().await;
        }
    }

    /// What was told since the last call; what is closing stays so.
    pub fn take(&self) -> Told {
        let mut told = self.lock();
        let closing = told.closing;
        std::mem::replace(&mut *told, Told { closing, ..Told::default() })
    }

    fn tell(&self, tell: impl FnOnce(&mut Told)) {
        tell(&mut self.lock());
        self.news.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See the module. Each SeatingEvent is in it once.
#[derive(Debug, Default)]
pub struct Queue {
    line: VecDeque<SeatingEventId>,
    queued: HashSet<SeatingEventId>,
    resting: HashMap<SeatingEventId, Rest>,
}

#[derive(Debug, Clone, Copy)]
struct Rest {
    failures: u32,
    until: Instant,
}

impl Queue {
    /// Puts `event` at the end, unless it waits already.
    pub fn add(&mut self, event: SeatingEventId) {
        if self.queued.insert(event.clone()) {
            self.line.push_back(event);
        }
    }

    /// Puts `event` at the end, and lets it rest there for the longer the more often that was in vain.
    pub fn rest(&mut self, event: SeatingEventId) {
        let failures = self.resting.get(&event).map_or(0, |rest| rest.failures);
        let pause = REST.0.saturating_mul(1 << failures.min(6)).min(REST.1);
        let rest = Rest { failures: failures + 1, until: Instant::now() + pause };
        self.resting.insert(event.clone(), rest);
        self.add(event);
    }

    /// Nothing is wrong with `event` any more. `true` where something was.
    pub fn is_well(&mut self, event: &SeatingEventId) -> bool {
        self.resting.remove(event).is_some()
    }

    /// Whether it is the first time that something is wrong with `event`.
    pub fn was_well(&self, event: &SeatingEventId) -> bool {
        !self.resting.contains_key(event)
    }

    /// Takes the first `max` that do not rest.
    pub fn take(&mut self, max: usize) -> Vec<SeatingEventId> {
        let (now, mut taken) = (Instant::now(), vec![]);
        for _ in 0..self.line.len() {
            let Some(event) = self.line.pop_front() else { break };
            let rests = self.resting.get(&event).is_some_and(|rest| rest.until > now);
            if rests || taken.len() == max {
                self.line.push_back(event);
            } else {
                self.queued.remove(&event);
                taken.push(event);
            }
        }
        taken
    }

    /// When the first of those that wait gets its turn.
    pub fn next(&self) -> Option<Instant> {
        let now = Instant::now();
        self.line.iter().map(|event| self.resting.get(event).map_or(now, |rest| rest.until)).min()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.line.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> SeatingEventId {
        id.parse().unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn what_rests_lets_the_others_go_first_and_comes_back() {
        let mut queue = Queue::default();
        for id in ["a", "b", "c", "a"] {
            queue.add(event(id));
        }
        assert_eq!(queue.take(2), [event("a"), event("b")]);
        queue.rest(event("a"));
        queue.add(event("b"));
        assert_eq!(queue.take(9), [event("c"), event("b")]);
        assert!(queue.take(9).is_empty() && !queue.is_empty());
        let first = queue.next().unwrap() - Instant::now();
        tokio::time::advance(first).await;
        assert_eq!(queue.take(9), [event("a")]);
        queue.rest(event("a"));
        assert_eq!(queue.next().unwrap() - Instant::now(), first * 2);
        assert!(queue.is_well(&event("a")) && queue.was_well(&event("a")));
        for _ in 0..50 {
            queue.rest(event("a"));
        }
        assert!(queue.next().unwrap() - Instant::now() <= REST.1);
    }

    #[tokio::test]
    async fn what_is_told_is_told_once_and_the_end_for_ever() {
        let wakes = Wakes::default();
        wakes.wrote(event("a"), true);
        wakes.recover();
        wakes.close();
        wakes.news().await;
        let told = wakes.take();
        assert!(told.is_awaited && told.recover && told.closing);
        assert_eq!(told.events, [event("a")]);
        let told = wakes.take();
        assert!(told.events.is_empty() && !told.is_awaited && !told.recover && told.closing);
    }
}
