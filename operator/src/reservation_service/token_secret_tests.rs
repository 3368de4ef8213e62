//! The Secret as it is written, and what runs as it is read.

use super::*;
use crate::reservation_service::fixtures::main_service;

const OWNER: &str = "tickets/main";

fn tokens(token: &str, previous: Option<&str>) -> Tokens {
    Tokens { token: token.to_owned(), previous: previous.map(str::to_owned) }
}

fn deployment(component: &str, mark: &str, ready: i32) -> (String, Deployment) {
    let deployment = json!({
        "metadata": {"generation": 2},
        "spec": {"replicas": 1, "selector": {}, "template": {"metadata": {"annotations": {MARK: mark}}}},
        "status": {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready},
    });
    (names::worker("main", component), serde_json::from_value(deployment).unwrap())
}

fn pod(component: &str, mark: &str, leaving: bool) -> Pod {
    let labels = names::selector("main", component);
    let time = leaving.then_some("2026-11-23T10:00:00Z");
    let metadata =
        json!({"name": "p", "labels": labels, "annotations": {MARK: mark}, "deletionTimestamp": time});
    serde_json::from_value(json!({"metadata": metadata})).unwrap()
}

#[test]
fn an_exchange_is_over_when_every_reader_is_replaced_and_gone() {
    let known = tokens("new", Some("old"));
    let (mark, before) = (known.mark(OWNER), tokens("old", None).mark(OWNER));
    let all_take = |query: &str, ready, pods: &[Pod]| {
        let deployments =
            [deployment(names::COMMAND, &mark, ready), deployment(names::QUERY, query, 1)].into();
        Live { service: "main", deployments: &deployments, pods }.all_take(OWNER, &known)
    };
    let rolled = [pod(names::COMMAND, &mark, false), pod(names::QUERY, &mark, false)];
    assert!(all_take(&mark, 1, &rolled));
    assert!(!all_take(&before, 1, &rolled), "the query worker was not applied yet");
    assert!(!all_take(&mark, 0, &rolled), "the command worker is rolling");
    let leaving = [rolled.to_vec(), vec![pod(names::COMMAND, &before, true)]].concat();
    assert!(!all_take(&mark, 1, &leaving), "one that is leaving still answers");
    let consumer = [rolled.to_vec(), vec![pod("seat-view", "", false)]].concat();
    assert!(all_take(&mark, 1, &consumer), "consumers read no token");
}

#[test]
fn what_is_told_to_pods_that_start_is_what_counts_too() {
    let known = tokens("new", Some("old"));
    let deployments = [deployment(names::COMMAND, &tokens("old", None).mark(OWNER), 1)].into();
    let live = Live { service: "main", deployments: &deployments, pods: &[] };
    assert_eq!(known.shown(OWNER, &live.marks(&[names::COMMAND])), Some("old"));
}

#[test]
fn it_is_the_services_own_also_from_a_backup() {
    let service = main_service();
    let made = build(&service, &tokens("t", None));
    assert!(is_ours(&service, &made.metadata));
    let mut restored = made;
    restored.metadata.owner_references = None;
    assert!(is_ours(&service, &restored.metadata));
    assert!(!is_ours(&service, &Secret::default().metadata));
}

#[test]
fn what_is_written_says_all_keys_and_only_over_what_was_read() {
    let mut found = build(&main_service(), &tokens("old", None));
    found.metadata.resource_version = Some("7".into());
    let begun = patch(&found, &tokens("new", Some("old")));
    assert_eq!(begun["stringData"], json!({"token": "new", "previous": "old"}));
    assert_eq!(begun["metadata"]["resourceVersion"], "7");
    let over = patch(&found, &tokens("new", None));
    assert_eq!((&over["stringData"], &over["data"]), (&json!({"token": "new"}), &json!({"previous": null})));
}

#[test]
fn while_nobody_looks_after_it_the_one_that_all_know_is_shown() {
    let content = |keys: &[(&str, &str)]| -> Content {
        let keys = keys.iter();
        keys.map(|(key, value)| ((*key).to_owned(), k8s_openapi::ByteString((*value).into()))).collect()
    };
    assert_eq!(of_content(&content(&[(TOKEN, "new"), (PREVIOUS, "old")])).as_deref(), Some("old"));
    assert_eq!(of_content(&content(&[(TOKEN, "new"), (PREVIOUS, "")])).as_deref(), Some("new"));
    assert_eq!(of_content(&content(&[])), None);
}

#[test]
fn what_is_done_is_told_but_for_the_first_token() {
    let told = |action, was_there| deed(action, was_there).map(|notice| notice.reason);
    assert_eq!(told(SecretAction::Make { anew: true }, false), None);
    assert_eq!(told(SecretAction::Make { anew: false }, false).as_deref(), Some("AdminTokenRestored"));
    assert_eq!(told(SecretAction::Make { anew: true }, true).as_deref(), Some("AdminTokenMade"));
    assert_eq!(told(SecretAction::Exchange, true).as_deref(), Some("AdminTokenExchange"));
    assert_eq!(told(SecretAction::Keep, true), None);
}
