//! Deleted is not sold: in whatever order, with or without anybody who answers, and found again where it was sold all the
//! same.

use std::time::{Duration, Instant};

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::doubles::admin::{CommandWorkers, Manner};
use boxoffice_tests::kubernetes::gone;
use boxoffice_tests::servers::{Kafka, Server};
use boxoffice_tests::wait::within;
use futures::future::join_all;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret};
use kube::ResourceExt;
use kube::api::Api;
use serde_json::{Value, json};

use crate::support::{Kind, Operator, Plane, SOON, Stage, condition, service, show};

/// How long a deletion may take, of whatever and in whatever order.
const DELETION: Duration = Duration::from_secs(90);
/// How long a show waits for an answer, and a little more.
const SILENCE: Duration = Duration::from_secs(45);
/// How soon sales are looked at after a SeatingEvent went, and a little more.
const LOOKED_AT: Duration = Duration::from_secs(30);

/// A service whose topics outlive it.
async fn retaining(stage: &Stage, annotations: Value) {
    let mut resource = service(&stage.namespace, "main");
    resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!("Retain");
    resource["metadata"]["annotations"] = annotations;
    stage.plane.apply::<ReservationService>(&stage.namespace, &resource).await.unwrap();
    stage.plane.ready::<ReservationService>(&stage.namespace, "main").await;
}

/// Whether the sales of a show are closed; nothing where it is not there.
async fn is_closed(stage: &Stage, show: &str) -> Option<bool> {
    stage.workers.inventory(&stage.namespace, "main", show).await.map(|inventory| inventory.closed)
}

async fn closes(stage: &Stage, show: &str, patience: Duration) {
    let closed = within(patience, async || (is_closed(stage, show).await == Some(true)).then_some(()));
    assert!(closed.await.is_some(), "{show} is still on sale after {patience:?}");
}

/// Takes the object away without anybody's leave.
async fn force_away(stage: &Stage, show: &str) {
    stage.plane.delete::<SeatingEvent>(&stage.namespace, show).await;
    let free = json!({"metadata": {"finalizers": null}});
    drop(stage.plane.patch::<SeatingEvent>(&stage.namespace, show, &free).await);
    stage.plane.gone::<SeatingEvent>(&stage.namespace, show, SOON).await;
}

#[tokio::test]
async fn with_the_service_deleted_first_the_shows_close_and_applied_again_sold_seats_are_sold() {
    let stage = Stage::open("closing").await;
    retaining(&stage, json!({})).await;
    for name in ["arena", "opera"] {
        stage.show("main", name).await;
    }
    stage.workers.sell(&stage.namespace, "main", "arena", 2).await.unwrap();
    let began = Instant::now();
    stage.plane.delete::<ReservationService>(&stage.namespace, "main").await;
    for name in ["arena", "opera"] {
        stage.plane.delete::<SeatingEvent>(&stage.namespace, name).await;
    }
    for name in ["arena", "opera"] {
        stage.plane.gone::<SeatingEvent>(&stage.namespace, name, DELETION).await;
        assert_eq!(is_closed(&stage, name).await, Some(true), "{name}");
    }
    stage.plane.gone::<ReservationService>(&stage.namespace, "main", DELETION).await;
    assert!(began.elapsed() < DELETION, "{:?}", began.elapsed());

    retaining(&stage, json!({})).await;
    assert!(stage.workers.sell(&stage.namespace, "main", "arena", 1).await.is_err(), "nobody declared it");
    stage.show("main", "arena").await;
    let arena = stage.workers.inventory(&stage.namespace, "main", "arena").await.unwrap();
    assert_eq!((arena.closed, arena.seats.reserved), (false, 2));
    stage.workers.sell(&stage.namespace, "main", "arena", 1).await.unwrap();
}

#[tokio::test]
async fn a_namespace_is_deleted_in_time_and_its_shows_are_closed() {
    let stage = Stage::open_wide("closing").await;
    retaining(&stage, json!({})).await;
    stage.show("main", "arena").await;
    // Nothing says what goes first.
    stage.plane.delete::<Secret>(&stage.namespace, "main-admin-token").await;
    stage.plane.delete_namespace(&stage.namespace).await;
    gone(&Api::<Namespace>::all(stage.plane.client.clone()), &stage.namespace, DELETION).await;
    assert_eq!(is_closed(&stage, "arena").await, Some(true));
}

/// What a namespace's deletion takes one after the other, in an order that nobody knows.
#[derive(Debug, Clone, Copy)]
enum Part {
    Service,
    SeatingEvent,
    Secrets,
    Settings,
    Workers,
}

const PARTS: [Part; 5] = [Part::Service, Part::SeatingEvent, Part::Secrets, Part::Settings, Part::Workers];
/// How many services are deleted at once.
const AT_ONCE: usize = 10;

/// Every order of the parts.
fn orders(parts: &[Part]) -> Vec<Vec<Part>> {
    let Some((last, others)) = parts.split_last() else { return vec![Vec::new()] };
    let with_last =
        |order: Vec<Part>| (0..parts.len()).map(move |at| [&order[..at], &[*last], &order[at..]].concat());
    orders(others).into_iter().flat_map(with_last).collect()
}

/// As many orders as `BOXOFFICE_DELETIONS` says, which for `make soak` is every one, and a few for `make test`: spread over
/// all of them, each with its number.
fn chosen() -> Vec<(usize, Vec<Part>)> {
    let number = std::env::var("BOXOFFICE_DELETIONS").map_or(6, |number| number.parse().unwrap());
    let all = orders(&PARTS);
    let apart = all.len().div_ceil(number);
    all.into_iter().step_by(apart).enumerate().collect()
}

/// A service and its show of one name, both Ready.
async fn on_sale(plane: &Plane, namespace: &str, name: &str) {
    let mut resource = service(namespace, name);
    resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!("Retain");
    plane.apply::<ReservationService>(namespace, &resource).await.unwrap();
    plane.ready::<ReservationService>(namespace, name).await;
    plane.apply::<SeatingEvent>(namespace, &show(name, name)).await.unwrap();
    plane.ready::<SeatingEvent>(namespace, name).await;
}

/// Begins the deletion of what belongs to both, one part after the other.
async fn delete(plane: &Plane, namespace: &str, name: &str, order: &[Part]) {
    let labels = names::owned_by(name);
    for part in order {
        match part {
            Part::Service => plane.delete::<ReservationService>(namespace, name).await,
            Part::SeatingEvent => plane.delete::<SeatingEvent>(namespace, name).await,
            Part::Secrets => all_of::<Secret>(plane, namespace, &labels).await,
            Part::Settings => {
                plane.delete::<ConfigMap>(namespace, &names::record(name)).await;
                all_of::<ConfigMap>(plane, namespace, &labels).await;
            }
            Part::Workers => all_of::<Deployment>(plane, namespace, &labels).await,
        }
    }
}

async fn all_of<K: Kind>(plane: &Plane, namespace: &str, labels: &str) {
    for object in plane.list::<K>(namespace, labels).await {
        plane.delete::<K>(namespace, &object.name_any()).await;
    }
}

#[tokio::test]
async fn in_whatever_order_all_of_it_is_deleted_it_ends_in_time_and_no_show_sells_afterwards() {
    let stage = Stage::open("orders").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    for some in chosen().chunks(AT_ONCE) {
        let deleted = some.iter().map(async |(number, order)| {
            let name = format!("order-{number}");
            on_sale(plane, namespace, &name).await;
            delete(plane, namespace, &name, order).await;
            let show = plane.gone::<SeatingEvent>(namespace, &name, DELETION).await;
            let service = plane.gone::<ReservationService>(namespace, &name, DELETION).await;
            assert!(show + service < DELETION, "{order:?} took {:?}", show + service);
            let inventory = stage.workers.inventory(namespace, &name, &name).await;
            assert_eq!(inventory.map(|it| it.closed), Some(true), "{order:?} left {name} on sale");
            // The control plane's collector takes half a minute to know kinds that were defined just now.
            let gone = within(DELETION, async || {
                let left = plane.list::<Deployment>(namespace, &names::owned_by(&name)).await;
                left.is_empty().then_some(())
            });
            assert!(gone.await.is_some(), "{order:?} left workers");
        });
        join_all(deleted).await;
    }
}

/// Each in a namespace that goes right behind its parts, so that nothing of them can be made again.
#[tokio::test]
async fn in_whatever_order_its_parts_go_before_it_a_namespace_ends_in_time_and_no_show_sells_afterwards() {
    let (plane, workers) = (Plane::connect().await, CommandWorkers::start().await);
    for some in chosen().chunks(AT_ONCE) {
        let namespaces = join_all(some.iter().map(|_| plane.namespace("orders"))).await;
        let watched: Vec<_> = namespaces.iter().map(String::as_str).collect();
        let _operator = Operator::start_wide(&plane, &workers, &watched).await;
        let deleted = namespaces.iter().zip(some).map(async |(namespace, (_, order))| {
            on_sale(&plane, namespace, "main").await;
            delete(&plane, namespace, "main", order).await;
            plane.delete_namespace(namespace).await;
            gone(&Api::<Namespace>::all(plane.client.clone()), namespace, DELETION).await;
            let inventory = workers.inventory(namespace, "main", "main").await;
            assert_eq!(inventory.map(|it| it.closed), Some(true), "{order:?} left {namespace} on sale");
        });
        join_all(deleted).await;
    }
}

#[tokio::test]
async fn a_silent_worker_is_waited_for_half_a_minute_and_that_is_told() {
    let stage = Stage::open("closing").await;
    stage.service("main").await;
    stage.show("main", "arena").await;
    stage.workers.take(&stage.namespace, "main", Manner::Hangs);
    stage.plane.delete::<SeatingEvent>(&stage.namespace, "arena").await;
    let ready = within(Duration::from_secs(20), async || {
        let arena = stage.plane.get::<SeatingEvent>(&stage.namespace, "arena").await?;
        condition(&arena, "Ready").filter(|ready| ready["reason"] == "CommandUnreachable")
    });
    let ready = ready.await.expect("it says what it waits for");
    assert!(ready["message"].as_str().unwrap().contains("after 30 s"), "{ready}");
    let took = stage.plane.gone::<SeatingEvent>(&stage.namespace, "arena", SILENCE).await;
    stage.told::<SeatingEvent>("arena", "SalesNotClosed").await;
    assert!(took > Duration::from_secs(5), "{took:?}");
    stage.workers.take(&stage.namespace, "main", Manner::Answers);
}

#[tokio::test]
async fn a_show_of_a_service_that_is_not_there_goes_at_once() {
    let stage = Stage::open("closing").await;
    stage.plane.apply::<SeatingEvent>(&stage.namespace, &show("main", "arena")).await.unwrap();
    stage.plane.not_ready::<SeatingEvent>(&stage.namespace, "arena", "ServiceNotFound").await;
    stage.plane.delete::<SeatingEvent>(&stage.namespace, "arena").await;
    stage.plane.gone::<SeatingEvent>(&stage.namespace, "arena", SOON).await;
}

#[tokio::test]
async fn what_nobody_claims_is_named_then_closed_and_what_is_kept_is_kept() {
    let stage = Stage::open_with("closing", &["--unclaimed-sales-after", "20s"]).await;
    retaining(&stage, json!({"boxoffice.dev/keep-unclaimed": "opera"})).await;
    for name in ["arena", "opera"] {
        stage.show("main", name).await;
    }
    for name in ["arena", "opera"] {
        force_away(&stage, name).await;
    }
    let reason = Some("UnclaimedSales");
    let plane = &stage.plane;
    plane
        .condition::<ReservationService>(
            &stage.namespace,
            "main",
            "UnclaimedSales",
            "True",
            reason,
            LOOKED_AT,
        )
        .await;
    assert_eq!(is_closed(&stage, "arena").await, Some(false), "it is given time");
    stage.told::<ReservationService>("main", "UnclaimedSales").await;
    closes(&stage, "arena", Duration::from_secs(45)).await;
    stage.told::<ReservationService>("main", "UnclaimedSalesClosed").await;
    let kept = Some("Kept");
    plane
        .condition::<ReservationService>(&stage.namespace, "main", "UnclaimedSales", "True", kept, LOOKED_AT)
        .await;
    assert_eq!(is_closed(&stage, "opera").await, Some(false));
    for name in ["arena", "opera"] {
        stage.show("main", name).await;
        assert_eq!(is_closed(&stage, name).await, Some(false), "{name} is opened again");
    }
    let claimed = within(LOOKED_AT, async || {
        let main = plane.get::<ReservationService>(&stage.namespace, "main").await?;
        condition(&main, "UnclaimedSales").is_none().then_some(())
    });
    assert!(claimed.await.is_some(), "everything is claimed");
}

#[tokio::test]
async fn what_is_older_than_its_service_is_closed_at_once() {
    let stage = Stage::open("closing").await;
    retaining(&stage, json!({})).await;
    stage.show("main", "arena").await;
    stage.plane.delete::<ReservationService>(&stage.namespace, "main").await;
    stage.plane.gone::<ReservationService>(&stage.namespace, "main", DELETION).await;
    stage.plane.delete::<SeatingEvent>(&stage.namespace, "arena").await;
    stage.plane.gone::<SeatingEvent>(&stage.namespace, "arena", SOON).await;
    assert_eq!(is_closed(&stage, "arena").await, Some(false), "there was nobody to close it");
    retaining(&stage, json!({})).await;
    closes(&stage, "arena", LOOKED_AT).await;
    stage.told::<ReservationService>("main", "UnclaimedSalesClosed").await;
}

#[tokio::test]
async fn a_confirmed_show_is_purged_and_another_one_is_kept() {
    let stage = Stage::open("closing").await;
    stage.service("main").await;
    for (name, annotations) in
        [("arena", json!({"boxoffice.dev/confirm-delete": "arena"})), ("opera", json!({}))]
    {
        let mut resource = show("main", name);
        resource["spec"]["deletionPolicy"] = json!("Delete");
        resource["metadata"]["annotations"] = annotations;
        stage.plane.apply::<SeatingEvent>(&stage.namespace, &resource).await.unwrap();
        stage.plane.ready::<SeatingEvent>(&stage.namespace, name).await;
        stage.workers.sell(&stage.namespace, "main", name, 1).await.unwrap();
        stage.plane.delete::<SeatingEvent>(&stage.namespace, name).await;
        stage.plane.gone::<SeatingEvent>(&stage.namespace, name, SILENCE).await;
    }
    assert_eq!(is_closed(&stage, "arena").await, None, "its seats are forgotten");
    assert_eq!(is_closed(&stage, "opera").await, Some(true), "nobody confirmed it");
    stage.told::<SeatingEvent>("arena", "SeatsPurged").await;
    stage.told::<SeatingEvent>("opera", "SeatsKept").await;
    stage.show("main", "arena").await;
    stage.workers.sell(&stage.namespace, "main", "arena", 40).await.unwrap();
}

#[tokio::test]
async fn a_service_that_takes_its_topics_along_purges_its_shows_first() {
    let stage = Stage::open("closing").await;
    stage.service("main").await;
    for name in ["arena", "opera"] {
        stage.show("main", name).await;
    }
    stage.plane.delete::<SeatingEvent>(&stage.namespace, "opera").await;
    stage.plane.gone::<SeatingEvent>(&stage.namespace, "opera", SOON).await;
    stage.plane.delete::<ReservationService>(&stage.namespace, "main").await;
    stage.plane.gone::<ReservationService>(&stage.namespace, "main", DELETION).await;
    for name in ["arena", "opera"] {
        assert_eq!(is_closed(&stage, name).await, None, "{name} is forgotten");
    }
    stage.service("main").await;
    // Its status may still be that of before.
    let sold = within(DELETION, async || stage.workers.sell(&stage.namespace, "main", "arena", 1).await.ok());
    assert!(sold.await.is_some(), "it is put on sale again");
}

#[tokio::test]
async fn without_kafka_a_deletion_tells_the_way_out() {
    let stage = Stage::open("closing").await;
    let mut kafka = Server::start(Kafka).await.unwrap();
    let mut resource = service(&stage.namespace, "lost");
    resource["spec"]["kafka"]["bootstrapServers"] = json!(kafka.address());
    stage.plane.apply::<ReservationService>(&stage.namespace, &resource).await.unwrap();
    stage.plane.ready::<ReservationService>(&stage.namespace, "lost").await;
    kafka.kill();
    stage.plane.delete::<ReservationService>(&stage.namespace, "lost").await;
    let ready = within(Duration::from_secs(30), async || {
        let lost = stage.plane.get::<ReservationService>(&stage.namespace, "lost").await?;
        let ready = condition(&lost, "Ready")?;
        ready["message"].as_str()?.contains("deletionPolicy to Retain").then_some(ready)
    });
    let ready = ready.await.expect("it says what it waits for");
    assert_eq!(ready["reason"], "KafkaUnreachable", "{ready}");
    let retain = json!({"spec": {"kafka": {"topic": {"deletionPolicy": "Retain"}}}});
    stage.plane.patch::<ReservationService>(&stage.namespace, "lost", &retain).await.unwrap();
    stage.plane.gone::<ReservationService>(&stage.namespace, "lost", Duration::from_secs(30)).await;
}
