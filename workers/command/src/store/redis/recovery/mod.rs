//! Recovery (I7): what a server lost comes back from the log, and then its seats are sold again.
//!
//! Every worker looks at every server: when a link opens, when a command met the fence, and now and then. One that has
//! not been recovered since it started is recovered by whoever takes its lease; the others watch. Two that do it at
//! once do no harm: both come to the same, and the fence opens once. [`run`] reads the log, [`replay`] works out one
//! SeatingEvent, [`restore`] writes it. This file decides when, and tells people.

mod metrics;

mod replay;

mod restore;

mod run;

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{EventLog, LogError, PUBLISH_LIMIT};
use futures::future::join_all;
use tokio::time::{Instant, interval, timeout};
use uuid::Uuid;

use super::RedisStore;
use super::link::Link;
use super::slots::Shard;
use crate::store::{LEASE_LIFE, StoreError};
pub use metrics::RecoveryMetrics;

/// Readiness part: no server waits for its recovery.
pub const RECOVERY: &str = "recovery";
/// What readiness says meanwhile.
const BUSY: &str = "seats are being read back from the log";
/// How often servers are looked at when nothing calls for it.
const LOOK: Duration = Duration::from_secs(1);
/// First and longest pause after a failure; it doubles in between.
const PAUSE: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(15));
/// How long a SeatingEvent that could not be recovered is left alone.
const TROUBLED: Duration = Duration::from_mins(1);
/// How long the lease of a recovery lasts, and how often it is renewed.
const LEASE: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(2));

/// How long a recovery waits for the relays of the server's earlier history, from when the loss was noticed: what they
/// had read of it is sent within the limit of a publish, which they begin within the life of their leases.
pub const QUIET: Duration = LEASE_LIFE.saturating_add(PUBLISH_LIMIT);

/// Why a recovery did not end.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// Redis did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log did not.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The log gave nothing for too long.
    #[error("the log gave no record for {} s", run::RECORDS_TIMEOUT.as_secs())]
    Silence,
    /// Another worker took over.
    #[error("the lease of the recovery was lost")]
    LeaseLost,
}

/// Looks after the servers of one store.
pub struct Recovery {
    store: Arc<RedisStore>,
    log: Arc<dyn EventLog>,
    topic: String,
    quiet: Duration,
    metrics: RecoveryMetrics,
    owner: Uuid,
    /// Whether readiness has been reached before: a first start is no recovery to tell people of.
    was_ready: AtomicBool,
    told: AtomicBool,
    /// SeatingEvents that could not be recovered, and when that was tried last.
    troubled: Mutex<HashMap<SeatingEventId, Instant>>,
}

impl Recovery {
    /// Of what `store` lost and `topic` of `log` has; [`QUIET`] is what workers wait for.
    pub fn new(
        store: Arc<RedisStore>,
        log: Arc<dyn EventLog>,
        topic: String,
        quiet: Duration,
        metrics: RecoveryMetrics,
    ) -> Self {
        Self {
            store,
            log,
            topic,
            quiet,
            metrics,
            owner: Uuid::new_v4(),
            was_ready: AtomicBool::default(),
            told: AtomicBool::default(),
            troubled: Mutex::default(),
        }
    }

    /// Goes on for ever, and keeps readiness true to what it finds.
    pub async fn run(self, readiness: Readiness) {
        let opened = self.store.topology.opened();
        let mut failures = 0;
        loop {
            let pause = match self.look(&readiness).await {
                Ok(true) => {
                    failures = 0;
                    readiness.ready(RECOVERY);
                    self.was_ready.store(true, Relaxed);
                    LOOK
                }
                Ok(false) => {
                    failures = 0;
                    if self.was_ready.load(Relaxed) {
                        readiness.not_ready(RECOVERY, "another worker reads seats back from the log");
                    }
                    PAUSE.0
                }
                Err(error) => {
                    // Where Redis is away, that is what its own part of readiness says.
                    if !matches!(error, RecoveryError::Store(StoreError::Unavailable(_))) {
                        readiness.not_ready(RECOVERY, error.to_string());
                    }
                    if failures == 0 {
                        tracing::warn!(%error, "seats cannot be read back from the log yet");
                    }
                    let pause = PAUSE.0.saturating_mul(1 << failures.min(5)).min(PAUSE.1);
                    failures += 1;
                    pause
                }
            };
            // After a failure nothing but time makes the next attempt worth more.
            let wait = async {
                if failures == 0 {
                    opened.notified().await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            drop(timeout(pause, wait).await);
        }
    }

    /// Looks at every server once and recovers those that need it: whether all are now.
    ///
    /// # Errors
    /// What kept one from being recovered.
    pub async fn look(&self, readiness: &Readiness) -> Result<bool, RecoveryError> {
        let in_doubt = self.store.in_doubt.take();
        let shards = self.store.topology.known_shards().await?;
        let looks = shards.iter().map(|shard| self.look_at(shard, &in_doubt, readiness));
        let mut all = true;
        for looked in join_all(looks).await {
            match looked {
                Ok(recovered) => all &= recovered,
                Err(error) => {
                    for event in &in_doubt {
                        self.store.in_doubt.note(event);
                    }
                    return Err(error);
                }
            }
        }
        Ok(all)
    }

    async fn look_at(
        &self,
        shard: &Shard,
        in_doubt: &BTreeSet<SeatingEventId>,
        readiness: &Readiness,
    ) -> Result<bool, RecoveryError> {
        let link = self.store.topology.link_to(&shard.node).await?;
        let recovered = self.store.is_recovered(shard).await?;
        let doubted = self.still_fenced(&link, shard, in_doubt).await?;
        if recovered && doubted.is_empty() {
            return Ok(true);
        }
        if !self.take_lease(&link, shard).await? {
            return Ok(recovered);
        }
        // Where the server as a whole is recovered, a few SeatingEvents are no reason to turn buyers away.
        let readiness = (!recovered).then_some(readiness);
        if self.was_ready.load(Relaxed)
            && let Some(readiness) = readiness
        {
            readiness.not_ready(RECOVERY, BUSY);
        }
        self.metrics.running.inc();
        let began = Instant::now();
        // What a server lost, it may also have lost under a link that stayed.
        let since = if recovered { link.opened } else { began };
        let ended = tokio::select! {
            ended = self.recover(&link, shard, doubted, since, readiness) => ended,
            lost = self.keep_lease(&link, shard) => Err(lost),
        };
        self.metrics.running.dec();
        self.give_lease_back(&link, shard).await;
        ended?;
        if !recovered && link.appends {
            self.rewrite_append_only_file(&link).await;
        }
        self.metrics.runs.inc();
        self.metrics.seconds.observe(began.elapsed().as_secs_f64());
        Ok(true)
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

    /// Those of `in_doubt` that are this server's and still behind the fence, but for those that were tried just now.
    async fn still_fenced(
        &self,
        link: &Arc<Link>,
        shard: &Shard,
        in_doubt: &BTreeSet<SeatingEventId>,
    ) -> Result<BTreeSet<SeatingEventId>, StoreError> {
        let mut fenced = BTreeSet::new();
        for event in in_doubt.iter().filter(|event| self.is_of(shard, event)) {
            let given_up = self.troubled().get(event).is_some_and(|at| at.elapsed() < TROUBLED);
            if !given_up && self.store.is_fenced(link, event).await? {
                fenced.insert(event.clone());
            }
        }
        Ok(fenced)
    }

    fn troubled(&self) -> MutexGuard<'_, HashMap<SeatingEventId, Instant>> {
        self.troubled.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn take_lease(&self, link: &Arc<Link>, shard: &Shard) -> Result<bool, StoreError> {
        let mut take = redis::cmd("SET");
        take.arg(self.store.keys.recovery(shard.first_slot)).arg(self.owner.to_string());
        take.arg("NX").arg("PX").arg(LEASE.0.as_millis());
        let taken: Option<String> = self.store.topology.heed(link, link.query(&take).await)?;
        if taken.is_some() {
            self.told.store(false, Relaxed);
        } else if !self.told.swap(true, Relaxed) {
            tracing::info!(node = %link.node, "another worker reads seats back from the log");
        }
        Ok(taken.is_some())
    }

    /// Returns when it is lost.
    async fn keep_lease(&self, link: &Arc<Link>, shard: &Shard) -> RecoveryError {
        let mut turn = interval(LEASE.1);
        let key = self.store.keys.recovery(shard.first_slot);
        loop {
            turn.tick().await;
            let mut renew = redis::pipe();
            renew.cmd("GET").arg(&key).cmd("PEXPIRE").arg(&key).arg(LEASE.0.as_millis()).ignore();
            let renewed: Result<(Option<String>,), _> =
                self.store.topology.heed(link, link.query_all(&renew).await);
            match renewed {
                Ok((owner,)) if owner.as_deref() == Some(&self.owner.to_string()) => {}
                Ok(_) => return RecoveryError::LeaseLost,
                Err(error) => return StoreError::from(error).into(),
            }
        }
    }

    /// A lease that cannot be given back runs out.
    async fn give_lease_back(&self, link: &Arc<Link>, shard: &Shard) {
        let mut give = redis::cmd("DEL");
        give.arg(self.store.keys.recovery(shard.first_slot));
        drop(self.store.topology.heed(link, link.query::<u64>(&give).await));
    }
}
