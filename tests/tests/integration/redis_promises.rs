//! What Redis is asked to promise (I7) and how it is reached: replicas, the disk, TLS and passwords.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::sync::Arc;

use boxoffice_command::durability::{Durability, Guarantee};
use boxoffice_command::store::redis::{ConnectError, RedisStore, Settings};
use boxoffice_command::store::{Cause, Idempotency, Outbox, SeatStore, Signal, StoreError};
use boxoffice_domain::{Command, Definition, SeatingEventId};
use boxoffice_runtime::tls::Tls;
use boxoffice_tests::conformance::seat_store::stage::{FAR, cause, definition};
use boxoffice_tests::recovery::nothing_was_lost;
use boxoffice_tests::servers::redis_kinds::{RedisKind, connection};
use boxoffice_tests::servers::{Certificates, Redis, Server, service, unique};
use boxoffice_tests::wait::until;
use uuid::Uuid;

fn promising(address: String, hold: Guarantee) -> Settings {
    let durability = Durability { hold, ..Durability::default() };
    Settings { durability, ..Settings::new(address, service("promises")) }
}

/// A store with a SeatingEvent on sale.
async fn open(settings: Settings) -> (Arc<RedisStore>, SeatingEventId) {
    let store = Arc::new(RedisStore::connect(settings).await.unwrap());
    nothing_was_lost(&store).await;
    let event: SeatingEventId = unique("tonight").parse().unwrap();
    let tonight = Definition { starts_at: FAR, ..definition() };
    store.provision(&event, &tonight, 0, &cause("operator")).await.unwrap().unwrap();
    (store, event)
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

#[tokio::test]
async fn i7_a_hold_waits_for_replicas_and_so_does_the_relay() {
    let master = Server::start(Redis::default()).await.unwrap();
    let mut replica = Server::start(RedisKind::replica_of(&master.address())).await.unwrap();
    // A first replica gives its master another replication id.
    replica.follows().await.unwrap();
    let (store, event) = open(promising(master.address(), Guarantee::Replicas(1))).await;
    until("the replica follows", async || hold(&store, &event, "A-1-1").await.ok()).await;
    let many = (0..20).map(|_| hold(&store, &event, "A-1-1"));
    assert!(futures::future::join_all(many).await.iter().all(Result::is_ok), "waiters share rounds");
    replica.pause();
    for repeated in [false, true] {
        let asked = Idempotency::new(&"alice".parse().unwrap(), "k-1", "hold");
        let cause = Cause { idempotency: Some(asked), ..cause("alice") };
        let wanted = vec!["A-1-3".to_owned()].into();
        let command = Command::Hold { wanted, user: "alice".parse().unwrap(), hold: Uuid::new_v4() };
        let waits = store.execute(&event, &command, &cause).await;
        assert!(
            matches!(&waits, Err(StoreError::Unsecured { repeated: it, .. }) if *it == repeated),
            "{waits:?}"
        );
    }
    let unsafe_hold = hold(&store, &event, "A-1-2").await;
    assert!(matches!(unsafe_hold, Err(StoreError::Unsecured { .. })), "{unsafe_hold:?}");
    assert!(
        matches!(hold(&store, &event, "A-1-2").await, Err(StoreError::Unsecured { .. })),
        "a repeat waits too"
    );
    assert!(matches!(store.unpublished(&event, 10).await, Err(StoreError::Unsecured { .. })));
    replica.resume();
    until("the replica is back", async || hold(&store, &event, "A-1-2").await.ok()).await;
    let (_, waiting) = store.unpublished(&event, 10).await.unwrap();
    assert_eq!(waiting.len(), 4, "the event, and each hold once");
}

#[tokio::test]
async fn i7_fsync_needs_a_server_that_can() {
    let refused =
        |settings| async { RedisStore::connect(settings).await.err().map(|error| error.to_string()) };
    let forgetful = Server::start(Redis::default()).await.unwrap();
    let why = refused(promising(forgetful.address(), Guarantee::Fsync)).await.unwrap();
    assert_eq!(why, "durability fsync: redis keeps nothing on disk: set appendonly yes");
    let late = Server::start(RedisKind::every_second()).await.unwrap();
    let about: redis::InfoDict = redis::cmd("INFO")
        .arg("server")
        .query_async(&mut connection(&late.address()).await.unwrap())
        .await
        .unwrap();
    if about.get::<String>("redis_version").unwrap().starts_with("7.0") {
        let why = refused(promising(late.address(), Guarantee::Fsync)).await.unwrap();
        assert!(why.contains("set appendfsync always"), "{why}");
    } else {
        let (store, event) = open(promising(late.address(), Guarantee::Fsync)).await;
        hold(&store, &event, "A-1-1").await.unwrap();
    }
    let always = Server::start(RedisKind::always()).await.unwrap();
    let (store, event) = open(promising(always.address(), Guarantee::Fsync)).await;
    hold(&store, &event, "A-1-1").await.unwrap();
    assert_eq!(store.unpublished(&event, 10).await.unwrap().1.len(), 2);
}

#[tokio::test]
async fn a_replica_is_no_place_to_sell() {
    let master = Server::start(Redis::default()).await.unwrap();
    let replica = Server::start(RedisKind::replica_of(&master.address())).await.unwrap();
    let refused = RedisStore::connect(Settings::new(replica.address(), service("replica"))).await;
    let Err(ConnectError::Store(error)) = refused else { panic!("it was taken for a master") };
    assert!(error.to_string().contains("is a replica: the address has to lead to the master"), "{error}");
}

#[tokio::test]
async fn redis_is_reached_over_tls_with_a_user_of_its_own() {
    // Refused only where another test has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::for_localhost(folder.path()).await.unwrap();
    let kind = RedisKind::default().with_tls(certificates.clone()).with_user("worker", "secret");
    let server = Server::start(kind).await.unwrap();
    let settings = Settings { tls: certificates.tls(), ..Settings::new(server.address(), service("tls")) };
    let (store, event) = open(settings.clone()).await;
    hold(&store, &event, "A-1-1").await.unwrap();
    let mut signals = store.signals();
    let other: SeatingEventId = unique("tomorrow").parse().unwrap();
    store.provision(&other, &definition(), 0, &cause("operator")).await.unwrap().unwrap();
    let wrote = Signal::Wrote(other);
    until("the signal comes", async || (signals.try_recv().ok()? == wrote).then_some(())).await;
    let strange = Certificates::for_localhost(tempfile::tempdir().unwrap().path()).await.unwrap();
    let untrusted = Settings { tls: strange.tls(), ..settings.clone() };
    assert!(RedisStore::connect(untrusted).await.is_err());
    let stranger = Settings { url: server.address().replace("secret", "guess"), ..settings };
    assert!(RedisStore::connect(stranger).await.is_err());
}

#[tokio::test]
async fn redis_may_ask_who_reaches_it_for_a_certificate() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let certificates = Certificates::for_localhost(folder.path()).await.unwrap();
    let kind = RedisKind::default().with_tls(certificates.clone()).asking_clients();
    let server = Server::start(kind).await.unwrap();
    let settings =
        Settings { tls: certificates.client_tls(), ..Settings::new(server.address(), service("mutual")) };
    let (store, event) = open(settings.clone()).await;
    hold(&store, &event, "A-1-1").await.unwrap();
    let nobody = Settings { tls: certificates.tls(), ..settings.clone() };
    assert!(RedisStore::connect(nobody).await.is_err());
    let folder = tempfile::tempdir().unwrap();
    let strange = Certificates::for_localhost(folder.path()).await.unwrap().client_tls();
    let stranger = Settings { tls: Tls { authority: settings.tls.authority.clone(), ..strange }, ..settings };
    assert!(RedisStore::connect(stranger).await.is_err());
}
