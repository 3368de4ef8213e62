//! The objects of a service: its own and no others, as they are wanted and nothing besides.

use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_operator::reservation_service::names;
use boxoffice_tests::wait::{until, within};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, ResourceQuota, Service, ServiceAccount};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::hands::Hand::Merges;
use crate::hands::{drift, objects, settings, worker};
use crate::support::{Plane, SOON, Stage, condition, now, service};

/// How long an object that was refused is left alone, and some.
const AFTER_A_PAUSE: Duration = Duration::from_secs(90);

/// What `Stalled` says of a service.
async fn stalled(plane: &Plane, namespace: &str, name: &str) -> String {
    let service = plane.get::<ReservationService>(namespace, name).await.unwrap();
    condition(&service, "Stalled").unwrap()["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_object_of_somebody_else_is_left_as_it_is() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let account = async || plane.get::<ServiceAccount>(namespace, "default").await;
    let before = until("the account is there", account).await;
    plane.apply::<ReservationService>(namespace, &service(namespace, "default")).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "default", "NameTaken").await;
    let theirs = json!({"metadata": {"name": "taken-query"}, "spec": {"ports": [{"port": 80}]}});
    plane.apply::<Service>(namespace, &theirs).await.unwrap();
    plane.apply::<ReservationService>(namespace, &service(namespace, "taken")).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "taken", "NameTaken").await;
    let message = stalled(plane, namespace, "taken").await;
    assert!(message.contains(&format!("Service {namespace}/taken-query is there already")), "{message}");
    for name in ["default", "taken"] {
        assert!(objects(plane, namespace, name).await.is_empty(), "nothing was written for {name}");
    }
    stage.service("main").await;

    plane.delete::<Service>(namespace, "taken-query").await;
    plane.ready::<ReservationService>(namespace, "taken").await;
    plane.delete::<ReservationService>(namespace, "default").await;
    plane.gone::<ReservationService>(namespace, "default", SOON * 3).await;
    assert_eq!(account().await.unwrap(), before, "it is as it was, to its version");
}

/// Of a service that runs the record is looked for too, and what stands there in its place is not written over.
#[tokio::test]
async fn a_record_that_becomes_somebody_elses_is_left_as_it_is() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let name = names::record("main");
    let theirs =
        json!({"metadata": {"labels": {names::RECORD_OF: null}}, "data": {"service": "somebody/else"}});
    let theirs = plane.patch::<ConfigMap>(namespace, &name, &theirs).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "main", "NameTaken").await;
    let message = stalled(plane, namespace, "main").await;
    assert!(message.contains(&format!("ConfigMap {namespace}/{name} is there already")), "{message}");
    let version = plane.get::<ConfigMap>(namespace, &name).await.unwrap().resource_version();
    assert_eq!(version, theirs.resource_version());

    plane.delete::<ConfigMap>(namespace, &name).await;
    plane.ready::<ReservationService>(namespace, "main").await;
    until("the record is there again", async || plane.get::<ConfigMap>(namespace, &name).await).await;
}

#[tokio::test]
async fn the_younger_of_two_services_that_would_make_one_name_is_refused() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let mut senior = service(namespace, "a");
    let database = json!({"url": "postgres://postgres@db:5432/b"});
    let consumer = json!({"name": "b-command", "handler": "persistence", "database": database});
    senior["spec"]["consumers"].as_array_mut().unwrap().push(consumer);
    plane.apply::<ReservationService>(namespace, &senior).await.unwrap();
    plane.ready::<ReservationService>(namespace, "a").await;
    let before = objects(plane, namespace, "a").await;
    // Who is younger is told by the second.
    let later = async || {
        let senior = plane.get::<ReservationService>(namespace, "a").await?.creation_timestamp()?;
        (senior.0.as_second() < now().as_second()).then_some(())
    };
    until("a second has passed", later).await;
    plane.apply::<ReservationService>(namespace, &service(namespace, "a-b")).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "a-b", "NameTaken").await;
    assert_eq!(objects(plane, namespace, "a").await, before);
    plane.apply::<ReservationService>(namespace, &service(namespace, "a")).await.unwrap();
    plane.ready::<ReservationService>(namespace, "a-b").await;
}

#[tokio::test]
async fn a_restart_by_kubectl_and_what_others_note_stay() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    plane.kubectl(&["--namespace", namespace, "rollout", "restart", "deployment/main-command"], "").await;
    let noted = json!({"metadata": {"annotations": {"team": "a"}, "labels": {"team": "b"}}});
    plane.patch::<Deployment>(namespace, "main-command", &noted).await.unwrap();
    // What is put right afterwards says that all of it was looked at.
    drift(plane, namespace, "Deployment", "main-command", &Merges(json!({"spec": {"replicas": 3}}))).await;
    let put_right = async || {
        let live = plane.get::<Deployment>(namespace, "main-command").await?;
        (live.spec.as_ref()?.replicas == Some(1)).then_some(live)
    };
    let live = within(SOON, put_right).await.expect("the number of pods is put right");
    let annotations = &json!(live.spec.as_ref().unwrap().template)["metadata"]["annotations"];
    assert!(annotations["kubectl.kubernetes.io/restartedAt"].is_string(), "{annotations:#}");
    assert_eq!((live.annotations()["team"].as_str(), live.labels()["team"].as_str()), ("a", "b"));
    plane.ready::<ReservationService>(namespace, "main").await;
}

#[tokio::test]
async fn the_number_of_pods_is_left_to_whoever_scales() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let mut scaled = service(namespace, "main");
    scaled["spec"]["command"] = json!({"replicas": 2, "autoscaling": {"external": true}});
    plane.apply::<ReservationService>(namespace, &scaled).await.unwrap();
    plane.ready::<ReservationService>(namespace, "main").await;
    let replicas = async || {
        let live = plane.get::<Deployment>(namespace, "main-command").await.unwrap();
        live.spec.unwrap().replicas
    };
    assert_eq!(replicas().await, Some(2));
    plane.kubectl(&["--namespace", namespace, "scale", "deployment/main-command", "--replicas=4"], "").await;
    let other = "elsewhere/worker:1";
    drift(plane, namespace, "Deployment", "main-command", &worker("image", &json!(other))).await;
    scaled["spec"]["outbox"] = json!({"highWatermark": 5000});
    plane.apply::<ReservationService>(namespace, &scaled).await.unwrap();
    let put_right = within(SOON, async || {
        let live = json!(plane.get::<Deployment>(namespace, "main-command").await?);
        (live["spec"]["template"]["spec"]["containers"][0]["image"] != other).then_some(live)
    });
    assert_eq!(put_right.await.expect("the image is put right")["spec"]["replicas"], 4);
    plane.ready::<ReservationService>(namespace, "main").await;
    assert_eq!(replicas().await, Some(4));
}

#[tokio::test]
async fn a_setting_rolls_the_worker_that_reads_it_and_old_ones_go_with_their_replica_sets() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let others = async || {
        let live = [
            plane.get::<Deployment>(namespace, "main-query").await,
            plane.get::<Deployment>(namespace, "main-seat-view").await,
        ];
        live.map(|one| one.unwrap().metadata.generation)
    };
    let before = others().await;
    let first = settings(plane, namespace, names::COMMAND).await;
    assert_eq!(first.len(), 1);
    let mut seen = first.clone();
    for change in 1..=4 {
        let limit = json!({"spec": {"outbox": {"highWatermark": 1000 + change}}});
        plane.patch::<ReservationService>(namespace, "main", &limit).await.unwrap();
        let named_anew = within(SOON, async || {
            let now = settings(plane, namespace, names::COMMAND).await;
            now.into_iter().find(|name| !seen.contains(name))
        });
        seen.push(named_anew.await.expect("settings of another name"));
        if change == 1 {
            assert!(
                settings(plane, namespace, names::COMMAND).await.contains(&first[0]),
                "a replica set names it"
            );
        }
        let current = seen.last().unwrap().clone();
        let is_current = async || {
            let live = plane.get::<Deployment>(namespace, "main-command").await?;
            let status = live.status.clone()?;
            let is_settled = status.observed_generation == live.metadata.generation
                && status.updated_replicas == status.replicas
                && status.ready_replicas == Some(1);
            (is_settled && json!(live).to_string().contains(&current)).then_some(())
        };
        within(SOON * 3, is_current).await.expect("it is rolled out");
    }
    assert_eq!(others().await, before);
    let gone = async || (!settings(plane, namespace, names::COMMAND).await.contains(&first[0])).then_some(());
    within(SOON * 6, gone).await.expect("settings that no replica set names are gone");
    assert_eq!(
        settings(plane, namespace, names::COMMAND).await.len(),
        4,
        "those of three before, and those in use"
    );
}

#[tokio::test]
async fn what_the_api_server_refuses_is_told_and_hinders_no_other_object() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let quota = |most: &str| json!({"metadata": {"name": "few"}, "spec": {"hard": {"count/poddisruptionbudgets.policy": most}}});
    plane.apply::<ResourceQuota>(namespace, &quota("0")).await.unwrap();
    let in_force = async || plane.get::<ResourceQuota>(namespace, "few").await?.status?.hard.map(drop);
    until("the quota is in force", in_force).await;
    plane.apply::<ReservationService>(namespace, &service(namespace, "main")).await.unwrap();
    plane.not_ready::<ReservationService>(namespace, "main", "ObjectRefused").await;
    let message = stalled(plane, namespace, "main").await;
    assert!(message.contains("PodDisruptionBudget main-command is refused"), "{message}");
    assert!(message.contains("quota raised"), "{message}");
    let others = within(SOON * 3, async || plane.get::<Deployment>(namespace, "main-seat-view").await);
    assert!(others.await.is_some(), "its workers are there");
    plane.apply::<ResourceQuota>(namespace, &quota("9")).await.unwrap();
    plane.condition::<ReservationService>(namespace, "main", "Ready", "True", None, AFTER_A_PAUSE).await;
    assert!(plane.get::<PodDisruptionBudget>(namespace, "main-command").await.is_some());
}

#[tokio::test]
async fn a_pod_template_that_cannot_be_is_named_by_field_on_that_service_alone() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    let armor = "container.apparmor.security.beta.kubernetes.io/worker";
    for (name, template, field) in [
        ("labels", json!({"labels": {"team": "box office"}}), "podTemplate.labels"),
        ("armor", json!({"annotations": {armor: "unconfined"}}), "podTemplate.annotations"),
    ] {
        let mut wrong = service(namespace, name);
        wrong["spec"]["podTemplate"] = template;
        plane.apply::<ReservationService>(namespace, &wrong).await.unwrap();
        plane.not_ready::<ReservationService>(namespace, name, "InvalidSpec").await;
        let message = stalled(plane, namespace, name).await;
        assert!(message.starts_with(field), "{message}");
    }
    stage.service("main").await;
    plane.apply::<ReservationService>(namespace, &service(namespace, "labels")).await.unwrap();
    plane.ready::<ReservationService>(namespace, "labels").await;
}

#[tokio::test]
async fn what_a_version_before_made_and_nobody_wants_any_more_goes() {
    let stage = Stage::open("objects").await;
    let (plane, namespace) = (&stage.plane, stage.namespace.as_str());
    stage.service("main").await;
    let main = plane.get::<ReservationService>(namespace, "main").await.unwrap();
    let metadata = json!({
        "name": "main-former", "labels": names::labels("main"), "ownerReferences": [main.controller_owner_ref(&())]
    });
    plane.apply::<ServiceAccount>(namespace, &json!({"metadata": metadata})).await.unwrap();
    let former = json!({"metadata": metadata, "spec": {"ports": [{"port": 80}]}});
    plane.apply::<Service>(namespace, &former).await.unwrap();
    plane.gone::<ServiceAccount>(namespace, "main-former", SOON * 2).await;
    plane.gone::<Service>(namespace, "main-former", SOON * 2).await;
}
