//! The webhook handler as a process of its own, on real Kafka and PostgreSQL, with a receiver that is not always kind.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use boxoffice_domain::Envelope;
use boxoffice_tests::crash::setting;
use boxoffice_tests::doubles::receiver::{KEY, Manner, Receiver};
use boxoffice_tests::history::History;
use boxoffice_tests::servers::free_port;
use boxoffice_tests::wait::until;

use crate::effects_support::{Stage, Topics};

/// How many deliveries, where somebody wants it otherwise, and where nobody does.
const DELIVERIES: &str = "BOXOFFICE_DELIVERIES";
const FEW: u32 = 1200;

const LEFT: &str = "SELECT count(*) FROM effects";
const PARKED: &str = "SELECT count(*) FROM effect_lanes WHERE parked IS NOT NULL";

fn deliveries() -> u32 {
    setting(DELIVERIES).unwrap_or(FEW)
}

async fn stage(topics: &Topics, url: &str) -> Stage {
    let settings = [("BOXOFFICE_WEBHOOK_URL", url.to_owned()), ("BOXOFFICE_WEBHOOK_KEY", KEY.to_owned())];
    Stage::new(topics, "webhook", &settings).await
}

/// `event.created`, then each seat held and released, twice.
fn sales(event: &str, seats: u32) -> Vec<Envelope> {
    let mut history = History::new(event);
    let created = history.created(seats);
    let mut events = vec![history.next(created)];
    for _ in 0..2 {
        for seat in 1..=seats {
            events.push(history.next(history.held(seat)));
            events.push(history.next(history.released(seat)));
        }
    }
    events
}

/// Every event came, in the order of its aggregate.
fn is_whole(receiver: &Receiver, events: &[Envelope]) {
    assert_eq!(receiver.wrongs(), Vec::<String>::new());
    let mut ids = BTreeSet::new();
    for (lane, taken) in receiver.lanes() {
        let sequences: Vec<_> = taken.iter().map(|taken| taken.sequence).collect();
        assert!(sequences.is_sorted(), "{lane:?}: {sequences:?}");
        ids.extend(taken.into_iter().map(|taken| taken.id));
    }
    let expected: BTreeSet<String> = events.iter().map(|event| event.event_id.to_string()).collect();
    assert_eq!(ids, expected);
}

#[tokio::test]
async fn every_event_comes_once_and_in_order_to_a_receiver_that_stumbles() {
    let topics = Topics::new().await;
    // No event thrice: after that it waits half a minute, or is set aside.
    let tries = Mutex::new(HashMap::new());
    let receiver = Receiver::start(move |number, taken| {
        let mut tries = tries.lock().unwrap();
        let tries = tries.entry(taken.id.clone()).and_modify(|tries| *tries += 1).or_insert(1);
        match number % 40 {
            7 if *tries < 3 => Manner::Fails,
            19 if *tries < 3 => Manner::Busy,
            23 => Manner::Slow(50),
            31 if *tries < 3 => Manner::Refuses,
            _ => Manner::Takes,
        }
    })
    .await;
    let stage = stage(&topics, &receiver.url()).await;
    let events = sales("arena-night", deliveries() / 4);
    topics.publish(&events).await;
    let _worker = stage.ready().await;
    until("the first came", async || (receiver.count() > 0).then_some(())).await;
    stage.counts(LEFT, 0).await;
    is_whole(&receiver, &events);
    assert_eq!(receiver.count(), events.len(), "nothing comes twice");
    assert_eq!(stage.count(PARKED).await, Some(0));
}

#[tokio::test]
async fn kills_under_load_lose_nothing_and_break_no_order() {
    let topics = Topics::new().await;
    let receiver = Receiver::start(|_, _| Manner::Slow(20)).await;
    let stage = stage(&topics, &receiver.url()).await;
    let events: Vec<Envelope> =
        ["one", "two", "three"].iter().flat_map(|event| sales(event, deliveries() / 12)).collect();
    topics.publish(&events).await;
    for round in 1..=3 {
        let (mut worker, some) = (stage.start(), round * events.len() / 8);
        until("some progress", async || (receiver.count() >= some).then_some(())).await;
        worker.process.kill();
    }
    let _worker = stage.start();
    stage.counts(LEFT, 0).await;
    is_whole(&receiver, &events);
}

#[tokio::test]
async fn a_receiver_that_was_away_gets_everything_when_it_is_there() {
    let topics = Topics::new().await;
    let port = free_port().unwrap();
    let stage = stage(&topics, &format!("http://127.0.0.1:{port}/events")).await;
    let worker = stage.ready().await;
    let events = sales("arena-night", 20);
    topics.publish(&events).await;
    let closed = "boxoffice_effects_closed{handler=\"webhook\"}";
    until("one probe at a time", async || worker.metric(closed).await.filter(|closed| *closed > 0.0)).await;
    let receiver = Receiver::on(port, |_, _| Manner::Takes).await;
    stage.counts(LEFT, 0).await;
    is_whole(&receiver, &events);
    assert_eq!(worker.metric(closed).await, Some(0.0));
}

#[tokio::test]
async fn a_receiver_that_wants_no_more_gets_no_more() {
    let (topics, is_gone) = (Topics::new().await, Arc::new(AtomicBool::new(true)));
    let gone = Arc::clone(&is_gone);
    let receiver =
        Receiver::start(move |_, _| if gone.load(Ordering::SeqCst) { Manner::Gone } else { Manner::Takes })
            .await;
    let stage = stage(&topics, &receiver.url()).await;
    let mut worker = stage.ready().await;
    let first = sales("arena-night", 1);
    topics.publish(&first).await;
    worker.process.says("410 Gone").await.unwrap();
    let asked = receiver.requests();
    is_gone.store(false, Ordering::SeqCst);
    let later = sales("later", 1);
    topics.publish(&later).await;
    stage.counts(LEFT, 10).await;
    assert_eq!(receiver.requests(), asked);
    assert!(worker.process.terminate().await.unwrap().success());
    let _worker = stage.ready().await;
    stage.counts(LEFT, 0).await;
    is_whole(&receiver, &[first, later].concat());
}

#[tokio::test]
async fn what_is_refused_three_times_is_set_aside_with_its_followers() {
    let topics = Topics::new().await;
    let receiver =
        Receiver::start(
            |_, taken| {
                if taken.lane.1.ends_with("A-1-1") { Manner::Refuses } else { Manner::Takes }
            },
        )
        .await;
    let stage = stage(&topics, &receiver.url()).await;
    let _worker = stage.ready().await;
    topics.publish(&sales("arena-night", 2)).await;
    stage.counts(PARKED, 1).await;
    stage.counts(LEFT, 4).await;
    assert_eq!((receiver.count(), receiver.requests()), (5, 8));
}
