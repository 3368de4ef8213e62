//! The objects of a Kubernetes, as its administrator has to do with them: applied, changed, deleted, and waited for.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, ListParams, Patch, PatchParams};
use kube::runtime::{WatchStreamExt, watcher};
use kube::{Client, Resource};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::servers::unique;
use crate::wait::{until_within, within};

/// The label of a namespace by which its pods must keep to a standard.
pub const POD_SECURITY: &str = "pod-security.kubernetes.io/enforce";

/// The kinds that a test has to do with.
pub trait Kind:
    Resource<DynamicType = (), Scope = NamespaceResourceScope> + Clone + Debug + DeserializeOwned + Serialize
{
}

impl<K> Kind for K where
    K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + Debug
        + DeserializeOwned
        + Serialize
{
}

/// All objects.
pub struct Objects {
    /// How they are reached.
    pub client: Client,
}

impl Objects {
    /// Those of a kind in a namespace.
    pub fn api<K: Kind>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// A namespace of its own, in which pods must keep to the strictest of the standards.
    ///
    /// # Panics
    /// Where the API server refuses it, as all others do where nothing else is said.
    pub async fn namespace(&self, hint: &str) -> String {
        let name = unique(hint);
        let metadata = json!({"name": name, "labels": {POD_SECURITY: "restricted"}});
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": metadata});
        let api: Api<Namespace> = Api::all(self.client.clone());
        let made = api.patch(&name, &PatchParams::apply("tests"), &Patch::Apply(&namespace)).await;
        assert!(made.is_ok(), "no namespace: {made:?}");
        name
    }

    /// Applies what is written as JSON, as a person or a pipeline does.
    ///
    /// # Errors
    /// What the API server refuses.
    ///
    /// # Panics
    /// Without a name.
    pub async fn apply<K: Kind>(&self, namespace: &str, resource: &Value) -> kube::Result<K> {
        let Some(name) = resource["metadata"]["name"].as_str() else { panic!("no name: {resource:#}") };
        let mut resource = resource.clone();
        resource["apiVersion"] = json!(K::api_version(&()));
        resource["kind"] = json!(K::kind(&()));
        let parameters = PatchParams::apply("tests").force();
        self.api::<K>(namespace).patch(name, &parameters, &Patch::Apply(&resource)).await
    }

    /// Merges `change` into an object, as `kubectl patch --type merge` does.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn patch<K: Kind>(&self, namespace: &str, name: &str, change: &Value) -> kube::Result<K> {
        let parameters = PatchParams { field_manager: Some("somebody".into()), ..PatchParams::default() };
        self.api::<K>(namespace).patch(name, &parameters, &Patch::Merge(change)).await
    }

    /// The same with its status.
    ///
    /// # Errors
    /// What the API server refuses.
    pub async fn patch_status<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        change: &Value,
    ) -> kube::Result<K> {
        self.api::<K>(namespace).patch_status(name, &PatchParams::default(), &Patch::Merge(change)).await
    }

    /// One, if it is there.
    pub async fn get<K: Kind>(&self, namespace: &str, name: &str) -> Option<K> {
        there(&self.api(namespace), name).await
    }

    /// All of them that have the labels.
    ///
    /// # Panics
    /// Where the API server does not answer.
    pub async fn list<K: Kind>(&self, namespace: &str, labels: &str) -> Vec<K> {
        match self.api::<K>(namespace).list(&ListParams::default().labels(labels)).await {
            Ok(list) => list.items,
            Err(error) => panic!("no {} of {namespace}: {error}", K::plural(&())),
        }
    }

    /// Begins a deletion; what is gone already is no trouble.
    ///
    /// # Panics
    /// Where the API server refuses it.
    pub async fn delete<K: Kind>(&self, namespace: &str, name: &str) {
        match self.api::<K>(namespace).delete(name, &DeleteParams::default()).await {
            Err(kube::Error::Api(status)) if status.code == 404 => {}
            Err(error) => panic!("{} {name} cannot be deleted: {error}", K::kind(&())),
            Ok(_) => {}
        }
    }

    /// Begins a namespace's deletion.
    ///
    /// # Panics
    /// Where the API server refuses it.
    pub async fn delete_namespace(&self, name: &str) {
        let api: Api<Namespace> = Api::all(self.client.clone());
        let begun = api.delete(name, &DeleteParams::default()).await;
        assert!(begun.is_ok(), "{name} cannot be deleted: {begun:?}");
    }

    /// Waits until it no longer exists, and says how long that took.
    pub async fn gone<K: Kind>(&self, namespace: &str, name: &str, patience: Duration) -> Duration {
        gone(&self.api::<K>(namespace), name, patience).await
    }

    /// Waits until a condition has this status, and this reason where one is given; it fails with what is there in its
    /// place after `patience`, and says how long it took.
    ///
    /// # Panics
    /// When `patience` is over.
    pub async fn condition<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        kind: &str,
        status: &str,
        reason: Option<&str>,
        patience: Duration,
    ) -> Duration {
        let began = Instant::now();
        let came = within(patience, async || {
            let object = self.get::<K>(namespace, name).await?;
            let found = condition(&object, kind)?;
            let is_so = found["status"] == status && reason.is_none_or(|reason| found["reason"] == reason);
            is_so.then_some(())
        });
        if came.await.is_none() {
            let object = self.get::<K>(namespace, name).await.map(|object| json!(object));
            let status_now = object.as_ref().map(|object| &object["status"]);
            panic!(
                "{} {name} has not {kind} {status} {} after {patience:?}: {status_now:#?}",
                K::kind(&()),
                reason.unwrap_or_default()
            );
        }
        began.elapsed()
    }

    /// The Events with this reason about objects of a kind.
    pub async fn events<K: Kind>(&self, namespace: &str, reason: &str) -> Vec<Event> {
        let mut events = self.list::<Event>(namespace, "").await;
        events.retain(|event| {
            let about = event.regarding.as_ref().and_then(|object| object.kind.as_deref());
            about == Some(K::kind(&()).as_ref()) && event.reason.as_deref() == Some(reason)
        });
        events
    }

    /// Waits until an Event with this reason was written about an object.
    pub async fn told<K: Kind>(
        &self,
        namespace: &str,
        name: &str,
        reason: &str,
        patience: Duration,
    ) -> Event {
        let is_it =
            |event: &Event| event.regarding.as_ref().is_some_and(|it| it.name.as_deref() == Some(name));
        let what = format!("an Event {reason} about {} {name}", K::kind(&()));
        until_within(patience, &what, async || {
            self.events::<K>(namespace, reason).await.into_iter().find(is_it)
        })
        .await
    }

    /// What a Secret has under a key, if it is there.
    pub async fn secret(&self, namespace: &str, name: &str, key: &str) -> Option<String> {
        let content = self.get::<Secret>(namespace, name).await?.data?.remove(key)?;
        String::from_utf8(content.0).ok()
    }

    /// What becomes of the objects of a kind, also of those that our types cannot read.
    pub fn follow<K: Kind>(&self, namespace: &str) -> impl Stream<Item = DynamicObject> + Send + use<K> {
        let kind = ApiResource::erase::<K>(&());
        let api = Api::<DynamicObject>::namespaced_with(self.client.clone(), namespace, &kind);
        let objects = watcher(api, watcher::Config::default()).applied_objects();
        objects.filter_map(|object| std::future::ready(object.ok()))
    }
}

/// An object, if it is there.
///
/// # Panics
/// Where the API server does not answer.
async fn there<K: Resource + Clone + DeserializeOwned + Debug>(api: &Api<K>, name: &str) -> Option<K> {
    match api.get_opt(name).await {
        Ok(object) => object,
        Err(error) => panic!("{name} cannot be read: {error}"),
    }
}

/// Waits until it no longer exists, and says how long that took.
///
/// # Panics
/// When `patience` is over.
pub async fn gone<K>(api: &Api<K>, name: &str, patience: Duration) -> Duration
where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Serialize + Debug,
{
    let began = Instant::now();
    let gone = within(patience, async || there(api, name).await.is_none().then_some(()));
    if gone.await.is_none() {
        let left = there(api, name).await.map(|object| json!(object));
        panic!("{} {name} is still there after {patience:?}: {left:#?}", K::kind(&()));
    }
    began.elapsed()
}

/// A condition of a status that is of the object's newest generation.
pub fn condition<K: Serialize>(object: &K, kind: &str) -> Option<Value> {
    let object = json!(object);
    let conditions = object["status"]["conditions"].as_array()?;
    let found = conditions.iter().find(|condition| condition["type"] == kind)?.clone();
    (object["status"]["observedGeneration"] == object["metadata"]["generation"]).then_some(found)
}
