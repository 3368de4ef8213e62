//! The fence (I7): nothing is sold on a server that began anew until what it lost is back from the log.
//!
//! Every SeatingEvent carries the run id for which it was recovered last, and its scripts refuse to run on a server of
//! another one. What is not there has nothing to carry it: whether it never was, or was lost, says a key of the server
//! as a whole, which `recovery` writes when it is done. What is met behind the fence is remembered for `recovery`.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use boxoffice_domain::SeatingEventId;

use super::RedisStore;
use super::link::Link;
use super::slots::Shard;
use crate::store::StoreError;

/// SeatingEvents that were met behind the fence.
#[derive(Debug, Default)]
pub struct Doubts(Mutex<BTreeSet<SeatingEventId>>);

impl Doubts {
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

impl RedisStore {
    /// The run id of the server that does not have `event`, where it has everything that it should have.
    pub(super) async fn confirm_absent(&self, event: &SeatingEventId) -> Result<String, StoreError> {
        let slot = self.keys.event(event).slot();
        let ask = |link: Arc<Link>| async move {
            let first_slot = self.topology.shard_of(slot).map_or(slot, |shard| shard.first_slot);
            let read = redis::cmd("GET").arg(self.keys.recovered(first_slot)).to_owned();
            Ok((link.run_id.clone(), link.query::<Option<String>>(&read).await?))
        };
        let (run_id, recovered) = self.topology.ask(slot, ask).await?;
        if recovered.as_ref() == Some(&run_id) { Ok(run_id) } else { Err(self.behind_the_fence(event)) }
    }

    /// Whether a server has everything that it should have.
    pub(super) async fn is_recovered(&self, shard: &Shard) -> Result<bool, StoreError> {
        let link = self.topology.link_to(&shard.node).await?;
        let read = redis::cmd("GET").arg(self.keys.recovered(shard.first_slot)).to_owned();
        let recovered: Option<String> = self.topology.heed(&link, link.query(&read).await)?;
        Ok(recovered.as_ref() == Some(&link.run_id))
    }

    /// Whether `event` is there and was not recovered for the server of `link`.
    pub(super) async fn is_fenced(
        &self,
        link: &Arc<Link>,
        event: &SeatingEventId,
    ) -> Result<bool, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.event(event).meta()).arg(&["revision", "runId"]);
        let (revision, run_id): (Option<String>, Option<String>) =
            self.topology.heed(link, link.query(&read).await)?;
        Ok(revision.is_some() && run_id.as_ref() != Some(&link.run_id))
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
        self.doubts.note(event);
        self.topology.opened().notify_one();
        StoreError::Recovering
    }
}
