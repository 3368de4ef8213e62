//! Kafka killed and started again: a condition says that it is away and goes by itself, what was sold is sold, and selling
//! goes on.

use boxoffice_crds::{ReservationService, SeatingEvent};
use serde_json::json;

use crate::support::{Cluster, PATIENCE, assert_gapless, ran, setting};

/// What kills a server and starts it again.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/server");

async fn condition(cluster: &Cluster, kind: &str, status: &str, reason: Option<&str>) {
    cluster.condition::<ReservationService>("tickets", "main", kind, status, reason, PATIENCE).await;
}

#[tokio::test]
async fn a_kafka_that_is_killed_is_told_and_selling_goes_on_when_it_is_back() {
    let platform = setting("PLATFORM");
    if !["machine", "kind"].contains(&platform.as_str()) {
        println!("skipped: Kafka on the platform {platform} is not the tests' to kill");
        return;
    }
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let [sold, other] = ["A-1-1", "A-1-2"].map(|key| show.seat(key));
    service.sell(&sold).await;
    ran(SERVER, &["kill", "kafka"]).await;
    condition(&cluster, "TopicsReady", "False", Some("KafkaUnreachable")).await;
    condition(&cluster, "Ready", "False", None).await;
    ran(SERVER, &["start", "kafka"]).await;
    condition(&cluster, "Ready", "True", None).await;
    let (status, refused) = service.post(&format!("/seats/{sold}/hold"), "bob").await;
    assert_eq!((status, refused["code"].as_str()), (409, Some("SEAT_NOT_AVAILABLE")), "{refused}");
    service.sell(&other).await;
    let change = json!({"spec": {"title": "After it"}});
    cluster.patch::<SeatingEvent>(&service.namespace, &show.id, &change).await.unwrap();
    show.ready().await;
    service.shows(&other, "RESERVED").await;
    assert_gapless(&show.facts("seat-events").await);
    show.remove().await;
}
