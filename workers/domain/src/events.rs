//! Domain events: past-tense facts, and the one envelope they travel in.
//!
//! A [`DomainEvent`] is written once, by the script that changed the state (I2), and never changed after (I9).
//! [`Envelope::to_json`] is the record's value on Kafka; [`parse`] reads it back and keeps event types that this
//! version does not know apart from text that is no envelope at all.

use std::borrow::Cow;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::definition::{Blocked, Definition};
use crate::ids::{CorrelationId, HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId};

/// Schema version that this code writes, of every event type so far.
pub const VERSION: u32 = 1;

/// A domain event with what every one carries.
#[derive(Debug, Clone, PartialEq)]
pub struct Envelope {
    /// Unique; repeats of the record carry the same one.
    pub event_id: Uuid,
    /// When it happened, by the clock of the store that decided it.
    pub timestamp: UnixMillis,
    /// Schema version of the event type, from 1.
    pub version: u32,
    /// Where it comes from.
    pub metadata: Metadata,
    /// The fact.
    pub event: DomainEvent,
}

/// Where a domain event comes from and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Metadata {
    /// Ties the chain together.
    pub correlation_id: CorrelationId,
    /// The event that caused it, or the command's own id.
    pub causation_id: Uuid,
    /// Who acted; absent when nobody did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Gapless number within the SeatingEvent (I3); absent on topics that are not sequenced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
}

/// The facts. One variant an event type; the payload is the variant's content.
#[derive(Debug, Clone, PartialEq)]
pub enum DomainEvent {
    /// A seat was claimed for a while.
    SeatHeld(SeatHeld),
    /// A held seat was confirmed.
    SeatReserved(SeatReserved),
    /// A seat became available again.
    SeatReleased(SeatReleased),
    /// A seat was taken off sale.
    SeatBlocked(SeatBlock),
    /// A seat was put back on sale.
    SeatUnblocked(SeatBlock),
    /// A hold's deadline moved.
    HoldExtended(HoldExtended),
    /// Seats became a reservation.
    ReservationCreated(ReservedSeats),
    /// Seats left a reservation.
    ReservationCancelled(ReservedSeats),
    /// A payment came too late, and its seats could not be given back to whoever paid.
    ReservationNotReinstated(NotReinstated),
    /// A SeatingEvent came on the platform.
    EventCreated(SeatingEventDefined),
    /// A SeatingEvent's definition changed.
    EventUpdated(SeatingEventDefined),
    /// A SeatingEvent was closed for good; its seats are kept.
    EventDeleted(SeatingEventDefined),
    /// A SeatingEvent was forgotten with its seats. Its id may come back: then `event.created` has the next sequence.
    EventPurged(SeatingEventPurged),
    /// Counts of a SeatingEvent by section.
    StatsUpdated(StatsUpdated),
    /// A gateway was asked to charge a reservation.
    PaymentRequested(Payment),
    /// A reservation was charged.
    PaymentCompleted(Payment),
    /// A reservation was not charged, for good or for now: a success may still come, late.
    PaymentFailed(Payment),
    /// What was charged is to be given back, all of it or a part.
    PaymentRefundRequested(Payment),
}

/// Payload of `seat.held`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatHeld {
    pub seat_id: SeatId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub section_id: String,
    pub hold_id: HoldId,
    pub held_at: UnixMillis,
    pub expires_at: UnixMillis,
    pub amount: u64,
    pub currency: String,
}

/// Payload of `seat.reserved`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatReserved {
    pub seat_id: SeatId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub section_id: String,
    pub hold_id: HoldId,
    pub reservation_id: ReservationId,
    pub reserved_at: UnixMillis,
    pub amount: u64,
    pub currency: String,
}

/// Payload of `seat.released`: of a hold or of a reservation, never of both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatReleased {
    pub seat_id: SeatId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub section_id: String,
    #[serde(flatten)]
    pub claim: Claim,
    pub reason: ReleaseReason,
    pub released_at: UnixMillis,
    /// What the box office wrote down when it took the seat back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// What held a seat: JSON `holdId` or `reservationId`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Claim {
    /// A hold.
    #[serde(rename = "holdId")]
    Hold(HoldId),
    /// A reservation.
    #[serde(rename = "reservationId")]
    Reservation(ReservationId),
}

/// Why a seat was released.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReleaseReason {
    /// Its holder gave it back.
    User,
    /// The hold's deadline passed.
    Expired,
    /// The reservation was cancelled.
    Cancelled,
    /// The payment failed.
    PaymentFailed,
    /// An operator took it back.
    Admin,
}

impl ReleaseReason {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::User, Self::Expired, Self::Cancelled, Self::PaymentFailed, Self::Admin];

    /// The word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Expired => "expired",
            Self::Cancelled => "cancelled",
            Self::PaymentFailed => "payment_failed",
            Self::Admin => "admin",
        }
    }
}

/// Payload of `seat.blocked` and `seat.unblocked`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatBlock {
    pub seat_id: SeatId,
    pub event_id: SeatingEventId,
    pub section_id: String,
    pub reason: String,
}

/// Payload of `hold.extended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct HoldExtended {
    pub hold_id: HoldId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub seat_ids: Vec<SeatId>,
    pub expires_at: UnixMillis,
}

/// Payload of `reservation.created` and `reservation.cancelled`: the seats concerned and what they cost together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct ReservedSeats {
    pub reservation_id: ReservationId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub seat_ids: Vec<SeatId>,
    pub amount: u64,
    pub currency: String,
    /// What pays for it where no payment of its own does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paid_by: Option<PaidBy>,
    /// Why it was cancelled; of `reservation.cancelled` alone, and absent in those of before it was told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<ReleaseReason>,
    /// What the box office wrote down when it cancelled it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// Payload of `reservation.not_reinstated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct NotReinstated {
    pub reservation_id: ReservationId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    pub payment_id: String,
}

/// Payload of `payment.requested`, `payment.completed`, `payment.failed` and `payment.refund_requested`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct Payment {
    pub reservation_id: ReservationId,
    pub event_id: SeatingEventId,
    pub user_id: UserId,
    /// What is charged, or given back, in the currency's minor unit.
    pub amount: u64,
    pub currency: String,
    /// The gateway's name for it, once it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payment_id: Option<String>,
    /// Why it failed; of `payment.failed` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<PaymentFailure>,
    /// Whether it was charged after it had failed by time-out; of `payment.completed` alone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

/// Why a payment failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PaymentFailure {
    /// The gateway declined it.
    Declined,
    /// The gateway gave no final answer in time.
    Timeout,
    /// The gateway refused the request itself.
    Refused,
}

impl PaymentFailure {
    /// The word that programs read.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Declined => "declined",
            Self::Timeout => "timeout",
            Self::Refused => "refused",
        }
    }
}

/// What pays for a reservation where no payment of its own does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub enum PaidBy {
    /// It was paid at the box office: JSON `counter`.
    Counter,
    /// The payment of this reservation, by its id.
    Reservation(String),
}

const COUNTER: &str = "counter";

impl From<String> for PaidBy {
    fn from(text: String) -> Self {
        if text == COUNTER { Self::Counter } else { Self::Reservation(text) }
    }
}

impl From<PaidBy> for String {
    fn from(paid_by: PaidBy) -> Self {
        match paid_by {
            PaidBy::Counter => COUNTER.to_owned(),
            PaidBy::Reservation(id) => id,
        }
    }
}

/// Payload of `event.created`, `event.updated` and `event.deleted`: the definition, with its id and fingerprint.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatingEventDefined {
    pub event_id: SeatingEventId,
    pub chart_hash: String,
    #[serde(flatten)]
    pub definition: Definition,
    /// Seats that it takes off sale, in place of whatever blocked them. Absent in events of before it was told: then
    /// it is the difference of two `blocked` lists ([`crate::evolve::blocks`]).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Vec<Blocked>>,
    /// Keys of blocked seats that it puts back on sale. Absent as `blocks` is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unblocks: Option<Vec<String>>,
}

/// Payload of `event.purged`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct SeatingEventPurged {
    pub event_id: SeatingEventId,
}

/// Payload of `stats.updated`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct StatsUpdated {
    pub event_id: SeatingEventId,
    pub as_of_sequence: u64,
    /// What the sequence is of: it rises with a SeatingEvent that is created anew on another log, whose sequences begin anew.
    #[serde(default, skip_serializing_if = "is_first")]
    pub epoch: u64,
    pub sections: Vec<SectionStats>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes it so")]
fn is_first(epoch: &u64) -> bool {
    *epoch == 0
}

/// Counts of one section.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SectionStats {
    /// The section.
    pub section_id: String,
    /// Seats that can be held now.
    pub available: u64,
    /// Seats in holds.
    pub held: u64,
    /// Seats in reservations.
    pub reserved: u64,
    /// How often a seat was released, ever.
    pub released: u64,
    /// What the reserved seats cost together, in the currency's minor unit.
    pub revenue: u64,
}

/// Calls a macro with every event type: variant, payload, name.
macro_rules! event_types {
    ($with:ident) => {
        $with! {
            SeatHeld(SeatHeld) = "seat.held",
            SeatReserved(SeatReserved) = "seat.reserved",
            SeatReleased(SeatReleased) = "seat.released",
            SeatBlocked(SeatBlock) = "seat.blocked",
            SeatUnblocked(SeatBlock) = "seat.unblocked",
            HoldExtended(HoldExtended) = "hold.extended",
            ReservationCreated(ReservedSeats) = "reservation.created",
            ReservationCancelled(ReservedSeats) = "reservation.cancelled",
            ReservationNotReinstated(NotReinstated) = "reservation.not_reinstated",
            EventCreated(SeatingEventDefined) = "event.created",
            EventUpdated(SeatingEventDefined) = "event.updated",
            EventDeleted(SeatingEventDefined) = "event.deleted",
            EventPurged(SeatingEventPurged) = "event.purged",
            StatsUpdated(StatsUpdated) = "stats.updated",
            PaymentRequested(Payment) = "payment.requested",
            PaymentCompleted(Payment) = "payment.completed",
            PaymentFailed(Payment) = "payment.failed",
            PaymentRefundRequested(Payment) = "payment.refund_requested",
        }
    };
}

macro_rules! implement_event_types {
    ($($variant:ident($payload:ident) = $name:literal,)*) => {
        impl DomainEvent {
            /// Every event type's name.
            pub const TYPES: &[&str] = &[$($name),*];

            /// The `eventType` of the envelope.
            pub fn event_type(&self) -> &'static str {
                match self { $(Self::$variant(_) => $name,)* }
            }

            /// The event of type `event_type` in `payload`; `None` where this version does not know the type.
            fn from_payload(event_type: &str, payload: &RawValue) -> serde_json::Result<Option<Self>> {
                match event_type {
                    $($name => Ok(Some(Self::$variant(serde_json::from_str::<$payload>(payload.get())?))),)*
                    _ => Ok(None),
                }
            }
        }

        impl Serialize for Payload<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                match self.0 { $(DomainEvent::$variant(payload) => payload.serialize(serializer),)* }
            }
        }
    };
}

event_types!(implement_event_types);

impl DomainEvent {
    /// What the event is about: the `aggregateId` of the envelope.
    pub fn aggregate_id(&self) -> String {
        match self {
            Self::SeatHeld(e) => e.seat_id.to_string(),
            Self::SeatReserved(e) => e.seat_id.to_string(),
            Self::SeatReleased(e) => e.seat_id.to_string(),
            Self::SeatBlocked(e) | Self::SeatUnblocked(e) => e.seat_id.to_string(),
            Self::HoldExtended(e) => e.hold_id.to_string(),
            Self::ReservationCreated(e) | Self::ReservationCancelled(e) => e.reservation_id.to_string(),
            Self::EventCreated(e) | Self::EventUpdated(e) | Self::EventDeleted(e) => e.event_id.to_string(),
            Self::EventPurged(e) => e.event_id.to_string(),
            Self::ReservationNotReinstated(e) => e.reservation_id.to_string(),
            Self::StatsUpdated(e) => e.event_id.to_string(),
            Self::PaymentRequested(e)
            | Self::PaymentCompleted(e)
            | Self::PaymentFailed(e)
            | Self::PaymentRefundRequested(e) => e.reservation_id.to_string(),
        }
    }

    /// The SeatingEvent that it belongs to: the record's key (I4).
    pub fn seating_event(&self) -> &SeatingEventId {
        match self {
            Self::SeatHeld(e) => &e.event_id,
            Self::SeatReserved(e) => &e.event_id,
            Self::SeatReleased(e) => &e.event_id,
            Self::SeatBlocked(e) | Self::SeatUnblocked(e) => &e.event_id,
            Self::HoldExtended(e) => &e.event_id,
            Self::ReservationCreated(e) | Self::ReservationCancelled(e) => &e.event_id,
            Self::EventCreated(e) | Self::EventUpdated(e) | Self::EventDeleted(e) => &e.event_id,
            Self::EventPurged(e) => &e.event_id,
            Self::ReservationNotReinstated(e) => &e.event_id,
            Self::StatsUpdated(e) => &e.event_id,
            Self::PaymentRequested(e)
            | Self::PaymentCompleted(e)
            | Self::PaymentFailed(e)
            | Self::PaymentRefundRequested(e) => &e.event_id,
        }
    }

    /// The user whose seats, hold, reservation or payment it is about, where it is about somebody's.
    pub fn user(&self) -> Option<&UserId> {
        match self {
            Self::SeatHeld(e) => Some(&e.user_id),
            Self::SeatReserved(e) => Some(&e.user_id),
            Self::SeatReleased(e) => Some(&e.user_id),
            Self::HoldExtended(e) => Some(&e.user_id),
            Self::ReservationCreated(e) | Self::ReservationCancelled(e) => Some(&e.user_id),
            Self::ReservationNotReinstated(e) => Some(&e.user_id),
            Self::PaymentRequested(e)
            | Self::PaymentCompleted(e)
            | Self::PaymentFailed(e)
            | Self::PaymentRefundRequested(e) => Some(&e.user_id),
            Self::SeatBlocked(_)
            | Self::SeatUnblocked(_)
            | Self::EventCreated(_)
            | Self::EventUpdated(_)
            | Self::EventDeleted(_)
            | Self::EventPurged(_)
            | Self::StatsUpdated(_) => None,
        }
    }
}

/// The fact alone, as the envelope's `payload`.
struct Payload<'a>(&'a DomainEvent);

/// The envelope's JSON, to be written.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct EnvelopeJson<'a> {
    event_type: &'static str,
    aggregate_id: String,
    event_id: Uuid,
    timestamp: UnixMillis,
    version: u32,
    payload: Payload<'a>,
    metadata: &'a Metadata,
}

/// The same, being read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Read<'a> {
    #[serde(borrow)]
    event_type: Cow<'a, str>,
    #[serde(borrow)]
    aggregate_id: Cow<'a, str>,
    event_id: Uuid,
    timestamp: UnixMillis,
    version: u32,
    #[serde(borrow)]
    payload: &'a RawValue,
    metadata: Metadata,
}

/// What a record's value holds.
#[derive(Debug, Clone, PartialEq)]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is known: a box would cost each an allocation"
)]
pub enum Incoming {
    /// An event of a type that this version knows.
    Known(Envelope),
    /// An envelope of a type that it does not know.
    Unknown(UnknownEvent),
}

/// The outside of an event whose type this version does not know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownEvent {
    /// Its type.
    pub event_type: String,
    /// What it is about.
    pub aggregate_id: String,
    /// Its id.
    pub event_id: Uuid,
    /// Where it comes from.
    pub metadata: Metadata,
}

/// Bytes of most records' values, with room to spare.
const USUAL: usize = 768;

/// A record's value that is no envelope, or whose payload does not fit its type.
#[derive(Debug, thiserror::Error)]
#[error("not a domain event: {0}")]
pub struct MalformedEvent(#[from] serde_json::Error);

impl Envelope {
    /// The user whom it names: whose seats it is about, else who acted.
    pub fn user(&self) -> Option<&UserId> {
        self.event.user().or(self.metadata.user_id.as_ref())
    }

    /// The record's value.
    ///
    /// # Errors
    /// Never in practice: no payload has a key that is not text.
    pub fn to_json(&self) -> Result<Vec<u8>, MalformedEvent> {
        let written = EnvelopeJson {
            event_type: self.event.event_type(),
            aggregate_id: self.event.aggregate_id(),
            event_id: self.event_id,
            timestamp: self.timestamp,
            version: self.version,
            payload: Payload(&self.event),
            metadata: &self.metadata,
        };
        let mut json = Vec::with_capacity(USUAL);
        serde_json::to_writer(&mut json, &written)?;
        Ok(json)
    }
}

/// Reads a record's value.
pub fn parse(json: &[u8]) -> Result<Incoming, MalformedEvent> {
    let read: Read<'_> = serde_json::from_slice(json)?;
    Ok(match DomainEvent::from_payload(&read.event_type, read.payload)? {
        Some(event) => Incoming::Known(Envelope {
            event_id: read.event_id,
            timestamp: read.timestamp,
            version: read.version,
            metadata: read.metadata,
            event,
        }),
        None => Incoming::Unknown(UnknownEvent {
            event_type: read.event_type.into_owned(),
            aggregate_id: read.aggregate_id.into_owned(),
            event_id: read.event_id,
            metadata: read.metadata,
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn released() -> Envelope {
        let event: SeatingEventId = "arena-night".parse().unwrap();
        Envelope {
            event_id: Uuid::from_u128(1),
            timestamp: 1_700_000_000_000,
            version: VERSION,
            metadata: Metadata {
                correlation_id: "c-1".parse().unwrap(),
                causation_id: Uuid::from_u128(2),
                user_id: Some("alice".parse().unwrap()),
                sequence: Some(7),
            },
            event: DomainEvent::SeatReleased(SeatReleased {
                seat_id: SeatId::new(&event, "A-1-1").unwrap(),
                event_id: event.clone(),
                user_id: "alice".parse().unwrap(),
                section_id: "A".into(),
                claim: Claim::Hold(HoldId::new(event, Uuid::from_u128(3))),
                reason: ReleaseReason::PaymentFailed,
                released_at: 1_700_000_000_000,
                note: None,
            }),
        }
    }

    #[test]
    fn an_event_names_whose_seats_it_is_about_before_who_acted() {
        let mut lapsed = released();
        lapsed.metadata.user_id = Some("bob".parse().unwrap());
        assert_eq!(lapsed.user().map(UserId::as_str), Some("alice"), "bob only asked for the seat");
        let block = SeatBlock {
            seat_id: "arena.A-1-1".parse().unwrap(),
            event_id: "arena".parse().unwrap(),
            section_id: "A".into(),
            reason: "camera".into(),
        };
        lapsed.event = DomainEvent::SeatBlocked(block);
        assert_eq!(lapsed.user().map(UserId::as_str), Some("bob"));
        lapsed.metadata.user_id = None;
        assert_eq!(lapsed.user(), None);
    }

    #[test]
    fn the_envelope_is_the_contracts_json() {
        let json: serde_json::Value = serde_json::from_slice(&released().to_json().unwrap()).unwrap();
        assert_eq!(
            json,
            serde_json::json!({
                "eventType": "seat.released",
                "aggregateId": "arena-night.A-1-1",
                "eventId": "00000000-0000-0000-0000-000000000001",
                "timestamp": 1_700_000_000_000_u64,
                "version": 1,
                "payload": {
                    "seatId": "arena-night.A-1-1", "eventId": "arena-night", "userId": "alice", "sectionId": "A",
                    "holdId": "arena-night.00000000-0000-0000-0000-000000000003",
                    "reason": "payment_failed", "releasedAt": 1_700_000_000_000_u64
                },
                "metadata": {
                    "correlationId": "c-1", "causationId": "00000000-0000-0000-0000-000000000002",
                    "userId": "alice", "sequence": 7
                }
            })
        );
    }

    #[test]
    fn what_was_written_reads_back() {
        let envelope = released();
        assert_eq!(parse(&envelope.to_json().unwrap()).unwrap(), Incoming::Known(envelope));
    }

    #[test]
    fn a_purge_tells_which_seating_event_and_nothing_more() {
        let purged = SeatingEventPurged { event_id: "arena-night".parse().unwrap() };
        let envelope = Envelope { event: DomainEvent::EventPurged(purged), ..released() };
        let json: serde_json::Value = serde_json::from_slice(&envelope.to_json().unwrap()).unwrap();
        assert_eq!(json["eventType"], "event.purged");
        assert_eq!((&json["aggregateId"], &json["version"]), (&"arena-night".into(), &1.into()));
        assert_eq!(json["payload"], serde_json::json!({"eventId": "arena-night"}));
        assert_eq!(parse(&envelope.to_json().unwrap()).unwrap(), Incoming::Known(envelope));
    }

    #[test]
    fn unknown_types_and_fields_are_no_error_but_malformed_payloads_are() {
        let mut json: serde_json::Value = serde_json::from_slice(&released().to_json().unwrap()).unwrap();
        json["payload"]["added"] = 1.into();
        assert!(matches!(parse(json.to_string().as_bytes()).unwrap(), Incoming::Known(_)));
        json["eventType"] = "seat.polished".into();
        assert!(
            matches!(parse(json.to_string().as_bytes()).unwrap(), Incoming::Unknown(u) if u.event_type == "seat.polished")
        );
        json["eventType"] = "seat.held".into();
        assert!(parse(json.to_string().as_bytes()).is_err());
        assert!(parse(b"{").is_err());
    }
}
