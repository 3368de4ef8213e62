//! Sentences about seats that are reserved, and given back.

use boxoffice_domain::Rejection;

use super::stage::{Fixture, Stage, TTL, must};

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
    assert_eq!(must(stage.reserve_seat("alice", "A-1-2").await), first, "all of it");
    assert_eq!(stage.waiting().await.len(), 6);
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

/// A seat is reserved for what its holder was told.
pub async fn a_price_stands_from_the_hold_on(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1"]).await).hold;
    must(stage.redefine(|it| it.price_categories[0].amount = 15_000).await);
    assert_eq!(must(stage.hold("bob", &["A-1-2"]).await).seats, ["A-1-2 15000"]);
    assert_eq!(must(stage.reserve_hold("alice", hold).await).1, ["A-1-1 12000"]);
    assert_eq!(stage.story(5).await, ["reservation.created 12000"]);
}
