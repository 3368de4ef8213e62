//! A SeatingEvent as this process keeps it: who it is, how it is, and a digest of its definition. What the definition says,
//! which may be as large as a stadium, is read from the API server when it has to be given to a service.

use std::borrow::Cow;

use boxoffice_crds::common::{DeletionPolicy, Time};
use boxoffice_crds::seating_event::ServiceRef;
use boxoffice_crds::{SeatingEvent, SeatingEventStatus};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{ApiResource, ObjectMeta};
use kube::core::object::HasStatus;
use kube::{CustomResourceExt, Resource, ResourceExt};
use serde::Deserialize;

use super::build::build;

/// kubectl's copy of the resource.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// See the module.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "SeatingEvent")]
pub struct SlimSeatingEvent {
    /// Without what other programs keep there.
    pub metadata: ObjectMeta,
    /// What is kept of the spec.
    pub spec: SlimSpec,
    /// As it was written last.
    pub status: Option<SeatingEventStatus>,
}

/// What is kept of a spec.
#[derive(Clone, Debug, PartialEq)]
pub struct SlimSpec {
    /// The service that sells it.
    pub service_ref: ServiceRef,
    /// What becomes of its seats with it.
    pub deletion_policy: DeletionPolicy,
    /// The first moment at which a seat can be held.
    pub opens_at: Option<Time>,
    /// The first moment at which none can be held any more.
    pub closes_at: Time,
    /// [`digest`](boxoffice_domain::Definition::digest) of the definition.
    pub definition_hash: String,
}

impl From<SeatingEvent> for SlimSeatingEvent {
    fn from(event: SeatingEvent) -> Self {
        let SeatingEvent { mut metadata, spec, status } = event;
        metadata.managed_fields = None;
        if let Some(annotations) = &mut metadata.annotations {
            annotations.remove(LAST_APPLIED);
        }
        let definition_hash = build(&spec).digest();
        let slim = SlimSpec {
            service_ref: spec.service_ref,
            deletion_policy: spec.deletion_policy,
            opens_at: spec.sales.opens_at,
            closes_at: spec.sales.closes_at.unwrap_or(spec.starts_at),
            definition_hash,
        };
        Self { metadata, spec: slim, status }
    }
}

impl Resource for SlimSeatingEvent {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        SeatingEvent::kind(&())
    }

    fn group((): &()) -> Cow<'_, str> {
        SeatingEvent::group(&())
    }

    fn version((): &()) -> Cow<'_, str> {
        SeatingEvent::version(&())
    }

    fn plural((): &()) -> Cow<'_, str> {
        SeatingEvent::plural(&())
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

impl CustomResourceExt for SlimSeatingEvent {
    fn crd() -> CustomResourceDefinition {
        SeatingEvent::crd()
    }

    fn crd_name() -> &'static str {
        SeatingEvent::crd_name()
    }

    fn api_resource() -> ApiResource {
        SeatingEvent::api_resource()
    }

    fn shortnames() -> &'static [&'static str] {
        SeatingEvent::shortnames()
    }
}

impl HasStatus for SlimSeatingEvent {
    type Status = SeatingEventStatus;

    fn status(&self) -> Option<&SeatingEventStatus> {
        self.status.as_ref()
    }

    fn status_mut(&mut self) -> &mut Option<SeatingEventStatus> {
        &mut self.status
    }
}

impl SlimSeatingEvent {
    /// Namespace and name of the service that sells it.
    pub fn service(&self) -> (String, String) {
        (self.namespace().unwrap_or_default(), self.spec.service_ref.name.clone())
    }

    /// Its own namespace and name.
    pub fn key(&self) -> (String, String) {
        (self.namespace().unwrap_or_default(), self.name_any())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seating_event::fixtures::{arena_night, show};

    #[test]
    fn it_is_read_as_the_resource_and_keeps_a_digest_of_what_is_large() {
        let mut event = arena_night();
        event.annotations_mut().insert(LAST_APPLIED.into(), "x".repeat(100_000));
        event.annotations_mut().insert("boxoffice.dev/paused".into(), "true".into());
        let read: SlimSeatingEvent = serde_json::from_value(serde_json::to_value(&event).unwrap()).unwrap();
        assert_eq!(read.spec, show().spec);
        assert_eq!(read.spec.definition_hash, build(&event.spec).digest());
        assert_eq!(read.annotations().len(), 1, "{:?}", read.annotations());
        assert_eq!(SlimSeatingEvent::kind(&()), "SeatingEvent");
        event.spec.title = "Arena Day".into();
        assert_ne!(SlimSeatingEvent::from(event).spec.definition_hash, read.spec.definition_hash);
    }

    #[test]
    fn sales_close_when_the_show_begins_unless_it_says_otherwise() {
        let mut event = arena_night();
        assert_eq!(SlimSeatingEvent::from(event.clone()).spec.closes_at, event.spec.starts_at);
        let closes_at: Time = "2026-12-01T00:00:00Z".parse().map(Time).unwrap();
        event.spec.sales.closes_at = Some(closes_at.clone());
        assert_eq!(SlimSeatingEvent::from(event).spec.closes_at, closes_at);
    }
}
