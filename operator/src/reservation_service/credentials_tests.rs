//! What the Secrets of `kafka` come to.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::*;
use crate::reservation_service::fixtures::main_service;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

/// The service of the fixtures with TLS and SCRAM.
fn secured() -> ReservationService {
    let mut service = main_service();
    let kafka = r#"{"caSecretRef": {"name": "kafka-ca", "key": "ca.crt"}}"#;
    service.spec.kafka.tls = Some(serde_json::from_str(kafka).unwrap());
    let sasl = r#"{"mechanism": "SCRAM-SHA-512", "secretRef": {"name": "kafka-user"}}"#;
    service.spec.kafka.sasl = Some(serde_json::from_str(sasl).unwrap());
    service
}

fn secret(uid: &str, data: &[(&str, &str)]) -> Secret {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    let mut secret = Secret { data: Some(data.collect()), ..Secret::default() };
    secret.metadata.uid = Some(uid.to_owned());
    secret
}

fn holding(secret: impl Into<Option<Secret>>) -> Holding {
    secret.into().map_or(Holding::Absent, |secret| Holding::There(Arc::new(secret)))
}

fn ca(secret: impl Into<Option<Secret>>) -> Named<'static> {
    Named { field: "kafka.tls.caSecretRef", name: "kafka-ca", keys: vec!["ca.crt"], secret: holding(secret) }
}

fn login(secret: impl Into<Option<Secret>>) -> Named<'static> {
    Named { field: "kafka.sasl.secretRef", name: "kafka-user", keys: LOGIN.to_vec(), secret: holding(secret) }
}

fn with_password(password: &str) -> Credentials {
    let (ca, login) = (
        ca(secret("u1", &[("ca.crt", PEM)])),
        login(secret("u2", &[("username", "boxoffice"), ("password", password)])),
    );
    credentials(&secured(), Some(&ca), Some(&login)).unwrap()
}

fn refused(ca: &Named, login: &Named) -> String {
    let error = credentials(&secured(), Some(ca), Some(login)).unwrap_err();
    assert_eq!(error.reason(), "KafkaSecretUnusable");
    error.to_string()
}

#[test]
fn brokers_without_security_need_none() {
    let found = credentials(&main_service(), None, None).unwrap();
    assert_eq!(found.connection.security, Security::default());
    assert_eq!(found.connection.bootstrap_servers, "kafka.tickets.svc:9092");
}

#[test]
fn secrets_become_the_clients_security() {
    let Security { tls, sasl } = with_password("hush").connection.security;
    assert_eq!(tls, Some(Tls::Authority(PEM.into())));
    let Sasl { mechanism, username, password } = sasl.unwrap();
    assert_eq!(
        (mechanism.as_str(), username.as_str(), password.as_str()),
        ("SCRAM-SHA-512", "boxoffice", "hush")
    );
}

#[test]
fn tls_without_an_authority_trusts_what_the_image_trusts() {
    let mut service = main_service();
    service.spec.kafka.tls = Some(boxoffice_crds::reservation_service::KafkaTls::default());
    let found = credentials(&service, None, None).unwrap();
    assert_eq!(found.connection.security.tls, Some(Tls::SystemRoots));
}

#[test]
fn an_optional_authority_may_be_absent() {
    let mut service = secured();
    service.spec.kafka.sasl = None;
    let reference = service.spec.kafka.tls.as_mut().and_then(|tls| tls.ca_secret_ref.as_mut()).unwrap();
    reference.optional = Some(true);
    let found = credentials(&service, Some(&ca(None)), None).unwrap();
    assert_eq!(found.connection.security.tls, Some(Tls::SystemRoots));
}

#[test]
fn what_is_missing_is_named_with_where_to_put_it() {
    let good_ca = ca(secret("u1", &[("ca.crt", PEM)]));
    let absent = refused(&good_ca, &login(None));
    assert_eq!(
        absent,
        "kafka.sasl.secretRef: Secret tickets/kafka-user does not exist: create it with username and password"
    );
    let keyless = refused(&good_ca, &login(secret("u2", &[("username", "boxoffice")])));
    assert_eq!(keyless, "kafka.sasl.secretRef: Secret tickets/kafka-user has no key password: add it");
    let empty = refused(&good_ca, &login(secret("u2", &[("username", ""), ("password", "hush")])));
    assert!(empty.contains("has no text under username"), "{empty}");
    let no_pem = refused(&ca(secret("u1", &[("ca.crt", "MIIB")])), &login(None));
    assert!(no_pem.contains("kafka.tls.caSecretRef: Secret tickets/kafka-ca"), "{no_pem}");
    assert!(no_pem.contains("in PEM form") && !no_pem.contains("MIIB"), "{no_pem}");
}

#[test]
fn a_secret_that_may_not_be_read_is_named_with_the_right_that_lacks() {
    let forbidden = |named| Named { secret: Holding::Forbidden, ..named };
    let told = refused(&forbidden(ca(None)), &login(secret("u2", &[("username", "u"), ("password", "p")])));
    assert!(
        told.contains("kafka.tls.caSecretRef: Secret tickets/kafka-ca may not be read by the operator"),
        "{told}"
    );
    assert!(told.contains("lacks the verb get on secrets"), "{told}");
    let told = refused(&ca(secret("u1", &[("ca.crt", PEM)])), &forbidden(login(None)));
    assert!(told.contains("kafka.sasl.secretRef: Secret tickets/kafka-user may not be read"), "{told}");
}

#[test]
fn an_optional_authority_that_may_not_be_read_is_not_one_that_lacks() {
    let mut service = secured();
    let reference = service.spec.kafka.tls.as_mut().unwrap().ca_secret_ref.as_mut().unwrap();
    reference.optional = Some(true);
    let login = login(secret("u2", &[("username", "u"), ("password", "p")]));
    assert!(credentials(&service, Some(&ca(None)), Some(&login)).is_ok());
    let forbidden = Named { secret: Holding::Forbidden, ..ca(None) };
    assert!(credentials(&service, Some(&forbidden), Some(&login)).is_err());
}
