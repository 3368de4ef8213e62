//! Keeps [`Views`] current: a snapshot, then the log from its checkpoint on.
//!
//! Where events are missing before one (a gap) that SeatingEvent stays as it is and is loaded by itself, again and again if
//! need be, and everything else goes on meanwhile. With the database or the log away, what is in memory is served. The
//! worker is ready once it has read what the log had when the first snapshot was loaded.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::checkpoint::Verdict;
use boxoffice_domain::{DomainEvent, SeatMap, SeatingEventId, UnixMillis};
use boxoffice_runtime::clock;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{Ends, EventLog};
use boxoffice_runtime::record::{CE_SEQUENCE, Record, Said};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep, sleep_until};

use super::age::Age;
use super::gaps::Gaps;
use super::reader::{self, Reader};
use super::{SnapshotError, Snapshots, Trust, Views};
use crate::backoff::Backoff;
use crate::metrics::{Metrics, Taken};

/// The part of readiness that the view is: loaded, and caught up with the log once.
pub const READY: &str = "view";

/// How often it is looked how old what is known may be.
const LOOK: Duration = Duration::from_millis(500);

/// How often those that are over are taken leave of.
const LEAVE: Duration = Duration::from_mins(1);

/// A view that this long belonged to its log is sound: the next time it does not is looked into at once again.
const SOUND_AFTER: Duration = Duration::from_mins(1);

/// The one task that writes [`Views`].
pub struct Follower {
    /// Where the view is loaded from.
    pub snapshots: Arc<dyn Snapshots>,
    /// Where it goes on.
    pub log: Arc<dyn EventLog>,
    /// The topic of the seats' domain events.
    pub topic: String,
    /// What is kept current.
    pub views: Arc<Views>,
    /// How old it may be.
    pub age: Arc<Age>,
    /// Above that the worker is not ready, if anything is said.
    pub oldest: Option<Duration>,
    /// Told once the view is there.
    pub readiness: Readiness,
    /// Counts what happens.
    pub metrics: Metrics,
}

impl Follower {
    /// Follows for ever.
    pub async fn run(self) -> Infallible {
        let mut backoff = Backoff::default();
        let mut trust = Trust::Further;
        loop {
            let (next_offsets, log) = self.load(trust).await;
            let loaded = Instant::now();
            let behind = self.behind(&next_offsets).await;
            self.tail(next_offsets, log, behind).await;
            trust = Trust::Snapshot;
            if loaded.elapsed() > SOUND_AFTER {
                backoff.reset();
            }
            sleep(backoff.wait()).await;
            self.metrics.reloads.inc();
        }
    }

    /// Takes over a snapshot, however long it takes to get one, and says where the log goes on, and which topic that is.
    async fn load(&self, mut trust: Trust) -> (BTreeMap<u32, u64>, Option<String>) {
        let mut backoff = Backoff::default();
        loop {
            match self.snapshots.load().await {
                Ok(snapshot) => {
                    let is_of_it = self.is_of_the_log(&snapshot.logs).await;
                    tracing::info!(events = snapshot.maps.len(), "the view is loaded");
                    self.views.install(snapshot.maps, snapshot.gone, trust);
                    self.views.set_former(snapshot.former);
                    self.views.announce();
                    if is_of_it {
                        return (snapshot.next_offsets, snapshot.logs.into_iter().next());
                    }
                    trust = Trust::Snapshot;
                    sleep(backoff.wait()).await;
                }
                Err(error) => {
                    tracing::warn!(%error, "the view is tried again");
                    sleep(backoff.wait()).await;
                }
            }
        }
    }

    /// Whether offsets of topics with these ids are offsets of the log. One that does not answer is taken for the same; what
    /// reads it asks again.
    async fn is_of_the_log(&self, logs: &BTreeSet<String>) -> bool {
        let Ok(Some(identity)) = reader::identity(&self.log, &self.topic).await else { return true };
        let others: Vec<_> = logs.iter().filter(|log| **log != identity).collect();
        if !others.is_empty() {
            tracing::warn!(
                topic = self.topic,
                identity,
                ?others,
                "the topic was replaced: what is there is shown until the consumer of the view has gone over to it"
            );
        }
        others.is_empty()
    }

    /// Where the log ends, by partition of which it has more than the snapshot. A log that does not answer may have any
    /// number.
    async fn behind(&self, next_offsets: &BTreeMap<u32, u64>) -> Ends {
        let mut backoff = Backoff::default();
        let mut bounds = loop {
            match reader::bounds(&self.log, &self.topic).await {
                Ok(bounds) => break bounds,
                Err(error) => {
                    tracing::warn!(%error, "how far the view is behind the log is not known");
                    sleep(backoff.wait()).await;
                }
            }
        };
        bounds.retain(|partition, (begin, end)| next_offsets.get(partition).unwrap_or(begin) < end);
        bounds.into_iter().map(|(partition, (_, end))| (partition, end)).collect()
    }

    /// Applies records until the log turns out to be another one. Ready once nothing is left of `behind`.
    async fn tail(&self, next_offsets: BTreeMap<u32, u64>, log: Option<String>, mut behind: Ends) {
        let mut reader = Reader::new(Arc::clone(&self.log), &self.topic, next_offsets, log);
        let (mut gaps, mut loading) = (Gaps::default(), FuturesUnordered::new());
        let mut look = interval(LOOK);
        let mut leave = interval(LEAVE);
        for now_and_then in [&mut look, &mut leave] {
            now_and_then.set_missed_tick_behavior(MissedTickBehavior::Delay);
        }
        loop {
            if behind.is_empty() {
                self.tell();
            }
            // One at a time, and on with it whatever is read meanwhile.
            if loading.is_empty()
                && let Some((event, at)) = gaps.next()
            {
                loading.push(self.load_at(event, at));
            }
            let batch = tokio::select! {
                batch = reader.next() => batch,
                Some((event, loaded)) = loading.next() => {
                    self.loaded(&event, loaded, &mut gaps);
                    continue;
                }
                _ = look.tick() => {
                    let (partitions, read) = reader.read_to_end();
                    self.age.learn(partitions, read);
                    continue;
                }
                _ = leave.tick() => {
                    self.views.leave(clock::now());
                    continue;
                }
            };
            match batch {
                Ok(batch) => {
                    behind.reached(&batch);
                    for record in &batch.records {
                        self.take_in_turn(record, &mut gaps);
                    }
                    self.metrics.stale(gaps.count());
                    self.views.announce();
                }
                Err(error) => {
                    tracing::error!(%error, "the view does not belong to this log: it is loaded again");
                    return;
                }
            }
        }
    }

    /// Loads a SeatingEvent when it is due.
    async fn load_at(
        &self,
        event: SeatingEventId,
        at: Instant,
    ) -> (SeatingEventId, Result<Option<SeatMap>, SnapshotError>) {
        sleep_until(at).await;
        let loaded = self.snapshots.load_one(&event).await;
        (event, loaded)
    }

    /// Goes on with a SeatingEvent from what was loaded.
    fn loaded(
        &self,
        event: &SeatingEventId,
        loaded: Result<Option<SeatMap>, SnapshotError>,
        gaps: &mut Gaps,
    ) {
        match loaded {
            Ok(Some(map)) => {
                self.metrics.reloads.inc();
                self.views.install(vec![map], BTreeMap::new(), Trust::Further);
            }
            Ok(None) => tracing::debug!(%event, "the view has no seats of it yet"),
            Err(error) => tracing::warn!(%event, %error, "what is missing of it is not there yet"),
        }
        let mut waiting = gaps.take(event);
        while let Some(record) = waiting.front() {
            let taken = self.take(record);
            self.metrics.taken(taken);
            if taken == Taken::Gap {
                break;
            }
            waiting.pop_front();
        }
        if waiting.is_empty() {
            gaps.close(event);
        }
        for record in waiting {
            gaps.wait(event, record);
        }
        self.metrics.stale(gaps.count());
        self.views.announce();
    }

    /// Takes in one record, or has it wait where its SeatingEvent has a gap.
    fn take_in_turn(&self, record: &Record, gaps: &mut Gaps) {
        let event = record.key.parse().ok();
        if let Some(event) = event.as_ref().filter(|event| gaps.has(event)) {
            gaps.wait(event, record.clone());
            return;
        }
        let taken = self.take(record);
        self.metrics.taken(taken);
        if taken == Taken::Gap
            && let Some(event) = event
        {
            tracing::warn!(%event, "I5: events are missing: it is loaded again");
            gaps.wait(&event, record.clone());
        }
    }

    /// Tells whether readers are to be sent here: once everything was read, as long as it is not too old.
    fn tell(&self) {
        let age = self.age.of(None);
        match self.oldest.filter(|oldest| age > *oldest) {
            Some(oldest) => {
                let why = format!(
                    "the view may be {} s old, above the {} s that are allowed",
                    age.as_secs(),
                    oldest.as_secs()
                );
                self.readiness.not_ready(READY, why);
            }
            None => self.readiness.ready(READY),
        }
    }

    /// Takes in one record.
    fn take(&self, record: &Record) -> Taken {
        let Some(event) = SequencedRecord::of(record) else {
            tracing::warn!(
                partition = record.partition,
                offset = record.offset,
                "a foreign record is skipped"
            );
            return Taken::Foreign;
        };
        let SequencedRecord { id, sequence, fact, timestamp } = event;
        let applied = self.views.apply(&id, sequence, fact);
        self.views.lies_on(&id, record.partition);
        match applied {
            Ok(Verdict::Apply) if fact.is_none() => Taken::Unreadable,
            Ok(Verdict::Apply) => {
                if let Some(timestamp) = timestamp {
                    self.metrics.age(clock::now().saturating_sub(timestamp));
                }
                Taken::Applied
            }
            Ok(Verdict::Duplicate | Verdict::BeforeStart | Verdict::Fork) => Taken::Seen,
            Ok(Verdict::Gap { expected }) => {
                tracing::debug!(event = %id, sequence, expected, "I5: events are missing before this one");
                Taken::Gap
            }
            Err(error) => {
                tracing::error!(event = %id, sequence, %error, "a chart does not expand: the one before it stays");
                Taken::Unreadable
            }
        }
    }
}

/// A record with its place in a SeatingEvent's history.
struct SequencedRecord<'a> {
    id: SeatingEventId,
    sequence: u64,
    /// `None` where the type or the text cannot be read.
    fact: Option<&'a DomainEvent>,
    timestamp: Option<UnixMillis>,
}

impl<'a> SequencedRecord<'a> {
    /// `None` for a record that no command worker wrote: without a SeatingEvent's id as key or without a sequence.
    fn of(record: &'a Record) -> Option<Self> {
        let id = record.key.parse().ok()?;
        match record.said() {
            Said::Known(envelope) => Some(Self {
                id,
                sequence: envelope.metadata.sequence?,
                fact: Some(&envelope.event),
                timestamp: Some(envelope.timestamp),
            }),
            Said::Unknown(unknown) => {
                tracing::warn!(event = %id, event_type = unknown.event_type, "an unknown event type is skipped");
                Some(Self { id, sequence: unknown.metadata.sequence?, fact: None, timestamp: None })
            }
            Said::Malformed(reason) => {
                let sequence = record.header(CE_SEQUENCE)?.parse().ok()?;
                tracing::warn!(event = %id, sequence, reason, "an unreadable event is skipped");
                Some(Self { id, sequence, fact: None, timestamp: None })
            }
        }
    }
}

#[cfg(test)]
#[path = "follow_tests.rs"]
mod tests;
