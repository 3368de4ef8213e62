//! A command as one script: what the script is told, and what is done about its answer.
//!
//! `hold.lua` and its neighbours do what [`boxoffice_domain::decide`] says (I10). Whether a seat exists and what it
//! costs they learn from here, by the definition that this worker knows.

use boxoffice_domain::decide::selection::{check, sections_of};
use boxoffice_domain::definition::GapPolicy;
use boxoffice_domain::ids::section_of;
use boxoffice_domain::{Command, Definition, HoldId, Rejection, SeatingEventId, Together, UserId, Wanted};
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
            if let Command::Hold { wanted, .. } = command
                && let Err(rejection) = check(&prepared.definition, wanted)
            {
                if let Some(outcome) = self.answered_before(event, cause).await? {
                    return Ok(Ok(outcome));
                }
                if self.is_current(event, &prepared).await? {
                    return Ok(Err(rejection));
                }
                known = self.known_after(event, Some(&prepared)).await?;
                continue;
            }
            let run = self.prepare(event, &prepared, command, cause)?;
            match self.invoke(&run).await? {
                Reply::Done(outcome) => return Ok(Ok(outcome)),
                Reply::Rejected(rejection) => return Ok(Err(rejection)),
                Reply::Mismatch => return Err(StoreError::KeyReused),
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
        Ok(match command {
            Command::Hold { wanted, user, hold } => {
                let script =
                    if chooses(&known.definition, wanted) { &scripts.choose_and_hold } else { &scripts.hold };
                let mut run = begin(script);
                self.sales_rules(&mut run, known);
                run.arg(currency).arg(user.as_str()).arg(text(*hold));
                tell_wanted(&mut run, known, wanted);
                run
            }
            Command::ExtendHold { hold, user, seconds } => {
                let policy = &known.definition.hold;
                let millis = |seconds: u32| u64::from(seconds) * 1000;
                let mut run = begin(&scripts.extend_hold);
                run.arg(&known.revision).arg(user.as_str()).arg(text(*hold));
                run.arg(millis(seconds.unwrap_or(policy.ttl_seconds))).arg(millis(policy.max_seconds));
                run
            }
            Command::ReserveSeat { seat, user, reservation } => {
                let mut run = begin(&scripts.reserve_seat);
                run.arg(&known.revision).arg(currency).arg(user.as_str()).arg(text(*reservation));
                run.arg(seat).arg(exists(known, seat));
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
                run.arg(&known.revision).arg(currency).arg(user.as_str()).arg(seat).arg(exists(known, seat));
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
            Command::Block { seats, reason } => {
                let mut run = begin(&scripts.block);
                run.arg(&known.revision).arg(reason);
                tell_seats(&mut run, known, seats);
                run
            }
            Command::Unblock { seats } => {
                let mut run = begin(&scripts.unblock);
                run.arg(&known.revision);
                tell_seats(&mut run, known, seats);
                run
            }
            Command::Close => begin(&scripts.close),
            Command::AddToHold { .. }
            | Command::StaffHold { .. }
            | Command::StaffReserve { .. }
            | Command::StaffRelease { .. }
            | Command::StaffCancel { .. } => return Err(StoreError::Corrupt("not yet".into())),
        })
    }

    /// The answer that is stored under the cause's idempotency key. Every script begins by looking for it, and the one that
    /// is run here finds nothing else.
    async fn answered_before(
        &self,
        event: &SeatingEventId,
        cause: &Cause,
    ) -> Result<Option<Outcome>, StoreError> {
        if cause.idempotency.is_none() {
            return Ok(None);
        }
        let mut run = self.begin(&self.scripts.find_hold, event, cause);
        run.arg("").arg("");
        match self.invoke(&run).await? {
            Reply::Done(outcome) => Ok(Some(outcome)),
            Reply::Mismatch => Err(StoreError::KeyReused),
            _ => Ok(None),
        }
    }

    /// Whether a definition that this worker knows is still the one that stands.
    async fn is_current(&self, event: &SeatingEventId, known: &Known) -> Result<bool, StoreError> {
        let mut read = redis::cmd("HGET");
        read.arg(self.keys.event(event).meta()).arg("revision");
        Ok(self.query::<Option<String>>(&read).await?.as_ref() == Some(&known.revision))
    }

    /// What `lib/hold.lua` checks a hold by.
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

/// Whether a hold's seats are chosen, or looked at together with those around them: `choose_and_hold.lua` does that.
fn chooses(definition: &Definition, wanted: &Wanted) -> bool {
    match wanted {
        Wanted::These { areas, .. } => {
            !areas.is_empty() || definition.hold.no_single_seat_gaps == GapPolicy::Enforce
        }
        Wanted::Best(_) => true,
    }
}

/// What a hold wants, as `hold.lua` and `choose_and_hold.lua` have it on top.
fn tell_wanted(run: &mut ScriptInvocation<'_>, known: &Known, wanted: &Wanted) {
    let definition = &known.definition;
    if chooses(definition, wanted) {
        run.arg(match definition.hold.no_single_seat_gaps {
            GapPolicy::Off => "off",
            GapPolicy::Prefer => "prefer",
            GapPolicy::Enforce => "enforce",
        });
    }
    match wanted {
        Wanted::Best(best) => {
            let allowed = sections_of(definition, best);
            let sections = &definition.sections;
            let flags: String =
                (0..sections.len()).map(|at| if allowed.contains(&at) { '1' } else { '0' }).collect();
            let prices: Vec<_> = sections.iter().map(|section| price_in(definition, &section.id)).collect();
            run.arg("best").arg(best.quantity).arg(flags).arg(prices.join(","));
            run.arg(best.section_id.as_deref().unwrap_or_default());
            run.arg(match best.together.unwrap_or_default() {
                Together::Required => "required",
                Together::Preferred => "preferred",
            });
        }
        Wanted::These { seats, areas } => {
            if chooses(definition, wanted) {
                run.arg("these").arg(areas.len());
                for area in areas {
                    run.arg(&area.section_id).arg(area.quantity).arg(price_in(definition, &area.section_id));
                }
            }
            for seat in seats {
                let place = known.chart().position(seat).and_then(|seat| known.seating().place(seat));
                let price = place.map(|_| price_in(definition, section_of(seat))).unwrap_or_default();
                run.arg(seat).arg(price).arg(place.unwrap_or_default());
            }
        }
    }
}

/// Seats as `lib/chart_seats.lua` has them.
fn tell_seats(run: &mut ScriptInvocation<'_>, known: &Known, seats: &[String]) {
    for seat in seats {
        run.arg(seat).arg(exists(known, seat));
    }
}

fn exists(known: &Known, seat: &str) -> u8 {
    u8::from(known.chart().contains(seat))
}

fn price_in(definition: &Definition, section: &str) -> String {
    definition.price_of(section).map_or(0, |price| price.amount).to_string()
}

fn text(id: Uuid) -> String {
    id.to_string()
}

/// A definition that changes as fast as commands are prepared for it: the caller may try again.
pub(super) fn keeps_changing(event: &SeatingEventId) -> StoreError {
    StoreError::Unavailable(format!("the definition of {event} keeps changing"))
}
