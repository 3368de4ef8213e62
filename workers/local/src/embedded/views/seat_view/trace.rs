//! The last domain events with their correlation and cause: what `/trace/{correlationId}` is drawn from.
//!
//! Some 300 bytes an event: beyond [`MOST`] the oldest is forgotten.

use std::collections::{HashMap, VecDeque};

use boxoffice_domain::{CorrelationId, Envelope, SeatingEventId, UnixMillis, UserId};
use uuid::Uuid;

/// Most events that are kept.
pub const MOST: usize = 100_000;

/// A domain event of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its id.
    pub event_id: Uuid,
    /// The event that caused it, or the command's own id.
    pub causation_id: Uuid,
    /// Its type.
    pub event_type: &'static str,
    /// What it is about.
    pub aggregate_id: Box<str>,
    /// Its SeatingEvent.
    pub seating_event: SeatingEventId,
    /// Its number within the SeatingEvent, where it has one.
    pub sequence: Option<u64>,
    /// When it happened.
    pub timestamp: UnixMillis,
    /// Whom it names.
    pub user_id: Option<UserId>,
}

/// The chains.
#[derive(Debug, Default)]
pub struct Trace {
    /// The events as they came, each with its chain.
    events: VecDeque<(CorrelationId, Traced)>,
    /// How many were forgotten: the number of the first one that is kept.
    forgotten: usize,
    /// The numbers of each chain's events.
    chains: HashMap<CorrelationId, VecDeque<usize>>,
}

impl Trace {
    /// The events of a chain that are kept, in the order in which they came.
    pub fn of(&self, correlation: &str) -> Vec<&Traced> {
        let numbers = self.chains.get(correlation).into_iter().flatten();
        let event = |number: &usize| self.events.get(number - self.forgotten);
        numbers.filter_map(event).map(|(_, traced)| traced).collect()
    }

    pub(super) fn add(&mut self, envelope: &Envelope) {
        let Envelope { event_id, timestamp, version: _, metadata, event } = envelope;
        let traced = Traced {
            event_id: *event_id,
            causation_id: metadata.causation_id,
            event_type: event.event_type(),
            aggregate_id: event.aggregate_id().into(),
            seating_event: event.seating_event().clone(),
            sequence: metadata.sequence,
            timestamp: *timestamp,
            user_id: envelope.user().cloned(),
        };
        let (chain, number) = (metadata.correlation_id.clone(), self.forgotten + self.events.len());
        self.chains.entry(chain.clone()).or_default().push_back(number);
        self.events.push_back((chain, traced));
        if self.events.len() > MOST {
            self.forget();
        }
    }

    fn forget(&mut self) {
        let Some((chain, _)) = self.events.pop_front() else { return };
        self.forgotten += 1;
        if let Some(numbers) = self.chains.get_mut(&chain) {
            numbers.pop_front();
            if numbers.is_empty() {
                self.chains.remove(&chain);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::events::{SeatingEventPurged, VERSION};
    use boxoffice_domain::{DomainEvent, Metadata};

    use super::*;

    fn event(id: usize, chain: &str) -> Envelope {
        Envelope {
            event_id: Uuid::from_u128(id as u128),
            timestamp: 1_000,
            version: VERSION,
            metadata: Metadata {
                correlation_id: chain.parse().unwrap(),
                causation_id: Uuid::nil(),
                user_id: None,
                sequence: Some(id as u64),
            },
            event: DomainEvent::EventPurged(SeatingEventPurged { event_id: "arena".parse().unwrap() }),
        }
    }

    #[test]
    fn the_oldest_events_are_forgotten_beyond_the_bound() {
        let mut trace = Trace::default();
        trace.add(&event(1, "old"));
        trace.add(&event(2, "both"));
        (3..=MOST).for_each(|id| trace.add(&event(id, &format!("c-{id}"))));
        assert_eq!((trace.of("old").len(), trace.of("both").len()), (1, 1));
        trace.add(&event(MOST + 1, "both"));
        assert_eq!((trace.of("old").len(), trace.of("both").len()), (0, 2));
        trace.add(&event(MOST + 2, "new"));
        let both: Vec<_> = trace.of("both").iter().map(|traced| traced.sequence).collect();
        assert_eq!(both, [Some(MOST as u64 + 1)]);
        assert_eq!((trace.events.len(), trace.chains.len()), (MOST, MOST));
        assert_eq!(trace.of("c-3").len(), 1);
    }
}
