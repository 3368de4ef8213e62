//! Drift: what is changed, added or deleted by hand behind the operator's back, all of it at once, and what holds of each
//! afterwards.

use std::mem::take;
use std::sync::Arc;
use std::time::{Duration, Instant};

use boxoffice_crds::ReservationService;
use boxoffice_operator::kafka::Kafka;
use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_operator::reservation_service::names;
use boxoffice_runtime::log::kafka::security::Security;
use boxoffice_tests::resources::consumer;
use boxoffice_tests::servers::kafka;
use boxoffice_tests::wait::{until, within};
use futures::future::join_all;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use serde_json::{Value, json};

use crate::hands::Hand::{Adds, Deletes, Edits, Merges};
use crate::hands::{Hand, drift, object, objects, pods, settings, worker};
use crate::secrets::IN_TIME;
use crate::support::{Plane, SOON, Stage, condition, service};

/// Where both services are, and what they have beside the API server.
struct Ground<'a> {
    plane: &'a Plane,
    namespace: &'a str,
    kafka: Arc<dyn Kafka>,
}

/// What is done, and to what.
enum Deed {
    /// To an object of a kind, by its name.
    To(&'static str, String, Hand),
    /// A key of a topic is set.
    Configures(String, &'static str, &'static str),
    /// A consumer group is deleted, with where it was.
    Ungroups(String),
}

/// What holds afterwards.
enum Then {
    /// It is as it was.
    Undone,
    /// The service `main` says so: by which condition, its status, its reason.
    Told(&'static str, &'static str, &'static str),
}

/// A line of the table as most are: what it is, and what is done to an object of which kind and name.
type Line<'a> = (&'static str, &'static str, &'a str, Hand);

/// A line of the table.
struct Drift {
    what: &'static str,
    deed: Deed,
    then: Then,
    /// How soon.
    patience: Duration,
    /// How it was.
    before: Value,
}

impl Drift {
    /// Of an object, undone at once.
    fn of((what, kind, name, hand): Line<'_>) -> Self {
        Self::undone(what, Deed::To(kind, name.to_owned(), hand), SOON)
    }

    fn undone(what: &'static str, deed: Deed, patience: Duration) -> Self {
        Self { what, deed, then: Then::Undone, patience, before: Value::Null }
    }

    /// How that is now which is changed.
    async fn seen(&self, ground: &Ground<'_>) -> Value {
        match &self.deed {
            Deed::To(kind, name, _) => object(ground.plane, ground.namespace, kind, name).await,
            Deed::Configures(topic, key, _) => {
                let mut facts = ground.kafka.topics(std::slice::from_ref(topic)).await.unwrap();
                let facts = facts.remove(topic).unwrap().unwrap();
                json!(facts.and_then(|mut facts| facts.config.remove(*key)))
            }
            Deed::Ungroups(group) => {
                let committed = ground.kafka.committed(group).await.unwrap();
                let places = committed.iter().flat_map(|(topic, commits)| {
                    commits.iter().map(move |(partition, commit)| json!([topic, partition, commit.offset]))
                });
                places.collect()
            }
        }
    }

    async fn happens(&self, ground: &Ground<'_>) {
        match &self.deed {
            Deed::To(kind, name, hand) => drift(ground.plane, ground.namespace, kind, name, hand).await,
            Deed::Configures(topic, key, value) => {
                let config = [((*key).to_owned(), (*value).to_owned())].into();
                ground.kafka.configure_topic(topic, &config).await.unwrap();
            }
            Deed::Ungroups(group) => ground.kafka.delete_group(group).await.unwrap(),
        }
    }

    /// How it is where that is not what holds afterwards; nothing where it does.
    async fn is_not_yet(&self, ground: &Ground<'_>) -> Option<Value> {
        match self.then {
            Then::Undone => {
                let now = self.seen(ground).await;
                (now != self.before).then_some(now)
            }
            Then::Told(kind, status, reason) => {
                let main = ground.plane.get::<ReservationService>(ground.namespace, "main").await.unwrap();
                let told = condition(&main, kind).unwrap_or_default();
                (told["status"] != status || told["reason"] != reason).then_some(told)
            }
        }
    }
}

/// Remembers how all is, has all of it done side by side, and waits until of each holds what has to.
async fn are_dealt_with(ground: &Ground<'_>, mut drifts: Vec<Drift>) {
    for drift in &mut drifts {
        drift.before = drift.seen(ground).await;
        assert!(!drift.before.is_null(), "{}: there is nothing to change", drift.what);
    }
    join_all(drifts.iter().map(|drift| drift.happens(ground))).await;
    let began = Instant::now();
    let longest = drifts.iter().map(|drift| drift.patience).max().unwrap_or_default();
    let late = within(longest * 2, async || {
        for drift in take(&mut drifts) {
            let Some(now) = drift.is_not_yet(ground).await else { continue };
            if began.elapsed() > drift.patience {
                return Some(Some((drift, now)));
            }
            drifts.push(drift);
        }
        drifts.is_empty().then_some(None)
    })
    .await
    .expect("each has its time");
    if let Some((Drift { what, patience, before, .. }, now)) = late {
        let [before, now] = [before, now].map(|value| serde_yaml_ng::to_string(&value).unwrap());
        panic!("{what}: after {patience:?} it is\n{now}\nand was\n{before}");
    }
}

/// To Deployments.
fn of_workloads() -> Vec<Line<'static>> {
    let command = |what, hand| (what, "Deployment", "main-command", hand);
    let spec = |spec: Value| Merges(json!({"spec": spec}));
    let container = "/spec/template/spec/containers/0";
    vec![
        command("more pods", spec(json!({"replicas": 3}))),
        command("more history", spec(json!({"revisionHistoryLimit": 9}))),
        command("another pace of rollouts", spec(json!({"strategy": {"rollingUpdate": {"maxSurge": 2}}}))),
        command("a longer goodbye", Merges(pods(&json!({"terminationGracePeriodSeconds": 60})))),
        command("a token for the API server", Merges(pods(&json!({"automountServiceAccountToken": true})))),
        command(
            "another service account",
            Merges(pods(&json!({"serviceAccountName": "default", "serviceAccount": "default"}))),
        ),
        command("another user", Merges(pods(&json!({"securityContext": {"runAsUser": 1}})))),
        command("another image", worker("image", &json!("elsewhere/worker:1"))),
        command("another program", worker("command", &json!(["/bin/sleep"]))),
        command("a variable", worker("env", &json!([{"name": "LD_PRELOAD", "value": "/tmp/x.so"}]))),
        command(
            "another Redis",
            worker("env", &json!([{"name": "BOXOFFICE_REDIS_URL", "value": "redis://elsewhere"}])),
        ),
        command("a port", worker("ports", &json!([{"containerPort": 22}]))),
        command(
            "files that can be written",
            worker("securityContext", &json!({"readOnlyRootFilesystem": false})),
        ),
        command("another probe", worker("readinessProbe", &json!({"periodSeconds": 9}))),
        command("a sidecar", Adds(pods(&json!({"containers": [{"name": "proxy", "image": "proxy:1"}]})))),
        command(
            "a container to begin with",
            Adds(pods(&json!({"initContainers": [{"name": "init", "image": "init:1"}]}))),
        ),
        command(
            "a volume",
            Adds(pods(&json!({
                "volumes": [{"name": "tmp", "emptyDir": {}}],
                "containers": [{"name": "worker", "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]}],
            }))),
        ),
        (
            "a variable less",
            "Deployment",
            "main-query",
            Edits(json!([{"op": "remove", "path": format!("{container}/env/0")}])),
        ),
        (
            "variables of another ConfigMap",
            "Deployment",
            "main-query",
            Edits(json!([{
                "op": "add", "path": format!("{container}/envFrom/-"), "value": {"configMapRef": {"name": "more"}},
            }])),
        ),
        ("a worker deleted", "Deployment", "main-seat-view", Deletes),
    ]
}

/// To fields of Deployments that the operator says nothing of, or not all.
fn of_fields() -> Vec<Line<'static>> {
    let command = |what, hand| (what, "Deployment", "main-command", hand);
    let (spec, pod) = (|spec: Value| Merges(json!({"spec": spec})), |spec: Value| Merges(pods(&spec)));
    let spread = json!({
        "maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway",
    });
    let zones = json!({"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{
        "weight": 1, "preference": {"matchExpressions": [{"key": "zone", "operator": "Exists"}]},
    }]}});
    let lacking = json!({"secretKeyRef": {"optional": true}});
    vec![
        command("a rollout that is paused", spec(json!({"paused": true}))),
        command("a rollout with less patience", spec(json!({"progressDeadlineSeconds": 30}))),
        command("pods that are available later", spec(json!({"minReadySeconds": 5}))),
        command("the network of the host", pod(json!({"hostNetwork": true}))),
        command("the processes of the host", pod(json!({"hostPID": true}))),
        command("names of hosts", pod(json!({"hostAliases": [{"ip": "192.0.2.1", "hostnames": ["redis"]}]}))),
        command("another resolver", pod(json!({"dnsPolicy": "Default"}))),
        command("certain nodes", pod(json!({"nodeSelector": {"disk": "ssd"}}))),
        command("nodes that are preferred", pod(json!({"affinity": zones}))),
        command("nodes that nobody else takes", pod(json!({"tolerations": [{"operator": "Exists"}]}))),
        command("another scheduler", pod(json!({"schedulerName": "theirs"}))),
        command("a Secret for images", pod(json!({"imagePullSecrets": [{"name": "theirs"}]}))),
        command("a group for files", pod(json!({"securityContext": {"fsGroup": 1}}))),
        command(
            "a profile of the node",
            pod(
                json!({"securityContext": {"seccompProfile": {"type": "Localhost", "localhostProfile": "x"}}}),
            ),
        ),
        command("arguments", worker("args", &json!(["--help"]))),
        command("another folder", worker("workingDir", &json!("/tmp"))),
        command("a terminal", worker("tty", &json!(true))),
        command("limits", worker("resources", &json!({"limits": {"cpu": "1"}}))),
        command("more rights", worker("securityContext", &json!({"capabilities": {"add": ["NET_ADMIN"]}}))),
        command(
            "a probe of another kind",
            worker("livenessProbe", &json!({"httpGet": null, "exec": {"command": ["true"]}})),
        ),
        command(
            "a probe of another name",
            worker("startupProbe", &json!({"httpGet": {"host": "localhost"}})),
        ),
        command(
            "another goodbye",
            worker("lifecycle", &json!({"postStart": {"exec": {"command": ["true"]}}})),
        ),
        command(
            "a port of the node",
            worker("ports", &json!([{"containerPort": 8080, "protocol": "TCP", "hostPort": 8080}])),
        ),
        command(
            "a token that may lack",
            worker("env", &json!([{"name": "BOXOFFICE_ADMIN_TOKEN", "valueFrom": lacking}])),
        ),
        (
            "a variable by value",
            "Deployment",
            "main-reservations",
            worker(
                "env",
                &json!([{
                    "name": "BOXOFFICE_DATABASE_URL", "valueFrom": null, "value": "postgres://elsewhere",
                }]),
            ),
        ),
        (
            "another rule of spreading",
            "Deployment",
            "main-stats",
            Edits(json!([{
                "op": "add", "path": "/spec/template/spec/topologySpreadConstraints/-", "value": spread,
            }])),
        ),
    ]
}

/// To Services, policies and budgets.
fn of_surroundings() -> Vec<Line<'static>> {
    let service = |what, hand| (what, "Service", "main-command", hand);
    let policy = |what, hand| (what, "NetworkPolicy", "main-command", hand);
    let budget = |what, hand| (what, "PodDisruptionBudget", "main-command", hand);
    let spec = |spec: Value| Merges(json!({"spec": spec}));
    vec![
        service(
            "another port of a Service",
            Adds(json!({"spec": {"ports": [{"name": "ssh", "port": 22, "protocol": "TCP"}]}})),
        ),
        service("a narrower Service", spec(json!({"selector": {"more": "narrow"}}))),
        service(
            "a port that leads elsewhere",
            Edits(json!([{"op": "replace", "path": "/spec/ports/0/targetPort", "value": "metrics"}])),
        ),
        service(
            "an owner that claims control",
            Edits(json!([
                {"op": "replace", "path": "/metadata/ownerReferences/0/controller", "value": false},
                {"op": "add", "path": "/metadata/ownerReferences/-", "value": {
                    "apiVersion": "v1", "kind": "Node", "name": "n", "uid": "u", "controller": true,
                }},
            ])),
        ),
        service("a port of every node", spec(json!({"type": "NodePort"}))),
        service("an address from outside", spec(json!({"externalIPs": ["192.0.2.1"]}))),
        service("one pod for each client", spec(json!({"sessionAffinity": "ClientIP"}))),
        ("a Service deleted", "Service", "main-query", Deletes),
        policy(
            "a rule that lets everybody in",
            Edits(json!([{"op": "add", "path": "/spec/ingress/-", "value": {}}])),
        ),
        policy("a policy for fewer pods", spec(json!({"podSelector": {"matchLabels": {"more": "narrow"}}}))),
        policy("a rule that lets all out", spec(json!({"egress": [{}]}))),
        ("a policy deleted", "NetworkPolicy", "main-query", Deletes),
        budget("a budget that lets no pod go", spec(json!({"maxUnavailable": 0}))),
        budget(
            "a budget that keeps the unready",
            spec(json!({"unhealthyPodEvictionPolicy": "IfHealthyBudget"})),
        ),
        (
            "a budget the other way round",
            "PodDisruptionBudget",
            "main-query",
            spec(json!({"maxUnavailable": null, "minAvailable": 1})),
        ),
        ("a budget deleted", "PodDisruptionBudget", "main-seat-view", Deletes),
        (
            "a service account with a token",
            "ServiceAccount",
            "main",
            Merges(json!({"automountServiceAccountToken": true})),
        ),
        ("another label", "ServiceAccount", "main", labelled("app.kubernetes.io/name")),
    ]
}

fn labelled(label: &str) -> Hand {
    Merges(json!({"metadata": {"labels": {label: "x"}}}))
}

/// Of the service whose Kafka is away.
fn with_kafka_away() -> Vec<Line<'static>> {
    let open = json!([{"op": "add", "path": "/spec/ingress/-", "value": {}}]);
    let sidecar = json!({"containers": [{"name": "proxy", "image": "proxy:1"}]});
    let unmarked = Merges(json!({"metadata": {"labels": {names::RECORD_OF: null}}}));
    vec![
        ("a record that nobody watches, without Kafka", "ConfigMap", "lost-retained", unmarked),
        ("more pods, without Kafka", "Deployment", "lost-command", Merges(json!({"spec": {"replicas": 3}}))),
        ("a worker deleted, without Kafka", "Deployment", "lost-query", Deletes),
        ("a sidecar, without Kafka", "Deployment", "lost-seat-view", Adds(pods(&sidecar))),
        ("a Service deleted, without Kafka", "Service", "lost-command", Deletes),
        ("an open policy, without Kafka", "NetworkPolicy", "lost-command", Edits(open)),
    ]
}

/// What the API server's objects of the six kinds do not show: Secrets, the record, Kafka; and what can be told only.
fn of_all_else(namespace: &str, [command, query]: [&str; 2]) -> Vec<Drift> {
    let to = |kind, name: &str, hand| Deed::To(kind, name.to_owned(), hand);
    let told = |what, deed, then, patience| Drift { then, ..Drift::undone(what, deed, patience) };
    let payments = format!("{namespace}-main-payment-events");
    vec![
        Drift::of(("a label of settings", "ConfigMap", command, labelled(names::COMPONENT))),
        Drift::of(("settings deleted", "ConfigMap", query, Deletes)),
        Drift::undone("the record deleted", to("ConfigMap", &names::record("main"), Deletes), SOON),
        Drift::undone("the token deleted", to("Secret", &names::admin_token("main"), Deletes), IN_TIME),
        Drift::undone("a topic that forgets", Deed::Configures(payments, "retention.ms", "1000"), SOON),
        Drift::undone("a group deleted", Deed::Ungroups(format!("{namespace}-main-stats")), SOON),
        told(
            "a Secret deleted",
            to("Secret", SECRET, Deletes),
            Then::Told("SecretsReady", "False", "SecretMissing"),
            IN_TIME,
        ),
    ]
}

/// What the resource names and somebody else made.
const SECRET: &str = "reservations";

async fn secret_is_there(ground: &Ground<'_>) {
    let secret = json!({"metadata": {"name": SECRET}, "stringData": {"url": "postgres://postgres@db:5432/reservations"}});
    ground.plane.apply::<Secret>(ground.namespace, &secret).await.unwrap();
}

/// A service with a worker for each kind of loss.
fn main_service(namespace: &str) -> Value {
    let mut resource = service(namespace, "main");
    let consumers = resource["spec"]["consumers"].as_array_mut().unwrap();
    consumers.push(consumer("stats", "stats", "postgres://postgres@db:5432/stats"));
    let database = json!({"urlFrom": {"secretKeyRef": {"name": SECRET, "key": "url"}}});
    consumers.push(json!({"name": "reservations", "handler": "persistence", "database": database}));
    resource
}

/// Waits until the record names every topic with its id: that is written a moment after the service is Ready.
async fn is_on_record(ground: &Ground<'_>) {
    until("every topic is on record with its id", async || {
        let name = names::record("main");
        let record = ground.plane.get::<ConfigMap>(ground.namespace, &name).await?.data?;
        let lines = |key: &str| record.get(key).map_or(0, |text| text.lines().count());
        (lines("topics") > 0 && lines("topics") == lines("ids")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_is_changed_added_or_deleted_by_hand_is_put_right_or_told() {
    let stage = Stage::open("drifts").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let connection = Connection { bootstrap_servers: kafka(), security: Security::default() };
    let ground = Ground { plane, namespace, kafka: Pool::default().get(&connection).unwrap() };
    secret_is_there(&ground).await;
    plane.apply::<ReservationService>(namespace, &main_service(namespace)).await.unwrap();
    stage.service("lost").await;
    let away = json!({"spec": {"kafka": {"bootstrapServers": "127.0.0.1:1"}}});
    plane.patch::<ReservationService>(namespace, "lost", &away).await.unwrap();
    let unreachable = Some("KafkaUnreachable");
    plane.condition::<ReservationService>(namespace, "lost", "Ready", "False", unreachable, SOON * 3).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    is_on_record(&ground).await;

    let by_name = [of_workloads(), of_fields(), of_surroundings(), with_kafka_away()];
    let mut drifts: Vec<_> = by_name.into_iter().flatten().map(Drift::of).collect();
    let [command, query] = [names::COMMAND, names::QUERY].map(|worker| settings(plane, namespace, worker));
    let (command, query) = (command.await, query.await);
    drifts.extend(of_all_else(namespace, [&command[0], &query[0]]));
    assert!(drifts.len() >= 30, "only {} drifts", drifts.len());
    let wanted = objects(plane, namespace, "main").await;
    are_dealt_with(&ground, drifts).await;

    // Nothing else was changed on the way.
    let same = within(SOON, async || (objects(plane, namespace, "main").await == wanted).then_some(()));
    let (is_whole, live) = (same.await.is_some(), objects(plane, namespace, "main").await);
    let all = wanted.keys().chain(live.keys());
    let differs: Vec<_> = all.filter(|id| wanted.get(*id) != live.get(*id)).collect();
    assert!(is_whole, "not as they were: {differs:?}");
    secret_is_there(&ground).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    let main = plane.get::<ReservationService>(namespace, "main").await.unwrap();
    assert_eq!(condition(&main, "DriftPersists"), None, "it is told no more");
}
