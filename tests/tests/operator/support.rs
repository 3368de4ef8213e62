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

use std::ops::Deref;
use std::process::Stdio;
use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::{ApiAudit, Call};
use boxoffice_tests::doubles::admin::CommandWorkers;
pub use boxoffice_tests::kubernetes::{Kind, Objects, condition};
use boxoffice_tests::process::{Process, measured};
use boxoffice_tests::resources;
pub use boxoffice_tests::resources::show;
use boxoffice_tests::servers::control_plane::AdminAccess;
use boxoffice_tests::servers::{free_port, kafka, program};
use boxoffice_tests::wait::until;
use k8s_openapi::api::authentication::v1::TokenRequest;
use k8s_openapi::api::core::v1::ServiceAccount;
use k8s_openapi::api::events::v1::Event;
use kube::api::PostParams;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// The binary of the operator.
const OPERATOR: &str = "boxoffice-operator";
const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm/boxoffice");
/// What of the chart gives the operator its rights.
const RIGHTS: [&str; 5] = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
/// How soon whatever is wrong, and whatever was put right, is told.
pub const SOON: Duration = Duration::from_secs(10);

/// The API server, as its administrator.
pub struct Plane {
    objects: Objects,
    pub access: AdminAccess,
}

impl Plane {
    /// The one that all tests share.
    pub async fn connect() -> Self {
        Self::at(AdminAccess::shared()).await
    }

    /// Another one.
    pub async fn at(access: AdminAccess) -> Self {
        let config = Kubeconfig::read_from(access.kubeconfig()).unwrap();
        let config = Config::from_custom_kubeconfig(config, &KubeConfigOptions::default()).await.unwrap();
        Self { objects: Objects { client: Client::try_from(config).unwrap() }, access }
    }

    /// Waits until it is Ready.
    pub async fn ready<K: Kind>(&self, namespace: &str, name: &str) -> Duration {
        self.condition::<K>(namespace, name, "Ready", "True", None, Duration::from_mins(1)).await
    }

    /// Waits until a condition of it is False for this reason, as one that is wrong must within [`SOON`].
    pub async fn not_ready<K: Kind>(&self, namespace: &str, name: &str, reason: &str) -> Duration {
        self.condition::<K>(namespace, name, "Ready", "False", Some(reason), SOON).await
    }

    /// `kubectl` with what it is told on standard input; what it answers.
    pub async fn kubectl(&self, arguments: &[&str], input: &str) -> String {
        self.try_kubectl(arguments, input).await.unwrap_or_else(|why| panic!("kubectl: {why}"))
    }

    /// The same, or why it refused.
    pub async fn try_kubectl(&self, arguments: &[&str], input: &str) -> Result<String, String> {
        let mut kubectl = tokio::process::Command::from(self.access.kubectl().unwrap());
        kubectl.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = kubectl.kill_on_drop(true).spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
        let output = child.wait_with_output().await.unwrap();
        let [told, complained] =
            [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        if output.status.success() { Ok(told) } else { Err(complained) }
    }
}

impl Deref for Plane {
    type Target = Objects;

    fn deref(&self) -> &Objects {
        &self.objects
    }
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

    /// The same with the rights of an operator that is the cluster's: they outlive the namespaces.
    pub async fn start_wide(plane: &Plane, workers: &CommandWorkers, watched: &[&str]) -> Self {
        Self::granted(plane, workers, watched, &[], &[]).await
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
        let config = plane.access.kubeconfig_with(&token).unwrap();
        std::fs::write(kubeconfig.path().join("config"), config).unwrap();
        let probes = format!("127.0.0.1:{}", free_port().unwrap());
        let (admin, pods) = (workers.url_template(), workers.pod_url_template());
        let (told, watched) = (["--namespace", &namespace, "--metrics-addr", &probes], watched.join(","));
        let found = ["--admin-url-template", &admin, "--pod-url-template", &pods];
        let told = [&["run"], &told[..], &found, &["--watch-namespaces", &watched]].concat();
        let mut arguments: Vec<_> = told.into_iter().map(str::to_owned).collect();
        arguments.extend(more.iter().map(ToString::to_string));
        let audit = ApiAudit::of(user, plane.access.audit_log());
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

    /// Waits until it holds its Lease, and starts it again where it has ended, as its pod does.
    pub async fn goes_on(&mut self) {
        let (audit, process) = (&self.audit, &mut self.process);
        let mark = audit.mark();
        let is_held = until("it renews its Lease, or ends", async || {
            let renews = |call: &Call| call.is_lease() && call.is_write() && call.code == 200;
            let is_held = audit.since(mark).iter().any(renews);
            (is_held || process.has_ended()).then_some(is_held)
        })
        .await;
        if is_held {
            self.process.ready(&format!("http://{}/readyz", self.probes)).await.unwrap();
        } else {
            self.restart().await;
        }
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

    /// How often it has looked at an object of a controller: `seating-event`, `reservation-service`.
    pub async fn reconciles(&self, controller: &str) -> f64 {
        let series = format!("boxoffice_operator_reconciles_total{{controller=\"{controller}\"");
        measured(&self.metrics().await, &series)
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
pub async fn rendered(namespace: &str, watched: &[&str], more: &[&str]) -> Vec<Value> {
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
        Self::open_at(Plane::connect().await, hint, more).await
    }

    /// The same at an API server of the test's own.
    pub async fn open_at(plane: Plane, hint: &str, more: &[&str]) -> Self {
        let workers = CommandWorkers::start().await;
        let namespace = plane.namespace(hint).await;
        let operator = Operator::start(&plane, &workers, &[&namespace], more).await;
        Self { plane, workers, operator, namespace }
    }

    /// The same with the rights of an operator that is the cluster's: they outlive the namespace.
    pub async fn open_wide(hint: &str) -> Self {
        let (plane, workers) = (Plane::connect().await, CommandWorkers::start().await);
        let namespace = plane.namespace(hint).await;
        let operator = Operator::start_wide(&plane, &workers, &[&namespace]).await;
        Self { plane, workers, operator, namespace }
    }

    /// Applies a ReservationService as [`service`] makes it, and waits until it is Ready.
    pub async fn service(&self, name: &str) {
        let resource = service(&self.namespace, name);
        self.plane.apply::<ReservationService>(&self.namespace, &resource).await.unwrap();
        self.plane.ready::<ReservationService>(&self.namespace, name).await;
    }

    /// Waits until an Event with this reason was written about an object.
    pub async fn told<K: Kind>(&self, name: &str, reason: &str) -> Event {
        self.plane.told::<K>(&self.namespace, name, reason, SOON).await
    }

    /// Applies a SeatingEvent as [`show`] makes it, and waits until it is Ready.
    pub async fn show(&self, service: &str, name: &str) {
        self.plane.apply::<SeatingEvent>(&self.namespace, &show(service, name)).await.unwrap();
        self.plane.ready::<SeatingEvent>(&self.namespace, name).await;
    }
}

/// A ReservationService with one of each worker, on the shared Kafka with topics of its own.
pub fn service(namespace: &str, name: &str) -> Value {
    resources::service(name, &kafka(), &format!("{namespace}-{name}-"))
}

/// The time of this machine.
pub fn now() -> jiff::Timestamp {
    let millis = i64::try_from(boxoffice_runtime::clock::now()).unwrap();
    jiff::Timestamp::from_millisecond(millis).unwrap()
}
