//! The side of the store that owners of lanes use: leases, the events that wait, the published watermark, and what is due.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{SeatingEventId, UnixMillis};
use futures::future::join_all;
use redis::{InfoDict, RedisResult};
use tokio::sync::broadcast;
use tokio::time::timeout;
use uuid::Uuid;

use super::RedisStore;
use super::entry::{self, Stored};
use super::fence::{FORK, SPLIT, is_behind};
use super::history::{self, REPLICATION};
use super::link::Link;
use super::places;
use super::wire::ServerHistory;
use super::wire::args::{Distrusting, LeaseRound, Publishing};
use crate::store::{
    Backlog, Distrust, History, LEASE_LIFE, Lease, Outbox, OutboxEntry, Round, Signal, StoreError, Swept,
};

/// The history, the partition and the snapshot of one that is archived in `meta`, what waits, and what the server says of
/// itself after that.
type Waiting = ((Option<String>, Option<u32>, Option<u64>), Vec<Stored>, InfoDict);

const LEASE_LIFE_MS: u64 = LEASE_LIFE.as_secs() * 1000 + LEASE_LIFE.subsec_millis() as u64;
/// SeatingEvents asked about in one pipeline.
const AT_ONCE: usize = 1000;

#[async_trait]
impl Outbox for RedisStore {
    async fn round(
        &self,
        owner: Uuid,
        stays: bool,
        lanes: u32,
        give_back: &[u32],
    ) -> Result<Round, StoreError> {
        if lanes == 0 {
            return Ok(Round { leases: vec![], share: 0 });
        }
        let told = LeaseRound { relay: owner, stays, life: LEASE_LIFE_MS, lanes };
        let mut failed = StoreError::Unavailable("no place of the leases is known".into());
        for place in 0..self.places {
            let mut round = self.scripts.lease_round.tell(&told);
            round.key(self.keys.leases(place)).key(self.keys.relays(place));
            round.arg(self.lease_place.given_back(place, lanes, give_back));
            let asked = self.invoke_script::<Vec<u64>>(&round);
            let answer = if place + 1 == self.places {
                asked.await
            } else {
                let late = |_| StoreError::Unavailable("a place of the leases does not answer".into());
                timeout(places::ANSWER, asked).await.map_err(late).flatten()
            };
            match answer {
                Ok(answer) => {
                    let corrupt = || StoreError::Corrupt(format!("a round gave {answer:?}"));
                    let round = read_round(&answer).ok_or_else(corrupt)?;
                    return Ok(self.lease_place.answered(place, round));
                }
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    async fn partitions(&self, known: Option<u32>) -> Result<Option<u32>, StoreError> {
        let commands = (0..self.places).map(|place| match known {
            Some(count) => {
                redis::cmd("SET").arg(self.keys.partitions(place)).arg(count).arg("GET").to_owned()
            }
            None => redis::cmd("GET").arg(self.keys.partitions(place)).to_owned(),
        });
        let commands: Vec<_> = commands.collect();
        let asked = join_all(commands.iter().map(|command| self.query::<Option<u32>>(command))).await;
        // Topics only grow: the highest is the latest.
        let answers = asked.into_iter().reduce(|one, other| match (one, other) {
            (Ok(one), Ok(other)) => Ok(one.max(other)),
            (Ok(answer), Err(_)) | (Err(_), Ok(answer)) => Ok(answer),
            (Err(error), Err(_)) => Err(error),
        });
        Ok(known.or(answers.transpose()?.flatten()))
    }

    async fn pinned(&self) -> Result<Vec<(SeatingEventId, u32)>, StoreError> {
        self.all_pinned().await
    }

    async fn pinned_partition(&self, event: &SeatingEventId) -> Result<Option<u32>, StoreError> {
        let mut read = redis::cmd("HGET");
        read.arg(self.keys.event(event).meta()).arg("partition");
        self.query(&read).await
    }

    async fn backlogs(&self, events: &[SeatingEventId]) -> Vec<Backlog> {
        let servers = self.by_server(events.to_vec()).into_iter().map(|events| async move {
            let mut backlogs = vec![];
            for events in events.chunks(AT_ONCE) {
                match self.backlogs_of(events).await {
                    Ok(some) => backlogs.extend(some),
                    Err(error) => tracing::debug!(%error, "what waits on a server is not known"),
                }
            }
            backlogs
        });
        join_all(servers).await.into_iter().flatten().collect()
    }

    async fn unpublished(
        &self,
        event: &SeatingEventId,
        max: usize,
    ) -> Result<(u32, Vec<OutboxEntry>), StoreError> {
        let keys = self.keys.event(event);
        let mut read = redis::pipe();
        read.cmd("HMGET").arg(keys.meta()).arg(&["history", "partition", "archived"]);
        // The stream begins above the watermark: it is trimmed in the step that advances it.
        read.cmd("XRANGE").arg(keys.outbox()).arg("-").arg("+").arg("COUNT").arg(max);
        read.cmd("INFO").arg(REPLICATION);
        let read = &read;
        let ask = |link: Arc<Link>| async move {
            let (meta, entries, about) = link.query_all::<Waiting>(read).await?;
            // What another history has in these places must not be on the log.
            history::confirm_replication(&about, &link.history)?;
            Ok((link.history.clone(), meta, entries))
        };
        let (history, (recovered, partition, archived), entries) =
            self.topology.ask(keys.slot(), ask).await?;
        if archived.is_some() {
            // Whoever is told that it is behind the fence recovers it: from then on it has to be found.
            self.unshelve(event).await?;
        }
        let is_there = recovered.is_some() || archived.is_some() || !entries.is_empty();
        if is_behind(is_there, recovered.as_deref(), &history) {
            return Err(self.behind_the_fence(event));
        }
        // What Redis could still lose must not be on the log (I7).
        if !entries.is_empty() {
            for level in &self.levels {
                self.secure(keys.slot(), *level, &history).await?;
            }
        }
        // Of a collected `Result` nobody knows how many there will be, and these are large to move.
        let mut waiting = Vec::with_capacity(entries.len());
        for stored in &entries {
            waiting.push(entry::read(event, stored)?);
        }
        Ok((partition.unwrap_or_default(), waiting))
    }

    async fn published(&self, event: &SeatingEventId, upto: u64, offset: u64) -> Result<u64, StoreError> {
        let keys = self.keys.event(event);
        let told = Publishing { upto, offset, channel: self.keys.signals(), event, history: ServerHistory };
        let mut published = self.scripts.published.tell(&told);
        published.key(keys.meta()).key(keys.outbox()).about(event);
        self.invoke_script(&published).await
    }

    async fn move_offsets(&self, events: &[SeatingEventId], offset: u64) {
        let moves = self.by_server(events.to_vec()).into_iter().map(|events| async move {
            for events in events.chunks(AT_ONCE) {
                if let Err(error) = self.move_offsets_of(events, offset).await {
                    tracing::debug!(%error, "the offsets of a server's SeatingEvents stay behind");
                }
            }
        });
        join_all(moves).await;
    }

    async fn archive(
        &self,
        event: &SeatingEventId,
        sequence: u64,
        snapshot: u64,
    ) -> Result<bool, StoreError> {
        self.run_archive(event, sequence, snapshot).await
    }

    async fn archived(&self) -> Result<u64, StoreError> {
        self.count_archived().await
    }

    async fn distrust(&self, event: &SeatingEventId, why: Distrust) -> Result<(), StoreError> {
        let mark = match why {
            Distrust::Split => SPLIT,
            Distrust::Fork => FORK,
        };
        let mut distrust = self.scripts.distrust.tell(&Distrusting { history: ServerHistory, mark });
        distrust.key(self.keys.event(event).meta());
        self.invoke_script::<bool>(&distrust).await.map(drop)
    }

    async fn sweep(&self, events: &[SeatingEventId]) -> Swept {
        self.sweep_all(events).await
    }

    async fn watermark(&self, event: &SeatingEventId) -> Result<u64, StoreError> {
        let keys = self.keys.event(event);
        let mut read = redis::cmd("HMGET");
        read.arg(keys.meta()).arg(&["history", "published"]);
        let read = &read;
        let ask = |link: Arc<Link>| async move { Ok((link.history.clone(), link.query(read).await?)) };
        let (history, (recovered, published)): (_, (Option<String>, Option<u64>)) =
            self.topology.ask(keys.slot(), ask).await?;
        if is_behind(recovered.is_some() || published.is_some(), recovered.as_deref(), &history) {
            return Err(self.behind_the_fence(event));
        }
        Ok(published.unwrap_or_default())
    }

    async fn history(&self, event: &SeatingEventId) -> Result<History, StoreError> {
        let slot = self.keys.event(event).slot();
        self.topology.ask(slot, |link| async move { Ok(link.history.clone()) }).await
    }

    async fn dropped(&self, event: &SeatingEventId) -> Result<(History, UnixMillis), StoreError> {
        let keys = self.keys.event(event);
        let mut read = redis::cmd("HGET");
        read.arg(keys.meta()).arg("dropped");
        let read = &read;
        let ask = |link: Arc<Link>| async move {
            Ok((link.history.clone(), link.query::<Option<UnixMillis>>(read).await?))
        };
        let (history, dropped) = self.topology.ask(keys.slot(), ask).await?;
        Ok((history, dropped.unwrap_or_default()))
    }

    /// A listener that lags far behind is told so by the channel (`Lagged`), which means [`Signal::Missed`].
    fn signals(&self) -> broadcast::Receiver<Signal> {
        let closed = || broadcast::channel(1).1;
        self.signals.upgrade().map_or_else(closed, |signals| signals.subscribe())
    }
}

impl RedisStore {
    /// Moves the offsets of SeatingEvents of one server, at least one, in one go.
    async fn move_offsets_of(&self, events: &[SeatingEventId], offset: u64) -> Result<(), StoreError> {
        let (slot, channel) = (self.slot_of_first(events), self.keys.signals());
        let moves = events.iter().map(|event| {
            let told = Publishing { upto: 0, offset, channel, event, history: ServerHistory };
            let (keys, mut moved) = (self.keys.event(event), self.scripts.published.tell(&told));
            moved.key(keys.meta()).key(keys.outbox());
            moved
        });
        let moves: Vec<_> = moves.collect();
        let moves = &moves;
        let ask = |link: Arc<Link>| async move {
            let mut run = redis::pipe();
            // What is wrong with one of them is no reason not to move the others.
            run.ignore_errors();
            if let Some(first) = moves.first() {
                run.add_command(first.load()).ignore();
            }
            for one in moves {
                run.add_command(one.command(&link.history));
            }
            link.query_all::<Vec<RedisResult<u64>>>(&run).await
        };
        for (event, moved) in events.iter().zip(self.topology.ask(slot, ask).await?) {
            if let Err(error) = moved {
                tracing::debug!(%event, %error, "its offset stays behind");
            }
        }
        Ok(())
    }

    /// What waits of SeatingEvents of one server.
    async fn backlogs_of(&self, events: &[SeatingEventId]) -> Result<Vec<Backlog>, StoreError> {
        let slot = self.slot_of_first(events);
        let waiting = self.behind(slot, events).await?;
        if waiting.is_empty() {
            return Ok(vec![]);
        }
        let now: UnixMillis = self.invoke_script(&self.time(slot)).await?;
        let mut read = redis::pipe();
        for (event, _) in &waiting {
            read.cmd("XRANGE").arg(self.keys.event(event).outbox()).arg("-").arg("+").arg("COUNT").arg(1);
        }
        let firsts: Vec<Vec<Stored>> = self.query_all(slot, &read).await?;
        let backlogs = waiting.into_iter().zip(firsts).filter_map(|((event, entries), first)| {
            // None where it was published meanwhile.
            let first = first.first()?;
            // Its lane says what is wrong with an entry without a time; all others can still be looked at.
            let written = entry::written(first).unwrap_or(now);
            let age = Duration::from_millis(now.saturating_sub(written));
            Some(Backlog { event: event.clone(), entries, age })
        });
        Ok(backlogs.collect())
    }

    /// Those of `events` of which something waits, and how many entries.
    async fn behind<'a>(
        &self,
        slot: u16,
        events: &'a [SeatingEventId],
    ) -> Result<Vec<(&'a SeatingEventId, u64)>, StoreError> {
        let mut read = redis::pipe();
        for event in events {
            read.cmd("HMGET").arg(self.keys.event(event).meta()).arg(&["sequence", "published"]);
        }
        let heads: Vec<(Option<u64>, Option<u64>)> = self.query_all(slot, &read).await?;
        let depth = |(sequence, published): (Option<u64>, Option<u64>)| {
            sequence.unwrap_or_default().saturating_sub(published.unwrap_or_default())
        };
        Ok(events.iter().zip(heads.into_iter().map(depth)).filter(|(_, depth)| *depth > 0).collect())
    }
}

/// `scripts/lease_round.lua`: the share, then lane and token of each lease.
fn read_round(answer: &[u64]) -> Option<Round> {
    let (share, leases) = answer.split_first()?;
    let leases = leases.chunks(2).map(|pair| match pair {
        [lane, token] => Some(Lease { lane: u32::try_from(*lane).ok()?, token: *token }),
        _ => None,
    });
    Some(Round { leases: leases.collect::<Option<_>>()?, share: usize::try_from(*share).ok()? })
}
