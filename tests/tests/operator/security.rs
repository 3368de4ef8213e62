//! What a service proves to Kafka who it is by, in the forms in which others make it: users of Strimzi, and authorities in
//! `ConfigMaps` as trust-manager has them.

use boxoffice_crds::ReservationService;
use boxoffice_tests::servers::{
    Certificates, PASSWORD, USERNAME, kafka_certificates, mutual_kafka, secure_kafka,
};
use boxoffice_tests::wait::within;
use k8s_openapi::api::core::v1::{ConfigMap, Pod, Secret};
use kube::ResourceExt;
use serde_json::{Value, json};

use crate::secrets::IN_TIME;
use crate::support::{Plane, SOON, Stage, service};

/// A service whose Kafka is reached so.
fn reached(namespace: &str, kafka: &Value) -> Value {
    let mut resource = service(namespace, "main");
    for (name, value) in kafka.as_object().unwrap() {
        resource["spec"]["kafka"][name] = value.clone();
    }
    resource
}

async fn secret(plane: &Plane, namespace: &str, name: &str, content: Value) {
    let secret = json!({"metadata": {"name": name}, "stringData": content});
    plane.apply::<Secret>(namespace, &secret).await.unwrap();
}

async fn trust(plane: &Plane, namespace: &str, ca: &str) {
    let map = json!({"metadata": {"name": "trust"}, "data": {"ca.crt": ca}});
    plane.apply::<ConfigMap>(namespace, &map).await.unwrap();
}

#[tokio::test]
async fn a_password_of_strimzi_and_an_authority_in_a_config_map_are_enough_and_another_authority_rolls() {
    let stage = Stage::open("strimzi").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let user = json!({"password": PASSWORD, "sasl.jaas.config": "org.apache.kafka..."});
    secret(plane, namespace, "my-user", user).await;
    let resource = reached(
        namespace,
        &json!({
            "bootstrapServers": secure_kafka(),
            "tls": {"caConfigMapRef": {"name": "trust", "key": "ca.crt"}},
            "sasl": {"mechanism": "SCRAM-SHA-512", "username": USERNAME, "secretRef": {"name": "my-user"}}
        }),
    );
    plane.apply::<ReservationService>(namespace, &resource).await.unwrap();
    let told = async |kind, reason| {
        plane.condition::<ReservationService>(namespace, "main", kind, "False", Some(reason), SOON).await;
    };
    told("SecretsReady", "ConfigMapMissing").await;
    told("TopicsReady", "KafkaSecretUnusable").await;
    let ca = kafka_certificates().authority.text;
    trust(plane, namespace, &ca).await;
    let patience = IN_TIME;
    plane.condition::<ReservationService>(namespace, "main", "Ready", "True", None, patience).await;

    let workers = "app.kubernetes.io/instance=main";
    let names = async || {
        let pods = plane.list::<Pod>(namespace, workers).await;
        pods.iter().map(ResourceExt::name_any).collect::<std::collections::BTreeSet<_>>()
    };
    let before = names().await;
    let folder = tempfile::tempdir().unwrap();
    let next = Certificates::for_localhost(folder.path()).await.unwrap().authority.text;
    trust(plane, namespace, &format!("{ca}{next}")).await;
    let rolled = within(IN_TIME, async || names().await.is_disjoint(&before).then_some(()));
    assert!(rolled.await.is_some(), "pods still have the authority of before alone");
}

#[tokio::test]
async fn a_certificate_of_strimzi_admits_the_operator() {
    let stage = Stage::open("certificate").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let Certificates { authority, client_certificate, client_key, .. } = kafka_certificates();
    let user = json!({
        "ca.crt": authority.text, "user.crt": client_certificate.text, "user.key": client_key.text
    });
    secret(plane, namespace, "my-user", user).await;
    let resource = reached(
        namespace,
        &json!({
            "bootstrapServers": mutual_kafka(),
            "tls": {
                "caSecretRef": {"name": "my-user", "key": "ca.crt"},
                "certificateSecretRef": {"name": "my-user", "certificate": "user.crt", "key": "user.key"}
            }
        }),
    );
    plane.apply::<ReservationService>(namespace, &resource).await.unwrap();
    plane.ready::<ReservationService>(namespace, "main").await;
}
