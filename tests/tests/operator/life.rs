//! Who acts, where, and on what: elections, claims, pauses.

use std::time::{Duration, Instant};

use boxoffice_crds::ReservationService;
use boxoffice_operator::reservation_service::kinds::kinds;
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::api_audit::{Call, Mark};
use boxoffice_tests::doubles::admin::CommandWorkers;
use boxoffice_tests::process::Process;
use boxoffice_tests::wait::until;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::json;

use crate::support::{Operator, Plane, SOON, Stage, condition, service};

const LEASE: &str = "boxoffice-operator";
const CLAIM: &str = "boxoffice-operator-owner";

/// Who holds a Lease, if anybody does.
async fn holder(plane: &Plane, namespace: &str, lease: &str) -> Option<String> {
    let lease = plane.get::<Lease>(namespace, lease).await?;
    lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
}

/// Starts another candidate, and waits until that waits for the Lease.
async fn stands_by(stage: &Stage) -> Process {
    let mark = stage.operator.audit.mark();
    let second = stage.operator.second();
    until("the second one watches the Lease", async || {
        let calls = stage.operator.audit.since(mark);
        calls.iter().any(|call| call.verb == "watch" && call.is_lease()).then_some(())
    })
    .await;
    second
}

/// How long after `began` another one leads, and acts.
async fn followed(stage: &Stage, before: &str, mark: Mark, began: Instant) -> Duration {
    let namespace = stage.operator.namespace.as_str();
    until("another one leads", async || {
        let holder = holder(&stage.plane, namespace, LEASE).await?;
        let acts = stage.operator.audit.since(mark).iter().any(lists_services);
        (holder != before && acts).then_some(())
    })
    .await;
    began.elapsed()
}

fn lists_services(call: &Call) -> bool {
    call.verb == "list" && call.resource == "reservationservices.boxoffice.dev"
}

#[tokio::test]
async fn a_leader_that_is_stopped_hands_over_within_two_seconds_and_asks_nothing_after_that() {
    let mut stage = Stage::open("handed").await;
    stage.service("main").await;
    stage.show("main", "arena").await;
    let first = holder(&stage.plane, &stage.operator.namespace, LEASE).await.unwrap();
    let _second = stands_by(&stage).await;
    let (mark, began) = (stage.operator.audit.mark(), Instant::now());
    stage.operator.process.terminate().await.unwrap();
    let took = followed(&stage, &first, mark, began).await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    let calls = stage.operator.audit.since(mark);
    let begins = calls.iter().position(lists_services).unwrap();
    let elections = (0..begins).filter(|at| calls[*at].name == LEASE && calls[*at].is_write());
    let elections: Vec<_> = elections.collect();
    let [.., released, taken] = elections[..] else { panic!("nobody released it: {calls:?}") };
    let between: Vec<_> = calls[released..taken].iter().filter(|call| !call.is_lease()).collect();
    assert!(between.is_empty(), "asked by nobody who leads: {between:?}");
}

#[tokio::test]
async fn a_leader_that_is_killed_is_followed_within_ten_seconds() {
    let mut stage = Stage::open("killed").await;
    let first = holder(&stage.plane, &stage.operator.namespace, LEASE).await.unwrap();
    let _second = stands_by(&stage).await;
    let (mark, began) = (stage.operator.audit.mark(), Instant::now());
    stage.operator.process.kill();
    let took = followed(&stage, &first, mark, began).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
    stage.service("main").await;
}

/// How many objects of each kind were made for a service.
async fn children(plane: &Plane, namespace: &str, service: &str) -> Vec<(String, usize)> {
    let mut all = Vec::new();
    for kind in kinds() {
        let api: Api<DynamicObject> = Api::namespaced_with(plane.client.clone(), namespace, &kind);
        let made = api.list(&ListParams::default().labels(&names::owned_by(service))).await.unwrap();
        all.push((kind.kind, made.items.len()));
    }
    all
}

#[tokio::test]
async fn what_a_leader_was_killed_in_the_midst_of_is_finished_by_the_next() {
    let mut stage = Stage::open("midst").await;
    stage.service("whole").await;
    let _second = stands_by(&stage).await;
    let mark = stage.operator.audit.mark();
    let resource = service(&stage.namespace, "main");
    stage.plane.apply::<ReservationService>(&stage.namespace, &resource).await.unwrap();
    until("some of it is written", async || {
        let writes = stage.operator.audit.writes(mark);
        writes.iter().any(|call| call.resource == "serviceaccounts").then_some(())
    })
    .await;
    stage.operator.process.kill();
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    assert!(plane.get::<Deployment>(namespace, "main-command").await.is_none(), "it was further already");
    plane.ready::<ReservationService>(namespace, "main").await;
    assert_eq!(children(plane, namespace, "main").await, children(plane, namespace, "whole").await);
    stage.show("main", "arena").await;
}

#[tokio::test]
async fn a_second_installation_leaves_a_namespace_alone_and_says_whose_it_is() {
    let stage = Stage::open("claimed").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let owner = format!("{}/{LEASE}", stage.operator.namespace);
    assert_eq!(holder(plane, namespace, CLAIM).await.as_deref(), Some(owner.as_str()));
    let workers = CommandWorkers::start().await;
    let second = Operator::start(plane, &workers, &[namespace], &[]).await;
    for told in [
        stage.told::<Lease>(CLAIM, "NamespaceClaimed").await,
        stage.told::<ReservationService>("main", "NamespaceClaimed").await,
    ] {
        assert!(told.note.as_ref().is_some_and(|note| note.contains(&owner)), "{told:?}");
    }
    let refused =
        format!("boxoffice_operator_namespace_refused{{namespace=\"{namespace}\",owner=\"{owner}\"}} 1");
    assert!(second.metrics().await.contains(&refused));
    let writes = second.audit.all().into_iter().filter(|call| call.is_write() && call.namespace == namespace);
    let writes: Vec<_> = writes.filter(|call| call.resource != "events.events.k8s.io").collect();
    assert!(writes.is_empty(), "{writes:?}");
    stage.show("main", "arena").await;
}

#[tokio::test]
async fn what_is_paused_says_so_and_is_left_alone_until_it_goes_on() {
    let stage = Stage::open("paused").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let paused = |value| json!({"metadata": {"annotations": {"boxoffice.dev/paused": value}}});
    plane.patch::<ReservationService>(namespace, "main", &paused(Some("true"))).await.unwrap();
    plane.condition::<ReservationService>(namespace, "main", "ReconcilePaused", "True", None, SOON).await;
    let mark = stage.operator.audit.mark();
    plane.delete::<Deployment>(namespace, "main-query").await;
    plane.gone::<Deployment>(namespace, "main-query", SOON).await;
    let writes = stage.operator.audit.writes(mark);
    assert!(writes.is_empty(), "{writes:?}");
    plane.patch::<ReservationService>(namespace, "main", &paused(None)).await.unwrap();
    until("it is made again", async || plane.get::<Deployment>(namespace, "main-query").await.map(drop))
        .await;
    until("it says no more that it is paused", async || {
        let service = plane.get::<ReservationService>(namespace, "main").await?;
        condition(&service, "ReconcilePaused").is_none().then_some(())
    })
    .await;
}
