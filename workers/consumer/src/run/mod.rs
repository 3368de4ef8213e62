//! The loop of a consumer: joins the group, brings batches to the view, and joins again when the log gives it up.
//!
//! Between the event log and a [`ViewStore`], over their ports only: what stands behind them is chosen in `main`.
//! [`member`] is one membership, [`questions`] are what it asks before it reads a partition, [`replaced`] is what becomes of one
//! whose topic is another one than the view was built from, [`origin`] says where a view
//! begins, [`position`] where it stands in a partition, [`standing`] which of them stand still, [`lag`] how far behind.

pub mod lag;
pub mod member;
pub mod origin;
pub mod position;
pub mod questions;
mod replaced;
pub mod standing;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{EventLog, LogError, TopicPartition};
use boxoffice_runtime::view::{Applied, Batch, ViewError, ViewStore};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::metrics::Metrics;
use lag::Offsets;
use member::Member;
use origin::Origin;
use replaced::Ended;
use standing::Standing;

/// The part of readiness that is the log's: a member that was answered.
pub const LOG: &str = "log";
/// Time between two attempts to join.
const REJOIN: Duration = Duration::from_secs(1);

/// A handler's view, kept up to date from the log.
pub struct Consumer {
    /// Where domain events come from.
    pub log: Arc<dyn EventLog>,
    /// What is built from them.
    pub view: Arc<dyn ViewStore>,
    /// The consumer group.
    pub group: String,
    /// The topics that it reads.
    pub topics: Vec<String>,
    /// Where the view begins in a partition in which it has not begun yet.
    pub origin: Origin,
    /// The declared reset that this generation of the view began with; empty before the first.
    pub reset_id: String,
    /// What is counted.
    pub metrics: Metrics,
    /// Whether the process can serve: the part [`LOG`] is told here.
    pub readiness: Readiness,
    /// Partitions that stand still.
    pub standing: Standing,
    /// How far the view got.
    pub offsets: Offsets,
}

impl Consumer {
    /// Keeps the view up to date until `stop`, then leaves the group at once.
    pub async fn run(&self, stop: &CancellationToken) {
        while !stop.is_cancelled() {
            match self.join(stop).await {
                Ok(()) => {}
                Err(Ended::Log(error)) => {
                    tracing::warn!(%error, group = self.group, "joining the group again");
                    self.readiness.not_ready(LOG, error.to_string());
                    stop.run_until_cancelled(tokio::time::sleep(REJOIN)).await;
                }
                Err(Ended::Replaced(replaced)) => {
                    stop.run_until_cancelled(self.until_accepted(&replaced)).await;
                }
            }
        }
    }

    async fn join(&self, stop: &CancellationToken) -> Result<(), Ended> {
        let joining = async {
            let identities = questions::identities(self).await?;
            Ok::<_, LogError>((self.log.subscribe(&self.group, &self.topics).await?, identities))
        };
        let Some(joined) = stop.run_until_cancelled(joining).await else { return Ok(()) };
        let (mut subscription, identities) = joined?;
        let mut member = Member::new(self, subscription.as_mut(), &identities);
        let ended = tokio::select! {
            ended = member.run(stop) => ended,
            replaced = self.until_replaced(&identities) => Err(replaced.into()),
        };
        drop(member);
        self.offsets.clear();
        self.standing.clear();
        subscription.leave().await;
        ended
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        let partition = TopicPartition { topic: batch.topic.clone(), partition: batch.partition };
        let begun = Instant::now();
        let applied = self.view.apply(batch).await?;
        self.metrics.applied(&partition, &applied, begun.elapsed());
        self.offsets.set(&partition, applied.next_offset);
        Ok(applied)
    }

    /// Moves the checkpoint over offsets that have no record.
    async fn pass(
        &self,
        partition: &TopicPartition,
        log: Option<&str>,
        expected: u64,
        end: u64,
    ) -> Result<Applied, ViewError> {
        let begun = Instant::now();
        let passed = self.view.pass(partition, log, expected, end).await?;
        self.metrics.applied(partition, &passed, begun.elapsed());
        self.offsets.set(partition, passed.next_offset);
        Ok(passed)
    }

    fn forget(&self, partition: &TopicPartition) {
        self.offsets.remove(partition);
        self.metrics.forget(partition);
        self.standing.is_over(partition);
    }
}

#[cfg(test)]
mod tests;
