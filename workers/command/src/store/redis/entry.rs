//! An entry of the outbox stream as the domain event that it stands for. Entries hold only what cannot be worked out
//! again, in one field of JSON; `scripts/lib/outbox.lua` writes what all have, each command's script the rest.

use std::borrow::Cow;
use std::fmt::Display;
use std::str::FromStr;

use boxoffice_domain::events::{
    Claim, DomainEvent, Envelope, HoldExtended, Metadata, ReleaseReason, Reservation, SeatBlock, SeatHeld,
    SeatReleased, SeatReserved, SeatingEventDefined, VERSION,
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

/// What entries have, of whatever type. A text that is not there is empty, which no text is that is.
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
    #[serde(default)]
    expires: UnixMillis,
    #[serde(borrow, default)]
    amount: Cow<'a, str>,
    #[serde(borrow, default)]
    currency: Cow<'a, str>,
    #[serde(borrow, default)]
    reason: Cow<'a, str>,
    #[serde(borrow, default)]
    definition: Cow<'a, str>,
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
        let Fields { kind, at, expires, .. } = self.fields;
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
                    expires_at: expires,
                    amount: self.valid("amount", &self.fields.amount)?,
                    currency: self.currency(),
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
                    currency: self.currency(),
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
                })
            }
            "seat.blocked" => DomainEvent::SeatBlocked(self.block()?),
            "seat.unblocked" => DomainEvent::SeatUnblocked(self.block()?),
            "hold.extended" => DomainEvent::HoldExtended(HoldExtended {
                hold_id: self.hold()?,
                event_id: self.event.clone(),
                user_id: self.holder()?,
                seat_ids: self.seats()?,
                expires_at: expires,
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
            reason: self.fields.reason.clone().into_owned(),
        })
    }

    fn seats(&self) -> Result<Vec<SeatId>, StoreError> {
        self.fields.keys.split(',').map(|key| self.seat_of("keys", key)).collect()
    }

    fn reservation_of_seats(&self) -> Result<Reservation, StoreError> {
        let (mut seat_ids, mut amount) = (Vec::new(), 0);
        for seat in self.fields.seats.split(',') {
            let (key, price) = seat.split_once(' ').ok_or_else(|| self.wrong("seats", seat))?;
            seat_ids.push(self.seat_of("seats", key)?);
            amount += self.valid::<u64>("seats", price)?;
        }
        Ok(Reservation {
            reservation_id: self.reservation()?,
            event_id: self.event.clone(),
            user_id: self.holder()?,
            seat_ids,
            amount,
            currency: self.currency(),
        })
    }

    fn defined(&self) -> Result<SeatingEventDefined, StoreError> {
        let definition: Definition =
            serde_json::from_str(&self.fields.definition).map_err(|error| self.wrong("definition", error))?;
        Ok(SeatingEventDefined {
            event_id: self.event.clone(),
            chart_hash: definition.chart_hash(),
            definition,
        })
    }

    fn reason(&self) -> Result<ReleaseReason, StoreError> {
        match &*self.fields.reason {
            "user" => Ok(ReleaseReason::User),
            "expired" => Ok(ReleaseReason::Expired),
            "cancelled" => Ok(ReleaseReason::Cancelled),
            other => Err(self.wrong("reason", other)),
        }
    }

    fn holder(&self) -> Result<UserId, StoreError> {
        self.valid("holder", &self.fields.holder)
    }

    fn currency(&self) -> String {
        self.fields.currency.clone().into_owned()
    }

    fn seat(&self) -> Result<SeatId, StoreError> {
        self.seat_of("seat", &self.fields.seat)
    }

    fn seat_of(&self, field: &str, key: &str) -> Result<SeatId, StoreError> {
        SeatId::new(self.event, key).map_err(|error| self.wrong(field, error))
    }

    fn hold(&self) -> Result<HoldId, StoreError> {
        let hold = self.fields.hold.ok_or_else(|| self.wrong("hold", "missing"))?;
        Ok(HoldId::new(self.event.clone(), hold))
    }

    fn reservation(&self) -> Result<ReservationId, StoreError> {
        let reservation = self.fields.reservation.ok_or_else(|| self.wrong("reservation", "missing"))?;
        Ok(ReservationId::new(self.event.clone(), reservation))
    }

    /// Entries are named `<sequence>-0`.
    fn sequence(&self) -> Result<u64, StoreError> {
        let sequence = self.id.strip_suffix("-0").and_then(|sequence| sequence.parse().ok());
        sequence.ok_or_else(|| self.wrong("id", self.id))
    }

    fn valid<T: FromStr<Err: Display>>(&self, field: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|error: T::Err| self.wrong(field, error))
    }

    fn wrong(&self, field: &str, problem: impl Display) -> StoreError {
        StoreError::Corrupt(format!("outbox of {}, entry {}, {field}: {problem}", self.event, self.id))
    }
}
