//! Redis is killed, emptied, or of another opinion than the log: what was acknowledged comes back before anything is
//! sold again (I7).
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::sync::Arc;

use boxoffice_command::recover::Recover;
use boxoffice_command::store::redis::recovery::{Recovery, RecoveryMetrics};
use boxoffice_command::store::redis::state::seats_hash;
use boxoffice_command::store::redis::{RedisStore, Settings};
use boxoffice_command::store::{Cause, Outbox, OutboxEntry, Provisioning, SeatStore, StoreError};
use boxoffice_domain::command::Reinstatement;
use boxoffice_domain::events::SeatingEventPurged;
use boxoffice_domain::{
    Answer, Command, Definition, DomainEvent, Origin, Rejection, SeatingEventId, attribute,
};
use boxoffice_tests::conformance::seat_store::stage::{FAR, cause, definition};
use boxoffice_tests::recovery::{KeptLog, nothing_was_lost, recover};
use boxoffice_tests::servers::redis_kinds::{RedisKind, connection};
use boxoffice_tests::servers::{Server, service, unique};
use boxoffice_tests::wait::until;
use serde_json::Value;
use uuid::Uuid;

/// One SeatingEvent on a Redis of its own, with a log.
struct Sale {
    server: Server<RedisKind>,
    store: Arc<RedisStore>,
    log: Arc<KeptLog>,
    event: SeatingEventId,
}

impl Sale {
    async fn on(kind: RedisKind) -> Self {
        let server = Server::start(kind).await.unwrap();
        let settings = Settings::new(server.address(), service("recovery"));
        let store = Arc::new(RedisStore::connect(settings).await.unwrap());
        nothing_was_lost(&store).await;
        let event: SeatingEventId = unique("tonight").parse().unwrap();
        store.provision(&event, &tonight(), 3, &cause("operator")).await.unwrap().unwrap();
        Self { server, store, log: Arc::default(), event }
    }

    async fn run(&self, command: Command) -> Result<Answer, StoreError> {
        let outcome = self.store.execute(&self.event, &command, &cause("alice")).await?;
        Ok(outcome.unwrap().answer)
    }

    async fn hold(&self, seat: &str) -> Result<Uuid, StoreError> {
        match self.run(holding(seat)).await? {
            Answer::Held { hold, .. } => Ok(hold),
            other => panic!("a hold was answered {other:?}"),
        }
    }

    async fn reserve(&self, hold: Uuid) {
        let user = "alice".parse().unwrap();
        self.run(Command::ReserveHold { hold, user, reservation: Uuid::new_v4() }).await.unwrap();
    }

    async fn publish(&self) {
        self.log.publish_all(&self.store, &self.event).await.unwrap();
    }

    async fn hash(&self) -> String {
        seats_hash(&self.store.state(&self.event).await.unwrap())
    }

    async fn recover(&self) -> RecoveryMetrics {
        recover(&self.store, Arc::clone(&self.log) as _, "seat-events").await
    }

    /// Kills Redis and starts it again, and waits until commands meet the fence.
    async fn crash(&mut self) {
        self.server.kill();
        self.server.restart().await.unwrap();
        self.is_fenced().await;
    }

    /// Waits until no append-only file is being written anew.
    async fn is_rewritten(&self) {
        let mut connection = connection(&self.server.address()).await.unwrap();
        until("the append-only file is written anew", async || {
            let about: redis::InfoDict =
                redis::cmd("INFO").arg("persistence").query_async(&mut connection).await.unwrap();
            let under_way = ["aof_rewrite_in_progress", "aof_rewrite_scheduled"];
            under_way.iter().all(|name| about.get::<u8>(name) == Some(0)).then_some(())
        })
        .await;
    }

    /// What there is of the SeatingEvent in Redis.
    async fn keys(&self) -> Vec<String> {
        let mut connection = connection(&self.server.address()).await.unwrap();
        let pattern = format!("*{{{}}}:*", self.event);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        let mut parts: Vec<_> =
            keys.iter().filter_map(|key| Some(key.rsplit_once(':')?.1.to_owned())).collect();
        parts.sort();
        parts
    }

    /// The fields of its `meta`.
    async fn meta(&self) -> Vec<String> {
        let mut connection = connection(&self.server.address()).await.unwrap();
        let pattern = format!("*{{{}}}:meta", self.event);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        let mut fields: Vec<String> =
            redis::cmd("HKEYS").arg(&keys[0]).query_async(&mut connection).await.unwrap();
        fields.sort();
        fields
    }

    /// Has the one entry that waits be of a version that nobody here knows.
    async fn outdate(&self) {
        let mut connection = connection(&self.server.address()).await.unwrap();
        let pattern = format!("*{{{}}}:outbox", self.event);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        let mut read = redis::cmd("XRANGE");
        read.arg(&keys[0]).arg("-").arg("+");
        let waiting: Vec<(String, (String, String))> = read.query_async(&mut connection).await.unwrap();
        let [(id, (field, text))] = waiting.as_slice() else { panic!("{waiting:?} wait") };
        let mut entry: Value = serde_json::from_str(text).unwrap();
        entry["format"] = 99.into();
        // A stream takes no id twice.
        redis::cmd("DEL").arg(&keys[0]).exec_async(&mut connection).await.unwrap();
        let mut add = redis::cmd("XADD");
        add.arg(&keys[0]).arg(id).arg(field).arg(entry.to_string());
        add.exec_async(&mut connection).await.unwrap();
    }

    /// Has its records be of another version.
    async fn outdate_records(&self) {
        let mut connection = connection(&self.server.address()).await.unwrap();
        let pattern = format!("*{{{}}}:meta", self.event);
        let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
        redis::cmd("HDEL").arg(&keys[0]).arg("format").exec_async(&mut connection).await.unwrap();
    }

    /// Nothing of it can be found.
    async fn is_gone(&self) {
        let command = Command::ReleaseSeat { seat: "A-1-1".into(), user: "alice".parse().unwrap() };
        let refused = self.store.execute(&self.event, &command, &cause("alice")).await.unwrap();
        assert_eq!(refused, Err(Rejection::EventNotFound));
        assert_eq!(self.store.inventory(&self.event).await.unwrap(), None);
        assert_eq!(self.store.inventories().await.unwrap().inventories, []);
    }

    async fn is_fenced(&self) {
        let fenced = async || matches!(self.hold("A-1-4").await, Err(StoreError::Recovering)).then_some(());
        until("commands meet the fence", fenced).await;
    }
}

fn holding(seat: &str) -> Command {
    let seats = vec![seat.to_owned()];
    Command::Hold { wanted: seats.into(), user: "alice".parse().unwrap(), hold: Uuid::new_v4() }
}

fn tonight() -> Definition {
    Definition { starts_at: FAR, ..definition() }
}

/// What another version wrote is not read by position: it is worked out again from the log.
#[tokio::test]
async fn records_of_another_format_are_written_anew() {
    let sale = Sale::on(RedisKind::every_second()).await;
    let hold = sale.hold("A-1-1").await.unwrap();
    sale.reserve(hold).await;
    sale.publish().await;
    sale.hold("A-1-2").await.unwrap();
    let before = sale.hash().await;
    let mut connection = connection(&sale.server.address()).await.unwrap();
    let keys: Vec<String> =
        redis::cmd("KEYS").arg(format!("*{{{}}}:*", sale.event)).query_async(&mut connection).await.unwrap();
    for key in keys {
        match key.rsplit(':').next() {
            Some("meta") => {
                redis::cmd("HDEL").arg(key).arg("format").exec_async(&mut connection).await.unwrap();
            }
            Some("seats") => {
                redis::cmd("HSET")
                    .arg(key)
                    .arg("A-1-1")
                    .arg("1|alice")
                    .exec_async(&mut connection)
                    .await
                    .unwrap();
            }
            _ => {}
        }
    }
    sale.is_fenced().await;
    sale.recover().await;
    assert_eq!(sale.hash().await, before);
    sale.hold("A-1-3").await.unwrap();
}

#[tokio::test]
async fn i7_a_killed_redis_gets_back_what_it_lost_before_it_sells() {
    for kind in [RedisKind::every_second(), RedisKind::always()] {
        let mut sale = Sale::on(kind).await;
        for seat in ["A-1-1", "A-1-2", "FLOOR-1"] {
            let hold = sale.hold(seat).await.unwrap();
            sale.reserve(hold).await;
        }
        sale.hold("A-1-3").await.unwrap();
        sale.publish().await;
        let before = sale.hash().await;
        sale.crash().await;
        let inventory = sale.store.inventory(&sale.event).await;
        assert!(matches!(inventory, Err(StoreError::Recovering)), "{inventory:?}");
        assert!(matches!(sale.store.inventories().await, Err(StoreError::Recovering)));
        sale.recover().await;
        assert_eq!(sale.hash().await, before);
        let seats = sale.store.inventory(&sale.event).await.unwrap().unwrap().seats;
        assert_eq!((seats.reserved, seats.held), (3, 1));
        sale.hold("A-1-4").await.unwrap();
    }
}

#[tokio::test]
async fn i7_an_empty_redis_is_rebuilt_from_the_log() {
    let mut sale = Sale::on(RedisKind::default()).await;
    let kept = sale.hold("A-1-1").await.unwrap();
    sale.reserve(kept).await;
    let live = sale.hold("A-1-2").await.unwrap();
    sale.publish().await;
    let before = sale.store.state(&sale.event).await.unwrap();
    sale.crash().await;
    let again = sale.store.provision(&sale.event, &tonight(), 3, &cause("operator")).await;
    assert!(matches!(again, Err(StoreError::Recovering)), "{again:?}");
    let metrics = sale.recover().await;
    let after = sale.store.state(&sale.event).await.unwrap();
    assert_eq!(seats_hash(&after), seats_hash(&before));
    assert_eq!(
        (&after.holds, &after.reservations, &after.claims, after.sequence),
        (&before.holds, &before.reservations, &before.claims, before.sequence)
    );
    assert_eq!(metrics.applied.get(), before.sequence);
    let Provisioning { inventory, .. } =
        sale.store.provision(&sale.event, &tonight(), 0, &cause("operator")).await.unwrap().unwrap();
    assert_eq!(
        (inventory.sequence, inventory.partition),
        (before.sequence, 3),
        "it stands, and where it stood"
    );
    assert_eq!(sale.store.watermark(&sale.event).await.unwrap(), before.sequence);
    sale.reserve(live).await;
    assert_eq!(sale.store.inventories().await.unwrap().inventories[0].seats.reserved, 2);
}

/// The show is not brought back, whatever Redis had of it; one that is created anew goes on where it had come to.
#[tokio::test]
async fn i7_a_purge_lasts() {
    for kind in [RedisKind::default(), RedisKind::always()] {
        let mut sale = Sale::on(kind).await;
        let hold = sale.hold("A-1-1").await.unwrap();
        sale.reserve(hold).await;
        sale.hold("A-1-2").await.unwrap();
        sale.publish().await;
        sale.run(Command::Purge).await.unwrap();
        assert_eq!(sale.keys().await, ["meta", "outbox"]);
        sale.publish().await;
        let place = ["format", "history", "last", "offset", "partition", "published", "sequence", "time"];
        assert_eq!(sale.meta().await, place, "its place on the log and nothing else");

        sale.crash().await;
        assert!(matches!(sale.store.inventory(&sale.event).await, Err(StoreError::Recovering)));
        sale.recover().await;
        sale.is_gone().await;
        assert_eq!(sale.meta().await, place);
        let state = sale.store.state(&sale.event).await.unwrap();
        assert_eq!((state.sequence, state.seats.len(), state.claims.len()), (6, 0, 0));

        let anew = sale.store.provision(&sale.event, &tonight(), 0, &cause("operator")).await;
        let Provisioning { inventory, .. } = anew.unwrap().unwrap();
        assert_eq!((inventory.sequence, inventory.partition), (7, 3), "it goes on where it had come to");
        assert_eq!((inventory.seats.held, inventory.seats.reserved), (0, 0));
        sale.hold("A-1-1").await.unwrap();
        sale.publish().await;
        assert_eq!(sale.log.sequences(), (1..=8).collect::<Vec<_>>());
        let before = sale.hash().await;
        sale.crash().await;
        sale.recover().await;
        assert_eq!(sale.hash().await, before);
        let inventory = sale.store.inventory(&sale.event).await.unwrap().unwrap();
        assert_eq!((inventory.sequence, inventory.seats.held, inventory.seats.reserved), (8, 1, 0));
    }
}

/// Redis lost its last moments, and has the show as it was before.
#[tokio::test]
async fn i7_a_purge_that_redis_forgot_is_done_again() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.hold("A-1-1").await.unwrap();
    sale.publish().await;
    let before = sale.store.state(&sale.event).await.unwrap();
    let purged = SeatingEventPurged { event_id: sale.event.clone() };
    let changes = vec![DomainEvent::EventPurged(purged)];
    let Cause { command, correlation, user, .. } = cause("operator");
    let origin = Origin { command, correlation, user };
    let envelopes = attribute(&before, changes, &origin, 1_800_000_000_000);
    let entries =
        envelopes.into_iter().map(|envelope| OutboxEntry { envelope, traceparent: None, after: None });
    sale.log.append(3, &entries.collect::<Vec<_>>());
    sale.crash().await;
    sale.recover().await;
    sale.is_gone().await;
    assert_eq!(sale.keys().await, ["meta", "outbox"], "an empty outbox");
    let anew = sale.store.provision(&sale.event, &tonight(), 0, &cause("operator")).await;
    assert_eq!(anew.unwrap().unwrap().inventory.sequence, before.sequence + 2);
}

/// A purge that is not on the log yet is published when Redis is back, and nothing is sold meanwhile.
#[tokio::test]
async fn a_purge_that_waits_for_the_log_survives_a_crash() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.publish().await;
    sale.hold("A-1-1").await.unwrap();
    sale.run(Command::Purge).await.unwrap();
    sale.crash().await;
    sale.recover().await;
    sale.is_gone().await;
    sale.publish().await;
    assert_eq!(sale.log.sequences(), [1, 2, 3]);
    assert_eq!(sale.store.backlogs(std::slice::from_ref(&sale.event)).await, []);
}

/// The log has the first of its events alone when Redis loses the rest: the command is repeated, as that of a payment is,
/// and finishes what it began. The reservation is remembered, in one piece.
#[tokio::test]
async fn i7_a_payment_that_fails_by_half_is_finished_under_ids_of_its_own() {
    let mut sale = Sale::on(RedisKind::default()).await;
    let (hold, reservation, user) = (Uuid::new_v4(), Uuid::new_v4(), "alice".parse().unwrap());
    let wanted = vec!["A-1-1".to_owned(), "A-1-2".to_owned()].into();
    sale.run(Command::Hold { wanted, user, hold }).await.unwrap();
    sale.run(Command::ReserveHold { hold, user: "alice".parse().unwrap(), reservation }).await.unwrap();
    sale.publish().await;
    let (fail, payment) = (Command::FailPayment { reservation }, cause("alice"));
    sale.store.execute(&sale.event, &fail, &payment).await.unwrap().unwrap();
    let (partition, first) = sale.store.unpublished(&sale.event, 10).await.unwrap();
    assert_eq!(first.len(), 3);
    sale.log.append(partition, &first[..1]);
    sale.crash().await;
    sale.recover().await;
    let half = sale.store.state(&sale.event).await.unwrap();
    assert_eq!((half.failed[&reservation].seats.len(), half.reservations[&reservation].seats.len()), (1, 1));

    sale.store.execute(&sale.event, &fail, &payment).await.unwrap().unwrap();
    let (_, rest) = sale.store.unpublished(&sale.event, 10).await.unwrap();
    assert_eq!(rest.len(), 2, "{rest:?}");
    assert!(rest.iter().all(|entry| entry.envelope.event_id != first[0].envelope.event_id));
    sale.publish().await;
    let before = sale.store.state(&sale.event).await.unwrap();
    sale.crash().await;
    sale.recover().await;
    let after = sale.store.state(&sale.event).await.unwrap();
    assert_eq!((&after.failed, after.reservations.len()), (&before.failed, 0));
    assert_eq!(after.failed[&reservation].seats.len(), 2);
    let (hold, reinstated) = (Uuid::new_v4(), Uuid::new_v4());
    let late = Command::Reinstate { reservation, payment: "pay-1".into(), hold, reinstated };
    let Answer::Reinstatement { outcome, .. } = sale.run(late).await.unwrap() else { panic!("no outcome") };
    assert_eq!(outcome, Some(Reinstatement::Reinstated(reinstated)));
}

#[tokio::test]
async fn i7_a_redis_that_is_emptied_while_it_runs_is_rebuilt_too() {
    let sale = Sale::on(RedisKind::default()).await;
    sale.hold("A-1-1").await.unwrap();
    sale.publish().await;
    let before = sale.hash().await;
    let mut connection = connection(&sale.server.address()).await.unwrap();
    redis::cmd("FLUSHALL").exec_async(&mut connection).await.unwrap();
    assert!(matches!(sale.hold("A-1-2").await, Err(StoreError::Recovering)));
    sale.recover().await;
    assert_eq!(sale.hash().await, before);
    sale.hold("A-1-2").await.unwrap();
}

#[tokio::test]
async fn what_the_log_does_not_have_yet_waits_on() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.publish().await;
    sale.hold("A-1-1").await.unwrap();
    let before = sale.hash().await;
    sale.crash().await;
    let waiting = sale.store.unpublished(&sale.event, 10).await;
    assert!(matches!(waiting, Err(StoreError::Recovering)), "nothing is published before the fence opens");
    let metrics = sale.recover().await;
    assert_eq!(metrics.applied.get(), 0);
    assert_eq!(sale.hash().await, before);
    let (partition, waiting) = sale.store.unpublished(&sale.event, 10).await.unwrap();
    let sequences: Vec<_> = waiting.iter().filter_map(|entry| entry.envelope.metadata.sequence).collect();
    assert_eq!((partition, sequences), (3, vec![2]));
}

#[tokio::test]
async fn where_the_log_has_another_history_the_log_wins() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.publish().await;
    sale.hold("A-1-1").await.unwrap();
    let (partition, mut other) = sale.store.unpublished(&sale.event, 10).await.unwrap();
    other[0].envelope.event_id = Uuid::new_v4();
    sale.log.append(partition, &other);
    sale.crash().await;
    let metrics = sale.recover().await;
    assert_eq!((metrics.forks.get(), metrics.applied.get()), (1, 2));
    assert_eq!(
        sale.store.backlogs(std::slice::from_ref(&sale.event)).await,
        [],
        "what waited was of the other history"
    );
    assert_eq!(sale.store.inventory(&sale.event).await.unwrap().unwrap().seats.held, 1);
    sale.hold("A-1-2").await.unwrap();
}

#[tokio::test]
async fn a_log_that_lost_its_beginning_keeps_one_event_behind_the_fence_and_no_other() {
    let mut sale = Sale::on(RedisKind::default()).await;
    sale.hold("A-1-1").await.unwrap();
    let (partition, entries) = sale.store.unpublished(&sale.event, 10).await.unwrap();
    sale.log.append(partition, &entries[1..]);
    sale.crash().await;
    let metrics = sale.recover().await;
    assert_eq!(metrics.troubles.get(), 1);
    assert!(matches!(sale.hold("A-1-2").await, Err(StoreError::Recovering)));
    let listing = sale.store.inventories().await.unwrap();
    assert_eq!((listing.inventories.len(), listing.unreadable), (0, vec![sale.event.clone()]));
    let new: SeatingEventId = unique("tomorrow").parse().unwrap();
    sale.store.provision(&new, &tonight(), 1, &cause("operator")).await.unwrap().unwrap();
    let unknown: SeatingEventId = unique("never").parse().unwrap();
    let command = Command::ReleaseSeat { seat: "A-1-1".into(), user: "alice".parse().unwrap() };
    let refused = sale.store.execute(&unknown, &command, &cause("alice")).await.unwrap();
    assert_eq!(refused, Err(Rejection::EventNotFound));
}

/// As after a worker of a later version: what it wrote waits for one that can read it.
#[tokio::test]
async fn i7_what_waits_of_one_that_nobody_can_read_keeps_no_other_behind_the_fence() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.publish().await;
    let other: SeatingEventId = unique("matinee").parse().unwrap();
    sale.store.provision(&other, &tonight(), 3, &cause("operator")).await.unwrap().unwrap();
    sale.log.publish_all(&sale.store, &other).await.unwrap();
    sale.hold("A-1-1").await.unwrap();
    sale.outdate().await;
    let waiting = sale.store.unpublished(&sale.event, 10).await;
    assert!(matches!(waiting, Err(StoreError::Corrupt(_))), "{waiting:?}");

    // Redis lost nothing: both go on as they are.
    sale.crash().await;
    let metrics = sale.recover().await;
    assert_eq!(metrics.troubles.get(), 0);
    let owner = Recovery::new(
        Arc::clone(&sale.store),
        Arc::clone(&sale.log) as _,
        "seat-events".into(),
        RecoveryMetrics::default(),
    );
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty());
    for event in [&sale.event, &other] {
        sale.store.execute(event, &holding("A-1-2"), &cause("alice")).await.unwrap().unwrap();
    }

    // The one has to be worked out anew, and what waits of it cannot be added.
    sale.outdate_records().await;
    sale.crash().await;
    let metrics = sale.recover().await;
    assert_eq!(metrics.troubles.get(), 1);
    sale.store.execute(&other, &holding("A-1-3"), &cause("alice")).await.unwrap().unwrap();
    assert!(matches!(sale.hold("A-1-3").await, Err(StoreError::Recovering)));
}

/// To a list that fails nobody could add a show, and to one that leaves it out it would be gone.
#[tokio::test]
async fn one_whose_definition_cannot_be_read_is_listed_by_name_and_the_others_with_what_they_have() {
    let (server, name) = (Server::start(RedisKind::default()).await.unwrap(), service("unreadable"));
    let connect = async || RedisStore::connect(Settings::new(server.address(), name.clone())).await.unwrap();
    let store = Arc::new(connect().await);
    nothing_was_lost(&store).await;
    let [spoilt, other]: [SeatingEventId; 2] = ["tonight", "matinee"].map(|id| unique(id).parse().unwrap());
    for event in [&spoilt, &other] {
        store.provision(event, &tonight(), 3, &cause("operator")).await.unwrap().unwrap();
    }
    let mut connection = connection(&server.address()).await.unwrap();
    let pattern = format!("*{{{spoilt}}}:meta");
    let keys: Vec<String> = redis::cmd("KEYS").arg(pattern).query_async(&mut connection).await.unwrap();
    let mut spoil = redis::cmd("HSET");
    spoil.arg(&keys[0]).arg("definition").arg("{");
    spoil.exec_async(&mut connection).await.unwrap();

    // One that has no copy of it.
    let fresh = connect().await;
    let listing = fresh.inventories().await.unwrap();
    let listed: Vec<_> = listing.inventories.iter().map(|inventory| &inventory.event).collect();
    assert_eq!((listed, listing.unreadable), (vec![&other], vec![spoilt.clone()]));
    assert!(matches!(fresh.inventory(&spoilt).await, Err(StoreError::Corrupt(_))));
}

/// Whoever marked the last partition did not live to say that nothing is missing.
#[tokio::test]
async fn i7_a_server_of_which_every_partition_is_marked_is_complete_though_nobody_said_so() {
    let sale = Sale::on(RedisKind::default()).await;
    sale.publish().await;
    sale.recover().await;
    let mut connection = connection(&sale.server.address()).await.unwrap();
    let said: Vec<String> = redis::cmd("KEYS").arg("*:history").query_async(&mut connection).await.unwrap();
    assert_eq!(said.len(), 1, "{said:?}");
    redis::cmd("DEL").arg(&said).exec_async(&mut connection).await.unwrap();
    let unknown: SeatingEventId = unique("never").parse().unwrap();
    assert!(matches!(sale.store.inventory(&unknown).await, Err(StoreError::Recovering)));
    let owner = Recovery::new(
        Arc::clone(&sale.store),
        Arc::clone(&sale.log) as _,
        "seat-events".into(),
        RecoveryMetrics::default(),
    );
    assert!(owner.wanting(&[0, 1, 2, 3]).await.is_empty());
    assert_eq!(sale.store.inventory(&unknown).await.unwrap(), None);
}

#[tokio::test]
async fn i7_a_torn_append_only_file_is_written_anew_before_its_beginning_is_carried_out() {
    let mut sale = Sale::on(RedisKind::always()).await;
    sale.publish().await;
    sale.is_rewritten().await;
    sale.hold("A-1-1").await.unwrap();
    sale.server.kill();
    sale.server.tear().unwrap();
    sale.server.restart().await.unwrap();
    sale.is_fenced().await;
    sale.recover().await;
    sale.is_rewritten().await;
    sale.hold("A-1-2").await.unwrap();
    sale.publish().await;
    let before = sale.hash().await;
    sale.crash().await;
    sale.recover().await;
    assert_eq!(sale.hash().await, before);
    assert_eq!(
        sale.store.inventory(&sale.event).await.unwrap().unwrap().seats.held,
        1,
        "what was torn off is not"
    );
}
