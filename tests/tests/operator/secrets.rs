//! Secrets that are lost or changed, the admin token above all, and workers that are healed whatever stands in the way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::wait::{until, within};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, ResourceQuota, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::support::{Plane, SOON, Stage, service};

const TOKEN: &str = "main-admin-token";
/// How soon is told what became of a Secret that is not the token's.
pub const IN_TIME: Duration = Duration::from_secs(75);
/// How long two rollouts may take.
const EXCHANGE: Duration = Duration::from_secs(90);
const READERS: &str = "app.kubernetes.io/component in (command, query)";
const COMMAND: &str = "app.kubernetes.io/component=command";

/// The keys of a Secret.
async fn content(plane: &Plane, namespace: &str, name: &str) -> Option<BTreeMap<String, String>> {
    let data = plane.get::<Secret>(namespace, name).await?.data.unwrap_or_default();
    Some(data.into_iter().map(|(key, value)| (key, String::from_utf8(value.0).unwrap())).collect())
}

async fn pods(plane: &Plane, namespace: &str, labels: &str) -> BTreeSet<String> {
    plane.list::<Pod>(namespace, labels).await.iter().map(ResourceExt::name_any).collect()
}

/// How often the workers did not take the token that they were shown.
fn refused(stage: &Stage) -> usize {
    let calls = stage.workers.calls(&stage.namespace, "main");
    calls.iter().filter(|call| call.status == Some(401)).count()
}

/// Which tokens each pod knows.
type Known = BTreeMap<String, BTreeSet<String>>;

/// Lets in what every pod knows, each of them by what the Secret held when it was first seen, until `done` says so.
async fn admit_what_pods_know(
    stage: &Stage,
    mut known: Known,
    patience: Duration,
    done: impl AsyncFn() -> bool,
) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let over = within(patience, async || {
        let held = content(plane, namespace, TOKEN).await.unwrap_or_default();
        let held: BTreeSet<String> = held.into_values().collect();
        let alive = pods(plane, namespace, COMMAND).await;
        known.retain(|pod, _| alive.contains(pod));
        for pod in alive {
            known.entry(pod).or_insert_with(|| held.clone());
        }
        let common = known.values().cloned().reduce(|one, other| &one & &other).unwrap_or_default();
        let common: Vec<_> = common.iter().map(String::as_str).collect();
        // To the double nothing would mean everything.
        let admitted = if common.is_empty() { vec!["nobody's"] } else { common };
        stage.workers.admit(namespace, "main", &admitted);
        done().await.then_some(())
    });
    assert!(over.await.is_some(), "not done after {patience:?}: {known:?}");
}

async fn paused(stage: &Stage, name: &str, paused: bool) {
    let change = json!({"spec": {"sales": {"paused": paused}}});
    stage.plane.patch::<SeatingEvent>(&stage.namespace, name, &change).await.unwrap();
    let object = until("the show is reconciled", async || {
        let show = stage.plane.get::<SeatingEvent>(&stage.namespace, name).await?;
        let seen = show.status.as_ref()?.observed_generation == show.metadata.generation;
        seen.then_some(show)
    });
    object.await;
    stage.plane.ready::<SeatingEvent>(&stage.namespace, name).await;
}

#[tokio::test]
async fn a_lost_token_is_made_again_and_nothing_is_refused_or_replaced() {
    let stage = Stage::open("lost-token").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    stage.show("main", "arena").await;
    let token = content(plane, namespace, TOKEN).await.unwrap()["token"].clone();
    stage.workers.admit(namespace, "main", &[&token]);
    let before = pods(plane, namespace, READERS).await;
    plane.delete::<Secret>(namespace, TOKEN).await;
    paused(&stage, "arena", true).await;
    let again = within(SOON * 2, async || content(plane, namespace, TOKEN).await).await;
    assert_eq!(again.expect("the Secret is made again")["token"], token);
    paused(&stage, "arena", false).await;
    assert_eq!((refused(&stage), pods(plane, namespace, READERS).await), (0, before));
}

#[tokio::test]
async fn a_token_is_exchanged_without_one_refused_call() {
    let stage = Stage::open("exchange").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    stage.show("main", "arena").await;
    let old = content(plane, namespace, TOKEN).await.unwrap()["token"].clone();
    stage.workers.admit(namespace, "main", &[&old]);
    let before = pods(plane, namespace, READERS).await;
    let known = pods(plane, namespace, COMMAND).await.into_iter().map(|pod| (pod, [old.clone()].into()));
    let known: Known = known.collect();
    let new = "n".repeat(40);
    plane.patch::<Secret>(namespace, TOKEN, &json!({"stringData": {"token": new}})).await.unwrap();
    admit_what_pods_know(&stage, known, EXCHANGE, async || {
        let held = content(plane, namespace, TOKEN).await.unwrap_or_default();
        let only_new = held.get("token") == Some(&new) && !held.contains_key("previous");
        let rolled = pods(plane, namespace, READERS).await.is_disjoint(&before);
        let marks: BTreeSet<_> = plane.list::<Pod>(namespace, READERS).await.iter().map(mark).collect();
        only_new && rolled && marks.len() == 1 && marks.iter().all(|mark| !mark.contains(','))
    })
    .await;
    stage.workers.admit(namespace, "main", &[&new]);
    paused(&stage, "arena", true).await;
    assert_eq!(refused(&stage), 0, "{:?}", stage.workers.calls(namespace, "main"));
}

/// Which tokens a pod says that it takes.
fn mark(pod: &Pod) -> String {
    pod.annotations().get("boxoffice.dev/admin-token").cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_token_that_is_refused_is_not_ready() {
    let stage = Stage::open("refused").await;
    stage.service("main").await;
    stage.workers.admit(&stage.namespace, "main", &["another-one"]);
    stage.plane.not_ready::<ReservationService>(&stage.namespace, "main", "TokenRefused").await;
    let token = content(&stage.plane, &stage.namespace, TOKEN).await.unwrap()["token"].clone();
    stage.workers.admit(&stage.namespace, "main", &[&token]);
    stage.plane.ready::<ReservationService>(&stage.namespace, "main").await;
}

/// A service whose Redis stands in a Secret.
fn with_secret(namespace: &str) -> Value {
    let mut resource = service(namespace, "main");
    resource["spec"]["redis"] = json!({"urlFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}});
    resource
}

async fn redis(plane: &Plane, namespace: &str, key: &str, url: &str) {
    let secret = json!({"metadata": {"name": "redis"}, "stringData": {key: url}});
    plane.apply::<Secret>(namespace, &secret).await.unwrap();
}

#[tokio::test]
async fn another_content_of_a_secret_replaces_those_that_read_it_and_a_loss_is_told() {
    let stage = Stage::open("named").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let told = async |reason: Option<&str>, patience| {
        let (kind, status) = ("SecretsReady", if reason.is_some() { "False" } else { "True" });
        plane.condition::<ReservationService>(namespace, "main", kind, status, reason, patience).await;
    };
    plane.apply::<ReservationService>(namespace, &with_secret(namespace)).await.unwrap();
    told(Some("SecretMissing"), SOON).await;
    assert!(plane.get::<Deployment>(namespace, "main-command").await.is_none(), "it could not start");
    redis(plane, namespace, "address", "redis://redis:6379").await;
    told(Some("SecretKeyMissing"), SOON * 2).await;
    redis(plane, namespace, "url", "redis://redis:6379").await;
    plane.ready::<ReservationService>(namespace, "main").await;

    let (command, query) = (pods(plane, namespace, COMMAND).await, "app.kubernetes.io/component=query");
    let readers_of_none = pods(plane, namespace, query).await;
    redis(plane, namespace, "url", "redis://other:6379").await;
    let rolled =
        within(IN_TIME, async || pods(plane, namespace, COMMAND).await.is_disjoint(&command).then_some(()));
    assert!(rolled.await.is_some(), "the command worker still has the old address");
    assert_eq!(pods(plane, namespace, query).await, readers_of_none);
    plane.ready::<ReservationService>(namespace, "main").await;

    let before = pods(plane, namespace, COMMAND).await;
    plane.delete::<Secret>(namespace, "redis").await;
    told(Some("SecretMissing"), IN_TIME).await;
    plane.delete::<Deployment>(namespace, "main-query").await;
    let healed = within(SOON, async || {
        plane
            .get::<Deployment>(namespace, "main-query")
            .await
            .filter(|it| it.metadata.deletion_timestamp.is_none())
    });
    assert!(healed.await.is_some(), "what reads another Secret is healed");
    assert_eq!(pods(plane, namespace, COMMAND).await, before, "a loss replaces nothing");
    redis(plane, namespace, "url", "redis://other:6379").await;
    told(None, SOON * 2).await;
}

#[tokio::test]
async fn workers_are_healed_and_scaled_while_kafka_is_away() {
    let stage = Stage::open("healed").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let away = json!({"spec": {"kafka": {"bootstrapServers": "127.0.0.1:1"}}});
    plane.patch::<ReservationService>(namespace, "main", &away).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "main", "KafkaUnreachable").await;
    plane.delete::<Deployment>(namespace, "main-command").await;
    let healed = within(SOON, async || {
        let command = plane.get::<Deployment>(namespace, "main-command").await?;
        command.metadata.deletion_timestamp.is_none().then_some(())
    });
    assert!(healed.await.is_some(), "main-command was not made again within {SOON:?}");
    let change = json!({"spec": {"query": {"replicas": 3}}});
    plane.patch::<ReservationService>(namespace, "main", &change).await.unwrap();
    let scaled = within(SOON, async || {
        let query = plane.get::<Deployment>(namespace, "main-query").await?;
        (query.spec?.replicas == Some(3)).then_some(())
    });
    assert!(scaled.await.is_some(), "main-query was not scaled within {SOON:?}");
}

#[tokio::test]
async fn a_quota_that_keeps_pods_from_being_made_is_named() {
    let stage = Stage::open("quota").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let now = pods(plane, namespace, "app.kubernetes.io/instance=main").await.len();
    let quota = json!({"metadata": {"name": "few"}, "spec": {"hard": {"pods": now.to_string()}}});
    plane.apply::<ResourceQuota>(namespace, &quota).await.unwrap();
    until("the quota counts", async || plane.get::<ResourceQuota>(namespace, "few").await?.status?.used)
        .await;
    let change = json!({"spec": {"query": {"replicas": 2}}});
    plane.patch::<ReservationService>(namespace, "main", &change).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "main", "ReplicaFailure").await;
    plane.delete::<ResourceQuota>(namespace, "few").await;
    plane.ready::<ReservationService>(namespace, "main").await;
}
