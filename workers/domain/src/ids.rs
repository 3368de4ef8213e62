//! Ids as newtypes: a value that exists is well formed, so nothing behind the edge checks again. Those that each command
//! takes along to all that follows from it share their text.
//!
//! The text forms are those of the HTTP API and of the events: a seat is `<eventId>.<section>-<row>-<number>` (a
//! general-admission unit `<eventId>.<section>-<n>`), a hold or reservation is `<eventId>.<uuid>`.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMillis = u64;

/// Why a text is not the id that it was taken for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {text:?} is malformed: {rule}")]
pub struct InvalidId {
    /// Which kind of id was expected, in the words of the API.
    pub what: &'static str,
    /// The refused text, shortened to 80 characters.
    pub text: String,
    /// What a well-formed one looks like.
    pub rule: &'static str,
}

fn invalid(what: &'static str, text: &str, rule: &'static str) -> InvalidId {
    InvalidId { what, text: text.chars().take(80).collect(), rule }
}

/// The JSON Schema of an id: the same rule as its [`FromStr`], in a pattern.
macro_rules! id_schema {
    ($name:ident, $description:literal, $pattern:expr) => {
        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({"type": "string", "description": $description, "pattern": $pattern})
            }
        }
    };
}

/// The pattern of a SeatingEvent's id, without its ends.
macro_rules! event_pattern {
    () => {
        "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?"
    };
}

/// The pattern of `<eventId>.<uuid>`.
macro_rules! scoped_pattern {
    () => {
        concat!("^", event_pattern!(), "\\.[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")
    };
}

id_schema!(
    SeatingEventId,
    "The id of a SeatingEvent: its resource's name.",
    concat!("^", event_pattern!(), "$")
);
id_schema!(
    SeatId,
    "The id of a seat, `<eventId>.<section>-<row>-<number>`, or of a general-admission unit, `<eventId>.<section>-<n>`.",
    concat!("^", event_pattern!(), "\\.[A-Za-z0-9_]{1,32}(-[A-Za-z0-9_]{1,32}){1,2}$")
);
id_schema!(HoldId, "The id of a hold: `<eventId>.<uuid>`.", scoped_pattern!());
id_schema!(ReservationId, "The id of a reservation: `<eventId>.<uuid>`.", scoped_pattern!());
id_schema!(
    UserId,
    "Who acts: 1 to 128 bytes without control characters or outer blanks.",
    "^[^\\x00-\\x20\\x7f]([^\\x00-\\x1f\\x7f]{0,126}[^\\x00-\\x20\\x7f])?$"
);
id_schema!(
    CorrelationId,
    "What ties together everything that one wish of a caller set off.",
    "^[\\x20-\\x7e]{1,128}$"
);

/// The plumbing that every text id shares: serde by its text, display, comparison with `&str`.
macro_rules! text_id {
    ($name:ident) => {
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }
        impl $name {
            /// The text form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }
        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }
        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }
        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.as_str().to_owned()
            }
        }
    };
}

/// The id of a SeatingEvent: its resource's name, a DNS label. Cheap to clone, for everything that happens names it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SeatingEventId(Arc<str>);

text_id!(SeatingEventId);

/// Whether `text` is the id of a SeatingEvent.
fn is_event_id(text: &str) -> bool {
    let alphanumeric = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
    let bytes = text.as_bytes();
    bytes.len() <= 63
        && alphanumeric(bytes.first())
        && alphanumeric(bytes.last())
        && bytes.iter().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || *b == b'-')
}

impl FromStr for SeatingEventId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_event_id(text) {
            Ok(Self(text.into()))
        } else {
            Err(invalid(
                "eventId",
                text,
                "at most 63 characters of a-z, 0-9 and -, as a Kubernetes name without dots",
            ))
        }
    }
}

/// Whether `text` may name a section, a row or a seat number: `[A-Za-z0-9_]+`, at most 32 characters.
pub fn is_label(text: &str) -> bool {
    !text.is_empty() && text.len() <= 32 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// The id of one seat or one general-admission unit: `<eventId>.<section>-<row>-<number>` or `<eventId>.<section>-<n>`.
///
/// The part behind the dot is its *key*: what names it within its SeatingEvent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct SeatId(String, usize);

text_id!(SeatId);

impl SeatId {
    /// The id of the seat `key` of a SeatingEvent.
    pub fn new(event: &SeatingEventId, key: &str) -> Result<Self, InvalidId> {
        if is_seat_key(key) {
            Ok(Self::from_chart(event, key))
        } else {
            Err(invalid("seatId", &format!("{event}.{key}"), SEAT_RULE))
        }
    }

    /// The id of a seat whose key comes from an expanded chart and so is well formed.
    pub fn from_chart(event: &SeatingEventId, key: &str) -> Self {
        Self([event.as_str(), ".", key].concat(), event.0.len())
    }

    /// The text of the SeatingEvent's id.
    pub fn event(&self) -> &str {
        &self.0[..self.1]
    }

    /// The SeatingEvent that the seat belongs to.
    pub fn event_id(&self) -> SeatingEventId {
        SeatingEventId(self.event().into())
    }

    /// What names the seat within its SeatingEvent: `A-12-7`.
    pub fn key(&self) -> &str {
        &self.0[self.1 + 1..]
    }

    /// The section's id.
    pub fn section(&self) -> &str {
        section_of(self.key())
    }
}

/// The section of a seat key: what stands before its first hyphen.
pub fn section_of(key: &str) -> &str {
    key.split_once('-').map_or(key, |(section, _)| section)
}

/// What a seat's id looks like.
const SEAT_RULE: &str = "<eventId>.<section>-<row>-<number> or <eventId>.<section>-<n>";

/// Whether `key` may name a seat or a unit within a SeatingEvent.
fn is_seat_key(key: &str) -> bool {
    let mut parts = 0;
    let are_labels = key.split('-').all(|part| {
        parts += 1;
        is_label(part)
    });
    are_labels && (parts == 2 || parts == 3)
}

impl FromStr for SeatId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let well_formed = text.split_once('.').filter(|(event, key)| is_event_id(event) && is_seat_key(key));
        match well_formed {
            Some((event, _)) => Ok(Self(text.to_owned(), event.len())),
            None => Err(invalid("seatId", text, SEAT_RULE)),
        }
    }
}

/// An id of the form `<eventId>.<uuid>`.
macro_rules! scoped_id {
    ($name:ident, $what:literal, $doc:literal) => {
        #[doc = $doc]
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
        #[serde(try_from = "String")]
        pub struct $name {
            event: SeatingEventId,
            uuid: Uuid,
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl $name {
            /// The id that `uuid` has within a SeatingEvent.
            pub fn new(event: SeatingEventId, uuid: Uuid) -> Self {
                Self { event, uuid }
            }

            /// The SeatingEvent that it belongs to.
            pub fn event_id(&self) -> &SeatingEventId {
                &self.event
            }

            /// What names it within its SeatingEvent.
            pub fn uuid(&self) -> Uuid {
                self.uuid
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.event.as_str())?;
                f.write_str(".")?;
                f.write_str(self.uuid.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;
            fn from_str(text: &str) -> Result<Self, InvalidId> {
                let parsed = text.split_once('.').and_then(|(event, uuid)| {
                    Some(Self { event: event.parse().ok()?, uuid: Uuid::try_parse(uuid).ok()? })
                });
                parsed.ok_or_else(|| invalid($what, text, "<eventId>.<uuid>"))
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;
            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.to_string()
            }
        }
    };
}

scoped_id!(HoldId, "holdId", "The id of a Hold: a claim on seats that expires.");
scoped_id!(ReservationId, "reservationId", "The id of a Reservation: a confirmed claim on seats.");

/// Text that travels through headers, logs and events: printable, at most 128 bytes.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.len() <= 128 && text.chars().all(|c| !c.is_control())
}

/// Who acts: the gateway's `x-user-id` or the `sub` of a JWT.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct UserId(Arc<str>);

text_id!(UserId);

impl FromStr for UserId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if is_token(text) && text.trim() == text {
            Ok(Self(text.into()))
        } else {
            Err(invalid("userId", text, "1 to 128 bytes without control characters or outer blanks"))
        }
    }
}

/// What ties together everything that one wish of a caller set off.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct CorrelationId(Arc<str>);

text_id!(CorrelationId);

impl From<Uuid> for CorrelationId {
    fn from(uuid: Uuid) -> Self {
        let mut buffer = Uuid::encode_buffer();
        let text: &str = uuid.hyphenated().encode_lower(&mut buffer);
        Self(text.into())
    }
}

impl FromStr for CorrelationId {
    type Err = InvalidId;
    fn from_str(text: &str) -> Result<Self, InvalidId> {
        if (1..=128).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
            Ok(Self(text.into()))
        } else {
            Err(invalid("x-correlation-id", text, "1 to 128 printable ASCII characters"))
        }
    }
}

/// The id of the event with this sequence that a command writes: the command's base UUID with the sequence as its last
/// 48 bits. One random number a command gives every one of its events an id, however many they turn out to be; and one
/// that is carried out again, because a part of what it did was lost, gives no two of them the same.
pub fn event_id(base: Uuid, sequence: u64) -> Uuid {
    const NODE: u128 = 0xFFFF_FFFF_FFFF;
    Uuid::from_u128((base.as_u128() & !NODE) | (u128::from(sequence) & NODE))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seat_ids_know_their_parts() {
        let seat: SeatId = "arena-night.A-12-7".parse().unwrap();
        assert_eq!((seat.event(), seat.key(), seat.section()), ("arena-night", "A-12-7", "A"));
        let unit: SeatId = "arena-night.FLOOR-17".parse().unwrap();
        assert_eq!((unit.key(), unit.section()), ("FLOOR-17", "FLOOR"));
    }

    #[test]
    fn ids_are_written_as_their_text_and_read_back() {
        let event: SeatingEventId = "arena-night".parse().unwrap();
        let (hold, seat) = (HoldId::new(event.clone(), Uuid::nil()), SeatId::new(&event, "A-12-7").unwrap());
        let text = serde_json::to_string(&(&event, &seat, &hold)).unwrap();
        let expected =
            r#"["arena-night","arena-night.A-12-7","arena-night.00000000-0000-0000-0000-000000000000"]"#;
        assert_eq!(text, expected);
        let read: (SeatingEventId, SeatId, HoldId) = serde_json::from_str(&text).unwrap();
        assert_eq!(read, (event, seat, hold));
    }

    #[test]
    fn a_key_that_names_no_seat_is_refused_with_the_whole_id() {
        let event: SeatingEventId = "arena".parse().unwrap();
        assert_eq!(SeatId::new(&event, "A-1-1").unwrap(), "arena.A-1-1".parse().unwrap());
        for key in ["", "A", "A-", "A-1-1-1", "A-1.1", "A b-1"] {
            let refused = SeatId::new(&event, key).unwrap_err();
            assert_eq!((refused.what, refused.text), ("seatId", format!("arena.{key}")));
        }
    }

    #[test]
    fn malformed_ids_are_refused_with_the_rule() {
        for text in [
            "",
            "A-1-1",
            "arena.",
            "arena.A",
            "arena.A-1-1-1",
            "arena.A--1",
            "Arena.A-1-1",
            "a.b.A-1-1",
            "arena.A-1-é",
        ] {
            assert!(text.parse::<SeatId>().is_err(), "{text}");
        }
        for text in ["", "-a", "a-", "a.b", "A", "a_b"] {
            assert!(text.parse::<SeatingEventId>().is_err(), "{text}");
        }
        assert!("arena.not-a-uuid".parse::<HoldId>().is_err());
        assert!("a\nb".parse::<UserId>().is_err());
        for text in ["", "é", "a\tb", "\u{7f}", &"a".repeat(129)] {
            assert!(text.parse::<CorrelationId>().is_err(), "{text}");
        }
        assert!(" ~".parse::<CorrelationId>().is_ok());
    }

    #[test]
    fn event_ids_of_one_command_differ_and_stay_version_4() {
        let base = Uuid::from_u128(0x1234_5678_9abc_4def_8123_4567_89ab_cdef);
        assert_eq!(event_id(base, 1).to_string(), "12345678-9abc-4def-8123-000000000001");
        assert_eq!(event_id(base, 2).get_version_num(), 4);
        assert_ne!(event_id(base, 1), event_id(base, 2));
    }
}
