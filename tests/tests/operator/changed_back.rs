//! What the API server itself changes back at once, by a policy of its administrators: it is told, and not fought.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::servers::unique;
use boxoffice_tests::wait::{until, until_within, within};
use futures::FutureExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use kube::ResourceExt;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use crate::hands::Hand::Merges;
use crate::hands::drift;
use crate::support::{Plane, SOON, Stage, condition};

const WORKER: &str = "main-command";
/// The condition.
const PERSISTS: &str = "DriftPersists";
/// What the policy has a label be that is the operator's.
const THEIRS: &str = "theirs";
/// How long three looks at a service may take, which come every ten seconds.
const THREE_LOOKS: Duration = Duration::from_mins(1);

/// A variable for the worker.
const VARIABLE: &str = r#"Object{spec: Object.spec{template: Object.spec.template{spec: Object.spec.template.spec{
    containers: [Object.spec.template.spec.containers{
        name: "worker", env: [Object.spec.template.spec.containers.env{name: "INJECTED", value: "yes"}]
    }]
}}}}"#;
/// A container beside it, which keeps to the strictest standard of pods.
const SIDECAR: &str = r#"object.spec.template.spec.containers.exists(one, one.name == "proxy") ? [] : [JSONPatch{
    op: "add", path: "/spec/template/spec/containers/-",
    value: Object.spec.template.spec.containers{
        name: "proxy", image: "proxy:1",
        securityContext: Object.spec.template.spec.containers.securityContext{
            allowPrivilegeEscalation: false,
            capabilities: Object.spec.template.spec.containers.securityContext.capabilities{drop: ["ALL"]}
        }
    }
}]"#;

/// A policy that changes the command worker's Deployment whenever that is written, and what puts it into force.
fn policy(name: &str, namespace: &str) -> String {
    let version = "admissionregistration.k8s.io/v1";
    let label = format!(
        r#"[JSONPatch{{op: "add", path: "/metadata/labels/" + jsonpatch.escapeKey("{}"), value: "{THEIRS}"}}]"#,
        names::COMPONENT
    );
    let policy = json!({
        "apiVersion": version, "kind": "MutatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
                "resourceRules": [{
                    "apiGroups": ["apps"], "apiVersions": ["v1"], "resources": ["deployments"],
                    "operations": ["CREATE", "UPDATE"],
                }],
            },
            "matchConditions": [{"name": "worker", "expression": format!("object.metadata.name == '{WORKER}'")}],
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [
                {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": VARIABLE}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": SIDECAR}},
                {"patchType": "JSONPatch", "jsonPatch": {"expression": label}},
            ],
        },
    });
    let binding = json!({
        "apiVersion": version, "kind": "MutatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name},
    });
    format!("{policy}\n---\n{binding}")
}

/// Waits until the policy is in force, or no longer: tried on a write that is not kept.
async fn in_force(stage: &Stage, is_wanted: bool) {
    let probe = json!({"metadata": {"labels": {names::COMPONENT: "probe"}}});
    let parameters = PatchParams { dry_run: true, ..PatchParams::default() };
    until(&format!("whether the policy is in force: {is_wanted}"), async || {
        let workers = stage.plane.api::<Deployment>(&stage.namespace);
        let tried = workers.patch(WORKER, &parameters, &Patch::Merge(&probe)).await.ok()?;
        (tried.labels().get(names::COMPONENT).is_some_and(|label| label == THEIRS) == is_wanted).then_some(())
    })
    .await;
}

async fn lifted(plane: &Plane, name: &str) {
    let kinds = "mutatingadmissionpolicybindings,mutatingadmissionpolicies";
    plane.kubectl(&["delete", kinds, name, "--ignore-not-found"], "").await;
}

/// Waits until the operator has looked at the service three times more, and finds that it wrote no Deployment meanwhile.
async fn is_left_alone(stage: &Stage) {
    let (mark, looks) = (stage.operator.audit.mark(), stage.operator.reconciles("reservation-service").await);
    until_within(THREE_LOOKS, "the service is looked at three times more", async || {
        (stage.operator.reconciles("reservation-service").await >= looks + 3.0).then_some(())
    })
    .await;
    let writes = stage.operator.audit.writes(mark).into_iter();
    let writes: Vec<_> = writes.filter(|call| call.resource == "deployments.apps").collect();
    assert!(writes.is_empty(), "written again: {writes:#?}");
}

/// Has the command worker told something else, which is another generation of the service, and waits until its Deployment
/// is of that.
async fn told_otherwise(stage: &Stage, most: u32) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let read = async || {
        let worker = json!(plane.get::<Deployment>(namespace, WORKER).await.unwrap().spec);
        worker["template"]["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"].clone()
    };
    let before = read().await;
    let change = json!({"spec": {"outbox": {"highWatermark": most}}});
    plane.patch::<ReservationService>(namespace, "main", &change).await.unwrap();
    let follows = within(SOON, async || (read().await != before).then_some(()));
    assert!(follows.await.is_some(), "all else of it is as wanted");
}

#[tokio::test]
async fn what_a_policy_of_the_cluster_changes_back_is_told_at_once_and_written_no_more() {
    let stage = Stage::open("changed-back").await;
    let name = unique("changes-back");
    stage.service("main").await;
    let outcome = AssertUnwindSafe(fought_by(&stage, &name)).catch_unwind().await;
    lifted(&stage.plane, &name).await;
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

async fn fought_by(stage: &Stage, name: &str) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    plane.kubectl(&["apply", "--server-side", "--filename", "-"], &policy(name, namespace)).await;
    in_force(stage, true).await;
    // Whoever writes it next brings it in.
    let note = Merges(json!({"metadata": {"annotations": {"team": "a"}}}));
    drift(plane, namespace, "Deployment", WORKER, &note).await;
    let persists = async || {
        let reason = Some("ChangedBack");
        plane.condition::<ReservationService>(namespace, "main", PERSISTS, "True", reason, SOON).await;
        let main = plane.get::<ReservationService>(namespace, "main").await.unwrap();
        condition(&main, PERSISTS).unwrap_or_default()
    };
    let told = persists().await;
    let message = told["message"].as_str().unwrap();
    for place in [
        "Deployment main-command at ",
        "/metadata/labels/app.kubernetes.io~1component",
        "/spec/template/spec/containers/0/env/",
        "/spec/template/spec/containers/1",
    ] {
        assert!(message.contains(place), "{place}: {message}");
    }
    stage.told::<ReservationService>("main", PERSISTS).await;
    is_left_alone(stage).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    plane.delete::<Service>(namespace, "main-query").await;
    let back = within(SOON, async || plane.get::<Service>(namespace, "main-query").await);
    assert!(back.await.is_some(), "other drift is put right");

    // Another generation is another try, and one is enough.
    told_otherwise(stage, 5000).await;
    persists().await;
    is_left_alone(stage).await;

    lifted(plane, name).await;
    in_force(stage, false).await;
    told_otherwise(stage, 6000).await;
    let is_over = within(SOON, async || {
        let main = plane.get::<ReservationService>(namespace, "main").await?;
        condition(&main, "Ready")?;
        condition(&main, PERSISTS).is_none().then_some(())
    });
    assert!(is_over.await.is_some(), "it is told no more");
    let worker = json!(plane.get::<Deployment>(namespace, WORKER).await.unwrap());
    assert_eq!(worker["metadata"]["labels"][names::COMPONENT], names::COMMAND);
    let containers = worker["spec"]["template"]["spec"]["containers"].to_string();
    assert!(!containers.contains("INJECTED") && !containers.contains("proxy"), "{containers}");
    plane.ready::<ReservationService>(namespace, "main").await;
}
