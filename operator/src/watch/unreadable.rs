//! The objects that this version cannot read: remembered while they are there, told once each, by condition, Event,
//! metric and log. Nothing reconciles them meanwhile.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use boxoffice_crds::common::condition::{READY, RECONCILING, STALLED};
use boxoffice_crds::common::{Condition, Time};
use boxoffice_crds::{ReservationService, SeatingEvent};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use serde_json::{Value, json};
use tokio::sync::Notify;

use super::readable::{Fault, Readable};
use crate::api::{ApiError, timed};
use crate::conditions::{Finding, Stall, update, with_summary};
use crate::context::Context;
use crate::notices::Notice;

/// The reason of the conditions and of the Event.
pub const UNREADABLE: &str = "Unreadable";
/// Who writes these conditions: the rest of the status is not this one's to drop.
const FIELD_MANAGER: &str = "boxoffice-operator-unreadable";
/// How soon it is tried again to tell.
const AGAIN: Duration = Duration::from_secs(5);

/// Kind, namespace and name.
type Id = (String, String, String);

/// What is unreadable now.
#[derive(Default)]
pub struct Unreadable {
    objects: Mutex<BTreeMap<Id, Known>>,
    news: Notify,
}

#[derive(Clone)]
struct Known {
    fault: Fault,
    object: ObjectReference,
    generation: Option<i64>,
    is_told: bool,
}

impl Unreadable {
    /// Notes whether the object can be read.
    pub fn note<K: Resource<DynamicType = ()>>(&self, object: &Readable<K>) {
        let id = (K::kind(&()).into_owned(), object.namespace().unwrap_or_default(), object.name_any());
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(fault) = object.fault() else {
            if objects.remove(&id).is_some() {
                tracing::info!(kind = id.0, namespace = id.1, name = id.2, "object is readable again");
                self.news.notify_one();
            }
            return;
        };
        let generation = object.meta().generation;
        let is_told = objects
            .get(&id)
            .is_some_and(|known| known.is_told && known.fault == *fault && known.generation == generation);
        if !is_told {
            tracing::warn!(kind = id.0, namespace = id.1, name = id.2, %fault, "object is unreadable");
            let known = Known { fault: fault.clone(), object: object.object_ref(&()), generation, is_told };
            objects.insert(id, known);
            self.news.notify_one();
        }
    }

    /// Forgets an object that is gone.
    pub fn forget<K: Resource<DynamicType = ()>>(&self, namespace: &str, name: &str) {
        self.keep_only::<K>(|in_namespace, named| (in_namespace, named) != (namespace, name));
    }

    /// Forgets the objects of a kind that are not `there`, by namespace and name.
    pub fn keep_only<K: Resource<DynamicType = ()>>(&self, there: impl Fn(&str, &str) -> bool) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let before = objects.len();
        objects.retain(|(kind, namespace, name), _| *kind != K::kind(&()) || there(namespace, name));
        if objects.len() < before {
            self.news.notify_one();
        }
    }

    /// Whether the object is unreadable as it is now.
    pub fn holds(&self, kind: &str, namespace: &str, name: &str) -> bool {
        let objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        !objects.is_empty() && objects.contains_key(&(kind.to_owned(), namespace.to_owned(), name.to_owned()))
    }

    fn all(&self) -> BTreeMap<Id, Known> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn told(&self, id: &Id, fault: &Fault) {
        let mut objects = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = objects.get_mut(id).filter(|known| known.fault == *fault) {
            known.is_told = true;
        }
    }
}

/// Tells of each object once, for ever.
pub async fn tell(context: Arc<Context>) {
    let unreadable = Arc::clone(&context.unreadable);
    loop {
        let all = unreadable.all();
        context.metrics.unreadable(all.keys().map(|(kind, namespace, name)| (kind, namespace, name)));
        let mut is_done = true;
        for (id, known) in all.iter().filter(|(_, known)| !known.is_told) {
            match tell_of(&context, id, known).await {
                Ok(true) => unreadable.told(id, &known.fault),
                Ok(false) => is_done = false,
                Err(error) => {
                    tracing::warn!(kind = id.0, namespace = id.1, name = id.2, %error, "unreadable object not told");
                    is_done = false;
                }
            }
        }
        if is_done {
            unreadable.news.notified().await;
        } else {
            tokio::time::sleep(AGAIN).await;
        }
    }
}

/// Whether it was told; another installation's objects are that one's to tell of.
async fn tell_of(context: &Context, (kind, namespace, name): &Id, known: &Known) -> Result<bool, ApiError> {
    if context.namespace_leases.admit(namespace).await.is_err() {
        return Ok(false);
    }
    let Some(resource) = resource(kind) else { return Ok(true) };
    let api: Api<DynamicObject> = Api::namespaced_with(context.client.clone(), namespace, &resource);
    let live = timed("read an unreadable object", api.get_opt(name)).await?;
    let Some(live) = live else { return Ok(true) };
    let before = conditions_of(&live.data);
    let after = conditions(&known.fault, &before, known.generation, &(context.now)());
    if !after.iter().all(|condition| before.contains(condition)) {
        let body = json!({
            "apiVersion": resource.api_version,
            "kind": resource.kind,
            "metadata": {"name": name, "uid": known.object.uid},
            "status": {"observedGeneration": known.generation, "conditions": after},
        });
        let (parameters, patch) = (PatchParams::apply(FIELD_MANAGER).force(), Patch::Apply(&body));
        // The server checks the whole object: one that its own schema refuses gets an Event alone.
        if let Err(error) = timed("write the status", api.patch_status(name, &parameters, &patch)).await {
            if !error.is_invalid() {
                return Err(error);
            }
            tracing::debug!(kind, namespace, name, %error, "no condition on an unreadable object");
        }
    }
    let notice = Notice { warning: true, reason: UNREADABLE.to_owned(), note: message(&known.fault) };
    context.notices.publish(&known.object, vec![notice]).await;
    Ok(true)
}

fn resource(kind: &str) -> Option<ApiResource> {
    let kinds = [ApiResource::erase::<ReservationService>(&()), ApiResource::erase::<SeatingEvent>(&())];
    kinds.into_iter().find(|resource| resource.kind == kind)
}

fn conditions_of(object: &Value) -> Vec<Condition> {
    let all = object["status"]["conditions"].as_array();
    all.into_iter().flatten().filter_map(|one| serde_json::from_value(one.clone()).ok()).collect()
}

/// The three summaries. Those of steps stay as they were last.
fn conditions(fault: &Fault, before: &[Condition], generation: Option<i64>, now: &Time) -> Vec<Condition> {
    let summary = with_summary(Vec::new(), Some(&Stall::new(UNREADABLE, message(fault))));
    let summary: Vec<Finding> =
        summary.into_iter().filter(|finding| [READY, RECONCILING, STALLED].contains(&finding.kind)).collect();
    update(before, summary, generation, now)
}

fn message(fault: &Fault) -> String {
    format!(
        "{fault}. Nothing is done for this object until that is put right: take the field out or give it a value that \
         this version of the operator knows, or run the version that wrote it"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;

    fn read(mode: &str, generation: i64) -> Readable<ReservationService> {
        let mut service = serde_json::to_value(main_service()).unwrap();
        service["spec"]["auth"]["mode"] = json!(mode);
        service["metadata"]["generation"] = json!(generation);
        serde_json::from_value(service).unwrap()
    }

    fn untold(unreadable: &Unreadable) -> Vec<String> {
        unreadable.all().into_iter().filter(|(_, known)| !known.is_told).map(|(id, _)| id.2).collect()
    }

    #[test]
    fn each_fault_of_each_generation_is_told_once() {
        let unreadable = Unreadable::default();
        unreadable.note(&read("mutual", 1));
        assert_eq!(untold(&unreadable), ["main"]);
        let id = unreadable.all().into_keys().next().unwrap();
        unreadable.told(&id, &unreadable.all()[&id].fault);
        // The condition that was written comes back by the watch.
        unreadable.note(&read("mutual", 1));
        assert!(untold(&unreadable).is_empty());
        unreadable.note(&read("mutual", 2));
        assert_eq!(untold(&unreadable), ["main"]);
        unreadable.note(&read("header", 3));
        assert!(!unreadable.holds("ReservationService", &id.1, "main"));
    }

    #[test]
    fn the_conditions_say_which_field_and_what_to_do() {
        let fault = Fault { field: "spec.auth.mode".into(), problem: "unknown variant `mutual`".into() };
        let now = Time(jiff::Timestamp::UNIX_EPOCH);
        let all = conditions(&fault, &[], Some(3), &now);
        let status: Vec<_> = all.iter().map(|one| (one.type_.as_str(), one.status.as_str())).collect();
        assert_eq!(status, [(READY, "False"), (RECONCILING, "False"), (STALLED, "True")]);
        assert!(
            all[0].message.starts_with("spec.auth.mode: unknown variant `mutual`. "),
            "{}",
            all[0].message
        );
        assert_eq!(all[0].observed_generation, Some(3));
        assert_eq!(
            conditions(&fault, &all, Some(3), &Time(jiff::Timestamp::MAX)),
            all,
            "told again, nothing changes"
        );
    }
}
