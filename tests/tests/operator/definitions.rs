//! Definitions of the kinds that are not the operator's own: newer ones, of which it cannot read an object, and older ones.
//! They are everybody's, so these tests run alone.

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::Call;
use boxoffice_tests::wait::until;
use k8s_openapi::api::apps::v1::Deployment;
use serde_json::{Value, json};

use crate::support::{Kind, SOON, Stage, condition, service, show};

const SCHEMA: &str = "/spec/versions/0/schema/openAPIV3Schema/properties";
/// A field of the spec that a newer version has.
const NEWER: &str = "someday";

/// A kind's definition: `seatingevents.boxoffice.dev`.
fn definition<K: Kind>() -> String {
    format!("{}.{}", K::plural(&()), K::group(&()))
}

/// Changes the definition of a kind by a JSON patch.
async fn redefine<K: Kind>(stage: &Stage, operations: &Value) {
    let patch = operations.to_string();
    stage.plane.kubectl(&["patch", "crd", &definition::<K>(), "--type=json", "--patch", &patch], "").await;
}

/// Gives specs a field that the operator does not know, and waits until it watches by that definition: the watch from
/// before goes on for a moment, without what it did not know.
async fn upgraded<K: Kind>(stage: &Stage) {
    let mark = stage.operator.audit.mark();
    let field = format!("{SCHEMA}/spec/properties/{NEWER}");
    redefine::<K>(stage, &json!([{"op": "add", "path": field, "value": {"type": "string"}}])).await;
    until("the operator watches by the new definition", async || {
        let calls = stage.operator.audit.since(mark);
        let watches = |call: &Call| call.verb == "watch" && call.resource == definition::<K>();
        calls.iter().any(watches).then_some(())
    })
    .await;
}

/// Takes that field away again.
async fn rolled_back<K: Kind>(stage: &Stage) {
    let field = format!("{SCHEMA}/spec/properties/{NEWER}");
    redefine::<K>(stage, &json!([{"op": "remove", "path": field}])).await;
}

/// An object as the API server has it, also what our types do not know.
async fn stored<K: Kind>(stage: &Stage, name: &str) -> String {
    let get = ["get", &definition::<K>(), name, "--namespace", &stage.namespace, "--output=json"];
    stage.plane.kubectl(&get, "").await
}

/// Applies an object that has the field, until the API server keeps that.
async fn applied<K: Kind>(stage: &Stage, mut resource: Value) {
    resource["spec"][NEWER] = json!("soon");
    let name = resource["metadata"]["name"].as_str().unwrap();
    until("the API server takes what it did not know before", async || {
        stage.plane.apply::<K>(&stage.namespace, &resource).await.unwrap();
        stored::<K>(stage, name).await.contains(NEWER).then_some(())
    })
    .await;
}

/// It is said which field of it cannot be read, by condition, Event and metric.
async fn is_unreadable<K: Kind>(stage: &Stage, name: &str) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    plane.not_ready::<K>(namespace, name, "Unreadable").await;
    plane.condition::<K>(namespace, name, "Stalled", "True", Some("Unreadable"), SOON).await;
    let stored = stored::<K>(stage, name).await;
    assert!(stored.contains("spec.someday: this version"), "{stored}");
    stage.told::<K>(name, "Unreadable").await;
    assert!(stage.operator.metrics().await.contains(&metric::<K>(stage, name)));
}

fn metric<K: Kind>(stage: &Stage, name: &str) -> String {
    format!("kind=\"{}\",namespace=\"{}\",name=\"{name}\"}} 1", K::kind(&()), stage.namespace)
}

/// It goes on when the field is taken out.
async fn is_read_again<K: Kind>(stage: &Stage, name: &str) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    plane.patch::<K>(namespace, name, &json!({"spec": {NEWER: null}})).await.unwrap();
    plane.condition::<K>(namespace, name, "Ready", "True", None, SOON).await;
    assert!(!stage.operator.metrics().await.contains(&metric::<K>(stage, name)));
}

#[tokio::test]
async fn a_show_that_cannot_be_read_says_which_field_and_goes_on_when_that_is_put_right() {
    let stage = Stage::open("unreadable").await;
    stage.service("main").await;
    upgraded::<SeatingEvent>(&stage).await;
    applied::<SeatingEvent>(&stage, show("main", "newer")).await;
    is_unreadable::<SeatingEvent>(&stage, "newer").await;
    stage.show("main", "arena").await;
    is_read_again::<SeatingEvent>(&stage, "newer").await;
    rolled_back::<SeatingEvent>(&stage).await;
}

#[tokio::test]
async fn a_service_that_cannot_be_read_is_left_as_it_is_and_its_shows_go_on_selling() {
    let stage = Stage::open("unreadable").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    stage.show("main", "arena").await;
    upgraded::<ReservationService>(&stage).await;
    let workers = async || plane.get::<Deployment>(namespace, "main-command").await.unwrap().spec;
    let before = workers().await;
    let mut changed = service(namespace, "main");
    changed["spec"]["command"]["replicas"] = json!(2);
    applied::<ReservationService>(&stage, changed).await;
    is_unreadable::<ReservationService>(&stage, "main").await;
    stage.service("other").await;
    plane.patch::<SeatingEvent>(namespace, "arena", &json!({"spec": {"title": "Another"}})).await.unwrap();
    plane.ready::<SeatingEvent>(namespace, "arena").await;
    assert_eq!(workers().await, before, "nobody knows what the whole of it means");
    is_read_again::<ReservationService>(&stage, "main").await;
    assert_eq!(workers().await.unwrap().replicas, Some(2));
    rolled_back::<ReservationService>(&stage).await;
}

#[tokio::test]
async fn definitions_that_are_older_are_told_until_they_are_upgraded_and_no_write_repeats() {
    const LOOKS: &str = "2";
    let mut stage = Stage::open_with("older", &["--resync-seconds", LOOKS]).await;
    let namespace = stage.namespace.clone();
    stage.service("main").await;
    let path = format!("{SCHEMA}/status/properties/chartHash");
    let kept = stage.plane.kubectl(&["get", "crd", &definition::<SeatingEvent>(), "--output=json"], "").await;
    let kept: Value = serde_json::from_str(&kept).unwrap();
    let field = kept.pointer(&path).unwrap();
    redefine::<SeatingEvent>(&stage, &json!([{"op": "remove", "path": path}])).await;
    published(&stage, false).await;
    stage.operator.restart().await;
    let plane = &stage.plane;
    plane.condition::<ReservationService>(&namespace, "main", "CrdsOutdated", "True", None, SOON).await;
    let main = plane.get::<ReservationService>(&namespace, "main").await.unwrap();
    let told = condition(&main, "CrdsOutdated").unwrap();
    assert!(told["message"].as_str().unwrap().contains("SeatingEvent lacks status.chartHash"), "{told}");
    assert!(stage.operator.metrics().await.contains("boxoffice_operator_crds_outdated"));
    stage.show("main", "arena").await;
    stage.told::<SeatingEvent>("arena", "Ready").await;
    let (mark, looks) = (stage.operator.audit.mark(), stage.operator.reconciles("seating-event").await);
    until("the show is looked at three times more", async || {
        (stage.operator.reconciles("seating-event").await >= looks + 3.0).then_some(())
    })
    .await;
    let writes = stage.operator.audit.writes(mark);
    assert!(writes.is_empty(), "{writes:#?}");

    redefine::<SeatingEvent>(&stage, &json!([{"op": "add", "path": path, "value": field}])).await;
    published(&stage, true).await;
    stage.operator.restart().await;
    let plane = &stage.plane;
    until("it is told no more", async || {
        let main = plane.get::<ReservationService>(&namespace, "main").await?;
        condition(&main, "CrdsOutdated").is_none().then_some(())
    })
    .await;
    until("what was dropped is written", async || {
        plane.get::<SeatingEvent>(&namespace, "arena").await?.status?.chart_hash
    })
    .await;
}

/// Waits until the API server's document has the field, or no longer.
async fn published(stage: &Stage, has: bool) {
    until("the API server's document is that of the definition", async || {
        let document = stage.plane.kubectl(&["get", "--raw", "/openapi/v3/apis/boxoffice.dev/v1alpha1"], "");
        (document.await.contains("chartHash") == has).then_some(())
    })
    .await;
}
