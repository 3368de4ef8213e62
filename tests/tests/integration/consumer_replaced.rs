//! A topic that is deleted and made again under the same name, with the consumer's database of before: on real Kafka and
//! PostgreSQL, with the worker as a process of its own.
#![expect(clippy::unwrap_used, reason = "what goes wrong in a test is a panic")]

use boxoffice_domain::Envelope;
use boxoffice_runtime::log::{EventLog, TopicPartition};
use boxoffice_tests::groups::{Begin, commit, declare};
use boxoffice_tests::history::History;
use boxoffice_tests::servers::replace_topic;
use boxoffice_tests::wait::until;

use super::consumer_stage::{PARTITIONS, Stage, sales};

const REPLACED: &str = "the topic was replaced";
const RESERVATIONS: &str = "SELECT count(*) FROM reservations";
const TAKEN: &str = "SELECT count(*) FROM reservation_seats WHERE released_at IS NULL";

impl Stage {
    /// Deletes the topic of the seats and makes it again; Kafka forgets what the group committed there.
    async fn replace(&self) {
        replace_topic(&self.topic, PARTITIONS).await;
        for number in 0..PARTITIONS {
            let partition = TopicPartition { topic: self.topic.clone(), partition: number };
            until("the group has no offset there", async || {
                self.log.committed(&self.group, &partition).await.unwrap().is_none().then_some(())
            })
            .await;
        }
    }

    /// The topic's id.
    async fn id(&self) -> Option<String> {
        self.log.identity(&self.topic).await.unwrap()
    }

    /// Makes the group's offsets there, as the operator does for a topic that is the service's.
    async fn accept(&self, begin: Begin) {
        let topics = std::slice::from_ref(&self.topic);
        declare(&self.log, &self.group, topics, PARTITIONS, begin).await.unwrap();
    }
}

/// `event.created` with `sequence` and as many seats, then the first `sold` of them sold.
fn anew(event: &str, sequence: u64, seats: u32, sold: u32) -> Vec<Envelope> {
    let mut history = History::new(event);
    history.skip_to(sequence - 1);
    let created = history.created(seats);
    let mut events = vec![history.next(created)];
    // Ids of reservations are their number's here.
    (seats - sold + 1..=seats).for_each(|seat| events.extend(history.sold(seat)));
    events
}

#[tokio::test]
async fn i5_a_view_of_a_topic_that_is_gone_goes_on_with_the_new_one_when_the_group_has_an_offset_there() {
    // The sequence goes on where the purge was met, where it was not, and begins anew with another Redis.
    for sequence in [33, 90, 1] {
        let stage = Stage::new("persistence").await;
        let mut worker = stage.ready().await;
        let mut history = History::new("arena-night");
        let mut events = sales("arena-night", 10);
        if sequence == 33 {
            history.skip_to(31);
            events.push(history.next(history.purged()));
        }
        stage.publish(&events).await;
        stage.counts("SELECT max(sequence) FROM checkpoint_events", events.len().try_into().unwrap()).await;
        assert!(worker.process.terminate().await.unwrap().success());

        stage.replace().await;
        let mut worker = stage.start();
        worker.process.says(REPLACED).await.unwrap();
        stage.publish(&anew("arena-night", sequence, 20, 4)).await;
        stage.accept(Begin::First).await;
        stage.counts(RESERVATIONS, 14).await;
        stage.counts(TAKEN, 4).await;
        worker.process.ready(&format!("{}/readyz", worker.metrics)).await.unwrap();
    }
}

#[tokio::test]
async fn i5_members_notice_that_a_topic_is_replaced_and_go_on_with_what_was_brought_back() {
    let stage = Stage::new("seat-view").await;
    let mut workers = [stage.ready().await, stage.ready().await];
    let events = sales("arena-night", 10);
    stage.publish(&events).await;
    stage.caught_up(31, 1).await;
    stage.replace().await;
    until("one of them tells", async || {
        workers.iter().any(|worker| worker.process.log().contains(REPLACED)).then_some(())
    })
    .await;
    // As a mirror has it, and what was sold since.
    stage.publish(&events).await;
    let mut history = History::new("arena-night");
    history.skip_to(31);
    stage.publish(&[history.next(history.held(1))]).await;
    assert_eq!(stage.count("SELECT max(sequence) FROM checkpoint_events").await, Some(31), "nobody goes on");
    stage.accept(Begin::First).await;
    stage.counts("SELECT max(sequence) FROM checkpoint_events", 32).await;
    assert_eq!(stage.count(RESERVATIONS).await, Some(10), "what was known is skipped");
    for worker in &mut workers {
        worker.process.ready(&format!("{}/readyz", worker.metrics)).await.unwrap();
    }
}

#[tokio::test]
async fn i5_what_a_member_committed_before_it_noticed_is_no_word_of_the_operators() {
    let stage = Stage::new("persistence").await;
    let mut worker = stage.ready().await;
    stage.publish(&sales("arena-night", 10)).await;
    stage.caught_up(31, 1).await;
    assert!(worker.process.terminate().await.unwrap().success());
    let first = stage.id().await;

    stage.replace().await;
    assert_ne!(stage.id().await, first);
    stage.publish(&anew("arena-night", 90, 20, 4)).await;
    // As a member does that joined on the first one, and as one of an older version does.
    for said in [first, None] {
        let ids = [(stage.topic.clone(), said)].into();
        commit(&stage.log, &stage.group, &ids, PARTITIONS, Begin::End).await.unwrap();
        let mut worker = stage.start();
        worker.process.says(REPLACED).await.unwrap();
        assert!(worker.process.terminate().await.unwrap().success());
    }
    stage.accept(Begin::First).await;
    let _worker = stage.ready().await;
    stage.counts(RESERVATIONS, 14).await;
    stage.counts(TAKEN, 4).await;
}

#[tokio::test]
async fn i9_nobody_is_charged_again_for_what_a_new_topic_repeats() {
    let stage = Stage { start_from: "latest", ..Stage::new("payment").await };
    stage.accept(Begin::First).await;
    let mut worker = stage.ready().await;
    let events = sales("arena-night", 3);
    stage.publish(&events).await;
    let paid = "SELECT count(*) FROM payments WHERE state = 'PAID'";
    stage.counts(paid, 3).await;
    assert!(worker.process.terminate().await.unwrap().success());
    let posts = "SELECT sum(posts) FROM payments";
    let before = stage.count(posts).await;

    stage.replace().await;
    stage.publish(&events).await;
    let mut history = History::new("arena-night");
    history.skip_to(10);
    stage.publish(&history.sold(4)).await;
    stage.accept(Begin::First).await;
    let _worker = stage.ready().await;
    stage.counts(paid, 4).await;
    assert_eq!(stage.count(posts).await, before.map(|before| before + 1));
}
