//! The words of the sentences: a SeatingEvent with what happened to it, a command, and what comes of it.

use boxoffice_domain::command::{Answer, Best, Command, Conflict, Decision, Rejection, Wanted};
use boxoffice_domain::definition::{
    Blocked, Definition, HoldPolicy, Limits, PriceCategory, Rows, Sales, Section,
};
use boxoffice_domain::events::{ReleaseReason, VERSION};
use boxoffice_domain::ids::event_id;
use boxoffice_domain::{
    CorrelationId, DomainEvent, Envelope, Metadata, SeatingEventState, UnixMillis, UserId, decide, evolve,
};
use uuid::Uuid;

pub const ALICE: &str = "alice";
pub const BOB: &str = "bob";
pub const OPENS: UnixMillis = 1_800_000_000_000;
pub const TTL: UnixMillis = 300_000;

/// Two rows of ten, the first seat of the second blocked, and a floor for five.
pub fn show() -> Definition {
    let price = |name: &str, amount| PriceCategory { name: name.into(), amount, currency: "EUR".into() };
    let rows = vec![Rows { row: None, rows: Some("1-2".into()), seats: "1-10".into() }];
    let section = |id: &str, category: &str, rows, capacity| Section {
        id: id.into(),
        title: None,
        price_category: category.into(),
        rows,
        capacity,
        layout: None,
    };
    Definition {
        title: "Arena Night".into(),
        starts_at: OPENS + 86_400_000,
        sales: Sales::default(),
        hold: HoldPolicy::default(),
        focal_point: None,
        limits: Limits::default(),
        price_categories: vec![price("gold", 12_000), price("silver", 6_000)],
        sections: vec![section("A", "gold", rows, None), section("FLOOR", "silver", vec![], Some(5))],
        blocked: vec![Blocked { seats: vec!["A-2-1".into()], reason: "camera".into() }],
    }
}

pub fn id(n: u128) -> Uuid {
    Uuid::from_u128(n)
}

pub fn user(name: &str) -> UserId {
    name.parse().unwrap()
}

pub fn hold<const N: usize>(hold: u128, seats: [&str; N], by: &str) -> Command {
    let wanted = Vec::from(seats.map(str::to_owned)).into();
    Command::Hold { wanted, user: user(by), hold: id(hold) }
}

pub fn hold_best(hold: u128, quantity: u32, by: &str) -> Command {
    let wanted = Wanted::Best(Best { quantity, section_id: None, price_category: None, together: None });
    Command::Hold { wanted, user: user(by), hold: id(hold) }
}

pub fn extend(hold: u128, seconds: Option<u32>, by: &str) -> Command {
    Command::ExtendHold { hold: id(hold), user: user(by), seconds }
}

pub fn block<const N: usize>(seats: [&str; N], reason: &str) -> Command {
    Command::Block { seats: seats.map(str::to_owned).into(), reason: reason.into() }
}

pub fn unblock<const N: usize>(seats: [&str; N]) -> Command {
    Command::Unblock { seats: seats.map(str::to_owned).into() }
}

pub fn reserve(reservation: u128, seat: &str, by: &str) -> Command {
    Command::ReserveSeat { seat: seat.into(), user: user(by), reservation: id(reservation) }
}

pub fn reserve_hold(reservation: u128, hold: u128, by: &str) -> Command {
    Command::ReserveHold { hold: id(hold), user: user(by), reservation: id(reservation) }
}

pub fn release(seat: &str, by: &str) -> Command {
    Command::ReleaseSeat { seat: seat.into(), user: user(by) }
}

pub fn release_hold(hold: u128, by: &str) -> Command {
    Command::ReleaseHold { hold: id(hold), user: user(by) }
}

pub fn cancel(reservation: u128, by: &str) -> Command {
    Command::CancelReservation { reservation: id(reservation), user: user(by) }
}

pub fn add<const N: usize>(hold: u128, seats: [&str; N], by: &str) -> Command {
    let wanted = Vec::from(seats.map(str::to_owned)).into();
    Command::AddToHold { hold: id(hold), wanted, user: user(by) }
}

pub fn staff_hold<const N: usize>(hold: u128, seats: [&str; N], whom: &str) -> Command {
    let seats = seats.map(str::to_owned).into();
    Command::StaffHold { seats, user: user(whom), hold: id(hold), blocked: true }
}

pub fn staff_reserve(reservation: u128, hold: u128) -> Command {
    Command::StaffReserve { hold: id(hold), reservation: id(reservation) }
}

pub fn staff_release(hold: u128) -> Command {
    Command::StaffRelease { hold: id(hold), note: Some("moved to the balcony".into()) }
}

pub fn staff_cancel(reservation: u128) -> Command {
    Command::StaffCancel { reservation: id(reservation), note: Some("illness".into()) }
}

pub fn fail_payment(reservation: u128) -> Command {
    Command::FailPayment { reservation: id(reservation) }
}

/// A payment of `reservation` that comes late, and makes hold and reservation `reinstated`.
pub fn reinstate(reinstated: u128, reservation: u128) -> Command {
    Command::Reinstate {
        reservation: id(reservation),
        payment: "pay-1".into(),
        hold: id(reinstated),
        reinstated: id(reinstated),
    }
}

pub fn provision(definition: Definition) -> Command {
    Command::Provision { definition: Box::new(definition) }
}

pub fn expire(hold: u128) -> Command {
    Command::Expire { hold: id(hold) }
}

/// Nothing has happened yet.
pub fn nothing() -> Given {
    Given { state: SeatingEventState::new("arena-night".parse().unwrap()), now: OPENS }
}

/// A SeatingEvent with this definition.
pub fn given(definition: Definition) -> Given {
    nothing().and(Command::Provision { definition: Box::new(definition) })
}

pub struct Given {
    pub state: SeatingEventState,
    pub now: UnixMillis,
}

impl Given {
    pub fn at(mut self, now: UnixMillis) -> Self {
        self.now = now;
        self
    }

    /// A command that is accepted.
    pub fn and(mut self, command: Command) -> Self {
        self.attempt(&command).unwrap_or_else(|rejection| panic!("{command:?} was rejected: {rejection}"));
        self
    }

    /// Decides a command and applies its facts.
    pub fn attempt(&mut self, command: &Command) -> Result<(Answer, Vec<Envelope>), Rejection> {
        let Decision { answer, changes, .. } = decide(&self.state, command, self.now)?;
        let cause = Uuid::from_u128(u128::from(self.state.sequence + 1) << 64);
        let envelopes: Vec<_> =
            (0..).zip(changes).map(|(index, event)| self.envelope(cause, index, event)).collect();
        for envelope in &envelopes {
            evolve(&mut self.state, envelope);
        }
        Ok((answer, envelopes))
    }

    fn envelope(&self, cause: Uuid, index: u64, event: DomainEvent) -> Envelope {
        let metadata = Metadata {
            correlation_id: CorrelationId::from(cause),
            causation_id: cause,
            user_id: None,
            sequence: Some(self.state.sequence + index + 1),
        };
        Envelope { event_id: event_id(cause, index), timestamp: self.now, version: VERSION, metadata, event }
    }

    pub fn when(self, command: Command) -> When {
        let outcome = decide(&self.state, &command, self.now);
        When { outcome, sequence: self.state.sequence }
    }
}

pub struct When {
    outcome: Result<Decision, Rejection>,
    sequence: u64,
}

impl When {
    pub fn answer(self) -> Answer {
        self.outcome.unwrap().answer
    }

    /// Facts in short: the type, what it is about, and why.
    pub fn emits<const N: usize>(self, facts: [&str; N]) {
        let decision = self.outcome.unwrap();
        assert_eq!(decision.changes.iter().map(short).collect::<Vec<_>>(), facts);
        assert_eq!(decision.answer.sequence(), self.sequence + N as u64);
    }

    pub fn emits_nothing(self) -> Answer {
        let decision = self.outcome.unwrap();
        assert_eq!(decision.changes, []);
        decision.answer
    }

    /// Of a definition: the seats in the way of its seat map.
    pub fn refuses<const N: usize>(self, seats: [&str; N]) -> Vec<DomainEvent> {
        let decision = self.outcome.unwrap();
        let Answer::Provisioned { refused, .. } = decision.answer else { panic!("{:?}", decision.answer) };
        assert_eq!(refused.iter().map(shown).collect::<Vec<_>>(), seats);
        decision.changes
    }

    /// The first moment at which the decision would be another.
    pub fn until(self) -> Option<UnixMillis> {
        self.outcome.unwrap().until
    }

    pub fn rejects(self, rejection: &Rejection) {
        assert_eq!(self.outcome.unwrap_err(), *rejection);
    }

    pub fn rejects_seats<const N: usize>(self, variant: &str, seats: [&str; N]) {
        let rejection = self.outcome.unwrap_err();
        let (Rejection::SeatNotFound(conflicts)
        | Rejection::SeatNotAvailable(conflicts)
        | Rejection::SeatsClaimed(conflicts)) = &rejection
        else {
            panic!("{rejection:?} names no seats")
        };
        assert_eq!(conflicts.iter().map(shown).collect::<Vec<_>>(), seats);
        assert!(format!("{rejection:?}").starts_with(variant), "{rejection:?}");
    }
}

fn shown(conflict: &Conflict) -> String {
    let mine = if conflict.mine { " mine" } else { "" };
    format!("{} {}{mine}", conflict.seat, conflict.reason.as_str())
}

fn short(event: &DomainEvent) -> String {
    let kind = event.event_type();
    match event {
        DomainEvent::SeatHeld(e) => format!("{kind} {}", e.seat_id.key()),
        DomainEvent::SeatReserved(e) => format!("{kind} {}", e.seat_id.key()),
        DomainEvent::SeatReleased(e) => format!("{kind} {} {}", e.seat_id.key(), reason(e.reason)),
        DomainEvent::SeatBlocked(e) | DomainEvent::SeatUnblocked(e) => {
            format!("{kind} {} {}", e.seat_id.key(), e.reason)
        }
        DomainEvent::ReservationCreated(e) | DomainEvent::ReservationCancelled(e) => {
            format!("{kind} {}", e.reservation_id.uuid().as_u128())
        }
        DomainEvent::ReservationNotReinstated(e) => {
            format!("{kind} {}", e.reservation_id.uuid().as_u128())
        }
        _ => kind.to_owned(),
    }
}

fn reason(reason: ReleaseReason) -> String {
    serde_json::to_value(reason).unwrap().as_str().unwrap().to_owned()
}
