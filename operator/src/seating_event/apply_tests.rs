//! When a definition is given to the service, and what its refusals mean.

use std::collections::BTreeMap;

use super::*;
use crate::admin::Problem;
use crate::seating_event::build::build;
use crate::seating_event::fixtures::{arena_night, inventory};

fn definition() -> Definition {
    build(&arena_night().spec)
}

fn listed() -> BTreeMap<String, Inventory> {
    [("arena-night".to_owned(), inventory())].into()
}

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

#[test]
fn a_definition_is_given_once_and_again_when_it_changed_or_was_lost() {
    let wanted = definition();
    let other = Definition { title: "Other".into(), ..definition() };
    let decide = |provisioned, answer| decide("arena-night", &wanted, provisioned, answer);
    assert_eq!(decide(None, None), Decision::Provision(None));
    assert_eq!(
        decide(None, Some(Ok(listed()))),
        Decision::Provision(Some(inventory())),
        "a restarted operator makes sure"
    );
    assert_eq!(decide(Some(&wanted), Some(Ok(listed()))), Decision::Report(inventory()));
    assert_eq!(decide(Some(&other), Some(Ok(listed()))), Decision::Provision(Some(inventory())));
    assert_eq!(decide(Some(&wanted), Some(Ok([].into()))), Decision::Provision(None));
}

#[test]
fn a_silent_service_is_not_asked_twice() {
    let wanted = definition();
    let silent = decide("arena-night", &wanted, Some(&wanted), Some(Err(unreachable())));
    assert_eq!(silent, Decision::Silent(unreachable()));
    assert_eq!(decide("arena-night", &wanted, None, Some(Err(unreachable()))), Decision::Provision(None));
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
