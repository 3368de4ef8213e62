//! The relay's side of the store. There is one process, but a relay that was told to stop may still have a publish on
//! its way when the next one begins: so leases have terms and tokens here as they have in Redis.

use std::collections::HashMap;

use async_trait::async_trait;
use boxoffice_command::store::{LEASE_TERM, Lease, Outbox, OutboxEntry, Signal, StoreError};
use boxoffice_domain::SeatingEventId;
use boxoffice_domain::partition::partition_of;
use tokio::sync::broadcast;
use tokio::time::Instant;
use uuid::Uuid;

use super::room::Room;
use super::{EmbeddedSeats, lock};
use crate::embedded::journal::{Ticket, Write};

/// Enough for the relay to work on several SeatingEvents at once; nothing is shared with other processes.
const BUCKETS: u32 = 4;

/// Who may publish which bucket.
#[derive(Debug, Default)]
pub struct Leases(HashMap<u32, Term>);

#[derive(Debug)]
struct Term {
    owner: Uuid,
    token: u64,
    ends: Instant,
}

impl Leases {
    fn acquire(&mut self, bucket: u32, owner: Uuid) -> Option<Lease> {
        let now = Instant::now();
        let term = self.0.entry(bucket).or_insert(Term { owner, token: 0, ends: now });
        if term.ends <= now {
            (term.owner, term.token) = (owner, term.token + 1);
        }
        (term.owner == owner).then(|| {
            term.ends = now + LEASE_TERM;
            Lease { bucket, token: term.token }
        })
    }

    /// The term that `lease` is, if it is still `owner`'s.
    fn current(&mut self, lease: &Lease, owner: Uuid) -> Option<&mut Term> {
        self.0
            .get_mut(&lease.bucket)
            .filter(|term| (term.owner, term.token) == (owner, lease.token) && term.ends > Instant::now())
    }
}

#[async_trait]
impl Outbox for EmbeddedSeats {
    fn buckets(&self) -> u32 {
        BUCKETS
    }

    fn bucket_of(&self, event: &SeatingEventId) -> u32 {
        partition_of(event.as_str(), BUCKETS)
    }

    async fn acquire(&self, bucket: u32, owner: Uuid) -> Result<Option<Lease>, StoreError> {
        Ok(lock(&self.leases).acquire(bucket, owner))
    }

    async fn renew(&self, lease: &Lease, owner: Uuid) -> Result<bool, StoreError> {
        let mut leases = lock(&self.leases);
        let current = leases.current(lease, owner);
        Ok(current.map(|term| term.ends = Instant::now() + LEASE_TERM).is_some())
    }

    async fn release(&self, lease: &Lease, owner: Uuid) -> Result<(), StoreError> {
        if let Some(term) = lock(&self.leases).current(lease, owner) {
            term.ends = Instant::now();
        }
        Ok(())
    }

    async fn events(&self, bucket: u32) -> Result<Vec<SeatingEventId>, StoreError> {
        let all = self.each(|room| room.state.id.clone());
        Ok(all.into_iter().filter(|event| self.bucket_of(event) == bucket).collect())
    }

    /// Entries are here before they are in the file, and that is sound: a record that is made of one is written behind
    /// it, by the same journal.
    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        let waiting = |room: &mut Room| (room.partition, room.outbox.iter().take(max).cloned().collect());
        Ok(self.with(event, waiting).unwrap_or_default())
    }

    async fn depth(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        Ok(self.with(event, |room| room.outbox.len() as u64).unwrap_or_default())
    }

    async fn published(
        &self,
        event: &SeatingEventId,
        lease: &Lease,
        upto: u64,
    ) -> Result<Option<u64>, StoreError> {
        let advance = |room: &mut Room| {
            let before = room.published;
            if !room.published(lease.token, upto) {
                return None;
            }
            let waiting = room.outbox.len() as u64;
            if room.published == before {
                return Some((waiting, Ticket::default()));
            }
            let published = Some((event.to_string(), room.published));
            let ticket = self.journal.write(Write { published, ..Write::default() });
            self.signal(Signal::Published(event.clone(), room.published));
            Some((waiting, ticket))
        };
        let Some(advanced) = self.with(event, advance) else { return Ok(Some(0)) };
        let Some((waiting, ticket)) = advanced else { return Ok(None) };
        // Whoever waits for the log was told already: lost with the process, this only makes the log repeat records.
        self.journal.committed(ticket).await?;
        Ok(Some(waiting))
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        Ok(self.with(event, |room| room.published).unwrap_or_default())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}
