//! Reads what the log has of the SeatingEvents of one server, from its first record to where it ends now, and puts
//! back what the server lacks.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::{Envelope, SeatingEventId};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::record::{CE_ID, CE_SEQUENCE, Record, Said};
use tokio::time::{Instant, sleep_until, timeout};
use uuid::Uuid;

use super::replay::{Again, Replay, Step};
use super::{BUSY, RECOVERY, Recovery, RecoveryError};
use crate::store::StoreError;
use crate::store::redis::link::Link;
use crate::store::redis::slots::Shard;

/// Records taken at once.
const BATCH: usize = 1000;
/// Longest wait for records that are there.
pub const RECORDS_TIMEOUT: Duration = Duration::from_secs(15);
/// How often progress is told, in records.
const PROGRESS: u64 = 250_000;

/// What a reading of the log came to.
struct Reading {
    /// By SeatingEvent; `None` where it is out of the fence already.
    replays: HashMap<SeatingEventId, Option<Replay>>,
    /// Those that cannot be worked out.
    troubled: HashMap<SeatingEventId, String>,
    /// Those to begin anew with, and why.
    again: HashMap<SeatingEventId, Again>,
}

impl Recovery {
    pub(super) async fn recover(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        doubted: BTreeSet<SeatingEventId>,
        since: Instant,
        readiness: Option<&Readiness>,
    ) -> Result<(), RecoveryError> {
        let store = &self.store;
        tracing::warn!(node = %link.node, history = %link.history, "redis began anew: reading seats back from the log");
        sleep_until(since + self.quiet).await;
        let ends = self.ends().await?;
        if !ends.is_empty()
            && let Some(readiness) = readiness
        {
            readiness.not_ready(RECOVERY, BUSY);
        }
        let mut again = HashMap::new();
        let Reading { mut replays, troubled, .. } = loop {
            let reading = self.read(link, shard, &ends, &again).await?;
            if reading.again.is_empty() {
                break reading;
            }
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
        // What is not on the log at all is as Redis has it.
        let on_the_log: BTreeSet<_> = replays.keys().cloned().collect();
        for event in store.registered().await?.into_iter().chain(doubted) {
            if self.is_of(shard, &event) && !replays.contains_key(&event) {
                let found = store.found(link, &event).await?;
                if found.sequence > 0 {
                    replays.insert(event.clone(), Some(Replay::new(event, &found, None)));
                }
            }
        }
        let now = store.on(link, link.invoke(&store.time(shard.first_slot)).await)?;
        let (mut recovered, mut applied) = (0_u64, 0);
        for (event, replay) in replays {
            if let Some(trouble) = troubled.get(&event) {
                tracing::error!(%event, trouble, "it stays behind the fence: its log has to be whole");
                store.keep_behind_the_fence(link, &event).await?;
            } else if let Some(replay) = replay {
                applied += replay.applied;
                store.put_back(link, &event, replay, now).await?;
                recovered += 1;
            }
        }
        self.note_troubled(shard, troubled.keys());
        for event in on_the_log {
            store.register(&event).await?;
        }
        self.mark(link, shard).await?;
        self.metrics.applied.inc_by(applied);
        let troubled = troubled.len();
        tracing::info!(node = %link.node, recovered, applied, troubled, "seats are as the log has them");
        Ok(())
    }

    /// Leaves those that could not be recovered alone for a while.
    fn note_troubled<'a>(&self, shard: &Shard, events: impl Iterator<Item = &'a SeatingEventId>) {
        let (now, mut known) = (Instant::now(), self.troubled());
        known.retain(|event, _| !self.is_of(shard, event));
        known.extend(events.map(|event| (event.clone(), now)));
        self.metrics.troubles.set(i64::try_from(known.len()).unwrap_or(i64::MAX));
    }

    /// Where each partition that has records ends now, with its beginning.
    async fn ends(&self) -> Result<BTreeMap<u32, (u64, u64)>, RecoveryError> {
        let mut ends = BTreeMap::new();
        for partition in 0..self.log.partitions(&self.topic).await? {
            let (begin, end) = self.log.bounds(&self.topic, partition).await?;
            if begin < end {
                ends.insert(partition, (begin, end));
            }
        }
        Ok(ends)
    }

    /// Reads every record before `ends`.
    async fn read(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        ends: &BTreeMap<u32, (u64, u64)>,
        again: &HashMap<SeatingEventId, Again>,
    ) -> Result<Reading, RecoveryError> {
        let mut reading =
            Reading { replays: HashMap::new(), troubled: HashMap::new(), again: HashMap::new() };
        if ends.is_empty() {
            return Ok(reading);
        }
        let from = ends.iter().map(|(partition, (begin, _))| (*partition, *begin)).collect();
        let mut tail = self.log.tail(&self.topic, from).await?;
        let mut open: BTreeMap<u32, u64> =
            ends.iter().map(|(partition, (_, end))| (*partition, *end)).collect();
        let mut records = 0;
        while !open.is_empty() {
            let batch = timeout(RECORDS_TIMEOUT, tail.next(BATCH)).await;
            let batch = batch.map_err(|_| RecoveryError::Silence)??;
            for record in batch.records {
                let Some(end) = open.get(&record.partition).copied() else { continue };
                if record.offset < end {
                    self.take(link, shard, &record, again, &mut reading).await?;
                }
                if record.offset + 1 >= end {
                    open.remove(&record.partition);
                }
                records += 1;
                if records % PROGRESS == 0 {
                    tracing::info!(node = %link.node, records, "reading seats back from the log");
                }
            }
            open.retain(|partition, _| !batch.ended.contains(partition));
        }
        Ok(reading)
    }

    /// Takes in one record. What is no domain event of a SeatingEvent of this server is none of its business.
    async fn take(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        record: &Record,
        again: &HashMap<SeatingEventId, Again>,
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let Some((event, sequence, id)) = place(record) else { return Ok(()) };
        if reading.troubled.contains_key(&event) || reading.again.contains_key(&event) {
            return Ok(());
        }
        if !reading.replays.contains_key(&event) {
            if !self.is_of(shard, &event) {
                return Ok(());
            }
            let found = self.store.found(link, &event).await?;
            let is_out = found.history.as_ref().is_some_and(|history| *history == link.history);
            let replay = (!is_out).then(|| {
                let mut replay = Replay::new(event.clone(), &found, again.get(&event).copied());
                replay.partition = replay.partition.or(Some(record.partition));
                replay
            });
            reading.replays.insert(event.clone(), replay);
        }
        let Some(Some(replay)) = reading.replays.get_mut(&event) else { return Ok(()) };
        let mut step = replay.take(sequence, id, || envelope(record));
        if step == Step::NeedsState {
            replay.state = Some(self.store.read_state(link, &event).await?);
            step = replay.take(sequence, id, || envelope(record));
        }
        match step {
            Step::Done => {}
            Step::Again(why) => drop(reading.again.insert(event, why)),
            Step::Trouble(trouble) => drop(reading.troubled.insert(event, trouble)),
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

    /// Says that this server has everything that it should have.
    async fn mark(&self, link: &Arc<Link>, shard: &Shard) -> Result<(), StoreError> {
        let mut mark = redis::cmd("SET");
        mark.arg(self.store.keys.history(shard.first_slot)).arg(link.history.as_str());
        self.store.on(link, link.query::<String>(&mark).await).map(drop)
    }
}

/// Whose a record is, its sequence and its event's id; by the headers, which are there where the body is none.
fn place(record: &Record) -> Option<(SeatingEventId, u64, Uuid)> {
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
