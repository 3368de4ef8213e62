//! The objects of a service as they say they are, and the hands of people who change them.

use std::collections::BTreeMap;

use boxoffice_operator::reservation_service::kinds::kinds;
use boxoffice_operator::reservation_service::names;
use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use serde_json::{Value, json};

use crate::support::Plane;

/// By kind and name.
pub type Objects = BTreeMap<String, Value>;

fn api(plane: &Plane, namespace: &str, kind: &ApiResource) -> Api<DynamicObject> {
    Api::namespaced_with(plane.client.clone(), namespace, kind)
}

/// Objects of a kind that a service has; Secrets are not among those that the operator lists.
fn of_kind(plane: &Plane, namespace: &str, kind: &str) -> Api<DynamicObject> {
    let all = kinds().into_iter().chain([ApiResource::erase::<Secret>(&())]);
    let known = all.into_iter().find(|one| one.kind == kind);
    api(plane, namespace, &known.unwrap_or_else(|| panic!("no service has a {kind}")))
}

/// What an object says of how it is, without its status, and without addresses that the cluster gives: they are others when
/// it is made anew.
fn said(object: &DynamicObject) -> Value {
    let mut said = object.data.clone();
    said.as_object_mut().unwrap().remove("status");
    for address in ["clusterIP", "clusterIPs"] {
        said["spec"].as_object_mut().map(|spec| spec.remove(address));
    }
    json!({"labels": object.labels(), "owners": object.owner_references(), "said": said})
}

/// How one object is; null where it is not there.
pub async fn object(plane: &Plane, namespace: &str, kind: &str, name: &str) -> Value {
    let live = of_kind(plane, namespace, kind).get_opt(name).await.unwrap();
    let live = live.filter(|live| live.metadata.deletion_timestamp.is_none());
    live.map(|live| said(&live)).unwrap_or_default()
}

/// Everything that the operator made for a service; settings only where a Deployment names them: those of before go with
/// their replica sets.
pub async fn objects(plane: &Plane, namespace: &str, name: &str) -> Objects {
    let mut found = Objects::new();
    for kind in kinds() {
        let parameters = ListParams::default().labels(&names::owned_by(name));
        for object in api(plane, namespace, &kind).list(&parameters).await.unwrap() {
            found.insert(format!("{} {}", kind.kind, object.name_any()), said(&object));
        }
    }
    let deployments = found.iter().filter(|(id, _)| id.starts_with("Deployment "));
    let named: String = deployments.map(|(_, deployment)| deployment.to_string()).collect();
    found.retain(|id, _| id.strip_prefix("ConfigMap ").is_none_or(|settings| named.contains(settings)));
    found
}

/// The settings of a worker of the service `main`, by name.
pub async fn settings(plane: &Plane, namespace: &str, component: &str) -> Vec<String> {
    let labels = format!("{},{}={component}", names::owned_by("main"), names::COMPONENT);
    plane.list::<ConfigMap>(namespace, &labels).await.iter().map(ResourceExt::name_any).collect()
}

/// What somebody does by hand.
pub enum Hand {
    /// To maps.
    Merges(Value),
    /// To lists whose elements have a key.
    Adds(Value),
    /// At one place.
    Edits(Value),
    Deletes,
}
use Hand::{Adds, Deletes, Edits, Merges};

/// Has it done to an object.
pub async fn drift(plane: &Plane, namespace: &str, kind: &str, name: &str, hand: &Hand) {
    let (api, parameters) = (of_kind(plane, namespace, kind), PatchParams::default());
    let done = match hand {
        Merges(change) => api.patch(name, &parameters, &Patch::Merge(change)).await.map(drop),
        Adds(change) => api.patch(name, &parameters, &Patch::Strategic(change)).await.map(drop),
        Edits(operations) => {
            let operations = serde_json::from_value(operations.clone()).unwrap();
            api.patch(name, &parameters, &Patch::Json::<()>(operations)).await.map(drop)
        }
        Deletes => api.delete(name, &DeleteParams::default()).await.map(drop),
    };
    done.unwrap_or_else(|error| panic!("{kind} {name}: {error}"));
}

/// A change of a Deployment's pods.
pub fn pods(spec: &Value) -> Value {
    json!({"spec": {"template": {"spec": spec}}})
}

/// A change of the worker's container.
pub fn worker(field: &str, value: &Value) -> Hand {
    Adds(pods(&json!({"containers": [{"name": "worker", field: value}]})))
}
