use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::state::Seat;
use boxoffice_domain::{Answer, Command, evolve};
use boxoffice_runtime::record::{CE_SEQUENCE, NewRecord, Record, encode};
use boxoffice_runtime::settings::{archive_topic, snapshots_topic};
use uuid::Uuid;

use super::chunks::{Head, put_together, records_of};
use super::folder::Folder;
use super::index::{Index, load};
use super::*;
use crate::archive::{Archive, ArchiveMetrics, shelf};
use crate::recover::NothingIsLost;
use crate::relay::{Logged, RelayMetrics, Shared};
use crate::store::{Inventory, LANES, Outbox, OutboxEntry, SeatStore, over_at};
use crate::testing::{FakeLog, Memory, arena, cause, definition, provisioned};

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
        if records.is_empty() {
            return;
        }
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

    /// Everything is published, and nothing more can happen: a sweep finds it.
    async fn is_over(&mut self) {
        self.publish().await;
        self.store.published(&arena(), self.published, 1).await.unwrap();
        let Inventory { definition, at, .. } = self.store.inventory(&arena()).await.unwrap().unwrap();
        self.store.pass(over_at(&definition.unwrap()).saturating_sub(at));
        self.found();
    }

    fn found(&self) {
        self.shared.pin(arena(), PARTITION);
        self.shared.are_over([arena()]);
    }

    async fn archive(&self) -> Option<Archive> {
        shelf::read(self.log.as_ref(), TOPIC, PARTITION, &arena()).await.unwrap()
    }

    /// The records of archives, whichever they are of.
    fn archived(&self) -> Vec<NewRecord> {
        let records = self.log.records().into_iter();
        records.filter(|(topic, _)| *topic == archive_topic(TOPIC)).map(|(_, record)| record).collect()
    }

    async fn sell(&self, seat: &str) {
        let Answer::Held { hold, .. } = self.store.hold_for("alice", &arena(), &[seat]).await else {
            panic!("not held")
        };
        let (user, reservation) = ("alice".parse().unwrap(), Uuid::new_v4());
        let reserve = Command::ReserveHold { hold, user, reservation };
        self.store.execute(&arena(), &reserve, &cause()).await.unwrap().unwrap();
    }

    fn folder(&self) -> Folder {
        let snapshots = Some(SnapshotMetrics::default());
        Folder::new(Arc::clone(&self.shared), snapshots, ArchiveMetrics::default())
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

/// As where somebody has the topic drop what is old: the mark stays, being the newest record.
#[tokio::test(start_paused = true)]
async fn where_pieces_are_missing_the_log_is_read_from_its_beginning_and_they_are_written_anew() {
    let mut sale = Sale::new().await;
    sale.store.hold_for("alice", &arena(), &["A-1-1"]).await;
    sale.publish().await;
    sale.fold(&mut sale.folder()).await;
    let index = async || Index::read(sale.log.as_ref(), TOPIC, PARTITION).await.unwrap();
    let folded = index().await.folded();
    assert!(folded > 0);
    let (_, mut pieces) = records_of(&large(30_000), 0, 0).unwrap();
    assert!(pieces.len() > 1);
    pieces.truncate(1);
    let mut right = sale.log.appender("tickets/main/3/snapshots").await.unwrap();
    right.append(&snapshots_topic(TOPIC), pieces).await.unwrap();
    let torn = index().await;
    assert_eq!((torn.place_of(&arena()), torn.folded()), (None, 0));
    sale.fold(&mut sale.folder()).await;
    assert_same(&sale.snapshot().await.unwrap(), &sale.expected().await);
    assert!(index().await.folded() >= folded);
}

#[test]
fn one_whose_first_piece_is_missing_is_not_taken_for_one_that_never_was() {
    let mut index = Index::default();
    index.take(&Record::new(PARTITION, 0, "folded".into(), br#"{"offset":12}"#.to_vec(), vec![]));
    assert_eq!(index.folded(), 12);
    let (_, pieces) = records_of(&large(30_000), 0, 0).unwrap();
    assert!(pieces.len() > 1);
    for (offset, record) in (7..).zip(pieces.into_iter().skip(1)) {
        let NewRecord { partition, key, value, headers, .. } = record;
        index.take(&Record::new(partition, offset, key, value, headers));
    }
    assert_eq!((index.place_of(&arena()), index.all(), index.folded()), (None, vec![], 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_over_is_told_before_the_store_lets_it_go() {
    let mut sale = Sale::new().await;
    let metrics = ArchiveMetrics::default();
    let mut folder = Folder::new(Arc::clone(&sale.shared), Some(SnapshotMetrics::default()), metrics.clone());
    sale.sell("A-1-1").await;
    sale.publish().await;
    sale.fold(&mut folder).await;
    let snapshot =
        Index::read(sale.log.as_ref(), TOPIC, PARTITION).await.unwrap().place_of(&arena()).unwrap();

    // Nothing of it is written.
    sale.is_over().await;
    sale.log.fail_halfway(1);
    folder.turn().await;
    assert!(sale.store.stubs().is_empty() && sale.archive().await.is_none());
    // It is written, which nobody is told, as when an owner dies at that moment.
    sale.found();
    sale.log.lose_answers(1);
    folder.turn().await;
    assert!(sale.store.stubs().is_empty());
    let told = sale.archive().await.unwrap();
    assert_eq!((told.sequence, told.seats.reserved, told.reservations.len()), (4, 1, 1));
    assert_eq!((metrics.written.get(), metrics.failures.get()), (0, 2));
    // Whoever comes next goes on from there.
    sale.found();
    sale.folder().turn().await;
    assert_eq!(sale.store.stubs(), [(arena(), snapshot.first)].into());
    assert_eq!((sale.archived().len(), sale.archive().await), (1, Some(told)));
}

#[tokio::test(start_paused = true)]
async fn one_that_was_put_on_again_is_told_anew_when_it_is_over_again() {
    let mut sale = Sale::new().await;
    let mut folder = sale.folder();
    sale.is_over().await;
    folder.turn().await;
    assert_eq!(sale.archive().await.unwrap().sequence, 1, "its snapshot was made first");
    assert_eq!(sale.store.stubs().len(), 1);

    sale.store.wake(&arena());
    let mut later = definition();
    later.title = "Arena Night, again".into();
    later.starts_at *= 2;
    sale.store.provision(&arena(), &later, PARTITION, &cause()).await.unwrap().unwrap();
    sale.sell("A-1-1").await;
    sale.found();
    tokio::time::sleep(Duration::from_secs(30)).await;
    folder.turn().await;
    assert!(sale.store.stubs().is_empty(), "something waits to be published");
    assert_eq!(sale.archived().len(), 1);
    tokio::time::sleep(Duration::from_secs(30)).await;
    sale.is_over().await;
    folder.turn().await;
    let told = sale.archive().await.unwrap();
    assert_eq!((told.title.as_str(), told.sequence, told.revenue.len()), ("Arena Night, again", 5, 1));
    assert_eq!((sale.store.stubs().len(), sale.archived().len()), (1, 2));
}

#[tokio::test(start_paused = true)]
async fn without_snapshots_what_is_over_is_worked_out_from_all_of_its_log() {
    let mut sale = Sale::new().await;
    sale.sell("A-1-1").await;
    for _ in 0..2 {
        sale.is_over().await;
        Folder::new(Arc::clone(&sale.shared), None, ArchiveMetrics::default()).turn().await;
        assert_eq!(sale.store.stubs(), [(arena(), 0)].into());
        assert_eq!(sale.archive().await.unwrap().reservations.len(), 1);
        // Another process finds it again.
        sale.store.wake(&arena());
    }
    assert_eq!((sale.archived().len(), sale.snapshot().await.is_none()), (1, true));
}
