//! A server that keeps nothing of a partition though it lacks nothing: slots were moved.
//!
//! What a server keeps of a partition is in its lowest slot, and goes with that slot to another server. Left without, a
//! server cannot be told from one that lost everything, which is read from the partition's first record. It need not be
//! where every SeatingEvent that should be there is there: each says for itself whether it is behind the fence, and
//! keeps where to begin with it.
//!
//! That is sound only where nothing can be missing unnoticed. Which SeatingEvents should be there is what the registry
//! says. An id is in it before its SeatingEvent comes to be, and every recovery adds those that it meets on the log, of
//! whichever server, before it puts back any. The registry may have been lost too, with the servers that have its places.
//! So every place has to answer, and a server that has one, and is not the one in question, has to be marked for the
//! partition under the history that it has now: since it was, it has lost nothing, and by then it knew all that the log
//! had of the partition. What was lost with a server and is on the log is then an id without anything, and all is read.

use std::sync::Arc;

use super::reading::Target;
use super::{Recovery, StoreError};
use crate::store::redis::link::Link;
use crate::store::redis::slots::slot_of;

impl Recovery {
    /// Whether a server has every SeatingEvent that it should have, behind the fence or not.
    pub(super) async fn has_all(&self, place: &Target<'_>) -> Result<bool, StoreError> {
        let store = &self.store;
        if store.places == 1 {
            return Ok(false);
        }
        let registered = store.all_registered().await?;
        if !registered.is_whole || !self.is_registry_intact(place).await {
            return Ok(false);
        }
        let mine: Vec<_> = registered
            .live
            .into_iter()
            .chain(registered.archived)
            .filter(|event| self.is_of(place.shard, event))
            .collect();
        if mine.is_empty() {
            return Ok(true);
        }
        let mut read = redis::pipe();
        for event in &mine {
            read.cmd("HMGET").arg(store.keys.event(event).meta()).arg(&["sequence", "partition"]);
        }
        let all: Vec<(Option<u64>, Option<u32>)> =
            store.on(&place.link, place.link.query_all(&read).await)?;
        Ok(all.iter().all(|(sequence, partition)| sequence.is_some() && partition.is_some()))
    }

    /// Whether another server that has a place of the registry is known to have lost nothing of the partition.
    async fn is_registry_intact(&self, place: &Target<'_>) -> bool {
        for registry in 0..self.store.places {
            let slot = slot_of(self.store.keys.registry(registry).as_bytes());
            let Some(shard) = self.store.topology.shard_of(slot) else { continue };
            if shard.node == place.shard.node {
                continue;
            }
            let marked = async {
                let link: Arc<Link> = self.store.topology.link_to(&shard.node).await?;
                let kept = self.recovered(&link, &shard, &[place.partition]).await?.pop().flatten();
                Ok::<_, StoreError>(kept.is_some_and(|kept| kept.history == link.history))
            };
            if marked.await.unwrap_or(false) {
                return true;
            }
        }
        false
    }
}
