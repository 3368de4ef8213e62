//! The seat store on a Redis Cluster of three masters: the port's suite, and a failover.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::slots::tag;
use boxoffice_command::store::redis::state::seats_hash;
use boxoffice_command::store::redis::{Clock, RedisStore, Settings};
use boxoffice_command::store::{SeatStore, StoreError};
use boxoffice_domain::{Command, SeatingEventId, SeatingEventState, UnixMillis};
use boxoffice_tests::conformance::seat_store::stage::{
    FAR, Fixture, HIGH_WATERMARK, START, cause, definition,
};
use boxoffice_tests::recovery::{KeptLog, nothing_was_lost, recover};
use boxoffice_tests::seat_store_suite;
use boxoffice_tests::servers::redis_kinds::{RedisCluster, connection};
use boxoffice_tests::servers::{service, unique};
use boxoffice_tests::wait::until;
use uuid::Uuid;

seat_store_suite!(OnCluster::fresh());

/// Slots of the three masters, one each.
const SLOTS: [u16; 3] = [0, 8000, 16_000];

/// A cluster of its own, whose servers have one clock in a key each.
struct OnCluster {
    cluster: RedisCluster,
    store: Mutex<Arc<RedisStore>>,
    service: String,
}

impl OnCluster {
    async fn fresh() -> Self {
        let (cluster, service) = (RedisCluster::start().await.unwrap(), service("seats"));
        set_clock(&cluster, START).await;
        let store = Mutex::new(connect(&cluster, &service).await);
        Self { cluster, store, service }
    }
}

fn clocks() -> [String; 3] {
    SLOTS.map(|slot| format!("clock:{{{}}}", tag(slot)))
}

async fn set_clock(cluster: &RedisCluster, now: UnixMillis) {
    for (master, clock) in cluster.masters.iter().zip(clocks()) {
        let mut connection = connection(&master.address()).await.unwrap();
        redis::cmd("SET").arg(clock).arg(now).exec_async(&mut connection).await.unwrap();
    }
}

async fn connect(cluster: &RedisCluster, service: &str) -> Arc<RedisStore> {
    let clock = Clock::Keys(clocks().into());
    let settings = Settings { clock, high_watermark: HIGH_WATERMARK, ..settings(cluster.address(), service) };
    let store = Arc::new(RedisStore::connect(settings).await.unwrap());
    nothing_was_lost(&store).await;
    store
}

fn settings(address: String, service: &str) -> Settings {
    Settings { cluster: true, ..Settings::new(address, service) }
}

#[async_trait]
impl Fixture for OnCluster {
    type Store = RedisStore;

    fn store(&self) -> Arc<RedisStore> {
        Arc::clone(&self.store.lock().unwrap())
    }

    async fn restart(&self) {
        let again = connect(&self.cluster, &self.service).await;
        *self.store.lock().unwrap() = again;
    }

    async fn set_clock(&self, now: UnixMillis) {
        set_clock(&self.cluster, now).await;
    }

    async fn state(&self, event: &SeatingEventId) -> SeatingEventState {
        self.store().state(event).await.unwrap()
    }
}

#[tokio::test]
async fn i7_after_a_failover_seats_are_sold_again_once_they_are_recovered() {
    let mut cluster = RedisCluster::start().await.unwrap();
    cluster.add_replica(1).await.unwrap();
    let (log, service) = (Arc::new(KeptLog::default()), service("failover"));
    let store = Arc::new(RedisStore::connect(settings(cluster.address(), &service)).await.unwrap());
    nothing_was_lost(&store).await;
    let mut definition = definition();
    definition.starts_at = FAR;
    let mut events = vec![];
    for _ in 0..12 {
        let event: SeatingEventId = unique("tonight").parse().unwrap();
        store.provision(&event, &definition, 1, &cause("operator")).await.unwrap().unwrap();
        hold(&store, &event, "A-1-1").await.unwrap();
        log.publish_all(&store, &event).await.unwrap();
        let before = seats_hash(&store.state(&event).await.unwrap());
        events.push((event, before));
    }
    cluster.masters[1].kill();
    // Of twelve SeatingEvents some are surely on the master that died, and the others sell on.
    let outcomes = async || {
        let (mut recovering, mut sold) = (0, 0);
        for (event, _) in &events {
            match hold(&store, event, "A-1-2").await {
                Err(StoreError::Recovering) => recovering += 1,
                Ok(()) => sold += 1,
                Err(_) => {}
            }
        }
        (recovering > 0 && sold > 0 && recovering + sold == events.len()).then_some(())
    };
    until("the replica is master and behind the fence", outcomes).await;
    recover(&store, log, "seat-events").await;
    for (event, before) in &events {
        let seats = store.inventory(event).await.unwrap().unwrap().seats;
        if seats.held == 1 {
            assert_eq!(&seats_hash(&store.state(event).await.unwrap()), before);
            hold(&store, event, "A-1-2").await.unwrap();
        }
    }
    assert_eq!(store.inventories().await.unwrap().inventories.len(), events.len());
}

/// What a server keeps of a partition is in its lowest slot. Without it, only one that lost something is read anew.
#[tokio::test]
async fn i7_a_moved_lowest_slot_has_nothing_read_but_a_lost_seating_event_has() {
    let cluster = RedisCluster::start().await.unwrap();
    let (log, service) = (Arc::new(KeptLog::default()), service("moved"));
    let store = Arc::new(RedisStore::connect(settings(cluster.address(), &service)).await.unwrap());
    nothing_was_lost(&store).await;
    recover(&store, Arc::clone(&log) as _, "seat-events").await;
    let mut definition = definition();
    definition.starts_at = FAR;
    let mut events = vec![];
    while !(0..3).all(|master| events.iter().any(|(_, slot)| RedisCluster::first_master(*slot) == master)) {
        let event: SeatingEventId = unique("tonight").parse().unwrap();
        store.provision(&event, &definition, 1, &cause("operator")).await.unwrap().unwrap();
        log.publish_all(&store, &event).await.unwrap();
        let slot = Keys::new(&service).event(&event).slot();
        events.push((event, slot));
    }
    cluster.move_slot(5461, 1, 0).await.unwrap();
    until("the move is noticed", async || store.all_recovered().await.err()).await;
    let metrics = recover(&store, Arc::clone(&log) as _, "seat-events").await;
    assert_eq!((metrics.runs.get(), metrics.applied.get()), (0, 0));

    let (lost, _) = events.iter().find(|(_, slot)| RedisCluster::first_master(*slot) == 2).unwrap();
    let keys = Keys::new(&service).event(lost);
    let mut master = connection(&cluster.masters[2].address()).await.unwrap();
    redis::cmd("DEL").arg(&keys.all()).exec_async(&mut master).await.unwrap();
    cluster.move_slot(10_923, 2, 0).await.unwrap();
    until("the move is noticed", async || store.all_recovered().await.err()).await;
    let metrics = recover(&store, Arc::clone(&log) as _, "seat-events").await;
    assert_eq!(metrics.applied.get(), 1, "it is read back");
    assert!(store.inventory(lost).await.unwrap().is_some());
}

async fn hold(store: &RedisStore, event: &SeatingEventId, seat: &str) -> Result<(), StoreError> {
    let command = Command::Hold {
        wanted: vec![seat.into()].into(),
        user: "alice".parse().unwrap(),
        hold: Uuid::new_v4(),
    };
    store.execute(event, &command, &cause("alice")).await?.unwrap();
    Ok(())
}
