//! What outlives a version: `tests/formats` has what each format of it looks like, today's is what is written, and the
//! one before is read as well (DECISIONS 65).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use boxoffice_command::archive::{self, Archive};
use boxoffice_command::snapshot::{self, Snapshot};
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::wire::{ANSWER_FORMAT, ENTRY_FORMAT, ENTRY_FORMAT_READ, RECORD_FORMAT};
use boxoffice_command::store::redis::{Clock, RedisStore, Settings};
use boxoffice_command::store::{Outbox, OutboxEntry, Outcome, SeatStore};
use boxoffice_domain::events::{Incoming, VERSION, parse};
use boxoffice_domain::{Envelope, SeatingEventId, SeatingEventState, UnixMillis, evolve};
use boxoffice_tests::conformance::seat_store::stage::START;
use boxoffice_tests::formats::{
    HISTORY, OVER, PARTITION, PUBLISHED, SHOWS, SNAPSHOT, ScriptedCommand, id, is_as_kept, kept, sale,
    to_read,
};
use boxoffice_tests::recovery::nothing_was_lost;
use boxoffice_tests::servers::{redis_url, service};
use futures::future::join_all;
use redis::AsyncTypedCommands;
use redis::aio::MultiplexedConnection;
use serde_json::{Value, json};

/// The first and today's format of each kind. What there was before the first is not read: records of it are worked out
/// again from the log, answers and entries of it are refused by their number.
const ENTRIES: (u32, u32) = (2, ENTRY_FORMAT);
/// The first one that says what an entry goes on from.
const SAYS_AFTER: u32 = 3;
/// What is read already, and written by the version after this one where it is above today's.
const LATER_ENTRIES: (u32, u32) = (ENTRY_FORMAT_READ, ENTRY_FORMAT_READ);
const RECORDS: (u32, u32) = (3, RECORD_FORMAT);
const ANSWERS: (u32, u32) = (2, ANSWER_FORMAT);
const EVENTS: (u32, u32) = (1, VERSION);
const SNAPSHOTS: (u32, u32) = (1, snapshot::FORMAT);
const ARCHIVES: (u32, u32) = (1, archive::FORMAT);

/// The hashes of a SeatingEvent, by what their keys end with.
const HASHES: [&str; 5] = ["meta", "seats", "holds", "reservations", "users"];

/// A store of its own on the shared Redis, with a clock in a key.
struct TestStore {
    store: Arc<RedisStore>,
    keys: Keys,
    service: String,
    clock: String,
    connection: MultiplexedConnection,
}

impl TestStore {
    async fn new() -> Self {
        let service = service("formats");
        let clock = format!("{service}:clock");
        let client = redis::Client::open(redis_url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        let source = Clock::Keys(vec![clock.clone()]);
        let settings = Settings { clock: source, ..Settings::new(redis_url(), service.clone()) };
        let store = Arc::new(RedisStore::connect(settings).await.unwrap());
        let this = Self { store, keys: Keys::new(&service), service, clock, connection };
        this.set_clock(START).await;
        nothing_was_lost(&this.store).await;
        this
    }

    async fn set_clock(&self, now: UnixMillis) {
        self.connection.clone().set(&self.clock, now).await.unwrap();
    }

    /// Carries the sale out.
    async fn sell(&self) {
        for ScriptedCommand { event, at, cause, command } in sale() {
            self.set_clock(at).await;
            let context = format!("{command:?}");
            if cause.idempotency.is_none()
                && let boxoffice_domain::Command::Provision { definition } = &command
            {
                let made = self.store.provision(&event, definition, PARTITION, &cause).await.unwrap();
                made.unwrap_or_else(|refusal| panic!("{context}: {refusal:?}"));
                continue;
            }
            let done = self.store.execute(&event, &command, &cause).await.unwrap();
            done.unwrap_or_else(|refusal| panic!("{context}: {refusal:?}"));
        }
    }

    /// Publishes the beginning of the first show, and archives the one that is over.
    async fn settle(&self) {
        let (arena, over) = (SHOWS[0].parse().unwrap(), OVER.parse().unwrap());
        self.store.published(&arena, PUBLISHED.0, PUBLISHED.1).await.unwrap();
        self.store.published(&over, 1, PUBLISHED.1).await.unwrap();
        assert!(self.store.archive(&over, 1, SNAPSHOT).await.unwrap());
    }

    /// Sends again what had a key: what is told now.
    async fn repeat(&self) -> Vec<Outcome> {
        let mut told = vec![];
        for ScriptedCommand { event, cause, command, .. } in sale() {
            if cause.idempotency.is_some() {
                let outcome = self.store.execute(&event, &command, &cause).await.unwrap().unwrap();
                assert!(outcome.repeated, "{command:?}: {outcome:?}");
                told.push(outcome);
            }
        }
        told
    }

    /// The entries of each show, by id.
    async fn entries(&self) -> Value {
        let mut shows = BTreeMap::new();
        for show in SHOWS {
            let mut read = redis::cmd("XRANGE");
            read.arg(self.keys.event(&show.parse().unwrap()).outbox()).arg("-").arg("+");
            let entries: Vec<(String, (String, String))> =
                read.query_async(&mut self.connection.clone()).await.unwrap();
            let entry = |(id, (field, text)): (String, (String, String))| {
                assert_eq!(field, "event");
                (id, serde_json::from_str::<Value>(&text).unwrap())
            };
            shows.insert(show, entries.into_iter().map(entry).collect::<BTreeMap<_, _>>());
        }
        json!(shows)
    }

    /// The domain events of each show that wait to be published, in order.
    async fn events(&self, show: &str) -> Vec<Envelope> {
        let (partition, entries) = self.store.unpublished(&show.parse().unwrap(), 10_000).await.unwrap();
        assert_eq!(partition, PARTITION);
        entries.into_iter().map(|entry| entry.envelope).collect()
    }

    /// The records of each show, but for what its definition makes.
    async fn records(&self) -> Value {
        let mut shows = BTreeMap::new();
        for show in SHOWS {
            let event = show.parse().unwrap();
            let keys = self.keys.event(&event);
            let mut records = serde_json::Map::new();
            for (name, key) in HASHES.iter().zip(keys.all()) {
                let mut fields: BTreeMap<String, String> =
                    self.connection.clone().hgetall(key).await.unwrap().into_iter().collect();
                fields.get_mut("history").into_iter().for_each(|history| HISTORY.clone_into(history));
                // Whoever does not know it may leave it out, so it is nothing of the format.
                fields.remove("last");
                records.insert((*name).to_owned(), json!(fields));
            }
            let mut read = redis::cmd("ZRANGE");
            read.arg(keys.deadlines()).arg(0).arg(-1).arg("WITHSCORES");
            let deadlines: Vec<(String, u64)> = read.query_async(&mut self.connection.clone()).await.unwrap();
            records.insert("deadlines".to_owned(), json!(deadlines.into_iter().collect::<BTreeMap<_, _>>()));
            shows.insert(show, records);
        }
        json!(shows)
    }

    /// The stored answers, by the step that they answer.
    async fn answers(&self) -> Value {
        let mut answers = BTreeMap::new();
        for (number, ScriptedCommand { event, cause, .. }) in sale().into_iter().enumerate() {
            let Some(idempotency) = cause.idempotency else { continue };
            let key = self.keys.answer(&event, &idempotency.key);
            let text = self.connection.clone().get(key).await.unwrap().unwrap();
            answers.insert(format!("{number:02} {}", idempotency.key.digest()), text);
        }
        json!(answers)
    }

    /// Puts records there as a file has them, with the history that the server has.
    async fn take_records(&self, shows: &Value, history: &str) {
        for (show, records) in shows.as_object().unwrap() {
            let event: SeatingEventId = show.parse().unwrap();
            let keys = self.keys.event(&event);
            for (name, key) in HASHES.iter().zip(keys.all()) {
                for (field, text) in records[name].as_object().unwrap() {
                    let text = text.as_str().unwrap();
                    let text = if text == HISTORY { history } else { text };
                    self.connection.clone().hset(key, field, text).await.unwrap();
                }
            }
            for (member, due) in records["deadlines"].as_object().unwrap() {
                let due = due.as_u64().unwrap();
                let mut add = redis::cmd("ZADD");
                add.arg(keys.deadlines()).arg(due).arg(member);
                add.exec_async(&mut self.connection.clone()).await.unwrap();
            }
        }
    }

    /// The history of its server.
    async fn history(&self) -> String {
        let event: SeatingEventId = SHOWS[0].parse().unwrap();
        let keys = self.keys.event(&event);
        self.connection.clone().hget(keys.meta(), "history").await.unwrap().unwrap()
    }
}

/// A store in which the sale was carried out.
async fn sold() -> TestStore {
    let original = TestStore::new().await;
    original.sell().await;
    original
}

/// What the file of domain events says.
fn events_of(file: &Value, show: &str) -> Vec<Envelope> {
    let read = |event: &Value| match parse(event.to_string().as_bytes()).unwrap() {
        Incoming::Known(envelope) => envelope,
        Incoming::Unknown(unknown) => panic!("{unknown:?}"),
    };
    file[show].as_array().unwrap().iter().map(read).collect()
}

/// A domain event as it is published.
fn published(envelope: &Envelope) -> Value {
    serde_json::from_slice(&envelope.to_json().unwrap()).unwrap()
}

/// What domain events add up to.
fn state_of(show: &str, events: &[Envelope]) -> SeatingEventState {
    let mut state = SeatingEventState::new(show.parse().unwrap());
    for envelope in events {
        evolve(&mut state, envelope);
    }
    state
}

fn snapshot_of(show: &str, events: &[Envelope]) -> Snapshot {
    let state = state_of(show, events);
    let revision = state.sale.is_some().then(|| id(10_001));
    let time = events.last().unwrap().timestamp;
    Snapshot { format: snapshot::FORMAT, partition: PARTITION, offset: PUBLISHED.1, time, revision, state }
}

/// What each show came to; none of one that was purged.
fn archives_of<'a>(events: &BTreeMap<&'a str, Vec<Envelope>>) -> BTreeMap<&'a str, Option<Archive>> {
    let archive = |show: &str, events: &[Envelope]| Archive::of(&snapshot_of(show, events)).unwrap();
    events.iter().map(|(show, events)| (*show, archive(show, events))).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn golden_what_is_written_is_what_its_format_says() {
    let original = sold().await;
    is_as_kept("entries", ENTRY_FORMAT, "ENTRY_FORMAT", &original.entries().await);
    let mut events = BTreeMap::new();
    for show in SHOWS {
        events.insert(show, original.events(show).await);
    }
    let written: BTreeMap<_, Vec<_>> =
        events.iter().map(|(show, events)| (*show, events.iter().map(published).collect())).collect();
    is_as_kept("events", VERSION, "VERSION", &json!(written));
    let snapshots: BTreeMap<_, _> =
        events.iter().map(|(show, events)| (*show, snapshot_of(show, events))).collect();
    is_as_kept("snapshots", snapshot::FORMAT, "snapshot::FORMAT", &json!(snapshots));
    is_as_kept("archives", archive::FORMAT, "archive::FORMAT", &json!(archives_of(&events)));
    is_as_kept("answers", ANSWER_FORMAT, "ANSWER_FORMAT", &original.answers().await);
    original.settle().await;
    is_as_kept("records", RECORD_FORMAT, "RECORD_FORMAT", &original.records().await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_format_and_the_one_before_wrote_is_read() {
    let original = sold().await;
    let history = original.history().await;
    let events = kept("events", VERSION).unwrap();

    for (format, file) in to_read("events", EVENTS) {
        for show in SHOWS {
            let read = events_of(&file, show);
            assert_eq!(read, original.events(show).await, "events of format {format}: {show}");
        }
    }
    let mut entries = to_read("entries", ENTRIES);
    entries.extend(to_read("entries", LATER_ENTRIES));
    for (format, file) in entries {
        let there = TestStore::new().await;
        there.take_records(&kept("records", RECORD_FORMAT).unwrap(), &history).await;
        // Of one that is archived nothing waits.
        for (show, entries) in file.as_object().unwrap().iter().filter(|(show, _)| *show != OVER) {
            let event: SeatingEventId = show.parse().unwrap();
            let mut ids: Vec<_> = entries.as_object().unwrap().keys().collect();
            ids.sort_by_key(|id| id.strip_suffix("-0").unwrap().parse::<u64>().unwrap());
            for id in ids {
                let mut add = redis::cmd("XADD");
                add.arg(there.keys.event(&event).outbox()).arg(id).arg("event").arg(entries[id].to_string());
                add.exec_async(&mut there.connection.clone()).await.unwrap();
            }
            let read = there.events(show).await;
            assert_eq!(read, events_of(&events, show), "entries of format {format}: {show}");
            let (_, entries) = there.store.unpublished(&event, 10_000).await.unwrap();
            let named = entries.iter().filter(|entry| entry.after.is_some()).count();
            let commands: BTreeSet<_> = read.iter().map(|event| event.metadata.causation_id).collect();
            // The first entry of each command but the first.
            let expected = if format < SAYS_AFTER { 0 } else { commands.len() - 1 };
            assert_eq!(named, expected, "entries of format {format}: {show}");
            let goes_on =
                |pair: &[OutboxEntry]| pair[1].after.is_none_or(|after| after == pair[0].envelope.event_id);
            assert!(entries.windows(2).all(goes_on), "entries of format {format}: {show}");
        }
    }
    original.settle().await;
    for (format, file) in to_read("records", RECORDS) {
        let there = TestStore::new().await;
        there.take_records(&file, &history).await;
        there.set_clock(sale().last().unwrap().at).await;
        for show in SHOWS {
            let event = show.parse().unwrap();
            let inventories = [&there, &original].map(|it| it.store.inventory(&event));
            let [read, expected] = join_all(inventories).await.try_into().unwrap();
            assert_eq!(read.unwrap(), expected.unwrap(), "records of format {format}: {show}");
            if show != OVER {
                let read = there.store.state(&event).await.unwrap();
                let expected = state_of(show, &events_of(&events, show));
                assert_eq!(json!(read), json!(expected), "records of format {format}: {show}");
            }
        }
    }
    let told = original.repeat().await;
    for (format, file) in to_read("answers", ANSWERS) {
        let there = TestStore::new().await;
        there.set_clock(sale().last().unwrap().at).await;
        there.take_records(&kept("records", RECORD_FORMAT).unwrap(), &history).await;
        for (name, text) in file.as_object().unwrap() {
            let (_, digest) = name.split_once(' ').unwrap();
            let key = format!("{}:{{{}}}:answer:{digest}", there.service, SHOWS[0]);
            there.connection.clone().set(key, text.as_str().unwrap()).await.unwrap();
        }
        assert_eq!(there.repeat().await, told, "answers of format {format}");
    }
    for (format, file) in to_read("snapshots", SNAPSHOTS) {
        for show in SHOWS {
            let read: Snapshot = serde_json::from_value(file[show].clone()).unwrap();
            let expected = Snapshot { format, ..snapshot_of(show, &events_of(&events, show)) };
            assert_eq!(json!(read), json!(expected), "snapshots of format {format}: {show}");
        }
    }
    let events: BTreeMap<_, _> = SHOWS.iter().map(|show| (*show, events_of(&events, show))).collect();
    for (format, file) in to_read("archives", ARCHIVES) {
        for (show, expected) in archives_of(&events) {
            let written = &file[show];
            if written.is_null() {
                assert_eq!(expected, None, "archives of format {format}: {show}");
                continue;
            }
            let read = Archive::read(&show.parse().unwrap(), written.to_string().as_bytes()).unwrap();
            assert_eq!(Some(read), expected, "archives of format {format}: {show}");
        }
    }
}
