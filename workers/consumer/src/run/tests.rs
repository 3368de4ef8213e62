//! The loop on a log and a view in memory, with a clock that is wound forward.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use boxoffice_domain::checkpoint::Start;
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::log::{Appender, EventLog, GroupEvent, LogError, Subscription, Tail, TopicPartition};
use boxoffice_runtime::record::{NewRecord, Record};
use boxoffice_runtime::view::{Applied, Batch, Beginning, Checkpoint, Checkpoints, ViewError, ViewStore};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Consumer, Offsets, Origin};
use crate::metrics::Metrics;

const TOPIC: &str = "seat-events";

/// What the test and the loop share.
#[derive(Default)]
struct World {
    /// How many records each partition has.
    ends: BTreeMap<u32, u64>,
    rebalances: VecDeque<GroupEvent>,
    positions: BTreeMap<u32, u64>,
    paused: BTreeSet<u32>,
    committed: BTreeMap<u32, u64>,
    checkpoints: BTreeMap<u32, u64>,
    /// What the view answers before it applies a batch of a partition.
    troubles: BTreeMap<u32, VecDeque<ViewError>>,
    /// Offsets in the view, in order.
    applied: BTreeMap<u32, Vec<u64>>,
    attempts: Vec<Instant>,
    /// Partitions in which the view began here, and whether with the log's first record.
    begun: BTreeMap<u32, bool>,
    /// How often the view was asked how far it is.
    questions: usize,
    /// Whether the view's database hangs.
    hangs: bool,
    /// When the log was last polled, and the longest time between two polls.
    polled: Option<Instant>,
    longest: Duration,
    left: usize,
}

#[derive(Clone, Default)]
struct Shared(Arc<Mutex<World>>);

impl Shared {
    fn with<T>(&self, look: impl FnOnce(&mut World) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    async fn until(&self, what: &str, condition: impl Fn(&World) -> bool) {
        let deadline = Instant::now() + Duration::from_mins(15);
        while !self.with(|world| condition(world)) {
            assert!(Instant::now() < deadline, "waited in vain: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn partition(partition: u32) -> TopicPartition {
    TopicPartition { topic: TOPIC.into(), partition }
}

#[async_trait]
impl EventLog for Shared {
    async fn publish(&self, _: &str, _: Vec<NewRecord>) -> Result<(), LogError> {
        Ok(())
    }

    async fn appender(&self, id: &str) -> Result<Box<dyn Appender>, LogError> {
        Err(LogError::Missing(id.into()))
    }

    async fn partitions(&self, _: &str) -> Result<u32, LogError> {
        Ok(2)
    }

    async fn bounds(&self, _: &str, partition: u32) -> Result<(u64, u64), LogError> {
        Ok((0, self.with(|world| world.ends[&partition])))
    }

    async fn tail(&self, topic: &str, _: Vec<(u32, u64)>) -> Result<Box<dyn Tail>, LogError> {
        Err(LogError::Missing(topic.into()))
    }

    async fn subscribe(&self, _: &str, _: &[String]) -> Result<Box<dyn Subscription>, LogError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl Subscription for Shared {
    async fn next(&mut self, max: usize, wait: Duration) -> Result<GroupEvent, LogError> {
        let event = self.with(|world| {
            let now = Instant::now();
            let since = world.polled.replace(now).map_or(Duration::ZERO, |before| now - before);
            world.longest = world.longest.max(since);
            if let Some(rebalance) = world.rebalances.pop_front() {
                return Some(rebalance);
            }
            let mut records = vec![];
            for (at, position) in &mut world.positions {
                while !world.paused.contains(at) && *position < world.ends[at] && records.len() < max {
                    records.push((partition(*at), record(*at, *position)));
                    *position += 1;
                }
            }
            (!records.is_empty()).then_some(GroupEvent::Records(records))
        });
        if event.is_none() {
            tokio::time::sleep(wait.max(Duration::from_millis(1))).await;
        }
        Ok(event.unwrap_or(GroupEvent::Idle))
    }

    async fn seek(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.with(|world| world.positions.insert(partition.partition, offset));
        Ok(())
    }

    fn pause(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.with(|world| world.paused.insert(partition.partition));
        Ok(())
    }

    fn resume(&mut self, partition: &TopicPartition) -> Result<(), LogError> {
        self.with(|world| world.paused.remove(&partition.partition));
        Ok(())
    }

    async fn commit(&mut self, partition: &TopicPartition, offset: u64) -> Result<(), LogError> {
        self.with(|world| world.committed.insert(partition.partition, offset));
        Ok(())
    }

    async fn committed(&mut self, partition: &TopicPartition) -> Result<Option<u64>, LogError> {
        Ok(self.with(|world| world.committed.get(&partition.partition).copied()))
    }

    async fn leave(self: Box<Self>) {
        self.with(|world| world.left += 1);
    }
}

#[async_trait]
impl ViewStore for Shared {
    async fn checkpoints(&self, partitions: &[TopicPartition]) -> Result<Checkpoints, ViewError> {
        let hangs = self.with(|world| {
            world.questions += 1;
            world.hangs
        });
        if hangs {
            std::future::pending::<()>().await;
        }
        Ok(self.with(|world| {
            let checkpoint = |at: &TopicPartition| {
                let next_offset = *world.checkpoints.get(&at.partition)?;
                Some((at.clone(), Checkpoint { next_offset, reset_id: String::new() }))
            };
            partitions.iter().filter_map(checkpoint).collect()
        }))
    }

    async fn begin(&self, beginnings: &[Beginning]) -> Result<Checkpoints, ViewError> {
        self.with(|world| {
            for beginning in beginnings {
                world.begun.entry(beginning.partition.partition).or_insert(beginning.earliest);
                world.checkpoints.entry(beginning.partition.partition).or_insert(beginning.offset);
            }
        });
        let partitions: Vec<_> = beginnings.iter().map(|beginning| beginning.partition.clone()).collect();
        self.checkpoints(&partitions).await
    }

    async fn apply(&self, batch: &Batch) -> Result<Applied, ViewError> {
        if self.with(|world| world.hangs) {
            tokio::time::sleep(Duration::from_secs(30)).await;
            return Err(unavailable());
        }
        self.with(|world| {
            let at = batch.partition;
            world.attempts.push(Instant::now());
            if let Some(trouble) = world.troubles.entry(at).or_default().pop_front() {
                return Err(trouble);
            }
            assert_eq!(world.checkpoints[&at], batch.expected, "the loop knows the checkpoint");
            world.applied.entry(at).or_default().extend(batch.records.iter().map(|record| record.offset));
            let next_offset = batch.records.last().map_or(0, |record| record.offset + 1);
            world.checkpoints.insert(at, next_offset);
            Ok(Applied { applied: batch.records.len() as u64, next_offset, ..Applied::default() })
        })
    }

    async fn pass(
        &self,
        partition: &TopicPartition,
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

fn record(partition: u32, offset: u64) -> Record {
    Record::new(partition, offset, "arena-night".into(), vec![], vec![])
}

/// Two partitions with ten records each, both assigned.
fn world() -> Shared {
    let shared = Shared::default();
    shared.with(|world| {
        world.ends = [(0, 10), (1, 10)].into();
        world.rebalances.push_back(GroupEvent::Assigned(vec![partition(0), partition(1)]));
    });
    shared
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
        log: Arc::new(shared.clone()),
        view: Arc::new(shared.clone()),
        group: "seat-view".into(),
        topics: vec![TOPIC.into()],
        origin,
        reset_id: String::new(),
        metrics: Metrics::new(&mut Registry::default(), "seat-view"),
        readiness: Readiness::waiting_for(&[super::LOG]),
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
    let shared = world();
    shared.with(|world| {
        world.checkpoints.insert(0, 4);
        world.committed = [(0, 9), (1, 7)].into();
    });
    watch_from(&shared, ELSEWHERE, async || {
        shared.until("all applied", |world| world.committed == [(0, 10), (1, 10)].into()).await;
    })
    .await;
    shared.with(|world| {
        assert_eq!(
            world.applied[&0],
            (4..10).collect::<Vec<_>>(),
            "the checkpoint, whatever the group committed"
        );
        assert_eq!(
            world.applied[&1],
            (7..10).collect::<Vec<_>>(),
            "the committed offset where there is none"
        );
        assert_eq!(world.begun, [(1, false)].into(), "kept before anything is applied");
        assert_eq!(world.left, 1, "a member that stops leaves at once");
    });
}

#[tokio::test(start_paused = true)]
async fn i5_offsets_that_no_record_has_are_passed_by_the_checkpoint_and_the_group() {
    let shared = world();
    watch(&shared, async || {
        shared.until("all applied", |world| world.committed == [(0, 10), (1, 10)].into()).await;
        shared.with(|world| {
            let ends = vec![(partition(0), 12), (partition(1), 10), (partition(2), 3)];
            world.rebalances.push_back(GroupEvent::Ended(ends));
        });
        shared.until("the end is committed", |world| world.committed == [(0, 12), (1, 10)].into()).await;
        shared.with(|world| {
            assert_eq!(world.checkpoints, [(0, 12), (1, 10)].into());
            world.ends.insert(0, 14);
            world.positions.insert(0, 12);
        });
        shared.until("it goes on behind it", |world| world.committed[&0] == 14).await;
    })
    .await;
    shared.with(|world| {
        assert_eq!(world.applied[&0], (0..10).chain(12..14).collect::<Vec<_>>());
        assert_eq!(world.attempts.len(), 4, "where nothing moves nothing is written");
    });
}

#[tokio::test(start_paused = true)]
async fn i5_an_end_moves_nothing_while_records_before_it_are_not_applied() {
    let shared = world();
    shared.with(|world| {
        // Told while the view is still asked where to begin.
        world.rebalances.push_back(GroupEvent::Ended(vec![(partition(0), 12)]));
        world.troubles.insert(0, [unavailable(), unavailable()].into());
    });
    watch(&shared, async || {
        shared.until("all applied", |world| world.committed == [(0, 10), (1, 10)].into()).await;
        // The view is away when it is told; then it is read again from the checkpoint, and ends again.
        shared.with(|world| {
            world.troubles.insert(0, [unavailable()].into());
            world.rebalances.push_back(GroupEvent::Ended(vec![(partition(0), 12)]));
        });
        shared.until("it is tried", |world| world.troubles[&0].is_empty()).await;
        shared.until("it is read again", |world| !world.paused.contains(&0)).await;
        shared.with(|world| {
            assert_eq!(world.checkpoints[&0], 10);
            world.rebalances.push_back(GroupEvent::Ended(vec![(partition(0), 12)]));
        });
        shared.until("the end is committed", |world| world.committed[&0] == 12).await;
    })
    .await;
    shared.with(|world| assert_eq!(world.applied[&0], (0..10).collect::<Vec<_>>(), "each once"));
}

#[tokio::test(start_paused = true)]
async fn i5_an_emptied_database_of_an_earliest_handler_begins_at_the_logs_first_record() {
    let shared = world();
    shared.with(|world| world.committed = [(0, 9), (1, 7)].into());
    watch(&shared, async || {
        shared.until("all applied", |world| world.committed == [(0, 10), (1, 10)].into()).await;
    })
    .await;
    shared.with(|world| {
        assert_eq!(world.applied[&0].len() + world.applied[&1].len(), 20);
        assert_eq!(world.begun, [(0, true), (1, true)].into());
    });
}

#[tokio::test(start_paused = true)]
async fn i9_a_handler_that_is_not_replayable_waits_for_an_offset_and_goes_on_there() {
    let shared = world();
    shared.with(|world| world.committed = [(1, 7)].into());
    watch_from(&shared, Origin { replayable: false, ..ELSEWHERE }, async || {
        shared.until("the other goes on", |world| world.committed[&1] == 10).await;
        shared.with(|world| {
            assert!(world.paused.contains(&0) && !world.begun.contains_key(&0));
            world.committed.insert(0, 4);
        });
        shared.until("it goes on", |world| world.committed[&0] == 10).await;
    })
    .await;
    shared.with(|world| assert_eq!(world.applied[&0], (4..10).collect::<Vec<_>>()));
}

#[tokio::test(start_paused = true)]
async fn a_database_that_hangs_costs_no_member_its_partitions() {
    const MANY: u32 = 200;
    let shared = world();
    shared.with(|world| {
        world.ends = (0..MANY).map(|at| (at, 10)).collect();
        world.rebalances = [GroupEvent::Assigned((0..MANY).map(partition).collect())].into();
    });
    watch(&shared, async || {
        shared.until("some are read", |world| world.applied.len() >= 4).await;
        assert_eq!(
            shared.with(|world| world.questions),
            2,
            "one before and one after it began, for all of them"
        );
        shared.with(|world| {
            world.hangs = true;
            world.ends.values_mut().for_each(|end| *end = 20);
        });
        let before = Instant::now();
        shared.until("ten minutes pass", |_| before.elapsed() > Duration::from_mins(10)).await;
        let longest = shared.with(|world| world.longest);
        assert!(longest < Duration::from_secs(5), "the log was not polled for {longest:?}");
        shared.with(|world| world.hangs = false);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_away_costs_time_and_nothing_else() {
    let shared = world();
    shared.with(|world| {
        world.troubles.insert(0, (0..4).map(|_| unavailable()).collect());
    });
    let begun = Instant::now();
    watch(&shared, async || {
        shared.until("the other partition goes on", |world| world.committed.contains_key(&1)).await;
        assert!(shared.with(|world| !world.committed.contains_key(&0)), "nothing is committed meanwhile");
        shared.until("recovered", |world| world.committed.get(&0) == Some(&10)).await;
    })
    .await;
    assert!(begun.elapsed() >= Duration::from_millis(100 + 200 + 400 + 800), "the back-off grows");
    shared.with(|world| assert_eq!(world.applied[&0], (0..10).collect::<Vec<_>>(), "in order, once"));
}

#[tokio::test(start_paused = true)]
async fn i5_a_gap_stops_its_partition_and_no_other() {
    let shared = world();
    let gap = ViewError::Gap { event: "arena-night".into(), sequence: 5, expected: 4 };
    shared.with(|world| {
        world.troubles.insert(0, [gap].into());
    });
    watch(&shared, async || {
        shared.until("the other partition goes on", |world| world.committed.contains_key(&1)).await;
        shared.with(|world| world.ends = [(0, 20), (1, 20)].into());
        shared.until("and on", |world| world.committed.get(&1) == Some(&20)).await;
    })
    .await;
    shared.with(|world| {
        assert!(world.paused.contains(&0));
        assert!(!world.applied.contains_key(&0));
        assert!(!world.committed.contains_key(&0));
    });
}

#[tokio::test(start_paused = true)]
async fn i5_a_member_that_was_overtaken_goes_on_from_the_checkpoint() {
    let shared = world();
    let moved = ViewError::Moved { topic: TOPIC.into(), partition: 0, at: 6, expected: 0 };
    shared.with(|world| {
        world.troubles.insert(0, [moved].into());
    });
    watch(&shared, async || {
        shared.until("noticed", |world| world.paused.contains(&0) && !world.attempts.is_empty()).await;
        shared.with(|world| world.checkpoints.insert(0, 6));
        shared.until("applied", |world| world.committed.get(&0) == Some(&10)).await;
    })
    .await;
    shared.with(|world| assert_eq!(world.applied[&0], [6, 7, 8, 9]));
}

#[tokio::test(start_paused = true)]
async fn a_view_beyond_the_end_of_the_log_stands_still() {
    let shared = world();
    shared.with(|world| {
        world.checkpoints.insert(0, 11);
    });
    watch(&shared, async || {
        shared.until("the other goes on", |world| world.committed.contains_key(&1)).await;
    })
    .await;
    shared.with(|world| assert!(world.paused.contains(&0) && !world.applied.contains_key(&0)));
}

#[tokio::test(start_paused = true)]
async fn a_revoked_partition_is_dropped_also_while_it_waits() {
    let shared = world();
    shared.with(|world| {
        world.troubles.insert(0, (0..100).map(|_| unavailable()).collect());
    });
    watch(&shared, async || {
        shared.until("it waits", |world| world.troubles[&0].len() < 98).await;
        shared.with(|world| world.rebalances.push_back(GroupEvent::Revoked(vec![partition(0)])));
        shared.until("revoked", |world| world.rebalances.is_empty()).await;
        let attempts = shared.with(|world| world.attempts.len());
        let before = Instant::now();
        shared.until("time passes", |_| before.elapsed() > Duration::from_secs(30)).await;
        assert_eq!(shared.with(|world| world.attempts.len()), attempts);
    })
    .await;
}
