//! The seat store without a server: the port's suite, the specification's word on generated commands with restarts
//! between them, and what its file keeps.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_command::store::SeatStore;
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{SeatingEventId, SeatingEventState, UnixMillis, evolve};
use boxoffice_local::embedded::journal::{Journal, JournalError};
use boxoffice_local::embedded::seats::{EmbeddedSeats, Rules};
use boxoffice_tests::conformance::seat_store::equality::generated_commands_do_what_decide_says;
use boxoffice_tests::conformance::seat_store::stage::{Fixture, HIGH_WATERMARK, START, Stage};
use boxoffice_tests::seat_store_suite;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

seat_store_suite!(InAFile::fresh());

/// A folder of its own, and a clock that stands.
struct InAFile {
    folder: TempDir,
    clock: Arc<AtomicU64>,
    store: Mutex<Option<Arc<EmbeddedSeats>>>,
}

impl InAFile {
    async fn fresh() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(AtomicU64::new(START));
        let store = Mutex::new(Some(open(folder.path(), &clock).await));
        Self { folder, clock, store }
    }
}

async fn open(folder: &Path, clock: &Arc<AtomicU64>) -> Arc<EmbeddedSeats> {
    let clock = Arc::clone(clock);
    let journal = Journal::open(folder).await.unwrap();
    let store = EmbeddedSeats::open(journal, Arc::new(move || clock.load(SeqCst))).await.unwrap();
    store.keep_to(Rules { high_watermark: HIGH_WATERMARK, ..Rules::default() });
    Arc::new(store)
}

#[async_trait]
impl Fixture for InAFile {
    type Store = EmbeddedSeats;

    fn store(&self) -> Arc<EmbeddedSeats> {
        Arc::clone(self.store.lock().unwrap().as_ref().unwrap())
    }

    async fn restart(&self) {
        let before = self.store.lock().unwrap().take().unwrap();
        assert_eq!(Arc::strong_count(&before), 1, "nobody uses the store any more");
        drop(before);
        let again = open(self.folder.path(), &self.clock).await;
        *self.store.lock().unwrap() = Some(again);
    }

    async fn set_clock(&self, now: UnixMillis) {
        self.clock.store(now, SeqCst);
    }

    /// What the file says: the next process will know nothing else.
    async fn state(&self, event: &SeatingEventId) -> SeatingEventState {
        let file =
            SqliteConnectOptions::new().filename(self.folder.path().join("boxoffice.db")).read_only(true);
        let mut file = file.connect().await.unwrap();
        let events: Vec<String> =
            sqlx::query_scalar("SELECT envelope FROM events WHERE seating_event = ? ORDER BY sequence")
                .bind(event.as_str())
                .fetch_all(&mut file)
                .await
                .unwrap();
        file.close().await.unwrap();
        let mut state = SeatingEventState::new(event.clone());
        for json in events {
            let Incoming::Known(envelope) = parse(json.as_bytes()).unwrap() else { panic!("{json}") };
            evolve(&mut state, &envelope);
        }
        state
    }
}

#[test]
fn i10_generated_commands_and_restarts_do_what_decide_says() {
    generated_commands_do_what_decide_says(InAFile::fresh(), 32);
}

#[tokio::test]
async fn a_folder_has_one_process_at_a_time() {
    let fixture = InAFile::fresh().await;
    assert!(matches!(Journal::open(fixture.folder.path()).await, Err(JournalError::InUse(_))));
    fixture.restart().await;
    fixture.store().ping().await.unwrap();
}

#[tokio::test]
async fn time_does_not_go_back_with_the_clock() {
    let fixture = InAFile::fresh().await;
    let stage = Stage::open(&fixture).await;
    let hold = stage.hold("alice", &["A-1-1"]).await.unwrap();
    fixture.set_clock(hold.expires_at).await;
    assert_eq!(fixture.store().expire_due().await.unwrap(), 1);
    fixture.set_clock(START).await;
    let again = fixture.store().inventory(&stage.event).await.unwrap().unwrap();
    assert_eq!((again.at, again.seats.held), (hold.expires_at, 0));
    fixture.restart().await;
    let restarted = fixture.store().inventory(&stage.event).await.unwrap().unwrap();
    assert_eq!(restarted.at, hold.expires_at);
}
