//! What gets old in the view database: months of the trace, shows that are over, their reservations; and a database of
//! before any of it was kept.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::path::Path;

use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::handlers::stats::StatsHandler;
use boxoffice_consumer::handlers::{Handler, Retention, Upkeep};
use boxoffice_consumer::relay::LOCK;
use boxoffice_consumer::upkeep::rounds;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_query::view::postgres::PostgresSnapshots;
use boxoffice_query::view::{Snapshot, Snapshots};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::postgres::{DatabaseArgs, pool};
use boxoffice_runtime::view::{Applied, Batch, Beginning, ViewStore};
use boxoffice_tests::history::{History, NOW, record};
use boxoffice_tests::servers::{Database, database};
use sqlx::PgPool;
use sqlx::migrate::Migrator;
use sqlx::postgres::PgConnectOptions;

const TOPIC: &str = "seat-events";
const DAY: u64 = 86_400_000;
const DEFAULTS: Retention = Retention { trace_days: 30, reservation_days: 400 };

struct View {
    store: PgViewStore<SeatViewHandler>,
    pool: PgPool,
    _database: Database,
}

impl View {
    async fn new() -> Self {
        let (database, options) = empty().await;
        migrate::<SeatViewHandler>(&options).await.unwrap();
        Self::on(database, options)
    }

    fn on(database: Database, options: PgConnectOptions) -> Self {
        let pool = pool(options.clone(), 1);
        let store = PgViewStore::new(options, SeatViewHandler, Start::Earliest, String::new());
        Self { store, pool, _database: database }
    }

    async fn apply(&self, events: &[Envelope]) -> Applied {
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        let beginning = Beginning { partition: partition.clone(), offset: 0, earliest: true, log: None };
        let expected = self.store.begin(&[beginning]).await.unwrap()[&partition].next_offset;
        let records = events.iter().zip(expected..).map(|(event, offset)| record(event, 0, offset)).collect();
        self.store
            .apply(&Batch { topic: TOPIC.into(), partition: 0, log: None, expected, records })
            .await
            .unwrap()
    }

    /// Upkeep at `now`, until nothing old is left.
    async fn upkeep(&self, now: u64) {
        loop {
            let mut transaction = self.pool.begin().await.unwrap();
            let round = SeatViewHandler.upkeep(&mut transaction, DEFAULTS, now).await.unwrap();
            transaction.commit().await.unwrap();
            if round == Upkeep::Done {
                return;
            }
        }
    }

    async fn snapshot(&self) -> Snapshot {
        PostgresSnapshots::new(self.pool.clone(), TOPIC).load().await.unwrap()
    }

    async fn rows(&self, query: &'static str) -> Vec<String> {
        sqlx::query_scalar(query).fetch_all(&self.pool).await.unwrap()
    }
}

async fn empty() -> (Database, PgConnectOptions) {
    let database = database("view").await;
    let options = DatabaseArgs::at(&database.url).options("test").unwrap();
    (database, options)
}

/// Months of before this one: the tables of those that every view has ahead are left out.
const MONTHS: &str = "SELECT name FROM trace_months WHERE name < 'trace_2025' ORDER BY 1";

#[tokio::test]
async fn the_trace_has_a_table_a_month_that_goes_when_it_is_old() {
    let view = View::new().await;
    let mut history = History::new("arena-night");
    let mut events = [history.created(9), history.held(1), history.held(2)].map(|event| history.next(event));
    // NOW is the 14th of November 2023.
    events[1].timestamp = NOW + 16 * DAY;
    events[2].timestamp = NOW + 17 * DAY;
    view.apply(&events).await;
    assert_eq!(view.rows(MONTHS).await, ["trace_2023_11", "trace_2023_12"]);
    let by_table =
        "SELECT tableoid::regclass::text || ' ' || count(*) FROM trace GROUP BY tableoid ORDER BY 1";
    assert_eq!(view.rows(by_table).await, ["trace_2023_11 2", "trace_2023_12 1"]);
    view.apply(&[history.next(history.released(1))]).await;
    view.upkeep(NOW + 40 * DAY).await;
    assert_eq!(view.rows(by_table).await, ["trace_2023_11 3", "trace_2023_12 1"], "a part of it is young");
    assert_eq!(view.rows(MONTHS).await, ["trace_2023_11", "trace_2023_12", "trace_2024_01"], "one ahead");
    view.upkeep(NOW + 47 * DAY).await;
    assert_eq!(view.rows(by_table).await, ["trace_2023_12 1"]);
    view.apply(&[history.next(history.released(2))]).await;
    assert_eq!(
        view.rows(by_table).await,
        ["trace_2023_11 1", "trace_2023_12 1"],
        "made again for who comes late"
    );
}

#[tokio::test]
async fn members_that_need_a_month_at_the_same_time_make_it_once() {
    let (view, mut applied) = (View::new().await, vec![]);
    let store = &view.store;
    for number in 0..6_u32 {
        let partition = TopicPartition { topic: TOPIC.into(), partition: number };
        store.begin(&[Beginning { partition, offset: 0, earliest: true, log: None }]).await.unwrap();
        let mut history = History::new(&format!("show-{number}"));
        let records = vec![record(&history.next(history.clone().created(9)), number, 0)];
        let batch = Batch { topic: TOPIC.into(), partition: number, log: None, expected: 0, records };
        applied.push(async move { store.apply(&batch).await.unwrap().applied });
    }
    assert_eq!(futures::future::join_all(applied).await, [1; 6]);
    assert_eq!(view.rows(MONTHS).await, ["trace_2023_11"]);
}

/// A show that sold two of its seats, of which one was given back, and blocks one by hand and one by its definition.
async fn sold(view: &View, history: &mut History, starts_at: u64) {
    let mut created = history.defined(9);
    created.definition.starts_at = starts_at;
    created.blocks = Some(vec![Blocked { seats: vec!["A-1-9".into()], reason: "camera".into() }]);
    let mut events = vec![history.next(DomainEvent::EventCreated(created))];
    events.extend(history.sold(1));
    events.extend(history.sold(2));
    for event in [history.released(2), DomainEvent::ReservationCancelled(history.reservation(2))] {
        events.push(history.next(event));
    }
    view.apply(&events).await;
}

#[tokio::test]
async fn seats_of_a_show_that_is_over_leave_and_its_reservations_stay_until_they_are_old() {
    let view = View::new().await;
    let (mut over, mut other) = (History::new("over"), History::new("other"));
    sold(&view, &mut over, NOW).await;
    sold(&view, &mut other, NOW + DAY).await;
    view.upkeep(NOW + 7 * DAY - 1).await;
    assert_eq!(view.snapshot().await.maps.len(), 2);
    view.upkeep(NOW + 7 * DAY).await;
    let snapshot = view.snapshot().await;
    assert_eq!((snapshot.maps.len(), snapshot.gone), (1, [(over.event.clone(), 9)].into()));
    assert_eq!(view.rows("SELECT DISTINCT event_id FROM seats").await, ["other"]);
    let reservations = "SELECT event_id FROM reservations WHERE cancelled_at IS NULL ORDER BY 1";
    assert_eq!(view.rows(reservations).await, ["other", "over"]);
    view.upkeep(NOW + 407 * DAY).await;
    assert_eq!(view.rows(reservations).await, ["other"]);
    assert_eq!(view.snapshot().await.maps.len(), 0);
}

#[tokio::test]
async fn a_show_that_is_put_off_after_its_seats_have_left_has_them_again() {
    let view = View::new().await;
    let mut history = History::new("arena-night");
    sold(&view, &mut history, NOW).await;
    let before = view.snapshot().await;
    view.upkeep(NOW + 8 * DAY).await;
    assert_eq!(view.snapshot().await.maps.len(), 0);
    view.apply(&[history.next(DomainEvent::EventUpdated(history.defined(9)))]).await;
    let after = view.snapshot().await;
    assert_eq!(after.maps[0].statuses(), before.maps[0].statuses());
    assert_eq!((after.maps[0].counts().reserved, after.maps[0].counts().blocked), (1, 1));
    view.upkeep(NOW + 500 * DAY).await;
    assert_eq!(
        view.rows("SELECT DISTINCT event_id FROM reservations").await,
        ["arena-night"],
        "it is not over"
    );
}

#[tokio::test]
async fn reservations_of_a_purged_show_are_kept_as_long_as_those_of_one_that_is_over() {
    let view = View::new().await;
    let mut history = History::new("arena-night");
    sold(&view, &mut history, NOW).await;
    view.apply(&[history.next(history.purged())]).await;
    view.upkeep(NOW + 400 * DAY).await;
    assert_eq!(view.rows("SELECT DISTINCT event_id FROM reservations").await, ["arena-night"]);
    view.upkeep(NOW + 401 * DAY).await;
    assert!(view.rows("SELECT reservation_id FROM reservations").await.is_empty());
}

#[tokio::test]
async fn one_member_at_a_time_looks_after_what_is_old() {
    let view = View::new().await;
    sold(&view, &mut History::new("one"), NOW).await;
    sold(&view, &mut History::new("two"), NOW).await;
    let options = (*view.pool.connect_options()).clone();
    let mut other = view.pool.begin().await.unwrap();
    sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(LOCK).execute(&mut *other).await.unwrap();
    rounds(&SeatViewHandler, &options, DEFAULTS).await.unwrap();
    other.rollback().await.unwrap();
    assert_eq!(view.snapshot().await.maps.len(), 2, "another one is about it");
    rounds(&SeatViewHandler, &options, DEFAULTS).await.unwrap();
    assert_eq!(view.snapshot().await.maps.len(), 0);
    assert_eq!(view.rows(MONTHS).await, Vec::<String>::new());
    assert!(
        view.rows("SELECT reservation_id FROM reservations").await.is_empty(),
        "since more than 400 days"
    );
}

/// The tables of handler `H` as they were before migration `next`.
async fn migrated_before<H: Handler>(next: i64) -> (Database, PgConnectOptions) {
    let (database, options) = empty().await;
    let framework = concat!(env!("CARGO_MANIFEST_DIR"), "/../workers/consumer/migrations/framework");
    let framework = Migrator::new(Path::new(framework)).await.unwrap();
    let of_handler = H::migrations();
    let all = framework.iter().chain(of_handler.iter().filter(|migration| migration.version < next)).cloned();
    let pool = pool(options.clone(), 1);
    Migrator::with_migrations(all.collect()).run(&pool).await.unwrap();
    let before = "
        INSERT INTO checkpoint_partitions (topic, partition, next_offset, begins_at, earliest)
        VALUES ('seat-events', 0, 5, 0, true);
        INSERT INTO checkpoint_events (seating_event, first_sequence, sequence) VALUES ('arena-night', 1, 5);
        INSERT INTO parked_events (topic, partition, record_offset, aggregate_id, seating_event, sequence, reason, key,
                                   headers, value)
        VALUES ('seat-events', 0, 2, 'arena-night.A-1-2', 'arena-night', 3, 'torn', 'arena-night', '[]', '}{');";
    sqlx::raw_sql(before).execute(&pool).await.unwrap();
    let mut defined = History::new("arena-night").defined(4).definition;
    defined.starts_at = NOW;
    sqlx::query(
        "INSERT INTO seating_events (event_id, definition, chart_hash) VALUES ('arena-night', $1, '')",
    )
    .bind(sqlx::types::Json(defined))
    .execute(&pool)
    .await
    .unwrap();
    (database, options)
}

#[tokio::test]
async fn a_view_of_before_keeps_what_it_shows_and_knows_since_when() {
    let (database, options) = migrated_before::<SeatViewHandler>(1003).await;
    let old = pool(options.clone(), 1);
    sqlx::raw_sql(
        "INSERT INTO seats (event_id, seat_key, status, user_id, hold_id, expires_at)
         SELECT 'arena-night', seat_key, status, 'alice', hold_id, 9
         FROM (VALUES ('A-1-1', 'HELD', 'arena-night.00000000-0000-0000-0000-000000000001'), ('A-1-2', 'BLOCKED', NULL),
                      ('A-1-3', 'AVAILABLE', NULL)) AS seat (seat_key, status, hold_id);
         INSERT INTO trace SELECT gen_random_uuid(), 'c', gen_random_uuid(), 'seat.held', 'a', 'arena-night', 2,
                                  1700000000000, 'alice'",
    )
    .execute(&old)
    .await
    .unwrap();
    migrate::<SeatViewHandler>(&options).await.unwrap();
    let view = View::on(database, options);
    let seats = "SELECT seat_key || ' ' || status || ' ' || sequence FROM seats ORDER BY 1";
    assert_eq!(view.rows(seats).await, ["A-1-1 HELD 5", "A-1-2 BLOCKED 2"], "behind one that is parked");
    let show = "SELECT sequence || ' ' || (over_at - 1700000000000) / 86400000 FROM seating_events";
    assert_eq!(view.rows(show).await, ["5 7"]);
    let snapshot = view.snapshot().await;
    assert_eq!((snapshot.maps[0].counts().available, snapshot.maps[0].sequence), (2, 5));
    let mut history = History::new("arena-night");
    history.skip_to(5);
    let applied = view.apply(&[history.held(2), history.released(1)].map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 0), "nothing waits behind what is parked any more");
    assert_eq!(view.rows(seats).await, ["A-1-1 AVAILABLE 7", "A-1-2 HELD 6"]);
    assert_eq!(view.rows("SELECT count(*)::text FROM trace").await, ["3"]);
    let ends = view.rows("SELECT ends_at::text FROM trace_months WHERE name = 'trace_before'").await;
    let ends: u64 = ends[0].parse().unwrap();
    view.upkeep(ends + 30 * DAY - 1).await;
    let kept = view.rows("SELECT count(*)::text FROM trace_before").await;
    assert_eq!(kept, ["3"], "it goes with its last month");
    view.upkeep(ends + 30 * DAY).await;
    assert_eq!(view.rows("SELECT count(*)::text FROM trace").await, ["0"]);
}

/// The SQLSTATE with which `statement` fails.
async fn failure(pool: &PgPool, statement: &'static str) -> String {
    let error = sqlx::raw_sql(statement).execute(pool).await.unwrap_err();
    error.as_database_error().unwrap().code().unwrap().into_owned()
}

#[tokio::test]
async fn a_worker_of_an_older_version_fails_as_where_the_database_is_in_trouble_and_parks_nothing() {
    let view = View::new().await;
    view.apply(&[History::new("arena-night").next(History::new("arena-night").created(3))]).await;
    let traced =
        "INSERT INTO trace (event_id, correlation_id, causation_id, event_type, aggregate_id, seating_event,
                                     sequence, timestamp, user_id)
                  SELECT gen_random_uuid(), 'c', gen_random_uuid(), 't', 'a', 'e', 1, 1700000000000, 'alice'";
    assert_eq!(failure(&view.pool, traced).await, "55000");
    let (_database, options) = empty().await;
    migrate::<StatsHandler>(&options).await.unwrap();
    let pool = pool(options, 1);
    assert_eq!(
        failure(&pool, "UPDATE section_stats SET available = section_stats.available + 1").await,
        "428C9"
    );
}

#[tokio::test]
async fn statistics_of_before_count_on() {
    let (_database, options) = migrated_before::<StatsHandler>(1002).await;
    let pool = pool(options.clone(), 1);
    sqlx::raw_sql(
        "INSERT INTO seats (event_id, seat_key, status, amount)
         VALUES ('arena-night', 'A-1-1', 'HELD', 5), ('arena-night', 'A-1-2', 'BLOCKED', 0),
                ('arena-night', 'A-1-3', 'AVAILABLE', 0), ('arena-night', 'A-1-4', 'RESERVED', 7);
         INSERT INTO section_stats VALUES ('arena-night', 'A', 1, 1, 1, 3, 7)",
    )
    .execute(&pool)
    .await
    .unwrap();
    migrate::<StatsHandler>(&options).await.unwrap();
    let counts = "SELECT concat_ws(' ', total, available, held, reserved, blocked, released, revenue) FROM section_stats";
    let counts: String = sqlx::query_scalar(counts).fetch_one(&pool).await.unwrap();
    assert_eq!(counts, "4 1 1 1 1 3 7");
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM seats").fetch_one(&pool).await.unwrap();
    assert_eq!(rows, 3);
}
