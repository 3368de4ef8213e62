//! What Deployments and pods mean for the condition `WorkersReady`.

use super::*;
use serde_json::json;

fn deployment(ready: i32, observed: i64) -> Deployment {
    let status =
        json!({"observedGeneration": observed, "replicas": 2, "updatedReplicas": 2, "readyReplicas": ready});
    let spec = json!({"replicas": 2, "selector": {}, "template": {}});
    serde_json::from_value(json!({"metadata": {"generation": 2}, "spec": spec, "status": status})).unwrap()
}

fn workers(deployment: Deployment, trouble: Option<(&str, &str)>) -> Workers {
    let troubles =
        trouble.map(|(reason, message)| ("main-command".to_owned(), (reason.to_owned(), message.to_owned())));
    Workers {
        deployments: [("main-command".to_owned(), deployment)].into(),
        troubles: troubles.into_iter().collect(),
    }
}

fn finding(workers: &Workers) -> Finding {
    workers.finding(&["main-command".to_owned()])
}

#[test]
fn ready_when_every_pod_of_the_newest_template_is() {
    let complete = workers(deployment(2, 2), None);
    assert!(finding(&complete).met);
    assert_eq!(complete.counts("main-command"), Some(PodCounts { ready: 2, desired: 2 }));
}

#[test]
fn a_spec_that_the_controller_has_not_seen_is_rolling_out() {
    assert_eq!(finding(&workers(deployment(2, 1), None)).reason, progress::ROLLING_OUT);
}

#[test]
fn names_the_deployment_and_why_its_pods_are_not_ready() {
    let found = finding(&workers(deployment(0, 2), Some(("RedisUnreachable", "pod x: redis: refused"))));
    assert_eq!(found.reason, "RedisUnreachable");
    assert_eq!(found.message, "main-command: 0 of 2 pods are ready; pod x: redis: refused");
}

#[test]
fn waits_for_what_comes_before_the_first_deployment() {
    assert_eq!(finding(&Workers::default()).reason, progress::WAITING);
}

#[test]
fn the_reason_comes_from_the_first_part_that_is_past_starting() {
    assert_eq!(obstacle_reason("log: starting\nredis: connection refused"), "RedisUnreachable");
    assert_eq!(obstacle_reason("log: no broker"), "KafkaUnreachable");
    let stopped =
        "partition: seat-events/3 stands still: at offset 17 arena-night jumps to sequence 5 where 4 was due";
    assert_eq!(obstacle_reason(stopped), "PartitionStopped");
    assert_eq!(obstacle_reason("jwks: http://issuer/keys: cannot be reached"), "IssuerUnreachable");
    assert_eq!(obstacle_reason("recovery: seats are being read back from the log"), "Recovering");
    assert_eq!(obstacle_reason("view: loading"), "PodsNotReady");
    assert_eq!(obstacle_reason("redis: starting"), progress::ROLLING_OUT);
}

#[test]
fn a_pod_that_cannot_start_says_why() {
    let pod =
        |status| serde_json::from_value::<Pod>(json!({"metadata": {"name": "p"}, "status": status})).unwrap();
    let state = |reason| {
        json!([{"state": {"waiting": {"reason": reason, "message": "back-off"}}, "name": "worker",
                                 "image": "", "imageID": "", "ready": false, "restartCount": 3}])
    };
    let crashed = pod(json!({"containerStatuses": state("CrashLoopBackOff")}));
    assert_eq!(waiting(&crashed), Some(("CrashLoopBackOff".into(), "pod p: back-off".into())));
    assert_eq!(waiting(&pod(json!({"containerStatuses": state("ContainerCreating")}))), None);
    let condition =
        json!([{"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no node"}]);
    assert_eq!(waiting(&pod(json!({"conditions": condition}))).unwrap().0, "Unschedulable");
}

/// The Deployment with a condition of the controller's.
fn with_condition(ready: i32, kind: &str, status: &str, reason: &str, message: &str) -> Deployment {
    let mut deployment = deployment(ready, 2);
    let condition = json!([{"type": kind, "status": status, "reason": reason, "message": message}]);
    deployment.status.as_mut().unwrap().conditions = Some(serde_json::from_value(condition).unwrap());
    deployment
}

#[test]
fn pods_that_cannot_be_made_are_the_reason_before_all_others() {
    let message = "pods \"main-command-x\" is forbidden: exceeded quota: few";
    let failed = with_condition(1, "ReplicaFailure", "True", "FailedCreate", message);
    let found = finding(&workers(failed, Some(("RedisUnreachable", "pod x: redis: refused"))));
    assert_eq!(found.reason, "ReplicaFailure");
    assert_eq!(found.message, format!("main-command: 1 of 2 pods are ready; {message}"));
    let over = with_condition(1, "ReplicaFailure", "False", "FailedCreate", message);
    assert_eq!(finding(&workers(over, None)).reason, progress::ROLLING_OUT);
}

#[test]
fn a_rollout_that_takes_too_long_is_a_reason_unless_a_pod_says_why() {
    let message = "ReplicaSet \"main-command-7\" has timed out progressing.";
    let late = || with_condition(1, "Progressing", "False", "ProgressDeadlineExceeded", message);
    let found = finding(&workers(late(), None));
    assert_eq!(found.reason, "ProgressDeadlineExceeded");
    assert!(found.message.ends_with(message), "{}", found.message);
    let told = finding(&workers(late(), Some(("ImagePullBackOff", "pod x: back-off"))));
    assert_eq!(told.reason, "ImagePullBackOff");
    assert!(told.message.ends_with(message), "{}", told.message);
    let going_on = with_condition(1, "Progressing", "True", "ReplicaSetUpdated", "");
    assert_eq!(finding(&workers(going_on, None)).reason, progress::ROLLING_OUT);
}

#[test]
fn a_worker_with_trouble_is_named_before_one_that_waits_for_its_start() {
    let workers = workers(deployment(0, 2), Some(("RedisUnreachable", "pod x: redis: refused")));
    let found = workers.finding(&["main-absent".to_owned(), "main-command".to_owned()]);
    assert_eq!(found.reason, "RedisUnreachable");
    let waits = Workers::default().finding(&["main-absent".to_owned()]);
    assert!(waits.message.starts_with("main-absent: started after the topics"), "{}", waits.message);
}

#[tokio::test(start_paused = true)]
async fn pods_are_asked_side_by_side_and_those_that_hang_are_left_out() {
    let start = Instant::now();
    let answer = |delay: u64| async move {
        tokio::time::sleep(Duration::from_millis(delay)).await;
        delay
    };
    let mut told = side_by_side([1_900, 1_900, 60_000, 1_800].map(answer)).await;
    told.sort_unstable();
    assert_eq!(told, [1_800, 1_900, 1_900]);
    assert_eq!(start.elapsed(), ALL);
}
