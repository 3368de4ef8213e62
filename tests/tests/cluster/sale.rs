//! A seat is held, sold, refused to the next buyer, and everybody who should know learns of it.

use std::process::Command;

use boxoffice_crds::ReservationService;
use boxoffice_domain::DomainEvent;
use boxoffice_domain::events::ReleaseReason;
use boxoffice_tests::process::run;
use reqwest::Method;

use crate::support::{Cluster, assert_gapless, reserved_rows, setting, until};

#[tokio::test]
async fn a_seat_is_sold_and_everybody_learns_of_it() {
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let (seat, correlation) = (show.seat("A-1-7"), format!("sale-{}", show.id));
    let headers = [("x-correlation-id", correlation.as_str())];

    let (status, held) =
        service.command(Method::POST, &format!("/seats/{seat}/hold"), "alice", &headers).await;
    assert_eq!((status, held["sequence"].as_u64()), (200, Some(2)), "{held}");
    let (status, reserved) =
        service.command(Method::POST, &format!("/seats/{seat}/reserve"), "alice", &headers).await;
    assert_eq!((status, &reserved["correlationId"]), (200, &correlation.as_str().into()), "{reserved}");
    let (status, refused) = service.post(&format!("/seats/{seat}/hold"), "bob").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
    assert_eq!(refused["conflicts"][0]["seatId"], seat);

    until("the reservation is one row", async || {
        (reserved_rows(&cluster.reservations, &show.id).await == [(seat.clone(), 1)]).then_some(())
    })
    .await;
    service.shows(&seat, "RESERVED").await;
    until("the status counts it", async || {
        let seats = serde_json::to_value(show.resource().await.status).unwrap()["seats"].clone();
        (seats["reserved"] == 1 && seats["available"] == 89 && seats["held"] == 0).then_some(())
    })
    .await;
    until("statistics count it", async || {
        let counted = service.query(&format!("/events/{}/stats", show.id)).await;
        let section = counted["sections"].as_array()?.iter().find(|s| s["sectionId"] == "A")?.clone();
        (section["reserved"] == 1 && section["revenue"].is_null()).then_some(())
    })
    .await;
    until("operators are told the revenue", async || {
        let counted = service.figures(&format!("/admin/events/{}/stats", show.id)).await;
        let section = counted["sections"].as_array()?.iter().find(|s| s["sectionId"] == "A")?.clone();
        (section["revenue"] == 12000).then_some(())
    })
    .await;

    let name = format!("{}/main", service.namespace);
    until("the chain is drawn, through the API server", async || {
        let output = run("boxoffice", ["trace", &correlation, "--service", &name]).await.unwrap();
        let drawn = String::from_utf8_lossy(&output.stdout).into_owned();
        let facts = ["seat.held", "seat.reserved", "reservation.created"];
        facts.iter().all(|fact| drawn.contains(fact)).then_some(())
    })
    .await;

    let records = consumed_by_kafkas_own_tool(&cluster.kafka, "seat-events", &show.id);
    let told: Vec<_> = records
        .iter()
        .map(|r| (r["eventType"].as_str().unwrap(), r["metadata"]["sequence"].as_u64()))
        .collect();
    let expected = [
        ("event.created", Some(1)),
        ("seat.held", Some(2)),
        ("seat.reserved", Some(3)),
        ("reservation.created", Some(4)),
    ];
    assert_eq!(told, expected);
    assert!(
        records[1..].iter().all(|r| r["metadata"]["correlationId"] == correlation.as_str()),
        "{records:#?}"
    );
    show.remove().await;
}

#[tokio::test]
async fn a_sale_is_charged_and_mailed_in_one_chain() {
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let (seat, correlation) = (show.seat("A-1-7"), format!("paid-{}", show.id));
    let headers = [("x-correlation-id", correlation.as_str())];
    for verb in ["hold", "reserve"] {
        let path = format!("/seats/{seat}/{verb}");
        let (status, answer) = service.command(Method::POST, &path, "alice", &headers).await;
        assert_eq!(status, 200, "{answer}");
    }
    until("it is charged", async || {
        let told = show.facts("payment-events").await;
        let in_chain = told.iter().all(|fact| fact.metadata.correlation_id.as_str() == correlation);
        let kinds: Vec<_> = told.iter().map(|fact| fact.event.event_type()).collect();
        (in_chain && kinds == ["payment.requested", "payment.completed"]).then_some(())
    })
    .await;
    until("it is mailed", async || {
        let logs = ["--namespace", "tickets", "logs", "deployment/notification"];
        let output = Command::new("kubectl").args(logs).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let mails: Vec<_> = text.lines().filter(|line| line.contains(&correlation)).collect();
        let mailed = |what: &str| mails.iter().any(|mail| mail.contains(what));
        (mailed("Your seats are reserved") && mailed("Paid: 12000 EUR")).then_some(())
    })
    .await;
    show.remove().await;
}

#[tokio::test]
async fn payments_that_move_no_money_are_told_in_the_status() {
    let cluster = Cluster::connect().await;
    let service = cluster.api::<ReservationService>("tickets").get("main").await.unwrap();
    let conditions = &serde_json::to_value(service.status).unwrap()["conditions"];
    let told = conditions.as_array().unwrap().iter().find(|one| one["type"] == "SandboxPayments").unwrap();
    assert_eq!(told["status"], "True", "{told}");
}

#[tokio::test]
async fn kafkas_own_tool_shows_the_declared_groups_without_lag() {
    let cluster = Cluster::connect().await;
    let groups = [
        "seat-view",
        "reservation-persistence-service",
        "stats-service",
        "payment-service",
        "notification-service",
        "command-payments",
    ];
    for group in groups {
        until(&format!("group {group} has no lag"), async || {
            let table = kafka_tool(&[
                "ConsumerGroupCommand",
                "--bootstrap-server",
                &cluster.kafka,
                "--describe",
                "--group",
                group,
            ]);
            let lags: Vec<_> = table
                .lines()
                .filter(|line| line.split_whitespace().next() == Some(group))
                .filter_map(|line| line.split_whitespace().nth(5).map(str::to_owned))
                .collect();
            (!lags.is_empty() && lags.iter().all(|lag| lag == "0")).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_hold_that_is_left_alone_is_released() {
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|resource| resource["spec"]["hold"] = serde_json::json!({"ttlSeconds": 2})).await;
    let seat = show.seat("A-1-1");
    let (status, held) = service.post(&format!("/seats/{seat}/hold"), "alice").await;
    assert_eq!(status, 200, "{held}");
    service.shows(&seat, "HELD").await;
    service.shows(&seat, "AVAILABLE").await;
    let facts = show.facts("seat-events").await;
    assert_gapless(&facts);
    let released = facts.last().map(|fact| &fact.event);
    assert!(
        matches!(released, Some(DomainEvent::SeatReleased(e)) if e.reason == ReleaseReason::Expired),
        "{released:?}"
    );
    let (status, refused) = service.post(&format!("/seats/{seat}/reserve"), "alice").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("HOLD_EXPIRED")), "{refused}");
    show.remove().await;
}

#[test]
fn kubectl_shows_the_columns() {
    let kubectl = |kind: &str| {
        let output = Command::new("kubectl").args(["--namespace", "tickets", "get", kind]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let header = text.lines().next().unwrap_or_default().to_owned();
        header.split_whitespace().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(kubectl("rsvc"), ["NAME", "READY", "COMMAND", "QUERY", "LAG", "AGE"]);
    assert_eq!(
        kubectl("sevent"),
        ["NAME", "PHASE", "TOTAL", "AVAILABLE", "HELD", "RESERVED", "STARTS", "AGE"]
    );
    assert!(!setting("KUBECONFIG").is_empty());
}

/// The records of one key, by Kafka's console consumer.
fn consumed_by_kafkas_own_tool(kafka: &str, topic: &str, key: &str) -> Vec<serde_json::Value> {
    let arguments = [
        "ConsoleConsumer",
        "--bootstrap-server",
        kafka,
        "--topic",
        topic,
        "--from-beginning",
        "--timeout-ms",
        "5000",
    ];
    let print_key = ["--property", "print.key=true"];
    let output = kafka_tool(&[&arguments[..], &print_key[..]].concat());
    let of_key = output.lines().filter_map(|line| line.split_once('\t')).filter(|(k, _)| *k == key);
    of_key.map(|(_, value)| serde_json::from_str(value).unwrap()).collect()
}

fn kafka_tool(arguments: &[&str]) -> String {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/servers/kafka-tool");
    let output = Command::new(tool).args(arguments).output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}
