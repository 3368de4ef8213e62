//! `stats.updated` as it is announced: unsequenced, in the chain of what was counted last.

use boxoffice_domain::events::{SectionStats, StatsUpdated, VERSION};
use boxoffice_domain::{CorrelationId, DomainEvent, Envelope, Metadata, SeatingEventId};
use boxoffice_runtime::clock;
use uuid::Uuid;

/// The last domain event that was counted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    event_id: Uuid,
    correlation_id: CorrelationId,
    sequence: u64,
    epoch: u64,
}

impl From<&Envelope> for Cause {
    fn from(envelope: &Envelope) -> Self {
        let Metadata { correlation_id, sequence, .. } = &envelope.metadata;
        Self {
            event_id: envelope.event_id,
            correlation_id: correlation_id.clone(),
            sequence: sequence.unwrap_or_default(),
            epoch: 0,
        }
    }
}

impl Cause {
    /// The same, of counts that have all up to `sequence` in them.
    #[must_use]
    pub fn not_before(self, sequence: u64) -> Self {
        Self { sequence: self.sequence.max(sequence), ..self }
    }

    /// The same, where the sequence is of that epoch.
    #[must_use]
    pub fn of_epoch(self, epoch: u64) -> Self {
        Self { epoch, ..self }
    }
}

/// Announces the counts of a SeatingEvent's sections.
pub fn announce(event_id: SeatingEventId, cause: Cause, sections: Vec<SectionStats>) -> Envelope {
    let Cause { event_id: causation_id, correlation_id, sequence: as_of_sequence, epoch } = cause;
    Envelope {
        event_id: Uuid::new_v4(),
        timestamp: clock::now(),
        version: VERSION,
        metadata: Metadata { correlation_id, causation_id, user_id: None, sequence: None },
        event: DomainEvent::StatsUpdated(StatsUpdated { event_id, as_of_sequence, epoch, sections }),
    }
}
