//! The child objects against `tests/golden/main.yaml`. `BOXOFFICE_REGENERATE=1 cargo test -p boxoffice-operator`
//! writes the file anew; look at its diff before committing it.

use std::path::Path;
use std::sync::Arc;

use super::*;
use crate::reservation_service::fixtures::{main_service, with_tokens};
use crate::reservation_service::validate::validate;
use boxoffice_crds::{ReservationService, ReservationServiceSpec};

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

/// What a worker is told: what stands in the `ConfigMap` that its template names.
fn settings(service: &ReservationService, component: &str) -> serde_json::Value {
    let template = template(service, component);
    let name = &template["spec"]["containers"][0]["envFrom"][0]["configMapRef"]["name"];
    let is_named = |object: &&DynamicObject| object.metadata.name.as_deref() == name.as_str();
    desired(service).settings.iter().find(is_named).unwrap().data["data"].clone()
}

/// The workers whose pods roll when `before` becomes `after`.
fn rolled(before: &ReservationService, after: &ReservationService) -> Vec<String> {
    let (before, after) = (desired(before).workloads, desired(after).workloads);
    let differs = |(before, after): &(&DynamicObject, &DynamicObject)| {
        before.data["spec"]["template"] != after.data["spec"]["template"]
    };
    let rolled = before.iter().zip(&after).filter(differs);
    rolled.map(|(worker, _)| worker.metadata.name.clone().unwrap()).collect()
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
    let documents: Vec<_> = desired.all().map(|object| serde_yaml_ng::to_string(object).unwrap()).collect();
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
    let payment = "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {url: \"https://pay.example.com\", \
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

    let webhook = "{name: tell, handler: webhook, database: {url: \"postgres://d\"}, webhook: {url: \"https://tell.example.com\", \
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
    let sandbox =
        "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}}";
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
fn what_is_built_is_of_no_family_of_addresses() {
    let desired = desired(&main_service());
    let built: String = desired.all().map(|object| serde_json::to_string(object).unwrap()).collect();
    for said in ["ipFamil", "IPv4", "0.0.0.0", "127.0.0.1"] {
        assert!(!built.contains(said), "{said}: without it a cluster of IPv6 alone has all it needs");
    }
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
fn only_a_worker_that_reads_a_setting_is_rolled_by_it() {
    let rolled_by = |change: fn(&mut ReservationServiceSpec)| {
        let mut changed = main_service();
        change(&mut changed.spec);
        rolled(&main_service(), &changed)
    };
    assert!(rolled_by(|spec| spec.command.replicas = 5).is_empty());
    assert_eq!(rolled_by(|spec| spec.limits.requests_per_user_per_second = Some(9)), ["main-command"]);
    assert_eq!(rolled_by(|spec| spec.outbox.high_watermark = 5000), ["main-command"]);
    assert_eq!(rolled_by(|spec| spec.redis.cluster = true), ["main-command"]);
    assert_eq!(rolled_by(|spec| spec.max_view_age_seconds = 9), ["main-query"]);
    assert_eq!(rolled_by(|spec| spec.kafka.bootstrap_servers = "k:1".into()).len(), 5);
}

#[test]
fn settings_never_change_and_are_named_after_what_they_say() {
    let settings = desired(&main_service()).settings;
    assert_eq!(settings.len(), 5);
    for one in &settings {
        assert_eq!(one.data["immutable"], true);
    }
    let names = |service: &ReservationService| -> Vec<_> {
        desired(service).settings.iter().map(|one| one.metadata.name.clone().unwrap()).collect()
    };
    let before = names(&main_service());
    assert!(before[0].starts_with("main-command-") && before[0].len() == "main-command-".len() + 16);
    let mut changed = main_service();
    changed.spec.outbox.high_watermark = 5000;
    let after = names(&changed);
    assert!(before[0] != after[0] && before[1..] == after[1..], "{before:?} {after:?}");
}

#[test]
fn workers_that_somebody_else_scales_are_named_and_begin_with_their_replicas() {
    assert!(desired(&main_service()).scaled_elsewhere.is_empty());
    let mut service = main_service();
    service.spec.command.autoscaling = Some(serde_json::from_str(r#"{"external": true}"#).unwrap());
    let scaling = r#"{"replicas": 3, "autoscaling": {"external": true}}"#;
    service.spec.consumers[1].scaling = Some(serde_json::from_str(scaling).unwrap());
    let desired = desired(&service);
    let expected = ["main-command", "main-reservation-persistence-service"];
    assert!(desired.scaled_elsewhere.iter().eq(expected), "{:?}", desired.scaled_elsewhere);
    let replicas = desired.workloads.iter().map(|one| one.data["spec"]["replicas"].as_u64().unwrap());
    assert_eq!(replicas.collect::<Vec<_>>(), [2, 2, 1, 3, 1]);
}

#[test]
fn who_serves_nobody_may_be_evicted_and_addresses_are_left_to_the_cluster() {
    let desired = desired(&main_service());
    let of_kind = |kind: &'static str| {
        desired.objects.iter().filter(move |one| one.types.as_ref().unwrap().kind == kind)
    };
    assert_eq!(of_kind("PodDisruptionBudget").count(), 5);
    for budget in of_kind("PodDisruptionBudget") {
        assert_eq!(budget.data["spec"]["unhealthyPodEvictionPolicy"], "AlwaysAllow");
    }
    for service in of_kind("Service") {
        let spec = service.data["spec"].as_object().unwrap();
        assert!(!spec.contains_key("ipFamilies") && !spec.contains_key("ipFamilyPolicy"));
    }
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

/// The variables of a worker that come from elsewhere: name, kind of reference, object and key.
fn references(service: &ReservationService, component: &str) -> Vec<String> {
    let template = template(service, component);
    let env = template["spec"]["containers"][0]["env"].as_array().unwrap().clone();
    let shown = |variable: serde_json::Value| {
        let (kind, from) = variable["valueFrom"].as_object()?.iter().next()?;
        let [name, object, key] = [&variable["name"], &from["name"], &from["key"]].map(|it| it.as_str());
        Some(format!("{} {kind} {}/{}", name?, object?, key?))
    };
    env.into_iter().filter_map(shown).collect()
}

#[test]
fn certificates_come_from_secrets_and_config_maps_to_those_that_need_them() {
    let mut service = main_service();
    let tls = |text: &str| Some(serde_yaml_ng::from_str(text).unwrap());
    service.spec.kafka.tls = tls(
        "{caConfigMapRef: {name: trust, key: kafka.crt}, certificateSecretRef: {name: me, certificate: user.crt, key: user.key}}",
    );
    service.spec.redis.tls = tls("{caConfigMapRef: {name: trust, key: redis.crt}}");
    service.spec.consumers[0].database.tls =
        tls("{caSecretRef: {name: db, key: ca.crt}, certificateSecretRef: {name: view}}");
    let of_kafka = [
        "BOXOFFICE_KAFKA_CA configMapKeyRef trust/kafka.crt",
        "BOXOFFICE_KAFKA_CERTIFICATE secretKeyRef me/user.crt",
        "BOXOFFICE_KAFKA_KEY secretKeyRef me/user.key",
    ];
    let of_redis = ["BOXOFFICE_REDIS_CA configMapKeyRef trust/redis.crt"];
    let of_view = [
        "BOXOFFICE_DATABASE_CA secretKeyRef db/ca.crt",
        "BOXOFFICE_DATABASE_CERTIFICATE secretKeyRef view/tls.crt",
        "BOXOFFICE_DATABASE_KEY secretKeyRef view/tls.key",
    ];
    let has = |component: &str, wanted: &[&str]| {
        let references = references(&service, component);
        wanted.iter().all(|one| references.iter().any(|reference| reference == one))
    };
    for component in ["command", "query", "seat-view", "stats-service"] {
        assert!(has(component, &of_kafka), "{component}");
        assert_eq!(has(component, &of_redis), component == "command", "{component}");
        let reads_the_view = ["query", "seat-view"].contains(&component);
        assert_eq!(has(component, &of_view), reads_the_view, "{component}");
        let told = settings(&service, component).get("BOXOFFICE_DATABASE_TLS").is_some();
        assert_eq!(told, reads_the_view, "{component}");
    }
}

#[test]
fn a_user_that_stands_in_the_resource_is_a_setting() {
    let mut service = secured();
    let sasl = "{mechanism: SCRAM-SHA-512, username: my-user, secretRef: {name: my-user, key: pass}}";
    service.spec.kafka.sasl = Some(serde_yaml_ng::from_str(sasl).unwrap());
    assert_eq!(settings(&service, "query")["BOXOFFICE_KAFKA_SASL_USERNAME"], "my-user");
    let references = references(&service, "query").join(", ");
    assert!(references.contains("BOXOFFICE_KAFKA_SASL_PASSWORD secretKeyRef my-user/pass"), "{references}");
    assert!(!references.contains("USERNAME"), "{references}");
}

#[test]
fn how_kafka_is_reached_is_a_setting() {
    for component in ["command", "query", "stats-service"] {
        let secured = settings(&secured(), component);
        assert_eq!(secured["BOXOFFICE_KAFKA_TLS"], "true");
        assert_eq!(secured["BOXOFFICE_KAFKA_SASL_MECHANISM"], "SCRAM-SHA-256");
        assert!(settings(&main_service(), component).get("BOXOFFICE_KAFKA_TLS").is_none());
    }
}

#[test]
fn who_reads_the_token_reads_the_one_of_before_where_there_is_one() {
    for component in ["command", "query"] {
        let env = template(&main_service(), component)["spec"]["containers"][0]["env"].clone();
        let of_name = |name: &str| {
            let found = env.as_array().unwrap().iter().find(|one| one["name"] == name).cloned().unwrap();
            found["valueFrom"]["secretKeyRef"].clone()
        };
        let secret = |key: &str| serde_json::json!({"name": "main-admin-token", "key": key});
        assert_eq!(of_name("BOXOFFICE_ADMIN_TOKEN"), secret("token"));
        let mut previous = secret("previous");
        previous["optional"] = true.into();
        assert_eq!(of_name("BOXOFFICE_ADMIN_TOKEN_PREVIOUS"), previous);
    }
}

#[test]
fn a_consumer_is_told_the_topics_that_it_reads_and_writes() {
    let mut service = main_service();
    let sandbox =
        "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}}";
    service.spec.consumers.push(serde_yaml_ng::from_str(sandbox).unwrap());
    let told = |component: &str| {
        let settings = settings(&service, component);
        ["SEAT", "STATS", "PAYMENT"].map(|topic| {
            let name = if topic == "SEAT" {
                "BOXOFFICE_KAFKA_TOPIC".into()
            } else {
                format!("BOXOFFICE_KAFKA_{topic}_TOPIC")
            };
            settings.get(&name).is_some()
        })
    };
    assert_eq!(told("command"), [true, true, true]);
    assert_eq!(told("query"), [true, true, false]);
    assert_eq!(told("stats-service"), [true, true, false]);
    for component in ["seat-view", "reservation-persistence-service", "pay"] {
        assert_eq!(told(component), [true, false, true], "{component}");
    }
    service.spec.kafka.prefix = String::new();
    let settings = settings(&service, "pay");
    assert!(settings.get("BOXOFFICE_KAFKA_PAYMENT_TOPIC").is_none());
}

#[test]
fn tokens_are_checked_by_what_is_published_or_by_a_key_in_a_secret() {
    let published = settings(&with_tokens("jwksUrl: \"https://login.example.com/keys\""), "query");
    assert_eq!(published["BOXOFFICE_AUTH_MODE"], "jwt");
    assert_eq!(published["BOXOFFICE_JWT_ISSUER"], "https://login.example.com/");
    assert_eq!(published["BOXOFFICE_JWT_AUDIENCE"], "tickets");
    assert_eq!(published["BOXOFFICE_JWT_JWKS_URL"], "https://login.example.com/keys");

    let given = with_tokens("secretRef: {name: issuer, key: public.pem}");
    assert_eq!(settings(&given, "command").get("BOXOFFICE_JWT_JWKS_URL"), None);
    assert_eq!(settings(&given, "seat-view").get("BOXOFFICE_AUTH_MODE"), None);
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
    for component in ["command", "query"] {
        let plain = settings(&main_service(), component);
        let names = plain.as_object().unwrap().keys();
        for undeclared in ["AUTH", "PER_USER", "VIEW_AGE", "ORIGINS", "COMMAND_URL"] {
            assert!(names.clone().all(|name| !name.contains(undeclared)), "{names:?}");
        }
    }
    let mut limited = main_service();
    limited.spec.limits.requests_per_user_per_second = Some(20);
    assert_eq!(settings(&limited, "command")["BOXOFFICE_REQUESTS_PER_USER_PER_SECOND"], "20");
    let mut shown = with_tokens("secretRef: {name: issuer, key: public.pem}");
    shown.spec.max_view_age_seconds = 30;
    let web = r#"{"commandUrl": "https://tickets.example.com", "allowOrigins": ["https://a.example.com", "https://b.example.com"]}"#;
    shown.spec.web = Some(serde_json::from_str(web).unwrap());
    let origins = "https://a.example.com,https://b.example.com";
    assert_eq!(settings(&shown, "command")["BOXOFFICE_ALLOW_ORIGINS"], origins);
    let settings = settings(&shown, "query");
    assert_eq!(settings["BOXOFFICE_MAX_VIEW_AGE_SECONDS"], "30");
    assert_eq!(settings["BOXOFFICE_COMMAND_URL"], "https://tickets.example.com");
    assert_eq!(settings["BOXOFFICE_ALLOW_ORIGINS"], origins);
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
