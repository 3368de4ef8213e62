//! What Secrets mean for the pods that read them.

use super::*;
use crate::reservation_service::build::build;
use crate::reservation_service::fixtures::{main_service, with_tokens};
use crate::reservation_service::validate::validate;
use boxoffice_crds::ReservationServiceSpec;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use std::sync::Arc;

/// The workloads of a service that reads four Secrets: `redis`, `view-db`, `issuer` and `kafka-user`.
fn workloads() -> Vec<DynamicObject> {
    workloads_with(|_| {})
}

fn workloads_with(change: impl FnOnce(&mut ReservationServiceSpec)) -> Vec<DynamicObject> {
    let mut service = with_tokens("secretRef: {name: issuer, key: public.pem}");
    let sasl = r#"{"mechanism": "SCRAM-SHA-512", "secretRef": {"name": "kafka-user"}}"#;
    service.spec.kafka.sasl = Some(serde_json::from_str(sasl).unwrap());
    change(&mut service.spec);
    let none: &[Arc<ReservationService>] = &[];
    build(&validate(&service, none, "boxoffice/workers:0.1.0").unwrap()).unwrap().workloads
}

/// The same with an authority for Redis in a `ConfigMap`, and a certificate for the view database.
fn with_certificates() -> Vec<DynamicObject> {
    workloads_with(|spec| {
        let tls = "{caConfigMapRef: {name: trust, key: ca.crt}}";
        spec.redis.tls = Some(serde_yaml_ng::from_str(tls).unwrap());
        let tls = "{certificateSecretRef: {name: view-client}}";
        spec.consumers[0].database.tls = Some(serde_yaml_ng::from_str(tls).unwrap());
    })
}

const PEM: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMIIB\n-----END PRIVATE KEY-----\n";

fn trust(uid: &str, ca: &str) -> (Object, Holding) {
    let data = [("ca.crt".to_owned(), ca.to_owned())];
    let mut map = ConfigMap { data: Some(data.into()), ..ConfigMap::default() };
    map.metadata.uid = Some(uid.to_owned());
    ((Kind::ConfigMap, "trust".to_owned()), Holding::ConfigMap(Arc::new(map)))
}

fn with_certificates_there(trust: (Object, Holding), key: &str) -> BTreeMap<Object, Holding> {
    let mut all = all_there();
    all.extend([trust, (named_secret("view-client"), secret("u5", &[("tls.crt", PEM), ("tls.key", key)]))]);
    all
}

fn named_secret(name: &str) -> Object {
    (Kind::Secret, name.to_owned())
}

fn secret(uid: &str, data: &[(&str, &str)]) -> Holding {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    let mut secret = Secret { data: Some(data.collect()), ..Secret::default() };
    secret.metadata.uid = Some(uid.to_owned());
    Holding::Secret(Arc::new(secret))
}

fn all_there() -> BTreeMap<Object, Holding> {
    [
        (named_secret("redis"), secret("u1", &[("url", "redis://redis"), ("other", "x")])),
        (named_secret("view-db"), secret("u2", &[("url", "postgres://view")])),
        (named_secret("issuer"), secret("u3", &[("public.pem", "PEM")])),
        (named_secret("kafka-user"), secret("u4", &[("username", "boxoffice"), ("password", "hush")])),
    ]
    .into()
}

fn looked(holdings: &BTreeMap<Object, Holding>, live: &BTreeMap<String, Deployment>) -> Contents {
    compare(&main_service(), &workloads(), holdings, live)
}

fn with(name: &str, holding: Holding) -> BTreeMap<Object, Holding> {
    let mut all = all_there();
    all.insert(named_secret(name), holding);
    all
}

/// The Deployments as they are after `contents` were applied.
fn applied(contents: &Contents) -> BTreeMap<String, Deployment> {
    applied_to(workloads(), contents)
}

fn applied_to(workloads: Vec<DynamicObject>, contents: &Contents) -> BTreeMap<String, Deployment> {
    let apply = |mut workload: DynamicObject| {
        contents.mark(&mut workload);
        (workload.name_any(), workload.try_parse().unwrap())
    };
    workloads.into_iter().map(apply).collect()
}

fn template(contents: &Contents, name: &str) -> Option<String> {
    mark_in(&applied(contents)[name])
}

fn mark_in(deployment: &Deployment) -> Option<String> {
    let template = deployment.spec.clone().unwrap().template.metadata.unwrap();
    template.annotations.unwrap().get(MARK).cloned()
}

#[test]
fn the_named_secrets_are_read_each_once_and_not_the_admin_token() {
    let names: Vec<_> = named(&workloads(), "main").into_iter().collect();
    assert_eq!(names, ["issuer", "kafka-user", "redis", "view-db"].map(named_secret));
}

#[test]
fn another_content_of_a_key_rolls_those_that_read_it_and_no_others() {
    let before = looked(&all_there(), &BTreeMap::new());
    let live = applied(&before);
    let rolled = |holdings: &BTreeMap<Object, Holding>| {
        let after = looked(holdings, &live);
        let names = live.keys().filter(|name| template(&after, name) != template(&before, name));
        (names.cloned().collect::<Vec<_>>(), after.deed().map(|deed| deed.note))
    };
    assert_eq!(rolled(&all_there()), (vec![], None));
    let (redis, told) = rolled(&with("redis", secret("u1", &[("url", "redis://other"), ("other", "x")])));
    assert_eq!(redis, ["main-command"]);
    assert_eq!(told.as_deref(), Some("url of Secret redis changed: the pods that read it are replaced"));
    let unread = rolled(&with("redis", secret("u1", &[("url", "redis://redis"), ("other", "y")])));
    assert_eq!(unread.0, [""; 0], "a key that nobody reads");
    let view = rolled(&with("view-db", secret("u2", &[("url", "postgres://other")]))).0;
    assert_eq!(view, ["main-query", "main-seat-view"]);
    let issuer = rolled(&with("issuer", secret("u3", &[("public.pem", "other")]))).0;
    assert_eq!(issuer, ["main-command", "main-query"]);
    let kafka = secret("u4", &[("username", "boxoffice"), ("password", "changed")]);
    assert_eq!(rolled(&with("kafka-user", kafka)).0.len(), 5, "every worker");
}

#[test]
fn a_fingerprint_cannot_be_guessed_from_the_content() {
    let redis = |uid| {
        template(&looked(&with("redis", secret(uid, &[("url", "a")])), &BTreeMap::new()), "main-command")
    };
    assert_ne!(redis("u1"), redis("u5"), "the Secret's uid is in it");
    assert!(redis("u1").unwrap().contains("redis/url:"));
}

#[test]
fn what_is_lost_rolls_nothing_and_is_named_with_the_fix() {
    let before = looked(&all_there(), &BTreeMap::new());
    let live = applied(&before);
    let lost = looked(&with("kafka-user", Holding::Absent), &live);
    assert!(live.keys().all(|name| template(&lost, name) == template(&before, name)));
    let finding = lost.finding("tickets");
    assert_eq!((finding.met, finding.reason.as_str()), (false, "SecretMissing"));
    assert_eq!(
        finding.message,
        "kafka.sasl.secretRef: Secret tickets/kafka-user does not exist: create it with password and username (read by \
         main-command, main-query, main-reservation-persistence-service, main-seat-view, main-stats-service). What runs goes \
         on until it starts again"
    );
    let keyless = looked(&with("redis", secret("u1", &[("URL", "redis://redis")])), &live).finding("tickets");
    assert_eq!(keyless.reason, "SecretKeyMissing");
    assert!(keyless.message.starts_with(
        "redis.urlFrom: Secret tickets/redis has nothing under url: add it (read by main-command)"
    ));
    let view = looked(&with("view-db", Holding::Forbidden), &live).finding("tickets");
    assert_eq!(view.reason, "SecretForbidden");
    assert!(
        view.message.starts_with("consumers[0].database.urlFrom: Secret tickets/view-db may not be read")
            && view.message.contains("main-query, main-seat-view"),
        "{}",
        view.message
    );
    assert!(before.finding("tickets").met && before.finding("tickets").message.contains("4 Secrets"));
}

#[test]
fn a_change_beside_a_loss_is_carried_out() {
    let live = applied(&looked(&all_there(), &BTreeMap::new()));
    let mut holdings = with("redis", Holding::Absent);
    holdings.insert(named_secret("issuer"), secret("u3", &[("public.pem", "other")]));
    let after = looked(&holdings, &live);
    let command = |marks: &str| parse(marks)[&(named_secret("redis"), "url".to_owned())].clone();
    let before = template(&looked(&all_there(), &BTreeMap::new()), "main-command").unwrap();
    let now = template(&after, "main-command").unwrap();
    assert_ne!(before, now);
    assert_eq!(command(&before), command(&now), "what is lost is as it was read");
}

#[test]
fn only_those_that_read_what_is_lost_are_held_back() {
    let lost = looked(&with("redis", Holding::Absent), &BTreeMap::new());
    assert!(lost.holds_back("main-command") && !lost.holds_back("main-query"));
    assert_eq!(template(&lost, "main-command").unwrap().matches("redis").count(), 0);
}

#[test]
fn an_optional_key_may_be_absent() {
    let mut all = workloads();
    let env = &mut all[0].data["spec"]["template"]["spec"]["containers"][0]["env"];
    let redis =
        env.as_array_mut().unwrap().iter_mut().find(|one| one["name"] == "BOXOFFICE_REDIS_URL").unwrap();
    redis["valueFrom"]["secretKeyRef"]["optional"] = json!(true);
    let contents = compare(&main_service(), &all, &with("redis", Holding::Absent), &BTreeMap::new());
    assert!(contents.finding("tickets").met);
}

#[test]
fn a_message_names_no_more_than_a_few() {
    let mut all = workloads();
    let env = all[0].data["spec"]["template"]["spec"]["containers"][0]["env"].as_array_mut().unwrap();
    for number in 0..9 {
        let from = json!({"secretKeyRef": {"name": format!("s{number}"), "key": "k"}});
        env.push(json!({"name": format!("V{number}"), "valueFrom": from}));
    }
    let finding = compare(&main_service(), &all, &all_there(), &BTreeMap::new()).finding("tickets");
    assert!(finding.message.contains("and 4 more"), "{}", finding.message);
}

#[test]
fn another_authority_in_a_config_map_rolls_those_that_read_it_and_another_config_map_does_not() {
    let all = with_certificates();
    let before =
        compare(&main_service(), &all, &with_certificates_there(trust("u6", PEM), KEY), &BTreeMap::new());
    assert!(before.finding("tickets").message.starts_with("5 Secrets and 1 ConfigMap are read"));
    let live = applied_to(all.clone(), &before);
    assert!(mark_in(&live["main-command"]).unwrap().contains("configmap/trust/ca.crt:"));
    assert!(mark_in(&live["main-query"]).unwrap().contains("view-client/tls.key:"));
    let rolled = |trust: (Object, Holding), key: &str| {
        let after = compare(&main_service(), &all, &with_certificates_there(trust, key), &live);
        let now = applied_to(all.clone(), &after);
        let names = live.keys().filter(|name| mark_in(&now[*name]) != mark_in(&live[*name]));
        (names.cloned().collect::<Vec<_>>(), after.deed().map(|deed| (deed.reason, deed.note)))
    };
    assert_eq!(rolled(trust("u7", PEM), KEY), (vec![], None));
    let (command, told) = rolled(trust("u6", &PEM.replace("MIIB", "MIIC")), KEY);
    assert_eq!(command, ["main-command"]);
    let note = "ca.crt of ConfigMap trust changed: the pods that read it are replaced";
    assert_eq!(told, Some(("ConfigMapChanged".to_owned(), note.to_owned())));
    let (view, told) = rolled(trust("u6", PEM), &KEY.replace("MIIB", "MIIC"));
    assert_eq!(view, ["main-query", "main-seat-view"]);
    assert_eq!(told.unwrap().0, "SecretChanged");
}

#[test]
fn certificates_that_are_none_are_named_with_field_and_fix_and_keep_no_other_from_starting() {
    let looked = |trust: (Object, Holding), key: &str| {
        compare(&main_service(), &with_certificates(), &with_certificates_there(trust, key), &BTreeMap::new())
    };
    let told = |contents: &Contents, reason: &str, message: &str| {
        let finding = contents.finding("tickets");
        assert_eq!((finding.met, finding.reason.as_str()), (false, reason));
        assert!(finding.message.starts_with(message), "{}", finding.message);
    };
    let absent = looked(((Kind::ConfigMap, "trust".to_owned()), Holding::Absent), KEY);
    let message = "redis.tls.caConfigMapRef: ConfigMap tickets/trust does not exist: create it with ca.crt (read by \
                   main-command)";
    told(&absent, "ConfigMapMissing", message);
    assert!(absent.holds_back("main-command") && !absent.holds_back("main-query"));
    let message = "redis.tls.caConfigMapRef: ConfigMap tickets/trust has no certificate under ca.crt: store";
    told(&looked(trust("u6", "MIIB"), KEY), "ConfigMapUnusable", message);
    let message = "redis.tls.caConfigMapRef: ConfigMap tickets/trust has more than 131000 bytes under ca.crt";
    told(&looked(trust("u6", &PEM.repeat(3000)), KEY), "ConfigMapUnusable", message);
    let message = "consumers[0].database.tls.certificateSecretRef: Secret tickets/view-client has no private key \
                   under tls.key: store one in PEM form, without a password (read by main-query, main-seat-view)";
    told(&looked(trust("u6", PEM), "MIIB"), "SecretUnusable", message);
}
