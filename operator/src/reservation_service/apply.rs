//! Carries the desired state out, in the order that matters: settings, topics, consumer groups, workloads.

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::WORKERS_READY;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, ObjectMeta, PostParams};
use kube::{Client, Resource, ResourceExt};
use uuid::Uuid;

use super::build::DesiredState;
use super::children::Children;
use super::names;
use super::outbox;
use super::split;
use super::topics::{self, Declared, Surroundings};
use super::workers::{self, Workers};
use crate::admin::{Outbox, Stores};
use crate::api::{ApiError, beside, timed};
use crate::conditions::Finding;
use crate::context::Context;

/// How far a reconcile came.
#[derive(Debug, Default)]
pub struct Applied {
    /// Topics and groups as they were last seen; nothing where nobody has looked yet.
    pub declared: Option<Declared>,
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

/// Applies what drifted and removes what is no longer wanted; `kafka` is what it knows of its topics and how it reaches
/// them. A failure ends it, and is part of the result.
pub async fn apply(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    kafka: Surroundings,
) -> Applied {
    let mut applied = Applied {
        wanted: desired.workloads.iter().map(ResourceExt::name_any).collect(),
        ..Applied::default()
    };
    if let Err(error) = carry_out(context, service, desired, kafka, &mut applied).await {
        applied.error = Some(error);
    }
    applied
}

async fn carry_out(
    context: &Context,
    service: &ReservationService,
    desired: &DesiredState,
    kafka: Surroundings,
    applied: &mut Applied,
) -> Result<(), ApiError> {
    ensure_admin_token(&context.client, service).await?;
    let mut children = Children::list(&context.client, service).await?;
    children.apply(&desired.objects).await?;
    applied.declared = topics::declare(context, service, desired, kafka).await?;
    let is_running = !children.deployments().is_empty();
    if topics::may_start(applied.declared.as_ref(), service, desired, is_running) {
        children.apply(&desired.workloads).await?;
        children.prune(&[&desired.objects, &desired.workloads]).await?;
    }
    applied.workers = workers::look(context, service, children.deployments()).await?;
    applied.outbox = outbox::look(context, service, &applied.workers).await?;
    applied.stores = split::look(context, service, &applied.workers).await?;
    Ok(())
}

/// The token is made once and never written again: workers and operator read it from the Secret.
async fn ensure_admin_token(client: &Client, service: &ReservationService) -> Result<(), ApiError> {
    let api: Api<Secret> = beside(client, service);
    let name = names::admin_token(&service.name_any());
    if timed("read the admin token", api.get_opt(&name)).await?.is_some() {
        return Ok(());
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
        _ => Ok(()),
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
