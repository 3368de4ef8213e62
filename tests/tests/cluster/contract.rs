//! The contract on the cluster, and once more when every pod that answers buyers is another one.

use boxoffice_tests::process::run;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, DeleteParams, ListParams};
use serde_json::json;

use crate::support::{Cluster, Service, until};

#[tokio::test]
async fn the_contract_is_kept_and_what_was_sold_survives_new_pods() {
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|resource| resource["spec"]["hold"] = json!({"ttlSeconds": 4})).await;
    let strict =
        service.show(|resource| resource["spec"]["hold"] = json!({"noSingleSeatGaps": "enforce"})).await;
    let memory = tempfile::NamedTempFile::new().unwrap();
    let memory = memory.path().to_str().unwrap();
    let admin = cluster.address(&service.namespace, "main-command", 8082).await;
    let figures = cluster.address(&service.namespace, "main-query", 8082).await;
    let token = cluster.admin_token(&service.namespace, "main").await;
    let office = ["--admin-url", &admin, "--query-admin-url", &figures, "--admin-token", &token];
    let whole = [&["--strict-event", &strict.id, "--remember", memory], &office[..]].concat();
    contract(&service, &show.id, &whole).await;
    for deployment in ["main-command", "main-query"] {
        replace_pods(&cluster, &service.namespace, deployment).await;
    }
    contract(&service, &show.id, &["--recall", memory]).await;
    strict.remove().await;
    show.remove().await;
}

/// Runs the program; every check has to pass.
async fn contract(service: &Service<'_>, event: &str, more: &[&str]) {
    let where_to = ["--command-url", &service.command, "--query-url", &service.query, "--event", event];
    let output = run("boxoffice-contract", [&where_to[..], more].concat()).await.unwrap();
    let (told, complained) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{told}{complained}");
}

/// Deletes every pod of a Deployment and waits until as many others are ready in their place.
async fn replace_pods(cluster: &Cluster, namespace: &str, deployment: &str) {
    let (pods, deployments): (Api<Pod>, Api<Deployment>) = (cluster.api(namespace), cluster.api(namespace));
    let names = async || {
        let all = pods.list(&ListParams::default()).await.unwrap();
        let prefix = format!("{deployment}-");
        all.iter().map(ResourceExt::name_any).filter(|name| name.starts_with(&prefix)).collect::<Vec<_>>()
    };
    let before = names().await;
    for pod in &before {
        pods.delete(pod, &DeleteParams::default()).await.unwrap();
    }
    until(&format!("{deployment} has new pods, all ready"), async || {
        let now = names().await;
        let status = deployments.get(deployment).await.unwrap().status.unwrap_or_default();
        let ready = usize::try_from(status.ready_replicas.unwrap_or_default()).unwrap_or_default();
        (now.iter().all(|pod| !before.contains(pod)) && ready >= before.len()).then_some(())
    })
    .await;
}
