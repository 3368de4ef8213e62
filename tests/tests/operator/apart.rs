//! What is wrong with one object delays no other.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::doubles::admin::Manner;
use futures::StreamExt;
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{Kind, SOON, Stage, condition, service, show};

const SERVICES: usize = 4;
const SHOWS: usize = 40;
/// Where nobody listens.
const NOWHERE: &str = "127.0.0.1:1";

fn name(number: usize) -> String {
    format!("house-{number}")
}

#[tokio::test]
async fn a_hanging_worker_a_dead_kafka_and_an_unreadable_object_delay_no_other() {
    let stage = Stage::open("apart").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    for number in 0..SERVICES {
        plane.apply::<ReservationService>(namespace, &service(namespace, &name(number))).await.unwrap();
    }
    stage.service("hanging").await;
    for number in 0..SERVICES {
        plane.ready::<ReservationService>(namespace, &name(number)).await;
    }
    for number in 0..SHOWS {
        let show = show(&name(number % SERVICES), &format!("show-{number}"));
        plane.apply::<SeatingEvent>(namespace, &show).await.unwrap();
    }
    for number in 0..SHOWS {
        plane.ready::<SeatingEvent>(namespace, &format!("show-{number}")).await;
    }

    stage.workers.take(namespace, "hanging", Manner::Hangs);
    for number in 0..SHOWS {
        let show = show("hanging", &format!("waiting-{number}"));
        plane.apply::<SeatingEvent>(namespace, &show).await.unwrap();
    }
    let mut lost = service(namespace, "lost");
    lost["spec"]["kafka"]["bootstrapServers"] = json!(NOWHERE);
    plane.apply::<ReservationService>(namespace, &lost).await.unwrap();
    unreadable(&stage).await;

    let shows: Vec<_> = (0..SHOWS).map(|number| format!("show-{number}")).collect();
    let title = json!({"spec": {"title": "Another title"}});
    let slowest = converged::<SeatingEvent>(&stage, &shows, &title).await;
    assert!(slowest <= SOON, "a show took {slowest:?}");
    let services: Vec<_> = (0..SERVICES).map(name).collect();
    let slowest =
        converged::<ReservationService>(&stage, &services, &json!({"spec": {"query": {"replicas": 2}}}))
            .await;
    assert!(slowest <= SOON, "a service took {slowest:?}");
    stage.show(&name(0), "a-new-one").await;
    plane.delete::<SeatingEvent>(namespace, "later").await;
    allow(&stage, |values| values.retain(|value| value != LATER)).await;
}

const LATER: &str = "later";

/// Makes an object of which the operator cannot read a field, as one of a newer version may have it.
async fn unreadable(stage: &Stage) {
    allow(stage, |values| values.push(json!(LATER))).await;
    let mut later = show(&name(0), "later");
    later["spec"]["hold"] = json!({"noSingleSeatGaps": LATER});
    let create = ["create", "--namespace", &stage.namespace, "--filename", "-"];
    boxoffice_tests::wait::until("the API server takes what it did not know before", async || {
        stage.plane.try_kubectl(&create, &later.to_string()).await.ok()
    })
    .await;
}

/// Changes what the API server lets `hold.noSingleSeatGaps` be.
async fn allow(stage: &Stage, change: impl FnOnce(&mut Vec<Value>)) {
    let definition = "seatingevents.boxoffice.dev";
    let kept = "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/hold/properties/noSingleSeatGaps/enum";
    let known = stage.plane.kubectl(&["get", "crd", definition, "--output", "json"], "").await;
    let known: Value = serde_json::from_str(&known).unwrap();
    let mut values = known.pointer(kept).unwrap().as_array().unwrap().clone();
    change(&mut values);
    let replaced = json!([{"op": "replace", "path": kept, "value": values}]).to_string();
    stage.plane.kubectl(&["patch", "crd", definition, "--type", "json", "--patch", &replaced], "").await;
}

/// Changes each of the objects, and says how long the slowest took until it was Ready as changed.
async fn converged<K: Kind>(stage: &Stage, names: &[String], change: &Value) -> Duration {
    let mut changed = BTreeMap::new();
    for name in names {
        let object = stage.plane.patch::<K>(&stage.namespace, name, change).await.unwrap();
        changed.insert(name.clone(), (object.meta().generation, Instant::now()));
    }
    let mut objects = Box::pin(stage.plane.follow::<K>(&stage.namespace));
    let mut slowest = Duration::ZERO;
    let all = async {
        while !changed.is_empty() {
            let Some(object) = objects.next().await else { continue };
            let is_ready = condition(&object, "Ready").is_some_and(|found| found["status"] == "True");
            let Some((generation, since)) = changed.get(&object.name_any()) else { continue };
            if is_ready && object.metadata.generation >= *generation {
                slowest = slowest.max(since.elapsed());
                changed.remove(&object.name_any());
            }
        }
    };
    let came = tokio::time::timeout(SOON * 3, all).await;
    assert!(came.is_ok(), "not Ready as changed after {:?}: {:?}", SOON * 3, changed.keys());
    slowest
}
