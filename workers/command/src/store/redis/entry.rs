//! An entry of the outbox stream as the domain event that it stands for. Entries hold only what cannot be worked out
//! again; `scripts/lib/outbox.lua` writes what all have, each command's script the rest.

use std::fmt::Display;
use std::str::FromStr;

use boxoffice_domain::events::{
    Claim, DomainEvent, Envelope, HoldExtended, Metadata, ReleaseReason, Reservation, SeatBlock, SeatHeld,
    SeatReleased, SeatReserved, SeatingEventDefined, VERSION,
};
use boxoffice_domain::ids::event_id;
use boxoffice_domain::{Definition, HoldId, ReservationId, SeatId, SeatingEventId, UnixMillis};
use redis::streams::StreamId;
use uuid::Uuid;

use crate::store::{OutboxEntry, StoreError};

/// Reads an entry of a SeatingEvent's outbox.
pub fn read(event: &SeatingEventId, stream_id: &StreamId) -> Result<OutboxEntry, StoreError> {
    let entry = Entry { event, stream_id };
    let causation_id = entry.parse("causation")?;
    let timestamp = entry.parse("at")?;
    let metadata = Metadata {
        correlation_id: entry.parse("correlation")?,
        causation_id,
        user_id: entry.text("user").map(|user| entry.valid("user", &user)).transpose()?,
        sequence: Some(entry.sequence()?),
    };
    let event_id = event_id(causation_id, entry.parse("index")?);
    let envelope =
        Envelope { event_id, timestamp, version: VERSION, metadata, event: entry.domain_event(timestamp)? };
    Ok(OutboxEntry { envelope, traceparent: entry.text("trace") })
}

struct Entry<'a> {
    event: &'a SeatingEventId,
    stream_id: &'a StreamId,
}

impl Entry<'_> {
    fn domain_event(&self, at: UnixMillis) -> Result<DomainEvent, StoreError> {
        let kind: String = self.parse("type")?;
        Ok(match kind.as_str() {
            "seat.held" => {
                let seat_id = self.seat()?;
                DomainEvent::SeatHeld(SeatHeld {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.parse("holder")?,
                    hold_id: self.hold()?,
                    held_at: at,
                    expires_at: self.parse("expires")?,
                    amount: self.parse("amount")?,
                    currency: self.parse("currency")?,
                })
            }
            "seat.reserved" => {
                let seat_id = self.seat()?;
                DomainEvent::SeatReserved(SeatReserved {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.parse("holder")?,
                    hold_id: self.hold()?,
                    reservation_id: self.reservation()?,
                    reserved_at: at,
                    amount: self.parse("amount")?,
                    currency: self.parse("currency")?,
                })
            }
            "seat.released" => {
                let seat_id = self.seat()?;
                let of_hold = self.text("hold").is_some();
                DomainEvent::SeatReleased(SeatReleased {
                    section_id: seat_id.section().to_owned(),
                    seat_id,
                    event_id: self.event.clone(),
                    user_id: self.parse("holder")?,
                    claim: if of_hold {
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
                user_id: self.parse("holder")?,
                seat_ids: self.seats()?,
                expires_at: self.parse("expires")?,
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
            reason: self.parse("reason")?,
        })
    }

    fn seats(&self) -> Result<Vec<SeatId>, StoreError> {
        let keys: String = self.parse("keys")?;
        let seat = |key| SeatId::new(self.event, key).map_err(|error| self.wrong("keys", error));
        keys.split(',').map(seat).collect()
    }

    fn reservation_of_seats(&self) -> Result<Reservation, StoreError> {
        let seats: String = self.parse("seats")?;
        let (mut seat_ids, mut amount) = (Vec::new(), 0);
        for seat in seats.split(',') {
            let (key, price) = seat.split_once(' ').ok_or_else(|| self.wrong("seats", seat))?;
            seat_ids.push(SeatId::new(self.event, key).map_err(|error| self.wrong("seats", error))?);
            amount += self.valid::<u64>("seats", price)?;
        }
        Ok(Reservation {
            reservation_id: self.reservation()?,
            event_id: self.event.clone(),
            user_id: self.parse("holder")?,
            seat_ids,
            amount,
            currency: self.parse("currency")?,
        })
    }

    fn defined(&self) -> Result<SeatingEventDefined, StoreError> {
        let json: String = self.parse("definition")?;
        let definition: Definition =
            serde_json::from_str(&json).map_err(|error| self.wrong("definition", error))?;
        Ok(SeatingEventDefined {
            event_id: self.event.clone(),
            chart_hash: definition.chart_hash(),
            definition,
        })
    }

    fn reason(&self) -> Result<ReleaseReason, StoreError> {
        match self.parse::<String>("reason")?.as_str() {
            "user" => Ok(ReleaseReason::User),
            "expired" => Ok(ReleaseReason::Expired),
            "cancelled" => Ok(ReleaseReason::Cancelled),
            other => Err(self.wrong("reason", other)),
        }
    }

    fn seat(&self) -> Result<SeatId, StoreError> {
        SeatId::new(self.event, &self.parse::<String>("seat")?).map_err(|error| self.wrong("seat", error))
    }

    fn hold(&self) -> Result<HoldId, StoreError> {
        Ok(HoldId::new(self.event.clone(), self.parse::<Uuid>("hold")?))
    }

    fn reservation(&self) -> Result<ReservationId, StoreError> {
        Ok(ReservationId::new(self.event.clone(), self.parse::<Uuid>("reservation")?))
    }

    /// Entries are named `<sequence>-0`.
    fn sequence(&self) -> Result<u64, StoreError> {
        let id = &self.stream_id.id;
        id.strip_suffix("-0").and_then(|sequence| sequence.parse().ok()).ok_or_else(|| self.wrong("id", id))
    }

    fn text(&self, field: &str) -> Option<String> {
        self.stream_id.get(field)
    }

    fn parse<T: FromStr<Err: Display>>(&self, field: &str) -> Result<T, StoreError> {
        self.valid(field, &self.text(field).ok_or_else(|| self.wrong(field, "missing"))?)
    }

    fn valid<T: FromStr<Err: Display>>(&self, field: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|error: T::Err| self.wrong(field, error))
    }

    fn wrong(&self, field: &str, problem: impl Display) -> StoreError {
        StoreError::Corrupt(format!(
            "outbox of {}, entry {}, {field}: {problem}",
            self.event, self.stream_id.id
        ))
    }
}
