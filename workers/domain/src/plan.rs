//! What a definition would do to the seat map that stands, seat by seat, before it is given.

use crate::chart::{Chart, ChartSeat};
use crate::command::{Command, Conflict, Reads, Rejection};
use crate::decide::decide_on_part;
use crate::definition::Definition;
use crate::evolve::named_blocks;
use crate::ids::UnixMillis;
use crate::state::{Sale, SeatingEventState};

/// See the module. Seats are named by their keys, in the order of the chart that has them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Seats that there are not yet.
    pub added: Vec<String>,
    /// Seats that there would not be any more.
    pub removed: Vec<String>,
    /// Seats that it would take off sale.
    pub blocked: Vec<String>,
    /// Seats that it would put back on sale.
    pub unblocked: Vec<String>,
    /// What somebody has and stands in the way: where there is any, none of the others happens.
    pub refused: Vec<Conflict>,
}

/// The plan of `wanted` on a state of which perhaps only a part is there, with what it looked at. Nothing is planned where
/// there is no SeatingEvent.
pub fn plan(
    part: &SeatingEventState,
    wanted: &Definition,
    now: UnixMillis,
) -> (Result<Plan, Rejection>, Reads) {
    let Some(sale) = &part.sale else { return (Err(Rejection::EventNotFound), Reads::default()) };
    let command = Command::Provision { definition: Box::new(wanted.clone()) };
    let (decision, reads) = decide_on_part(part, &command, now);
    let plan = decision.map(|decision| {
        let refused = decision.answer.refused().to_vec();
        Plan { refused, ..between(sale, &Sale::new(wanted.clone(), false)) }
    });
    (plan, reads)
}

fn between(before: &Sale, after: &Sale) -> Plan {
    let ((stands, had), (wanted, has)) =
        ((&before.definition, before.chart()), (&after.definition, after.chart()));
    let lacking = |of: &Chart, among: &Chart| -> Vec<String> {
        of.seats().map(ChartSeat::key).filter(|key| !among.contains(key)).collect()
    };
    let (was_blocked, is_blocked) = (named_blocks(stands), named_blocks(wanted));
    let keys = |among: &Chart, is_one: &dyn Fn(&String) -> bool| -> Vec<String> {
        among.seats().map(ChartSeat::key).filter(is_one).collect()
    };
    let is_same_map = stands.sections == wanted.sections;
    Plan {
        added: if is_same_map { vec![] } else { lacking(has, had) },
        removed: if is_same_map { vec![] } else { lacking(had, has) },
        blocked: keys(has, &|key| is_blocked.contains_key(key) && !was_blocked.contains_key(key)),
        unblocked: keys(has, &|key| was_blocked.contains_key(key) && !is_blocked.contains_key(key)),
        refused: vec![],
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn definition(rows: &str, blocked: &[&str]) -> Definition {
        let json = serde_json::json!({
            "title": "Arena Night", "startsAt": 5,
            "priceCategories": [{"name": "gold", "amount": 1, "currency": "EUR"}],
            "sections": [{"id": "A", "priceCategory": "gold", "rows": [{"rows": rows, "seats": "1-2"}]}],
            "blocked": [{"seats": blocked, "reason": "camera"}]
        });
        serde_json::from_value(json).unwrap()
    }

    fn state(definition: Definition) -> SeatingEventState {
        let mut state = SeatingEventState::new("arena-night".parse().unwrap());
        state.sale = Some(Arc::new(Sale::new(definition, false)));
        state
    }

    #[test]
    fn every_seat_that_changes_is_named() {
        let stands = state(definition("1-2", &["A-1-1", "A-2-1"]));
        let planned = plan(&stands, &definition("2-3", &["A-2-2", "A-3-1"]), 1).0.unwrap();
        assert_eq!(planned.added, ["A-3-1", "A-3-2"]);
        assert_eq!(planned.removed, ["A-1-1", "A-1-2"]);
        assert_eq!(planned.blocked, ["A-2-2", "A-3-1"]);
        assert_eq!(planned.unblocked, ["A-2-1"]);
        assert_eq!(planned.refused, []);
    }

    #[test]
    fn what_changes_no_seat_has_an_empty_plan() {
        let stands = state(definition("1-2", &["A-1-1"]));
        let renamed = Definition { title: "Arena Day".into(), ..definition("1-2", &["A-1-1"]) };
        assert_eq!(plan(&stands, &renamed, 1).0, Ok(Plan::default()));
        let none = SeatingEventState::new("arena-night".parse().unwrap());
        assert_eq!(plan(&none, &renamed, 1).0, Err(Rejection::EventNotFound));
    }
}
