//! A domain event as a record of the log: CloudEvents in binary mode, with the trace.
//!
//! `ce_subject` and `ce_sequence` repeat what the body says, so that a record whose body cannot be read still names
//! the seat and its place in the order.

use std::borrow::Cow;
use std::fmt::Write;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

use boxoffice_domain::events::{Incoming, MalformedEvent, UnknownEvent, parse};
use boxoffice_domain::{DomainEvent, Envelope};
use uuid::Uuid;

/// Header: the event's id.
pub const CE_ID: &str = "ce_id";
/// Header: the event's type.
pub const CE_TYPE: &str = "ce_type";
/// Header: sequence within the SeatingEvent.
pub const CE_SEQUENCE: &str = "ce_sequence";
/// Header: the aggregate's id.
pub const CE_SUBJECT: &str = "ce_subject";

/// Bytes of a `traceparent`, and of a time: both are written piece by piece, into a text that has room for all of them.
const TRACE: usize = 55;
const TIME: usize = 24;

/// Header names and values. Those that every record has are not written anew for each.
pub type Headers = Vec<(Cow<'static, str>, Cow<'static, str>)>;

/// A record to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRecord {
    /// Partition, chosen by whoever publishes (I4).
    pub partition: u32,
    /// SeatingEvent id.
    pub key: String,
    /// The envelope's JSON. An empty one is none at all: on a compacted topic nothing of that key is kept.
    pub value: Vec<u8>,
    /// Header names and values.
    pub headers: Headers,
    /// Unix milliseconds.
    pub timestamp: u64,
}

/// A record that was read. Clones share what it holds, and what that says is read once for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its partition.
    pub partition: u32,
    /// Its place in the partition.
    pub offset: u64,
    content: Arc<Content>,
}

/// What a record holds.
#[derive(Debug)]
pub struct Content {
    /// SeatingEvent id; empty where the record has no key or one that is not text.
    pub key: String,
    /// The envelope's JSON; empty where the record has none.
    pub value: Vec<u8>,
    /// Header names and values; those that are not text are left out.
    pub headers: Headers,
    said: OnceLock<Said>,
}

/// What a record says.
#[derive(Debug)]
pub enum Said {
    /// An event of a type that this version knows.
    Known(Arc<Envelope>),
    /// An envelope of a type that it does not know.
    Unknown(UnknownEvent),
    /// Nothing that can be read, for this reason.
    Malformed(String),
}

impl Record {
    /// A record at its place.
    pub fn new(partition: u32, offset: u64, key: String, value: Vec<u8>, headers: Headers) -> Self {
        let content = Content { key, value, headers, said: OnceLock::new() };
        Self { partition, offset, content: Arc::new(content) }
    }
}

impl Deref for Record {
    type Target = Content;

    fn deref(&self) -> &Content {
        &self.content
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Self) -> bool {
        (&self.key, &self.value, &self.headers) == (&other.key, &other.value, &other.headers)
    }
}

impl Eq for Content {}

impl Content {
    /// The value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref())
    }

    /// What it says.
    pub fn said(&self) -> &Said {
        self.said.get_or_init(|| match parse(&self.value) {
            Ok(Incoming::Known(envelope)) => Said::Known(Arc::new(envelope)),
            Ok(Incoming::Unknown(unknown)) => Said::Unknown(unknown),
            Err(error) => Said::Malformed(error.to_string()),
        })
    }
}

/// The record of a domain event. `source` is the ReservationService (namespace/name); `traceparent` is the caller's,
/// and where there is none, the command's id begins a trace of its own.
pub fn encode(
    envelope: &Envelope,
    partition: u32,
    source: &str,
    traceparent: Option<&str>,
) -> Result<NewRecord, MalformedEvent> {
    let event: &DomainEvent = &envelope.event;
    let mut headers = Headers::with_capacity(9);
    let mut header = |name: &'static str, value: Cow<'static, str>| headers.push((name.into(), value));
    header("ce_specversion", "1.0".into());
    header(CE_ID, envelope.event_id.to_string().into());
    header(CE_TYPE, event.event_type().into());
    header("ce_source", format!("/boxoffice/{source}").into());
    header("ce_time", rfc3339(envelope.timestamp).into());
    header(CE_SUBJECT, event.aggregate_id().into());
    header("content-type", "application/json".into());
    header("traceparent", traceparent.map_or_else(|| trace(envelope), str::to_owned).into());
    if let Some(sequence) = envelope.metadata.sequence {
        header(CE_SEQUENCE, sequence.to_string().into());
    }
    Ok(NewRecord {
        partition,
        key: event.seating_event().to_string(),
        value: envelope.to_json()?,
        headers,
        timestamp: envelope.timestamp,
    })
}

/// The trace that a command's id begins: the `traceparent` of what is caused by `envelope`, where no caller gave one.
pub fn trace(envelope: &Envelope) -> String {
    let (_, span) = split(envelope.event_id);
    let mut trace = String::with_capacity(TRACE);
    let _ = write!(trace, "00-{}-{span:016x}-01", envelope.metadata.causation_id.simple());
    trace
}

/// The halves of a UUID, the second never zero, as a span id must not be.
fn split(id: Uuid) -> (u64, u64) {
    let (high, low) = id.as_u64_pair();
    (high, low.max(1))
}

/// `timestamp` as RFC 3339 in UTC with milliseconds.
fn rfc3339(timestamp: u64) -> String {
    let time =
        i64::try_from(timestamp).ok().and_then(|millis| jiff::Timestamp::from_millisecond(millis).ok());
    let mut text = String::with_capacity(TIME);
    let _ = write!(text, "{:.3}", time.unwrap_or(jiff::Timestamp::MAX));
    text
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::events::{ReservedSeats, VERSION};
    use boxoffice_domain::{Metadata, ReservationId, SeatId, SeatingEventId};

    use super::*;

    fn envelope() -> Envelope {
        let event: SeatingEventId = "arena-night".parse().unwrap();
        Envelope {
            event_id: Uuid::from_u128(0x10),
            timestamp: 1_700_000_000_123,
            version: VERSION,
            metadata: Metadata {
                correlation_id: "c-1".parse().unwrap(),
                causation_id: Uuid::from_u128(0x20),
                user_id: None,
                sequence: Some(4),
            },
            event: DomainEvent::ReservationCreated(ReservedSeats {
                reservation_id: ReservationId::new(event.clone(), Uuid::from_u128(0x30)),
                event_id: event.clone(),
                user_id: "alice".parse().unwrap(),
                seat_ids: vec![SeatId::new(&event, "A-1-1").unwrap()],
                amount: 12_000,
                currency: "EUR".into(),
                paid_by: None,
                reason: None,
                note: None,
            }),
        }
    }

    #[test]
    fn headers_are_cloud_events_with_a_trace() {
        let record = encode(&envelope(), 3, "tickets/main", None).unwrap();
        let header =
            |name: &str| record.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_ref());
        assert_eq!((record.partition, record.key.as_str()), (3, "arena-night"));
        assert_eq!(header("ce_type"), Some("reservation.created"));
        assert_eq!(header("ce_time"), Some("2023-11-14T22:13:20.123Z"));
        assert_eq!(header("ce_sequence"), Some("4"));
        assert_eq!(header("ce_subject"), Some("arena-night.00000000-0000-0000-0000-000000000030"));
        assert_eq!(header("traceparent"), Some("00-00000000000000000000000000000020-0000000000000010-01"));
    }

    #[test]
    fn the_callers_trace_goes_on() {
        let record = encode(&envelope(), 3, "tickets/main", Some("00-abc-def-00")).unwrap();
        assert!(record.headers.contains(&("traceparent".into(), "00-abc-def-00".into())));
    }
}
