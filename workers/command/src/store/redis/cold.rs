//! Commands that the worker decides itself: all but the few that sell. It reads what [`decide_on_part`] asks for, at one
//! moment, and has one script write what was decided where all of that is still so; else it reads again.

use std::sync::Arc;

use boxoffice_domain::command::Reads;
use boxoffice_domain::decide::decide_on_part;
use boxoffice_domain::{Command, Rejection, SeatingEventId, SeatingEventState, UnixMillis};
use redis::{FromRedisValue, Value};

use super::RedisStore;
use super::apply::Change;
use super::catalog::Known;
use super::commands::{Executed, keeps_changing};
use super::part::{Part, part_of, reservations_of, unreadable};
use super::reply::{Ran, Reply};
use super::wire::args::Reading;
use crate::store::{Cause, StoreError};

/// How often a command is decided again because what it looked at changed under it.
const ATTEMPTS: usize = 20;

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
