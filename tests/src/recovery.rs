//! Opening the fence of a seat store (I7) for tests that have no log behind it, or do not wait as long as workers do.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_command::store::redis::RedisStore;
use boxoffice_command::store::redis::recovery::{Quiet, Recovery, RecoveryMetrics};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{EventLog, LogError, Subscription, Tail};
use boxoffice_runtime::record::NewRecord;

use crate::wait::until;

/// For tests in which nothing can be under way.
pub const AT_ONCE: Quiet = Quiet { publishing: Duration::ZERO, answering: Duration::ZERO };

/// A log without a record.
pub struct EmptyLog;

#[async_trait]
impl EventLog for EmptyLog {
    async fn publish(&self, topic: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        Err(LogError::Missing(topic.to_owned()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(1)
    }

    async fn bounds(&self, _: &str, _: u32) -> Result<(u64, u64), LogError> {
        Ok((0, 0))
    }

    async fn tail(&self, topic: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Err(LogError::Missing(topic.to_owned()))
    }

    async fn subscribe(&self, group: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Err(LogError::Missing(group.to_owned()))
    }
}

/// Says that `store` has all that there ever was.
pub async fn nothing_was_lost(store: &Arc<RedisStore>) {
    recover(store, Arc::new(EmptyLog), "").await;
}

/// Reads back what `store` lost.
pub async fn recover(store: &Arc<RedisStore>, log: Arc<dyn EventLog>, topic: &str) -> RecoveryMetrics {
    let metrics = RecoveryMetrics::default();
    let recovery = Recovery::new(Arc::clone(store), log, topic.to_owned(), AT_ONCE, metrics.clone());
    let readiness = Readiness::waiting_for(&[]);
    until("the store is recovered", async || recovery.look(&readiness).await.ok().filter(|all| *all)).await;
    metrics
}
