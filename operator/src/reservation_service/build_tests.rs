//! The child objects against `tests/golden/main.yaml`. `BOXOFFICE_REGENERATE=1 cargo test -p boxoffice-operator`
//! writes the file anew; look at its diff before committing it.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::reservation_service::fixtures::{main_service, with_tokens};
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

fn settings(service: &ReservationService) -> serde_json::Value {
    let name = Some(names::settings("main"));
    let desired = desired(service);
    desired.objects.iter().find(|object| object.metadata.name == name).unwrap().data["data"].clone()
}

/// What may reach a port of a worker, by the policies: nothing in `from` is everybody.
fn may_reach(service: &ReservationService, component: &str, port: i32) -> Vec<serde_json::Value> {
    let name = Some(names::worker("main", component));
    let desired = desired(service);
    let is_policy = |object: &&DynamicObject| {
        object.metadata.name == name && object.types.as_ref().unwrap().kind == "NetworkPolicy"
    };
    let policy = desired.objects.iter().find(is_policy).unwrap();
    let rules = policy.data["spec"]["ingress"].as_array().unwrap().iter();
    rules.filter(|rule| rule["ports"][0]["port"] == port).cloned().collect()
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

/// The container's environment of `component`, where `consumer` is declared too.
fn environment(consumer: &str, component: &str) -> serde_json::Value {
    let mut service = main_service();
    service.spec.consumers.push(serde_yaml_ng::from_str(consumer).unwrap());
    template(&service, component)["spec"]["containers"][0]["env"].clone()
}

#[test]
fn workers_that_act_outside_are_told_how_and_secrets_stay_where_they_are() {
    let payment = "{name: pay, handler: payment, database: {url: d}, payment: {url: \"https://pay.example.com\", \
                   timeoutSeconds: 60, secretRef: {name: gateway, key: token}}}";
    let env = environment(payment, "pay");
    let one = |name: &str| {
        let of_name = env.as_array().unwrap().iter().find(|one| one["name"] == name);
        of_name.cloned().unwrap_or_default()
    };
    assert_eq!(one("BOXOFFICE_PAYMENT_URL")["value"], "https://pay.example.com");
    assert_eq!(one("BOXOFFICE_PAYMENT_TIMEOUT_SECONDS")["value"], "60");
    assert_eq!(one("BOXOFFICE_PAYMENT_SANDBOX"), serde_json::Value::Null);
    let token = one("BOXOFFICE_PAYMENT_TOKEN");
    assert_eq!(token["valueFrom"]["secretKeyRef"]["name"], "gateway");
    assert!(environment(payment, "command").to_string().contains("staging.command-payments"));

    let webhook = "{name: tell, handler: webhook, database: {url: d}, webhook: {url: \"https://tell.example.com\", \
                   secretRef: {name: tell, key: key}, events: [seat.reserved, payment.completed]}}";
    let env = environment(webhook, "tell").to_string();
    assert!(
        env.contains("seat.reserved,payment.completed") && env.contains("BOXOFFICE_WEBHOOK_KEY"),
        "{env}"
    );
}

#[test]
fn the_worker_of_the_view_database_alone_is_told_what_gets_old_where_that_is_declared() {
    let told = |service: &ReservationService, component| {
        let env = template(service, component)["spec"]["containers"][0]["env"].to_string();
        (env.contains("BOXOFFICE_TRACE_DAYS"), env.contains("BOXOFFICE_RESERVATION_DAYS"))
    };
    let mut service = main_service();
    assert_eq!(told(&service, "seat-view"), (false, false));
    service.spec.retention = Some(serde_json::from_str(r#"{"traceDays": 7}"#).unwrap());
    assert_eq!(told(&service, "seat-view"), (true, true));
    assert_eq!(told(&service, "reservation-persistence-service"), (false, false));
}

#[test]
fn workers_that_act_outside_may_go_there_but_not_where_clouds_keep_credentials() {
    let mut service = main_service();
    let sandbox = "{name: pay, handler: payment, database: {url: d}, payment: {sandbox: true}}";
    service.spec.consumers.push(serde_yaml_ng::from_str(sandbox).unwrap());
    let desired = desired(&service);
    let policy = desired.objects.iter().find(|object| {
        object.types.as_ref().unwrap().kind == "NetworkPolicy"
            && object.metadata.name.as_deref() == Some("main-pay")
    });
    let spec = &policy.unwrap().data["spec"];
    assert_eq!(spec["policyTypes"], serde_json::json!(["Ingress", "Egress"]));
    assert_eq!(spec["egress"][1]["to"][0]["ipBlock"]["except"][0], "169.254.0.0/16");
    assert_eq!(spec["ingress"].as_array().unwrap().len(), 1, "metrics alone");
}

#[test]
fn every_worker_has_a_policy_and_only_the_operator_in_its_own_namespace_administers() {
    let service = main_service();
    for consumer in ["seat-view", "reservation-persistence-service", "stats-service"] {
        assert_eq!(may_reach(&service, consumer, METRICS_PORT).len(), 1, "{consumer}");
    }
    let validated = validate(&service, NONE, "boxoffice/workers:0.1.0").unwrap();
    let elsewhere = build(&ValidatedService { operator_namespace: "ops".into(), ..validated }).unwrap();
    let from = |desired: &DesiredState| serde_json::to_string(&desired.objects).unwrap();
    let named = |namespace: &str| format!("\"kubernetes.io/metadata.name\":\"{namespace}\"");
    assert!(
        from(&elsewhere).contains(&named("ops")) && !from(&elsewhere).contains(&named("boxoffice-system"))
    );
    assert!(from(&desired(&service)).contains(&named("boxoffice-system")));
}

#[test]
fn a_gateway_outside_of_the_cluster_reaches_the_workers_by_its_addresses() {
    let mut service = main_service();
    let peers = r#"[{"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.7/32"]}}]"#;
    service.spec.auth.allow_from = serde_json::from_str(peers).unwrap();
    let rules = may_reach(&service, "command", COMMAND_PORT);
    assert_eq!(rules[0]["from"], serde_json::from_str::<serde_json::Value>(peers).unwrap());
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

#[test]
fn tokens_are_checked_by_what_is_published_or_by_a_key_in_a_secret() {
    let published = settings(&with_tokens("jwksUrl: \"https://login.example.com/keys\""));
    assert_eq!(published["BOXOFFICE_AUTH_MODE"], "jwt");
    assert_eq!(published["BOXOFFICE_JWT_ISSUER"], "https://login.example.com/");
    assert_eq!(published["BOXOFFICE_JWT_AUDIENCE"], "tickets");
    assert_eq!(published["BOXOFFICE_JWT_JWKS_URL"], "https://login.example.com/keys");

    let given = with_tokens("secretRef: {name: issuer, key: public.pem}");
    assert_eq!(settings(&given).get("BOXOFFICE_JWT_JWKS_URL"), None);
    let expected = serde_json::json!({
        "name": "BOXOFFICE_JWT_KEY", "valueFrom": {"secretKeyRef": {"name": "issuer", "key": "public.pem"}}
    });
    let has_key = |component| {
        let template = template(&given, component);
        template["spec"]["containers"][0]["env"].as_array().unwrap().contains(&expected)
    };
    assert!(has_key("command") && has_key("query") && !has_key("stats-service"));
}

#[test]
fn settings_that_a_service_does_not_declare_are_not_there() {
    let plain = settings(&main_service());
    let names = plain.as_object().unwrap().keys();
    for undeclared in ["AUTH", "PER_USER", "VIEW_AGE", "ORIGINS", "COMMAND_URL"] {
        assert!(names.clone().all(|name| !name.contains(undeclared)), "{names:?}");
    }
    let mut limited = main_service();
    limited.spec.limits.requests_per_user_per_second = Some(20);
    assert_eq!(settings(&limited)["BOXOFFICE_REQUESTS_PER_USER_PER_SECOND"], "20");
    let mut shown = with_tokens("secretRef: {name: issuer, key: public.pem}");
    shown.spec.max_view_age_seconds = 30;
    let web = r#"{"commandUrl": "https://tickets.example.com", "allowOrigins": ["https://a.example.com", "https://b.example.com"]}"#;
    shown.spec.web = Some(serde_json::from_str(web).unwrap());
    let settings = settings(&shown);
    assert_eq!(settings["BOXOFFICE_MAX_VIEW_AGE_SECONDS"], "30");
    assert_eq!(settings["BOXOFFICE_COMMAND_URL"], "https://tickets.example.com");
    assert_eq!(settings["BOXOFFICE_ALLOW_ORIGINS"], "https://a.example.com,https://b.example.com");
}

#[test]
fn everybody_may_bring_a_token_but_only_the_operator_administers() {
    let open = with_tokens("secretRef: {name: issuer, key: public.pem}");
    for (component, port) in [("command", COMMAND_PORT), ("query", QUERY_PORT)] {
        let rules = may_reach(&open, component, port);
        assert_eq!((rules.len(), rules[0].get("from")), (1, None), "{component}");
    }
    for component in ["command", "query"] {
        let admin = may_reach(&open, component, ADMIN_PORT);
        assert_eq!((admin.len(), admin[0]["from"].as_array().unwrap().len()), (1, 1), "{component}");
        let who = admin[0]["from"][0]["podSelector"]["matchLabels"].to_string();
        assert!(who.contains("boxoffice-operator"), "{component}: {who}");
    }
    let with_token = |component| {
        let template = template(&open, component);
        let env = template["spec"]["containers"][0]["env"].as_array().unwrap().clone();
        env.iter().any(|variable| variable["name"] == "BOXOFFICE_ADMIN_TOKEN")
    };
    assert!(with_token("command") && with_token("query") && !with_token("stats-service"));

    let mut narrow = open;
    narrow.spec.auth.allow_from = main_service().spec.auth.allow_from;
    assert_eq!(
        may_reach(&narrow, "command", COMMAND_PORT),
        may_reach(&main_service(), "command", COMMAND_PORT)
    );
}
