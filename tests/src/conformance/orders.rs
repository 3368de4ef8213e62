//! What every place tells from which orders are read. An implementation brings a [`Fixture`] and names it in
//! [`orders_conformance!`](crate::orders_conformance), which makes one test of each behaviour.
#![expect(clippy::unwrap_used, clippy::missing_panics_doc, reason = "a suite panics where a test would")]

use async_trait::async_trait;
use boxoffice_domain::events::{HoldExtended, PaidBy, Payment, PaymentFailure, ReleaseReason, ReservedSeats};
use boxoffice_domain::{DomainEvent, Envelope, HoldId, PaymentState, ReservationId, SeatId, UserId};
use boxoffice_query::orders::{MOST_EVENTS, MOST_PAYMENTS, MOST_RESERVATIONS, Orders, Reservation};
use uuid::Uuid;

use crate::history::{History, NOW, PRICE};

/// Orders of its own for one test.
#[async_trait]
pub trait Fixture: Sized {
    /// None yet.
    async fn fresh() -> Self;
    /// Where they are read.
    fn orders(&self) -> &dyn Orders;
    /// The seat view takes in these events of a SeatingEvent, which are the next ones of their topic: payments have one of their
    /// own.
    async fn happen(&self, events: &[Envelope]);
}

fn alice() -> UserId {
    "alice".parse().unwrap()
}

fn bob() -> UserId {
    "bob".parse().unwrap()
}

/// A SeatingEvent with this many seats.
async fn show<F: Fixture>(fixture: &F, seats: u32) -> History {
    let mut history = History::new("arena-night");
    let created = history.created(seats);
    fixture.happen(&[history.next(created)]).await;
    history
}

fn id(history: &History, number: u32) -> ReservationId {
    history.reservation(number).reservation_id
}

/// A reservation of bob's, made `after` the beginning.
fn of_bob(history: &mut History, number: u32, after: u64) -> Envelope {
    let reservation = ReservedSeats { user_id: bob(), ..history.reservation(number) };
    let event = history.next(DomainEvent::ReservationCreated(reservation));
    Envelope { timestamp: NOW + after, ..event }
}

async fn one<F: Fixture>(fixture: &F, id: ReservationId) -> Reservation {
    let found = fixture.orders().reservations(std::slice::from_ref(&id)).await.unwrap();
    assert_eq!(found.len(), 1, "{id}");
    found.into_iter().next().unwrap()
}

/// A reservation is told with all that it has, and those of a user newest first.
pub async fn reservations_are_told_by_id_and_by_user<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    fixture.happen(&history.sold(1)).await;
    fixture.happen(&history.sold(2)).await;
    let bobs = of_bob(&mut history, 3, 60_000);
    fixture.happen(&[bobs]).await;

    let first = one(fixture, id(&history, 1)).await;
    assert_eq!((first.user, first.seats), (alice(), vec![history.seat(1)]));
    assert_eq!((first.amount, first.currency.as_str(), first.created_at), (PRICE, "EUR", NOW + 4));
    assert_eq!((first.cancelled_at, first.paid_by, first.payment), (None, None, None));

    let of_alice = fixture.orders().reservations_of(&alice()).await.unwrap();
    let ids: Vec<_> = of_alice.into_iter().map(|reservation| reservation.id).collect();
    assert_eq!(ids, [id(&history, 2), id(&history, 1)]);
    assert!(fixture.orders().reservations_of(&"carol".parse().unwrap()).await.unwrap().is_empty());
    let both = [id(&history, 1), id(&history, 4), id(&history, 3)];
    assert_eq!(fixture.orders().reservations(&both).await.unwrap().len(), 2, "one was never made");
    assert!(fixture.orders().reservations(&[]).await.unwrap().is_empty());
}

/// What is cancelled is taken off; the last seat ends the reservation.
pub async fn a_cancelled_reservation_stays<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    let both = ReservedSeats {
        seat_ids: vec![history.seat(1), history.seat(2)],
        amount: 2 * PRICE,
        paid_by: Some(PaidBy::Counter),
        ..history.reservation(1)
    };
    let reason = Some(ReleaseReason::Cancelled);
    let one_seat = ReservedSeats { reason, ..history.reservation(1) };
    let other = ReservedSeats { seat_ids: vec![history.seat(2)], ..one_seat.clone() };
    let created = history.next(DomainEvent::ReservationCreated(both));
    let partly = history.next(DomainEvent::ReservationCancelled(one_seat));
    fixture.happen(&[created, partly]).await;
    let left = one(fixture, id(&history, 1)).await;
    assert_eq!((left.seats, left.amount, left.cancelled_at), (vec![history.seat(2)], PRICE, None));
    assert_eq!(left.paid_by, Some(PaidBy::Counter));
    fixture.happen(&[history.next(DomainEvent::ReservationCancelled(other))]).await;
    let ended = one(fixture, id(&history, 1)).await;
    assert_eq!((ended.seats, ended.amount), (vec![], 0));
    assert_eq!(ended.cancelled_at, Some(NOW + 4));
}

/// A reservation has the payment that is known of it.
pub async fn a_payment_stands_beside_its_reservation<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    fixture.happen(&history.sold(1)).await;
    fixture.happen(&history.sold(2)).await;
    let payment = |number| Payment { payment_id: Some("pay-1".into()), ..history.payment(number) };
    let requested = history.unnumbered(history.payment_requested(1));
    fixture.happen(&[requested]).await;
    let told = one(fixture, id(&history, 1)).await.payment.unwrap();
    assert_eq!((told.state, told.charged, told.refunded), (PaymentState::Requested, 0, 0));
    fixture
        .happen(&[
            history.unnumbered(DomainEvent::PaymentCompleted(payment(1))),
            history.unnumbered(DomainEvent::PaymentRequested(payment(2))),
            history.unnumbered(DomainEvent::PaymentFailed(Payment {
                reason: Some(PaymentFailure::Declined),
                ..payment(2)
            })),
        ])
        .await;
    let told = one(fixture, id(&history, 1)).await.payment.unwrap();
    assert_eq!((told.state, told.charged, told.reason), (PaymentState::Paid, PRICE, None));
    let told = one(fixture, id(&history, 2)).await.payment.unwrap();
    assert_eq!((told.state, told.reason), (PaymentState::Declined, Some(PaymentFailure::Declined)));
}

/// A cancellation alone is no payment: nobody asked for one.
pub async fn a_cancellation_makes_no_payment<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    fixture.happen(&history.sold(1)).await;
    let reason = Some(ReleaseReason::Cancelled);
    let cancelled = ReservedSeats { reason, ..history.reservation(1) };
    fixture.happen(&[history.next(DomainEvent::ReservationCancelled(cancelled))]).await;
    assert_eq!(one(fixture, id(&history, 1)).await.payment, None);
    assert!(fixture.orders().sums(0).await.unwrap().is_empty());
    assert!(fixture.orders().payments(0, None).await.unwrap().is_empty());
}

/// A hold is there with its seats until it ends, by whatever it ends.
pub async fn holds_are_told_until_they_end<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    let hold = |number: u32| HoldId::new(history.event.clone(), Uuid::from_u128(u128::from(number)));
    let (one, two) = (hold(1), hold(2));
    let mut grown = history.held(3);
    if let DomainEvent::SeatHeld(held) = &mut grown {
        held.hold_id = one.clone();
    }
    let extended = DomainEvent::HoldExtended(HoldExtended {
        hold_id: one.clone(),
        event_id: history.event.clone(),
        user_id: alice(),
        seat_ids: vec![history.seat(1), history.seat(3)],
        expires_at: NOW + 600_000,
    });
    let first = [history.held(1), history.held(2), grown, extended].map(|event| history.next(event));
    fixture.happen(&first).await;
    let told = async || {
        let holds = fixture.orders().holds_of(&alice()).await.unwrap();
        let told = holds.into_iter().map(|hold| {
            assert_eq!(hold.currency.as_deref(), Some("EUR"));
            let seats = hold.seats.into_iter().map(|seat| {
                assert_eq!(seat.amount, Some(PRICE), "an extension does not say it again");
                seat.id
            });
            (hold.id, seats.collect::<Vec<_>>(), hold.expires_at)
        });
        told.collect::<Vec<_>>()
    };
    let seats = |numbers: &[u32]| numbers.iter().map(|number| history.seat(*number)).collect::<Vec<SeatId>>();
    let (both, single) = (seats(&[1, 3]), seats(&[2]));
    assert_eq!(
        told().await,
        [(one.clone(), both, NOW + 600_000), (two.clone(), single.clone(), NOW + 300_000)]
    );
    assert!(fixture.orders().holds_of(&bob()).await.unwrap().is_empty());
    let (released, reserved) = (history.released(3), history.reserved(1));
    fixture.happen(&[released, reserved].map(|event| history.next(event))).await;
    assert_eq!(told().await, [(two, single, NOW + 300_000)]);
    fixture.happen(&[history.next(history.purged())]).await;
    assert_eq!(told().await, []);
}

/// A chain is told oldest first; of a user what names that user.
pub async fn a_chain_is_told_whole_or_as_a_user_sees_it<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    history.correlation = "order-17".parse().unwrap();
    let mut blocked = history.next(history.held(1));
    let sold = history.sold(2);
    // The seat of one user came back because another one asked for it.
    let mut lapsed = history.next(history.released(2));
    lapsed.metadata.user_id = Some(bob());
    let bobs = of_bob(&mut history, 3, 60_000);
    let requested = history.unnumbered(history.payment_requested(2));
    blocked.metadata.user_id = None;
    fixture.happen(&[vec![blocked], sold.to_vec(), vec![lapsed, bobs]].concat()).await;
    let requested = Envelope { timestamp: NOW + 60_001, ..requested };
    fixture.happen(&[requested]).await;

    let chain = "order-17".parse().unwrap();
    let types = async |user: Option<&UserId>| {
        let events = fixture.orders().trace(&chain, user).await.unwrap();
        events.into_iter().map(|event| event.event_type).collect::<Vec<_>>()
    };
    let all = [
        "seat.held",
        "seat.held",
        "seat.reserved",
        "reservation.created",
        "seat.released",
        "reservation.created",
        "payment.requested",
    ];
    assert_eq!(types(None).await, all);
    assert_eq!(
        types(Some(&bob())).await,
        ["reservation.created"],
        "whose the seat was is nobody else's business"
    );
    assert_eq!(types(Some(&alice())).await.len(), 6);
    let other = fixture.orders().trace(&"another".parse().unwrap(), None).await.unwrap();
    assert!(other.is_empty());

    let events = fixture.orders().trace(&chain, None).await.unwrap();
    assert_eq!((events[1].sequence, &events[1].aggregate_id), (Some(3), &history.seat(2).to_string()));
    assert_eq!(
        (events[1].event_id, events[1].causation_id),
        (sold[0].event_id, sold[0].metadata.causation_id)
    );
    assert_eq!((events[6].sequence, &events[6].seating_event), (None, &history.event));
    assert_eq!((events[0].timestamp, events[6].user.clone()), (NOW + 2, Some(alice())));
}

/// One event more than are told says that there are more.
pub async fn a_long_chain_is_cut<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 4).await;
    let changes = [history.held(1), history.released(1)];
    let many: Vec<_> = (0..MOST_EVENTS + 5).map(|turn| history.next(changes[turn % 2].clone())).collect();
    fixture.happen(&many).await;
    let told = fixture.orders().trace(&history.correlation, None).await.unwrap();
    assert_eq!(told.len(), MOST_EVENTS + 1);
    assert_eq!(told[0].event_type, "event.created");
}

/// What was sold since then, by minute, less what was given back.
pub async fn sales_are_told_by_minute<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 9).await;
    let minute = NOW / 60_000 * 60_000;
    let made: Vec<_> = (1..)
        .zip([0, 59_999, 60_000, 240_000])
        .map(|(number, after)| Envelope { timestamp: minute + after, ..of_bob(&mut history, number, 0) })
        .collect();
    fixture.happen(&made).await;
    let reason = Some(ReleaseReason::Cancelled);
    let cancelled = ReservedSeats { user_id: bob(), reason, ..history.reservation(2) };
    fixture.happen(&[history.next(DomainEvent::ReservationCancelled(cancelled))]).await;
    let curve = fixture.orders().curve(&history.event, minute).await.unwrap();
    let told: Vec<_> = curve
        .iter()
        .map(|it| ((it.at - minute) / 60_000, it.reservations, it.seats, it.amount, it.currency.as_str()))
        .collect();
    assert_eq!(told, [(0, 2, 1, PRICE, "EUR"), (1, 1, 1, PRICE, "EUR"), (4, 1, 1, PRICE, "EUR")]);
    assert_eq!(fixture.orders().curve(&history.event, minute + 60_000).await.unwrap().len(), 2);
    assert!(fixture.orders().curve(&"another".parse().unwrap(), 0).await.unwrap().is_empty());
    let since = fixture.orders().reservations_since(minute + 60_000).await.unwrap();
    let ids: Vec<_> = since.into_iter().map(|reservation| reservation.id).collect();
    assert_eq!(ids, [id(&history, 4), id(&history, 3)]);
}

/// Payments since then, counted and listed by state.
pub async fn payments_are_told_by_state<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 9).await;
    for number in 1..=3 {
        fixture.happen(&history.sold(number)).await;
    }
    let at =
        |after: u64, event: DomainEvent| Envelope { timestamp: NOW + after, ..history.unnumbered(event) };
    let paid = |number| Payment { payment_id: Some(format!("pay-{number}")), ..history.payment(number) };
    let failed = Payment { reason: Some(PaymentFailure::Timeout), ..history.payment(3) };
    fixture
        .happen(&[
            at(1_000, DomainEvent::PaymentCompleted(paid(1))),
            at(2_000, DomainEvent::PaymentCompleted(paid(2))),
            at(3_000, DomainEvent::PaymentFailed(failed)),
        ])
        .await;
    let sums = async |since: u64| {
        let sums = fixture.orders().sums(NOW + since).await.unwrap();
        sums.into_iter().map(|sum| (sum.state, sum.count, sum.charged)).collect::<Vec<_>>()
    };
    assert_eq!(sums(0).await, [(PaymentState::Paid, 2, 2 * PRICE), (PaymentState::TimedOut, 1, 0)]);
    assert_eq!(sums(2_000).await, [(PaymentState::Paid, 1, PRICE), (PaymentState::TimedOut, 1, 0)]);
    let listed = async |state| {
        let payments = fixture.orders().payments(NOW, state).await.unwrap();
        payments.into_iter().map(|paid| (paid.reservation, paid.payment_id)).collect::<Vec<_>>()
    };
    let [first, second] = [1, 2].map(|number| (id(&history, number), Some(format!("pay-{number}"))));
    assert_eq!(listed(Some(PaymentState::Paid)).await, [second.clone(), first.clone()]);
    assert_eq!(listed(None).await, [(id(&history, 3), None), second, first]);
    assert!(listed(Some(PaymentState::Declined)).await.is_empty());
}

/// However much there is, an answer is bounded.
pub async fn lists_are_bounded<F: Fixture>(fixture: &F) {
    let mut history = show(fixture, 1).await;
    let many = u32::try_from(MOST_RESERVATIONS).unwrap() + 2;
    let made: Vec<_> = (1..=many).map(|number| of_bob(&mut history, number, u64::from(number))).collect();
    fixture.happen(&made).await;
    let charged: Vec<_> = (1..=many)
        .map(|number| history.unnumbered(DomainEvent::PaymentCompleted(history.payment(number))))
        .collect();
    fixture.happen(&charged).await;
    let of_bob = fixture.orders().reservations_of(&bob()).await.unwrap();
    assert_eq!((of_bob.len(), &of_bob[0].id), (MOST_RESERVATIONS, &id(&history, many)));
    assert_eq!(fixture.orders().reservations_since(0).await.unwrap(), of_bob);
    assert_eq!(fixture.orders().payments(0, None).await.unwrap().len(), MOST_PAYMENTS);
    assert_eq!(fixture.orders().sums(0).await.unwrap()[0].count, u64::from(many));
}

/// One test of each behaviour, on a [`Fixture`] in scope.
#[macro_export]
macro_rules! orders_conformance {
    ($fixture:ty) => {
        $crate::orders_conformance!(
            $fixture: reservations_are_told_by_id_and_by_user, a_cancelled_reservation_stays,
            a_payment_stands_beside_its_reservation, a_cancellation_makes_no_payment,
            holds_are_told_until_they_end, a_chain_is_told_whole_or_as_a_user_sees_it, a_long_chain_is_cut,
            sales_are_told_by_minute, payments_are_told_by_state, lists_are_bounded
        );
    };
    ($fixture:ty: $($behaviour:ident),+) => {$(
        #[tokio::test]
        async fn $behaviour() {
            let fixture = <$fixture as $crate::conformance::orders::Fixture>::fresh().await;
            $crate::conformance::orders::$behaviour(&fixture).await;
        }
    )+};
}
