//! What the log tells whoever has just fenced, and where Redis has something else: another store sold it, or keys were
//! restored.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::reading::is_out;
use super::{Recovery, RecoveryError};
use crate::recover::{Compared, Last};
use crate::replay::records::{Records, identity};
use crate::store::{Distrust, StoreError};

impl Recovery {
    /// Compares SeatingEvents that are out of the fence with what the log has of them. Everything before the offset that a
    /// server keeps is known there; what waits in an outbox, what that says it goes on from, and the last event of each are
    /// known by their ids.
    pub(super) async fn compare_with_log(&self, partition: u32) -> Result<Compared, RecoveryError> {
        let (begin, end) = self.log.bounds(&self.topic, partition).await?;
        let (mut servers, mut from) = (HashMap::new(), end);
        for shard in self.store.topology.known_shards().await? {
            let kept = async {
                let link = self.store.topology.link_to(&shard.node).await?;
                let kept = self.recovered(&link, &shard, &[partition]).await?.pop().flatten();
                Ok::<_, StoreError>((link, kept))
            };
            match kept.await {
                Ok((link, Some(kept))) if kept.history == link.history => {
                    from = from.min(kept.offset);
                    servers.insert(shard.node.clone(), link);
                }
                // It is recovered as a whole, or away: nothing of it is published.
                Ok(_) => {}
                Err(error) => tracing::debug!(node = %shard.node, %error, "it is not compared with the log"),
            }
        }
        let (mut compared, mut all_found) = (Compared::default(), HashMap::new());
        let (log, topic) = (self.log.as_ref(), &self.topic);
        let mut records = Records::open(log, topic, partition, from.max(begin), end).await?;
        while let Some(some) = records.next().await? {
            for record in &some {
                let Some((event, sequence, id)) = identity(record) else { continue };
                compared.last_events.published(&event, Last { sequence, id });
                let owner = self.store.topology.owner(self.store.keys.event(&event).slot());
                let Some(link) = owner.and_then(|owner| servers.get(&owner)) else { continue };
                let found = match all_found.entry(event.clone()) {
                    Entry::Occupied(found) => found.into_mut(),
                    Entry::Vacant(place) => place.insert(self.store.found(link, &event).await?),
                };
                let is_another = found.known.get(&sequence).is_some_and(|known| *known != id);
                if !is_out(found, link) {
                    continue;
                }
                if is_another {
                    compared.contradicted.insert(event, Distrust::Fork);
                } else if sequence > found.sequence {
                    compared.contradicted.entry(event).or_insert(Distrust::Split);
                }
            }
        }
        Ok(compared)
    }
}
