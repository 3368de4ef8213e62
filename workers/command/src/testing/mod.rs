//! What stands behind the ports in this crate's tests: the embedded seat store with nothing behind it, and a log in memory.

mod log;

mod memory;

use std::io::Write;

use boxoffice_domain::{CorrelationId, Definition, SeatingEventId, SeatingEventState, evolve};
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::NewRecord;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;
use uuid::Uuid;

pub use log::FakeLog;
pub use memory::Memory;

use crate::archive::{Archive, records_of};
use crate::snapshot::{FORMAT, Snapshot};
use crate::store::{Cause, Outbox, SeatStore};

/// Three seats in row A-1, two standing places, and one blocked seat; a hold lasts 300 s and a user may claim four.
pub fn definition() -> Definition {
    serde_json::from_value(json!({
        "title": "Arena Night", "startsAt": 4_000_000_000_000_u64,
        "limits": {"seatsPerUser": 4},
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [
            {"id": "A", "priceCategory": "gold", "rows": [{"row": "1", "seats": "1-4"}]},
            {"id": "FLOOR", "priceCategory": "gold", "capacity": 2}
        ],
        "blocked": [{"seats": ["A-1-4"], "reason": "camera"}]
    }))
    .unwrap()
}

/// The id of the SeatingEvent that tests sell.
pub fn arena() -> SeatingEventId {
    "arena-night".parse().unwrap()
}

/// Makes it exist.
pub async fn provisioned(store: &Memory) -> SeatingEventId {
    store.provision(&arena(), &definition(), 3, &cause()).await.unwrap().unwrap();
    arena()
}

/// A cause like any other.
pub fn cause() -> Cause {
    let correlation = CorrelationId::from(Uuid::new_v4());
    Cause { command: Uuid::new_v4(), correlation, user: None, traceparent: None, idempotency: None }
}

/// The snapshot of all that has happened.
pub async fn folded(store: &Memory) -> Snapshot {
    let (partition, entries) = store.unpublished(&arena(), 1000).await.unwrap();
    let mut state = SeatingEventState::new(arena());
    for entry in &entries {
        evolve(&mut state, &entry.envelope);
    }
    let offset = entries.len() as u64;
    let time = entries.last().unwrap().envelope.timestamp;
    let revision = Some(entries[0].envelope.metadata.causation_id);
    Snapshot { format: FORMAT, partition, offset, time, revision, state }
}

/// Puts it on `log`, beside `topic`, as folders do.
pub async fn snapshot(store: &Memory, log: &FakeLog, topic: &str) {
    let snapshot = folded(store).await;
    let text = serde_json::to_vec(&snapshot).unwrap();
    let Snapshot { partition, offset, time, state, .. } = snapshot;
    let mut packed = GzEncoder::new(vec![], Compression::fast());
    packed.write_all(&text).unwrap();
    let size = text.len() as u64;
    let headers = [
        ("snapshot-format", FORMAT.into()),
        ("sequence", state.sequence),
        ("offset", offset),
        ("pieces", 1),
        ("size", size),
    ];
    let headers =
        headers.map(|(name, value): (&str, u64)| (name.to_owned().into(), value.to_string().into()));
    let record = NewRecord {
        partition,
        key: format!("{}/0", arena()),
        value: packed.finish().unwrap(),
        headers: headers.into(),
        timestamp: time,
    };
    log.publish(&format!("{topic}.snapshots"), vec![record]).await.unwrap();
}

/// Puts the archive of all that has happened there.
pub async fn archive(store: &Memory, log: &FakeLog, topic: &str) {
    let archive = Archive::of(&folded(store).await).unwrap().unwrap();
    let (_, records) = records_of(&archive, 0).unwrap();
    log.publish(&format!("{topic}.archive"), records).await.unwrap();
}
