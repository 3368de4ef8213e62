use std::sync::Arc;

use boxoffice_domain::events::{SeatBlock, VERSION};
use boxoffice_domain::{DomainEvent, Envelope, Metadata, SeatId, SeatingEventId};
use proptest::prelude::*;

use super::*;

fn entry(seat: &str, sequence: u64, body: impl FnOnce(DomainEvent, Uuid, u64) -> Body) -> Entry {
    let event: SeatingEventId = "arena-night".parse().unwrap();
    let seat = SeatId::new(&event, seat).unwrap();
    let aggregate = seat.to_string();
    let id = Uuid::from_u128(u128::from(sequence));
    let blocked =
        SeatBlock { seat_id: seat, event_id: event.clone(), section_id: "A".into(), reason: "x".into() };
    let body = body(DomainEvent::SeatBlocked(blocked), id, sequence);
    Entry {
        offset: 100 + sequence,
        position: Some(StreamPosition {
            seating_event: event,
            sequence: Some(sequence),
            aggregate,
            event_id: Some(id),
        }),
        body,
    }
}

fn known(seat: &str, sequence: u64) -> Entry {
    entry(seat, sequence, |event, event_id, sequence| {
        let metadata = Metadata {
            correlation_id: "c".parse().unwrap(),
            causation_id: event_id,
            user_id: None,
            sequence: Some(sequence),
        };
        Body::Known(Arc::new(Envelope { event_id, timestamp: 1, version: VERSION, metadata, event }))
    })
}

fn poison(seat: &str, sequence: u64) -> Entry {
    entry(seat, sequence, |_, _, _| Body::Unreadable("not a domain event".into()))
}

fn span(first: u64, last: u64) -> Span {
    Span { first, last }
}

/// The rules of a handler behind whose parked events later ones wait.
fn waiting(start: Start) -> Rules {
    Rules { start, followers: Followers::Wait }
}

/// What the database says after `applied` events, of which it knows the ids.
fn after(applied: u64, entries: &[Entry]) -> Facts {
    let ids =
        entries.iter().filter_map(|entry| entry.position.as_ref()).filter_map(|position| position.event_id);
    Facts {
        spans: (applied > 0).then(|| ("arena-night".to_owned(), span(1, applied))).into_iter().collect(),
        fresh: ids.filter(|id| id.as_u128() > u128::from(applied)).collect(),
        ..Facts::default()
    }
}

#[test]
fn consecutive_events_of_one_seating_event_are_all_applied() {
    let entries = [known("A-1-1", 1), known("A-1-2", 2), known("A-1-1", 3)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).unwrap();
    assert_eq!(plan.apply, [0, 1, 2]);
    assert_eq!(plan.spans, [("arena-night".to_owned(), span(1, 3))].into());
}

#[test]
fn i5_repeats_are_skipped_across_batches_and_within_one() {
    let entries = [known("A-1-1", 2), known("A-1-2", 3), known("A-1-2", 3), known("A-1-1", 2)];
    let plan = Plan::new(&entries, after(2, &entries), waiting(Start::Earliest)).unwrap();
    assert_eq!((plan.apply.as_slice(), plan.duplicates.as_slice()), ([1].as_slice(), [0, 2, 3].as_slice()));
}

#[test]
fn i5_a_gap_stops_at_the_event_after_it() {
    let entries = [known("A-1-1", 3), known("A-1-2", 5)];
    let stop = Plan::new(&entries, after(2, &entries), waiting(Start::Earliest)).unwrap_err();
    assert_eq!(stop.index, 1);
    assert!(matches!(stop.error, ViewError::Gap { sequence: 5, expected: 4, offset: 105, .. }));
}

#[test]
fn i5_another_event_with_a_sequence_that_was_seen_is_a_fork() {
    let mut forked = known("A-1-2", 3);
    forked.position.as_mut().unwrap().event_id = Some(Uuid::from_u128(99));
    let entries = [known("A-1-1", 3), forked];
    let stop = Plan::new(&entries, after(2, &entries), waiting(Start::Earliest)).unwrap_err();
    assert_eq!(stop.index, 1);
    assert!(matches!(stop.error, ViewError::Fork { sequence: 3, offset: 103, .. }));
}

#[test]
fn i5_what_comes_before_a_stop_is_planned() {
    let entries = [known("A-1-1", 3), poison("A-1-2", 4), known("A-1-1", 6), known("A-1-1", 7)];
    let (plan, stop) = Plan::up_to_a_stop(&entries, after(2, &entries), waiting(Start::Earliest));
    assert_eq!(stop.map(|stop| stop.index), Some(2));
    assert_eq!(
        (plan.apply.as_slice(), plan.park.len(), plan.spans["arena-night"].last),
        ([0].as_slice(), 1, 4)
    );
}

#[test]
fn i5_a_view_that_begins_in_the_middle_takes_the_first_event_as_its_baseline() {
    let entries = [known("A-1-1", 7), known("A-1-2", 8)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Elsewhere)).unwrap();
    assert_eq!(plan.apply, [0, 1]);
    assert!(Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).is_err());
}

#[test]
fn i5_what_the_log_repeats_from_before_the_start_is_skipped_and_counted() {
    let entries =
        [known("A-1-1", 51), known("A-1-2", 45), known("A-1-1", 50), known("A-1-2", 51), known("A-1-1", 52)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Elsewhere)).unwrap();
    assert_eq!((plan.apply.as_slice(), plan.before_start, plan.duplicates.len()), ([0, 4].as_slice(), 2, 1));
    assert_eq!(plan.spans, [("arena-night".to_owned(), span(51, 52))].into());
    let mut facts = after(52, &[]);
    facts.spans.insert("arena-night".into(), span(51, 52));
    let entries = [known("A-1-1", 46)];
    facts.fresh.extend(entries[0].position.as_ref().and_then(|position| position.event_id));
    let plan = Plan::new(&entries, facts, waiting(Start::Elsewhere)).unwrap();
    assert_eq!((plan.before_start, plan.spans.len()), (1, 0));
}

/// An event of a type that has no sequence.
fn unnumbered(id: u128) -> Entry {
    let mut entry = known("A-1-1", 1);
    let position = entry.position.as_mut().unwrap();
    (position.sequence, position.event_id) = (None, Some(Uuid::from_u128(id)));
    entry
}

#[test]
fn events_without_a_sequence_are_told_apart_by_their_ids_alone() {
    let entries = [unnumbered(7), unnumbered(7), unnumbered(3), unnumbered(8)];
    let mut facts = after(0, &entries);
    facts.fresh.remove(&Uuid::from_u128(3));
    let plan = Plan::new(&entries, facts, waiting(Start::Earliest)).unwrap();
    assert_eq!((plan.apply.as_slice(), plan.duplicates.as_slice()), ([0, 3].as_slice(), [1, 2].as_slice()));
    assert!(plan.spans.is_empty());
}

#[test]
fn poison_parks_later_events_of_its_seat_and_no_others() {
    let entries = [poison("A-1-1", 1), known("A-1-2", 2), known("A-1-1", 3)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).unwrap();
    assert_eq!(plan.apply, [1]);
    assert_eq!(plan.park.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(plan.spans["arena-night"].last, 3, "parked events advance the sequence");
}

#[test]
fn events_of_a_seat_that_was_parked_earlier_join_it() {
    let entries = [known("A-1-1", 3)];
    let mut facts = after(2, &entries);
    facts.parked.insert("arena-night.A-1-1".into());
    let plan = Plan::new(&entries, facts, waiting(Start::Earliest)).unwrap();
    assert!(plan.apply.is_empty());
    assert_eq!(plan.park.len(), 1);
}

#[test]
fn where_later_events_go_on_poison_is_parked_alone() {
    let rules = Rules { start: Start::Earliest, followers: Followers::GoOn };
    let entries = [poison("A-1-1", 1), known("A-1-2", 2), known("A-1-1", 3), known("A-1-1", 4)];
    let mut plan = Plan::new(&entries, after(0, &entries), rules).unwrap();
    assert_eq!(plan.apply, [1, 2, 3]);
    assert_eq!(plan.park.keys().copied().collect::<Vec<_>>(), [0]);
    plan.park(2, &entries[2], "refused".into());
    assert_eq!(plan.still_due(3, &entries[3]), entries[3].envelope());
}

#[test]
fn an_event_waits_behind_one_of_its_seat_that_was_refused_meanwhile() {
    let entries = [known("A-1-1", 1), known("A-1-1", 2), known("A-1-2", 3)];
    let mut plan = Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).unwrap();
    plan.apply.clear();
    plan.park(0, &entries[0], "refused".into());
    assert_eq!(plan.still_due(1, &entries[1]), None);
    assert_eq!(plan.still_due(2, &entries[2]), entries[2].envelope());
    assert_eq!(plan.outcome(9), Applied { parked: 2, next_offset: 9, ..Applied::default() });
}

#[test]
fn a_foreign_record_is_parked_alone_and_moves_no_sequence() {
    let foreign = Entry { offset: 0, position: None, body: Body::Unreadable("not a domain event".into()) };
    let entries = [known("A-1-1", 1), foreign, known("A-1-1", 2)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).unwrap();
    assert_eq!((plan.apply.as_slice(), plan.park.len()), ([0, 2].as_slice(), 1));
}

#[test]
fn unknown_types_are_skipped_and_advance_the_sequence() {
    let unknown = entry("A-1-1", 2, |_, _, _| Body::Unknown("seat.painted".into()));
    let entries = [known("A-1-1", 1), unknown, known("A-1-1", 3)];
    let plan = Plan::new(&entries, after(0, &entries), waiting(Start::Earliest)).unwrap();
    assert_eq!((plan.apply.as_slice(), plan.unknown), ([0, 2].as_slice(), 1));
}

proptest! {
    /// However a history is cut into batches and whatever of it the log repeats, each event is applied once, in order.
    #[test]
    fn i5_repeats_and_batches_change_nothing(
        cuts in proptest::collection::vec(1_usize..6, 1..12),
        repeats in proptest::collection::vec(0_u64..4, 12),
    ) {
        let (mut applied, mut next) = (vec![], 1_u64);
        for (cut, repeat) in cuts.into_iter().zip(repeats) {
            let done = next - 1;
            let from = next.saturating_sub(repeat).max(1);
            let sequences: Vec<u64> = (from..next + cut as u64).collect();
            let entries: Vec<Entry> = sequences.iter().map(|sequence| known("A-1-1", *sequence)).collect();
            let plan = Plan::new(&entries, after(done, &entries), waiting(Start::Earliest)).unwrap();
            prop_assert_eq!(plan.duplicates.len() as u64, next - from);
            applied.extend(plan.apply.iter().map(|index| sequences[*index]));
            next += cut as u64;
        }
        prop_assert_eq!(applied, (1..next).collect::<Vec<_>>());
    }
}
