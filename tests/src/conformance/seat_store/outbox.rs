//! Sentences about the outbox: what waits in it, who may empty it, and who hears of it.

use std::collections::HashSet;
use std::time::Duration;

use boxoffice_command::store::{Backlog, LEASE_LIFE, Outbox, Round, SeatStore, Signal, StoreError, Swept};
use boxoffice_domain::Command;
use boxoffice_domain::ids::event_id;
use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

use super::publish;
use super::stage::{Fixture, HIGH_WATERMARK, START, Stage, cause, must, named, valid};
use crate::wait::PATIENCE;

/// One command, one random number: its events are numbered on, in the sequence and in their ids.
pub async fn i3_sequences_have_no_gap_and_ids_derive_from_the_command(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    must(stage.reserve_hold("alice", hold).await);
    assert!(stage.hold("bob", &["A-1-1"]).await.is_err());
    stage.advance(5).await;
    must(stage.release_seat("alice", "A-1-1").await);
    let (partition, entries) = must(on.store().unpublished(&stage.event, 100).await);
    assert_eq!((partition, entries.len()), (3, 8));
    for (sequence, entry) in (1..).zip(&entries) {
        let envelope = &entry.envelope;
        assert_eq!(envelope.metadata.sequence, Some(sequence));
        assert_eq!(envelope.event_id, event_id(envelope.metadata.causation_id, sequence));
    }
    assert_eq!(entries.last().map(|entry| entry.envelope.timestamp), Some(stage.now()));
    let ids: HashSet<_> = entries.iter().map(|entry| entry.envelope.event_id).collect();
    assert_eq!(ids.len(), entries.len());
    let (_, first) = must(on.store().unpublished(&stage.event, 3).await);
    assert_eq!(first, entries[..3]);
}

/// What is acknowledged is gone, and what comes after goes on from there.
pub async fn the_outbox_is_trimmed_to_the_watermark_which_never_goes_back(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1", "A-1-2", "A-1-3"]).await);
    assert_eq!(must(on.store().watermark(&stage.event).await), 0);
    assert_eq!(must(on.store().published(&stage.event, 2, 7).await), 2);
    assert_eq!(must(on.store().published(&stage.event, 1, 7).await), 2);
    assert_eq!(must(on.store().watermark(&stage.event).await), 2);
    assert_eq!(stage.story(0).await, ["seat.held A-1-2", "seat.held A-1-3"]);
    assert_eq!(must(on.store().published(&stage.event, 4, 9).await), 0);
    assert_eq!(stage.waiting().await, []);
    must(stage.release_seat("alice", "A-1-1").await);
    let waiting = stage.waiting().await;
    assert_eq!(waiting.iter().map(|envelope| envelope.metadata.sequence).collect::<Vec<_>>(), [Some(5)]);
}

/// Where each is pinned is known, and how many partitions there are is remembered.
pub async fn i4_a_partition_is_pinned_and_known(on: &impl Fixture) {
    let (one, other) = (Stage::open(on).await, Stage::open(on).await);
    let mut pinned = must(on.store().pinned().await);
    pinned.retain(|(event, _)| [&one.event, &other.event].contains(&event));
    let mut expected = vec![(one.event.clone(), 3), (other.event.clone(), 3)];
    expected.sort();
    assert_eq!(pinned, expected);
    assert_eq!(must(on.store().pinned_partition(&one.event).await), Some(3));
    assert_eq!(must(on.store().pinned_partition(&valid("nobody-knows-it")).await), None);
    assert_eq!(must(on.store().partitions(Some(12)).await), Some(12));
}

/// What is due next is told, so that nobody has to look before.
pub async fn a_sweep_says_when_something_is_due_next(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let of = std::slice::from_ref(&stage.event);
    assert_eq!(
        on.store().sweep(of).await,
        Swept { next: vec![(stage.event.clone(), None)], ..Swept::default() }
    );
    must(stage.hold("alice", &["A-1-1"]).await);
    stage.advance(1_000).await;
    let next = on.store().sweep(of).await.next;
    let [(_, Some(first))] = next.as_slice() else { panic!("nothing is due: {next:?}") };
    stage.advance(*first - 1).await;
    assert_eq!(
        on.store().sweep(of).await,
        Swept { next: vec![(stage.event.clone(), Some(1))], ..Swept::default() }
    );
    stage.advance(1).await;
    assert_eq!(on.store().sweep(of).await.ended, 1);
}

/// Whoever asks again keeps what it has, with the tokens that it has.
pub async fn a_lane_has_one_owner(on: &impl Fixture) {
    let (store, ours, theirs) = (on.store(), Uuid::new_v4(), Uuid::new_v4());
    let first = must(store.round(ours, true, COUNT, &[]).await);
    assert_eq!((owned(&first), first.share), (all(), all().len()));
    assert_eq!(must(store.round(ours, true, COUNT, &[]).await), first);
    let second = must(store.round(theirs, true, COUNT, &[2]).await);
    assert_eq!(owned(&second), [0; 0], "nobody gives away what is another's");
    assert_eq!(owned(&must(store.round(ours, true, COUNT, &[]).await)), all());
}

/// Equal to the end is over, as everywhere.
pub async fn a_relay_that_dies_is_followed_when_its_term_is_over(on: &impl Fixture) {
    let (store, dying, other) = (on.store(), Uuid::new_v4(), Uuid::new_v4());
    let first = must(store.round(dying, true, COUNT, &[]).await);
    on.set_clock(START + term() - 1).await;
    let early = must(store.round(other, true, COUNT, &[]).await);
    assert_eq!((owned(&early), early.share), (vec![], all().len() / 2));
    on.set_clock(START + term()).await;
    let second = must(store.round(other, true, COUNT, &[]).await);
    assert_eq!((owned(&second), second.share), (all(), all().len()));
    for (before, after) in first.leases.iter().zip(&second.leases) {
        assert!(after.token > before.token, "{after:?} comes after {before:?}");
    }
    assert_eq!(owned(&must(store.round(dying, true, COUNT, &[]).await)), [0; 0], "it comes too late");
}

/// The lanes above the share are given back by their owner, in its own time, and nobody has them twice.
pub async fn relays_have_their_fair_share_and_hand_over_what_is_above_it(on: &impl Fixture) {
    let store = on.store();
    let relays = [(); 3].map(|()| Uuid::new_v4());
    let lanes = all().len();
    for count in 1..=relays.len() {
        let share = lanes.div_ceil(count);
        // The newcomer asks first, and gets nothing before somebody gave something back.
        let newcomer = must(store.round(relays[count - 1], true, COUNT, &[]).await);
        assert_eq!((newcomer.leases.len(), newcomer.share), (if count == 1 { lanes } else { 0 }, share));
        let mut given = vec![];
        for relay in &relays[..count - 1] {
            let before = owned(&must(store.round(*relay, true, COUNT, &[]).await));
            let surplus = before.get(share..).unwrap_or_default();
            let after = must(store.round(*relay, true, COUNT, surplus).await);
            assert_eq!((owned(&after), after.share), (before[..before.len().min(share)].to_vec(), share));
            given.extend_from_slice(surplus);
        }
        given.sort_unstable();
        let newcomer = owned(&must(store.round(relays[count - 1], true, COUNT, &[]).await));
        assert_eq!(newcomer, if count == 1 { all() } else { given }, "at once, and nothing else");
        let mut taken = vec![];
        for relay in &relays[..count] {
            taken.extend(owned(&must(store.round(*relay, true, COUNT, &[]).await)));
        }
        taken.sort_unstable();
        assert_eq!(taken, all(), "each has one owner");
    }
}

/// Where nobody stays, whoever is there does what there is to do.
pub async fn a_relay_that_leaves_leaves_all_to_those_who_stay(on: &impl Fixture) {
    let (store, leaving, staying) = (on.store(), Uuid::new_v4(), Uuid::new_v4());
    must(store.round(leaving, true, COUNT, &[]).await);
    must(store.round(staying, true, COUNT, &[]).await);
    let told = must(store.round(leaving, false, COUNT, &[]).await);
    assert_eq!((owned(&told), told.share), (all(), 0));
    assert_eq!(owned(&must(store.round(leaving, false, COUNT, &all()).await)), [0; 0]);
    let second = must(store.round(staying, true, COUNT, &[]).await);
    assert_eq!(owned(&second), all());
    assert!(second.leases.iter().zip(&told.leases).all(|(after, before)| after.token > before.token));

    let alone = must(store.round(staying, false, COUNT, &[]).await);
    assert_eq!(alone, Round { leases: second.leases, share: all().len() });
}

/// How many lanes there are in these sentences.
const COUNT: u32 = 16;

/// The first term of every test ends so much after its begin.
fn term() -> u64 {
    LEASE_LIFE.as_millis().try_into().unwrap_or(u64::MAX)
}

fn all() -> Vec<u32> {
    (0..COUNT).collect()
}

/// The lanes of a round, in order.
fn owned(round: &Round) -> Vec<u32> {
    let mut lanes: Vec<_> = round.leases.iter().map(|lease| lease.lane).collect();
    lanes.sort_unstable();
    lanes
}

/// How much, and for how long: of each SeatingEvent, whoever publishes it.
pub async fn what_waits_of_every_event_is_known(on: &impl Fixture) {
    assert_eq!(on.store().backlogs(&[]).await, []);
    let (one, other) = (Stage::open(on).await, Stage::open(on).await);
    one.advance(2_500).await;
    must(one.hold("alice", &["A-1-1", "A-1-2"]).await);
    let backlog = |stage: &Stage<'_, _>, entries, millis| Backlog {
        event: stage.event.clone(),
        entries,
        age: Duration::from_millis(millis),
    };
    let found = || async {
        let mut found = on.store().backlogs(&[one.event.clone(), other.event.clone()]).await;
        found.sort_by_key(|backlog| backlog.entries);
        found
    };
    assert_eq!(found().await, [backlog(&other, 1, 2_500), backlog(&one, 3, 2_500)]);
    publish(&other).await;
    assert_eq!(must(on.store().published(&one.event, 1, 5).await), 2);
    assert_eq!(found().await, [backlog(&one, 2, 0)]);
    publish(&one).await;
    assert_eq!(found().await, []);
}

/// A signal says that there is work, not how much: while entries wait, no more are sent, unless somebody's answer waits
/// for the log.
pub async fn signals_wake_the_relay_once_and_announce_the_watermark(on: &impl Fixture) {
    let mut signals = on.store().signals();
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    publish(&stage).await;
    assert_eq!(next(&mut signals).await, Signal::Wrote(stage.event.clone()));
    let history = must(on.store().history(&stage.event).await);
    assert_eq!(next(&mut signals).await, Signal::Published(stage.event.clone(), history, 2));
    must(stage.release_seat("alice", "A-1-1").await);
    assert_eq!(next(&mut signals).await, Signal::Wrote(stage.event.clone()));
    let hold = must(stage.hold("bob", &["A-1-2"]).await).hold;
    must(stage.reserve_hold("bob", hold).await);
    assert_eq!(next(&mut signals).await, Signal::Awaited(stage.event.clone()));
}

/// The next signal but [`Signal::Missed`], which may come at any time.
async fn next(signals: &mut Receiver<Signal>) -> Signal {
    loop {
        let signal = tokio::time::timeout(PATIENCE, signals.recv()).await;
        match must(signal.unwrap_or_else(|_| panic!("no signal came"))) {
            Signal::Missed => {}
            signal => return signal,
        }
    }
}

/// Kafka may be away for long: seats are given back and paid for, but not handed out.
pub async fn a_full_outbox_refuses_holds_and_nothing_else(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    for _ in 0..(HIGH_WATERMARK - 3) / 2 {
        must(stage.hold("bob", &["A-1-3"]).await);
        must(stage.release_seat("bob", "A-1-3").await);
    }
    must(stage.hold("bob", &["A-1-3"]).await);
    let again = Command::Hold { wanted: named(&["A-1-4"]), user: valid("bob"), hold: Uuid::new_v4() };
    let refused = on.store().execute(&stage.event, &again, &cause("bob")).await;
    assert!(matches!(refused, Err(StoreError::OutboxFull { depth: HIGH_WATERMARK, .. })), "{refused:?}");
    must(stage.hold("bob", &["A-1-3"]).await);
    must(stage.release_seat("alice", "A-1-1").await);
    must(stage.reserve_hold("alice", hold).await);
    publish(&stage).await;
    must(stage.hold("bob", &["A-1-4"]).await);
}
