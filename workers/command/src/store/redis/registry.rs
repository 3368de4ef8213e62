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
use redis::Cmd;

use super::RedisStore;
use super::slots::slot_of;
use crate::store::StoreError;

/// Ids written in one go.
const AT_ONCE: usize = 1000;

/// One of the two sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
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
        let read = |place| redis::cmd("SMEMBERS").arg(self.keys.registry(place)).to_owned();
        let (registered, lacking) = self.read_places(read).await?;
        for (place, ids) in lacking {
            self.put_right(place, Kind::Live, &ids).await;
        }
        Ok(registered)
    }

    /// All SeatingEvents that any place knows; fails where none answers.
    pub(super) async fn all_registered(&self) -> Result<Everything, StoreError> {
        let Registered { events: live, .. } = self.registered().await?;
        // Both sets at one moment: in which of them one was found before may be another by then.
        let read = |place| {
            redis::cmd("SUNION").arg(self.keys.registry(place)).arg(self.keys.archived(place)).to_owned()
        };
        let (Registered { mut events, is_whole }, lacking) = self.read_places(read).await?;
        for (place, mut ids) in lacking {
            ids.retain(|id| !live.contains(id));
            self.put_right(place, Kind::Archived, &ids).await;
        }
        events.retain(|event| !live.contains(event));
        Ok(Everything { live, archived: events, is_whole })
    }

    /// What any place says, and what others say that it lacks.
    async fn read_places(
        &self,
        read: impl Fn(u16) -> Cmd,
    ) -> Result<(Registered, Vec<(u16, Vec<SeatingEventId>)>), StoreError> {
        let reads = (0..self.places).map(&read).collect::<Vec<_>>();
        let answers = join_all(reads.iter().map(|read| self.query::<BTreeSet<String>>(read))).await;
        let (mut found, mut failed) = (vec![], None);
        for (place, answer) in (0..).zip(answers) {
            match answer {
                Ok(ids) => {
                    let ids = ids.iter().map(|id| {
                        id.parse().map_err(|error| StoreError::Corrupt(format!("registry: {error}")))
                    });
                    found.push((place, ids.collect::<Result<BTreeSet<SeatingEventId>, _>>()?));
                }
                Err(error) => failed = Some(error),
            }
        }
        let is_whole = failed.is_none();
        if let Some(error) = failed.filter(|_| found.is_empty()) {
            return Err(error);
        }
        let events: BTreeSet<_> = found.iter().flat_map(|(_, ids)| ids).cloned().collect();
        let lacking =
            found.into_iter().map(|(place, ids)| (place, events.difference(&ids).cloned().collect()));
        let lacking = lacking.collect();
        Ok((Registered { events, is_whole }, lacking))
    }

    /// Adds what a place lacks.
    async fn put_right(&self, place: u16, kind: Kind, events: &[SeatingEventId]) {
        let ids: Vec<_> = events.iter().map(SeatingEventId::as_str).collect();
        if let Err(error) = self.add_in(place, kind, &ids).await {
            tracing::debug!(place, %error, "a place of the registry stays behind");
        }
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
        let writes = join_all((0..self.places).map(|place| self.add_in(place, Kind::Live, &ids))).await;
        // The others hear of it from whoever reads next.
        writes.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    /// Moves SeatingEvents from the other set to this one in every place that answers, which at least one has to.
    pub(super) async fn move_to(&self, kind: Kind, events: &[SeatingEventId]) -> Result<(), StoreError> {
        let ids: Vec<_> = events.iter().map(SeatingEventId::as_str).collect();
        let moves = join_all((0..self.places).map(|place| self.move_in(place, kind, &ids))).await;
        moves.into_iter().reduce(Result::or).unwrap_or(Ok(()))
    }

    async fn add_in(&self, place: u16, kind: Kind, ids: &[&str]) -> Result<(), StoreError> {
        for some in ids.chunks(AT_ONCE) {
            let add = redis::cmd("SADD").arg(self.set_of(place, kind)).arg(some).to_owned();
            self.query::<u64>(&add).await?;
        }
        Ok(())
    }

    async fn move_in(&self, place: u16, kind: Kind, ids: &[&str]) -> Result<(), StoreError> {
        let other = match kind {
            Kind::Live => Kind::Archived,
            Kind::Archived => Kind::Live,
        };
        let (from, to) = (self.set_of(place, other), self.set_of(place, kind));
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

    fn set_of(&self, place: u16, kind: Kind) -> String {
        match kind {
            Kind::Live => self.keys.registry(place),
            Kind::Archived => self.keys.archived(place),
        }
    }
}
