//! SeatingEvents as the operator sees them: created, changed, counted, purged.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError};

use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Answer, Command, Definition, Rejection, SeatingEventId, UnixMillis};
use futures::future::join_all;
use tokio::time::timeout;

use super::archive::inventory_of_stub;
use super::fence::is_behind;
use super::link::Link;
use super::registry::{Everything, Registered};
use super::slots::Shard;
use super::wire::InventoryMeta;
use super::{RESPONSE_TIMEOUT, RedisStore};
use crate::store::{Cause, History, Inventory, Listing, Provisioning, StoreError};

/// What a server says about SeatingEvents: its history, its time and their numbers.
type Counted = (History, UnixMillis, Vec<InventoryMeta>);

impl RedisStore {
    pub(super) async fn run_provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError> {
        if let Some(inventory) = self.provisioned_again(event, definition).await? {
            return Ok(Ok(Provisioning { inventory, refused: vec![] }));
        }
        // Before it comes to be: what a server may lose is known elsewhere.
        self.register(std::slice::from_ref(event)).await?;
        let command = Command::Provision { definition: Box::new(definition.clone()) };
        let refused = match self.run_cold(event, &command, Some(partition), cause).await? {
            Ok(ran) => match ran.outcome.answer {
                Answer::Provisioned { refused, .. } => refused,
                Answer::Held { .. }
                | Answer::Reserved { .. }
                | Answer::Released { .. }
                | Answer::Reinstatement { .. } => {
                    return Err(StoreError::Corrupt(format!("provisioning {event} answered otherwise")));
                }
            },
            Err(rejection) => return Ok(Err(rejection)),
        };
        let purged = || StoreError::Unavailable(format!("{event} was purged meanwhile"));
        let inventory = self.find_inventory(event).await?.ok_or_else(purged)?;
        Ok(Ok(Provisioning { inventory, refused }))
    }

    /// Tries again what of a definition was refused, where it is kept as wanted.
    pub(super) async fn try_wanted(&self, event: &SeatingEventId) -> Result<(), StoreError> {
        let mut read = redis::cmd("HGET");
        read.arg(self.keys.event(event).meta()).arg("wanted");
        let Some(wanted) = self.query::<Option<String>>(&read).await? else { return Ok(()) };
        let definition = serde_json::from_str(&wanted)
            .map_err(|error| StoreError::Corrupt(format!("wanted definition of {event}: {error}")))?;
        let command = Command::Provision { definition: Box::new(definition) };
        match self.run_cold(event, &command, None, &Cause::of_nobody()).await? {
            Ok(ran) if ran.outcome.changed => {
                tracing::info!(%event, "a seat map that was refused took effect");
            }
            Ok(_) => {}
            Err(rejection) => tracing::warn!(%event, %rejection, "the definition that is wanted is refused"),
        }
        Ok(())
    }

    pub(super) async fn find_inventory(
        &self,
        event: &SeatingEventId,
    ) -> Result<Option<Inventory>, StoreError> {
        let (history, at, mut numbers) = self.count(std::slice::from_ref(event)).await?;
        let Some(numbers) = numbers.pop() else { return Ok(None) };
        let (is_archived, revision) = (numbers.archived.is_some(), numbers.revision.clone());
        let found = self.inventory_of(event, numbers, &history, at).await?;
        if found.is_none() || is_archived {
            self.confirm_whole(event).await?;
        }
        let Some(inventory) = found else { return Ok(None) };
        let Some(revision) = revision.filter(|_| !is_archived) else { return Ok(Some(inventory)) };
        let known = self.listed_at(event, &revision).await?;
        Ok(known.map(|known| Inventory { definition: Some(known.sale.definition.clone()), ..inventory }))
    }

    /// All that are on servers that answer and are complete; fails where none is.
    pub(super) async fn all_inventories(&self) -> Result<Listing, StoreError> {
        let shards = self.topology.known_shards().await?;
        let Everything { live, archived, is_whole } = self.all_registered().await?;
        let mut by_server: HashMap<_, Vec<_>> = HashMap::new();
        for event in live.into_iter().chain(archived.iter().cloned()) {
            by_server.entry(self.topology.owner(self.keys.event(&event).slot())).or_default().push(event);
        }
        let asked = shards.iter().map(|shard| {
            let events = by_server.remove(&Some(shard.node.clone())).unwrap_or_default();
            self.inventories_on(shard, events, &archived)
        });
        let asked = join_all(asked.collect::<Vec<_>>()).await;
        let mut listing = Listing { inventories: vec![], unreadable: vec![], is_partial: !is_whole };
        // What is left is in slots without a server.
        listing.is_partial |= !by_server.is_empty();
        let mut failed = None;
        let mut any_answered = false;
        for answer in asked {
            match answer {
                Ok((inventories, unreadable)) => {
                    listing.inventories.extend(inventories);
                    listing.unreadable.extend(unreadable);
                    any_answered = true;
                }
                Err(error @ StoreError::Corrupt(_)) => return Err(error),
                Err(error) => failed = Some(error),
            }
        }
        listing.is_partial |= failed.is_some();
        listing.inventories.sort_by(|a, b| a.event.cmp(&b.event));
        listing.unreadable.sort();
        match failed {
            Some(error) if !any_answered => Err(error),
            Some(_) | None => Ok(listing),
        }
    }

    /// Those of `events`, all of one server's, that are there, and those that are and cannot be read. A server that
    /// lacks something cannot say what is not there. One that is registered as `archived` and is not, is registered
    /// among the others.
    async fn inventories_on(
        &self,
        shard: &Shard,
        events: Vec<SeatingEventId>,
        archived: &BTreeSet<SeatingEventId>,
    ) -> Result<(Vec<Inventory>, Vec<SeatingEventId>), StoreError> {
        let late = |_| StoreError::Unavailable(format!("{} does not answer", shard.node));
        if !timeout(RESPONSE_TIMEOUT, self.is_recovered(shard)).await.map_err(late)?? {
            return Err(StoreError::Recovering);
        }
        let (mut inventories, mut unreadable, mut woken) = (vec![], vec![], vec![]);
        if events.is_empty() {
            return Ok((inventories, unreadable));
        }
        let (history, at, all) = self.count(&events).await?;
        for (event, numbers) in events.iter().zip(all) {
            if numbers.archived.is_none() && numbers.sequence.is_some() && archived.contains(event) {
                woken.push(event.clone());
            }
            match self.inventory_of(event, numbers, &history, at).await {
                // Asked for alone, it says why.
                Err(error @ (StoreError::Recovering | StoreError::Corrupt(_))) => {
                    tracing::debug!(%event, %error, "a list tells that it is there, and no more");
                    unreadable.push(event.clone());
                }
                found => inventories.extend(found?),
            }
        }
        if !woken.is_empty() {
            self.register(&woken).await?;
        }
        Ok((inventories, unreadable))
    }

    /// The numbers of SeatingEvents of one server, at least one.
    pub(super) async fn count(&self, events: &[SeatingEventId]) -> Result<Counted, StoreError> {
        let slot = self.slot_of_first(events);
        let mut read = redis::pipe();
        for event in events {
            read.cmd("HMGET").arg(self.keys.event(event).meta()).arg(InventoryMeta::FIELDS);
        }
        let read = &read;
        let ask = |link: Arc<Link>| async move {
            let at = link.invoke(&self.time(slot)).await?;
            Ok((link.history.clone(), at, link.query_all(read).await?))
        };
        self.topology.ask(slot, ask).await
    }

    /// Without its definition.
    async fn inventory_of(
        &self,
        event: &SeatingEventId,
        numbers: InventoryMeta,
        history: &History,
        at: UnixMillis,
    ) -> Result<Option<Inventory>, StoreError> {
        if numbers.archived.is_some() {
            return Ok(inventory_of_stub(event, &numbers, at));
        }
        let is_there = numbers.revision.is_some() || numbers.sequence.is_some();
        if is_behind(is_there, numbers.history.as_deref(), history) {
            return Err(self.behind_the_fence(event));
        }
        let seats = numbers.seats();
        let (Some(revision), Some(partition), Some(sequence)) =
            (numbers.revision, numbers.partition, numbers.sequence)
        else {
            return Ok(None);
        };
        let Some(gist) = self.gist(event, &revision).await? else { return Ok(None) };
        Ok(Some(Inventory {
            event: event.clone(),
            definition: None,
            phase: gist.phase(seats.available, at),
            chart_hash: gist.chart_hash.clone(),
            definition_hash: gist.definition_hash.clone(),
            closed: gist.closed,
            partition,
            sequence,
            last_event_at: numbers.time,
            seats,
            at,
        }))
    }

    /// Every SeatingEvent that is not archived, with its pinned partition. What a server that is away has is as it was
    /// known before.
    pub(super) async fn all_pinned(&self) -> Result<Vec<(SeatingEventId, u32)>, StoreError> {
        let known = self.pinned.read().unwrap_or_else(PoisonError::into_inner).clone();
        let Registered { mut events, is_whole } = match self.registered().await {
            Err(StoreError::Unavailable(_)) if !known.is_empty() => Registered::default(),
            registered => registered?,
        };
        if !is_whole {
            events.extend(known.keys().cloned());
        }
        let (mut pinned, mut unknown) = (HashMap::new(), vec![]);
        for event in events {
            match known.get(&event) {
                Some(partition) => drop(pinned.insert(event, *partition)),
                None => unknown.push(event),
            }
        }
        for events in self.by_server(unknown) {
            let slot = self.slot_of_first(&events);
            let mut read = redis::pipe();
            for event in &events {
                read.cmd("HGET").arg(self.keys.event(event).meta()).arg("partition");
            }
            match self.query_all::<Vec<Option<u32>>>(slot, &read).await {
                Ok(partitions) => {
                    let found = events.into_iter().zip(partitions);
                    pinned.extend(found.filter_map(|(event, partition)| Some((event, partition?))));
                }
                Err(error) => {
                    tracing::debug!(%error, "where a server's SeatingEvents are pinned is not known");
                }
            }
        }
        self.pinned.write().unwrap_or_else(PoisonError::into_inner).clone_from(&pinned);
        let mut pinned: Vec<_> = pinned.into_iter().collect();
        pinned.sort();
        Ok(pinned)
    }
}

impl InventoryMeta {
    /// Seats by status.
    pub(super) fn seats(&self) -> SeatCounts {
        let count = |number: Option<u64>| number.unwrap_or_default();
        let (total, held) = (count(self.total), count(self.held));
        let (reserved, blocked) = (count(self.reserved), count(self.blocked));
        SeatCounts {
            total,
            available: total.saturating_sub(held + reserved + blocked),
            held,
            reserved,
            blocked,
        }
    }
}
