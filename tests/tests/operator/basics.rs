//! What every other test stands on.

use std::time::Duration;

use axum::http::Method;
use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::wait::until;
use k8s_openapi::api::coordination::v1::Lease;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::support::{SOON, Stage, service};

const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test]
async fn a_service_and_a_show_become_ready_and_go_again() {
    let stage = Stage::open("basics").await;
    stage.service("main").await;
    stage.show("main", "arena").await;
    stage.workers.sell(&stage.namespace, "main", "arena", 2).await.unwrap();
    let calls = stage.workers.calls(&stage.namespace, "main");
    assert_eq!(calls.iter().filter(|call| call.method == Method::PUT).count(), 1, "{calls:?}");
    let asked = stage.operator.audit.all();
    assert!(asked.iter().any(|call| call.verb == "watch" && call.resource == "seatingevents.boxoffice.dev"));
    let refused: Vec<_> = asked.iter().filter(|call| call.code == 403).collect();
    assert!(refused.is_empty(), "the chart grants too little: {refused:?}");
    stage.plane.delete::<SeatingEvent>(&stage.namespace, "arena").await;
    stage.plane.gone::<SeatingEvent>(&stage.namespace, "arena", PATIENCE).await;
    stage.plane.delete::<ReservationService>(&stage.namespace, "main").await;
    stage.plane.gone::<ReservationService>(&stage.namespace, "main", PATIENCE).await;
    stage.plane.delete_namespace(&stage.namespace).await;
}

#[tokio::test]
async fn a_pod_that_is_not_ready_and_a_kafka_that_is_away_are_told() {
    let stage = Stage::open("basics").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let pods = plane.list::<Pod>(namespace, "app.kubernetes.io/component=command").await;
    let unready = json!({"status": {"conditions": [{"type": "Ready", "status": "False"}]}});
    plane.patch_status::<Pod>(namespace, &pods.first().unwrap().name_any(), &unready).await.unwrap();
    plane.condition::<ReservationService>(namespace, "main", "Ready", "False", None, SOON).await;
    let mut away = service(namespace, "away");
    away["spec"]["kafka"]["bootstrapServers"] = json!("127.0.0.1:1");
    plane.apply::<ReservationService>(namespace, &away).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "away", "KafkaUnreachable").await;
}

#[tokio::test]
async fn a_second_operator_takes_over_when_the_first_goes() {
    let mut stage = Stage::open("basics").await;
    let holder = async || {
        let lease = stage.plane.get::<Lease>(&stage.operator.namespace, "boxoffice-operator").await?;
        lease.spec?.holder_identity.filter(|holder| !holder.is_empty())
    };
    let first = until("the first leads", holder).await;
    let mut second = stage.operator.second();
    stage.operator.process.terminate().await.unwrap();
    second.says("leading").await.unwrap();
    let lease = stage.plane.get::<Lease>(&stage.operator.namespace, "boxoffice-operator").await.unwrap();
    assert_ne!(lease.spec.unwrap().holder_identity, Some(first));
}

#[tokio::test]
async fn it_says_how_it_is() {
    let stage = Stage::open("basics").await;
    assert_eq!(stage.operator.probe("/healthz").await.0, 200);
    stage.service("main").await;
    assert!(stage.operator.metrics().await.contains("boxoffice_operator_reconciles_total"));
}
