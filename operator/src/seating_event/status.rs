//! The status of a SeatingEvent after a reconcile. Pure.

use boxoffice_crds::common::Time;
use boxoffice_crds::seating_event::{Phase, SeatCounts, SeatingEventStatus};
use boxoffice_domain::definition as domain;

use super::apply::Outcome;
use crate::conditions::{update, with_summary};

/// The next status. What the command worker did not say stays as it was.
pub fn next(
    previous: Option<&SeatingEventStatus>,
    generation: Option<i64>,
    outcome: &Outcome,
    now: &Time,
) -> SeatingEventStatus {
    let mut status = previous.cloned().unwrap_or_default();
    let findings = with_summary(vec![outcome.step.clone()], outcome.stall.as_ref());
    status.conditions = update(&status.conditions, findings, generation, now);
    status.observed_generation = generation;
    if let Some(inventory) = &outcome.inventory {
        let seats = inventory.seats;
        status.phase = Some(phase(inventory.phase));
        status.seats = Some(SeatCounts {
            total: seats.total,
            available: seats.available,
            held: seats.held,
            reserved: seats.reserved,
            blocked: seats.blocked,
        });
        status.sequence = Some(inventory.sequence);
        status.partition = Some(inventory.partition);
        status.chart_hash = Some(inventory.chart_hash.clone());
    }
    status.phase.get_or_insert(Phase::Pending);
    status
}

fn phase(phase: domain::Phase) -> Phase {
    match phase {
        domain::Phase::Pending => Phase::Pending,
        domain::Phase::Scheduled => Phase::Scheduled,
        domain::Phase::OnSale => Phase::OnSale,
        domain::Phase::SoldOut => Phase::SoldOut,
        domain::Phase::Closed => Phase::Closed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::conditions::{Finding, is_met};
    use crate::seating_event::fixtures::inventory;
    use boxoffice_crds::common::condition::{INVENTORY_READY, READY};

    fn outcome(step: Finding) -> Outcome {
        Outcome { inventory: None, step, stall: None, deeds: Vec::new(), retry: true }
    }

    fn at(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).unwrap())
    }

    #[test]
    fn is_pending_until_the_inventory_is_there() {
        let waiting = outcome(Finding::unmet(INVENTORY_READY, "ServiceNotFound", ""));
        let status = next(None, Some(1), &waiting, &at(1));
        assert_eq!(status.phase, Some(Phase::Pending));
        assert!(!is_met(&status.conditions, READY));
    }

    #[test]
    fn shows_counts_and_keeps_them_while_the_service_is_silent() {
        let ready = Outcome {
            inventory: Some(inventory()),
            ..outcome(Finding::met(INVENTORY_READY, "Provisioned", ""))
        };
        let first = next(None, Some(1), &ready, &at(1));
        assert_eq!(
            (first.phase, first.seats.unwrap().held, first.partition),
            (Some(Phase::OnSale), 6, Some(3))
        );
        assert!(is_met(&first.conditions, READY));
        let silent = outcome(Finding::unmet(INVENTORY_READY, "CommandUnreachable", ""));
        let second = next(Some(&first), Some(1), &silent, &at(2));
        assert_eq!((second.phase, second.seats), (first.phase, first.seats));
        assert!(!is_met(&second.conditions, READY));
    }

    #[test]
    fn an_unchanged_outcome_gives_an_unchanged_status() {
        let ready = Outcome {
            inventory: Some(inventory()),
            ..outcome(Finding::met(INVENTORY_READY, "Provisioned", ""))
        };
        let first = next(None, Some(1), &ready, &at(1));
        assert_eq!(next(Some(&first), Some(1), &ready, &at(2)), first);
    }
}
