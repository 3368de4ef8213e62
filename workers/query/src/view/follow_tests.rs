use boxoffice_domain::SeatMap;
use prometheus_client::registry::Registry;
use tokio::time::timeout;

use super::*;
use crate::testing::{FakeLog, FakeSnapshots, created, held, map, released};

/// A follower at work. Time is paused: waits of the code cost nothing, a wait in vain ends.
struct Following {
    log: FakeLog,
    snapshots: Arc<FakeSnapshots>,
    views: Arc<Views>,
    readiness: Readiness,
    task: tokio::task::JoinHandle<Infallible>,
}

impl Drop for Following {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn follow(log: &FakeLog, loads: Vec<Result<Vec<SeatMap>, &'static str>>, next: &[(u32, u64)]) -> Following {
    let snapshots = Arc::new(FakeSnapshots::new(loads, next));
    let (views, readiness) = (Arc::new(Views::default()), Readiness::waiting_for(&[READY]));
    let follower = Follower {
        snapshots: Arc::clone(&snapshots) as _,
        log: Arc::new(log.clone()),
        topic: "seats".into(),
        views: Arc::clone(&views),
        age: Arc::default(),
        oldest: None,
        readiness: readiness.clone(),
        metrics: Metrics::register(&mut Registry::default()),
    };
    Following { log: log.clone(), snapshots, views, readiness, task: tokio::spawn(follower.run()) }
}

impl Following {
    async fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let held = async {
            while !holds() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        assert!(timeout(Duration::from_mins(5), held).await.is_ok(), "in vain: {what}");
    }

    async fn reaches(&self, event: &str, sequence: u64) {
        let what = format!("{event} reaches {sequence}");
        self.until(&what, || self.views.get(event).is_some_and(|live| live.read(|m| m.sequence) == sequence))
            .await;
    }

    fn loads(&self) -> u32 {
        *self.snapshots.loads.borrow()
    }
}

#[tokio::test(start_paused = true)]
async fn goes_on_from_the_snapshots_checkpoint_and_skips_what_it_holds() {
    let log = FakeLog::with_topics(&[("seats", 2)]);
    log.event(0, 1, created("arena"));
    log.event(0, 2, held("arena.A-1-2"));
    log.event(0, 3, released("arena.A-1-2"));
    log.event(1, 1, created("club"));
    let following = follow(&log, vec![Ok(vec![map("arena", 2)])], &[(0, 1)]);
    following.until("ready", || following.readiness.obstacles().is_empty()).await;
    following.reaches("arena", 3).await;
    following.reaches("club", 1).await;
    assert_eq!(following.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn is_ready_when_it_has_read_what_the_log_had() {
    let log = FakeLog::with_topics(&[("seats", 2)]);
    log.event(0, 1, created("arena"));
    log.event(1, 1, created("club"));
    let following = follow(&log, vec![Ok(vec![])], &[]);
    following.readiness.reached().await;
    assert!(following.views.get("arena").is_some() && following.views.get("club").is_some());
}

#[tokio::test(start_paused = true)]
async fn is_ready_on_an_idle_log_whose_last_offsets_no_record_has() {
    let log = FakeLog::with_topics(&[("seats", 2)]);
    log.event(0, 1, created("arena"));
    log.mark("seats", 0);
    log.mark("seats", 1);
    for next in [vec![], vec![(0, 1), (1, 0)], vec![(0, 2), (1, 1)]] {
        let following = follow(&log, vec![Ok(vec![map("arena", 1)])], &next);
        following.until("ready", || following.readiness.obstacles().is_empty()).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_log_that_does_not_answer_may_have_more_though_what_is_loaded_is_there() {
    let log = FakeLog::default();
    let following = follow(&log, vec![Err("away"), Err("away"), Ok(vec![map("arena", 2)])], &[]);
    following.reaches("arena", 2).await;
    sleep(Duration::from_mins(1)).await;
    assert_eq!(following.readiness.obstacles().len(), 1);
    following.log.grow("seats", 1);
    following.log.event(0, 3, held("arena.A-1-2"));
    following.until("ready", || following.readiness.obstacles().is_empty()).await;
    following.reaches("arena", 3).await;
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_closed_by_a_new_snapshot_while_others_go_on() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.event(0, 5, held("arena.A-1-2"));
    log.event(0, 1, created("club"));
    log.event(0, 6, held("arena.A-1-3"));
    let loads = vec![Ok(vec![map("arena", 3)]), Ok(vec![map("arena", 3)]), Ok(vec![map("arena", 4)])];
    let following = follow(&log, loads, &[(0, 0)]);
    following.reaches("club", 1).await;
    assert_eq!(following.loads(), 1);
    following.reaches("arena", 6).await;
    assert_eq!(following.loads(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_gap_that_no_snapshot_closes_is_looked_into_ever_less_and_costs_the_others_nothing() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.event(0, 5, held("arena.A-1-2"));
    let following = follow(&log, vec![Ok(vec![map("arena", 3)])], &[(0, 0)]);
    sleep(Duration::from_mins(10)).await;
    let loads = following.loads();
    assert!((15..40).contains(&loads), "{loads} loads in ten minutes");
    log.event(0, 1, created("club"));
    following.reaches("club", 1).await;
    assert!(following.views.get("arena").is_some_and(|live| live.read(|map| map.sequence == 3)));
}

#[tokio::test(start_paused = true)]
async fn unreadable_events_advance_the_sequence_and_foreign_ones_are_skipped() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.event(0, 1, created("arena"));
    log.append("seats", 0, "arena", b"{", Some(2));
    log.append("seats", 0, "arena", b"{", None);
    log.append("seats", 0, "Not an id", b"{", Some(3));
    let mut unknown: serde_json::Value =
        serde_json::from_slice(&crate::testing::envelope(Some(3), held("arena.A-1-2")).to_json().unwrap())
            .unwrap();
    unknown["eventType"] = "seat.polished".into();
    log.append("seats", 0, "arena", unknown.to_string().as_bytes(), None);
    log.event(0, 4, held("arena.A-1-2"));
    let following = follow(&log, vec![Ok(vec![])], &[]);
    following.reaches("arena", 4).await;
    assert_eq!(following.loads(), 1);
}

#[tokio::test(start_paused = true)]
async fn partitions_that_a_topic_grows_are_followed() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.event(0, 1, created("arena"));
    let following = follow(&log, vec![Ok(vec![])], &[]);
    following.reaches("arena", 1).await;
    log.grow("seats", 3);
    log.event(2, 1, created("club"));
    following.reaches("club", 1).await;
    log.event(0, 2, held("arena.A-1-2"));
    following.reaches("arena", 2).await;
}

#[tokio::test(start_paused = true)]
async fn a_log_without_what_comes_next_is_another_one_and_the_snapshot_tells_its_history() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.event(0, 1, created("arena"));
    log.event(0, 2, held("arena.A-1-2"));
    let following = follow(&log, vec![Ok(vec![]), Ok(vec![map("arena", 1)])], &[(0, 0)]);
    following.reaches("arena", 2).await;
    log.forget_before("seats", 0, 40);
    following.reaches("arena", 1).await;
}

#[tokio::test(start_paused = true)]
async fn i5_offsets_of_a_topic_that_is_gone_are_not_taken_for_those_of_the_one_that_there_is() {
    let log = FakeLog::with_topics(&[("seats", 1)]);
    log.replace("first");
    log.event(0, 1, created("arena"));
    let following = follow(&log, vec![Ok(vec![map("arena", 1)])], &[(0, 1)]);
    following.snapshots.of("first");
    log.event(0, 2, held("arena.A-1-2"));
    following.reaches("arena", 2).await;

    // The new one has as many records, and others.
    log.replace("second");
    for sequence in [1, 2] {
        log.event(0, sequence, created("club"));
    }
    let loads = following.loads();
    following.until("it asks the view again and again", || following.loads() > loads + 3).await;
    assert!(following.views.get("arena").is_some(), "what there is is shown meanwhile");
    following.snapshots.of("second");
    log.event(0, 2, held("arena.A-1-2"));
    following.reaches("arena", 2).await;
}
