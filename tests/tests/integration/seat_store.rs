//! The seat store on Redis: the port's suite, the specification's word on generated commands, and what only a server
//! that crashes can show.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::str::FromStr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::{Clock, ConnectError, RedisStore, Settings};
use boxoffice_command::store::{Outbox, SeatStore, Signal, StoreError, over_at};
use boxoffice_domain::seating::TAKEN;
use boxoffice_domain::state::{EXPIRED_HOLD_MEMORY, HoldStatus, Seat};
use boxoffice_domain::{Command, SeatingEventId, SeatingEventState, UnixMillis};
use boxoffice_tests::conformance::seat_store::expire_due;
use boxoffice_tests::conformance::seat_store::sequences::{cases_or, generated_commands_do_what_decide_says};
use boxoffice_tests::conformance::seat_store::stage::{
    FAR, Fixture, HIGH_WATERMARK, START, Stage, cause, definition, named,
};
use boxoffice_tests::crash::setting;
use boxoffice_tests::recovery::nothing_was_lost;
use boxoffice_tests::seat_store_suite;
use boxoffice_tests::servers::{Redis, Server, redis_url, service, unique};
use boxoffice_tests::wait::until;
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

seat_store_suite!(OnRedis::fresh());

/// The map's place among a SeatingEvent's keys.
const MAP: usize = 7;

/// A service of its own on the shared Redis, with a clock in a key.
struct OnRedis {
    store: Mutex<Arc<RedisStore>>,
    service: String,
    clock: String,
    connection: MultiplexedConnection,
}

impl OnRedis {
    /// The sizes of all that Redis has of a SeatingEvent, in bytes.
    async fn kept(&self, event: &SeatingEventId) -> Vec<u64> {
        let (keys, mut read) = (Keys::new(&self.service).event(event), redis::pipe());
        for key in keys.all() {
            read.cmd("MEMORY").arg("USAGE").arg(key).arg("SAMPLES").arg(0);
        }
        let sizes: Vec<Option<u64>> = read.query_async(&mut self.connection.clone()).await.unwrap();
        sizes.into_iter().flatten().collect()
    }

    async fn fresh() -> Self {
        let service = service("seats");
        let clock = format!("{service}:clock");
        let client = redis::Client::open(redis_url()).unwrap();
        let connection = client.get_multiplexed_async_connection().await.unwrap();
        set_clock(&connection, &clock, START).await;
        let store = Mutex::new(Self::connect(&service, &clock).await);
        Self { store, service, clock, connection }
    }

    async fn connect(service: &str, clock: &str) -> Arc<RedisStore> {
        let clock = Clock::Keys(vec![clock.to_owned()]);
        let settings = Settings { clock, ..settings(redis_url(), service.to_owned()) };
        let store = Arc::new(RedisStore::connect(settings).await.unwrap());
        nothing_was_lost(&store).await;
        store
    }
}

fn settings(url: String, service: String) -> Settings {
    Settings { high_watermark: HIGH_WATERMARK, ..Settings::new(url, service) }
}

#[async_trait]
impl Fixture for OnRedis {
    type Store = RedisStore;

    fn store(&self) -> Arc<RedisStore> {
        Arc::clone(&self.store.lock().unwrap())
    }

    /// The process is the worker; Redis goes on.
    async fn restart(&self) {
        let again = Self::connect(&self.service, &self.clock).await;
        *self.store.lock().unwrap() = again;
    }

    async fn set_clock(&self, now: UnixMillis) {
        set_clock(&self.connection, &self.clock, now).await;
    }

    async fn state(&self, event: &SeatingEventId) -> SeatingEventState {
        let state = self.store().state(event).await.unwrap();
        let keys = Keys::new(&self.service).event(event);
        let mut read = redis::pipe();
        read.cmd("ZRANGE").arg(keys.deadlines()).arg(0).arg(-1).cmd("GET").arg(keys.all()[MAP]);
        let (mut deadlines, map): (Vec<String>, Option<String>) =
            read.query_async(&mut self.connection.clone()).await.unwrap();
        assert_eq!(map, map_of(&state), "I1: what is claimed or blocked is not free on the map");
        deadlines.sort();
        let unreserved =
            state.holds.iter().filter(|(_, hold)| !matches!(hold.status, HoldStatus::Reserved(_)));
        let failed = state.failed.keys().map(|id| format!("failed:{id}"));
        let mut due: Vec<String> = unreserved.map(|(id, _)| id.to_string()).chain(failed).collect();
        due.sort();
        assert_eq!(deadlines, due, "I6: what may still expire or be forgotten has a deadline");
        state
    }
}

/// The map that seats are chosen on, as what is known of each seat makes it.
fn map_of(state: &SeatingEventState) -> Option<String> {
    let sale = state.sale.as_ref()?;
    let mut map = sale.seating().map().to_vec();
    let taken = state.seats.iter().filter(|(_, seat)| !matches!(seat, Seat::Lapsed { .. }));
    for place in taken.filter_map(|(key, _)| sale.seating().place(sale.chart().position(key)?)) {
        map[place] = TAKEN;
    }
    Some(String::from_utf8(map).unwrap())
}

async fn set_clock(connection: &MultiplexedConnection, clock: &str, now: UnixMillis) {
    redis::cmd("SET").arg(clock).arg(now).exec_async(&mut connection.clone()).await.unwrap();
}

fn parse<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

#[test]
fn i10_generated_commands_do_what_decide_says() {
    generated_commands_do_what_decide_says(OnRedis::fresh, cases_or(2_000));
}

/// What may differ in bytes without growing: numbers get longer, tables have room.
const SLACK: u64 = 4_096;
/// How many holds expire, where somebody wants more than in every run.
const HOLDS: &str = "BOXOFFICE_EXPIRED_HOLDS";
/// Most of them at once.
const AT_ONCE: usize = 4;

/// Whatever a hold leaves behind is forgotten in the end: what Redis keeps of a show does not grow with its past.
#[tokio::test]
async fn holds_that_expired_long_ago_leave_nothing_behind() {
    let fixture = OnRedis::fresh().await;
    let stage = Stage::open(&fixture).await;
    stage.redefine(|it| it.starts_at = FAR).await.unwrap();
    let kept = async || fixture.kept(&stage.event).await.iter().sum::<u64>();
    // The first one leaves what all others find: a stream, counters.
    let (mut now, mut held, mut before) = (START, 0, 0);
    let all = setting(HOLDS).unwrap_or(2_000);
    while held < all {
        for seat in ["A-1-1", "A-1-2", "FLOOR-1", "FLOOR-2"].iter().take(AT_ONCE) {
            let user = parse(&format!("user-{held}"));
            let command = Command::Hold { wanted: named(&[seat]), user, hold: Uuid::new_v4() };
            fixture.store().execute(&stage.event, &command, &cause("crowd")).await.unwrap().unwrap();
            held += 1;
        }
        now += 300_000;
        fixture.set_clock(now).await;
        assert_eq!(expire_due(&*fixture.store()).await.unwrap(), AT_ONCE);
        publish(&stage).await;
        if held == AT_ONCE {
            now += EXPIRED_HOLD_MEMORY;
            fixture.set_clock(now).await;
            expire_due(&*fixture.store()).await.unwrap();
            before = kept().await;
        }
    }
    fixture.set_clock(now + EXPIRED_HOLD_MEMORY).await;
    expire_due(&*fixture.store()).await.unwrap();
    let after = kept().await;
    assert!(after <= before + SLACK, "{after} bytes after {held} holds, {before} after the first ones");
}

/// Most bytes that one takes which is archived.
const STUB: u64 = 500;

/// However many seats it had, and whoever has them.
#[tokio::test]
async fn what_is_archived_takes_next_to_nothing() {
    let fixture = OnRedis::fresh().await;
    let stage = Stage::open(&fixture).await;
    stage.redefine(|it| it.sections[1].capacity = Some(20_000)).await.unwrap();
    for buyer in 0..20 {
        let user = format!("user-{buyer}");
        let hold = stage.hold_with(&user, &[], &[("FLOOR", 15)]).await.unwrap().hold;
        publish(&stage).await;
        stage.reserve_hold(&user, hold).await.unwrap();
        publish(&stage).await;
    }
    stage.advance(over_at(&definition()) - START).await;
    let sequence = fixture.store().inventory(&stage.event).await.unwrap().unwrap().sequence;
    let before: u64 = fixture.kept(&stage.event).await.iter().sum();
    assert!(fixture.store().archive(&stage.event, sequence, 7).await.unwrap());
    let after = fixture.kept(&stage.event).await;
    assert!(
        matches!(after.as_slice(), [stub] if *stub <= STUB && *stub * 100 < before),
        "{after:?} of {before}"
    );
    let seats = fixture.store().inventory(&stage.event).await.unwrap().unwrap().seats;
    assert_eq!((seats.total, seats.reserved), (20_006, 300));
}

/// It would be archived again before whoever woke it comes back. Here its keys are put back, as a recovery does.
#[tokio::test]
async fn who_was_woken_stays_awake_for_a_while() {
    let fixture = OnRedis::fresh().await;
    let stage = Stage::open(&fixture).await;
    publish(&stage).await;
    stage.advance(over_at(&definition()) - START).await;
    let (keys, mut connection) =
        (Keys::new(&fixture.service).event(&stage.event), fixture.connection.clone());
    let mut dump = redis::pipe();
    for key in keys.all() {
        dump.cmd("DUMP").arg(key);
    }
    let before: Vec<Option<Vec<u8>>> = dump.query_async(&mut connection).await.unwrap();
    let is_over = async || {
        let swept = fixture.store().sweep(std::slice::from_ref(&stage.event)).await;
        swept.over.contains(&stage.event)
    };
    assert!(is_over().await);
    assert!(fixture.store().archive(&stage.event, 1, 7).await.unwrap());
    assert!(matches!(fixture.store().unpublished(&stage.event, 1).await, Err(StoreError::Recovering)));
    let mut restore = redis::pipe();
    for (key, kept) in keys.all().into_iter().zip(before) {
        if let Some(kept) = kept {
            restore.cmd("RESTORE").arg(key).arg(0).arg(kept).arg("REPLACE").ignore();
        }
    }
    restore.exec_async(&mut connection).await.unwrap();
    assert!(!is_over().await, "somebody was told to come back");
    fixture.restart().await;
    assert!(is_over().await, "who does not know of that finds it over");
}

async fn publish(stage: &Stage<'_, OnRedis>) {
    let last = stage.waiting().await.last().and_then(|envelope| envelope.metadata.sequence).unwrap_or(0);
    stage.store().published(&stage.event, last, last).await.unwrap();
}

#[tokio::test]
async fn i6_redis_has_the_only_clock() {
    let store = Arc::new(RedisStore::connect(settings(redis_url(), service("clock"))).await.unwrap());
    nothing_was_lost(&store).await;
    let event: SeatingEventId = unique("tonight").parse().unwrap();
    let mut definition = definition();
    definition.starts_at = FAR;
    definition.hold.ttl_seconds = 1;
    store.provision(&event, &definition, 0, &cause("operator")).await.unwrap().unwrap();
    let command = Command::Hold { wanted: named(&["A-1-1"]), user: parse("alice"), hold: Uuid::new_v4() };
    let held = store.execute(&event, &command, &cause("alice")).await.unwrap().unwrap();
    until("the hold expires", async || (expire_due(&*store).await.unwrap() == 1).then_some(())).await;
    let inventory = store.inventory(&event).await.unwrap().unwrap();
    assert!(inventory.at >= held.at + 1000, "{} is a second after {}", inventory.at, held.at);
    assert_eq!((inventory.seats.held, inventory.seats.available), (0, 7));
}

#[tokio::test]
async fn scripts_that_redis_forgot_are_given_to_it_again() {
    let fixture = OnRedis::fresh().await;
    let stage = Stage::open(&fixture).await;
    stage.hold("alice", &["A-1-1"]).await.unwrap();
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut fixture.connection.clone()).await.unwrap();
    stage.release_seat("alice", "A-1-1").await.unwrap();
}

#[tokio::test]
async fn a_server_that_freezes_or_dies_is_unavailable_and_comes_back() {
    let mut server = Server::start(Redis { append_only: true }).await.unwrap();
    let store = Arc::new(RedisStore::connect(settings(server.address(), service("crash"))).await.unwrap());
    nothing_was_lost(&store).await;
    let event: SeatingEventId = unique("tonight").parse().unwrap();
    store.provision(&event, &definition(), 0, &cause("operator")).await.unwrap().unwrap();
    let mut signals = store.signals();
    server.pause();
    assert!(matches!(store.inventory(&event).await, Err(StoreError::Unavailable(_))));
    let began = Instant::now();
    assert!(matches!(store.inventory(&event).await, Err(StoreError::Unavailable(_))));
    assert!(began.elapsed() < Duration::from_secs(1), "nobody waits for what is known to hang");
    server.resume();
    until("it answers again", async || store.ping().await.ok()).await;
    server.stop().await.unwrap();
    assert!(matches!(store.inventory(&event).await, Err(StoreError::Unavailable(_))));
    server.restart().await.unwrap();
    until("it answers again", async || store.ping().await.ok()).await;
    assert!(matches!(store.inventory(&event).await, Err(StoreError::Recovering)));
    nothing_was_lost(&store).await;
    assert_eq!(store.inventory(&event).await.unwrap().unwrap().seats.available, 7);
    let missed = async || signals.try_recv().is_ok_and(|signal| signal == Signal::Missed).then_some(());
    until("the new connection says that signals were missed", missed).await;
    store.provision(&event, &definition(), 0, &cause("operator")).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_server_that_may_drop_seats_is_refused() {
    let server = Server::start(Redis::default()).await.unwrap();
    let client = redis::Client::open(server.address()).unwrap();
    let mut connection = client.get_multiplexed_async_connection().await.unwrap();
    let policy = ["SET", "maxmemory-policy", "allkeys-lru"];
    redis::cmd("CONFIG").arg(&policy).exec_async(&mut connection).await.unwrap();
    let refused = RedisStore::connect(settings(server.address(), service("evicts"))).await;
    assert!(matches!(refused, Err(ConnectError::Evicts(policy)) if policy == "allkeys-lru"));
}
