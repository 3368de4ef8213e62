//! Which SeatingEvents a service has, as the watch of all of them tells: those of its namespace that name it. A watch that
//! has not seen all of them yet says nothing.

use std::collections::BTreeSet;
use std::sync::Arc;

use boxoffice_crds::{ReservationService, SeatingEvent};
use futures::FutureExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::ResourceExt;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::ApiResource;

use crate::api::{ApiError, timed};
use crate::context::Context;
use crate::seating_event::FINALIZER;
use crate::seating_event::slim::SlimSeatingEvent;

/// A SeatingEvent as far as its service minds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachedSeatingEvent {
    /// Its name.
    pub name: String,
    /// It is being deleted, and its sales are not closed yet.
    pub is_leaving: bool,
}

/// Those of `service`, by name; nothing while the watch has not seen all.
pub fn of(context: &Context, service: &ReservationService) -> Option<BTreeSet<AttachedSeatingEvent>> {
    let store = context.shows.get()?;
    let is_complete = store.wait_until_ready().now_or_never().is_some_and(|ready| ready.is_ok());
    is_complete.then(|| among(service, &store.state()))
}

/// Those of `service` among all that there are.
pub fn among(
    service: &ReservationService,
    shows: &[Arc<SlimSeatingEvent>],
) -> BTreeSet<AttachedSeatingEvent> {
    let names_it = |show: &&Arc<SlimSeatingEvent>| {
        show.namespace() == service.namespace() && show.spec.service_ref.name == service.name_any()
    };
    shows.iter().filter(names_it).map(|show| seen(&show.metadata)).collect()
}

fn seen(show: &ObjectMeta) -> AttachedSeatingEvent {
    let holds = show.finalizers.iter().flatten().any(|finalizer| finalizer == FINALIZER);
    AttachedSeatingEvent {
        name: show.name.clone().unwrap_or_default(),
        is_leaving: holds && show.deletion_timestamp.is_some(),
    }
}

/// Whether the API server itself has a SeatingEvent of this name that names the service, be it one that this version cannot
/// read: what is to be closed for want of one is looked up first.
pub async fn is_claimed(
    context: &Context,
    service: &ReservationService,
    name: &str,
) -> Result<bool, ApiError> {
    let show = timed("read a seating event", shows(context, service).get_opt(name)).await?;
    Ok(show.is_some_and(|show| names(&show, &service.name_any())))
}

fn names(show: &DynamicObject, service: &str) -> bool {
    show.data.pointer("/spec/serviceRef/name").and_then(serde_json::Value::as_str) == Some(service)
}

/// Those of `service` by the API server, where the watch has not seen all; also such that this version cannot read.
pub async fn listed(
    context: &Context,
    service: &ReservationService,
) -> Result<BTreeSet<AttachedSeatingEvent>, ApiError> {
    let api = shows(context, service);
    let list = timed("list the seating events", api.list(&ListParams::default())).await?;
    let mine = list.items.iter().filter(|show| names(show, &service.name_any()));
    Ok(mine.map(|show| seen(&show.metadata)).collect())
}

fn shows(context: &Context, service: &ReservationService) -> Api<DynamicObject> {
    let namespace = service.namespace().unwrap_or_default();
    Api::namespaced_with(context.client.clone(), &namespace, &ApiResource::erase::<SeatingEvent>(&()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use crate::seating_event::fixtures::show as arena_night;
    use boxoffice_crds::common::Time;
    use serde_json::json;

    fn show(name: &str, change: impl FnOnce(&mut SlimSeatingEvent)) -> Arc<SlimSeatingEvent> {
        let mut show = arena_night();
        show.metadata.name = Some(name.to_owned());
        show.metadata.finalizers = Some(vec![FINALIZER.to_owned()]);
        change(&mut show);
        Arc::new(show)
    }

    fn leaves(show: &mut SlimSeatingEvent) {
        show.metadata.deletion_timestamp = Some(Time(jiff::Timestamp::UNIX_EPOCH));
    }

    #[test]
    fn those_of_its_namespace_that_name_it_are_its_own() {
        let shows = [
            show("mine", |_| {}),
            show("elsewhere", |show| show.metadata.namespace = Some("other".into())),
            show("anothers", |show| show.spec.service_ref.name = "other".into()),
        ];
        let mine = AttachedSeatingEvent { name: "mine".into(), is_leaving: false };
        assert_eq!(among(&main_service(), &shows), [mine].into());
    }

    #[test]
    fn one_whose_sales_are_closed_leaves_no_more() {
        let closed = |show: &mut SlimSeatingEvent| {
            leaves(show);
            show.metadata.finalizers = Some(vec!["example.com/other".into()]);
        };
        let shows = [show("open", leaves), show("closed", closed)];
        let leaving: Vec<_> =
            among(&main_service(), &shows).into_iter().map(|show| show.is_leaving).collect();
        assert_eq!(leaving, [false, true]);
    }

    #[test]
    fn one_that_cannot_be_read_claims_too() {
        let object = |service: &str| -> DynamicObject {
            let spec = json!({"serviceRef": {"name": service}, "sections": "of a later version"});
            serde_json::from_value(json!({"metadata": {"name": "mine"}, "spec": spec})).unwrap()
        };
        assert!(names(&object("main"), "main") && !names(&object("other"), "main"));
    }
}
