//! What Secrets mean for the pods that read them.

use std::sync::Arc;

use super::*;
use crate::reservation_service::build::build;
use crate::reservation_service::fixtures::with_tokens;
use crate::reservation_service::validate::validate;
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

/// The workloads of a service that reads four Secrets: `redis`, `view-db`, `issuer` and `kafka-user`.
fn workloads() -> Vec<DynamicObject> {
    let mut service = with_tokens("secretRef: {name: issuer, key: public.pem}");
    let sasl = r#"{"mechanism": "SCRAM-SHA-512", "secretRef": {"name": "kafka-user"}}"#;
    service.spec.kafka.sasl = Some(serde_json::from_str(sasl).unwrap());
    let none: &[Arc<ReservationService>] = &[];
    build(&validate(&service, none, "boxoffice/workers:0.1.0").unwrap()).unwrap().workloads
}

fn secret(uid: &str, data: &[(&str, &str)]) -> Holding {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), ByteString((*value).into())));
    let mut secret = Secret { data: Some(data.collect()), ..Secret::default() };
    secret.metadata.uid = Some(uid.to_owned());
    Holding::There(Arc::new(secret))
}

fn all_there() -> BTreeMap<String, Holding> {
    [
        ("redis".to_owned(), secret("u1", &[("url", "redis://redis"), ("other", "x")])),
        ("view-db".to_owned(), secret("u2", &[("url", "postgres://view")])),
        ("issuer".to_owned(), secret("u3", &[("public.pem", "PEM")])),
        ("kafka-user".to_owned(), secret("u4", &[("username", "boxoffice"), ("password", "hush")])),
    ]
    .into()
}

fn looked(holdings: &BTreeMap<String, Holding>, live: &BTreeMap<String, Deployment>) -> Contents {
    compare("main", &workloads(), holdings, live)
}

fn with(name: &str, holding: Holding) -> BTreeMap<String, Holding> {
    let mut all = all_there();
    all.insert(name.to_owned(), holding);
    all
}

/// The Deployments as they are after `contents` were applied.
fn applied(contents: &Contents) -> BTreeMap<String, Deployment> {
    let apply = |mut workload: DynamicObject| {
        contents.mark(&mut workload);
        (workload.name_any(), workload.try_parse().unwrap())
    };
    workloads().into_iter().map(apply).collect()
}

fn template(contents: &Contents, name: &str) -> Option<String> {
    let template = applied(contents)[name].spec.clone().unwrap().template.metadata.unwrap();
    template.annotations.unwrap().get(MARK).cloned()
}

#[test]
fn the_named_secrets_are_read_each_once_and_not_the_admin_token() {
    let names: Vec<_> = named(&workloads(), "main").into_iter().collect();
    assert_eq!(names, ["issuer", "kafka-user", "redis", "view-db"]);
}

#[test]
fn another_content_of_a_key_rolls_those_that_read_it_and_no_others() {
    let before = looked(&all_there(), &BTreeMap::new());
    let live = applied(&before);
    let rolled = |holdings: &BTreeMap<String, Holding>| {
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
        view.message
            .starts_with("consumers[seat-view].database.urlFrom: Secret tickets/view-db may not be read")
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
    holdings.insert("issuer".to_owned(), secret("u3", &[("public.pem", "other")]));
    let after = looked(&holdings, &live);
    let command = |marks: &str| parse(marks)[&("redis".to_owned(), "url".to_owned())].clone();
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
    let contents = compare("main", &all, &with("redis", Holding::Absent), &BTreeMap::new());
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
    let finding = compare("main", &all, &all_there(), &BTreeMap::new()).finding("tickets");
    assert!(finding.message.contains("and 4 more"), "{}", finding.message);
}
