//! Sentences about what box-office staff do for buyers.

use boxoffice_domain::events::{DomainEvent, PaidBy};
use boxoffice_domain::{Command, Rejection};
use uuid::Uuid;

use super::conflicts;
use super::expire_due;
use super::stage::{Fixture, Stage, TTL, must, reserved, valid};

/// Neither window nor pause nor limit is for them, but what somebody has is.
pub async fn staff_hold_where_buyers_may_not(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("bob", &["A-1-3"]).await);
    let changed = stage.redefine(|it| {
        it.sales.paused = true;
        it.limits.seats_per_user = Some(1);
    });
    must(changed.await);
    let refused = stage.staff_hold("alice", &["A-1-1", "A-1-3"]).await;
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-3", "HELD")]))));
    let held = must(stage.staff_hold("alice", &["A-1-1", "A-2-2", "FLOOR-1"]).await);
    assert_eq!(held.seats, ["A-1-1 12000", "A-2-2 12000", "FLOOR-1 6000"]);
    assert_eq!(held.expires_at, stage.now() + TTL);
    let only_free = Command::StaffHold {
        seats: vec!["A-1-2".into()],
        user: valid("carol"),
        hold: Uuid::new_v4(),
        blocked: false,
    };
    must(stage.block(&["A-1-2"], "rain").await);
    let refused = stage.staff(only_free).await;
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-2", "BLOCKED")]))));
    must(stage.reserve_hold("alice", held.hold).await);
    assert_eq!(stage.counts().await, [3, 1, 3, 1]);
}

/// With its reason, whoever ends the hold; sold it is sold.
pub async fn a_blocked_seat_that_staff_held_is_blocked_again(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.block(&["A-1-1"], "rain").await);
    must(stage.staff_hold("alice", &["A-1-1"]).await);
    must(stage.release_seat("alice", "A-1-1").await);
    let taken = must(stage.staff_hold("alice", &["A-1-1"]).await);
    on.restart().await;
    must(stage.staff(Command::StaffRelease { hold: taken.hold, note: Some("no show".into()) }).await);
    must(stage.staff_hold("alice", &["A-1-1", "A-2-2"]).await);
    stage.advance(TTL).await;
    assert_eq!(must(expire_due(&*on.store()).await), 1);
    let story = [
        "seat.held A-1-1",
        "seat.released A-1-1 User",
        "seat.blocked A-1-1 rain",
        "seat.held A-1-1",
        "seat.released A-1-1 Admin",
        "seat.blocked A-1-1 rain",
        "seat.held A-1-1",
        "seat.held A-2-2",
        "seat.released A-1-1 Expired",
        "seat.blocked A-1-1 rain",
        "seat.released A-2-2 Expired",
        "seat.blocked A-2-2 camera",
    ];
    assert_eq!(stage.story(2).await, story);
    let notes: Vec<_> = stage.waiting().await.into_iter().filter_map(|it| note_of(&it.event)).collect();
    assert_eq!(notes, ["no show"]);
    assert_eq!(stage.counts().await, [6, 0, 0, 2]);
    let sold = must(stage.staff_hold("alice", &["A-1-1"]).await);
    must(stage.reserve_hold("alice", sold.hold).await);
    must(stage.release_seat("alice", "A-1-1").await);
    must(stage.hold("bob", &["A-1-1"]).await);
}

/// A definition that unblocks it says so for after the hold.
pub async fn a_seat_that_is_unblocked_meanwhile_is_free_afterwards(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let held = must(stage.staff_hold("alice", &["A-2-2"]).await);
    assert_eq!(must(stage.redefine(|it| it.blocked.clear()).await).refused, []);
    must(stage.release_hold("alice", held.hold).await);
    must(stage.hold("bob", &["A-2-2"]).await);
    let story = ["seat.held A-2-2", "event.updated", "seat.released A-2-2 User", "seat.held A-2-2"];
    assert_eq!(stage.story(1).await, story);
}

/// Such a reservation says by what it is paid; doing it twice is done once.
pub async fn staff_sell_at_the_counter(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "FLOOR-1"]).await).hold;
    let sell = async || {
        let command = Command::StaffReserve { hold, reservation: Uuid::new_v4() };
        stage.staff(command).await.map(reserved)
    };
    let sold = must(sell().await);
    assert_eq!(sold.1, ["A-1-1 12000", "FLOOR-1 6000"]);
    assert_eq!(must(sell().await), sold);
    assert_eq!(must(stage.reserve_hold("alice", hold).await), sold, "it is hers");
    let last = stage.waiting().await.pop().map(|it| it.event);
    let Some(DomainEvent::ReservationCreated(created)) = last else { panic!("{last:?}") };
    assert_eq!((created.user_id, created.paid_by), (valid("alice"), Some(PaidBy::Counter)));
    let unknown = Command::StaffReserve { hold: Uuid::new_v4(), reservation: Uuid::new_v4() };
    assert_eq!(stage.staff(unknown).await, Err(Rejection::HoldNotFound));
}

/// Also when buyers themselves may not any more, and with a note.
pub async fn staff_cancel_after_the_last_moment(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let cancel_until = stage.now() + 1000;
    must(stage.redefine(|it| it.sales.cancel_until = Some(cancel_until)).await);
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2", "A-1-3"]).await).hold;
    let (reservation, ..) = must(stage.reserve_hold("alice", hold).await);
    stage.advance(1000).await;
    must(stage.release_seat("alice", "A-1-3").await);
    stage.advance(1).await;
    let closed = Err(Rejection::CancellationClosed { cancel_until });
    assert_eq!(stage.release_seat("alice", "A-1-1").await, closed);
    assert_eq!(stage.cancel("alice", reservation).await, closed);
    must(stage.staff(Command::StaffCancel { reservation, note: Some("ill | \"at\" home".into()) }).await);
    let story = ["seat.released A-1-1 Admin", "seat.released A-1-2 Admin", "reservation.cancelled 24000"];
    assert_eq!(stage.story(11).await, story);
    let notes: Vec<_> = stage.waiting().await.into_iter().filter_map(|it| note_of(&it.event)).collect();
    assert_eq!(notes, ["ill | \"at\" home"; 3]);
    let again = stage.staff(Command::StaffCancel { reservation, note: None }).await;
    assert_eq!(again, Err(Rejection::ReservationNotFound));
}

fn note_of(event: &DomainEvent) -> Option<String> {
    match event {
        DomainEvent::SeatReleased(e) => e.note.clone(),
        DomainEvent::ReservationCancelled(e) => e.note.clone(),
        _ => None,
    }
}
