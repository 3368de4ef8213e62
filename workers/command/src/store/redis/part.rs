//! What is read of a SeatingEvent at one moment: the records that a command is decided on, and their texts, which are
//! compared when what was decided is written.

use std::collections::HashMap;
use std::sync::Arc;

use boxoffice_domain::command::Reads;
use boxoffice_domain::{SeatingEventId, SeatingEventState, UnixMillis};
use redis::{FromRedisValue, Value};
use uuid::Uuid;

use super::catalog::Known;
use super::state::{failed_field, read_failed, read_hold, read_reservation, read_seat};
use crate::store::StoreError;

/// What was read of a SeatingEvent at one moment.
pub struct Part {
    /// The records that were asked for, under the definition that stands.
    pub state: SeatingEventState,
    /// Its time.
    pub at: UnixMillis,
    /// The texts of all that was asked for; `None` of what is not there.
    pub texts: Texts,
}

/// The texts of records.
#[derive(Default)]
pub struct Texts {
    /// Of seats, by key.
    pub seats: HashMap<String, Option<String>>,
    /// Of holds.
    pub holds: HashMap<Uuid, Option<String>>,
    /// Of reservations.
    pub reservations: HashMap<Uuid, Option<String>>,
    /// Of reservations whose payment failed.
    pub failed: HashMap<Uuid, Option<String>>,
}

/// An answer that is not what a script answers.
#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
pub(super) fn unreadable(error: redis::ParsingError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// The fields of `reservations` that were looked at, in order.
pub(super) fn reservations_of(reads: &Reads) -> impl ExactSizeIterator<Item = String> + use<> {
    let standing = reads.reservations.iter().map(ToString::to_string);
    let fields: Vec<_> = standing.chain(reads.failed.iter().copied().map(failed_field)).collect();
    fields.into_iter()
}

/// The part that the `values` of a script make, in the order in which `reads` asked for them.
pub(super) fn part_of(
    event: &SeatingEventId,
    known: Option<&Known>,
    reads: &Reads,
    values: Vec<Value>,
) -> Result<Part, StoreError> {
    let wrong = |what: String| StoreError::Corrupt(format!("{event}: {what}"));
    let mut values = values.into_iter();
    let mut number = || -> Result<u64, StoreError> {
        u64::from_redis_value(values.next().unwrap_or(Value::Nil)).map_err(unreadable)
    };
    let (at, sequence) = (number()?, number()?);
    let mut state = SeatingEventState::new(event.clone());
    state.sequence = sequence;
    state.sale = known.map(|known| Arc::clone(&known.sale));
    let mut text = || -> Result<Option<String>, StoreError> {
        Option::from_redis_value(values.next().unwrap_or(Value::Nil)).map_err(unreadable)
    };
    let mut texts = Texts::default();
    for key in &reads.seats {
        let found = text()?;
        if let Some(found) = &found {
            let seat = read_seat(found).map_err(|error| wrong(format!("seat {key}: {error}")))?;
            state.seats.insert(key.clone(), seat);
        }
        texts.seats.insert(key.clone(), found);
    }
    for id in &reads.holds {
        let found = text()?;
        if let Some(found) = &found {
            let hold = read_hold(found).map_err(|error| wrong(format!("hold {id}: {error}")))?;
            state.holds.insert(*id, hold);
        }
        texts.holds.insert(*id, found);
    }
    for id in &reads.reservations {
        let found = text()?;
        if let Some(found) = &found {
            let reservation =
                read_reservation(found).map_err(|error| wrong(format!("reservation {id}: {error}")))?;
            state.reservations.insert(*id, reservation);
        }
        texts.reservations.insert(*id, found);
    }
    for id in &reads.failed {
        let found = text()?;
        if let Some(found) = &found {
            let failed =
                read_failed(found).map_err(|error| wrong(format!("{}: {error}", failed_field(*id))))?;
            state.failed.insert(*id, failed);
        }
        texts.failed.insert(*id, found);
    }
    Ok(Part { state, at, texts })
}
