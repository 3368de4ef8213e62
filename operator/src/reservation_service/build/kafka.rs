//! How workers are admitted to Kafka: which way is a setting, what they prove it with comes from Secrets and is copied
//! nowhere.

use boxoffice_crds::reservation_service::Kafka;
use k8s_openapi::api::core::v1::{EnvVar, SecretKeySelector};

use super::workload::env;
use crate::reservation_service::credentials::{PASSWORD, USERNAME, mechanism};
use crate::reservation_service::validate::Source;

/// What everybody may know.
pub(super) fn settings(kafka: &Kafka) -> impl Iterator<Item = (&'static str, String)> {
    let tls = kafka.tls.is_some().then(|| ("BOXOFFICE_KAFKA_TLS", "true".to_owned()));
    let sasl = kafka.sasl.as_ref();
    let sasl =
        sasl.map(|sasl| ("BOXOFFICE_KAFKA_SASL_MECHANISM", mechanism(sasl.mechanism).as_str().to_owned()));
    tls.into_iter().chain(sasl)
}

/// What stands in Secrets.
pub(super) fn credentials(kafka: &Kafka) -> Vec<EnvVar> {
    let ca = kafka.tls.as_ref().and_then(|tls| tls.ca_secret_ref.clone());
    let ca = ca.map(|reference| env("BOXOFFICE_KAFKA_CA", &Source::Secret(reference)));
    let login = kafka.sasl.iter().flat_map(|sasl| {
        let from = |key: &str| {
            Source::Secret(SecretKeySelector {
                name: sasl.secret_ref.name.clone(),
                key: key.to_owned(),
                optional: None,
            })
        };
        [
            env("BOXOFFICE_KAFKA_SASL_USERNAME", &from(USERNAME)),
            env("BOXOFFICE_KAFKA_SASL_PASSWORD", &from(PASSWORD)),
        ]
    });
    ca.into_iter().chain(login).collect()
}
