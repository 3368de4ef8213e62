//! What users have, as the query worker reads it: the port's suite on PostgreSQL and in memory, and what a database
//! that is slow or away comes to.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use boxoffice_consumer::handlers::seat_view::SeatViewHandler;
use boxoffice_consumer::view::{PgViewStore, migrate};
use boxoffice_domain::Envelope;
use boxoffice_domain::checkpoint::Start;
use boxoffice_local::embedded::journal::Journal;
use boxoffice_local::embedded::log::EmbeddedLog;
use boxoffice_local::embedded::views::{LocalOrders, MemoryView, SeatView, Trace};
use boxoffice_query::orders::Orders;
use boxoffice_query::orders::postgres::{CONNECTIONS, LONGEST, PostgresOrders};
use boxoffice_runtime::log::{EventLog, TopicPartition};
use boxoffice_runtime::postgres::{DatabaseArgs, reading};
use boxoffice_runtime::record::NewRecord;
use boxoffice_runtime::view::{Batch, Beginning, ViewStore};
use boxoffice_tests::conformance::orders::Fixture;
use boxoffice_tests::history::{History, NOW, new_record, record};
use boxoffice_tests::servers::{Database, database};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

const SEATS: &str = "seat-events";
const PAYMENTS: &str = "payment-events";
const DAY: u64 = 86_400_000;

fn topic_of(event: &Envelope) -> &'static str {
    if event.event.event_type().starts_with("payment.") { PAYMENTS } else { SEATS }
}

/// Takes in events as the consumer does: those of payments come from a topic of their own.
async fn take(store: &dyn ViewStore, events: &[Envelope]) {
    let mut by_topic: BTreeMap<&str, Vec<&Envelope>> = BTreeMap::new();
    for event in events {
        by_topic.entry(topic_of(event)).or_default().push(event);
    }
    for (topic, events) in by_topic {
        let partition = TopicPartition { topic: topic.into(), partition: 0 };
        let begun = Beginning { partition: partition.clone(), offset: 0, earliest: true, log: None };
        let expected = store.begin(&[begun]).await.unwrap()[&partition].next_offset;
        let records = events.into_iter().zip(expected..);
        let records = records.map(|(event, offset)| record(event, 0, offset)).collect();
        let batch = Batch { topic: topic.into(), partition: 0, log: None, expected, records };
        assert_eq!(store.apply(&batch).await.unwrap().parked, 0);
    }
}

struct InMemory {
    view: Arc<MemoryView<SeatView>>,
    orders: LocalOrders,
    log: EmbeddedLog,
    _folder: TempDir,
}

impl InMemory {
    /// With a log that tells the events of so many days before the histories' own time.
    async fn telling(days: u32) -> Self {
        let folder = TempDir::new().unwrap();
        let journal = Journal::open(folder.path()).await.unwrap();
        let log = EmbeddedLog::open(journal.clone()).await.unwrap();
        for topic in [SEATS, PAYMENTS] {
            log.create_topic(topic, 1).await.unwrap();
        }
        let trace =
            Trace::new(journal.readers().clone(), [SEATS, PAYMENTS], days, Arc::new(|| NOW + 10 * DAY));
        let view = Arc::new(MemoryView::new(SeatView::new(SEATS.into())));
        let orders = LocalOrders::new(Arc::clone(&view), trace);
        Self { view, orders, log, _folder: folder }
    }
}

#[async_trait]
impl Fixture for InMemory {
    async fn fresh() -> Self {
        Self::telling(11).await
    }

    fn orders(&self) -> &dyn Orders {
        &self.orders
    }

    async fn happen(&self, events: &[Envelope]) {
        take(&*self.view, events).await;
        for topic in [SEATS, PAYMENTS] {
            let its = events.iter().filter(|event| topic_of(event) == topic);
            self.log.publish(topic, its.map(|event| new_record(event, 0)).collect()).await.unwrap();
        }
    }
}

struct OnPostgres {
    database: Database,
    store: PgViewStore<SeatViewHandler>,
    orders: PostgresOrders,
}

fn options(database: &Database) -> PgConnectOptions {
    DatabaseArgs::at(&database.url).options("test").unwrap()
}

#[async_trait]
impl Fixture for OnPostgres {
    async fn fresh() -> Self {
        let database = database("view").await;
        let options = options(&database);
        migrate::<SeatViewHandler>(&options).await.unwrap();
        Self {
            orders: PostgresOrders::new(reading(options.clone(), CONNECTIONS, LONGEST)),
            store: PgViewStore::new(options, SeatViewHandler, Start::Earliest, String::new()),
            database,
        }
    }

    fn orders(&self) -> &dyn Orders {
        &self.orders
    }

    async fn happen(&self, events: &[Envelope]) {
        take(&self.store, events).await;
    }
}

mod in_memory {
    use super::InMemory;
    boxoffice_tests::orders_conformance!(InMemory);
}

mod on_postgres {
    use super::OnPostgres;
    boxoffice_tests::orders_conformance!(OnPostgres);
}

#[tokio::test]
async fn in_one_process_a_chain_is_told_as_long_as_it_is_kept_whatever_else_is_on_the_log() {
    let (kept, old) = (InMemory::telling(11).await, InMemory::telling(9).await);
    let mut history = History::new("arena-night");
    let events = [vec![history.next(history.created(4))], history.sold(1).to_vec()].concat();
    for fixture in [&kept, &old] {
        fixture.happen(&events).await;
        // The log may have a record twice, and what is no event.
        let again = new_record(&events[1], 0);
        let foreign = NewRecord { value: b"no JSON".to_vec(), ..again.clone() };
        fixture.log.publish(SEATS, vec![again, foreign]).await.unwrap();
    }
    let of = async |fixture: &InMemory, user: Option<&str>| {
        let user = user.map(|user| user.parse().unwrap());
        fixture.orders.trace(&history.correlation, user.as_ref()).await.unwrap().len()
    };
    assert_eq!((of(&kept, None).await, of(&kept, Some("bob")).await, of(&old, None).await), (4, 0, 0));
}

#[tokio::test]
async fn a_database_that_does_not_answer_costs_two_seconds_and_goes_on_when_it_does() {
    let fixture = OnPostgres::fresh().await;
    let alice = "alice".parse().unwrap();
    let mut other = PgConnection::connect_with(&options(&fixture.database)).await.unwrap();
    let mut locked = other.begin().await.unwrap();
    sqlx::query("LOCK TABLE reservations IN ACCESS EXCLUSIVE MODE").execute(&mut *locked).await.unwrap();
    let began = Instant::now();
    let reads = futures::future::join_all((0..4).map(|_| fixture.orders.reservations_of(&alice))).await;
    assert!(reads.iter().all(Result::is_err), "{reads:?}");
    assert!(began.elapsed() < LONGEST + Duration::from_secs(1), "{:?}", began.elapsed());
    locked.rollback().await.unwrap();
    boxoffice_tests::wait::until("orders are read again", async || {
        fixture.orders.reservations_of(&alice).await.ok()
    })
    .await;
    // What was given up keeps no connection busy.
    let busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'test'
                AND state = 'active' AND query LIKE '%FROM reservations%' AND pid <> pg_backend_pid()";
    boxoffice_tests::wait::until("the server has given up too", async || {
        let (busy,): (i64,) = sqlx::query_as(busy).fetch_one(&mut other).await.unwrap();
        (busy == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn before_the_tables_are_there_nothing_can_be_read() {
    let database = database("view").await;
    let orders = PostgresOrders::new(reading(options(&database), CONNECTIONS, LONGEST));
    let failed = orders.reservations_of(&"alice".parse().unwrap()).await.unwrap_err();
    assert!(failed.to_string().contains("reservations"), "{failed}");
}
