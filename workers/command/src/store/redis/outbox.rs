//! The relay's side of the store: leases with fencing tokens, the events that wait, and the published watermark.

use std::sync::Arc;

use async_trait::async_trait;
use boxoffice_domain::SeatingEventId;
use redis::streams::StreamRangeReply;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::RedisStore;
use super::entry;
use super::keys::{BUCKETS, bucket_of};
use super::link::Link;
use crate::store::{LEASE_TERM, Lease, Outbox, OutboxEntry, Signal, StoreError};

/// The run id and the partition in `meta`, and what waits.
type Waiting = ((Option<String>, Option<u32>), StreamRangeReply);

const LEASE_TERM_MS: u128 = LEASE_TERM.as_millis();

#[async_trait]
impl Outbox for RedisStore {
    fn buckets(&self) -> u32 {
        BUCKETS
    }

    fn bucket_of(&self, event: &SeatingEventId) -> u32 {
        bucket_of(event)
    }

    async fn acquire(&self, bucket: u32, owner: Uuid) -> Result<Option<Lease>, StoreError> {
        let mut acquire = self.scripts.lease_acquire.prepare_invoke();
        acquire.key(self.keys.lease(bucket)).key(self.keys.tokens(bucket));
        acquire.arg(owner.to_string()).arg(LEASE_TERM_MS);
        let token: Option<u64> = self.invoke_script(&acquire).await?;
        Ok(token.map(|token| Lease { bucket, token }))
    }

    async fn renew(&self, lease: &Lease, owner: Uuid) -> Result<bool, StoreError> {
        let mut renew = self.scripts.lease_renew.prepare_invoke();
        renew.key(self.keys.lease(lease.bucket)).arg(owner.to_string()).arg(lease.token).arg(LEASE_TERM_MS);
        self.invoke_script(&renew).await
    }

    async fn release(&self, lease: &Lease, owner: Uuid) -> Result<(), StoreError> {
        let mut release = self.scripts.lease_release.prepare_invoke();
        release.key(self.keys.lease(lease.bucket)).arg(owner.to_string()).arg(lease.token);
        self.invoke_script::<bool>(&release).await.map(drop)
    }

    async fn events(&self, bucket: u32) -> Result<Vec<SeatingEventId>, StoreError> {
        let mut events = self.registered().await?;
        events.retain(|event| bucket_of(event) == bucket);
        Ok(events)
    }

    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        let keys = self.keys.event(event);
        let mut read = redis::pipe();
        read.cmd("HMGET").arg(keys.meta()).arg(&["runId", "partition"]);
        // The stream begins above the watermark: it is trimmed in the step that advances it.
        read.cmd("XRANGE").arg(keys.outbox()).arg("-").arg("+").arg("COUNT").arg(max);
        let read = &read;
        let ask = |link: Arc<Link>| async move {
            Ok((link.run_id.clone(), link.query_all::<Waiting>(read).await?))
        };
        let (server, ((run_id, partition), entries)) = self.topology.ask(keys.slot(), ask).await?;
        if run_id.is_some_and(|run_id| run_id != server) {
            return Err(self.behind_the_fence(event));
        }
        // What Redis could still lose must not be on the log (I7).
        if !entries.ids.is_empty() {
            for level in &self.levels {
                self.secure(keys.slot(), *level, &server).await?;
            }
        }
        let entries =
            entries.ids.iter().map(|stream_id| entry::read(event, stream_id)).collect::<Result<_, _>>()?;
        Ok((partition.unwrap_or_default(), entries))
    }

    async fn published(
        &self,
        event: &SeatingEventId,
        lease: &Lease,
        upto: u64,
    ) -> Result<Option<u64>, StoreError> {
        let keys = self.keys.event(event);
        let mut published = self.scripts.published.prepare_invoke();
        published.key(keys.meta()).key(keys.outbox());
        published
            .arg(lease.token)
            .arg(upto)
            .arg(self.keys.signals())
            .arg(event.as_str())
            .run_id()
            .about(event);
        self.invoke_script(&published).await
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        let read = redis::cmd("HGET").arg(self.keys.event(event).meta()).arg("published").to_owned();
        Ok(self.query::<Option<u64>>(&read).await?.unwrap_or_default())
    }

    async fn depth(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        self.query(&redis::cmd("XLEN").arg(self.keys.event(event).outbox()).to_owned()).await
    }

    /// A listener that lags far behind is told so by the channel (`Lagged`), which means [`Signal::Missed`].
    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
