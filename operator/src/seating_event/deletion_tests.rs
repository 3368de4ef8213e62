//! When a SeatingEvent may go, and what is told then.

use super::*;
use crate::admin::Problem;
use crate::seating_event::fixtures::show;

fn sold() -> Facts {
    silent_for(0)
}

fn unreachable() -> Result<(), AdminError> {
    Err(AdminError::Unreachable { url: "http://x".into(), detail: "connection refused".into() })
}

fn refused(status: u16, code: &str) -> Result<(), AdminError> {
    let problem = Problem { code: code.into(), detail: "no".into(), conflicts: vec![] };
    Err(AdminError::Refused { status, problem })
}

/// Sold by a service that is there and has not answered since the deletion.
fn silent_for(seconds: u64) -> Facts {
    let waited = Duration::from_secs(seconds);
    Facts { was_sold: true, has_service: true, waited, silence: Some(silence(seconds)) }
}

fn silence(seconds: u64) -> Silence {
    Silence { lasted: Duration::from_secs(seconds), error: unreachable().unwrap_err() }
}

/// The reason of the only notice, or of what it waits for.
fn reason(facts: Facts, answer: Option<Result<(), AdminError>>) -> String {
    match judge(Wish::Close, facts, answer, "main") {
        End::Gone(notices) => notices.first().map_or("gone".to_owned(), |notice| notice.reason.clone()),
        End::Waits(finding) => format!("waits: {}", finding.reason),
        End::Soon => "soon".to_owned(),
    }
}

#[test]
fn closes_and_keeps_unless_a_person_confirmed_that_the_seats_go() {
    let mut event = show();
    assert_eq!(wish(&event), Wish::Close);
    event.annotations_mut().insert(CONFIRM_DELETE_ANNOTATION.into(), "arena-night".into());
    assert_eq!(wish(&event), Wish::Close, "the annotation alone asks for nothing");
    event.spec.deletion_policy = DeletionPolicy::Delete;
    assert_eq!(wish(&event), Wish::Purge);
    event.annotations_mut().insert(CONFIRM_DELETE_ANNOTATION.into(), "opera".into());
    assert_eq!(wish(&event), Wish::Unconfirmed);
    event.annotations_mut().clear();
    assert_eq!(wish(&event), Wish::Unconfirmed);
}

#[test]
fn what_was_done_is_told() {
    let told = |wish| match judge(wish, sold(), Some(Ok(())), "main") {
        End::Gone(mut notices) => notices.remove(0),
        other => panic!("{other:?}"),
    };
    assert_eq!(told(Wish::Close).reason, "SalesClosed");
    assert_eq!(told(Wish::Purge).reason, "SeatsPurged");
    let kept = told(Wish::Unconfirmed);
    assert!(kept.warning && kept.note.contains("boxoffice.dev/confirm-delete"), "{kept:?}");
}

#[test]
fn a_silent_service_is_waited_for_half_a_minute_and_then_it_is_told() {
    assert_eq!(reason(sold(), Some(unreachable())), "waits: CommandUnreachable");
    assert_eq!(reason(silent_for(29), Some(unreachable())), "waits: CommandUnreachable");
    assert_eq!(reason(silent_for(30), Some(unreachable())), "SalesNotClosed");
    let proxy = refused(503, "UNKNOWN");
    assert_eq!(reason(silent_for(30), Some(proxy)), "SalesNotClosed", "a proxy's answer is no worker's");
}

#[test]
fn each_waits_for_itself_and_for_a_silence_that_lasts() {
    let just_deleted = Facts { waited: Duration::ZERO, ..silent_for(60) };
    assert_eq!(reason(just_deleted, Some(unreachable())), "waits: CommandUnreachable");
    let just_fell_silent = Facts { silence: Some(silence(0)), ..silent_for(60) };
    assert_eq!(reason(just_fell_silent, Some(unreachable())), "waits: CommandUnreachable");
}

#[test]
fn a_worker_that_says_no_is_asked_again_however_long() {
    for (error, because) in [
        (refused(503, "RECOVERING"), "waits: Recovering"),
        (refused(503, "UNAVAILABLE"), "waits: CommandUnavailable"),
        (refused(401, "UNAUTHENTICATED"), "waits: TokenRefused"),
    ] {
        assert_eq!(reason(Facts { silence: None, ..silent_for(600) }, Some(error)), because);
    }
}

#[test]
fn what_no_worker_ever_sold_goes_at_once() {
    let never = || Facts { was_sold: false, ..sold() };
    assert_eq!(reason(never(), Some(Err(AdminError::Absent))), "gone", "a service that never worked");
    assert_eq!(reason(never(), Some(unreachable())), "gone");
    let no_service = Facts { has_service: false, silence: None, ..never() };
    assert_eq!(reason(no_service, Some(Err(AdminError::Absent))), "gone", "a service that never existed");
    assert_eq!(reason(never(), Some(refused(503, "RECOVERING"))), "waits: Recovering", "a worker is there");
}

#[test]
fn a_service_that_is_gone_is_not_waited_for_and_that_is_told() {
    let gone = || Facts { has_service: false, silence: None, ..sold() };
    assert_eq!(reason(gone(), Some(Err(AdminError::Absent))), "SalesNotClosed");
    assert_eq!(reason(gone(), Some(unreachable())), "SalesNotClosed");
    assert_eq!(reason(gone(), Some(Ok(()))), "SalesClosed", "its workers may live on for a moment");
}

#[test]
fn a_token_that_vanished_is_waited_for_as_an_answer_is() {
    let without = |seconds| Facts { silence: None, ..silent_for(seconds) };
    assert_eq!(reason(without(0), Some(Err(AdminError::Absent))), "waits: ServiceNotReady");
    assert_eq!(reason(without(30), Some(Err(AdminError::Absent))), "SalesNotClosed");
}

#[test]
fn those_that_may_not_ask_go_by_what_the_others_heard() {
    assert_eq!(reason(sold(), None), "waits: CommandUnreachable");
    assert_eq!(reason(silent_for(30), None), "SalesNotClosed");
    assert_eq!(reason(Facts { silence: None, ..silent_for(30) }, None), "soon", "nobody was silent");
    assert_eq!(reason(Facts { was_sold: false, ..sold() }, None), "gone");
}

#[test]
fn what_is_waited_for_names_the_way_out() {
    let said = |answer| match judge(Wish::Close, sold(), Some(answer), "main") {
        End::Waits(finding) => finding.message,
        other => panic!("{other:?}"),
    };
    let silent = said(unreachable());
    assert!(silent.contains("connection refused") && silent.contains("after 30 s"), "{silent}");
    let refused = said(refused(503, "UNAVAILABLE"));
    assert!(refused.contains("delete ReservationService main too"), "{refused}");
}
