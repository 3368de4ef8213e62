//! The one data file, and the one task that writes it: whatever waits is committed in one transaction (group commit).
//!
//! Writes are committed in the order in which they were [`written`](Journal::write), so a later one is never there
//! without the earlier ones: whoever decides under a lock and writes before letting go of it has its order kept.
//! A write that fails ends the journal, because what is in memory is then ahead of the file: everybody who waits is
//! told, and so is [`failed`](Journal::failed), which ends the process. Nothing that was acknowledged is lost by that.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::query::Query;
use sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool,
    SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Sqlite};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

/// Connections that read, beside the one that writes.
const READERS: u32 = 4;
/// Longest wait for another program that has the file, such as a database browser.
const BUSY: Duration = Duration::from_secs(5);
/// Pages written before the writer itself folds the write-ahead log into the file, 64 MiB; most of it is folded by then.
const CHECKPOINT_PAGES: &str = "16000";
/// How often it is folded in the background, where the writer need not wait for the disk.
const FOLD: Duration = Duration::from_millis(200);
/// A statement adds at most so many rows, or this few exactly: SQLite keeps those statements compiled.
const MANY: usize = 256;
const FEW: usize = 64;
/// Compiled statements that are kept: one a table and number of rows.
const STATEMENTS: usize = 300;

/// Why the data file cannot be used.
#[derive(Debug, Clone, thiserror::Error)]
pub enum JournalError {
    /// Another process has it.
    #[error("{0} is in use by another boxoffice: end that one, or give another --data-dir")]
    InUse(String),
    /// It cannot be opened.
    #[error("{file} cannot be opened: {problem}")]
    Open {
        /// The file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// It cannot be read or written.
    #[error("the data file failed: {0}")]
    Failed(String),
}

impl From<sqlx::Error> for JournalError {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

/// A row of `events`.
#[derive(Debug)]
pub struct EventRow(pub String, pub u64, pub String, pub Option<String>);

/// A row of `records`: topic, partition, offset, key, value, headers, timestamp.
#[derive(Debug)]
pub struct RecordRow(pub Arc<str>, pub u32, pub u64, pub String, pub String, pub String, pub u64);

/// A row of `group_starts`: group, topic, partition, offset.
#[derive(Debug)]
pub struct GroupStartRow(pub String, pub String, pub u32, pub u64);

/// What is to be written, together.
#[derive(Debug, Default)]
pub struct Write {
    /// Domain events, appended.
    pub events: Vec<EventRow>,
    /// The partition of a new SeatingEvent.
    pub pinned: Option<(String, u32)>,
    /// How far the log has the events of a SeatingEvent.
    pub published: Option<(String, u64)>,
    /// A topic that is new or has grown, and how many partitions it has now.
    pub topic: Option<(String, u32)>,
    /// Where groups begin, in partitions of which that was not said before.
    pub group_starts: Vec<GroupStartRow>,
    /// Records, appended.
    pub records: Vec<RecordRow>,
    /// A SeatingEvent to forget.
    pub purged: Option<String>,
    /// Whether it must survive a power cut, not only the end of the process.
    pub sync: bool,
}

/// A place in the order of writes; the default one comes before all.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ticket(u64);

/// See the module. Clones write the same file.
#[derive(Debug, Clone)]
pub struct Journal {
    shared: Arc<Shared>,
    readers: SqlitePool,
    /// The writer and the task that folds end with the last clone.
    _tasks: Arc<[AbortOnDropHandle<()>; 2]>,
    /// Held as long as the file is in use.
    _lock: Arc<File>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    wake: Notify,
    done: watch::Sender<Done>,
}

#[derive(Debug, Default)]
struct Waiting {
    tickets: u64,
    writes: Vec<Write>,
}

#[derive(Debug, Default, Clone)]
struct Done {
    upto: u64,
    failed: Option<JournalError>,
}

impl Journal {
    /// Opens the data file in `folder`, which is made where it is missing, and locks it.
    ///
    /// # Errors
    /// A folder or file that cannot be used, or that another process uses.
    pub async fn open(folder: &Path) -> Result<Self, JournalError> {
        let file = folder.join("boxoffice.db");
        let failed = |problem: String| JournalError::Open { file: file.display().to_string(), problem };
        std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        let lock = File::create(folder.join("lock")).map_err(|error| failed(error.to_string()))?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => JournalError::InUse(folder.display().to_string()),
            TryLockError::Error(error) => failed(error.to_string()),
        })?;
        let options = SqliteConnectOptions::new()
            .filename(&file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .pragma("wal_autocheckpoint", CHECKPOINT_PAGES)
            .pragma("temp_store", "memory")
            .busy_timeout(BUSY)
            .statement_cache_capacity(STATEMENTS)
            .disable_statement_logging();
        let opened = async {
            // Of a pool, because with a connection of its own this future could not be sent between threads.
            let file = SqlitePoolOptions::new().max_connections(2).connect_with(options.clone()).await?;
            sqlx::migrate!().run(&file).await?;
            Ok::<_, sqlx::Error>((file.acquire().await?.detach(), file.acquire().await?.detach()))
        };
        let (writer, folding) = opened.await.map_err(|error| failed(error.to_string()))?;
        let readers =
            SqlitePoolOptions::new().max_connections(READERS).connect_lazy_with(options.read_only(true));
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            wake: Notify::new(),
            done: watch::Sender::default(),
        });
        let tasks = [
            AbortOnDropHandle::new(tokio::spawn(commit_all(Arc::clone(&shared), writer))),
            AbortOnDropHandle::new(tokio::spawn(fold_all(Arc::clone(&shared), folding))),
        ];
        Ok(Self { shared, readers, _tasks: Arc::new(tasks), _lock: Arc::new(lock) })
    }

    /// Puts `write` behind all earlier ones; it is committed soon, also when nobody waits.
    pub fn write(&self, write: Write) -> Ticket {
        let mut waiting = self.shared.waiting();
        waiting.tickets += 1;
        waiting.writes.push(write);
        let ticket = Ticket(waiting.tickets);
        drop(waiting);
        self.shared.wake.notify_one();
        ticket
    }

    /// Returns when the write with this ticket, and so every earlier one, is committed.
    ///
    /// # Errors
    /// The failure that ended the journal.
    pub async fn committed(&self, Ticket(ticket): Ticket) -> Result<(), JournalError> {
        let mut done = self.shared.done.subscribe();
        // The sender lives in `self`.
        let reached = done.wait_for(|done| done.upto >= ticket || done.failed.is_some()).await;
        match reached.map(|done| (done.upto >= ticket, done.failed.clone())) {
            Ok((false, Some(error))) => Err(error),
            _ => Ok(()),
        }
    }

    /// Returns the failure that ended the journal; waits for ever where there is none.
    pub async fn failed(&self) -> JournalError {
        let mut done = self.shared.done.subscribe();
        let failed = done.wait_for(|done| done.failed.is_some()).await;
        match failed.ok().and_then(|done| done.failed.clone()) {
            Some(error) => error,
            None => std::future::pending().await,
        }
    }

    /// Connections for reading what was committed.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }
}

impl Shared {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Commits what waits, again and again, until a commit fails.
async fn commit_all(shared: Arc<Shared>, mut file: SqliteConnection) {
    let mut synchronous = false;
    loop {
        shared.wake.notified().await;
        let (upto, writes) = {
            let mut waiting = shared.waiting();
            (waiting.tickets, std::mem::take(&mut waiting.writes))
        };
        if writes.is_empty() {
            continue;
        }
        match commit(&mut file, writes, &mut synchronous).await {
            Ok(()) => shared.done.send_modify(|done| done.upto = upto),
            Err(error) => {
                tracing::error!(%error, "the data file cannot be written");
                shared.done.send_modify(|done| done.failed = Some(error.into()));
                return;
            }
        }
    }
}

/// Folds the write-ahead log into the file while there are commits. What it misses the writer folds itself.
async fn fold_all(shared: Arc<Shared>, mut file: SqliteConnection) {
    let mut commits = shared.done.subscribe();
    let mut turn = interval(FOLD);
    turn.set_missed_tick_behavior(MissedTickBehavior::Delay);
    while commits.changed().await.is_ok() {
        turn.tick().await;
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut file).await {
            tracing::debug!(%error, "the write-ahead log is not folded for now");
        }
    }
}

const EVENTS: Table = Table {
    insert: "INSERT OR ROLLBACK INTO events (seating_event, sequence, envelope, traceparent)",
    columns: 4,
};
const PUBLISHED: Table =
    Table { insert: "INSERT OR REPLACE INTO published (seating_event, sequence)", columns: 2 };
const GROUP_STARTS: Table = Table {
    insert: r#"INSERT OR ROLLBACK INTO group_starts (consumer_group, topic, partition, "offset")"#,
    columns: 4,
};
const RECORDS: Table = Table {
    insert: r#"INSERT OR ROLLBACK INTO records (topic, partition, "offset", key, value, headers, timestamp)"#,
    columns: 7,
};
const UPSERT_TOPIC: &str = "
    INSERT INTO topics (topic, partitions) VALUES (?, ?)
    ON CONFLICT (topic) DO UPDATE SET partitions = excluded.partitions";

async fn commit(
    file: &mut SqliteConnection,
    writes: Vec<Write>,
    synchronous: &mut bool,
) -> Result<(), sqlx::Error> {
    let sync = writes.iter().any(|write| write.sync);
    if sync != *synchronous {
        let level = if sync { "PRAGMA synchronous = FULL" } else { "PRAGMA synchronous = NORMAL" };
        sqlx::query(level).execute(&mut *file).await?;
        *synchronous = sync;
    }
    let (mut events, mut records, mut published) = (vec![], vec![], HashMap::new());
    let mut group_starts = vec![];
    let mut transaction = file.begin_with("BEGIN IMMEDIATE").await?;
    for write in writes {
        events.extend(write.events);
        records.extend(write.records);
        group_starts.extend(write.group_starts);
        if let Some((topic, partitions)) = write.topic {
            sqlx::query(UPSERT_TOPIC).bind(topic).bind(partitions).execute(&mut *transaction).await?;
        }
        published.extend(write.published);
        if let Some((event, partition)) = write.pinned {
            sqlx::query("INSERT INTO seating_events (seating_event, partition) VALUES (?, ?)")
                .bind(event)
                .bind(partition)
                .execute(&mut *transaction)
                .await?;
        }
        if let Some(event) = write.purged {
            events.retain(|EventRow(of, ..)| *of != event);
            published.remove(&event);
            for table in [
                "DELETE FROM events WHERE seating_event = ?",
                "DELETE FROM seating_events WHERE seating_event = ?",
                "DELETE FROM published WHERE seating_event = ?",
            ] {
                sqlx::query(table).bind(&event).execute(&mut *transaction).await?;
            }
        }
    }
    EVENTS.insert(&mut transaction, events).await?;
    GROUP_STARTS.insert(&mut transaction, group_starts).await?;
    RECORDS.insert(&mut transaction, records).await?;
    let published = published.into_iter().map(|(event, upto)| PublishedRow(event, upto)).collect();
    PUBLISHED.insert(&mut transaction, published).await?;
    transaction.commit().await
}

/// A table that rows are added to. Of a statement that fails nothing is wanted, so it rolls the transaction back: else
/// SQLite would write down how to undo every statement alone.
struct Table {
    /// The statement up to the rows.
    insert: &'static str,
    /// How many columns it names.
    columns: usize,
}

/// What is added to a table.
trait Row {
    /// Its values, in the order of the columns.
    fn bind(self, insert: Insert<'_>) -> Insert<'_>;
}

type Insert<'q> = Query<'q, Sqlite, SqliteArguments>;

impl Table {
    /// Adds many rows in few statements, of sizes that come again: SQLite keeps them compiled.
    async fn insert<R: Row>(&self, file: &mut SqliteConnection, rows: Vec<R>) -> Result<(), sqlx::Error> {
        let mut rows = rows.into_iter();
        while rows.len() > 0 {
            let size = match rows.len() {
                MANY.. => MANY,
                left => left.min(FEW),
            };
            let row = format!("({}),", vec!["?"; self.columns].join(","));
            let values = row.repeat(size);
            let statement = format!("{} VALUES {}", self.insert, values.trim_end_matches(','));
            let insert = sqlx::query(AssertSqlSafe(statement));
            let insert = rows.by_ref().take(size).fold(insert, |insert, row| row.bind(insert));
            insert.execute(&mut *file).await?;
        }
        Ok(())
    }
}

impl Row for EventRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(event, sequence, envelope, traceparent) = self;
        insert.bind(event).bind(sequence.cast_signed()).bind(envelope).bind(traceparent)
    }
}

/// A row of `published`.
struct PublishedRow(String, u64);

impl Row for PublishedRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        insert.bind(self.0).bind(self.1.cast_signed())
    }
}

impl Row for GroupStartRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(group, topic, partition, offset) = self;
        insert.bind(group).bind(topic).bind(partition).bind(offset.cast_signed())
    }
}

impl Row for RecordRow {
    fn bind(self, insert: Insert<'_>) -> Insert<'_> {
        let Self(topic, partition, offset, key, value, headers, timestamp) = self;
        let insert = insert.bind(topic).bind(partition).bind(offset.cast_signed());
        insert.bind(key).bind(value).bind(headers).bind(timestamp.cast_signed())
    }
}
