//! The view store on PostgreSQL: the port's suite for each handler, and what each handler's tables show.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::BTreeSet;

use async_trait::async_trait;
use boxoffice_consumer::handlers::persistence::PersistenceHandler;
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::handlers::stats::StatsHandler;
use boxoffice_consumer::handlers::{Followers, Handler};
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::checkpoint::Start;
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::events::{self, Incoming, ReservedSeats, SectionStats};
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::postgres::{DatabaseArgs, pool};
use boxoffice_runtime::view::{Applied, Batch, Beginning, ViewStore};
use boxoffice_tests::conformance::view_store::{FailingCommits, Fixture};
use boxoffice_tests::history::{History, PRICE, record};
use boxoffice_tests::servers::{Database, database};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;

/// A handler that the suite can ask what it shows.
trait Shown: Handler + Copy {
    const HANDLER: Self;
    /// Ids of the claimed seats.
    const CLAIMED: &'static str;
    fn claim(history: &History, number: u32) -> DomainEvent {
        history.held(number)
    }
    fn free(history: &History, number: u32) -> DomainEvent {
        history.released(number)
    }
}

const CLAIMED_SEATS: &str =
    "SELECT event_id || '.' || seat_key FROM seats WHERE status IN ('HELD', 'RESERVED')";

impl Shown for SeatViewHandler {
    const HANDLER: Self = Self;
    const CLAIMED: &'static str = CLAIMED_SEATS;
}

impl Shown for StatsHandler {
    const HANDLER: Self = Self;
    const CLAIMED: &'static str = CLAIMED_SEATS;
}

impl Shown for PersistenceHandler {
    const HANDLER: Self = Self;
    const CLAIMED: &'static str = "SELECT seat_id FROM reservation_seats WHERE released_at IS NULL";
    fn claim(history: &History, number: u32) -> DomainEvent {
        DomainEvent::ReservationCreated(history.reservation(number))
    }
    fn free(history: &History, number: u32) -> DomainEvent {
        DomainEvent::ReservationCancelled(history.reservation(number))
    }
}

struct Postgres<H> {
    store: PgViewStore<H>,
    pool: PgPool,
    _database: Database,
}

impl<H: Handler> Postgres<H> {
    async fn start(handler: H) -> Self {
        let database = database("view").await;
        let options: PgConnectOptions = DatabaseArgs::at(&database.url).options("test").unwrap();
        migrate::<H>(&options).await.unwrap();
        migrate::<H>(&options).await.unwrap();
        let pool = pool(options.clone(), 1);
        Self {
            store: PgViewStore::new(options, handler, Start::Earliest, String::new()),
            pool,
            _database: database,
        }
    }

    async fn run(&self, statement: &'static str) {
        sqlx::raw_sql(statement).execute(&self.pool).await.unwrap();
    }

    /// Applies `events` as the next batch of their partition.
    async fn apply(&self, events: &[Envelope]) -> Applied {
        self.apply_to("seat-events", events).await
    }

    async fn apply_to(&self, topic: &str, events: &[Envelope]) -> Applied {
        let partition = TopicPartition { topic: topic.into(), partition: 0 };
        let beginning = Beginning { partition: partition.clone(), offset: 0, earliest: true, log: None };
        let expected = self.store.begin(&[beginning]).await.unwrap()[&partition].next_offset;
        let records = events.iter().zip(expected..);
        let records = records.map(|(event, offset)| record(event, 0, offset)).collect();
        self.store
            .apply(&Batch { topic: topic.into(), partition: 0, log: None, expected, records })
            .await
            .unwrap()
    }

    async fn one<T>(&self, query: &'static str) -> T
    where
        T: for<'r> sqlx::FromRow<'r, sqlx::postgres::PgRow> + Send + Unpin,
    {
        sqlx::query_as(query).fetch_one(&self.pool).await.unwrap()
    }
}

#[async_trait]
impl<H: Shown> Fixture for Postgres<H> {
    const FOLLOWERS: Followers = H::FOLLOWERS;

    async fn fresh() -> Self {
        Self::start(H::HANDLER).await
    }

    fn store(&self) -> &dyn ViewStore {
        &self.store
    }

    fn claim(history: &History, number: u32) -> DomainEvent {
        H::claim(history, number)
    }

    fn free(history: &History, number: u32) -> DomainEvent {
        H::free(history, number)
    }

    async fn claimed(&self) -> BTreeSet<String> {
        let seats: Vec<String> = sqlx::query_scalar(H::CLAIMED).fetch_all(&self.pool).await.unwrap();
        seats.into_iter().collect()
    }

    async fn parked(&self) -> Vec<u64> {
        let offsets: Vec<i64> = sqlx::query_scalar("SELECT record_offset FROM parked_events ORDER BY id")
            .fetch_all(&self.pool)
            .await
            .unwrap();
        offsets.into_iter().map(i64::cast_unsigned).collect()
    }
}

#[async_trait]
impl<H: Shown> FailingCommits for Postgres<H> {
    async fn break_commits(&self) {
        self.run(
            "CREATE FUNCTION broken() RETURNS trigger AS
                 $$ BEGIN RAISE EXCEPTION 'the disk is gone' USING ERRCODE = 'io_error'; END $$ LANGUAGE plpgsql;
             CREATE CONSTRAINT TRIGGER broken AFTER UPDATE ON checkpoint_partitions
                 DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION broken()",
        )
        .await;
    }

    async fn heal_commits(&self) {
        self.run("DROP TRIGGER broken ON checkpoint_partitions").await;
    }
}

mod seat_view_suite {
    use super::{Postgres, SeatViewHandler};
    boxoffice_tests::view_store_conformance!(Postgres<SeatViewHandler>, failing commits, replaced topics);
}

mod persistence_suite {
    use super::{PersistenceHandler, Postgres};
    boxoffice_tests::view_store_conformance!(Postgres<PersistenceHandler>, failing commits, replaced topics);
}

mod stats_suite {
    use super::{Postgres, StatsHandler};
    boxoffice_tests::view_store_conformance!(Postgres<StatsHandler>, failing commits, replaced topics);
}

/// A history whose first event, with `seats` seats, is in the view.
async fn created<H: Handler>(view: &Postgres<H>, seats: u32) -> History {
    let mut history = History::new("arena-night");
    let created = history.created(seats);
    view.apply(&[history.next(created)]).await;
    history
}

#[tokio::test]
async fn the_seat_view_shows_a_sale_with_its_reservation_and_trace() {
    let view = Postgres::start(SeatViewHandler).await;
    let mut history = created(&view, 3).await;
    view.apply(&history.sold(2)).await;
    let seat: (String, String, Option<String>, Option<i64>) =
        view.one("SELECT status, user_id, hold_id, expires_at FROM seats WHERE seat_key = 'A-1-2'").await;
    assert_eq!(seat, ("RESERVED".into(), "alice".into(), None, None));
    let reservation: (Vec<String>, i64, Option<i64>) =
        view.one("SELECT seat_ids, amount, cancelled_at FROM reservations").await;
    assert_eq!(reservation, (vec!["arena-night.A-1-2".into()], PRICE.cast_signed(), None));
    let (traced,): (i64,) = view.one("SELECT count(*) FROM trace WHERE seating_event = 'arena-night'").await;
    assert_eq!(traced, 4);
}

const RESERVATION: &str = "SELECT seat_ids, amount, cancelled_at IS NOT NULL FROM reservations";

#[tokio::test]
async fn a_partial_cancellation_shrinks_a_reservation_and_the_last_one_ends_it() {
    let view = Postgres::start(SeatViewHandler).await;
    let mut history = created(&view, 3).await;
    let mut both = history.reservation(1);
    both.seat_ids.push(history.seat(2));
    both.amount = 2 * PRICE;
    let [first, mut second] = [history.reservation(1), history.reservation(1)];
    second.seat_ids = vec![history.seat(2)];
    let events = [DomainEvent::ReservationCreated(both), DomainEvent::ReservationCancelled(first)];
    view.apply(&events.map(|event| history.next(event))).await;
    let left: (Vec<String>, i64, bool) = view.one(RESERVATION).await;
    assert_eq!(left, (vec!["arena-night.A-1-2".into()], PRICE.cast_signed(), false));
    view.apply(&[history.next(DomainEvent::ReservationCancelled(second))]).await;
    assert_eq!(view.one::<(Vec<String>, i64, bool)>(RESERVATION).await, (vec![], 0, true));
}

#[tokio::test]
async fn a_changed_definition_keeps_claims_and_blocks_what_it_says() {
    let view = Postgres::start(SeatViewHandler).await;
    let blocked = |seats: &[&str]| {
        let seats = seats.iter().map(ToString::to_string).collect();
        vec![Blocked { seats, reason: "camera".into() }]
    };
    for is_told in [true, false] {
        let mut history = History::new(if is_told { "told" } else { "of-before" });
        let [mut before, mut after] = [history.defined(4), history.defined(5)];
        // Events of before it was told mean the difference of two lists.
        before.blocks = is_told.then(|| blocked(&["A-1-1", "A-1-2"]));
        before.unblocks = is_told.then(Vec::new);
        before.definition.blocked = blocked(&["A-1-1", "A-1-2"]);
        after.blocks = is_told.then(|| blocked(&["A-1-3", "A-1-4"]));
        after.unblocks = is_told.then(|| vec!["A-1-1".into()]);
        after.definition.blocked = blocked(&["A-1-2", "A-1-3", "A-1-4"]);
        let events = [DomainEvent::EventCreated(before), history.held(4), DomainEvent::EventUpdated(after)];
        view.apply(&events.map(|event| history.next(event))).await;
    }
    let seats: (Vec<String>,) =
        view.one("SELECT array_agg(seat_key || ' ' || status ORDER BY event_id, seat_key) FROM seats").await;
    let expected = ["A-1-1 AVAILABLE", "A-1-2 BLOCKED", "A-1-3 BLOCKED", "A-1-4 HELD"];
    assert_eq!(seats.0, [expected, expected].concat());
}

#[tokio::test]
async fn persistence_keeps_one_row_a_reservation_and_frees_its_seats_on_cancellation() {
    let view = Postgres::start(PersistenceHandler).await;
    let mut history = created(&view, 3).await;
    let sold = history.sold(1);
    let cancelled = history.next(DomainEvent::ReservationCancelled(history.reservation(1)));
    view.apply(&sold).await;
    let row: (String, i64, String) =
        view.one("SELECT status, amount, correlation_id FROM reservations").await;
    assert_eq!(row, ("CONFIRMED".into(), PRICE.cast_signed(), history.correlation.to_string()));
    let mut again = history.reservation(2);
    again.seat_ids = vec![history.seat(1)];
    let again = history.next(DomainEvent::ReservationCreated(again));
    assert_eq!(view.apply(&[cancelled, again]).await.applied, 2, "sold again within one batch");
    let rows: (Vec<String>,) =
        view.one("SELECT array_agg(status ORDER BY created_at) FROM reservations").await;
    assert_eq!(rows.0, ["CANCELLED", "CONFIRMED"]);
}

#[tokio::test]
async fn persistence_keeps_the_reservations_of_a_purged_seating_event_and_lets_its_seats_be_sold_again() {
    let view = Postgres::start(PersistenceHandler).await;
    let mut history = created(&view, 3).await;
    view.apply(&history.sold(1)).await;
    let again = ReservedSeats { seat_ids: vec![history.seat(1)], ..history.reservation(2) };
    let events = [history.purged(), history.created(3), DomainEvent::ReservationCreated(again)];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (3, 0));
    let rows: (Vec<String>, i64) =
        view.one("SELECT array_agg(status ORDER BY created_at), sum(amount)::bigint FROM reservations").await;
    assert_eq!(rows, (vec!["CONFIRMED".into(), "CONFIRMED".into()], 2 * PRICE.cast_signed()));
    let (released,): (i64,) =
        view.one("SELECT count(*) FROM reservation_seats WHERE released_at IS NOT NULL").await;
    assert_eq!(released, 1);
}

#[tokio::test]
async fn the_seat_view_keeps_reservations_and_trace_of_a_purged_seating_event_and_nothing_else() {
    let view = Postgres::start(SeatViewHandler).await;
    let mut history = created(&view, 3).await;
    let mut events = vec![history.next(history.held(3))];
    events.extend(history.sold(2));
    events.push(history.next(history.purged()));
    view.apply(&events).await;
    let left: (i64, i64, i64, i64) = view
        .one(
            "SELECT (SELECT count(*) FROM seating_events), (SELECT count(*) FROM seats),
                    (SELECT count(*) FROM reservations), (SELECT count(*) FROM trace)",
        )
        .await;
    assert_eq!(left, (0, 0, 1, 6));
}

#[tokio::test]
async fn i1_a_second_owner_of_a_seat_is_parked_and_the_rest_of_the_batch_goes_on() {
    let view = Postgres::start(PersistenceHandler).await;
    let mut history = created(&view, 3).await;
    let mut second = history.reservation(2);
    second.seat_ids = vec![history.seat(1)];
    let events = [
        DomainEvent::ReservationCreated(history.reservation(1)),
        DomainEvent::ReservationCreated(second.clone()),
        DomainEvent::ReservationCancelled(second),
        DomainEvent::ReservationCreated(history.reservation(3)),
    ];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 2));
    let parked: (Vec<i64>, String) =
        view.one("SELECT array_agg(record_offset ORDER BY id), min(reason) FROM parked_events").await;
    assert_eq!(parked.0, [2, 3]);
    let (reason,): (String,) = view.one("SELECT reason FROM parked_events ORDER BY id LIMIT 1").await;
    assert!(reason.contains("i1_one_reservation_a_seat"), "{reason}");
    let (sequence,): (i64,) = view.one("SELECT sequence FROM checkpoint_events").await;
    assert_eq!(sequence, 5);
}

#[tokio::test]
async fn stats_counts_a_sale_and_announces_it_once_a_batch() {
    let view = Postgres::start(StatsHandler).await;
    let mut history = created(&view, 10).await;
    view.run("DELETE FROM outbox").await;
    let mut batch = history.sold(1).to_vec();
    for event in [history.held(2), history.held(3), history.released(3)] {
        batch.push(history.next(event));
    }
    view.apply(&batch).await;
    let (envelope, rows): (Vec<u8>, i64) =
        view.one("SELECT min(envelope::text)::bytea, count(*) FROM outbox").await;
    let Ok(Incoming::Known(announced)) = events::parse(&envelope) else { panic!("no event") };
    let DomainEvent::StatsUpdated(stats) = announced.event else { panic!("not stats") };
    let section = SectionStats {
        section_id: "A".into(),
        available: 8,
        held: 1,
        reserved: 1,
        released: 1,
        revenue: PRICE,
    };
    assert_eq!((stats.sections, stats.as_of_sequence, rows), (vec![section], 7, 1));
    assert_eq!(announced.metadata.causation_id, batch[5].event_id);
    assert_eq!(announced.metadata.correlation_id, history.correlation);
    assert_eq!(announced.metadata.sequence, None);
}

#[tokio::test]
async fn stats_of_a_purged_seating_event_are_none_and_begin_from_nothing() {
    let view = Postgres::start(StatsHandler).await;
    let mut history = created(&view, 10).await;
    let mut events = history.sold(1).to_vec();
    for event in [history.held(2), history.released(2), history.purged()] {
        events.push(history.next(event));
    }
    for (batch, last, expected) in [
        (events, 7, vec![]),
        (
            [history.created(4), history.held(1)].map(|event| history.next(event)).to_vec(),
            9,
            vec![(3, 1, 0, 0)],
        ),
    ] {
        view.run("DELETE FROM outbox").await;
        view.apply(&batch).await;
        let (envelope, rows): (Vec<u8>, i64) =
            view.one("SELECT min(envelope::text)::bytea, count(*) FROM outbox").await;
        let Ok(Incoming::Known(announced)) = events::parse(&envelope) else { panic!("no event") };
        let DomainEvent::StatsUpdated(stats) = announced.event else { panic!("not stats") };
        let counts = |it: &SectionStats| (it.available, it.held, it.reserved, it.released);
        let sections: Vec<_> = stats.sections.iter().map(counts).collect();
        assert_eq!((sections, stats.as_of_sequence, rows), (expected, last, 1));
    }
}

/// Whose sequences begin anew: readers could not tell what is newer.
#[tokio::test]
async fn stats_of_one_that_is_created_anew_on_another_log_are_of_another_epoch() {
    let view = Postgres::start(StatsHandler).await;
    let mut history = created(&view, 10).await;
    let held = [history.held(1), history.held(2)].map(|event| history.next(event));
    assert_eq!(epoch_announced(&view, &held[..1]).await, 0);
    // As handlers forget one.
    view.run("INSERT INTO shows (event_id, epoch) SELECT event_id, 3 FROM seating_events").await;
    assert_eq!(epoch_announced(&view, &held[1..]).await, 3);
}

async fn epoch_announced(view: &Postgres<StatsHandler>, batch: &[Envelope]) -> u64 {
    view.run("DELETE FROM outbox").await;
    view.apply(batch).await;
    let (envelope,): (Vec<u8>,) = view.one("SELECT min(envelope::text)::bytea FROM outbox").await;
    let Ok(Incoming::Known(announced)) = events::parse(&envelope) else { panic!("no event") };
    let DomainEvent::StatsUpdated(stats) = announced.event else { panic!("not stats") };
    stats.epoch
}

#[tokio::test]
async fn a_stadium_of_eighty_thousand_seats_is_one_batch() {
    let view = Postgres::start(StatsHandler).await;
    created(&view, 80_000).await;
    let (available, rows): (i64, i64) =
        view.one("SELECT available, (SELECT count(*) FROM seats) FROM section_stats").await;
    assert_eq!((available, rows), (80_000, 0), "a seat that nobody ever claimed has no row");
}

#[tokio::test]
async fn a_database_of_another_handler_is_refused() {
    let view = Postgres::start(SeatViewHandler).await;
    let options = (*view.pool.connect_options()).clone();
    assert!(migrate::<StatsHandler>(&options).await.is_err());
}

#[tokio::test]
async fn an_older_image_starts_on_the_tables_of_a_newer_one_of_its_handler() {
    let view = Postgres::start(SeatViewHandler).await;
    let options = (*view.pool.connect_options()).clone();
    let newer =
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES
         (99, 'newer framework', true, '', 0), (1999, 'newer handler', true, '', 0)";
    view.run(newer).await;
    migrate::<SeatViewHandler>(&options).await.unwrap();
    let error = migrate::<PersistenceHandler>(&options).await.unwrap_err();
    assert!(error.is_final() && error.to_string().contains("a database of its own"), "{error}");
    view.run("UPDATE _sqlx_migrations SET version = 4 WHERE version = 99").await;
    migrate::<SeatViewHandler>(&options).await.unwrap();
    view.run("UPDATE _sqlx_migrations SET version = 1000 WHERE version = 1999").await;
    assert!(migrate::<SeatViewHandler>(&options).await.is_err(), "older than what it knows, and unknown");
}

#[tokio::test]
async fn what_an_older_version_kept_without_a_start_goes_on() {
    let view = Postgres::start(PersistenceHandler).await;
    let mut history = created(&view, 9).await;
    view.run("UPDATE checkpoint_partitions SET earliest = NULL, begins_at = NULL").await;
    view.run("UPDATE checkpoint_events SET first_sequence = NULL").await;
    assert_eq!(view.apply(&history.sold(1)).await.applied, 3);
    let (first, last): (i64, i64) = view.one("SELECT first_sequence, sequence FROM checkpoint_events").await;
    assert_eq!((first, last), (1, 4));
}

#[tokio::test]
async fn a_cancellation_of_a_reservation_from_before_the_start_is_no_poison() {
    let view = Postgres::start(PersistenceHandler).await;
    let mut history = created(&view, 9).await;
    let mut paid = history.reservation(2);
    paid.paid_by = Some(events::PaidBy::Reservation(history.reservation(1).reservation_id.to_string()));
    let events =
        [DomainEvent::ReservationCancelled(history.reservation(1)), DomainEvent::ReservationCreated(paid)];
    let applied = view.apply(&events.map(|event| history.next(event))).await;
    assert_eq!((applied.applied, applied.parked), (2, 0));
    let (state,): (String,) = view.one("SELECT state FROM payments").await;
    assert_eq!(state, "REINSTATED");
}

/// What the payments of two reservations look like: state, charged, refunded, reason.
type Payments = Vec<(Option<String>, i64, i64, Option<String>)>;

async fn payments<H: Handler>(view: &Postgres<H>) -> Payments {
    sqlx::query_as("SELECT state, charged, refunded, reason FROM payments ORDER BY reservation_id")
        .fetch_all(&view.pool)
        .await
        .unwrap()
}

async fn payments_end_the_same_whichever_topic_comes_first<H: Shown>() {
    let mut results = vec![];
    for payments_first in [true, false] {
        let view = Postgres::start(H::HANDLER).await;
        let mut history = created(&view, 9).await;
        let failed = events::Payment { reason: Some(events::PaymentFailure::Timeout), ..history.payment(2) };
        let announced = [
            history.payment_requested(1),
            history.payment_requested(2),
            DomainEvent::PaymentCompleted(history.payment(1)),
            DomainEvent::PaymentFailed(failed),
            DomainEvent::PaymentRefundRequested(history.payment(1)),
        ];
        let announced = announced.map(|event| history.unnumbered(event));
        let mut released = history.reservation(2);
        released.reason = Some(events::ReleaseReason::PaymentFailed);
        let seats = [
            DomainEvent::ReservationCreated(history.reservation(1)),
            DomainEvent::ReservationCreated(history.reservation(2)),
            DomainEvent::ReservationCancelled(history.reservation(1)),
            DomainEvent::ReservationCancelled(released),
        ];
        let seats = seats.map(|event| history.next(event));
        if payments_first {
            // Each event a batch of its own, and all of it again: repeats change nothing.
            for event in &announced {
                view.apply_to("payment-events", std::slice::from_ref(event)).await;
            }
            view.apply(&seats).await;
            assert_eq!(view.apply_to("payment-events", &announced).await.duplicates, 5);
        } else {
            view.apply(&seats).await;
            view.apply_to("payment-events", &announced).await;
        }
        results.push(payments(&view).await);
    }
    let price = PRICE.cast_signed();
    let expected: BTreeSet<_> = [
        (Some("REFUND_REQUESTED".to_owned()), price, price, None),
        (Some("TIMED_OUT".to_owned()), 0, 0, Some("timeout".to_owned())),
    ]
    .into();
    for result in results {
        assert_eq!(result.into_iter().collect::<BTreeSet<_>>(), expected);
    }
}

#[tokio::test]
async fn the_payments_of_persistence_end_the_same_whichever_topic_comes_first() {
    payments_end_the_same_whichever_topic_comes_first::<PersistenceHandler>().await;
}

#[tokio::test]
async fn the_payments_of_the_seat_view_end_the_same_whichever_topic_comes_first() {
    payments_end_the_same_whichever_topic_comes_first::<SeatViewHandler>().await;
}
