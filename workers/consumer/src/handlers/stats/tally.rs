//! Counts in memory what a batch of domain events changes in the sections. No IO.

use std::collections::BTreeMap;
use std::ops::AddAssign;

use boxoffice_domain::events::SectionStats;
use boxoffice_domain::project::SeatStatus;
use boxoffice_domain::subject::{OfSeat, Subject};
use boxoffice_domain::{Chart, Definition, DomainEvent, Projected, SeatId, project};

use crate::handlers::seats::known::{self, Change, SeatChange, State};
use crate::handlers::seats::take;
use crate::handlers::{ApplyError, bigint};

/// What counts of a seat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountedSeat {
    /// What the seat is.
    pub status: SeatStatus,
    /// What its hold or reservation costs; 0 where there is none.
    pub amount: i64,
}

impl State for CountedSeat {
    fn free() -> Self {
        Self { status: SeatStatus::Available, amount: 0 }
    }

    fn blocked() -> Self {
        Self { status: SeatStatus::Blocked, amount: 0 }
    }

    fn status(&self) -> SeatStatus {
        self.status
    }
}

/// The counts of a section, or how they change. What is neither held nor reserved nor blocked is available.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Seats of the chart; 0 as long as no definition has the section.
    pub total: i64,
    /// Held ones.
    pub held: i64,
    /// Reserved ones.
    pub reserved: i64,
    /// Blocked ones.
    pub blocked: i64,
    /// How often one was released, ever.
    pub released: i64,
    /// What the reserved ones cost together.
    pub revenue: i64,
}

impl Counts {
    /// What one seat contributes, once (`by` = 1) or no longer (`by` = -1).
    pub fn of(seat: &CountedSeat, by: i64) -> Self {
        let none = Self::default();
        match seat.status {
            SeatStatus::Available => none,
            SeatStatus::Held => Self { held: by, ..none },
            SeatStatus::Reserved => Self { reserved: by, revenue: by.saturating_mul(seat.amount), ..none },
            SeatStatus::Blocked => Self { blocked: by, ..none },
        }
    }

    /// As they are announced of section `id`.
    pub fn announced(self, id: String) -> SectionStats {
        let count = |number: i64| number.max(0).cast_unsigned();
        SectionStats {
            section_id: id,
            available: count(self.total - self.held - self.reserved - self.blocked),
            held: count(self.held),
            reserved: count(self.reserved),
            released: count(self.released),
            revenue: count(self.revenue),
        }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.total += other.total;
        self.held += other.held;
        self.reserved += other.reserved;
        self.blocked += other.blocked;
        self.released += other.released;
        self.revenue = self.revenue.saturating_add(other.revenue);
    }
}

/// Section counts by SeatingEvent and section.
pub type Sections = BTreeMap<(String, String), Counts>;

/// What is known of seats.
pub type Rows = known::Rows<CountedSeat>;

/// How many seats each section of a chart has.
pub fn totals(definition: &Definition, chart: &Chart) -> BTreeMap<String, i64> {
    let mut totals = vec![0_i64; definition.sections.len()];
    for row in chart.rows() {
        if let Some(total) = totals.get_mut(row.section()) {
            *total += i64::try_from(row.places().len()).unwrap_or(i64::MAX);
        }
    }
    definition.sections.iter().map(|section| section.id.clone()).zip(totals).collect()
}

/// What is to be counted.
#[derive(Debug, Default)]
pub struct Tally {
    changes: Vec<SeatChange<CountedSeat>>,
    sections: Sections,
}

impl Tally {
    /// Notes what the event with `sequence` says about seats; whether it says anything.
    ///
    /// # Errors
    /// An amount that no database can hold.
    pub fn event(&mut self, event: &DomainEvent, sequence: u64) -> Result<bool, ApplyError> {
        let amount = match event.subject() {
            Subject::Seat(OfSeat::Held(held)) => bigint(held.amount)?,
            Subject::Seat(OfSeat::Reserved(reserved)) => bigint(reserved.amount)?,
            Subject::Seat(OfSeat::Released(_) | OfSeat::Blocked(_) | OfSeat::Unblocked(_))
            | Subject::Hold(_)
            | Subject::Reservation(_)
            | Subject::SeatingEvent(_)
            | Subject::Statistics(_)
            | Subject::Payment(_) => 0,
        };
        match project(event) {
            Projected::Seat { seat, to } => {
                let counted = CountedSeat { status: to.status(), amount };
                self.changes.push((seat.clone(), sequence, Change::Set(counted)));
                self.section(seat).released += i64::from(matches!(event, DomainEvent::SeatReleased(_)));
            }
            // What a held seat costs counts when it is reserved, and that event says it again.
            Projected::Extended { seats, .. } => {
                let held = CountedSeat { status: SeatStatus::Held, amount };
                self.changes.extend(seats.iter().map(|seat| (seat.clone(), sequence, Change::Set(held))));
            }
            Projected::Defined(_)
            | Projected::Closed
            | Projected::Purged
            | Projected::Reserved(_)
            | Projected::Cancelled(_)
            | Projected::Nothing => return Ok(false),
        }
        Ok(true)
    }

    /// Notes what a definition means for seats.
    pub fn extend(&mut self, changes: Vec<SeatChange<CountedSeat>>) {
        self.changes.extend(changes);
    }

    /// The seats that something was noted about.
    pub fn seats(&self) -> impl Iterator<Item = &SeatId> {
        self.changes.iter().map(|(seat, _, _)| seat)
    }

    /// Takes what was noted in where it is due, with what is known of the seats, and tells how that changes the counts.
    pub fn count(mut self, rows: &mut Rows) -> Sections {
        let mut moved = vec![];
        take(rows, std::mem::take(&mut self.changes), |seat, _, before, after| {
            moved.push((seat.clone(), *before, *after));
        });
        for (seat, before, after) in moved {
            let counts = self.section(&seat);
            *counts += Counts::of(&before, -1);
            *counts += Counts::of(&after, 1);
        }
        self.sections
    }

    fn section(&mut self, seat: &SeatId) -> &mut Counts {
        self.sections.entry((seat.event().to_owned(), seat.section().to_owned())).or_default()
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
        let counted = CountedSeat { status: before.0, amount: before.1 };
        let mut rows = Rows::from([(seat(), known::Known { state: counted, sequence: 1, block: None })]);
        let mut tally = Tally::default();
        for (event, sequence) in events.iter().zip(2..) {
            assert!(tally.event(event, sequence).unwrap());
        }
        tally.count(&mut rows)[&("arena-night".to_owned(), "A".to_owned())]
    }

    #[test]
    fn a_sale_moves_a_seat_from_available_to_reserved_with_its_price() {
        let sold = changes((SeatStatus::Available, 0), &[held(120), reserved(120)]);
        assert_eq!(sold, Counts { reserved: 1, revenue: 120, ..Counts::default() });
        let all = Counts { total: 10, blocked: 2, ..sold }.announced("A".into());
        assert_eq!((all.available, all.reserved), (7, 1));
    }

    #[test]
    fn a_release_gives_back_what_the_claim_cost() {
        let back = changes((SeatStatus::Reserved, 120), &[released()]);
        assert_eq!(back, Counts { reserved: -1, released: 1, revenue: -120, ..Counts::default() });
        let resold = changes((SeatStatus::Reserved, 120), &[released(), held(90), reserved(90)]);
        assert_eq!(resold, Counts { released: 1, revenue: -30, ..Counts::default() });
    }

    #[test]
    fn a_blocked_seat_is_not_available() {
        let block = SeatBlock {
            seat_id: seat(),
            event_id: event_id(),
            section_id: "A".into(),
            reason: "camera".into(),
        };
        let blocked = changes((SeatStatus::Available, 0), &[DomainEvent::SeatBlocked(block.clone())]);
        assert_eq!(blocked, Counts { blocked: 1, ..Counts::default() });
        let unblocked = changes((SeatStatus::Blocked, 0), &[DomainEvent::SeatUnblocked(block)]);
        assert_eq!(unblocked, Counts { blocked: -1, ..Counts::default() });
    }

    #[test]
    fn what_comes_late_counts_as_a_release_and_moves_no_seat() {
        let mut rows = Rows::new();
        let mut tally = Tally::default();
        tally.event(&held(120), 5).unwrap();
        drop(tally.count(&mut rows));
        let mut late = Tally::default();
        late.event(&held(120), 3).unwrap();
        late.event(&released(), 4).unwrap();
        let counts = late.count(&mut rows)[&("arena-night".to_owned(), "A".to_owned())];
        assert_eq!(counts, Counts { released: 1, ..Counts::default() });
    }
}
