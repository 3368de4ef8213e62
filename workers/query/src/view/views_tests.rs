use super::*;
use crate::testing::{created, definition, deleted, event_id, held, map, purged, updated};

fn apply(views: &Views, sequence: u64, fact: &DomainEvent) -> Verdict {
    views.apply(fact.seating_event(), sequence, Some(fact)).unwrap()
}

fn status(views: &Views, seat: &str) -> &'static str {
    let live = views.get("arena").unwrap();
    live.read(|map| map.status(map.chart().position(seat).unwrap()).unwrap().as_str())
}

fn sequence(views: &Views) -> u64 {
    views.get("arena").unwrap().read(|map| map.sequence)
}

#[test]
fn i5_the_next_event_is_applied_a_seen_one_is_not_and_a_gap_changes_nothing() {
    let views = Views::default();
    assert_eq!(apply(&views, 1, &created("arena")), Verdict::Apply);
    assert_eq!(apply(&views, 2, &held("arena.A-1-2")), Verdict::Apply);
    assert_eq!(apply(&views, 1, &held("arena.A-1-3")), Verdict::Duplicate);
    assert_eq!(apply(&views, 4, &held("arena.A-1-3")), Verdict::Gap { expected: 3 });
    assert_eq!(
        (status(&views, "A-1-2"), status(&views, "A-1-3"), sequence(&views)),
        ("HELD", "AVAILABLE", 2)
    );
}

#[test]
fn an_event_of_an_unknown_seating_event_is_a_gap_unless_it_is_its_first() {
    let views = Views::default();
    assert_eq!(apply(&views, 7, &held("arena.A-1-2")), Verdict::Gap { expected: 1 });
    assert!(views.get("arena").is_none());
}

#[test]
fn i5_one_that_is_created_on_another_log_is_another_one_whatever_its_sequence() {
    for sequence_of_creation in [1, 4, 5, 9] {
        let views = Views::default();
        views.install(vec![map("arena", 4)], BTreeMap::new(), Trust::Further);
        views.set_former([event_id("arena")].into());
        assert_eq!(apply(&views, sequence_of_creation, &created("arena")), Verdict::Apply);
        assert_eq!((sequence(&views), status(&views, "A-1-2")), (sequence_of_creation, "AVAILABLE"));
        assert_eq!(views.get("arena").unwrap().read(|map| map.epoch), 1, "a sequence shows something else");
        assert_eq!(apply(&views, sequence_of_creation, &created("arena")), Verdict::Duplicate, "once");
    }
    let views = Views::default();
    views.install(vec![map("arena", 4)], BTreeMap::new(), Trust::Further);
    views.set_former([event_id("arena")].into());
    assert_eq!(apply(&views, 5, &held("arena.A-1-2")), Verdict::Apply, "it goes on");
    assert_eq!(apply(&views, 9, &created("arena")), Verdict::Gap { expected: 6 });
    assert_eq!(
        apply(&views, 7, &created("club")),
        Verdict::Apply,
        "of one that is unknown nothing is missed"
    );
}

#[test]
fn what_cannot_be_read_advances_the_sequence_and_nothing_else() {
    let views = Views::default();
    views.install(vec![map("arena", 4)], BTreeMap::new(), Trust::Further);
    assert_eq!(views.apply(&event_id("arena"), 5, None).unwrap(), Verdict::Apply);
    let mut broken = definition();
    broken.sections.clear();
    assert!(views.apply(&event_id("arena"), 6, Some(&updated("arena", broken))).is_err());
    assert_eq!((sequence(&views), status(&views, "A-2-1")), (6, "AVAILABLE"));
}

#[test]
fn a_closed_seating_event_vanishes_until_it_is_opened_again_with_its_seats() {
    let views = Views::default();
    views.install(vec![map("arena", 1)], BTreeMap::new(), Trust::Further);
    apply(&views, 2, &held("arena.A-1-2"));
    apply(&views, 3, &deleted("arena"));
    assert!(views.get("arena").is_none() && views.list().is_empty());
    assert_eq!(apply(&views, 4, &updated("arena", definition())), Verdict::Apply);
    assert_eq!((status(&views, "A-1-2"), views.list().len()), ("HELD", 1));
}

#[tokio::test]
async fn a_purged_seating_event_is_forgotten_and_goes_on_when_it_is_created_anew() {
    let views = Views::default();
    views.install(vec![map("arena", 1)], BTreeMap::new(), Trust::Further);
    apply(&views, 2, &held("arena.A-1-2"));
    let looked_at = views.get("arena").unwrap();
    assert_eq!(apply(&views, 3, &purged("arena")), Verdict::Apply);
    assert!(views.get("arena").is_none() && views.list().is_empty());
    assert!(looked_at.read(|map| map.closed), "whoever still looks at it sees that nothing is sold");
    views.reached(&event_id("arena"), 3).await;
    assert_eq!(apply(&views, 3, &purged("arena")), Verdict::Duplicate);
    assert_eq!(apply(&views, 5, &held("arena.A-1-3")), Verdict::Gap { expected: 4 });
    assert_eq!(apply(&views, 4, &created("arena")), Verdict::Apply);
    assert_eq!((sequence(&views), status(&views, "A-1-2")), (4, "AVAILABLE"));
}

#[test]
fn a_snapshot_says_what_is_gone_where_it_is_further() {
    let (views, gone) = (Views::default(), |sequence| BTreeMap::from([(event_id("arena"), sequence)]));
    views.install(vec![map("arena", 5)], BTreeMap::new(), Trust::Further);
    views.install(vec![], gone(3), Trust::Further);
    assert_eq!(sequence(&views), 5);
    views.install(vec![], gone(6), Trust::Further);
    assert!(views.get("arena").is_none());
    views.install(vec![map("arena", 4)], BTreeMap::new(), Trust::Further);
    assert!(views.get("arena").is_none());
    assert_eq!(apply(&views, 7, &created("arena")), Verdict::Apply);
    views.install(vec![], gone(2), Trust::Snapshot);
    assert_eq!(apply(&views, 3, &created("arena")), Verdict::Apply);
}

#[test]
fn one_that_has_left_and_is_put_off_is_loaded_again() {
    let views = Views::default();
    views.install(vec![], BTreeMap::from([(event_id("arena"), 5)]), Trust::Further);
    assert_eq!(apply(&views, 6, &updated("arena", definition())), Verdict::Gap { expected: 6 });
    views.install(vec![map("arena", 6)], BTreeMap::new(), Trust::Further);
    assert_eq!(apply(&views, 7, &held("arena.A-1-2")), Verdict::Apply);
}

#[test]
fn one_that_is_over_is_taken_leave_of_and_its_sequence_is_known() {
    let views = Views::default();
    views.install(vec![map("arena", 5)], BTreeMap::new(), Trust::Further);
    let over_at = definition().over_at();
    views.leave(over_at - 1);
    assert!(views.get("arena").is_some());
    views.leave(over_at);
    assert!(views.get("arena").is_none() && views.list().is_empty());
    assert_eq!(apply(&views, 5, &held("arena.A-1-2")), Verdict::Duplicate);
    assert_eq!(apply(&views, 6, &held("arena.A-1-2")), Verdict::Apply, "nobody looks at it");
    assert!(views.get("arena").is_none());
}

#[test]
fn readers_never_see_one_history_go_backwards() {
    let views = Views::default();
    views.install(vec![map("arena", 5), map("late", 1)], BTreeMap::new(), Trust::Further);
    views.install(vec![map("arena", 3)], BTreeMap::new(), Trust::Further);
    assert_eq!((sequence(&views), views.list().len()), (5, 2));
    views.install(vec![map("arena", 8)], BTreeMap::new(), Trust::Further);
    assert_eq!(sequence(&views), 8);
}

#[test]
fn another_history_replaces_what_was_known() {
    let views = Views::default();
    views.install(vec![map("arena", 5), map("gone", 1)], BTreeMap::new(), Trust::Further);
    views.install(vec![map("arena", 3)], BTreeMap::new(), Trust::Snapshot);
    assert_eq!((sequence(&views), views.list().len()), (3, 1));
}

#[tokio::test]
async fn whoever_waits_for_an_event_is_told_when_it_was_taken_in() {
    let views = Views::default();
    let (arena, mut steps) = (event_id("arena"), vec![]);
    let told = async {
        views.reached(&arena, 2).await;
        sequence(&views)
    };
    let taken = async {
        for (number, event) in [(1, created("arena")), (2, held("arena.A-1-2"))] {
            apply(&views, number, &event);
            steps.push(number);
            views.announce();
            tokio::task::yield_now().await;
        }
    };
    assert_eq!(tokio::join!(told, taken).0, 2);
    assert_eq!(steps, [1, 2]);
}
