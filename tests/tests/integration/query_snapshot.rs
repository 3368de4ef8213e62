//! The query worker's snapshot of the view that the seat-view handler keeps: what the events before its checkpoint make.

use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::{DomainEvent, Envelope, SeatMap};
use boxoffice_query::view::postgres::PostgresSnapshots;
use boxoffice_query::view::{Snapshot, Snapshots};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::postgres::{DatabaseArgs, pool};
use boxoffice_runtime::view::{Batch, Beginning, ViewStore};
use boxoffice_tests::history::{History, record};
use boxoffice_tests::servers::{Database, database};
use sqlx::postgres::PgConnectOptions;

const TOPIC: &str = "seat-events";
const PARTITION: u32 = 4;

/// A view database of a test's own.
struct View {
    database: Database,
    store: PgViewStore<SeatViewHandler>,
}

impl View {
    async fn empty() -> Self {
        let database = database("view").await;
        let options = options(&database);
        migrate::<SeatViewHandler>(&options).await.unwrap();
        let store = PgViewStore::new(options, SeatViewHandler, Start::Earliest, String::new());
        Self { database, store }
    }

    async fn apply(&self, from: Option<u64>, events: &[Envelope]) {
        let partition = TopicPartition { topic: TOPIC.into(), partition: PARTITION };
        self.store.begin(&[Beginning { partition, offset: 0, earliest: true, log: None }]).await.unwrap();
        let expected = from.unwrap_or_default();
        let records = events.iter().zip(expected..);
        let records = records.map(|(event, offset)| record(event, PARTITION, offset)).collect();
        let batch = Batch { topic: TOPIC.into(), partition: PARTITION, log: None, expected, records };
        self.store.apply(&batch).await.unwrap();
    }

    async fn snapshot(&self) -> Snapshot {
        PostgresSnapshots::new(pool(options(&self.database), 1), TOPIC).load().await.unwrap()
    }
}

fn options(database: &Database) -> PgConnectOptions {
    DatabaseArgs::at(&database.url).options("test").unwrap()
}

#[tokio::test]
async fn a_snapshot_of_an_empty_view_is_empty_and_before_the_tables_are_there_it_fails() {
    let database = database("view").await;
    let early = PostgresSnapshots::new(pool(options(&database), 1), TOPIC).load().await;
    assert!(early.unwrap_err().to_string().contains("checkpoint_partitions"));
    let snapshot = View::empty().await.snapshot().await;
    assert!(snapshot.maps.is_empty() && snapshot.next_offsets.is_empty());
}

#[tokio::test]
async fn a_snapshot_is_what_the_events_before_its_checkpoint_make() {
    let view = View::empty().await;
    let mut history = History::new("arena-night");
    let mut defined = history.defined(20);
    let blocked = vec![Blocked { seats: vec!["A-1-1".into(), "A-1-2".into()], reason: "camera".into() }];
    (defined.blocks, defined.definition.blocked) = (Some(blocked.clone()), blocked);
    let mut unblocked = defined.clone();
    unblocked.definition.blocked[0].seats.pop();
    (unblocked.blocks, unblocked.unblocks) = (Some(vec![]), Some(vec!["A-1-2".into()]));
    let mut events = vec![history.next(DomainEvent::EventCreated(defined))];
    events.extend(history.sold(3));
    events.push(history.next(history.held(4)));
    events.push(history.next(history.held(5)));
    events.push(history.next(history.released(5)));
    events.push(history.next(DomainEvent::EventUpdated(unblocked)));
    view.apply(None, &events).await;

    let snapshot = view.snapshot().await;
    let [loaded] = &snapshot.maps[..] else { panic!("one SeatingEvent: {snapshot:?}") };
    let expected = folded(&events);
    assert_eq!(loaded.statuses(), expected.statuses());
    assert_eq!(loaded.definition, expected.definition);
    assert_eq!((loaded.counts(), loaded.sequence), (expected.counts(), expected.sequence));
    assert_eq!(snapshot.next_offsets, [(PARTITION, 8)].into());

    let gone = history.next(DomainEvent::EventDeleted(history.defined(20)));
    view.apply(Some(8), &[gone]).await;
    let closed = view.snapshot().await;
    assert!(closed.maps[0].closed && closed.maps[0].sequence == 9);

    view.apply(Some(9), &[history.next(history.purged())]).await;
    let purged = view.snapshot().await;
    assert!(purged.maps.is_empty());
    assert_eq!(purged.gone, [(history.event.clone(), 10)].into(), "what is created anew goes on from there");
    view.apply(Some(10), &[history.next(history.created(3))]).await;
    let anew = view.snapshot().await;
    assert_eq!((anew.maps[0].sequence, anew.maps[0].counts().available, anew.gone.len()), (11, 3, 0));
}

#[tokio::test]
async fn i5_a_snapshot_says_of_which_topic_it_is_and_who_was_not_met_there() {
    let view = View::empty().await;
    let (mut arena, mut club) = (History::new("arena-night"), History::new("club-night"));
    let begin = async |log: &str, events: &[Envelope]| {
        let partition = TopicPartition { topic: TOPIC.into(), partition: PARTITION };
        let log = Some(log.to_owned());
        let beginning = Beginning { partition, offset: 0, earliest: true, log: log.clone() };
        view.store.begin(&[beginning]).await.unwrap();
        let records =
            events.iter().zip(0..).map(|(event, offset)| record(event, PARTITION, offset)).collect();
        let batch = Batch { topic: TOPIC.into(), partition: PARTITION, log, expected: 0, records };
        view.store.apply(&batch).await.unwrap();
    };
    let (created, other) = (arena.created(3), club.created(3));
    begin("first", &[arena.next(created), club.next(other)]).await;
    let snapshot = view.snapshot().await;
    assert_eq!((snapshot.logs, snapshot.former), (["first".to_owned()].into(), [].into()));
    arena.skip_to(7);
    let created = arena.created(3);
    begin("second", &[arena.next(created)]).await;
    let snapshot = view.snapshot().await;
    assert_eq!(snapshot.logs, ["second".to_owned()].into());
    assert_eq!(snapshot.former, [club.event.clone()].into(), "it may go on there, and is shown until then");
    let shown: Vec<_> = snapshot.maps.iter().map(|map| (map.sequence, map.epoch)).collect();
    assert!(shown.contains(&(8, 1)) && shown.contains(&(1, 0)), "{shown:?}");
}

/// The map that `events` make, without any database.
fn folded(events: &[Envelope]) -> SeatMap {
    let [created, later @ ..] = events else { panic!("no events") };
    let DomainEvent::EventCreated(defined) = &created.event else { panic!("{created:?}") };
    let mut map = SeatMap::created(defined, 1).unwrap();
    for event in later {
        map.apply(&event.event, event.metadata.sequence.unwrap()).unwrap();
    }
    map
}
