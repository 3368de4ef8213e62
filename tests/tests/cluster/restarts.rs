//! Servers of the cluster that are killed and started again while seats are sold: what is away is told and goes by itself,
//! what was sold is sold, once, and selling goes on.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_domain::SeatId;
use boxoffice_operator::leader::LEASE;
use boxoffice_operator::reservation_service::kinds::kinds;
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::api_audit::Call;
use futures::FutureExt;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::json;

use crate::support::{
    Cluster, PATIENCE, SeatingEventHandle, Service, assert_gapless, audit, condition, is_reconciled, ran,
    setting, settled, until,
};

/// What kills a server and starts it again.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/server");
const SYSTEM: &str = "boxoffice-system";
/// Places of a show without rows: more than are sold meanwhile.
const FLOOR: usize = 5000;
/// How many seats are sold while the API server is away.
const MEANWHILE: usize = 50;
/// How soon a change is carried out once the API server answers again, by an operator that may have been started again.
const CARRIED_OUT: Duration = Duration::from_mins(1);

/// Whether a server is the tests' to kill; where it is not, that is said.
fn is_ours(server: &str) -> bool {
    let platform = setting("PLATFORM");
    let is_ours = platform == "machine" || (platform == "kind" && server != "apiserver");
    if !is_ours {
        println!("skipped: {server} on the platform {platform} is not the tests' to kill");
    }
    is_ours
}

/// Kills a server, and starts it again when `meanwhile` is over, also where that fails: all other tests need it.
async fn without(server: &str, meanwhile: impl AsyncFnOnce()) {
    ran(SERVER, &["kill", server]).await;
    let outcome = AssertUnwindSafe(meanwhile()).catch_unwind().await;
    ran(SERVER, &["start", server]).await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

async fn told(cluster: &Cluster, kind: &str, status: &str, reason: Option<&str>) {
    cluster.condition::<ReservationService>("tickets", "main", kind, status, reason, PATIENCE).await;
}

/// A show with many places, with all of the service at rest.
async fn show<'a>(cluster: &Cluster, service: &'a Service<'_>) -> SeatingEventHandle<'a> {
    let show = service.show(|resource| resource["spec"]["sections"][1]["capacity"] = json!(FLOOR)).await;
    told(cluster, "Ready", "True", None).await;
    settled(cluster, &["tickets", SYSTEM]).await;
    show
}

/// The pods of the service's workers, each with how often it was started again.
async fn workers(cluster: &Cluster) -> BTreeMap<String, i32> {
    let pods = cluster.list::<Pod>("tickets", &names::owned_by("main")).await;
    let starts = |pod: &Pod| {
        let containers = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
        containers.map(|container| container.restart_count).sum::<i32>()
    };
    pods.iter().map(|pod| (pod.name_any(), starts(pod))).collect()
}

async fn is_refused(service: &Service<'_>, seat: &str) {
    let (status, refused) = service.post(&format!("/seats/{seat}/hold"), "bob").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
}

#[tokio::test]
async fn a_kafka_that_is_killed_is_told_and_selling_goes_on_when_it_is_back() {
    if !is_ours("kafka") {
        return;
    }
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let [sold, other] = ["A-1-1", "A-1-2"].map(|key| show.seat(key));
    service.sell(&sold).await;
    without("kafka", async || {
        told(&cluster, "TopicsReady", "False", Some("KafkaUnreachable")).await;
        told(&cluster, "Ready", "False", None).await;
    })
    .await;
    told(&cluster, "Ready", "True", None).await;
    is_refused(&service, &sold).await;
    service.sell(&other).await;
    let change = json!({"spec": {"title": "After it"}});
    cluster.patch::<SeatingEvent>(&service.namespace, &show.id, &change).await.unwrap();
    show.ready().await;
    service.shows(&other, "RESERVED").await;
    assert_gapless(&show.facts("seat-events").await);
    show.remove().await;
}

/// Asks the same again as long as the seats cannot be reached, as buyers are told to, and gives the answer's status. Nobody
/// is ever told that something broke, nor that a seat is not there.
async fn insists(service: &Service<'_>, seat: &str, step: &str) -> u16 {
    until(&format!("an answer to {step} {seat}"), async || {
        let (status, answer) = service.post(&format!("/seats/{seat}/{step}"), "alice").await;
        assert!([200, 409, 503].contains(&status), "{step} {seat}: {status} {answer}");
        assert!(status != 503 || answer["retryable"] == true, "{step} {seat}: {answer}");
        (status != 503).then_some(status)
    })
    .await
}

/// Buys one place after the other until it is over, and gives those that the buyer was told to have.
async fn buys(service: &Service<'_>, show: &SeatingEventHandle<'_>, over: &AtomicBool) -> BTreeSet<SeatId> {
    let mut bought = BTreeSet::new();
    for number in 1..=FLOOR {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let seat = show.seat(&format!("FLOOR-{number}"));
        // A hold is acknowledged before it is on the log: Redis may have lost it.
        let is_held = insists(service, &seat, "hold").await == 200;
        if is_held && insists(service, &seat, "reserve").await == 200 {
            bought.insert(seat.parse().unwrap());
        }
    }
    bought
}

#[tokio::test]
async fn i7_a_redis_that_is_killed_is_told_and_has_what_was_sold_when_it_is_back() {
    if !is_ours("redis") {
        return;
    }
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = show(&cluster, &service).await;
    let [sold, free] = ["A-1-1", "A-1-5"].map(|key| show.seat(key));
    service.sell(&sold).await;
    service.shows(&sold, "RESERVED").await;
    let before = workers(&cluster).await;
    let over = AtomicBool::new(false);
    let is_unavailable = async || {
        let (status, refused) = service.post(&format!("/seats/{free}/hold"), "bob").await;
        assert_eq!((status, refused["code"].as_str()), (503, Some("UNAVAILABLE")), "{refused}");
    };
    let outage = async {
        without("redis", async || {
            is_unavailable().await;
            // Each answer tells it, not readiness; half a minute later the service does too.
            told(&cluster, "CommandAnswers", "False", Some("CommandSilent")).await;
            let main = cluster.get::<ReservationService>("tickets", "main").await.unwrap();
            let message = condition(&main, "CommandAnswers").unwrap()["message"].to_string();
            assert!(message.contains("the seats cannot be reached"), "{message}");
            told(&cluster, "Ready", "False", Some("CommandSilent")).await;
            told(&cluster, "WorkersReady", "True", None).await;
            is_unavailable().await;
            service.shows(&sold, "RESERVED").await;
        })
        .await;
        told(&cluster, "Ready", "True", None).await;
        told(&cluster, "CommandAnswers", "True", None).await;
        assert_eq!(insists(&service, &free, "hold").await, 200);
        over.store(true, Ordering::Relaxed);
    };
    let (mut bought, ()) = tokio::join!(buys(&service, &show, &over), outage);
    assert_eq!(workers(&cluster).await, before, "no worker was replaced or started again");
    is_refused(&service, &sold).await;
    bought.insert(sold.parse().unwrap());
    show.has_sold(&bought).await;
    show.ready().await;
    show.remove().await;
}

/// Sells one place after the other until it is over, each of which is shown before: no request fails.
async fn sells(service: &Service<'_>, show: &SeatingEventHandle<'_>, over: &AtomicBool, sold: &AtomicUsize) {
    for number in 1..=FLOOR {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let seat = show.seat(&format!("FLOOR-{number}"));
        let shown = service.query(&format!("/seats/{seat}")).await;
        assert_eq!(shown["status"], "AVAILABLE", "{seat}: {shown}");
        service.sell(&seat).await;
        sold.store(number, Ordering::Relaxed);
    }
}

/// What tells the service's objects from such as are made or written anew: uid, and generation where there is one, for
/// counts of pods are written all the time.
async fn objects(cluster: &Cluster) -> BTreeMap<String, (Option<String>, Option<String>)> {
    let mut found = BTreeMap::new();
    let parameters = ListParams::default().labels(&names::owned_by("main"));
    for kind in kinds() {
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), "tickets", &kind);
        for object in api.list(&parameters).await.unwrap() {
            let generation = object.metadata.generation.map(|generation| generation.to_string());
            let version = generation.or_else(|| object.resource_version());
            found.insert(format!("{} {}", kind.kind, object.name_any()), (object.uid(), version));
        }
    }
    found
}

/// The operator's pods.
async fn operators(cluster: &Cluster) -> BTreeSet<String> {
    cluster.list::<Pod>(SYSTEM, "").await.iter().map(ResourceExt::name_any).collect()
}

#[tokio::test]
async fn an_api_server_that_is_killed_keeps_nobody_from_buying_and_has_nothing_written_anew() {
    if !is_ours("apiserver") {
        return;
    }
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = show(&cluster, &service).await;
    let (audit, before) = (audit().unwrap(), (objects(&cluster).await, workers(&cluster).await));
    let (mark, candidates) = (audit.mark(), operators(&cluster).await);
    let (over, sold) = (AtomicBool::new(false), AtomicUsize::new(0));
    let outage = async {
        without("apiserver", async || {
            let until_then = sold.load(Ordering::Relaxed);
            until("seats are sold while it is away", async || {
                (sold.load(Ordering::Relaxed) >= until_then + MEANWHILE).then_some(())
            })
            .await;
        })
        .await;
        let change = json!({"spec": {"title": "After it"}});
        cluster.patch::<SeatingEvent>("tickets", &show.id, &change).await.unwrap();
        cluster.condition::<SeatingEvent>("tickets", &show.id, "Ready", "True", None, CARRIED_OUT).await;
        is_reconciled(&cluster, 2.0).await;
        told(&cluster, "Ready", "True", None).await;
        over.store(true, Ordering::Relaxed);
    };
    tokio::join!(sells(&service, &show, &over, &sold), outage);
    let lease = cluster.get::<Lease>(SYSTEM, LEASE).await.unwrap();
    let holder = lease.spec.unwrap().holder_identity.unwrap();
    assert!(candidates.iter().any(|pod| holder.starts_with(pod)), "{holder} is none of {candidates:?}");
    assert_eq!(operators(&cluster).await, candidates);
    assert_eq!((objects(&cluster).await, workers(&cluster).await), before);
    let is_told = |call: &Call| call.resource.ends_with("/status") || call.resource == "events.events.k8s.io";
    let writes = audit.writes(mark).into_iter().filter(|call| call.namespace == "tickets");
    let anew: Vec<_> = writes.filter(|call| !is_told(call)).collect();
    assert!(anew.is_empty(), "written anew: {anew:#?}");
    let seats = (1..=sold.into_inner()).map(|number| show.seat(&format!("FLOOR-{number}")));
    show.has_sold(&seats.map(|seat| seat.parse().unwrap()).collect()).await;
    show.remove().await;
}
