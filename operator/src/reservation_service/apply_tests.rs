//! Which workers may be applied, and what the steps say together.

use super::*;
use crate::admin::Problem;
use crate::conditions::with_summary;
use crate::reservation_service::build::build;
use crate::reservation_service::fixtures::main_service;
use crate::reservation_service::validate::validate;
use serde_json::json;
use std::sync::Arc;

fn status(groups: &[&str], topic: bool) -> ReservationServiceStatus {
    let groups: Vec<_> = groups.iter().map(|name| json!({"name": name})).collect();
    let topic = topic.then(|| json!({"name": "staging.seat-events", "partitions": 6}));
    serde_json::from_value(json!({"consumerGroups": groups, "topic": topic})).unwrap()
}

#[test]
fn a_worker_whose_topics_and_groups_were_seen_waits_for_kafka_no_more() {
    let group = ["staging.stats-service".to_owned()];
    let seen = |status: Option<&ReservationServiceStatus>| has_been_seen(status, &group);
    assert!(!seen(None) && !has_been_seen(None, &[]), "nothing was seen yet");
    assert!(!seen(Some(&status(&["staging.stats-service"], false))), "no topic was");
    assert!(!seen(Some(&status(&["staging.seat-view"], true))), "its group is new");
    assert!(has_been_seen(Some(&status(&[], true)), &[]), "it reads in no group");
    assert!(seen(Some(&status(&["staging.seat-view", "staging.stats-service"], true))));
}

#[test]
fn each_worker_needs_the_groups_that_it_reads_in() {
    let mut service = main_service();
    let sandbox =
        "{name: pay, handler: payment, database: {url: \"postgres://d\"}, payment: {sandbox: true}}";
    service.spec.consumers.push(serde_yaml_ng::from_str(sandbox).unwrap());
    let none: &[Arc<ReservationService>] = &[];
    let needs = build(&validate(&service, none, "boxoffice/workers:0.1.0").unwrap()).unwrap().needs;
    assert_eq!(needs["main-command"], ["staging.command-payments"]);
    assert_eq!(needs["main-query"], [""; 0]);
    assert_eq!(needs["main-pay"], ["staging.pay"]);
}

fn workload(component: &str) -> DynamicObject {
    let metadata = json!({"name": format!("main-{component}"), "labels": {names::COMPONENT: component}});
    serde_json::from_value(json!({"metadata": metadata, "spec": {"template": {}}})).unwrap()
}

#[test]
fn those_that_read_the_token_say_which_ones_they_take_and_go_on_saying_so_where_it_is_of_no_use() {
    let marked = |component, mark, live: &BTreeMap<_, _>| {
        let mut workload = workload(component);
        mark_token(&mut workload, mark, live);
        workload.data["spec"]["template"]["metadata"]["annotations"][tokens::MARK].as_str().map(str::to_owned)
    };
    let none = BTreeMap::new();
    assert_eq!(marked("command", Some("a"), &none).as_deref(), Some("a"));
    assert_eq!(marked("seat-view", Some("a"), &none), None);
    let mut before = workload("query");
    mark_token(&mut before, Some("b"), &none);
    before.data["spec"]["selector"] = json!({});
    let live = [("main-query".to_owned(), before.try_parse().unwrap())].into();
    assert_eq!(marked("query", None, &live).as_deref(), Some("b"));
}

#[test]
fn a_refused_token_is_not_ready_and_says_what_to_do() {
    let applied = Applied { secrets: Some(token_refused(&main_service())), ..Applied::default() };
    let all = with_summary(applied.findings(), None);
    assert_eq!((all[0].met, all[0].reason.as_str()), (false, "TokenRefused"));
    assert!(all[0].message.contains("kubectl -n tickets rollout restart deployment main-command main-query"));
}

#[test]
fn what_the_pods_answer_tells_whether_the_token_is_refused() {
    let refused = Err(AdminError::Refused { status: 401, problem: Problem::default() });
    let busy = Err(AdminError::Refused { status: 503, problem: Problem::default() });
    assert!(is_refused(Some(&refused), &[]));
    assert!(is_refused(None, &[PodAnswer::Silent, PodAnswer::TokenRefused]), "one pod is enough");
    assert!(!is_refused(Some(&busy), &[PodAnswer::Silent]));
    assert!(!is_refused(Some(&Ok(Outbox::default())), &[PodAnswer::Stores(Stores::default())]));
}

#[test]
fn a_request_that_is_not_taken_is_for_a_person() {
    let status =
        kube::core::Status { code: 403, message: "secrets is forbidden".into(), ..Default::default() };
    let source = Box::new(kube::Error::Api(Box::new(status)));
    let stall = refused(&ApiError::Refused { action: "create the admin token", source }).unwrap();
    assert_eq!(stall.reason, "ObjectRefused");
    assert!(
        stall.message.contains("create the admin token") && stall.message.contains("secrets is forbidden")
    );
    assert_eq!(refused(&ApiError::Silent("apply an object")), None);
}
