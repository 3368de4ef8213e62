//! What every seat store does, sentence by sentence: the suite of the ports [`SeatStore`] and [`Outbox`].
//!
//! An implementation brings a [`Fixture`] and runs `seat_store_suite!`; [`equality`] holds it to the specification with
//! generated commands besides.
#![expect(clippy::missing_panics_doc, reason = "every sentence panics where it is not true")]

use std::collections::HashSet;

use boxoffice_command::store::{Lease, Outbox, SeatStore, Signal, StoreError};
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::ids::event_id;
use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Command, Conflict, HoldId, Rejection};
use tokio::sync::broadcast::Receiver;
use uuid::Uuid;

use self::stage::{Fixture, HIGH_WATERMARK, Stage, TTL, cause, definition, held, must, valid};
use crate::wait::PATIENCE;

pub mod equality;
pub mod generate;
pub mod stage;

/// Makes a test of every sentence of the suite. `$fixture` is an expression that awaits to a fresh [`Fixture`].
#[macro_export]
macro_rules! seat_store_suite {
    ($fixture:expr) => {
        $crate::seat_store_suite! { $fixture =>
            seats_are_held_all_or_none
            every_conflict_is_named_in_the_order_asked
            strangers_are_refused
            holding_again_gives_the_same_hold
            i6_a_hold_ends_at_its_deadline
            i6_a_lapsed_hold_makes_way_for_whoever_asks
            an_expired_hold_is_remembered_for_an_hour
            reserving_one_seat_splits_it_off
            reserving_again_gives_the_same_reservation
            releasing_the_last_seat_ends_the_hold
            cancelling_frees_seats_one_by_one_or_all
            nobody_claims_more_than_the_limit
            seats_are_held_in_the_sales_window_only
            a_price_stands_from_the_hold_on
            a_definition_changes_where_no_claimed_seat_is_lost
            an_unchanged_definition_writes_nothing
            a_closed_sale_keeps_its_seats_and_may_reopen
            what_is_not_there_is_not_found
            every_worker_learns_of_a_new_definition
            i3_sequences_have_no_gap_and_ids_derive_from_the_command
            the_outbox_is_trimmed_to_the_watermark_which_never_goes_back
            a_later_lease_fences_an_earlier_one
            a_bucket_has_one_owner_and_is_handed_over
            every_event_is_in_one_bucket
            signals_wake_the_relay_once_and_announce_the_watermark
            a_full_outbox_refuses_holds_and_nothing_else
            a_purged_event_is_forgotten_once_its_outbox_is_empty
            inventories_show_every_event
            i1_racing_buyers_win_each_seat_once
        }
    };
    ($fixture:expr => $($sentence:ident)*) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $sentence() {
                $crate::conformance::seat_store::$sentence(&$fixture.await).await;
            }
        )*
    };
}

fn conflicts<const N: usize>(of: [(&str, &'static str); N]) -> Vec<Conflict> {
    of.map(|(seat, reason)| Conflict { seat: seat.into(), reason }).into()
}

/// Three seats of which one is taken: nobody gets any.
pub async fn seats_are_held_all_or_none(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-2"]).await);
    let refused = stage.hold("bob", &["A-1-1", "A-1-2", "A-1-3"]).await;
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-2", "HELD")]))));
    assert_eq!(stage.story(1).await, ["seat.held A-1-2"]);
    assert_eq!(stage.counts().await, [6, 1, 0, 1]);
    let held = must(stage.hold("bob", &["A-1-3", "A-1-1", "FLOOR-2"]).await);
    assert_eq!(held.seats, ["A-1-3 12000", "A-1-1 12000", "FLOOR-2 6000"]);
    assert_eq!((held.expires_at, held.sequence), (stage.now() + TTL, 5));
}

/// A refusal says of each seat why, and a seat that does not exist outweighs the rest.
pub async fn every_conflict_is_named_in_the_order_asked(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.hold("alice", &["A-1-2"]).await);
    must(stage.reserve_seat("alice", "A-1-2").await);
    let refused = stage.hold("bob", &["A-2-2", "A-1-2", "A-1-3", "A-1-1"]).await;
    let expected = [("A-2-2", "BLOCKED"), ("A-1-2", "RESERVED"), ("A-1-1", "HELD")];
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts(expected))));
    let refused = stage.hold("bob", &["A-1-1", "B-1-1"]).await;
    assert_eq!(refused, Err(Rejection::SeatNotFound(conflicts([("A-1-1", "HELD"), ("B-1-1", "NOT_FOUND")]))));
}

/// A hold and a reservation are their owner's alone.
pub async fn strangers_are_refused(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    assert_eq!(stage.reserve_seat("bob", "A-1-1").await, Err(Rejection::NotHolder));
    assert_eq!(stage.reserve_hold("bob", hold).await, Err(Rejection::NotHolder));
    assert_eq!(stage.release_seat("bob", "A-1-1").await, Err(Rejection::NotHolder));
    assert_eq!(stage.release_hold("bob", hold).await, Err(Rejection::NotHolder));
    let hold_id = HoldId::new(stage.event.clone(), hold);
    assert_eq!(must(on.store().hold(&hold_id, &valid("bob")).await), Err(Rejection::NotHolder));
    let (reservation, ..) = must(stage.reserve_hold("alice", hold).await);
    assert_eq!(stage.cancel("bob", reservation).await, Err(Rejection::NotHolder));
    assert_eq!(stage.release_seat("bob", "A-1-1").await, Err(Rejection::NotHolder));
    assert_eq!(stage.reserve_seat("bob", "A-1-1").await, Err(Rejection::NotHolder));
}

/// Repeating a hold, or a part of it, is no second hold.
pub async fn holding_again_gives_the_same_hold(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let first = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await);
    stage.advance(1000).await;
    assert_eq!(must(stage.hold("alice", &["A-1-1", "A-1-2"]).await), first);
    assert_eq!(must(stage.hold("alice", &["A-1-2"]).await).hold, first.hold);
    let found = must(on.store().hold(&HoldId::new(stage.event.clone(), first.hold), &valid("alice")).await);
    assert_eq!(held(must(found)), first);
    assert_eq!(stage.story(1).await, ["seat.held A-1-1", "seat.held A-1-2"]);
    assert!(stage.hold("alice", &["A-1-2", "A-1-3"]).await.is_err());
}

/// Equal to the deadline counts as expired, and the sweep says so in the hold's own chain.
pub async fn i6_a_hold_ends_at_its_deadline(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let cause = cause("alice");
    let seats = vec!["A-1-1".into(), "A-1-2".into()];
    let command = Command::Hold { seats, user: valid("alice"), hold: Uuid::new_v4() };
    must(must(on.store().execute(&stage.event, &command, &cause).await));
    stage.advance(TTL - 1).await;
    assert_eq!(must(on.store().expire_due().await), 0);
    stage.advance(1).await;
    assert_eq!(stage.reserve_seat("alice", "A-1-1").await, Err(Rejection::HoldExpired));
    assert_eq!(stage.release_seat("bob", "A-1-1").await, Err(Rejection::SeatNotHeld));
    assert_eq!(must(on.store().expire_due().await), 1);
    assert_eq!(must(on.store().expire_due().await), 0);
    assert_eq!(stage.story(3).await, ["seat.released A-1-1 Expired", "seat.released A-1-2 Expired"]);
    for released in stage.waiting().await.iter().skip(3) {
        assert_eq!(released.metadata.correlation_id, cause.correlation);
        assert_eq!(released.metadata.user_id, cause.user);
        assert_ne!(released.metadata.causation_id, cause.command);
    }
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
}

/// Nobody waits for the sweep: the lapsed hold is released, whole, before the new one begins.
pub async fn i6_a_lapsed_hold_makes_way_for_whoever_asks(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1", "A-1-2"]).await);
    stage.advance(TTL).await;
    must(stage.hold("bob", &["A-1-2"]).await);
    let story = ["seat.released A-1-1 Expired", "seat.released A-1-2 Expired", "seat.held A-1-2"];
    assert_eq!(stage.story(3).await, story);
    let users: Vec<_> = stage.waiting().await.into_iter().skip(3).map(|it| it.metadata.user_id).collect();
    assert_eq!(users, [Some(valid("alice")), Some(valid("alice")), Some(valid("bob"))]);
    assert_eq!(stage.reserve_seat("alice", "A-1-1").await, Err(Rejection::HoldExpired));
    assert_eq!(must(on.store().expire_due().await), 0);
}

/// Its holder learns what became of it, until nobody would ask any more.
pub async fn an_expired_hold_is_remembered_for_an_hour(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1"]).await).hold;
    stage.advance(TTL).await;
    must(on.store().expire_due().await);
    stage.advance(EXPIRED_HOLD_MEMORY - 1).await;
    must(on.store().expire_due().await);
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldExpired));
    assert_eq!(stage.reserve_hold("bob", hold).await, Err(Rejection::NotHolder));
    stage.advance(1).await;
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldNotFound));
    assert_eq!(must(on.store().expire_due().await), 0);
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldNotFound));
}

/// The rest of the hold stays what it was.
pub async fn reserving_one_seat_splits_it_off(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "FLOOR-1"]).await).hold;
    let (first, seats, _) = must(stage.reserve_seat("alice", "FLOOR-1").await);
    assert_eq!(seats, ["FLOOR-1 6000"]);
    let (second, seats, _) = must(stage.reserve_hold("alice", hold).await);
    assert_eq!(seats, ["A-1-1 12000"]);
    assert_ne!(first, second);
    let story = [
        "seat.reserved FLOOR-1",
        "reservation.created 6000",
        "seat.reserved A-1-1",
        "reservation.created 12000",
    ];
    assert_eq!(stage.story(3).await, story);
    assert_eq!(stage.counts().await, [5, 0, 2, 1]);
}

/// A repeat is answered, not refused, and writes nothing.
pub async fn reserving_again_gives_the_same_reservation(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    let first = must(stage.reserve_hold("alice", hold).await);
    assert_eq!(first.2, 6, "event.created, two seat.held, two seat.reserved, reservation.created");
    stage.advance(TTL * 2).await;
    assert_eq!(must(stage.reserve_hold("alice", hold).await), first);
    let (reservation, seats, sequence) = must(stage.reserve_seat("alice", "A-1-2").await);
    assert_eq!((reservation, seats.as_slice(), sequence), (first.0, &["A-1-2 12000".to_owned()][..], 6));
    assert_eq!(stage.waiting().await.len(), 6);
}

/// Seat by seat, until there is nothing left to hold.
pub async fn releasing_the_last_seat_ends_the_hold(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    assert_eq!(must(stage.release_seat("alice", "A-1-1").await), ["A-1-1"]);
    assert_eq!(must(stage.release_hold("alice", hold).await), ["A-1-2"]);
    assert_eq!(stage.release_hold("alice", hold).await, Err(Rejection::HoldNotFound));
    assert_eq!(stage.release_seat("alice", "A-1-1").await, Err(Rejection::SeatNotHeld));
    assert_eq!(stage.story(3).await, ["seat.released A-1-1 User", "seat.released A-1-2 User"]);
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
    must(stage.hold("bob", &["A-1-1", "A-1-2"]).await);
}

/// Each time `reservation.cancelled` names what left.
pub async fn cancelling_frees_seats_one_by_one_or_all(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2", "FLOOR-1"]).await).hold;
    let (reservation, ..) = must(stage.reserve_hold("alice", hold).await);
    assert_eq!(must(stage.release_seat("alice", "FLOOR-1").await), ["FLOOR-1"]);
    assert_eq!(must(stage.cancel("alice", reservation).await), ["A-1-1", "A-1-2"]);
    assert_eq!(stage.cancel("alice", reservation).await, Err(Rejection::ReservationNotFound));
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldNotFound));
    let story = [
        "seat.released FLOOR-1 Cancelled",
        "reservation.cancelled 6000",
        "seat.released A-1-1 Cancelled",
        "seat.released A-1-2 Cancelled",
        "reservation.cancelled 24000",
    ];
    assert_eq!(stage.story(8).await, story);
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
}

/// Held and reserved seats count together; what has lapsed and is in the way does not.
pub async fn nobody_claims_more_than_the_limit(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.limits.seats_per_user = Some(2)).await);
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    let refused = Err(Rejection::LimitExceeded { limit: 2, claimed: 1, wanted: 2 });
    assert_eq!(stage.hold("alice", &["A-1-2", "A-1-3"]).await, refused);
    must(stage.hold("alice", &["A-1-2"]).await);
    let refused = Err(Rejection::LimitExceeded { limit: 2, claimed: 2, wanted: 1 });
    assert_eq!(stage.hold("alice", &["A-1-3"]).await, refused);
    stage.advance(TTL).await;
    must(stage.hold("alice", &["A-1-2"]).await);
    must(stage.hold("bob", &["A-1-3", "A-1-4"]).await);
}

/// Not yet, not while paused, not any more. What is held may still be reserved.
pub async fn seats_are_held_in_the_sales_window_only(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1", "A-1-2"]).await);
    let (opens_at, closes_at) = (stage.now() + 1000, stage.now() + 2000);
    must(stage.redefine(|it| it.sales.paused = true).await);
    assert_eq!(stage.hold("bob", &["A-1-3"]).await, Err(Rejection::SalesPaused));
    must(
        stage
            .redefine(|it| (it.sales.opens_at, it.sales.closes_at) = (Some(opens_at), Some(closes_at)))
            .await,
    );
    assert_eq!(stage.hold("bob", &["A-1-3"]).await, Err(Rejection::SalesNotOpen { opens_at }));
    must(stage.reserve_seat("alice", "A-1-1").await);
    stage.advance(1000).await;
    must(stage.hold("bob", &["A-1-3"]).await);
    stage.advance(1000).await;
    assert_eq!(stage.hold("bob", &["A-1-4"]).await, Err(Rejection::SalesClosed));
    must(stage.reserve_seat("alice", "A-1-2").await);
}

/// A seat is reserved for what its holder was told.
pub async fn a_price_stands_from_the_hold_on(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1"]).await).hold;
    must(stage.redefine(|it| it.price_categories[0].amount = 15_000).await);
    assert_eq!(must(stage.hold("bob", &["A-1-2"]).await).seats, ["A-1-2 15000"]);
    assert_eq!(must(stage.reserve_hold("alice", hold).await).1, ["A-1-1 12000"]);
    assert_eq!(stage.story(5).await, ["reservation.created 12000"]);
}

/// Seats come, go and are blocked, but not from under anybody.
pub async fn a_definition_changes_where_no_claimed_seat_is_lost(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-3", "FLOOR-1"]).await);
    must(stage.reserve_seat("alice", "FLOOR-1").await);
    let refused = stage
        .redefine(|it| {
            it.sections.pop();
            it.blocked =
                vec![Blocked { seats: vec!["A-1-3".into(), "A-1-4".into()], reason: "stage".into() }];
        })
        .await;
    let expected = conflicts([("A-1-3", "HELD"), ("FLOOR-1", "RESERVED")]);
    assert_eq!(refused, Err(Rejection::SeatMapConflict(expected)));
    let changed = stage
        .redefine(|it| {
            it.sections[1].capacity = Some(1);
            it.blocked = vec![Blocked { seats: vec!["A-1-4".into()], reason: "stage".into() }];
        })
        .await;
    assert_eq!(must(changed).sequence, 6);
    assert_eq!(stage.counts().await, [4, 1, 1, 1]);
    assert_eq!(stage.story(5).await, ["event.updated"]);
    must(stage.hold("bob", &["A-2-2"]).await);
    let refused = Rejection::SeatNotFound(conflicts([("A-1-4", "BLOCKED"), ("FLOOR-2", "NOT_FOUND")]));
    assert_eq!(stage.hold("bob", &["A-1-4", "FLOOR-2"]).await, Err(refused));
}

/// However often the operator asks.
pub async fn an_unchanged_definition_writes_nothing(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let inventory = must(stage.provision(&definition()).await);
    assert_eq!((inventory.sequence, inventory.partition, inventory.closed), (1, 3, false));
    assert_eq!((inventory.definition, inventory.at), (definition(), stage.now()));
    let elsewhere = on.store().provision(&stage.event, &definition(), 7, &cause("operator")).await;
    assert_eq!(must(must(elsewhere)).partition, 3, "I4: the partition is pinned");
    assert_eq!(stage.story(0).await, ["event.created"]);
}

/// Sold seats stay sold; a definition opens the sale again.
pub async fn a_closed_sale_keeps_its_seats_and_may_reopen(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.run("operator", Command::Close).await);
    assert_eq!(stage.hold("bob", &["A-1-2"]).await, Err(Rejection::SalesClosed));
    assert!(must(on.store().inventory(&stage.event).await).is_some_and(|inventory| inventory.closed));
    must(stage.run("operator", Command::Close).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    must(stage.provision(&definition()).await);
    assert_eq!(
        stage.hold("bob", &["A-1-1"]).await,
        Err(Rejection::SeatNotAvailable(conflicts([("A-1-1", "RESERVED")])))
    );
    let story = ["event.deleted", "seat.reserved A-1-1", "reservation.created 12000", "event.updated"];
    assert_eq!(stage.story(2).await, story);
}

/// Each thing says itself that it is not there.
pub async fn what_is_not_there_is_not_found(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let nobody = Uuid::new_v4();
    let no_seat = || Rejection::SeatNotFound(conflicts([("B-1-1", "NOT_FOUND")]));
    assert_eq!(stage.reserve_seat("alice", "B-1-1").await, Err(no_seat()));
    assert_eq!(stage.release_seat("alice", "B-1-1").await, Err(no_seat()));
    assert_eq!(stage.reserve_seat("alice", "A-1-1").await, Err(Rejection::SeatNotHeld));
    assert_eq!(stage.reserve_hold("alice", nobody).await, Err(Rejection::HoldNotFound));
    assert_eq!(stage.cancel("alice", nobody).await, Err(Rejection::ReservationNotFound));
    let elsewhere = valid("elsewhere");
    assert_eq!(must(on.store().inventory(&elsewhere).await), None);
    let close = on.store().execute(&elsewhere, &Command::Close, &cause("operator")).await;
    assert_eq!(must(close), Err(Rejection::EventNotFound));
    let hold = on.store().hold(&HoldId::new(elsewhere, nobody), &valid("alice")).await;
    assert_eq!(must(hold), Err(Rejection::EventNotFound));
}

/// Commands on a definition that was changed, purged and made anew are decided on the one that stands.
pub async fn every_worker_learns_of_a_new_definition(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.redefine(|it| it.sections.truncate(1)).await);
    assert!(matches!(stage.hold("alice", &["FLOOR-1"]).await, Err(Rejection::SeatNotFound(_))));
    publish(&stage).await;
    assert!(must(on.store().purge(&stage.event).await));
    let smaller = stage.redefine(|it| {
        it.sections[0].rows.truncate(1);
        it.blocked.clear();
    });
    must(smaller.await);
    assert!(matches!(stage.hold("alice", &["A-2-1"]).await, Err(Rejection::SeatNotFound(_))));
}

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

/// Publishes everything that waits.
async fn publish<F: Fixture>(stage: &Stage<'_, F>) -> Lease {
    let bucket = stage.store().bucket_of(&stage.event);
    let lease = must(stage.store().acquire(bucket, Uuid::new_v4()).await);
    let lease = lease.unwrap_or_else(|| panic!("bucket {bucket} is taken"));
    let last = stage.waiting().await.last().and_then(|envelope| envelope.metadata.sequence).unwrap_or(0);
    assert_eq!(must(stage.store().published(&stage.event, &lease, last).await), Some(0));
    lease
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
    let again = Command::Hold { seats: vec!["A-1-4".into()], user: valid("bob"), hold: Uuid::new_v4() };
    let refused = on.store().execute(&stage.event, &again, &cause("bob")).await;
    assert!(matches!(refused, Err(StoreError::OutboxFull { depth: HIGH_WATERMARK, .. })), "{refused:?}");
    must(stage.hold("bob", &["A-1-3"]).await);
    must(stage.release_seat("alice", "A-1-1").await);
    must(stage.reserve_hold("alice", hold).await);
    publish(&stage).await;
    must(stage.hold("bob", &["A-1-4"]).await);
}

/// Nothing that happened is lost on the way to the log.
pub async fn a_purged_event_is_forgotten_once_its_outbox_is_empty(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    assert!(!must(on.store().purge(&stage.event).await));
    assert_eq!(must(on.store().inventories().await).len(), 1);
    publish(&stage).await;
    assert!(must(on.store().purge(&stage.event).await));
    assert_eq!(must(on.store().inventories().await), []);
    assert_eq!(stage.hold("alice", &["A-1-2"]).await, Err(Rejection::EventNotFound));
    assert!(must(on.store().purge(&stage.event).await), "once more is no harm");
}

/// In the order of their ids, with counts.
pub async fn inventories_show_every_event(on: &impl Fixture) {
    let (one, other) = (Stage::open(on).await, Stage::open(on).await);
    must(one.hold("alice", &["A-1-1"]).await);
    must(other.run("operator", Command::Close).await);
    let inventories = must(on.store().inventories().await);
    let mut expected = Vec::new();
    for stage in [&one, &other] {
        expected.extend(must(on.store().inventory(&stage.event).await));
    }
    expected.sort_by(|a, b| a.event.cmp(&b.event));
    assert_eq!(inventories, expected);
    assert_eq!(inventories.iter().map(|inventory| inventory.seats.held).sum::<u64>(), 1);
    assert_eq!(inventories.iter().filter(|inventory| inventory.closed).count(), 1);
}

/// Many buyers after few seats: as many winners as seats, and nobody has half of what they asked for.
pub async fn i1_racing_buyers_win_each_seat_once(on: &impl Fixture) {
    const PAIRS: [[&str; 2]; 5] = [
        ["A-1-1", "A-1-2"],
        ["A-1-2", "A-1-3"],
        ["A-1-3", "A-1-4"],
        ["A-1-4", "A-1-1"],
        ["FLOOR-1", "FLOOR-2"],
    ];
    let stage = Stage::open(on).await;
    let buyers: Vec<_> = (0..100).map(|n| (format!("buyer-{n}"), PAIRS[n % PAIRS.len()])).collect();
    let races = buyers.iter().map(|(buyer, pair)| stage.hold(buyer, pair));
    let won: Vec<_> = futures::future::join_all(races).await.into_iter().filter_map(Result::ok).collect();
    let seats: HashSet<_> = won.iter().flat_map(|held| held.seats.clone()).collect();
    assert_eq!(seats.len(), won.len() * 2, "no seat was won twice: {won:?}");
    assert_eq!(won.len(), 3, "every seat that could be won was: {won:?}");
    assert_eq!(stage.waiting().await.len(), 1 + seats.len());
    let single = (0..200).map(|n| {
        let stage = &stage;
        async move { stage.hold(&format!("late-{n}"), &["A-2-1"]).await.is_ok() }
    });
    let winners = futures::future::join_all(single).await.into_iter().filter(|won| *won).count();
    assert_eq!(winners, 1);
}
