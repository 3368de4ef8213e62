//! A command as one script: what the script is told, and what is done about its answer.
//!
//! `hold.lua` and its neighbours do what [`boxoffice_domain::decide`] says (I10). Whether a seat exists and what it
//! costs they learn from here, by the definition that this worker knows. What is no matter of seconds the worker decides
//! itself, in [`cold`](super::cold).

use super::RedisStore;
use super::catalog::Known;
use super::invocation::ScriptInvocation;
use super::reply::{Ran, Reply};
use super::wire::Word;
use super::wire::args::{
    Choosing, Expiring, Holding, ReleasingHold, ReleasingSeat, ReservingHold, ReservingSeat,
};
use crate::store::{Cause, StoreError};
use boxoffice_domain::decide::find_hold_on_part;
use boxoffice_domain::decide::selection::{check, sections_of};
use boxoffice_domain::definition::GapPolicy;
use boxoffice_domain::ids::section_of;
use boxoffice_domain::{
    Answer, Command, Definition, HoldId, Rejection, SeatingEventId, Together, UserId, Wanted,
};

/// How often a command is prepared again because the definition changed under it.
const ATTEMPTS: usize = 5;

pub(super) type Executed = Result<Result<Ran, Rejection>, StoreError>;

impl RedisStore {
    /// Runs a command. What is seldom begun for one is boxed, here and below: a future is as large as what it may come to,
    /// and is copied as a whole where it begins.
    pub(super) async fn run_command(
        &self,
        event: &SeatingEventId,
        command: &Command,
        cause: &Cause,
    ) -> Executed {
        let mut known = self.known(event).await?;
        for _ in 0..ATTEMPTS {
            let Some(prepared) = known else { return Ok(Err(Rejection::EventNotFound)) };
            let Some(run) = self.prepare(event, &prepared, command, cause) else {
                return Box::pin(self.run_cold(event, command, None, cause)).await;
            };
            match self.invoke(&run).await? {
                Reply::Done(mut ran) => {
                    prepared.sale.complete(&mut ran.outcome.answer);
                    return Ok(Ok(ran));
                }
                Reply::Rejected(rejection) => return Ok(Err(rejection)),
                Reply::Mismatch => return Err(StoreError::KeyReused),
                Reply::Full(depth) => {
                    return Err(StoreError::OutboxFull { depth, limit: self.high_watermark });
                }
                Reply::Cold => return Box::pin(self.run_cold(event, command, None, cause)).await,
                Reply::Changed => known = Box::pin(self.known_after(event, Some(&prepared))).await?,
            }
        }
        Err(keeps_changing(event))
    }

    /// The script of a command; `None` of one that the worker decides.
    fn prepare<'a>(
        &'a self,
        event: &'a SeatingEventId,
        known: &'a Known,
        command: &Command,
        cause: &Cause,
    ) -> Option<ScriptInvocation<'a>> {
        let scripts = &self.scripts;
        let (revision, closed) = (known.revision.as_str(), known.sale.closed);
        Some(match command {
            Command::Hold { wanted, user, hold } => {
                self.prepare_hold(event, known, wanted, Holding { user, hold: *hold, grows: false }, cause)?
            }
            Command::AddToHold { hold, wanted, user } => {
                self.prepare_hold(event, known, wanted, Holding { user, hold: *hold, grows: true }, cause)?
            }
            Command::ReserveSeat { seat, user, reservation } => {
                let (reservation, exists) = (*reservation, exists(known, seat));
                let told = ReservingSeat { revision, closed, user, reservation, seat, exists };
                self.begin(&scripts.reserve_seat, event, Some(known), cause, told)
            }
            Command::ReserveHold { hold, user, reservation } => {
                let told = ReservingHold { revision, closed, user, reservation: *reservation, hold: *hold };
                self.begin(&scripts.reserve_hold, event, Some(known), cause, told)
            }
            Command::ReleaseSeat { seat, user } => {
                let told = ReleasingSeat { revision, user, seat, exists: exists(known, seat) };
                self.begin(&scripts.release_seat, event, Some(known), cause, told)
            }
            Command::ReleaseHold { hold, user } => {
                let told = ReleasingHold { user, hold: *hold };
                self.begin(&scripts.release_hold, event, Some(known), cause, told)
            }
            Command::Expire { hold } => {
                let (hold, currency) = (hold.to_string(), known.sale.definition.currency());
                let told = Expiring { hold: &hold, currency };
                self.begin(&scripts.expire, event, Some(known), cause, told)
            }
            Command::ExtendHold { .. }
            | Command::CancelReservation { .. }
            | Command::StaffHold { .. }
            | Command::StaffReserve { .. }
            | Command::StaffRelease { .. }
            | Command::StaffCancel { .. }
            | Command::FailPayment { .. }
            | Command::Reinstate { .. }
            | Command::Provision { .. }
            | Command::Block { .. }
            | Command::Unblock { .. }
            | Command::Close
            | Command::Purge => return None,
        })
    }

    /// `hold.lua` or `choose_and_hold.lua`; `None` where the definition has not what is wanted.
    fn prepare_hold<'a>(
        &'a self,
        event: &'a SeatingEventId,
        known: &'a Known,
        wanted: &Wanted,
        holding: Holding<'_>,
        cause: &Cause,
    ) -> Option<ScriptInvocation<'a>> {
        let definition = &known.sale.definition;
        check(definition, wanted).ok()?;
        let (scripts, rules) = (&self.scripts, &known.rules);
        let mut run = if chooses(definition, wanted) {
            let sections = match wanted {
                Wanted::Best(best) => flags(definition, &sections_of(definition, best)),
                Wanted::These { .. } => String::new(),
            };
            let choosing = choosing(wanted, &sections);
            self.begin(&scripts.choose_and_hold, event, Some(known), cause, (rules, (holding, choosing)))
        } else {
            self.begin(&scripts.hold, event, Some(known), cause, (rules, holding))
        };
        if let Wanted::These { seats, areas } = wanted {
            for area in areas {
                run.arg(&area.section_id).arg(area.quantity).arg(price_in(definition, &area.section_id));
            }
            for seat in seats {
                let place = known.sale.chart().position(seat);
                let place = place.and_then(|seat| known.sale.seating().place(seat));
                let price = place.map(|_| price_in(definition, section_of(seat)));
                run.arg(seat);
                price.say(&mut run);
                run.arg(place.unwrap_or_default());
            }
        }
        Some(run)
    }

    /// Whether a definition that this worker knows is still the one that stands.
    pub(super) async fn is_current(&self, event: &SeatingEventId, known: &Known) -> Result<bool, StoreError> {
        let mut read = redis::cmd("HGET");
        read.arg(self.keys.event(event).meta()).arg("revision");
        Ok(self.query::<Option<String>>(&read).await?.as_ref() == Some(&known.revision))
    }

    /// Sends one expired hold on its way; it needs no definition.
    pub(super) async fn run_expire(
        &self,
        event: &SeatingEventId,
        hold: &str,
        cause: &Cause,
    ) -> Result<Reply, StoreError> {
        let told = Expiring { hold, currency: "" };
        self.invoke(&self.begin(&self.scripts.expire, event, None, cause, told)).await
    }

    pub(super) async fn find_hold(
        &self,
        hold: &HoldId,
        user: &UserId,
    ) -> Result<Result<Answer, Rejection>, StoreError> {
        let look = |state: &_, now| find_hold_on_part(state, hold.uuid(), user, now);
        self.peek(hold.event_id(), look).await
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

fn choosing<'a>(wanted: &'a Wanted, sections: &'a str) -> Choosing<'a> {
    match wanted {
        Wanted::Best(best) => Choosing {
            kind: "best",
            quantity: best.quantity,
            sections,
            called: best.section_id.as_deref(),
            together: match best.together.unwrap_or_default() {
                Together::Required => "required",
                Together::Preferred => "preferred",
            },
            areas: 0,
        },
        Wanted::These { areas, .. } => {
            Choosing { kind: "these", quantity: 0, sections, called: None, together: "", areas: areas.len() }
        }
    }
}

/// '1' or '0' for every section.
fn flags(definition: &Definition, allowed: &[usize]) -> String {
    (0..definition.sections.len()).map(|at| if allowed.contains(&at) { '1' } else { '0' }).collect()
}

fn exists(known: &Known, seat: &str) -> bool {
    known.sale.chart().contains(seat)
}

fn price_in(definition: &Definition, section: &str) -> u64 {
    definition.price_of(section).map_or(0, |price| price.amount)
}

/// A definition that changes as fast as commands are prepared for it: the caller may try again.
pub(super) fn keeps_changing(event: &SeatingEventId) -> StoreError {
    StoreError::Unavailable(format!("{event} keeps changing"))
}
