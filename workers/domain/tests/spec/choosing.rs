//! Holds that leave the choice to the SeatingEvent, holds that are extended, and seats that are taken off sale.

use crate::given::{
    ALICE, BOB, Given, OPENS, TTL, block, cancel, extend, given, hold, hold_best, id, release, release_hold,
    reserve, reserve_hold, show, unblock, user,
};
use boxoffice_domain::command::{Answer, Area, Best, Command, Rejection, Together, Wanted};
use boxoffice_domain::definition::{Definition, GapPolicy, Limits};

fn hold_these(seats: &[&str], areas: &[(&str, u32)]) -> Command {
    let seats = seats.iter().map(ToString::to_string).collect();
    let areas =
        areas.iter().map(|(id, quantity)| Area { section_id: (*id).into(), quantity: *quantity }).collect();
    Command::Hold { wanted: Wanted::These { seats, areas }, user: user(ALICE), hold: id(9) }
}

fn best_of(quantity: u32, section: Option<&str>, category: Option<&str>) -> Command {
    let wanted = Best {
        quantity,
        section_id: section.map(str::to_owned),
        price_category: category.map(str::to_owned),
        together: None,
    };
    Command::Hold { wanted: Wanted::Best(wanted), user: user(ALICE), hold: id(9) }
}

fn neighbours(quantity: u32) -> Command {
    let wanted =
        Best { quantity, section_id: None, price_category: None, together: Some(Together::Required) };
    Command::Hold { wanted: Wanted::Best(wanted), user: user(ALICE), hold: id(9) }
}

/// Rows with these seats, none of them blocked.
fn rows_of(seats: &str) -> Definition {
    let mut definition = show();
    definition.sections[0].rows[0].seats = seats.into();
    definition.blocked.clear();
    definition
}

fn strict() -> Definition {
    let mut definition = show();
    definition.hold.no_single_seat_gaps = GapPolicy::Enforce;
    definition
}

fn not_enough(wanted: u32, available: u32, section: Option<&str>) -> Rejection {
    Rejection::NotEnoughSeats { wanted, available, section: section.map(str::to_owned) }
}

#[test]
fn the_best_seats_are_chosen_from_the_middle_of_the_first_row() {
    given(show()).when(hold_best(1, 2, ALICE)).emits(["seat.held A-1-5", "seat.held A-1-6"]);
    given(show())
        .and(hold_best(1, 8, BOB))
        .when(hold_best(2, 2, ALICE))
        .emits(["seat.held A-1-9", "seat.held A-1-10"]);
}

#[test]
fn what_is_blocked_taken_or_general_admission_is_not_chosen() {
    let rows = given(show()).and(hold_best(1, 10, BOB));
    rows.when(hold_best(2, 9, ALICE)).emits([
        "seat.held A-2-2",
        "seat.held A-2-3",
        "seat.held A-2-4",
        "seat.held A-2-5",
        "seat.held A-2-6",
        "seat.held A-2-7",
        "seat.held A-2-8",
        "seat.held A-2-9",
        "seat.held A-2-10",
    ]);
    given(show()).and(hold_best(1, 10, BOB)).when(hold_best(2, 10, ALICE)).rejects(&not_enough(10, 9, None));
}

#[test]
fn a_section_or_a_price_category_narrows_the_choice() {
    given(show()).when(best_of(1, Some("A"), None)).emits(["seat.held A-1-5"]);
    given(show()).when(best_of(1, None, Some("gold"))).emits(["seat.held A-1-5"]);
    given(show()).when(best_of(1, None, Some("silver"))).rejects(&Rejection::WrongSection {
        field: "bestAvailable.priceCategory",
        name: "silver".into(),
        problem: "has areas alone, without numbered seats: ask for them in areas",
    });
    let mut standing = show();
    standing.sections.remove(0);
    standing.blocked.clear();
    given(standing).when(hold_best(1, 1, ALICE)).rejects(&Rejection::WrongSection {
        field: "bestAvailable",
        name: "Arena Night".into(),
        problem: "has areas alone, without numbered seats: ask for them in areas",
    });
    let unknown = given(show()).when(best_of(1, Some("Z"), None));
    unknown.rejects(&Rejection::SectionNotFound {
        field: "bestAvailable.sectionId",
        what: "section",
        name: "Z".into(),
    });
    let area = given(show()).when(best_of(1, Some("FLOOR"), None));
    area.rejects(&Rejection::WrongSection {
        field: "bestAvailable.sectionId",
        name: "FLOOR".into(),
        problem: "has no numbered seats: ask for it in areas",
    });
}

#[test]
fn seats_of_a_lapsed_hold_are_chosen_and_released_first() {
    let lapsed = given(show()).and(hold(1, ["A-1-5"], BOB)).at(OPENS + TTL);
    lapsed.when(hold_best(2, 2, ALICE)).emits([
        "seat.released A-1-5 expired",
        "seat.held A-1-5",
        "seat.held A-1-6",
    ]);
}

#[test]
fn seats_and_areas_are_held_together_all_or_none() {
    let mixed = || hold_these(&["A-1-1", "FLOOR-1"], &[("FLOOR", 2)]);
    given(show()).when(mixed()).emits([
        "seat.held A-1-1",
        "seat.held FLOOR-1",
        "seat.held FLOOR-2",
        "seat.held FLOOR-3",
    ]);
    given(show())
        .and(hold(1, ["FLOOR-5", "FLOOR-4"], BOB))
        .when(hold_these(&["A-1-1", "FLOOR-1"], &[("FLOOR", 3)]))
        .rejects(&not_enough(3, 2, Some("FLOOR")));
    given(show())
        .and(hold(1, ["A-1-1"], BOB))
        .when(mixed())
        .rejects_seats("SeatNotAvailable", ["A-1-1 HELD"]);
    given(show()).when(hold_these(&[], &[("A", 1)])).rejects(&Rejection::WrongSection {
        field: "areas.sectionId",
        name: "A".into(),
        problem: "has numbered seats: name them in seats, or ask for bestAvailable",
    });
}

#[test]
fn the_limit_counts_what_is_chosen() {
    let mut limited = show();
    limited.limits = Limits { seats_per_user: Some(3) };
    let refused = Rejection::LimitExceeded { limit: 3, claimed: 0, wanted: 4 };
    given(limited.clone()).when(hold_best(1, 4, ALICE)).rejects(&refused);
    given(limited).when(hold_these(&["A-1-1"], &[("FLOOR", 3)])).rejects(&refused);
}

#[test]
fn where_it_is_enforced_no_hold_leaves_a_single_seat_behind() {
    let gap = |given: Given, command: Command, seat: &str| {
        given.when(command).rejects_seats("SeatNotAvailable", [&format!("{seat} SINGLE_SEAT_GAP")]);
    };
    gap(given(strict()), hold(1, ["A-1-2"], ALICE), "A-1-1");
    gap(given(strict()).and(hold(1, ["A-1-1"], BOB)), hold(2, ["A-1-3", "A-1-4"], ALICE), "A-1-2");
    given(strict()).when(hold(1, ["A-1-1", "A-1-2"], ALICE)).emits(["seat.held A-1-1", "seat.held A-1-2"]);
    given(show()).when(hold(1, ["A-1-2"], ALICE)).emits(["seat.held A-1-2"]);
}

#[test]
fn a_single_seat_that_cannot_be_avoided_is_left() {
    let nearly_full = given(strict()).and(hold_best(1, 7, BOB));
    // Three seats are left in a row: two of them always leave one.
    let free: Vec<String> = (1..=10).map(|n| format!("A-1-{n}")).collect();
    let left: Vec<_> = free.iter().filter(|key| !nearly_full.state.seats.contains_key(*key)).collect();
    assert_eq!(left, ["A-1-8", "A-1-9", "A-1-10"]);
    nearly_full.when(hold(2, ["A-1-8", "A-1-9"], ALICE)).emits(["seat.held A-1-8", "seat.held A-1-9"]);
}

#[test]
fn the_best_seats_are_on_one_side_of_an_aisle() {
    given(rows_of("1-14,17-30")).when(hold_best(1, 4, ALICE)).emits([
        "seat.held A-1-11",
        "seat.held A-1-12",
        "seat.held A-1-13",
        "seat.held A-1-14",
    ]);
    given(rows_of("1-8,11-18")).when(hold_best(1, 2, ALICE)).emits(["seat.held A-1-7", "seat.held A-1-8"]);
    given(rows_of("1-8 | 9-16")).when(hold_best(1, 2, ALICE)).emits(["seat.held A-1-7", "seat.held A-1-8"]);
}

#[test]
fn numbers_that_fall_or_begin_with_zeros_are_neighbours_as_they_stand() {
    let odd_and_even = given(rows_of("9-1/2,2-10/2"));
    odd_and_even.when(hold_best(1, 2, ALICE)).emits(["seat.held A-1-1", "seat.held A-1-2"]);
    let padded = given(rows_of("01-06"));
    padded.when(hold_best(1, 2, ALICE)).emits(["seat.held A-1-03", "seat.held A-1-04"]);
    given(rows_of("01-04"))
        .when(hold(1, ["A-1-1"], ALICE))
        .rejects_seats("SeatNotFound", ["A-1-1 NOT_FOUND"]);
}

#[test]
fn where_it_is_required_only_neighbours_are_held() {
    let halves = || given(rows_of("1-3 | 4-6"));
    halves().when(neighbours(3)).emits(["seat.held A-1-1", "seat.held A-1-2", "seat.held A-1-3"]);
    halves().when(neighbours(4)).rejects(&not_enough(4, 12, None));
    halves().when(hold_best(1, 4, ALICE)).emits([
        "seat.held A-1-2",
        "seat.held A-1-3",
        "seat.held A-1-4",
        "seat.held A-1-5",
    ]);
}

#[test]
fn an_aisle_ends_the_run_that_a_single_seat_would_be_left_in() {
    let strict = || {
        let mut definition = rows_of("1-4 | 5-8");
        definition.hold.no_single_seat_gaps = GapPolicy::Enforce;
        given(definition)
    };
    let gap = ["A-1-4 SINGLE_SEAT_GAP"];
    strict()
        .when(hold(1, ["A-1-2", "A-1-3"], ALICE))
        .rejects_seats("SeatNotAvailable", ["A-1-1 SINGLE_SEAT_GAP", gap[0]]);
    strict().when(hold(1, ["A-1-3", "A-1-5"], ALICE)).rejects_seats("SeatNotAvailable", gap);
    strict().when(hold(1, ["A-1-3", "A-1-4"], ALICE)).emits(["seat.held A-1-3", "seat.held A-1-4"]);
}

#[test]
fn a_single_seat_that_was_given_back_can_always_be_held() {
    let three = || given(strict()).and(hold(1, ["A-1-1", "A-1-2", "A-1-3"], BOB));
    three().when(release("A-1-2", BOB)).emits(["seat.released A-1-2 user"]);
    let alone = || three().and(release("A-1-2", BOB));
    alone().when(hold(2, ["A-1-2"], ALICE)).emits(["seat.held A-1-2"]);
    alone().when(hold(2, ["A-1-2", "A-1-4", "A-1-5"], ALICE)).emits([
        "seat.held A-1-2",
        "seat.held A-1-4",
        "seat.held A-1-5",
    ]);
}

#[test]
fn a_hold_is_extended_up_to_the_longest() {
    let held = || given(show()).and(hold(1, ["A-1-1"], ALICE));
    let until = |answer: Answer| match answer {
        Answer::Held { expires_at, sequence, .. } => (expires_at - OPENS, sequence),
        other => panic!("{other:?}"),
    };
    assert_eq!(until(held().when(extend(1, Some(60), ALICE)).answer()), (TTL + 60_000, 3));
    assert_eq!(until(held().when(extend(1, None, ALICE)).answer()), (2 * TTL, 3));
    held().when(extend(1, Some(60), ALICE)).emits(["hold.extended"]);
    let longest = || held().and(extend(1, Some(u32::MAX), ALICE));
    assert_eq!(until(longest().when(extend(1, Some(1), ALICE)).emits_nothing()), (900_000, 3));
    longest()
        .at(OPENS + 899_999)
        .when(reserve(2, "A-1-1", ALICE))
        .emits(["seat.reserved A-1-1", "reservation.created 2"]);
    longest().at(OPENS + 900_000).when(reserve(2, "A-1-1", ALICE)).rejects(&Rejection::HoldExpired);
}

#[test]
fn only_a_live_hold_of_ones_own_is_extended() {
    let held = || given(show()).and(hold(1, ["A-1-1"], ALICE));
    held().when(extend(1, None, BOB)).rejects(&Rejection::NotHolder);
    held().at(OPENS + TTL).when(extend(1, None, ALICE)).rejects(&Rejection::HoldExpired);
    held().and(reserve_hold(2, 1, ALICE)).when(extend(1, None, ALICE)).rejects(&Rejection::HoldNotFound);
    held().and(release_hold(1, ALICE)).when(extend(1, None, ALICE)).rejects(&Rejection::HoldNotFound);
}

#[test]
fn seats_are_blocked_and_unblocked_with_their_reason() {
    given(show())
        .when(block(["A-1-1", "A-1-2"], "camera"))
        .emits(["seat.blocked A-1-1 camera", "seat.blocked A-1-2 camera"]);
    let blocked = || given(show()).and(block(["A-1-1"], "camera"));
    blocked().when(block(["A-1-1"], "camera")).emits_nothing();
    blocked().when(block(["A-1-1"], "rain")).emits(["seat.blocked A-1-1 rain"]);
    blocked().when(hold(1, ["A-1-1"], ALICE)).rejects_seats("SeatNotAvailable", ["A-1-1 BLOCKED"]);
    blocked().when(unblock(["A-1-1", "A-1-2"])).emits(["seat.unblocked A-1-1 camera"]);
    blocked().and(unblock(["A-1-1"])).when(hold(1, ["A-1-1"], ALICE)).emits(["seat.held A-1-1"]);
    given(show()).when(unblock(["A-2-1"])).emits(["seat.unblocked A-2-1 camera"]);
}

#[test]
fn nobody_loses_a_seat_to_a_block() {
    let claimed = given(show()).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).and(reserve(2, "A-1-2", ALICE));
    claimed
        .when(block(["A-1-1", "A-1-2", "A-1-3"], "camera"))
        .rejects_seats("SeatsClaimed", ["A-1-1 HELD", "A-1-2 RESERVED"]);
    given(show()).when(block(["A-9-9"], "camera")).rejects_seats("SeatNotFound", ["A-9-9 NOT_FOUND"]);
    given(show()).when(unblock(["A-9-9"])).rejects_seats("SeatNotFound", ["A-9-9 NOT_FOUND"]);
}

#[test]
fn what_is_cancelled_can_be_chosen_again() {
    let sold = given(show()).and(hold_best(1, 2, BOB)).and(reserve_hold(2, 1, BOB)).and(cancel(2, BOB));
    sold.when(hold_best(3, 2, ALICE)).emits(["seat.held A-1-5", "seat.held A-1-6"]);
}
