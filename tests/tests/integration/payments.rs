//! What the command worker does about payments, as a process on a real Redis and a real Kafka.
#![expect(clippy::print_stderr, reason = "the figures are of interest also where the test passes")]

use std::time::{Duration, Instant};

use boxoffice_domain::events::{PaidBy, Payment, PaymentFailure, ReleaseReason, VERSION};
use boxoffice_domain::{DomainEvent, Envelope, Metadata, ReservationId};
use boxoffice_runtime::clock;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::encode;
use boxoffice_tests::servers::{Redis, Server};
use boxoffice_tests::wait::until;
use uuid::Uuid;

use crate::sale_support::{Sale, is_cancelled};

impl Sale {
    /// The gateway's word about a reservation.
    async fn pay(&self, event: DomainEvent) -> Envelope {
        let correlation_id = "order-17".parse().unwrap();
        let metadata =
            Metadata { correlation_id, causation_id: Uuid::new_v4(), user_id: None, sequence: None };
        let timestamp = clock::now();
        let envelope = Envelope { event_id: Uuid::new_v4(), timestamp, version: VERSION, metadata, event };
        self.publish(&envelope).await;
        envelope
    }

    async fn publish(&self, envelope: &Envelope) {
        let record = encode(envelope, 1, "test/payments", None).unwrap();
        self.topics.log.publish(&self.topics.payments, vec![record]).await.unwrap();
    }

    fn payment(&self, reservation: &ReservationId) -> Payment {
        Payment {
            reservation_id: reservation.clone(),
            event_id: self.event.clone(),
            user_id: "alice".parse().unwrap(),
            amount: 12_000,
            currency: "EUR".into(),
            payment_id: Some("pay-1".into()),
            reason: None,
            late: false,
        }
    }

    async fn fail(&self, reservation: &ReservationId) -> Envelope {
        let reason = Some(PaymentFailure::Timeout);
        self.pay(DomainEvent::PaymentFailed(Payment { reason, ..self.payment(reservation) })).await
    }

    async fn pay_late(&self, reservation: &ReservationId) -> Envelope {
        self.pay(DomainEvent::PaymentCompleted(Payment { late: true, ..self.payment(reservation) })).await
    }

    async fn measured(&self, name: &str) -> Option<u64> {
        let metrics = self.client.get(format!("{}/metrics", self.worker.watched));
        let text = metrics.send().await.ok()?.text().await.ok()?;
        let name = format!("boxoffice_payments_{name}_total ");
        text.lines().find_map(|line| line.strip_prefix(&name)?.trim().parse().ok())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payment_that_fails_gives_the_seat_back_at_once() {
    let sale = Sale::open(4).await;
    let first = sale.sell(1).await;
    // The group is joined by then.
    sale.fail(&first).await;
    sale.until_fact("the first is cancelled", |event| is_cancelled(event, &first)).await;
    let reservation = sale.sell(2).await;
    let (failed, begun) = (sale.fail(&reservation).await, Instant::now());
    until("the seat is free", async || {
        let (_, counts) = sale.worker.counts(&sale.event).await.unwrap();
        (counts.reserved == 0).then_some(())
    })
    .await;
    let took = begun.elapsed();
    eprintln!("a payment that failed gave the seat back within {took:?}");
    assert!(took < Duration::from_secs(4), "{took:?}");
    let facts = sale.until_fact("cancelled", |event| is_cancelled(event, &reservation)).await;
    let [.., released, cancelled] = facts.as_slice() else { panic!("{facts:?}") };
    for fact in [released, cancelled] {
        let Metadata { correlation_id, causation_id, user_id, .. } = &fact.metadata;
        assert_eq!((correlation_id.as_str(), *causation_id), ("order-17", failed.event_id));
        assert_eq!(*user_id, None);
    }
    let DomainEvent::ReservationCancelled(cancelled) = &cancelled.event else { panic!("{cancelled:?}") };
    assert_eq!((cancelled.amount, cancelled.reason), (12_000, Some(ReleaseReason::PaymentFailed)));
    sale.post(2, "hold").await;
}

/// Sells as many places and lets every payment fail; `disturb` is called twice while the seats are given back.
async fn fails_all(sale: &mut Sale, places: u32, mut disturb: impl AsyncFnMut(&mut Sale)) {
    let mut sold = vec![];
    for place in 1..=places {
        sold.push(sale.sell(place).await);
    }
    for reservation in &sold {
        sale.fail(reservation).await;
    }
    for disturbances in 1..=2 {
        let some = usize::try_from(places * disturbances / 3).unwrap();
        until("some are cancelled", async || {
            let facts = sale.facts().await;
            let is_any = |fact: &&Envelope| matches!(fact.event, DomainEvent::ReservationCancelled(_));
            (facts.iter().filter(is_any).count() >= some).then_some(())
        })
        .await;
        disturb(sale).await;
    }
    let last = sold.last().unwrap();
    let facts = sale.until_fact("the last is cancelled", |event| is_cancelled(event, last)).await;
    for reservation in &sold {
        let cancelled = facts.iter().filter(|fact| is_cancelled(&fact.event, reservation));
        assert_eq!(cancelled.count(), 1, "{reservation}");
    }
    let (_, counts) = until("it answers", async || sale.worker.counts(&sale.event).await.ok()).await;
    assert_eq!(counts.available, u64::from(places));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_in_between_does_it_once() {
    let mut sale = Sale::open(120).await;
    fails_all(&mut sale, 120, async |sale| sale.worker.restart().unwrap()).await;
}

/// It has nothing when it comes back: what was not on the log is done again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn i7_a_redis_that_loses_everything_in_between_does_it_once() {
    let mut redis = Server::start(Redis::default()).await.unwrap();
    let mut sale = Sale::on(&redis.address(), 120).await;
    fails_all(&mut sale, 120, async |_| {
        redis.kill();
        redis.restart().await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_late_payment_gets_its_seat_again_or_is_refused_and_a_repeat_finds_the_same() {
    let mut sale = Sale::open(4).await;
    let (lucky, gone) = (sale.sell(1).await, sale.sell(2).await);
    sale.fail(&lucky).await;
    sale.fail(&gone).await;
    sale.until_fact("both are cancelled", |event| is_cancelled(event, &gone)).await;
    sale.post(2, "hold").await;
    let late = [sale.pay_late(&lucky).await, sale.pay_late(&gone).await];
    let is_refused = |event: &DomainEvent| matches!(event, DomainEvent::ReservationNotReinstated(_));
    let facts = sale.until_fact("the second is refused", is_refused).await;
    let types: Vec<_> = facts.iter().map(|fact| fact.event.event_type()).collect();
    let answered = ["seat.held", "seat.reserved", "reservation.created", "reservation.not_reinstated"];
    assert_eq!(types[types.len() - 4..], answered);
    let DomainEvent::ReservationCreated(created) = &facts[facts.len() - 2].event else { panic!("{facts:?}") };
    assert_eq!(created.paid_by, Some(PaidBy::Reservation(lucky.to_string())));
    let DomainEvent::ReservationNotReinstated(refused) = &facts[facts.len() - 1].event else {
        panic!("{facts:?}")
    };
    assert_eq!((&refused.reservation_id, refused.payment_id.as_str()), (&gone, "pay-1"));

    for late in &late {
        sale.publish(late).await;
    }
    until("both come again", async || sale.measured("repeated").await.filter(|repeated| *repeated == 2))
        .await;
    assert_eq!(sale.facts().await, facts);
    // What is done is committed: a worker that takes over begins behind it.
    let third = sale.sell(3).await;
    sale.worker.restart().unwrap();
    sale.worker.ready().await.unwrap();
    sale.fail(&third).await;
    sale.until_fact("the third is cancelled", |event| is_cancelled(event, &third)).await;
    let again = sale.measured("repeated").await.unwrap();
    assert!(again <= 2, "{again} payments were taken in again");
}
