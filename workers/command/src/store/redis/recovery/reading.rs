//! One pass over what a partition of the log has from an offset on, for SeatingEvents of one server.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::record::Record;

use super::{Recovery, RecoveryError};
use crate::replay::records::{Records, envelope, identity};
use crate::replay::{Again, Found, Replay, Taken, WEIGHT};
use crate::store::StoreError;
use crate::store::redis::link::Link;
use crate::store::redis::slots::Shard;

/// What is to be recovered: a partition's SeatingEvents on one server.
pub(super) struct Target<'a> {
    pub(super) link: Arc<Link>,
    pub(super) shard: &'a Shard,
    pub(super) partition: u32,
}

/// What a pass began with, and what it came to.
#[derive(Default)]
pub(super) struct Reading {
    /// What Redis has of SeatingEvents, as far as anybody asked.
    pub(super) found: BTreeMap<SeatingEventId, Found>,
    /// Why what Redis has of them is of no use.
    pub(super) rebuilt: BTreeMap<SeatingEventId, Again>,
    /// By SeatingEvent; `None` where it is out of the fence already.
    pub(super) replays: HashMap<SeatingEventId, Option<Replay>>,
    /// Those that other passes were or will be for.
    pub(super) others: HashSet<SeatingEventId>,
    /// Those that there was no room for.
    pub(super) later: BTreeSet<SeatingEventId>,
    /// Those that cannot be worked out from where it began.
    pub(super) troubled: HashMap<SeatingEventId, String>,
    /// Those to begin anew with, and why.
    pub(super) again: HashMap<SeatingEventId, Again>,
    /// All that were met, of this server or another one.
    pub(super) met: HashSet<SeatingEventId>,
    /// About how many bytes its states take.
    pub(super) weight: u64,
}

impl Reading {
    /// Has `event` begin with `replay`; `None` where it is out of the fence already.
    pub(super) fn begin(&mut self, event: SeatingEventId, replay: Option<Replay>) {
        self.weight += replay.as_ref().map_or(0, Replay::weight);
        self.replays.insert(event, replay);
    }

    /// Whether `event` is nothing of this pass any more.
    fn is_done_with(&self, event: &SeatingEventId) -> bool {
        self.others.contains(event)
            || self.later.contains(event)
            || self.troubled.contains_key(event)
            || self.again.contains_key(event)
    }
}

impl Recovery {
    /// Reads every record of the partition from `from` up to `end` into `reading`.
    pub(super) async fn read(
        &self,
        target: &Target<'_>,
        from: u64,
        end: u64,
        reading: &mut Reading,
    ) -> Result<(), RecoveryError> {
        let mut records = Records::open(self.log.as_ref(), &self.topic, target.partition, from, end).await?;
        while let Some(some) = records.next().await? {
            for record in &some {
                self.take(target, record, reading).await?;
            }
        }
        Ok(())
    }

    /// Takes in one record. What is no domain event of a SeatingEvent of this server is none of its business.
    async fn take(
        &self,
        target: &Target<'_>,
        record: &Record,
        reading: &mut Reading,
    ) -> Result<(), StoreError> {
        let Some((event, sequence, id)) = identity(record) else { return Ok(()) };
        if !reading.met.contains(&event) {
            reading.met.insert(event.clone());
        }
        if reading.is_done_with(&event) {
            return Ok(());
        }
        if !reading.replays.contains_key(&event) {
            if !self.is_of(target.shard, &event) {
                return Ok(());
            }
            let found = match reading.found.get(&event) {
                Some(found) => found.clone(),
                None => self.store.found(&target.link, &event).await?,
            };
            let is_out = is_out(&found, &target.link);
            if !is_out && reading.weight >= WEIGHT {
                reading.later.insert(event);
                return Ok(());
            }
            let replay = (!is_out).then(|| {
                let mut replay = Replay::new(event.clone(), &found, reading.rebuilt.get(&event).copied());
                replay.partition = replay.partition.or(Some(record.partition));
                replay
            });
            reading.found.insert(event.clone(), found);
            reading.begin(event.clone(), replay);
        }
        let Some(Some(replay)) = reading.replays.get_mut(&event) else { return Ok(()) };
        let before = replay.weight();
        let mut step = replay.take(sequence, id, || envelope(record));
        if step == Taken::NeedsState && reading.found.get(&event).is_none_or(|found| found.archived.is_none())
        {
            match self.store.read_state(&target.link, &event).await {
                Ok(state) => {
                    replay.state = Some(state);
                    step = replay.take(sequence, id, || envelope(record));
                }
                // Of no use to this one, which is worked out from its snapshot or first record; others are not.
                Err(StoreError::Corrupt(trouble)) => step = Taken::Trouble(trouble),
                Err(error) => return Err(error),
            }
        }
        reading.weight += replay.weight() - before;
        match step {
            Taken::Done => {}
            Taken::Again(why) => drop(reading.again.insert(event, why)),
            Taken::Trouble(trouble) => drop(reading.troubled.insert(event, trouble)),
            Taken::NeedsState => {
                drop(reading.troubled.insert(event, "its state is not there".to_owned()));
            }
        }
        Ok(())
    }

    pub(super) fn is_of(&self, shard: &Shard, event: &SeatingEventId) -> bool {
        let owner = self.store.topology.owner(self.store.keys.event(event).slot());
        owner.as_ref() == Some(&shard.node)
    }
}

/// Whether it is out of the fence already. A stub never is, though a version that knows of no archive may have said so.
pub(super) fn is_out(found: &Found, link: &Link) -> bool {
    found.archived.is_none() && found.history.as_ref().is_some_and(|history| *history == link.history)
}
