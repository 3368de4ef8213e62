//! Writes a SeatingEvent that was read back from the log, and takes it out of the fence.
//!
//! What is written stands beside what is there until one script puts it in its place (`recover.lua`): a recovery that
//! ends half-way leaves Redis as it found it, and one that comes too late changes nothing. This is the one place that
//! knows all the keys of a SeatingEvent that have to be built anew.

use std::sync::Arc;

use boxoffice_domain::{SeatingEventId, SeatingEventState, UnixMillis};
use redis::Pipeline;
use uuid::Uuid;

use crate::replay::{Again, Found, Replay};
use crate::store::StoreError;
use crate::store::redis::RedisStore;
use crate::store::redis::entry::{self, Stored};
use crate::store::redis::floor_plan::FloorPlan;
use crate::store::redis::link::Link;
use crate::store::redis::state::{StateRecords, write};
use crate::store::redis::wire::args::Recovering;
use crate::store::redis::wire::{FoundMeta, RECORD_FORMAT, ServerHistory};

/// Fields written by one command, and such commands sent in one go.
const CHUNK: (usize, usize) = (500, 20);
/// Entries of an outbox read in one go.
const ENTRIES: usize = 1000;
/// How long what a recovery wrote may wait to be put in its place.
const KEPT_MS: u64 = 600_000;

impl RedisStore {
    /// What Redis has of a SeatingEvent. What waits of it that nobody can read is no reason to know nothing of all others.
    pub(super) async fn found(&self, link: &Arc<Link>, event: &SeatingEventId) -> Result<Found, StoreError> {
        let mut read = redis::cmd("HMGET");
        read.arg(self.keys.event(event).meta()).arg(FoundMeta::FIELDS);
        let mut found: FoundMeta = self.on(link, link.query(&read).await)?;
        let is_there = found.revision.is_some() || found.sequence.is_some();
        if found.format != Some(RECORD_FORMAT) {
            // Records of another version: they are worked out again from the first event.
            (found.history, found.sequence, found.offset) = (None, None, None);
        }
        let last = last_id(&found);
        let FoundMeta { history, sequence, published, partition, offset, archived, .. } = found;
        let mut found = Found {
            is_there,
            history,
            offset,
            archived,
            sequence: sequence.unwrap_or_default(),
            published: published.unwrap_or_default(),
            partition,
            ..Found::default()
        };
        found.known.extend(last.map(|id| (found.sequence, id)));
        for (sequence, id, after) in self.waiting(link, event).await?.iter().filter_map(entry::identity) {
            if let Some(after) = after {
                found.known.entry(sequence.saturating_sub(1)).or_insert(after);
            }
            found.known.insert(sequence, id);
        }
        Ok(found)
    }

    /// Everything that waits to be published.
    async fn waiting(&self, link: &Arc<Link>, event: &SeatingEventId) -> Result<Vec<Stored>, StoreError> {
        let (outbox, mut from) = (self.keys.event(event).outbox().to_owned(), "-".to_owned());
        let mut all = vec![];
        loop {
            let mut read = redis::cmd("XRANGE");
            read.arg(&outbox).arg(&from).arg("+").arg("COUNT").arg(ENTRIES);
            let some: Vec<Stored> = self.on(link, link.query(&read).await)?;
            let Some((last, _)) = some.last() else { return Ok(all) };
            from = format!("({last}");
            all.extend(some);
        }
    }

    /// Takes `event` out of the fence with what `replay` made of it, which is all that lies before `offset` on the log.
    pub(super) async fn put_back(
        &self,
        link: &Arc<Link>,
        event: &SeatingEventId,
        mut replay: Replay,
        now: UnixMillis,
        offset: u64,
    ) -> Result<(), StoreError> {
        // What Redis has goes on as it is, with what waits of it.
        let waiting = if replay.state.is_some() { self.waiting(link, event).await? } else { vec![] };
        let waiting =
            waiting.iter().map(|stored| entry::read(event, stored)).collect::<Result<Vec<_>, _>>()?;
        let goes_on = replay.go_on_with(&waiting);
        let keys = self.keys.event(event);
        let beside = keys.beside(Uuid::new_v4());
        let mut recover = self.scripts.recover.tell(&Recovering {
            history: ServerHistory,
            channel: self.keys.signals(),
            event,
            logged: replay.logged,
            offset,
            state: if replay.replaces() { "replace" } else { "keep" },
            purged: replay.purged,
            waiting: if goes_on { "keep" } else { "drop" },
            last: replay.last,
        });
        recover.key(&keys.all()).key(&beside);
        if replay.replaces()
            && let Some(state) = &replay.state
        {
            let written = write(state, now);
            self.write_beside(link, &beside, &written).await?;
            let fields = meta(state, &replay, &written)?;
            let fields: Vec<_> =
                fields.into_iter().flat_map(|(field, value)| [field.to_owned(), value]).collect();
            recover.list(fields.iter());
            if let Some(sale) = &state.sale {
                FloorPlan::new(sale.chart(), sale.seating()).tell(&mut recover);
            }
        }
        let _: bool = self.on(link, link.invoke(&recover).await)?;
        Ok(())
    }

    /// Writes hashes and deadlines beside what is there.
    async fn write_beside(
        &self,
        link: &Arc<Link>,
        beside: &[String; 5],
        written: &StateRecords,
    ) -> Result<(), StoreError> {
        let [hashes @ .., deadlines] = beside;
        let mut pipe = Pipeline::new();
        for (key, fields) in hashes.iter().zip(&written.hashes) {
            for some in fields.chunks(CHUNK.0) {
                pipe.cmd("HSET").arg(key).arg(some).ignore();
                self.keep_for_a_while(link, &mut pipe, key).await?;
            }
        }
        for some in written.deadlines.chunks(CHUNK.0) {
            pipe.cmd("ZADD").arg(deadlines).arg(some).ignore();
            self.keep_for_a_while(link, &mut pipe, deadlines).await?;
        }
        if pipe.is_empty() { Ok(()) } else { self.on(link, link.query_all(&pipe).await) }
    }

    /// Has what `pipe` writes to `key` go away by itself, and sends it all when there is enough of it.
    async fn keep_for_a_while(
        &self,
        link: &Arc<Link>,
        pipe: &mut Pipeline,
        key: &str,
    ) -> Result<(), StoreError> {
        pipe.cmd("PEXPIRE").arg(key).arg(KEPT_MS).ignore();
        if pipe.len() < 2 * CHUNK.1 {
            return Ok(());
        }
        let () = self.on(link, link.query_all(pipe).await)?;
        pipe.clear();
        Ok(())
    }

    /// Keeps a SeatingEvent that the log has and that cannot be worked out behind the fence, where Redis has nothing
    /// of it: else it would count as one that never was.
    pub(super) async fn keep_behind_the_fence(
        &self,
        link: &Arc<Link>,
        event: &SeatingEventId,
        partition: u32,
    ) -> Result<(), StoreError> {
        let keys = self.keys.event(event);
        let mut mark = redis::pipe();
        mark.cmd("HSETNX").arg(keys.meta()).arg("revision").arg("lost").ignore();
        mark.cmd("HSETNX").arg(keys.meta()).arg("partition").arg(partition).ignore();
        self.on(link, link.query_all::<()>(&mark).await)
    }

    /// Passes on an answer of `link`, which is given up where nothing more comes of it.
    pub(super) fn on<T>(&self, link: &Arc<Link>, answer: redis::RedisResult<T>) -> Result<T, StoreError> {
        Ok(self.topology.heed(link, answer)?)
    }
}

/// The id of the last domain event, where `last` is of the sequence and the time beside it (`scripts/lib/last.lua`).
fn last_id(FoundMeta { sequence, time, last, .. }: &FoundMeta) -> Option<Uuid> {
    let begins = format!("{} {} ", (*sequence)?, (*time)?);
    Uuid::try_parse(last.as_deref()?.strip_prefix(&begins)?).ok()
}

/// The fields of `meta` that take the place of those that are there.
fn meta(
    state: &SeatingEventState,
    replay: &Replay,
    written: &StateRecords,
) -> Result<Vec<(&'static str, String)>, StoreError> {
    let mut fields = vec![
        ("sequence", state.sequence.to_string()),
        ("format", RECORD_FORMAT.to_string()),
        ("time", replay.time.to_string()),
    ];
    if let Some(sale) = &state.sale {
        let definition = serde_json::to_string(&sale.definition)
            .map_err(|error| StoreError::Corrupt(format!("definition: {error}")))?;
        let [held, reserved, blocked] = written.counts.map(|count| count.to_string());
        fields.extend([("held", held), ("reserved", reserved), ("blocked", blocked)]);
        fields.push(("definition", definition));
        fields.push(("total", sale.chart().len().to_string()));
        fields.push(("closed", u8::from(sale.closed).to_string()));
    }
    // Where none was applied, the revision that stands is the one of the definition that stands.
    fields.extend(replay.revision.map(|revision| ("revision", revision.to_string())));
    fields.extend(replay.partition.map(|partition| ("partition", partition.to_string())));
    Ok(fields)
}

impl Again {
    /// For the log of this process.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Fork => "the log has another history than redis, and is taken for the true one",
            Self::BornAgain => {
                "it was purged without a domain event and created anew: what came before is left out"
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_event_is_known_where_it_is_of_the_sequence_and_the_time_beside_it() {
        let (id, meta) = (
            Uuid::from_u128(9),
            FoundMeta {
                revision: None,
                history: None,
                format: None,
                sequence: Some(7),
                published: None,
                time: Some(1000),
                last: None,
                partition: None,
                offset: None,
                archived: None,
            },
        );
        let known = |last: String| last_id(&FoundMeta { last: Some(last), ..meta.clone() });
        assert_eq!(known(format!("7 1000 {id}")), Some(id));
        for other in
            [format!("6 1000 {id}"), format!("7 999 {id}"), format!("7 10001 {id}"), "7 1000 ".into()]
        {
            assert_eq!(known(other.clone()), None, "{other}");
        }
        assert_eq!(last_id(&meta), None);
        assert_eq!(last_id(&FoundMeta { sequence: None, last: Some(format!("7 1000 {id}")), ..meta }), None);
    }
}
