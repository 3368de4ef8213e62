//! Who holds which seats: a hold is there as long as a seat is in it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use boxoffice_domain::project::SeatView;
use boxoffice_domain::{HoldId, Projected, SeatId, SeatingEventId, UnixMillis, UserId};

/// A hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its id.
    pub id: HoldId,
    /// Its seats.
    pub seats: BTreeSet<SeatId>,
    /// Until when.
    pub expires_at: UnixMillis,
}

/// The holds of everybody.
#[derive(Debug, Default)]
pub struct Holds {
    of_users: HashMap<UserId, BTreeMap<String, Held>>,
    /// Of each seat that is held, by whom and in which hold.
    seats: HashMap<SeatId, (UserId, String)>,
}

impl Holds {
    /// The holds of a user, by id.
    pub fn of(&self, user: &str) -> impl Iterator<Item = &Held> {
        self.of_users.get(user).into_iter().flat_map(BTreeMap::values)
    }

    /// Takes in what an event of a SeatingEvent means.
    pub(super) fn apply(&mut self, event: &SeatingEventId, projected: &Projected<'_>) {
        match projected {
            Projected::Seat { seat, to } => {
                self.leave(seat);
                if let SeatView::Held { user, hold, expires_at } = to {
                    self.enter(seat, user, hold, *expires_at);
                }
            }
            Projected::Extended { seats, expires_at, .. } => {
                for seat in *seats {
                    if let Some(held) = self.hold_of(seat) {
                        held.expires_at = *expires_at;
                    }
                }
            }
            Projected::Purged => {
                let gone: Vec<_> =
                    self.seats.keys().filter(|seat| seat.event() == event.as_str()).cloned().collect();
                for seat in &gone {
                    self.leave(seat);
                }
            }
            Projected::Defined(_)
            | Projected::Closed
            | Projected::Reserved(_)
            | Projected::Cancelled(_)
            | Projected::Nothing => {}
        }
    }

    fn enter(&mut self, seat: &SeatId, user: &UserId, hold: &HoldId, expires_at: UnixMillis) {
        let id = hold.to_string();
        let begun = || Held { id: hold.clone(), seats: BTreeSet::new(), expires_at };
        let claim = self.of_users.entry(user.clone()).or_default().entry(id.clone()).or_insert_with(begun);
        claim.seats.insert(seat.clone());
        claim.expires_at = claim.expires_at.max(expires_at);
        self.seats.insert(seat.clone(), (user.clone(), id));
    }

    fn leave(&mut self, seat: &SeatId) {
        let Some((user, id)) = self.seats.remove(seat) else { return };
        let Some(holds) = self.of_users.get_mut(&user) else { return };
        if let Some(held) = holds.get_mut(&id) {
            held.seats.remove(seat);
            if held.seats.is_empty() {
                holds.remove(&id);
            }
        }
        if holds.is_empty() {
            self.of_users.remove(&user);
        }
    }

    fn hold_of(&mut self, seat: &SeatId) -> Option<&mut Held> {
        let (user, id) = self.seats.get(seat)?;
        self.of_users.get_mut(user)?.get_mut(id)
    }
}
