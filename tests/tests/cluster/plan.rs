//! I11: what `boxoffice plan` says about `examples/` is what the operator made of them, object by object.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_local::plan::{Plan, Step, plan};
use boxoffice_local::resources::load;
use boxoffice_operator::kafka::connection::Connection;
use boxoffice_operator::kafka::pool::Pool;
use boxoffice_operator::kafka::{Kafka, TopicFacts};
use boxoffice_operator::reservation_service::children::{has, marked};
use boxoffice_operator::reservation_service::drift::covers;
use boxoffice_operator::reservation_service::kinds::kinds;
use boxoffice_operator::reservation_service::{contents, names, tokens};
use boxoffice_runtime::log::kafka::security::Security;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, DynamicObject, ListParams};
use kube::{Resource, ResourceExt};
use serde_json::json;

use crate::support::Cluster;

const NAMESPACE: &str = "tickets";
const SERVICE: &str = "main";

/// Kind and name.
type Id = (String, String);

/// The plan of `examples/` as `tests/cluster/lib/deploy.sh` applies them: as they are, but for where the images come from.
fn planned() -> Plan {
    let images = std::env::var("IMAGES_FROM").unwrap_or_else(|_| "boxoffice".to_owned());
    let folder = tempfile::tempdir().unwrap();
    for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples")).unwrap() {
        let file = file.unwrap();
        if file.file_type().unwrap().is_dir() {
            continue;
        }
        let content = fs::read_to_string(file.path()).unwrap();
        let content = content.replace("repository: boxoffice/", &format!("repository: {images}/"));
        fs::write(folder.path().join(file.file_name()), content).unwrap();
    }
    let loaded = load(&[folder.path().to_owned()], NAMESPACE).unwrap();
    assert_eq!(loaded.findings, []);
    plan(&loaded.resources, "every example names its image", "boxoffice-system").unwrap()
}

fn objects(plan: &Plan) -> BTreeMap<Id, DynamicObject> {
    let objects = plan.steps.iter().filter_map(|step| match step {
        Step::Object(object) => Some(object.as_ref().clone()),
        _ => None,
    });
    objects.map(|object| (id(&object), object)).collect()
}

fn id(object: &DynamicObject) -> Id {
    (object.types.as_ref().unwrap().kind.clone(), object.name_any())
}

/// Everything that carries the labels of the service, of the kinds that the operator applies.
async fn live_objects(cluster: &Cluster) -> BTreeMap<Id, DynamicObject> {
    let mut live = BTreeMap::new();
    for kind in kinds() {
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client.clone(), NAMESPACE, &kind);
        let list = api.list(&ListParams::default().labels(&names::owned_by(SERVICE))).await.unwrap();
        live.extend(list.into_iter().map(|object| ((kind.kind.clone(), object.name_any()), object)));
        if kind.kind == "ConfigMap" {
            let record = api.get(&names::record(SERVICE)).await.unwrap();
            live.insert((kind.kind.clone(), record.name_any()), record);
        }
    }
    live
}

#[tokio::test]
async fn i11_the_plan_of_the_examples_is_what_the_operator_applied() {
    let cluster = Cluster::connect().await;
    let service: ReservationService = cluster.api(NAMESPACE).get(SERVICE).await.unwrap();
    let (planned, live) = (objects(&planned()), live_objects(&cluster).await);
    let ids = |objects: &BTreeMap<Id, DynamicObject>| objects.keys().cloned().collect::<BTreeSet<_>>();
    // Settings of before stay as long as a ReplicaSet names them.
    let is_current = |(id, object): &(&Id, &DynamicObject)| {
        planned.contains_key(*id) || object.data["immutable"] != json!(true)
    };
    let current: BTreeSet<_> = live.iter().filter(is_current).map(|(id, _)| id.clone()).collect();
    assert_eq!(ids(&planned), current);
    for (id, mut wanted) in planned {
        let live = &live[&id];
        if id.1 == names::record(SERVICE) {
            // Which topics they are, no plan knows.
            let (live_data, data) = (&live.data["data"], &wanted.data["data"]);
            assert!(covers(live_data, data), "{id:?} differs: {wanted:#?} {live:#?}");
            assert_eq!(live.labels(), wanted.labels());
            continue;
        }
        wanted.metadata.owner_references = service.controller_owner_ref(&()).map(|owner| vec![owner]);
        if id.0 == "Deployment" {
            read_as(&mut wanted, live);
        }
        let wanted = marked(&wanted);
        assert_eq!(live.annotations().get(names::WANTED), wanted.annotations().get(names::WANTED), "{id:?}");
        assert!(has(live, &wanted), "{id:?} differs: {wanted:#?} {live:#?}");
    }
}

/// What pods read from Secrets no plan knows: fingerprints of it are in their template.
fn read_as(wanted: &mut DynamicObject, live: &DynamicObject) {
    for mark in [tokens::MARK, contents::MARK] {
        let read = &live.data["spec"]["template"]["metadata"]["annotations"][mark];
        if !read.is_null() {
            wanted.data["spec"]["template"]["metadata"]["annotations"][mark] = read.clone();
        }
    }
}

async fn facts(kafka: &dyn Kafka, topic: &str) -> TopicFacts {
    let mut facts = kafka.topics(&[topic.to_owned()]).await.unwrap();
    facts.remove(topic).unwrap().unwrap().unwrap()
}

#[tokio::test]
async fn i11_the_secret_the_topics_and_the_groups_of_the_plan_are_there() {
    let cluster = Cluster::connect().await;
    let connection = Connection { bootstrap_servers: cluster.kafka.clone(), security: Security::default() };
    let kafka = Pool::default().get(&connection).unwrap();
    let labels = ListParams::default().labels(&names::owned_by(SERVICE));
    let secrets = cluster.api::<Secret>(NAMESPACE).list(&labels).await.unwrap();
    let mut wanted_secrets = Vec::new();
    for step in planned().steps {
        match step {
            Step::Secret(secret) => wanted_secrets.push(secret.name),
            Step::Topic(topic) => {
                let facts = facts(kafka.as_ref(), &topic.name).await;
                assert_eq!(facts.partitions, topic.partitions, "{}", topic.name);
                for (key, value) in topic.config {
                    assert_eq!(facts.config.get(&key), Some(&value), "{} {key}", topic.name);
                }
            }
            Step::ConsumerGroup(group) => {
                assert!(kafka.group(&group.name).await.unwrap().is_some(), "group {} is absent", group.name);
                let committed = kafka.committed(&group.name).await.unwrap();
                for topic in &group.topics {
                    let partitions = facts(kafka.as_ref(), topic).await.partitions;
                    assert_eq!(
                        committed[topic].len(),
                        usize::try_from(partitions).unwrap(),
                        "{}",
                        group.name
                    );
                }
            }
            Step::Object(_) | Step::Inventory(_) => {}
        }
    }
    let secrets: Vec<_> = secrets.iter().map(ResourceExt::name_any).collect();
    assert_eq!(secrets, wanted_secrets);
}

#[tokio::test]
async fn i11_the_inventories_of_the_plan_are_those_of_the_command_worker() {
    let cluster = Cluster::connect().await;
    let shows = cluster.api::<SeatingEvent>(NAMESPACE);
    let inventories = planned().steps.into_iter().filter_map(|step| match step {
        Step::Inventory(inventory) => Some(inventory),
        _ => None,
    });
    for inventory in inventories {
        let status = json!(shows.get(&inventory.event_id).await.unwrap().status);
        let seats = &status["seats"];
        assert_eq!(
            (&seats["total"], &seats["blocked"], &status["partition"], &status["chartHash"]),
            (
                &json!(inventory.seats),
                &json!(inventory.blocked),
                &json!(inventory.partition),
                &json!(inventory.chart_hash)
            ),
            "{}",
            inventory.event_id
        );
    }
}
