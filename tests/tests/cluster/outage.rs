//! Servers that cannot be reached: a condition says which and why, and clears by itself.

use boxoffice_crds::ReservationService;
use k8s_openapi::api::core::v1::Service;
use serde_json::{Value, json};

use crate::support::{Cluster, condition, is_true, service, service_resource, until, with_namespace};

#[tokio::test]
async fn unreachable_kafka_is_a_condition_that_clears_by_itself() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let mut resource = service_resource(namespace);
        resource["spec"]["kafka"]["bootstrapServers"] = json!("later:9092");
        cluster.apply::<ReservationService>(namespace, &resource).await.unwrap();
        let refused = until("the condition names Kafka", async || {
            // It is not known before the brokers were asked.
            let refused = waits_for(&cluster, namespace, "TopicsReady").await;
            (refused["reason"] == "KafkaUnreachable").then_some(refused)
        })
        .await;
        assert!(refused["message"].as_str().unwrap().contains("later."), "{refused}");
        appears(&cluster, namespace, "kafka").await;
        service(&cluster, namespace, &resource).await;
    })
    .await;
}

#[tokio::test]
async fn unreachable_redis_is_a_condition_that_clears_by_itself() {
    let cluster = Cluster::connect().await;
    with_namespace(&cluster, async |namespace| {
        let mut resource = service_resource(namespace);
        resource["spec"]["redis"]["url"] = json!("redis://later:6379");
        cluster.apply::<ReservationService>(namespace, &resource).await.unwrap();
        let refused = until("the condition names Redis", async || {
            let refused = waits_for(&cluster, namespace, "WorkersReady").await;
            refused["message"].as_str().is_some_and(|m| m.to_lowercase().contains("redis")).then_some(refused)
        })
        .await;
        assert_eq!(refused["status"], "False", "{refused}");
        appears(&cluster, namespace, "redis").await;
        service(&cluster, namespace, &resource).await;
    })
    .await;
}

/// Waits until a condition is False and Ready is too.
async fn waits_for(cluster: &Cluster, namespace: &str, kind: &str) -> Value {
    let api = cluster.api::<ReservationService>(namespace);
    until(&format!("{kind} is False"), async || {
        let now = api.get("main").await.unwrap();
        let ready = condition(&now, "Ready").is_some_and(|ready| is_true(&ready));
        condition(&now, kind).filter(|found| found["status"] == "False" && !ready)
    })
    .await
}

/// Lets `later` resolve to one of the servers of `tickets`.
async fn appears(cluster: &Cluster, namespace: &str, server: &str) {
    let alias = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": "later", "namespace": namespace},
        "spec": {"type": "ExternalName", "externalName": format!("{server}.tickets.svc.cluster.local")}
    });
    cluster.apply::<Service>(namespace, &alias).await.unwrap();
}
