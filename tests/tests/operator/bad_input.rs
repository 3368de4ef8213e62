//! What somebody asks for that cannot be: told on that object alone, with the field and the fix, and gone when it is put
//! right. More of it is beside what it is about: names that are taken, labels and quotas in `objects`, what cannot be read in
//! `definitions`, Secrets that go in `secrets`.

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_operator::kafka::Topic;
use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_runtime::log::kafka::KafkaLog;
use boxoffice_runtime::log::kafka::security::Security;
use boxoffice_runtime::log::{EventLog, LogError};
use boxoffice_tests::servers::{Kafka, Server, kafka};
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};

use crate::support::{SOON, Stage, condition, service};

/// How long a service with topics takes to go.
const DELETION: Duration = Duration::from_secs(90);

/// Waits until the service is not Ready for that reason, and only a person can mend it, and finds these words in what is said.
async fn is_told(stage: &Stage, name: &str, reason: &str, words: &[&str]) {
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    plane.not_ready::<ReservationService>(namespace, name, reason).await;
    plane.condition::<ReservationService>(namespace, name, "Stalled", "True", Some(reason), SOON).await;
    let told = plane.get::<ReservationService>(namespace, name).await.unwrap();
    let message = condition(&told, "Stalled").unwrap()["message"].as_str().unwrap().to_owned();
    for word in words {
        assert!(message.contains(word), "{word}: {message}");
    }
}

/// Fails where the other service is not Ready, as it was all the time.
async fn is_unconcerned(stage: &Stage, name: &str) {
    let other = stage.plane.get::<ReservationService>(&stage.namespace, name).await.unwrap();
    let ready = condition(&other, "Ready").unwrap();
    assert_eq!(ready["status"], "True", "{ready:#}");
}

async fn changed(stage: &Stage, name: &str, spec: &Value) {
    let change = json!({"spec": spec});
    stage.plane.patch::<ReservationService>(&stage.namespace, name, &change).await.unwrap();
}

#[tokio::test]
async fn another_replication_factor_is_told_and_not_carried_out() {
    let stage = Stage::open("replicas").await;
    stage.service("other").await;
    stage.service("main").await;
    let factor = |factor: u32| json!({"kafka": {"topic": {"replicationFactor": factor}}});
    changed(&stage, "main", &factor(3)).await;
    let words = ["kafka.topic.replicationFactor says 3", "or set the field to 1"];
    is_told(&stage, "main", "ReplicationFactorDiffers", &words).await;
    is_unconcerned(&stage, "other").await;
    changed(&stage, "main", &factor(1)).await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    plane.condition::<ReservationService>(namespace, "main", "Ready", "True", None, SOON).await;
}

#[tokio::test]
async fn a_service_that_is_led_to_another_cluster_is_told_so_and_nothing_is_made_there() {
    let stage = Stage::open("elsewhere").await;
    stage.service("other").await;
    stage.service("main").await;
    let elsewhere = Server::start(Kafka).await.unwrap();
    let brokers = |brokers: &str| json!({"kafka": {"bootstrapServers": brokers}});
    changed(&stage, "main", &brokers(&elsewhere.address())).await;
    let words = ["seat-events of this service is on Kafka cluster ", "set kafka.bootstrapServers back"];
    is_told(&stage, "main", "TopicElsewhere", &words).await;
    is_unconcerned(&stage, "other").await;
    let there = KafkaLog::new(&elsewhere.address()).unwrap();
    for topic in ["seat-events", "payment-events"] {
        let found = there.partitions(&format!("{}-main-{topic}", stage.namespace)).await;
        assert!(matches!(found, Err(LogError::Missing(_))), "{topic}: {found:?}");
    }
    changed(&stage, "main", &brokers(&kafka())).await;
    stage.plane.ready::<ReservationService>(&stage.namespace, "main").await;
}

#[tokio::test]
async fn topics_of_another_service_stay_its_own_by_whatever_address_they_are_reached() {
    let stage = Stage::open("in-use").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("elder").await;
    let mut younger = service(namespace, "younger");
    younger["spec"]["kafka"]["prefix"] = json!(format!("{namespace}-elder-"));
    let port = kafka().rsplit_once(':').unwrap().1.to_owned();
    younger["spec"]["kafka"]["bootstrapServers"] = json!(format!("localhost:{port}"));
    plane.apply::<ReservationService>(namespace, &younger).await.unwrap();
    let elder = format!("belongs to ReservationService {namespace}/elder");
    is_told(&stage, "younger", "TopicInUse", &[elder.as_str(), "kafka.prefix"]).await;
    is_unconcerned(&stage, "elder").await;
    plane.delete::<ReservationService>(namespace, "elder").await;
    plane.gone::<ReservationService>(namespace, "elder", DELETION).await;
    plane.ready::<ReservationService>(namespace, "younger").await;
}

#[tokio::test]
async fn a_topic_that_was_there_before_is_left_until_it_may_be_adopted() {
    let stage = Stage::open("exists").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("other").await;
    let connection = Connection { bootstrap_servers: kafka(), security: Security::default() };
    let name = format!("{namespace}-main-seat-events");
    let theirs = Topic { name: name.clone(), partitions: 1, replication_factor: 1, config: BTreeMap::new() };
    Pool::default().get(&connection).unwrap().create_topic(&theirs).await.unwrap();
    plane.apply::<ReservationService>(namespace, &service(namespace, "main")).await.unwrap();
    let topic = format!("topic {name} exists");
    is_told(&stage, "main", "TopicExists", &[topic.as_str(), "kafka.topic.adoptionPolicy"]).await;
    is_unconcerned(&stage, "other").await;
    changed(&stage, "main", &json!({"kafka": {"topic": {"adoptionPolicy": "Adopt"}}})).await;
    plane.ready::<ReservationService>(namespace, "main").await;
}

#[tokio::test]
async fn a_secret_without_its_key_is_told_with_the_field_that_names_it() {
    let stage = Stage::open("keyless").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("other").await;
    let redis = async |key: &str| {
        let secret = json!({"metadata": {"name": "redis"}, "stringData": {key: "redis://redis:6379"}});
        plane.apply::<Secret>(namespace, &secret).await.unwrap();
    };
    redis("address").await;
    let mut main = service(namespace, "main");
    main["spec"]["redis"] = json!({"urlFrom": {"secretKeyRef": {"name": "redis", "key": "url"}}});
    plane.apply::<ReservationService>(namespace, &main).await.unwrap();
    let (kind, reason) = ("SecretsReady", Some("SecretKeyMissing"));
    plane.condition::<ReservationService>(namespace, "main", kind, "False", reason, SOON).await;
    let secret = format!("redis.urlFrom: Secret {namespace}/redis has nothing under url: add it");
    is_told(&stage, "main", "SecretKeyMissing", &[secret.as_str()]).await;
    is_unconcerned(&stage, "other").await;
    redis("url").await;
    plane.ready::<ReservationService>(namespace, "main").await;
}
