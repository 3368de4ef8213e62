//! A Kubernetes without machines: etcd, API server, controller manager and scheduler of the cluster suite as processes on
//! loopback, and kwok, which plays nodes and pods: every pod is Ready a moment after it was made, and nothing runs in it.
//!
//! The API server writes down whatever service accounts ask: see `tests/cluster/audit-policy.yaml`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, ensure};
use rustix::process::Signal;
use tempfile::TempDir;
use uuid::Uuid;

use super::child::{Child, bound};
use super::installed::program;
use super::server::free_port;
use crate::wait::within;

/// Where `boxoffice-servers` says which folder the control plane has.
pub const CONTROL_PLANE: &str = "BOXOFFICE_TEST_CONTROL_PLANE";

const API_SERVER: &str = "kube-apiserver";
const START_TIMEOUT: Duration = Duration::from_mins(1);
/// One question to it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const SERVICES: &str = "10.97.0.0/16";
/// Addresses of loopback: who asks a pod that is not there reaches nobody.
const PODS: &str = "127.98.0.0/16";
/// What makes Deployments pods, and deletes what belongs to what was deleted. Nothing watches nodes: none of them fails.
const CONTROLLERS: [&str; 9] = [
    "clusterrole-aggregation-controller",
    "deployment-controller",
    "disruption-controller",
    "garbage-collector-controller",
    "namespace-controller",
    "replicaset-controller",
    "resourcequota-controller",
    "root-ca-certificate-publisher-controller",
    "serviceaccount-controller",
];
const NODES: usize = 3;
const TESTS: &str = env!("CARGO_MANIFEST_DIR");

/// A running control plane; dropping it ends it and removes its folder.
#[derive(Debug)]
pub struct ControlPlane {
    processes: BTreeMap<&'static str, Child>,
    ports: Ports,
    access: AdminAccess,
    _folder: TempDir,
}

/// What its administrator needs of a control plane, which is all in its folder.
#[derive(Debug, Clone)]
pub struct AdminAccess {
    folder: PathBuf,
}

impl AdminAccess {
    /// The one that `boxoffice-servers` started.
    ///
    /// # Panics
    /// Outside the harness.
    pub fn shared() -> Self {
        let folder = std::env::var_os(CONTROL_PLANE);
        let Some(folder) = folder else {
            panic!("{CONTROL_PLANE} is not set: run the tests by `make test SUITES=operator`");
        };
        Self { folder: folder.into() }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What its administrator may do everything with.
    pub fn kubeconfig(&self) -> PathBuf {
        self.folder.join("admin.kubeconfig")
    }

    /// The same for whoever has another token.
    ///
    /// # Errors
    /// A control plane that is gone.
    pub fn kubeconfig_with(&self, token: &str) -> anyhow::Result<String> {
        let theirs = std::fs::read_to_string(self.kubeconfig())?;
        let (_, administrator) = theirs.rsplit_once("token: ").context("a kubeconfig without a token")?;
        Ok(theirs.replace(administrator.trim_end(), token))
    }

    /// What service accounts asked of it.
    pub fn audit_log(&self) -> PathBuf {
        self.folder.join("audit.log")
    }

    /// `kubectl` as its administrator; its arguments are to be added.
    ///
    /// # Errors
    /// A kubectl that was not built.
    pub fn kubectl(&self) -> anyhow::Result<Command> {
        let mut command = bound(program("kubectl")?, Signal::KILL, None);
        command.arg("--kubeconfig").arg(self.kubeconfig());
        Ok(command)
    }
}

/// Where its processes listen.
#[derive(Debug)]
struct Ports {
    etcd: u16,
    peers: u16,
    api: u16,
    controllers: u16,
    scheduler: u16,
    kwok: u16,
}

impl Ports {
    fn free() -> anyhow::Result<Self> {
        Ok(Self {
            etcd: free_port()?,
            peers: free_port()?,
            api: free_port()?,
            controllers: free_port()?,
            scheduler: free_port()?,
            kwok: free_port()?,
        })
    }
}

impl ControlPlane {
    /// Starts one with nodes and our resources' definitions, and waits until it answers.
    ///
    /// # Errors
    /// A program that was not built, or one that does not answer within a minute; the end of its log is in the message.
    pub async fn start() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("boxoffice-control-plane-").tempdir()?;
        let access = AdminAccess { folder: folder.path().to_owned() };
        let ports = Ports::free()?;
        let mut started = Self { processes: BTreeMap::new(), ports, access, _folder: folder };
        started.credentials().await?;
        started.etcd().await?;
        started.start_api_server().await?;
        started.controllers().await?;
        started.furnish().await?;
        Ok(started)
    }

    /// As tests know it that do not share it.
    pub fn access(&self) -> AdminAccess {
        self.access.clone()
    }

    /// Kills the API server without a warning.
    pub fn kill_api_server(&mut self) {
        if let Some(server) = self.processes.get_mut(API_SERVER) {
            server.kill();
        }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.access.folder
    }

    /// One administrator, who is everybody but the operators; those are service accounts.
    async fn credentials(&self) -> anyhow::Result<()> {
        let AdminAccess { folder } = &self.access;
        let token = Uuid::new_v4().simple().to_string();
        std::fs::write(folder.join("tokens.csv"), format!("{token},admin,admin,\"system:masters\"\n"))?;
        let key = bound("openssl", Signal::KILL, None);
        let mut key = tokio::process::Command::from(key);
        key.args(["genrsa", "-out"]).arg(folder.join("service-account.key")).arg("2048").kill_on_drop(true);
        ensure!(key.output().await?.status.success(), "openssl makes no key");
        let authority = folder.join("api-server/apiserver.crt");
        let config = format!(
            "apiVersion: v1
kind: Config
current-context: tests
clusters:
- name: tests
  cluster: {{server: \"https://127.0.0.1:{}\", certificate-authority: {}}}
contexts:
- name: tests
  context: {{cluster: tests, user: tests}}
users:
- name: tests
  user:
    token: {token}
",
            self.ports.api,
            authority.display()
        );
        std::fs::write(self.access.kubeconfig(), config)?;
        Ok(())
    }

    async fn etcd(&mut self) -> anyhow::Result<()> {
        let [clients, peers] =
            [self.ports.etcd, self.ports.peers].map(|port| format!("http://127.0.0.1:{port}"));
        let mut etcd = bound(program("etcd")?, Signal::KILL, None);
        etcd.args(["--name", "tests", "--unsafe-no-fsync", "--log-level", "warn", "--data-dir"])
            .arg(self.access.folder.join("etcd"))
            .args(["--listen-client-urls", &clients, "--advertise-client-urls", &clients])
            .args(["--listen-peer-urls", &peers, "--initial-advertise-peer-urls", &peers])
            .args(["--initial-cluster", &format!("tests={peers}")])
            // Thousands of objects that change all the time.
            .args(["--quota-backend-bytes", "4294967296"]);
        self.begin("etcd", etcd)?;
        let health = format!("{clients}/health");
        self.until("etcd", async || is_well(&health).await).await
    }

    /// Starts the API server, also one that was killed, and waits until it answers.
    ///
    /// # Errors
    /// One that does not answer within a minute.
    pub async fn start_api_server(&mut self) -> anyhow::Result<()> {
        let (AdminAccess { folder }, ports) = (&self.access, &self.ports);
        let key = folder.join("service-account.key");
        let mut server = bound(program(API_SERVER)?, Signal::KILL, None);
        server
            .args(["--etcd-servers", &format!("http://127.0.0.1:{}", ports.etcd)])
            .args(["--bind-address", "127.0.0.1", "--advertise-address", "127.0.0.1"])
            .args(["--endpoint-reconciler-type", "none", "--secure-port", &ports.api.to_string()])
            .args(["--service-cluster-ip-range", SERVICES, "--authorization-mode", "RBAC"])
            // Nobody would take the taint away again that a new node gets until it is Ready.
            .args(["--disable-admission-plugins", "TaintNodesByCondition"])
            .args(["--service-account-issuer", "https://kubernetes.default.svc"])
            .arg("--service-account-key-file")
            .arg(&key)
            .arg("--service-account-signing-key-file")
            .arg(&key)
            .arg("--cert-dir")
            .arg(folder.join("api-server"))
            .arg("--token-auth-file")
            .arg(folder.join("tokens.csv"))
            .args(["--audit-policy-file", &format!("{TESTS}/cluster/audit-policy.yaml")])
            // One file, however long: what was counted must not be rotated away.
            .args(["--audit-log-maxsize", "100000", "--audit-log-path"])
            .arg(self.access.audit_log());
        self.begin(API_SERVER, server)?;
        let access = self.access.clone();
        self.until(API_SERVER, async || told(&access, &["get", "--raw", "/readyz"]).await.is_ok()).await
    }

    async fn controllers(&mut self) -> anyhow::Result<()> {
        let (AdminAccess { folder }, ports) = (&self.access, &self.ports);
        let config = self.access.kubeconfig();
        let loopback = |name: &str, port: u16| -> anyhow::Result<Command> {
            let mut command = bound(program(name)?, Signal::KILL, None);
            command
                .arg("--kubeconfig")
                .arg(&config)
                .args(["--leader-elect=false", "--bind-address", "127.0.0.1"])
                .args(["--secure-port", &port.to_string(), "--kube-api-qps", "500"])
                .args(["--kube-api-burst", "1000", "--cert-dir"])
                .arg(folder.join(name));
            Ok(command)
        };
        let mut manager = loopback("kube-controller-manager", ports.controllers)?;
        manager
            .args(["--controllers", &CONTROLLERS.join(",")])
            .arg("--service-account-private-key-file")
            .arg(folder.join("service-account.key"))
            .arg("--root-ca-file")
            .arg(folder.join("api-server/apiserver.crt"));
        let scheduler = loopback("kube-scheduler", ports.scheduler)?;
        let mut kwok = bound(program("kwok")?, Signal::KILL, None);
        kwok.arg("--kubeconfig")
            .arg(&config)
            .args(["--manage-all-nodes=true", "--cidr", PODS, "--node-lease-duration-seconds", "0"])
            .args(["--config", &format!("{TESTS}/cluster/tools/kwok/stages.yaml")])
            .args(["--server-address", &format!("127.0.0.1:{}", ports.kwok)]);
        self.begin("kube-scheduler", scheduler)?;
        self.begin("kwok", kwok)?;
        self.begin("kube-controller-manager", manager)?;
        let access = self.access.clone();
        let account = ["--namespace", "default", "get", "serviceaccount", "default"];
        self.until("kube-controller-manager", async || told(&access, &account).await.is_ok()).await
    }

    /// Nodes, and the definitions of our resources.
    async fn furnish(&self) -> anyhow::Result<()> {
        let nodes: Vec<_> = (1..=NODES).map(node).collect();
        let file = self.access.folder.join("nodes.yaml");
        std::fs::write(&file, nodes.concat())?;
        let file = file.display().to_string();
        let definitions = ["reservationservices", "seatingevents"];
        let [services, events] = definitions.map(|name| format!("{TESTS}/../crds/{name}.yaml"));
        let apply = ["apply", "--server-side", "--filename"];
        told(&self.access, &[&apply[..], &[&file, "--filename", &services, "--filename", &events]].concat())
            .await?;
        told(&self.access, &["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]).await?;
        told(&self.access, &["wait", "--for=condition=Ready", "--timeout=30s", "node", "--all"]).await?;
        Ok(())
    }

    fn begin(&mut self, name: &'static str, command: Command) -> anyhow::Result<()> {
        let log = self.access.folder.join(format!("{name}.log"));
        self.processes.insert(name, Child::start(name, command, &log, Signal::KILL)?);
        Ok(())
    }

    /// Waits until it answers, unless this one of its processes ends.
    async fn until(&mut self, name: &str, mut answers: impl AsyncFnMut() -> bool) -> anyhow::Result<()> {
        let process = self.processes.get_mut(name).context("it was not begun")?;
        let ready = within(START_TIMEOUT, async || {
            if process.ended().is_some() {
                return Some(false);
            }
            answers().await.then_some(true)
        })
        .await;
        ensure!(ready == Some(true), "the control plane is not ready\n{}", process.log_tail());
        Ok(())
    }
}

async fn is_well(url: &str) -> bool {
    let client = reqwest::Client::builder().no_proxy().timeout(ANSWER_TIMEOUT).build();
    let Ok(client) = client else { return false };
    client.get(url).send().await.is_ok_and(|answer| answer.status().is_success())
}

/// What kubectl answers.
async fn told(access: &AdminAccess, arguments: &[&str]) -> anyhow::Result<String> {
    let mut kubectl = tokio::process::Command::from(access.kubectl()?);
    let output = kubectl.args(arguments).arg("--request-timeout=30s").kill_on_drop(true).output().await?;
    ensure!(output.status.success(), "kubectl: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn node(number: usize) -> String {
    format!(
        "---
apiVersion: v1
kind: Node
metadata:
  name: node-{number}
  labels: {{kubernetes.io/hostname: node-{number}, kubernetes.io/os: linux}}
"
    )
}
