//! SeatingEvents that are over: found by sweeps, archived when all that happened to them is in a snapshot, and woken by
//! whoever asks for more than lists and equal definitions need.
//!
//! `archive.lua` leaves a stub in `meta`. The definition itself goes too, for it may be as large as all else: a fingerprint
//! of its chart is what lists show of it, and a digest of all of it is enough to know an equal one. Where the sale stands
//! need not be asked: it is closed.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use boxoffice_domain::definition::Phase;
use boxoffice_domain::{Definition, SeatingEventId, UnixMillis};
use tokio::time::Instant;

use super::RedisStore;
use super::catalog::read_definition;
use super::registry::Kind;
use super::wire::args::Archiving;
use super::wire::{DefinitionMeta, InventoryMeta, ServerHistory, SweptMeta};
use crate::store::{Inventory, StoreError, over_at};

/// Definitions read in one go.
const DEFINITIONS: usize = 50;
/// How long one that was woken stays so: whoever was told to come back finds it.
const AWAKE: Duration = Duration::from_mins(10);
/// How many ends are remembered: it costs a look at each definition to know them again.
const ENDS: usize = 100_000;

/// When SeatingEvents are over, by the revision of the definition that says so, which is looked at once.
#[derive(Debug, Default)]
pub struct Ends(Mutex<HashMap<SeatingEventId, (String, UnixMillis)>>);

impl Ends {
    fn of(&self, event: &SeatingEventId, revision: &str) -> Option<UnixMillis> {
        let ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ends.get(event).filter(|(of, _)| of == revision).map(|(_, at)| *at)
    }

    fn set(&self, event: &SeatingEventId, revision: String, at: UnixMillis) {
        let mut ends = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() >= ENDS {
            ends.clear();
        }
        ends.insert(event.clone(), (revision, at));
    }

    fn forget(&self, event: &SeatingEventId) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(event);
    }
}

/// SeatingEvents that this process woke, and when.
#[derive(Debug, Default)]
pub struct Woken(Mutex<HashMap<SeatingEventId, Instant>>);

impl Woken {
    fn now(&self, event: &SeatingEventId) {
        let (now, mut woken) = (Instant::now(), self.0.lock().unwrap_or_else(PoisonError::into_inner));
        woken.retain(|_, at| now - *at < AWAKE);
        woken.insert(event.clone(), now);
    }

    fn is_awake(&self, event: &SeatingEventId) -> bool {
        let woken = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        woken.get(event).is_some_and(|at| at.elapsed() < AWAKE)
    }
}

impl SweptMeta {
    /// Whether time and the log have nothing more to do with it, where no deadline is left.
    pub(super) fn is_settled(&self) -> bool {
        self.wants.is_none() && self.archived.is_none() && self.sequence == self.published
    }
}

impl RedisStore {
    /// Those of `quiet`, SeatingEvents of one server with their revisions, that are over at `now`.
    pub(super) async fn over_among(
        &self,
        slot: u16,
        quiet: Vec<(&SeatingEventId, &str)>,
        now: UnixMillis,
    ) -> Result<Vec<SeatingEventId>, StoreError> {
        let is_unknown =
            |(event, revision): &&(&SeatingEventId, &str)| self.ends.of(event, revision).is_none();
        let unknown: Vec<_> = quiet.iter().filter(is_unknown).map(|(event, _)| *event).collect();
        for events in unknown.chunks(DEFINITIONS) {
            let mut read = redis::pipe();
            for event in events {
                read.cmd("HMGET").arg(self.keys.event(event).meta()).arg(DefinitionMeta::FIELDS);
            }
            let found: Vec<DefinitionMeta> = self.query_all(slot, &read).await?;
            for (event, found) in events.iter().zip(found) {
                let (Some(revision), Some(definition)) = (found.revision, found.definition) else { continue };
                match read_definition(event, &definition) {
                    Ok(definition) => self.ends.set(event, revision, over_at(&definition)),
                    // It stays where it is, and keeps no other one there.
                    Err(error) => tracing::debug!(%event, %error, "when it is over is not known"),
                }
            }
        }
        let is_over = |(event, revision): &(&SeatingEventId, &str)| {
            self.ends.of(event, revision).is_some_and(|over_at| now >= over_at) && !self.is_awake(event)
        };
        Ok(quiet.into_iter().filter(is_over).map(|(event, _)| event.clone()).collect())
    }

    pub(super) async fn run_archive(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        snapshot: u64,
    ) -> Result<bool, StoreError> {
        let keys = self.keys.event(event);
        let mut read = redis::cmd("HMGET");
        read.arg(keys.meta()).arg(DefinitionMeta::FIELDS);
        let DefinitionMeta { revision: Some(revision), definition: Some(definition), .. } =
            self.query(&read).await?
        else {
            return Ok(false);
        };
        let definition = read_definition(event, &definition)?;
        let mut archive = self.scripts.archive.tell(&Archiving {
            history: ServerHistory,
            revision: &revision,
            sequence,
            over_at: over_at(&definition),
            snapshot,
            chart: &definition.chart_hash(),
            digest: &definition.digest(),
        });
        archive.key(&keys.all()).about(event);
        if !self.invoke_script::<bool>(&archive).await? {
            return Ok(false);
        }
        self.catalog.set(event, None);
        self.ends.forget(event);
        if let Err(error) = self.shelve(std::slice::from_ref(event)).await {
            tracing::debug!(%event, %error, "the next sweep moves it out of the way");
        }
        Ok(true)
    }

    /// Moves SeatingEvents that are archived out of the way of the others.
    pub(super) async fn shelve(&self, events: &[SeatingEventId]) -> Result<(), StoreError> {
        self.move_to(Kind::Archived, events).await?;
        // One that is being woken, or was before it was moved, belongs among the others. Whoever wakes it says so before it
        // moves it, so it comes either after this or is known here.
        let mut woken = vec![];
        for event in events {
            let mut read = redis::cmd("HEXISTS");
            read.arg(self.keys.event(event).meta()).arg("archived");
            if self.is_awake(event) || !self.query::<bool>(&read).await? {
                woken.push(event.clone());
            }
        }
        if woken.is_empty() { Ok(()) } else { self.register(&woken).await }
    }

    /// Whether this process woke a SeatingEvent a short while ago.
    pub(super) fn is_awake(&self, event: &SeatingEventId) -> bool {
        self.woken.is_awake(event)
    }

    /// Has a SeatingEvent that is archived looked after again, before it is recovered.
    pub(super) async fn unshelve(&self, event: &SeatingEventId) -> Result<(), StoreError> {
        self.woken.now(event);
        self.move_to(Kind::Live, std::slice::from_ref(event)).await
    }

    /// What an equal `definition` of a SeatingEvent that is archived comes to; `None` of one that is not. Another
    /// definition wakes it.
    pub(super) async fn provisioned_again(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
    ) -> Result<Option<Inventory>, StoreError> {
        let (_, at, mut numbers) = self.count(std::slice::from_ref(event)).await?;
        let Some(numbers) = numbers.pop().filter(|numbers| numbers.archived.is_some()) else {
            return Ok(None);
        };
        // One that is closed for good an equal definition opens again.
        let is_open = numbers.closed.as_deref() != Some("1");
        if !is_open || numbers.digest != Some(definition.digest()) {
            return Err(self.behind_the_fence(event));
        }
        self.confirm_whole(event).await?;
        Ok(inventory_of_stub(event, &numbers, at))
    }
}

/// One that is archived as the operator sees it.
pub(super) fn inventory_of_stub(
    event: &SeatingEventId,
    numbers: &InventoryMeta,
    at: UnixMillis,
) -> Option<Inventory> {
    Some(Inventory {
        event: event.clone(),
        definition: None,
        phase: Phase::Closed,
        chart_hash: numbers.chart.clone()?,
        definition_hash: numbers.digest.clone()?,
        closed: numbers.closed.as_deref() == Some("1"),
        partition: numbers.partition?,
        sequence: numbers.sequence?,
        last_event_at: numbers.time,
        seats: numbers.seats(),
        at,
    })
}
