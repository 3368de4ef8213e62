//! SeatingEvents that are over leave the store: not before what they came to is in the archive of the log.
//!
//! An owner that dies in between is followed by one that finds the archive there, or writes the same once more. Where none
//! can be written they stay in the store, and are found again by the next sweep.

use std::collections::BTreeSet;
use std::error::Error;
use std::sync::Arc;

use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::log::LogError;
use boxoffice_runtime::record::NewRecord;
use boxoffice_runtime::settings::archive_topic;
use tokio::task::spawn_blocking;

use super::{Changed, Folder, Writer};
use crate::archive::shelf::Shelf;
use crate::archive::{Archive, ArchiveError, Head, records_of};
use crate::snapshot::Snapshot;
use crate::snapshot::index::{SnapshotAt, load};
use crate::store::StoreError;

/// Why one stays in the store.
#[derive(Debug, thiserror::Error)]
enum Stays {
    /// The store did not do its part.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it came to cannot be told.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The log did not take it: nothing more is written with this right.
    #[error(transparent)]
    Append(LogError),
}

impl Folder {
    /// Archives those of `events` that can be; of which not everything is in a snapshot yet.
    pub(super) async fn archive(
        &mut self,
        partition: u32,
        events: BTreeSet<SeatingEventId>,
    ) -> BTreeSet<SeatingEventId> {
        let mut writer = match self.writer(partition).await {
            Ok(Some(writer)) => writer,
            Ok(None) => return BTreeSet::new(),
            Err(error) => {
                self.failed(partition, &error);
                return events;
            }
        };
        let mut left = BTreeSet::new();
        for event in events {
            match self.archive_one(partition, &event, &mut writer).await {
                Ok(true) => {
                    tracing::info!(%event, "archived");
                    self.shared.forget(&event);
                }
                Ok(false) => drop(left.insert(event)),
                Err(Stays::Store(error)) => {
                    tracing::debug!(%event, %error, "it cannot be archived now");
                    left.insert(event);
                }
                Err(Stays::Archive(error @ ArchiveError::Unusable { .. })) => {
                    self.archives.failures.inc();
                    if self.troubled.insert(event.clone()) {
                        tracing::warn!(%event, %error, "it is over and stays in the store");
                    }
                }
                Err(Stays::Archive(
                    error @ (ArchiveError::Log(_) | ArchiveError::Records(_) | ArchiveError::Snapshot(_)),
                )) => {
                    self.unwritten(partition, &error);
                    break;
                }
                Err(Stays::Append(error)) => {
                    self.unwritten(partition, &error);
                    return left;
                }
            }
        }
        self.writers.insert(partition, writer);
        left
    }

    /// No archive can be written, of this one and of those behind it. What is over stays where it is.
    fn unwritten(&mut self, partition: u32, error: &dyn Error) {
        self.archives.failures.inc();
        if std::mem::replace(&mut self.is_told, true) {
            tracing::debug!(partition, %error, "no archives can be written");
        } else {
            tracing::warn!(partition, %error, "no archives can be written: what is over stays in the store");
        }
    }

    /// Tells what one came to and has the store let it go: whether it did.
    async fn archive_one(
        &mut self,
        partition: u32,
        event: &SeatingEventId,
        writer: &mut Writer,
    ) -> Result<bool, Stays> {
        let shared = Arc::clone(&self.shared);
        let (log, topic) = (shared.log.as_ref(), shared.topic.as_str());
        let sequence = shared.outbox.watermark(event).await?;
        let at = writer.index.place_of(event).filter(|at| at.head.sequence == sequence);
        if self.keeps && at.is_none() {
            return Ok(false);
        }
        let known = match &mut writer.shelf {
            Some(known) => known,
            unread => unread.insert(Shelf::read(log, topic, partition).await?),
        };
        if !known.has(event, sequence) {
            let snapshot = self.told(partition, event, at).await?;
            // It has gone on meanwhile, or its snapshot was replaced.
            let Some(snapshot) = snapshot.filter(|told| told.state.sequence == sequence) else {
                return Ok(false);
            };
            let Some((head, records)) = recorded(snapshot, known.pieces_of(event)).await? else {
                return Ok(false);
            };
            writer.right.append(&archive_topic(topic), records).await.map_err(Stays::Append)?;
            known.written(event.clone(), head);
            self.archives.written.inc();
            if std::mem::take(&mut self.is_told) {
                tracing::info!("archives are written again");
            }
        }
        Ok(shared.outbox.archive(event, sequence, at.map_or(0, |at| at.first)).await?)
    }

    /// What the log says of one: its snapshot, or where none are kept all that was published.
    async fn told(
        &mut self,
        partition: u32,
        event: &SeatingEventId,
        at: Option<SnapshotAt>,
    ) -> Result<Option<Snapshot>, ArchiveError> {
        let shared = Arc::clone(&self.shared);
        let (log, topic) = (shared.log.as_ref(), shared.topic.as_str());
        if let Some(at) = at {
            let mut loaded = load(log, topic, partition, &[(event.clone(), at)]).await?;
            let loaded = loaded.pop().map(|loaded| loaded.snapshot).transpose();
            let unusable = |reason: String| ArchiveError::Unusable { event: event.clone(), reason };
            return loaded.map_err(|error| unusable(error.to_string()));
        }
        let (begin, end) = log.bounds(topic, partition).await?;
        let all = vec![Changed { event: event.clone(), at: None, events: 0 }];
        let replayed = self.replays(partition, (begin, end), all).await?.pop();
        Ok(replayed.and_then(|(replay, _)| replay.into_snapshot(partition, end)))
    }
}

/// The records of what a snapshot came to, made where that may take a while; `None` of one that was purged.
async fn recorded(snapshot: Snapshot, before: u32) -> Result<Option<(Head, Vec<NewRecord>)>, ArchiveError> {
    let event = snapshot.state.id.clone();
    let work = spawn_blocking(move || match Archive::of(&snapshot)? {
        Some(archive) => records_of(&archive, before).map(Some),
        None => Ok(None),
    });
    work.await.unwrap_or_else(|error| Err(ArchiveError::Unusable { event, reason: error.to_string() }))
}
