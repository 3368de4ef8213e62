//! Resources deleted and applied again: what they own goes, what was sold stays.

use boxoffice_crds::{ReservationService, SeatingEvent};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Pod};
use kube::ResourceExt;
use kube::api::{DeleteParams, ListParams};
use serde_json::json;

use crate::support::{
    Cluster, assert_gapless, facts, gone, reserved_rows, service, service_resource, show_resource, until,
    with_namespace,
};

#[tokio::test]
async fn deleting_both_and_applying_again_finds_the_sold_seats_still_sold() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let mut resource = service_resource(namespace);
        resource["spec"]["kafka"]["topic"]["deletionPolicy"] = json!("Retain");
        let main = service(&cluster, namespace, &resource).await;
        let show = main.show(|_| {}).await;
        let seat = show.seat("A-2-3");
        assert_eq!(main.post(&format!("/seats/{seat}/hold"), "alice").await.0, 200);
        assert_eq!(main.post(&format!("/seats/{seat}/reserve"), "alice").await.0, 200);

        let shows = cluster.api::<SeatingEvent>(namespace);
        let services = cluster.api::<ReservationService>(namespace);
        shows.delete(&show.id, &DeleteParams::default()).await.unwrap();
        gone(&shows, &show.id).await;
        services.delete("main", &DeleteParams::default()).await.unwrap();
        gone(&services, "main").await;
        until("its Deployments and pods are gone", async || {
            let deployments =
                cluster.api::<Deployment>(namespace).list(&ListParams::default()).await.unwrap();
            let pods = cluster.api::<Pod>(namespace).list(&ListParams::default()).await.unwrap();
            (deployments.items.is_empty() && pods.items.is_empty()).then_some(())
        })
        .await;
        let left = cluster.api::<ConfigMap>(namespace).list(&ListParams::default()).await.unwrap();
        assert!(left.iter().any(|map| map.name_any() == "main-retained"), "what is retained is written down");
        let topic = format!("{namespace}-seat-events");
        assert_eq!(
            facts(&cluster.kafka, &topic, &show.id).await.len(),
            5,
            "the topic stays, with event.deleted"
        );

        let main = service(&cluster, namespace, &resource).await;
        cluster.apply::<SeatingEvent>(namespace, &show_resource(namespace, &show.id)).await.unwrap();
        show.ready().await;
        main.shows(&seat, "RESERVED").await;
        let (status, refused) = main.post(&format!("/seats/{seat}/hold"), "bob").await;
        assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
        let other = show.seat("A-2-4");
        assert_eq!(main.post(&format!("/seats/{other}/hold"), "bob").await.0, 200);
        assert_gapless(&facts(&cluster.kafka, &topic, &show.id).await);
        let rows = reserved_rows(&crate::support::database_url(namespace, "reservations"), &show.id).await;
        assert_eq!(rows, [(seat, 1)]);
    })
    .await;
}

#[tokio::test]
async fn i12_a_reconcile_that_has_nothing_to_change_writes_nothing() {
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let versions = async || {
        let deployments = cluster.api::<Deployment>("tickets").list(&ListParams::default()).await.unwrap();
        let mut versions: Vec<_> = deployments.iter().map(|d| (d.name_any(), d.resource_version())).collect();
        let resource = show.resource().await;
        versions.push((resource.name_any(), resource.resource_version()));
        let main: ReservationService = cluster.api("tickets").get("main").await.unwrap();
        versions.push((main.name_any(), main.resource_version()));
        versions
    };
    // Pods of earlier tests may still come and go, and views catch up: there must be a time when nothing is written
    // although the service is reconciled three times.
    until("three reconciles write nothing", async || {
        let before = versions().await;
        let done = reconciles(&cluster).await;
        until("the service is reconciled three times", async || {
            (reconciles(&cluster).await >= done + 3.0).then_some(())
        })
        .await;
        (versions().await == before).then_some(())
    })
    .await;
    show.remove().await;
}

/// Reconciles of ReservationServices completed, by the operator's metrics.
async fn reconciles(cluster: &Cluster) -> f64 {
    const COUNTER: &str =
        "boxoffice_operator_reconciles_total{controller=\"reservation-service\",result=\"completed\"} ";
    let pods = cluster.api::<Pod>("boxoffice-system").list(&ListParams::default()).await.unwrap();
    let mut done = 0.0;
    for pod in pods {
        let path = format!("/api/v1/namespaces/boxoffice-system/pods/{}:9090/proxy/metrics", pod.name_any());
        let request = http::Request::get(path).body(vec![]).unwrap();
        let Ok(text) = cluster.client.request_text(request).await else { continue };
        done += text.lines().filter_map(|line| line.strip_prefix(COUNTER)?.parse::<f64>().ok()).sum::<f64>();
    }
    done
}
