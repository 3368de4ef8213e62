//! What is known of a seat, and since which sequence. Whatever order events are taken in, the same events make the same
//! seat. No IO.
//!
//! Two things make a seat what it is: an event about it, which says its whole state, and a definition, which blocks it
//! or puts it on sale where nobody has it. The last of either is kept with its sequence, so that an earlier one that
//! comes late, because it was parked before it was redriven, changes nothing that a later one said.

use std::collections::HashMap;

use boxoffice_domain::SeatId;
use boxoffice_domain::project::{SeatStatus, SeatView};

/// What a handler keeps of a seat.
pub trait State: Clone + PartialEq {
    /// Nobody has the seat, and it is for sale.
    fn free() -> Self;
    /// It is not for sale.
    fn blocked() -> Self;
    /// What the seat is.
    fn status(&self) -> SeatStatus;
}

impl State for SeatView {
    fn free() -> Self {
        Self::Available
    }

    fn blocked() -> Self {
        Self::Blocked
    }

    fn status(&self) -> SeatStatus {
        self.status()
    }
}

/// What an event says about a seat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<S> {
    /// Its whole state.
    Set(S),
    /// Whether it is blocked where nobody has it.
    Block(bool),
}

/// A seat, a sequence of its SeatingEvent, and what the event with that sequence says about the seat.
pub type SeatChange<S> = (SeatId, u64, Change<S>);

/// What is known of seats.
pub type Rows<S> = HashMap<SeatId, Known<S>>;

/// The last definition that said whether a seat is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Whether it is.
    pub is_blocked: bool,
    /// The definition's sequence.
    pub sequence: u64,
}

/// See the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known<S> {
    /// What the seat is.
    pub state: S,
    /// The sequence of the last event about it; 0 where there was none.
    pub sequence: u64,
    /// The last definition that said whether it is blocked.
    pub block: Option<Block>,
}

impl<S: State> Default for Known<S> {
    fn default() -> Self {
        Self { state: S::free(), sequence: 0, block: None }
    }
}

impl<S: State> Known<S> {
    /// Takes in what the event with `sequence` says, and tells whether the seat is another one by that.
    pub fn take(&mut self, sequence: u64, change: Change<S>) -> bool {
        let before = self.state.clone();
        match change {
            Change::Set(state) if sequence > self.sequence => (self.state, self.sequence) = (state, sequence),
            Change::Block(is_blocked) if self.block.is_none_or(|block| sequence > block.sequence) => {
                self.block = Some(Block { is_blocked, sequence });
            }
            Change::Set(_) | Change::Block(_) => return false,
        }
        let is_unclaimed = matches!(self.state.status(), SeatStatus::Available | SeatStatus::Blocked);
        if let Some(block) = self.block.filter(|block| is_unclaimed && block.sequence > self.sequence) {
            self.state = if block.is_blocked { S::blocked() } else { S::free() };
        }
        self.state != before
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::{HoldId, SeatingEventId};
    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn held(hold: u64) -> SeatView {
        let event: SeatingEventId = "arena-night".parse().unwrap();
        let hold = HoldId::new(event, Uuid::from_u128(hold.into()));
        SeatView::Held { user: "alice".parse().unwrap(), hold, expires_at: 10 }
    }

    fn after(changes: &[(u64, Change<SeatView>)]) -> Known<SeatView> {
        let mut seat = Known::default();
        for (sequence, change) in changes {
            seat.take(*sequence, change.clone());
        }
        seat
    }

    #[test]
    fn an_event_of_before_changes_nothing_that_a_later_one_said() {
        let mut seat = after(&[(4, Change::Set(held(1)))]);
        assert!(!seat.take(3, Change::Set(SeatView::Available)));
        assert!(!seat.take(4, Change::Set(SeatView::Blocked)));
        assert_eq!((seat.state.clone(), seat.sequence), (held(1), 4));
        assert!(seat.take(5, Change::Set(SeatView::Available)));
    }

    #[test]
    fn a_definition_blocks_and_puts_on_sale_what_nobody_has() {
        assert_eq!(after(&[(1, Change::Block(true))]).state, SeatView::Blocked);
        assert_eq!(after(&[(1, Change::Block(true)), (5, Change::Block(false))]).state, SeatView::Available);
        assert_eq!(after(&[(2, Change::Set(held(1))), (5, Change::Block(true))]).state, held(1));
        let given_back =
            [(2, Change::Set(held(1))), (5, Change::Block(true)), (6, Change::Set(SeatView::Available))];
        assert_eq!(after(&given_back).state, SeatView::Available, "what comes after it stands");
    }

    #[test]
    fn a_claim_that_comes_late_is_shown_although_a_definition_spoke_of_the_seat_since() {
        let mut seat = after(&[(5, Change::Block(false))]);
        assert!(seat.take(3, Change::Set(held(1))), "staff hold blocked seats too");
        assert!(seat.take(4, Change::Set(SeatView::Blocked)));
        assert_eq!(seat.state, SeatView::Available, "it was put on sale after it was given back");
    }

    proptest! {
        /// What an operator redrives in whatever order ends as if it had never been parked.
        #[test]
        fn the_order_of_arrival_means_nothing(
            kinds in prop::collection::vec(0_u8..6, 1..12),
            arrival in Just((1..=12_u64).collect::<Vec<_>>()).prop_shuffle(),
        ) {
            let change = |kind: u8, sequence: u64| match kind {
                0 | 1 => Change::Set(held(sequence)),
                2 => Change::Set(SeatView::Available),
                3 => Change::Set(SeatView::Blocked),
                4 => Change::Block(true),
                _ => Change::Block(false),
            };
            let told: Vec<_> = (1..).zip(&kinds).map(|(sequence, kind)| (sequence, change(*kind, sequence))).collect();
            let late = arrival.iter().filter_map(|sequence| told.get(usize::try_from(*sequence).ok()? - 1));
            let late: Vec<_> = late.cloned().collect();
            prop_assert_eq!(after(&told), after(&late));
        }
    }
}
