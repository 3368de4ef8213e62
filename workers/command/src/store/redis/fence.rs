//! The fence (I7): nothing is sold on a server that began anew until what it lost is back from the log.
//!
//! Every SeatingEvent carries the history for which it was recovered last, and its scripts refuse to run on a server
//! that has another one. What is not there has nothing to carry it: whether it never was, or was lost, says a key of the server
//! as a whole, which `recovery` writes when it is done. What is met behind the fence is remembered for `recovery`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use boxoffice_domain::SeatingEventId;

use super::RedisStore;
use super::link::Link;
use super::slots::Shard;
use super::wire::{FoundMeta, RECORD_FORMAT};
use crate::store::{History, StoreError};

/// SeatingEvents that were met behind the fence.
#[derive(Debug, Default)]
pub struct InDoubt(Mutex<BTreeSet<SeatingEventId>>);

impl InDoubt {
    /// Remembers one.
    pub fn note(&self, event: &SeatingEventId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(event.clone());
    }

    /// Forgets them all, and says which there were.
    pub fn take(&self) -> BTreeSet<SeatingEventId> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether there are any.
    pub fn is_empty(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }
}

/// Whether a SeatingEvent that is `there` was recovered last for another history than the one its server has:
/// `scripts/lib/history.lua` says the same of every script.
pub fn is_behind(there: bool, recovered: Option<&str>, history: &History) -> bool {
    there && recovered != Some(history.as_str())
}

impl RedisStore {
    /// The history of the server that does not have `event`, where it has everything that it should have.
    pub(super) async fn confirm_absent(&self, event: &SeatingEventId) -> Result<History, StoreError> {
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

    /// Whether `event` is there and was not recovered for the server of `link`, or is written in another format.
    pub(super) async fn is_fenced(
        &self,
        link: &Arc<Link>,
        event: &SeatingEventId,
    ) -> Result<bool, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.event(event).meta()).arg(FoundMeta::FIELDS);
        let found: FoundMeta = self.topology.heed(link, link.query(&read).await)?;
        let there = found.revision.is_some();
        let unreadable = there && found.format != Some(RECORD_FORMAT);
        Ok(unreadable || is_behind(there, found.history.as_deref(), &link.history))
    }

    /// Fails while any server lacks what it should have.
    pub(super) async fn all_recovered(&self) -> Result<(), StoreError> {
        for shard in self.topology.shards() {
            if !self.is_recovered(&shard).await? {
                return Err(StoreError::Recovering);
            }
        }
        Ok(())
    }

    /// The error for a SeatingEvent that is behind the fence, and a hint to whoever takes it out.
    pub(super) fn behind_the_fence(&self, event: &SeatingEventId) -> StoreError {
        self.in_doubt.note(event);
        self.topology.opened().notify_one();
        StoreError::Recovering
    }
}
