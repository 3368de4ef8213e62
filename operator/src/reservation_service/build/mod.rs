//! From a valid service to everything it needs. Pure: `boxoffice plan` and `boxoffice local` share it (I11).
//!
//! One file a part: `settings` (a `ConfigMap` a worker), `kafka` (how workers are admitted to it), `tls`
//! (certificates), `workload` (Deployments and their budgets), `network` (Services and policies). It knows nothing of
//! what the cluster has; `apply` compares.

mod env;
mod kafka;
mod network;
mod settings;
pub mod tls;
mod workload;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::ServiceAccount;
use kube::api::{DynamicObject, ObjectMeta};
use serde::Serialize;

use super::names;
use super::validate::ValidatedService;
use crate::kafka::topics::Adoption;
use crate::kafka::{Group, Topic};

/// Port of buyers' commands.
const COMMAND_PORT: i32 = 8080;
/// Port of buyers' queries.
const QUERY_PORT: i32 = 8081;
/// Port of the admin API of the command worker, and of that of the query worker.
const ADMIN_PORT: i32 = 8082;
/// Port of probes and metrics.
const METRICS_PORT: i32 = 9090;

/// Everything a ReservationService needs.
#[derive(Clone, Debug, PartialEq)]
pub struct DesiredState {
    /// What the workers rely on: applied first.
    pub objects: Vec<DynamicObject>,
    /// Topics, before groups.
    pub topics: Vec<Topic>,
    /// What to do about topics that exist already.
    pub adoption: Adoption,
    /// Consumer groups, before workloads.
    pub groups: Vec<Group>,
    /// What each worker is told: applied with the Deployments, so that no pod reads it before its time.
    pub settings: Vec<DynamicObject>,
    /// The Deployments: applied last.
    pub workloads: Vec<DynamicObject>,
    /// The groups that the worker of each Deployment reads in: it does not start before they are there.
    pub needs: BTreeMap<String, Vec<String>>,
    /// Those of them whose number of pods is somebody else's once they are there.
    pub scaled_elsewhere: BTreeSet<String>,
}

impl DesiredState {
    /// Every object, in the order in which they are applied.
    pub fn all(&self) -> impl Iterator<Item = &DynamicObject> {
        self.objects.iter().chain(&self.settings).chain(&self.workloads)
    }
}

/// Builds it.
pub fn build(service: &ValidatedService) -> Result<DesiredState, serde_json::Error> {
    let workers = workload::workers(service);
    let mut objects = vec![object(ServiceAccount {
        metadata: meta(service, service.name.clone()),
        automount_service_account_token: Some(false),
        ..ServiceAccount::default()
    })?];
    for built in network::services(service) {
        objects.push(object(built)?);
    }
    for built in network::policies(service) {
        objects.push(object(built)?);
    }
    for worker in &workers {
        objects.push(object(workload::disruption_budget(service, worker))?);
    }
    let settings = workers.iter().map(|worker| object(&worker.settings)).collect::<Result<_, _>>()?;
    let workloads = workers
        .iter()
        .map(|worker| object(workload::deployment(service, worker)))
        .collect::<Result<_, _>>()?;
    let scaled_elsewhere = workers.iter().filter(|worker| worker.is_scaled_elsewhere);
    let scaled_elsewhere = scaled_elsewhere.map(|worker| names::worker(&service.name, &worker.component));
    Ok(DesiredState {
        objects,
        topics: service.topics.clone(),
        adoption: service.adoption,
        groups: service
            .consumers
            .iter()
            .map(|consumer| &consumer.group)
            .chain(&service.payments_group)
            .cloned()
            .collect(),
        settings,
        workloads,
        needs: workers.iter().map(|worker| worker.needs(&service.name)).collect(),
        scaled_elsewhere: scaled_elsewhere.collect(),
    })
}

/// Metadata of an object that the service owns.
fn meta(service: &ValidatedService, name: String) -> ObjectMeta {
    ObjectMeta {
        name: Some(name),
        namespace: Some(service.namespace.clone()),
        labels: Some(names::labels(&service.name)),
        owner_references: service.owner.clone().map(|owner| vec![owner]),
        ..ObjectMeta::default()
    }
}

/// Metadata of an object that belongs to one worker.
fn worker_meta(service: &ValidatedService, component: &str) -> ObjectMeta {
    let mut meta = meta(service, names::worker(&service.name, component));
    meta.labels.get_or_insert_default().extend(names::selector(&service.name, component));
    meta
}

fn object(typed: impl Serialize) -> Result<DynamicObject, serde_json::Error> {
    serde_json::from_value(serde_json::to_value(typed)?)
}

#[cfg(test)]
#[path = "../build_tests.rs"]
mod tests;
