//! Puts back what a server lacks of one partition: decides where on the log to begin, and what to go on from.
//!
//! What Redis has goes on from the offset that it kept. What it does not have, or what is of no use, goes on from the
//! snapshots, which end at an offset that they all share; and what those do not have either is worked out from the
//! partition's first record. Each way is tried with what the one before left over. States are worked out a few at a time,
//! and put back before the next ones: whoever goes on after a recovery that was cut short finds those out of the fence.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use boxoffice_domain::{SeatingEventId, UnixMillis};
use boxoffice_runtime::log::LogError;
use futures::{StreamExt, TryStreamExt, stream};
use tokio::time::Instant;

use super::reading::{Reading, Target, is_out};
use super::{Recovery, RecoveryError, TROUBLED};
use crate::replay::{Again, Found, Replay, WEIGHT};
use crate::snapshot::SnapshotError;
use crate::snapshot::folder::BEHIND;
use crate::snapshot::index::{self, Index, Loaded};
use crate::store::StoreError;
use crate::store::redis::fence::FORK;
use crate::store::redis::slots::Shard;

/// SeatingEvents that are asked about at once.
const AT_ONCE: usize = 16;
/// SeatingEvents that are put back at once: what is sent of each takes as much again as its state does.
const PUT_BACK_AT_ONCE: usize = 4;

/// What is left to do, and what was done.
#[derive(Default)]
struct Left {
    /// What Redis has of those that are behind the fence.
    in_doubt: BTreeMap<SeatingEventId, Found>,
    /// Those that what was tried was not enough for, what is wrong with them, and why what Redis has is of no use.
    failed: BTreeMap<SeatingEventId, Failure>,
    /// Those that cannot be put back whatever the log has, and why: what waits of them cannot be read.
    stuck: BTreeMap<SeatingEventId, String>,
    /// SeatingEvents put back.
    recovered: u64,
    /// Events that were applied.
    applied: u64,
}

/// See [`Left::failed`].
#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    trouble: String,
    again: Option<Again>,
}

/// What came of putting one back.
struct Put {
    event: SeatingEventId,
    applied: u64,
    /// Why it is not, where that is nobody's fault but its own.
    stuck: Option<String>,
}

impl Left {
    fn failed(&mut self, event: SeatingEventId, trouble: String, again: Option<Again>) {
        let again = again.or_else(|| self.failed.get(&event)?.again);
        self.failed.insert(event, Failure { trouble, again });
    }

    /// Those that were found to be something else than the log has before this began.
    fn forked(&self) -> Vec<SeatingEventId> {
        let is_forked = |found: &Found| found.history.as_deref() == Some(FORK);
        self.in_doubt.iter().filter(|(_, found)| is_forked(found)).map(|(event, _)| event.clone()).collect()
    }

    fn is_back(&mut self, event: &SeatingEventId) {
        self.in_doubt.remove(event);
        self.failed.remove(event);
    }

    /// What came of putting one back to which so many events were applied.
    fn put(&mut self, Put { event, applied, stuck }: Put) {
        self.is_back(&event);
        if let Some(trouble) = stuck {
            self.stuck.insert(event, trouble);
        } else {
            self.recovered += 1;
            self.applied += applied;
        }
    }

    /// Those that are not tried again.
    fn given_up(&self) -> HashSet<SeatingEventId> {
        self.failed.keys().chain(self.stuck.keys()).cloned().collect()
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
        let target = Target { link, shard, partition };
        let mut in_doubt = self.in_doubt(&target, candidates).await?;
        // What is archived stays so until somebody asks for it.
        in_doubt.retain(|event, found| found.archived.is_none() || doubted.contains(event));
        if is_marked && in_doubt.is_empty() {
            return Ok(());
        }
        let (begin, end) = self.log.bounds(&self.topic, partition).await?;
        // Before offsets were kept, a server was marked as a whole.
        let is_complete = !is_marked && kept.is_none() && self.store.is_recovered(shard).await?;
        // Nothing of what is archived is on the log behind its snapshot.
        let of = |found: &Found| found.archived.map_or(found.offset, |_| Some(end));
        let mut offsets: Vec<_> = in_doubt.values().map(of).collect();
        if !is_marked {
            offsets.push(match kept {
                Some(kept) => Some(kept.offset),
                None if is_complete || self.has_all(&target).await? => Some(end),
                None => None,
            });
        }
        let from = offsets.into_iter().collect::<Option<Vec<_>>>();
        let from = from.map(|offsets| offsets.into_iter().min().unwrap_or(end).clamp(begin, end));
        if from.is_none_or(|from| from < end) || !in_doubt.is_empty() {
            self.metrics.running.inc();
            let started = Instant::now();
            let ended = self.read_back(&target, in_doubt, (begin, from, end)).await;
            self.metrics.running.dec();
            ended?;
            self.metrics.runs.inc();
            self.metrics.seconds.observe(started.elapsed().as_secs_f64());
        }
        if !is_marked {
            self.mark(&target.link, shard, partition, end).await?;
        }
        Ok(())
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
        target: &Target<'_>,
        events: BTreeSet<SeatingEventId>,
    ) -> Result<BTreeMap<SeatingEventId, Found>, StoreError> {
        let mine = events.into_iter().filter(|event| {
            let given_up = self.troubled().get(event).is_some_and(|at| at.elapsed() < TROUBLED);
            !given_up && self.is_of(target.shard, event)
        });
        let is_in_doubt = |found: &Found| {
            found.is_there
                && found.partition.is_none_or(|its| its == target.partition)
                && !is_out(found, &target.link)
        };
        let found = self.all_found(target, mine.collect()).await?;
        Ok(found.into_iter().filter(|(_, found)| is_in_doubt(found)).collect())
    }

    /// What Redis has of each.
    async fn all_found(
        &self,
        target: &Target<'_>,
        events: Vec<SeatingEventId>,
    ) -> Result<Vec<(SeatingEventId, Found)>, StoreError> {
        stream::iter(events)
            .map(|event| async move {
                let found = self.store.found(&target.link, &event).await?;
                Ok::<_, StoreError>((event, found))
            })
            .buffer_unordered(AT_ONCE)
            .try_collect()
            .await
    }

    /// Reads from `from` on, where that is known, then what that was not enough for; puts back what comes of it.
    async fn read_back(
        &self,
        target: &Target<'_>,
        in_doubt: BTreeMap<SeatingEventId, Found>,
        (begin, from, end): (u64, Option<u64>, u64),
    ) -> Result<(), RecoveryError> {
        let (node, partition) = (&target.link.node, target.partition);
        tracing::info!(%node, partition, in_doubt = in_doubt.len(), from, end, "reading seats back from the log");
        let mut left = Left { in_doubt, ..Left::default() };
        for event in left.forked() {
            self.forked(&event);
            left.failed(event, Again::Fork.words().to_owned(), Some(Again::Fork));
        }
        // A few records are read at once by all, whose time goes into waiting; what takes many states takes turns.
        let mut turn = None;
        if from.is_none_or(|from| end - from > BEHIND) {
            turn = self.turns.acquire().await.ok();
        }
        if let Some(from) = from {
            let archived = self.archived(partition, &mut left).await?;
            self.pass_by_pass(target, archived, (from, end), &mut left).await?;
        }
        if from.is_none() || !left.failed.is_empty() {
            if turn.is_none() {
                turn = self.turns.acquire().await.ok();
            }
            let index = self.index_of(partition).await?;
            let wanted = self.wanted(target, &index, from.is_none(), &mut left).await?;
            let folded = index.folded().clamp(begin, end);
            // What Redis has goes on from where it was.
            let kept = left.in_doubt.values().filter_map(|found| found.offset.filter(|_| from.is_none()));
            let from = kept.min().unwrap_or(folded).clamp(begin, folded);
            self.pass_by_pass(target, wanted, (from, end), &mut left).await?;
        }
        let mut before = BTreeMap::new();
        while !left.failed.is_empty() && left.failed != before {
            before = left.failed.clone();
            self.pass_by_pass(target, vec![], (begin, end), &mut left).await?;
        }
        self.finish(target, left, end).await?;
        drop(turn);
        Ok(())
    }

    /// Reads from `from` up to `end`, once for as many SeatingEvents as there is room for at a time: those that go on
    /// from a snapshot, and all that are met behind the fence.
    async fn pass_by_pass(
        &self,
        target: &Target<'_>,
        mut snapshots: Vec<(SeatingEventId, index::SnapshotAt)>,
        (from, end): (u64, u64),
        left: &mut Left,
    ) -> Result<(), RecoveryError> {
        let mut others: HashSet<_> = left.stuck.keys().cloned().collect();
        loop {
            let mut room = WEIGHT;
            let now = snapshots.iter().take_while(|(_, at)| {
                let fits = room > 0;
                room = room.saturating_sub(at.head.size);
                fits
            });
            let now = now.count();
            let rest = snapshots.split_off(now);
            let again =
                left.failed.iter().filter_map(|(event, failure)| Some((event.clone(), failure.again?)));
            let mut reading = Reading {
                found: std::mem::take(&mut left.in_doubt),
                rebuilt: again.collect(),
                others: std::mem::take(&mut others),
                ..Reading::default()
            };
            reading.others.extend(rest.iter().map(|(event, _)| event.clone()));
            self.begin_with(target.partition, &snapshots, &mut reading).await?;
            self.read(target, from, end, &mut reading).await?;
            let is_all = rest.is_empty() && reading.later.is_empty();
            self.settle(target, &mut reading, end, left).await?;
            if is_all {
                return Ok(());
            }
            // What this was not enough for is not tried in the same way again.
            others = left.given_up();
            snapshots = rest;
        }
    }

    /// Has those of `snapshots` go on from there.
    async fn begin_with(
        &self,
        partition: u32,
        snapshots: &[(SeatingEventId, index::SnapshotAt)],
        reading: &mut Reading,
    ) -> Result<(), RecoveryError> {
        let mut missing: BTreeSet<_> = snapshots.iter().map(|(event, _)| event.clone()).collect();
        let loaded = index::load(self.log.as_ref(), &self.topic, partition, snapshots).await?;
        for Loaded { event, size, snapshot } in loaded {
            missing.remove(&event);
            match snapshot {
                Ok(snapshot) => {
                    let rebuilt = reading.rebuilt.get(&event).copied();
                    let replay = Replay::from_snapshot(snapshot, size, rebuilt);
                    reading.begin(event, Some(replay));
                }
                Err(error) => drop(reading.troubled.insert(event, error.to_string())),
            }
        }
        let gone = |event| (event, "its snapshot is not where it was".to_owned());
        reading.troubled.extend(missing.into_iter().map(gone));
        Ok(())
    }

    /// What Redis has of it is something else than what the log has.
    fn forked(&self, event: &SeatingEventId) {
        self.metrics.forks.inc();
        tracing::error!(%event, "{}", Again::Fork.words());
    }

    /// Puts back what a pass worked out, and keeps what it was not enough for.
    async fn settle(
        &self,
        target: &Target<'_>,
        reading: &mut Reading,
        end: u64,
        left: &mut Left,
    ) -> Result<(), RecoveryError> {
        let store = &self.store;
        // Before any is put back: what is there says then that the others are known.
        // What was archived is among the others again before it is woken.
        reading.met.extend(reading.replays.keys().cloned());
        store.register(&reading.met.drain().collect::<Vec<_>>()).await?;
        let now = store.on(&target.link, target.link.invoke(&store.time(target.shard.first_slot)).await)?;
        let mut whole = vec![];
        for (event, replay) in reading.replays.drain() {
            let is_failed = reading.troubled.contains_key(&event) || reading.again.contains_key(&event);
            match replay {
                _ if is_failed => {}
                None => {
                    reading.found.remove(&event);
                    left.is_back(&event);
                }
                Some(replay) => {
                    let found = reading.found.get(&event);
                    let has = found.is_some_and(|found| found.sequence > 0 && found.archived.is_none());
                    if replay.replaces() || (has && replay.rebuilt.is_none()) {
                        whole.push((event, replay));
                    }
                }
            }
        }
        left.in_doubt = std::mem::take(&mut reading.found);
        for (event, trouble) in reading.troubled.drain() {
            left.failed(event, trouble, None);
        }
        for (event, why) in reading.again.drain() {
            match why {
                Again::Fork => self.forked(&event),
                Again::BornAgain => tracing::info!(%event, "{}", why.words()),
            }
            left.failed(event, why.words().to_owned(), Some(why));
        }
        let put = stream::iter(whole)
            .map(|(event, replay)| self.put(target, event, replay, (now, end)))
            .buffer_unordered(PUT_BACK_AT_ONCE)
            .try_collect::<Vec<_>>()
            .await?;
        for one in put {
            left.put(one);
        }
        Ok(())
    }

    /// Puts one back. What is wrong with it alone is told, and keeps nobody from putting back the others.
    async fn put(
        &self,
        target: &Target<'_>,
        event: SeatingEventId,
        replay: Replay,
        (now, end): (UnixMillis, u64),
    ) -> Result<Put, StoreError> {
        let applied = replay.applied;
        let stuck = match self.store.put_back(&target.link, &event, replay, now, end).await {
            Ok(()) => None,
            Err(StoreError::Corrupt(trouble)) => Some(trouble),
            Err(error) => return Err(error),
        };
        Ok(Put { event, applied, stuck })
    }

    /// What was on nothing that was read is as Redis has it; what cannot be worked out stays behind the fence.
    async fn finish(&self, target: &Target<'_>, mut left: Left, end: u64) -> Result<(), RecoveryError> {
        let (store, node, partition) = (&self.store, &target.link.node, target.partition);
        for (event, Failure { trouble, .. }) in &left.failed {
            tracing::error!(%event, trouble, "it stays behind the fence: its log has to be whole");
            store.keep_behind_the_fence(&target.link, event, partition).await?;
        }
        let given_up = left.given_up();
        left.in_doubt.retain(|event, found| {
            found.sequence > 0
                && found.archived.is_none()
                && !given_up.contains(event)
                && !is_out(found, &target.link)
        });
        let now = store.on(&target.link, target.link.invoke(&store.time(target.shard.first_slot)).await)?;
        for (event, found) in std::mem::take(&mut left.in_doubt) {
            let replay = Replay::new(event.clone(), &found, None);
            left.put(self.put(target, event, replay, (now, end)).await?);
        }
        for (event, trouble) in &left.stuck {
            tracing::error!(%event, trouble, "it stays behind the fence: a worker of another version may read it");
        }
        let given_up = left.given_up();
        self.note_troubled(target, given_up.iter());
        let Left { recovered, applied, .. } = left;
        self.metrics.applied.inc_by(applied);
        let troubled = given_up.len();
        tracing::info!(%node, partition, recovered, applied, troubled, "seats are as the log has them");
        Ok(())
    }

    /// Where the snapshots are of those that are archived.
    async fn archived(
        &self,
        partition: u32,
        left: &mut Left,
    ) -> Result<Vec<(SeatingEventId, index::SnapshotAt)>, RecoveryError> {
        let mut all = vec![];
        let archived = left
            .in_doubt
            .iter()
            .filter_map(|(event, found)| Some((event.clone(), found.sequence, found.archived?)));
        for (event, sequence, at) in archived.collect::<Vec<_>>() {
            match index::at(self.log.as_ref(), &self.topic, partition, &event, at).await? {
                Some(snapshot) if snapshot.head.sequence >= sequence => all.push((event, snapshot)),
                _ => left.failed(event, "its snapshot is not where it was".to_owned(), None),
            }
        }
        all.sort_unstable_by_key(|(_, snapshot)| snapshot.first);
        Ok(all)
    }

    /// Where the partition's snapshots are; without a topic for them there are none.
    async fn index_of(&self, partition: u32) -> Result<Index, RecoveryError> {
        match Index::read(self.log.as_ref(), &self.topic, partition).await {
            Err(SnapshotError::Log(LogError::Missing(what))) => {
                tracing::warn!(
                    partition,
                    "the log has no {what}: the partition is read from its first record"
                );
                Ok(Index::default())
            }
            read => Ok(read?),
        }
    }

    /// The snapshots that say more than Redis does: of those that failed, and where `all` is wanted, of all that are this
    /// server's.
    async fn wanted(
        &self,
        target: &Target<'_>,
        index: &Index,
        all: bool,
        left: &mut Left,
    ) -> Result<Vec<(SeatingEventId, index::SnapshotAt)>, RecoveryError> {
        let mut wanted = index.all();
        if !all {
            wanted.retain(|(event, _)| left.failed.contains_key(event));
            return Ok(wanted);
        }
        wanted.retain(|(event, _)| self.is_of(target.shard, event));
        let events =
            wanted.iter().map(|(event, _)| event).filter(|event| !left.in_doubt.contains_key(*event));
        let found = self.all_found(target, events.cloned().collect()).await?;
        let behind = found.into_iter().filter(|(_, found)| !is_out(found, &target.link));
        // What is archived is known by its stub, and stays so.
        left.in_doubt.extend(behind.filter(|(_, found)| found.archived.is_none()));
        let says_more = |(event, at): &(SeatingEventId, index::SnapshotAt)| {
            left.in_doubt
                .get(event)
                .is_some_and(|found| at.head.sequence > found.sequence || found.archived.is_some())
        };
        wanted.retain(says_more);
        Ok(wanted)
    }

    /// Leaves those that could not be recovered alone for a while.
    fn note_troubled<'a>(&self, target: &Target<'_>, events: impl Iterator<Item = &'a SeatingEventId>) {
        let (now, mut known) = (Instant::now(), self.troubled());
        known.retain(|event, at| at.elapsed() < TROUBLED || !self.is_of(target.shard, event));
        known.extend(events.map(|event| (event.clone(), now)));
        self.metrics.troubles.set(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }
}
