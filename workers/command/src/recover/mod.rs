//! What an owner of a lane does about what its store lost (I7): the port. Redis' side of it is
//! [`store::redis::recovery`](crate::store::redis::recovery); a store that is its own log loses nothing.

mod last_events;

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::LogError;

use crate::replay::records::RecordsError;
use crate::snapshot::SnapshotError;
use crate::store::{Distrust, StoreError};
pub use last_events::{Last, LastEvents};

/// Why a recovery did not end.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log did not.
    #[error(transparent)]
    Log(#[from] LogError),
    /// What the log has was not to be had from its snapshots.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The log gave no records.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

/// What whoever has just fenced learns of a partition.
#[derive(Debug, Default)]
pub struct Compared {
    /// SeatingEvents of which the log has something that the store does not know, for somebody sold them on another store,
    /// or something else.
    pub contradicted: BTreeMap<SeatingEventId, Distrust>,
    /// What the log has last of each SeatingEvent, as far as it was read.
    pub last_events: LastEvents,
}

/// See the module. Whoever calls it owns the lane of the partition and has fenced every earlier owner.
#[async_trait]
pub trait Recover: Send + Sync + 'static {
    /// Which of `partitions` lack something that the log has, or may lack it.
    async fn wanting(&self, partitions: &[u32]) -> BTreeSet<u32>;

    /// Compares what the store has of `partition` with what the log has, since the store was known to have all of it. To be
    /// asked by whoever has just fenced, before anything is published.
    async fn compare(&self, partition: u32) -> Result<Compared, RecoveryError>;

    /// Puts back what the store lacks of `partition`, and of `doubted` in any case.
    async fn recover(&self, partition: u32, doubted: &BTreeSet<SeatingEventId>) -> Result<(), RecoveryError>;

    /// The store has everything of `partition` that lies before `offset`.
    async fn reached(&self, partition: u32, offset: u64);
}

/// Of a store that loses nothing that the log has.
pub struct NothingIsLost;

#[async_trait]
impl Recover for NothingIsLost {
    async fn wanting(&self, _partitions: &[u32]) -> BTreeSet<u32> {
        BTreeSet::new()
    }

    async fn compare(&self, _partition: u32) -> Result<Compared, RecoveryError> {
        Ok(Compared::default())
    }

    async fn recover(
        &self,
        _partition: u32,
        _doubted: &BTreeSet<SeatingEventId>,
    ) -> Result<(), RecoveryError> {
        Ok(())
    }

    async fn reached(&self, _partition: u32, _offset: u64) {}
}
