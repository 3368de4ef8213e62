//! SeatingEvents as the operator sees them: created, changed, counted, purged.

use std::collections::HashSet;
use std::sync::Arc;

use boxoffice_domain::evolve::named_blocks;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::{Answer, Chart, Definition, Rejection, Seating, SeatingEventId, UnixMillis};

use super::RedisStore;
use super::catalog::Known;
use super::commands::keeps_changing;
use super::fence::is_behind;
use super::floor_plan::{FloorPlan, is_alike};
use super::invocation::ScriptInvocation;
use super::link::Link;
use super::reply::Reply;
use crate::store::{Cause, History, Inventory, Outcome, Provisioning, StoreError};

const ATTEMPTS: usize = 5;

/// The fields of `meta` that make an [`Inventory`], in the order of [`Numbers`].
const NUMBERS: &[&str] =
    &["history", "revision", "partition", "sequence", "total", "held", "reserved", "blocked"];
type Numbers = (
    Option<String>,
    Option<String>,
    Option<u32>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
    Option<u64>,
);

/// What a server says about SeatingEvents: its history, its time and their numbers.
type Counted = (History, UnixMillis, Vec<Numbers>);

impl RedisStore {
    pub(super) async fn run_provision(
        &self,
        event: &SeatingEventId,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<Result<Provisioning, Rejection>, StoreError> {
        let mut known = self.known(event).await?;
        for _ in 0..ATTEMPTS {
            let mut run = self.prepare_provision(event, known.as_deref(), definition, partition, cause)?;
            if known.is_none() {
                // It comes to be only where it is sure not to have been lost.
                run.only_on(self.confirm_absent(event).await?);
            }
            match self.invoke(&run).await? {
                Reply::Mismatch => return Err(StoreError::KeyReused),
                Reply::Done(Outcome { answer, .. }) => {
                    self.register(event).await?;
                    let inventory = self.find_inventory(event).await?;
                    let purged = || StoreError::Unavailable(format!("{event} was purged meanwhile"));
                    let refused = match answer {
                        Answer::Provisioned { refused, .. } => refused,
                        Answer::Held { .. } | Answer::Reserved { .. } | Answer::Released { .. } => vec![],
                    };
                    let inventory = inventory.ok_or_else(purged)?;
                    return Ok(Ok(Provisioning { inventory, refused }));
                }
                Reply::Rejected(rejection) => return Ok(Err(rejection)),
                Reply::Full(depth) => {
                    return Err(StoreError::OutboxFull { depth, limit: self.high_watermark });
                }
                Reply::Changed => known = self.known_after(event, known.as_deref()).await?,
            }
        }
        Err(keeps_changing(event))
    }

    /// `provision.lua` with the difference between what is known and `definition`.
    pub(super) fn prepare_provision(
        &self,
        event: &SeatingEventId,
        known: Option<&Known>,
        definition: &Definition,
        partition: u32,
        cause: &Cause,
    ) -> Result<ScriptInvocation<'_>, StoreError> {
        let stands = known.is_some_and(|known| !known.closed && known.definition == *definition);
        let mut run = self.begin(&self.scripts.provision, event, cause);
        run.arg(known.map_or("", |known| &known.revision)).arg(json(definition)?).arg(partition);
        if stands {
            run.arg(0).arg(1);
            return Ok(run);
        }
        let chart = Chart::expand(definition).unwrap_or_default();
        let blocked_now = named_blocks(definition);
        let seats_before = known.map_or(&[][..], |known| known.chart().seats());
        let dropped: Vec<&str> =
            seats_before.iter().map(|seat| seat.key.as_str()).filter(|k| !chart.contains(k)).collect();
        let blocked_before = known.map(|known| named_blocks(&known.definition)).unwrap_or_default();
        let unblocked: HashSet<&str> = blocked_before
            .keys()
            .map(String::as_str)
            .filter(|key| !blocked_now.contains_key(*key) && chart.contains(key))
            .collect();
        run.arg(chart.seats().len()).arg(0);
        run.arg(dropped.len()).arg(dropped).arg(unblocked.len()).arg(unblocked);
        let (keys, reasons): (Vec<_>, Vec<_>) =
            blocked_now.iter().filter(|(key, _)| chart.contains(key)).unzip();
        run.arg(keys.len()).arg(keys).arg(reasons.len()).arg(reasons);
        if known.is_none_or(|known| !is_alike(&known.definition, definition)) {
            FloorPlan::new(&chart, &Seating::new(definition, &chart)).tell(&mut run);
        }
        Ok(run)
    }

    pub(super) async fn find_inventory(
        &self,
        event: &SeatingEventId,
    ) -> Result<Option<Inventory>, StoreError> {
        let (history, at, mut numbers) = self.count(std::slice::from_ref(event)).await?;
        let found = match numbers.pop() {
            Some(numbers) => self.inventory_of(event, numbers, &history, at).await?,
            None => None,
        };
        if found.is_none() {
            self.confirm_absent(event).await?;
        }
        Ok(found)
    }

    pub(super) async fn all_inventories(&self) -> Result<Vec<Inventory>, StoreError> {
        self.all_recovered().await?;
        let mut inventories = vec![];
        for events in self.by_server(self.registered().await?) {
            let (history, at, all) = self.count(&events).await?;
            for (event, numbers) in events.iter().zip(all) {
                match self.inventory_of(event, numbers, &history, at).await {
                    // Asked for alone, it says so.
                    Err(StoreError::Recovering) => {}
                    found => inventories.extend(found?),
                }
            }
        }
        inventories.sort_by(|a, b| a.event.cmp(&b.event));
        Ok(inventories)
    }

    /// The numbers of SeatingEvents of one server, at least one.
    async fn count(&self, events: &[SeatingEventId]) -> Result<Counted, StoreError> {
        let slot = events.first().map_or(0, |event| self.keys.event(event).slot());
        let mut read = redis::pipe();
        for event in events {
            read.cmd("HMGET").arg(self.keys.event(event).meta()).arg(NUMBERS);
        }
        let read = &read;
        let ask = |link: Arc<Link>| async move {
            let at = link.invoke(&self.time(slot)).await?;
            Ok((link.history.clone(), at, link.query_all(read).await?))
        };
        self.topology.ask(slot, ask).await
    }

    async fn inventory_of(
        &self,
        event: &SeatingEventId,
        numbers: Numbers,
        history: &History,
        at: UnixMillis,
    ) -> Result<Option<Inventory>, StoreError> {
        let (recovered, revision, partition, sequence, total, held, reserved, blocked) = numbers;
        if is_behind(revision.is_some(), recovered.as_deref(), history) {
            return Err(self.behind_the_fence(event));
        }
        let (Some(revision), Some(partition), Some(sequence)) = (revision, partition, sequence) else {
            return Ok(None);
        };
        let Some(known) = self.known_at(event, &revision).await? else { return Ok(None) };
        let (held, reserved, blocked) = (held.unwrap_or(0), reserved.unwrap_or(0), blocked.unwrap_or(0));
        let total = total.unwrap_or(0);
        let available = total.saturating_sub(held + reserved + blocked);
        Ok(Some(Inventory {
            event: event.clone(),
            definition: known.definition.clone(),
            closed: known.closed,
            partition,
            sequence,
            seats: SeatCounts { total, available, held, reserved, blocked },
            at,
        }))
    }

    /// The ids of all SeatingEvents, in order; some may be purged.
    pub(super) async fn registered(&self) -> Result<Vec<SeatingEventId>, StoreError> {
        let ids: Vec<String> = self.query(redis::cmd("SMEMBERS").arg(self.keys.registry())).await?;
        let parse =
            |id: String| id.parse().map_err(|error| StoreError::Corrupt(format!("registry: {error}")));
        let mut ids = ids.into_iter().map(parse).collect::<Result<Vec<SeatingEventId>, _>>()?;
        ids.sort();
        Ok(ids)
    }

    pub(super) async fn run_purge(&self, event: &SeatingEventId) -> Result<bool, StoreError> {
        let keys = self.keys.event(event);
        let mut purge = self.scripts.purge.prepare_invoke();
        purge.key(&keys.all()).history().about(event);
        let purged: bool = self.invoke_script(&purge).await?;
        if purged {
            let _: u64 = self.query(redis::cmd("SREM").arg(self.keys.registry()).arg(event.as_str())).await?;
            let created_anew: bool = self.query(redis::cmd("EXISTS").arg(keys.meta())).await?;
            if created_anew {
                self.register(event).await?;
            }
        }
        Ok(purged)
    }

    /// Registers a SeatingEvent after it came to be. An id without one does no harm.
    pub(super) async fn register(&self, event: &SeatingEventId) -> Result<(), StoreError> {
        self.query::<u64>(redis::cmd("SADD").arg(self.keys.registry()).arg(event.as_str())).await.map(drop)
    }
}

/// The text that is stored.
fn json(definition: &Definition) -> Result<String, StoreError> {
    serde_json::to_string(definition).map_err(|error| StoreError::Corrupt(format!("definition: {error}")))
}
