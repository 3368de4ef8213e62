//! How far a view got, what it has seen, and what it set aside: what on PostgreSQL are the framework's tables (I5).
//!
//! Telling a repeat from a fork takes the id of every event, and so 16 bytes an event and view. They are kept by
//! sequence: another event with a sequence that was seen is a fork, whatever its id was seen with before. Events without
//! a sequence are kept by id alone. Of which topic an offset is is not kept: those of one process are never replaced.

use std::collections::{BTreeMap, HashMap, HashSet};

use boxoffice_consumer::view::entry::{Entry, StreamPosition};
use boxoffice_consumer::view::plan::{Facts, Plan};
use boxoffice_domain::SeatingEventId;
use boxoffice_domain::checkpoint::{Span, Start};
use boxoffice_runtime::log::TopicPartition;
use boxoffice_runtime::record::Record;
use boxoffice_runtime::view::{Batch, Beginning, Checkpoint, Checkpoints};
use uuid::Uuid;

/// See the module.
#[derive(Debug, Default)]
pub struct Ledger {
    partitions: BTreeMap<TopicPartition, Progress>,
    histories: HashMap<SeatingEventId, History>,
    /// Ids of the events that have no sequence.
    unnumbered: HashSet<Uuid>,
    parked: Vec<Parked>,
    /// Aggregates that have parked events.
    held_up: HashSet<String>,
}

/// How far the view is in a partition.
#[derive(Debug)]
struct Progress {
    /// The first offset that is not in the view.
    next_offset: u64,
    /// Where the view began.
    start: Start,
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
    pub position: Option<StreamPosition>,
    /// Why.
    pub reason: String,
}

impl History {
    fn next(&self) -> u64 {
        self.first + self.ids.len() as u64
    }

    fn span(&self) -> Span {
        Span { first: self.first, last: self.next() - 1 }
    }

    fn has(&self, sequence: u64, id: Uuid) -> bool {
        let index = sequence.checked_sub(self.first).and_then(|index| usize::try_from(index).ok());
        index.and_then(|index| self.ids.get(index)) == Some(&id)
    }
}

impl Ledger {
    /// Notes where the view begins in partitions in which it has not begun.
    pub fn begin(&mut self, beginnings: &[Beginning]) {
        for Beginning { partition, offset, earliest, log: _ } in beginnings {
            let start = if *earliest { Start::Earliest } else { Start::Elsewhere };
            let progress = Progress { next_offset: *offset, start };
            self.partitions.entry(partition.clone()).or_insert(progress);
        }
    }

    /// The checkpoints of those of `partitions` in which the view has begun.
    pub fn checkpoints(&self, partitions: &[TopicPartition]) -> Checkpoints {
        let checkpoint = |partition: &TopicPartition| {
            let next_offset = self.partitions.get(partition)?.next_offset;
            Some((partition.clone(), Checkpoint { next_offset, reset_id: String::new(), log: None }))
        };
        partitions.iter().filter_map(checkpoint).collect()
    }

    /// The first offset of a partition that is not in the view, and where that began; `None` before it did.
    pub fn progress(&self, topic: &str, partition: u32) -> Option<(u64, Start)> {
        let partition = TopicPartition { topic: topic.to_owned(), partition };
        self.partitions.get(&partition).map(|progress| (progress.next_offset, progress.start))
    }

    /// The first offset that is not in the view, by partition of a topic.
    pub fn next_offsets(&self, topic: &str) -> BTreeMap<u32, u64> {
        let of_topic = self.partitions.iter().filter(|(partition, _)| partition.topic == topic);
        of_topic.map(|(partition, progress)| (partition.partition, progress.next_offset)).collect()
    }

    /// The last sequence of a SeatingEvent that was applied, parked or skipped.
    pub fn sequence(&self, seating_event: &str) -> Option<u64> {
        self.histories.get(seating_event).map(|history| history.next() - 1)
    }

    /// The same of every SeatingEvent.
    pub fn sequences(&self) -> impl Iterator<Item = (&SeatingEventId, u64)> {
        self.histories.iter().map(|(event, history)| (event, history.next() - 1))
    }

    /// What was set aside, in the order in which it is to be taken up again.
    pub fn parked(&self) -> &[Parked] {
        &self.parked
    }

    /// What there is to know about a batch before it is planned.
    pub fn facts(&self, entries: &[Entry]) -> Facts {
        let mut facts = Facts::default();
        for position in positions(entries) {
            let event = position.seating_event.as_str();
            let history = self.histories.get(event);
            if let Some(history) = history.filter(|_| !facts.spans.contains_key(event)) {
                facts.spans.insert(event.to_owned(), history.span());
            }
            let is_known = |id: &Uuid| match position.sequence {
                Some(sequence) => history.is_some_and(|history| history.has(sequence, *id)),
                None => self.unnumbered.contains(id),
            };
            facts.fresh.extend(position.event_id.filter(|id| !is_known(id)));
            if self.held_up.contains(&position.aggregate) {
                facts.parked.insert(position.aggregate.clone());
            }
        }
        facts
    }

    /// Notes that `plan` was carried out on `entries`, the first records of a batch, and says where its partition is
    /// now.
    pub fn advance(&mut self, batch: &Batch, entries: &[Entry], plan: &Plan) -> u64 {
        for position in positions(entries) {
            let id = position.event_id.unwrap_or_default();
            let Some(sequence) = position.sequence else {
                self.unnumbered.insert(id);
                continue;
            };
            match self.histories.get_mut(position.seating_event.as_str()) {
                Some(history) if sequence == history.next() => history.ids.push(id),
                Some(_) => {}
                None => {
                    let history = History { first: sequence, ids: vec![id] };
                    self.histories.insert(position.seating_event.clone(), history);
                }
            }
        }
        for (index, reason) in &plan.park {
            let position = entries[*index].position.clone();
            self.held_up.extend(position.as_ref().map(|position| position.aggregate.clone()));
            let (topic, record) = (batch.topic.clone(), batch.records[*index].clone());
            self.parked.push(Parked { topic, record, position, reason: reason.clone() });
        }
        let last = batch.records[..entries.len()].last();
        let next_offset = last.map_or(batch.expected, |record| record.offset + 1);
        self.pass(&batch.topic, batch.partition, next_offset);
        next_offset
    }

    /// Moves the checkpoint of a partition.
    pub fn pass(&mut self, topic: &str, partition: u32, next_offset: u64) {
        let partition = TopicPartition { topic: topic.to_owned(), partition };
        if let Some(progress) = self.partitions.get_mut(&partition) {
            progress.next_offset = next_offset;
        }
    }
}

fn positions(entries: &[Entry]) -> impl Iterator<Item = &StreamPosition> {
    entries.iter().filter_map(|entry| entry.position.as_ref())
}

#[cfg(test)]
mod tests {
    use boxoffice_consumer::handlers::Followers;
    use boxoffice_consumer::view::entry::Body;
    use boxoffice_consumer::view::plan::Rules;
    use boxoffice_runtime::view::ViewError;

    use super::*;

    /// An event of a type that nobody knows.
    fn entry(sequence: u64, id: Option<u128>) -> Entry {
        let position = StreamPosition {
            seating_event: "arena-night".parse().unwrap(),
            sequence: Some(sequence),
            aggregate: "arena-night.A-1-1".into(),
            event_id: id.map(Uuid::from_u128),
        };
        Entry { offset: sequence, position: Some(position), body: Body::Unknown("seat.painted".into()) }
    }

    fn poison(sequence: u64, id: Option<u128>) -> Entry {
        Entry { body: Body::Unreadable("it is torn".into()), ..entry(sequence, id) }
    }

    const TOPIC: &str = "seat-events";

    /// A ledger that begins at an offset.
    fn ledger(offset: u64) -> Ledger {
        let mut ledger = Ledger::default();
        let partition = TopicPartition { topic: TOPIC.into(), partition: 0 };
        ledger.begin(&[Beginning { partition, offset, earliest: false, log: None }]);
        ledger
    }

    /// Plans and notes `entries` as the records from `offset` on.
    fn advance(ledger: &mut Ledger, offset: u64, entries: &[Entry]) -> (Plan, Option<ViewError>) {
        let record = |offset| Record::new(0, offset, String::new(), vec![], vec![]);
        let batch = Batch {
            topic: TOPIC.into(),
            partition: 0,
            log: None,
            expected: ledger.progress(TOPIC, 0).unwrap().0,
            records: (offset..).take(entries.len()).map(record).collect(),
        };
        let rules = Rules { start: Start::Elsewhere, followers: Followers::Wait };
        let (plan, stop) = Plan::up_to_a_stop(entries, ledger.facts(entries), rules);
        let good = stop.as_ref().map_or(entries.len(), |stop| stop.index);
        ledger.advance(&batch, &entries[..good], &plan);
        (plan, stop.map(|stop| stop.error))
    }

    #[test]
    fn i5_a_repeat_is_told_from_a_fork_by_the_id_at_its_sequence() {
        let mut ledger = ledger(4);
        advance(&mut ledger, 4, &[entry(7, Some(70)), entry(8, Some(80)), entry(9, None)]);
        assert_eq!((ledger.sequence("arena-night"), ledger.sequence("other")), (Some(9), None));
        let (repeats, stop) =
            advance(&mut ledger, 7, &[entry(7, Some(70)), entry(9, None), entry(8, Some(80))]);
        assert_eq!((repeats.duplicates.len(), stop.is_none()), (3, true));
        for fork in [entry(8, Some(70)), entry(9, Some(90))] {
            let (_, stop) = advance(&mut ledger, 10, &[fork]);
            assert!(matches!(stop, Some(ViewError::Fork { .. })), "{stop:?}");
        }
        let (early, stop) = advance(&mut ledger, 10, &[entry(6, Some(60))]);
        assert_eq!((early.before_start, stop.is_none()), (1, true));
        assert_eq!(ledger.sequence("arena-night"), Some(9));
    }

    #[test]
    fn events_without_a_sequence_are_kept_by_id() {
        let unnumbered = |id| {
            let mut entry = entry(1, Some(id));
            entry.position.as_mut().unwrap().sequence = None;
            entry
        };
        let mut ledger = ledger(0);
        let (plan, _) = advance(&mut ledger, 0, &[unnumbered(1), unnumbered(2), unnumbered(1)]);
        assert_eq!(plan.duplicates, [2]);
        let (plan, _) = advance(&mut ledger, 3, &[unnumbered(2), unnumbered(3)]);
        assert_eq!((plan.duplicates.as_slice(), ledger.sequence("arena-night")), ([0].as_slice(), None));
    }

    #[test]
    fn i5_the_checkpoint_stays_before_a_gap() {
        let mut ledger = ledger(4);
        let (_, stop) = advance(&mut ledger, 4, &[entry(1, Some(1)), entry(3, Some(3)), entry(4, Some(4))]);
        assert!(matches!(stop, Some(ViewError::Gap { sequence: 3, expected: 2, .. })), "{stop:?}");
        assert_eq!(ledger.next_offsets(TOPIC), [(0, 5)].into());
        let (_, stop) = advance(&mut ledger, 5, &[entry(3, Some(3))]);
        assert!(stop.is_some());
        assert_eq!(
            (ledger.progress(TOPIC, 0), ledger.progress("other", 0)),
            (Some((5, Start::Elsewhere)), None)
        );
    }

    #[test]
    fn what_is_parked_holds_up_later_batches_of_its_aggregate() {
        let mut ledger = ledger(0);
        advance(&mut ledger, 0, &[poison(1, Some(1))]);
        let facts = ledger.facts(&[entry(2, Some(2))]);
        assert_eq!(facts.parked, ["arena-night.A-1-1".to_owned()].into());
        let parked = &ledger.parked()[0];
        assert_eq!((parked.record.offset, parked.reason.as_str()), (0, "it is torn"));
    }
}
