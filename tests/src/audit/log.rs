//! The records of a SeatingEvent in the order of the log: sequences 1, 2, 3 without a gap, and repeats that are the same
//! (I3).

use std::collections::HashMap;

use boxoffice_domain::{Envelope, SeatingEventId};

use super::name;

/// The first occurrence of each domain event, and what is wrong with the records.
pub fn first_occurrences(event: &SeatingEventId, records: Vec<Envelope>) -> (Vec<Envelope>, Vec<String>) {
    let (mut facts, mut places, mut findings) = (Vec::<Envelope>::new(), HashMap::new(), Vec::new());
    for record in records {
        if record.event.seating_event() != event {
            findings.push(format!("I4: {} is not one of {event}", name(&record)));
            continue;
        }
        if let Some(first) = places.get(&record.event_id).and_then(|place: &usize| facts.get(*place)) {
            if *first != record {
                findings.push(format!("I9: {} is repeated as another one: {}", name(first), name(&record)));
            }
            continue;
        }
        let expected = facts.len() as u64 + 1;
        if record.metadata.sequence != Some(expected) {
            let found = record.metadata.sequence;
            findings.push(format!("I3: sequence {expected} is to come, but {} has {found:?}", name(&record)));
            // One finding says it: after a gap every sequence is another one.
            break;
        }
        places.insert(record.event_id, facts.len());
        facts.push(record);
    }
    (facts, findings)
}
