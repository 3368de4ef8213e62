//! Who acts, where, and on what: elections, claims, objects that cannot be read, pauses.

use std::time::{Duration, Instant};

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::{Call, Mark};
use boxoffice_tests::doubles::admin::CommandWorkers;
use boxoffice_tests::process::Process;
use boxoffice_tests::wait::until;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::events::v1::Event;
use serde_json::json;

use crate::support::{Operator, Plane, SOON, Stage, condition, show};

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

#[tokio::test]
async fn a_second_installation_leaves_a_namespace_alone_and_says_whose_it_is() {
    let stage = Stage::open("claimed").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let owner = format!("{}/{LEASE}", stage.operator.namespace);
    assert_eq!(holder(plane, namespace, CLAIM).await.as_deref(), Some(owner.as_str()));
    let workers = CommandWorkers::start().await;
    let second = Operator::start(plane, &workers, &[namespace], &[]).await;
    let told = async |kind: &str, name: &str| {
        until(&format!("{kind} {name} tells whose it is"), async || {
            let events = plane.list::<Event>(namespace, "").await;
            let is_it = |event: &Event| {
                let regarding = event.regarding.clone().unwrap_or_default();
                (regarding.kind.as_deref(), regarding.name.as_deref()) == (Some(kind), Some(name))
                    && event.reason.as_deref() == Some("NamespaceClaimed")
                    && event.note.as_ref().is_some_and(|note| note.contains(&owner))
            };
            events.iter().any(is_it).then_some(())
        })
        .await;
    };
    told("Lease", CLAIM).await;
    told("ReservationService", "main").await;
    let refused =
        format!("boxoffice_operator_namespace_refused{{namespace=\"{namespace}\",owner=\"{owner}\"}} 1");
    assert!(second.metrics().await.contains(&refused));
    let writes = second.audit.all().into_iter().filter(|call| call.is_write() && call.namespace == namespace);
    let writes: Vec<_> = writes.filter(|call| call.resource != "events.events.k8s.io").collect();
    assert!(writes.is_empty(), "{writes:?}");
    stage.show("main", "arena").await;
}

#[tokio::test]
async fn what_cannot_be_read_says_which_field_and_goes_on_when_that_is_put_right() {
    let stage = Stage::open("unreadable").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    // As a newer version's definition has it. The watch from before goes on for a moment, without what it did not know.
    let mark = stage.operator.audit.mark();
    let added = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/someday";
    let patch = json!([{"op": "add", "path": added, "value": {"type": "string"}}]).to_string();
    plane
        .kubectl(&["patch", "crd", "seatingevents.boxoffice.dev", "--type", "json", "--patch", &patch], "")
        .await;
    until("the operator watches by the new definition", async || {
        let calls = stage.operator.audit.since(mark);
        let watches = |call: &Call| call.verb == "watch" && call.resource == "seatingevents.boxoffice.dev";
        calls.iter().any(watches).then_some(())
    })
    .await;
    let mut newer = show("main", "newer");
    newer["spec"]["someday"] = json!("soon");
    let kept = until("the API server takes what it did not know before", async || {
        plane.apply::<SeatingEvent>(namespace, &newer).await.unwrap();
        let stored = plane.kubectl(&["get", "sevent", "newer", "-n", namespace, "-o", "json"], "").await;
        stored.contains("someday").then_some(())
    });
    kept.await;
    plane.not_ready::<SeatingEvent>(namespace, "newer", "Unreadable").await;
    plane.condition::<SeatingEvent>(namespace, "newer", "Stalled", "True", Some("Unreadable"), SOON).await;
    let stored = plane.kubectl(&["get", "sevent", "newer", "-n", namespace, "-o", "json"], "").await;
    assert!(stored.contains("spec.someday: this version"), "{stored}");
    let metric = format!("kind=\"SeatingEvent\",namespace=\"{namespace}\",name=\"newer\"}} 1");
    assert!(stage.operator.metrics().await.contains(&metric));
    stage.show("main", "arena").await;
    plane.patch::<SeatingEvent>(namespace, "newer", &json!({"spec": {"someday": null}})).await.unwrap();
    plane.condition::<SeatingEvent>(namespace, "newer", "Ready", "True", None, SOON).await;
    assert!(!stage.operator.metrics().await.contains(&metric));
    let removal = json!([{"op": "remove", "path": added}]).to_string();
    plane
        .kubectl(&["patch", "crd", "seatingevents.boxoffice.dev", "--type", "json", "--patch", &removal], "")
        .await;
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
