//! What the operator would refuse, with the line of each.

use std::path::Path;

use boxoffice_operator::reservation_service::unsupported::Environment;

use crate::resources::fixtures::{EVENT, SERVICE, lines, loaded, with};
use crate::resources::load;

fn found_in(environment: Environment, content: &str) -> Vec<String> {
    lines(&super::lint(&loaded(&[("", content)]), environment))
}

fn found(content: &str) -> Vec<String> {
    found_in(Environment::Cluster, content)
}

#[test]
fn sound_resources_have_no_findings_and_a_service_may_be_elsewhere() {
    assert_eq!(found(&format!("{SERVICE}---\n{EVENT}")), [""; 0]);
    assert_eq!(found(EVENT), [""; 0]);
}

#[test]
fn the_examples_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    assert_eq!(super::lint(&load(&[folder], "default").unwrap(), Environment::Cluster), []);
}

#[test]
fn overlapping_ranges_are_found_at_the_second_one() {
    let rows = "    rows:\n    - {rows: \"1-4\", seats: \"1-10\"}\n    - {row: \"4\", seats: \"10\"}\n";
    assert_eq!(
        found(&with(EVENT, "    rows: [{rows: \"1-4\", seats: \"1-10\"}]\n", rows)),
        [
            "16: spec.sections[1].rows[1]: gives seat A-4-10, which spec.sections[1].rows[0] gives too: let the ranges not overlap"
        ]
    );
}

#[test]
fn every_error_of_every_chart_is_found() {
    let event = with(EVENT, "seats: \"1-10\"", "seats: \"10-1/0\"");
    let event = format!("{event}  blocked: [{{seats: [CLUB-1, CLUB-301], reason: camera}}]\n");
    assert_eq!(
        found(&event),
        [
            "14: spec.sections[1].rows[0].seats: \"10-1/0\" has a step that is no number above 0: write \"1-39/2\" for \
             every second one",
            "15: spec.blocked[0]: there is no seat CLUB-301",
        ]
    );
}

#[test]
fn what_this_version_does_not_support_yet_is_found_a_field_at_a_time() {
    let service = with(SERVICE, "  redis: {", "  onSale: {freezeMinutes: 5}\n  redis: {");
    let service = with(&service, "    database", "    reset: {requestId: a, to: earliest}\n    database");
    let reset = "12: spec.consumers[0].reset: this version does not support this yet: remove it";
    let on_sale = "6: spec.onSale: this version does not support this yet: remove it";
    assert_eq!(found(&service), [on_sale, reset]);
    assert_eq!(found_in(Environment::Local, &service), [reset], "there is nothing to scale");
    assert!(found(&with(EVENT, "spec:\n", "spec:\n  deletionPolicy: Delete\n")).is_empty());
}

#[test]
fn a_currency_that_there_is_not_is_found_at_its_field() {
    let found = found(&with(EVENT, "currency: EUR", "currency: ERO"));
    assert_eq!(
        found,
        [
            "9: spec.priceCategories[0].currency: \"ERO\" is no currency that ISO 4217 has in use: write its code of three \
          capital letters, such as EUR"
        ]
    );
}

#[test]
fn a_seat_that_is_blocked_twice_is_found_with_both_places() {
    let event = format!(
        "{EVENT}  blocked:\n  - {{seats: [CLUB-1, CLUB-2], reason: camera}}\n  - {{seats: [CLUB-2], reason: broken}}\n"
    );
    assert_eq!(
        found(&event),
        [
            "17: spec.blocked[1].seats[0]: CLUB-2 is blocked in spec.blocked[0].seats[1] already: block it once"
        ]
    );
}

#[test]
fn a_show_in_the_past_is_sound_and_warned_of() {
    let past = with(EVENT, "2099-03-01T20:00:00Z", "2020-03-01T20:00:00Z");
    let door = with(&past, "spec:\n", "spec:\n  sales: {closesAt: 2099-03-01T22:00:00Z}\n");
    let now = 1_800_000_000_000;
    let warned = |content: &str| lines(&super::warnings(&loaded(&[("", content)]), now));
    assert_eq!(found(&past), [""; 0]);
    assert_eq!(warned(&past), ["7: spec.startsAt: the show is in the past: nobody can hold a seat of it"]);
    assert_eq!(warned(&door), [""; 0], "seats are sold at the door");
    assert_eq!(warned(EVENT), [""; 0]);
}

#[test]
fn a_price_with_a_fraction_is_sound_and_warned_of() {
    let warned = |content: &str| lines(&super::warnings(&loaded(&[("", content)]), 0));
    let price = with(EVENT, "amount: 2500", "amount: 120.00");
    assert_eq!(found(&price), [""; 0]);
    assert_eq!(
        warned(&price),
        [
            "9: spec.priceCategories[0].amount: 120.00 is 120 of the currency's minor unit, such as cents: write 120 if that is \
             meant, and the whole price in that unit if not"
        ]
    );
    assert_eq!(warned(EVENT), [""; 0]);
}

#[test]
fn what_only_the_operator_refuses_of_a_service_is_found_at_its_field() {
    let jwt = "auth: {mode: jwt, jwt: {issuer: i, audience: a, jwksUrl: keys}}";
    let found = found(&with(SERVICE, "auth: {allowFrom: [{namespaceSelector: {}}]}", jwt));
    assert_eq!(found, ["5: spec.auth.jwt.jwksUrl: write http://host/path or https://host/path"]);
}

#[test]
fn all_that_only_the_operator_refuses_of_a_service_is_found_at_once() {
    let service = with(SERVICE, "redis://redis:6379", "redis:6379");
    let service = with(&service, "\"kafka:9092\"", "\"kafka:9092 kafka:9093\"");
    let service = with(&service, "  redis: {", "  podTemplate: {labels: {team: a b}}\n  redis: {");
    let consumer = "  - {name: late, handler: persistence, database: {url: \"postgres://view\"}}\n";
    let found = found(&format!("{service}{consumer}"));
    let places: Vec<_> =
        found.iter().map(|one| one.splitn(3, ": ").take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(
        places,
        [
            "6 spec.podTemplate.labels",
            "7 spec.redis.url",
            "8 spec.kafka.bootstrapServers",
            "13 spec.consumers[1].database",
        ],
        "{found:?}"
    );
}

#[test]
fn services_that_would_share_a_topic_are_found_in_a_cluster() {
    let both = format!("{SERVICE}---\n{}", with(SERVICE, "name: main", "name: second"));
    assert_eq!(
        found(&both),
        [
            "19: spec.kafka.prefix: topic seat-events belongs to ReservationService default/main: choose another \
             kafka.prefix, or another cluster in kafka.bootstrapServers"
        ]
    );
    assert_eq!(found_in(Environment::Local, &both), [""; 0], "one process runs one of them");
}

#[test]
fn services_that_would_make_one_name_are_found_in_a_cluster() {
    let consumer = "  - {name: b-command, handler: persistence, database: {url: \"postgres://late\"}}\n";
    let other = with(&with(SERVICE, "name: main", "name: main-b"), "kafka: {", "kafka: {prefix: b., ");
    let both = format!("{SERVICE}{consumer}---\n{other}");
    let found = found(&both);
    assert!(
        found.len() == 1 && found[0].contains("metadata.name: Deployment main-b-command is the worker"),
        "{found:?}"
    );
    assert_eq!(found_in(Environment::Local, &both), [""; 0], "one process runs one of them");
}

#[test]
fn a_label_that_is_none_is_found_at_its_field() {
    let template = with(SERVICE, "  redis: {", "  podTemplate: {labels: {team: a b}}\n  redis: {");
    let found = found(&template);
    assert!(
        found.len() == 1 && found[0].contains("spec.podTemplate.labels: the value \"a b\" of team is none"),
        "{found:?}"
    );
}

#[test]
fn findings_stand_in_the_order_of_files_and_lines() {
    let wrong = with(EVENT, "title: Club Night", "title: ''");
    let overlap = with(&with(EVENT, "club-night", "arena-night"), "seats: \"1-10\"", "seats: \"1,1\"");
    let loaded = loaded(&[("b.yaml", &wrong), ("a.yaml", &format!("{overlap}---\n{SERVICE}"))]);
    let places: Vec<_> =
        super::lint(&loaded, Environment::Cluster).into_iter().map(|one| (one.file, one.line)).collect();
    assert_eq!(places, [("a.yaml".to_owned(), 14), ("b.yaml".to_owned(), 6)]);
}
