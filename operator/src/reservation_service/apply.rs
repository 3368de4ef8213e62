//! Carries the desired state out, in the order that matters: Secrets, settings, workloads whose topics and groups were seen
//! before, workloads that start for the first time once topics and groups are there. Then it looks how all of that is.

use std::collections::BTreeMap;
use std::time::Instant;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::{SECRETS_READY, WORKERS_READY};
use boxoffice_crds::reservation_service::ReservationServiceStatus;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::DynamicObject;

use super::build::DesiredState;
use super::children::Children;
use super::contents::{self, Contents, annotate};
use super::names;
use super::outbox;
use super::outcome::Outcome;
use super::pods;
use super::split;
use super::token_secret::{self, Kept};
use super::tokens;
use super::topics::{self, Declared, Surroundings};
use super::unclaimed::{self, Unclaimed};
use super::workers::{self, Workers};
use crate::admin::{AdminError, Outbox, PodAnswer, Stores, Target};
use crate::api::ApiError;
use crate::conditions::{Finding, Stall};
use crate::context::Context;
use crate::notices::Notice;
use crate::seating_event::inventories::Answering;

/// How far a reconcile came.
#[derive(Debug, Default)]
pub struct Applied {
    /// What the workers read from Secrets, once that was looked at.
    pub secrets: Option<Finding>,
    /// Topics and groups as they were last seen; nothing where nobody has looked yet.
    pub declared: Option<Declared>,
    /// What of the objects is not as wanted.
    pub outcome: Outcome,
    /// The workers, once they could be looked at.
    pub workers: Workers,
    /// What waits for Kafka, where a command worker said it.
    pub outbox: Option<Outbox>,
    /// What command workers said about their Redis, each for itself; nothing where none did.
    pub stores: Option<Vec<Stores>>,
    /// What no SeatingEvent claims, where it was looked at.
    pub unclaimed: Option<Unclaimed>,
    /// Whether the command worker answers what is asked about shows; nothing where it was not looked.
    pub answering: Option<Answering>,
    /// The Deployments that should be there; none while the service is being deleted.
    pub wanted: Vec<String>,
    /// What was done besides.
    pub deeds: Vec<Notice>,
    /// Why the API server will not take what was asked, where that ended it.
    pub refused: Option<Stall>,
    /// The API server's failure that ended it.
    pub error: Option<ApiError>,
}

/// Applies what drifted and removes what is no longer wanted; `kafka` is what it knows of its topics and how it reaches
/// them. A failure ends it, and is part of the result. Nothing is written where a name is somebody else's.
pub async fn apply(
    context: &Context,
    service: &ReservationService,
    desired: DesiredState,
    kafka: Surroundings,
) -> Result<Applied, Stall> {
    let mut applied = Applied {
        wanted: desired.workloads.iter().map(ResourceExt::name_any).collect(),
        answering: Some(
            context.inventories.answering(&(service.namespace().unwrap_or_default(), service.name_any())),
        ),
        ..Applied::default()
    };
    match carry_out(context, service, desired, kafka, &mut applied).await {
        Ok(None) => {}
        Ok(Some(stall)) => return Err(stall),
        Err(error) => {
            applied.refused = refused(&error);
            applied.error = Some(error);
        }
    }
    Ok(applied)
}

/// What only a person can settle, where the API server will not take what was asked.
fn refused(error: &ApiError) -> Option<Stall> {
    let message = format!(
        "{error}: change what the resource asks for, or have it allowed: by a quota, an admission policy, or the operator's role",
    );
    error.refusal().map(|_| Stall::new("ObjectRefused", message))
}

async fn carry_out(
    context: &Context,
    service: &ReservationService,
    mut desired: DesiredState,
    kafka: Surroundings,
    applied: &mut Applied,
) -> Result<Option<Stall>, ApiError> {
    let mut children = Children::look(context, service).await?;
    if let Some(taken) = children.claim(desired.all()).await? {
        return Ok(Some(taken));
    }
    let live = children.deployments();
    let pods = pods::listing::list(context, service, &live).await?;
    let Kept { mark, problem, deeds, taken } = token_secret::keep(context, service, &live, &pods).await?;
    applied.deeds.extend(deeds);
    if taken.is_some() {
        return Ok(taken);
    }
    let contents = contents::read(context, service, &desired.workloads, &live).await?;
    applied.deeds.extend(contents.deed());
    applied.secrets = Some(secrets(service, &contents, problem));
    for workload in &mut desired.workloads {
        contents.mark(workload);
        mark_token(workload, mark.as_deref(), &live);
    }
    let (seen, new): (Vec<_>, Vec<_>) = desired.workloads.iter().cloned().partition(|workload| {
        let groups = desired.needs.get(&workload.name_any());
        has_been_seen(service.status.as_ref(), groups.map(Vec::as_slice).unwrap_or_default())
    });
    applied.declared = topics::declare(context, service, &desired, kafka).await?;
    let declared = applied.declared.as_ref();
    let (is_complete, may_begin) =
        (declared.is_some_and(Declared::is_complete), topics::may_begin(declared, service));
    let can_start = |workload: &DynamicObject| {
        let name = workload.name_any();
        live.contains_key(&name) || (may_begin && !contents.holds_back(&name))
    };
    let startable =
        |workloads: Vec<DynamicObject>| workloads.into_iter().filter(&can_start).collect::<Vec<_>>();
    let elsewhere = &desired.scaled_elsewhere;
    for objects in [&desired.objects, &desired.settings, &startable(seen)] {
        children.apply(context, objects, elsewhere, &mut applied.outcome).await?;
    }
    children.prune(context, desired.all()).await?;
    if is_complete {
        children.apply(context, &startable(new), elsewhere, &mut applied.outcome).await?;
    }
    let deployments = children.deployments();
    children.keep(context);
    look(context, service, deployments, &pods, applied).await;
    applied.unclaimed = unclaimed::look(context, service, &applied.workers).await?;
    Ok(None)
}

/// Which tokens the pods of a worker that reads the token take; what it said before where the Secret holds nothing of use.
fn mark_token(workload: &mut DynamicObject, mark: Option<&str>, live: &BTreeMap<String, Deployment>) {
    let component = workload.labels().get(names::COMPONENT).map(String::as_str);
    if !matches!(component, Some(names::COMMAND | names::QUERY)) {
        return;
    }
    let before = live.get(&workload.name_any()).and_then(token_secret::template_mark);
    if let Some(mark) = mark.or(before) {
        annotate(workload, tokens::MARK, mark);
    }
}

/// Whether the topics and the `groups` of a worker were there once: then it is healed, scaled and rolled back whatever Kafka
/// does.
fn has_been_seen(status: Option<&ReservationServiceStatus>, groups: &[String]) -> bool {
    let Some(status) = status else { return false };
    let is_known = |group: &String| status.consumer_groups.iter().any(|known| known.name == *group);
    status.topic.is_some() && groups.iter().all(is_known)
}

/// The condition of the Secrets: what is lost of those that are named, or else what is wrong with the admin token.
fn secrets(service: &ReservationService, contents: &Contents, problem: Option<String>) -> Finding {
    let finding = contents.finding(&service.namespace().unwrap_or_default());
    match problem {
        Some(problem) if finding.met => Finding::unmet(SECRETS_READY, "AdminTokenUnusable", problem),
        Some(_) | None => finding,
    }
}

/// Asks the pods, all at once.
async fn look(
    context: &Context,
    service: &ReservationService,
    deployments: BTreeMap<String, Deployment>,
    pods: &[Pod],
    applied: &mut Applied,
) {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let command = deployments.get(&names::worker(&name, names::COMMAND)).map(workers::counts);
    let token = context.tokens.shown(&(namespace.clone(), name.clone()), Instant::now()).flatten();
    let target = token.filter(|_| command.is_some()).map(|token| Target { namespace, service: name, token });
    let outbox = async {
        let target = target.as_ref().filter(|_| command.as_ref().is_some_and(|counts| counts.ready > 0))?;
        Some(outbox::look(context, target).await)
    };
    let stores = async {
        match &target {
            Some(target) => split::look(context, target, pods).await,
            None => Vec::new(),
        }
    };
    let workers = workers::look(context, service, deployments, pods);
    let (workers, outbox, stores) = tokio::join!(workers, outbox, stores);
    if is_refused(outbox.as_ref(), &stores) && applied.secrets.as_ref().is_some_and(|secrets| secrets.met) {
        applied.secrets = Some(token_refused(service));
    }
    applied.workers = workers;
    applied.outbox = outbox.and_then(Result::ok);
    let told = stores.into_iter().filter_map(|answer| match answer {
        PodAnswer::Stores(stores) => Some(stores),
        PodAnswer::TokenRefused | PodAnswer::Silent => None,
    });
    applied.stores = Some(told.collect::<Vec<_>>()).filter(|told| !told.is_empty());
}

/// Whether any command worker does not take the token that it was shown.
fn is_refused(outbox: Option<&Result<Outbox, AdminError>>, stores: &[PodAnswer]) -> bool {
    stores.contains(&PodAnswer::TokenRefused)
        || matches!(outbox, Some(Err(AdminError::Refused { status: 401, .. })))
}

fn token_refused(service: &ReservationService) -> Finding {
    let (name, namespace) = (service.name_any(), service.namespace().unwrap_or_default());
    let message = format!(
        "a command worker does not take the token of Secret {namespace}/{secret}, which changed behind its back: restart the \
         workers that read it: kubectl -n {namespace} rollout restart deployment {command} {query}",
        secret = names::admin_token(&name),
        command = names::worker(&name, names::COMMAND),
        query = names::worker(&name, names::QUERY),
    );
    Finding::unmet(SECRETS_READY, "TokenRefused", message)
}

impl Applied {
    /// The conditions of every step.
    pub fn findings(&self) -> Vec<Finding> {
        let mut findings: Vec<_> = self.declared.iter().flat_map(Declared::findings).collect();
        findings.extend(self.secrets.clone());
        findings.extend(match &self.error {
            Some(error) => Some(Finding::unmet(WORKERS_READY, "ApplyFailed", error.to_string())),
            None if self.wanted.is_empty() => None,
            None => Some(self.workers.finding(&self.wanted)),
        });
        findings
    }

    /// Why only a person can go on.
    pub fn stall(&self) -> Option<Stall> {
        let of_objects = self.refused.clone().or_else(|| self.outcome.stall());
        of_objects.or_else(|| self.declared.as_ref()?.stall())
    }
}

#[cfg(test)]
#[path = "apply_tests.rs"]
mod tests;
