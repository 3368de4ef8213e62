//! What the seat store keeps, compared with what the domain events add up to (I2).

use std::collections::{BTreeMap, HashMap};
use std::fmt::Debug;

use boxoffice_domain::SeatingEventState;
use boxoffice_domain::seat_map::SeatCounts;
use boxoffice_domain::state::Seat;

use super::Audit;

impl Audit {
    /// Where the store keeps, or counts, something else than what its domain events say, up to its last one.
    pub fn compare_stored(&self, stored: &SeatingEventState, counts: SeatCounts) -> Vec<String> {
        let told = self.state_at(stored.sequence);
        if told.sequence != stored.sequence {
            return vec![format!("the store is at {}, which is not on the log", stored.sequence)];
        }
        let mut findings = vec![];
        let sale = |state: &SeatingEventState| {
            state.sale.as_ref().map(|sale| (sale.definition.clone(), sale.closed))
        };
        if sale(stored) != sale(&told) {
            findings.push("the store has another definition".to_owned());
        }
        findings.extend(differences("seat", &stored.seats, &told.seats));
        findings.extend(differences("hold", &stored.holds, &told.holds));
        findings.extend(differences("reservation", &stored.reservations, &told.reservations));
        findings.extend(differences("failed reservation", &stored.failed, &told.failed));
        let of_users = |claims: &BTreeMap<_, u32>| claims.clone().into_iter().collect();
        findings.extend(differences(
            "number of seats of",
            &of_users(&stored.claims),
            &of_users(&told.claims),
        ));
        let expected = counted(&told);
        if counts != expected {
            findings.push(format!("the store counts {counts:?}, and there are {expected:?}"));
        }
        findings
    }
}

fn differences<K, V>(what: &str, stored: &HashMap<K, V>, told: &HashMap<K, V>) -> Vec<String>
where
    K: std::hash::Hash + Eq + Debug,
    V: PartialEq + Debug,
{
    let lost = told.keys().filter(|key| !stored.contains_key(*key));
    let differing = stored.keys().filter(|key| stored.get(*key) != told.get(*key));
    let keys = lost.chain(differing);
    keys.map(|key| {
        format!(
            "I2: the store's {what} {key:?} is {:?}, but the log says {:?}",
            stored.get(key),
            told.get(key)
        )
    })
    .collect()
}

fn counted(state: &SeatingEventState) -> SeatCounts {
    let total = state.sale.as_ref().map_or(0, |sale| sale.chart().len() as u64);
    let mut counts = SeatCounts { total, available: total, ..SeatCounts::default() };
    for seat in state.seats.values() {
        let of_its_kind = match seat {
            Seat::Held { .. } => &mut counts.held,
            Seat::Reserved { .. } => &mut counts.reserved,
            Seat::Blocked { .. } => &mut counts.blocked,
            Seat::Lapsed { .. } => continue,
        };
        *of_its_kind += 1;
        counts.available -= 1;
    }
    counts
}
