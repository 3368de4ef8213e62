//! The ReservationService controller: dereference -> validate -> build -> apply -> status.
//!
//! `build` is one pure function from the resource to the desired state (I11); `image`, `names` and `unsupported` are
//! its rules. `apply` works in the order that matters: `children` (the API server), `topics` (Kafka), `workers`.

pub mod brokers;
pub mod contents;
pub mod credentials;
pub mod dereference;
pub mod fingerprint;
pub mod holding;

mod faults;
pub mod image;
pub mod in_use;
pub mod kinds;
pub mod names;
pub mod pod_template;
mod seniority;
pub mod unsupported;
pub mod validate;

pub mod build;

pub mod answering;
pub mod apply;
pub mod children;
pub mod drift;
pub mod memory;
pub mod outbox;
pub mod outcome;
pub mod ownership;
pub mod pods;
pub mod record;
pub mod rollout;
pub mod split;
pub mod taken_out;
pub mod token_secret;
pub mod tokens;
pub mod topics;
pub mod workers;

pub mod attached;
pub mod unclaimed;

pub mod deletion;
pub mod purge;
pub mod status;

#[cfg(test)]
pub(crate) mod fixtures;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::{Resource, ResourceExt};

use self::apply::Applied;
use self::deletion::Leave;
use self::memory::noted;
use self::topics::{Declared, Surroundings};
use self::unclaimed::Unclaimed;
use self::unsupported::Environment;
use self::validate::ValidatedService;
use crate::api::{ApiError, add_finalizer, apply_status, remove_finalizer};
use crate::backoff::jittered;
use crate::conditions::{Finding, Stall, is_met, set};
use crate::context::{Context, is_paused, key};
use crate::controller::{config, reconciled, retry};
use crate::kafka::rounds;
use crate::notices::{Notice, transitions};
use crate::pause::paused;
use crate::refusals::PAUSE;
use boxoffice_crds::common::condition::{CRDS_OUTDATED, READY, REDIS_SPLIT};

const NAME: &str = "reservation-service";
const FINALIZER: &str = "boxoffice.dev/topics";
const CONCURRENCY: u16 = 4;
/// How old lag and group states in a status may be.
const REFRESH: Duration = Duration::from_secs(10);
/// How old the reason may be for which a service is not Ready: what a pod lacks can change, and no object with it.
const REFRESH_UNTIL_READY: Duration = Duration::from_secs(5);

/// A reconcile that has to be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes API failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An object could not be written as JSON.
    #[error("an object cannot be built")]
    Build(#[from] serde_json::Error),
    /// A step failed; the status says why.
    #[error("{reason}: {message}")]
    Unfinished {
        /// Reason of the condition.
        reason: String,
        /// Its message.
        message: String,
    },
}

/// The context with every service of the cluster, for the question whom a topic belongs to.
struct Shared {
    context: Arc<Context>,
    services: Store<ReservationService>,
}

/// Runs the controller until the process is to end, and what it began by then has ended.
pub async fn run(context: Arc<Context>) {
    let (watches, ending) = (context.watches.clone(), context.ending.clone());
    let ours = format!("app.kubernetes.io/managed-by={}", names::MANAGED_BY);
    let (reader, writer) = reflector::store();
    let trigger = watches.roots::<ReservationService>("reservation services", writer);
    context.directory.watch(reader.clone());
    let memory = Arc::clone(&context.memory);
    let (shared, services) = (Arc::new(Shared { context, services: reader.clone() }), reader.clone());
    // What was last seen of Kafka is read from the declarations, so news there is a reason to look.
    let news = Arc::clone(&shared.context.declarations).news().filter_map(move |(namespace, name)| {
        let service = services.get(&ObjectRef::new(&name).within(&namespace));
        std::future::ready(service.map(|service| Ok(service.as_ref().clone())))
    });
    let in_rounds = Arc::clone(&shared);
    // Nobody owns a record, and it carries no label of what is ours: it says itself whose it is.
    let records = noted(&memory, watches.children::<ConfigMap>("records of topics", names::RECORD_OF));
    let controller = Controller::for_stream(futures::stream::select(trigger, news), reader)
        .with_config(config(CONCURRENCY))
        .owns_stream(noted(&memory, watches.children::<Deployment>("deployments", &ours)))
        .owns_stream(noted(&memory, watches.children::<Service>("services", &ours)))
        .owns_stream(noted(&memory, watches.children::<ConfigMap>("config maps", &ours)))
        .owns_stream(noted(&memory, watches.children::<ServiceAccount>("service accounts", &ours)))
        .owns_stream(noted(&memory, watches.children::<NetworkPolicy>("network policies", &ours)))
        .owns_stream(noted(&memory, watches.children::<PodDisruptionBudget>("pod disruption budgets", &ours)))
        .watches_stream(records, |record| record::service_of(&record))
        .graceful_shutdown_on(ending.cancelled_owned())
        .run(reconcile, |service, error, shared| retry(&service, &shared.context, error), shared)
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => {}
        () = rounds::run(&in_rounds.context.kafka, &in_rounds.context.declarations) => {}
    }
}

async fn reconcile(service: Arc<ReservationService>, shared: Arc<Shared>) -> Result<Action, Error> {
    let context = &shared.context;
    let work = async {
        if service.metadata.deletion_timestamp.is_some() {
            Box::pin(delete(context, &service)).await
        } else if is_paused(service.as_ref()) {
            rest(context, &service).await
        } else {
            Box::pin(converge(context, &service, &shared.services)).await
        }
    };
    reconciled(NAME, service.as_ref(), context, work).await
}

/// Says that nothing is done, and does nothing.
async fn rest(context: &Context, service: &ReservationService) -> Result<Action, Error> {
    let mut next = service.status.clone().unwrap_or_default();
    next.conditions = paused(&next.conditions, service.metadata.generation, &(context.now)());
    if service.status.as_ref() != Some(&next) {
        apply_status(context, service, &next).await?;
    }
    // What it asked of Kafka is left alone too, as soon as a round that is at it has ended.
    let is_in_round =
        context.declarations.withdraw(&(service.namespace().unwrap_or_default(), service.name_any()));
    Ok(if is_in_round { Action::requeue(jittered(deletion::LOOK_AGAIN)) } else { Action::await_change() })
}

async fn converge(
    context: &Context,
    service: &ReservationService,
    services: &Store<ReservationService>,
) -> Result<Action, Error> {
    add_finalizer(&context.client, service, FINALIZER).await?;
    let inputs = dereference::dereference(context, service, services).await?;
    if let Ok(credentials) = &inputs.kafka {
        let own = (service.namespace().unwrap_or_default(), service.name_any());
        context.departures.note_kafka(&own, &credentials.connection);
    }
    let pinned =
        service.status.as_ref().and_then(|status| status.image.as_deref()).unwrap_or(&context.default_image);
    let standing = topics::standing(context, service, &inputs.topics);
    let validated = unsupported::refuse(&service.spec, Environment::Cluster)
        .and_then(|()| validate::validate_with(service, &inputs.fellows, pinned, &standing))
        .and_then(|validated| inputs.taken.map_or(Ok(validated), Err));
    let applied = match validated {
        Ok(validated) => {
            let operator_namespace = context.namespace.clone();
            let desired = build::build(&ValidatedService { operator_namespace, ..validated })?;
            let former = topics::former(service, &desired, &standing, &inputs.fellows);
            let kafka = Surroundings { known: inputs.topics, former, credentials: inputs.kafka };
            apply::apply(context, service, desired, kafka).await
        }
        Err(stall) => Err(stall),
    };
    report(context, service, pinned, applied).await
}

/// Writes the status if it changed, tells what happened, and says when to come back.
async fn report(
    context: &Context,
    service: &ReservationService,
    pinned: &str,
    applied: Result<Applied, Stall>,
) -> Result<Action, Error> {
    let now = (context.now)();
    let mut next = status::next(service, pinned, applied.as_ref(), &now);
    let before = service.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
    let (outdated, generation) = (context.definitions.finding(), service.metadata.generation);
    set(&mut next.conditions, before, CRDS_OUTDATED, outdated, generation, &now);
    let mut notices: Vec<Notice> =
        applied.iter().filter_map(|applied| applied.declared.as_ref()).flat_map(Declared::deeds).collect();
    notices.extend(applied.iter().flat_map(|applied| applied.deeds.iter().cloned()));
    notices
        .extend(applied.iter().filter_map(|applied| applied.unclaimed.as_ref()).filter_map(Unclaimed::deeds));
    if service.status.as_ref() != Some(&next) && apply_status(context, service, &next).await? {
        notices.extend(transitions(before, &next.conditions));
        notices.extend(split::notices(before, &next.conditions));
        notices.extend(outcome::notices(before, &next.conditions));
        notices.extend(unclaimed::notices(before, &next.conditions));
        let before = service.status.as_ref().and_then(|status| status.outbox.as_ref());
        notices.extend(outbox::notices(before, next.outbox.as_ref()));
    }
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    context.metrics.split(&namespace, &name, is_met(&next.conditions, REDIS_SPLIT));
    context.notices.publish(&service.object_ref(&()), notices).await;
    match applied {
        // What the API server does not take is not asked for again and again.
        Ok(Applied { error: Some(_), refused: Some(_), .. }) => Ok(Action::requeue(jittered(PAUSE))),
        Ok(Applied { error: Some(error), .. }) => Err(error.into()),
        Ok(Applied { error: None, .. }) | Err(_) => {
            let is_ready = is_met(&next.conditions, READY);
            Ok(Action::requeue(jittered(if is_ready { REFRESH } else { REFRESH_UNTIL_READY })))
        }
    }
}

async fn delete(context: &Context, service: &ReservationService) -> Result<Action, Error> {
    if !service.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Action::await_change());
    }
    if context.declarations.withdraw(&(service.namespace().unwrap_or_default(), service.name_any())) {
        return Ok(Action::requeue(jittered(deletion::LOOK_AGAIN)));
    }
    match deletion::leave(context, service).await? {
        Leave::Later(why) => {
            report_leaving(context, service, &why).await?;
            Ok(Action::requeue(jittered(deletion::LOOK_AGAIN)))
        }
        Leave::Failed(why) => {
            report_leaving(context, service, &why).await?;
            Err(Error::Unfinished { reason: why.reason, message: why.message })
        }
        Leave::Now(notices) => {
            context.notices.publish(&service.object_ref(&()), notices).await;
            remove_finalizer(&context.client, service, FINALIZER).await?;
            let own = (service.namespace().unwrap_or_default(), service.name_any());
            context.memory.forget(&key(service));
            context.metrics.forget(&own.0, &own.1);
            context.tokens.forget(&own);
            context.unclaimed.forget(&own);
            context.departures.is_gone(&key(service));
            context.departures.forget(&own);
            Ok(Action::await_change())
        }
    }
}

/// Writes what the deletion waits for, if that changed, and tells when it is news.
async fn report_leaving(context: &Context, service: &ReservationService, why: &Finding) -> Result<(), Error> {
    let next = status::leaving(service, why, &(context.now)());
    if service.status.as_ref() != Some(&next) && apply_status(context, service, &next).await? {
        let before = service.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        context.notices.publish(&service.object_ref(&()), transitions(before, &next.conditions)).await;
    }
    Ok(())
}
