//! Definitions that change: judged by what they change, in two parts.

use crate::given::{
    ALICE, BOB, OPENS, block, cancel, given, hold, hold_best, nothing, provision, release, reserve, show,
    staff_hold, unblock,
};
use boxoffice_domain::DomainEvent;
use boxoffice_domain::command::{Command, Conflict, ConflictReason, Rejection};
use boxoffice_domain::decide::in_words;
use boxoffice_domain::definition::{Blocked, Definition};
use boxoffice_domain::faults::Fault;

fn changed(change: impl FnOnce(&mut Definition)) -> Command {
    provision(with(change))
}

fn with(change: impl FnOnce(&mut Definition)) -> Definition {
    let mut definition = show();
    change(&mut definition);
    definition
}

fn blocks(seats: &[&str]) -> Vec<Blocked> {
    vec![Blocked { seats: seats.iter().map(ToString::to_string).collect(), reason: "camera".into() }]
}

fn defined(changes: &[DomainEvent]) -> (&Definition, Vec<String>, Vec<String>) {
    let [DomainEvent::EventUpdated(e)] = changes else { panic!("{changes:?}") };
    let blocked = e.blocks.iter().flatten().flat_map(|block| block.seats.clone()).collect();
    (&e.definition, blocked, e.unblocks.clone().unwrap())
}

#[test]
fn a_seat_map_that_drops_or_blocks_claimed_seats_is_refused_and_all_else_takes_effect() {
    let smaller = with(|it| it.sections[0].rows[0].seats = "2-10".into());
    let blocking = with(|it| it.blocked = blocks(&["A-2-1", "A-1-1"]));
    for mut next in [smaller, blocking] {
        if next.blocked.len() == 1 && next.sections[0].rows[0].seats == "2-10" {
            next.blocked.clear();
        }
        next.sales.paused = true;
        next.price_categories[0].amount = 13_000;
        let changes = given(show())
            .and(hold(1, ["A-1-1"], ALICE))
            .when(provision(next.clone()))
            .refuses(["A-1-1 HELD"]);
        let (result, blocked, unblocked) = defined(&changes);
        assert_eq!((&result.sections, &result.blocked), (&show().sections, &show().blocked));
        assert!(result.sales.paused && result.price_categories[0].amount == 13_000);
        assert_eq!((blocked, unblocked), (vec![], vec![]));
        let changes = given(show()).and(hold(1, ["A-1-2"], ALICE)).when(provision(next.clone())).refuses([]);
        assert_eq!(*defined(&changes).0, next);
    }
}

#[test]
fn a_refused_seat_map_wanted_again_changes_nothing_until_its_seat_comes_back() {
    let wanted = || changed(|it| it.blocked = blocks(&["A-2-1", "A-1-1"]));
    let refused = || given(show()).and(hold(1, ["A-1-1"], ALICE)).and(wanted());
    assert_eq!(refused().when(wanted()).refuses(["A-1-1 HELD"]), []);
    let changes = refused().and(release("A-1-1", ALICE)).when(wanted()).refuses([]);
    assert_eq!(defined(&changes).1, ["A-1-1"]);
}

#[test]
fn a_block_that_was_there_before_is_no_new_one() {
    let bought = || {
        given(show()).and(unblock(["A-2-1"])).and(hold(1, ["A-2-1"], ALICE)).and(reserve(2, "A-2-1", ALICE))
    };
    let changes = bought().when(changed(|it| it.sales.paused = true)).refuses([]);
    assert!(defined(&changes).0.sales.paused);
    let changes =
        given(show()).and(unblock(["A-2-1"])).when(changed(|it| it.title = "Night".into())).refuses([]);
    assert_eq!(defined(&changes).1, Vec::<String>::new(), "what was unblocked by hand stays on sale");
    bought()
        .and(changed(|it| it.title = "Night".into()))
        .and(cancel(2, ALICE))
        .when(hold(3, ["A-2-1"], BOB))
        .emits(["seat.held A-2-1"]);
}

#[test]
fn events_say_what_they_block_and_unblock() {
    let given_ = || given(show()).and(block(["A-1-3"], "crew"));
    let changes = given_().when(changed(|it| it.blocked = blocks(&["A-1-1"]))).refuses([]);
    let (_, blocked, unblocked) = defined(&changes);
    assert_eq!((blocked, unblocked), (vec!["A-1-1".to_owned()], vec!["A-2-1".to_owned()]));
    given_()
        .and(changed(|it| it.blocked = blocks(&["A-1-1"])))
        .when(hold(1, ["A-1-1", "A-1-3", "A-2-1"], BOB))
        .rejects_seats("SeatNotAvailable", ["A-1-1 BLOCKED", "A-1-3 BLOCKED"]);
}

#[test]
fn the_currency_never_changes() {
    let yen = || changed(|it| it.price_categories.iter_mut().for_each(|price| price.currency = "JPY".into()));
    let refused = Rejection::CurrencyChanged { before: "EUR".into(), after: "JPY".into() };
    given(show()).when(yen()).rejects(&refused);
    given(show()).and(Command::Close).when(yen()).rejects(&refused);
    for index in [0, 1] {
        let some = changed(|it| it.price_categories[index].currency = "JPY".into());
        given(show()).when(some).rejects(&refused);
    }
}

#[test]
fn what_comes_to_be_can_be_sold_by() {
    let refused = |change: fn(&mut Definition), told: &str| {
        for mut before in [nothing(), given(show())] {
            let Err(Rejection::InvalidDefinition(problem)) = before.attempt(&changed(change)) else {
                panic!("{told} is not refused")
            };
            assert!(problem.to_string().starts_with(told), "{problem}");
        }
    };
    refused(|it| it.price_categories[1].name = "gold".into(), "priceCategories[1].name: ");
    refused(|it| it.sections[1].id = "A".into(), "sections[1].id: ");
    refused(|it| it.hold.ttl_seconds = 0, "hold.ttlSeconds: ");
    refused(|it| it.sales.opens_at = Some(it.starts_at), "sales.opensAt: ");
    let mixed = changed(|it| it.price_categories[1].currency = "JPY".into());
    assert!(matches!(nothing().attempt(&mixed), Err(Rejection::InvalidDefinition(_))), "two currencies");
}

#[test]
fn what_results_is_a_definition_or_refused() {
    let unpriced = changed(|it| it.price_categories.truncate(1));
    let when = given(show()).when(unpriced);
    when.rejects(&Rejection::InvalidDefinition(Fault {
        field: "sections[1].priceCategory".into(),
        problem: "price category \"silver\" is not in priceCategories".into(),
    }));
    // A category that is gone is part of the seat map: where that is refused, it stays.
    let gone = changed(|it| {
        it.price_categories.truncate(1);
        it.sections.truncate(1);
    });
    let changes = given(show()).and(hold(1, ["FLOOR-1"], ALICE)).when(gone).refuses(["FLOOR-1 HELD"]);
    assert_eq!(changes, []);
}

#[test]
fn lowering_a_capacity_says_what_stands_in_the_way_and_how_to_lower_it() {
    let lower = with(|it| it.sections[1].capacity = Some(3));
    given(show()).and(hold(1, ["FLOOR-5"], ALICE)).when(provision(lower.clone())).refuses(["FLOOR-5 HELD"]);
    let words = in_words(&[Conflict::new("FLOOR-5", ConflictReason::Held)], &lower);
    assert!(words.contains("FLOOR-5 HELD") && words.contains("no fewer than 5 units"), "{words}");
    given(show()).and(hold(1, ["FLOOR-1"], ALICE)).when(provision(lower)).refuses([]);
}

#[test]
fn an_applied_definition_opens_a_closed_sale_again() {
    let closed = || given(show()).and(hold(1, ["A-1-1"], ALICE)).and(Command::Close);
    closed().when(provision(show())).emits(["event.updated"]);
    closed()
        .and(provision(show()))
        .when(reserve(2, "A-1-1", ALICE))
        .emits(["seat.reserved A-1-1", "reservation.created 2"]);
}

#[test]
fn unblocking_what_staff_hold_lets_it_be_sold_afterwards() {
    given(show())
        .at(OPENS)
        .and(staff_hold(1, ["A-2-1"], ALICE))
        .and(changed(|it| it.blocked.clear()))
        .and(release("A-2-1", ALICE))
        .when(hold_best(2, 20, BOB))
        .answer();
}
