//! Gives the definition to the command worker, unless it has it already, and says how that went.

use std::time::Duration;

use boxoffice_crds::SeatingEvent;
use boxoffice_crds::common::condition::{INVENTORY_READY, READY};
use boxoffice_crds::seating_event::SeatMapPlan;
use boxoffice_domain::Definition;
use kube::ResourceExt;
use tokio::time::Instant;

use super::dereference::{doubt, target, whole};
use super::given::{Became, Given};
use super::inventories::{Told, Turn};
use super::outcome::Outcome;
use super::slim::SlimSeatingEvent;
use super::validate::{Validated, define};
use super::{moments, status};
use crate::admin::{AdminError, Conflict, Inventory, Plan, Provisioned, Target};
use crate::api::{ApiError, apply_status};
use crate::backoff::jittered;
use crate::conditions::{Finding, Stall, find, progress};
use crate::context::Context;
use crate::notices::Notice;

/// The reason of a seat map that cannot be.
const SEAT_MAP_CONFLICT: &str = "SeatMapConflict";
/// Most seats that a condition names.
const NAMED_SEATS: usize = 20;
/// How long a definition waits for others that are being given to the same service.
const BEHIND_OTHERS: Duration = Duration::from_millis(500);

/// What is to be done after a look at a SeatingEvent.
#[derive(Debug)]
pub enum Next {
    /// Say how it is.
    Report(Box<Outcome>),
    /// Come back then.
    Later(Duration),
    /// Nothing: what it waits for wakes it.
    Wait,
}

impl From<Outcome> for Next {
    fn from(outcome: Outcome) -> Self {
        Self::Report(Box::new(outcome))
    }
}

/// Looks at the definition where nobody has yet: why it is none, if so.
pub async fn check(context: &Context, show: &SlimSeatingEvent) -> Result<Option<Stall>, ApiError> {
    let told = context.inventories.told(&show.service(), &show.name_any());
    if !has(&told, &show.spec.definition_hash)
        && context.checks.is_due(show)
        && let Some(event) = whole(context, show).await?
    {
        read(context, show, &event).ok();
    }
    Ok(context.checks.stall(show))
}

/// The definition of the whole resource, of which it is noted what it is.
fn read(context: &Context, show: &SlimSeatingEvent, event: &SeatingEvent) -> Result<Definition, Stall> {
    let definition = define(event).map(|(definition, _)| definition);
    let digest = SlimSeatingEvent::from(event.clone()).spec.definition_hash;
    context.checks.note(&show.key(), digest, definition.as_ref().err().cloned());
    definition
}

/// Gives the definition to the command worker where needed.
pub async fn apply(
    context: &Context,
    show: &SlimSeatingEvent,
    validated: &Validated,
) -> Result<Next, ApiError> {
    let (service, id) = (show.service(), show.name_any());
    let told = context.inventories.told(&service, &id);
    let wanted = &show.spec.definition_hash;
    let inventory = match &told {
        Told::Known { inventory, .. } => inventory.as_ref(),
        Told::Nothing | Told::Silent(_) | Told::Unreadable => None,
    };
    let given = context.inventories.given(&show.key(), wanted, inventory, Instant::now());
    let now = (context.now)().0;
    if context.inventories.heard(&service).is_some_and(|heard| moments::passed(&show.spec, heard.0, now)) {
        context.inventories.ask_soon(&service);
    }
    Ok(match decide(wanted, told, given) {
        Decision::Report(inventory) => ready(inventory).into(),
        Decision::Partly(inventory, seats) => partly(inventory, &seats).into(),
        Decision::Stalled(inventory, stall) => Outcome::stalled(inventory, stall).into(),
        Decision::Silent(error) => silent(show, &error, validated).into(),
        Decision::Unreadable => unreadable(show).into(),
        Decision::Wait => {
            context.inventories.wait(&service, &id);
            unheard(show, validated)
        }
        Decision::Give(known) => {
            let Some(turn) = context.inventories.turn(&service) else {
                return Ok(Next::Later(jittered(BEHIND_OTHERS)));
            };
            give(context, show, validated, known, turn).await?
        }
    })
}

#[derive(Debug, PartialEq)]
enum Decision {
    /// The service has this definition: report its counts.
    Report(Inventory),
    /// It has all of it but the seat map, because of these seats.
    Partly(Inventory, Vec<Conflict>),
    /// It refused it; what it has.
    Stalled(Option<Inventory>, Stall),
    /// Give it the definition; what it had so far.
    Give(Option<Inventory>),
    /// It has been silent for a while.
    Silent(AdminError),
    /// It has it and cannot read it.
    Unreadable,
    /// Nothing can be said or done until it answers.
    Wait,
}

fn decide(wanted: &str, told: Told, given: Option<Became>) -> Decision {
    let (inventory, answers) = match told {
        Told::Nothing => return Decision::Wait,
        Told::Silent(error) => return Decision::Silent(error),
        Told::Unreadable => return Decision::Unreadable,
        Told::Known { inventory, answers } => (inventory, answers),
    };
    match (inventory, given) {
        (inventory, Some(Became::Refused(stall))) => Decision::Stalled(inventory, stall),
        (Some(inventory), Some(Became::Partly(seats))) => Decision::Partly(inventory, seats),
        (Some(inventory), Some(Became::Taken)) => Decision::Report(inventory),
        (Some(inventory), None) if is_as_wanted(&inventory, wanted) => Decision::Report(inventory),
        (inventory, None | Some(Became::Taken | Became::Partly(_))) if answers => Decision::Give(inventory),
        (_, None | Some(Became::Taken | Became::Partly(_))) => Decision::Wait,
    }
}

/// Whether the service said that it has the definition with this digest.
fn has(told: &Told, wanted: &str) -> bool {
    match told {
        Told::Known { inventory: Some(inventory), .. } => is_as_wanted(inventory, wanted),
        Told::Known { inventory: None, .. } | Told::Nothing | Told::Silent(_) | Told::Unreadable => false,
    }
}

fn is_as_wanted(inventory: &Inventory, wanted: &str) -> bool {
    !inventory.closed && inventory.definition_hash.as_deref() == Some(wanted)
}

/// Gives the definition, and has the status say first what it does to the seats.
async fn give(
    context: &Context,
    show: &SlimSeatingEvent,
    validated: &Validated,
    known: Option<Inventory>,
    _turn: Turn<'_>,
) -> Result<Next, ApiError> {
    let (service, key, id) = (show.service(), show.key(), show.name_any());
    let Some(event) = whole(context, show).await? else { return Ok(Next::Wait) };
    let definition = match read(context, show, &event) {
        Ok(definition) => definition,
        Err(stall) => return Ok(Outcome::stalled(known, stall).into()),
    };
    let Some(target) = target(context, &service.0, &service.1).await? else {
        context.inventories.wait(&service, &id);
        return Ok(unheard(show, validated));
    };
    let plan = match &known {
        Some(_) => planned(context, show, &event, (&target, &definition)).await?,
        None => Some(SeatMapPlan::default()),
    };
    let wanted = definition.digest();
    let note = |inventory: Option<&Inventory>, became| {
        let told = inventory.and_then(|inventory| inventory.definition_hash.clone());
        let given = Given { wanted: wanted.clone(), told, at: Instant::now(), became };
        context.inventories.note_given(&service, &key, given, inventory.cloned());
    };
    let outcome = match context.admin.provision(&target, &id, &definition).await {
        Ok(Provisioned { inventory, refused: Some(refused) }) => {
            note(Some(&inventory), Became::Partly(refused.seats.clone()));
            partly(inventory, &refused.seats)
        }
        Ok(Provisioned { inventory, refused: None }) => {
            note(Some(&inventory), Became::Taken);
            let before = show.status.as_ref().and_then(|status| status.chart_hash.as_ref());
            let is_news = before != Some(&inventory.chart_hash);
            let text = format!("{} seats on partition {}", inventory.seats.total, inventory.partition);
            let deeds = if is_news { vec![Notice::normal("Provisioned", text)] } else { Vec::new() };
            Outcome { deeds, ..ready(inventory) }
        }
        Err(AdminError::Absent | AdminError::Unreachable { .. }) => {
            // Whether the service is silent, and for how long, finds out who asks it all the time.
            context.inventories.wait(&service, &id);
            context.inventories.ask_soon(&service);
            return Ok(unheard(show, validated));
        }
        Err(error @ AdminError::Refused { .. }) => {
            if let AdminError::Refused { status: 401, .. } = error {
                doubt(context, &service);
            }
            let (step, stall) = judge(&error, validated.service_trouble.as_deref());
            if let Some(stall) = &stall {
                note(known.as_ref(), Became::Refused(stall.clone()));
            }
            let retry = stall.is_none();
            Outcome { inventory: known, stall, retry, ..Outcome::of(step) }
        }
    };
    Ok(Outcome { plan, ..outcome }.into())
}

/// What the definition does to the seats that are there: in the status before it is given. Nothing where the service does
/// not say.
async fn planned(
    context: &Context,
    show: &SlimSeatingEvent,
    event: &SeatingEvent,
    (target, definition): (&Target, &Definition),
) -> Result<Option<SeatMapPlan>, ApiError> {
    let asked = context.admin.plan(target, &show.name_any(), definition).await;
    let plan = match asked {
        Ok(Some(Plan { added, removed, blocked, unblocked, refused })) => {
            status::plan(event.metadata.generation, [added, removed, blocked, unblocked], &refused)
        }
        // What stands in the way of a plan stands in the way of the definition, which says it.
        Ok(None) | Err(_) => return Ok(None),
    };
    if !plan.is_empty() {
        let mut status = show.status.clone().unwrap_or_default();
        status.plan = Some(plan.clone());
        if show.status.as_ref() != Some(&status) {
            context.pace.wrote(&show.key(), Instant::now());
            apply_status(context, show, &status).await?;
        }
    }
    Ok(Some(plan))
}

fn ready(inventory: Inventory) -> Outcome {
    let step = Finding::met(INVENTORY_READY, "Provisioned", format!("chart {}", inventory.chart_hash));
    Outcome { inventory: Some(inventory), ..Outcome::of(step) }
}

/// The definition took effect but for its seat map.
fn partly(inventory: Inventory, in_the_way: &[Conflict]) -> Outcome {
    let message = format!(
        "the seat map stays as it was, because this change would drop or block seats that are held or sold: {}; the rest \
         took effect, and the seat map is tried again when one of them comes back. To undo it, put them back",
        named(in_the_way)
    );
    Outcome::stalled(Some(inventory), Stall::new(SEAT_MAP_CONFLICT, message))
}

/// The service says it for all its shows; what they were told last stands beside it.
fn silent(show: &SlimSeatingEvent, error: &AdminError, validated: &Validated) -> Outcome {
    let says_nothing =
        || format!("ReservationService {} says nothing about it: {error}", show.spec.service_ref.name);
    let step = validated.service_trouble.as_ref().map_or_else(
        || Finding::unmet(INVENTORY_READY, progress::SERVICE_SILENT, says_nothing()),
        |trouble| Finding::unmet(INVENTORY_READY, progress::SERVICE_NOT_READY, trouble),
    );
    Outcome::of(step)
}

/// Its seats are there: nothing is given in their place.
fn unreadable(show: &SlimSeatingEvent) -> Outcome {
    let message = format!(
        "the command workers of ReservationService {} have it and cannot read it: its seats are being recovered, or were \
         written by another version. GET /admin/events/{} says which",
        show.spec.service_ref.name,
        show.name_any()
    );
    Outcome::of(Finding::unmet(INVENTORY_READY, "CommandUnavailable", message))
}

/// One that is as it was stays so; one of which nothing was said yet says what it waits for.
fn unheard(show: &SlimSeatingEvent, validated: &Validated) -> Next {
    let conditions = show.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let was_said = find(conditions, READY).is_some_and(|ready| ready.reason != progress::SERVICE_NOT_READY);
    if was_said {
        return Next::Wait;
    }
    let waits = || format!("ReservationService {} has not answered yet", show.spec.service_ref.name);
    let message = validated.service_trouble.clone().unwrap_or_else(waits);
    Outcome::of(Finding::unmet(INVENTORY_READY, progress::SERVICE_NOT_READY, message)).into()
}

/// What a failed call means for the SeatingEvent, given why its service is not ready, if it is not.
pub fn judge(error: &AdminError, service_trouble: Option<&str>) -> (Finding, Option<Stall>) {
    let stall = match error {
        AdminError::Refused { problem, .. } if problem.code == "SEAT_MAP_CONFLICT" => {
            // A worker of an earlier version refuses the whole definition.
            let seats = named(&problem.conflicts);
            let message = format!(
                "this change would drop seats that are held or sold: {seats}; put them back, or release them first"
            );
            Some(Stall::new(SEAT_MAP_CONFLICT, message))
        }
        AdminError::Refused { problem, .. } if problem.code == "DEFINITION_CONFLICT" => {
            Some(Stall::new("DefinitionConflict", problem.detail.clone()))
        }
        AdminError::Refused { problem, .. } if problem.code == "INVALID_REQUEST" => {
            Some(Stall::new("InvalidDefinition", problem.detail.clone()))
        }
        AdminError::Refused { .. } | AdminError::Absent | AdminError::Unreachable { .. } => None,
    };
    if let Some(stall) = stall {
        return (Finding::unmet(INVENTORY_READY, stall.reason, &stall.message), Some(stall));
    }
    let (reason, message) = match (error, service_trouble) {
        (AdminError::Absent, None) => (progress::SERVICE_NOT_READY, error.to_string()),
        (AdminError::Absent | AdminError::Unreachable { .. }, Some(trouble)) => {
            (progress::SERVICE_NOT_READY, trouble.to_owned())
        }
        (AdminError::Unreachable { .. }, None) => ("CommandUnreachable", error.to_string()),
        (AdminError::Refused { status: 401, .. }, _) => ("TokenRefused", error.to_string()),
        (AdminError::Refused { problem, .. }, _) if problem.code == "RECOVERING" => {
            ("Recovering", problem.detail.clone())
        }
        (AdminError::Refused { .. }, _) => ("CommandUnavailable", error.to_string()),
    };
    (Finding::unmet(INVENTORY_READY, reason, message), None)
}

/// The first of the seats, and how many more there are.
fn named(conflicts: &[Conflict]) -> String {
    let first = conflicts.iter().take(NAMED_SEATS);
    let seats: Vec<_> = first.map(|conflict| format!("{} ({})", conflict.seat_id, conflict.reason)).collect();
    match conflicts.len().saturating_sub(NAMED_SEATS) {
        0 => seats.join(", "),
        more => format!("{} and {more} more", seats.join(", ")),
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
