//! How workers are admitted to Kafka: which way is a setting, what they prove it with comes from Secrets and is copied
//! nowhere.

use boxoffice_crds::reservation_service::{Kafka, KafkaSasl};
use k8s_openapi::api::core::v1::{EnvVar, SecretKeySelector};

use super::env::env;
use super::tls::{Server, variables};
use crate::reservation_service::credentials::{USERNAME, mechanism};
use crate::reservation_service::validate::Source;

/// What everybody may know.
pub(super) fn settings(kafka: &Kafka) -> impl Iterator<Item = (&'static str, String)> {
    let tls = kafka.tls.is_some().then(|| ("BOXOFFICE_KAFKA_TLS", "true".to_owned()));
    let sasl = kafka.sasl.as_ref();
    let username = sasl.and_then(|sasl| sasl.username.clone());
    let username = username.map(|username| ("BOXOFFICE_KAFKA_SASL_USERNAME", username));
    let sasl =
        sasl.map(|sasl| ("BOXOFFICE_KAFKA_SASL_MECHANISM", mechanism(sasl.mechanism).as_str().to_owned()));
    tls.into_iter().chain(sasl).chain(username)
}

/// What stands in Secrets and `ConfigMaps`.
pub(super) fn credentials(kafka: &Kafka) -> Vec<EnvVar> {
    let tls = variables(Server::Kafka, kafka.tls.as_ref());
    let login = kafka.sasl.iter().flat_map(|KafkaSasl { mechanism: _, username, secret_ref }| {
        let from = |key: &str| {
            Source::Secret(SecretKeySelector {
                name: secret_ref.name.clone(),
                key: key.to_owned(),
                optional: None,
            })
        };
        let username = username.is_none().then(|| env("BOXOFFICE_KAFKA_SASL_USERNAME", &from(USERNAME)));
        username.into_iter().chain([env("BOXOFFICE_KAFKA_SASL_PASSWORD", &from(secret_ref.password_key()))])
    });
    tls.into_iter().chain(login).collect()
}
