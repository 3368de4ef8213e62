//! No sequence of commands breaks an invariant, whatever the users do and however time passes.

use std::collections::HashMap;

use crate::given::{Given, id, nothing, show, user};
use boxoffice_domain::command::{Answer, Area, Best, Command, Together, Wanted};
use boxoffice_domain::definition::Definition;
use boxoffice_domain::events::{Claim, PaidBy, ReleaseReason, ReservedSeats};
use boxoffice_domain::invariants::violations;
use boxoffice_domain::seat_map::SeatMap;
use boxoffice_domain::state::{Seat, SeatingEventState};
use boxoffice_domain::{DomainEvent, Envelope, ReservationId, evolve};
use proptest::prelude::*;
use uuid::Uuid;

const USERS: [&str; 3] = ["alice", "bob", "carol"];
const SEATS: [&str; 6] = ["A-1-1", "A-1-2", "A-1-3", "A-2-1", "FLOOR-1", "A-9-9"];

/// A command with ids out of a small pool, so that it often meets what is there; and the time that passes before.
fn step() -> impl Strategy<Value = (Command, u64)> {
    let user_ = || prop::sample::select(&USERS[..]).prop_map(user);
    let seat = || prop::sample::select(&SEATS[..]).prop_map(str::to_owned);
    let known = || (0_u128..12).prop_map(id);
    let command = prop_oneof![
        6 => (prop::sample::subsequence(&SEATS[..5], 1..4), user_(), known()).prop_map(|(seats, user, hold)| {
            let wanted = seats.into_iter().map(str::to_owned).collect::<Vec<_>>().into();
            Command::Hold { wanted, user, hold }
        }),
        3 => (wanted(), user_(), known()).prop_map(|(wanted, user, hold)| Command::Hold { wanted, user, hold }),
        2 => (known(), prop::sample::subsequence(&SEATS[..5], 1..4), user_()).prop_map(|(hold, seats, user)| {
            let wanted = seats.into_iter().map(str::to_owned).collect::<Vec<_>>().into();
            Command::AddToHold { hold, wanted, user }
        }),
        2 => staff(),
        2 => paying(),
        2 => (known(), user_(), prop::option::of(1_u32..1000)).prop_map(|(hold, user, seconds)| Command::ExtendHold { hold, user, seconds }),
        1 => (seat(), any::<bool>()).prop_map(|(seat, on)| {
            let seats = vec![seat];
            if on { Command::Block { seats, reason: "camera".into() } } else { Command::Unblock { seats } }
        }),
        4 => (seat(), user_(), known()).prop_map(|(seat, user, reservation)| Command::ReserveSeat { seat, user, reservation }),
        3 => (known(), user_(), known()).prop_map(|(hold, user, reservation)| Command::ReserveHold { hold, user, reservation }),
        3 => (seat(), user_()).prop_map(|(seat, user)| Command::ReleaseSeat { seat, user }),
        2 => (known(), user_()).prop_map(|(hold, user)| Command::ReleaseHold { hold, user }),
        2 => (known(), user_()).prop_map(|(reservation, user)| Command::CancelReservation { reservation, user }),
        3 => known().prop_map(|hold| Command::Expire { hold }),
        1 => Just(Command::Close),
        1 => Just(Command::Purge),
        2 => definition().prop_map(|definition| Command::Provision { definition: Box::new(definition) }),
    ];
    (command, prop_oneof![4 => Just(0), 2 => 1_u64..200_000, 1 => Just(300_000)])
}

/// What box-office staff do.
fn staff() -> impl Strategy<Value = Command> {
    let known = || (0_u128..12).prop_map(id);
    let whom = prop::sample::select(&USERS[..]).prop_map(user);
    prop_oneof![
        2 => (prop::sample::subsequence(&SEATS[..5], 1..4), whom, known(), any::<bool>()).prop_map(
            |(seats, user, hold, blocked)| {
                let seats = seats.into_iter().map(str::to_owned).collect();
                Command::StaffHold { seats, user, hold, blocked }
            }
        ),
        1 => (known(), known()).prop_map(|(hold, reservation)| Command::StaffReserve { hold, reservation }),
        1 => known().prop_map(|hold| Command::StaffRelease { hold, note: None }),
        1 => known().prop_map(|reservation| Command::StaffCancel { reservation, note: None }),
    ]
}

/// Payments that fail, and some that come late.
fn paying() -> impl Strategy<Value = Command> {
    let known = || (0_u128..12).prop_map(id);
    prop_oneof![
        1 => known().prop_map(|reservation| Command::FailPayment { reservation }),
        1 => (known(), known()).prop_map(|(reservation, reinstated)| Command::Reinstate {
            reservation,
            payment: "pay-1".into(),
            hold: reinstated,
            reinstated,
        }),
    ]
}

/// Definitions that differ in blocks, rows, capacity, prices, a category, a pause, and rarely in the currency.
fn definition() -> impl Strategy<Value = Definition> {
    let changes = (any::<bool>(), any::<bool>(), any::<bool>(), 1_u32..6, 1_u64..4);
    (changes, any::<bool>(), prop::bool::weighted(0.1)).prop_map(
        |((blocks, opens, shrinks, capacity, price), paused, foreign)| {
            let mut definition = show();
            if opens {
                definition.blocked.clear();
            } else if blocks {
                definition.blocked[0].seats.push("A-1-3".into());
            }
            if shrinks && opens {
                definition.sections[0].rows[0].seats = "2-10".into();
            }
            definition.sections[1].capacity = Some(capacity);
            definition.price_categories[0].amount = price * 1000;
            definition.sales.paused = paused;
            if foreign {
                definition.price_categories.iter_mut().for_each(|it| it.currency = "JPY".into());
            }
            definition
        },
    )
}

/// What leaves the choice to the specification.
fn wanted() -> impl Strategy<Value = Wanted> {
    let area = (1_u32..4).prop_map(|quantity| Area { section_id: "FLOOR".into(), quantity });
    let together = prop::option::of(Just(Together::Required));
    let best = (1_u32..7, prop::option::of(Just("A".to_owned())), together).prop_map(
        |(quantity, section_id, together)| {
            Wanted::Best(Best { quantity, section_id, price_category: None, together })
        },
    );
    let mixed = (prop::sample::subsequence(&SEATS[..4], 0..3), area).prop_map(|(seats, area)| {
        Wanted::These { seats: seats.into_iter().map(str::to_owned).collect(), areas: vec![area] }
    });
    prop_oneof![best, mixed]
}

/// Makes the ids that a command brings fresh, as they are in life, and lets the ids that it refers to name the latest
/// hold or reservation that was made from the same place of the pool.
fn freshen(command: Command, fresh: Uuid, latest: &mut HashMap<Uuid, Uuid>) -> Command {
    let known = |id: Uuid| latest.get(&id).copied().unwrap_or(id);
    match command {
        Command::Hold { wanted, user, hold } => {
            latest.insert(hold, fresh);
            Command::Hold { wanted, user, hold: fresh }
        }
        Command::ExtendHold { hold, user, seconds } => {
            Command::ExtendHold { hold: known(hold), user, seconds }
        }
        Command::StaffHold { seats, user, hold, blocked } => {
            latest.insert(hold, fresh);
            Command::StaffHold { seats, user, hold: fresh, blocked }
        }
        Command::StaffReserve { hold, reservation } => {
            let hold = known(hold);
            latest.insert(reservation, fresh);
            Command::StaffReserve { hold, reservation: fresh }
        }
        Command::StaffRelease { hold, note } => Command::StaffRelease { hold: known(hold), note },
        Command::StaffCancel { reservation, note } => {
            Command::StaffCancel { reservation: known(reservation), note }
        }
        Command::AddToHold { hold, wanted, user } => Command::AddToHold { hold: known(hold), wanted, user },
        Command::ReserveSeat { seat, user, reservation } => {
            latest.insert(reservation, fresh);
            Command::ReserveSeat { seat, user, reservation: fresh }
        }
        Command::ReserveHold { hold, user, reservation } => {
            let hold = known(hold);
            latest.insert(reservation, fresh);
            Command::ReserveHold { hold, user, reservation: fresh }
        }
        Command::ReleaseHold { hold, user } => Command::ReleaseHold { hold: known(hold), user },
        Command::CancelReservation { reservation, user } => {
            Command::CancelReservation { reservation: known(reservation), user }
        }
        Command::Expire { hold } => Command::Expire { hold: known(hold) },
        Command::FailPayment { reservation } => Command::FailPayment { reservation: known(reservation) },
        Command::Reinstate { reservation, payment, hold: _, reinstated } => {
            let reservation = known(reservation);
            latest.insert(reinstated, fresh);
            Command::Reinstate { reservation, payment, hold: fresh, reinstated: fresh }
        }
        other @ (Command::ReleaseSeat { .. }
        | Command::Block { .. }
        | Command::Unblock { .. }
        | Command::Provision { .. }
        | Command::Close
        | Command::Purge) => other,
    }
}

fn run(steps: Vec<(Command, u64)>) -> (Given, Vec<Envelope>) {
    let mut given = nothing().and(Command::Provision { definition: Box::new(show()) });
    let mut log = Vec::new();
    let mut latest = HashMap::new();
    for (n, (command, later)) in (0_u128..).zip(steps) {
        given.now += later;
        let command = freshen(command, Uuid::from_u128(0x1000 + n), &mut latest);
        if let Ok((_, events)) = given.attempt(&command) {
            log.extend(events);
        }
        assert_eq!(violations(&given.state), Vec::<String>::new(), "after {command:?}");
    }
    (given, log)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// I1 after every command, I3 over all of them.
    #[test]
    fn i1_i3_one_owner_a_seat_and_no_gap(steps in prop::collection::vec(step(), 1..60)) {
        let (given, log) = run(steps);
        let sequences: Vec<_> = log.iter().filter_map(|event| event.metadata.sequence).collect();
        prop_assert_eq!(sequences, (2..=given.state.sequence).collect::<Vec<_>>());
    }

    /// I6: every seat that was held and is no longer in that hold was reserved or released out of it, once, or forgotten
    /// with all of it.
    #[test]
    fn i6_a_hold_ends_only_by_an_event(steps in prop::collection::vec(step(), 1..60)) {
        let (given, log) = run(steps);
        let mut open = HashMap::new();
        for event in &log {
            match &event.event {
                DomainEvent::SeatHeld(e) => {
                    prop_assert_eq!(open.insert(e.seat_id.key().to_owned(), e.hold_id.uuid()), None);
                }
                DomainEvent::SeatReserved(e) => {
                    prop_assert_eq!(open.remove(e.seat_id.key()), Some(e.hold_id.uuid()));
                }
                DomainEvent::SeatReleased(e) => {
                    if let Claim::Hold(hold) = &e.claim {
                        prop_assert_eq!(open.remove(e.seat_id.key()), Some(hold.uuid()));
                    }
                }
                DomainEvent::EventPurged(_) => open.clear(),
                _ => {}
            }
        }
        let held = given.state.seats.iter().filter_map(|(key, seat)| match seat {
            Seat::Held { hold, .. } => Some((key.clone(), *hold)),
            _ => None,
        });
        prop_assert_eq!(open, held.collect::<HashMap<_, _>>());
    }

    /// The log alone rebuilds the state, and the read side's map agrees with it.
    #[test]
    fn the_log_tells_everything(steps in prop::collection::vec(step(), 1..60)) {
        let (given, log) = run(steps);
        let mut rebuilt = nothing().and(Command::Provision { definition: Box::new(show()) }).state;
        let mut map = None;
        let created = nothing().attempt(&Command::Provision { definition: Box::new(show()) }).unwrap().1;
        for event in &created {
            shown(&mut map, event);
        }
        for event in &log {
            evolve(&mut rebuilt, event);
            shown(&mut map, event);
        }
        prop_assert_eq!(&rebuilt.seats, &given.state.seats);
        prop_assert_eq!(&rebuilt.holds, &given.state.holds);
        prop_assert_eq!(&rebuilt.reservations, &given.state.reservations);
        prop_assert_eq!(&rebuilt.failed, &given.state.failed);
        prop_assert_eq!(&rebuilt.claims, &given.state.claims);
        prop_assert_eq!(map.is_some(), given.state.sale.is_some());
        if let Some(map) = &map {
            agrees(map, &given.state);
        }
    }
}

/// What a reader makes of an event.
fn shown(map: &mut Option<SeatMap>, event: &Envelope) {
    let sequence = event.metadata.sequence.unwrap();
    match (map.as_mut(), &event.event) {
        (_, DomainEvent::EventPurged(_)) => *map = None,
        (None, DomainEvent::EventCreated(created)) => {
            *map = Some(SeatMap::created(created, sequence).unwrap());
        }
        (Some(map), fact) => drop(map.apply(fact, sequence).unwrap()),
        (None, fact) => panic!("{fact:?} of nothing"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the order of holds, changes of the definition, reservations and cancellations: a reservation costs what
    /// its seats cost and what its buyer was told, and what is cancelled sums to it when no seat is left, in one currency.
    #[test]
    fn money_stays_what_it_was(steps in prop::collection::vec(step(), 1..80)) {
        let mut given = nothing().and(Command::Provision { definition: Box::new(show()) });
        let (mut latest, mut books) = (HashMap::new(), HashMap::new());
        for (n, (command, later)) in (0_u128..).zip(steps) {
            given.now += later;
            let command = freshen(command, Uuid::from_u128(0x1000 + n), &mut latest);
            let Ok((answer, events)) = given.attempt(&command) else { continue };
            book(&mut books, &answer, &events);
        }
        for (reservation, account) in &books {
            let left = given.state.reservations.contains_key(reservation);
            prop_assert!(account.cancelled <= account.created, "{:?}", account);
            prop_assert!(left || account.cancelled == account.created, "{:?}", account);
        }
    }
}

/// What was told about a reservation.
#[derive(Debug, Default)]
struct Account {
    reserved: u64,
    created: u64,
    cancelled: u64,
    /// Of it, because the payment failed.
    failed: u64,
    currency: String,
}

fn book(books: &mut HashMap<Uuid, Account>, answer: &Answer, events: &[Envelope]) {
    for event in events {
        match &event.event {
            DomainEvent::SeatReserved(e) => {
                let account = books.entry(e.reservation_id.uuid()).or_default();
                account.reserved += e.amount;
                account.currency.clone_from(&e.currency);
            }
            DomainEvent::ReservationCreated(e) => {
                let account = books.entry(e.reservation_id.uuid()).or_default();
                account.created = e.amount;
                assert_eq!((account.reserved, &account.currency), (e.amount, &e.currency));
                let told = match answer {
                    Answer::Reserved { seats, currency, .. } => {
                        (seats.iter().map(|seat| seat.amount).sum(), currency.clone())
                    }
                    // Who paid late gets the seats at the prices that they had.
                    Answer::Reinstatement { .. } => failed_price(books, e),
                    other => panic!("{other:?}"),
                };
                assert_eq!(told, (e.amount, e.currency.clone()));
            }
            DomainEvent::ReservationCancelled(e) => {
                let account = books.entry(e.reservation_id.uuid()).or_default();
                account.cancelled += e.amount;
                if e.reason == Some(ReleaseReason::PaymentFailed) {
                    account.failed += e.amount;
                }
                assert_eq!(account.currency, e.currency);
            }
            // Nothing of it comes back.
            DomainEvent::EventPurged(_) => books.clear(),
            _ => {}
        }
    }
}

/// What a reservation whose payment failed had cost when it was taken back.
fn failed_price(books: &HashMap<Uuid, Account>, e: &ReservedSeats) -> (u64, String) {
    let Some(PaidBy::Reservation(paid)) = &e.paid_by else { panic!("{e:?}") };
    let account = &books[&paid.parse::<ReservationId>().unwrap().uuid()];
    (account.failed, account.currency.clone())
}

fn agrees(map: &SeatMap, state: &SeatingEventState) {
    for (seat, shown) in map.chart().seats().zip(map.statuses()) {
        let status = match state.seats.get(&seat.key()) {
            None | Some(Seat::Lapsed { .. }) => "AVAILABLE",
            Some(Seat::Held { .. }) => "HELD",
            Some(Seat::Reserved { .. }) => "RESERVED",
            Some(Seat::Blocked { .. }) => "BLOCKED",
        };
        assert_eq!(shown.as_str(), status, "{}", seat.key());
    }
    let counts = map.counts();
    assert_eq!(counts.total, counts.available + counts.held + counts.reserved + counts.blocked);
    assert_eq!(map.sequence, state.sequence);
}
