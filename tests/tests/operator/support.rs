//! The stage of the operator's tests.
//!
//! [`Plane`] is the API server that all share: namespaces of a test's own, resources, and waiting for what becomes of them.
//! [`Operator`] is one that runs as a process for a test, by the rights that the chart gives, with [`ApiAudit`] of what it
//! asks. [`CommandWorkers`] are what it finds where its services' command workers would be. [`Stage`] has one of each, and
//! [`service`] and [`show`] are resources to start from:
//!
//! ```ignore
//! let stage = Stage::open("closing").await;
//! stage.service("main").await;
//! stage.show("main", "arena").await;
//! stage.plane.patch::<SeatingEvent>(&stage.namespace, "arena", &json!({"spec": {"title": "Another"}})).await.unwrap();
//! ```
//!
//! Every pod is Ready a moment after it was made and nothing runs in it; its address is one of loopback where nothing
//! listens. A test that wants one otherwise patches the pod's status.

use std::fmt::Debug;
use std::process::Stdio;
use std::time::{Duration, Instant};

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::ApiAudit;
use boxoffice_tests::doubles::admin::CommandWorkers;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::control_plane::Place;
use boxoffice_tests::servers::{free_port, kafka, program};
use boxoffice_tests::wait::{until, within};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::{Namespace, ServiceAccount};
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Config, Resource};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;
use uuid::Uuid;

/// The binary of the operator.
const OPERATOR: &str = "boxoffice-operator";
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm/boxoffice");
/// What of the chart gives the operator its rights.
const RIGHTS: [&str; 5] = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
/// How soon whatever is wrong, and whatever was put right, is told.
pub const SOON: Duration = Duration::from_secs(10);

/// The API server, as its administrator.
pub struct Plane {
    pub client: Client,
    pub place: Place,
}

/// The kinds that a test has to do with.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

impl Plane {
    pub async fn connect() -> Self {
        let place = Place::shared();
        let config = Kubeconfig::read_from(place.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        Self { client: Client::try_from(config).unwrap(), place }
    }

    pub fn api<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A namespace of its own, in which pods must keep to the strictest of the standards.
    pub async fn namespace(&self, hint: &str) -> String {
        let name = format!("{hint}-{}", &Uuid::new_v4().simple().to_string()[..8]);
        let labels = json!({"pod-security.kubernetes.io/enforce": "restricted"});
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}
        });
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.patch(&name, &PatchParams::apply("tests"), &Patch::Apply(&namespace)).await.unwrap();
        name
    }

    /// Applies what is written as JSON, as a person or a pipeline does.
    pub async fn apply<K: Kind>(&self, namespace: &str, resource: &Value) -> kube::Result<K> {
        let name = resource["metadata"]["name"].as_str().unwrap();
        let mut resource = resource.clone();
        resource["apiVersion"] = json!(K::api_version(&()));
        resource["kind"] = json!(K::kind(&()));
        let parameters = PatchParams::apply("tests").force();
        self.api::<K>(namespace).patch(name, &parameters, &Patch::Apply(&resource)).await
    }

    /// Merges `change` into an object, as `kubectl patch --type merge` does.
    pub async fn patch<K: Kind>(&self, namespace: &str, name: &str, change: &Value) -> kube::Result<K> {
        let parameters = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
        self.api::<K>(namespace).patch(name, &parameters, &Patch::Merge(change)).await
    }

    /// The same with its status.
    pub async fn patch_status<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        change: &Value,
    ) -> kube::Result<K> {
        self.api::<K>(namespace).patch_status(name, &PatchParams::default(), &Patch::Merge(change)).await
    }

    pub async fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<K> {
        self.api::<K>(namespace).get_opt(name).await.unwrap()
    }

    pub async fn list<K: Kind>(&self, namespace: &str, labels: &str) -> Vec<K> {
        self.api::<K>(namespace).list(&ListParams::default().labels(labels)).await.unwrap().items
    }

    /// Begins a deletion; what is gone already is no trouble.
    pub async fn delete<K: Kind>(&self, namespace: &str, name: &str) {
        match self.api::<K>(namespace).delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            result => drop(result.unwrap()),
        }
    }

    /// Begins a namespace's deletion.
    pub async fn delete_namespace(&self, name: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until it no longer exists, and says how long that took.
    pub async fn gone<K: Kind>(&self, namespace: &str, name: &str, patience: Duration) -> Duration {
        let began = Instant::now();
        let gone = within(patience, async || self.get::<K>(namespace, name).await.is_none().then_some(()));
        if gone.await.is_none() {
            let left =
                self.get::<K>(namespace, name).await.map(|object| serde_json::to_value(object).unwrap());
            panic!("{} {name} is still there after {patience:?}: {left:#?}", K::kind(&()));
        }
        began.elapsed()
    }

    /// Waits until it is Ready.
    pub async fn ready<K: Kind>(&self, namespace: &str, name: &str) -> Duration {
        self.condition::<K>(namespace, name, "Ready", "True", None, Duration::from_mins(1)).await
    }

    /// Waits until a condition of it is False for this reason, as one that is wrong must within [`SOON`].
    pub async fn not_ready<K: Kind>(&self, namespace: &str, name: &str, reason: &str) -> Duration {
        self.condition::<K>(namespace, name, "Ready", "False", Some(reason), SOON).await
    }

    /// Waits until a condition has this status, and this reason where one is given; it fails with what is there in its
    /// place after `patience`, and says how long it took.
    pub async fn condition<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        kind: &str,
        status: &str,
        reason: Option<&str>,
        patience: Duration,
    ) -> Duration {
        let began = Instant::now();
        let came = within(patience, async || {
            let object = self.get::<K>(namespace, name).await?;
            let found = condition(&object, kind)?;
            let is_so = found["status"] == status && reason.is_none_or(|reason| found["reason"] == reason);
            is_so.then_some(())
        });
        if came.await.is_none() {
            let object =
                self.get::<K>(namespace, name).await.map(|object| serde_json::to_value(object).unwrap());
            let status_now = object.as_ref().map(|object| &object["status"]);
            panic!(
                "{} {name} has not {kind} {status} {} after {patience:?}: {status_now:#?}",
                K::kind(&()),
                reason.unwrap_or_default()
            );
        }
        began.elapsed()
    }

    /// `kubectl` with what it is told on standard input; what it answers.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.try_kubectl(arguments, input).await.unwrap_or_else(|why| panic!("kubectl: {why}"))
    }

    /// The same, or why it refused.
    pub async fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut kubectl = tokio::process::Command::from(self.place.kubectl().unwrap());
        kubectl.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.kill_on_drop(true).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let [told, complained] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        if output.status.success() { Ok(told) } else { Err(complained) }
    }
}

impl Plane {
    /// What becomes of the objects of a kind, also of those that our types cannot read.
    pub fn follow<K: Kind>(&self, namespace: &str) -> impl Stream<Item = DynamicObject> + Send + use<K> {
        let kind = ApiResource::erase::<K>(&());
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &kind);
        let objects = watcher(api, watcher::Config::default()).applied_objects();
        objects.filter_map(|object| std::future::ready(object.ok()))
    }
}

/// A condition of a status that is of the object's newest generation.
pub fn condition<K: Serialize>(object: &K, kind: &str) -> Option<Value> {
    let object = serde_json::to_value(object).unwrap();
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == kind)?.clone();
    let observed = &object["status"]["observedGeneration"];
    (*observed == object["metadata"]["generation"]).then_some(found)
}

/// An operator as a process, with a service account of its own. It has a namespace of its own too, so that it outlives
/// those that it works in.
pub struct Operator {
    pub process: Process,
    /// What it asked of the API server.
    pub audit: ApiAudit,
    /// Where its Lease is.
    pub namespace: String,
    arguments: Vec<String>,
    kubeconfig: TempDir,
    probes: String,
}

impl Operator {
    /// Starts one for namespaces, with the rights in these alone and with more arguments, and waits until it leads.
    pub async fn start(plane: &Plane, workers: &CommandWorkers, watched: &[&str], more: &[&str]) -> Self {
        Self::granted(plane, workers, watched, watched, more).await
    }

    /// The same with rights in other namespaces; where none is named, in all.
    async fn granted(
        plane: &Plane,
        workers: &CommandWorkers,
        watched: &[&str],
        rights: &[&str],
        more: &[&str],
    ) -> Self {
        let namespace = plane.namespace("operator").await;
        let (user, token) = admitted(plane, &namespace, rights).await;
        let kubeconfig = tempfile::Builder::new().prefix("boxoffice-operator-").tempdir().unwrap();
        let config = plane.place.kubeconfig_with(&token).unwrap();
        std::fs::write(kubeconfig.path().join("config"), config).unwrap();
        let probes = format!("127.0.0.1:{}", free_port().unwrap());
        let (admin, pods) = (workers.url_template(), workers.pod_url_template());
        let (told, watched) = (["--namespace", &namespace, "--metrics-addr", &probes], watched.join(","));
        let found = ["--admin-url-template", &admin, "--pod-url-template", &pods];
        let told = [&["run"], &told[..], &found, &["--watch-namespaces", &watched]].concat();
        let mut arguments: Vec<_> = told.into_iter().map(str::to_owned).collect();
        arguments.extend(more.iter().map(ToString::to_string));
        let audit = ApiAudit::of(user, plane.place.audit_log());
        let process = begin(&arguments, &kubeconfig);
        let mut operator = Self { process, audit, namespace, arguments, kubeconfig, probes };
        operator.leads().await;
        operator
    }

    /// Kills it and starts it again, as the same one.
    pub async fn restart(&mut self) {
        self.process.kill();
        self.process = begin(&self.arguments, &self.kubeconfig);
        self.leads().await;
    }

    /// Another candidate beside it, which does not wait to lead.
    pub fn second(&self) -> Process {
        let mut arguments = self.arguments.clone();
        let probes = format!("127.0.0.1:{}", free_port().unwrap());
        for argument in &mut arguments {
            if *argument == self.probes {
                argument.clone_from(&probes);
            }
        }
        begin(&arguments, &self.kubeconfig)
    }

    /// What it measures.
    pub async fn metrics(&self) -> String {
        let url = format!("http://{}/metrics", self.probes);
        reqwest::get(url).await.unwrap().text().await.unwrap()
    }

    /// What it says on a path of its probes, such as `/readyz`: the status and the text.
    pub async fn probe(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("http://{}{path}", self.probes)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    async fn leads(&mut self) {
        self.process.says("leading").await.unwrap();
        self.process.ready(&format!("http://{}/readyz", self.probes)).await.unwrap();
    }
}

fn begin(arguments: &[String], kubeconfig: &TempDir) -> Process {
    let config = kubeconfig.path().join("config").display().to_string();
    Process::start_with(OPERATOR, arguments, [("KUBECONFIG", config)]).unwrap()
}

/// A service account that may do what the chart grants: its user name, and a token.
async fn admitted(plane: &Plane, namespace: &str, watched: &[&str]) -> (String, String) {
    let chart = rendered(namespace, watched, &[]).await;
    let rights = rights(&chart);
    let account = rights.iter().find(|it| it["kind"] == "ServiceAccount").unwrap();
    let account = account["metadata"]["name"].as_str().unwrap();
    grant(plane, &rights).await;
    let api = plane.api::<ServiceAccount>(namespace);
    let request = TokenRequest::default();
    let token = until("the operator's account is there", async || {
        api.create_token_request(account, &PostParams::default(), &request).await.ok()
    })
    .await;
    (format!("system:serviceaccount:{namespace}:{account}"), token.status.unwrap().token)
}

fn rights(chart: &[Value]) -> Vec<&Value> {
    chart.iter().filter(|it| RIGHTS.contains(&it["kind"].as_str().unwrap_or_default())).collect()
}

async fn grant(plane: &Plane, rights: &[&Value]) {
    let granted = rights.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n---\n");
    plane.kubectl(&["apply", "--server-side", "--filename", "-"], &granted).await;
}

/// Gives the operator of a stage what the chart has for namespaces that are deleted.
pub async fn outliving(stage: &Stage) {
    let (namespace, outlives) = (&stage.operator.namespace, "rbac.outlivesNamespaces=true");
    let chart = rendered(namespace, &[&stage.namespace], &["--set", outlives]).await;
    let wide = |it: &&Value| it["kind"].as_str().is_some_and(|kind| kind.starts_with("ClusterRole"));
    grant(&stage.plane, &rights(&chart).into_iter().filter(wide).collect::<Vec<_>>()).await;
}

/// The roles that the chart gives an operator; those that it gives people are left out.
pub async fn roles() -> Vec<Value> {
    let chart = rendered("operator", &["tickets"], &[]).await;
    let is_role = |it: &Value| it["kind"] == "Role" || it["kind"] == "ClusterRole";
    let is_for_people = |it: &Value| {
        let labels = it["metadata"]["labels"].as_object().into_iter().flatten();
        labels.into_iter().any(|(name, _)| name.starts_with("rbac.authorization.k8s.io/aggregate-to-"))
    };
    chart.into_iter().filter(|it| is_role(it) && !is_for_people(it)).collect()
}

/// The chart, as Helm makes it for an operator of these namespaces.
async fn rendered(namespace: &str, watched: &[&str], more: &[&str]) -> Vec<Value> {
    let mut helm = tokio::process::Command::new(program("helm").unwrap());
    helm.args(["template", namespace, CHART, "--namespace", namespace]).kill_on_drop(true);
    if !watched.is_empty() {
        helm.args(["--set", &format!("watchNamespaces={{{}}}", watched.join(","))]);
    }
    helm.args(more);
    let output = helm.output().await.unwrap();
    assert!(output.status.success(), "helm: {}", String::from_utf8_lossy(&output.stderr));
    let documents = serde_yaml_ng::Deserializer::from_slice(&output.stdout);
    documents.map(|document| Value::deserialize(document).unwrap()).collect()
}

/// What most tests begin with: a namespace, command workers for whatever is in it, and an operator.
pub struct Stage {
    pub plane: Plane,
    pub workers: CommandWorkers,
    pub operator: Operator,
    pub namespace: String,
}

impl Stage {
    pub async fn open(hint: &str) -> Self {
        Self::open_with(hint, &[]).await
    }

    /// The same with more arguments for the operator.
    pub async fn open_with(hint: &str, more: &[&str]) -> Self {
        let (plane, workers) = (Plane::connect().await, CommandWorkers::start().await);
        let namespace = plane.namespace(hint).await;
        let operator = Operator::start(&plane, &workers, &[&namespace], more).await;
        Self { plane, workers, operator, namespace }
    }

    /// The same with the rights of an operator that is the cluster's: they outlive the namespace.
    pub async fn open_wide(hint: &str) -> Self {
        let (plane, workers) = (Plane::connect().await, CommandWorkers::start().await);
        let namespace = plane.namespace(hint).await;
        let operator = Operator::granted(&plane, &workers, &[&namespace], &[], &[]).await;
        Self { plane, workers, operator, namespace }
    }

    /// Applies a ReservationService as [`service`] makes it, and waits until it is Ready.
    pub async fn service(&self, name: &str) {
        let resource = service(&self.namespace, name);
        self.plane.apply::<ReservationService>(&self.namespace, &resource).await.unwrap();
        self.plane.ready::<ReservationService>(&self.namespace, name).await;
    }

    /// Applies a SeatingEvent as [`show`] makes it, and waits until it is Ready.
    pub async fn show(&self, service: &str, name: &str) {
        self.plane.apply::<SeatingEvent>(&self.namespace, &show(service, name)).await.unwrap();
        self.plane.ready::<SeatingEvent>(&self.namespace, name).await;
    }
}

/// A ReservationService with one of each worker, on the shared Kafka with topics of its own.
pub fn service(namespace: &str, name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "auth": {"mode": "header", "allowFrom": [{"namespaceSelector": {}, "podSelector": {}}]},
            "redis": {"url": "redis://redis:6379"},
            "kafka": {
                "bootstrapServers": kafka(),
                "prefix": format!("{namespace}-{name}-"),
                "topic": {"partitions": 1, "replicationFactor": 1, "deletionPolicy": "Delete"}
            },
            "command": {"replicas": 1},
            "query": {"replicas": 1},
            "consumers": [
                {"name": "seat-view", "handler": "seat-view", "database": {"url": "postgres://postgres@db:5432/view"}}
            ]
        }
    })
}

/// A SeatingEvent of a service: two rows of twenty and a floor for fifty.
pub fn show(service: &str, name: &str) -> Value {
    json!({
        "metadata": {"name": name},
        "spec": {
            "serviceRef": {"name": service},
            "title": "A show of the tests",
            "startsAt": "2099-03-01T20:00:00Z",
            "priceCategories": [{"name": "gold", "amount": 12000, "currency": "EUR"}],
            "sections": [
                {"id": "A", "priceCategory": "gold", "rows": [{"rows": "1-2", "seats": "1-20"}]},
                {"id": "FLOOR", "priceCategory": "gold", "capacity": 50}
            ]
        }
    })
}

/// The time of this machine.
pub fn now() -> jiff::Timestamp {
    let millis = i64::try_from(boxoffice_runtime::clock::now()).unwrap();
    jiff::Timestamp::from_millisecond(millis).unwrap()
}
