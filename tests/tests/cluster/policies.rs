//! Network policies as the kernel enforces them: who reaches whom, tried from inside the network of pods. All other tests of the
//! cluster say that what has to be reached is.

use std::process::{Command, Stdio};

use boxoffice_operator::reservation_service::names;
use boxoffice_tests::servers::free_port;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::net::TcpListener;

use crate::support::{Cluster, setting, until};

const COMMAND: u16 = 8080;
const QUERY: u16 = 8081;
const ADMIN: u16 = 8082;
const METRICS: u16 = 9090;
/// Where clouds hand out credentials, but for its last part.
const LINK_LOCAL: &str = "169.254.77.7";

/// A pod that runs: its address, and a process in its network.
struct Place {
    name: String,
    address: String,
    process: u32,
}

impl Place {
    async fn of(cluster: &Cluster, namespace: &str, labels: &str) -> Self {
        until(&format!("a pod of {labels}"), async || {
            let pods = cluster.list::<Pod>(namespace, labels).await;
            pods.iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).find_map(|pod| {
                let address = pod.status.as_ref()?.pod_ip.clone()?;
                Some(Self { name: pod.name_any(), address, process: process_of(&pod.uid()?)? })
            })
        })
        .await
    }

    /// Whether a connection from there comes about.
    fn reaches(&self, address: &str, port: u16) -> bool {
        let network = format!("--net=/proc/{}/ns/net", self.process);
        let connect = format!("exec 3<>/dev/tcp/{address}/{port}");
        let mut try_it = Command::new("nsenter");
        try_it.args([network.as_str(), "timeout", "3", "bash", "-c", connect.as_str()]);
        try_it.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap().success()
    }
}

/// A process of the pod with this id: any of them, for they have one network.
fn process_of(pod: &str) -> Option<u32> {
    let group = format!("pod{pod}");
    std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
        let process = entry.file_name().to_str()?.parse().ok()?;
        let groups = std::fs::read_to_string(entry.path().join("cgroup")).ok()?;
        groups.contains(&group).then_some(process)
    })
}

/// An address that pods can be sent to on this machine, until it is dropped.
struct Address(String);

impl Address {
    fn add(address: &str) -> Self {
        let address = Self(format!("{address}/32"));
        assert!(address.set("add"));
        address
    }

    fn set(&self, how: &str) -> bool {
        Command::new("ip").args(["address", how, &self.0, "dev", "lo"]).status().unwrap().success()
    }
}

impl Drop for Address {
    fn drop(&mut self) {
        self.set("delete");
    }
}

#[tokio::test]
async fn the_kernel_lets_through_what_policies_say_and_nothing_else() {
    if setting("POLICIES").is_empty() {
        println!("skipped: nothing enforces NetworkPolicies on this cluster");
        return;
    }
    let cluster = Cluster::connect().await;
    let worker = async |component: &str| {
        let labels = format!("{},app.kubernetes.io/component={component}", names::owned_by("main"));
        Place::of(&cluster, "tickets", &labels).await
    };
    let (command, query) = (worker("command").await, worker("query").await);
    let (view, payments) = (worker("seat-view").await, worker("payment-service").await);
    let of_a_buyer = Place::of(&cluster, "tickets", "app.kubernetes.io/name=notification").await;
    let operator = Place::of(&cluster, "boxoffice-system", "app.kubernetes.io/name=boxoffice-operator").await;

    let cases = [
        (&of_a_buyer, &command, COMMAND, true),
        (&of_a_buyer, &query, QUERY, true),
        (&of_a_buyer, &command, ADMIN, false),
        (&of_a_buyer, &query, ADMIN, false),
        (&query, &command, ADMIN, false),
        (&payments, &command, ADMIN, false),
        (&operator, &command, ADMIN, true),
        (&operator, &query, ADMIN, true),
        (&of_a_buyer, &command, METRICS, true),
        (&of_a_buyer, &view, METRICS, true),
        (&of_a_buyer, &operator, METRICS, true),
    ];
    for (from, to, port, expected) in cases {
        let what = format!("{} reaches {} on {port}: {expected}", from.name, to.name);
        until(&what, async || (from.reaches(&to.address, port) == expected).then_some(())).await;
    }

    let _address = Address::add(LINK_LOCAL);
    let port = free_port().unwrap();
    let _listener = TcpListener::bind((LINK_LOCAL, port)).await.unwrap();
    assert!(of_a_buyer.reaches(LINK_LOCAL, port), "no policy is about it");
    assert!(!payments.reaches(LINK_LOCAL, port), "{}", payments.name);
}
