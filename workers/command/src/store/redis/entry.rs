//! An entry of the outbox stream as the domain event that it stands for. Entries hold only what cannot be worked out
//! again, in one field of JSON; `scripts/lib/outbox.lua` writes what all have, each command's script the rest.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use boxoffice_domain::definition::Blocked;
use boxoffice_domain::events::{
    Claim, DomainEvent, Envelope, HoldExtended, Metadata, NotReinstated, PaidBy, ReleaseReason,
    ReservedSeats, SeatBlock, SeatHeld, SeatReleased, SeatReserved, SeatingEventDefined, SeatingEventPurged,
    VERSION,
};
use boxoffice_domain::ids::event_id;
use boxoffice_domain::state::SeatingEventState;
use boxoffice_domain::{Definition, HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::stamp::Stamp;
use super::wire::{ENTRY_FORMAT, ENTRY_FORMAT_READ};
use crate::store::{Cause, OutboxEntry, StoreError};

/// An entry as Redis gives it: its id, then the name of its one field and that field.
pub type Stored = (String, (String, String));

/// Reads an entry of a SeatingEvent's outbox.
pub fn read(event: &SeatingEventId, (id, (_, text)): &Stored) -> Result<OutboxEntry, StoreError> {
    let fields: Fields<'_> = serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("outbox of {event}, entry {id}: {error}")))?;
    let entry = Entry { event, id, fields };
    let Fields { format, causation, after, index, at, ref user, ref trace, .. } = entry.fields;
    if !(ENTRY_FORMAT - 1..=ENTRY_FORMAT_READ).contains(&format) {
        let problem = format!(
            "{format} is of another version, this one reads {} to {ENTRY_FORMAT_READ}",
            ENTRY_FORMAT - 1
        );
        return Err(entry.wrong("format", problem));
    }
    let metadata = Metadata {
        correlation_id: entry.valid("correlation", &entry.fields.correlation)?,
        causation_id: causation,
        user_id: some(user).map(|user| entry.valid("user", user)).transpose()?,
        sequence: Some(entry.sequence()?),
    };
    let event_id = event_id(causation, index);
    let envelope =
        Envelope { event_id, timestamp: at, version: VERSION, metadata, event: entry.domain_event()? };
    Ok(OutboxEntry { envelope, traceparent: some(trace).map(str::to_owned), after })
}

/// What an entry is known by, also where this version cannot read all of it: its sequence, the id of its event, and of the
/// one that it goes on from where it says so.
pub fn identity((id, (_, text)): &Stored) -> Option<(u64, Uuid, Option<Uuid>)> {
    #[derive(Deserialize)]
    struct Known {
        index: u64,
        causation: Uuid,
        after: Option<Uuid>,
    }
    let Known { index, causation, after } = serde_json::from_str(text).ok()?;
    Some((id.strip_suffix("-0")?.parse().ok()?, event_id(causation, index), after))
}

/// A definition as entries and the head of a SeatingEvent have it.
pub fn json(definition: &Definition) -> Result<String, StoreError> {
    serde_json::to_string(definition).map_err(|error| StoreError::Corrupt(format!("definition: {error}")))
}

/// When an entry was written, in milliseconds since 1970; `None` where it does not say.
pub fn written((_, (_, text)): &Stored) -> Option<UnixMillis> {
    serde_json::from_str::<Fields<'_>>(text).ok().map(|fields| fields.at)
}

/// What entries have, of whatever type. A text that is not there is empty, which no other text is.
#[derive(Default, Serialize, Deserialize)]
struct Fields<'a> {
    /// How it is written; the first way, which is not read any more, carries no number.
    #[serde(default)]
    format: u32,
    #[serde(rename = "type")]
    kind: &'a str,
    /// What its id derives from, beside the command's: its sequence. A mark stands for it, as for `at`, where the worker
    /// writes the entry.
    #[serde(skip_serializing)]
    index: u64,
    #[serde(skip_serializing)]
    at: UnixMillis,
    causation: Uuid,
    /// The id of the event before, where that is another command's and known: to the script that adds the entry. The second
    /// format, which is read, has none.
    #[serde(skip_serializing)]
    after: Option<Uuid>,
    #[serde(borrow)]
    correlation: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    user: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    trace: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    holder: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    seat: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    keys: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hold: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reservation: Option<Uuid>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<UnixMillis>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    amount: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    currency: Cow<'a, str>,
    /// The one text that may be empty.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    definition: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    paid_by: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    payment: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "is_nothing")]
    note: Cow<'a, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<Vec<Blocked>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    unblocks: Option<Vec<String>>,
}

fn is_nothing(text: &str) -> bool {
    text.is_empty()
}

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

struct Entry<'a> {
    event: &'a SeatingEventId,
    id: &'a str,
    fields: Fields<'a>,
}

impl Entry<'_> {
    fn domain_event(&self) -> Result<DomainEvent, StoreError> {
        let Fields { kind, at, .. } = self.fields;
        Ok(match kind {
            "seat.held" => {
                let seat_id = self.seat()?;
                DomainEvent::SeatHeld(SeatHeld {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.holder()?,
                    hold_id: self.hold()?,
                    held_at: at,
                    expires_at: self.expires()?,
                    amount: self.valid("amount", &self.fields.amount)?,
                    currency: self.currency()?,
                })
            }
            "seat.reserved" => {
                let seat_id = self.seat()?;
                DomainEvent::SeatReserved(SeatReserved {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.holder()?,
                    hold_id: self.hold()?,
                    reservation_id: self.reservation()?,
                    reserved_at: at,
                    amount: self.valid("amount", &self.fields.amount)?,
                    currency: self.currency()?,
                })
            }
            "seat.released" => {
                let seat_id = self.seat()?;
                DomainEvent::SeatReleased(SeatReleased {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.holder()?,
                    claim: if self.fields.hold.is_some() {
                        Claim::Hold(self.hold()?)
                    } else {
                        Claim::Reservation(self.reservation()?)
                    },
                    reason: self.reason()?,
                    released_at: at,
                    note: self.note(),
                })
            }
            "seat.blocked" => DomainEvent::SeatBlocked(self.block()?),
            "seat.unblocked" => DomainEvent::SeatUnblocked(self.block()?),
            "hold.extended" => DomainEvent::HoldExtended(HoldExtended {
                hold_id: self.hold()?,
                event_id: self.event.clone(),
                user_id: self.holder()?,
                seat_ids: self.seats()?,
                expires_at: self.expires()?,
            }),
            "reservation.created" => DomainEvent::ReservationCreated(self.reservation_of_seats()?),
            "reservation.cancelled" => DomainEvent::ReservationCancelled(self.reservation_of_seats()?),
            "reservation.not_reinstated" => DomainEvent::ReservationNotReinstated(NotReinstated {
                reservation_id: self.reservation()?,
                event_id: self.event.clone(),
                user_id: self.holder()?,
                payment_id: self.there("payment", some(&self.fields.payment))?.to_owned(),
            }),
            "event.created" => DomainEvent::EventCreated(self.defined()?),
            "event.updated" => DomainEvent::EventUpdated(self.defined()?),
            "event.deleted" => DomainEvent::EventDeleted(self.defined()?),
            "event.purged" => DomainEvent::EventPurged(SeatingEventPurged { event_id: self.event.clone() }),
            _ => return Err(self.wrong("type", kind)),
        })
    }

    fn block(&self) -> Result<SeatBlock, StoreError> {
        let seat_id = self.seat()?;
        Ok(SeatBlock {
            section_id: seat_id.section().to_owned(),
            seat_id,
            event_id: self.event.clone(),
            reason: self.there("reason", self.fields.reason.as_deref())?.to_owned(),
        })
    }

    fn seats(&self) -> Result<Vec<SeatId>, StoreError> {
        self.fields.keys.split(',').map(|key| self.seat_of("keys", key)).collect()
    }

    fn reservation_of_seats(&self) -> Result<ReservedSeats, StoreError> {
        Ok(ReservedSeats {
            reservation_id: self.reservation()?,
            event_id: self.event.clone(),
            user_id: self.holder()?,
            seat_ids: self.seats()?,
            amount: self.valid("amount", &self.fields.amount)?,
            currency: self.currency()?,
            paid_by: some(&self.fields.paid_by).map(|text| PaidBy::from(text.to_owned())),
            reason: self.fields.reason.is_some().then(|| self.reason()).transpose()?,
            note: self.note(),
        })
    }

    fn defined(&self) -> Result<SeatingEventDefined, StoreError> {
        let definition: Definition =
            serde_json::from_str(&self.fields.definition).map_err(|error| self.wrong("definition", error))?;
        Ok(SeatingEventDefined {
            event_id: self.event.clone(),
            chart_hash: definition.chart_hash(),
            definition,
            blocks: self.fields.blocks.clone(),
            unblocks: self.fields.unblocks.clone(),
        })
    }

    fn note(&self) -> Option<String> {
        some(&self.fields.note).map(str::to_owned)
    }

    fn reason(&self) -> Result<ReleaseReason, StoreError> {
        let word = self.there("reason", self.fields.reason.as_deref())?;
        let known = ReleaseReason::ALL.into_iter().find(|reason| reason.as_str() == word);
        known.ok_or_else(|| self.wrong("reason", word))
    }

    fn holder(&self) -> Result<UserId, StoreError> {
        self.valid("holder", &self.fields.holder)
    }

    fn currency(&self) -> Result<String, StoreError> {
        self.there("currency", some(&self.fields.currency)).map(str::to_owned)
    }

    fn expires(&self) -> Result<UnixMillis, StoreError> {
        self.there("expires", self.fields.expires)
    }

    fn seat(&self) -> Result<SeatId, StoreError> {
        self.seat_of("seat", &self.fields.seat)
    }

    fn seat_of(&self, field: &str, key: &str) -> Result<SeatId, StoreError> {
        SeatId::new(self.event, key).map_err(|error| self.wrong(field, error))
    }

    fn hold(&self) -> Result<HoldId, StoreError> {
        Ok(HoldId::new(self.event.clone(), self.there("hold", self.fields.hold)?))
    }

    fn reservation(&self) -> Result<ReservationId, StoreError> {
        Ok(ReservationId::new(self.event.clone(), self.there("reservation", self.fields.reservation)?))
    }

    /// Entries are named `<sequence>-0`.
    fn sequence(&self) -> Result<u64, StoreError> {
        let sequence = self.id.strip_suffix("-0").and_then(|sequence| sequence.parse().ok());
        sequence.ok_or_else(|| self.wrong("id", self.id))
    }

    fn there<T>(&self, field: &str, value: Option<T>) -> Result<T, StoreError> {
        value.ok_or_else(|| self.wrong(field, "missing"))
    }

    fn valid<T: FromStr<Err: Display>>(&self, field: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|error: T::Err| self.wrong(field, error))
    }

    fn wrong(&self, field: &str, problem: impl Display) -> StoreError {
        StoreError::Corrupt(format!("outbox of {}, entry {}, {field}: {problem}", self.event, self.id))
    }
}

/// An event that was decided on `before`, as an entry with marks for its time; its sequence is the entry's id.
pub fn write(
    envelope: &Envelope,
    before: &SeatingEventState,
    stamp: Stamp,
    cause: &Cause,
) -> Result<String, StoreError> {
    let Metadata { correlation_id, user_id, sequence, .. } = &envelope.metadata;
    let mut fields = Fields {
        format: ENTRY_FORMAT,
        kind: envelope.event.event_type(),
        causation: cause.command,
        correlation: Cow::Borrowed(correlation_id.as_str()),
        user: user_id.as_ref().map(|user| Cow::Borrowed(user.as_str())).unwrap_or_default(),
        trace: cause.traceparent.as_deref().map(Cow::Borrowed).unwrap_or_default(),
        ..Fields::default()
    };
    fields.say(&envelope.event)?;
    let index = stamp.sequence(sequence.unwrap_or_default());
    let mut marks = format!("{{\"at\":{},\"index\":{index}", stamp.time(stamp.at));
    if let DomainEvent::SeatHeld(e) = &envelope.event
        && !before.holds.contains_key(&e.hold_id.uuid())
    {
        fields.expires = None;
        marks = format!("{marks},\"expires\":{}", stamp.time(e.expires_at));
    }
    let text = serde_json::to_string(&fields)
        .map_err(|error| StoreError::Corrupt(format!("an entry cannot be written: {error}")))?;
    Ok(format!("{marks},{}", &text[1..]))
}

impl<'a> Fields<'a> {
    /// What belongs to this type of event alone.
    fn say(&mut self, event: &'a DomainEvent) -> Result<(), StoreError> {
        match event {
            DomainEvent::SeatHeld(e) => {
                self.seat = e.seat_id.key().into();
                self.holder = e.user_id.as_str().into();
                self.hold = Some(e.hold_id.uuid());
                self.expires = Some(e.expires_at);
                self.price(e.amount, &e.currency);
            }
            DomainEvent::SeatReserved(e) => {
                self.seat = e.seat_id.key().into();
                self.holder = e.user_id.as_str().into();
                self.hold = Some(e.hold_id.uuid());
                self.reservation = Some(e.reservation_id.uuid());
                self.price(e.amount, &e.currency);
            }
            DomainEvent::SeatReleased(e) => {
                self.seat = e.seat_id.key().into();
                self.holder = e.user_id.as_str().into();
                match &e.claim {
                    Claim::Hold(hold) => self.hold = Some(hold.uuid()),
                    Claim::Reservation(reservation) => self.reservation = Some(reservation.uuid()),
                }
                self.reason = Some(e.reason.as_str().into());
                self.note = e.note.as_deref().unwrap_or_default().into();
            }
            DomainEvent::SeatBlocked(e) | DomainEvent::SeatUnblocked(e) => {
                self.seat = e.seat_id.key().into();
                self.reason = Some(e.reason.as_str().into());
            }
            DomainEvent::HoldExtended(e) => {
                self.hold = Some(e.hold_id.uuid());
                self.holder = e.user_id.as_str().into();
                self.keys = e.seat_ids.iter().map(SeatId::key).collect::<Vec<_>>().join(",").into();
                self.expires = Some(e.expires_at);
            }
            DomainEvent::ReservationCreated(e) | DomainEvent::ReservationCancelled(e) => {
                self.reservation = Some(e.reservation_id.uuid());
                self.holder = e.user_id.as_str().into();
                self.keys = e.seat_ids.iter().map(SeatId::key).collect::<Vec<_>>().join(",").into();
                self.price(e.amount, &e.currency);
                self.paid_by = e.paid_by.clone().map(String::from).unwrap_or_default().into();
                self.reason = e.reason.map(|reason| reason.as_str().into());
                self.note = e.note.as_deref().unwrap_or_default().into();
            }
            DomainEvent::ReservationNotReinstated(e) => {
                self.reservation = Some(e.reservation_id.uuid());
                self.holder = e.user_id.as_str().into();
                self.payment = e.payment_id.as_str().into();
            }
            DomainEvent::EventCreated(e) | DomainEvent::EventUpdated(e) | DomainEvent::EventDeleted(e) => {
                self.definition = json(&e.definition)?.into();
                self.blocks.clone_from(&e.blocks);
                self.unblocks.clone_from(&e.unblocks);
            }
            // The entry's stream says whose it is.
            DomainEvent::EventPurged(_) => {}
            DomainEvent::StatsUpdated(_)
            | DomainEvent::PaymentRequested(_)
            | DomainEvent::PaymentCompleted(_)
            | DomainEvent::PaymentFailed(_)
            | DomainEvent::PaymentRefundRequested(_) => {
                return Err(StoreError::Corrupt(format!(
                    "{} is no event of a seat store",
                    event.event_type()
                )));
            }
        }
        Ok(())
    }

    fn price(&mut self, amount: u64, currency: &'a str) {
        self.amount = amount.to_string().into();
        self.currency = currency.into();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    const HELD: &str = r#"{"format": 3, "type": "seat.held", "index": 0, "at": 7,
        "causation": "00000000-0000-0000-0000-000000000001", "correlation": "c-1", "holder": "alice", "seat": "A-1-1",
        "hold": "00000000-0000-0000-0000-000000000002", "expires": 9, "amount": "12000", "currency": "EUR"}"#;

    fn read_text(text: &str) -> Result<OutboxEntry, StoreError> {
        read(&"arena-night".parse().unwrap(), &("2-0".into(), ("event".into(), text.into())))
    }

    #[test]
    fn a_field_that_is_missing_is_named() {
        let entry = read_text(HELD).unwrap();
        assert_eq!((entry.envelope.metadata.sequence, entry.traceparent), (Some(2), None));
        for field in ["holder", "seat", "hold", "expires", "amount", "currency", "correlation", "at"] {
            let error =
                read_text(&HELD.replace(&format!("\"{field}\""), "\"other\"")).unwrap_err().to_string();
            assert!(error.contains("outbox of arena-night, entry 2-0") && error.contains(field), "{error}");
        }
        let block = HELD.replace("seat.held", "seat.blocked");
        assert!(read_text(&block).unwrap_err().to_string().contains("reason: missing"));
        assert!(read_text(&block.replace("holder", "reason")).is_ok());
    }

    /// The file of the format ties what is written to its number, and can do so only for fields that are in it: a new one
    /// wants a step of `tests/src/formats.rs` that writes it, and a new number.
    #[test]
    fn every_field_is_in_the_file_of_the_format() {
        let (id, text) = (Some(Uuid::nil()), Cow::Borrowed("text"));
        let all = Fields {
            format: ENTRY_FORMAT,
            kind: "type",
            index: 0,
            at: 0,
            causation: Uuid::nil(),
            after: id,
            correlation: text.clone(),
            user: text.clone(),
            trace: text.clone(),
            holder: text.clone(),
            seat: text.clone(),
            keys: text.clone(),
            hold: id,
            reservation: id,
            expires: Some(0),
            amount: text.clone(),
            currency: text.clone(),
            reason: Some(text.clone()),
            definition: text.clone(),
            paid_by: text.clone(),
            payment: text.clone(),
            note: text,
            blocks: Some(vec![]),
            unblocks: Some(vec![]),
        };
        let names = |entry: &Value| entry.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        let mut declared = names(&serde_json::to_value(&all).unwrap());
        declared.extend(["index", "at", "after"].map(str::to_owned));
        let file = format!("{}/../../tests/formats/entries-{ENTRY_FORMAT}.json", env!("CARGO_MANIFEST_DIR"));
        let kept: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        let shows = kept.as_object().unwrap().values().flat_map(|show| show.as_object().unwrap().values());
        assert_eq!(shows.flat_map(names).collect::<BTreeSet<_>>(), declared);
    }

    #[test]
    fn another_format_than_this_one_and_those_beside_it_is_refused_by_its_number() {
        let of = |format: u32| read_text(&HELD.replace("\"format\": 3", &format!("\"format\": {format}")));
        assert!((ENTRY_FORMAT - 1..=ENTRY_FORMAT_READ).all(|format| of(format).is_ok()));
        for format in [0, ENTRY_FORMAT - 2, ENTRY_FORMAT_READ + 1] {
            let error = of(format).unwrap_err().to_string();
            assert!(error.contains(&format!("format: {format} is of another version")), "{error}");
        }
        let unnumbered = read_text(&HELD.replace("\"format\": 3, ", "")).unwrap_err().to_string();
        assert!(unnumbered.contains("format: 0 is of another version"), "{unnumbered}");
    }

    #[test]
    fn what_an_entry_goes_on_from_is_known_where_it_says_so() {
        let id = Uuid::from_u128(7);
        let named = HELD.replace("\"index\": 0", &format!("\"index\": 2, \"after\": \"{id}\""));
        assert_eq!(read_text(&named).unwrap().after, Some(id));
        assert_eq!(read_text(HELD).unwrap().after, None);
        let known = identity(&("2-0".into(), ("event".into(), named))).unwrap();
        assert_eq!(known, (2, event_id(Uuid::from_u128(1), 2), Some(id)));
    }
}
