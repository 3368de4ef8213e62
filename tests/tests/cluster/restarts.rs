//! Servers of the cluster that are killed and started again: a condition says what is away and goes by itself, what was sold
//! is sold, and selling goes on.

use boxoffice_crds::{ReservationService, SeatingEvent};
use serde_json::json;

use crate::support::{Cluster, PATIENCE, assert_gapless, ran, setting};

/// What kills a server and starts it again.
const SERVER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/server");

/// Whether a server is the tests' to kill; where it is not, that is said.
fn is_ours(name: &str) -> bool {
    let platform = setting("PLATFORM");
    let is_ours = platform == "machine" || (platform == "kind" && name != "apiserver");
    if !is_ours {
        println!("skipped: {name} on the platform {platform} is not the tests' to kill");
    }
    is_ours
}

/// Kills a server after a seat was sold, and starts it again when `noticed` says so: then the seat is still sold, others
/// are sold too, and a change of the show is carried out.
async fn is_survived(name: &str, noticed: impl AsyncFn(&Cluster)) {
    if !is_ours(name) {
        return;
    }
    let cluster = Cluster::connect().await;
    let service = cluster.examples();
    let show = service.show(|_| {}).await;
    let [sold, other] = ["A-1-1", "A-1-2"].map(|key| show.seat(key));
    service.sell(&sold).await;
    ran(SERVER, &["kill", name]).await;
    noticed(&cluster).await;
    ran(SERVER, &["start", name]).await;
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

async fn condition(cluster: &Cluster, kind: &str, status: &str, reason: Option<&str>) {
    cluster.condition::<ReservationService>("tickets", "main", kind, status, reason, PATIENCE).await;
}

#[tokio::test]
async fn a_redis_that_is_killed_is_told_and_has_what_was_sold_when_it_is_back() {
    let noticed = async |cluster: &Cluster| {
        condition(cluster, "WorkersReady", "False", Some("RedisUnreachable")).await;
        condition(cluster, "Ready", "False", None).await;
    };
    is_survived("redis", noticed).await;
}

#[tokio::test]
async fn a_kafka_that_is_killed_is_told_and_selling_goes_on_when_it_is_back() {
    let noticed = async |cluster: &Cluster| {
        condition(cluster, "TopicsReady", "False", Some("KafkaUnreachable")).await;
        condition(cluster, "Ready", "False", None).await;
    };
    is_survived("kafka", noticed).await;
}

#[tokio::test]
async fn an_api_server_that_is_killed_keeps_nobody_from_buying() {
    let bought = async |cluster: &Cluster| {
        let map = cluster.examples().query("/events/theatre/seats").await;
        let seats = map["seats"].as_array().unwrap();
        let free = seats.iter().find(|seat| seat["status"] == "AVAILABLE").unwrap();
        let (status, held) = cluster
            .examples()
            .post(&format!("/seats/{}/hold", free["seatId"].as_str().unwrap()), "bob")
            .await;
        assert_eq!(status, 200, "{held}");
    };
    is_survived("apiserver", bought).await;
}
