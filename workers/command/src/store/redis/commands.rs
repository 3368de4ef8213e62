//! A command as one script: what the script is told, and what is done about its answer.
//!
//! `hold.lua` and its neighbours do what [`boxoffice_domain::decide`] says (I10). Whether a seat exists and what it
//! costs they learn from here, by the definition that this worker knows.

use boxoffice_domain::ids::section_of;
use boxoffice_domain::{Command, HoldId, Rejection, SeatingEventId, UserId};
use uuid::Uuid;

use super::RedisStore;
use super::catalog::Known;
use super::invocation::ScriptInvocation;
use super::reply::Reply;
use crate::store::{Cause, Outcome, StoreError};

/// How often a command is prepared again because the definition changed under it.
const ATTEMPTS: usize = 5;

type Executed = Result<Result<Outcome, Rejection>, StoreError>;

impl RedisStore {
    pub(super) async fn run_command(
        &self,
        event: &SeatingEventId,
        command: &Command,
        cause: &Cause,
    ) -> Executed {
        let mut known = self.known(event).await?;
        for _ in 0..ATTEMPTS {
            let Some(prepared) = known else { return Ok(Err(Rejection::EventNotFound)) };
            let run = self.prepare(event, &prepared, command, cause)?;
            match self.invoke(&run).await? {
                Reply::Done(outcome) => return Ok(Ok(outcome)),
                Reply::Rejected(rejection) => return Ok(Err(rejection)),
                Reply::Full(depth) => {
                    return Err(StoreError::OutboxFull { depth, limit: self.high_watermark });
                }
                Reply::Changed => known = self.known_after(event, Some(&prepared)).await?,
            }
        }
        Err(keeps_changing(event))
    }

    fn prepare(
        &self,
        event: &SeatingEventId,
        known: &Known,
        command: &Command,
        cause: &Cause,
    ) -> Result<ScriptInvocation<'_>, StoreError> {
        let (scripts, currency) = (&self.scripts, known.definition.currency());
        let begin = |script| self.begin(script, event, cause);
        let exists = |seat: &str| u8::from(known.chart().contains(seat));
        Ok(match command {
            Command::Hold { seats, user, hold } => {
                let mut run = begin(&scripts.hold);
                self.sales_rules(&mut run, known);
                run.arg(currency).arg(user.as_str()).arg(text(*hold));
                for seat in seats {
                    run.arg(seat).arg(todays_price(known, seat));
                }
                run
            }
            Command::ReserveSeat { seat, user, reservation } => {
                let mut run = begin(&scripts.reserve_seat);
                run.arg(&known.revision).arg(currency).arg(user.as_str()).arg(text(*reservation));
                run.arg(seat).arg(exists(seat));
                run
            }
            Command::ReserveHold { hold, user, reservation } => {
                let mut run = begin(&scripts.reserve_hold);
                run.arg(&known.revision)
                    .arg(currency)
                    .arg(user.as_str())
                    .arg(text(*reservation))
                    .arg(text(*hold));
                run
            }
            Command::ReleaseSeat { seat, user } => {
                let mut run = begin(&scripts.release_seat);
                run.arg(&known.revision).arg(currency).arg(user.as_str()).arg(seat).arg(exists(seat));
                run
            }
            Command::ReleaseHold { hold, user } => {
                let mut run = begin(&scripts.release_hold);
                run.arg(user.as_str()).arg(text(*hold));
                run
            }
            Command::CancelReservation { reservation, user } => {
                let mut run = begin(&scripts.cancel_reservation);
                run.arg(&known.revision).arg(currency).arg(user.as_str()).arg(text(*reservation));
                run
            }
            Command::Expire { hold } => {
                let mut run = begin(&scripts.expire);
                run.arg(text(*hold));
                run
            }
            Command::Provision { definition } => {
                self.prepare_provision(event, Some(known), definition, 0, cause)?
            }
            Command::Close => begin(&scripts.close),
        })
    }

    /// What `hold.lua` checks a hold by.
    fn sales_rules(&self, run: &mut ScriptInvocation<'_>, known: &Known) {
        let definition = &known.definition;
        let or_empty = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        run.arg(&known.revision).arg(or_empty(definition.sales.opens_at)).arg(definition.closes_at());
        run.arg(u8::from(definition.sales.paused)).arg(u8::from(known.closed));
        run.arg(u64::from(definition.hold.ttl_seconds) * 1000);
        run.arg(or_empty(definition.limits.seats_per_user.map(u64::from))).arg(self.high_watermark);
    }

    /// Sends one expired hold on its way; it needs no definition.
    pub(super) async fn run_expire(
        &self,
        event: &SeatingEventId,
        hold: &str,
        cause: &Cause,
    ) -> Result<Reply, StoreError> {
        let mut run = self.begin(&self.scripts.expire, event, cause);
        run.arg(hold);
        self.invoke(&run).await
    }

    pub(super) async fn run_find_hold(&self, hold: &HoldId, user: &UserId) -> Result<Reply, StoreError> {
        let mut run = self.begin(&self.scripts.find_hold, hold.event_id(), &Cause::of_nobody());
        run.arg(user.as_str()).arg(text(hold.uuid()));
        self.invoke(&run).await
    }
}

/// The price of a seat as `hold.lua` wants it: empty where there is no such seat.
fn todays_price(known: &Known, seat: &str) -> String {
    if !known.chart().contains(seat) {
        return String::new();
    }
    known.definition.price_of(section_of(seat)).map_or(0, |price| price.amount).to_string()
}

fn text(id: Uuid) -> String {
    id.to_string()
}

/// A definition that changes as fast as commands are prepared for it: the caller may try again.
pub(super) fn keeps_changing(event: &SeatingEventId) -> StoreError {
    StoreError::Unavailable(format!("the definition of {event} keeps changing"))
}
