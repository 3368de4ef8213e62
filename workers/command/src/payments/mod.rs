//! The payments of reservations, taken in: a payment that failed gives the seats back, one that came late gets them
//! again where they are still there. Read in a consumer group; nothing is published there.
//!
//! At least once: an offset is committed only when what its record did is on the log, so that a crash, of Redis or of
//! this process, repeats it; a repeated record changes nothing. [`reaction`] is what a record asks for, [`partition`] does
//! it, [`member`] is one membership of the group. Whether payments can be read is no part of readiness: seats are sold
//! without.

mod reaction;

mod partition;

mod member;

mod metrics;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::log::{EventLog, LogError};
use tokio_util::sync::CancellationToken;

use self::member::Member;
use self::partition::Reactions;
use crate::published::Published;
use crate::store::SeatStore;

pub use self::metrics::PaymentMetrics;

/// Time between two attempts to join the group.
const REJOIN: Duration = Duration::from_secs(1);

/// Where payments are read, and what is measured of it.
#[derive(Clone)]
pub struct Source {
    /// The topic.
    pub topic: String,
    /// The consumer group.
    pub group: String,
    /// Counters.
    pub metrics: PaymentMetrics,
}

/// See the module.
pub struct Payments {
    /// Where payments are read from.
    pub log: Arc<dyn EventLog>,
    /// Which.
    pub source: Source,
    /// Where the seats are.
    pub store: Arc<dyn SeatStore>,
    /// Whether what was done is on the log.
    pub published: Arc<Published>,
}

impl Payments {
    /// Takes payments in until `stop`, then leaves the group at once.
    pub async fn run(self, stop: &CancellationToken) {
        let Self { log, source: Source { topic, group, metrics }, store, published } = self;
        let (reactions, topics) = (Reactions { store, published, metrics }, [topic]);
        let mut told = false;
        while !stop.is_cancelled() {
            match join(&*log, &group, &topics, &reactions, stop).await {
                Ok(()) => told = false,
                Err(error) => {
                    if !std::mem::replace(&mut told, true) {
                        tracing::warn!(%error, group, "payments cannot be read: joining the group again");
                    }
                    reactions.metrics.failures.inc();
                    stop.run_until_cancelled(tokio::time::sleep(REJOIN)).await;
                }
            }
        }
    }
}

async fn join(
    log: &dyn EventLog,
    group: &str,
    topics: &[String],
    reactions: &Reactions,
    stop: &CancellationToken,
) -> Result<(), LogError> {
    let Some(subscription) = stop.run_until_cancelled(log.subscribe(group, topics)).await else {
        return Ok(());
    };
    let mut subscription = subscription?;
    let ended = Member::new(reactions, subscription.as_mut()).run(stop).await;
    subscription.leave().await;
    ended
}

#[cfg(test)]
mod tests;
