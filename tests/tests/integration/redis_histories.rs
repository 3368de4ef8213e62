//! A Redis that takes on another history while it runs and its connections stay open: by REPLICAOF, by FAILOVER.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use boxoffice_command::published::{LONGEST_WAIT, Published, Unreached};
use boxoffice_command::recover::Recover;
use boxoffice_command::store::redis::keys::Keys;
use boxoffice_command::store::redis::recovery::{Recovery, RecoveryMetrics};
use boxoffice_command::store::redis::{ConnectError, RedisStore, Settings};
use boxoffice_command::store::{
    Cause, Distrust, History, Idempotency, LEASE_ROUND, Outbox, Outcome, SeatStore, StoreError,
};
use boxoffice_domain::{Answer, Command, Definition, Rejection, SeatingEventId};
use boxoffice_tests::conformance::seat_store::stage::{FAR, cause, definition};
use boxoffice_tests::recovery::{KeptLog, nothing_was_lost, recover};
use boxoffice_tests::servers::redis_kinds::{RedisKind, connection};
use boxoffice_tests::servers::{Server, service, unique};
use boxoffice_tests::wait::{PATIENCE, until, within};
use uuid::Uuid;

const SEAT: &str = "A-1-1";

/// A master and its replica, which has everything that was sold so far.
struct Pair {
    master: Server<RedisKind>,
    replica: Server<RedisKind>,
    service: String,
    event: SeatingEventId,
    log: Arc<KeptLog>,
}

impl Pair {
    /// With a SeatingEvent on sale, of which everything is on the log.
    async fn start() -> Self {
        let master = Server::start(RedisKind::followed_at_once()).await.unwrap();
        let replica = Server::start(RedisKind::followed_at_once()).await.unwrap();
        replica.follow(&master.address()).await.unwrap();
        let (service, event) = (service("histories"), unique("tonight").parse().unwrap());
        let pair = Self { master, replica, service, event, log: Arc::default() };
        let store = pair.open().await.unwrap();
        nothing_was_lost(&store).await;
        let tonight = Definition { starts_at: FAR, ..definition() };
        store.provision(&pair.event, &tonight, 3, &cause("operator")).await.unwrap().unwrap();
        pair.log.publish_all(&store, &pair.event).await.unwrap();
        let mut connection = connection(&pair.master.address()).await.unwrap();
        until("the replica has it", async || {
            redis::cmd("SET").arg("written").arg("last").exec_async(&mut connection).await.unwrap();
            let replicas: u64 =
                redis::cmd("WAIT").arg(1).arg(100).query_async(&mut connection).await.unwrap();
            (replicas == 1).then_some(())
        })
        .await;
        pair
    }

    /// A worker's store, with its link to the master.
    async fn open(&self) -> Result<Arc<RedisStore>, ConnectError> {
        let settings = Settings::new(self.master.address(), self.service.clone());
        RedisStore::connect(settings).await.map(Arc::new)
    }

    async fn hold(&self, store: &RedisStore, user: &str) -> Result<Result<Uuid, Rejection>, StoreError> {
        self.hold_seat(store, user, SEAT).await
    }

    async fn hold_seat(
        &self,
        store: &RedisStore,
        user: &str,
        seat: &str,
    ) -> Result<Result<Uuid, Rejection>, StoreError> {
        let (wanted, hold) = (vec![seat.to_owned()].into(), Uuid::new_v4());
        let command = Command::Hold { wanted, user: user.parse().unwrap(), hold };
        match store.execute(&self.event, &command, &cause(user)).await? {
            Ok(outcome) => match outcome.answer {
                Answer::Held { hold, .. } => Ok(Ok(hold)),
                other => panic!("a hold was answered {other:?}"),
            },
            Err(refused) => Ok(Err(refused)),
        }
    }

    /// Sells the seat to `user`: the sequence of that, and the history under which it was given.
    async fn sell(&self, store: &RedisStore, user: &str) -> (History, u64) {
        let history = store.history(&self.event).await.unwrap();
        let hold = self.hold(store, user).await.unwrap().unwrap();
        let command = Command::ReserveHold { hold, user: user.parse().unwrap(), reservation: Uuid::new_v4() };
        let outcome = store.execute(&self.event, &command, &cause(user)).await.unwrap().unwrap();
        (history, outcome.answer.sequence())
    }

    /// What the master has of the SeatingEvent, by key, as it can be restored.
    async fn dump(&self) -> Vec<(String, Option<Vec<u8>>)> {
        let mut connection = connection(&self.master.address()).await.unwrap();
        let mut dumped = vec![];
        for key in Keys::new(&self.service).event(&self.event).all() {
            let value = redis::cmd("DUMP").arg(key).query_async(&mut connection).await.unwrap();
            dumped.push((key.to_owned(), value));
        }
        dumped
    }

    /// Puts that in the place of what the master has.
    async fn restore(&self, dumped: &[(String, Option<Vec<u8>>)]) {
        let mut connection = connection(&self.master.address()).await.unwrap();
        for (key, value) in dumped {
            redis::cmd("DEL").arg(key).exec_async(&mut connection).await.unwrap();
            if let Some(value) = value {
                let mut restore = redis::cmd("RESTORE");
                restore.arg(key).arg(0).arg(value);
                restore.exec_async(&mut connection).await.unwrap();
            }
        }
    }

    /// What `meta` says of the last domain event: its sequence, when it was and its id.
    async fn last(&self) -> [String; 3] {
        let mut connection = connection(&self.master.address()).await.unwrap();
        let mut read = redis::cmd("HGET");
        read.arg(Keys::new(&self.service).event(&self.event).meta()).arg("last");
        let last: String = read.query_async(&mut connection).await.unwrap();
        last.split(' ').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap()
    }

    /// Has it say that, whatever was written since.
    async fn keep_last(&self, last: &[String; 3]) {
        let mut connection = connection(&self.master.address()).await.unwrap();
        let mut write = redis::cmd("HSET");
        write.arg(Keys::new(&self.service).event(&self.event).meta()).arg("last").arg(last.join(" "));
        write.exec_async(&mut connection).await.unwrap();
    }

    /// The master takes over what the replica has, and is master again at once.
    async fn come_back(&self) {
        self.master.follow(&self.replica.address()).await.unwrap();
        self.master.promote().await.unwrap();
    }

    /// Asserts that the log has every sequence once.
    fn has_no_fork(&self) {
        let sequences = self.log.sequences();
        let distinct: BTreeSet<_> = sequences.iter().copied().collect();
        assert_eq!(sequences.len(), distinct.len(), "{sequences:?}");
    }
}

#[tokio::test]
async fn i7_a_master_that_followed_its_promoted_replica_for_a_moment_sells_no_seat_again() {
    let pair = Pair::start().await;
    let at_first = pair.open().await.unwrap();
    pair.replica.promote().await.unwrap();
    let beside_another_master = pair.open().await.unwrap();
    let (history, sequence) = pair.sell(&at_first, "a").await;
    pair.log.publish_all(&at_first, &pair.event).await.unwrap();
    let published = Published::new(Arc::clone(&at_first) as Arc<dyn Outbox>);
    assert_eq!(published.reached(&pair.event, history, sequence).await, Ok(()), "a's reservation stands");
    let after_it_was_sold = pair.open().await.unwrap();
    pair.master.follow(&pair.replica.address()).await.unwrap();
    assert!(pair.open().await.is_err(), "a replica is no place to sell");
    pair.master.promote().await.unwrap();
    let at_last = pair.open().await.unwrap();

    let stores = [&at_first, &beside_another_master, &after_it_was_sold, &at_last];
    for (opened, store) in stores.into_iter().enumerate() {
        let sold = pair.hold(store, "b").await;
        assert!(
            matches!(sold, Err(StoreError::Recovering | StoreError::Unavailable(_))),
            "link {opened}: {sold:?}"
        );
        let waiting = store.unpublished(&pair.event, 10).await;
        assert!(waiting.is_err(), "link {opened} would publish {waiting:?}");
    }
    let metrics = recover(&at_last, Arc::clone(&pair.log) as _, "seat-events").await;
    assert_eq!((metrics.applied.get(), metrics.forks.get()), (3, 0), "held, reserved, and its reservation");
    for (opened, store) in stores.into_iter().enumerate() {
        let sold = within(PATIENCE, async || pair.hold(store, "b").await.ok()).await.unwrap();
        assert!(matches!(sold, Err(Rejection::SeatNotAvailable(_))), "link {opened}: {sold:?}");
        pair.log.publish_all(store, &pair.event).await.unwrap();
    }
    pair.has_no_fork();
}

/// Two masters for a moment: an owner that comes new to the old one sees on the log that the other one has sold.
#[tokio::test]
async fn i1_what_another_master_sold_is_found_before_anything_is_published_and_takes_the_place_of_what_is_here()
 {
    let pair = Pair::start().await;
    let old = pair.open().await.unwrap();
    recover(&old, Arc::clone(&pair.log) as _, "seat-events").await;
    pair.replica.promote().await.unwrap();
    let settings = Settings::new(pair.replica.address(), pair.service.clone());
    let other = Arc::new(RedisStore::connect(settings).await.unwrap());
    recover(&other, Arc::clone(&pair.log) as _, "seat-events").await;
    let metrics = RecoveryMetrics::default();
    let owner =
        Recovery::new(Arc::clone(&old), Arc::clone(&pair.log) as _, "seat-events".into(), metrics.clone());
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty(), "the log has nothing that is not here");
    pair.sell(&old, "a").await;
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty(), "what waits is nobody else's business");
    pair.sell(&other, "b").await;
    pair.log.publish_all(&other, &pair.event).await.unwrap();

    let contradicted = owner.compare(3).await.unwrap().contradicted;
    assert_eq!(contradicted, BTreeMap::from([(pair.event.clone(), Distrust::Fork)]));
    old.distrust(&pair.event, Distrust::Split).await.unwrap();
    let refused = pair.hold(&old, "c").await;
    assert!(
        matches!(&refused, Err(StoreError::Unavailable(why)) if why.contains("another redis")),
        "{refused:?}"
    );
    owner.recover(3, &contradicted.into_keys().collect()).await.unwrap();
    assert_eq!(metrics.forks.get(), 1);
    let state = old.state(&pair.event).await.unwrap();
    let owners: Vec<_> = state.reservations.values().map(|reservation| reservation.user.as_str()).collect();
    assert_eq!(owners, ["b"], "what is on the log counts");
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty());
    pair.log.publish_all(&old, &pair.event).await.unwrap();
    pair.has_no_fork();
}

/// A split that is over, on the side that gives way: the server has the history that it had, and the sequences are others' now.
#[tokio::test]
async fn i1_what_gave_way_to_the_log_is_no_answer_any_more_to_whoever_waits_or_repeats() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    recover(&store, Arc::clone(&pair.log) as _, "seat-events").await;
    let metrics = RecoveryMetrics::default();
    let owner = Recovery::new(Arc::clone(&store), Arc::clone(&pair.log) as _, "seat-events".into(), metrics);
    let published = Published::new(Arc::clone(&store) as Arc<dyn Outbox>);
    let history = store.history(&pair.event).await.unwrap();
    let hold = pair.hold(&store, "a").await.unwrap().unwrap();
    let reserve = async || -> Outcome {
        let user = "a".parse().unwrap();
        let idempotency = Some(Idempotency::new(&user, "key", "reserve"));
        let command = Command::ReserveHold { hold, user, reservation: Uuid::new_v4() };
        let keyed = Cause { idempotency, ..cause("a") };
        store.execute(&pair.event, &command, &keyed).await.unwrap().unwrap()
    };
    let sold = reserve().await;
    assert!(reserve().await.repeated);
    // The other side sold the same seat, and nothing more: its hold is on the log.
    let (partition, mut others) = store.unpublished(&pair.event, 1).await.unwrap();
    others[0].envelope.event_id = Uuid::new_v4();
    pair.log.append(partition, &others);
    let contradicted = owner.compare(3).await.unwrap().contradicted;
    assert_eq!(contradicted, BTreeMap::from([(pair.event.clone(), Distrust::Fork)]));
    store.distrust(&pair.event, Distrust::Fork).await.unwrap();
    owner.recover(3, &contradicted.into_keys().collect()).await.unwrap();
    assert!(store.state(&pair.event).await.unwrap().reservations.is_empty());

    let sequence = sold.answer.sequence();
    for seat in ["A-1-2", "A-1-3"] {
        pair.hold_seat(&store, "b", seat).await.unwrap().unwrap();
    }
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    assert_eq!(published.reached(&pair.event, history.clone(), sequence).await, Ok(()), "by others' events");
    assert!(!published.stands(&pair.event, &history, sold.at).await.unwrap());
    let again = reserve().await;
    assert!(!again.repeated, "{again:?}");
    assert!(again.answer.sequence() > sequence);
    assert!(published.stands(&pair.event, &history, again.at).await.unwrap());
    assert_eq!(store.state(&pair.event).await.unwrap().reservations.len(), 1);
    assert!(reserve().await.repeated, "the answer that stands");
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    pair.has_no_fork();
}

/// Keys of before take the place of what there is: their server sells on, under the history that it had, and has as many events
/// published as the log.
#[tokio::test]
async fn i3_what_goes_on_from_another_event_than_the_log_has_is_not_published_and_gives_way_to_the_log() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    recover(&store, Arc::clone(&pair.log) as _, "seat-events").await;
    let metrics = RecoveryMetrics::default();
    let owner =
        Recovery::new(Arc::clone(&store), Arc::clone(&pair.log) as _, "seat-events".into(), metrics.clone());
    let before = pair.dump().await;
    let hold = pair.hold(&store, "a").await.unwrap().unwrap();
    let (_, logged) = store.unpublished(&pair.event, 10).await.unwrap();
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty());

    pair.restore(&before).await;
    pair.hold(&store, "b").await.unwrap().unwrap();
    assert_eq!(store.published(&pair.event, 2, 2).await.unwrap(), 0);
    let forked = BTreeMap::from([(pair.event.clone(), Distrust::Fork)]);
    assert_eq!(
        owner.compare(3).await.unwrap().contradicted,
        forked,
        "nothing waits, and the last event is another"
    );
    let last = pair.last().await;
    pair.hold_seat(&store, "b", "A-1-2").await.unwrap().unwrap();
    // What waits says it by itself.
    pair.keep_last(&last).await;
    let contradicted = owner.compare(3).await.unwrap().contradicted;
    assert_eq!(contradicted, forked);

    store.distrust(&pair.event, Distrust::Fork).await.unwrap();
    let refused = pair.hold_seat(&store, "c", "A-1-3").await;
    assert!(matches!(refused, Err(StoreError::Recovering)), "{refused:?}");
    owner.recover(3, &contradicted.into_keys().collect()).await.unwrap();
    assert_eq!(metrics.forks.get(), 1);
    let state = store.state(&pair.event).await.unwrap();
    let holds: Vec<_> = state.holds.keys().copied().collect();
    assert_eq!((state.sequence, holds), (2, vec![hold]), "what b has is on no log");
    assert!(owner.compare(3).await.unwrap().contradicted.is_empty());
    pair.hold_seat(&store, "c", "A-1-3").await.unwrap().unwrap();
    let (_, waiting) = store.unpublished(&pair.event, 10).await.unwrap();
    assert_eq!(waiting[0].after, Some(logged[0].envelope.event_id));
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    assert_eq!(pair.log.sequences(), [1, 2, 3]);
}

/// A worker of the version before does not know what `meta` keeps of the last event: it stays as it was.
#[tokio::test]
async fn entries_name_the_event_before_unless_a_worker_wrote_that_does_not_keep_it() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    let created = pair.last().await;
    pair.hold_seat(&store, "a", "A-1-1").await.unwrap().unwrap();
    let held = pair.last().await;
    pair.hold_seat(&store, "b", "A-1-2").await.unwrap().unwrap();
    pair.keep_last(&held).await;
    pair.hold_seat(&store, "c", "A-1-3").await.unwrap().unwrap();
    let [sequence, _, id] = pair.last().await;
    // As where what had this sequence was dropped, and it was given again.
    pair.keep_last(&[sequence, "0".to_owned(), id]).await;
    pair.hold_seat(&store, "d", "A-1-4").await.unwrap().unwrap();
    pair.hold_seat(&store, "e", "FLOOR-1").await.unwrap().unwrap();

    let (_, waiting) = store.unpublished(&pair.event, 10).await.unwrap();
    let ids: Vec<_> = waiting.iter().map(|entry| entry.envelope.event_id).collect();
    let named: Vec<_> = waiting.iter().map(|entry| entry.after).collect();
    let published: Uuid = created[2].parse().unwrap();
    assert_eq!(named, [Some(published), Some(ids[0]), None, None, Some(ids[3])]);
    assert_eq!(held, ["2".to_owned(), waiting[0].envelope.timestamp.to_string(), ids[0].to_string()]);
}

#[tokio::test]
async fn i7_another_history_ends_the_wait_for_the_log_at_once() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    let published = Published::new(Arc::clone(&store) as Arc<dyn Outbox>);
    pair.replica.promote().await.unwrap();
    let (history, sequence) = pair.sell(&store, "a").await;
    let begun = Instant::now();
    let (reached, ()) =
        tokio::join!(published.reached(&pair.event, history.clone(), sequence), pair.come_back());
    assert_eq!(reached, Err(Unreached::AnotherHistory { sequence }));
    assert!(begun.elapsed() < LONGEST_WAIT, "{:?}", begun.elapsed());
    recover(&store, Arc::clone(&pair.log) as _, "seat-events").await;
    // It never was on the log, and is gone: somebody else has its sequence now, on the log too.
    let (_, again) = pair.sell(&store, "b").await;
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    assert_eq!((again, store.watermark(&pair.event).await.unwrap()), (sequence, sequence));
    let reached = published.reached(&pair.event, history, sequence).await;
    assert_eq!(reached, Err(Unreached::AnotherHistory { sequence }));
    pair.has_no_fork();
}

#[tokio::test]
async fn a_link_to_a_master_that_follows_another_one_is_dropped_without_any_traffic() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    pair.replica.promote().await.unwrap();
    pair.master.follow(&pair.replica.address()).await.unwrap();
    // Asks no server while there is a link.
    let refused = async || store.history(&pair.event).await.err().map(|error| error.to_string());
    let demoted = Instant::now();
    let why = within(PATIENCE, refused).await.unwrap();
    assert!(why.contains("is a replica"), "{why}");
    assert!(demoted.elapsed() < LEASE_ROUND * 8, "{:?}", demoted.elapsed());
}

#[tokio::test]
async fn i7_a_failover_there_and_back_loses_nothing_and_is_another_history() {
    let pair = Pair::start().await;
    let store = pair.open().await.unwrap();
    let before = pair.sell(&store, "a").await;
    pair.log.publish_all(&store, &pair.event).await.unwrap();
    fail_over(&pair.master, &pair.replica).await;
    assert!(pair.hold(&store, "b").await.is_err(), "it is a replica");
    fail_over(&pair.replica, &pair.master).await;
    let after = until("there is a link again", async || store.history(&pair.event).await.ok()).await;
    assert_ne!(after, before.0);
    assert!(matches!(pair.hold(&store, "b").await, Err(StoreError::Recovering)));
    let metrics = recover(&store, Arc::clone(&pair.log) as _, "seat-events").await;
    assert_eq!(metrics.applied.get(), 0);
    let sold = pair.hold(&store, "b").await.unwrap();
    assert!(matches!(sold, Err(Rejection::SeatNotAvailable(_))), "{sold:?}");
}

/// Has `replica` take the place of `master` as an administrator does who wants to lose nothing.
async fn fail_over(master: &Server<RedisKind>, replica: &Server<RedisKind>) {
    let mut connection = connection(&master.address()).await.unwrap();
    let failover = redis::cmd("FAILOVER");
    until("the failover begins", async || failover.exec_async(&mut connection).await.ok()).await;
    until("the replica is master", async || {
        let role = |told: redis::InfoDict| told.get::<String>("role");
        let roles = (role(replica.replication().await.ok()?)?, role(master.replication().await.ok()?)?);
        (roles == ("master".to_owned(), "slave".to_owned())).then_some(())
    })
    .await;
    master.follows().await.unwrap();
}
