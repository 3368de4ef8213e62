//! Drift by hand and by webhooks, on objects as the API server has them.

use super::*;
use serde_json::json;

fn pointers(paths: &[Path]) -> Vec<String> {
    paths.iter().map(|path| format!("/{}", path.join("/"))).collect()
}

/// Where something has no place.
fn added(live: &DynamicObject, wanted: &DynamicObject) -> Vec<String> {
    let places: Vec<_> = additions(live, wanted).into_iter().map(|addition| addition.at).collect();
    pointers(&places)
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
        added(&live, &wanted),
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
fn defaults_of_pods_are_no_additions() {
    let mut live = pod();
    let defaults = json!({
        "dnsPolicy": "ClusterFirst", "restartPolicy": "Always", "schedulerName": "default-scheduler",
        "tolerations": [], "affinity": {}, "serviceAccount": "main",
    });
    live.as_object_mut().unwrap().extend(defaults.as_object().unwrap().clone());
    live["containers"][0]["resources"] = json!({});
    live["containers"][0]["terminationMessagePolicy"] = json!("File");
    let probe = json!({"httpGet": {"path": "/readyz", "port": "metrics"}, "periodSeconds": 2});
    let mut wanted = pod();
    wanted["containers"][0]["readinessProbe"] = probe.clone();
    live["containers"][0]["readinessProbe"] = probe;
    live["containers"][0]["readinessProbe"]["successThreshold"] = json!(1);
    live["containers"][0]["readinessProbe"]["httpGet"]["scheme"] = json!("HTTP");
    let (mut live, wanted) = (deployment(&live), deployment(&wanted));
    live.data["spec"]["progressDeadlineSeconds"] = json!(600);
    assert_eq!(added(&live, &wanted), Vec::<String>::new());
}

#[test]
fn what_changes_how_pods_run_is_an_addition_where_nobody_wants_it() {
    let mut live = pod();
    let fields = json!({
        "hostNetwork": true, "dnsPolicy": "Default", "nodeSelector": {"disk": "ssd"},
        "tolerations": [{"operator": "Exists"}], "imagePullSecrets": [{"name": "theirs"}],
    });
    live.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let own = live["containers"][0].as_object_mut().unwrap();
    let fields = json!({"args": ["x"], "workingDir": "/", "resources": {"limits": {"cpu": "1"}}});
    own.extend(fields.as_object().unwrap().clone());
    let (mut live, wanted) = (deployment(&live), deployment(&pod()));
    live.data["spec"]["paused"] = json!(true);
    assert_eq!(differences(&live.data, &wanted.data), Vec::<Path>::new());
    let found = added(&live, &wanted);
    let pod = ["dnsPolicy", "hostNetwork", "imagePullSecrets", "nodeSelector", "tolerations"];
    let pod = pod.map(|field| format!("/spec/template/spec/{field}"));
    let own =
        ["args", "resources", "workingDir"].map(|field| format!("/spec/template/spec/containers/0/{field}"));
    for place in pod.iter().chain(&own).chain(["/spec/paused".to_owned()].iter()) {
        assert!(found.contains(place), "{place}: {found:?}");
    }
    assert_eq!(found.len(), pod.len() + own.len() + 1, "{found:?}");
}

#[test]
fn what_is_wanted_in_part_is_replaced_by_what_is_wanted() {
    let container = |fields: Value| {
        let mut pod = pod();
        pod["containers"][0].as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        deployment(&pod)
    };
    let check = json!({"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 10});
    let rights = json!({"capabilities": {"drop": ["ALL"]}});
    let resources = json!({"requests": {"cpu": "500m"}});
    let wanted = container(json!({
        "livenessProbe": check, "securityContext": rights, "resources": resources,
    }));
    let replaced = |live: Value| {
        additions(&container(live), &wanted)
            .into_iter()
            .map(|Addition { at, instead }| (at.last().cloned().unwrap(), instead))
            .collect::<Vec<_>>()
    };
    let live = |field: &str, value: Value| {
        let mut live = json!({"livenessProbe": check, "securityContext": rights, "resources": resources});
        live[field] = value;
        live
    };
    let another = json!({"exec": {"command": ["true"]}, "periodSeconds": 10});
    assert_eq!(replaced(live("livenessProbe", another)), [("livenessProbe".to_owned(), Some(check.clone()))]);
    let more = json!({"capabilities": {"drop": ["ALL"], "add": ["NET_ADMIN"]}});
    assert_eq!(
        replaced(live("securityContext", more)),
        [("securityContext".to_owned(), Some(rights.clone()))]
    );
    let more = json!({"requests": {"cpu": "0.5"}, "limits": {"cpu": "1"}});
    assert_eq!(replaced(live("resources", more)), [("resources".to_owned(), Some(resources.clone()))]);
    let slower = json!({"httpGet": {"path": "/healthz", "port": "metrics"}, "periodSeconds": 30});
    assert!(replaced(live("livenessProbe", slower)).is_empty(), "what differs is applied");
    let mut live = wanted.clone();
    let own = &mut live.data["spec"]["template"]["spec"]["containers"][0];
    own["env"][1] = json!({"name": "B", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}});
    own["ports"][0]["hostPort"] = json!(8080);
    let own = "/spec/template/spec/containers/0";
    assert_eq!(added(&live, &wanted), [format!("{own}/ports/0"), format!("{own}/env/1")]);
}

#[test]
fn a_list_without_keys_says_what_is_wanted_and_nothing_else() {
    let spread = |keys: &[&str]| {
        let mut pod = pod();
        let rule =
            |key: &&str| json!({"maxSkew": 1, "topologyKey": key, "whenUnsatisfiable": "ScheduleAnyway"});
        pod["topologySpreadConstraints"] = keys.iter().map(rule).collect();
        deployment(&pod)
    };
    let place = "/spec/template/spec/topologySpreadConstraints";
    let wanted = spread(&["host"]);
    assert_eq!(added(&spread(&["host"]), &wanted), Vec::<String>::new());
    for live in [&["host", "zone"][..], &["zone"]] {
        assert_eq!(added(&spread(live), &wanted), [place]);
    }
}

#[test]
fn a_budget_says_one_of_two() {
    let budget = |spec: Value| {
        object(
            json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {}, "spec": spec}),
        )
    };
    let wanted = budget(json!({"maxUnavailable": 1}));
    assert_eq!(added(&budget(json!({"minAvailable": 1})), &wanted), ["/spec/minAvailable"]);
    assert_eq!(added(&wanted, &wanted), Vec::<String>::new());
}

#[test]
fn settings_have_what_is_wanted_and_no_key_besides() {
    let wanted = json!({"data": {"A": "1"}, "immutable": true});
    assert!(covers(&wanted, &wanted));
    let more = json!({"data": {"A": "1", "LD_PRELOAD": "/tmp/x.so"}, "immutable": true});
    assert_eq!(pointers(&differences(&more, &wanted)), ["/data"]);
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
    assert_eq!(added(&live, &wanted), ["/spec/ports/0"]);
    assert_eq!(pointers(&differences(&live.data, &wanted.data)), ["/spec/selector"]);
    let mut open = wanted.clone();
    open.data["spec"]["type"] = json!("NodePort");
    open.data["spec"]["externalTrafficPolicy"] = json!("Cluster");
    open.data["spec"]["externalIPs"] = json!(["192.0.2.1"]);
    open.data["spec"]["ports"][0]["nodePort"] = json!(30080);
    assert_eq!(added(&open, &wanted), ["/spec/type", "/spec/externalIPs", "/spec/ports/0"]);
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
        [pointers(&differences(&live.data, &wanted.data)), added(&live, &wanted)].concat()
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
    assert_eq!(added(&live, &wanted), ["/metadata/ownerReferences/2"]);
}
