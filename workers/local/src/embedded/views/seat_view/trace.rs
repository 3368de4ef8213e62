//! Every domain event with its correlation and cause: what `/trace/{correlationId}` is drawn from.
//!
//! Grows by some 250 bytes an event and forgets nothing while the process runs.

use std::collections::HashMap;
use std::iter::successors;

use boxoffice_domain::{CorrelationId, Envelope, UnixMillis, UserId};
use uuid::Uuid;

/// A domain event of a chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// Its id.
    pub event_id: Uuid,
    /// The event that caused it, or the command's own id.
    pub causation_id: Uuid,
    /// Its type.
    pub event_type: &'static str,
    /// What it is about; begins with the SeatingEvent's id.
    pub aggregate_id: Box<str>,
    /// Its number within the SeatingEvent.
    pub sequence: u64,
    /// When it happened.
    pub timestamp: UnixMillis,
    /// Who acted.
    pub user_id: Option<UserId>,
}

/// Every chain.
#[derive(Debug, Default)]
pub struct Trace {
    /// Every event as it came, and where the one before it of the same chain is.
    events: Vec<(Traced, Option<usize>)>,
    /// Where the last event of each chain is.
    last: HashMap<CorrelationId, usize>,
}

impl Trace {
    /// The events of a chain, in the order in which they came.
    pub fn of(&self, correlation: &str) -> Vec<&Traced> {
        let event = |index: usize| self.events.get(index);
        let last = self.last.get(correlation).copied().and_then(event);
        let backwards = successors(last, |(_, previous)| previous.and_then(event));
        let mut chain: Vec<&Traced> = backwards.map(|(traced, _)| traced).collect();
        chain.reverse();
        chain
    }

    pub(super) fn add(&mut self, envelope: &Envelope) {
        let Envelope { event_id, timestamp, version: _, metadata, event } = envelope;
        let previous = self.last.insert(metadata.correlation_id.clone(), self.events.len());
        let traced = Traced {
            event_id: *event_id,
            causation_id: metadata.causation_id,
            event_type: event.event_type(),
            aggregate_id: event.aggregate_id().into(),
            sequence: metadata.sequence.unwrap_or_default(),
            timestamp: *timestamp,
            user_id: metadata.user_id.clone(),
        };
        self.events.push((traced, previous));
    }
}
