//! The seat store without a server: the port's suite, the specification's word on generated commands with restarts
//! between them, and what its file keeps.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_command::store::{Cause, Idempotency, Outcome, SeatStore, answer_memory};
use boxoffice_domain::events::{Incoming, parse};
use boxoffice_domain::{Command, SeatingEventId, SeatingEventState, UnixMillis, evolve};
use boxoffice_local::embedded::journal::{Journal, JournalError};
use boxoffice_local::embedded::seats::{self, EmbeddedSeats, Rules};
use boxoffice_tests::conformance::seat_store::expire_due;
use boxoffice_tests::conformance::seat_store::sequences::{cases_or, generated_commands_do_what_decide_says};
use boxoffice_tests::conformance::seat_store::stage::{
    Fixture, HIGH_WATERMARK, START, Stage, cause, definition, named,
};
use boxoffice_tests::seat_store_suite;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;
use uuid::Uuid;

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

    /// The file as others read it.
    async fn file(&self) -> SqliteConnection {
        let file = self.folder.path().join("boxoffice.db");
        SqliteConnectOptions::new().filename(file).read_only(true).connect().await.unwrap()
    }

    /// How many answers are in the file.
    async fn answers(&self) -> u32 {
        let mut file = self.file().await;
        let answers = sqlx::query_scalar("SELECT count(*) FROM answers").fetch_one(&mut file).await.unwrap();
        file.close().await.unwrap();
        answers
    }
}

async fn open(folder: &Path, clock: &Arc<AtomicU64>) -> Arc<EmbeddedSeats> {
    let clock = Arc::clone(clock);
    let journal = Journal::open(folder).await.unwrap();
    let store = seats::open(journal, Arc::new(move || clock.load(SeqCst))).await.unwrap();
    store.keep_to(Rules { high_watermark: HIGH_WATERMARK, ..Rules::default() });
    Arc::new(store)
}

#[async_trait]
impl Fixture for InAFile {
    type Store = EmbeddedSeats;

    fn store(&self) -> Arc<EmbeddedSeats> {
        Arc::clone(self.store.lock().unwrap().as_ref().unwrap())
    }

    fn archives(&self) -> bool {
        false
    }

    async fn restart(&self) {
        let before = self.store.lock().unwrap().take().unwrap();
        assert_eq!(Arc::strong_count(&before), 1, "nobody uses the store any more");
        drop(before);
        let again = open(self.folder.path(), &self.clock).await;
        *self.store.lock().unwrap() = Some(again);
    }

    /// The files that declare SeatingEvents are read at every start.
    fn remembers_what_is_wanted(&self) -> bool {
        false
    }

    async fn set_clock(&self, now: UnixMillis) {
        self.clock.store(now, SeqCst);
    }

    /// What the file says: the next process will know nothing else.
    async fn state(&self, event: &SeatingEventId) -> SeatingEventState {
        let mut file = self.file().await;
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
    generated_commands_do_what_decide_says(InAFile::fresh, cases_or(400));
}

#[tokio::test]
async fn a_folder_has_one_process_at_a_time() {
    let fixture = InAFile::fresh().await;
    assert!(matches!(Journal::open(fixture.folder.path()).await, Err(JournalError::InUse(_))));
    fixture.restart().await;
    fixture.store().ping().await.unwrap();
}

/// Whatever the file has of it then.
#[tokio::test]
async fn an_answer_is_kept_for_as_long_as_a_hold_can_be_remembered() {
    let fixture = InAFile::fresh().await;
    let stage = Stage::open(&fixture).await;
    let memory = answer_memory(&definition());
    let idempotency = Some(Idempotency::new(&"alice".parse().unwrap(), "k-1", "A-1-1"));
    let hold = async || {
        let command =
            Command::Hold { wanted: named(&["A-1-1"]), user: "alice".parse().unwrap(), hold: Uuid::new_v4() };
        let cause = Cause { idempotency: idempotency.clone(), ..cause("alice") };
        fixture.store().execute(&stage.event, &command, &cause).await.unwrap().unwrap()
    };
    let first = hold().await;
    stage.advance(memory - 1).await;
    expire_due(&*fixture.store()).await.unwrap();
    fixture.restart().await;
    assert_eq!(hold().await, Outcome { repeated: true, ..first.clone() });
    stage.advance(1).await;
    expire_due(&*fixture.store()).await.unwrap();
    assert_eq!(fixture.answers().await, 0);
    let second = hold().await;
    assert!(!second.repeated && second.answer != first.answer, "{second:?}");
    assert_eq!(fixture.answers().await, 1);
    fixture.restart().await;
    assert_eq!(hold().await, Outcome { repeated: true, ..second });
}

/// Also where nothing swept it away in time.
#[tokio::test]
async fn an_answer_that_is_too_old_is_not_given_after_a_restart() {
    let fixture = InAFile::fresh().await;
    let stage = Stage::open(&fixture).await;
    let idempotency = Some(Idempotency::new(&"alice".parse().unwrap(), "k-1", "rain"));
    let block = async || {
        let command = Command::Block { seats: vec!["A-1-1".into()], reason: "rain".into() };
        let cause = Cause { idempotency: idempotency.clone(), ..cause("alice") };
        fixture.store().execute(&stage.event, &command, &cause).await.unwrap().unwrap()
    };
    block().await;
    stage.advance(answer_memory(&definition())).await;
    fixture.restart().await;
    assert!(!block().await.repeated);
    expire_due(&*fixture.store()).await.unwrap();
    assert_eq!(fixture.answers().await, 1, "the new one");
}

#[tokio::test]
async fn answers_go_with_their_seating_event() {
    let fixture = InAFile::fresh().await;
    let stage = Stage::open(&fixture).await;
    let idempotency = Some(Idempotency::new(&"alice".parse().unwrap(), "k-1", "close"));
    let cause = Cause { idempotency, ..cause("alice") };
    fixture.store().execute(&stage.event, &Command::Close, &cause).await.unwrap().unwrap();
    assert_eq!(fixture.answers().await, 1);
    let store = fixture.store();
    stage.purge().await.unwrap();
    expire_due(&*store).await.unwrap();
    assert_eq!(fixture.answers().await, 0);
}

#[tokio::test]
async fn time_does_not_go_back_with_the_clock() {
    let fixture = InAFile::fresh().await;
    let stage = Stage::open(&fixture).await;
    let hold = stage.hold("alice", &["A-1-1"]).await.unwrap();
    fixture.set_clock(hold.expires_at).await;
    assert_eq!(expire_due(&*fixture.store()).await.unwrap(), 1);
    fixture.set_clock(START).await;
    let again = fixture.store().inventory(&stage.event).await.unwrap().unwrap();
    assert_eq!((again.at, again.seats.held), (hold.expires_at, 0));
    fixture.restart().await;
    let restarted = fixture.store().inventory(&stage.event).await.unwrap().unwrap();
    assert_eq!(restarted.at, hold.expires_at);
}
