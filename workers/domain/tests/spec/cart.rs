//! Whole answers, carts that grow, claims that keep their price, and what the box office does.

use crate::given::{
    ALICE, BOB, Given, OPENS, TTL, add, cancel, expire, extend, given, hold, id, provision, release,
    release_hold, reserve, reserve_hold, show, staff_cancel, staff_hold, staff_release, staff_reserve,
    unblock, user,
};
use boxoffice_domain::command::{Answer, Area, Command, MOST_SEATS_OF_A_HOLD, Rejection, Wanted};
use boxoffice_domain::definition::{Definition, Limits};
use boxoffice_domain::events::{PaidBy, ReleaseReason};
use boxoffice_domain::{DomainEvent, decide};

fn keys(answer: &Answer) -> Vec<&str> {
    match answer {
        Answer::Held { seats, .. } | Answer::Reserved { seats, .. } => {
            seats.iter().map(|seat| seat.key.as_str()).collect()
        }
        Answer::Released { left, .. } => left.iter().map(|seat| seat.key.as_str()).collect(),
        Answer::Reinstatement { .. } | Answer::Provisioned { .. } => vec![],
    }
}

fn limited(seats: u32) -> Definition {
    Definition { limits: Limits { seats_per_user: Some(seats) }, ..show() }
}

fn three() -> Given {
    given(show()).at(OPENS).and(hold(1, ["A-1-1", "A-1-2", "A-1-3"], ALICE))
}

#[test]
fn holding_some_of_ones_own_seats_again_tells_all_of_the_hold() {
    let answer = three().when(hold(2, ["A-1-1", "A-1-3"], ALICE)).emits_nothing();
    assert_eq!(keys(&answer), ["A-1-1", "A-1-2", "A-1-3"]);
}

#[test]
fn answers_tell_price_category_currency_and_whether_seats_are_together() {
    let answer = three().when(hold(2, ["A-1-1"], ALICE)).answer();
    let Answer::Held { seats, currency, together, .. } = &answer else { panic!("{answer:?}") };
    assert!(seats.iter().all(|seat| (seat.amount, seat.price_category.as_str()) == (12_000, "gold")));
    assert_eq!((currency.as_str(), *together), ("EUR", true));
    let answer = given(show()).when(hold(1, ["A-1-1", "A-1-3"], ALICE)).answer();
    assert!(matches!(answer, Answer::Held { together: false, .. }));
}

#[test]
fn sequences_are_those_of_the_state_told() {
    let told = |given: Given| given.when(hold(9, ["A-1-2"], ALICE)).emits_nothing().sequence();
    assert_eq!(told(three()), 4);
    assert_eq!(told(three().and(extend(1, None, ALICE))), 5);
    assert_eq!(told(three().and(release("A-1-1", ALICE))), 5);
    assert_eq!(told(three().and(reserve(2, "A-1-1", ALICE))), 5, "the seat left with seat.reserved");
    let cancelled = three().and(reserve_hold(2, 1, ALICE)).and(release("A-1-1", ALICE));
    assert_eq!(cancelled.when(reserve(3, "A-1-2", ALICE)).emits_nothing().sequence(), 10);
}

#[test]
fn a_release_tells_what_was_released_and_what_is_left() {
    let answer = three().when(release("A-1-2", ALICE)).answer();
    let Answer::Released { released, expires_at, .. } = &answer else { panic!("{answer:?}") };
    assert_eq!((released.as_slice(), *expires_at), (&["A-1-2".to_owned()][..], Some(OPENS + TTL)));
    assert_eq!(keys(&answer), ["A-1-1", "A-1-3"]);
    let all = three().when(release_hold(1, ALICE)).answer();
    assert!(matches!(&all, Answer::Released { left, expires_at: None, .. } if left.is_empty()));
    let answer = three().and(reserve_hold(2, 1, ALICE)).when(release("A-1-2", ALICE)).answer();
    assert_eq!(keys(&answer), ["A-1-1", "A-1-3"]);
}

#[test]
fn a_hold_grows_until_its_own_deadline() {
    let later = || three().at(OPENS + 1000);
    let answer = later().when(add(1, ["A-1-3", "A-1-4"], ALICE)).answer();
    assert_eq!(keys(&answer), ["A-1-1", "A-1-2", "A-1-3", "A-1-4"]);
    assert!(matches!(answer, Answer::Held { expires_at, sequence: 5, .. } if expires_at == OPENS + TTL));
    later().when(add(1, ["A-1-4"], ALICE)).emits(["seat.held A-1-4"]);
    later().when(add(1, ["A-1-1"], ALICE)).emits_nothing();
    later().when(add(1, ["A-1-4", "A-2-1"], ALICE)).rejects_seats("SeatNotAvailable", ["A-2-1 BLOCKED"]);
    later().when(add(1, ["A-1-4"], BOB)).rejects(&Rejection::NotHolder);
    later().when(add(7, ["A-1-4"], ALICE)).rejects(&Rejection::HoldNotFound);
    three().at(OPENS + TTL).when(add(1, ["A-1-4"], ALICE)).rejects(&Rejection::HoldExpired);
    let full = given(limited(3)).and(hold(1, ["A-1-1", "A-1-2", "A-1-3"], ALICE));
    let refused = Rejection::LimitExceeded { limit: 3, claimed: 3, wanted: 1 };
    full.when(add(1, ["A-1-4"], ALICE)).rejects(&refused);
}

#[test]
fn a_hold_grows_to_what_its_reservation_can_tell() {
    let mut large = show();
    large.sections[1].capacity = Some(2 * MOST_SEATS_OF_A_HOLD);
    let units = |quantity| {
        let areas = vec![Area { section_id: "FLOOR".into(), quantity }];
        Wanted::These { seats: vec![], areas }
    };
    let (alice, hold) = (user(ALICE), id(1));
    let first = Command::Hold { wanted: units(MOST_SEATS_OF_A_HOLD - 1), user: alice.clone(), hold };
    let more = |quantity| Command::AddToHold { hold, wanted: units(quantity), user: alice.clone() };
    let almost_full = || given(large.clone()).and(first.clone());
    almost_full().when(more(2)).rejects(&Rejection::HoldFull { has: MOST_SEATS_OF_A_HOLD - 1, wanted: 2 });
    let full = almost_full().and(more(1));
    full.when(add(1, ["FLOOR-1"], ALICE)).emits_nothing();
}

#[test]
fn conflicts_say_which_are_ones_own() {
    let given = three().and(reserve(2, "A-1-1", ALICE)).and(hold(3, ["A-1-5"], BOB));
    given
        .when(hold(4, ["A-1-1", "A-1-2", "A-1-4", "A-1-5"], ALICE))
        .rejects_seats("SeatNotAvailable", ["A-1-1 RESERVED mine", "A-1-2 HELD mine", "A-1-5 HELD"]);
}

#[test]
fn a_lapsed_hold_of_ones_own_never_counts_against_the_limit() {
    let lapsed = || given(limited(2)).at(OPENS).and(hold(1, ["A-1-1", "A-1-2"], ALICE)).at(OPENS + TTL);
    lapsed().when(hold(2, ["A-1-5", "A-1-6"], ALICE)).emits(["seat.held A-1-5", "seat.held A-1-6"]);
    let refused = Rejection::LimitExceeded { limit: 2, claimed: 0, wanted: 3 };
    lapsed().when(hold(2, ["A-1-1", "A-1-5", "A-1-6"], ALICE)).rejects(&refused);
}

#[test]
fn a_hold_of_the_same_id_is_never_made_again() {
    let again = || hold(1, ["A-1-1", "A-1-2", "A-1-3"], ALICE);
    assert_eq!(keys(&three().when(again()).emits_nothing()).len(), 3);
    assert_eq!(keys(&three().and(release("A-1-1", ALICE)).when(again()).emits_nothing()), ["A-1-2", "A-1-3"]);
    assert_eq!(keys(&three().and(add(1, ["A-1-9"], ALICE)).when(again()).emits_nothing()).len(), 4);
    let reserved = three().and(reserve_hold(2, 1, ALICE)).when(again()).emits_nothing();
    assert!(matches!(reserved, Answer::Reserved { reservation, .. } if reservation == id(2)));
    three().at(OPENS + TTL).and(expire(1)).when(again()).rejects(&Rejection::HoldExpired);
    three().when(hold(1, ["A-1-5"], ALICE)).rejects(&Rejection::OtherSeatsHeld);
    three().and(Command::Close).when(again()).emits_nothing();
}

#[test]
fn closing_ends_holding_and_reserving_at_once() {
    let closed = || three().and(reserve(2, "A-1-1", ALICE)).and(Command::Close);
    closed().when(reserve(3, "A-1-2", ALICE)).rejects(&Rejection::SalesClosed);
    closed().when(reserve_hold(3, 1, ALICE)).rejects(&Rejection::SalesClosed);
    closed().when(add(1, ["A-1-9"], ALICE)).rejects(&Rejection::SalesClosed);
    closed().when(extend(1, None, ALICE)).rejects(&Rejection::SalesClosed);
    closed().when(staff_hold(4, ["A-1-9"], BOB)).rejects(&Rejection::SalesClosed);
    closed().when(staff_reserve(3, 1)).rejects(&Rejection::SalesClosed);
    closed().when(reserve(3, "A-1-1", ALICE)).emits_nothing();
    closed().when(release_hold(1, ALICE)).emits(["seat.released A-1-2 user", "seat.released A-1-3 user"]);
    closed().when(cancel(2, ALICE)).emits(["seat.released A-1-1 cancelled", "reservation.cancelled 2"]);
}

#[test]
fn buyers_cancel_until_the_last_moment_and_staff_also_after() {
    let mut definition = show();
    definition.sales.cancel_until = Some(OPENS + 10);
    let reserved = |now| {
        given(definition.clone())
            .at(OPENS)
            .and(hold(1, ["A-1-1"], ALICE))
            .and(reserve(2, "A-1-1", ALICE))
            .at(now)
    };
    let refused = Rejection::CancellationClosed { cancel_until: OPENS + 10 };
    assert_eq!(reserved(OPENS + 10).when(cancel(2, ALICE)).until(), Some(OPENS + 11));
    reserved(OPENS + 11).when(cancel(2, ALICE)).rejects(&refused);
    reserved(OPENS + 11).when(release("A-1-1", ALICE)).rejects(&refused);
    reserved(OPENS + 11)
        .when(staff_cancel(2))
        .emits(["seat.released A-1-1 admin", "reservation.cancelled 2"]);
}

#[test]
fn staff_hold_outside_of_window_pause_limit_and_gap_rule() {
    let mut closed = limited(1);
    closed.sales.paused = true;
    closed.sales.closes_at = Some(OPENS);
    let hold_two = || given(closed.clone()).at(OPENS + 1).and(staff_hold(1, ["A-1-1", "A-1-3"], ALICE));
    hold_two().when(staff_hold(2, ["A-1-3"], BOB)).rejects_seats("SeatNotAvailable", ["A-1-3 HELD"]);
    let (answer, events) = hold_two().attempt(&staff_reserve(2, 1)).unwrap();
    assert_eq!(keys(&answer), ["A-1-1", "A-1-3"]);
    let created = events.iter().find_map(|event| match &event.event {
        DomainEvent::ReservationCreated(e) => Some((e.user_id.clone(), e.paid_by.clone())),
        _ => None,
    });
    assert_eq!(created, Some((user(ALICE), Some(PaidBy::Counter))));
}

#[test]
fn a_blocked_seat_that_staff_held_is_blocked_again_when_the_hold_ends_unsold() {
    let held = || given(show()).at(OPENS).and(staff_hold(1, ["A-2-1"], ALICE));
    let Command::StaffHold { seats, user, hold: id, .. } = staff_hold(1, ["A-2-1"], ALICE) else {
        unreachable!()
    };
    let unasked = Command::StaffHold { seats, user, hold: id, blocked: false };
    given(show()).when(unasked).rejects_seats("SeatNotAvailable", ["A-2-1 BLOCKED"]);
    let again =
        |reason: &str| [format!("seat.released A-2-1 {reason}"), "seat.blocked A-2-1 camera".to_owned()];
    let emits = |given: Given, command, reason: &str| {
        let expected = again(reason);
        given.when(command).emits([expected[0].as_str(), expected[1].as_str()]);
    };
    emits(held(), release("A-2-1", ALICE), "user");
    emits(held(), staff_release(1), "admin");
    emits(held().at(OPENS + TTL), expire(1), "expired");
    held()
        .and(release("A-2-1", ALICE))
        .when(hold(2, ["A-2-1"], BOB))
        .rejects_seats("SeatNotAvailable", ["A-2-1 BLOCKED"]);
    let lapsed = held().at(OPENS + TTL).when(staff_hold(2, ["A-2-1"], BOB));
    lapsed.emits(["seat.released A-2-1 expired", "seat.blocked A-2-1 camera", "seat.held A-2-1"]);
    let sold = held().and(staff_reserve(2, 1)).and(staff_cancel(2));
    sold.when(hold(3, ["A-2-1"], BOB)).emits(["seat.held A-2-1"]);
    held().when(unblock(["A-2-1"])).emits_nothing();
}

#[test]
fn notes_are_kept_in_the_events() {
    let (_, events) = three().attempt(&staff_release(1)).unwrap();
    assert!(events.iter().all(|event| matches!(&event.event, DomainEvent::SeatReleased(e)
        if e.reason == ReleaseReason::Admin && e.note.as_deref() == Some("moved to the balcony"))));
    let (_, events) = three().and(reserve_hold(2, 1, ALICE)).attempt(&staff_cancel(2)).unwrap();
    let last = events.last().map(|event| &event.event);
    assert!(matches!(last, Some(DomainEvent::ReservationCancelled(e))
        if e.note.as_deref() == Some("illness") && e.reason == Some(ReleaseReason::Admin)));
}

#[test]
fn claims_keep_their_price() {
    let mut dearer = show();
    dearer.price_categories[0].amount = 99_000;
    let given = three().and(provision(dearer));
    let answer = given.when(reserve_hold(2, 1, ALICE)).answer();
    let Answer::Reserved { seats, .. } = answer else { panic!("{answer:?}") };
    assert!(seats.iter().all(|seat| seat.amount == 12_000));
}

#[test]
fn a_decision_says_until_when_it_holds() {
    assert_eq!(three().when(extend(1, Some(1), ALICE)).until(), Some(OPENS + TTL));
    assert_eq!(three().when(staff_release(1)).until(), Some(OPENS + TTL));
    assert_eq!(three().when(unblock(["A-2-1"])).until(), None);
}

#[test]
fn a_part_of_the_state_is_enough_where_it_has_what_the_decision_looked_at() {
    let whole = three().and(reserve(2, "A-1-1", ALICE)).state;
    for command in
        [extend(1, None, ALICE), cancel(2, ALICE), staff_release(1), staff_cancel(2), unblock(["A-2-1"])]
    {
        let (_, reads) = decide::decide_on_part(&whole, &command, OPENS);
        let mut part = whole.clone();
        part.seats.retain(|key, _| reads.seats.contains(key));
        part.holds.retain(|id, _| reads.holds.contains(id));
        part.reservations.retain(|id, _| reads.reservations.contains(id));
        assert_eq!(decide(&part, &command, OPENS), decide(&whole, &command, OPENS), "{command:?}");
    }
}
