//! The seat changes of a batch, collapsed: however often a seat changes in a batch, it is written once. No IO.

use std::collections::BTreeMap;

use boxoffice_domain::project::SeatView;
use boxoffice_domain::{SeatId, UnixMillis};

/// Seats, each with something.
pub type Seats<T> = Vec<(SeatId, T)>;

/// The last state of each seat that changed.
#[derive(Debug, Default)]
pub struct Changes(BTreeMap<SeatId, Change>);

#[derive(Debug)]
enum Change {
    /// Its whole state.
    Set(SeatView),
    /// Another deadline of a hold that an earlier batch wrote.
    Extend(UnixMillis),
}

impl Changes {
    /// A seat has this state now.
    pub fn set(&mut self, seat: &SeatId, to: SeatView) {
        self.0.insert(seat.clone(), Change::Set(to));
    }

    /// Held seats have another deadline now.
    pub fn extend(&mut self, seats: &[SeatId], until: UnixMillis) {
        for seat in seats {
            match self.0.get_mut(seat) {
                Some(Change::Set(SeatView::Held { expires_at, .. }) | Change::Extend(expires_at)) => {
                    *expires_at = until;
                }
                Some(Change::Set(_)) => {}
                None => {
                    self.0.insert(seat.clone(), Change::Extend(until));
                }
            }
        }
    }

    /// Seats to set, and seats that only have another deadline.
    pub fn into_parts(self) -> (Seats<SeatView>, Seats<UnixMillis>) {
        let (mut set, mut extended) = (vec![], vec![]);
        for (seat, change) in self.0 {
            match change {
                Change::Set(view) => set.push((seat, view)),
                Change::Extend(until) => extended.push((seat, until)),
            }
        }
        (set, extended)
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::{HoldId, SeatingEventId};
    use uuid::Uuid;

    use super::*;

    fn seat(key: &str) -> SeatId {
        SeatId::new(&"arena-night".parse().unwrap(), key).unwrap()
    }

    fn held(expires_at: UnixMillis) -> SeatView {
        let event: SeatingEventId = "arena-night".parse().unwrap();
        SeatView::Held { user: "alice".parse().unwrap(), hold: HoldId::new(event, Uuid::nil()), expires_at }
    }

    #[test]
    fn the_last_state_of_a_seat_stands() {
        let mut changes = Changes::default();
        changes.set(&seat("A-1-1"), held(10));
        changes.set(&seat("A-1-1"), SeatView::Available);
        changes.set(&seat("A-1-2"), SeatView::Blocked);
        let expected = vec![(seat("A-1-1"), SeatView::Available), (seat("A-1-2"), SeatView::Blocked)];
        assert_eq!(changes.into_parts(), (expected, vec![]));
    }

    #[test]
    fn an_extension_moves_the_deadline_of_a_hold_in_the_batch_or_before_it() {
        let mut changes = Changes::default();
        changes.set(&seat("A-1-1"), held(10));
        changes.extend(&[seat("A-1-1"), seat("A-1-2")], 20);
        changes.extend(&[seat("A-1-2")], 30);
        assert_eq!(changes.into_parts(), (vec![(seat("A-1-1"), held(20))], vec![(seat("A-1-2"), 30)]));
    }

    #[test]
    fn an_extension_says_nothing_about_a_seat_that_left_its_hold() {
        let mut changes = Changes::default();
        changes.set(&seat("A-1-1"), SeatView::Available);
        changes.extend(&[seat("A-1-1")], 20);
        changes.extend(&[seat("A-1-2")], 20);
        changes.set(&seat("A-1-2"), SeatView::Available);
        assert_eq!(changes.into_parts().1, vec![]);
    }
}
