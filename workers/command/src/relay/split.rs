//! Two stores that sell the same seats (a split): what becomes of an owner that another one has fenced.

use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::time::{Instant, sleep};

use super::ownership::Ownership;
use super::shared::Shared;
use crate::store::Distrust;

/// How long nobody must have published before an owner that was fenced from another store fences back, and how often it
/// looks.
pub const STILL: Duration = Duration::from_secs(10);
const LOOK: Duration = Duration::from_secs(1);

/// Somebody else has taken the right to publish on `partition`. Where the lease is theirs too, the ownership ends. Where
/// it is still ours, they believe in another store: two stores sell the same seats. Theirs is the log, so what is here is
/// not sold on until they have been still for a while.
///
/// `true` where that was so: then the partition can be taken back, and what they did is to be put back here.
pub async fn met(shared: &Shared, ownership: &Ownership, partition: u32) -> bool {
    tokio::select! {
        () = ownership.over() => return false,
        () = shared.leases.confirmed() => {}
    }
    let split = shared.metrics.split();
    tracing::error!(
        partition,
        "another store sells the same seats and publishes: nothing is sold here until it has been still for {STILL:?}"
    );
    tokio::select! {
        () = ownership.over() => {}
        () = others_are_still(shared, partition) => {}
    }
    drop(split);
    true
}

/// Has nobody sell those of `events`. Which of them the store could not be told of.
async fn distrust(shared: &Shared, events: Vec<SeatingEventId>) -> Vec<SeatingEventId> {
    let mut untold = vec![];
    for event in events {
        if let Err(error) = shared.outbox.distrust(&event, Distrust::Split).await {
            tracing::debug!(%event, %error, "it may be sold here though another store sells it");
            untold.push(event);
        }
    }
    untold
}

/// Has nobody sell what is here, and returns when nobody has published on `partition` for a while.
async fn others_are_still(shared: &Shared, partition: u32) {
    let mut untold = distrust(shared, shared.pinned_to(partition)).await;
    if !untold.is_empty() {
        tracing::warn!(partition, events = untold.len(), "some may be sold here until their server answers");
    }
    let (mut end, mut since) = (None, Instant::now());
    while since.elapsed() < STILL {
        untold = distrust(shared, untold).await;
        let bounds = shared.log.bounds(&shared.topic, partition).await;
        let now = bounds.ok().map(|(_, end)| end);
        if now.is_none() || now != end {
            (end, since) = (now, Instant::now());
        }
        sleep(LOOK).await;
    }
}
