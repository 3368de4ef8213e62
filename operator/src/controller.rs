//! What both controllers do around a reconcile: ask whether the object is theirs, measure, log, back off.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use kube::runtime::Config;
use kube::runtime::controller::Action;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

use crate::backoff::jittered;
use crate::namespace_leases::LOOK;

use crate::context::{Context, key};

/// Debounce and concurrency of a controller.
pub fn config(concurrency: u16) -> Config {
    Config::default().debounce(Duration::from_millis(200)).concurrency(concurrency)
}

/// Runs one reconcile: measured, logged, its back-off reset when it completes. None begins for an object that cannot be
/// read as it is now, in a namespace of another installation, or while the process ends.
pub async fn reconciled<K, E>(
    controller: &'static str,
    object: &K,
    context: &Context,
    work: impl Future<Output = Result<Action, E>> + Send,
) -> Result<Action, E>
where
    K: Resource<DynamicType = ()>,
    E: Error,
{
    let namespace = object.namespace().unwrap_or_default();
    if context.ending.is_cancelled()
        || context.unreadable.holds(&K::kind(&()), &namespace, &object.name_any())
    {
        return Ok(Action::await_change());
    }
    if let Err(refused) = context.namespace_leases.admit(&namespace).await {
        context.namespace_leases.tell(&object.object_ref(&()), &refused).await;
        return Ok(Action::requeue(jittered(LOOK)));
    }
    let (started, name) = (Instant::now(), key(object));
    let result = work.await;
    let elapsed = started.elapsed();
    match &result {
        Ok(_) => {
            context.backoff.succeeded(&name);
            tracing::debug!(object = name, ?elapsed, "reconciled");
        }
        Err(error) => tracing::warn!(object = name, ?elapsed, error = chain(error), "reconcile failed"),
    }
    let now = (context.now)().0.as_second();
    context.metrics.reconciled(controller, result.is_ok(), elapsed, now);
    result
}

/// The next try after a failure: later after each one in a row.
pub fn retry<K, E>(object: &Arc<K>, context: &Context, _error: &E) -> Action
where
    K: Resource<DynamicType = ()>,
{
    Action::requeue(context.backoff.failed(&key(object.as_ref())))
}

/// An error and its causes, outermost first.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
