//! Provisions the inventory through the admin API, unless the service has it already, and says how that went.

use boxoffice_crds::common::condition::INVENTORY_READY;
use boxoffice_domain::Definition;

use super::inventories::{Answer, Key};
use super::validate::{Unfit, Validated};
use crate::admin::{AdminError, Conflict, Inventory, Provisioned};
use crate::conditions::{Finding, Stall, progress};
use crate::context::Context;
use crate::notices::Notice;

/// The reason of a seat map that cannot be.
const SEAT_MAP_CONFLICT: &str = "SeatMapConflict";
/// Most seats that a condition names.
const NAMED_SEATS: usize = 20;

/// How a reconcile of a SeatingEvent went.
#[derive(Debug)]
pub struct Outcome {
    /// What the command worker said last, where it said anything.
    pub inventory: Option<Inventory>,
    /// The one step.
    pub step: Finding,
    /// Why only a person can go on.
    pub stall: Option<Stall>,
    /// What was done.
    pub deeds: Vec<Notice>,
    /// Whether to try again by the clock; otherwise the next answer of the service wakes the object.
    pub retry: bool,
}

impl From<Unfit> for Outcome {
    fn from(unfit: Unfit) -> Self {
        let (step, stall) = match unfit {
            Unfit::Stalled(stall) => {
                (Finding::unmet(INVENTORY_READY, stall.reason, &stall.message), Some(stall))
            }
            Unfit::Waiting(finding) => (finding, None),
        };
        let retry = stall.is_none();
        Self { inventory: None, step, stall, deeds: Vec::new(), retry }
    }
}

/// Gives the definition to the command worker where needed.
pub async fn apply(context: &Context, validated: &Validated) -> Outcome {
    let Validated { id, definition, target, known_chart, .. } = validated;
    let service: Key = (target.namespace.clone(), target.service.clone());
    let event: Key = (target.namespace.clone(), id.clone());
    let provisioned = context.inventories.provisioned(&event);
    match decide(id, definition, provisioned.as_ref(), context.inventories.answer(&service)) {
        Decision::Report(inventory) => ready(inventory, Vec::new()),
        Decision::Silent(error) => failed(validated, &error, None),
        Decision::Provision(known) => match context.admin.provision(target, id, definition).await {
            Ok(Provisioned { inventory, refused: Some(refused) }) => {
                // It is not noted: whatever changes the show's counts may have freed the seats, and asks again.
                partly(inventory, &refused.seats)
            }
            Ok(Provisioned { inventory, refused: None }) => {
                context.inventories.note_provisioned(&service, &event, definition.clone(), inventory.clone());
                let news = known_chart.as_ref() != Some(&inventory.chart_hash);
                let note = format!("{} seats on partition {}", inventory.seats.total, inventory.partition);
                ready(inventory, if news { vec![Notice::normal("Provisioned", note)] } else { Vec::new() })
            }
            Err(error) => failed(validated, &error, known),
        },
    }
}

#[derive(Debug, PartialEq)]
enum Decision {
    /// The service has this definition: report its counts.
    Report(Inventory),
    /// Give it the definition; what it had so far.
    Provision(Option<Inventory>),
    /// It had the definition, and now does not answer.
    Silent(AdminError),
}

fn decide(
    id: &str,
    wanted: &Definition,
    provisioned: Option<&Definition>,
    answer: Option<Answer>,
) -> Decision {
    let up_to_date = provisioned == Some(wanted);
    match answer {
        Some(Err(error)) if up_to_date => Decision::Silent(error),
        Some(Ok(mut known)) => match known.remove(id) {
            Some(inventory) if up_to_date => Decision::Report(inventory),
            inventory => Decision::Provision(inventory),
        },
        None | Some(Err(_)) => Decision::Provision(None),
    }
}

fn ready(inventory: Inventory, deeds: Vec<Notice>) -> Outcome {
    let step = Finding::met(INVENTORY_READY, "Provisioned", format!("chart {}", inventory.chart_hash));
    Outcome { inventory: Some(inventory), step, stall: None, deeds, retry: false }
}

/// The definition took effect but for its seat map.
fn partly(inventory: Inventory, in_the_way: &[Conflict]) -> Outcome {
    let message = format!(
        "the seat map stays as it was, because this change would drop or block seats that are held or sold: {}; the rest \
         took effect, and the seat map is tried again when one of them comes back. To undo it, put them back",
        named(in_the_way)
    );
    let stall = Stall::new(SEAT_MAP_CONFLICT, message);
    let step = Finding::unmet(INVENTORY_READY, stall.reason, &stall.message);
    Outcome { inventory: Some(inventory), step, stall: Some(stall), deeds: Vec::new(), retry: false }
}

fn failed(validated: &Validated, error: &AdminError, inventory: Option<Inventory>) -> Outcome {
    let (step, stall) = judge(error, validated.service_trouble.as_deref());
    let retry = stall.is_none();
    Outcome { inventory, step, stall, deeds: Vec::new(), retry }
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
        _ => None,
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
