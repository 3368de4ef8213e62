//! The record of the topics that are a service's own: `ConfigMap` `<name>-retained`, without an owner reference, and without
//! a label that tools prune by.
//!
//! It is written before a topic is created and outlives the service, so that the same namespace and name takes its
//! topics up again, and nobody else's topic is ever taken for its own.

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::runtime::reflector::ObjectRef;
use kube::{Client, Resource, ResourceExt};
use tokio::time::Instant;

use super::names;
use super::ownership::name_taken;
use crate::api::{ApiError, FIELD_MANAGER, beside, timed};
use crate::conditions::Stall;
use crate::context::{Context, key};

/// The names alone, which is all that versions before ids read.
const TOPICS: &str = "topics";
/// `name=id`, a line a topic whose id is known.
const IDS: &str = "ids";
const SERVICE: &str = "service";

/// Topics by name, each with its id as soon as that is known.
pub type Record = BTreeMap<String, Option<String>>;

/// The topics that the record names; empty where there is none, or one of somebody else's.
pub async fn read(client: &Client, service: &ReservationService) -> Result<Record, ApiError> {
    let found = get(client, service).await?.filter(|found| is_ours(service, found));
    Ok(found.as_ref().map(parse).unwrap_or_default())
}

async fn get(client: &Client, service: &ReservationService) -> Result<Option<ConfigMap>, ApiError> {
    let api: Api<ConfigMap> = beside(client, service);
    timed("read the record of topics", api.get_opt(&names::record(&service.name_any()))).await
}

/// The same from memory, where no watch told that it changed, or the stall where that name is somebody else's. One that lost
/// the label by which it is watched, or never had it, gets it: what becomes of it would not be told.
pub async fn known(
    context: &Context,
    service: &ReservationService,
) -> Result<Result<Record, Stall>, ApiError> {
    let (key, now) = (key(service), Instant::now());
    let (known, mark) = context.memory.record(&key, now);
    if let Some(record) = known {
        return Ok(Ok(record));
    }
    let found = get(&context.client, service).await?;
    if let Some(other) = found.as_ref().filter(|found| !is_ours(service, found)) {
        return Ok(Err(name_taken(service, "ConfigMap", &other.metadata)));
    }
    let record = found.as_ref().map(parse).unwrap_or_default();
    if found.is_some_and(|found| is_of(service, &found) && !is_watched(service, &found)) {
        write(&context.client, service, &record).await?;
    }
    context.memory.keep_record(&key, record.clone(), mark, now);
    Ok(Ok(record))
}

/// Replaces the record.
pub async fn write(client: &Client, service: &ReservationService, topics: &Record) -> Result<(), ApiError> {
    let api: Api<ConfigMap> = beside(client, service);
    let (name, parameters) = (names::record(&service.name_any()), PatchParams::apply(FIELD_MANAGER).force());
    let record = build(service, topics);
    timed("write the record of topics", api.patch(&name, &parameters, &Patch::Apply(&record))).await?;
    Ok(())
}

/// Deletes the record, where it is the service's.
pub async fn delete(client: &Client, service: &ReservationService) -> Result<(), ApiError> {
    let found = get(client, service).await?;
    if found.is_none_or(|found| !is_ours(service, &found)) {
        return Ok(());
    }
    let api: Api<ConfigMap> = beside(client, service);
    let name = names::record(&service.name_any());
    match timed("delete the record of topics", api.delete(&name, &DeleteParams::default())).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// The record that names `topics`.
pub fn build(service: &ReservationService, topics: &Record) -> ConfigMap {
    let names: Vec<_> = topics.keys().map(String::as_str).collect();
    let ids = topics.iter().filter_map(|(name, id)| Some(format!("{name}={}", id.as_deref()?)));
    let ids: Vec<_> = ids.collect();
    let owner = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
    let mut data = BTreeMap::from([(SERVICE.to_owned(), owner), (TOPICS.to_owned(), names.join("\n"))]);
    if !ids.is_empty() {
        data.insert(IDS.to_owned(), ids.join("\n"));
    }
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::record(&service.name_any())),
            namespace: service.namespace(),
            labels: Some([(names::RECORD_OF.to_owned(), service.name_any())].into()),
            ..ObjectMeta::default()
        },
        data: Some(data),
        ..ConfigMap::default()
    }
}

/// Whether a `ConfigMap` of that name is the service's record: what somebody changed in it does not make it another's.
pub fn is_ours(service: &ReservationService, record: &ConfigMap) -> bool {
    is_of(service, record) || is_watched(service, record)
}

/// Whether it says so itself.
fn is_of(service: &ReservationService, record: &ConfigMap) -> bool {
    let owner = record.data.as_ref().and_then(|data| data.get(SERVICE));
    let name = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
    owner.is_some_and(|owner| *owner == name)
}

/// The service whose record that is, as its label says.
pub fn service_of(record: &impl Resource<DynamicType = ()>) -> Option<ObjectRef<ReservationService>> {
    let name = record.labels().get(names::RECORD_OF)?;
    Some(ObjectRef::new(name).within(&record.namespace().unwrap_or_default()))
}

/// Whether what becomes of it is told to the service.
fn is_watched(service: &ReservationService, record: &ConfigMap) -> bool {
    service_of(record).is_some_and(|of| of == ObjectRef::from(service))
}

fn parse(record: &ConfigMap) -> Record {
    let lines = |key: &str| {
        let text = record.data.as_ref().and_then(|data| data.get(key));
        text.into_iter().flat_map(|text| text.lines()).map(str::trim).filter(|line| !line.is_empty())
    };
    let mut topics: Record = lines(TOPICS).map(|name| (name.to_owned(), None)).collect();
    for (name, id) in lines(IDS).filter_map(|line| line.split_once('=')) {
        if let Some(known) = topics.get_mut(name) {
            *known = Some(id.to_owned());
        }
    }
    topics
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;

    #[test]
    fn is_read_as_it_was_written_and_belongs_to_nobody() {
        let topics: Record =
            [("seat-events".to_owned(), Some("a-b_c".to_owned())), ("stats-events".to_owned(), None)].into();
        let record = build(&main_service(), &topics);
        assert_eq!(parse(&record), topics);
        assert!(record.metadata.owner_references.is_none());
        assert_eq!(record.data.as_ref().unwrap()[SERVICE], "tickets/main");
        assert_eq!(record.data.unwrap()[TOPICS], "seat-events\nstats-events", "as versions before read it");
    }

    #[test]
    fn one_of_a_version_before_names_no_ids() {
        let mut record = build(&main_service(), &[("seat-events".to_owned(), None)].into());
        assert!(!record.data.as_ref().unwrap().contains_key(IDS));
        record.data.as_mut().unwrap().insert(IDS.to_owned(), "another=x\nseat-events=first".to_owned());
        assert_eq!(parse(&record), [("seat-events".to_owned(), Some("first".to_owned()))].into());
    }

    #[test]
    fn carries_no_label_that_tools_prune_by() {
        let labels = build(&main_service(), &Record::new()).metadata.labels.unwrap();
        assert_eq!(labels, [("boxoffice.dev/record-of".to_owned(), "main".to_owned())].into());
    }

    #[test]
    fn tells_whose_it_is_unless_the_label_was_taken_away() {
        let service = main_service();
        let mut record = build(&service, &Record::new());
        assert!(is_watched(&service, &record));
        assert_eq!(service_of(&record).unwrap().namespace.as_deref(), Some("tickets"));
        record.labels_mut().insert(names::RECORD_OF.to_owned(), "other".to_owned());
        assert!(!is_watched(&service, &record));
        record.labels_mut().clear();
        assert_eq!(service_of(&record), None);
        assert!(!is_watched(&service, &record) && is_of(&service, &record));
    }

    #[test]
    fn another_config_map_of_that_name_is_no_record() {
        let service = main_service();
        let mut record = build(&service, &[("seat-events".to_owned(), None)].into());
        assert!(is_ours(&service, &record));
        record.data = None;
        assert!(is_ours(&service, &record), "it is labelled");
        record.labels_mut().insert(names::RECORD_OF.to_owned(), "other".to_owned());
        assert!(!is_ours(&service, &record));
        assert!(!is_ours(&service, &ConfigMap::default()));
    }
}
