//! Recovery (I7): what a server lost comes back from the log, and then its seats are sold again.
//!
//! It goes by partition, for whoever owns the partition's lane and has fenced every earlier owner: nothing is added to
//! the log meanwhile. Each SeatingEvent has kept where on the log there was nothing more of it, so reading begins at
//! the lowest of these among those in doubt: a server that lost nothing has next to nothing read, however long the log
//! is. A server on which nothing was kept gets what the partition's snapshots have, and the log from where they end,
//! unless slots were moved ([`moved`]). [`run`] decides where to begin, [`reading`] reads the log,
//! [`replay`](crate::replay) works out one SeatingEvent, [`restore`] writes it. This file knows what lacks something.

mod compare;

mod metrics;

mod moved;

mod reading;

mod restore;

mod run;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::EventLog;
use futures::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::RedisStore;
use super::link::Link;
use super::slots::Shard;
use crate::recover::{Compared, Recover, RecoveryError};
use crate::store::StoreError;
pub use metrics::RecoveryMetrics;

/// Readiness part: seats were complete once.
pub const RECOVERY: &str = "recovery";
/// What readiness says until then.
const BUSY: &str = "seats are being read back from the log";
/// How often it is looked whether they are.
const LOOK: Duration = Duration::from_millis(250);
/// How long a SeatingEvent that could not be recovered is left alone.
const TROUBLED: Duration = Duration::from_mins(1);
/// Partitions that are rebuilt at the same time: each takes memory for its states, and a worker may own all of them.
const AT_ONCE: usize = 2;

/// Looks after the servers of one store.
pub struct Recovery {
    store: Arc<RedisStore>,
    log: Arc<dyn EventLog>,
    topic: String,
    metrics: RecoveryMetrics,
    /// Whose turn it is to read.
    turns: Semaphore,
    /// SeatingEvents that could not be recovered, and when that was tried last.
    troubled: Mutex<HashMap<SeatingEventId, Instant>>,
}

/// What a server has of a partition, where that was written down: everything before an offset, under a history.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Recovered {
    history: String,
    offset: u64,
}

impl Recovery {
    /// Of what `store` lost and `topic` of `log` has.
    pub fn new(
        store: Arc<RedisStore>,
        log: Arc<dyn EventLog>,
        topic: String,
        metrics: RecoveryMetrics,
    ) -> Self {
        let turns = Semaphore::new(AT_ONCE);
        Self { store, log, topic, metrics, turns, troubled: Mutex::default() }
    }

    /// Returns when every server that answers has been complete once, as far as is known here; readiness says what is missing
    /// until then. Later losses are told by commands on the SeatingEvents concerned, and by nothing else.
    pub async fn is_complete(&self, readiness: &Readiness) {
        let opened = self.store.topology.opened();
        loop {
            match self.store.are_serving_complete().await {
                Ok(()) => break,
                Err(StoreError::Recovering) => readiness.not_ready(RECOVERY, BUSY),
                Err(error) => readiness.not_ready(RECOVERY, error.to_string()),
            }
            drop(timeout(LOOK, opened.notified()).await);
        }
        readiness.ready(RECOVERY);
    }

    fn troubled(&self) -> MutexGuard<'_, HashMap<SeatingEventId, Instant>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Which of `partitions` a server may lack something of.
    async fn wanting_on(&self, shard: &Shard, partitions: &[u32]) -> Result<BTreeSet<u32>, StoreError> {
        let link = self.store.topology.link_to(&shard.node).await?;
        let recovered = self.recovered(&link, shard, partitions).await?;
        let lacks = |recovered: &Option<Recovered>| {
            recovered.as_ref().is_none_or(|recovered| recovered.history != link.history)
        };
        let lacking = partitions.iter().zip(&recovered).filter(|(_, recovered)| lacks(recovered));
        let lacking: BTreeSet<u32> = lacking.map(|(partition, _)| *partition).collect();
        // Whoever wrote the last mark may not have come so far as to say that it was the last.
        if lacking.is_empty() && !self.store.is_recovered(shard).await? {
            self.complete(&link, shard).await?;
        }
        Ok(lacking)
    }

    async fn recovered(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        partitions: &[u32],
    ) -> Result<Vec<Option<Recovered>>, StoreError> {
        if partitions.is_empty() {
            return Ok(vec![]);
        }
        let mut read = redis::cmd("HMGET");
        read.arg(self.store.keys.recovered(shard.first_slot)).arg(partitions);
        let texts: Vec<Option<String>> = self.store.on(link, link.query(&read).await)?;
        let parse = |text: String| {
            let (history, offset) = text.split_once(' ')?;
            Some(Recovered { history: history.to_owned(), offset: offset.parse().ok()? })
        };
        Ok(texts.into_iter().map(|text| text.and_then(parse)).collect())
    }

    /// Writes down that a server has everything of `partition` before `offset`, and where that makes it complete, that
    /// too.
    async fn mark(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        partition: u32,
        offset: u64,
    ) -> Result<(), StoreError> {
        let keys = &self.store.keys;
        let recovered = keys.recovered(shard.first_slot);
        let text = format!("{} {offset}", link.history);
        let mut mark = redis::pipe();
        mark.cmd("HSET").arg(&recovered).arg(partition).arg(text).ignore();
        mark.cmd("GET").arg(keys.history(shard.first_slot));
        let (complete,): (Option<String>,) = self.store.on(link, link.query_all(&mark).await)?;
        if complete.is_some_and(|history| history == link.history) {
            Ok(())
        } else {
            self.complete(link, shard).await
        }
    }

    /// Writes down that a server has everything that it should have, where every partition is marked.
    async fn complete(&self, link: &Arc<Link>, shard: &Shard) -> Result<(), StoreError> {
        let partitions: Vec<u32> = (0..self.log.partitions(&self.topic).await.unwrap_or(0)).collect();
        let all = self.recovered(link, shard, &partitions).await?;
        let is_complete = !partitions.is_empty()
            && all.iter().all(|one| one.as_ref().is_some_and(|one| one.history == link.history));
        if is_complete {
            let mut mark = redis::cmd("SET");
            mark.arg(self.store.keys.history(shard.first_slot)).arg(link.history.as_str());
            self.store.on(link, link.query::<String>(&mark).await)?;
            if link.appends {
                self.rewrite_append_only_file(link).await;
            }
        }
        Ok(())
    }

    /// Has a server write its append-only file anew. Where a power cut tore it in the middle of a script's writes, their
    /// beginning is still there, and a server that loads torn files would carry it out at its next start, on top of
    /// what came since (valkey-io/valkey#4342).
    async fn rewrite_append_only_file(&self, link: &Arc<Link>) {
        let rewrite = redis::cmd("BGREWRITEAOF");
        if let Err(error) = self.store.topology.heed(link, link.query::<String>(&rewrite).await) {
            tracing::warn!(
                node = %link.node, %error,
                "redis does not write its append-only file anew: allow it +bgrewriteaof, or set aof-load-truncated no"
            );
        }
    }
}

#[async_trait]
impl Recover for Recovery {
    async fn wanting(&self, partitions: &[u32]) -> BTreeSet<u32> {
        let Ok(shards) = self.store.topology.known_shards().await else { return BTreeSet::new() };
        let looks = shards.iter().map(|shard| self.wanting_on(shard, partitions));
        let mut wanting = BTreeSet::new();
        for (looked, shard) in join_all(looks).await.into_iter().zip(&shards) {
            match looked {
                Ok(some) => wanting.extend(some),
                // It is looked at again when it answers.
                Err(error) => tracing::debug!(node = %shard.node, %error, "what it lacks is not known"),
            }
        }
        wanting
    }

    async fn compare(&self, partition: u32) -> Result<Compared, RecoveryError> {
        self.compare_with_log(partition).await
    }

    /// A server that is away is the next time's: it keeps nobody from selling on the others.
    async fn recover(&self, partition: u32, doubted: &BTreeSet<SeatingEventId>) -> Result<(), RecoveryError> {
        for shard in self.store.topology.known_shards().await? {
            match self.recover_on(&shard, partition, doubted).await {
                Ok(()) => {}
                Err(RecoveryError::Store(error)) => {
                    tracing::warn!(node = %shard.node, partition, %error, "seats cannot be put back yet");
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    async fn reached(&self, partition: u32, offset: u64) {
        let Ok(shards) = self.store.topology.known_shards().await else { return };
        for shard in shards {
            let moved = async {
                let link = self.store.topology.link_to(&shard.node).await?;
                let before = self.recovered(&link, &shard, &[partition]).await?.pop().flatten();
                if before.is_some_and(|before| before.history == link.history && before.offset != offset) {
                    self.mark(&link, &shard, partition, offset).await?;
                }
                Ok::<_, StoreError>(())
            };
            if let Err(error) = moved.await {
                tracing::debug!(node = %shard.node, %error, "the offset of a partition stays behind");
            }
        }
    }
}
