//! Carries the desired state out, in the order that matters: settings, topics, consumer groups, workloads.

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::WORKERS_READY;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};
use uuid::Uuid;

use super::build::DesiredState;
use super::children::Children;
use super::credentials::Credentials;
use super::names;
use super::outbox;
use super::outcome::Outcome;
use super::split;
use super::topics::{self, Declared};
use super::whose::{is_ours, name_taken};
use super::workers::{self, Workers};
use crate::admin::{Outbox, Stores};
use crate::api::{ApiError, beside, timed};
use crate::conditions::{Finding, Stall};
use crate::context::Context;
use crate::kafka::KafkaError;
use crate::kafka::converge::Knowledge;

/// How far a reconcile came.
#[derive(Debug, Default)]
pub struct Applied {
    /// Topics and groups, once the settings were there.
    pub declared: Option<Declared>,
    /// What of the objects is not as wanted.
    pub outcome: Outcome,
    /// The workers, once they could be looked at.
    pub workers: Workers,
    /// What waits for Kafka, where a command worker said it.
    pub outbox: Option<Outbox>,
    /// What command workers said about their Redis, each for itself; nothing where none did.
    pub stores: Option<Vec<Stores>>,
    /// The Deployments that should be there; none while the service is being deleted.
    pub wanted: Vec<String>,
    /// The API server's failure that ended it.
    pub error: Option<ApiError>,
}

/// Applies what drifted and removes what is no longer wanted; `known` is what it knows of its topics, and `kafka` how
/// it reaches them. A failure ends it, and is part of the result. Nothing is written where a name is somebody else's.
pub async fn apply(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    known: Knowledge,
    kafka: Result<Credentials, KafkaError>,
) -> Result<Applied, Stall> {
    let mut applied = Applied {
        wanted: desired.workloads.iter().map(ResourceExt::name_any).collect(),
        ..Applied::default()
    };
    match carry_out(context, service, desired, known, kafka, &mut applied).await {
        Ok(None) => {}
        Ok(Some(stall)) => return Err(stall),
        Err(error) => applied.error = Some(error),
    }
    Ok(applied)
}

async fn carry_out(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    known: Knowledge,
    kafka: Result<Credentials, KafkaError>,
    applied: &mut Applied,
) -> Result<Option<Stall>, ApiError> {
    let mut children = Children::look(context, service).await?;
    let taken = children.claim(desired.all()).await?;
    let taken = if taken.is_none() { ensure_admin_token(&context.client, service).await? } else { taken };
    if taken.is_some() {
        return Ok(taken);
    }
    let elsewhere = &desired.scaled_elsewhere;
    children.apply(context, &desired.objects, elsewhere, &mut applied.outcome).await?;
    let declared = topics::declare(context, service, desired, known, kafka).await?;
    let may_start = declared.is_complete();
    applied.declared = Some(declared);
    if may_start {
        children.apply(context, &desired.settings, elsewhere, &mut applied.outcome).await?;
        children.apply(context, &desired.workloads, elsewhere, &mut applied.outcome).await?;
        children.prune(context, desired.all()).await?;
    }
    let deployments = children.deployments();
    children.keep(context);
    applied.workers = workers::look(context, service, deployments).await?;
    applied.outbox = outbox::look(context, service, &applied.workers).await?;
    applied.stores = split::look(context, service, &applied.workers).await?;
    Ok(None)
}

/// The token is made once and never written again: workers and operator read it from the Secret. Gives the stall where a
/// Secret of that name is somebody else's.
async fn ensure_admin_token(
    client: &Client,
    service: &ReservationService,
) -> Result<Option<Stall>, ApiError> {
    let api: Api<Secret> = beside(client, service);
    let name = names::admin_token(&service.name_any());
    if let Some(secret) = timed("read the admin token", api.get_opt(&name)).await? {
        let is_other = !is_ours(service, &secret.metadata);
        return Ok(is_other.then(|| name_taken(service, "Secret", &secret.metadata)));
    }
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let secret = Secret {
        metadata: ObjectMeta {
            name: Some(name),
            namespace: service.namespace(),
            labels: Some(names::labels(&service.name_any())),
            owner_references: service.controller_owner_ref(&()).map(|owner| vec![owner]),
            ..ObjectMeta::default()
        },
        string_data: Some([(names::ADMIN_TOKEN_KEY.to_owned(), token)].into()),
        ..Secret::default()
    };
    match timed("create the admin token", api.create(&PostParams::default(), &secret)).await {
        Err(error) if !error.is_conflict() => Err(error),
        _ => Ok(None),
    }
}

impl Applied {
    /// The conditions of every step.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.declared.iter().flat_map(Declared::findings).collect();
        findings.extend(match &self.error {
            Some(error) => Some(Finding::unmet(WORKERS_READY, "ApplyFailed", error.to_string())),
            None if self.wanted.is_empty() => None,
            None => Some(self.workers.finding(&self.wanted)),
        });
        findings
    }
}
