//! The objects a service owns in the API server: list, apply what drifted, remove what is no longer wanted.

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::{Client, ResourceExt};
use serde_json::json;

use super::drift::covers;
use super::fingerprint::fingerprint;
use super::names;
use crate::api::{ApiError, FIELD_MANAGER, timed};

/// Kind and name of an object.
type Id = (String, String);

/// The objects of one service as the API server has them.
pub struct Children {
    client: Client,
    namespace: String,
    live: BTreeMap<Id, DynamicObject>,
}

/// The kinds of what the operator applies.
pub fn kinds() -> [ApiResource; 6] {
    [
        ApiResource::erase::<ServiceAccount>(&()),
        ApiResource::erase::<ConfigMap>(&()),
        ApiResource::erase::<Service>(&()),
        ApiResource::erase::<NetworkPolicy>(&()),
        ApiResource::erase::<PodDisruptionBudget>(&()),
        ApiResource::erase::<Deployment>(&()),
    ]
}

impl Children {
    /// Lists what carries the service's labels and its owner reference.
    pub async fn list(client: &Client, service: &ReservationService) -> Result<Self, ApiError> {
        let namespace = service.namespace().unwrap_or_default();
        let parameters = ListParams::default().labels(&names::owned_by(&service.name_any()));
        let mut live = BTreeMap::new();
        for kind in kinds() {
            let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), &namespace, &kind);
            let list = timed("list what the service owns", api.list(&parameters)).await?;
            for mut object in list.items {
                let is_ours =
                    object.owner_references().iter().any(|owner| Some(&owner.uid) == service.uid().as_ref());
                if is_ours {
                    object.managed_fields_mut().clear();
                    live.insert((kind.kind.clone(), object.name_any()), object);
                }
            }
        }
        Ok(Self { client: client.clone(), namespace, live })
    }

    /// Applies those of `wanted` that are absent or have drifted.
    pub async fn apply(&mut self, wanted: &[DynamicObject]) -> Result<(), ApiError> {
        for object in wanted {
            let object = &marked(object);
            let id = id(object);
            if self.live.get(&id).is_some_and(|live| has(live, object)) {
                continue;
            }
            let Some(api) = self.api(&id.0) else { continue };
            let parameters = PatchParams::apply(FIELD_MANAGER).force();
            let patch = Patch::Apply(object);
            let applied = timed("apply an object", api.patch(&id.1, &parameters, &patch)).await?;
            tracing::info!(kind = id.0, name = id.1, namespace = self.namespace, "applied");
            self.live.insert(id, applied);
        }
        Ok(())
    }

    /// Deletes what is none of `wanted`.
    pub async fn prune(&mut self, wanted: &[&[DynamicObject]]) -> Result<(), ApiError> {
        let wanted: Vec<Id> = wanted.iter().copied().flatten().map(id).collect();
        let orphans: Vec<Id> = self.live.keys().filter(|id| !wanted.contains(id)).cloned().collect();
        for id in orphans {
            self.delete(&id).await?;
        }
        Ok(())
    }

    /// Deletes the Deployments. Returns whether there were any.
    pub async fn stop_workloads(&mut self) -> Result<bool, ApiError> {
        let deployments: Vec<Id> =
            self.live.keys().filter(|(kind, _)| kind == "Deployment").cloned().collect();
        for id in &deployments {
            self.delete(id).await?;
        }
        Ok(!deployments.is_empty())
    }

    /// The Deployments by name.
    pub fn deployments(&self) -> BTreeMap<String, Deployment> {
        let deployments = self.live.iter().filter(|((kind, _), _)| kind == "Deployment");
        deployments
            .filter_map(|((_, name), object)| Some((name.clone(), object.clone().try_parse().ok()?)))
            .collect()
    }

    async fn delete(&mut self, id: &Id) -> Result<(), ApiError> {
        let Some(api) = self.api(&id.0) else { return Ok(()) };
        match timed("delete an object", api.delete(&id.1, &DeleteParams::background())).await {
            Err(error) if !error.is_not_found() => return Err(error),
            _ => tracing::info!(kind = id.0, name = id.1, namespace = self.namespace, "deleted"),
        }
        self.live.remove(id);
        Ok(())
    }

    fn api(&self, kind: &str) -> Option<Api<DynamicObject>> {
        let kind = kinds().into_iter().find(|known| known.kind == kind)?;
        Some(Api::namespaced_with(self.client.clone(), &self.namespace, &kind))
    }
}

fn id(object: &DynamicObject) -> Id {
    let kind = object.types.as_ref().map(|types| types.kind.clone()).unwrap_or_default();
    (kind, object.name_any())
}

/// The object with its fingerprint: what only the live object has is then a default or somebody else's, never a field
/// of ours that is wanted no more.
pub fn marked(object: &DynamicObject) -> DynamicObject {
    let mut marked = object.clone();
    let text = json!([object.metadata, object.data]).to_string();
    marked.annotations_mut().insert(names::WANTED.to_owned(), fingerprint(&text));
    marked
}

/// Whether the live object has everything wanted: its labels and annotations, its owner, its content.
pub fn has(live: &DynamicObject, wanted: &DynamicObject) -> bool {
    let within = |wanted: &BTreeMap<String, String>, live: &BTreeMap<String, String>| {
        wanted.iter().all(|(key, value)| live.get(key) == Some(value))
    };
    within(wanted.labels(), live.labels())
        && within(wanted.annotations(), live.annotations())
        && live.owner_references() == wanted.owner_references()
        && covers(&live.data, &wanted.data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(label: &str, owner: &str, replicas: u32) -> DynamicObject {
        let owner = json!([{"apiVersion": "v1", "kind": "Owner", "name": "main", "uid": owner}]);
        let metadata =
            json!({"name": "main", "labels": {"a": label, "other": "x"}, "ownerReferences": owner});
        serde_json::from_value(json!({"metadata": metadata, "spec": {"replicas": replicas}})).unwrap()
    }

    #[test]
    fn drift_of_labels_owner_and_content_is_seen() {
        let mut wanted = object("b", "s1", 2);
        wanted.labels_mut().remove("other");
        assert!(has(&object("b", "s1", 2), &wanted));
        assert!(!has(&object("c", "s1", 2), &wanted));
        assert!(!has(&object("b", "s2", 2), &wanted));
        assert!(!has(&object("b", "s1", 3), &wanted));
    }

    #[test]
    fn a_field_that_is_wanted_no_more_is_seen() {
        let mut before = object("b", "s1", 2);
        before.data["spec"]["nodeSelector"] = json!({"disk": "ssd"});
        let live = marked(&before);
        assert!(has(&live, &marked(&before)));
        assert!(!has(&live, &marked(&object("b", "s1", 2))));
    }
}
