//! Brings the snapshots of this process' lanes forward, in the background.
//!
//! A partition is folded when its snapshots are [`BEHIND`] records behind what is published there, and when sales of a
//! SeatingEvent were closed for good or it was purged: each SeatingEvent that changed since gets a new snapshot, which is
//! its previous one and the log up to one end, and at last a mark says so of the whole partition. A SeatingEvent that is over
//! is archived when its snapshot has all that happened to it ([`over`]). Snapshots are published
//! under an id of their own, which fences an earlier owner of the lane like the events' one does. Folding is work that
//! can wait, and sales cannot: no more than a share of the time goes into it. Where no snapshots are kept nothing is folded,
//! and what is over is worked out from all of its log.

mod over;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::clock;
use boxoffice_runtime::log::{Appender, EventLog};
use boxoffice_runtime::record::NewRecord;
use boxoffice_runtime::settings::snapshots_topic;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep};

use super::chunks::{Head, records_of};
use super::index::{Index, Loaded, SnapshotAt, load};
use super::{Snapshot, SnapshotError, SnapshotMetrics};
use crate::archive::ArchiveMetrics;
use crate::archive::shelf::Shelf;
use crate::relay::{Logged, Shared};
use crate::replay::records::{Records, envelope, identity};
use crate::replay::{Again, Found, Replay, Taken, WEIGHT, weight_of};
use crate::store::lane_of;

/// How many records the snapshots may be behind: a rebuilding reads them and so many records a partition.
pub const BEHIND: u64 = 50_000;
/// How often it is looked whether something is to be folded.
const LOOK: Duration = Duration::from_secs(1);
/// How long a partition is left alone after it was folded, or could not be; so several that close have one pass.
const REST: Duration = Duration::from_secs(10);
/// What folding takes is followed by so many times as long without.
const PAUSE: u32 = 9;
/// Most bytes of one transaction, unless a single snapshot has more.
const TRANSACTION: usize = 4 * 1024 * 1024;

/// The right to write the snapshots of a partition, and what is known of them.
struct Writer {
    /// Of the ownership for which it was taken.
    token: u64,
    right: Box<dyn Appender>,
    index: Index,
    /// Which archives there are; read when the first one is to be written.
    shelf: Option<Shelf>,
}

/// What changed of a SeatingEvent since it was folded.
struct Changed {
    event: SeatingEventId,
    at: Option<SnapshotAt>,
    events: u64,
}

/// See the module.
pub struct Folder {
    shared: Arc<Shared>,
    /// Whether the log has a place for snapshots.
    keeps: bool,
    metrics: SnapshotMetrics,
    archives: ArchiveMetrics,
    writers: HashMap<u32, Writer>,
    /// What was published since partitions were folded.
    behind: BTreeMap<u32, Logged>,
    /// SeatingEvents that are to be archived when their partition was folded.
    over: BTreeMap<u32, BTreeSet<SeatingEventId>>,
    /// When that was tried last.
    rested: HashMap<u32, Instant>,
    /// SeatingEvents that cannot be folded or archived, which was said once.
    troubled: HashSet<SeatingEventId>,
    /// Whether it was said that no archives can be written.
    is_told: bool,
}

impl Folder {
    /// Of the lanes that `shared` says are ours. Without what is measured of snapshots none are kept.
    pub fn new(shared: Arc<Shared>, snapshots: Option<SnapshotMetrics>, archives: ArchiveMetrics) -> Self {
        Self {
            shared,
            keeps: snapshots.is_some(),
            metrics: snapshots.unwrap_or_default(),
            archives,
            writers: HashMap::new(),
            behind: BTreeMap::new(),
            over: BTreeMap::new(),
            rested: HashMap::new(),
            troubled: HashSet::new(),
            is_told: false,
        }
    }

    /// Folds for ever.
    pub async fn run(mut self) {
        loop {
            sleep(LOOK).await;
            self.turn().await;
        }
    }

    /// Folds and archives what is due now.
    pub(super) async fn turn(&mut self) {
        self.hear();
        for (partition, events) in self.shared.take_over() {
            let left = self.archive(partition, events).await;
            if self.keeps && !left.is_empty() {
                self.behind.entry(partition).or_default().closes = true;
                self.over.insert(partition, left);
            }
        }
        for partition in self.due() {
            let started = Instant::now();
            let folded = self.fold(partition).await;
            let took = started.elapsed();
            self.rested.insert(partition, Instant::now());
            match folded {
                Ok(()) => {
                    self.metrics.seconds.observe(took.as_secs_f64());
                    self.behind.remove(&partition);
                    if let Some(events) = self.over.remove(&partition) {
                        // What is left has gone on meanwhile: it is found again.
                        drop(self.archive(partition, events).await);
                    }
                }
                Err(error) => self.failed(partition, &error),
            }
            sleep(took * PAUSE).await;
        }
    }

    fn failed(&mut self, partition: u32, error: &SnapshotError) {
        self.metrics.failures.inc();
        // What is known of them may not be so any more.
        self.writers.remove(&partition);
        tracing::info!(partition, %error, "its snapshots stay as they are");
    }

    /// Takes note of what was published, and forgets lanes that are not ours any more.
    fn hear(&mut self) {
        for (partition, logged) in self.shared.take_logged() {
            let behind = self.behind.entry(partition).or_default();
            *behind = behind.and(logged);
        }
        let leases = &self.shared.leases;
        let is_ours = |lane: u32| leases.of(lane).is_some_and(|ownership| !ownership.is_over());
        self.behind.retain(|partition, _| is_ours(lane_of(*partition)));
        self.over.retain(|partition, _| is_ours(lane_of(*partition)));
        self.rested.retain(|_, at| at.elapsed() < REST);
        self.writers.retain(|partition, writer| {
            leases.of(lane_of(*partition)).is_some_and(|ownership| ownership.lease.token == writer.token)
        });
    }

    /// Partitions that are to be folded now.
    fn due(&self) -> Vec<u32> {
        let is_due = |(partition, behind): &(&u32, &Logged)| {
            let folded = self.writers.get(partition).map_or(0, |writer| writer.index.folded());
            let Logged { end, closes } = **behind;
            let is_far = closes || end.saturating_sub(folded) >= BEHIND;
            self.keeps && is_far && !self.rested.contains_key(partition)
        };
        self.behind.iter().filter(is_due).map(|(partition, _)| *partition).collect()
    }

    /// Brings the snapshots of a partition forward to where the log ends now.
    async fn fold(&mut self, partition: u32) -> Result<(), SnapshotError> {
        let shared = Arc::clone(&self.shared);
        let (log, topic) = (shared.log.as_ref(), shared.topic.as_str());
        let Some(mut writer) = self.writer(partition).await? else { return Ok(()) };
        let (begin, end) = log.bounds(topic, partition).await?;
        let from = writer.index.folded().clamp(begin, end);
        if end - from < BEHIND && !self.behind.get(&partition).is_some_and(|behind| behind.closes) {
            self.writers.insert(partition, writer);
            return Ok(());
        }
        let mut is_whole = true;
        let mut changed = changed(log, topic, partition, (from, end), &writer.index).await?;
        while !changed.is_empty() {
            let mut room = WEIGHT;
            let some = changed.iter().take_while(|one| {
                let fits = room > 0;
                room = room.saturating_sub(weight_of(one.at.map_or(0, |at| at.head.size), one.events));
                fits
            });
            let rest = changed.split_off(some.count());
            let expected = changed.len();
            let replays = self.replays(partition, (from, end), changed).await?;
            is_whole &= replays.len() == expected;
            self.write(partition, end, replays, &mut writer).await?;
            changed = rest;
        }
        if !is_whole {
            // The mark would say that the snapshots have what only the log has.
            self.metrics.failures.inc();
            self.writers.insert(partition, writer);
            return Ok(());
        }
        let mark = writer.index.fold(partition, end, clock::now());
        writer.right.append(&snapshots_topic(topic), vec![mark]).await?;
        self.writers.insert(partition, writer);
        Ok(())
    }

    /// The writer of a partition that is ours, with what is known of its snapshots.
    async fn writer(&mut self, partition: u32) -> Result<Option<Writer>, SnapshotError> {
        let Shared { log, leases, source, topic, .. } = self.shared.as_ref();
        let Some(ownership) = leases.of(lane_of(partition)) else { return Ok(None) };
        if let Some(writer) = self.writers.remove(&partition) {
            return Ok(Some(writer));
        }
        let right = log.appender(&format!("{source}/{partition}/snapshots")).await?;
        // After the fence: nobody else adds to them.
        let index =
            if self.keeps { Index::read(log.as_ref(), topic, partition).await? } else { Index::default() };
        Ok(Some(Writer { token: ownership.lease.token, right, index, shelf: None }))
    }

    /// What the log and the snapshots before say of each.
    async fn replays(
        &mut self,
        partition: u32,
        (from, end): (u64, u64),
        changed: Vec<Changed>,
    ) -> Result<Vec<(Replay, u32)>, SnapshotError> {
        let shared = Arc::clone(&self.shared);
        let (log, topic) = (shared.log.as_ref(), shared.topic.as_str());
        let (mut replays, mut pieces, mut wanted) = (HashMap::new(), HashMap::new(), vec![]);
        for Changed { event, at, .. } in changed {
            if let Some(at) = at {
                pieces.insert(event.clone(), at.head.pieces);
                wanted.push((event, at));
            } else {
                let replay = Replay::new(event.clone(), &Found::default(), Some(Again::BornAgain));
                replays.insert(event, replay);
            }
        }
        for Loaded { event, size, snapshot } in load(log, topic, partition, &wanted).await? {
            match snapshot {
                Ok(snapshot) => drop(replays.insert(event, Replay::from_snapshot(snapshot, size, None))),
                Err(error) => self.trouble(&event, &error.to_string()),
            }
        }
        let mut records = Records::open(log, topic, partition, from, end).await?;
        while let Some(some) = records.next().await? {
            for record in &some {
                let Some((event, sequence, id)) = identity(record) else { continue };
                let Some(replay) = replays.get_mut(&event) else { continue };
                let trouble = match replay.take(sequence, id, || envelope(record)) {
                    Taken::Done => continue,
                    Taken::Trouble(trouble) => trouble,
                    Taken::NeedsState | Taken::Again(_) => "it has another beginning".to_owned(),
                };
                replays.remove(&event);
                self.trouble(&event, &trouble);
            }
        }
        let before = |event: &SeatingEventId| pieces.get(event).copied().unwrap_or_default();
        Ok(replays.into_iter().map(|(event, replay)| (replay, before(&event))).collect())
    }

    /// One that cannot be folded keeps the snapshot that it has, and the partition its mark: whoever needs it reads the log
    /// from there.
    fn trouble(&mut self, event: &SeatingEventId, trouble: &str) {
        if self.troubled.insert(event.clone()) {
            tracing::warn!(%event, trouble, "it gets no new snapshot: its log has to be whole");
        }
    }

    /// Writes the snapshots of what was worked out, several in a transaction.
    async fn write(
        &mut self,
        partition: u32,
        end: u64,
        replays: Vec<(Replay, u32)>,
        writer: &mut Writer,
    ) -> Result<(), SnapshotError> {
        let mut batch = Batch::default();
        for (replay, before) in replays {
            let Some(snapshot) = replay.into_snapshot(partition, end) else { continue };
            let (event, head, records) = recorded(snapshot, before).await?;
            self.metrics.written.inc();
            self.metrics.bytes.inc_by(head.size);
            batch.add(event, head, records);
            if batch.bytes >= TRANSACTION {
                self.append(partition, std::mem::take(&mut batch), writer).await?;
            }
        }
        self.append(partition, batch, writer).await
    }

    async fn append(
        &mut self,
        partition: u32,
        batch: Batch,
        writer: &mut Writer,
    ) -> Result<(), SnapshotError> {
        let Batch { records, heads, .. } = batch;
        let count = records.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let ends = writer.right.append(&snapshots_topic(&self.shared.topic), records).await?;
        let first = ends.get(&partition).copied().unwrap_or_default().saturating_sub(count);
        for (event, head, place) in heads {
            writer.index.written(event, SnapshotAt { first: first + place, head });
        }
        Ok(())
    }
}

/// Records of one transaction.
#[derive(Default)]
struct Batch {
    records: Vec<NewRecord>,
    bytes: usize,
    /// Whose they are, and which is the first of each.
    heads: Vec<(SeatingEventId, Head, u64)>,
}

impl Batch {
    fn add(&mut self, event: SeatingEventId, head: Head, records: Vec<NewRecord>) {
        self.heads.push((event, head, self.records.len() as u64));
        self.bytes += records.iter().map(|record| record.value.len()).sum::<usize>();
        self.records.extend(records);
    }
}

/// A snapshot's records, made where that may take a while.
async fn recorded(
    snapshot: Snapshot,
    before: u32,
) -> Result<(SeatingEventId, Head, Vec<NewRecord>), SnapshotError> {
    let event = snapshot.state.id.clone();
    let work = spawn_blocking(move || records_of(&snapshot, before, clock::now()));
    let unusable = |reason: String| SnapshotError::Unusable { event: event.clone(), reason };
    let (head, records) = work.await.map_err(|error| unusable(error.to_string()))??;
    Ok((event, head, records))
}

/// Which SeatingEvents the log has more of than their snapshots: those that have one in the order in which these lie
/// there, then the others.
async fn changed(
    log: &dyn EventLog,
    topic: &str,
    partition: u32,
    (from, end): (u64, u64),
    index: &Index,
) -> Result<Vec<Changed>, SnapshotError> {
    let mut counts: HashMap<SeatingEventId, u64> = HashMap::new();
    let mut records = Records::open(log, topic, partition, from, end).await?;
    while let Some(some) = records.next().await? {
        for record in &some {
            let Some((event, sequence, _)) = identity(record) else { continue };
            if index.place_of(&event).is_none_or(|at| at.head.sequence < sequence) {
                *counts.entry(event).or_default() += 1;
            }
        }
    }
    let changed =
        counts.into_iter().map(|(event, events)| Changed { at: index.place_of(&event), event, events });
    let mut changed: Vec<_> = changed.collect();
    changed.sort_unstable_by_key(|one| one.at.map_or(u64::MAX, |at| at.first));
    Ok(changed)
}
