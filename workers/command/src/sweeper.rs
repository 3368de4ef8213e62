//! Releases holds whose deadline has passed, so that their seats are announced as available within a second (I6).
//!
//! Every process sweeps; the store decides, so two sweepers of one moment do no harm. Whoever asks for a lapsed seat
//! before the sweeper comes has it released in the same step: nobody waits for this loop.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::sleep;
use uuid::Uuid;

use crate::store::SeatStore;

/// Shortest and longest time between two sweeps; the spread keeps processes from sweeping in step.
const PAUSE: (u64, u64) = (250, 500);
/// Longest time between two tries while the store is away.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

/// Sweeps for ever; an outage is logged once.
pub async fn sweep(store: Arc<dyn SeatStore>) {
    let mut failures = 0;
    loop {
        sleep(pause(failures)).await;
        match store.expire_due().await {
            Ok(expired) => {
                if failures > 0 {
                    tracing::info!(failures, "expired holds are released again");
                }
                if expired > 0 {
                    tracing::debug!(expired, "holds expired");
                }
                failures = 0;
            }
            Err(error) => {
                if failures == 0 {
                    tracing::warn!(%error, "expired holds cannot be released");
                }
                failures += 1;
            }
        }
    }
}

fn pause(failures: u32) -> Duration {
    let (shortest, longest) = PAUSE;
    let (random, _) = Uuid::new_v4().as_u64_pair();
    let pause = Duration::from_millis(shortest + random % (longest - shortest));
    pause.saturating_mul(1 << failures.min(4)).min(LONGEST_PAUSE)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Memory, provisioned};

    #[tokio::test(start_paused = true)]
    async fn i6_a_lapsed_hold_is_released_within_a_second_also_after_an_outage() {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        store.hold_for("alice", &event, &["A-1-1"]).await;
        store.pass(300_000);
        store.fail(true);
        let sweeping = tokio::spawn(sweep(Arc::clone(&store) as Arc<dyn SeatStore>));
        sleep(Duration::from_secs(3)).await;
        store.fail(false);
        let released = async {
            while store.types(&event).last() != Some(&"seat.released") {
                sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(LONGEST_PAUSE * 2, released).await.unwrap();
        sweeping.abort();
    }

    #[test]
    fn pauses_grow_and_stay_bounded() {
        assert!(pause(0) < Duration::from_millis(500));
        assert!(pause(40) <= LONGEST_PAUSE);
    }
}
