//! Sentences about the outbox: what waits in it, who may empty it, and who hears of it.

use std::collections::HashSet;

use boxoffice_command::store::{Lease, Outbox, SeatStore, Signal, StoreError};
use boxoffice_domain::Command;
use boxoffice_domain::ids::event_id;
use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

use super::publish;
use super::stage::{Fixture, HIGH_WATERMARK, Stage, cause, must, named, valid};
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
    let mut index = 0;
    let mut command = Uuid::nil();
    for (sequence, entry) in (1..).zip(&entries) {
        let envelope = &entry.envelope;
        assert_eq!(envelope.metadata.sequence, Some(sequence));
        index = if envelope.metadata.causation_id == command { index + 1 } else { 0 };
        command = envelope.metadata.causation_id;
        assert_eq!(envelope.event_id, event_id(command, index));
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
    assert_eq!(must(on.store().depth(&stage.event).await), 4);
    assert_eq!(must(on.store().watermark(&stage.event).await), 0);
    let lease = Lease { bucket: on.store().bucket_of(&stage.event), token: 1 };
    assert_eq!(must(on.store().published(&stage.event, &lease, 2).await), Some(2));
    assert_eq!(must(on.store().published(&stage.event, &lease, 1).await), Some(2));
    assert_eq!(must(on.store().watermark(&stage.event).await), 2);
    assert_eq!(stage.story(0).await, ["seat.held A-1-2", "seat.held A-1-3"]);
    assert_eq!(must(on.store().published(&stage.event, &lease, 4).await), Some(0));
    assert_eq!(stage.waiting().await, []);
    must(stage.release_seat("alice", "A-1-1").await);
    let waiting = stage.waiting().await;
    assert_eq!(waiting.iter().map(|envelope| envelope.metadata.sequence).collect::<Vec<_>>(), [Some(5)]);
}

/// Whoever lost its lease cannot trim what its successor has not published.
pub async fn a_later_lease_fences_an_earlier_one(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    let lease = |token| Lease { bucket: on.store().bucket_of(&stage.event), token };
    assert_eq!(must(on.store().published(&stage.event, &lease(5), 0).await), Some(2));
    assert_eq!(must(on.store().published(&stage.event, &lease(4), 2).await), None);
    assert_eq!(must(on.store().watermark(&stage.event).await), 0);
    assert_eq!(stage.waiting().await.len(), 2);
    assert_eq!(must(on.store().published(&stage.event, &lease(5), 2).await), Some(0));
}

/// One at a time, and the next one has a higher token.
pub async fn a_bucket_has_one_owner_and_is_handed_over(on: &impl Fixture) {
    let (store, ours, theirs) = (on.store(), Uuid::new_v4(), Uuid::new_v4());
    let first = must(store.acquire(2, ours).await).unwrap_or_else(|| panic!("bucket 2 is taken"));
    assert_eq!(must(store.acquire(2, ours).await), Some(first), "asking again is no harm");
    assert_eq!(must(store.acquire(2, theirs).await), None);
    assert!(must(store.acquire(3, theirs).await).is_some());
    assert!(must(store.renew(&first, ours).await));
    assert!(!must(store.renew(&first, theirs).await));
    must(store.release(&first, theirs).await);
    assert_eq!(must(store.acquire(2, theirs).await), None, "nobody gives away what is another's");
    must(store.release(&first, ours).await);
    assert!(!must(store.renew(&first, ours).await));
    let second = must(store.acquire(2, theirs).await).unwrap_or_else(|| panic!("bucket 2 is taken"));
    assert!(second.token > first.token);
}

/// Relays share the SeatingEvents out without any left over.
pub async fn every_event_is_in_one_bucket(on: &impl Fixture) {
    let (one, other) = (Stage::open(on).await, Stage::open(on).await);
    let mut found = Vec::new();
    for bucket in 0..on.store().buckets() {
        for event in must(on.store().events(bucket).await) {
            assert_eq!(on.store().bucket_of(&event), bucket);
            found.push(event);
        }
    }
    found.sort();
    let mut expected = vec![one.event, other.event];
    expected.sort();
    assert_eq!(found, expected);
}

/// A signal says that there is work, not how much: while entries wait, no more are sent.
pub async fn signals_wake_the_relay_once_and_announce_the_watermark(on: &impl Fixture) {
    let mut signals = on.store().signals();
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    publish(&stage).await;
    assert_eq!(next(&mut signals).await, Signal::Wrote(stage.event.clone()));
    assert_eq!(next(&mut signals).await, Signal::Published(stage.event.clone(), 2));
    must(stage.release_seat("alice", "A-1-1").await);
    assert_eq!(next(&mut signals).await, Signal::Wrote(stage.event.clone()));
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
