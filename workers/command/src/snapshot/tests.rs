use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::state::Seat;
use boxoffice_domain::{Command, evolve};
use boxoffice_runtime::record::{CE_SEQUENCE, NewRecord, Record, encode};
use uuid::Uuid;

use super::chunks::{Head, put_together, records_of};
use super::folder::Folder;
use super::index::{Index, load};
use super::*;
use crate::durability::Durability;
use crate::recover::NothingIsLost;
use crate::relay::{Logged, RelayMetrics, Shared};
use crate::store::{LANES, Outbox, OutboxEntry, SeatStore};
use crate::testing::{FakeLog, Memory, arena, cause, provisioned};

const TOPIC: &str = "seat-events";
/// Where the tests' SeatingEvent is pinned.
const PARTITION: u32 = 3;

/// A sale whose owner publishes and folds.
struct Sale {
    store: Arc<Memory>,
    log: Arc<FakeLog>,
    shared: Arc<Shared>,
    published: u64,
}

impl Sale {
    async fn new() -> Self {
        let (store, log) = (Arc::new(Memory::default()), Arc::new(FakeLog::default()));
        provisioned(&store).await;
        let shared = Shared::new(
            Arc::clone(&store) as _,
            Arc::clone(&log) as _,
            Arc::new(NothingIsLost),
            TOPIC.into(),
            "tickets/main".into(),
            Durability::default(),
            RelayMetrics::default(),
        );
        shared.has_partitions(LANES);
        shared.leases.keep().await.unwrap();
        Self { store, log, shared: Arc::new(shared), published: 0 }
    }

    /// Publishes what waits.
    async fn publish(&mut self) {
        let (partition, entries) = self.store.unpublished(&arena(), 100).await.unwrap();
        let new = entries.iter().filter(|entry| entry.envelope.metadata.sequence > Some(self.published));
        let record = |entry: &OutboxEntry| encode(&entry.envelope, partition, "tickets/main", None).unwrap();
        let records: Vec<_> = new.map(record).collect();
        self.published += records.len() as u64;
        let mut right = self.log.appender("tickets/main/3").await.unwrap();
        right.append(TOPIC, records).await.unwrap();
    }

    /// What the log says by now.
    async fn expected(&self) -> SeatingEventState {
        let (_, entries) = self.store.unpublished(&arena(), 100).await.unwrap();
        let mut state = SeatingEventState::new(arena());
        for entry in entries {
            evolve(&mut state, &entry.envelope);
        }
        state
    }

    async fn snapshot(&self) -> Option<Snapshot> {
        read(self.log.as_ref(), TOPIC, PARTITION, &arena()).await.unwrap()
    }

    /// Folds the partition as if sales of one were closed.
    async fn fold(&self, folder: &mut Folder) {
        self.shared.logged(PARTITION, Logged { end: 1, closes: true });
        // One that was folded just now is left alone.
        tokio::time::sleep(Duration::from_secs(30)).await;
        folder.turn().await;
    }

    fn folder(&self) -> Folder {
        Folder::new(Arc::clone(&self.shared), SnapshotMetrics::default())
    }
}

fn assert_same(snapshot: &Snapshot, expected: &SeatingEventState) {
    let state = &snapshot.state;
    assert_eq!(
        (state.sequence, &state.seats, &state.holds, &state.claims),
        (expected.sequence, &expected.seats, &expected.holds, &expected.claims)
    );
    assert_eq!(state.sale.is_some(), expected.sale.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_is_the_one_before_and_the_log_up_to_an_end() {
    let mut sale = Sale::new().await;
    let mut folder = sale.folder();
    assert!(sale.snapshot().await.is_none());
    sale.store.hold_for("alice", &arena(), &["A-1-1"]).await;
    sale.publish().await;
    sale.fold(&mut folder).await;
    let first = sale.snapshot().await.unwrap();
    assert_same(&first, &sale.expected().await);
    assert_eq!((first.partition, first.revision.is_some()), (PARTITION, true));

    sale.store.hold_for("bob", &arena(), &["A-1-2"]).await;
    sale.publish().await;
    sale.fold(&mut folder).await;
    let second = sale.snapshot().await.unwrap();
    assert_same(&second, &sale.expected().await);
    assert!(second.offset > first.offset && second.revision == first.revision);

    // Another owner goes on from what is there, and fences the one before.
    sale.store.hold_for("carol", &arena(), &["FLOOR-1"]).await;
    sale.publish().await;
    sale.fold(&mut sale.folder()).await;
    let third = sale.snapshot().await.unwrap();
    assert_same(&third, &sale.expected().await);
    assert!(third.state.sequence > second.state.sequence);
}

#[tokio::test(start_paused = true)]
async fn what_did_not_change_gets_no_new_snapshot() {
    let mut sale = Sale::new().await;
    let mut folder = sale.folder();
    sale.publish().await;
    sale.fold(&mut folder).await;
    let written = sale.log.records().len();
    sale.fold(&mut folder).await;
    assert_eq!(sale.log.records().len(), written + 1, "the mark alone");
}

#[tokio::test(start_paused = true)]
async fn where_one_cannot_be_folded_the_mark_stays_before_what_only_the_log_has() {
    let mut sale = Sale::new().await;
    sale.publish().await;
    let mut folder = sale.folder();
    sale.fold(&mut folder).await;
    let mark = async || Index::read(sale.log.as_ref(), TOPIC, PARTITION).await.unwrap().folded();
    let before = mark().await;
    assert!(before > 0);
    let (topic, created) = sale.log.records().remove(0);
    let mut unreadable = NewRecord { value: b"no JSON".to_vec(), ..created };
    for (name, value) in &mut unreadable.headers {
        if name == CE_SEQUENCE {
            *value = "2".into();
        }
    }
    let mut right = sale.log.appender("tickets/main/3").await.unwrap();
    right.append(&topic, vec![unreadable]).await.unwrap();
    sale.fold(&mut folder).await;
    assert_eq!(mark().await, before);
    assert_eq!(sale.snapshot().await.unwrap().state.sequence, 1);
}

#[tokio::test(start_paused = true)]
async fn a_purged_one_has_a_snapshot_of_its_sequence() {
    let mut sale = Sale::new().await;
    sale.store.hold_for("alice", &arena(), &["A-1-1"]).await;
    sale.publish().await;
    let mut folder = sale.folder();
    sale.fold(&mut folder).await;
    sale.store.execute(&arena(), &Command::Purge, &cause()).await.unwrap().unwrap();
    sale.publish().await;
    sale.fold(&mut folder).await;
    let purged = sale.snapshot().await.unwrap();
    assert_eq!((purged.state.sequence, purged.state.sale.is_none(), purged.revision), (3, true, None));
    assert!(purged.state.seats.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_that_nobody_can_read_is_said_to_be_so() {
    let mut sale = Sale::new().await;
    sale.publish().await;
    sale.fold(&mut sale.folder()).await;
    let index = Index::read(sale.log.as_ref(), TOPIC, PARTITION).await.unwrap();
    let mut place = index.place_of(&arena()).unwrap();
    place.head.sequence += 1;
    let loaded = load(sale.log.as_ref(), TOPIC, PARTITION, &[(arena(), place)]).await.unwrap();
    assert!(loaded.is_empty(), "another one lies there");

    let later = Head { format: FORMAT + 1, ..place.head };
    let refused = put_together(&arena(), later, &[]).unwrap_err().to_string();
    assert!(refused.contains("arena-night") && refused.contains("format 2"), "{refused}");
    assert!(put_together(&arena(), place.head, b"no gzip").is_err());
}

/// A state of which no compression makes a small one.
fn large(seats: u32) -> Snapshot {
    let mut state = SeatingEventState { sequence: 9, ..SeatingEventState::new(arena()) };
    for seat in 0..seats {
        let (reservation, hold) = (Uuid::new_v4(), Uuid::new_v4());
        state.seats.insert(format!("A-1-{seat}"), Seat::Reserved { reservation, hold, amount: 1 });
    }
    Snapshot { format: FORMAT, partition: PARTITION, offset: 12, time: 7, revision: None, state }
}

#[test]
fn a_large_one_is_in_pieces_and_a_smaller_one_takes_off_what_is_left_over() {
    let snapshot = large(30_000);
    let (head, records) = records_of(&snapshot, 0, 0).unwrap();
    assert!(head.pieces > 1 && records.len() == head.pieces as usize, "{head:?}");
    assert!(records.iter().all(|record| record.value.len() <= 900 * 1024 && !record.value.is_empty()));
    let packed: Vec<u8> = records.iter().flat_map(|record| record.value.clone()).collect();
    let read = put_together(&arena(), head, &packed).unwrap();
    assert_eq!((read.state.seats, read.offset), (snapshot.state.seats, 12));

    let (smaller, records) = records_of(&large(1), head.pieces, 0).unwrap();
    let empty = records.iter().filter(|record| record.value.is_empty()).count();
    assert_eq!((smaller.pieces, empty), (1, head.pieces as usize - 1));
}

#[test]
fn pieces_of_an_earlier_one_that_compaction_left_are_no_part_of_the_later_one() {
    let (old, olds) = records_of(&large(30_000), 0, 0).unwrap();
    let (new, news) = records_of(&Snapshot { offset: 99, ..large(30_000) }, 0, 0).unwrap();
    assert!(old.pieces > 1);
    let mut index = Index::default();
    let left = olds.into_iter().skip(1);
    for (offset, record) in (5..).zip(left.chain(news)) {
        let NewRecord { partition, key, value, headers, .. } = record;
        index.take(&Record::new(partition, offset, key, value, headers));
    }
    let place = index.place_of(&arena()).unwrap();
    assert_eq!((place.head, place.first), (new, 5 + u64::from(old.pieces) - 1));
}
