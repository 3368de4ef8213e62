//! The consumer worker as a process of its own, on real Kafka and PostgreSQL: what it shows after crashes, repeats,
//! poison and servers that are away.

use std::time::Duration;

use boxoffice_domain::DomainEvent;
use boxoffice_domain::events::{self, Incoming};
use boxoffice_domain::partition::partition_of;
use boxoffice_runtime::log::EventLog;
use boxoffice_runtime::record::NewRecord;
use boxoffice_tests::history::{History, PRICE, new_record};
use boxoffice_tests::servers::{self, Kafka, Postgres, Server, unique};
use boxoffice_tests::wait::{until, within};

use super::consumer_stage::{PARTITIONS, Stage, Worker, event_in, partition, sales};
use super::kafka_transactions::open_transaction;

const RESERVATIONS: &str = "SELECT count(*) FROM reservations";

#[tokio::test]
async fn a_reservation_becomes_one_row_within_a_second() {
    let stage = Stage::new("persistence").await;
    let mut worker = stage.ready().await;
    let mut history = History::new("arena-night");
    let created = history.created(10);
    stage.publish(&[history.next(created)]).await;
    stage.counts("SELECT count(*) FROM checkpoint_events", 1).await;

    stage.publish(&history.sold(1)).await;
    let row = within(Duration::from_secs(1), async || {
        stage.one::<(String, i64, String)>("SELECT status, amount, correlation_id FROM reservations").await
    });
    let row = row.await.unwrap();
    assert_eq!(row, ("CONFIRMED".into(), PRICE.cast_signed(), history.correlation.to_string()));

    let applied = "boxoffice_consumer_events_total{handler=\"persistence\",outcome=\"applied\"}";
    until("the metric counts", async || worker.metric(applied).await.filter(|count| *count >= 4.0)).await;
    assert!(worker.process.terminate().await.unwrap().success(), "SIGTERM ends it with 0");
}

#[tokio::test]
async fn i5_duplicates_on_the_topic_change_nothing() {
    let stage = Stage::new("stats").await;
    let worker = stage.ready().await;
    let events = sales("arena-night", 5);
    stage.publish(&events).await;
    stage.publish(&events[3..9]).await;
    stage.publish(&events).await;
    let duplicates = "boxoffice_consumer_events_total{handler=\"stats\",outcome=\"duplicate\"}";
    until("all repeats were seen", async || worker.metric(duplicates).await.filter(|count| *count >= 22.0))
        .await;
    let (log, repeated) = (worker.process.log(), &events[4]);
    let line = log.lines().find(|line| line.contains(&repeated.event_id.to_string()));
    assert!(line.is_some_and(|line| line.contains(repeated.event.event_type())), "{line:?}");
    let stats: (i64, i64, i64) =
        stage.one("SELECT available, reserved, revenue FROM section_stats").await.unwrap();
    assert_eq!(stats, (0, 5, 5 * PRICE.cast_signed()));
}

#[tokio::test]
async fn i5_kills_under_load_lose_nothing_and_double_nothing() {
    const SEATS: u32 = 400;
    const ROUNDS: usize = 4;
    let stage = Stage::new("persistence").await;
    let histories: Vec<_> = ["one", "two", "three"].map(|event| sales(event, SEATS)).into();
    let load = async {
        for chunk in 0..=SEATS as usize / 10 {
            for events in &histories {
                stage.publish(events.chunks(31).nth(chunk).into_iter().flatten()).await;
            }
        }
    };
    let kills = async {
        for round in 1..=ROUNDS {
            let mut worker = stage.start();
            let goal =
                i64::from(SEATS) * 3 * i64::try_from(round).unwrap() / i64::try_from(ROUNDS + 2).unwrap();
            until("some progress", async || stage.count(RESERVATIONS).await.filter(|count| *count >= goal))
                .await;
            worker.process.kill();
        }
    };
    tokio::join!(load, kills);
    let _worker = stage.start();
    stage.caught_up(1 + 3 * u64::from(SEATS), 3).await;
    assert_eq!(stage.count(RESERVATIONS).await, Some(3 * i64::from(SEATS)));
    assert_eq!(
        stage.count("SELECT count(*) FROM processed_events").await,
        Some(3 * (1 + 3 * i64::from(SEATS)))
    );
    assert_eq!(stage.count("SELECT count(*) FROM parked_events").await, Some(0));
}

const END_CONNECTIONS: &str = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
     WHERE application_name = 'boxoffice-consumer persistence'";

#[tokio::test]
async fn a_database_that_freezes_or_restarts_loses_nothing_and_doubles_nothing() {
    let mut server = Server::start(Postgres::default()).await.unwrap();
    let stage = Stage::on("persistence", format!("{}/postgres", server.address())).await;
    let mut worker = stage.ready().await;
    let events = sales("arena-night", 300);
    let mut parts = events.chunks(301);
    stage.publish(parts.next().unwrap()).await;
    stage.counts(RESERVATIONS, 100).await;

    // What is frozen is who accepts connections; those that the worker has end, and new ones hang.
    let mut ours = stage.pool.acquire().await.unwrap();
    server.pause();
    let ended: i64 = sqlx::query_scalar(END_CONNECTIONS).fetch_one(&mut *ours).await.unwrap();
    drop(ours);
    assert!(ended > 0);
    stage.publish(parts.next().unwrap()).await;
    let url = format!("{}/readyz", worker.metrics);
    until("the worker says that it is not ready", async || {
        reqwest::get(&url).await.ok().filter(|answer| answer.status().as_u16() == 503)
    })
    .await;
    server.resume();
    stage.counts("SELECT sequence FROM checkpoint_events", 602).await;

    server.kill();
    stage.publish(parts.next().unwrap()).await;
    server.restart().await.unwrap();
    stage.counts("SELECT sequence FROM checkpoint_events", 901).await;
    assert_eq!(stage.count(RESERVATIONS).await, Some(300));
    assert_eq!(stage.count("SELECT count(*) FROM parked_events").await, Some(0));
    worker.process.ready(&url).await.unwrap();
}

#[tokio::test]
async fn poison_is_parked_and_the_rest_goes_on() {
    let stage = Stage::new("seat-view").await;
    let worker = stage.ready().await;
    let mut history = History::new("arena-night");
    let created = history.created(10);
    stage.publish(&[history.next(created)]).await;
    let partition = partition_of("arena-night", PARTITIONS);
    let mut poison = new_record(&history.next(history.held(1)), partition);
    poison.value = b"}{".to_vec();
    let foreign = NewRecord {
        partition,
        key: String::new(),
        value: vec![0xff, 0x00],
        headers: vec![],
        timestamp: poison.timestamp,
    };
    stage.send(vec![poison, foreign]).await;
    let later = [history.held(2), history.released(1), history.held(3)].map(|event| history.next(event));
    stage.publish(&later).await;
    stage.counts("SELECT count(*) FROM seats WHERE status = 'HELD'", 2).await;
    let parked: (Vec<Option<String>>, Vec<i64>) = stage
        .one("SELECT array_agg(aggregate_id ORDER BY id), array_agg(record_offset ORDER BY id) FROM parked_events")
        .await
        .unwrap();
    let seat = Some("arena-night.A-1-1".to_owned());
    assert_eq!(parked, (vec![seat, None], vec![1, 2]), "later events of the seat are applied");
    let metric = "boxoffice_consumer_events_total{handler=\"seat-view\",outcome=\"parked\"}";
    assert_eq!(worker.metric(metric).await, Some(2.0));
    let row: (String, i64) =
        stage.one("SELECT status, sequence FROM seats WHERE seat_key = 'A-1-1'").await.unwrap();
    assert_eq!(row, ("AVAILABLE".into(), 4));
}

#[tokio::test]
async fn i5_a_gap_stops_its_partition_alone_and_is_alarmed() {
    let stage = Stage::new("persistence").await;
    let worker = stage.ready().await;
    let mut broken = sales("arena-night", 3);
    broken.remove(4);
    stage.publish(&broken).await;
    let other = event_in((partition(&broken[0]) + 1) % PARTITIONS);
    stage.publish(&sales(&other, 3)).await;
    stage.counts(RESERVATIONS, 1 + 3).await;
    let stops = "boxoffice_consumer_i5_stops_total{handler=\"persistence\"}";
    until("the alarm", async || worker.metric(stops).await.filter(|count| *count >= 1.0)).await;
    assert!(worker.process.log().contains("events are missing"));
    assert_eq!(stage.count("SELECT min(sequence) FROM checkpoint_events").await, Some(4));
}

#[tokio::test]
async fn stats_are_announced_in_the_chain_of_what_they_count() {
    let stage = Stage::new("stats").await;
    let _worker = stage.ready().await;
    let events = sales("arena-night", 2);
    stage.publish(&events).await;
    let partition = partition_of("arena-night", PARTITIONS);
    let mut tail = stage.log.tail(&stage.stats_topic, vec![(partition, 0)]).await.unwrap();
    let cause = &events[5];
    let announced = tokio::time::timeout(Duration::from_secs(30), async {
        loop {
            for record in tail.next(10).await.unwrap().records {
                let Ok(Incoming::Known(envelope)) = events::parse(&record.value) else { continue };
                assert_eq!(record.key, "arena-night");
                if let DomainEvent::StatsUpdated(stats) = &envelope.event
                    && stats.as_of_sequence == 6
                {
                    return envelope;
                }
            }
        }
    });
    let announced = announced.await.unwrap();
    assert_eq!(announced.metadata.causation_id, cause.event_id);
    assert_eq!(announced.metadata.correlation_id, cause.metadata.correlation_id);
    let DomainEvent::StatsUpdated(stats) = announced.event else { unreachable!() };
    let section = &stats.sections[0];
    assert_eq!((section.available, section.reserved, section.revenue), (0, 2, 2 * PRICE));
    stage.counts("SELECT count(*) FROM outbox", 0).await;
}

#[tokio::test]
async fn an_idle_group_has_no_lag_behind_the_ends_of_transactions() {
    let stage = Stage::new("persistence").await;
    let worker = stage.ready().await;
    let events = sales("arena-night", 4);
    let partition = partition_of("arena-night", PARTITIONS);
    let id = unique("owner");
    let mut appender = stage.log.appender(&id).await.unwrap();
    for events in events.chunks(3) {
        let records = events.iter().map(|event| new_record(event, partition)).collect();
        appender.append(&stage.topic, records).await.unwrap();
    }
    stage.counts(RESERVATIONS, 4).await;
    no_lag(&stage, &worker, partition).await;

    // Behind the last record is one that was never committed, and the end of that.
    let open = open_transaction(&servers::kafka(), &id, &stage.topic, partition).await;
    let before = stage.log.bounds(&stage.topic, partition).await.unwrap();
    stage.log.appender(&id).await.unwrap();
    until("the partition ends further on", async || {
        (stage.log.bounds(&stage.topic, partition).await.unwrap() != before).then_some(())
    })
    .await;
    no_lag(&stage, &worker, partition).await;
    stage.counts(RESERVATIONS, 4).await;
    drop(open);
}

/// Waits until the view, its group as Kafka's own tool sees it, and the worker's gauge are at the end of a partition.
async fn no_lag(stage: &Stage, worker: &Worker, partition: u32) {
    let offset = "SELECT sum(next_offset)::bigint FROM checkpoint_partitions";
    until("the checkpoint is at the end", async || {
        let mut ends = 0;
        for topic in [&stage.topic, &stage.payment_topic] {
            for partition in 0..PARTITIONS {
                ends += stage.log.bounds(topic, partition).await.unwrap().1;
            }
        }
        (stage.count(offset).await == Some(ends.cast_signed())).then_some(())
    })
    .await;
    let described = until("Kafka's tool sees no lag", async || {
        let mut tool = Kafka::tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand").unwrap();
        tool.args(["--bootstrap-server", &servers::kafka(), "--describe", "--group", &stage.group]);
        let said = tokio::process::Command::from(tool).output().await.unwrap();
        let said = String::from_utf8(said.stdout).unwrap();
        let lags = said.lines().filter_map(|line| line.split_whitespace().nth(5)?.parse::<u64>().ok());
        (lags.sum::<u64>() == 0 && said.contains(&stage.topic)).then_some(said)
    })
    .await;
    let (_, end) = stage.log.bounds(&stage.topic, partition).await.unwrap();
    let line = described.lines().find(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        words.get(1) == Some(&stage.topic.as_str()) && words.get(2) == Some(&partition.to_string().as_str())
    });
    assert_eq!(
        line.and_then(|line| line.split_whitespace().nth(3)),
        Some(end.to_string().as_str()),
        "{described}"
    );
    until("the gauges are 0", async || {
        let text = reqwest::get(format!("{}/metrics", worker.metrics)).await.ok()?.text().await.ok()?;
        let mut gauges = text.lines().filter(|line| line.starts_with("boxoffice_consumer_lag{")).peekable();
        gauges.peek()?;
        gauges.all(|line| line.ends_with(" 0")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_second_member_takes_over_from_one_that_froze() {
    let stage = Stage::new("persistence").await;
    let histories: Vec<_> = (0..PARTITIONS).map(|partition| sales(&event_in(partition), 20)).collect();
    let mut frozen = stage.ready().await;
    for events in &histories {
        stage.publish(&events[..31]).await;
    }
    stage.counts(RESERVATIONS, 30).await;
    let _second = stage.ready().await;
    frozen.process.pause();
    for events in &histories {
        stage.publish(&events[31..]).await;
    }
    stage.counts(RESERVATIONS, 60).await;
    frozen.process.resume();
    stage.publish(&histories[0][..4]).await;
    let url = format!("{}/readyz", frozen.metrics);
    frozen.process.ready(&url).await.unwrap();
    assert_eq!(stage.count(RESERVATIONS).await, Some(60));
}

#[tokio::test]
async fn payments_stand_beside_reservations_whichever_topic_is_read_first() {
    for handler in ["persistence", "seat-view"] {
        let stage = Stage::new(handler).await;
        let _worker = stage.ready().await;
        let mut history = History::new("arena-night");
        let requested = history.unnumbered(history.payment_requested(1));
        let completed = history.unnumbered(DomainEvent::PaymentCompleted(history.payment(1)));
        stage.publish_payments([&requested, &completed, &completed]).await;
        stage.counts("SELECT count(*) FROM payments WHERE state = 'PAID'", 1).await;
        let created = history.created(3);
        stage.publish(&[history.next(created)]).await;
        stage.publish(&history.sold(1)).await;
        let paid = "SELECT count(*) FROM reservations JOIN payments USING (reservation_id)
             WHERE state = 'PAID' AND charged = 12000 AND refunded = 0";
        stage.counts(paid, 1).await;
        let cancelled = history.next(DomainEvent::ReservationCancelled(history.reservation(1)));
        stage.publish([&cancelled]).await;
        let refund = history.unnumbered(DomainEvent::PaymentRefundRequested(history.payment(1)));
        stage.publish_payments([&refund, &refund]).await;
        let refunded = "SELECT count(*) FROM payments WHERE state = 'REFUND_REQUESTED' AND refunded = 12000";
        stage.counts(refunded, 1).await;
    }
}
