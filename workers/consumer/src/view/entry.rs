//! A record as a consumer takes it: what its body says, and its position in the order.
//!
//! The position comes from the body, and where that cannot be read, from the headers that repeat it. A record that has
//! neither is foreign: nobody knows which seat it is about, so it moves no sequence and holds nothing up. Events of
//! types that have no sequence need none: their `eventId` alone tells a repeat.

use std::sync::Arc;

use boxoffice_domain::checkpoint::is_sequenced;
use boxoffice_domain::{DomainEvent, Envelope, SeatingEventId};
use boxoffice_runtime::record::{CE_ID, CE_SEQUENCE, CE_SUBJECT, CE_TYPE, Record, Said};
use uuid::Uuid;

/// A record that was looked at.
#[derive(Debug)]
pub struct Entry {
    /// The record's position in its partition.
    pub offset: u64,
    /// Where it stands; `None` where it is foreign.
    pub position: Option<StreamPosition>,
    /// What it says.
    pub body: Body,
}

/// Where a domain event stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamPosition {
    /// Its SeatingEvent.
    pub seating_event: SeatingEventId,
    /// Its number within it, which fits the database's `bigint`; `None` where events of its type have none.
    pub sequence: Option<u64>,
    /// What it is about.
    pub aggregate: String,
    /// Its own id; `None` where the body is unreadable and no header says it.
    pub event_id: Option<Uuid>,
}

/// What a record says.
#[derive(Debug)]
pub enum Body {
    /// A domain event.
    Known(Arc<Envelope>),
    /// A domain event of this type, which this version does not know.
    Unknown(String),
    /// Nothing that can be read, for this reason.
    Unreadable(String),
}

impl Entry {
    /// Looks at a record.
    pub fn read(record: &Record) -> Self {
        let offset = record.offset;
        match record.said() {
            Said::Known(envelope) => {
                let sequence = sequence(envelope.event.event_type(), envelope.metadata.sequence);
                let sequence = match sequence {
                    Ok(sequence) => sequence,
                    Err(reason) => {
                        return Self { offset, position: None, body: Body::Unreadable(reason.into()) };
                    }
                };
                let position = StreamPosition {
                    seating_event: envelope.event.seating_event().clone(),
                    sequence,
                    aggregate: envelope.event.aggregate_id(),
                    event_id: Some(envelope.event_id),
                };
                Self { offset, position: Some(position), body: Body::Known(Arc::clone(envelope)) }
            }
            Said::Unknown(event) => {
                let sequence = sequence(&event.event_type, event.metadata.sequence);
                Self {
                    offset,
                    position: position(record, sequence, event.aggregate_id.clone(), Some(event.event_id)),
                    body: Body::Unknown(event.event_type.clone()),
                }
            }
            Said::Malformed(reason) => {
                let event_type = record.header(CE_TYPE).unwrap_or_default();
                let said = record.header(CE_SEQUENCE).and_then(|text| text.parse().ok());
                let event_id = record.header(CE_ID).and_then(|id| Uuid::try_parse(id).ok());
                let subject = record.header(CE_SUBJECT).unwrap_or_default().to_owned();
                Self {
                    offset,
                    position: position(record, sequence(event_type, said), subject, event_id),
                    body: Body::Unreadable(reason.clone()),
                }
            }
        }
    }

    /// Its type, as the body says it or else the record's header.
    pub fn event_type<'e>(&'e self, record: &'e Record) -> Option<&'e str> {
        match &self.body {
            Body::Known(envelope) => Some(envelope.event.event_type()),
            Body::Unknown(event_type) => Some(event_type),
            Body::Unreadable(_) => record.header(CE_TYPE),
        }
    }

    /// Whether it creates its SeatingEvent.
    pub fn creates(&self) -> bool {
        self.envelope().is_some_and(|envelope| matches!(envelope.event, DomainEvent::EventCreated(_)))
    }

    /// The domain event, where the body is one that this version knows.
    pub fn envelope(&self) -> Option<&Envelope> {
        match &self.body {
            Body::Known(envelope) => Some(envelope),
            Body::Unknown(_) | Body::Unreadable(_) => None,
        }
    }
}

/// A position of which the body did not say the SeatingEvent: the key does (I4), or else the aggregate's first part.
fn position(
    record: &Record,
    sequence: Result<Option<u64>, &'static str>,
    aggregate: String,
    event_id: Option<Uuid>,
) -> Option<StreamPosition> {
    let seating_event =
        [record.key.as_str(), aggregate.split('.').next()?].into_iter().find_map(|text| text.parse().ok())?;
    let names_something = !aggregate.is_empty() && !aggregate.contains('\0');
    names_something.then_some(StreamPosition { seating_event, sequence: sequence.ok()?, aggregate, event_id })
}

/// The sequence as a position has it.
///
/// # Errors
/// The lack of one that it must have.
fn sequence(event_type: &str, said: Option<u64>) -> Result<Option<u64>, &'static str> {
    if !is_sequenced(event_type) {
        return Ok(None);
    }
    let storable = said.filter(|sequence| i64::try_from(*sequence).is_ok());
    storable.map(Some).ok_or("the event has no sequence")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(value: &str, headers: &[(&str, &str)]) -> Record {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned().into(), (*value).to_owned().into()))
            .collect();
        Record::new(0, 0, "arena-night".into(), value.into(), headers)
    }

    #[test]
    fn headers_say_what_an_unreadable_body_hides() {
        let id = Uuid::from_u128(7).to_string();
        let headers = [("ce_subject", "arena-night.A-1-1"), ("ce_sequence", "4"), ("ce_id", id.as_str())];
        let position = Entry::read(&record("}{", &headers)).position.unwrap();
        assert_eq!((position.seating_event.as_str(), position.sequence), ("arena-night", Some(4)));
        assert_eq!(
            (position.aggregate.as_str(), position.event_id),
            ("arena-night.A-1-1", Some(Uuid::from_u128(7)))
        );
    }

    #[test]
    fn a_record_without_these_headers_is_foreign() {
        assert_eq!(Entry::read(&record("hello", &[])).position, None);
        assert_eq!(Entry::read(&record("hello", &[("ce_subject", "arena-night.A-1-1")])).position, None);
        let headers = [("ce_subject", "arena-night.A-1-1"), ("ce_sequence", "18446744073709551615")];
        assert_eq!(
            Entry::read(&record("hello", &headers)).position,
            None,
            "a sequence that no database can hold"
        );
    }

    #[test]
    fn an_unknown_type_keeps_its_place() {
        let id = Uuid::from_u128(7);
        let body = format!(
            r#"{{"eventType":"seat.painted","aggregateId":"arena-night.A-1-1","eventId":"{id}","timestamp":1,"version":1,
                "payload":{{}},"metadata":{{"correlationId":"c","causationId":"{id}","sequence":3}}}}"#
        );
        let entry = Entry::read(&record(&body, &[]));
        assert_eq!(entry.position.unwrap().sequence, Some(3));
        assert!(matches!(entry.body, Body::Unknown(name) if name == "seat.painted"));
    }

    #[test]
    fn an_announcement_needs_no_sequence_but_a_seats_event_does() {
        let headers = [("ce_subject", "arena-night.R"), ("ce_type", "payment.completed")];
        assert_eq!(Entry::read(&record("}{", &headers)).position.unwrap().sequence, None);
        let headers = [("ce_subject", "arena-night.R"), ("ce_type", "seat.held")];
        assert_eq!(Entry::read(&record("}{", &headers)).position, None);
    }
}
