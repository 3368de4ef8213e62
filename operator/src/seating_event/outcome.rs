//! How a reconcile of a SeatingEvent went: what its status and its Events are made of.

use boxoffice_crds::common::condition::INVENTORY_READY;
use boxoffice_crds::seating_event::SeatMapPlan;

use crate::admin::Inventory;
use crate::conditions::{Finding, Stall};
use crate::notices::Notice;

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
    /// What the definition that was given does to the seats, where it was planned.
    pub plan: Option<SeatMapPlan>,
    /// Whether to try again by the clock; otherwise the next answer of the service wakes the object.
    pub retry: bool,
}

impl Outcome {
    /// A step and nothing else.
    pub fn of(step: Finding) -> Self {
        Self { inventory: None, step, stall: None, deeds: Vec::new(), plan: None, retry: false }
    }

    /// A step to be tried again.
    pub fn again(step: Finding) -> Self {
        Self { retry: true, ..Self::of(step) }
    }

    /// Only a person can go on.
    pub fn stalled(inventory: Option<Inventory>, stall: Stall) -> Self {
        let step = Finding::unmet(INVENTORY_READY, stall.reason, &stall.message);
        Self { inventory, stall: Some(stall), ..Self::of(step) }
    }
}
