//! The objects that this version cannot read: remembered while they are there, and told once each ([`telling`]). Nothing
//! reconciles them meanwhile.

pub mod telling;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};
use tokio::sync::Notify;

use super::readable::{Fault, Readable};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use boxoffice_crds::ReservationService;
    use serde_json::json;

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
}
