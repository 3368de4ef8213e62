//! A payment worker and a command worker, each a process, on real Kafka, Redis and PostgreSQL: what becomes of seats whose
//! payment is late. The time of the payments is their database's, and moved.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use boxoffice_domain::events::{PaidBy, PaymentFailure};
use boxoffice_domain::{DomainEvent, Envelope, ReservationId};
use boxoffice_tests::doubles::gateway::{Gateway, Manner, TOKEN};
use boxoffice_tests::groups::Begin;
use boxoffice_tests::wait::until;
use futures::StreamExt;
use futures::stream;

use crate::effects_support::{Stage, kinds, money};
use crate::sale_support::{Sale, is_cancelled};

const PRICE: u64 = 12_000;
const OPEN: &str = "SELECT count(*) FROM payments WHERE due IS NOT NULL";
const PAID: &str = "SELECT count(*) FROM payments WHERE state = 'PAID'";
const UNTOLD: &str = "SELECT count(*) FROM outbox";

/// The payments of a sale, whose clock can be moved.
async fn payments(sale: &Sale, gateway: &Gateway, begin: Begin) -> Stage {
    let settings = [("BOXOFFICE_PAYMENT_URL", gateway.url()), ("BOXOFFICE_PAYMENT_TOKEN", TOKEN.into())];
    Stage::beginning(&sale.topics, "payment", &settings, begin).await.with_clock().await
}

/// Sells these places, some side by side.
async fn sells(sale: &Sale, places: impl IntoIterator<Item = u32>) -> BTreeSet<String> {
    let sold = stream::iter(places).map(async |place| sale.sell(place).await.to_string());
    sold.buffer_unordered(8).collect().await
}

async fn reserved(sale: &Sale) -> u64 {
    sale.worker.counts(&sale.event).await.unwrap().1.reserved
}

/// What was announced about a payment.
async fn told(sale: &Sale, reservation: &ReservationId) -> Vec<Envelope> {
    sale.topics.payments().await.remove(&reservation.to_string()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_success_that_comes_late_gets_its_seat_again_or_is_asked_back() {
    let sale = Sale::open(4).await;
    let is_back = Arc::new(AtomicBool::new(false));
    let back = Arc::clone(&is_back);
    let manner = move |number| {
        if number < 2 && !back.load(Ordering::SeqCst) { Manner::Silent } else { Manner::Accepts }
    };
    let gateway = Gateway::start(manner).await;
    let stage = payments(&sale, &gateway, Begin::First).await;
    let _worker = stage.ready().await;
    let (lucky, gone) = (sale.sell(1).await, sale.sell(2).await);
    until("both are charged", async || (gateway.count() == 2).then_some(())).await;
    gateway.away(true);
    stage.move_clock(Duration::from_mins(16)).await;

    // They are let go, and somebody else gets the second one.
    for reservation in [&lucky, &gone] {
        let facts = sale.until_fact("it is let go", |event| is_cancelled(event, reservation)).await;
        let told = told(&sale, reservation).await;
        let [asked, failed] = told.as_slice() else { panic!("{told:?}") };
        assert!(
            matches!(&failed.event, DomainEvent::PaymentFailed(e) if e.reason == Some(PaymentFailure::Timeout))
        );
        let cancelled = facts.iter().find(|fact| is_cancelled(&fact.event, reservation)).unwrap();
        assert_eq!(cancelled.metadata.causation_id, failed.event_id);
        assert_eq!(cancelled.metadata.correlation_id, asked.metadata.correlation_id);
    }
    let other = sale.sell_to("bob", 2).await;

    // What was charged comes to light.
    is_back.store(true, Ordering::SeqCst);
    gateway.away(false);
    let is_refused = |event: &DomainEvent| matches!(event, DomainEvent::ReservationNotReinstated(_));
    let is_again = |event: &DomainEvent| match event {
        DomainEvent::ReservationCreated(e) => e.paid_by == Some(PaidBy::Reservation(lucky.to_string())),
        _ => false,
    };
    sale.until_fact("the first has its seat again", is_again).await;
    let facts = sale.until_fact("the second is refused", is_refused).await;
    stage.counts("SELECT count(*) FROM payments WHERE state = 'REINSTATED'", 1).await;
    stage
        .counts("SELECT count(*) FROM payments WHERE state = 'REFUND_REQUESTED' AND refunded = charged", 1)
        .await;
    stage.counts(PAID, 1).await;
    stage.counts(UNTOLD, 0).await;

    let [lucky, gone, other] = [&lucky, &gone, &other].map(|reservation| told(&sale, reservation));
    let (lucky, gone, other) = tokio::join!(lucky, gone, other);
    assert_eq!(kinds(&lucky), ["payment.requested", "payment.failed", "payment.completed"]);
    let (expected, refund) = gone.split_at(3);
    assert_eq!((kinds(expected), kinds(refund)), (kinds(&lucky), vec!["payment.refund_requested"]));
    assert_eq!((money(&lucky[2]), money(&gone[2])), ((true, PRICE), (true, PRICE)));
    let refused = facts.iter().find(|fact| is_refused(&fact.event)).unwrap();
    assert_eq!((refund[0].metadata.causation_id, money(&refund[0]).1), (refused.event_id, PRICE));
    // The other one began after the clock was moved, and behind its deadline: it is not let go.
    assert_eq!(kinds(&other), ["payment.requested", "payment.completed"]);
    assert_eq!((money(&other[1]), reserved(&sale).await), ((false, PRICE), 2));
    assert_eq!(gateway.wrongs(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_away_for_a_minute_costs_nobody_the_seat() {
    let sale = Sale::open(10).await;
    let gateway = Gateway::start(|_| Manner::Accepts).await;
    let stage = payments(&sale, &gateway, Begin::First).await;
    let _worker = stage.ready().await;
    gateway.away(true);
    let sold = sells(&sale, 1..=10).await;
    for _ in 0..2 {
        let tried = stage.count("SELECT sum(posts)::bigint FROM payments").await.unwrap_or_default();
        stage.move_clock(Duration::from_secs(30)).await;
        until("they are tried", async || {
            stage.count("SELECT sum(posts)::bigint FROM payments").await.filter(|now| *now > tried)
        })
        .await;
    }
    assert_eq!(gateway.count(), 0);
    gateway.away(false);
    stage.move_clock(Duration::from_mins(1)).await;
    stage.counts(PAID, 10).await;
    stage.counts(UNTOLD, 0).await;
    assert_eq!((gateway.charges().into_keys().collect::<BTreeSet<_>>(), reserved(&sale).await), (sold, 10));
    for (reservation, events) in sale.topics.payments().await {
        assert_eq!(kinds(&events), ["payment.requested", "payment.completed"], "{reservation}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_was_away_for_twenty_minutes_charges_all_that_was_sold_meanwhile() {
    const SEATS: u32 = 100;
    let sale = Sale::open(SEATS).await;
    let gateway = Gateway::start(|_| Manner::Stumbles).await;
    let stage = payments(&sale, &gateway, Begin::First).await;
    let mut worker = stage.ready().await;
    worker.process.kill();
    let sold = sells(&sale, 1..=SEATS).await;
    stage.move_clock(Duration::from_mins(20)).await;
    let _worker = stage.ready().await;
    stage.counts(PAID, SEATS.into()).await;
    stage.counts(OPEN, 0).await;
    stage.counts(UNTOLD, 0).await;
    assert_eq!(gateway.charges().into_keys().collect::<BTreeSet<_>>(), sold);
    for (reservation, events) in sale.topics.payments().await {
        assert_eq!(kinds(&events), ["payment.requested", "payment.completed"], "{reservation}");
        assert!(!money(&events[1]).0, "{reservation} is not late");
    }
    assert_eq!(reserved(&sale).await, u64::from(SEATS));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn payment_that_is_declared_on_a_service_with_sold_seats_touches_none_of_them() {
    let mut sale = Sale::without_payments(30).await;
    let before = sells(&sale, 1..=20).await;
    let sold = sale.sell(21).await;
    let gateway = Gateway::start(|_| Manner::Accepts).await;
    let stage = payments(&sale, &gateway, Begin::End).await;
    sale.reads_payments().await;
    let mut worker = stage.ready().await;
    let paid = sale.sell(22).await;
    stage.counts(PAID, 1).await;

    // Nor later, nor where one is given back, nor in another life of the worker.
    sale.cancel(&sold).await;
    stage.move_clock(Duration::from_mins(20)).await;
    assert!(worker.process.terminate().await.unwrap().success());
    let _worker = stage.ready().await;
    let last = sale.sell(23).await;
    stage.counts(PAID, 2).await;
    stage.counts(UNTOLD, 0).await;
    let charged: BTreeSet<_> = [paid, last].iter().map(ToString::to_string).collect();
    assert_eq!(gateway.charges().into_keys().collect::<BTreeSet<_>>(), charged);
    let told = sale.topics.payments().await;
    assert_eq!(told.keys().cloned().collect::<BTreeSet<_>>(), charged);
    assert!(
        told.values().all(|events| kinds(events) == ["payment.requested", "payment.completed"]),
        "{told:?}"
    );
    assert_eq!((before.len(), reserved(&sale).await), (20, 22));
}
