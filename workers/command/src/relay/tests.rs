//! The relay against doubles: order, failures, fencing, two stores at once, and the way out.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::{Answer, Command, Definition, SeatingEventId};
use boxoffice_runtime::log::EventLog;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{Relay, RelayMetrics, STILL, Shared};
use crate::published::Published;
use crate::recover::{Compared, Last, LastEvents, Recover, RecoveryError};
use crate::store::{Distrust, LANES, Outbox, SeatStore, StoreError};
use crate::testing::{FakeLog, Memory, cause, definition, provisioned};

const DRAIN: Duration = Duration::from_secs(5);

/// Keeps what it was asked to recover.
#[derive(Default)]
struct FakeRecovery {
    wanting: Mutex<BTreeSet<u32>>,
    compared: Mutex<Compared>,
    recovered: Mutex<Vec<(u32, BTreeSet<SeatingEventId>)>>,
    reached: Mutex<Vec<(u32, u64)>>,
}

#[async_trait]
impl Recover for FakeRecovery {
    async fn wanting(&self, partitions: &[u32]) -> BTreeSet<u32> {
        let wanting = self.wanting.lock().unwrap();
        partitions.iter().copied().filter(|partition| wanting.contains(partition)).collect()
    }

    async fn compare(&self, _partition: u32) -> Result<Compared, RecoveryError> {
        Ok(std::mem::take(&mut *self.compared.lock().unwrap()))
    }

    async fn recover(&self, partition: u32, doubted: &BTreeSet<SeatingEventId>) -> Result<(), RecoveryError> {
        self.wanting.lock().unwrap().remove(&partition);
        self.recovered.lock().unwrap().push((partition, doubted.clone()));
        Ok(())
    }

    async fn reached(&self, partition: u32, offset: u64) {
        self.reached.lock().unwrap().push((partition, offset));
    }
}

struct Line {
    store: Arc<Memory>,
    log: Arc<FakeLog>,
    recovery: Arc<FakeRecovery>,
    published: Arc<Published>,
    event: SeatingEventId,
    stop: CancellationToken,
    relay: JoinHandle<()>,
    registry: Registry,
}

impl Line {
    /// A relay that runs, in front of one SeatingEvent of which nothing is published.
    async fn with(store: Memory, log: FakeLog) -> Self {
        let event = provisioned(&store).await;
        Self::on(Arc::new(store), Arc::new(log), event)
    }

    /// The relay of another process.
    fn beside(&self) -> Self {
        Self::on(Arc::clone(&self.store), Arc::clone(&self.log), self.event.clone())
    }

    fn on(store: Arc<Memory>, log: Arc<FakeLog>, event: SeatingEventId) -> Self {
        let recovery = Arc::new(FakeRecovery::default());
        let stop = CancellationToken::new();
        let mut registry = Registry::default();
        let shared = Shared::new(
            Arc::clone(&store) as _,
            Arc::clone(&log) as _,
            Arc::clone(&recovery) as _,
            "seat-events".into(),
            "tickets/main".into(),
            RelayMetrics::register(&mut registry),
        );
        let published = Arc::clone(&shared.published);
        let relay = tokio::spawn(Relay::new(Arc::new(shared)).run(stop.clone(), DRAIN));
        Self { store, log, recovery, published, event, stop, relay, registry }
    }

    #[track_caller]
    fn measures(&self, line: &str) {
        let text = self.metrics();
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }

    async fn comes_to_measure(&self, line: &str) {
        let measured = async {
            while !self.metrics().lines().any(|found| found == line) {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), measured).await.unwrap();
    }

    fn metrics(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).unwrap();
        text
    }

    async fn watermark(&self, expected: u64) {
        let reached = async {
            while self.store.watermark(&self.event).await.unwrap_or_default() < expected {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), reached).await.unwrap();
    }

    fn sequences(&self) -> Vec<u64> {
        self.log.sequences(self.event.as_str())
    }

    async fn shut(self) -> (Arc<Memory>, Arc<FakeLog>) {
        self.stop.cancel();
        self.relay.await.unwrap();
        (self.store, self.log)
    }
}

/// The first occurrences: what is left when repeats are dropped.
fn first_occurrences(sequences: &[u64]) -> Vec<u64> {
    let mut firsts = vec![];
    for sequence in sequences {
        if !firsts.contains(sequence) {
            firsts.push(*sequence);
        }
    }
    firsts
}

#[tokio::test(start_paused = true)]
async fn what_is_written_is_published_in_order_on_the_pinned_partition() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.hold_for("alice", &line.event, &["A-1-1", "A-1-2"]).await;
    line.watermark(3).await;
    assert_eq!(line.sequences(), [1, 2, 3]);
    let (topic, record) = line.log.records().pop().unwrap();
    assert_eq!((topic.as_str(), record.partition, record.key.as_str()), ("seat-events", 3, "arena-night"));
    assert!(record.headers.contains(&("ce_source".into(), "/boxoffice/tickets/main".into())));
    assert!(line.store.entries(&line.event).is_empty(), "what is acknowledged is trimmed");
    line.shut().await;
}

/// A transaction costs the log the same whatever it has, and takes its time also for one who comes while it is under way.
#[tokio::test(start_paused = true)]
async fn more_comes_together_while_nobody_waits_and_who_waits_is_not_kept_waiting() {
    const TOOK: Duration = Duration::from_millis(40);
    let log = FakeLog::default();
    log.takes(TOOK);
    let line = Line::with(Memory::default(), log).await;
    line.watermark(1).await;
    let begun = Instant::now();
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    assert!(begun.elapsed() >= 2 * TOOK, "{:?}", begun.elapsed());
    let begun = Instant::now();
    let Answer::Held { hold, .. } = line.store.hold_for("bob", &line.event, &["A-1-2"]).await else {
        panic!("a hold was answered otherwise")
    };
    sleep(Duration::from_millis(5)).await;
    let reserving = Command::ReserveHold { hold, user: "bob".parse().unwrap(), reservation: Uuid::new_v4() };
    line.store.execute(&line.event, &reserving, &cause()).await.unwrap().unwrap();
    line.watermark(5).await;
    assert!(begun.elapsed() < 2 * TOOK, "{:?}", begun.elapsed());
    assert_eq!(line.sequences(), [1, 2, 3, 4, 5]);
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn a_hold_waits_a_moment_for_the_reservation_that_follows_it_however_quick_the_log_is() {
    let log = FakeLog::default();
    log.takes(Duration::from_millis(2));
    let line = Line::with(Memory::default(), log).await;
    line.watermark(1).await;
    let Answer::Held { hold, .. } = line.store.hold_for("bob", &line.event, &["A-1-2"]).await else {
        panic!("a hold was answered otherwise")
    };
    sleep(Duration::from_millis(20)).await;
    assert_eq!(line.sequences(), [1], "it is not in the way of the reservation");
    let reserving = Command::ReserveHold { hold, user: "bob".parse().unwrap(), reservation: Uuid::new_v4() };
    let begun = Instant::now();
    line.store.execute(&line.event, &reserving, &cause()).await.unwrap().unwrap();
    line.watermark(4).await;
    assert!(begun.elapsed() < Duration::from_millis(20), "{:?}", begun.elapsed());
    line.shut().await;
}

/// What is told with the next reading is told before it.
#[tokio::test(start_paused = true)]
async fn nothing_is_repeated_while_somebody_waits_all_the_time() {
    let log = FakeLog::default();
    log.takes(Duration::from_millis(40));
    let line = Line::with(Memory::default(), log).await;
    line.watermark(1).await;
    for seat in ["A-1-1", "A-1-2", "A-1-3"] {
        let Answer::Held { hold, .. } = line.store.hold_for("bob", &line.event, &[seat]).await else {
            panic!("a hold was answered otherwise")
        };
        let (user, reservation) = ("bob".parse().unwrap(), Uuid::new_v4());
        let reserving = Command::ReserveHold { hold, user, reservation };
        line.store.execute(&line.event, &reserving, &cause()).await.unwrap().unwrap();
        sleep(Duration::from_millis(30)).await;
    }
    line.watermark(10).await;
    assert_eq!(line.sequences(), (1..=10).collect::<Vec<_>>());
    assert!(line.store.entries(&line.event).is_empty(), "nor is anything left");
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn who_waits_in_the_same_process_is_told_by_what_the_log_took_and_not_by_what_it_did_not() {
    let log = FakeLog::default();
    log.away(true);
    let store = Memory::default();
    store.partitions(Some(12)).await.unwrap();
    let line = Line::with(store, log).await;
    let (cause, user) = (cause(), "alice".parse().unwrap());
    let mut own = line.published.awaits(cause.command);
    let hold = Command::Hold { wanted: vec!["A-1-1".to_owned()].into(), user, hold: Uuid::from_u128(1) };
    line.store.execute(&line.event, &hold, &cause).await.unwrap().unwrap();
    assert!(timeout(Duration::from_secs(10), own.is_on_log()).await.is_err());
    line.log.away(false);
    timeout(Duration::from_secs(20), own.is_on_log()).await.unwrap();
    assert_eq!(line.sequences(), [1, 2]);
    drop(own);
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn a_signal_that_is_lost_is_made_up_for() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.hush(true);
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn i3_failures_repeat_from_the_watermark_and_leave_no_gap() {
    let log = FakeLog::default();
    log.lose_answers(3);
    let line = Line::with(Memory::default(), log).await;
    line.store.hold_for("alice", &line.event, &["A-1-1", "A-1-2", "A-1-3"]).await;
    line.watermark(4).await;
    assert_eq!(first_occurrences(&line.sequences()), [1, 2, 3, 4]);
    assert!(line.sequences().len() > 4, "{:?}", line.sequences());
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_log_delays_and_loses_nothing() {
    let (store, log) = (Memory::default(), FakeLog::default());
    log.away(true);
    // Somebody asked the log before.
    store.partitions(Some(12)).await.unwrap();
    let line = Line::with(store, log).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    sleep(Duration::from_secs(30)).await;
    assert!(line.sequences().is_empty());
    line.measures("outbox_entries 2");
    line.measures("outbox_leases 12");
    line.log.away(false);
    line.watermark(2).await;
    assert_eq!(line.sequences(), [1, 2]);
    sleep(Duration::from_secs(2)).await;
    line.measures("outbox_entries 0");
    line.measures("outbox_published_total 2");
    line.measures("outbox_transaction_duration_seconds_count 1");
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn an_outage_of_the_store_is_survived() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.store.fail(true);
    sleep(Duration::from_secs(10)).await;
    line.store.fail(false);
    line.watermark(2).await;
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_lost_its_lease_publishes_no_more_until_it_has_a_later_one() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.usurp();
    // A round learns it.
    sleep(Duration::from_millis(600)).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(line.sequences(), [1]);
    line.watermark(2).await;
    assert_eq!(line.sequences(), [1, 2]);
    assert!(line.store.distrusted().is_empty(), "it was the same store's next owner");
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn an_owner_whose_lease_cannot_be_asked_about_goes_on() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.deny_renewals(true);
    sleep(Duration::from_secs(30)).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    assert_eq!(line.sequences(), [1, 2]);
    line.store.deny_renewals(false);
    line.shut().await;
}

/// Its lanes would go to others without a word, and those that nobody else takes to nobody.
#[tokio::test(start_paused = true)]
async fn without_rounds_of_the_leases_the_relay_ends_and_with_it_the_process() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.break_rounds();
    timeout(Duration::from_secs(5), line.relay).await.unwrap().unwrap();
}

/// The lease is ours, so whoever has fenced this owner has its own from another store.
#[tokio::test(start_paused = true)]
async fn i1_fenced_from_another_store_it_sells_nothing_until_the_other_is_still() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    let mut other = line.log.appender("tickets/main/3").await.unwrap();
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.comes_to_measure("outbox_splits 1").await;
    assert_eq!(line.store.distrusted(), [(line.event.clone(), Distrust::Split)]);
    for _ in 0..5 {
        let record = line.log.records()[0].1.clone();
        other.append("seat-events", vec![record]).await.unwrap();
        sleep(STILL * 2 / 3).await;
    }
    assert_eq!(line.store.watermark(&line.event).await.unwrap(), 1);
    assert!(line.recovery.recovered.lock().unwrap().is_empty());
    line.watermark(2).await;
    line.measures("outbox_splits 0");
    assert_eq!(line.recovery.recovered.lock().unwrap()[0].0, 3, "what the other did is put back first");
    assert!(other.append("seat-events", vec![line.log.records()[0].1.clone()]).await.is_err());
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_store_lacks_is_put_back_before_anything_is_published() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.recovery.wanting.lock().unwrap().extend([3, 5]);
    let recovered = async {
        while line.recovery.recovered.lock().unwrap().len() < 2 {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(3), recovered).await.unwrap();
    line.recovery.recovered.lock().unwrap().clear();
    // One that meets the fence is recovered for its own sake, and costs the others nothing.
    line.store.fail_for(&line.event, Some(|| StoreError::Recovering));
    let other: SeatingEventId = "matinee".parse().unwrap();
    line.store.provision(&other, &definition(), 3, &cause()).await.unwrap().unwrap();
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    timeout(Duration::from_secs(20), async {
        while line.log.sequences(other.as_str()).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert!(line.recovery.recovered.lock().unwrap().contains(&(3, BTreeSet::from([line.event.clone()]))));
    line.store.fail_for(&line.event, None);
    line.watermark(2).await;
    line.shut().await;
}

/// The owner before has not noticed, or is dead: whoever comes next compares before it publishes.
#[tokio::test(start_paused = true)]
async fn i1_what_the_log_contradicts_is_recovered_before_anything_is_published() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.recovery.compared.lock().unwrap().contradicted.insert(line.event.clone(), Distrust::Split);
    line.store.usurp();
    // A round learns it.
    sleep(Duration::from_millis(600)).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    assert_eq!(line.store.distrusted(), [(line.event.clone(), Distrust::Split)]);
    let recovered = line.recovery.recovered.lock().unwrap().clone();
    assert_eq!(recovered, [(3, BTreeSet::from([line.event.clone()]))]);
    line.shut().await;
}

/// As where somebody restored keys: what waits is not what was left there.
#[tokio::test(start_paused = true)]
async fn i3_what_does_not_go_on_from_what_was_published_is_recovered_before_it_is() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    line.store.twist(Some(|entries| {
        if let Some(first) = entries.first_mut() {
            first.after = Some(Uuid::nil());
        }
    }));
    line.store.hold_for("bob", &line.event, &["A-1-2"]).await;
    let distrusted = async {
        while line.store.distrusted().is_empty() {
            assert_eq!(line.sequences(), [1, 2]);
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), distrusted).await.unwrap();
    assert_eq!(line.store.distrusted(), [(line.event.clone(), Distrust::Fork)]);
    line.store.twist(None);
    line.watermark(3).await;
    let recovered = line.recovery.recovered.lock().unwrap().clone();
    assert_eq!(recovered, [(3, BTreeSet::from([line.event.clone()]))]);
    assert_eq!(line.sequences(), [1, 2, 3]);
    line.shut().await;
}

/// As where somebody restored keys before the owner came: nothing was published from here yet.
#[tokio::test(start_paused = true)]
async fn i3_an_owner_that_comes_new_publishes_only_what_goes_on_from_what_it_read_of_the_log() {
    let store = Memory::default();
    let event = provisioned(&store).await;
    store.published(&event, 1, 1).await.unwrap();
    store.hold_for("alice", &event, &["A-1-1"]).await;
    store.twist(Some(|entries| {
        if let Some(first) = entries.first_mut() {
            first.after = Some(Uuid::from_u128(9));
        }
    }));
    let line = Line::on(Arc::new(store), Arc::default(), event);
    let mut last_events = LastEvents::default();
    last_events.published(&line.event, Last { sequence: 1, id: Uuid::nil() });
    line.recovery.compared.lock().unwrap().last_events = last_events;
    let distrusted = async {
        while line.store.distrusted().is_empty() {
            assert!(line.sequences().is_empty());
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), distrusted).await.unwrap();
    assert_eq!(line.store.distrusted(), [(line.event.clone(), Distrust::Fork)]);
    line.watermark(2).await;
    let recovered = line.recovery.recovered.lock().unwrap().clone();
    assert_eq!(recovered, [(3, BTreeSet::from([line.event.clone()]))]);
    line.shut().await;
}

/// Where its server does not hear that nobody may sell it, it goes on selling, and the log has nothing of that.
#[tokio::test(start_paused = true)]
async fn i3_what_the_store_cannot_be_told_to_distrust_is_not_published_meanwhile() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    let other: SeatingEventId = "matinee".parse().unwrap();
    line.store.deny_distrust(true);
    line.store.twist(Some(|entries| {
        for first in entries.iter_mut().filter(|entry| entry.sequence() == 3) {
            first.after = Some(Uuid::nil());
        }
    }));
    line.store.hold_for("bob", &line.event, &["A-1-2"]).await;
    sleep(Duration::from_secs(10)).await;
    line.store.provision(&other, &definition(), 3, &cause()).await.unwrap().unwrap();
    timeout(Duration::from_secs(20), async {
        while line.log.sequences(other.as_str()).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
    assert_eq!(line.sequences(), [1, 2], "the others go on");
    assert!(line.recovery.recovered.lock().unwrap().is_empty());
    line.store.deny_distrust(false);
    line.store.twist(None);
    line.watermark(3).await;
    assert_eq!(line.store.distrusted(), [(line.event.clone(), Distrust::Fork)]);
    let recovered = line.recovery.recovered.lock().unwrap().clone();
    assert_eq!(recovered, [(3, BTreeSet::from([line.event.clone()]))]);
    line.shut().await;
}

/// Also of the same lane, which is a partition modulo 64.
#[tokio::test(start_paused = true)]
async fn a_partition_without_a_leader_holds_up_no_other() {
    let log = FakeLog::default();
    log.has_partitions(128);
    log.lead(3, false);
    let line = Line::with(Memory::default(), log).await;
    let other: SeatingEventId = "matinee".parse().unwrap();
    line.store.provision(&other, &definition(), 3 + LANES, &cause()).await.unwrap().unwrap();
    // The first time a partition is taken over it is found by a scan.
    sleep(Duration::from_secs(5)).await;
    for (before, seat) in (1..).zip(["A-1-1", "A-1-2", "A-1-3"]) {
        assert_eq!(line.log.sequences(other.as_str()).len(), before);
        line.store.hold_for("alice", &line.event, &[seat]).await;
        line.store.hold_for("bob", &other, &[seat]).await;
        sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(line.log.sequences(other.as_str()), [1, 2, 3, 4]);
    assert!(line.sequences().is_empty());
    line.log.lead(3, true);
    line.watermark(4).await;
    assert_eq!(line.sequences(), [1, 2, 3, 4]);
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn partitions_that_a_topic_gets_later_are_worked_on() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.log.has_partitions(128);
    let other: SeatingEventId = "matinee".parse().unwrap();
    line.store.provision(&other, &definition(), 3 + LANES, &cause()).await.unwrap().unwrap();
    let published = async {
        while line.log.sequences(other.as_str()).is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    // Nobody waits until they are counted again.
    timeout(Duration::from_millis(500), published).await.unwrap();
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn the_right_to_publish_is_laid_down_where_nothing_is_written_and_taken_again() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    assert_eq!(line.log.appenders(), 1);
    sleep(Duration::from_mins(11)).await;
    assert_eq!(line.log.appenders(), 0);
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    line.watermark(2).await;
    assert_eq!((line.log.appenders(), line.sequences()), (1, vec![1, 2]));
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_with_one_seating_event_lets_the_others_of_its_lane_go_on() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    line.store.fail_for(&line.event, Some(|| StoreError::Corrupt("outbox".into())));
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    let other: SeatingEventId = "matinee".parse().unwrap();
    line.store.provision(&other, &definition(), 3, &cause()).await.unwrap().unwrap();
    for seat in ["A-1-1", "A-1-2", "A-1-3"] {
        let before = line.log.sequences(other.as_str()).len();
        line.store.hold_for("bob", &other, &[seat]).await;
        let published = async {
            while line.log.sequences(other.as_str()).len() <= before {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_millis(200), published).await.expect("it waits for nobody");
    }
    line.store.fail_for(&line.event, None);
    line.watermark(2).await;
    line.shut().await;
}

/// Whatever the size of a batch: half of a command on the log would be half of it for whoever recovers.
#[tokio::test(start_paused = true)]
async fn i2_a_command_is_on_the_log_as_a_whole_or_not_at_all() {
    let log = FakeLog::default();
    log.takes(Duration::from_secs(1));
    let line = Line::with(Memory::default(), log).await;
    let hall: Definition = serde_json::from_value(json!({
        "title": "Hall", "startsAt": 4_000_000_000_000_u64,
        "priceCategories": [{"name": "gold", "amount": 12_000, "currency": "EUR"}],
        "sections": [{"id": "FLOOR", "priceCategory": "gold", "capacity": 2_000}]
    }))
    .unwrap();
    let event: SeatingEventId = "hall".parse().unwrap();
    line.store.provision(&event, &hall, 3, &cause()).await.unwrap().unwrap();
    for hold in 0..3 {
        let seats: Vec<_> = (1..=300).map(|seat| format!("FLOOR-{}", hold * 300 + seat)).collect();
        line.store.hold_for("alice", &event, &seats.iter().map(String::as_str).collect::<Vec<_>>()).await;
    }
    let ends = async {
        let mut ends = BTreeSet::new();
        while ends.last() != Some(&901) {
            ends.extend(line.log.sequences(event.as_str()).last().copied());
            sleep(Duration::from_millis(100)).await;
        }
        ends
    };
    let ends = timeout(Duration::from_mins(1), ends).await.unwrap();
    assert!(ends.iter().all(|end| end % 300 == 1), "{ends:?}");
    line.shut().await;
}

/// A recovery need not read what lies before.
#[tokio::test(start_paused = true)]
async fn offsets_are_moved_forward_when_a_lane_begins() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    line.watermark(1).await;
    let moved = async {
        while line.recovery.reached.lock().unwrap().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), moved).await.unwrap();
    assert_eq!(*line.recovery.reached.lock().unwrap(), [(3, 1)]);
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_log_is_waited_for_as_long_as_the_lease_is_renewed() {
    let log = FakeLog::default();
    log.takes(Duration::from_secs(10));
    let line = Line::with(Memory::default(), log).await;
    line.watermark(1).await;
    assert_eq!(line.sequences(), [1], "nothing was repeated");
    line.measures("outbox_publish_failures_total 0");
    line.shut().await;
}

#[tokio::test(start_paused = true)]
async fn relays_share_the_lanes_out_and_one_that_dies_is_followed_within_two_seconds() {
    let dying = Line::with(Memory::default(), FakeLog::default()).await;
    dying.watermark(1).await;
    let lines = [dying.beside(), dying.beside(), dying.beside()];
    for line in lines.iter().chain([&dying]) {
        line.comes_to_measure("outbox_leases 3").await;
    }
    let names = ["a", "ab", "abc", "abcd"].map(|name| name.parse().unwrap());
    for (partition, event) in (0..).zip(&names) {
        dying.store.provision(event, &definition(), partition * 3, &cause()).await.unwrap().unwrap();
    }
    dying.relay.abort();
    let died = Instant::now();
    for event in &names {
        dying.store.hold_for("alice", event, &["A-1-1"]).await;
    }
    for event in &names {
        let published = async {
            while dying.store.watermark(event).await.unwrap() < 2 {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(Duration::from_secs(20), published).await.unwrap();
        assert_eq!(first_occurrences(&dying.log.sequences(event.as_str())), [1, 2]);
    }
    assert!(died.elapsed() <= Duration::from_secs(2), "{:?}", died.elapsed());
    for line in lines {
        line.shut().await;
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_is_told_to_stop_hands_over_and_the_other_goes_on() {
    let log = FakeLog::default();
    log.takes(Duration::from_millis(100));
    let leaving = Line::with(Memory::default(), log).await;
    let staying = leaving.beside();
    staying.comes_to_measure("outbox_leases 6").await;
    leaving.watermark(1).await;
    let event = leaving.event.clone();
    let (store, _) = leaving.shut().await;
    let begun = Instant::now();
    store.hold_for("alice", &event, &["A-1-1"]).await;
    staying.watermark(2).await;
    assert!(begun.elapsed() < Duration::from_millis(500), "{:?}", begun.elapsed());
    assert_eq!(staying.sequences(), [1, 2], "nothing was repeated");
    staying.shut().await;
}

#[tokio::test(start_paused = true)]
async fn the_way_out_publishes_what_is_there_and_gives_the_leases_back() {
    let log = FakeLog::default();
    log.takes(Duration::from_millis(500));
    let line = Line::with(Memory::default(), log).await;
    line.watermark(1).await;
    line.store.hush(true);
    line.store.hold_for("alice", &line.event, &["A-1-1"]).await;
    let event = line.event.clone();
    let (store, log) = line.shut().await;
    assert_eq!(log.sequences(event.as_str()), [1, 2]);
    assert_eq!(store.free(12), 12);
}

#[tokio::test(start_paused = true)]
async fn a_way_out_without_the_log_ends_in_time_and_keeps_the_lease_that_is_in_use() {
    let log = FakeLog::default();
    log.takes(Duration::from_mins(1));
    let line = Line::with(Memory::default(), log).await;
    sleep(Duration::from_secs(1)).await;
    line.stop.cancel();
    timeout(DRAIN + Duration::from_secs(1), line.relay).await.unwrap().unwrap();
    assert_eq!(line.store.free(12), 11);
    assert_eq!(line.store.entries(&line.event).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_events_share_the_line() {
    let line = Line::with(Memory::default(), FakeLog::default()).await;
    let events: Vec<SeatingEventId> = (0..100).map(|n| format!("show-{n}").parse().unwrap()).collect();
    for event in &events {
        line.store.provision(event, &definition(), 0, &cause()).await.unwrap().unwrap();
        line.store.hold_for("alice", event, &["A-1-1"]).await;
    }
    line.watermark(1).await;
    let all = async {
        while !events.iter().all(|event| line.log.sequences(event.as_str()) == [1, 2]) {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(20), all).await.unwrap();
    line.shut().await;
}
