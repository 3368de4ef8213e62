//! The relay's side of the store. There is one process, but a relay that was told to stop may still have a publish on
//! its way when the next one begins: so leases have lives and tokens here as they have in Redis.

use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::SeatingEventId;
use boxoffice_domain::partition::partition_of;
use tokio::sync::broadcast;
use uuid::Uuid;

use super::aggregate::Aggregate;
use super::journal::{SeatJournal, Ticket, Write};
use super::{EmbeddedSeats, lock};
use crate::store::{Backlog, History, Lease, Outbox, OutboxEntry, Round, Signal, StoreError};

/// Enough for the relay to work on several SeatingEvents at once; nothing is shared with other processes.
const BUCKETS: u32 = 4;

#[async_trait]
impl<J: SeatJournal> Outbox for EmbeddedSeats<J> {
    fn buckets(&self) -> u32 {
        BUCKETS
    }

    fn bucket_of(&self, event: &SeatingEventId) -> u32 {
        partition_of(event.as_str(), BUCKETS)
    }

    async fn round(&self, owner: Uuid, stays: bool, give_back: &[u32]) -> Result<Round, StoreError> {
        Ok(lock(&self.leases).round(BUCKETS, owner, stays, give_back, self.now()))
    }

    async fn backlogs(&self) -> Result<Vec<Backlog>, StoreError> {
        let waiting = |aggregate: &mut Aggregate| {
            let (at, written) = (aggregate.time(self.now()), aggregate.outbox.front()?.envelope.timestamp);
            let age = Duration::from_millis(at.saturating_sub(written));
            Some(Backlog { event: aggregate.state.id.clone(), entries: aggregate.outbox.len() as u64, age })
        };
        Ok(self.each(waiting).into_iter().flatten().collect())
    }

    /// Entries are here before they are in the file, and that is sound: a record that is made of one is written behind
    /// it, by the same journal.
    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        let waiting = |aggregate: &mut Aggregate| {
            (aggregate.partition, aggregate.outbox.iter().take(max).cloned().collect())
        };
        Ok(self.with(event, waiting).unwrap_or_default())
    }

    async fn published(
        &self,
        event: &SeatingEventId,
        lease: &Lease,
        upto: u64,
    ) -> Result<Option<u64>, StoreError> {
        let advance = |aggregate: &mut Aggregate| {
            let before = aggregate.published;
            if !aggregate.published(lease.token, upto) {
                return None;
            }
            let waiting = aggregate.outbox.len() as u64;
            if aggregate.published == before {
                return Some((waiting, Ticket::default()));
            }
            let ticket = self.journal.write(Write::Published(event.clone(), aggregate.published));
            self.signal(Signal::Published(event.clone(), History::default(), aggregate.published));
            Some((waiting, ticket))
        };
        let Some(advanced) = self.with(event, advance) else { return Ok(Some(0)) };
        let Some((waiting, ticket)) = advanced else { return Ok(None) };
        // Whoever waits for the log was told already: lost with the process, this only makes the log repeat records.
        self.journal.committed(ticket).await?;
        Ok(Some(waiting))
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        Ok(self.with(event, |aggregate| aggregate.published).unwrap_or_default())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
