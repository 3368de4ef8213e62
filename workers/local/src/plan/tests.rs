//! Plans of small resources, and that of `examples/` against `tests/golden/examples.yaml`. `BOXOFFICE_REGENERATE=1 cargo
//! test -p boxoffice-local` writes the file anew; look at its diff before committing it.

use std::path::Path;

use serde_json::Value;

use super::*;
use crate::resources::fixtures::{EVENT, SERVICE, loaded, with};
use crate::resources::load;

use boxoffice_operator::reservation_service::names::OPERATOR_NAMESPACE;

const IMAGE: &str = "boxoffice/workers:0.1.0";

fn planned(content: &str) -> Plan {
    let loaded = loaded(&[("", content)]);
    assert_eq!(loaded.findings, []);
    plan(&loaded.resources, IMAGE, OPERATOR_NAMESPACE).unwrap()
}

/// The comments of a plan in YAML, those at the top left out.
fn comments(plan: &Plan) -> Vec<String> {
    let yaml = plan.to_yaml().unwrap();
    let comments = yaml.lines().filter_map(|line| line.strip_prefix("# "));
    comments.skip(3).map(str::to_owned).collect()
}

fn examples() -> Plan {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    plan(&load(&[folder], "default").unwrap().resources, IMAGE, OPERATOR_NAMESPACE).unwrap()
}

#[test]
fn the_plan_of_the_examples_is_the_golden_one() {
    let built = examples().to_yaml().unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/examples.yaml");
    if std::env::var_os("BOXOFFICE_REGENERATE").is_some() {
        std::fs::write(&file, &built).unwrap();
    }
    let golden = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(built == golden, "{} is not what plan gives: set BOXOFFICE_REGENERATE=1", file.display());
}

#[test]
fn the_examples_have_the_seats_that_they_say() {
    let plan = serde_json::to_value(examples()).unwrap();
    let inventories = plan["inventories"].as_array().unwrap().iter();
    let seats: Vec<_> =
        inventories.map(|one| (one["eventId"].as_str().unwrap(), one["seats"].as_u64().unwrap())).collect();
    assert_eq!(seats, [("arena-night", 20_000), ("stadium-final", 80_000), ("theatre", 300)]);
}

#[test]
fn steps_stand_in_the_order_of_the_operator() {
    let plan = planned(&format!("{EVENT}---\n{SERVICE}"));
    let name = |step: &Step| match step {
        Step::Secret(secret) => secret.name.clone(),
        Step::Object(object) => object.types.as_ref().unwrap().kind.clone(),
        Step::Topic(topic) => topic.name.clone(),
        Step::ConsumerGroup(group) => format!("group {}", group.name),
        Step::Inventory(inventory) => inventory.event_id.clone(),
    };
    let mut names: Vec<_> = plan.steps.iter().map(name).collect();
    names.dedup();
    assert_eq!(
        names,
        [
            "main-admin-token",
            "ServiceAccount",
            "Service",
            "NetworkPolicy",
            "PodDisruptionBudget",
            "ConfigMap",
            "seat-events",
            "stats-events",
            "payment-events",
            "seat-events.dlq",
            "seat-events.snapshots",
            "seat-events.archive",
            "group seat-view",
            "ConfigMap",
            "Deployment",
            "club-night",
        ]
    );
}

#[test]
fn what_is_no_object_is_a_comment_a_line() {
    let found = comments(&planned(&format!("{SERVICE}---\n{EVENT}")));
    let chart = found[8].split(", ").find_map(|part| part.strip_prefix("chart ")).unwrap();
    assert_eq!(
        found,
        [
            "secret main-admin-token of default/main: token, random, made once".to_owned(),
            "topic seat-events of default/main: 12 partitions, replication factor the broker's, retention.ms=-1".to_owned(),
            "topic stats-events of default/main: 12 partitions, replication factor the broker's, cleanup.policy=compact"
                .to_owned(),
            "topic payment-events of default/main: 12 partitions, replication factor the broker's, retention.ms=-1"
                .to_owned(),
            "topic seat-events.dlq of default/main: 12 partitions, replication factor the broker's, retention.ms=-1"
                .to_owned(),
            "topic seat-events.snapshots of default/main: 12 partitions, replication factor the broker's, \
             cleanup.policy=compact, segment.bytes=67108864"
                .to_owned(),
            "topic seat-events.archive of default/main: 12 partitions, replication factor the broker's, \
             cleanup.policy=compact, retention.ms=-1, segment.bytes=67108864"
                .to_owned(),
            "consumer group seat-view of default/main: seat-events and payment-events from earliest".to_owned(),
            format!(
                "inventory club-night of default/main: 340 seats, 0 blocked, chart {chart}, partition {} (pinned when \
                 first provisioned)",
                partition_of("club-night", 12)
            ),
            "inventory club-night of default/main: section CLUB: 300 seats".to_owned(),
            "inventory club-night of default/main: section A: 40 seats".to_owned(),
        ]
    );
}

#[test]
fn objects_have_the_default_image_and_no_owner_yet() {
    let plan = serde_json::to_value(planned(SERVICE)).unwrap();
    let objects = plan["objects"].as_array().unwrap();
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").unwrap();
    assert_eq!(deployment["spec"]["template"]["spec"]["containers"][0]["image"], IMAGE);
    assert!(objects.iter().all(|object| object["metadata"].get("ownerReferences").is_none()));
    let record = objects.iter().find(|object| object["metadata"]["name"] == "main-retained").unwrap();
    assert_eq!(
        record["data"]["topics"],
        "payment-events\nseat-events\nseat-events.archive\nseat-events.dlq\nseat-events.snapshots\nstats-events"
    );
}

#[test]
fn credentials_for_kafka_are_references_to_secrets() {
    let secured = r#"bootstrapServers: "kafka:9093", tls: {caSecretRef: {name: kafka-ca, key: ca.crt}}, sasl: {mechanism: SCRAM-SHA-512, secretRef: {name: kafka-user}}"#;
    let plan =
        serde_json::to_value(planned(&with(SERVICE, r#"bootstrapServers: "kafka:9092""#, secured))).unwrap();
    let objects = plan["objects"].as_array().unwrap();
    let settings: Vec<_> = objects.iter().filter(|object| object["immutable"] == true).collect();
    assert_eq!(settings.len(), 3);
    for settings in settings {
        assert_eq!(settings["data"]["BOXOFFICE_KAFKA_SASL_MECHANISM"], "SCRAM-SHA-512");
    }
    let deployments: Vec<_> = objects.iter().filter(|object| object["kind"] == "Deployment").collect();
    assert_eq!(deployments.len(), 3);
    for deployment in deployments {
        let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].as_array().unwrap();
        let password = env.iter().find(|one| one["name"] == "BOXOFFICE_KAFKA_SASL_PASSWORD").unwrap();
        let reference = &password["valueFrom"]["secretKeyRef"];
        assert_eq!(
            (reference["name"].as_str(), reference["key"].as_str()),
            (Some("kafka-user"), Some("password"))
        );
    }
}

#[test]
fn i11_a_planned_object_is_that_of_the_operator_but_for_its_owner() {
    let planned = planned(SERVICE);
    let with_uid = with(SERVICE, "{name: main}", "{name: main, uid: s1}");
    let service = loaded(&[("", &with_uid)]).resources.services.remove(0);
    let owner = service.controller_owner_ref(&()).map(|owner| vec![owner]);
    let applied = build(&validate(&service, &[] as &[Arc<ReservationService>], IMAGE).unwrap()).unwrap();
    for wanted in applied.all() {
        assert_eq!(wanted.metadata.owner_references, owner);
        let mut unowned = wanted.clone();
        unowned.metadata.owner_references = None;
        assert!(planned.steps.contains(&Step::object(unowned)), "{wanted:#?}");
    }
}

#[test]
fn topics_that_are_only_observed_are_neither_created_nor_recorded() {
    let plan = planned(&with(SERVICE, "kafka: {", "kafka: {topic: {adoptionPolicy: Observe}, "));
    assert!(comments(&plan)[1].ends_with("; not created: it must exist"), "{:#?}", comments(&plan));
    let plan = serde_json::to_value(plan).unwrap();
    let names = plan["objects"].as_array().unwrap().iter().map(|object| &object["metadata"]["name"]);
    assert!(names.into_iter().all(|name| name != "main-retained"));
}

#[test]
fn a_group_that_begins_at_a_time_says_so_as_people_do() {
    let consumer = "  - {name: late, handler: persistence, database: {url: \"postgres://late\"}, startFrom: 2026-11-01T00:00:00Z}\n";
    let plan = serde_json::to_value(planned(&format!("{SERVICE}{consumer}"))).unwrap();
    assert_eq!(plan["consumerGroups"][1]["start"], "2026-11-01T00:00:00Z");
}

#[test]
fn the_partition_is_unknown_where_the_service_is_elsewhere() {
    let plan = planned(EVENT);
    assert_eq!(serde_json::to_value(&plan).unwrap()["inventories"][0]["partition"], Value::Null);
    assert!(comments(&plan)[0].contains("chosen when it is provisioned"), "{:#?}", comments(&plan));
}

#[test]
fn a_plan_reads_back_as_the_same_objects() {
    let plan = planned(&format!("{SERVICE}---\n{EVENT}"));
    let yaml = plan.to_yaml().unwrap();
    let documents =
        serde_yaml_ng::Deserializer::from_str(&yaml).map(|one| serde::Deserialize::deserialize(one).unwrap());
    let documents: Vec<Value> = documents.filter(|document: &Value| !document.is_null()).collect();
    assert_eq!(Value::from(documents), serde_json::to_value(plan).unwrap()["objects"]);
}

#[test]
fn two_services_that_would_make_one_name_have_no_plan() {
    let consumer = "  - {name: b-command, handler: persistence, database: {url: \"postgres://late\"}}\n";
    let other = with(&with(SERVICE, "name: main", "name: main-b"), "kafka: {", "kafka: {prefix: b., ");
    let loaded = loaded(&[("", &format!("{SERVICE}{consumer}---\n{other}"))]);
    let error = plan(&loaded.resources, IMAGE, OPERATOR_NAMESPACE).unwrap_err().to_string();
    assert!(error.starts_with("ReservationService default/main-b: Deployment main-b-command is"), "{error}");
}

#[test]
fn what_the_operator_would_refuse_has_no_plan() {
    let loaded = loaded(&[("", &with(SERVICE, "  redis: {", "  onSale: {freezeMinutes: 5}\n  redis: {"))]);
    let error = plan(&loaded.resources, IMAGE, OPERATOR_NAMESPACE).unwrap_err().to_string();
    assert!(
        error.starts_with("ReservationService default/main: this version does not support onSale"),
        "{error}"
    );
}
