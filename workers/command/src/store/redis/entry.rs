//! An entry of the outbox stream as the domain event that it stands for. Entries hold only what cannot be worked out
//! again, in one field of JSON; `scripts/lib/outbox.lua` writes what all have, each command's script the rest.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use boxoffice_domain::definition::Blocked;
use boxoffice_domain::events::{
    Claim, DomainEvent, Envelope, HoldExtended, Metadata, PaidBy, ReleaseReason, ReservedSeats, SeatBlock,
    SeatHeld, SeatReleased, SeatReserved, SeatingEventDefined, VERSION,
};
use boxoffice_domain::ids::event_id;
use boxoffice_domain::{Definition, HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis, UserId};
use serde::Deserialize;
use uuid::Uuid;

use crate::store::{OutboxEntry, StoreError};

/// An entry as Redis gives it: its id, then the name of its one field and that field.
pub type Stored = (String, (String, String));

/// Reads an entry of a SeatingEvent's outbox.
pub fn read(event: &SeatingEventId, (id, (_, text)): &Stored) -> Result<OutboxEntry, StoreError> {
    let fields: Fields<'_> = serde_json::from_str(text)
        .map_err(|error| StoreError::Corrupt(format!("outbox of {event}, entry {id}: {error}")))?;
    let entry = Entry { event, id, fields };
    let Fields { causation, index, at, ref user, ref trace, .. } = entry.fields;
    let metadata = Metadata {
        correlation_id: entry.valid("correlation", &entry.fields.correlation)?,
        causation_id: causation,
        user_id: some(user).map(|user| entry.valid("user", user)).transpose()?,
        sequence: Some(entry.sequence()?),
    };
    let event_id = event_id(causation, index);
    let envelope =
        Envelope { event_id, timestamp: at, version: VERSION, metadata, event: entry.domain_event()? };
    Ok(OutboxEntry { envelope, traceparent: some(trace).map(str::to_owned) })
}

/// When an entry was written, in milliseconds since 1970; `None` where it does not say.
pub fn written((_, (_, text)): &Stored) -> Option<UnixMillis> {
    serde_json::from_str::<Fields<'_>>(text).ok().map(|fields| fields.at)
}

/// What entries have, of whatever type. A text that is not there is empty, which no other text is.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    index: u64,
    at: UnixMillis,
    causation: Uuid,
    #[serde(borrow)]
    correlation: Cow<'a, str>,
    #[serde(borrow, default)]
    user: Cow<'a, str>,
    #[serde(borrow, default)]
    trace: Cow<'a, str>,
    #[serde(borrow, default)]
    holder: Cow<'a, str>,
    #[serde(borrow, default)]
    seat: Cow<'a, str>,
    #[serde(borrow, default)]
    seats: Cow<'a, str>,
    #[serde(borrow, default)]
    keys: Cow<'a, str>,
    hold: Option<Uuid>,
    reservation: Option<Uuid>,
    expires: Option<UnixMillis>,
    #[serde(borrow, default)]
    amount: Cow<'a, str>,
    #[serde(borrow, default)]
    currency: Cow<'a, str>,
    /// The one text that may be empty.
    reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    definition: Cow<'a, str>,
    #[serde(borrow, default)]
    paid_by: Cow<'a, str>,
    #[serde(borrow, default)]
    note: Cow<'a, str>,
    blocks: Option<Vec<Blocked>>,
    unblocks: Option<Vec<String>>,
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
            "event.created" => DomainEvent::EventCreated(self.defined()?),
            "event.updated" => DomainEvent::EventUpdated(self.defined()?),
            "event.deleted" => DomainEvent::EventDeleted(self.defined()?),
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
        let (mut seat_ids, mut amount) = (Vec::new(), 0);
        for seat in self.fields.seats.split(',') {
            let (key, price) = seat.split_once(' ').ok_or_else(|| self.wrong("seats", seat))?;
            seat_ids.push(self.seat_of("seats", key)?);
            amount += self.valid::<u64>("seats", price)?;
        }
        Ok(ReservedSeats {
            reservation_id: self.reservation()?,
            event_id: self.event.clone(),
            user_id: self.holder()?,
            seat_ids,
            amount,
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
        match self.there("reason", self.fields.reason.as_deref())? {
            "user" => Ok(ReleaseReason::User),
            "expired" => Ok(ReleaseReason::Expired),
            "cancelled" => Ok(ReleaseReason::Cancelled),
            "payment_failed" => Ok(ReleaseReason::PaymentFailed),
            "admin" => Ok(ReleaseReason::Admin),
            other => Err(self.wrong("reason", other)),
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const HELD: &str = r#"{"type": "seat.held", "index": 0, "at": 7, "causation": "00000000-0000-0000-0000-000000000001",
        "correlation": "c-1", "holder": "alice", "seat": "A-1-1", "hold": "00000000-0000-0000-0000-000000000002",
        "expires": 9, "amount": "12000", "currency": "EUR"}"#;

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
}
