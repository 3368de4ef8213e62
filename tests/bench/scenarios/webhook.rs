//! Domain events over HTTP: how many a second a webhook worker delivers to a fast receiver, signatures, PostgreSQL and all.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use boxoffice_domain::Envelope;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_tests::doubles::receiver::{KEY, Manner, Receiver};
use boxoffice_tests::groups::{Begin, declare};
use boxoffice_tests::history::{History, new_record};
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::{Postgres, Server, free_port, topic_on, unique};
use boxoffice_tests::wait::within;

use super::Bench;
use crate::report::Figure;

const PARTITIONS: u32 = 4;
/// Events that wait when the worker begins, for each second of a load.
const EVENTS: u32 = 3_000;
/// Longest wait for all of them.
const PATIENCE: Duration = Duration::from_mins(3);

/// Deliveries a second, and what one costs.
///
/// # Errors
/// A program that is missing, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let (postgres, receiver) =
        (Server::start(Postgres { fsync: true }).await?, Receiver::start(|_, _| Manner::Takes).await);
    let kafka = bench.kafka.address();
    let seats = topic_on(&kafka, "seat-events", PARTITIONS).await?;
    let payments = topic_on(&kafka, "payment-events", PARTITIONS).await?;
    let (log, group) = (KafkaLog::new(&kafka)?, unique("webhook"));
    let events = bench.for_its_time(EVENTS);
    publish(&log, &seats, events).await?;
    declare(&log, &group, &[seats.clone(), payments.clone()], PARTITIONS, Begin::First).await?;

    let metrics = format!("127.0.0.1:{}", free_port()?);
    let environment = [
        ("BOXOFFICE_SERVICE", "bench/webhook".to_owned()),
        ("BOXOFFICE_HANDLER", "webhook".to_owned()),
        ("BOXOFFICE_GROUP", group),
        ("BOXOFFICE_START_FROM", "latest".to_owned()),
        ("BOXOFFICE_DATABASE_URL", format!("{}/postgres", postgres.address())),
        ("BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", kafka),
        ("BOXOFFICE_KAFKA_TOPIC", seats),
        ("BOXOFFICE_KAFKA_PAYMENT_TOPIC", payments),
        ("BOXOFFICE_METRICS_ADDR", metrics),
        ("BOXOFFICE_WEBHOOK_URL", receiver.url()),
        ("BOXOFFICE_WEBHOOK_KEY", KEY.to_owned()),
    ];
    let worker = Process::start("boxoffice-consumer", environment)?;
    let mut begun = None;
    let all = usize::try_from(events)?;
    let delivered = within(PATIENCE, async || {
        let count = receiver.count();
        if count > 0 && begun.is_none() {
            begun = Some((Instant::now(), count));
        }
        (count >= all).then_some(count)
    });
    let delivered = delivered.await;
    let delivered = delivered.with_context(|| format!("not all was delivered\n{}", worker.log()))?;
    let (begun, first) = begun.context("nothing was delivered")?;
    let took = begun.elapsed().as_secs_f64().max(0.001);
    ensure!(receiver.wrongs().is_empty(), "deliveries that are not signed: {:?}", receiver.wrongs());
    let cpu = worker.cpu_seconds()?;
    let (counted, count) = (u32::try_from(delivered - first)?, f64::from(events));
    Ok(vec![
        Figure::new("webhook, deliveries", f64::from(counted) / took, "1/s").at_least(1000.0),
        Figure::new("webhook, CPU of the worker", cpu * 1000.0 / count, "s/1000"),
        Figure::new("webhook, deliveries that were repeated", f64::from(u32::try_from(delivered - all)?), "")
            .at_most(0.0),
    ])
}

/// Seats that are held and released by turns.
async fn publish(log: &KafkaLog, topic: &str, events: u32) -> anyhow::Result<()> {
    let mut histories: Vec<_> = (0..8).map(|number| History::new(&format!("show-{number}"))).collect();
    let mut records = vec![];
    for number in 0..events {
        let show = (number % 8) as usize;
        let (history, seat) = (&mut histories[show], 1 + number / 16);
        let event = if number / 8 % 2 == 0 { history.held(seat) } else { history.released(seat) };
        let event: Envelope = history.next(event);
        records.push(new_record(&event, u32::try_from(show)? % PARTITIONS));
    }
    while !records.is_empty() {
        let batch = records.drain(..records.len().min(500)).collect();
        log.publish(topic, batch).await?;
    }
    Ok(())
}
