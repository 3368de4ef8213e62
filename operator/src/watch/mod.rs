//! What both controllers watch: the kinds themselves, and what was made for them, in the namespaces of [`Scope`].
//!
//! `observed` tells when a watch lives and when it does not, `readable` sets objects aside that this version cannot read,
//! `merge` makes one stream of a watch a namespace. A watch that fails is named, tried again, and delays no other one:
//! none of its errors reaches a controller.

pub mod scope;

pub mod health;
pub mod observed;

pub mod readable;
pub mod unreadable;

pub mod retry;

mod merge;

use std::fmt::Debug;
use std::sync::Arc;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::core::PartialObjectMeta;
use kube::runtime::reflector::store::Writer;
use kube::runtime::watcher::{self, Event};
use kube::runtime::{Predicate, PredicateConfig, WatchStreamExt, predicates, watcher as watch};
use kube::{Client, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use self::health::{Health, Part};
use self::merge::{Merge, Told};
use self::observed::observed;
use self::readable::Readable;
use self::retry::Retry;
use self::scope::Scope;
use self::unreadable::Unreadable;

/// Where to watch, and whom to tell how that goes.
#[derive(Clone)]
pub struct Watches {
    client: Client,
    scope: Scope,
    health: Arc<Health>,
    unreadable: Arc<Unreadable>,
}

impl Watches {
    /// Watches in `scope`.
    pub fn new(client: Client, scope: Scope, health: Arc<Health>, unreadable: Arc<Unreadable>) -> Self {
        Self { client, scope, health, unreadable }
    }

    /// Objects that changed in a way that matters: their spec, finalizers or annotations, not their status. The store
    /// behind `writer` sees every change, and is whole once every namespace was listed. The process is ready while
    /// these watches live.
    pub fn roots<K>(
        &self,
        name: &'static str,
        writer: Writer<K>,
    ) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let changed = predicates::generation.combine(predicates::finalizers).combine(predicates::annotations);
        let namespaces: Vec<_> =
            self.scope.namespaces().into_iter().map(|namespace| namespace.map(str::to_owned)).collect();
        let merge = Merge::new(namespaces.clone(), writer.as_reader(), Arc::clone(&self.unreadable));
        let parts = namespaces
            .iter()
            .map(|namespace| self.health.root(name, namespace.as_deref().unwrap_or_default()));
        let parts: Vec<_> = parts.collect();
        let each = parts.into_iter().zip(namespaces).enumerate().map(|(index, (part, namespace))| {
            let events = self.one::<Readable<K>>(namespace.as_deref(), part, watcher::Config::default());
            events.map(move |told| (index, told)).boxed()
        });
        stream::select_all(each.collect::<Vec<BoxStream<'static, _>>>())
            .scan(merge, |merge, (watch, told)| {
                std::future::ready(Some(stream::iter(merge.step(watch, told))))
            })
            .flatten()
            .map(Ok)
            .reflect(writer)
            .applied_objects()
            .predicate_filter(changed, PredicateConfig::default())
    }

    /// Metadata of what was made for them, of objects with these labels, whatever happened to it.
    pub fn children<K>(
        &self,
        name: &'static str,
        labels: &str,
    ) -> impl Stream<Item = Result<PartialObjectMeta<K>, watcher::Error>> + Send + use<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + Sync
            + 'static,
    {
        let config = watcher::Config::default().labels(labels);
        let each = self.scope.namespaces().into_iter().map(|namespace| {
            let part = self.health.child(name, namespace.unwrap_or_default());
            self.one::<PartialObjectMeta<K>>(namespace, part, config.clone()).boxed()
        });
        stream::select_all(each.collect::<Vec<_>>())
            .filter_map(|told| {
                std::future::ready(match told {
                    Told::Happened(event) => Some(Ok(event)),
                    Told::Forbidden => None,
                })
            })
            .touched_objects()
    }

    /// One watch. Its failures are told to `part`, and it is tried again.
    fn one<K>(
        &self,
        namespace: Option<&str>,
        part: Part,
        config: watcher::Config,
    ) -> impl Stream<Item = Told<K>> + Send + use<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>
            + Clone
            + Debug
            + DeserializeOwned
            + Send
            + 'static,
    {
        let part = Arc::new(part);
        let client = observed(&self.client, Arc::clone(&part));
        watch(Scope::api::<K>(client, namespace), config)
            .modify(|object| object.managed_fields_mut().clear())
            .backoff(Retry::default())
            .filter_map(move |result| {
                let told = match result {
                    Ok(Event::InitDone) => {
                        part.lives();
                        Some(Told::Happened(Event::InitDone))
                    }
                    Ok(event) => Some(Told::Happened(event)),
                    Err(error) => {
                        part.interrupted(&error.to_string());
                        is_forbidden(&error).then_some(Told::Forbidden)
                    }
                };
                std::future::ready(told)
            })
    }
}

/// Whether the list itself was refused: the namespace's objects are not for this operator, now.
fn is_forbidden(error: &watcher::Error) -> bool {
    match error {
        watcher::Error::InitialListFailed(kube::Error::Api(status)) => status.is_forbidden(),
        _ => false,
    }
}
