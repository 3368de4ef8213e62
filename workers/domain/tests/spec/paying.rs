//! Payments that fail take their seats back; those that succeed after all get them again, where they are still there.

use boxoffice_domain::command::{Answer, Command, Reinstatement, Rejection};
use boxoffice_domain::definition::{Definition, Limits};
use boxoffice_domain::events::{PaidBy, ReleaseReason};
use boxoffice_domain::state::FAILED_PAYMENT_MEMORY;
use boxoffice_domain::{DomainEvent, UserId, decide};

use crate::given::{
    ALICE, BOB, Given, OPENS, TTL, block, cancel, fail_payment, given, hold, id, provision, reinstate,
    release, reserve_hold, show, staff_hold, staff_reserve, user,
};

/// Alice has two seats in hold 1, reserved as 2.
fn sold() -> Given {
    sold_of(show())
}

fn sold_of(definition: Definition) -> Given {
    given(definition).at(OPENS).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).and(reserve_hold(2, 1, ALICE))
}

/// The payment of it has failed.
fn failed() -> Given {
    sold().and(fail_payment(2))
}

fn paused() -> Definition {
    let mut definition = show();
    definition.sales.paused = true;
    definition
}

fn outcome(answer: &Answer) -> Option<Reinstatement> {
    let Answer::Reinstatement { outcome, .. } = answer else { panic!("{answer:?}") };
    *outcome
}

const NOT_REINSTATED: [&str; 1] = ["reservation.not_reinstated 2"];
const REINSTATED: [&str; 5] = [
    "seat.held A-1-1",
    "seat.held A-1-2",
    "seat.reserved A-1-1",
    "seat.reserved A-1-2",
    "reservation.created 3",
];

#[test]
fn a_payment_that_fails_releases_every_seat_and_cancels() {
    sold().when(fail_payment(2)).emits([
        "seat.released A-1-1 payment_failed",
        "seat.released A-1-2 payment_failed",
        "reservation.cancelled 2",
    ]);
    let decision = decide(&sold().state, &fail_payment(2), OPENS).unwrap();
    let DomainEvent::ReservationCancelled(cancelled) = &decision.changes[2] else { panic!("{decision:?}") };
    assert_eq!((cancelled.amount, cancelled.currency.as_str()), (24_000, "EUR"));
    assert_eq!(cancelled.reason, Some(ReleaseReason::PaymentFailed));
    assert!(failed().state.claims.is_empty(), "what it had counts no more");
    failed().when(hold(9, ["A-1-1"], BOB)).emits(["seat.held A-1-1"]);
}

#[test]
fn a_payment_that_fails_takes_only_what_is_left() {
    let given = sold().and(release("A-1-1", ALICE)).and(hold(9, ["A-1-1"], BOB));
    given.when(fail_payment(2)).emits(["seat.released A-1-2 payment_failed", "reservation.cancelled 2"]);
}

#[test]
fn a_payment_that_fails_does_nothing_where_no_seat_has_the_reservation() {
    sold().when(fail_payment(7)).emits_nothing();
    sold().and(cancel(2, ALICE)).when(fail_payment(2)).emits_nothing();
    failed().when(fail_payment(2)).emits_nothing();
}

#[test]
fn a_payment_that_fails_does_nothing_to_what_was_paid_otherwise() {
    let at_the_counter = given(show()).and(staff_hold(1, ["A-1-1"], ALICE)).and(staff_reserve(2, 1));
    at_the_counter.when(fail_payment(2)).emits_nothing();
    failed().and(reinstate(3, 2)).when(fail_payment(3)).emits_nothing();
}

#[test]
fn a_payment_fails_whatever_sales_say() {
    let mut over = show();
    over.sales.cancel_until = Some(OPENS);
    let released = [
        "seat.released A-1-1 payment_failed",
        "seat.released A-1-2 payment_failed",
        "reservation.cancelled 2",
    ];
    sold().and(Command::Close).when(fail_payment(2)).emits(released);
    sold().and(provision(paused())).when(fail_payment(2)).emits(released);
    sold_of(over).at(OPENS + 10 * 86_400_000).when(fail_payment(2)).emits(released);
}

#[test]
fn a_late_payment_gets_the_seats_again_at_their_prices() {
    failed().when(reinstate(3, 2)).emits(REINSTATED);
    let mut dearer = show();
    dearer.price_categories[0].amount = 99_000;
    let given = failed().and(provision(dearer)).and(reinstate(3, 2));
    let decision = decide(&failed().state, &reinstate(3, 2), OPENS).unwrap();
    let DomainEvent::ReservationCreated(created) = &decision.changes[4] else { panic!("{decision:?}") };
    assert_eq!(created.amount, 24_000);
    let paid = "arena-night.00000000-0000-0000-0000-000000000002".to_owned();
    assert_eq!(created.paid_by, Some(PaidBy::Reservation(paid.clone())));
    let reservation = &given.state.reservations[&id(3)];
    assert_eq!((&reservation.user, reservation.currency.as_str()), (&user(ALICE), "EUR"));
    assert_eq!((&reservation.paid_by, &reservation.seats.len()), (&Some(PaidBy::Reservation(paid)), &2));
    assert_eq!(given.state.claims[&user(ALICE)], 2);
    let Answer::Released { .. } = given.when(cancel(3, ALICE)).answer() else {
        panic!("it is cancelled like any other")
    };
}

#[test]
fn a_late_payment_is_refused_neither_by_the_limit_nor_for_single_seats() {
    let mut narrow = show();
    narrow.limits = Limits { seats_per_user: Some(2) };
    narrow.hold.no_single_seat_gaps = boxoffice_domain::definition::GapPolicy::Enforce;
    let given = sold_of(narrow).and(fail_payment(2)).and(hold(8, ["A-2-2", "A-2-3"], ALICE));
    given.and(reinstate(3, 2)).when(hold(9, ["FLOOR-1"], ALICE)).rejects(&Rejection::LimitExceeded {
        limit: 2,
        claimed: 4,
        wanted: 1,
    });
}

#[test]
fn a_late_payment_finds_a_seat_gone() {
    failed().and(hold(9, ["A-1-2"], BOB)).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    failed().and(hold(9, ["A-1-2"], ALICE)).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    failed().and(block(["A-1-1"], "rain")).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    let mut smaller = show();
    smaller.sections[0].rows[0].seats = "2-10".into();
    smaller.blocked.clear();
    failed().and(provision(smaller)).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    let decision = decide(&failed().and(Command::Close).state, &reinstate(3, 2), OPENS).unwrap();
    let DomainEvent::ReservationNotReinstated(refused) = &decision.changes[0] else { panic!("{decision:?}") };
    assert_eq!((&refused.user_id, refused.payment_id.as_str()), (&user(ALICE), "pay-1"));
}

#[test]
fn a_late_payment_ends_a_lapsed_hold_that_is_in_the_way() {
    let given = failed().and(hold(9, ["A-1-2", "A-1-3"], BOB)).at(OPENS + TTL);
    given.when(reinstate(3, 2)).emits([
        "seat.released A-1-2 expired",
        "seat.released A-1-3 expired",
        "seat.held A-1-1",
        "seat.held A-1-2",
        "seat.reserved A-1-1",
        "seat.reserved A-1-2",
        "reservation.created 3",
    ]);
    let still_held = failed().and(hold(9, ["A-1-2"], BOB)).at(OPENS + TTL - 1).when(reinstate(3, 2));
    assert_eq!(still_held.until(), Some(OPENS + TTL), "a moment later it would be another decision");
}

#[test]
fn a_late_payment_needs_sales_that_are_open() {
    failed().and(Command::Close).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    failed().and(provision(paused())).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    failed().at(OPENS + 86_400_000).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    let mut later = show();
    later.sales.opens_at = Some(OPENS + 10);
    failed().and(provision(later.clone())).at(OPENS + 9).when(reinstate(3, 2)).emits(NOT_REINSTATED);
    failed().and(provision(later)).at(OPENS + 10).when(reinstate(3, 2)).emits(REINSTATED);
}

#[test]
fn a_late_payment_that_comes_again_finds_what_answered_it() {
    let reinstated = failed().and(reinstate(3, 2));
    let again = reinstated.when(reinstate(4, 2)).emits_nothing();
    assert_eq!(outcome(&again), Some(Reinstatement::Reinstated(id(3))));
    let cancelled = failed().and(reinstate(3, 2)).and(cancel(3, ALICE));
    let again = cancelled.when(reinstate(4, 2)).emits_nothing();
    assert_eq!(
        outcome(&again),
        Some(Reinstatement::Reinstated(id(3))),
        "it does not come back a second time"
    );
    let refused = failed().and(Command::Close).and(reinstate(3, 2)).and(provision(show()));
    let again = refused.when(reinstate(3, 2)).emits_nothing();
    assert_eq!(outcome(&again), Some(Reinstatement::NotReinstated), "though its seats are free by now");
}

#[test]
fn what_was_cancelled_never_comes_back() {
    let none = |given: Given| outcome(&given.when(reinstate(3, 2)).emits_nothing());
    assert_eq!(none(sold().and(cancel(2, ALICE))), None);
    assert_eq!(none(sold()), None, "and what stands stays");
    assert_eq!(none(sold().and(cancel(2, ALICE)).and(fail_payment(2))), None);
}

#[test]
fn a_failed_payment_is_remembered_for_fifty_hours() {
    let mut long = show();
    long.starts_at = OPENS + 10 * 86_400_000;
    let failed = || sold_of(long.clone()).and(fail_payment(2));
    failed().at(OPENS + FAILED_PAYMENT_MEMORY - 1).when(reinstate(3, 2)).emits(REINSTATED);
    let forgotten = failed().at(OPENS + FAILED_PAYMENT_MEMORY).when(reinstate(3, 2)).emits_nothing();
    assert_eq!(outcome(&forgotten), None);
    let mut state = failed().state;
    state.forget(OPENS + FAILED_PAYMENT_MEMORY - 1);
    assert_eq!(state.failed[&id(2)].seats, [("A-1-1".to_owned(), 12_000), ("A-1-2".to_owned(), 12_000)]);
    assert_eq!(state.failed[&id(2)].user, ALICE.parse::<UserId>().unwrap());
    state.forget(OPENS + FAILED_PAYMENT_MEMORY);
    assert!(state.failed.is_empty());
}
