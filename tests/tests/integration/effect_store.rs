//! The stores of effects: the port's suite, on PostgreSQL and in the data file of one process.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use async_trait::async_trait;
use boxoffice_consumer::effects::Lane;
use boxoffice_consumer::effects::postgres::{Clock, PgEffectStore};
use boxoffice_consumer::handlers::Handler;
use boxoffice_consumer::handlers::webhook::{Wanted, WebhookHandler};
use boxoffice_consumer::view::migrate;
use boxoffice_domain::Envelope;
use boxoffice_local::embedded::effects::book::Book;
use boxoffice_local::embedded::effects::intake::Webhooks;
use boxoffice_local::embedded::journal::Journal;
use boxoffice_local::embedded::views::{LogPosition, MemoryHandler};
use boxoffice_runtime::postgres::{DatabaseArgs, pool};
use boxoffice_tests::conformance::effect_store::Fixture;
use boxoffice_tests::servers::{Database, database};
use sqlx::PgPool;
use sqlx::postgres::PgConnectOptions;
use tempfile::TempDir;

struct Postgres {
    store: PgEffectStore,
    handler: WebhookHandler,
    pool: PgPool,
    moved: Arc<AtomicI64>,
    database: Database,
}

impl Postgres {
    fn on(database: Database, moved: Arc<AtomicI64>) -> Self {
        let clock = Clock::Moved(Arc::clone(&moved));
        let options = options(&database);
        let handler = WebhookHandler { wanted: Wanted::new([]).unwrap(), clock: clock.clone() };
        Self {
            store: PgEffectStore::new(options.clone(), clock),
            handler,
            pool: pool(options, 1),
            moved,
            database,
        }
    }
}

fn options(database: &Database) -> PgConnectOptions {
    DatabaseArgs::at(&database.url).options("test").unwrap()
}

#[async_trait]
impl Fixture for Postgres {
    type Store = PgEffectStore;

    async fn fresh() -> Self {
        let database = database("effects").await;
        migrate::<WebhookHandler>(&options(&database)).await.unwrap();
        Self::on(database, Arc::default())
    }

    fn store(&self) -> &PgEffectStore {
        &self.store
    }

    async fn put(&self, events: &[Envelope]) {
        let mut transaction = self.pool.begin().await.unwrap();
        self.handler.apply(&mut transaction, &events.iter().collect::<Vec<_>>()).await.unwrap();
        transaction.commit().await.unwrap();
    }

    fn pass(&self, millis: u64) {
        self.moved.fetch_add(millis.cast_signed(), Ordering::SeqCst);
    }

    async fn announced(&self) -> Vec<String> {
        let query = "SELECT convert_from(envelope, 'UTF8') FROM outbox ORDER BY id";
        sqlx::query_scalar(query).fetch_all(&self.pool).await.unwrap()
    }

    async fn parked(&self) -> Vec<(Lane, String)> {
        let query = "SELECT topic, aggregate, parked FROM effect_lanes WHERE parked IS NOT NULL";
        let rows: Vec<(String, String, String)> = sqlx::query_as(query).fetch_all(&self.pool).await.unwrap();
        rows.into_iter().map(|(topic, aggregate, reason)| (Lane { topic, aggregate }, reason)).collect()
    }

    async fn restarted(self) -> Self {
        let Self { database, moved, .. } = self;
        Self::on(database, moved)
    }
}

struct OneProcess {
    book: Book,
    offset: AtomicU64,
    now: Arc<AtomicU64>,
    folder: TempDir,
}

impl OneProcess {
    async fn on(folder: TempDir, now: Arc<AtomicU64>, offset: u64) -> Self {
        let journal = Journal::open(folder.path()).await.unwrap();
        let clock = Arc::clone(&now);
        let clock = Arc::new(move || clock.load(Ordering::SeqCst));
        let book = Book::open(journal, "tell", clock).await.unwrap();
        Self { book, offset: offset.into(), now, folder }
    }
}

#[async_trait]
impl Fixture for OneProcess {
    type Store = Book;

    async fn fresh() -> Self {
        Self::on(TempDir::new().unwrap(), Arc::new(1_000_000.into()), 0).await
    }

    fn store(&self) -> &Book {
        &self.book
    }

    async fn put(&self, events: &[Envelope]) {
        let mut handler = Webhooks { book: self.book.clone(), wanted: Wanted::new([]).unwrap() };
        for event in events {
            let offset = self.offset.fetch_add(1, Ordering::SeqCst);
            let position = LogPosition { topic: "seat-events", partition: 0, offset };
            handler.apply(event, position).unwrap();
            handler.apply(event, position).unwrap();
        }
    }

    fn pass(&self, millis: u64) {
        self.now.fetch_add(millis, Ordering::SeqCst);
    }

    async fn announced(&self) -> Vec<String> {
        self.book.waiting()
    }

    async fn parked(&self) -> Vec<(Lane, String)> {
        self.book.parked()
    }

    async fn restarted(self) -> Self {
        let Self { book, offset, now, folder } = self;
        drop(book);
        let mut again = None;
        // The file is free once the last clone of its writer is gone.
        while again.is_none() {
            again = Journal::open(folder.path()).await.ok();
            tokio::task::yield_now().await;
        }
        drop(again);
        Self::on(folder, now, offset.into_inner()).await
    }
}

mod postgres_suite {
    use super::Postgres;
    boxoffice_tests::effect_store_conformance!(Postgres);
}

mod one_process_suite {
    use super::OneProcess;
    boxoffice_tests::effect_store_conformance!(OneProcess);
}
