//! Drift by hand and by webhooks, on objects as the API server has them.

use super::*;
use serde_json::json;

fn pointers(paths: &[Path]) -> Vec<String> {
    paths.iter().map(|path| format!("/{}", path.join("/"))).collect()
}

fn object(content: Value) -> DynamicObject {
    serde_json::from_value(content).unwrap()
}

fn deployment(pod: &Value) -> DynamicObject {
    object(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "main-command"},
        "spec": {"template": {"spec": pod}},
    }))
}

/// What is wanted, as it comes back: with defaults.
fn pod() -> Value {
    json!({"containers": [{
        "name": "worker", "image": "a:1", "terminationMessagePath": "/dev/termination-log",
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
        "envFrom": [{"configMapRef": {"name": "main-command-0"}}],
        "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
    }]})
}

#[test]
fn defaults_of_the_server_are_no_drift() {
    let live = json!({"spec": {"replicas": 2, "revisionHistoryLimit": 10, "ports": [{"port": 1, "protocol": "TCP"}]}});
    assert!(covers(&live, &json!({"spec": {"replicas": 2, "ports": [{"port": 1}]}})));
    assert!(covers(&live, &json!({"spec": {"tolerations": [], "affinity": {}, "value": ""}})));
    assert!(!covers(&live, &json!({"spec": {"automountServiceAccountToken": false}})), "left out it is true");
}

#[test]
fn a_change_a_loss_and_a_longer_list_are() {
    let live = json!({"replicas": 3, "args": [1, 2], "labels": {"a": "b"}});
    assert_eq!(pointers(&differences(&live, &json!({"replicas": 2}))), ["/replicas"]);
    assert_eq!(pointers(&differences(&live, &json!({"labels": {"c": "d"}}))), ["/labels/c"]);
    assert_eq!(pointers(&differences(&live, &json!({"args": [1]}))), ["/args"]);
}

#[test]
fn quantities_are_compared_by_value_and_texts_are_not() {
    let requests = |cpu: &str| json!({"requests": {"cpu": cpu, "memory": "1Gi"}});
    assert!(covers(&requests("1"), &json!({"requests": {"cpu": "1000m", "memory": "1024Mi"}})));
    assert!(!covers(&requests("1"), &requests("1001m")));
    assert!(!covers(&json!({"image": "a:1"}), &json!({"image": "a:2"})));
    let env = |value: &str| json!({"env": [{"name": "A", "value": value}]});
    assert_eq!(pointers(&differences(&env("1000m"), &env("1"))), ["/env/0/value"]);
}

#[test]
fn elements_with_a_name_are_found_in_any_order_and_missed_by_it() {
    let wanted = pod();
    let mut live = pod();
    live["containers"][0]["env"].as_array_mut().unwrap().reverse();
    assert!(covers(&live, &wanted));
    live["containers"][0]["env"].as_array_mut().unwrap().pop();
    assert_eq!(pointers(&differences(&live, &wanted)), ["/containers/0/env/A"]);
    live = pod();
    live["containers"][0]["ports"][0]["name"] = json!("web");
    assert_eq!(pointers(&differences(&live, &wanted)), ["/containers/0/ports/0/name"]);
}

#[test]
fn what_somebody_added_to_a_template_is_found_last_first() {
    let mut live = pod();
    live["containers"].as_array_mut().unwrap().insert(0, json!({"name": "proxy"}));
    live["initContainers"] = json!([{"name": "init"}]);
    live["volumes"] = json!([{"name": "tmp", "emptyDir": {}}]);
    let own = &mut live["containers"][1];
    own["env"].as_array_mut().unwrap().push(json!({"name": "LD_PRELOAD", "value": "x"}));
    own["env"].as_array_mut().unwrap().push(json!({"name": "A", "value": "3"}));
    own["envFrom"].as_array_mut().unwrap().push(json!({"secretRef": {"name": "more"}}));
    own["ports"].as_array_mut().unwrap().push(json!({"containerPort": 9999, "protocol": "TCP"}));
    own["volumeMounts"] = json!([{"name": "tmp", "mountPath": "/tmp"}]);
    let (live, wanted) = (deployment(&live), deployment(&pod()));
    assert_eq!(differences(&live.data, &wanted.data), Vec::<Path>::new());
    let pod = "/spec/template/spec";
    assert_eq!(
        pointers(&additions(&live, &wanted)),
        [
            "/containers/1/volumeMounts/0",
            "/containers/1/ports/1",
            "/containers/1/envFrom/1",
            "/containers/1/env/3",
            "/containers/1/env/2",
            "/volumes/0",
            "/initContainers/0",
            "/containers/0",
        ]
        .map(|path| format!("{pod}{path}"))
    );
}

#[test]
fn labels_and_annotations_are_everybodys() {
    let mut live = deployment(&pod());
    live.data["spec"]["template"]["metadata"] = json!({"annotations": {"kubectl.kubernetes.io/restartedAt": "2026-11-23T10:00:00Z"}, "labels": {"team": "b"}});
    let wanted = deployment(&pod());
    assert!(additions(&live, &wanted).is_empty() && covers(&live.data, &wanted.data));
}

#[test]
fn ports_of_a_service_and_what_it_selects_are_its_own() {
    let service = |ports: Value, selector: Value| {
        object(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "main-command"},
            "spec": {"ports": ports, "selector": selector, "clusterIP": "10.0.0.1", "ipFamilyPolicy": "SingleStack"},
        }))
    };
    let wanted = service(json!([{"port": 8080}]), json!({"a": "b"}));
    let live = service(
        json!([{"port": 22, "protocol": "TCP"}, {"port": 8080, "protocol": "TCP"}]),
        json!({"a": "b", "c": "d"}),
    );
    assert_eq!(pointers(&additions(&live, &wanted)), ["/spec/ports/0"]);
    assert_eq!(pointers(&differences(&live.data, &wanted.data)), ["/spec/selector"]);
}

#[test]
fn a_policy_says_what_is_wanted_and_nothing_else() {
    let policy = |spec: Value| {
        object(
            json!({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "metadata": {}, "spec": spec}),
        )
    };
    let rule = json!({"ports": [{"port": 9090, "protocol": "TCP"}]});
    let everywhere = json!({"from": [{"namespaceSelector": {}, "podSelector": {"matchLabels": {"a": "b"}}}]});
    let wanted = policy(json!({"podSelector": {"matchLabels": {"x": "y"}}, "ingress": [rule, everywhere]}));
    let drift = |spec: Value| {
        let live = policy(spec);
        [pointers(&differences(&live.data, &wanted.data)), pointers(&additions(&live, &wanted))].concat()
    };
    let selector = json!({"matchLabels": {"x": "y"}});
    assert!(
        drift(json!({"podSelector": selector, "ingress": [rule, everywhere], "policyTypes": ["Ingress"]}))
            .is_empty()
    );
    let open = json!({"podSelector": selector, "ingress": [rule, everywhere, {}]});
    assert_eq!(drift(open), ["/spec/ingress"]);
    let narrowed = json!({"ports": [{"port": 9090, "protocol": "TCP"}], "from": [{"podSelector": {}}]});
    assert_eq!(drift(json!({"podSelector": selector, "ingress": [narrowed, everywhere]})), ["/spec/ingress"]);
    let own_namespace = json!({"from": [{"podSelector": {"matchLabels": {"a": "b"}}}]});
    assert_eq!(drift(json!({"podSelector": selector, "ingress": [rule, own_namespace]})), ["/spec/ingress"]);
    let egress = json!({"podSelector": selector, "ingress": [rule, everywhere], "egress": [{}]});
    assert_eq!(drift(egress), ["/spec/egress"]);
    let elsewhere =
        json!({"podSelector": {"matchLabels": {"x": "y", "z": "z"}}, "ingress": [rule, everywhere]});
    assert_eq!(drift(elsewhere), ["/spec/podSelector"]);
}

#[test]
fn an_owner_that_claims_control_is_an_addition_and_one_that_does_not_is_none() {
    let of = |owners: Value| {
        object(json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"ownerReferences": owners}}))
    };
    let owner = |uid: &str, controller: bool| json!({"apiVersion": "v1", "kind": "X", "name": "x", "uid": uid, "controller": controller});
    let wanted = of(json!([owner("s1", true)]));
    let live = of(json!([owner("d1", false), owner("s1", false), owner("d2", true)]));
    assert_eq!(pointers(&additions(&live, &wanted)), ["/metadata/ownerReferences/2"]);
}
