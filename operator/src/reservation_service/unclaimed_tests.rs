//! Which sales are unclaimed, which of them close when, and what is told.

use super::memory::EVERY;
use super::*;
use crate::admin::Listing;
use crate::conditions::update;
use crate::reservation_service::fixtures::main_service;
use crate::seating_event::fixtures::inventory;
use boxoffice_crds::common::Time;
use boxoffice_domain::definition::Phase;

/// When the service of the fixtures was created.
const CREATED: u64 = 1_795_428_000_000;
const TEN_MINUTES: Duration = Duration::from_mins(10);

fn sale(id: &str, phase: Phase, last_event_at: Option<u64>) -> Inventory {
    Inventory { event_id: id.to_owned(), phase, last_event_at, ..inventory() }
}

fn names(found: &[&str]) -> Vec<String> {
    found.iter().map(ToString::to_string).collect()
}

fn waiting(found: &[&str]) -> Unclaimed {
    Unclaimed { waiting: names(found), after: TEN_MINUTES, ..Unclaimed::default() }
}

fn conditions(found: &Unclaimed) -> Vec<Condition> {
    let findings = finding(Some(found), &[]).into_iter().collect();
    update(&[], findings, None, &Time(jiff::Timestamp::UNIX_EPOCH))
}

#[test]
fn the_fixture_was_created_when_these_tests_say() {
    let created = main_service().creation_timestamp().unwrap();
    assert_eq!(u64::try_from(created.0.as_millisecond()).unwrap(), CREATED);
}

#[test]
fn what_is_on_sale_and_has_no_seating_event_is_unclaimed() {
    let sales = [
        sale("claimed", Phase::OnSale, None),
        sale("opera", Phase::OnSale, None),
        sale("soon", Phase::Scheduled, None),
        sale("full", Phase::SoldOut, None),
        sale("over", Phase::Closed, None),
    ];
    let found = unclaimed(&sales, &names(&["claimed"]).into_iter().collect());
    let found: Vec<_> = found.iter().map(|sale| sale.event_id.as_str()).collect();
    assert_eq!(found, ["opera", "soon", "full"], "what is closed or over sells nothing");
}

#[test]
fn what_is_older_than_the_service_closes_at_once_and_all_else_in_time() {
    let start = Instant::now();
    let mut seen = Seen::default();
    seen.unclaimed.extend(["old", "new", "unknown"].map(|sale| (sale.to_owned(), start)));
    let sales = [
        sale("old", Phase::OnSale, Some(CREATED - 1)),
        sale("new", Phase::OnSale, Some(CREATED)),
        sale("unknown", Phase::OnSale, None),
    ];
    let decided = |seen: &Seen, later| {
        let fates = fates(&main_service(), &sales, seen, (TEN_MINUTES, start + later));
        let fates: BTreeMap<_, _> = fates.into_iter().collect();
        ["old", "new", "unknown"].map(|sale| fates[sale])
    };
    let at_first = [Fate::Closes, Fate::Waits, Fate::Waits];
    assert_eq!(decided(&seen, Duration::ZERO), at_first);
    assert_eq!(decided(&seen, Duration::from_secs(599)), at_first);
    assert_eq!(decided(&seen, TEN_MINUTES), [Fate::Closes; 3]);
    assert_eq!(decided(&Seen::default(), TEN_MINUTES), at_first, "an operator that just started gives time");
}

#[test]
fn what_the_annotation_names_stays_on_sale() {
    let mut service = main_service();
    service.annotations_mut().insert(KEEP_UNCLAIMED_ANNOTATION.into(), "opera, gala".into());
    let sales = ["opera", "gala", "arena"].map(|id| sale(id, Phase::OnSale, Some(1)));
    let fates = fates(&service, &sales, &Seen::default(), (TEN_MINUTES, Instant::now()));
    assert_eq!(chosen(&fates, Fate::Stays), ["gala", "opera"]);
    assert_eq!(chosen(&fates, Fate::Closes), ["arena"]);
}

#[test]
fn a_quiet_service_is_compared_once_a_minute_and_a_change_or_a_finding_at_once() {
    let claimed: BTreeSet<String> = names(&["opera"]).into_iter().collect();
    let (mut seen, start) = (Seen::default(), Instant::now());
    assert!(seen.is_due(&claimed, start), "never compared");
    seen.looked = Some((start, claimed.clone()));
    assert!(!seen.is_due(&claimed, start) && seen.is_due(&claimed, start + EVERY));
    assert!(seen.is_due(&BTreeSet::new(), start), "a SeatingEvent went");
    seen.unclaimed.insert("gala".into(), start);
    assert!(seen.is_due(&claimed, start));
}

#[test]
fn what_is_claimed_or_closed_is_forgotten_and_a_partial_list_forgets_nothing() {
    let mut seen = Seen::default();
    seen.unclaimed.extend(["gala", "opera", "arena"].map(|sale| (sale.to_owned(), Instant::now())));
    let claimed: BTreeSet<String> = names(&["gala"]).into_iter().collect();
    let closed = sale("arena", Phase::Closed, None);
    let listing = |is_partial| Listing {
        cursor: String::new(),
        all: true,
        inventories: vec![closed.clone()],
        gone: vec![],
        unreadable: vec![],
        is_partial,
    };
    seen.compare(&listing(true), &claimed);
    assert_eq!(seen.unclaimed.keys().collect::<Vec<_>>(), ["opera"]);
    let fates = fates(&main_service(), &[], &seen, (Duration::ZERO, Instant::now()));
    assert_eq!(fates, [("opera".to_owned(), Fate::Waits)], "what is not listed is not closed either");
    seen.compare(&listing(false), &claimed);
    assert!(seen.unclaimed.is_empty());
}

#[test]
fn the_condition_names_what_is_sold_and_how_to_go_on() {
    let told = finding(Some(&waiting(&["gala", "opera"])), &[]).unwrap();
    assert!(told.met && told.reason == "UnclaimedSales", "{told:?}");
    for said in ["gala, opera", "Apply its SeatingEvent", "boxoffice.dev/keep-unclaimed", "after 600 s"] {
        assert!(told.message.contains(said), "{said}: {}", told.message);
    }
    let kept = Unclaimed { kept: names(&["opera"]), ..Unclaimed::default() };
    assert_eq!(finding(Some(&kept), &[]).map(|told| (told.met, told.reason)), Some((true, KEPT.into())));
    let closed = Unclaimed { closed: names(&["opera"]), ..Unclaimed::default() };
    let told = finding(Some(&closed), &[]).unwrap();
    assert!(!told.met && told.message.ends_with("claimed it: opera"), "{told:?}");
    assert_eq!(finding(Some(&Unclaimed::default()), &[]), None);
}

#[test]
fn names_are_bounded() {
    let many: Vec<String> = (0..5000).map(|number| format!("show-{number:04}")).collect();
    let told = finding(Some(&Unclaimed { waiting: many, ..Unclaimed::default() }), &[]).unwrap();
    assert!(told.message.contains("show-0019 and 4980 more"), "{}", told.message);
    assert!(told.message.len() < 1000);
}

#[test]
fn what_is_not_known_now_is_as_it_was() {
    for found in [waiting(&["opera"]), Unclaimed { closed: names(&["opera"]), ..Unclaimed::default() }] {
        let before = conditions(&found);
        assert_eq!(finding(None, &before), finding(Some(&found), &[]));
    }
    assert_eq!(finding(None, &[]), None);
}

#[test]
fn it_is_told_once_and_what_was_closed_too() {
    let (none, some) = (conditions(&Unclaimed::default()), conditions(&waiting(&["opera"])));
    let told = notices(&none, &some).unwrap();
    assert_eq!((told.warning, told.reason.as_str()), (true, "UnclaimedSales"));
    assert_eq!(notices(&some, &conditions(&waiting(&["gala", "opera"]))), None);
    let closed = Unclaimed {
        closed: names(&["gala", "opera"]),
        just_closed: names(&["opera"]),
        ..Unclaimed::default()
    };
    assert_eq!(notices(&some, &conditions(&closed)), None);
    let told = closed.deeds().unwrap();
    assert_eq!((told.warning, told.reason.as_str()), (true, "UnclaimedSalesClosed"));
    assert!(told.note.contains("claims them: opera."), "{}", told.note);
    assert_eq!(Unclaimed { just_closed: Vec::new(), ..closed }.deeds(), None);
}
