//! The status of a SeatingEvent after a reconcile. Pure.

use boxoffice_crds::common::Time;
use boxoffice_crds::seating_event::{
    Phase, PlannedSeats, RefusedSeat, SeatCounts, SeatMapPlan, SeatingEventStatus,
};
use boxoffice_domain::definition as domain;

use super::outcome::Outcome;
use crate::admin::{Conflict, Seats};
use crate::conditions::{update, with_summary};

/// Most seats of each kind that a plan names.
const NAMED_SEATS: usize = 20;

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
    match &outcome.plan {
        Some(plan) => status.plan = Some(plan.clone()).filter(|plan| !plan.is_empty()),
        // The worker has what a later generation wants without being given it, as after a change that was taken back.
        None if outcome.step.met => status.plan = status.plan.filter(|plan| plan.generation == generation),
        None => {}
    }
    status.phase.get_or_insert(Phase::Pending);
    status
}

/// Whether the two differ in counts alone, which are nobody's hurry.
pub fn differ_in_counts(before: Option<&SeatingEventStatus>, after: &SeatingEventStatus) -> bool {
    let Some(before) = before else { return false };
    let rest = SeatingEventStatus { seats: after.seats, sequence: after.sequence, ..before.clone() };
    rest == *after
}

/// What a definition of that generation does to the seats, of which the first are named.
pub fn plan(generation: Option<i64>, kinds: [Seats; 4], refused: &[Conflict]) -> SeatMapPlan {
    let [added, removed, blocked, unblocked] = kinds.map(|Seats { count, mut seats }| {
        seats.truncate(NAMED_SEATS);
        PlannedSeats { count, seats }
    });
    let refused = refused
        .iter()
        .take(NAMED_SEATS)
        .map(|conflict| RefusedSeat { seat: conflict.seat_id.clone(), reason: conflict.reason.clone() });
    SeatMapPlan { generation, added, removed, blocked, unblocked, refused: refused.collect() }
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
        Outcome::again(step)
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
    fn counts_are_told_from_all_else() {
        let with = |inventory| Outcome {
            inventory: Some(inventory),
            ..outcome(Finding::met(INVENTORY_READY, "Provisioned", ""))
        };
        let first = next(None, Some(1), &with(inventory()), &at(1));
        let mut sold = inventory();
        (sold.sequence, sold.seats.available, sold.seats.held) = (8, 249, 7);
        let second = next(Some(&first), Some(1), &with(sold.clone()), &at(2));
        assert!(differ_in_counts(Some(&first), &second) && !differ_in_counts(None, &second));
        sold.phase = domain::Phase::Closed;
        let closed = next(Some(&first), Some(1), &with(sold), &at(2));
        assert!(!differ_in_counts(Some(&first), &closed));
        let silent = outcome(Finding::unmet(INVENTORY_READY, "ServiceSilent", ""));
        assert!(!differ_in_counts(Some(&first), &next(Some(&first), Some(1), &silent, &at(2))));
    }

    #[test]
    fn a_plan_stays_until_there_is_another_one() {
        let names: Vec<_> = (1..=30).map(|n| format!("arena-night.A-1-{n}")).collect();
        let seats = |count| Seats { count, seats: names.clone() };
        let conflict = Conflict { seat_id: "arena-night.A-1-1".into(), reason: "HELD".into() };
        let none = Seats::default;
        let planned = plan(Some(2), [seats(300), none(), none(), none()], &vec![conflict; 30]);
        assert_eq!((planned.added.count, planned.added.seats.len(), planned.refused.len()), (300, 20, 20));
        let with = |plan| Outcome { plan, ..outcome(Finding::met(INVENTORY_READY, "Provisioned", "")) };
        let first = next(None, Some(2), &with(Some(planned.clone())), &at(1));
        let second = next(Some(&first), Some(2), &with(None), &at(2));
        assert_eq!(second.plan, Some(planned.clone()));
        let waits = outcome(Finding::unmet(INVENTORY_READY, "ServiceSilent", ""));
        assert_eq!(next(Some(&second), Some(3), &waits, &at(3)).plan, Some(planned), "nobody knows");
        assert_eq!(next(Some(&second), Some(3), &with(None), &at(3)).plan, None, "it was taken back");
        let third = next(Some(&second), Some(3), &with(Some(SeatMapPlan::default())), &at(3));
        assert_eq!(third.plan, None);
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
