//! The fence (I7): nothing is sold on a server that began anew until what it lost is back from the log.
//!
//! Every SeatingEvent carries the history for which it was recovered last, and its scripts refuse to run on a server
//! that has another one. What is not there has nothing to carry it: whether it never was, or was lost, says a key of the server
//! as a whole, which `recovery` writes when it is done. Whoever meets the fence calls the owner of the lane.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use tokio::time::Instant;

use super::RedisStore;
use super::link::Link;
use super::signals::AWAITED;
use super::slots::Shard;
use crate::store::{History, StoreError};

/// What a SeatingEvent has in place of a history while another store may have sold its seats.
pub const SPLIT: &str = "split";
/// What it has while what is here is not what the log has.
pub const FORK: &str = "fork";
/// Shortest time between two calls for the owner of one lane.
const CALLS: Duration = Duration::from_millis(250);

/// SeatingEvents that were met behind the fence, and when their owners were called last.
#[derive(Debug, Default)]
pub struct Called(Mutex<HashMap<SeatingEventId, Instant>>);

impl Called {
    /// Whether it is time to call the owner of `event`, who is called now then.
    fn is_due(&self, event: &SeatingEventId) -> bool {
        let (now, mut called) = (Instant::now(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        called.retain(|_, at| now - *at < CALLS);
        if called.contains_key(event) {
            return false;
        }
        called.insert(event.clone(), now);
        true
    }
}

/// Whether a SeatingEvent that is `there` was recovered last for another history than the one its server has:
/// `scripts/lib/history.lua` says the same of every script.
pub fn is_behind(there: bool, recovered: Option<&str>, history: &History) -> bool {
    there && recovered != Some(history.as_str())
}

impl RedisStore {
    /// The history of the server whose `event` is, where it has everything that it should have: what is not there never
    /// was, and of what is archived nothing happened since.
    pub(super) async fn confirm_whole(&self, event: &SeatingEventId) -> Result<History, StoreError> {
        let slot = self.keys.event(event).slot();
        let ask = |link: Arc<Link>| async move {
            let first_slot = self.topology.shard_of(slot).map_or(slot, |shard| shard.first_slot);
            let read = redis::cmd("GET").arg(self.keys.history(first_slot)).to_owned();
            Ok((link.history.clone(), link.query::<Option<String>>(&read).await?))
        };
        let (history, recovered) = self.topology.ask(slot, ask).await?;
        if recovered.is_some_and(|recovered| recovered == history) {
            Ok(history)
        } else {
            Err(self.behind_the_fence(event))
        }
    }

    /// Whether a server has everything that it should have.
    pub(super) async fn is_recovered(&self, shard: &Shard) -> Result<bool, StoreError> {
        let link = self.topology.link_to(&shard.node).await?;
        let read = redis::cmd("GET").arg(self.keys.history(shard.first_slot)).to_owned();
        let recovered: Option<String> = self.topology.heed(&link, link.query(&read).await)?;
        Ok(recovered.is_some_and(|recovered| recovered == link.history))
    }

    /// Fails while any server that answers lacks what it should have, or none answers.
    pub(super) async fn are_serving_complete(&self) -> Result<(), StoreError> {
        let mut failed = Some(StoreError::Unavailable("no server of the cluster is known".into()));
        for shard in self.topology.known_shards().await? {
            match self.is_recovered(&shard).await {
                Ok(true) => failed = None,
                Ok(false) => return Err(StoreError::Recovering),
                // What it has is not sold until it is back.
                Err(error) => failed = failed.map(|_| error),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Fails while any server lacks what it should have.
    pub async fn all_recovered(&self) -> Result<(), StoreError> {
        for shard in self.topology.known_shards().await? {
            if !self.is_recovered(&shard).await? {
                return Err(StoreError::Recovering);
            }
        }
        Ok(())
    }

    /// The error for a SeatingEvent that is behind the fence, and a call for the owner of its lane, who is woken as if
    /// something had been written, and finds the fence himself.
    pub(super) fn behind_the_fence(&self, event: &SeatingEventId) -> StoreError {
        if self.called.is_due(event) {
            let (topology, channel) = (Arc::clone(&self.topology), self.keys.signals().to_owned());
            let (slot, call) = (self.keys.event(event).slot(), format!("wrote {event} {AWAITED}"));
            tokio::spawn(async move {
                let call = redis::cmd("PUBLISH").arg(channel).arg(call).to_owned();
                let call = &call;
                let called = topology.ask(slot, |link| async move { link.query::<u64>(call).await });
                if let Err(error) = called.await {
                    tracing::debug!(%error, "the owner of a lane looks without being called");
                }
            });
        }
        StoreError::Recovering
    }
}
