//! Commands that the worker decides itself: all but the few that sell. It reads what [`decide_on_part`] asks for, at one
//! moment, and has one script write what was decided where all of that is still so; else it reads again.

use std::collections::HashMap;
use std::sync::Arc;

use boxoffice_domain::command::Reads;
use boxoffice_domain::decide::decide_on_part;
use boxoffice_domain::{Command, Rejection, SeatingEventId, SeatingEventState, UnixMillis};
use redis::{FromRedisValue, Value};
use uuid::Uuid;

use super::RedisStore;
use super::apply::Change;
use super::catalog::Known;
use super::commands::{Executed, keeps_changing};
use super::reply::{Ran, Reply};
use super::state::{failed_field, read_failed, read_hold, read_reservation, read_seat};
use super::wire::args::Reading;
use crate::store::{Cause, StoreError};

/// How often a command is decided again because what it looked at changed under it.
const ATTEMPTS: usize = 20;

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

enum Read {
    Part(Box<Part>),
    Changed,
    Answered(Ran),
}

impl RedisStore {
    /// Decides a command and writes what was decided. `partition` is pinned where the SeatingEvent comes to be by it.
    pub(super) async fn run_cold(
        &self,
        event: &SeatingEventId,
        command: &Command,
        partition: Option<u32>,
        cause: &Cause,
    ) -> Executed {
        let mut known = self.known(event).await?;
        let mut reads = Reads::default();
        for _ in 0..ATTEMPTS {
            if known.is_none() && partition.is_none() {
                return Ok(Err(Rejection::EventNotFound));
            }
            // It comes to be only where it is sure not to have been lost.
            let only_on = if known.is_none() { Some(self.confirm_whole(event).await?) } else { None };
            let part = match self.read_part(event, known.as_deref(), &reads, cause).await? {
                Read::Part(part) => part,
                Read::Answered(mut ran) => {
                    if let Some(known) = &known {
                        known.sale.complete(&mut ran.outcome.answer);
                    }
                    return Ok(Ok(ran));
                }
                Read::Changed => {
                    known = self.known_after(event, known.as_deref()).await?;
                    continue;
                }
            };
            let (decision, looked_at) = decide_on_part(&part.state, command, part.at);
            if !reads.cover(&looked_at) {
                reads.add(looked_at);
                continue;
            }
            let decision = match decision {
                Ok(decision) => decision,
                Err(rejection) => return Ok(Err(rejection)),
            };
            let change =
                Change { part: &part, reads: &looked_at, command, decision: &decision, cause, partition };
            match self.apply(event, known.as_deref(), &change, only_on).await? {
                Reply::Done(ran) => return Ok(Ok(ran)),
                Reply::Rejected(rejection) => return Ok(Err(rejection)),
                Reply::Mismatch => return Err(StoreError::KeyReused),
                Reply::Full(depth) => {
                    return Err(StoreError::OutboxFull { depth, limit: self.high_watermark });
                }
                Reply::Changed | Reply::Cold => known = self.known_now(event, known).await?,
            }
        }
        Err(keeps_changing(event))
    }

    async fn read_part(
        &self,
        event: &SeatingEventId,
        known: Option<&Known>,
        reads: &Reads,
        cause: &Cause,
    ) -> Result<Read, StoreError> {
        let reading = Reading { revision: known.map_or("", |known| &known.revision) };
        let mut run = self.begin(&self.scripts.read, event, known, cause, reading);
        run.list(reads.seats.iter());
        run.list(reads.holds.iter().map(ToString::to_string));
        run.list(reservations_of(reads));
        let answer: Value = self.invoke_script(&run).await?;
        if !matches!(answer, Value::Array(_)) {
            return match Reply::read(&String::from_redis_value(answer).map_err(unreadable)?)? {
                Reply::Done(ran) => Ok(Read::Answered(ran)),
                Reply::Changed => Ok(Read::Changed),
                Reply::Mismatch => Err(StoreError::KeyReused),
                other @ (Reply::Rejected(_) | Reply::Full(_) | Reply::Cold) => {
                    Err(StoreError::Corrupt(format!("reading {event} gave {other:?}")))
                }
            };
        }
        let values = Vec::<Value>::from_redis_value(answer).map_err(unreadable)?;
        part_of(event, known, reads, values).map(|part| Read::Part(Box::new(part)))
    }

    /// The definition that stands, where it may be another one than `known`.
    async fn known_now(
        &self,
        event: &SeatingEventId,
        known: Option<Arc<Known>>,
    ) -> Result<Option<Arc<Known>>, StoreError> {
        match known {
            Some(known) if self.is_current(event, &known).await? => Ok(Some(known)),
            stale => self.known_after(event, stale.as_deref()).await,
        }
    }

    /// What `command` would be answered, read at one moment and nothing written.
    pub(super) async fn peek<T>(
        &self,
        event: &SeatingEventId,
        look: impl Fn(&SeatingEventState, UnixMillis) -> (Result<T, Rejection>, Reads),
    ) -> Result<Result<T, Rejection>, StoreError> {
        let (cause, mut reads) = (Cause::of_nobody(), Reads::default());
        let mut known = self.known(event).await?;
        for _ in 0..ATTEMPTS {
            let Some(stands) = known else { return Ok(Err(Rejection::EventNotFound)) };
            match self.read_part(event, Some(&stands), &reads, &cause).await? {
                Read::Part(part) => {
                    let (found, looked_at) = look(&part.state, part.at);
                    if reads.cover(&looked_at) {
                        return Ok(found);
                    }
                    reads.add(looked_at);
                    known = Some(stands);
                }
                Read::Changed => known = self.known_after(event, Some(&stands)).await?,
                Read::Answered(_) => return Err(StoreError::Corrupt(format!("{event} answered nobody"))),
            }
        }
        Err(keeps_changing(event))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "as map_err hands it over")]
fn unreadable(error: redis::ParsingError) -> StoreError {
    StoreError::Corrupt(error.to_string())
}

/// The fields of `reservations` that were looked at, in order.
pub(super) fn reservations_of(reads: &Reads) -> impl ExactSizeIterator<Item = String> + use<> {
    let standing = reads.reservations.iter().map(ToString::to_string);
    let fields: Vec<_> = standing.chain(reads.failed.iter().copied().map(failed_field)).collect();
    fields.into_iter()
}

fn part_of(
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
