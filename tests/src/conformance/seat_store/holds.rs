//! Sentences about seats that are held: until they are reserved, given back, or the deadline passes.

use std::collections::HashSet;

use boxoffice_command::store::SeatStore;
use boxoffice_domain::command::MOST_SEATS_OF_A_HOLD;
use boxoffice_domain::state::EXPIRED_HOLD_MEMORY;
use boxoffice_domain::{Answer, Area, Command, HoldId, Rejection, Wanted};
use uuid::Uuid;

use super::expire_due;
use super::stage::{Fixture, Stage, TTL, cause, held, in_words, must, named, reserved, valid};
use super::{conflicts, own_conflicts, publish};

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
    let command = Command::Hold { wanted: seats.into(), user: valid("alice"), hold: Uuid::new_v4() };
    must(must(on.store().execute(&stage.event, &command, &cause).await));
    stage.advance(TTL - 1).await;
    assert_eq!(must(expire_due(&*on.store()).await), 0);
    stage.advance(1).await;
    assert_eq!(stage.reserve_seat("alice", "A-1-1").await, Err(Rejection::HoldExpired));
    assert_eq!(stage.release_seat("bob", "A-1-1").await, Err(Rejection::SeatNotHeld));
    assert_eq!(must(expire_due(&*on.store()).await), 1);
    assert_eq!(must(expire_due(&*on.store()).await), 0);
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
    assert_eq!(must(expire_due(&*on.store()).await), 0);
}

/// Its holder learns what became of it, until nobody would ask any more.
pub async fn an_expired_hold_is_remembered_for_an_hour(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1"]).await).hold;
    stage.advance(TTL).await;
    must(expire_due(&*on.store()).await);
    stage.advance(EXPIRED_HOLD_MEMORY - 1).await;
    must(expire_due(&*on.store()).await);
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldExpired));
    assert_eq!(stage.reserve_hold("bob", hold).await, Err(Rejection::NotHolder));
    stage.advance(1).await;
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldNotFound));
    assert_eq!(must(expire_due(&*on.store()).await), 0);
    assert_eq!(stage.reserve_hold("alice", hold).await, Err(Rejection::HoldNotFound));
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

/// A cart that is clicked together: all or none, and it lasts no longer for it.
pub async fn a_hold_grows_until_its_own_deadline(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-2"]).await);
    must(stage.hold("bob", &["A-1-4"]).await);
    stage.advance(1000).await;
    let refused = stage.add("alice", hold.hold, named(&["A-1-3", "A-1-4"])).await;
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-4", "HELD")]))));
    let grown = must(stage.add("alice", hold.hold, named(&["A-1-1", "A-1-2", "FLOOR-1"])).await);
    assert_eq!(grown.seats, ["A-1-2 12000", "A-1-1 12000", "FLOOR-1 6000"]);
    assert_eq!((grown.hold, grown.expires_at), (hold.hold, hold.expires_at));
    assert_eq!(must(stage.add("alice", hold.hold, named(&["A-1-1"])).await), grown, "it has that already");
    assert_eq!(stage.add("bob", hold.hold, named(&["A-1-3"])).await, Err(Rejection::NotHolder));
    let story = ["seat.held A-1-2", "seat.held A-1-4", "seat.held A-1-1", "seat.held FLOOR-1"];
    assert_eq!(stage.story(1).await, story);
    on.restart().await;
    stage.advance(TTL - 1000).await;
    let late = stage.add("alice", hold.hold, named(&["A-1-3"])).await;
    assert_eq!(late, Err(Rejection::HoldExpired));
    assert_eq!(must(expire_due(&*on.store()).await), 2);
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
}

/// A cart has an end: what it becomes is one record of the log. All of a large one is given back too.
pub async fn a_hold_grows_to_what_its_reservation_can_tell(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[1].capacity = Some(2 * MOST_SEATS_OF_A_HOLD)).await);
    let units = |quantity| Wanted::These {
        seats: vec![],
        areas: vec![Area { section_id: "FLOOR".into(), quantity }],
    };
    let hold = must(stage.hold_wanted("alice", units(MOST_SEATS_OF_A_HOLD - 1)).await).hold;
    let refused = Rejection::HoldFull { has: MOST_SEATS_OF_A_HOLD - 1, wanted: 2 };
    assert_eq!(stage.add("alice", hold, units(2)).await, Err(refused.clone()));
    assert_eq!(stage.add("alice", hold, named(&["A-1-1", "A-1-2"])).await, Err(refused));
    publish(&stage).await;
    must(stage.add("alice", hold, named(&["A-1-1"])).await);
    let full = Rejection::HoldFull { has: MOST_SEATS_OF_A_HOLD, wanted: 1 };
    assert_eq!(stage.add("alice", hold, named(&["A-1-2"])).await, Err(full));
    must(stage.add("alice", hold, named(&["A-1-1"])).await);
    let released = must(stage.release_hold("alice", hold).await);
    assert_eq!(u32::try_from(released.len()), Ok(MOST_SEATS_OF_A_HOLD));
    assert_eq!(stage.counts().await, [u64::from(2 * MOST_SEATS_OF_A_HOLD) + 5, 0, 0, 1]);
}

/// Whoever gives back a part is told what is left, and readers wait for the sequence that changed it.
pub async fn a_release_tells_what_is_left(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2", "FLOOR-1"]).await);
    let release = |seat: &str| Command::ReleaseSeat { seat: seat.into(), user: valid("alice") };
    let told = |answer: Answer| match answer {
        Answer::Released { released, left, expires_at, sequence, .. } => {
            (released, in_words(&left), expires_at, sequence)
        }
        other => panic!("nothing released: {other:?}"),
    };
    let (released, left, expires_at, sequence) = told(must(stage.run("alice", release("A-1-2")).await));
    assert_eq!((released, left), (vec!["A-1-2".into()], vec!["A-1-1 12000".into(), "FLOOR-1 6000".into()]));
    assert_eq!((expires_at, sequence), (Some(hold.expires_at), 5));
    let found = must(on.store().hold(&HoldId::new(stage.event.clone(), hold.hold), &valid("alice")).await);
    assert_eq!(held(must(found)).sequence, 5, "the sequence of what is told");
    must(stage.reserve_hold("alice", hold.hold).await);
    let (released, left, expires_at, _) = told(must(stage.run("alice", release("FLOOR-1")).await));
    assert_eq!((released, left), (vec!["FLOOR-1".into()], vec!["A-1-1 12000".into()]));
    assert_eq!(expires_at, None, "a reservation does not expire");
    let (_, left, ..) = told(must(stage.run("alice", release("A-1-1")).await));
    assert_eq!(left, Vec::<String>::new());
}

/// One's own claims are told apart from those of others.
pub async fn what_is_ones_own_is_told_in_conflicts(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-1"]).await);
    must(stage.hold("alice", &["A-1-2"]).await);
    must(stage.reserve_seat("alice", "A-1-2").await);
    let refused = stage.hold("alice", &["A-1-1", "A-1-2", "A-2-2"]).await;
    let mut expected = own_conflicts([("A-1-1", "HELD"), ("A-1-2", "RESERVED")]);
    expected.extend(conflicts([("A-2-2", "BLOCKED")]));
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(expected)));
}

/// An id that derives from an idempotency key is one hold, whatever was forgotten in between.
pub async fn a_hold_is_made_once_under_its_id(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let hold = Uuid::new_v4();
    let again = async |user: &str, wanted: Wanted| {
        stage.run(user, Command::Hold { wanted, user: valid(user), hold }).await
    };
    let first = held(must(again("alice", named(&["A-1-1", "A-1-2"])).await));
    assert_eq!(held(must(again("alice", named(&["A-1-1", "A-1-2"])).await)), first);
    for (user, seats) in [("alice", &["A-1-1", "A-1-3"][..]), ("bob", &["A-1-1", "A-1-2"])] {
        assert_eq!(again(user, named(seats)).await, Err(Rejection::OtherSeatsHeld), "{user} {seats:?}");
    }
    on.restart().await;
    must(stage.reserve_hold("alice", hold).await);
    let now = must(again("alice", named(&["A-1-1", "A-1-2"])).await);
    assert_eq!(reserved(now).1, first.seats, "it is reserved by now");
    let other = Uuid::new_v4();
    let lapsing = async || {
        let wanted = named(&["A-1-3"]);
        stage.run("alice", Command::Hold { wanted, user: valid("alice"), hold: other }).await
    };
    must(lapsing().await);
    stage.advance(TTL).await;
    assert_eq!(must(expire_due(&*on.store()).await), 1);
    assert_eq!(lapsing().await, Err(Rejection::HoldExpired), "it is never made again");
    assert_eq!(stage.story(7).await, ["seat.released A-1-3 Expired"]);
}
