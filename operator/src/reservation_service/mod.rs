//! The ReservationService controller: dereference -> validate -> build -> apply -> status.
//!
//! `build` is one pure function from the resource to the desired state (I11); `image`, `names` and `unsupported` are
//! its rules. `apply` works in the order that matters: `children` (the API server), `topics` (Kafka), `workers`.

pub mod brokers;
pub mod credentials;
pub mod dereference;
pub mod fingerprint;

pub mod image;
pub mod in_use;
pub mod names;
pub mod unsupported;
pub mod validate;

pub mod build;

pub mod apply;
pub mod children;
pub mod drift;
pub mod outbox;
pub mod record;
pub mod split;
pub mod topics;
pub mod workers;

pub mod deletion;
pub mod status;

#[cfg(test)]
pub(crate) mod fixtures;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_runtime::health::Readiness;
use futures::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::Api;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector::{self, ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource, ResourceExt};

use self::apply::Applied;
use self::deletion::Leave;
use self::topics::{Declared, Surroundings};
use self::unsupported::Place;
use self::validate::ValidatedService;
use crate::api::{ApiError, add_finalizer, apply_status, remove_finalizer};
use crate::conditions::{Stall, is_met};
use crate::context::{Context, is_paused};
use crate::controller::{config, reconciled, retry, roots};
use crate::kafka::rounds;
use crate::notices::{Notice, transitions};
use boxoffice_crds::common::condition::REDIS_SPLIT;

const NAME: &str = "reservation-service";
const FINALIZER: &str = "boxoffice.dev/topics";
const CONCURRENCY: u16 = 4;
/// How soon a deletion goes on that has to wait for a round to Kafka.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How old lag and group states in a status may be.
const REFRESH: Duration = Duration::from_secs(10);

/// A reconcile that has to be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes API failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// An object could not be written as JSON.
    #[error("an object cannot be built")]
    Build(#[from] serde_json::Error),
}

/// The context with every service of the cluster, for the question whom a topic belongs to.
struct Shared {
    context: Arc<Context>,
    services: Store<ReservationService>,
}

/// Runs the controller until its watches end.
pub async fn run(context: Arc<Context>, readiness: Readiness) {
    let client = context.client.clone();
    let ours =
        watcher::Config::default().labels(&format!("app.kubernetes.io/managed-by={}", names::MANAGED_BY));
    let (reader, writer) = reflector::store();
    let trigger =
        roots(Api::<ReservationService>::all(client.clone()), writer, readiness, "reservation services");
    let (shared, services) = (Arc::new(Shared { context, services: reader.clone() }), reader.clone());
    // What was last seen of Kafka is read from the desk, so news there is a reason to look.
    let news = Arc::clone(&shared.context.desk).news().filter_map(move |(namespace, name)| {
        let service = services.get(&ObjectRef::new(&name).within(&namespace));
        std::future::ready(service.map(|service| Ok(service.as_ref().clone())))
    });
    let in_rounds = Arc::clone(&shared);
    let controller = Controller::for_stream(futures::stream::select(trigger, news), reader)
        .with_config(config(CONCURRENCY))
        .owns(Api::<Deployment>::all(client.clone()), ours.clone())
        .owns(Api::<Service>::all(client.clone()), ours.clone())
        .owns(Api::<ConfigMap>::all(client.clone()), ours.clone())
        .owns(Api::<ServiceAccount>::all(client.clone()), ours.clone())
        .owns(Api::<NetworkPolicy>::all(client.clone()), ours.clone())
        .owns(Api::<PodDisruptionBudget>::all(client), ours)
        .run(reconcile, |service, error, shared| retry(&service, &shared.context, error), shared)
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => {}
        () = rounds::run(&in_rounds.context.kafka, &in_rounds.context.desk) => {}
    }
}

async fn reconcile(service: Arc<ReservationService>, shared: Arc<Shared>) -> Result<Action, Error> {
    let context = &shared.context;
    let work = async {
        if service.metadata.deletion_timestamp.is_some() {
            Box::pin(delete(context, &service)).await
        } else if is_paused(service.as_ref()) {
            Ok(Action::await_change())
        } else {
            Box::pin(converge(context, &service, &shared.services)).await
        }
    };
    reconciled(NAME, service.as_ref(), context, work).await
}

async fn converge(
    context: &Context,
    service: &ReservationService,
    services: &Store<ReservationService>,
) -> Result<Action, Error> {
    add_finalizer(&context.client, service, FINALIZER).await?;
    let inputs = dereference::dereference(context, service, services).await?;
    let pinned =
        service.status.as_ref().and_then(|status| status.image.as_deref()).unwrap_or(&context.default_image);
    let standing = topics::standing(context, service, &inputs.topics);
    let validated = unsupported::refuse(&service.spec, Place::Cluster)
        .and_then(|()| validate::validate_with(service, &inputs.fellows, pinned, &standing));
    let applied = match validated {
        Ok(validated) => {
            let secrets = inputs.kafka.as_ref().ok().and_then(|credentials| credentials.fingerprint.clone());
            let desired = build::build(&ValidatedService { secrets, ..validated })?;
            let former = topics::former(service, &desired, &standing, &inputs.fellows);
            let kafka = Surroundings { known: inputs.topics, former, credentials: inputs.kafka };
            Ok(apply::apply(context, service, &desired, kafka).await)
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
    let next = status::next(service, pinned, applied.as_ref(), &(context.now)());
    let mut notices: Vec<Notice> =
        applied.iter().filter_map(|applied| applied.declared.as_ref()).flat_map(Declared::deeds).collect();
    if service.status.as_ref() != Some(&next) {
        apply_status(&context.client, service, &next).await?;
        let before = service.status.as_ref().map(|status| status.conditions.as_slice()).unwrap_or_default();
        notices.extend(transitions(before, &next.conditions));
        notices.extend(split::notices(before, &next.conditions));
        let before = service.status.as_ref().and_then(|status| status.outbox.as_ref());
        notices.extend(outbox::notices(before, next.outbox.as_ref()));
    }
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    context.metrics.split(&namespace, &name, is_met(&next.conditions, REDIS_SPLIT));
    context.notices.publish(&service.object_ref(&()), notices).await;
    match applied {
        Ok(Applied { error: Some(error), .. }) => Err(error.into()),
        _ => Ok(Action::requeue(REFRESH)),
    }
}

async fn delete(context: &Context, service: &ReservationService) -> Result<Action, Error> {
    if !service.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Action::await_change());
    }
    let key = (service.namespace().unwrap_or_default(), service.name_any());
    if context.desk.withdraw(&key) {
        return Ok(Action::requeue(LOOK_AGAIN));
    }
    match deletion::leave(context, service).await {
        Err(deletion::Error::Kafka(error)) => {
            let declared = Declared::failed(error);
            let pinned =
                service.status.as_ref().and_then(|status| status.image.as_deref()).unwrap_or_default();
            report(context, service, pinned, Ok(Applied { declared: Some(declared), ..Applied::default() }))
                .await
        }
        Err(deletion::Error::Api(error)) => Err(error.into()),
        Ok(Leave::Later(wait)) => Ok(Action::requeue(wait)),
        Ok(Leave::Now) => {
            remove_finalizer(&context.client, service, FINALIZER).await?;
            context.metrics.forget(&service.namespace().unwrap_or_default(), &service.name_any());
            Ok(Action::await_change())
        }
    }
}
