//! The charts: upgraded, rolled back, taken away and installed again beside a sale that notices nothing of it.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::kubernetes::POD_SECURITY;
use futures::FutureExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Namespace, Pod};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::ResourceExt;
use kube::api::{Api, ListParams};
use serde_json::{Value, json};

use crate::support::{Cluster, PATIENCE, assert_gapless, ran, settled};

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../helm");
const SYSTEM: &str = "boxoffice-system";
/// The releases, which are called as their charts are.
const DEFINITIONS: &str = "boxoffice-crds";
const OPERATOR: &str = "boxoffice";
const NEXT: &str = "9.9.9";

async fn helm(arguments: &[&str]) -> String {
    ran("helm", &[arguments, &["--namespace", SYSTEM]].concat()).await
}

/// Both charts under another version, and the values that the cluster's releases have.
struct Copies {
    folder: tempfile::TempDir,
}

impl Copies {
    async fn made() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for chart in [DEFINITIONS, OPERATOR] {
            let copy = folder.path().join(chart);
            ran("cp", &["--recursive", &format!("{CHARTS}/{chart}"), copy.to_str().unwrap()]).await;
            let file = copy.join("Chart.yaml");
            let said = std::fs::read_to_string(&file).unwrap();
            let is_version = |line: &&str| line.starts_with("version: ");
            let version = said.lines().find(is_version).unwrap();
            std::fs::write(&file, said.replace(version, &format!("version: {NEXT}"))).unwrap();
            let values = helm(&["get", "values", chart, "--output", "yaml"]).await;
            std::fs::write(folder.path().join(format!("{chart}.yaml")), values).unwrap();
        }
        Self { folder }
    }

    fn chart(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    fn values(&self, name: &str) -> String {
        self.folder.path().join(format!("{name}.yaml")).display().to_string()
    }
}

/// What no upgrade, roll-back or removal may touch.
#[derive(Debug, PartialEq)]
struct Kept {
    /// Uids by name.
    definitions: BTreeMap<String, Option<String>>,
    /// Pod templates, to the byte, by namespace and name.
    templates: BTreeMap<String, String>,
    pods: Vec<String>,
    /// With their ids.
    topics: Value,
    shows: Vec<(String, Option<String>)>,
}

impl Kept {
    /// As it is now, in these namespaces.
    async fn of(cluster: &Cluster, namespaces: &[&str]) -> Self {
        let (mut templates, mut pods) = (BTreeMap::new(), Vec::new());
        for namespace in namespaces {
            for worker in cluster.list::<Deployment>(namespace, "").await {
                let template = json!(worker.spec.as_ref().unwrap().template).to_string();
                templates.insert(format!("{namespace}/{}", worker.name_any()), template);
            }
            pods.extend(cluster.list::<Pod>(namespace, "").await.iter().map(ResourceExt::name_any));
        }
        let main = cluster.get::<ReservationService>("tickets", "main").await.unwrap();
        let shows = cluster.list::<SeatingEvent>("tickets", "").await;
        let shows = shows.iter().map(|show| (show.name_any(), show.uid())).collect();
        let topics = json!(main.status)["topics"].clone();
        Self { definitions: definitions(cluster).await, templates, pods, topics, shows }
    }
}

async fn definitions(cluster: &Cluster) -> BTreeMap<String, Option<String>> {
    let all: Api<CustomResourceDefinition> = Api::all(cluster.client.clone());
    let all = all.list(&ListParams::default()).await.unwrap();
    let ours = all.iter().filter(|definition| definition.spec.group == "boxoffice.dev");
    ours.map(|definition| (definition.name_any(), definition.uid())).collect()
}

/// Which version of its chart a release has.
async fn version(release: &str) -> String {
    let metadata: Value =
        serde_json::from_str(&helm(&["get", "metadata", release, "--output", "json"]).await).unwrap();
    metadata["version"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn charts_are_upgraded_rolled_back_removed_and_installed_again_and_everything_is_kept() {
    let cluster = Cluster::connect().await;
    let copies = Copies::made().await;
    let outcome = AssertUnwindSafe(life_of_charts(&cluster, &copies)).catch_unwind().await;
    // The tests behind this one need both, whatever went wrong.
    for chart in [DEFINITIONS, OPERATOR] {
        let install = ["upgrade", "--install", chart, &format!("{CHARTS}/{chart}")];
        helm(&[&install[..], &["--values", &copies.values(chart), "--wait", "--timeout", "120s"]].concat())
            .await;
    }
    if let Err(failure) = outcome {
        std::panic::resume_unwind(failure);
    }
}

async fn life_of_charts(cluster: &Cluster, copies: &Copies) {
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    service.sell(&show.seat("A-1-1")).await;
    let both = ["tickets", SYSTEM];
    settled(cluster, &both).await;
    let (before, versions) =
        (Kept::of(cluster, &both).await, [version(DEFINITIONS).await, version(OPERATOR).await]);

    for chart in [DEFINITIONS, OPERATOR] {
        helm(&["upgrade", chart, &copies.chart(chart), "--reuse-values", "--wait", "--timeout", "120s"])
            .await;
        assert_eq!(version(chart).await, NEXT);
    }
    assert_eq!(Kept::of(cluster, &both).await, before, "after the upgrade");
    service.sell(&show.seat("A-1-2")).await;
    for chart in [OPERATOR, DEFINITIONS] {
        helm(&["rollback", chart, "--wait", "--timeout", "120s"]).await;
    }
    assert_eq!([version(DEFINITIONS).await, version(OPERATOR).await], versions);
    assert_eq!(Kept::of(cluster, &both).await, before, "after the roll-back");

    // As it comes the chart keeps the definitions; the tests' cluster says otherwise, to be removed.
    helm(&["upgrade", DEFINITIONS, &format!("{CHARTS}/{DEFINITIONS}"), "--set", "keep=true", "--wait"]).await;
    let before = Kept::of(cluster, &["tickets"]).await;
    for chart in [OPERATOR, DEFINITIONS] {
        helm(&["uninstall", chart, "--wait", "--timeout", "120s"]).await;
    }
    assert_eq!(Kept::of(cluster, &["tickets"]).await, before, "after the removal");
    service.sell(&show.seat("A-1-3")).await;

    for chart in [DEFINITIONS, OPERATOR] {
        let install = ["install", chart, &format!("{CHARTS}/{chart}"), "--values", &copies.values(chart)];
        helm(&[&install[..], &["--wait", "--timeout", "120s"]].concat()).await;
    }
    let change = json!({"spec": {"title": "After it"}});
    cluster.patch::<SeatingEvent>("tickets", &show.id, &change).await.unwrap();
    show.ready().await;
    cluster.condition::<ReservationService>("tickets", "main", "Ready", "True", None, PATIENCE).await;
    assert_eq!(Kept::of(cluster, &["tickets"]).await, before, "installed again");
    for key in ["A-1-1", "A-1-2", "A-1-3"] {
        service.shows(&show.seat(key), "RESERVED").await;
    }
    assert_gapless(&show.facts("seat-events").await);
    show.remove().await;
}

#[tokio::test]
async fn pods_of_the_operator_and_of_services_keep_to_the_strictest_standard() {
    let cluster = Cluster::connect().await;
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    for name in ["tickets", SYSTEM] {
        let namespace = namespaces.get(name).await.unwrap();
        assert_eq!(namespace.labels().get(POD_SECURITY).map(String::as_str), Some("restricted"), "{name}");
        assert!(!cluster.list::<Pod>(name, "").await.is_empty(), "{name} has no pod to prove it");
    }
}
