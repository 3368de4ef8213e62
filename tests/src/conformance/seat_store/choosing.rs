//! Sentences about seats that the store chooses, holds that are extended, and seats that are taken off sale.

use std::collections::HashSet;

use boxoffice_command::store::SeatStore;
use boxoffice_domain::command::ConflictReason::SingleSeatGap;
use boxoffice_domain::definition::{GapPolicy, Point, Rows};
use boxoffice_domain::{Best, Conflict, HoldId, Rejection, Together, Wanted};

use super::conflicts;
use super::expire_due;
use super::stage::{Fixture, Stage, TTL, best_in, held, must, valid};

/// Three of six are taken from the layer, because from the middle they would leave a single one on one side.
pub async fn the_best_seats_are_in_the_middle_of_the_best_row_and_leave_none_single(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[0].rows[0].seats = "1-6".into()).await);
    let pair = must(stage.hold_best("alice", 2).await);
    assert_eq!(pair.seats, ["A-1-3 12000", "A-1-4 12000"]);
    assert_eq!((pair.expires_at, pair.sequence), (stage.now() + TTL, 4));
    assert_eq!(stage.story(2).await, ["seat.held A-1-3", "seat.held A-1-4"]);
    must(stage.release_hold("alice", pair.hold).await);
    let three = must(stage.hold_best("alice", 3).await);
    assert_eq!(three.seats, ["A-1-1 12000", "A-1-2 12000", "A-1-3 12000"]);
    assert_eq!(stage.counts().await, [6, 3, 0, 1]);
}

/// Whichever are free, and at the area's price.
pub async fn units_of_an_area_are_counted_off(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[1].capacity = Some(4)).await);
    must(stage.hold("alice", &["FLOOR-2"]).await);
    let units = must(stage.hold_with("bob", &[], &[("FLOOR", 2)]).await);
    assert_eq!(units.seats, ["FLOOR-1 6000", "FLOOR-3 6000"]);
    let more = must(stage.hold_with("bob", &[], &[("FLOOR", 1)]).await);
    assert_ne!(more.hold, units.hold, "units are not asked for again, but more of them");
    assert_eq!(more.seats, ["FLOOR-4 6000"]);
    let refused = stage.hold_with("bob", &[], &[("FLOOR", 1)]).await;
    assert_eq!(refused, Err(not_enough(1, 0, Some("FLOOR"))));
}

/// One hold, or none of it.
pub async fn seats_and_areas_are_held_together_all_or_none(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-4", "FLOOR-2"]).await);
    let refused = stage.hold_with("bob", &["A-1-1"], &[("FLOOR", 2)]).await;
    assert_eq!(refused, Err(not_enough(2, 1, Some("FLOOR"))));
    let refused = stage.hold_with("bob", &["A-1-3", "A-1-4"], &[("FLOOR", 1)]).await;
    assert_eq!(refused, Err(Rejection::SeatNotAvailable(conflicts([("A-1-4", "HELD")]))));
    assert_eq!(stage.counts().await, [5, 2, 0, 1]);
    let both = must(stage.hold_with("bob", &["A-1-2", "A-1-1"], &[("FLOOR", 1)]).await);
    assert_eq!(both.seats, ["A-1-2 12000", "A-1-1 12000", "FLOOR-1 6000"]);
    let (_, reserved, _) = must(stage.reserve_hold("bob", both.hold).await);
    assert_eq!(reserved, both.seats);
    assert_eq!(stage.counts().await, [2, 2, 3, 1]);
}

/// What is blocked, taken or general admission does not count.
pub async fn too_few_seats_are_refused_with_how_many_there_are(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    assert_eq!(stage.hold_best("alice", 6).await, Err(not_enough(6, 5, None)));
    must(stage.hold("bob", &["A-1-1"]).await);
    let in_section = stage.hold_wanted("alice", best_in(5, Some("A"), Some("gold"))).await;
    assert_eq!(in_section, Err(not_enough(5, 4, Some("A"))));
    let of_category = stage.hold_wanted("alice", best_in(1, None, Some("silver"))).await;
    assert!(matches!(of_category, Err(Rejection::WrongSection { .. })), "the floor: {of_category:?}");
    let unknown = stage.hold_wanted("alice", best_in(1, Some("Z"), None)).await;
    assert!(matches!(unknown, Err(Rejection::SectionNotFound { .. })), "{unknown:?}");
    let numbered = stage.hold_with("alice", &[], &[("A", 1)]).await;
    assert!(matches!(numbered, Err(Rejection::WrongSection { .. })), "{numbered:?}");
    assert_eq!(must(stage.hold_best("alice", 4).await).seats.len(), 4);
}

/// Chosen seats are claims like others.
pub async fn the_limit_counts_chosen_seats(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.limits.seats_per_user = Some(3)).await);
    let refused = |claimed, wanted| Err(Rejection::LimitExceeded { limit: 3, claimed, wanted });
    assert_eq!(stage.hold_best("alice", 4).await, refused(0, 4));
    must(stage.hold_best("alice", 2).await);
    assert_eq!(stage.hold_with("alice", &[], &[("FLOOR", 2)]).await, refused(2, 2));
    must(stage.hold_with("alice", &[], &[("FLOOR", 1)]).await);
    assert_eq!(stage.hold_best("alice", 1).await, refused(3, 1));
    must(stage.hold_best("bob", 2).await);
}

/// A lapsed hold, a given back one, a cancelled reservation and an unblocked seat leave nothing behind.
pub async fn what_becomes_free_is_chosen_again(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let best = ["A-1-1 12000", "A-1-2 12000"];
    let again = async |user: &str| {
        let held = must(stage.hold_best(user, 2).await);
        assert_eq!(held.seats, best, "{user}");
        held.hold
    };
    let given_back = again("alice").await;
    must(stage.release_hold("alice", given_back).await);
    again("bob").await;
    stage.advance(TTL).await;
    again("carol").await;
    stage.advance(TTL).await;
    assert_eq!(must(expire_due(&*on.store()).await), 1);
    let hold = again("dave").await;
    let (reservation, ..) = must(stage.reserve_hold("dave", hold).await);
    must(stage.cancel("dave", reservation).await);
    must(stage.block(&["A-1-1"], "rain").await);
    let beside = must(stage.hold_best("erin", 2).await);
    assert_eq!(beside.seats, ["A-1-2 12000", "A-1-3 12000"]);
    must(stage.release_seat("erin", "A-1-2").await);
    must(stage.release_seat("erin", "A-1-3").await);
    must(stage.unblock(&["A-1-1"]).await);
    again("frank").await;
}

/// The definition blocked it once, but it was put back on sale by hand and belongs to somebody since.
pub async fn i1_a_definition_does_not_free_what_somebody_has(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.unblock(&["A-2-2"]).await);
    must(stage.hold("alice", &["A-2-2"]).await);
    must(stage.redefine(|it| it.blocked.clear()).await);
    assert_eq!(must(stage.hold_best("bob", 5).await).seats.len(), 5);
    assert_eq!(stage.hold_best("carol", 1).await, Err(not_enough(1, 0, None)));
    must(stage.reserve_seat("alice", "A-2-2").await);
}

/// Seats come and the stage moves: what is best is worked out anew, and what is taken stays so, also in a worker that
/// has just begun.
pub async fn the_choice_follows_a_floor_plan_that_changes(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.hold("alice", &["A-1-2"]).await);
    let changed = stage.redefine(|it| {
        it.focal_point = Some(Point { x: 0.0, y: 9.0 });
        it.blocked.clear();
        for row in &mut it.sections[0].rows {
            row.seats = "1-6".into();
        }
    });
    must(changed.await);
    assert_eq!(must(stage.hold_best("bob", 2).await).seats, ["A-2-3 12000", "A-2-4 12000"]);
    on.restart().await;
    let rows = must(stage.hold_best("carol", 6).await).seats;
    let expected = ["A-2-1", "A-2-2", "A-2-5", "A-2-6", "A-1-3", "A-1-4"].map(|seat| format!("{seat} 12000"));
    assert_eq!(rows, expected, "the rest of the best row, and the middle of the next");
    assert_eq!(stage.counts().await, [5, 9, 0, 0]);
}

/// The best seats of a first row that has `seats`, which are given back.
async fn best_of<F: Fixture>(stage: &Stage<'_, F>, seats: &str, quantity: u32) -> String {
    must(stage.redefine(|it| it.sections[0].rows[0].seats = seats.into()).await);
    let held = must(stage.hold_best("alice", quantity).await);
    must(stage.release_hold("alice", held.hold).await);
    held.seats.join(" ").replace(" 12000", "")
}

/// What stands beside an aisle, or is numbered too far away, is no neighbour.
pub async fn the_best_seats_are_on_one_side_of_an_aisle(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    assert_eq!(best_of(&stage, "1-14,17-30", 4).await, "A-1-11 A-1-12 A-1-13 A-1-14");
    assert_eq!(best_of(&stage, "1-8,11-18", 2).await, "A-1-7 A-1-8");
    assert_eq!(best_of(&stage, "1-8 | 9-16", 2).await, "A-1-7 A-1-8");
}

/// However they are numbered.
pub async fn seats_are_neighbours_as_their_row_has_them(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let middle = best_of(&stage, "9-1/2,2-10/2", 2).await;
    assert_eq!(middle, "A-1-1 A-1-2", "the odd side meets the even one");
    assert_eq!(best_of(&stage, "06-01", 2).await, "A-1-04 A-1-03");
    assert_eq!(best_of(&stage, "X | 01-06 | 6,Y", 2).await, "A-1-03 A-1-04");
    assert_eq!(best_of(&stage, "3-1 | X,7,8", 5).await, "A-1-3 A-1-2 A-1-1 A-1-X A-1-7");
}

/// Others are none, however many there are.
pub async fn where_it_is_required_only_neighbours_are_held(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[0].rows[0].seats = "1-3 | 4-6".into()).await);
    let wanted = |quantity| match best_in(quantity, None, None) {
        Wanted::Best(best) => Wanted::Best(Best { together: Some(Together::Required), ..best }),
        wanted @ Wanted::These { .. } => wanted,
    };
    assert_eq!(stage.hold_wanted("alice", wanted(4)).await, Err(not_enough(4, 7, None)));
    let three = must(stage.hold_wanted("alice", wanted(3)).await);
    assert_eq!(three.seats, ["A-1-1 12000", "A-1-2 12000", "A-1-3 12000"]);
    assert_eq!(must(stage.hold_best("bob", 4).await).seats.len(), 4);
}

/// Rows on both sides of one that has nothing left are not one behind the other, also where nobody has looked at it yet.
pub async fn rows_with_a_full_one_between_are_not_adjacent(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let changed = stage.redefine(|it| {
        let first = it.sections[0].rows[0].clone();
        it.sections[0].rows =
            ["1", "2", "3"].map(|row| Rows { row: Some(row.into()), ..first.clone() }).to_vec();
    });
    must(changed.await);
    must(stage.hold("alice", &["A-2-1", "A-2-3", "A-2-4"]).await);
    assert_eq!(stage.hold_best("bob", 5).await, Err(not_enough(5, 8, None)));
    must(stage.release_seat("alice", "A-2-4").await);
    assert_eq!(must(stage.hold_best("bob", 9).await).seats.len(), 9);
}

/// A row is a row on both sides of an aisle, as the map is: whatever is taken there is not given again.
pub async fn i1_seats_behind_an_aisle_are_taken_once(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[0].rows[0].seats = "04-01 | 7,W,9-11/2 | 20-22".into()).await);
    must(stage.block(&["A-1-W"], "rain").await);
    must(stage.hold("bob", &["A-1-03", "A-1-11", "A-1-21"]).await);
    let rest = must(stage.hold_best("alice", 7).await);
    let keys = rest.seats.join(" ").replace(" 12000", "");
    assert_eq!(keys, "A-1-04 A-1-02 A-1-01 A-1-7 A-1-9 A-1-20 A-1-22");
    assert_eq!(stage.counts().await, [3, 10, 0, 2]);
    on.restart().await;
    must(stage.release_hold("alice", rest.hold).await);
    let again = must(stage.hold_best("alice", 7).await);
    assert_eq!(again.seats, rest.seats);
}

/// With every single seat named that would be left; where it is not enforced they are only avoided.
pub async fn a_single_seat_gap_is_refused_where_that_is_enforced(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.hold.no_single_seat_gaps = GapPolicy::Enforce).await);
    let gaps = |seats: &[&str]| {
        let conflict = |seat: &&str| Conflict::new(*seat, SingleSeatGap);
        Err(Rejection::SeatNotAvailable(seats.iter().map(conflict).collect()))
    };
    assert_eq!(stage.hold("alice", &["A-1-2"]).await, gaps(&["A-1-1"]));
    assert_eq!(stage.hold_with("alice", &["A-1-3"], &[("FLOOR", 1)]).await, gaps(&["A-1-4"]));
    must(stage.hold("alice", &["A-1-1"]).await);
    assert_eq!(stage.hold("bob", &["A-1-3"]).await, gaps(&["A-1-2", "A-1-4"]));
    must(stage.hold("bob", &["A-1-2"]).await);
    must(stage.redefine(|it| it.hold.no_single_seat_gaps = GapPolicy::Prefer).await);
    must(stage.hold("carol", &["A-1-3"]).await);
}

/// A run of free seats ends at an aisle.
pub async fn a_single_seat_at_an_aisle_is_a_gap(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let changed = stage.redefine(|it| {
        it.hold.no_single_seat_gaps = GapPolicy::Enforce;
        it.sections[0].rows[0].seats = "1-4 | 5-8".into();
    });
    must(changed.await);
    let gap = Conflict::new("A-1-4", SingleSeatGap);
    assert_eq!(stage.hold("alice", &["A-1-3", "A-1-5"]).await, Err(Rejection::SeatNotAvailable(vec![gap])));
    must(stage.hold("alice", &["A-1-3", "A-1-4", "A-1-5", "A-1-6"]).await);
}

/// Whatever the rule: a release that leaves one alone is a release, and whoever wants the one gets it.
pub async fn a_single_seat_that_was_given_back_can_always_be_held(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.hold.no_single_seat_gaps = GapPolicy::Enforce).await);
    must(stage.hold("alice", &["A-1-1", "A-1-2", "A-1-3", "A-1-4"]).await);
    assert_eq!(must(stage.release_seat("alice", "A-1-2").await), ["A-1-2"]);
    must(stage.hold("bob", &["A-1-2"]).await);
}

/// The deadline moves for the sweep as for everybody, and no further than the definition allows.
pub async fn a_hold_is_extended_up_to_the_longest(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    let begin = stage.now();
    let hold = must(stage.hold("alice", &["A-1-1", "A-1-2"]).await).hold;
    assert_eq!(stage.extend("bob", hold, None).await, Err(Rejection::NotHolder));
    assert_eq!(must(stage.extend("alice", hold, Some(60)).await).expires_at, begin + TTL + 60_000);
    on.restart().await;
    stage.advance(TTL).await;
    assert_eq!(must(expire_due(&*on.store()).await), 0, "the first deadline is none any more");
    let longest = must(stage.extend("alice", hold, Some(100_000)).await);
    assert_eq!((longest.expires_at, longest.sequence), (begin + 900_000, 5));
    let again = must(stage.extend("alice", hold, None).await);
    assert_eq!(again.expires_at, longest.expires_at, "it is as long as can be");
    let found = must(on.store().hold(&HoldId::new(stage.event.clone(), hold), &valid("alice")).await);
    assert_eq!(held(must(found)), again);
    assert_eq!(stage.story(3).await, ["hold.extended", "hold.extended"]);
    stage.advance(longest.expires_at - stage.now() - 1).await;
    assert_eq!(must(expire_due(&*on.store()).await), 0);
    stage.advance(1).await;
    assert_eq!(stage.extend("alice", hold, None).await, Err(Rejection::HoldExpired));
    assert_eq!(must(expire_due(&*on.store()).await), 1);
    assert_eq!(stage.counts().await, [7, 0, 0, 1]);
}

/// Beside those that the definition blocks, and not from under anybody.
pub async fn blocked_seats_are_counted_and_survive_a_restart(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.block(&["A-1-1", "A-1-2"], "rain").await);
    assert_eq!(stage.counts().await, [5, 0, 0, 3]);
    on.restart().await;
    assert_eq!(stage.counts().await, [5, 0, 0, 3]);
    let refused = Rejection::SeatNotAvailable(conflicts([("A-1-1", "BLOCKED")]));
    assert_eq!(stage.hold("alice", &["A-1-1", "A-1-3"]).await, Err(refused));
    assert_eq!(must(stage.hold_best("alice", 2).await).seats, ["A-1-3 12000", "A-1-4 12000"]);
    let refused = stage.block(&["A-2-1", "A-1-4"], "rain").await;
    assert_eq!(refused, Err(Rejection::SeatsClaimed(conflicts([("A-1-4", "HELD")]))));
    must(stage.block(&["A-1-1"], "rain").await);
    must(stage.unblock(&["A-1-1", "A-2-1", "A-2-2"]).await);
    let story = ["seat.unblocked A-1-1 rain", "seat.unblocked A-2-2 camera"];
    assert_eq!(stage.story(5).await, story, "what changes nothing is not told");
    assert_eq!(stage.counts().await, [5, 2, 0, 1]);
    on.restart().await;
    must(stage.hold("bob", &["A-1-1", "A-2-2"]).await);
}

/// Nobody names a seat, and still nobody is given another's.
pub async fn i1_racing_buyers_are_given_different_seats(on: &impl Fixture) {
    let stage = Stage::open(on).await;
    must(stage.redefine(|it| it.sections[0].rows[0].seats = "1-9".into()).await);
    let buyers: Vec<_> = (0..20).map(|n| format!("buyer-{n}")).collect();
    let races = buyers.iter().map(|buyer| stage.hold_best(buyer, 1));
    let given: Vec<_> = futures::future::join_all(races).await.into_iter().filter_map(Result::ok).collect();
    let seats: HashSet<_> = given.iter().flat_map(|held| held.seats.clone()).collect();
    assert_eq!((given.len(), seats.len()), (10, 10), "{given:?}");
}

fn not_enough(wanted: u32, available: u32, section: Option<&str>) -> Rejection {
    Rejection::NotEnoughSeats { wanted, available, section: section.map(str::to_owned) }
}
