//! The child objects against `tests/golden/main.yaml`. `BOXOFFICE_REGENERATE=1 cargo test -p boxoffice-operator`
//! writes the file anew; look at its diff before committing it.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::reservation_service::fixtures::main_service;
use crate::reservation_service::validate::validate;
use boxoffice_crds::ReservationService;

const NONE: &[Arc<ReservationService>] = &[];

fn desired(service: &ReservationService) -> DesiredState {
    build(&validate(service, NONE, "boxoffice/workers:0.1.0").unwrap()).unwrap()
}

fn template(service: &ReservationService, component: &str) -> serde_json::Value {
    let name = Some(names::worker("main", component));
    let desired = desired(service);
    let workload = desired.workloads.iter().find(|workload| workload.metadata.name == name).unwrap();
    workload.data["spec"]["template"].clone()
}

#[test]
fn the_child_objects_are_the_golden_ones() {
    let desired = desired(&main_service());
    let objects = desired.objects.iter().chain(&desired.workloads);
    let documents: Vec<_> = objects.map(|object| serde_yaml_ng::to_string(object).unwrap()).collect();
    let built = documents.join("---\n");
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/main.yaml");
    if std::env::var_os("BOXOFFICE_REGENERATE").is_some() {
        std::fs::write(&file, &built).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(built == golden, "{} is not what build gives: set BOXOFFICE_REGENERATE=1", file.display());
}

#[test]
fn only_what_the_settings_say_rolls_the_pods() {
    let before = template(&main_service(), "command");
    let mut changed = main_service();
    changed.spec.command.replicas = 5;
    assert_eq!(template(&changed, "command"), before);
    changed.spec.outbox.high_watermark = 5000;
    assert_ne!(template(&changed, "command"), before);
}

#[test]
fn the_pod_template_cannot_replace_the_labels_that_select_pods() {
    let mut service = main_service();
    service.spec.pod_template.labels.insert("app.kubernetes.io/component".into(), "other".into());
    assert_eq!(template(&service, "query")["metadata"]["labels"]["app.kubernetes.io/component"], "query");
}

/// The service of the fixtures on brokers that want TLS and SCRAM.
fn secured() -> ReservationService {
    let mut service = main_service();
    let (tls, sasl) = (
        r#"{"caSecretRef": {"name": "kafka-ca", "key": "ca.crt"}}"#,
        r#"{"mechanism": "SCRAM-SHA-256", "secretRef": {"name": "kafka-user"}}"#,
    );
    service.spec.kafka.tls = Some(serde_json::from_str(tls).unwrap());
    service.spec.kafka.sasl = Some(serde_json::from_str(sasl).unwrap());
    service
}

#[test]
fn every_worker_reads_its_credentials_for_kafka_from_secrets() {
    for component in ["command", "query", "seat-view", "stats-service"] {
        let template = template(&secured(), component);
        let env = template["spec"]["containers"][0]["env"].as_array().unwrap();
        let from = |name: &str| {
            let variable = env.iter().find(|variable| variable["name"] == name).unwrap();
            let reference = &variable["valueFrom"]["secretKeyRef"];
            (reference["name"].as_str().unwrap().to_owned(), reference["key"].as_str().unwrap().to_owned())
        };
        assert_eq!(from("BOXOFFICE_KAFKA_CA"), ("kafka-ca".into(), "ca.crt".into()), "{component}");
        let login = ["username", "password"].map(|key| ("kafka-user".to_owned(), key.to_owned()));
        assert_eq!([from("BOXOFFICE_KAFKA_SASL_USERNAME"), from("BOXOFFICE_KAFKA_SASL_PASSWORD")], login);
    }
}

#[test]
fn how_kafka_is_reached_is_a_setting() {
    let settings = |service: &ReservationService| {
        let desired = desired(service);
        let settings = desired.objects.iter().find(|object| object.data.get("data").is_some()).unwrap();
        settings.data["data"].clone()
    };
    let secured = settings(&secured());
    assert_eq!(secured["BOXOFFICE_KAFKA_TLS"], "true");
    assert_eq!(secured["BOXOFFICE_KAFKA_SASL_MECHANISM"], "SCRAM-SHA-256");
    assert!(settings(&main_service()).get("BOXOFFICE_KAFKA_TLS").is_none());
}

#[test]
fn other_contents_of_the_secrets_roll_the_pods() {
    let validated = validate(&secured(), NONE, "boxoffice/workers:0.1.0").unwrap();
    let template = |secrets: &str| {
        let validated = ValidatedService { secrets: Some(secrets.to_owned()), ..validated.clone() };
        build(&validated).unwrap().workloads[0].data["spec"]["template"].clone()
    };
    assert_eq!(template("first"), template("first"));
    assert_ne!(template("first"), template("second"));
}
