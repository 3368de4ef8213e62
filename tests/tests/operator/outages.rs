//! Servers that go and come again: nothing is lost or done twice, a condition says what is away, and it goes by itself.

use std::time::Duration;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::api_audit::Call;
use boxoffice_tests::doubles::admin::Pod as PlayedPod;
use boxoffice_tests::servers::{ControlPlane, Kafka, Server};
use boxoffice_tests::wait::until;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use serde_json::json;

use crate::support::{Plane, Stage, service};

const SHOWS: u32 = 5;
/// How often the operator looks at what nothing woke, here.
const RESYNC: &str = "2";
/// How long a Kafka that is there again may go unnoticed: librdkafka asks again in times that grow, rounds come within ten
/// seconds.
const AGAIN: Duration = Duration::from_secs(40);

fn name(number: u32) -> String {
    format!("show-{number}")
}

/// What the operator writes from now until it has looked at everything twice; where it ended, its pod starts it again.
async fn writes(stage: &mut Stage) -> Vec<Call> {
    let mark = stage.operator.audit.mark();
    stage.operator.goes_on().await;
    let looks = stage.operator.reconciles("seating-event").await;
    let twice = f64::from(2 * SHOWS);
    until("everything is looked at twice", async || {
        (stage.operator.reconciles("seating-event").await >= looks + twice).then_some(())
    })
    .await;
    stage.operator.audit.writes(mark)
}

/// Waits until it has nothing to write any more.
async fn rests(stage: &mut Stage) {
    while !writes(stage).await.is_empty() {}
}

/// A change of each kind is carried out, and what was deleted by hand is made again.
async fn converges(stage: &Stage, title: &str) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    for number in 0..SHOWS {
        let change = json!({"spec": {"title": title}});
        plane.patch::<SeatingEvent>(namespace, &name(number), &change).await.unwrap();
    }
    plane.delete::<Deployment>(namespace, "main-query").await;
    for number in 0..SHOWS {
        plane.ready::<SeatingEvent>(namespace, &name(number)).await;
    }
    until("the Deployment is made again", async || {
        let query = plane.get::<Deployment>(namespace, "main-query").await?;
        query.metadata.deletion_timestamp.is_none().then_some(())
    })
    .await;
    plane.ready::<ReservationService>(namespace, "main").await;
}

#[tokio::test]
async fn an_api_server_that_was_killed_is_taken_up_again_without_a_write() {
    let mut control_plane = ControlPlane::start().await.unwrap();
    let plane = Plane::at(control_plane.access()).await;
    let mut stage = Stage::open_at(plane, "killed", &["--resync-seconds", RESYNC]).await;
    stage.service("main").await;
    for number in 0..SHOWS {
        stage.show("main", &name(number)).await;
    }
    // Away for a moment: the Lease may be kept.
    rests(&mut stage).await;
    control_plane.kill_api_server();
    control_plane.start_api_server().await.unwrap();
    assert_eq!(writes(&mut stage).await, []);
    converges(&stage, "After a moment").await;

    // Away for longer: whoever cannot renew gives up.
    rests(&mut stage).await;
    control_plane.kill_api_server();
    assert!(!stage.operator.process.ended().await.unwrap().success());
    control_plane.start_api_server().await.unwrap();
    assert_eq!(writes(&mut stage).await, []);
    converges(&stage, "After a while").await;
}

#[tokio::test]
async fn a_kafka_that_was_killed_is_told_and_when_it_is_back_nothing_was_replaced() {
    let stage = Stage::open("restarted").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let mut kafka = Server::start(Kafka).await.unwrap();
    let mut resource = service(namespace, "main");
    resource["spec"]["kafka"]["bootstrapServers"] = json!(kafka.address());
    plane.apply::<ReservationService>(namespace, &resource).await.unwrap();
    plane.ready::<ReservationService>(namespace, "main").await;
    stage.show("main", "arena").await;
    let (pods, topics) = (pods(&stage).await, topics(&stage).await);
    let kafka_is = async |status, reason| {
        let condition = "TopicsReady";
        plane.condition::<ReservationService>(namespace, "main", condition, status, reason, AGAIN).await;
    };
    kafka.kill();
    kafka_is("False", Some("KafkaUnreachable")).await;
    plane.not_ready::<ReservationService>(namespace, "main", "KafkaUnreachable").await;
    // Shows are given to workers whatever Kafka does.
    stage.show("main", "opera").await;
    kafka.restart().await.unwrap();
    kafka_is("True", None).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    assert_eq!((self::pods(&stage).await, self::topics(&stage).await), (pods, topics));
}

#[tokio::test]
async fn a_redis_that_is_away_is_told_by_the_pods_own_word_and_replaces_none() {
    let stage = Stage::open("redis").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    stage.show("main", "arena").await;
    let before = pods(&stage).await;
    let pod = plane.list::<Pod>(namespace, "app.kubernetes.io/component=command").await.remove(0);
    let address = pod.status.as_ref().and_then(|status| status.pod_ip.clone()).unwrap();
    let is = async |ready: &str, obstacles: Option<&str>| {
        let played = PlayedPod { obstacles: obstacles.map(str::to_owned), ..PlayedPod::default() };
        stage.workers.pod(namespace, "main", &address, played);
        let status = json!({"status": {"conditions": [{"type": "Ready", "status": ready}]}});
        plane.patch_status::<Pod>(namespace, &pod.name_any(), &status).await.unwrap();
    };
    is("False", Some("redis: connection refused")).await;
    plane.not_ready::<ReservationService>(namespace, "main", "RedisUnreachable").await;
    is("False", Some("recovery: seats are read back from the log")).await;
    plane.not_ready::<ReservationService>(namespace, "main", "Recovering").await;
    is("True", None).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    plane.ready::<SeatingEvent>(namespace, "arena").await;
    assert_eq!(pods(&stage).await, before);
}

/// The pods of the service.
async fn pods(stage: &Stage) -> Vec<String> {
    let pods = stage.plane.list::<Pod>(&stage.namespace, "app.kubernetes.io/instance=main").await;
    pods.iter().map(ResourceExt::name_any).collect()
}

/// The topics of the service, with their ids.
async fn topics(stage: &Stage) -> serde_json::Value {
    let main = stage.plane.get::<ReservationService>(&stage.namespace, "main").await.unwrap();
    json!(main.status)["topics"].clone()
}
