//! Who reaches whom, by the network policies that the API server took: asked of an evaluator, as no network here enforces them.

use std::process::Stdio;

use boxoffice_crds::ReservationService;
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::resources::consumer;
use boxoffice_tests::servers::program;
use k8s_openapi::api::networking::v1::NetworkPolicy;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

use crate::support::{Stage, rendered, service};

const BUYERS: u16 = 8080;
const READERS: u16 = 8081;
const ADMIN: u16 = 8082;
const METRICS: u16 = 9090;
/// What the chart's release and its namespace are called.
const SYSTEM: &str = names::OPERATOR_NAMESPACE;

/// A pod, or whoever has an address outside of the cluster.
fn pod(namespace: &str, labels: &Value) -> Value {
    let of_namespace = json!({"kubernetes.io/metadata.name": namespace});
    json!({"ip": "10.0.0.7", "namespace": namespace, "namespaceLabels": of_namespace, "labels": labels})
}

fn outside(ip: &str) -> Value {
    json!({"ip": ip})
}

/// A question, and what is to be answered.
struct Asked {
    what: &'static str,
    question: Value,
    is_allowed: bool,
}

fn asked(what: &'static str, from: &Value, to: &Value, port: u16, is_allowed: bool) -> Asked {
    Asked { what, question: json!({"from": from, "to": to, "port": port, "protocol": "TCP"}), is_allowed }
}

/// Puts the questions to the evaluator.
async fn answered(policies: &[Value], questions: &[Asked]) {
    let input: Vec<_> = questions.iter().map(|asked| &asked.question).collect();
    let input = json!({"policies": policies, "questions": input}).to_string();
    let mut evaluator = tokio::process::Command::new(program("policies").unwrap());
    evaluator.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut evaluator = evaluator.spawn().unwrap();
    evaluator.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    let output = evaluator.wait_with_output().await.unwrap();
    assert!(output.status.success(), "the evaluator ended by {}", output.status);
    let answers: Vec<bool> = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(answers.len(), questions.len());
    let wrong = questions.iter().zip(answers).filter(|(asked, answer)| asked.is_allowed != *answer);
    let wrong: Vec<_> = wrong.map(|(asked, answer)| format!("{}: {answer}", asked.what)).collect();
    assert!(wrong.is_empty(), "{wrong:#?} by {policies:#?}");
}

#[tokio::test]
async fn buyers_come_by_the_gateway_and_nobody_but_the_operator_administers() {
    let stage = Stage::open("policies").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let mut resource = service(namespace, "main");
    resource["spec"]["auth"]["allowFrom"] = json!([
        {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gateway"}},
            "podSelector": {"matchLabels": {"app": "gateway"}}
        },
        {"ipBlock": {"cidr": "203.0.113.0/24", "except": ["203.0.113.7/32"]}},
        {"ipBlock": {"cidr": "2001:db8::/64"}}
    ]);
    let mut outgoing = consumer("pay", "payment", "postgres://postgres@db:5432/pay");
    outgoing["payment"] = json!({"sandbox": true});
    resource["spec"]["consumers"].as_array_mut().unwrap().push(outgoing);
    plane.apply::<ReservationService>(namespace, &resource).await.unwrap();
    plane.ready::<ReservationService>(namespace, "main").await;
    let mut policies: Vec<_> =
        plane.list::<NetworkPolicy>(namespace, "").await.iter().map(|policy| json!(policy)).collect();
    assert_eq!(policies.len(), 4, "one a worker");
    let chart = rendered(SYSTEM, &[], &[]).await;
    policies.extend(chart.into_iter().filter(|object| object["kind"] == "NetworkPolicy"));

    let worker = |component: &str| pod(namespace, &json!(names::selector("main", component)));
    let [command, query, view, pay] = ["command", "query", "seat-view", "pay"].map(worker);
    let gateway = pod("gateway", &json!({"app": "gateway"}));
    let impostor = pod("elsewhere", &json!({"app": "gateway"}));
    let stranger = pod(namespace, &json!({"app": "stranger"}));
    let prometheus = pod("monitoring", &json!({"app": "prometheus"}));
    let labels = json!({"app.kubernetes.io/name": names::MANAGED_BY, "app.kubernetes.io/instance": SYSTEM});
    let [operator, dressed_up, of_chart] =
        [stage.operator.namespace.as_str(), "elsewhere", SYSTEM].map(|namespace| pod(namespace, &labels));
    let beside = pod(&stage.operator.namespace, &json!({"app": "stranger"}));

    let mut questions = vec![
        asked("the gateway buys", &gateway, &command, BUYERS, true),
        asked("the gateway reads", &gateway, &query, READERS, true),
        asked("a gateway of another namespace buys", &impostor, &command, BUYERS, false),
        asked("a stranger buys", &stranger, &command, BUYERS, false),
        asked("a stranger reads", &stranger, &query, READERS, false),
        asked("a block of addresses buys", &outside("203.0.113.9"), &command, BUYERS, true),
        asked("an exception of it buys", &outside("203.0.113.7"), &command, BUYERS, false),
        asked("a block of IPv6 addresses reads", &outside("2001:db8::9"), &query, READERS, true),
        asked("another address reads", &outside("2001:db8:1::9"), &query, READERS, false),
        asked("the gateway speaks to a consumer", &gateway, &view, BUYERS, false),
        asked("a payment goes out", &pay, &outside("198.51.100.9"), 443, true),
        asked("a payment goes out by IPv6", &pay, &outside("2001:db8:2::9"), 443, true),
        asked("a payment reads a cloud's credentials", &pay, &outside("169.254.169.254"), 80, false),
        asked("others go where they like", &command, &outside("169.254.169.254"), 80, true),
        asked("Prometheus reads the operator's metrics", &prometheus, &of_chart, METRICS, true),
        asked("somebody speaks to the operator", &stranger, &of_chart, BUYERS, false),
    ];
    for worker in [&command, &query] {
        questions.extend([
            asked("the operator administers", &operator, worker, ADMIN, true),
            asked("the gateway administers", &gateway, worker, ADMIN, false),
            asked("a stranger administers", &stranger, worker, ADMIN, false),
            asked("whoever has the operator's labels administers", &dressed_up, worker, ADMIN, false),
            asked("whoever is in its namespace administers", &beside, worker, ADMIN, false),
            asked("the outside administers", &outside("203.0.113.9"), worker, ADMIN, false),
        ]);
    }
    for worker in [&command, &query, &view, &pay] {
        questions.push(asked("Prometheus reads metrics", &prometheus, worker, METRICS, true));
    }
    answered(&policies, &questions).await;
}
