//! The record of the topics that are a service's own: `ConfigMap` `<name>-retained`, without an owner reference.
//!
//! It is written before a topic is created and outlives the service, so that the same namespace and name takes its
//! topics up again, and nobody else's topic is ever taken for its own.

use std::collections::BTreeSet;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::core::v1::ConfigMap;
use kube::api::{Api, DeleteParams, ObjectMeta, Patch, PatchParams};
use kube::{Client, ResourceExt};

use super::names;
use crate::api::{ApiError, FIELD_MANAGER, beside, timed};

const TOPICS: &str = "topics";
const SERVICE: &str = "service";

/// The topics that the record names; empty where there is none.
pub async fn read(client: &Client, service: &ReservationService) -> Result<BTreeSet<String>, ApiError> {
    let api: Api<ConfigMap> = beside(client, service);
    let record = timed("read the record of topics", api.get_opt(&names::record(&service.name_any()))).await?;
    Ok(record.map(|record| parse(&record)).unwrap_or_default())
}

/// Replaces the record.
pub async fn write(
    client: &Client,
    service: &ReservationService,
    topics: &BTreeSet<String>,
) -> Result<(), ApiError> {
    let api: Api<ConfigMap> = beside(client, service);
    let (name, parameters) = (names::record(&service.name_any()), PatchParams::apply(FIELD_MANAGER).force());
    let record = build(service, topics);
    timed("write the record of topics", api.patch(&name, &parameters, &Patch::Apply(&record))).await?;
    Ok(())
}

/// Deletes the record.
pub async fn delete(client: &Client, service: &ReservationService) -> Result<(), ApiError> {
    let api: Api<ConfigMap> = beside(client, service);
    let name = names::record(&service.name_any());
    match timed("delete the record of topics", api.delete(&name, &DeleteParams::default())).await {
        Err(error) if !error.is_not_found() => Err(error),
        _ => Ok(()),
    }
}

/// The record that names `topics`.
pub fn build(service: &ReservationService, topics: &BTreeSet<String>) -> ConfigMap {
    let topics: Vec<_> = topics.iter().map(String::as_str).collect();
    let owner = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
    ConfigMap {
        metadata: ObjectMeta {
            name: Some(names::record(&service.name_any())),
            namespace: service.namespace(),
            labels: Some(names::labels(&service.name_any())),
            ..ObjectMeta::default()
        },
        data: Some([(SERVICE.to_owned(), owner), (TOPICS.to_owned(), topics.join("\n"))].into()),
        ..ConfigMap::default()
    }
}

/// Whether a `ConfigMap` of that name is the service's record.
pub fn is_of(service: &ReservationService, record: &ConfigMap) -> bool {
    let owner = record.data.as_ref().and_then(|data| data.get(SERVICE));
    let name = format!("{}/{}", service.namespace().unwrap_or_default(), service.name_any());
    owner.is_some_and(|owner| *owner == name)
}

fn parse(record: &ConfigMap) -> BTreeSet<String> {
    let topics = record.data.as_ref().and_then(|data| data.get(TOPICS));
    topics.map(|text| text.lines().map(str::to_owned).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;

    #[test]
    fn is_read_as_it_was_written_and_belongs_to_nobody() {
        let topics: BTreeSet<_> = ["seat-events".to_owned(), "stats-events".to_owned()].into();
        let record = build(&main_service(), &topics);
        assert_eq!(parse(&record), topics);
        assert!(record.metadata.owner_references.is_none());
        assert_eq!(record.data.unwrap()[SERVICE], "tickets/main");
    }

    #[test]
    fn another_config_map_of_that_name_is_no_record() {
        let service = main_service();
        assert!(is_of(&service, &build(&service, &["seat-events".to_owned()].into())));
        assert!(!is_of(&service, &ConfigMap::default()));
    }
}
