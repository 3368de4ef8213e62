//! SeatingEvents of which something is missing: each is loaded by itself, while what comes of it waits, and all others go on.

use std::collections::{BTreeMap, VecDeque};

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::record::Record;
use tokio::time::Instant;

use crate::backoff::Backoff;

/// Most records of one that wait; of more the first ones are left to the next snapshot.
const WAITING: usize = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Gaps(BTreeMap<SeatingEventId, Gap>);

#[derive(Debug)]
struct Gap {
    /// What came since, in order.
    waiting: VecDeque<Record>,
    backoff: Backoff,
    /// When it is loaded.
    at: Instant,
}

impl Gaps {
    /// Whether `event` has one. What comes of it has to wait then.
    pub fn has(&self, event: &SeatingEventId) -> bool {
        self.0.contains_key(event)
    }

    /// How many SeatingEvents have one.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Has a record of `event` wait: something is missing before it, or before another that waits.
    pub fn wait(&mut self, event: &SeatingEventId, record: Record) {
        let gap = self.0.entry(event.clone()).or_insert_with(|| {
            let mut backoff = Backoff::default();
            let at = Instant::now() + backoff.wait();
            Gap { waiting: VecDeque::new(), backoff, at }
        });
        if gap.waiting.len() == WAITING {
            gap.waiting.pop_front();
        }
        gap.waiting.push_back(record);
    }

    /// The one that is to be loaded first, and when.
    pub fn next(&self) -> Option<(SeatingEventId, Instant)> {
        let next = self.0.iter().min_by_key(|(_, gap)| gap.at)?;
        Some((next.0.clone(), next.1.at))
    }

    /// `event` was loaded, or could not be: what waits of it. What is still missing then is loaded later, and ever later.
    pub fn take(&mut self, event: &SeatingEventId) -> VecDeque<Record> {
        let Some(gap) = self.0.get_mut(event) else { return VecDeque::new() };
        gap.at = Instant::now() + gap.backoff.wait();
        std::mem::take(&mut gap.waiting)
    }

    /// Nothing is missing of `event` any more.
    pub fn close(&mut self, event: &SeatingEventId) {
        self.0.remove(event);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(offset: u64) -> Record {
        Record::new(0, offset, "arena".into(), vec![], Vec::new())
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_waits_for_as_long_as_something_is_missing() {
        let (mut gaps, arena, club): (_, SeatingEventId, SeatingEventId) =
            (Gaps::default(), "arena".parse().unwrap(), "club".parse().unwrap());
        assert_eq!(gaps.next(), None);
        gaps.wait(&arena, record(5));
        tokio::time::advance(std::time::Duration::from_millis(10)).await;
        gaps.wait(&club, record(6));
        gaps.wait(&arena, record(7));
        let (first, at) = gaps.next().unwrap();
        assert_eq!((&first, gaps.count()), (&arena, 2));
        let waiting: Vec<_> = gaps.take(&arena).iter().map(|record| record.offset).collect();
        assert_eq!(waiting, [5, 7]);
        assert_eq!(gaps.next().unwrap().0, club, "the other has its turn");
        assert!(gaps.has(&arena));
        gaps.close(&club);
        assert!(gaps.next().unwrap().1 > at);
        gaps.close(&arena);
        assert_eq!((gaps.count(), gaps.take(&arena).len()), (0, 0));
    }

    #[tokio::test]
    async fn so_many_wait_and_no_more() {
        let (mut gaps, arena) = (Gaps::default(), "arena".parse().unwrap());
        for offset in 0..WAITING as u64 + 5 {
            gaps.wait(&arena, record(offset));
        }
        let waiting = gaps.take(&arena);
        assert_eq!((waiting.len(), waiting.front().unwrap().offset), (WAITING, 5));
    }
}
