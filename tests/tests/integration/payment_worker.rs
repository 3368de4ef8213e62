//! The payment handler as a process of its own, on real Kafka and PostgreSQL, with a gateway that is not always kind.

use std::time::Duration;

use boxoffice_domain::events::ReservedSeats;
use boxoffice_domain::{DomainEvent, Envelope};
use boxoffice_tests::doubles::gateway::{Gateway, Manner, TOKEN};
use boxoffice_tests::doubles::receiver::{self, Receiver};
use boxoffice_tests::history::{History, PRICE};
use boxoffice_tests::wait::{until, within};

use crate::effects_support::{Stage, Topics, kinds, money};

const OPEN: &str = "SELECT count(*) FROM payments WHERE due IS NOT NULL";
const PAID: &str = "SELECT count(*) FROM payments WHERE state = 'PAID'";
const PARKED: &str = "SELECT count(*) FROM effect_lanes WHERE parked IS NOT NULL";

async fn stage(topics: &Topics, gateway: &Gateway) -> Stage {
    let settings = [("BOXOFFICE_PAYMENT_URL", gateway.url()), ("BOXOFFICE_PAYMENT_TOKEN", TOKEN.into())];
    Stage::new(topics, "payment", &settings).await
}

/// Seats 1 to `seats` are sold, each in a reservation of its own.
fn sales(event: &str, seats: u32) -> Vec<Envelope> {
    let mut history = History::new(event);
    let created = history.created(seats);
    let mut events = vec![history.next(created)];
    (1..=seats).for_each(|seat| events.extend(history.sold(seat)));
    events
}

#[tokio::test]
async fn killed_again_and_again_it_charges_each_reservation_once() {
    const SEATS: u32 = 50;
    let topics = Topics::new().await;
    let manners = [
        Manner::Accepts,
        Manner::Declines,
        Manner::Pending,
        Manner::Rubbish,
        Manner::Stumbles,
        Manner::Busy,
        Manner::Accepts,
        Manner::Hangs,
    ];
    let gateway = Gateway::start(move |number| manners[(number % 8) as usize]).await;
    let stage = stage(&topics, &gateway).await;
    topics.publish(&sales("one", SEATS)).await;
    for round in 1..=4_u32 {
        let mut worker = stage.start();
        if round == 3 {
            topics.publish(&sales("two", SEATS)).await;
            gateway.away(true);
        }
        let goal = (SEATS / 4 * round) as usize;
        until("some progress", async || (gateway.charges().len() >= goal || round >= 3).then_some(())).await;
        worker.process.kill();
    }
    let _worker = stage.start();
    until("it is read to the end", async || {
        stage.count("SELECT count(*) FROM payments").await.filter(|count| *count == 2 * i64::from(SEATS))
    })
    .await;
    gateway.away(false);
    stage.counts(OPEN, 0).await;
    stage.counts("SELECT count(*) FROM outbox", 0).await;

    assert_eq!(gateway.wrongs(), Vec::<String>::new());
    assert_eq!(stage.count(PARKED).await, Some(0));
    let (charges, told) = (gateway.charges(), topics.payments().await);
    assert_eq!((charges.len(), told.len()), (2 * SEATS as usize, 2 * SEATS as usize));
    for (reservation, charge) in &charges {
        let events = &told[reservation];
        let end = if charge.charged { "payment.completed" } else { "payment.failed" };
        assert_eq!(kinds(events), ["payment.requested", end], "{reservation}");
        assert_eq!(money(&events[1]), (false, PRICE));
        assert_eq!(events[1].metadata.causation_id, events[0].event_id);
        assert_eq!(events[1].metadata.correlation_id.as_str(), charge.correlation_id);
    }
    let paid = charges.values().filter(|charge| charge.charged).count();
    assert_eq!(stage.count(PAID).await, Some(i64::try_from(paid).unwrap()));
}

#[tokio::test]
async fn a_worker_that_was_away_charges_all_and_lets_none_go() {
    // Everything in a history happens years ago: all deadlines have passed when the worker begins.
    let topics = Topics::new().await;
    let gateway = Gateway::start(|_| Manner::Stumbles).await;
    let stage = stage(&topics, &gateway).await;
    topics.publish(&sales("arena-night", 100)).await;
    let _worker = stage.ready().await;
    stage.counts(PAID, 100).await;
    stage.counts("SELECT count(*) FROM outbox", 0).await;
    for (reservation, events) in topics.payments().await {
        assert_eq!(kinds(&events), ["payment.requested", "payment.completed"], "{reservation}");
        assert!(!money(&events[1]).0, "{reservation} is not late");
    }
}

#[tokio::test]
async fn a_cancellation_at_any_moment_is_refunded_exactly_where_it_was_charged() {
    let topics = Topics::new().await;
    // The second one to be charged hangs.
    let gateway = Gateway::start(|number| if number == 1 { Manner::Hangs } else { Manner::Accepts }).await;
    let stage = stage(&topics, &gateway).await;
    let _worker = stage.ready().await;
    let mut history = History::new("arena-night");
    let created = history.created(10);
    let mut events = vec![history.next(created)];

    // Before anything is posted; and a half of it.
    let two = ReservedSeats {
        seat_ids: vec![history.seat(2), history.seat(3)],
        amount: 2 * PRICE,
        ..history.reservation(2)
    };
    let half = ReservedSeats { seat_ids: vec![history.seat(3)], ..history.reservation(2) };
    let [whole, again] = [history.reservation(1), history.reservation(1)];
    for event in [
        DomainEvent::ReservationCreated(whole.clone()),
        DomainEvent::ReservationCancelled(again),
        DomainEvent::ReservationCreated(two.clone()),
        DomainEvent::ReservationCancelled(half),
    ] {
        events.push(history.next(event));
    }
    topics.publish(&events).await;
    stage.counts(PAID, 1).await;
    assert!(!gateway.charges().contains_key(&whole.reservation_id.to_string()), "it was never posted");
    assert_eq!(gateway.charges()[&two.reservation_id.to_string()].body["amount"], PRICE);

    // While the gateway hangs.
    let third = history.reservation(4);
    let key = third.reservation_id.to_string();
    topics.publish(&[history.next(DomainEvent::ReservationCreated(third.clone()))]).await;
    until("it is posted", async || gateway.charges().contains_key(&key).then_some(())).await;
    let cancelled = history.next(DomainEvent::ReservationCancelled(third.clone()));
    topics.publish(std::slice::from_ref(&cancelled)).await;

    // After it was charged.
    let rest = ReservedSeats { seat_ids: vec![history.seat(2)], ..history.reservation(2) };
    let late = history.next(DomainEvent::ReservationCancelled(rest));
    topics.publish(std::slice::from_ref(&late)).await;

    stage.counts("SELECT count(*) FROM payments WHERE state = 'REFUND_REQUESTED'", 2).await;
    stage.counts(OPEN, 0).await;
    stage.counts("SELECT count(*) FROM outbox", 0).await;
    let told = topics.payments().await;
    assert_eq!(kinds(&told[&whole.reservation_id.to_string()]), ["payment.requested"]);
    for (reservation, cause) in [(two, late), (third, cancelled)] {
        let events = &told[&reservation.reservation_id.to_string()];
        assert_eq!(kinds(events), ["payment.requested", "payment.completed", "payment.refund_requested"]);
        assert_eq!((money(&events[1]).1, money(&events[2]).1), (PRICE, PRICE));
        assert_eq!(events[2].metadata.causation_id, cause.event_id);
    }
    assert_eq!(gateway.wrongs(), Vec::<String>::new());
}

#[tokio::test]
async fn a_seat_is_held_reserved_charged_and_mailed_in_one_chain() {
    let (topics, gateway) = (Topics::new().await, Gateway::start(|_| Manner::Accepts).await);
    let receiver = Receiver::start(|_, _| receiver::Manner::Takes).await;
    let payment = stage(&topics, &gateway).await;
    let settings = [
        ("BOXOFFICE_WEBHOOK_URL", receiver.url()),
        ("BOXOFFICE_WEBHOOK_KEY", receiver::KEY.to_owned()),
        ("BOXOFFICE_WEBHOOK_EVENTS", "reservation.created,payment.completed".to_owned()),
    ];
    let webhook = Stage::new(&topics, "webhook", &settings).await;
    let (_payment, _webhook) = (payment.ready().await, webhook.ready().await);
    let mut history = History::new("arena-night");
    let created = history.created(3);
    let mut events = vec![history.next(created)];
    events.extend(history.sold(1));
    topics.publish(&events).await;
    let mailed = within(Duration::from_mins(1), async || (receiver.count() == 2).then(|| receiver.taken()));
    let mut mailed = mailed.await.unwrap();
    // What is on two topics comes in no order.
    mailed.sort_by_key(|taken| taken.lane.0);
    let reservation = history.reservation(1).reservation_id.to_string();
    for (taken, kind) in mailed.iter().zip(["reservation.created", "payment.completed"]) {
        assert_eq!((taken.kind.as_str(), taken.lane.1.as_str()), (kind, reservation.as_str()));
        assert_eq!(taken.correlation_id, history.correlation.as_str());
    }
    assert_eq!(receiver.wrongs(), Vec::<String>::new());
    assert_eq!(gateway.charges()[&reservation].correlation_id, history.correlation.as_str());
}

#[tokio::test]
async fn settings_that_cannot_be_used_end_it_with_the_reason() {
    let topics = Topics::new().await;
    let refused = async |settings: &[(&'static str, String)], reason: &str| {
        let mut worker = Stage::new(&topics, "payment", settings).await.start();
        assert!(!worker.process.ended().await.unwrap().success());
        assert!(worker.process.log().contains(reason), "{}", worker.process.log());
    };
    refused(&[], "--payment-sandbox").await;
    refused(&[("BOXOFFICE_PAYMENT_URL", "http://payments.example.com".into())], "plain text").await;
    let sandbox = ("BOXOFFICE_PAYMENT_SANDBOX", "true".to_owned());
    refused(&[sandbox.clone(), ("BOXOFFICE_START_FROM", "earliest".into())], "never begins at earliest")
        .await;
    refused(&[sandbox, ("BOXOFFICE_RESET_ID", "again".into())], "cannot be replayed").await;
}
