//! A small sale on a store whose clock the test moves, and words for what happens on it.

use std::fmt::Debug;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use boxoffice_command::store::{Cause, Outbox, Provisioning, SeatStore};
use boxoffice_domain::definition::{Blocked, HoldPolicy, Limits, PriceCategory, Rows, Sales, Section};
use boxoffice_domain::{
    Answer, Area, Best, Command, CorrelationId, Definition, DomainEvent, Envelope, PricedSeat, Rejection,
    SeatingEventId, SeatingEventState, UnixMillis, Wanted,
};
use uuid::Uuid;

use crate::servers::unique;

/// When every test begins.
pub const START: UnixMillis = 1_800_000_000_000;
/// When a show begins that is on sale whatever a test does: later than its clock and the system's ever are.
pub const FAR: UnixMillis = 4_000_000_000_000;
/// How long a hold lasts on the stage, in milliseconds.
pub const TTL: UnixMillis = 300_000;
/// Events that may wait to be published in a fixture's store.
pub const HIGH_WATERMARK: u64 = 40;

/// A store under test, with nothing in it.
#[async_trait]
pub trait Fixture: Send + Sync {
    /// The implementation.
    type Store: SeatStore + Outbox;

    /// The store; its high watermark is [`HIGH_WATERMARK`]. Whoever keeps it over a [`restart`](Self::restart) keeps the
    /// one before.
    fn store(&self) -> Arc<Self::Store>;

    /// Ends the process that the store is part of, without a warning, and starts another one on the same data.
    async fn restart(&self);

    /// Moves the store's clock, which the fixture sets to [`START`] before anything else.
    async fn set_clock(&self, now: UnixMillis);

    /// Whether a seat map that is wanted is still known after a restart; else whoever wants it provisions again.
    fn remembers_what_is_wanted(&self) -> bool {
        true
    }

    /// Whether what is over leaves the store but for a stub; else all of it stays.
    fn archives(&self) -> bool {
        true
    }

    /// All that the store holds of a SeatingEvent. What it may forget by its own choice, it may show or not.
    async fn state(&self, event: &SeatingEventId) -> SeatingEventState;
}

/// One SeatingEvent on sale.
pub struct Stage<'a, F> {
    /// The store under test.
    pub on: &'a F,
    /// The SeatingEvent.
    pub event: SeatingEventId,
    now: AtomicU64,
}

/// A hold that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Its UUID.
    pub hold: Uuid,
    /// Its seats with their prices, as `A-1-1 12000`.
    pub seats: Vec<String>,
    /// When it expires.
    pub expires_at: UnixMillis,
    /// Whether all of its seats are neighbours.
    pub together: bool,
    /// Sequence of its last event.
    pub sequence: u64,
}

impl<'a, F: Fixture> Stage<'a, F> {
    /// A SeatingEvent that is on sale as [`definition`] says: its first domain event waits in the outbox.
    pub async fn open(on: &'a F) -> Self {
        let stage = Self { on, event: valid(&unique("arena")), now: AtomicU64::new(START) };
        must(stage.provision(&definition()).await);
        stage
    }

    /// The store.
    pub fn store(&self) -> Arc<F::Store> {
        self.on.store()
    }

    /// The time on the stage.
    pub fn now(&self) -> UnixMillis {
        self.now.load(Ordering::SeqCst)
    }

    /// Lets time pass.
    pub async fn advance(&self, by: UnixMillis) {
        let now = self.now.fetch_add(by, Ordering::SeqCst) + by;
        self.on.set_clock(now).await;
    }

    /// Creates or changes the SeatingEvent.
    pub async fn provision(&self, definition: &Definition) -> Result<Provisioning, Rejection> {
        must(self.store().provision(&self.event, definition, 3, &cause("operator")).await)
    }

    /// Changes the SeatingEvent's first definition, and provisions it.
    pub async fn redefine(&self, change: impl FnOnce(&mut Definition)) -> Result<Provisioning, Rejection> {
        let mut definition = definition();
        change(&mut definition);
        self.provision(&definition).await
    }

    /// Has `user` do something.
    pub async fn run(&self, user: &str, command: Command) -> Result<Answer, Rejection> {
        let outcome = must(self.store().execute(&self.event, &command, &cause(user)).await)?;
        assert_eq!(outcome.at, self.now(), "the store's time");
        Ok(outcome.answer)
    }

    /// Has `user` hold seats.
    pub async fn hold(&self, user: &str, seats: &[&str]) -> Result<Held, Rejection> {
        self.hold_wanted(user, named(seats)).await
    }

    /// Has `user` hold whatever is wanted.
    pub async fn hold_wanted(&self, user: &str, wanted: Wanted) -> Result<Held, Rejection> {
        let command = Command::Hold { wanted, user: valid(user), hold: Uuid::new_v4() };
        self.run(user, command).await.map(held)
    }

    /// Has `user` hold seats and units of areas together.
    pub async fn hold_with(
        &self,
        user: &str,
        seats: &[&str],
        areas: &[(&str, u32)],
    ) -> Result<Held, Rejection> {
        let area = |(id, quantity): &(&str, u32)| Area { section_id: (*id).into(), quantity: *quantity };
        let seats = seats.iter().map(ToString::to_string).collect();
        let areas = areas.iter().map(area).collect();
        self.hold_wanted(user, Wanted::These { seats, areas }).await
    }

    /// Has `user` hold the best seats.
    pub async fn hold_best(&self, user: &str, quantity: u32) -> Result<Held, Rejection> {
        self.hold_wanted(user, best_in(quantity, None, None)).await
    }

    /// Has the operator take seats off sale.
    pub async fn block(&self, seats: &[&str], reason: &str) -> Result<Answer, Rejection> {
        let seats = seats.iter().map(ToString::to_string).collect();
        self.run("operator", Command::Block { seats, reason: reason.into() }).await
    }

    /// Has the operator put seats back on sale.
    pub async fn unblock(&self, seats: &[&str]) -> Result<Answer, Rejection> {
        let seats = seats.iter().map(ToString::to_string).collect();
        self.run("operator", Command::Unblock { seats }).await
    }

    /// Has the operator forget the SeatingEvent with its seats.
    pub async fn purge(&self) -> Result<Answer, Rejection> {
        self.run("operator", Command::Purge).await
    }

    /// Has `user` extend a hold.
    pub async fn extend(&self, user: &str, hold: Uuid, seconds: Option<u32>) -> Result<Held, Rejection> {
        self.run(user, Command::ExtendHold { hold, user: valid(user), seconds }).await.map(held)
    }

    /// Has `user` reserve one seat: the reservation with its seats and sequence.
    pub async fn reserve_seat(&self, user: &str, seat: &str) -> Result<(Uuid, Vec<String>, u64), Rejection> {
        let command =
            Command::ReserveSeat { seat: seat.into(), user: valid(user), reservation: Uuid::new_v4() };
        self.run(user, command).await.map(reserved)
    }

    /// Has `user` reserve a hold: the reservation with its seats and sequence.
    pub async fn reserve_hold(&self, user: &str, hold: Uuid) -> Result<(Uuid, Vec<String>, u64), Rejection> {
        let command = Command::ReserveHold { hold, user: valid(user), reservation: Uuid::new_v4() };
        self.run(user, command).await.map(reserved)
    }

    /// Has `user` release one seat: what was released.
    pub async fn release_seat(&self, user: &str, seat: &str) -> Result<Vec<String>, Rejection> {
        self.run(user, Command::ReleaseSeat { seat: seat.into(), user: valid(user) }).await.map(released)
    }

    /// Has `user` release a hold: what was released.
    pub async fn release_hold(&self, user: &str, hold: Uuid) -> Result<Vec<String>, Rejection> {
        self.run(user, Command::ReleaseHold { hold, user: valid(user) }).await.map(released)
    }

    /// Has `user` cancel a reservation: what was released.
    pub async fn cancel(&self, user: &str, reservation: Uuid) -> Result<Vec<String>, Rejection> {
        self.run(user, Command::CancelReservation { reservation, user: valid(user) }).await.map(released)
    }

    /// Has `user` add seats to a hold.
    pub async fn add(&self, user: &str, hold: Uuid, wanted: Wanted) -> Result<Held, Rejection> {
        self.run(user, Command::AddToHold { hold, wanted, user: valid(user) }).await.map(held)
    }

    /// Has box-office staff do something.
    pub async fn staff(&self, command: Command) -> Result<Answer, Rejection> {
        let cause = Cause { user: None, ..cause("nobody") };
        must(self.store().execute(&self.event, &command, &cause).await).map(|outcome| outcome.answer)
    }

    /// Has box-office staff hold seats for `user`, blocked ones too.
    pub async fn staff_hold(&self, user: &str, seats: &[&str]) -> Result<Held, Rejection> {
        let seats = seats.iter().map(ToString::to_string).collect();
        let command = Command::StaffHold { seats, user: valid(user), hold: Uuid::new_v4(), blocked: true };
        self.staff(command).await.map(held)
    }

    /// The domain events that wait to be published.
    pub async fn waiting(&self) -> Vec<Envelope> {
        let (_, entries) = must(self.store().unpublished(&self.event, 10_000).await);
        entries.into_iter().map(|entry| entry.envelope).collect()
    }

    /// The domain events after the first `skip`, in short: `seat.held A-1-1`.
    pub async fn story(&self, skip: usize) -> Vec<String> {
        self.waiting().await.iter().skip(skip).map(|envelope| in_short(&envelope.event)).collect()
    }

    /// Counts of available, held, reserved and blocked seats.
    pub async fn counts(&self) -> [u64; 4] {
        let inventory = must(self.store().inventory(&self.event).await);
        let seats = inventory.unwrap_or_else(|| panic!("{} has no inventory", self.event)).seats;
        assert_eq!(seats.total, seats.available + seats.held + seats.reserved + seats.blocked);
        [seats.available, seats.held, seats.reserved, seats.blocked]
    }
}

/// Rows A-1-1 to A-1-4 and A-2-1 to A-2-2 at 12000, the last one blocked, and two places FLOOR-1 and FLOOR-2 at 6000.
pub fn definition() -> Definition {
    let rows = |row: &str, seats: &str| Rows { row: Some(row.into()), rows: None, seats: seats.into() };
    let price = |name: &str, amount| PriceCategory { name: name.into(), amount, currency: "EUR".to_owned() };
    let section = |id: &str, price: &str, rows, capacity| Section {
        id: id.into(),
        title: None,
        price_category: price.into(),
        rows,
        capacity,
        layout: None,
    };
    Definition {
        title: "Arena Night".into(),
        starts_at: START + 86_400_000,
        sales: Sales::default(),
        hold: HoldPolicy::default(),
        focal_point: None,
        limits: Limits::default(),
        price_categories: vec![price("gold", 12_000), price("silver", 6_000)],
        sections: vec![
            section("A", "gold", vec![rows("1", "1-4"), rows("2", "1-2")], None),
            section("FLOOR", "silver", vec![], Some(2)),
        ],
        blocked: vec![Blocked { seats: vec!["A-2-2".into()], reason: "camera".into() }],
    }
}

/// Seats by name.
pub fn named(seats: &[&str]) -> Wanted {
    seats.iter().map(ToString::to_string).collect::<Vec<_>>().into()
}

/// The best seats, of a section or a price category where one is named.
pub fn best_in(quantity: u32, section: Option<&str>, category: Option<&str>) -> Wanted {
    let [section_id, price_category] = [section, category].map(|name| name.map(str::to_owned));
    Wanted::Best(Best { quantity, section_id, price_category, together: None })
}

/// A cause of its own, in a chain of its own.
pub fn cause(user: &str) -> Cause {
    Cause {
        command: Uuid::new_v4(),
        correlation: CorrelationId::from(Uuid::new_v4()),
        user: Some(valid(user)),
        traceparent: None,
        idempotency: None,
    }
}

/// A text as the id that it is.
pub fn valid<T: std::str::FromStr<Err: Debug>>(text: &str) -> T {
    must(text.parse())
}

/// The value of what has to go well.
pub fn must<T, E: Debug>(result: Result<T, E>) -> T {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

/// An answer that has to be about a hold.
pub fn held(answer: Answer) -> Held {
    match answer {
        Answer::Held { hold, seats, currency, expires_at, together, sequence } => {
            assert_eq!(currency, "EUR");
            Held { hold, seats: in_words(&seats), expires_at, together, sequence }
        }
        other => panic!("no hold: {other:?}"),
    }
}

/// An answer that has to be about a reservation: it, its seats and its sequence.
pub fn reserved(answer: Answer) -> (Uuid, Vec<String>, u64) {
    match answer {
        Answer::Reserved { reservation, seats, sequence, .. } => (reservation, in_words(&seats), sequence),
        other => panic!("no reservation: {other:?}"),
    }
}

/// Seats with their prices, as `A-1-1 12000`.
pub fn in_words(seats: &[PricedSeat]) -> Vec<String> {
    seats.iter().map(|seat| format!("{} {}", seat.key, seat.amount)).collect()
}

fn released(answer: Answer) -> Vec<String> {
    match answer {
        Answer::Released { released, .. } => released,
        other => panic!("nothing released: {other:?}"),
    }
}

fn in_short(event: &DomainEvent) -> String {
    let about = match event {
        DomainEvent::SeatHeld(e) => e.seat_id.key().to_owned(),
        DomainEvent::SeatReserved(e) => e.seat_id.key().to_owned(),
        DomainEvent::SeatReleased(e) => format!("{} {:?}", e.seat_id.key(), e.reason),
        DomainEvent::SeatBlocked(e) | DomainEvent::SeatUnblocked(e) => {
            format!("{} {}", e.seat_id.key(), e.reason)
        }
        DomainEvent::ReservationCreated(e) | DomainEvent::ReservationCancelled(e) => e.amount.to_string(),
        _ => String::new(),
    };
    format!("{} {about}", event.event_type()).trim_end().to_owned()
}
