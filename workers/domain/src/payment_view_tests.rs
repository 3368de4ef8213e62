use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::events::{Metadata, VERSION};

const PRICE: u64 = 12_000;

fn arena() -> SeatingEventId {
    "arena-night".parse().unwrap()
}

fn id(number: u128) -> ReservationId {
    ReservationId::new(arena(), Uuid::from_u128(number))
}

fn payment(amount: u64) -> Payment {
    Payment {
        reservation_id: id(1),
        event_id: arena(),
        user_id: "alice".parse().unwrap(),
        amount,
        currency: "EUR".into(),
        payment_id: None,
        reason: None,
        late: false,
    }
}

fn requested() -> DomainEvent {
    DomainEvent::PaymentRequested(payment(2 * PRICE))
}

fn completed(late: bool) -> DomainEvent {
    DomainEvent::PaymentCompleted(Payment { late, payment_id: Some("p-1".into()), ..payment(2 * PRICE) })
}

fn failed(reason: PaymentFailure) -> DomainEvent {
    DomainEvent::PaymentFailed(Payment { reason: Some(reason), ..payment(2 * PRICE) })
}

fn refund(amount: u64) -> DomainEvent {
    DomainEvent::PaymentRefundRequested(payment(amount))
}

fn seats(number: u128, amount: u64, reason: Option<ReleaseReason>, paid_by: Option<PaidBy>) -> ReservedSeats {
    ReservedSeats {
        reservation_id: id(number),
        event_id: arena(),
        user_id: "alice".parse().unwrap(),
        seat_ids: vec![],
        amount,
        currency: "EUR".into(),
        paid_by,
        reason,
        note: None,
    }
}

fn created() -> DomainEvent {
    DomainEvent::ReservationCreated(seats(1, 2 * PRICE, None, None))
}

fn cancelled(amount: u64, reason: ReleaseReason) -> DomainEvent {
    DomainEvent::ReservationCancelled(seats(1, amount, Some(reason), None))
}

fn reinstated() -> DomainEvent {
    let paid_by = Some(PaidBy::Reservation(id(1).to_string()));
    DomainEvent::ReservationCreated(seats(2, 2 * PRICE, None, paid_by))
}

/// What comes of `events`, the one after the other, of which each happened at its number.
fn fold(events: &[(u64, DomainEvent)]) -> Option<PaymentView> {
    let envelope = |(timestamp, event): &(u64, DomainEvent)| Envelope {
        event_id: Uuid::nil(),
        timestamp: *timestamp,
        version: VERSION,
        metadata: Metadata {
            correlation_id: "c".parse().unwrap(),
            causation_id: Uuid::nil(),
            user_id: None,
            sequence: None,
        },
        event: event.clone(),
    };
    events.iter().filter(|(_, event)| paid_reservation(event) == Some(id(1))).fold(None, |view, event| {
        let after = PaymentView::after(view.clone(), &envelope(event));
        after.or(view)
    })
}

/// What the topics of seats and of payments say of a reservation, each in order, and what comes of it: the state, what
/// was charged and what is to be given back.
type Story = (Vec<DomainEvent>, Vec<DomainEvent>, PaymentState, u64, u64);

fn histories() -> Vec<Story> {
    use PaymentFailure::{Declined, Refused, Timeout};
    use ReleaseReason::{Admin, Cancelled, PaymentFailed};
    let all = 2 * PRICE;
    let by_failure = |failure, state| {
        (vec![created(), cancelled(all, PaymentFailed)], vec![requested(), failed(failure)], state, 0, 0)
    };
    vec![
        (vec![created()], vec![requested()], PaymentState::Requested, 0, 0),
        (vec![created()], vec![requested(), completed(false)], PaymentState::Paid, all, 0),
        by_failure(Declined, PaymentState::Declined),
        by_failure(Refused, PaymentState::Refused),
        by_failure(Timeout, PaymentState::TimedOut),
        // Cancelled before it was charged; one seat of two alone leaves the payment going.
        (vec![created(), cancelled(all, Cancelled)], vec![requested()], PaymentState::Cancelled, 0, 0),
        (
            vec![created(), cancelled(PRICE, Cancelled), cancelled(PRICE, Admin)],
            vec![requested(), failed(Timeout)],
            PaymentState::Cancelled,
            0,
            0,
        ),
        (vec![created(), cancelled(PRICE, Cancelled)], vec![requested()], PaymentState::Requested, 0, 0),
        (
            vec![created(), cancelled(PRICE, Cancelled), cancelled(PRICE, PaymentFailed)],
            vec![requested(), failed(Declined)],
            PaymentState::Declined,
            0,
            0,
        ),
        // Cancelled while or after it was charged.
        (
            vec![created(), cancelled(PRICE, Cancelled)],
            vec![requested(), completed(false), refund(PRICE)],
            PaymentState::RefundRequested,
            all,
            PRICE,
        ),
        (
            vec![created(), cancelled(PRICE, Cancelled), cancelled(PRICE, Admin)],
            vec![requested(), completed(false), refund(PRICE), refund(PRICE)],
            PaymentState::RefundRequested,
            all,
            all,
        ),
        // Late: the seats are given back to the buyer, or what was charged is.
        (
            vec![created(), cancelled(all, PaymentFailed), reinstated()],
            vec![requested(), failed(Timeout), completed(true)],
            PaymentState::Reinstated,
            all,
            0,
        ),
        (
            vec![created(), cancelled(all, PaymentFailed)],
            vec![requested(), failed(Timeout), completed(true), refund(all)],
            PaymentState::RefundRequested,
            all,
            all,
        ),
    ]
}

#[test]
fn every_history_ends_in_its_state() {
    for (seats, payments, state, charged, refunded) in histories() {
        let events: Vec<_> = (1..).zip(seats.into_iter().chain(payments)).collect();
        let view = fold(&events).unwrap();
        assert_eq!(view.state(), Some(state), "{events:?}");
        assert_eq!((view.charged.unwrap_or_default(), view.refunded), (charged, refunded), "{events:?}");
    }
}

#[test]
fn a_reservation_that_nobody_charges_has_no_state() {
    assert_eq!(fold(&[(1, created())]), None);
    let view = fold(&[(1, created()), (2, cancelled(PRICE, ReleaseReason::Cancelled))]).unwrap();
    assert_eq!((view.state(), view.reason()), (None, None));
    let counter = seats(1, PRICE, None, Some(PaidBy::Counter));
    assert_eq!(paid_reservation(&DomainEvent::ReservationCreated(counter)), None);
}

#[test]
fn a_failure_is_told_as_long_as_it_stands() {
    let view = fold(&[(1, failed(PaymentFailure::Timeout))]).unwrap();
    assert_eq!(view.reason(), Some(PaymentFailure::Timeout));
    let view = fold(&[(1, failed(PaymentFailure::Timeout)), (2, completed(true))]).unwrap();
    assert_eq!((view.reason(), view.state()), (None, Some(PaymentState::Paid)));
    assert_eq!((view.payment_id.as_deref(), view.updated_at), (Some("p-1"), 2));
}

#[test]
fn states_are_read_back_by_their_names() {
    for state in PaymentState::ALL {
        assert_eq!(state.as_str().parse(), Ok(state));
    }
    assert!("PAYED".parse::<PaymentState>().is_err());
}

proptest! {
    /// However the events of the two topics are interleaved, the payment is the same.
    #[test]
    fn the_topics_order_between_each_other_does_not_matter(
        which in 0_usize..13,
        picks in proptest::collection::vec(any::<bool>(), 8),
    ) {
        let (seats, payments, _, _, _) = histories().swap_remove(which);
        let in_order: Vec<_> = (1..).zip(seats.iter().chain(&payments).cloned()).collect();
        let (mut seats, mut payments) = {
            let mut numbered = in_order.clone();
            let payments = numbered.split_off(seats.len());
            (numbered.into_iter(), payments.into_iter())
        };
        let mut interleaved = vec![];
        for pick in picks {
            let (one, other) = if pick { (&mut seats, &mut payments) } else { (&mut payments, &mut seats) };
            interleaved.extend(one.next().or_else(|| other.next()));
        }
        interleaved.extend(seats.chain(payments));
        prop_assert_eq!(interleaved.len(), in_order.len());
        prop_assert_eq!(fold(&interleaved), fold(&in_order));
    }
}
