//! What must hold of every state, whatever commands came before.

use std::collections::BTreeMap;

use crate::state::{HoldStatus, Seat, SeatingEventState};

/// Every way in which `state` breaks I1 or the bookkeeping that I1 rests on; empty where it is sound.
pub fn violations(state: &SeatingEventState) -> Vec<String> {
    let mut found = Vec::new();
    let mut claims: BTreeMap<_, u32> = BTreeMap::new();
    for (key, seat) in &state.seats {
        let owner = match seat {
            Seat::Held { hold, .. } => {
                let hold = state.holds.get(hold).filter(|hold| hold.status == HoldStatus::Active);
                hold.filter(|hold| hold.seats.contains(key)).map(|hold| &hold.user)
            }
            Seat::Reserved { reservation, .. } => {
                let reservation = state.reservations.get(reservation);
                reservation.filter(|it| it.seats.contains(key)).map(|it| &it.user)
            }
            Seat::Lapsed { .. } | Seat::Blocked { .. } => continue,
        };
        match owner {
            Some(user) => *claims.entry(user.clone()).or_default() += 1,
            None => found.push(format!("I1: seat {key} is claimed by nothing that exists")),
        }
    }
    let listed = state.holds.values().map(|hold| hold.seats.len()).sum::<usize>()
        + state.reservations.values().map(|reservation| reservation.seats.len()).sum::<usize>();
    let claimed: u32 = claims.values().sum();
    if listed != claimed as usize {
        found.push(format!(
            "I1: {listed} seats are listed by holds and reservations, but {claimed} are claimed"
        ));
    }
    if claims != state.claims {
        found.push(format!("the claims by user are {:?}, counted {claims:?}", state.claims));
    }
    found
}
