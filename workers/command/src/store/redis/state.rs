//! A SeatingEvent's state as Redis keeps it: the texts that `scripts/lib/seats.lua`, `holds.lua` and `reservations.lua`
//! describe, read and written. `recovery` works on it; commands leave it to their scripts.

use std::collections::HashMap;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::Arc;

use boxoffice_domain::command::Reinstatement;
use boxoffice_domain::events::PaidBy;
use boxoffice_domain::state::{
    EXPIRED_HOLD_MEMORY, FailedReservation, Hold, HoldStatus, Reservation, Sale, Seat,
};
use boxoffice_domain::{Definition, SeatingEventId, SeatingEventState, UnixMillis};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::RedisStore;
use super::link::Link;
use super::stamp::Stamp;
use super::wire::answers::{NONE, REFUSED};
use crate::store::StoreError;

type Fields = HashMap<String, String>;

impl RedisStore {
    /// All that Redis has of a SeatingEvent, behind the fence or not.
    pub async fn state(&self, event: &SeatingEventId) -> Result<SeatingEventState, StoreError> {
        let slot = self.keys.event(event).slot();
        let link = self.topology.link(slot).await?;
        self.read_state(&link, event).await
    }

    pub(super) async fn read_state(
        &self,
        link: &Link,
        event: &SeatingEventId,
    ) -> Result<SeatingEventState, StoreError> {
        let mut read = redis::pipe();
        for key in &self.keys.event(event).all()[..5] {
            read.cmd("HGETALL").arg(key);
        }
        let (meta, seats, holds, reservations, users): (Fields, Fields, Fields, Fields, Fields) =
            link.query_all(&read).await?;
        let wrong = |what: String| StoreError::Corrupt(format!("{event}: {what}"));
        let mut state = SeatingEventState::new(event.clone());
        state.sale = sale(&meta).map_err(wrong)?;
        state.sequence = meta.get("sequence").map_or(Ok(0), |text| parse(text)).map_err(wrong)?;
        for (key, text) in seats {
            let seat = read_seat(&text).map_err(|error| wrong(format!("seat {key}: {error}")))?;
            state.seats.insert(key, seat);
        }
        for (id, text) in holds {
            let hold = read_hold(&text).map_err(|error| wrong(format!("hold {id}: {error}")))?;
            state.holds.insert(parse(&id).map_err(wrong)?, hold);
        }
        for (id, text) in reservations {
            if let Some(id) = id.strip_prefix(FAILED) {
                let failed = read_failed(&text).map_err(|error| wrong(format!("{FAILED}{id}: {error}")))?;
                state.failed.insert(parse(id).map_err(wrong)?, failed);
                continue;
            }
            let reservation =
                read_reservation(&text).map_err(|error| wrong(format!("reservation {id}: {error}")))?;
            state.reservations.insert(parse(&id).map_err(wrong)?, reservation);
        }
        for (user, seats) in users {
            state.claims.insert(parse(&user).map_err(wrong)?, parse(&seats).map_err(wrong)?);
        }
        Ok(state)
    }
}

/// A fingerprint of every seat about which there is something to say: two states with the same one sell alike.
pub fn seats_hash(state: &SeatingEventState) -> String {
    let mut seats: Vec<_> = state.seats.iter().map(|(key, seat)| (key, write_seat(seat))).collect();
    seats.sort();
    let mut hash = Sha256::new();
    for (key, text) in seats {
        hash.update(format!("{key}\n{text}\n\n"));
    }
    format!("{:x}", hash.finalize())
}

/// A state as the hashes and the sorted set that keep it.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct StateRecords {
    /// Seats, holds, reservations and users: fields and values of each.
    pub hashes: [Vec<(String, String)>; 4],
    /// Holds by deadline.
    pub deadlines: Vec<(UnixMillis, String)>,
    /// Seats held, reserved and blocked.
    pub counts: [usize; 3],
}

/// What keeps `state` from `now` on. Holds and failed reservations that nobody has to remember any more are left out.
pub fn write(state: &SeatingEventState, now: UnixMillis) -> StateRecords {
    let mut written = StateRecords::default();
    let [seats, holds, reservations, users] = &mut written.hashes;
    for (key, seat) in &state.seats {
        match seat {
            Seat::Held { .. } => written.counts[0] += 1,
            Seat::Reserved { .. } => written.counts[1] += 1,
            Seat::Blocked { .. } => written.counts[2] += 1,
            Seat::Lapsed { .. } => {}
        }
        seats.push((key.clone(), write_seat(seat)));
    }
    for (id, hold) in &state.holds {
        let due = deadline(hold);
        if hold.status == HoldStatus::Expired && due.is_some_and(|due| now >= due) {
            continue;
        }
        written.deadlines.extend(due.map(|due| (due, id.to_string())));
        holds.push((id.to_string(), write_hold(hold)));
    }
    for (id, reservation) in &state.reservations {
        reservations.push((id.to_string(), write_reservation(reservation)));
    }
    for (id, failed) in state.failed.iter().filter(|(_, failed)| now < failed.forgotten_at()) {
        written.deadlines.push((failed.forgotten_at(), failed_field(*id)));
        reservations.push((failed_field(*id), write_failed(failed)));
    }
    users.extend(state.claims.iter().map(|(user, seats)| (user.to_string(), seats.to_string())));
    written
}

/// When something is to be done about a hold: it expires, or is forgotten.
pub fn deadline(hold: &Hold) -> Option<UnixMillis> {
    match hold.status {
        HoldStatus::Active => Some(hold.expires_at),
        HoldStatus::Expired => Some(hold.expires_at + EXPIRED_HOLD_MEMORY),
        HoldStatus::Reserved(_) => None,
    }
}

fn sale(meta: &Fields) -> Result<Option<Arc<Sale>>, String> {
    let Some(json) = meta.get("definition") else { return Ok(None) };
    let definition: Definition =
        serde_json::from_str(json).map_err(|error| format!("definition: {error}"))?;
    Ok(Some(Arc::new(Sale::new(definition, meta.get("closed").is_some_and(|closed| closed == "1")))))
}

/// Reads a seat's text.
pub fn read_seat(text: &str) -> Result<Seat, String> {
    let parts: Vec<_> = text.split('\n').collect();
    Ok(match parts.as_slice() {
        ["L", user] => Seat::Lapsed { user: parse(user)? },
        ["H", hold, amount] => Seat::Held { hold: parse(hold)?, amount: parse(amount)?, blocked: None },
        // A reason may have line breaks of its own.
        ["H", hold, amount, reason @ ..] => {
            Seat::Held { hold: parse(hold)?, amount: parse(amount)?, blocked: Some(reason.join("\n")) }
        }
        ["R", reservation, hold, amount] => {
            Seat::Reserved { reservation: parse(reservation)?, hold: parse(hold)?, amount: parse(amount)? }
        }
        ["B", ..] => Seat::Blocked { reason: text[2..].to_owned() },
        _ => return Err(format!("it is {text:?}")),
    })
}

/// A seat's text.
pub fn write_seat(seat: &Seat) -> String {
    match seat {
        Seat::Lapsed { user } => format!("L\n{user}"),
        Seat::Held { hold, amount, blocked: None } => format!("H\n{hold}\n{amount}"),
        Seat::Held { hold, amount, blocked: Some(reason) } => format!("H\n{hold}\n{amount}\n{reason}"),
        Seat::Reserved { reservation, hold, amount } => format!("R\n{reservation}\n{hold}\n{amount}"),
        Seat::Blocked { reason } => format!("B\n{reason}"),
    }
}

/// Reads a hold's text.
pub fn read_hold(text: &str) -> Result<Hold, String> {
    let parts: Vec<_> = text.split('\n').collect();
    let [status, expires_at, sequence, held_at, seats, currency, correlation, user] = parts.as_slice() else {
        return Err(format!("it is {text:?}"));
    };
    let status = match (status.get(..1), status.get(1..)) {
        (Some("A"), _) => HoldStatus::Active,
        (Some("E"), _) => HoldStatus::Expired,
        (Some("R"), Some(reservation)) => HoldStatus::Reserved(parse(reservation)?),
        _ => return Err(format!("its status is {status:?}")),
    };
    Ok(Hold {
        user: parse(user)?,
        correlation: parse(correlation)?,
        seats: read_keys(seats),
        held_at: parse(held_at)?,
        expires_at: parse(expires_at)?,
        currency: (*currency).to_owned(),
        sequence: parse(sequence)?,
        status,
    })
}

fn write_hold(hold: &Hold) -> String {
    let Hold { held_at, expires_at, sequence, .. } = hold;
    hold_words(hold, &expires_at.to_string(), &sequence.to_string(), &held_at.to_string())
}

/// A hold that a decision wrote; the times of a `fresh` one are those of the decision.
pub fn hold_text(hold: &Hold, stamp: Stamp, fresh: bool) -> String {
    let time = |moment: UnixMillis| if fresh { stamp.time(moment) } else { moment.to_string() };
    hold_words(hold, &time(hold.expires_at), &stamp.sequence(hold.sequence), &time(hold.held_at))
}

fn hold_words(hold: &Hold, expires_at: &str, sequence: &str, held_at: &str) -> String {
    let status = match hold.status {
        HoldStatus::Active => "A".to_owned(),
        HoldStatus::Expired => "E".to_owned(),
        HoldStatus::Reserved(reservation) => format!("R{reservation}"),
    };
    let Hold { user, correlation, seats, currency, .. } = hold;
    let seats = seats.join(",");
    let correlation = correlation.as_str();
    format!("{status}\n{expires_at}\n{sequence}\n{held_at}\n{seats}\n{currency}\n{correlation}\n{user}")
}

/// Reads a reservation's text.
pub fn read_reservation(text: &str) -> Result<Reservation, String> {
    let parts: Vec<_> = text.split('\n').collect();
    let [hold, reserved_at, sequence, seats, currency, paid_by, user] = parts.as_slice() else {
        return Err(format!("it is {text:?}"));
    };
    let paid_by = Some(*paid_by).filter(|paid_by| !paid_by.is_empty());
    Ok(Reservation {
        user: parse(user)?,
        hold: parse(hold)?,
        seats: read_keys(seats),
        reserved_at: parse(reserved_at)?,
        currency: (*currency).to_owned(),
        paid_by: paid_by.map(|paid_by| PaidBy::from(paid_by.to_owned())),
        sequence: parse(sequence)?,
    })
}

fn write_reservation(reservation: &Reservation) -> String {
    let Reservation { reserved_at, sequence, .. } = reservation;
    reservation_words(reservation, &reserved_at.to_string(), &sequence.to_string())
}

/// A reservation that a decision wrote; the time of a `fresh` one is that of the decision.
pub fn reservation_text(reservation: &Reservation, stamp: Stamp, fresh: bool) -> String {
    let Reservation { reserved_at, sequence, .. } = *reservation;
    let reserved_at = if fresh { stamp.time(reserved_at) } else { reserved_at.to_string() };
    reservation_words(reservation, &reserved_at, &stamp.sequence(sequence))
}

fn reservation_words(reservation: &Reservation, reserved_at: &str, sequence: &str) -> String {
    let Reservation { user, hold, seats, currency, paid_by, .. } = reservation;
    let (seats, paid_by) = (seats.join(","), paid_by.clone().map(String::from).unwrap_or_default());
    format!("{hold}\n{reserved_at}\n{sequence}\n{seats}\n{currency}\n{paid_by}\n{user}")
}

/// What the field of a reservation whose payment failed begins with; its UUID follows.
pub const FAILED: &str = "failed:";

/// The field of `reservations`, and the member of `deadlines`, of a reservation whose payment failed.
pub fn failed_field(id: Uuid) -> String {
    format!("{FAILED}{id}")
}

/// Reads the text of a reservation whose payment failed: failedAt outcome seats currency user, on lines of their own.
/// The outcome is the reservation that took its place, [`REFUSED`] or [`NONE`]; a seat is its key, a blank and its price.
pub fn read_failed(text: &str) -> Result<FailedReservation, String> {
    let parts: Vec<_> = text.split('\n').collect();
    let [failed_at, outcome, seats, currency, user] = parts.as_slice() else {
        return Err(format!("it is {text:?}"));
    };
    let seat = |seat: String| match seat.split_once(' ') {
        Some((key, amount)) => Ok((key.to_owned(), parse(amount)?)),
        None => Err(format!("its seat {seat:?} has no price")),
    };
    Ok(FailedReservation {
        user: parse(user)?,
        seats: read_keys(seats).into_iter().map(seat).collect::<Result<_, _>>()?,
        currency: (*currency).to_owned(),
        failed_at: parse(failed_at)?,
        outcome: match *outcome {
            NONE => None,
            REFUSED => Some(Reinstatement::NotReinstated),
            reservation => Some(Reinstatement::Reinstated(parse(reservation)?)),
        },
    })
}

fn write_failed(failed: &FailedReservation) -> String {
    failed_words(failed, &failed.failed_at.to_string())
}

/// A failed reservation that a decision wrote; the time of a `fresh` one is that of the decision.
pub fn failed_text(failed: &FailedReservation, stamp: Stamp, fresh: bool) -> String {
    if fresh { failed_words(failed, &stamp.time(failed.failed_at)) } else { write_failed(failed) }
}

fn failed_words(failed: &FailedReservation, failed_at: &str) -> String {
    let FailedReservation { user, seats, currency, outcome, .. } = failed;
    let seats: Vec<_> = seats.iter().map(|(key, amount)| format!("{key} {amount}")).collect();
    format!("{failed_at}\n{}\n{}\n{currency}\n{user}", outcome_word(*outcome), seats.join(","))
}

/// What became of a failed reservation, as a word.
pub fn outcome_word(outcome: Option<Reinstatement>) -> String {
    match outcome {
        None => NONE.to_owned(),
        Some(Reinstatement::NotReinstated) => REFUSED.to_owned(),
        Some(Reinstatement::Reinstated(reservation)) => reservation.to_string(),
    }
}

fn read_keys(text: &str) -> Vec<String> {
    text.split(',').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

fn parse<T: FromStr<Err: Display>>(text: &str) -> Result<T, String> {
    text.parse().map_err(|error| format!("{text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn hold(status: HoldStatus, seats: &[&str]) -> Hold {
        Hold {
            user: "alice".parse().unwrap(),
            correlation: "chain-1".parse().unwrap(),
            seats: seats.iter().map(ToString::to_string).collect(),
            held_at: 0,
            expires_at: 300_000,
            currency: "EUR".into(),
            sequence: 7,
            status,
        }
    }

    fn failed() -> FailedReservation {
        FailedReservation {
            user: "alice".parse().unwrap(),
            seats: vec![("A-1-1".into(), 12_000), ("FLOOR-1".into(), 0)],
            currency: "EUR".into(),
            failed_at: 7,
            outcome: None,
        }
    }

    #[test]
    fn what_is_written_reads_back_as_itself() {
        let (a, b) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for seat in [
            Seat::Lapsed { user: "alice".parse().unwrap() },
            Seat::Held { hold: a, amount: 12_000, blocked: None },
            Seat::Held { hold: a, amount: 12_000, blocked: Some("camera\nand crew".into()) },
            Seat::Reserved { reservation: a, hold: b, amount: 0 },
            Seat::Blocked { reason: "camera\nand crew".into() },
        ] {
            assert_eq!(read_seat(&write_seat(&seat)), Ok(seat));
        }
        let holds = [
            hold(HoldStatus::Active, &["A-1-1", "A-1-2"]),
            hold(HoldStatus::Expired, &[]),
            hold(HoldStatus::Reserved(b), &[]),
        ];
        for hold in holds {
            assert_eq!(read_hold(&write_hold(&hold)), Ok(hold));
        }
        let user = "alice".parse().unwrap();
        let currency = "EUR".into();
        let paid_by = Some(PaidBy::Counter);
        let seats = vec!["A-1-1".into()];
        let reservation =
            Reservation { user, hold: a, seats, reserved_at: 5, currency, paid_by, sequence: 9 };
        for reservation in [Reservation { paid_by: None, ..reservation.clone() }, reservation] {
            assert_eq!(read_reservation(&write_reservation(&reservation)), Ok(reservation));
        }
        for outcome in [None, Some(Reinstatement::NotReinstated), Some(Reinstatement::Reinstated(b))] {
            let failed = FailedReservation { outcome, ..failed() };
            assert_eq!(read_failed(&write_failed(&failed)), Ok(failed));
        }
    }

    #[test]
    fn what_may_still_expire_or_be_forgotten_has_a_deadline() {
        let mut state = SeatingEventState::new("arena".parse().unwrap());
        state.holds.insert(Uuid::from_u128(1), hold(HoldStatus::Active, &["A-1-1"]));
        state.holds.insert(Uuid::from_u128(2), hold(HoldStatus::Expired, &[]));
        state.holds.insert(Uuid::from_u128(3), hold(HoldStatus::Reserved(Uuid::nil()), &[]));
        let deadlines = |now| {
            let mut deadlines: Vec<_> = write(&state, now).deadlines.into_iter().map(|(at, _)| at).collect();
            deadlines.sort_unstable();
            deadlines
        };
        assert_eq!(deadlines(300_000), [300_000, 300_000 + EXPIRED_HOLD_MEMORY]);
        assert_eq!(deadlines(300_000 + EXPIRED_HOLD_MEMORY), [300_000]);
        assert_eq!(write(&state, 300_000 + EXPIRED_HOLD_MEMORY).hashes[1].len(), 2);
    }

    #[test]
    fn a_failed_reservation_is_kept_until_it_is_to_be_forgotten() {
        let mut state = SeatingEventState::new("arena".parse().unwrap());
        state.failed.insert(Uuid::from_u128(1), failed());
        let until = failed().forgotten_at();
        let kept = write(&state, until - 1);
        let field = "failed:00000000-0000-0000-0000-000000000001".to_owned();
        assert_eq!(kept.deadlines, [(until, field.clone())]);
        assert_eq!(kept.hashes[2], [(field, write_failed(&failed()))]);
        assert_eq!(write(&state, until), StateRecords::default());
    }

    #[test]
    fn the_hash_tells_who_has_which_seat_and_nothing_of_the_order() {
        let mut one = SeatingEventState::new("arena".parse().unwrap());
        let mut other = one.clone();
        let seat = |id| Seat::Held { hold: Uuid::from_u128(id), amount: 1, blocked: None };
        for (key, id) in [("A-1-1", 1), ("A-1-2", 2)] {
            one.seats.insert(key.into(), seat(id));
        }
        for (key, id) in [("A-1-2", 2), ("A-1-1", 1)] {
            other.seats.insert(key.into(), seat(id));
        }
        assert_eq!(seats_hash(&one), seats_hash(&other));
        other.seats.insert("A-1-2".into(), seat(3));
        assert_ne!(seats_hash(&one), seats_hash(&other));
    }
}
