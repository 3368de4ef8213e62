//! The reader on seats in memory and a log that the test writes.

use std::sync::Arc;
use std::time::Duration;

use boxoffice_domain::events::{Payment, PaymentFailure, VERSION};
use boxoffice_domain::{
    Answer, Command, DomainEvent, Envelope, Metadata, ReservationId, SeatingEventId, UnixMillis,
};
use boxoffice_runtime::log::GroupEvent;
use boxoffice_runtime::record::{NewRecord, encode};
use boxoffice_runtime::testing::group_log::GroupLog;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{PaymentMetrics, Payments, Source};
use crate::published::Published;
use crate::store::{Outbox, SeatStore, StoreError};
use crate::testing::{Memory, cause, provisioned};

const TOPIC: &str = "payment-events";
const GROUP: &str = "command-payments";

fn envelope(event: DomainEvent) -> Envelope {
    let metadata = Metadata {
        correlation_id: "chain-1".parse().unwrap(),
        causation_id: Uuid::new_v4(),
        user_id: None,
        sequence: None,
    };
    let timestamp: UnixMillis = 1_700_000_000_000;
    Envelope { event_id: Uuid::new_v4(), timestamp, version: VERSION, metadata, event }
}

fn payment(event: &SeatingEventId, reservation: Uuid) -> Payment {
    Payment {
        reservation_id: ReservationId::new(event.clone(), reservation),
        event_id: event.clone(),
        user_id: "alice".parse().unwrap(),
        amount: 12_000,
        currency: "EUR".into(),
        payment_id: None,
        reason: None,
        late: false,
    }
}

fn failed(event: &SeatingEventId, reservation: Uuid) -> DomainEvent {
    let reason = Some(PaymentFailure::Timeout);
    DomainEvent::PaymentFailed(Payment { reason, ..payment(event, reservation) })
}

fn late(event: &SeatingEventId, reservation: Uuid) -> DomainEvent {
    let payment_id = Some("pay-1".to_owned());
    DomainEvent::PaymentCompleted(Payment { payment_id, late: true, ..payment(event, reservation) })
}

/// Seats, a log of payments, and what is counted.
#[derive(Clone)]
struct Stage {
    store: Arc<Memory>,
    log: GroupLog,
    event: SeatingEventId,
    metrics: PaymentMetrics,
}

impl Stage {
    async fn open() -> Self {
        let store = Arc::new(Memory::default());
        let event = provisioned(&store).await;
        Self { store, log: GroupLog::new(TOPIC, 2), event, metrics: PaymentMetrics::default() }
    }

    /// A reservation of alice's.
    async fn sell(&self, seat: &str) -> Uuid {
        self.store.hold_for("alice", &self.event, &[seat]).await;
        let reservation = Uuid::new_v4();
        let command = Command::ReserveSeat { seat: seat.into(), user: "alice".parse().unwrap(), reservation };
        let sold = self.store.execute(&self.event, &command, &cause()).await.unwrap().unwrap();
        assert!(matches!(sold.answer, Answer::Reserved { .. }));
        reservation
    }

    /// Appends a payment's event to a partition.
    fn append(&self, partition: u32, event: DomainEvent) -> Envelope {
        let envelope = envelope(event);
        self.repeat(partition, &envelope);
        envelope
    }

    /// The same event, once more.
    fn repeat(&self, partition: u32, envelope: &Envelope) {
        let record = encode(envelope, partition, "t/main", None).unwrap();
        self.log.change(|group| group.append(record));
    }

    /// What cannot be an event of ours.
    fn append_raw(&self, value: Vec<u8>) {
        let record =
            NewRecord { partition: 0, key: "arena-night".into(), value, headers: vec![], timestamp: 0 };
        self.log.change(|group| group.append(record));
    }

    fn committed(&self, partition: u32) -> Option<u64> {
        self.log.look(|group| group.committed.get(&partition).copied())
    }

    /// What waits in the outbox after the first `skip`.
    fn story(&self, skip: usize) -> Vec<&'static str> {
        self.store.types(&self.event).split_off(skip)
    }

    /// Everything that waits is on the log.
    async fn publish(&self) {
        self.store.published(&self.event, u64::MAX, 0).await.unwrap();
    }

    /// Publishes now and then, as a relay does.
    async fn publish_for_ever(&self) {
        loop {
            sleep(Duration::from_millis(20)).await;
            if !self.store.types(&self.event).is_empty() {
                self.publish().await;
            }
        }
    }

    /// Runs the reader while `test` looks on, then stops it.
    async fn watch(&self, test: impl AsyncFnOnce()) {
        let stop = CancellationToken::new();
        let store: Arc<dyn SeatStore> = Arc::clone(&self.store) as _;
        let published = Published::new(Arc::clone(&self.store) as _);
        let source = Source { topic: TOPIC.into(), group: GROUP.into(), metrics: self.metrics.clone() };
        let payments = Payments { log: Arc::new(self.log.clone()), source, store, published };
        tokio::join!(payments.run(&stop), async {
            test().await;
            stop.cancel();
        });
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_fails_releases_and_is_committed_only_behind_the_log() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    let before = stage.store.types(&stage.event).len();
    stage.append(0, failed(&stage.event, reservation));
    stage
        .watch(async || {
            stage
                .until("released", |it| it.story(before) == ["seat.released", "reservation.cancelled"])
                .await;
            sleep(Duration::from_secs(2)).await;
            assert_eq!(stage.committed(0), None, "it is not on the log yet");
            stage.publish().await;
            stage.until("committed", |it| it.committed(0) == Some(1)).await;
        })
        .await;
    assert_eq!((stage.metrics.reacted.get(), stage.metrics.failures.get()), (1, 0));
    let (name, left) = stage.log.look(|group| (group.name.clone(), group.left));
    assert_eq!((name.as_str(), left), (GROUP, 1), "a member that stops leaves at once");
}

#[tokio::test(start_paused = true)]
async fn an_end_behind_the_last_record_is_committed_where_nothing_is_in_hand() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    stage.append(0, failed(&stage.event, reservation));
    let told = || {
        let ends = vec![(stage.log.partition(0), 3), (stage.log.partition(1), 5)];
        stage.log.change(|group| group.rebalances.push_back(GroupEvent::Ended(ends)));
    };
    let is_paused = |it: &Stage| it.log.look(|group| group.paused.contains(&0));
    stage
        .watch(async || {
            stage.until("it is worked on", is_paused).await;
            told();
            stage.until("committed", |it| it.committed(1) == Some(5)).await;
            assert_eq!(stage.committed(0), None, "it is not on the log yet");
            stage.publish().await;
            stage.until("committed", |it| it.committed(0) == Some(1)).await;
            stage.until("read on", |it| !is_paused(it)).await;
            told();
            stage.until("committed", |it| it.committed(0) == Some(3)).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn what_it_does_belongs_to_the_chain_of_the_payment() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    let before = stage.store.types(&stage.event).len();
    let cause = stage.append(0, failed(&stage.event, reservation));
    stage.watch(async || stage.until("released", |it| it.story(before).len() == 2).await).await;
    for entry in stage.store.entries(&stage.event).split_off(before) {
        let Metadata { correlation_id, causation_id, user_id, .. } = entry.envelope.metadata;
        assert_eq!((correlation_id.as_str(), causation_id, user_id), ("chain-1", cause.event_id, None));
        assert!(entry.traceparent.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_payment_gets_its_seats_again_and_a_repeat_finds_the_same() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    stage.append(1, failed(&stage.event, reservation));
    let paid = stage.append(1, late(&stage.event, reservation));
    stage.repeat(1, &paid);
    let (stays, gone) = (stage.sell("A-1-2").await, stage.sell("A-1-3").await);
    stage.append(1, DomainEvent::PaymentCompleted(payment(&stage.event, stays)));
    stage.append(1, late(&stage.event, gone));
    let before = stage.store.types(&stage.event).len();
    stage
        .watch(async || {
            stage.until("done", |it| it.metrics.repeated.get() == 2).await;
            let story = [
                "seat.released",
                "reservation.cancelled",
                "seat.held",
                "seat.reserved",
                "reservation.created",
            ];
            assert_eq!(stage.story(before), story);
            stage.publish().await;
            stage.until("committed", |it| it.committed(1) == Some(5)).await;
        })
        .await;
    assert_eq!((stage.metrics.reacted.get(), stage.metrics.unreadable.get()), (2, 0));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_or_is_unknown_is_left_out() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    let before = stage.store.types(&stage.event).len();
    stage.append_raw(b"{".to_vec());
    let unpaid = Payment { late: true, ..payment(&stage.event, reservation) };
    stage.append(0, DomainEvent::PaymentCompleted(unpaid));
    let elsewhere = Payment { event_id: "elsewhere".parse().unwrap(), ..payment(&stage.event, reservation) };
    stage.append(0, DomainEvent::PaymentFailed(elsewhere));
    stage.append(0, failed(&"nowhere".parse().unwrap(), Uuid::new_v4()));
    let requested = stage.append(0, DomainEvent::PaymentRequested(payment(&stage.event, reservation)));
    let mut json: serde_json::Value = serde_json::from_slice(&requested.to_json().unwrap()).unwrap();
    json["eventType"] = "payment.polished".into();
    stage.append_raw(json.to_string().into_bytes());
    stage.append(0, failed(&stage.event, reservation));
    stage
        .watch(async || {
            stage.until("the last one", |it| it.story(before).len() == 2).await;
            stage.publish().await;
            stage.until("committed", |it| it.committed(0) == Some(7)).await;
        })
        .await;
    assert_eq!((stage.metrics.unreadable.get(), stage.metrics.failures.get()), (3, 0));
}

#[tokio::test(start_paused = true)]
async fn seats_that_are_away_delay_and_lose_nothing_while_polling_goes_on() {
    for how in [|| StoreError::Recovering, || StoreError::Unavailable("connection refused".into())] {
        let stage = Stage::open().await;
        let reservation = stage.sell("A-1-1").await;
        let before = stage.store.types(&stage.event).len();
        stage.store.fail_by(how);
        stage.append(0, failed(&stage.event, reservation));
        stage
            .watch(async || {
                stage.until("tried again and again", |it| it.metrics.failures.get() > 4).await;
                let polled = stage.log.look(|group| group.polls);
                stage.until("polling goes on", |it| it.log.look(|group| group.polls) > polled + 4).await;
                assert_eq!(stage.committed(0).unwrap_or(0), 0, "nothing is committed meanwhile");
                stage.store.fail(false);
                stage.until("released", |it| it.story(before).len() == 2).await;
                stage.publish().await;
                stage.until("committed", |it| it.committed(0) == Some(1)).await;
            })
            .await;
        assert_eq!(stage.log.look(|group| (group.joined, group.left)), (1, 1), "it stays in the group");
    }
}

#[tokio::test(start_paused = true)]
async fn a_partition_that_waits_for_the_log_delays_no_other() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    stage.append(0, failed(&stage.event, reservation));
    stage
        .watch(async || {
            stage.until("waits", |it| it.metrics.reacted.get() == 1).await;
            let begun = Instant::now();
            for offset in 1..5 {
                stage.append(1, failed(&"nowhere".parse().unwrap(), Uuid::new_v4()));
                stage.until("the other goes on", |it| it.committed(1) == Some(offset)).await;
            }
            assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
            assert_eq!(stage.committed(0), None);
            stage.publish().await;
        })
        .await;
    assert_eq!(stage.committed(0), Some(1), "what is in hand at the end is finished");
}

/// The store began anew before what was done was on the log: it may be lost, and is done again.
#[tokio::test(start_paused = true)]
async fn i7_what_another_history_may_have_lost_is_done_again() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    stage.append(0, failed(&stage.event, reservation));
    stage
        .watch(async || {
            stage.until("done", |it| it.metrics.reacted.get() == 1).await;
            stage.store.begin_anew("second");
            stage.until("done again", |it| it.metrics.repeated.get() == 1).await;
            assert_eq!(stage.committed(0).unwrap_or(0), 0);
            stage.publish().await;
            stage.until("committed", |it| it.committed(0) == Some(1)).await;
        })
        .await;
    assert_eq!(stage.metrics.failures.get(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_log_that_is_away_is_joined_again_and_what_was_not_committed_comes_again() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    let before = stage.store.types(&stage.event).len();
    stage.append(0, failed(&stage.event, reservation));
    stage.watch(async || stage.until("done", |it| it.story(before).len() == 2).await).await;
    assert_eq!(stage.committed(0).unwrap_or(0), 0);
    stage.log.change(|group| group.refused = 3);
    stage
        .watch(async || {
            stage.until("again", |it| it.metrics.repeated.get() > 0).await;
            assert_eq!(stage.story(before).len(), 2, "it is done once");
            stage.publish().await;
            stage.until("committed", |it| it.committed(0) == Some(1)).await;
        })
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_seek_that_fails_delays_its_partition_and_keeps_the_membership() {
    let stage = Stage::open().await;
    let reservation = stage.sell("A-1-1").await;
    stage.append(0, failed(&"nowhere".parse().unwrap(), Uuid::new_v4()));
    let publishing = stage.clone();
    tokio::select! {
        () = publishing.publish_for_ever() => {}
        () = stage.watch(async || {
            stage.until("begun", |it| it.log.look(|group| group.joined) == 1).await;
            stage.log.change(|group| group.refused = 2);
            stage.until("one", |it| it.committed(0) == Some(1)).await;
            stage.append(0, failed(&stage.event, reservation));
            stage.until("in vain", |it| it.metrics.failures.get() == 2).await;
            stage.append(0, failed(&"nowhere".parse().unwrap(), Uuid::new_v4()));
            stage.until("three", |it| it.committed(0) == Some(3)).await;
        }) => {}
    }
    assert_eq!((stage.metrics.failures.get(), stage.log.look(|group| group.joined)), (2, 1));
}
