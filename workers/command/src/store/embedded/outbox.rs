//! The side of the store that owners of lanes use. There is one process, but a relay that was told to stop may still be
//! at work when the next one begins: so leases have lives and tokens here as they have in Redis.

use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{Command, SeatingEventId};
use tokio::sync::broadcast;
use uuid::Uuid;

use super::aggregate::{Aggregate, cause_of_nobody};
use super::journal::{SeatJournal, Ticket, Write};
use super::{EmbeddedSeats, lock};
use crate::store::{Backlog, Distrust, History, Outbox, OutboxEntry, Round, Signal, StoreError, Swept};

/// What the sweep of one came to.
struct One {
    /// Holds that ended.
    ended: usize,
    /// The last write about it.
    ticket: Ticket,
    /// In how many milliseconds something is due next.
    due: Option<u64>,
    is_over: bool,
}

#[async_trait]
impl<J: SeatJournal> Outbox for EmbeddedSeats<J> {
    async fn round(
        &self,
        owner: Uuid,
        stays: bool,
        lanes: u32,
        give_back: &[u32],
    ) -> Result<Round, StoreError> {
        Ok(lock(&self.leases).round(lanes, owner, stays, give_back, self.now()))
    }

    /// The log is as near as this store: nothing has to be remembered.
    async fn partitions(&self, known: Option<u32>) -> Result<Option<u32>, StoreError> {
        Ok(known)
    }

    async fn pinned(&self) -> Result<Vec<(SeatingEventId, u32)>, StoreError> {
        Ok(self.each(|aggregate| (aggregate.state.id.clone(), aggregate.partition)))
    }

    async fn pinned_partition(&self, event: &SeatingEventId) -> Result<Option<u32>, StoreError> {
        Ok(self.with(event, |aggregate| aggregate.partition))
    }

    async fn backlogs(&self, events: &[SeatingEventId]) -> Vec<Backlog> {
        let waiting = |aggregate: &mut Aggregate| {
            let (at, written) = (aggregate.time(self.now()), aggregate.outbox.front()?.envelope.timestamp);
            let age = Duration::from_millis(at.saturating_sub(written));
            Some(Backlog { event: aggregate.state.id.clone(), entries: aggregate.outbox.len() as u64, age })
        };
        events.iter().filter_map(|event| self.with(event, waiting).flatten()).collect()
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

    /// The offset is of no use here: what is lost here is lost on the log too.
    async fn published(&self, event: &SeatingEventId, upto: u64, _offset: u64) -> Result<u64, StoreError> {
        let advance = |aggregate: &mut Aggregate| {
            let before = aggregate.published;
            aggregate.published(upto);
            let waiting = aggregate.outbox.len() as u64;
            if aggregate.published == before {
                return (waiting, Ticket::default());
            }
            let ticket = self.journal.write(Write::Published(event.clone(), aggregate.published));
            self.signal(Signal::Published(event.clone(), History::default(), aggregate.published));
            (waiting, ticket)
        };
        let Some((waiting, ticket)) = self.with(event, advance) else { return Ok(0) };
        // Whoever waits for the log was told already: lost with the process, this only makes the log repeat records.
        self.journal.committed(ticket).await?;
        Ok(waiting)
    }

    /// See [`published`](Self::published).
    async fn move_offsets(&self, _events: &[SeatingEventId], _offset: u64) {}

    /// What happened is in its own file, and nowhere else: all of it stays, and is found over again by the next process.
    async fn archive(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        _snapshot: u64,
    ) -> Result<bool, StoreError> {
        let archive = |aggregate: &mut Aggregate| aggregate.archive(sequence, self.now());
        Ok(self.with(event, archive).unwrap_or_default())
    }

    async fn archived(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    /// There is no other store.
    async fn distrust(&self, _event: &SeatingEventId, _why: Distrust) -> Result<(), StoreError> {
        Ok(())
    }

    async fn sweep(&self, events: &[SeatingEventId]) -> Swept {
        let (mut swept, mut last) = (Swept::default(), Ticket::default());
        for event in events {
            let sweep = |aggregate: &mut Aggregate| self.sweep_one(aggregate);
            if let Some(One { ended, ticket, due, is_over }) = self.with(event, sweep) {
                (swept.ended, last) = (swept.ended + ended, last.max(ticket));
                swept.next.push((event.clone(), due));
                swept.over.extend(is_over.then(|| event.clone()));
            }
        }
        match self.journal.committed(last).await {
            Ok(()) => swept,
            Err(error) => {
                tracing::debug!(%error, "what was released is not safe yet");
                Swept::default()
            }
        }
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        Ok(self.with(event, |aggregate| aggregate.published).unwrap_or_default())
    }

    fn signals(&self) -> broadcast::Receiver<Signal> {
        self.signals.subscribe()
    }
}

impl<J: SeatJournal> EmbeddedSeats<J> {
    /// Ends what is due. One in which something is, is not over before the next sweep.
    fn sweep_one(&self, aggregate: &mut Aggregate) -> One {
        let is_over = aggregate.is_over(self.now());
        let (mut ended, mut ticket) = (0, Ticket::default());
        while let Some(hold) = aggregate.next_due(self.now()) {
            if let Ok((_, written)) = self.decide(aggregate, &Command::Expire { hold }, &cause_of_nobody()) {
                (ended, ticket) = (ended + 1, written);
            }
        }
        if let Some(upto) = aggregate.forget_answers(self.now()) {
            ticket = self.journal.write(Write::Forgotten(aggregate.state.id.clone(), upto));
        }
        One { ended, ticket, due: aggregate.due_in(self.now()), is_over }
    }
}
