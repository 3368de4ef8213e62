//! Reads what the log has of one partition, from where something may be missing to where it ends now, and puts back
//! what a server lacks.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::{Envelope, SeatingEventId};
use boxoffice_runtime::log::{Ends, Tail};
use boxoffice_runtime::record::{CE_ID, CE_SEQUENCE, Record, Said};
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::{Instant, timeout};
use uuid::Uuid;

use super::replay::{Again, Found, Replay, Step};
use super::{Recovery, RecoveryError, TROUBLED};
use crate::store::StoreError;
use crate::store::redis::link::Link;
use crate::store::redis::slots::Shard;

/// Records taken at once.
const BATCH: usize = 1000;
/// Longest wait for records that are there.
const RECORDS_TIMEOUT: Duration = Duration::from_secs(15);
/// How often progress is told, in records.
const PROGRESS: u64 = 250_000;
/// SeatingEvents that are asked about, or put back, at once.
const AT_ONCE: usize = 16;

/// What is to be recovered: a partition's SeatingEvents on one server.
pub(super) struct Place<'a> {
    pub(super) link: Arc<Link>,
    pub(super) shard: &'a Shard,
    pub(super) partition: u32,
}

/// What a reading of the log came to.
#[derive(Default)]
struct Reading {
    /// By SeatingEvent; `None` where it is out of the fence already.
    replays: HashMap<SeatingEventId, Option<Replay>>,
    /// Those that cannot be worked out.
    troubled: HashMap<SeatingEventId, String>,
    /// Those to begin anew with, and why.
    again: HashMap<SeatingEventId, Again>,
    /// Whether more has to be read than was.
    from_the_first: bool,
    /// All that were met, of this server or another one.
    met: HashSet<SeatingEventId>,
}

/// Records of one partition, up to an end.
struct Records {
    /// None where there is nothing to read.
    tail: Option<Box<dyn Tail>>,
    ends: Ends,
    partition: u32,
    read: u64,
}

impl Records {
    /// The next ones, in order; `None` when all are read.
    async fn next(&mut self) -> Result<Option<Vec<Record>>, RecoveryError> {
        let Some(tail) = self.tail.as_mut().filter(|_| !self.ends.is_empty()) else { return Ok(None) };
        let batch = timeout(RECORDS_TIMEOUT, tail.next(BATCH)).await;
        let batch = batch.map_err(|_| RecoveryError::Silence(RECORDS_TIMEOUT.as_secs()))??;
        let records = self.ends.take(batch);
        let before = self.read / PROGRESS;
        self.read += records.len() as u64;
        if self.read / PROGRESS > before {
            tracing::info!(
                partition = self.partition,
                records = self.read,
                "reading seats back from the log"
            );
        }
        Ok(Some(records))
    }
}

impl Recovery {
    /// Recovers `partition` on a server that lacks something of it, and those of `doubted` that are its in any case.
    pub(super) async fn recover_on(
        &self,
        shard: &Shard,
        partition: u32,
        doubted: &BTreeSet<SeatingEventId>,
    ) -> Result<(), RecoveryError> {
        let link = self.store.topology.link_to(&shard.node).await?;
        let kept = self.recovered(&link, shard, &[partition]).await?.pop().flatten();
        let is_marked = kept.as_ref().is_some_and(|kept| kept.history == link.history);
        let candidates = if is_marked { doubted.clone() } else { self.pinned_to(partition, doubted).await? };
        let place = Place { link, shard, partition };
        let in_doubt = self.in_doubt(&place, candidates).await?;
        if is_marked && in_doubt.is_empty() {
            return Ok(());
        }
        let (begin, end) = self.log.bounds(&self.topic, partition).await?;
        // Before offsets were kept, a server was marked as a whole.
        let is_complete = !is_marked && kept.is_none() && self.store.is_recovered(shard).await?;
        let mut offsets: Vec<_> = in_doubt.values().map(|found| found.offset).collect();
        if !is_marked {
            offsets.push(match kept {
                Some(kept) => Some(kept.offset),
                None if is_complete || self.has_all(&place).await? => Some(end),
                None => None,
            });
        }
        let from = offsets.into_iter().map(Option::unwrap_or_default).min().unwrap_or(end).clamp(begin, end);
        if from < end || !in_doubt.is_empty() {
            self.metrics.running.inc();
            let started = Instant::now();
            let ended = self.read_back(&place, in_doubt, (begin, from, end)).await;
            self.metrics.running.dec();
            ended?;
            self.metrics.runs.inc();
            self.metrics.seconds.observe(started.elapsed().as_secs_f64());
        }
        if !is_marked && self.mark(&place.link, shard, partition, end).await? && place.link.appends {
            self.rewrite_append_only_file(&place.link).await;
        }
        Ok(())
    }

    /// SeatingEvents that are out of the fence, and of which the log has another event than Redis, or one that Redis does
    /// not know. Everything before the offset that a server keeps is known there; what waits in an outbox is known by its
    /// id.
    pub(super) async fn find_contradicted(
        &self,
        partition: u32,
    ) -> Result<BTreeSet<SeatingEventId>, RecoveryError> {
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
        let (mut contradicted, mut known) = (BTreeSet::new(), HashMap::new());
        let mut records = self.records(partition, from.max(begin), end).await?;
        while let Some(some) = records.next().await? {
            for record in &some {
                let Some((event, sequence, id)) = identity(record) else { continue };
                let owner = self.store.topology.owner(self.store.keys.event(&event).slot());
                let Some(link) = owner.and_then(|owner| servers.get(&owner)) else { continue };
                let found = match known.entry(event.clone()) {
                    Entry::Occupied(found) => found.into_mut(),
                    Entry::Vacant(place) => place.insert(self.store.found(link, &event).await?),
                };
                let is_another = found.waiting.get(&sequence).is_some_and(|waiting| *waiting != id);
                if is_out(found, link) && (is_another || sequence > found.sequence) {
                    contradicted.insert(event);
                }
            }
        }
        Ok(contradicted)
    }

    /// All SeatingEvents that are pinned to `partition`, with `doubted`.
    async fn pinned_to(
        &self,
        partition: u32,
        doubted: &BTreeSet<SeatingEventId>,
    ) -> Result<BTreeSet<SeatingEventId>, StoreError> {
        let pinned = self.store.all_pinned().await?;
        let of_it = pinned.into_iter().filter(|(_, its)| *its == partition).map(|(event, _)| event);
        Ok(of_it.chain(doubted.iter().cloned()).collect())
    }

    /// Those of `events` that are this server's, of this partition and behind the fence, but for those that were tried
    /// just now.
    async fn in_doubt(
        &self,
        place: &Place<'_>,
        events: BTreeSet<SeatingEventId>,
    ) -> Result<BTreeMap<SeatingEventId, Found>, StoreError> {
        let mine = events.into_iter().filter(|event| {
            let given_up = self.troubled().get(event).is_some_and(|at| at.elapsed() < TROUBLED);
            !given_up && self.is_of(place.shard, event)
        });
        let found = stream::iter(mine)
            .map(|event| async move {
                let found = self.store.found(&place.link, &event).await?;
                Ok::<_, StoreError>((event, found))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        let is_in_doubt = |found: &Found| {
            found.is_there
                && found.partition.is_none_or(|its| its == place.partition)
                && !is_out(found, &place.link)
        };
        Ok(found.into_iter().filter(|(_, found)| is_in_doubt(found)).collect())
    }

    /// Reads from `from` on, and from the first record where that is not enough; then puts back.
    async fn read_back(
        &self,
        place: &Place<'_>,
        in_doubt: BTreeMap<SeatingEventId, Found>,
        (begin, mut from, end): (u64, u64, u64),
    ) -> Result<(), RecoveryError> {
        let (store, partition) = (&self.store, place.partition);
        let node = &place.link.node;
        tracing::info!(%node, partition, in_doubt = in_doubt.len(), from, end, "reading seats back from the log");
        let mut again = HashMap::new();
        let mut reading = loop {
            let reading = self.read(place, from, end, &in_doubt, &again).await?;
            if reading.again.is_empty() && !(reading.from_the_first && from > begin) {
                break reading;
            }
            from = begin;
            for (event, why) in reading.again {
                match why {
                    Again::Fork => {
                        self.metrics.forks.inc();
                        tracing::error!(%event, "{}", why.words());
                    }
                    Again::BornAgain => tracing::info!(%event, "{}", why.words()),
                }
                again.insert(event, why);
            }
        };
        // Before any is put back: what is there says then that the others are known.
        store.register(&reading.met.drain().collect::<Vec<_>>()).await?;
        // What is not on what was read is as Redis has it.
        for (event, found) in in_doubt {
            if !reading.replays.contains_key(&event) && found.sequence > 0 {
                let replay = Replay::new(event.clone(), &found, None);
                reading.replays.insert(event, Some(replay));
            }
        }
        let now = store.on(&place.link, place.link.invoke(&store.time(place.shard.first_slot)).await)?;
        let (mut recovered, mut applied) = (0_u64, 0);
        let mut whole = vec![];
        for (event, replay) in reading.replays {
            if let Some(trouble) = reading.troubled.get(&event) {
                tracing::error!(%event, trouble, "it stays behind the fence: its log has to be whole");
                store.keep_behind_the_fence(&place.link, &event, partition).await?;
            } else if let Some(replay) = replay {
                applied += replay.applied;
                recovered += 1;
                whole.push((event, replay));
            }
        }
        stream::iter(whole)
            .map(|(event, replay)| async move { store.put_back(&place.link, &event, replay, now, end).await })
            .buffer_unordered(AT_ONCE)
            .try_collect::<()>()
            .await?;
        self.note_troubled(place, reading.troubled.keys());
        self.metrics.applied.inc_by(applied);
        let troubled = reading.troubled.len();
        tracing::info!(%node, partition, recovered, applied, troubled, "seats are as the log has them");
        Ok(())
    }

    /// Leaves those that could not be recovered alone for a while.
    fn note_troubled<'a>(&self, place: &Place<'_>, events: impl Iterator<Item = &'a SeatingEventId>) {
        let (now, mut known) = (Instant::now(), self.troubled());
        known.retain(|event, at| at.elapsed() < TROUBLED || !self.is_of(place.shard, event));
        known.extend(events.map(|event| (event.clone(), now)));
        self.metrics.troubles.set(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }

    /// Reads every record of the partition from `from` up to `end`.
    async fn read(
        &self,
        place: &Place<'_>,
        from: u64,
        end: u64,
        in_doubt: &BTreeMap<SeatingEventId, Found>,
        again: &HashMap<SeatingEventId, Again>,
    ) -> Result<Reading, RecoveryError> {
        let mut reading = Reading::default();
        let mut records = self.records(place.partition, from, end).await?;
        while let Some(some) = records.next().await? {
            for record in &some {
                self.take(place, record, in_doubt, again, &mut reading).await?;
            }
        }
        Ok(reading)
    }

    /// Every record of a partition from `from` up to `end`.
    async fn records(&self, partition: u32, from: u64, end: u64) -> Result<Records, RecoveryError> {
        let ends = Ends::from_iter((from < end).then_some((partition, end)));
        let tail =
            if from < end { Some(self.log.tail(&self.topic, vec![(partition, from)]).await?) } else { None };
        Ok(Records { tail, ends, partition, read: 0 })
    }

    /// Takes in one record. What is no domain event of a SeatingEvent of this server is none of its business.
    async fn take(
        &self,
        place: &Place<'_>,
        record: &Record,
        in_doubt: &BTreeMap<SeatingEventId, Found>,
        again: &HashMap<SeatingEventId, Again>,
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let Some((event, sequence, id)) = identity(record) else { return Ok(()) };
        if !reading.met.contains(&event) {
            reading.met.insert(event.clone());
        }
        if reading.troubled.contains_key(&event) || reading.again.contains_key(&event) {
            return Ok(());
        }
        if !reading.replays.contains_key(&event) {
            if !self.is_of(place.shard, &event) {
                return Ok(());
            }
            let found = match in_doubt.get(&event) {
                Some(found) => found.clone(),
                None => self.store.found(&place.link, &event).await?,
            };
            let replay = (!is_out(&found, &place.link)).then(|| {
                let mut replay = Replay::new(event.clone(), &found, again.get(&event).copied());
                replay.partition = replay.partition.or(Some(record.partition));
                replay
            });
            reading.replays.insert(event.clone(), replay);
        }
        let Some(Some(replay)) = reading.replays.get_mut(&event) else { return Ok(()) };
        let mut step = replay.take(sequence, id, || envelope(record));
        if step == Step::NeedsState {
            replay.state = Some(self.store.read_state(&place.link, &event).await?);
            step = replay.take(sequence, id, || envelope(record));
        }
        match step {
            Step::Done => {}
            Step::Again(why) => drop(reading.again.insert(event, why)),
            Step::Trouble(trouble) => {
                // What Redis does not know may have begun before what was read.
                reading.from_the_first |= replay.applied == 0;
                reading.troubled.insert(event, trouble);
            }
            Step::NeedsState => {
                drop(reading.troubled.insert(event, "its state is not there".to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn is_of(&self, shard: &Shard, event: &SeatingEventId) -> bool {
        let owner = self.store.topology.owner(self.store.keys.event(event).slot());
        owner.as_ref() == Some(&shard.node)
    }
}

/// Whether it is out of the fence already.
fn is_out(found: &Found, link: &Link) -> bool {
    found.history.as_ref().is_some_and(|history| *history == link.history)
}

/// Whose a record is, its sequence and its event's id; by the headers, which are there where the body is none.
fn identity(record: &Record) -> Option<(SeatingEventId, u64, Uuid)> {
    let sequence = record.header(CE_SEQUENCE)?.parse().ok()?;
    Some((record.key.parse().ok()?, sequence, record.header(CE_ID)?.parse().ok()?))
}

fn envelope(record: &Record) -> Result<Envelope, String> {
    match record.said() {
        Said::Known(envelope) => Ok(Envelope::clone(envelope)),
        Said::Unknown(unknown) => Err(format!("{} is of a later version", unknown.event_type)),
        Said::Malformed(reason) => Err(reason.clone()),
    }
}
