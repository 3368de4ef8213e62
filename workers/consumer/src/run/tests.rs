//! The loop on a log and a view in memory, with a clock that is wound forward.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{GroupEvent, TopicPartition};
use boxoffice_runtime::record::NewRecord;
use boxoffice_runtime::testing::group_log::GroupLog;
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoint, Checkpoints, ViewError, ViewStore};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Consumer, Offsets, Origin, Standing};
use crate::metrics::Metrics;

const TOPIC: &str = "seat-events";

/// What the test and the loop share of the view.
#[derive(Default)]
struct View {
    checkpoints: BTreeMap<u32, u64>,
    /// Of which topics they are, where that is kept.
    logs: BTreeMap<u32, String>,
    /// What it answers before it applies a batch of a partition.
    troubles: BTreeMap<u32, VecDeque<ViewError>>,
    /// Offsets in it, in order.
    applied: BTreeMap<u32, Vec<u64>>,
    attempts: Vec<Instant>,
    /// Partitions in which it began here, and whether with the log's first record.
    begun: BTreeMap<u32, bool>,
    /// How often it was asked how far it is.
    questions: usize,
    /// Whether its database hangs.
    hangs: bool,
}

/// A log and a view.
#[derive(Clone)]
struct Shared {
    log: GroupLog,
    view: Arc<Mutex<View>>,
    readiness: Readiness,
}

impl Shared {
    /// As many partitions with ten records each.
    fn new(partitions: u32) -> Self {
        let shared = Self {
            log: GroupLog::new(TOPIC, partitions),
            view: Arc::default(),
            readiness: Readiness::waiting_for(&[super::LOG]),
        };
        shared.fill(10);
        shared
    }

    /// Every partition has so many records.
    fn fill(&self, end: usize) {
        self.log.change(|group| {
            let partitions: Vec<_> = group.records.iter().map(|(at, records)| (*at, records.len())).collect();
            for (partition, count) in partitions {
                (count..end).for_each(|_| group.append(record(partition)));
            }
        });
    }

    fn with<T>(&self, look: impl FnOnce(&mut View) -> T) -> T {
        look(&mut self.view.lock().unwrap())
    }

    async fn until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(15);
        while !condition(self) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn committed(&self, partition: u32) -> Option<u64> {
        self.log.look(|group| group.committed.get(&partition).copied())
    }

    fn is_paused(&self, partition: u32) -> bool {
        self.log.look(|group| group.paused.contains(&partition))
    }

    fn has_begun(&self, partition: u32) -> bool {
        self.with(|view| view.begun.contains_key(&partition))
    }

    fn applied(&self, partition: u32) -> Vec<u64> {
        self.with(|view| view.applied.get(&partition).cloned().unwrap_or_default())
    }
}

#[async_trait]
impl ViewStore for Shared {
    async fn checkpoints(&self, partitions: &[TopicPartition]) -> Result<Checkpoints, ViewError> {
        let hangs = self.with(|view| {
            view.questions += 1;
            view.hangs
        });
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(self.with(|view| {
            let checkpoint = |at: &TopicPartition| {
                let next_offset = *view.checkpoints.get(&at.partition)?;
                let log = view.logs.get(&at.partition).cloned();
                Some((at.clone(), Checkpoint { next_offset, reset_id: String::new(), log }))
            };
            partitions.iter().filter_map(checkpoint).collect()
        }))
    }

    async fn begin(&self, beginnings: &[Beginning]) -> Result<Checkpoints, ViewError> {
        self.with(|view| {
            for Beginning { partition, offset, earliest, log } in beginnings {
                let at = partition.partition;
                if view.logs.get(&at).zip(log.as_ref()).is_some_and(|(known, log)| known != log) {
                    view.begun.remove(&at);
                    view.checkpoints.remove(&at);
                }
                view.begun.entry(at).or_insert(*earliest);
                view.checkpoints.entry(at).or_insert(*offset);
                view.logs.extend(log.clone().map(|log| (at, log)));
            }
        });
        let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
        self.checkpoints(&partitions).await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        if self.with(|view| view.hangs) {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return Err(unavailable());
        }
        self.with(|view| {
            let at = batch.partition;
            view.attempts.push(Instant::now());
            if let Some(trouble) = view.troubles.entry(at).or_default().pop_front() {
                return Err(trouble);
            }
            assert_eq!(view.checkpoints[&at], batch.expected, "the loop knows the checkpoint");
            view.applied.entry(at).or_default().extend(batch.records.iter().map(|record| record.offset));
            let next_offset = batch.records.last().map_or(0, |record| record.offset + 1);
            view.checkpoints.insert(at, next_offset);
            Ok(Applied { applied: batch.records.len() as u64, next_offset, ..Applied::default() })
        })
    }

    async fn pass(
        &self,
        partition: &TopicPartition,
        _: Option<&str>,
        expected: u64,
        next_offset: u64,
    ) -> Result<Applied, ViewError> {
        self.with(|world| {
            world.attempts.push(Instant::now());
            if let Some(trouble) = world.troubles.entry(partition.partition).or_default().pop_front() {
                return Err(trouble);
            }
            assert_eq!(world.checkpoints[&partition.partition], expected, "the loop knows the checkpoint");
            world.checkpoints.insert(partition.partition, next_offset);
            Ok(Applied { next_offset, ..Applied::default() })
        })
    }
}

fn record(partition: u32) -> NewRecord {
    NewRecord { partition, key: "arena-night".into(), value: vec![], headers: vec![], timestamp: 0 }
}

/// Runs the loop while `test` looks on, then stops it.
async fn watch(shared: &Shared, test: impl AsyncFnOnce()) {
    watch_from(shared, EARLIEST, test).await;
}

const EARLIEST: Origin = Origin { start: Start::Earliest, replayable: true, is_reset: false };
const ELSEWHERE: Origin = Origin { start: Start::Elsewhere, ..EARLIEST };

async fn watch_from(shared: &Shared, origin: Origin, test: impl AsyncFnOnce()) {
    let stop = CancellationToken::new();
    let consumer = Consumer {
        log: Arc::new(shared.log.clone()),
        view: Arc::new(shared.clone()),
        group: "seat-view".into(),
        topics: vec![TOPIC.into()],
        origin,
        reset_id: String::new(),
        metrics: Metrics::new(&mut Registry::default(), "seat-view"),
        standing: Standing::new(shared.readiness.clone()),
        readiness: shared.readiness.clone(),
        offsets: Offsets::default(),
    };
    tokio::join!(consumer.run(&stop), async {
        test().await;
        stop.cancel();
    });
}

fn unavailable() -> ViewError {
    ViewError::Unavailable("the database is away".into())
}

#[tokio::test(start_paused = true)]
async fn i5_reads_from_the_checkpoint_and_copies_it_to_the_group() {
    let shared = Shared::new(2);
    shared.with(|view| view.checkpoints.insert(0, 4));
    shared.log.change(|group| group.committed = [(0, 9), (1, 7)].into());
    watch_from(&shared, ELSEWHERE, async || {
        shared.until("all applied", |it| [0, 1].map(|at| it.committed(at)) == [Some(10); 2]).await;
    })
    .await;
    let from = |offset| (offset..10).collect::<Vec<u64>>();
    assert_eq!(shared.applied(0), from(4), "the checkpoint, whatever the group committed");
    assert_eq!(shared.applied(1), from(7), "the committed offset where there is none");
    shared.with(|view| assert_eq!(view.begun, [(1, false)].into(), "kept before anything is applied"));
    assert_eq!(shared.log.look(|group| group.left), 1, "a member that stops leaves at once");
}

#[tokio::test(start_paused = true)]
async fn i5_offsets_that_no_record_has_are_passed_by_the_checkpoint_and_the_group() {
    let shared = Shared::new(2);
    let committed = |it: &Shared| [0, 1].map(|at| it.committed(at).unwrap_or_default());
    watch(&shared, async || {
        shared.until("all applied", |it| committed(it) == [10, 10]).await;
        let ends =
            vec![(shared.log.partition(0), 12), (shared.log.partition(1), 10), (shared.log.partition(2), 3)];
        shared.log.change(|group| group.rebalances.push_back(GroupEvent::Ended(ends)));
        shared.until("the end is committed", |it| committed(it) == [12, 10]).await;
        shared.with(|view| assert_eq!(view.checkpoints, [(0, 12), (1, 10)].into()));
    })
    .await;
    shared.with(|view| assert_eq!(view.attempts.len(), 3, "where nothing moves nothing is written"));
}

#[tokio::test(start_paused = true)]
async fn i5_an_end_moves_nothing_while_records_before_it_are_not_applied() {
    let shared = Shared::new(2);
    let end = |shared: &Shared| {
        let ended = GroupEvent::Ended(vec![(shared.log.partition(0), 12)]);
        shared.log.change(|group| group.rebalances.push_back(ended));
    };
    shared.with(|view| view.troubles.insert(0, [unavailable(), unavailable()].into()));
    watch(&shared, async || {
        // Told while the view is still asked where to begin, or is away.
        end(&shared);
        shared.until("all applied", |it| [0, 1].map(|at| it.committed(at)) == [Some(10); 2]).await;
        // The view is away when it is told; then it is read again from the checkpoint, and ends again.
        shared.with(|view| view.troubles.insert(0, [unavailable()].into()));
        end(&shared);
        shared.until("it is tried", |it| it.with(|view| view.troubles[&0].is_empty())).await;
        shared.until("it is read again", |it| !it.is_paused(0)).await;
        shared.with(|view| assert_eq!(view.checkpoints[&0], 10));
        end(&shared);
        shared.until("the end is committed", |it| it.committed(0) == Some(12)).await;
    })
    .await;
    assert_eq!(shared.applied(0), (0..10).collect::<Vec<u64>>(), "each once");
}

#[tokio::test(start_paused = true)]
async fn i5_an_emptied_database_of_an_earliest_handler_begins_at_the_logs_first_record() {
    let shared = Shared::new(2);
    shared.log.change(|group| group.committed = [(0, 9), (1, 7)].into());
    watch(&shared, async || {
        shared.until("all applied", |it| [0, 1].map(|at| it.committed(at)) == [Some(10); 2]).await;
    })
    .await;
    assert_eq!(shared.applied(0).len() + shared.applied(1).len(), 20);
    shared.with(|view| assert_eq!(view.begun, [(0, true), (1, true)].into()));
}

#[tokio::test(start_paused = true)]
async fn i9_a_handler_that_is_not_replayable_waits_for_an_offset_and_goes_on_there() {
    let shared = Shared::new(2);
    shared.log.change(|group| group.committed = [(1, 7)].into());
    watch_from(&shared, Origin { replayable: false, ..ELSEWHERE }, async || {
        shared.until("the other goes on", |it| it.committed(1) == Some(10)).await;
        assert!(shared.is_paused(0) && !shared.has_begun(0));
        shared.log.change(|group| group.committed.insert(0, 4));
        shared.until("it goes on", |it| it.committed(0) == Some(10)).await;
    })
    .await;
    assert_eq!(shared.applied(0), (4..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_costs_no_member_its_partitions() {
    let shared = Shared::new(200);
    watch(&shared, async || {
        shared.until("some are read", |it| it.with(|view| view.applied.len() >= 4)).await;
        let questions = shared.with(|view| view.questions);
        assert_eq!(questions, 2, "one before and one after it began, for all of them");
        shared.with(|view| view.hangs = true);
        shared.fill(20);
        let before = Instant::now();
        shared.until("ten minutes pass", |_| before.elapsed() > Duration::from_mins(10)).await;
        let longest = shared.log.look(|group| group.longest_pause);
        assert!(longest < Duration::from_secs(5), "the log was not polled for {longest:?}");
        shared.with(|view| view.hangs = false);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_costs_time_and_nothing_else() {
    let shared = Shared::new(2);
    shared.with(|view| view.troubles.insert(0, (0..4).map(|_| unavailable()).collect()));
    let begun = Instant::now();
    watch(&shared, async || {
        shared.until("the other partition goes on", |it| it.committed(1).is_some()).await;
        assert_eq!(shared.committed(0), None, "nothing is committed meanwhile");
        shared.until("recovered", |it| it.committed(0) == Some(10)).await;
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(100 + 200 + 400 + 800), "the back-off grows");
    assert_eq!(shared.applied(0), (0..10).collect::<Vec<_>>(), "in order, once");
}

#[tokio::test(start_paused = true)]
async fn i5_a_gap_stops_its_partition_and_no_other() {
    let shared = Shared::new(2);
    let gap = ViewError::Gap { event: "arena-night".into(), sequence: 5, expected: 4, offset: 0 };
    shared.with(|view| view.troubles.insert(0, [gap].into()));
    watch(&shared, async || {
        shared.until("the other partition goes on", |it| it.committed(1).is_some()).await;
        shared.fill(20);
        shared.until("and on", |it| it.committed(1) == Some(20)).await;
        let told = shared.readiness.obstacles();
        let still = format!("partition: {TOPIC}/0 stands still: at offset 0 arena-night jumps to sequence 5");
        assert!(told.len() == 1 && told[0].starts_with(&still), "{told:?}");
    })
    .await;
    assert!(shared.readiness.obstacles().is_empty(), "whoever left the group has no partition");
    assert!(shared.is_paused(0) && shared.applied(0).is_empty());
    assert_eq!(shared.committed(0), None);
}

#[tokio::test(start_paused = true)]
async fn i5_a_member_that_was_overtaken_goes_on_from_the_checkpoint() {
    let shared = Shared::new(2);
    let moved = ViewError::Moved { topic: TOPIC.into(), partition: 0, at: 6, expected: 0 };
    shared.with(|view| view.troubles.insert(0, [moved].into()));
    watch(&shared, async || {
        let is_noticed = |it: &Shared| it.is_paused(0) && it.with(|view| !view.attempts.is_empty());
        shared.until("noticed", is_noticed).await;
        shared.with(|view| view.checkpoints.insert(0, 6));
        shared.until("applied", |it| it.committed(0) == Some(10)).await;
    })
    .await;
    assert_eq!(shared.applied(0), [6, 7, 8, 9]);
}

#[tokio::test(start_paused = true)]
async fn a_view_beyond_the_end_of_the_log_stands_still() {
    let shared = Shared::new(2);
    shared.with(|view| view.checkpoints.insert(0, 11));
    watch(&shared, async || shared.until("the other goes on", |it| it.committed(1).is_some()).await).await;
    assert!(shared.is_paused(0) && shared.applied(0).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_dropped_also_while_it_waits() {
    let shared = Shared::new(2);
    shared.with(|view| view.troubles.insert(0, (0..100).map(|_| unavailable()).collect()));
    watch(&shared, async || {
        shared.until("it waits", |it| it.with(|view| view.troubles[&0].len() < 98)).await;
        let revoked = GroupEvent::Revoked(vec![shared.log.partition(0)]);
        shared.log.change(|group| group.rebalances.push_back(revoked));
        shared.until("revoked", |it| it.log.look(|group| group.rebalances.is_empty())).await;
        let attempts = shared.with(|view| view.attempts.len());
        let before = Instant::now();
        shared.until("time passes", |_| before.elapsed() > Duration::from_secs(30)).await;
        assert_eq!(shared.with(|view| view.attempts.len()), attempts);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn i5_a_topic_that_is_replaced_is_read_once_the_group_has_an_offset_there() {
    let shared = Shared::new(2);
    shared.log.change(|group| group.identity = Some("first".into()));
    let told = |it: &Shared| it.readiness.obstacles().join("; ");
    watch(&shared, async || {
        shared.until("all applied", |it| [0, 1].map(|at| it.committed(at)) == [Some(10); 2]).await;
        shared.log.change(|group| group.replace("second"));
        shared
            .until("it is told", |it| told(it).contains("the one with the id first, and there is second"))
            .await;
        shared.fill(20);
        let (before, left) = (Instant::now(), shared.log.look(|group| group.left));
        shared.until("a minute passes", |_| before.elapsed() > Duration::from_mins(1)).await;
        assert_eq!(
            shared.log.look(|group| (group.left, group.joined)),
            (left, left),
            "nobody is in the group"
        );
        shared.log.change(|group| [0, 1].map(|at| group.commit(at, 0, Some("second"))));
        shared.until("it goes on", |it| [0, 1].map(|at| it.committed(at)) == [Some(20); 2]).await;
        assert_eq!(told(&shared), "");
    })
    .await;
    for partition in [0, 1] {
        let applied = shared.applied(partition);
        assert!(applied.ends_with(&(0..20).collect::<Vec<_>>()), "from its beginning: {applied:?}");
    }
    shared.with(|view| assert_eq!(view.begun, [(0, true), (1, true)].into()));
    shared.log.look(|group| assert_eq!(group.said.values().collect::<Vec<_>>(), ["second"; 2]));
}

#[tokio::test(start_paused = true)]
async fn i5_what_a_member_commits_that_has_yet_to_notice_is_no_place_to_go_on() {
    for is_said in [true, false] {
        let shared = Shared::new(1);
        shared.log.change(|group| group.identity = Some("first".into()));
        let is_told = |it: &Shared| it.readiness.obstacles().join("; ").contains("the topic was replaced");
        watch(&shared, async || {
            shared.until("all applied", |it| it.committed(0) == Some(10)).await;
            shared.log.change(|group| group.replace("second"));
            shared.fill(20);
            shared.until("it reads on", |it| it.committed(0) == Some(20)).await;
            if !is_said {
                // As an older version commits, or somebody by Kafka's own tools.
                shared.log.change(|group| group.said.clear());
            }
            shared.until("it is told", is_told).await;
            let (before, left) = (Instant::now(), shared.log.look(|group| group.left));
            shared.until("a minute passes", |_| before.elapsed() > Duration::from_mins(1)).await;
            assert!(is_told(&shared));
            assert_eq!(shared.log.look(|group| (group.left, group.joined)), (left, left), "nobody is in it");
            shared.log.change(|group| group.commit(0, 0, Some("second")));
            let all: Vec<_> = (0..20).collect();
            shared.until("it goes on", |it| it.applied(0).ends_with(&all)).await;
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn i5_a_view_of_a_topic_that_is_gone_begins_on_the_one_that_the_operator_made() {
    for (origin, from) in [(EARLIEST, 0), (Origin { replayable: false, ..ELSEWHERE }, 2)] {
        let shared = Shared::new(1);
        shared.log.change(|group| {
            group.identity = Some("second".into());
            group.commit(0, 2, Some("second"));
        });
        // The log may be shorter or longer than it was.
        for at in [4, 57] {
            shared.with(|view| {
                (view.checkpoints, view.logs) = ([(0, at)].into(), [(0, "first".into())].into());
                view.applied.clear();
            });
            watch_from(&shared, origin, async || {
                shared.until("all applied", |it| it.committed(0) == Some(10)).await;
            })
            .await;
            assert_eq!(shared.applied(0), (from..10).collect::<Vec<_>>());
            shared.log.change(|group| group.commit(0, 2, Some("second")));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn i5_a_checkpoint_that_kept_no_topic_is_taken_for_one_of_the_topic_that_there_is() {
    let shared = Shared::new(1);
    shared.log.change(|group| group.identity = Some("first".into()));
    shared.with(|view| view.checkpoints.insert(0, 4));
    watch(&shared, async || shared.until("all applied", |it| it.committed(0) == Some(10)).await).await;
    assert_eq!(shared.applied(0), (4..10).collect::<Vec<_>>());
    shared.with(|view| assert_eq!(view.logs, [(0, "first".into())].into()));
}

#[tokio::test(start_paused = true)]
async fn a_log_that_goes_back_is_asked_about_before_anything_of_it_is_applied() {
    let shared = Shared::new(1);
    watch(&shared, async || {
        shared.until("all applied", |it| it.committed(0) == Some(10)).await;
        shared.log.change(|group| group.positions = [(0, 3)].into());
        shared.until("it joins again", |it| it.log.look(|group| group.joined) == 2).await;
    })
    .await;
    assert_eq!(shared.applied(0), (0..10).collect::<Vec<_>>());
}
