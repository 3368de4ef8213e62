//! What is sent for which drift.

use super::*;

fn object(label: &str, owner: &str, replicas: u32) -> DynamicObject {
    let owner =
        json!([{"apiVersion": "v1", "kind": "Owner", "name": "main", "uid": owner, "controller": true}]);
    let metadata = json!({
        "name": "main", "resourceVersion": "7", "labels": {"a": label, "other": "x"}, "ownerReferences": owner,
    });
    let content = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": {"replicas": replicas}});
    serde_json::from_value(content).unwrap()
}

fn settings(content: &Value, immutable: bool) -> DynamicObject {
    let content = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "s"}, "immutable": immutable, "data": content,
    });
    serde_json::from_value(content).unwrap()
}

fn sent(live: &DynamicObject, wanted: &DynamicObject) -> Value {
    json!(Operations(operations(live, wanted)))
}

#[test]
fn drift_of_labels_owner_and_content_is_seen() {
    let mut wanted = object("b", "s1", 2);
    wanted.labels_mut().remove("other");
    assert!(has(&object("b", "s1", 2), &wanted));
    assert_eq!(drift_of(&object("c", "s1", 2), &wanted), ["/metadata/labels/a"]);
    assert_eq!(drift_of(&object("b", "s1", 3), &wanted), ["/spec/replicas"]);
    assert!(!has(&object("b", "s2", 2), &wanted));
}

#[test]
fn an_owner_beside_ours_that_controls_nothing_is_no_drift() {
    let mut live = object("b", "s1", 2);
    let mut other = live.owner_references()[0].clone();
    (other.uid, other.controller) = ("x".into(), None);
    live.owner_references_mut().insert(0, other);
    live.owner_references_mut()[1].block_owner_deletion = Some(true);
    assert!(has(&live, &object("b", "s1", 2)));
}

#[test]
fn a_field_that_is_wanted_no_more_is_seen() {
    let mut before = object("b", "s1", 2);
    before.data["spec"]["nodeSelector"] = json!({"disk": "ssd"});
    let live = marked(&before);
    assert!(has(&live, &marked(&before)));
    assert!(!has(&live, &marked(&object("b", "s1", 2))));
}

#[test]
fn what_was_added_is_taken_out_of_the_version_that_was_read() {
    let wanted = object("b", "s1", 2);
    let mut live = wanted.clone();
    assert_eq!(sent(&live, &wanted), json!([]));
    live.data["spec"]["template"] = json!({"spec": {"containers": [{"name": "proxy"}]}});
    assert_eq!(
        sent(&live, &wanted),
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "remove", "path": "/spec/template/spec/containers/0"},
        ])
    );
}

#[test]
fn what_is_wanted_in_part_is_put_in_the_place_of_all_of_it() {
    let with = |probe: Value| {
        let mut object = object("b", "s1", 2);
        let worker = json!({"name": "worker", "livenessProbe": probe});
        object.data["spec"]["template"] = json!({"spec": {"containers": [worker]}});
        object
    };
    let check = json!({"httpGet": {"path": "/healthz"}});
    let (live, wanted) = (with(json!({"exec": {"command": ["true"]}})), with(check.clone()));
    let place = "/spec/template/spec/containers/0/livenessProbe";
    assert_eq!(
        sent(&live, &wanted),
        json!([
            {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
            {"op": "replace", "path": place, "value": check},
        ])
    );
    assert_eq!(drift_of(&live, &wanted), [format!("{place}/httpGet"), place.to_owned()]);
    assert_eq!(drift_of(&wanted, &wanted), Vec::<String>::new());
}

#[test]
fn fields_that_were_created_become_applied_ones_before_the_first_apply() {
    let wanted = object("b", "s1", 2);
    let mut live = object("b", "s1", 3);
    let entry = |operation: &str| json!({"manager": FIELD_MANAGER, "operation": operation});
    let other = json!({"manager": "kubectl", "operation": "Update"});
    let status = json!({"manager": FIELD_MANAGER, "operation": "Update", "subresource": "status"});
    live.metadata.managed_fields = serde_json::from_value(json!([other, status, entry("Update")])).unwrap();
    let version = json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"});
    let turned = json!({"op": "replace", "path": "/metadata/managedFields/2/operation", "value": "Apply"});
    assert_eq!(sent(&live, &wanted), json!([version, turned]));
    live.metadata.managed_fields = serde_json::from_value(json!([entry("Update"), entry("Apply")])).unwrap();
    let removed = json!({"op": "remove", "path": "/metadata/managedFields/0"});
    assert_eq!(sent(&live, &wanted), json!([version, removed]));
    assert_eq!(sent(&object("b", "s1", 3), &wanted), json!([]));
}

#[test]
fn the_number_of_pods_that_somebody_else_decides_is_sent_as_it_is_and_no_drift() {
    let (live, wanted) = (object("b", "s1", 7), object("b", "s1", 2));
    assert!(!has(&live, &as_scaled(&live, &wanted, false)));
    let scaled = as_scaled(&live, &wanted, true);
    assert_eq!(scaled.data["spec"]["replicas"], 7);
    assert!(has(&live, &scaled));
}

#[test]
fn immutable_settings_with_another_content_are_made_anew() {
    let wanted = settings(&json!({"A": "1"}), true);
    assert!(!is_sealed(&wanted, &wanted));
    assert!(is_sealed(&settings(&json!({"A": "2"}), true), &wanted));
    assert!(is_sealed(&settings(&json!({"A": "1", "B": "2"}), true), &wanted), "pods would read it");
    assert!(!is_sealed(&settings(&json!({"A": "2"}), false), &wanted));
}

#[test]
fn settings_are_in_use_while_a_replica_set_names_them() {
    let set = json!({"spec": {"selector": {}, "template": {"spec": {"containers": [
        {"name": "worker", "envFrom": [{"configMapRef": {"name": "main-command-1"}}, {"secretRef": {"name": "s"}}]},
    ]}}}});
    assert_eq!(settings_of(&serde_json::from_value(set).unwrap()), ["main-command-1"]);
    assert!(settings_of(&ReplicaSet::default()).is_empty());
}
