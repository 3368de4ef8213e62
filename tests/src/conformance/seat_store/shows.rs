//! Sentences about SeatingEvents: defined, changed, closed, counted and purged.

use boxoffice_command::store::{Inventory, Listing, Outbox, Provisioning, SeatStore};
use boxoffice_domain::definition::Blocked;
use boxoffice_domain::{Command, HoldId, Rejection};
use uuid::Uuid;

use super::expire_due;
use super::stage::{Fixture, Stage, cause, definition, must, valid};
use super::{conflicts, publish};

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
    assert_eq!(must(refused).refused, expected);
    let changed = stage
        .redefine(|it| {
            it.sections[1].capacity = Some(1);
            it.blocked = vec![Blocked { seats: vec!["A-1-4".into()], reason: "stage".into() }];
        })
        .await;
    assert_eq!(must(changed).inventory.sequence, 6);
    assert_eq!(stage.counts().await, [4, 1, 1, 1]);
    assert_eq!(stage.story(5).await, ["event.updated"]);
    must(stage.hold("bob", &["A-2-2"]).await);
    let refused = Rejection::SeatNotFound(conflicts([("A-1-4", "BLOCKED"), ("FLOOR-2", "NOT_FOUND")]));
    assert_eq!(stage.hold("bob", &["A-1-4", "FLOOR-2"]).await, Err(refused));
}

/// However often the operator asks.
pub async fn an_unchanged_definition_writes_nothing(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let made = stage.now();
    stage.advance(5_000).await;
    let Provisioning { inventory, refused } = must(stage.provision(&definition()).await);
    assert_eq!((refused, inventory.last_event_at), (vec![], Some(made)));
    assert_eq!((inventory.sequence, inventory.partition, inventory.closed), (1, 3, false));
    assert_eq!(inventory.chart_hash, definition().chart_hash());
    assert_eq!(inventory.definition_hash, definition().digest());
    assert_eq!((inventory.definition, inventory.at), (Some(definition()), stage.now()));
    let elsewhere = on.store().provision(&stage.event, &definition(), 7, &cause("operator")).await;
    assert_eq!(must(must(elsewhere)).inventory.partition, 3, "I4: the partition is pinned");
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
    assert_eq!(stage.reserve_seat("alice", "A-1-1").await, Err(Rejection::SalesClosed));
    assert_eq!(stage.staff_hold("bob", &["A-1-2"]).await, Err(Rejection::SalesClosed));
    must(stage.provision(&definition()).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    assert_eq!(
        stage.hold("bob", &["A-1-1"]).await,
        Err(Rejection::SeatNotAvailable(conflicts([("A-1-1", "RESERVED")])))
    );
    let story = ["event.deleted", "event.updated", "seat.reserved A-1-1", "reservation.created 12000"];
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
    must(stage.purge().await);
    let smaller = stage.redefine(|it| {
        it.sections[0].rows.truncate(1);
        it.blocked.clear();
    });
    must(smaller.await);
    assert!(matches!(stage.hold("alice", &["A-2-1"]).await, Err(Rejection::SeatNotFound(_))));
}

/// In the order of their ids, with counts.
pub async fn inventories_show_every_event(on: &impl Fixture) {
    let (one, other) = (Stage::open(on).await, Stage::open(on).await);
    must(one.hold("alice", &["A-1-1"]).await);
    must(other.run("operator", Command::Close).await);
    let Listing { inventories, unreadable, is_partial } = must(on.store().inventories().await);
    assert_eq!(unreadable, []);
    assert!(!is_partial);
    let mut expected = Vec::new();
    for stage in [&one, &other] {
        let inventory = must(on.store().inventory(&stage.event).await);
        expected.extend(inventory.map(|inventory| Inventory { definition: None, ..inventory }));
    }
    expected.sort_by(|a, b| a.event.cmp(&b.event));
    assert_eq!(inventories, expected);
    assert_eq!(inventories.iter().map(|inventory| inventory.seats.held).sum::<u64>(), 1);
    assert_eq!(inventories.iter().filter(|inventory| inventory.closed).count(), 1);
}

/// Seats, holds with their deadlines, reservations, the watermark and what waits for the log: a process that ends without
/// a warning takes none of it along.
pub async fn a_restart_forgets_nothing_that_was_acknowledged(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await);
    publish(&stage).await;
    let lapsing = must(stage.hold("bob", &["FLOOR-1"]).await);
    let (reservation, ..) = must(stage.reserve_seat("alice", "A-1-1").await);
    let waiting = stage.waiting().await;
    on.restart().await;
    assert_eq!((stage.waiting().await, must(on.store().watermark(&stage.event).await)), (waiting, 3));
    assert_eq!(stage.counts().await, [4, 2, 1, 1]);
    assert_eq!(must(stage.hold("alice", &["A-1-2"]).await).hold, hold.hold);
    assert_eq!(must(stage.reserve_seat("alice", "A-1-1").await).0, reservation);
    let taken = Rejection::SeatNotAvailable(conflicts([("A-1-1", "RESERVED"), ("A-1-2", "HELD")]));
    assert_eq!(stage.hold("carol", &["A-1-1", "A-1-2"]).await, Err(taken));
    stage.advance(lapsing.expires_at - stage.now()).await;
    on.restart().await;
    assert_eq!(must(expire_due(&*on.store()).await), 2);
    assert_eq!(stage.reserve_hold("bob", lapsing.hold).await, Err(Rejection::HoldExpired));
    let story = ["seat.held FLOOR-1", "seat.reserved A-1-1", "reservation.created 12000"];
    assert_eq!(stage.story(0).await[..3], story);
    assert_eq!(stage.counts().await, [6, 0, 1, 1]);
}

/// Whatever is held, sold or still on its way to the log: that is published all the same.
pub async fn a_purge_is_a_domain_event_and_leaves_nothing_to_find(on: &impl Fixture) {
    let (stage, other) = (Stage::open(on).await, Stage::open(on).await);
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await);
    let (reservation, ..) = must(stage.reserve_seat("alice", "A-1-1").await);
    must(stage.purge().await);
    let story = [
        "event.created",
        "seat.held A-1-1",
        "seat.held A-1-2",
        "seat.reserved A-1-1",
        "reservation.created 12000",
        "event.purged",
    ];
    let gone = Rejection::EventNotFound;
    for restarts in [false, true] {
        if restarts {
            on.restart().await;
        }
        assert_eq!(stage.story(0).await, story);
        assert_eq!(stage.hold("bob", &["A-1-3"]).await, Err(gone.clone()));
        assert_eq!(stage.reserve_seat("alice", "A-1-2").await, Err(gone.clone()));
        assert_eq!(stage.release_hold("alice", hold.hold).await, Err(gone.clone()));
        assert_eq!(stage.cancel("alice", reservation).await, Err(gone.clone()));
        assert_eq!(stage.staff_hold("bob", &["A-1-3"]).await, Err(gone.clone()));
        assert_eq!(stage.run("operator", Command::Close).await, Err(gone.clone()));
        assert_eq!(stage.purge().await, Err(gone.clone()), "once more is no harm");
        let found = on.store().hold(&HoldId::new(stage.event.clone(), hold.hold), &valid("alice")).await;
        assert_eq!(must(found), Err(gone.clone()));
        assert_eq!(must(on.store().inventory(&stage.event).await), None);
        let Listing { inventories, .. } = must(on.store().inventories().await);
        assert_eq!(inventories.iter().map(|it| &it.event).collect::<Vec<_>>(), [&other.event]);
    }
    stage.advance(hold.expires_at - stage.now()).await;
    assert_eq!(must(expire_due(&*on.store()).await), 0, "nothing is left to expire");
    publish(&stage).await;
    let left = on.state(&stage.event).await;
    assert_eq!((left.sequence, left.sale.is_none()), (6, true));
    assert_eq!((left.seats.len(), left.holds.len()), (0, 0));
    assert_eq!((left.reservations.len(), left.claims.len()), (0, 0));
}

/// Its seats are free, nobody has claimed any, and whoever reads the log meets the next sequence on the same partition.
pub async fn a_purged_event_that_is_created_anew_goes_on(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1", "FLOOR-2"]).await);
    must(stage.reserve_seat("alice", "A-1-1").await);
    let lapsing = must(stage.hold("bob", &["FLOOR-1"]).await);
    // A seat map is wanted that seats stand in the way of.
    assert_ne!(must(stage.redefine(|it| drop(it.sections.pop())).await).refused, []);
    let before = stage.waiting().await.len() as u64;
    must(stage.purge().await);
    on.restart().await;
    let anew = on.store().provision(&stage.event, &definition(), 7, &cause("operator")).await;
    let inventory = must(must(anew)).inventory;
    assert_eq!((inventory.sequence, inventory.partition, inventory.closed), (before + 2, 3, false));
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
    stage.advance(1).await;
    must(stage.hold("carol", &["A-1-1", "FLOOR-1"]).await);
    stage.advance(lapsing.expires_at - stage.now()).await;
    assert_eq!(must(expire_due(&*on.store()).await), 0, "no deadline of before is left");
    must(stage.hold("dora", &["FLOOR-2"]).await);
    must(stage.release_seat("dora", "FLOOR-2").await);
    let story = [
        "event.purged",
        "event.created",
        "seat.held A-1-1",
        "seat.held FLOOR-1",
        "seat.held FLOOR-2",
        "seat.released FLOOR-2 User",
    ];
    let skipped = usize::try_from(before).unwrap_or_default();
    assert_eq!(stage.story(skipped).await, story, "what was wanted before is not wanted any more");
    let sequences: Vec<_> = stage.waiting().await.iter().filter_map(|it| it.metadata.sequence).collect();
    assert_eq!(sequences, (1..=before + 6).collect::<Vec<_>>(), "I3");
    publish(&stage).await;
    must(stage.purge().await);
    let francs =
        stage.redefine(|it| it.price_categories.iter_mut().for_each(|it| it.currency = "CHF".into()));
    assert_eq!(must(francs.await).inventory.sequence, before + 8, "nothing binds it to what it was");
    assert_eq!(must(on.store().watermark(&stage.event).await), before + 6);
}
