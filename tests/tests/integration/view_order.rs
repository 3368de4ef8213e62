//! The views that keep seats by sequence, on PostgreSQL: whatever order events come in, the same events make the same rows,
//! and what a redrive changes is said by the epoch.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use boxoffice_consumer::handlers::Handler;
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::handlers::stats::StatsHandler;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::events::{self, HoldExtended, SeatBlock};
use boxoffice_domain::{DomainEvent, Envelope, HoldId};
use boxoffice_query::view::Snapshots;
use boxoffice_query::view::postgres::PostgresSnapshots;
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::postgres::{DatabaseArgs, pool};
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Batch, Beginning, ViewStore};
use boxoffice_tests::history::{History, NOW, record};
use boxoffice_tests::servers::{Database, database};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use uuid::Uuid;

const TOPIC: &str = "seat-events";

/// A view, and a handler like its own for what is redriven.
struct View<H> {
    store: PgViewStore<H>,
    handler: H,
    pool: PgPool,
    _database: Database,
}

impl<H: Handler + Copy> View<H> {
    async fn of(handler: H) -> Self {
        let database = database("view").await;
        let options: PgConnectOptions = DatabaseArgs::at(&database.url).options("test").unwrap();
        migrate::<H>(&options).await.unwrap();
        let pool = pool(options.clone(), 1);
        let store = PgViewStore::new(options, handler, Start::Earliest, String::new());
        Self { store, handler, pool, _database: database }
    }

    /// Applies `records` as batches of `size`.
    async fn apply(&self, records: &[Record], size: usize) {
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        let beginning = Beginning { partition: partition.clone(), offset: 0, earliest: true, log: None };
        let mut expected = self.store.begin(&[beginning]).await.unwrap()[&partition].next_offset;
        for records in records.chunks(size) {
            let batch =
                Batch { topic: TOPIC.into(), partition: 0, log: None, expected, records: records.to_vec() };
            expected = self.store.apply(&batch).await.unwrap().next_offset;
        }
    }

    /// Applies an event that was parked.
    async fn redrive(&self, event: &Envelope) {
        let mut transaction = self.pool.begin().await.unwrap();
        self.handler.apply(&mut transaction, &[event]).await.unwrap();
        transaction.commit().await.unwrap();
    }

    async fn rows(&self, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(&self.pool).await.unwrap()
    }

    async fn parked(&self) -> i64 {
        sqlx::query_scalar("SELECT count(*) FROM parked_events").fetch_one(&self.pool).await.unwrap()
    }
}

/// All that the seat view shows.
const SHOWN: &str = "
    SELECT to_jsonb(seats)::text FROM seats
    UNION ALL SELECT to_jsonb(seating_events)::text FROM seating_events
    UNION ALL SELECT to_jsonb(reservations)::text FROM reservations
    UNION ALL SELECT event_id::text FROM trace
    UNION ALL SELECT to_jsonb(early_cancellations)::text FROM early_cancellations
    UNION ALL SELECT (to_jsonb(shows) - 'epoch')::text FROM shows WHERE closed_at + purged_at > 0 ORDER BY 1";
/// All that the statistics show.
const COUNTED: &str = "
    SELECT to_jsonb(seats)::text FROM seats
    UNION ALL SELECT to_jsonb(seating_events)::text FROM seating_events
    UNION ALL SELECT to_jsonb(section_stats)::text FROM section_stats ORDER BY 1";
const EPOCH: &str = "SELECT epoch::text FROM shows";

fn records(events: &[Envelope]) -> Vec<Record> {
    events.iter().zip(0..).map(|(event, offset)| record(event, 0, offset)).collect()
}

/// Nobody can read the body of `record`.
fn torn(record: &Record) -> Record {
    Record::new(record.partition, record.offset, record.key.clone(), b"}{".to_vec(), record.headers.clone())
}

/// `record` is of a type that nobody knows.
fn unknown(record: &Record) -> Record {
    let body = String::from_utf8_lossy(&record.value).replace("seat.held", "seat.painted");
    Record::new(record.partition, record.offset, record.key.clone(), body.into(), record.headers.clone())
}

/// A life in which everything happens that changes what is shown.
fn life() -> Vec<Envelope> {
    let mut history = History::new("arena-night");
    let camera = |seats: &[&str]| {
        vec![Blocked { seats: seats.iter().map(ToString::to_string).collect(), reason: "camera".into() }]
    };
    let [mut created, mut updated, smaller] = [12, 12, 10].map(|seats| history.defined(seats));
    created.blocks = Some(camera(&["A-1-9", "A-1-12"]));
    (updated.blocks, updated.unblocks) = (Some(camera(&["A-1-8"])), Some(vec!["A-1-9".into()]));
    let by_hand = SeatBlock {
        seat_id: history.seat(7),
        event_id: history.event.clone(),
        section_id: "A".into(),
        reason: "rain".into(),
    };
    let extended = HoldExtended {
        hold_id: HoldId::new(history.event.clone(), Uuid::from_u128(4)),
        event_id: history.event.clone(),
        user_id: "alice".parse().unwrap(),
        seat_ids: vec![history.seat(4)],
        expires_at: NOW + 900_000,
    };
    let mut events = vec![history.next(DomainEvent::EventCreated(created))];
    events.extend(history.sold(1));
    events.extend(history.sold(2));
    let others = [
        history.held(3),
        history.released(3),
        history.held(4),
        DomainEvent::HoldExtended(extended),
        history.held(9),
        DomainEvent::EventUpdated(updated),
        DomainEvent::SeatBlocked(by_hand),
        history.released(2),
        DomainEvent::ReservationCancelled(history.reservation(2)),
        history.held(2),
        DomainEvent::EventUpdated(smaller.clone()),
        DomainEvent::EventDeleted(smaller),
        DomainEvent::EventUpdated(history.defined(14)),
        history.held(12),
    ];
    events.extend(others.map(|event| history.next(event)));
    events
}

/// A view that met every event in its order, and one that could not read some of them until they were redriven, the last
/// one first.
async fn ends_the_same<H: Handler + Copy>(handler: H, shown: &'static str) {
    let events = life();
    let readable = records(&events);
    let whole = View::of(handler).await;
    whole.apply(&readable, 100).await;
    let expected = whole.rows(shown).await;
    // Every event alone, every second one, and the first ten.
    let mut choices: Vec<Vec<usize>> = (0..events.len()).map(|index| vec![index]).collect();
    choices.push((0..events.len()).step_by(2).collect());
    choices.push((0..10).collect());
    for poison in choices {
        let view = View::of(handler).await;
        let torn: Vec<Record> = (0..)
            .zip(&readable)
            .map(|(index, record)| if poison.contains(&index) { torn(record) } else { record.clone() })
            .collect();
        view.apply(&torn, 7).await;
        assert_eq!(view.parked().await, i64::try_from(poison.len()).unwrap(), "poison is parked alone");
        for index in poison.iter().rev() {
            view.redrive(&events[*index]).await;
        }
        assert_eq!(view.rows(shown).await, expected, "{poison:?}");
    }
}

#[tokio::test]
async fn the_seat_view_ends_the_same_whatever_was_parked_and_redriven() {
    ends_the_same(SeatViewHandler, SHOWN).await;
}

#[tokio::test]
async fn the_statistics_end_the_same_whatever_was_parked_and_redriven() {
    ends_the_same(StatsHandler, COUNTED).await;
}

#[tokio::test]
async fn a_view_that_followed_and_one_that_is_rebuilt_have_equal_rows() {
    let events = life();
    let mut log = records(&events);
    (log[2], log[7], log[12]) = (torn(&log[2]), unknown(&log[7]), torn(&log[12]));
    let (followed, rebuilt) = (View::of(SeatViewHandler).await, View::of(SeatViewHandler).await);
    followed.apply(&log[..13], 1).await;
    followed.redrive(&events[12]).await;
    followed.apply(&log[13..], 1).await;
    followed.redrive(&events[2]).await;
    rebuilt.apply(&log, 100).await;
    rebuilt.redrive(&events[2]).await;
    rebuilt.redrive(&events[12]).await;
    assert_eq!(followed.rows(SHOWN).await, rebuilt.rows(SHOWN).await);
}

#[tokio::test]
async fn a_late_purge_forgets_what_was_before_it_and_nothing_else() {
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(9))];
    events.extend(history.sold(1));
    for event in [history.held(2), history.purged(), history.created(9), history.held(3)] {
        events.push(history.next(event));
    }
    for poison in [vec![5], vec![2, 5], vec![5, 6], vec![0, 4, 5, 7]] {
        let (seats, counts) = (View::of(SeatViewHandler).await, View::of(StatsHandler).await);
        let mut log = records(&events);
        for index in &poison {
            log[*index] = torn(&log[*index]);
        }
        seats.apply(&log, 100).await;
        counts.apply(&log, 100).await;
        for index in poison.iter().rev() {
            seats.redrive(&events[*index]).await;
            counts.redrive(&events[*index]).await;
        }
        let claimed = "SELECT seat_key || status FROM seats WHERE status <> 'AVAILABLE'";
        assert_eq!(seats.rows(claimed).await, ["A-1-3HELD"], "{poison:?}");
        let sections = "SELECT available || '/' || held || '/' || reserved FROM section_stats";
        assert_eq!(counts.rows(sections).await, ["8/1/0"], "{poison:?}");
        assert_eq!(seats.rows("SELECT sequence::text FROM seating_events").await, ["7"], "{poison:?}");
    }
}

#[tokio::test]
async fn the_epoch_rises_when_a_redrive_changes_what_is_shown_and_the_snapshot_tells_it() {
    let view = View::of(SeatViewHandler).await;
    let mut history = History::new("arena-night");
    let events = [
        history.created(9),
        history.held(1),
        history.released(1),
        history.held(2),
        DomainEvent::EventUpdated(history.defined(9)),
    ]
    .map(|event| history.next(event));
    let mut log = records(&events);
    for index in [1, 3] {
        log[index] = torn(&log[index]);
    }
    view.apply(&log, 100).await;
    assert_eq!(view.rows(EPOCH).await, Vec::<String>::new());
    view.redrive(&events[1]).await;
    assert_eq!(view.rows(EPOCH).await, Vec::<String>::new(), "the seat was released since");
    view.redrive(&events[3]).await;
    assert_eq!(view.rows(EPOCH).await, ["1"]);
    let snapshot = PostgresSnapshots::new(view.pool.clone(), TOPIC).load().await.unwrap();
    let map = &snapshot.maps[0];
    assert_eq!((map.epoch, map.sequence, map.counts().held), (1, 5, 1));
}

#[tokio::test]
async fn what_is_claimed_before_a_definition_can_be_read_is_in_the_snapshot_once_there_is_one() {
    let view = View::of(SeatViewHandler).await;
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(9))];
    events.extend(history.sold(1));
    let mut log = records(&events);
    log[0] = torn(&log[0]);
    view.apply(&log, 100).await;
    let snapshots = PostgresSnapshots::new(view.pool.clone(), TOPIC);
    let before = snapshots.load().await.unwrap();
    assert_eq!((before.maps.len(), before.gone), (0, [(history.event.clone(), 4)].into()));
    view.redrive(&events[0]).await;
    let after = snapshots.load().await.unwrap();
    assert_eq!((after.maps[0].counts().reserved, after.maps[0].sequence, after.maps[0].epoch), (1, 4, 1));
}

#[tokio::test]
async fn statistics_begin_with_the_first_definition_and_tell_how_far_they_are() {
    let view = View::of(StatsHandler).await;
    let mut history = History::new("arena-night");
    let mut events = vec![history.next(history.created(9))];
    events.extend(history.sold(1));
    let mut log = records(&events);
    log[0] = torn(&log[0]);
    view.apply(&log, 100).await;
    let announced = "SELECT convert_from(envelope, 'UTF8') FROM outbox";
    assert_eq!(view.rows(announced).await, Vec::<String>::new(), "how many seats there are is not known");
    view.redrive(&events[0]).await;
    let [json] = &view.rows(announced).await[..] else { panic!("one announcement") };
    let Ok(events::Incoming::Known(told)) = events::parse(json.as_bytes()) else {
        panic!("no event: {json}")
    };
    let DomainEvent::StatsUpdated(stats) = told.event else { panic!("not stats") };
    assert_eq!(stats.as_of_sequence, 4, "what came late is counted with all that was counted before");
    assert_eq!((stats.sections[0].available, stats.sections[0].reserved), (8, 1));
}
