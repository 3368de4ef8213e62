//! The API server refuses what is wrong, with a message that names the field; the contract's own examples pass.

use boxoffice_crds::{ReservationService, SeatingEvent};
use boxoffice_tests::resources;
use kube::api::{Api, PostParams};
use kube::core::{ApiResource, DynamicObject};
use kube::{Error, Resource};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Cluster, service_resource};

#[tokio::test]
async fn refuses_invalid_resources_and_names_the_field() {
    let cluster = Cluster::connect().await;
    let shows: [(&str, Value, &str); 8] = [
        ("/metadata/name", json!("arena.night"), "metadata.name"),
        ("/spec/sections/0/id", json!("A-1"), "spec.sections[0].id"),
        ("/spec/sections/0/rows/0/seats", json!("twenty seats"), "spec.sections[0].rows[0].seats"),
        ("/spec/sections", json!([]), "spec.sections"),
        ("/spec/sections/0/priceCategory", json!("platinum"), "priceCategor"),
        (
            "/spec/sales",
            json!({"opensAt": "2098-01-02T00:00:00Z", "closesAt": "2098-01-01T00:00:00Z"}),
            "spec.sales",
        ),
        ("/spec/hold", json!({"ttlSeconds": 600, "maxSeconds": 300}), "hold.ttlSeconds"),
        (
            "/spec/priceCategories",
            json!([{"name": "gold", "amount": 1, "currency": "EUR"}, {"name": "x", "amount": 1, "currency": "USD"}]),
            "currency",
        ),
    ];
    for (pointer, value, named) in shows {
        let mut resource = resources::show("main", "refused");
        set(&mut resource, pointer, value);
        refused::<SeatingEvent>(&cluster, resource, named).await;
    }
    let services: [(&str, Value, &str); 6] = [
        ("/spec/kafka/topic/config", json!({"retention.ms": "1000"}), "retention.ms"),
        ("/spec/auth", json!({"mode": "header"}), "allowFrom"),
        ("/spec/consumers", json!([]), "consumers"),
        ("/spec/consumers/0/startFrom", json!("latest"), "startFrom"),
        ("/spec/kafka/topic/partitions", json!(0), "partitions"),
        ("/spec/web", json!({"allowOrigins": ["https://*.example.com"]}), "web"),
    ];
    for (pointer, value, named) in services {
        let mut resource = service_resource("tickets");
        resource["metadata"]["name"] = json!("refused");
        set(&mut resource, pointer, value);
        refused::<ReservationService>(&cluster, resource, named).await;
    }
}

#[tokio::test]
async fn refuses_to_shrink_a_topic() {
    let cluster = Cluster::connect().await;
    let api = cluster.api::<ReservationService>("tickets");
    let shrink = json!({"spec": {"kafka": {"topic": {"partitions": 1}}}});
    let parameters = kube::api::PatchParams { dry_run: true, ..kube::api::PatchParams::default() };
    let answer = api.patch("main", &parameters, &kube::api::Patch::Merge(&shrink)).await;
    let Err(Error::Api(status)) = answer else { panic!("partitions may shrink: {answer:?}") };
    assert!(status.message.contains("partitions"), "{}", status.message);
}

#[tokio::test]
async fn refuses_another_currency_and_takes_sales_at_the_door() {
    let cluster = Cluster::connect().await;
    let api = cluster.api::<SeatingEvent>("tickets");
    let show = api.get("arena-night").await.unwrap();
    let parameters = kube::api::PatchParams { dry_run: true, ..kube::api::PatchParams::default() };
    let attempt = async |spec: Value| {
        api.patch("arena-night", &parameters, &kube::api::Patch::Merge(&json!({"spec": spec}))).await
    };
    let mut prices = show.spec.price_categories.clone();
    for price in &mut prices {
        price.currency = "CHF".into();
    }
    let answer = attempt(json!({"priceCategories": prices})).await;
    let Err(Error::Api(status)) = answer else { panic!("the currency may change: {answer:?}") };
    assert!(status.message.contains("never changes"), "{}", status.message);
    let door = show.spec.starts_at.0 + jiff::SignedDuration::from_hours(2);
    attempt(json!({"sales": {"closesAt": door.to_string(), "cancelUntil": door.to_string()}})).await.unwrap();
}

#[tokio::test]
async fn accepts_the_contracts_examples() {
    let cluster = Cluster::connect().await;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../crds/tests/fixtures");
    let mut accepted = 0;
    for file in std::fs::read_dir(folder).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for document in serde_yaml_ng::Deserializer::from_str(&text) {
            let mut resource = Value::deserialize(document).unwrap();
            // Tried only: the names of examples/ exist already.
            let name = format!("{}-accepted", resource["metadata"]["name"].as_str().unwrap());
            resource["metadata"]["name"] = json!(name);
            let outcome = match resource["kind"].as_str() {
                Some("SeatingEvent") => attempt::<SeatingEvent>(&cluster, resource).await,
                _ => attempt::<ReservationService>(&cluster, resource).await,
            };
            outcome.unwrap_or_else(|error| panic!("{name}: {error}"));
            accepted += 1;
        }
    }
    assert!(accepted >= 2, "only {accepted} documents");
}

fn set(resource: &mut Value, pointer: &str, value: Value) {
    let (parent, field) = pointer.rsplit_once('/').unwrap();
    resource.pointer_mut(parent).unwrap()[field] = value;
}

async fn refused<K: Resource<DynamicType = ()>>(cluster: &Cluster, resource: Value, named: &str) {
    match attempt::<K>(cluster, resource).await {
        Err(Error::Api(status)) => {
            assert!(status.message.contains(named), "{named} is not named: {}", status.message);
        }
        other => panic!("{named}: {other:?}"),
    }
}

/// Creates a resource without keeping it.
async fn attempt<K: Resource<DynamicType = ()>>(
    cluster: &Cluster,
    resource: Value,
) -> kube::Result<DynamicObject> {
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client.clone(), "tickets", &ApiResource::erase::<K>(&()));
    let object: DynamicObject = serde_json::from_value(resource).unwrap();
    api.create(&PostParams { dry_run: true, ..PostParams::default() }, &object).await
}
