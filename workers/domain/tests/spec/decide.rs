//! What commands do, as sentences: given these facts, when this command comes, then these facts or this rejection.

use crate::given::{
    ALICE, BOB, OPENS, TTL, cancel, expire, given, hold, id, nothing, release, release_hold, reserve,
    reserve_hold, show,
};
use boxoffice_domain::command::{Answer, Command, Rejection};
use boxoffice_domain::definition::Limits;

#[test]
fn several_seats_are_held_together() {
    given(show()).when(hold(1, ["A-1-1", "A-1-2"], ALICE)).emits(["seat.held A-1-1", "seat.held A-1-2"]);
}

#[test]
fn a_hold_lasts_for_its_ttl_and_costs_what_the_category_says() {
    let answer = given(show()).at(OPENS).when(hold(1, ["A-1-1", "FLOOR-2"], ALICE)).answer();
    let Answer::Held { seats, expires_at, sequence, .. } = answer else { panic!("{answer:?}") };
    assert_eq!(seats.iter().map(|seat| seat.amount).collect::<Vec<_>>(), [12_000, 6_000]);
    assert_eq!((expires_at, sequence), (OPENS + TTL, 3));
}

#[test]
fn holding_is_all_or_none_and_names_every_conflict() {
    given(show())
        .and(hold(1, ["A-1-1"], ALICE))
        .and(hold(2, ["A-1-3"], BOB))
        .and(reserve(3, "A-1-3", BOB))
        .when(hold(4, ["A-1-1", "A-1-2", "A-1-3", "A-2-1"], "carol"))
        .rejects_seats("SeatNotAvailable", ["A-1-1 HELD", "A-1-3 RESERVED", "A-2-1 BLOCKED"]);
}

#[test]
fn seats_that_the_chart_does_not_have_are_not_found() {
    given(show())
        .and(hold(1, ["A-1-1"], ALICE))
        .when(hold(2, ["A-9-9", "A-1-1"], BOB))
        .rejects_seats("SeatNotFound", ["A-9-9 NOT_FOUND", "A-1-1 HELD"]);
    given(show()).when(reserve(1, "A-9-9", ALICE)).rejects_seats("SeatNotFound", ["A-9-9 NOT_FOUND"]);
}

#[test]
fn holding_ones_own_held_seat_again_gives_the_same_hold() {
    let answer =
        given(show()).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).when(hold(2, ["A-1-2"], ALICE)).emits_nothing();
    assert!(matches!(answer, Answer::Held { hold, sequence: 3, .. } if hold == id(1)), "{answer:?}");
}

#[test]
fn only_the_holder_reserves_or_releases() {
    let held = || given(show()).and(hold(1, ["A-1-1"], ALICE));
    held().when(reserve(2, "A-1-1", BOB)).rejects(&Rejection::NotHolder);
    held().when(reserve_hold(2, 1, BOB)).rejects(&Rejection::NotHolder);
    held().when(release("A-1-1", BOB)).rejects(&Rejection::NotHolder);
    held().when(release_hold(1, BOB)).rejects(&Rejection::NotHolder);
    held().and(reserve(2, "A-1-1", ALICE)).when(cancel(2, BOB)).rejects(&Rejection::NotHolder);
}

#[test]
fn a_seat_that_nobody_holds_is_not_held() {
    given(show()).when(reserve(1, "A-1-1", ALICE)).rejects(&Rejection::SeatNotHeld);
    given(show()).when(release("A-1-1", ALICE)).rejects(&Rejection::SeatNotHeld);
    given(show()).when(reserve_hold(1, 9, ALICE)).rejects(&Rejection::HoldNotFound);
    given(show()).when(cancel(9, ALICE)).rejects(&Rejection::ReservationNotFound);
}

#[test]
fn reserving_a_hold_reserves_its_seats_then_creates_the_reservation() {
    given(show()).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).when(reserve_hold(2, 1, ALICE)).emits([
        "seat.reserved A-1-1",
        "seat.reserved A-1-2",
        "reservation.created 2",
    ]);
}

#[test]
fn reserving_twice_gives_the_first_answer() {
    let first = given(show()).and(hold(1, ["A-1-1"], ALICE)).when(reserve(2, "A-1-1", ALICE)).answer();
    let again = || given(show()).and(hold(1, ["A-1-1"], ALICE)).and(reserve(2, "A-1-1", ALICE));
    assert_eq!(again().when(reserve(3, "A-1-1", ALICE)).emits_nothing(), first);
    assert_eq!(again().when(reserve_hold(3, 1, ALICE)).emits_nothing(), first);
}

#[test]
fn reserving_one_seat_splits_it_off_its_hold() {
    let split = || given(show()).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).and(reserve(2, "A-1-1", ALICE));
    split().when(reserve_hold(3, 1, ALICE)).emits(["seat.reserved A-1-2", "reservation.created 3"]);
    split().when(cancel(2, ALICE)).emits(["seat.released A-1-1 cancelled", "reservation.cancelled 2"]);
}

#[test]
fn releasing_one_seat_shrinks_its_hold_or_reservation() {
    given(show())
        .and(hold(1, ["A-1-1", "A-1-2"], ALICE))
        .and(release("A-1-1", ALICE))
        .when(release_hold(1, ALICE))
        .emits(["seat.released A-1-2 user"]);
    given(show())
        .and(hold(1, ["A-1-1", "A-1-2"], ALICE))
        .and(reserve_hold(2, 1, ALICE))
        .when(release("A-1-1", ALICE))
        .emits(["seat.released A-1-1 cancelled", "reservation.cancelled 2"]);
}

#[test]
fn i6_equal_to_the_deadline_is_expired() {
    let held = || given(show()).at(OPENS).and(hold(1, ["A-1-1"], ALICE));
    held()
        .at(OPENS + TTL - 1)
        .when(reserve(2, "A-1-1", ALICE))
        .emits(["seat.reserved A-1-1", "reservation.created 2"]);
    held().at(OPENS + TTL).when(reserve(2, "A-1-1", ALICE)).rejects(&Rejection::HoldExpired);
    held().at(OPENS + TTL).when(reserve_hold(2, 1, ALICE)).rejects(&Rejection::HoldExpired);
    held().at(OPENS + TTL - 1).when(expire(1)).emits_nothing();
    held().at(OPENS + TTL).when(expire(1)).emits(["seat.released A-1-1 expired"]);
}

#[test]
fn the_error_is_the_same_before_and_after_the_sweep() {
    let swept = || given(show()).at(OPENS).and(hold(1, ["A-1-1"], ALICE)).at(OPENS + TTL).and(expire(1));
    swept().when(reserve(2, "A-1-1", ALICE)).rejects(&Rejection::HoldExpired);
    swept().when(reserve_hold(2, 1, ALICE)).rejects(&Rejection::HoldExpired);
    swept().when(reserve(2, "A-1-1", BOB)).rejects(&Rejection::SeatNotHeld);
    swept().at(OPENS + TTL + 3_600_000).when(reserve_hold(2, 1, ALICE)).rejects(&Rejection::HoldNotFound);
}

#[test]
fn who_asks_first_has_a_lapsed_hold_released_before_the_new_one() {
    given(show())
        .at(OPENS)
        .and(hold(1, ["A-1-1", "A-1-2"], ALICE))
        .at(OPENS + TTL)
        .when(hold(2, ["A-1-1"], BOB))
        .emits(["seat.released A-1-1 expired", "seat.released A-1-2 expired", "seat.held A-1-1"]);
}

#[test]
fn a_user_has_no_more_seats_than_the_limit() {
    let mut limited = show();
    limited.limits = Limits { seats_per_user: Some(2) };
    let one =
        || given(limited.clone()).at(OPENS).and(hold(1, ["A-1-1"], ALICE)).and(reserve(2, "A-1-1", ALICE));
    let refused = Rejection::LimitExceeded { limit: 2, claimed: 1, wanted: 2 };
    one().when(hold(3, ["A-1-2", "A-1-3"], ALICE)).rejects(&refused);
    one().when(hold(3, ["A-1-2", "A-1-3"], BOB)).emits(["seat.held A-1-2", "seat.held A-1-3"]);
    one()
        .and(cancel(2, ALICE))
        .when(hold(3, ["A-1-2", "A-1-3"], ALICE))
        .emits(["seat.held A-1-2", "seat.held A-1-3"]);
}

#[test]
fn the_sales_window_binds_holds_but_not_reservations() {
    let mut later = show();
    later.sales.opens_at = Some(OPENS + 1);
    later.sales.closes_at = Some(OPENS + 10);
    let opens_at = OPENS + 1;
    given(later.clone())
        .at(OPENS)
        .when(hold(1, ["A-1-1"], ALICE))
        .rejects(&Rejection::SalesNotOpen { opens_at });
    given(later.clone()).at(OPENS + 10).when(hold(1, ["A-1-1"], ALICE)).rejects(&Rejection::SalesClosed);
    given(later)
        .at(OPENS + 9)
        .and(hold(1, ["A-1-1"], ALICE))
        .at(OPENS + 11)
        .when(reserve(2, "A-1-1", ALICE))
        .emits(["seat.reserved A-1-1", "reservation.created 2"]);
    let mut paused = show();
    paused.sales.paused = true;
    given(paused).when(hold(1, ["A-1-1"], ALICE)).rejects(&Rejection::SalesPaused);
}

#[test]
fn an_unchanged_definition_writes_nothing() {
    given(show()).when(Command::Provision { definition: Box::new(show()) }).emits_nothing();
}

#[test]
fn unblocking_by_a_new_definition_puts_seats_on_sale() {
    let mut open = show();
    open.blocked.clear();
    given(show())
        .and(Command::Provision { definition: Box::new(open) })
        .when(hold(1, ["A-2-1"], ALICE))
        .emits(["seat.held A-2-1"]);
}

#[test]
fn closing_ends_sales_and_applying_again_finds_the_sold_seats() {
    let closed =
        || given(show()).and(hold(1, ["A-1-1"], ALICE)).and(reserve(2, "A-1-1", ALICE)).and(Command::Close);
    closed().when(hold(3, ["A-1-2"], BOB)).rejects(&Rejection::SalesClosed);
    closed().when(Command::Close).emits_nothing();
    closed()
        .and(Command::Provision { definition: Box::new(show()) })
        .when(hold(3, ["A-1-1"], BOB))
        .rejects_seats("SeatNotAvailable", ["A-1-1 RESERVED"]);
}

#[test]
fn a_purge_forgets_everything_but_the_sequence() {
    let sold = || given(show()).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).and(reserve(2, "A-1-1", ALICE));
    sold().when(Command::Purge).emits(["event.purged"]);
    sold().and(Command::Close).when(Command::Purge).emits(["event.purged"]);
    let purged = || sold().and(Command::Purge);
    let state = purged().state;
    assert_eq!((state.sequence, state.sale.is_none()), (6, true));
    assert_eq!(
        (state.seats.len(), state.holds.len(), state.reservations.len(), state.claims.len()),
        (0, 0, 0, 0)
    );
    for command in
        [hold(3, ["A-1-3"], BOB), release_hold(1, ALICE), cancel(2, ALICE), Command::Close, Command::Purge]
    {
        purged().when(command).rejects(&Rejection::EventNotFound);
    }
    let anew = || Command::Provision { definition: Box::new(show()) };
    purged().when(anew()).emits(["event.created"]);
    purged().and(anew()).when(hold(1, ["A-1-1"], BOB)).emits(["seat.held A-1-1"]);
}

#[test]
fn nothing_is_possible_before_the_event_exists() {
    for command in [hold(1, ["A-1-1"], ALICE), Command::Purge] {
        nothing().when(command).rejects(&Rejection::EventNotFound);
    }
    nothing().when(Command::Provision { definition: Box::new(show()) }).emits(["event.created"]);
}
