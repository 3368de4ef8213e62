//! A Redis whose memory is full refuses whatever takes seats; what gives them back goes on, and so does what publishes.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::sync::Arc;

use boxoffice_command::store::redis::{Clock, RedisStore, Settings};
use boxoffice_command::store::{Distrust, Outbox, SeatStore, StoreError};
use boxoffice_domain::{Answer, Command, SeatingEventId, UnixMillis};
use boxoffice_tests::conformance::seat_store::stage::{START, TTL, cause, definition};
use boxoffice_tests::recovery::nothing_was_lost;
use boxoffice_tests::servers::redis_kinds::connection;
use boxoffice_tests::servers::{Redis, Server, service, unique};
use redis::aio::MultiplexedConnection;
use uuid::Uuid;

const CLOCK: &str = "clock";
/// Less than any Redis uses.
const FULL: &str = "100kb";
const UNBOUNDED: &str = "0";

async fn bound(connection: &MultiplexedConnection, memory: &str) {
    let mut set = redis::cmd("CONFIG");
    set.arg("SET").arg("maxmemory").arg(memory);
    set.exec_async(&mut connection.clone()).await.unwrap();
}

async fn set_clock(connection: &MultiplexedConnection, now: UnixMillis) {
    redis::cmd("SET").arg(CLOCK).arg(now).exec_async(&mut connection.clone()).await.unwrap();
}

async fn execute(store: &RedisStore, event: &SeatingEventId, command: Command) -> Result<Answer, StoreError> {
    Ok(store.execute(event, &command, &cause("alice")).await?.unwrap().answer)
}

fn holding(seats: &[&str]) -> Command {
    let wanted: Vec<_> = seats.iter().map(ToString::to_string).collect();
    Command::Hold { wanted: wanted.into(), user: "alice".parse().unwrap(), hold: Uuid::new_v4() }
}

/// A hold of these seats: its id.
async fn hold(store: &RedisStore, event: &SeatingEventId, seats: &[&str]) -> Uuid {
    let Answer::Held { hold, .. } = execute(store, event, holding(seats)).await.unwrap() else {
        panic!("not held")
    };
    hold
}

#[tokio::test]
async fn what_gives_back_goes_on_when_redis_is_full() {
    let server = Server::start(Redis::default()).await.unwrap();
    let connection = connection(&server.address()).await.unwrap();
    set_clock(&connection, START).await;
    let clock = Clock::Keys(vec![CLOCK.to_owned()]);
    let settings = Settings { clock, ..Settings::new(server.address(), service("full")) };
    let store = Arc::new(RedisStore::connect(settings).await.unwrap());
    nothing_was_lost(&store).await;
    let (event, user): (SeatingEventId, _) = (unique("tonight").parse().unwrap(), "alice".parse().unwrap());
    store.provision(&event, &definition(), 0, &cause("operator")).await.unwrap().unwrap();

    let (released, lapsing) =
        (hold(&store, &event, &["A-1-1"]).await, hold(&store, &event, &["A-1-2"]).await);
    let sold = hold(&store, &event, &["A-1-3"]).await;
    let reservation = Uuid::new_v4();
    let reserving = Command::ReserveHold { hold: sold, user, reservation };
    execute(&store, &event, reserving).await.unwrap();
    set_clock(&connection, START + 1).await;
    bound(&connection, FULL).await;

    let refused = execute(&store, &event, holding(&["A-1-4"])).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    let user = || "alice".parse().unwrap();
    execute(&store, &event, Command::ReleaseHold { hold: released, user: user() }).await.unwrap();
    execute(&store, &event, Command::CancelReservation { reservation, user: user() }).await.unwrap();
    let (_, waiting) = store.unpublished(&event, 100).await.unwrap();
    let last = waiting.last().unwrap().envelope.metadata.sequence.unwrap();
    assert_eq!(store.published(&event, last, 7).await.unwrap(), 0, "what was published is trimmed");
    assert!(!store.round(Uuid::new_v4(), true, 1, &[]).await.unwrap().leases.is_empty());

    bound(&connection, UNBOUNDED).await;
    set_clock(&connection, START + TTL + 1).await;
    bound(&connection, FULL).await;
    assert_eq!(store.sweep(std::slice::from_ref(&event)).await.ended, 1);
    let seats = store.inventory(&event).await.unwrap().unwrap().seats;
    assert_eq!((seats.held, seats.reserved), (0, 0), "{lapsing} lapsed");

    store.distrust(&event, Distrust::Split).await.unwrap();
    nothing_was_lost(&store).await;
    let refused = execute(&store, &event, holding(&["A-1-1"])).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "it is recovered, and full: {refused:?}");
    bound(&connection, UNBOUNDED).await;
    hold(&store, &event, &["A-1-1", "A-1-2"]).await;
}
