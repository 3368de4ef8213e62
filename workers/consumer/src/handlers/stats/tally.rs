//! Counts in memory what a batch of domain events changes in the sections. No IO.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use boxoffice_domain::events::SectionStats;
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::{DomainEvent, Projected, SeatId, project};

use crate::handlers::{ApplyError, bigint};

/// What is claimed of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Claim {
    /// What the seat is.
    pub status: SeatStatus,
    /// What the claim costs; 0 where there is none.
    pub amount: i64,
}

/// The counts of a section, or how they change.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "the fields are the contract's words")]
pub struct Counts {
    pub available: i64,
    pub held: i64,
    pub reserved: i64,
    pub released: i64,
    pub revenue: i64,
}

impl Counts {
    /// What one seat contributes, once (`by` = 1) or no longer (`by` = -1).
    pub fn of(claim: &Claim, by: i64) -> Self {
        let none = Self::default();
        match claim.status {
            SeatStatus::Available => Self { available: by, ..none },
            SeatStatus::Held => Self { held: by, ..none },
            SeatStatus::Reserved => Self { reserved: by, revenue: by.saturating_mul(claim.amount), ..none },
            SeatStatus::Blocked => none,
        }
    }

    /// As they are announced of section `id`.
    pub fn announced(self, id: String) -> SectionStats {
        let count = |number: i64| number.max(0).cast_unsigned();
        SectionStats {
            section_id: id,
            available: count(self.available),
            held: count(self.held),
            reserved: count(self.reserved),
            released: count(self.released),
            revenue: count(self.revenue),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.available += other.available;
        self.held += other.held;
        self.reserved += other.reserved;
        self.released += other.released;
        self.revenue = self.revenue.saturating_add(other.revenue);
    }
}

/// Section counts by SeatingEvent and section.
pub type Sections = BTreeMap<(String, String), Counts>;

/// The seats of a batch, and what became of their sections.
#[derive(Debug, Default)]
pub struct Tally {
    claims: BTreeMap<SeatId, Claim>,
    sections: Sections,
}

/// The seat that an event changes, if it changes one.
pub fn seat(event: &DomainEvent) -> Option<&SeatId> {
    match project(event) {
        Projected::Seat { seat, .. } => Some(seat),
        _ => None,
    }
}

impl Tally {
    /// Begins with the claims as they are.
    pub fn new(claims: BTreeMap<SeatId, Claim>) -> Self {
        Self { claims, sections: Sections::new() }
    }

    /// Counts one event; one about a seat that the chart does not have counts nothing.
    ///
    /// # Errors
    /// An amount that no database can hold.
    pub fn count(&mut self, event: &DomainEvent) -> Result<(), ApplyError> {
        let Projected::Seat { seat, to } = project(event) else { return Ok(()) };
        let Some(claim) = self.claims.get_mut(seat) else { return Ok(()) };
        let amount = match event {
            DomainEvent::SeatHeld(held) => bigint(held.amount)?,
            DomainEvent::SeatReserved(reserved) => bigint(reserved.amount)?,
            _ => 0,
        };
        let next = Claim { status: to.status(), amount };
        let released = i64::from(matches!(event, DomainEvent::SeatReleased(_)));
        let section = (seat.event().to_owned(), seat.section().to_owned());
        let counts = self.sections.entry(section).or_default();
        *counts += Counts::of(claim, -1);
        *counts += Counts::of(&next, 1);
        *counts += Counts { released, ..Counts::default() };
        *claim = next;
        Ok(())
    }

    /// The claims as they are now, and how the sections' counts changed.
    pub fn into_parts(self) -> (BTreeMap<SeatId, Claim>, Sections) {
        (self.claims, self.sections)
    }
}

#[cfg(test)]
mod tests {
    use boxoffice_domain::events::{self, ReleaseReason, SeatBlock, SeatHeld, SeatReleased, SeatReserved};
    use boxoffice_domain::{HoldId, ReservationId, SeatingEventId};
    use uuid::Uuid;

    use super::*;

    fn event_id() -> SeatingEventId {
        "arena-night".parse().unwrap()
    }

    fn seat() -> SeatId {
        SeatId::new(&event_id(), "A-1-1").unwrap()
    }

    fn held(amount: u64) -> DomainEvent {
        DomainEvent::SeatHeld(SeatHeld {
            seat_id: seat(),
            event_id: event_id(),
            user_id: "alice".parse().unwrap(),
            section_id: "A".into(),
            hold_id: HoldId::new(event_id(), Uuid::nil()),
            held_at: 1,
            expires_at: 2,
            amount,
            currency: "EUR".into(),
        })
    }

    fn reserved(amount: u64) -> DomainEvent {
        DomainEvent::SeatReserved(SeatReserved {
            seat_id: seat(),
            event_id: event_id(),
            user_id: "alice".parse().unwrap(),
            section_id: "A".into(),
            hold_id: HoldId::new(event_id(), Uuid::nil()),
            reservation_id: ReservationId::new(event_id(), Uuid::nil()),
            reserved_at: 1,
            amount,
            currency: "EUR".into(),
        })
    }

    fn released() -> DomainEvent {
        DomainEvent::SeatReleased(SeatReleased {
            seat_id: seat(),
            event_id: event_id(),
            user_id: "alice".parse().unwrap(),
            section_id: "A".into(),
            claim: events::Claim::Hold(HoldId::new(event_id(), Uuid::nil())),
            reason: ReleaseReason::User,
            note: None,
            released_at: 1,
        })
    }

    fn changes(before: (SeatStatus, i64), events: &[DomainEvent]) -> Counts {
        let claim = Claim { status: before.0, amount: before.1 };
        let mut tally = Tally::new([(seat(), claim)].into());
        for event in events {
            tally.count(event).unwrap();
        }
        tally.into_parts().1[&("arena-night".to_owned(), "A".to_owned())]
    }

    #[test]
    fn a_sale_moves_a_seat_from_available_to_reserved_with_its_price() {
        let sold = changes((SeatStatus::Available, 0), &[held(120), reserved(120)]);
        assert_eq!(sold, Counts { available: -1, reserved: 1, revenue: 120, ..Counts::default() });
    }

    #[test]
    fn a_release_gives_back_what_the_claim_cost() {
        let back = changes((SeatStatus::Reserved, 120), &[released()]);
        assert_eq!(
            back,
            Counts { available: 1, reserved: -1, released: 1, revenue: -120, ..Counts::default() }
        );
        let resold = changes((SeatStatus::Reserved, 120), &[released(), held(90), reserved(90)]);
        assert_eq!(resold, Counts { released: 1, revenue: -30, ..Counts::default() });
    }

    #[test]
    fn a_blocked_seat_counts_nowhere() {
        let block = SeatBlock {
            seat_id: seat(),
            event_id: event_id(),
            section_id: "A".into(),
            reason: "camera".into(),
        };
        let blocked = changes((SeatStatus::Available, 0), &[DomainEvent::SeatBlocked(block.clone())]);
        assert_eq!(blocked, Counts { available: -1, ..Counts::default() });
        let unblocked = changes((SeatStatus::Blocked, 0), &[DomainEvent::SeatUnblocked(block)]);
        assert_eq!(unblocked, Counts { available: 1, ..Counts::default() });
    }

    #[test]
    fn a_seat_that_the_chart_does_not_have_counts_nothing() {
        let mut tally = Tally::default();
        tally.count(&held(120)).unwrap();
        assert_eq!(tally.into_parts(), (BTreeMap::new(), Sections::new()));
    }
}
