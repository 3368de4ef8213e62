//! How far a view got, what it has seen, and what it set aside: what on PostgreSQL are the framework's tables (I5).
//!
//! Telling a repeat from a fork takes the id of every event, and so 16 bytes an event and view. They are kept by
//! sequence: another event with a sequence that was seen is a fork, whatever its id was seen with before.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_consumer::view::entry::{Entry, Place};
use boxoffice_consumer::view::plan::{Facts, Plan};
use boxoffice_domain::SeatingEventId;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::Batch;
use uuid::Uuid;

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    /// By topic and partition, the first offset that is not in the view.
    next_offsets: HashMap<String, BTreeMap<u32, u64>>,
    histories: HashMap<SeatingEventId, History>,
    parked: Vec<Parked>,
    /// Aggregates that have parked events.
    held_up: HashSet<String>,
}

/// The events of a SeatingEvent that were applied, parked or skipped.
#[derive(Debug)]
struct History {
    /// The first one's sequence.
    first: u64,
    /// Their ids, in order; nil where a record did not say.
    ids: Vec<Uuid>,
}

/// A record that was set aside.
#[derive(Debug, Clone)]
pub struct Parked {
    /// Its topic.
    pub topic: String,
    /// The record, as it came.
    pub record: Record,
    /// Where it stands; `None` where it is foreign.
    pub place: Option<Place>,
    /// Why.
    pub reason: String,
}

impl History {
    fn next(&self) -> u64 {
        self.first + self.ids.len() as u64
    }

    fn has(&self, sequence: u64, id: Uuid) -> bool {
        let index = sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.ids.get(index)) == Some(&id)
    }
}

impl Ledger {
    /// The first offset of a partition that is not in the view; `None` before its first batch.
    pub fn next_offset(&self, topic: &str, partition: u32) -> Option<u64> {
        self.next_offsets.get(topic)?.get(&partition).copied()
    }

    /// The first offset that is not in the view, by partition: of a view that is built from one topic.
    pub fn next_offsets(&self) -> BTreeMap<u32, u64> {
        self.next_offsets.values().flatten().map(|(partition, offset)| (*partition, *offset)).collect()
    }

    /// The last sequence of a SeatingEvent that was applied, parked or skipped.
    pub fn sequence(&self, seating_event: &str) -> Option<u64> {
        self.histories.get(seating_event).map(|history| history.next() - 1)
    }

    /// What was set aside, in the order in which it is to be taken up again.
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// What there is to know about a batch before it is planned.
    pub fn facts(&self, entries: &[Entry]) -> Facts {
        let mut facts = Facts::default();
        for place in places(entries) {
            let event = place.seating_event.as_str();
            let history = self.histories.get(event);
            if let Some(history) = history.filter(|_| !facts.sequences.contains_key(event)) {
                facts.sequences.insert(event.to_owned(), history.next() - 1);
            }
            facts.fresh.extend(
                place.event_id.filter(|id| history.is_none_or(|history| !history.has(place.sequence, *id))),
            );
            if self.held_up.contains(&place.aggregate) {
                facts.parked.insert(place.aggregate.clone());
            }
        }
        facts
    }

    /// Notes that `plan` was carried out on `entries`, the first records of a batch, and says where its partition is
    /// now.
    pub fn advance(&mut self, batch: &Batch, entries: &[Entry], plan: &Plan) -> u64 {
        for place in places(entries) {
            let id = place.event_id.unwrap_or_default();
            match self.histories.get_mut(place.seating_event.as_str()) {
                Some(history) if place.sequence == history.next() => history.ids.push(id),
                Some(_) => {}
                None => {
                    let history = History { first: place.sequence, ids: vec![id] };
                    self.histories.insert(place.seating_event.clone(), history);
                }
            }
        }
        for (index, reason) in &plan.park {
            let place = entries[*index].place.clone();
            self.held_up.extend(place.as_ref().map(|place| place.aggregate.clone()));
            let (topic, record) = (batch.topic.clone(), batch.records[*index].clone());
            self.parked.push(Parked { topic, record, place, reason: reason.clone() });
        }
        let Some(last) = batch.records[..entries.len()].last() else {
            return batch.expected.unwrap_or_default();
        };
        let next_offset = last.offset + 1;
        self.next_offsets.entry(batch.topic.clone()).or_default().insert(batch.partition, next_offset);
        next_offset
    }
}

fn places(entries: &[Entry]) -> impl Iterator<Item = &Place> {
    entries.iter().filter_map(|entry| entry.place.as_ref())
}

#[cfg(test)]
mod tests {
    use boxoffice_consumer::view::entry::Body;
    use boxoffice_domain::checkpoint::Start;
    use boxoffice_runtime::view::ViewError;

    use super::*;

    /// An event of a type that nobody knows.
    fn entry(sequence: u64, id: Option<u128>) -> Entry {
        let place = Place {
            seating_event: "arena-night".parse().unwrap(),
            sequence,
            aggregate: "arena-night.A-1-1".into(),
            event_id: id.map(Uuid::from_u128),
        };
        Entry { place: Some(place), body: Body::Unknown("seat.painted".into()) }
    }

    fn poison(sequence: u64, id: Option<u128>) -> Entry {
        Entry { body: Body::Unreadable("it is torn".into()), ..entry(sequence, id) }
    }

    /// Plans and notes `entries` as the records from `offset` on.
    fn advance(ledger: &mut Ledger, offset: u64, entries: &[Entry]) -> (Plan, Option<ViewError>) {
        let record = |offset| Record::new(0, offset, String::new(), vec![], vec![]);
        let batch = Batch {
            topic: "seat-events".into(),
            partition: 0,
            expected: ledger.next_offset("seat-events", 0),
            records: (offset..).take(entries.len()).map(record).collect(),
        };
        let (plan, stop) = Plan::up_to_a_stop(entries, ledger.facts(entries), Start::Elsewhere);
        let good = stop.as_ref().map_or(entries.len(), |stop| stop.index);
        ledger.advance(&batch, &entries[..good], &plan);
        (plan, stop.map(|stop| stop.error))
    }

    #[test]
    fn i5_a_repeat_is_told_from_a_fork_by_the_id_at_its_sequence() {
        let mut ledger = Ledger::default();
        advance(&mut ledger, 4, &[entry(7, Some(70)), entry(8, Some(80)), entry(9, None)]);
        assert_eq!((ledger.sequence("arena-night"), ledger.sequence("other")), (Some(9), None));
        let (repeats, stop) =
            advance(&mut ledger, 7, &[entry(7, Some(70)), entry(9, None), entry(8, Some(80))]);
        assert_eq!((repeats.duplicates, stop.is_none()), (3, true));
        for fork in [entry(8, Some(70)), entry(9, Some(90)), entry(6, Some(60))] {
            let (_, stop) = advance(&mut ledger, 10, &[fork]);
            assert!(matches!(stop, Some(ViewError::Fork { .. })), "{stop:?}");
        }
        assert_eq!(ledger.sequence("arena-night"), Some(9));
    }

    #[test]
    fn i5_the_checkpoint_stays_before_a_gap() {
        let mut ledger = Ledger::default();
        let (_, stop) = advance(&mut ledger, 4, &[entry(1, Some(1)), entry(3, Some(3)), entry(4, Some(4))]);
        assert!(matches!(stop, Some(ViewError::Gap { sequence: 3, expected: 2, .. })), "{stop:?}");
        assert_eq!(ledger.next_offsets(), [(0, 5)].into());
        let (_, stop) = advance(&mut ledger, 5, &[entry(3, Some(3))]);
        assert!(stop.is_some());
        assert_eq!((ledger.next_offset("seat-events", 0), ledger.next_offset("other", 0)), (Some(5), None));
    }

    #[test]
    fn what_is_parked_holds_up_later_batches_of_its_aggregate() {
        let mut ledger = Ledger::default();
        advance(&mut ledger, 0, &[poison(1, Some(1))]);
        let facts = ledger.facts(&[entry(2, Some(2))]);
        assert_eq!(facts.parked, ["arena-night.A-1-1".to_owned()].into());
        let parked = &ledger.parked()[0];
        assert_eq!((parked.record.offset, parked.reason.as_str()), (0, "it is torn"));
    }
}
