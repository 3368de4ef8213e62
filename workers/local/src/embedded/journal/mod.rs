//! The one data file, and the one task that writes it: whatever waits is committed in one transaction (group commit).
//!
//! Writes are committed in the order in which they were [`written`](Journal::write), so a later one is never there
//! without the earlier ones: whoever decides under a lock and writes before letting go of it has its order kept.
//! A write that fails ends the journal, because what is in memory is then ahead of the file: everybody who waits is
//! told, and so is [`failed`](Journal::failed), which ends the process. Nothing that was acknowledged is lost by that.

pub mod effects;
mod table;

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use sqlx::sqlite::{
    SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePool, SqlitePoolOptions,
    SqliteSynchronous,
};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{Notify, watch};
use tokio::time::{MissedTickBehavior, interval};
use tokio_util::task::AbortOnDropHandle;

use self::effects::EffectRow;
use self::table::{ANSWERS, EVENTS, GROUP_STARTS, PUBLISHED, PublishedRow, RECORDS};
pub use boxoffice_command::store::embedded::journal::Ticket;

pub use self::table::{AnswerRow, EventRow, GroupStartRow, RecordRow};

/// Connections that read, beside the one that writes.
const READERS: u32 = 4;
/// Longest wait for another program that has the file, such as a database browser.
const BUSY: Duration = Duration::from_secs(5);
/// Pages written before the writer itself folds the write-ahead log into the file, 64 MiB; most of it is folded by then.
const CHECKPOINT_PAGES: &str = "16000";
/// How often it is folded in the background, where the writer need not wait for the disk.
const FOLD: Duration = Duration::from_millis(200);
/// Compiled statements that are kept: one a table and number of rows.
const STATEMENTS: usize = 400;

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

/// What is to be written, together.
#[derive(Debug, Default)]
pub struct Write {
    /// Domain events, appended.
    pub events: Vec<EventRow>,
    /// The answer to a command that came with an idempotency key.
    pub answer: Option<AnswerRow>,
    /// A SeatingEvent whose answers up to this time are to be forgotten.
    pub forgotten: Option<(String, u64)>,
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
    /// What consumers with effects outside remember, in this order.
    pub effects: Vec<EffectRow>,
    /// Whether it must survive a power cut, not only the end of the process.
    pub sync: bool,
}

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
    done: watch::Sender<Progress>,
}

#[derive(Debug, Default)]
struct Waiting {
    tickets: u64,
    writes: Vec<Write>,
}

#[derive(Debug, Default, Clone)]
struct Progress {
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
    let (mut answers, mut group_starts) = (vec![], vec![]);
    let mut transaction = file.begin_with("BEGIN IMMEDIATE").await?;
    for write in writes {
        events.extend(write.events);
        answers.extend(write.answer);
        records.extend(write.records);
        group_starts.extend(write.group_starts);
        if let Some((topic, partitions)) = write.topic {
            sqlx::query(UPSERT_TOPIC).bind(topic).bind(partitions).execute(&mut *transaction).await?;
        }
        published.extend(write.published);
        for row in write.effects {
            row.write(&mut transaction).await?;
        }
        if let Some((event, partition)) = write.pinned {
            sqlx::query("INSERT INTO seating_events (seating_event, partition) VALUES (?, ?)")
                .bind(event)
                .bind(partition)
                .execute(&mut *transaction)
                .await?;
        }
        if let Some((event, upto)) = write.forgotten {
            sqlx::query("DELETE FROM answers WHERE seating_event = ? AND at <= ?")
                .bind(event)
                .bind(upto.cast_signed())
                .execute(&mut *transaction)
                .await?;
        }
    }
    EVENTS.insert(&mut transaction, events).await?;
    ANSWERS.insert(&mut transaction, answers).await?;
    GROUP_STARTS.insert(&mut transaction, group_starts).await?;
    RECORDS.insert(&mut transaction, records).await?;
    let published = published.into_iter().map(|(event, upto)| PublishedRow(event, upto)).collect();
    PUBLISHED.insert(&mut transaction, published).await?;
    transaction.commit().await
}
