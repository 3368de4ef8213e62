//! What the Secrets and `ConfigMaps` of `kafka` come to.

use std::sync::Arc;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};

use super::*;
use crate::reservation_service::fixtures::main_service;

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";
const CA: (Kind, &str) = (Kind::Secret, "kafka-ca");
const USER: (Kind, &str) = (Kind::Secret, "kafka-user");

/// The service of the fixtures with these sections.
fn with(tls: &str, sasl: Option<&str>) -> ReservationService {
    let mut service = main_service();
    service.spec.kafka.tls = Some(serde_yaml_ng::from_str(tls).unwrap());
    service.spec.kafka.sasl = sasl.map(|sasl| serde_yaml_ng::from_str(sasl).unwrap());
    service
}

/// The same with TLS and SCRAM.
fn secured() -> ReservationService {
    with(
        "{caSecretRef: {name: kafka-ca, key: ca.crt}}",
        Some("{mechanism: SCRAM-SHA-512, secretRef: {name: kafka-user}}"),
    )
}

fn secret(data: &[(&str, &str)]) -> Holding {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString(value.as_bytes().to_vec())));
    Holding::Secret(Arc::new(Secret { data: Some(data.collect()), ..Secret::default() }))
}

fn config_map(data: &[(&str, &str)]) -> Holding {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    Holding::ConfigMap(Arc::new(ConfigMap { data: Some(data.collect()), ..ConfigMap::default() }))
}

fn security(service: &ReservationService, holdings: &Holdings) -> Security {
    credentials(service, holdings).unwrap().connection.security
}

fn refused(service: &ReservationService, holdings: &Holdings) -> String {
    let error = credentials(service, holdings).unwrap_err();
    assert_eq!(error.reason(), "KafkaSecretUnusable");
    error.to_string()
}

#[test]
fn brokers_without_security_need_none() {
    let found = credentials(&main_service(), &Holdings::new()).unwrap();
    assert_eq!(found.connection.security, Security::default());
    assert_eq!(found.connection.bootstrap_servers, "kafka.tickets.svc:9092");
}

#[test]
fn secrets_become_the_clients_security() {
    let login = secret(&[("username", "boxoffice"), ("password", "hush")]);
    let Security { tls, sasl } =
        security(&secured(), &[(CA, secret(&[("ca.crt", PEM)])), (USER, login)].into());
    assert_eq!(tls, Some(Tls::trusting(PEM)));
    let Sasl { mechanism, username, password } = sasl.unwrap();
    assert_eq!(
        (mechanism.as_str(), username.as_str(), password.as_str()),
        ("SCRAM-SHA-512", "boxoffice", "hush")
    );
}

#[test]
fn a_user_that_stands_in_the_resource_needs_a_password_alone() {
    // As Strimzi makes it for a KafkaUser.
    let made = secret(&[("password", "hush"), ("sasl.jaas.config", "org.apache.kafka...")]);
    let sasl = |sasl: &str, holding: Holding| {
        security(&with("{}", Some(sasl)), &[(USER, holding)].into()).sasl.unwrap()
    };
    let found = sasl("{mechanism: SCRAM-SHA-512, username: my-user, secretRef: {name: kafka-user}}", made);
    assert_eq!((found.username.as_str(), found.password.as_str()), ("my-user", "hush"));
    let found = sasl(
        "{mechanism: PLAIN, username: my-user, secretRef: {name: kafka-user, key: my-password}}",
        secret(&[("my-password", "hush")]),
    );
    assert_eq!(found.password, "hush");
    let beside = sasl(
        "{mechanism: PLAIN, secretRef: {name: kafka-user, key: my-password}}",
        secret(&[("username", "other"), ("my-password", "hush")]),
    );
    assert_eq!(beside.username, "other");
}

#[test]
fn a_client_shows_the_certificate_of_a_secret_under_the_keys_that_it_has() {
    let shown = |reference: &str, data: &[(&str, &str)]| {
        let service = with(&format!("{{certificateSecretRef: {reference}}}"), None);
        security(&service, &[(USER, secret(data))].into()).tls.unwrap().certificate.unwrap()
    };
    let expected = ClientCertificate { certificate: PEM.into(), key: KEY.into() };
    assert_eq!(shown("{name: kafka-user}", &[("tls.crt", PEM), ("tls.key", KEY)]), expected);
    let strimzis = [("user.crt", PEM), ("user.key", KEY), ("ca.crt", PEM), ("user.p12", "x")];
    assert_eq!(shown("{name: kafka-user, certificate: user.crt, key: user.key}", &strimzis), expected);
}

#[test]
fn an_authority_may_be_in_a_config_map() {
    let service = with("{caConfigMapRef: {name: trust, key: ca.crt}}", None);
    let trust = (Kind::ConfigMap, "trust");
    let tls = security(&service, &[(trust, config_map(&[("ca.crt", PEM)]))].into()).tls;
    assert_eq!(tls, Some(Tls::trusting(PEM)));
    let absent = refused(&service, &[(trust, Holding::Absent)].into());
    assert_eq!(
        absent,
        "kafka.tls.caConfigMapRef: ConfigMap tickets/trust does not exist: create it with ca.crt"
    );
    let names: Vec<_> = named(&service.spec.kafka).map(|named| (named.kind, named.name)).collect();
    assert_eq!(names, [trust]);
}

#[test]
fn tls_without_an_authority_trusts_what_the_image_trusts() {
    assert_eq!(security(&with("{}", None), &Holdings::new()).tls, Some(Tls::default()));
}

#[test]
fn an_optional_authority_may_be_absent() {
    let service = with("{caSecretRef: {name: kafka-ca, key: ca.crt, optional: true}}", None);
    assert_eq!(security(&service, &[(CA, Holding::Absent)].into()).tls, Some(Tls::default()));
}

#[test]
fn what_is_missing_is_named_with_where_to_put_it() {
    let login =
        |login: Holding| refused(&secured(), &[(CA, secret(&[("ca.crt", PEM)])), (USER, login)].into());
    assert_eq!(
        login(Holding::Absent),
        "kafka.sasl.secretRef: Secret tickets/kafka-user does not exist: create it with username and password"
    );
    let keyless = login(secret(&[("username", "boxoffice")]));
    assert_eq!(keyless, "kafka.sasl.secretRef: Secret tickets/kafka-user has nothing under password: add it");
    let empty = login(secret(&[("username", ""), ("password", "hush")]));
    assert!(empty.contains("has nothing under username"), "{empty}");
    let unread = login(Holding::Forbidden);
    assert!(unread.contains("lacks the verb get on secrets"), "{unread}");
    let no_pem = [(CA, secret(&[("ca.crt", "MIIB")])), (USER, Holding::Absent)].into();
    let no_pem = refused(&secured(), &no_pem);
    assert!(no_pem.contains("kafka.tls.caSecretRef: Secret tickets/kafka-ca"), "{no_pem}");
    assert!(no_pem.contains("in PEM form") && !no_pem.contains("MIIB"), "{no_pem}");
    let own = with("{certificateSecretRef: {name: kafka-user}}", None);
    let no_key = refused(&own, &[(USER, secret(&[("tls.crt", PEM), ("tls.key", "MIIB")]))].into());
    assert_eq!(
        no_key,
        "kafka.tls.certificateSecretRef: Secret tickets/kafka-user has no private key under tls.key: store it in PEM form, \
         without a password"
    );
    let absent = refused(&own, &[(USER, Holding::Absent)].into());
    assert!(absent.ends_with("create it with tls.crt and tls.key"), "{absent}");
}
