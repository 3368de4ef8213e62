//! When a definition is given to the service, and what its refusals mean.

use super::*;
use crate::admin::Problem;
use crate::seating_event::fixtures::{inventory, show};

fn unreachable() -> AdminError {
    AdminError::Unreachable { url: "http://x".into(), detail: "connection refused".into() }
}

fn conflicts() -> Vec<Conflict> {
    let conflict = |n| Conflict { seat_id: format!("arena-night.A-1-{n}"), reason: "RESERVED".into() };
    (1..=22).map(conflict).collect()
}

fn refused(status: u16, code: &str) -> AdminError {
    let problem = Problem { code: code.into(), detail: "no".into(), conflicts: conflicts() };
    AdminError::Refused { status, problem }
}

fn known(inventory: Option<Inventory>) -> Told {
    Told::Known { inventory, answers: true }
}

fn having(hash: &str) -> Inventory {
    Inventory { definition_hash: Some(hash.into()), ..inventory() }
}

#[test]
fn a_definition_is_given_where_the_service_says_that_it_has_another_one() {
    let decide = |told, given| decide("new", told, given);
    assert_eq!(
        decide(Told::Nothing, None),
        Decision::Wait,
        "a restarted operator gives nothing before it asked"
    );
    assert_eq!(decide(known(Some(having("new"))), None), Decision::Report(having("new")));
    assert_eq!(decide(known(Some(having("old"))), None), Decision::Give(Some(having("old"))));
    assert_eq!(decide(known(None), None), Decision::Give(None), "the store lost it");
    let closed = Inventory { closed: true, ..having("new") };
    assert_eq!(decide(known(Some(closed.clone())), None), Decision::Give(Some(closed)), "it opens again");
}

#[test]
fn a_worker_of_an_earlier_version_is_given_a_definition_once() {
    let before = Inventory { definition_hash: None, ..inventory() };
    assert_eq!(decide("new", known(Some(before.clone())), None), Decision::Give(Some(before.clone())));
    let taken = decide("new", known(Some(before.clone())), Some(Became::Taken));
    assert_eq!(taken, Decision::Report(before));
}

#[test]
fn what_was_refused_is_shown_and_not_given_again() {
    let partly = decide("new", known(Some(having("old"))), Some(Became::Partly(conflicts())));
    assert_eq!(partly, Decision::Partly(having("old"), conflicts()));
    let stall = Stall::new("DefinitionConflict", "no");
    let refused = decide("new", known(Some(having("old"))), Some(Became::Refused(stall.clone())));
    assert_eq!(refused, Decision::Stalled(Some(having("old")), stall));
}

#[test]
fn nothing_is_given_to_a_service_that_does_not_answer() {
    let unsure = |hash| Told::Known { inventory: Some(having(hash)), answers: false };
    assert_eq!(decide("new", unsure("old"), None), Decision::Wait);
    assert_eq!(
        decide("new", unsure("new"), None),
        Decision::Report(having("new")),
        "it was there a moment ago"
    );
    assert_eq!(decide("new", Told::Silent(unreachable()), None), Decision::Silent(unreachable()));
    assert_eq!(decide("new", Told::Unreadable, None), Decision::Unreadable, "it is not given anew");
}

#[test]
fn a_show_of_which_nothing_was_said_yet_says_what_it_waits_for_and_any_other_stays() {
    let (mut show, validated) = (show(), Validated::default());
    let Next::Report(outcome) = unheard(&show, &validated) else { panic!("nothing is said") };
    assert_eq!(outcome.step.reason, progress::SERVICE_NOT_READY);
    let status = |outcome| {
        status::next(None, Some(2), &outcome, &(boxoffice_crds::common::Time(jiff::Timestamp::UNIX_EPOCH)))
    };
    show.status = Some(status(*outcome));
    assert!(matches!(unheard(&show, &validated), Next::Report(_)));
    show.status = Some(status(ready(inventory())));
    assert!(matches!(unheard(&show, &validated), Next::Wait));
}

#[test]
fn a_silent_service_is_no_news_of_each_show() {
    let outcome = silent(&show(), &unreachable(), &Validated::default());
    assert!(progress::is(&outcome.step.reason) && outcome.stall.is_none() && !outcome.retry);
    assert!(outcome.step.message.contains("main says nothing about it"), "{}", outcome.step.message);
    let trouble = Validated { service_trouble: Some("workers start".into()) };
    assert_eq!(silent(&show(), &unreachable(), &trouble).step.message, "workers start");
}

#[test]
fn a_seat_map_conflict_stalls_and_names_the_seats() {
    let (step, stall) = judge(&refused(409, "SEAT_MAP_CONFLICT"), None);
    assert_eq!(stall.unwrap().reason, "SeatMapConflict");
    assert!(step.message.contains("arena-night.A-1-20 (RESERVED) and 2 more"), "{}", step.message);
}

#[test]
fn a_seat_map_that_did_not_take_effect_stalls_with_the_seats_and_shows_the_counts() {
    let Outcome { inventory: shown, step, stall, retry, .. } = partly(inventory(), &conflicts());
    assert_eq!((shown, stall.unwrap().reason, retry), (Some(inventory()), "SeatMapConflict", false));
    assert_eq!((step.kind, step.met, step.reason.as_str()), (INVENTORY_READY, false, "SeatMapConflict"));
    for said in ["arena-night.A-1-20 (RESERVED) and 2 more", "the rest took effect", "tried again"] {
        assert!(step.message.contains(said), "{said}: {}", step.message);
    }
}

#[test]
fn a_definition_that_can_never_be_stalls_with_the_workers_words() {
    let (step, stall) = judge(&refused(409, "DEFINITION_CONFLICT"), None);
    assert_eq!(stall.unwrap().reason, "DefinitionConflict");
    assert_eq!(step.message, "no");
}

#[test]
fn a_definition_that_the_worker_refuses_stalls() {
    assert_eq!(judge(&refused(400, "INVALID_REQUEST"), None).1.unwrap().reason, "InvalidDefinition");
}

#[test]
fn everything_else_is_tried_again_with_a_reason() {
    let reason = |error, trouble| {
        let (step, stall) = judge(&error, trouble);
        assert!(stall.is_none());
        step.reason
    };
    assert_eq!(reason(refused(503, "UNAVAILABLE"), None), "CommandUnavailable");
    assert_eq!(reason(refused(401, "UNAUTHENTICATED"), None), "TokenRefused");
    assert_eq!(reason(unreachable(), None), "CommandUnreachable");
    assert_eq!(reason(unreachable(), Some("starting")), progress::SERVICE_NOT_READY);
    assert_eq!(reason(AdminError::Absent, None), progress::SERVICE_NOT_READY);
}
