//! Which SeatingEvents there are: two sets of ids, those that are archived and all others, on a Redis Cluster in several
//! places.
//!
//! An id is written to every place that answers, before its SeatingEvent comes to be, and read from all of them: what one
//! server loses, or did not hear of, the others know, and whoever reads puts it right. Ids are never taken out. Purged
//! SeatingEvents stay among them: they have a place on the log, which their lane's owner keeps moving, and nothing else. An
//! id without a SeatingEvent does no harm.
//!
//! One that is archived goes to a set of its own, which nobody reads but whoever wants all of them: so those that are over
//! cost the others nothing. Within a place it goes from one set to the other in one step, never by being taken out first.
//! Whether one is archived says its own `meta`, and the set follows: after it was archived, and before it is woken. One
//! that is in both, because a place was away or a process died between, is taken for one that is not archived; its
//! owner's next sweep moves it. One that is in the wrong one is moved by whoever lists all.

use std::collections::BTreeSet;

use boxoffice_domain::SeatingEventId;
use futures::future::join_all;

use super::RedisStore;
use super::slots::slot_of;
use crate::store::StoreError;

/// Ids written in one go.
const AT_ONCE: usize = 1000;

/// One of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shelf {
    /// Of all that are not archived.
    Live,
    /// Of those that are.
    Archived,
}

/// What the places say.
#[derive(Debug, Default)]
pub struct Registered {
    /// The ids.
    pub events: BTreeSet<SeatingEventId>,
    /// Whether every place said what it has.
    pub is_whole: bool,
}

/// All ids.
#[derive(Debug)]
pub struct Everything {
    /// Those that any place does not have for archived.
    pub live: BTreeSet<SeatingEventId>,
    /// All others.
    pub archived: BTreeSet<SeatingEventId>,
    /// Whether every place said what it has.
    pub is_whole: bool,
}

impl RedisStore {
    /// All SeatingEvents that any place knows and does not have for archived; fails where none answers.
    pub(super) async fn registered(&self) -> Result<Registered, StoreError> {
        self.on_shelf(Shelf::Live).await
    }

    /// All SeatingEvents that any place knows; fails where none answers.
    pub(super) async fn all_registered(&self) -> Result<Everything, StoreError> {
        let live = self.on_shelf(Shelf::Live).await?;
        // Read behind the live ones: what is archived meanwhile is in both.
        let mut archived = self.on_shelf(Shelf::Archived).await?;
        archived.events.retain(|event| !live.events.contains(event));
        let is_whole = live.is_whole && archived.is_whole;
        Ok(Everything { live: live.events, archived: archived.events, is_whole })
    }

    async fn on_shelf(&self, shelf: Shelf) -> Result<Registered, StoreError> {
        let reads = (0..self.places).map(|place| async move {
            let read = redis::cmd("SMEMBERS").arg(self.shelf(place, shelf)).to_owned();
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
                && let Err(error) = self.add_in(*place, shelf, &missing).await
            {
                tracing::debug!(place, %error, "a place of the registry stays behind");
            }
        }
        let parse = |id: &String| {
            id.parse::<SeatingEventId>().map_err(|error| StoreError::Corrupt(format!("registry: {error}")))
        };
        Ok(Registered { events: all.into_iter().map(parse).collect::<Result<_, _>>()?, is_whole })
    }

    /// How many are archived, by the place that knows most of them.
    pub(super) async fn count_archived(&self) -> Result<u64, StoreError> {
        let counts = (0..self.places).map(|place| async move {
            let count = redis::cmd("SCARD").arg(self.keys.archived(place)).to_owned();
            self.query::<u64>(&count).await
        });
        let counts = join_all(counts).await.into_iter().reduce(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => Ok(one.max(other)),
            (one, other) => one.or(other),
        });
        counts.unwrap_or(Ok(0))
    }

    /// Registers SeatingEvents in every place that answers, which at least one has to.
    pub(super) async fn register(&self, events: &[SeatingEventId]) -> Result<(), StoreError> {
        let ids: Vec<_> = events.iter().map(SeatingEventId::as_str).collect();
        let writes = join_all((0..self.places).map(|place| self.add_in(place, Shelf::Live, &ids))).await;
        // The others hear of it from whoever reads next.
        writes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    /// Moves SeatingEvents from the other set to this one in every place that answers, which at least one has to.
    pub(super) async fn move_to(&self, shelf: Shelf, events: &[SeatingEventId]) -> Result<(), StoreError> {
        let ids: Vec<_> = events.iter().map(SeatingEventId::as_str).collect();
        let moves = join_all((0..self.places).map(|place| self.move_in(place, shelf, &ids))).await;
        moves.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    async fn add_in(&self, place: u16, shelf: Shelf, ids: &[&str]) -> Result<(), StoreError> {
        for some in ids.chunks(AT_ONCE) {
            let add = redis::cmd("SADD").arg(self.shelf(place, shelf)).arg(some).to_owned();
            self.query::<u64>(&add).await?;
        }
        Ok(())
    }

    async fn move_in(&self, place: u16, shelf: Shelf, ids: &[&str]) -> Result<(), StoreError> {
        let other = match shelf {
            Shelf::Live => Shelf::Archived,
            Shelf::Archived => Shelf::Live,
        };
        let (from, to) = (self.shelf(place, other), self.shelf(place, shelf));
        for some in ids.chunks(AT_ONCE) {
            let mut moving = redis::pipe();
            for id in some {
                moving.cmd("SMOVE").arg(&from).arg(&to).arg(id).ignore();
            }
            // Those that the place did not know.
            moving.cmd("SADD").arg(&to).arg(some).ignore();
            self.query_all::<()>(slot_of(to.as_bytes()), &moving).await?;
        }
        Ok(())
    }

    fn shelf(&self, place: u16, shelf: Shelf) -> String {
        match shelf {
            Shelf::Live => self.keys.registry(place),
            Shelf::Archived => self.keys.archived(place),
        }
    }
}
