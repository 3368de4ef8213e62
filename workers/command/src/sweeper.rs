//! Releases holds whose deadline has passed, so that their seats are announced as available within a second (I6).
//!
//! The owner of a lane sweeps its SeatingEvents, and of these only those in which something is due: the store says what
//! is due next when it is asked, and whatever is written there since may have made it earlier. Two sweepers of one moment
//! do no harm, for the store decides. Whoever asks for a lapsed seat before the sweeper comes has it released in the same
//! step: nobody waits for this loop. What it finds to be over is for whoever archives it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::time::{Instant, sleep};
use uuid::Uuid;

use crate::relay::Shared;

/// Shortest and longest time between two sweeps; the spread keeps processes from sweeping in step.
const PAUSE: (u64, u64) = (250, 500);
/// Longest time that nobody looks at a SeatingEvent.
const LONGEST: Duration = Duration::from_secs(30);
/// First and longest time that one is left alone whose holds cannot be released; it doubles in between.
const REST: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(4));

/// When to look at a SeatingEvent, and how often that was in vain.
#[derive(Debug, Clone, Copy)]
struct Plan {
    at: Instant,
    failures: u32,
}

/// Sweeps for ever.
pub async fn sweep(shared: Arc<Shared>) {
    let mut plans = HashMap::new();
    loop {
        sleep(pause()).await;
        pass(&shared, &mut plans).await;
    }
}

/// Looks at those that are due. An outage is logged once.
async fn pass(shared: &Shared, plans: &mut HashMap<SeatingEventId, Plan>) {
    let (now, touched) = (Instant::now(), shared.take_touched());
    let ours: HashSet<_> = shared.ours().into_iter().collect();
    plans.retain(|event, _| ours.contains(event));
    let is_due = |event: &SeatingEventId| match plans.get(event) {
        Some(Plan { at, failures }) => *at <= now || (*failures == 0 && touched.contains(event)),
        None => true,
    };
    let due: Vec<_> = ours.into_iter().filter(is_due).collect();
    if due.is_empty() {
        return;
    }
    let swept = shared.outbox.sweep(&due).await;
    if swept.ended > 0 {
        tracing::debug!(holds = swept.ended, "holds expired");
    }
    shared.are_over(swept.over);
    let mut next: HashMap<_, _> = swept.next.into_iter().collect();
    for event in due {
        let failures = plans.get(&event).map_or(0, |plan| plan.failures);
        let plan = if let Some(in_ms) = next.remove(&event) {
            if failures > 0 {
                tracing::info!(%event, "expired holds are released again");
            }
            let wait = in_ms.map_or(LONGEST, Duration::from_millis);
            Plan { at: now + wait.min(LONGEST), failures: 0 }
        } else {
            if failures == 0 {
                tracing::warn!(%event, "expired holds cannot be released");
            }
            let wait = REST.0.saturating_mul(1 << failures.min(4)).min(REST.1);
            Plan { at: now + wait, failures: failures + 1 }
        };
        plans.insert(event, plan);
    }
}

fn pause() -> Duration {
    let (shortest, longest) = PAUSE;
    let (random, _) = Uuid::new_v4().as_u64_pair();
    Duration::from_millis(shortest + random % (longest - shortest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recover::NothingIsLost;
    use crate::relay::RelayMetrics;
    use crate::store::{LANES, Outbox, SeatStore, over_at};
    use crate::testing::{FakeLog, Memory, definition, provisioned};

    /// What a relay shares that has every lane.
    async fn owner(store: &Arc<Memory>) -> Arc<Shared> {
        let shared = Shared::new(
            Arc::clone(store) as _,
            Arc::new(FakeLog::default()),
            Arc::new(NothingIsLost),
            "seat-events".into(),
            "tickets/main".into(),
            RelayMetrics::default(),
        );
        shared.has_partitions(LANES);
        shared.leases.keep().await.unwrap();
        shared.pin_all(store.pinned().await.unwrap());
        Arc::new(shared)
    }

    async fn is_released_in(store: &Memory, event: &SeatingEventId, patience: Duration) {
        let released = async {
            while store.types(event).last() != Some(&"seat.released") {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(patience, released).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn i6_a_lapsed_hold_is_released_within_a_second_also_after_an_outage() {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        store.hold_for("alice", &event, &["A-1-1"]).await;
        store.pass(300_000);
        let shared = owner(&store).await;
        store.fail(true);
        let sweeping = tokio::spawn(sweep(shared));
        sleep(Duration::from_secs(3)).await;
        store.fail(false);
        is_released_in(&store, &event, REST.1 * 2).await;
        sweeping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_seating_event_is_left_alone_until_something_is_due_or_written() {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        let shared = owner(&store).await;
        let sweeping = tokio::spawn(sweep(Arc::clone(&shared)));
        sleep(Duration::from_mins(10)).await;
        let idle = store.swept();
        assert!(idle <= 21, "{idle} looks in ten minutes");
        store.hold_for("alice", &event, &["A-1-1"]).await;
        shared.touch(&event);
        sleep(Duration::from_secs(1)).await;
        store.pass(300_000);
        // What is due is due by the store's clock, which tests move: the next look is what the longest wait leaves.
        is_released_in(&store, &event, LONGEST + Duration::from_secs(1)).await;
        sweeping.abort();
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_over_is_found_until_it_is_archived() {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        let shared = owner(&store).await;
        let look = async || {
            pass(&shared, &mut HashMap::new()).await;
            let is_over = shared.is_over(&event);
            assert_eq!(shared.take_over().values().any(|events| events.contains(&event)), is_over);
            assert!(!shared.is_over(&event), "it was taken");
            is_over
        };
        let left = over_at(&definition()) - store.inventory(&event).await.unwrap().unwrap().at;
        store.pass(left - 1);
        store.published(&event, 1, 1).await.unwrap();
        assert!(!look().await, "a late payment may still come");
        store.pass(1);
        assert!(look().await && look().await, "as often as it is looked for");
        assert!(store.archive(&event, 1, 7).await.unwrap());
        assert_eq!(store.stubs(), [(event.clone(), 7)].into());
        assert!(!look().await);
        shared.forget(&event);
        assert_eq!(shared.ours(), []);
        store.wake(&event);
        shared.pin_all(store.pinned().await.unwrap());
        assert!(look().await, "whoever woke it is done with it at some time");
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_has_no_lane_sweeps_nothing() {
        let store = Arc::new(Memory::default());
        provisioned(&store).await;
        let shared = owner(&store).await;
        store.usurp();
        shared.leases.keep().await.unwrap();
        assert_eq!(shared.leases.count(), 0);
        let before = store.swept();
        pass(&shared, &mut HashMap::new()).await;
        assert_eq!(store.swept(), before);
    }
}
