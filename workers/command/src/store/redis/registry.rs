//! Which SeatingEvents there are: a set of ids, on a Redis Cluster in several places.
//!
//! An id is written to every place that answers, before its SeatingEvent comes to be, and read from all of them: what one
//! server loses, or did not hear of, the others know, and whoever reads puts it right. Ids are never taken out. Purged
//! SeatingEvents stay among them: they have a place on the log, which their lane's owner keeps moving, and nothing else. An
//! id without a SeatingEvent does no harm.

use std::collections::BTreeSet;

use boxoffice_domain::SeatingEventId;
use futures::future::join_all;

use super::RedisStore;
use crate::store::StoreError;

/// Ids written in one go.
const AT_ONCE: usize = 1000;

/// What the places say.
#[derive(Debug, Default)]
pub struct Registered {
    /// The ids.
    pub events: BTreeSet<SeatingEventId>,
    /// Whether every place said what it has.
    pub is_whole: bool,
}

impl RedisStore {
    /// All SeatingEvents that any place knows; fails where none answers.
    pub(super) async fn registered(&self) -> Result<Registered, StoreError> {
        let reads = (0..self.places).map(|place| async move {
            let read = redis::cmd("SMEMBERS").arg(self.keys.registry(place)).to_owned();
            self.query::<BTreeSet<String>>(&read).await
        });
        let (mut answers, mut failed) = (vec![], None);
        for (place, read) in (0..self.places).zip(join_all(reads).await) {
            match read {
                Ok(ids) => answers.push((place, ids)),
                Err(error) => failed = Some(error),
            }
        }
        let is_whole = failed.is_none();
        if let Some(error) = failed.filter(|_| answers.is_empty()) {
            return Err(error);
        }
        let all: BTreeSet<&String> = answers.iter().flat_map(|(_, ids)| ids).collect();
        for (place, ids) in &answers {
            let missing: Vec<_> = all.iter().filter(|id| !ids.contains(**id)).map(|id| id.as_str()).collect();
            if !missing.is_empty()
                && let Err(error) = self.register_in(*place, &missing).await
            {
                tracing::debug!(place, %error, "a place of the registry stays behind");
            }
        }
        let parse = |id: &String| {
            id.parse::<SeatingEventId>().map_err(|error| StoreError::Corrupt(format!("registry: {error}")))
        };
        Ok(Registered { events: all.into_iter().map(parse).collect::<Result<_, _>>()?, is_whole })
    }

    /// Registers SeatingEvents in every place that answers, which at least one has to.
    pub(super) async fn register(&self, events: &[SeatingEventId]) -> Result<(), StoreError> {
        let ids: Vec<_> = events.iter().map(SeatingEventId::as_str).collect();
        let writes = join_all((0..self.places).map(|place| self.register_in(place, &ids))).await;
        // The others hear of it from whoever reads next.
        writes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    async fn register_in(&self, place: u16, ids: &[&str]) -> Result<(), StoreError> {
        for some in ids.chunks(AT_ONCE) {
            let add = redis::cmd("SADD").arg(self.keys.registry(place)).arg(some).to_owned();
            self.query::<u64>(&add).await?;
        }
        Ok(())
    }
}
