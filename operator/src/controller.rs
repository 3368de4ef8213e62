//! What both controllers do around a reconcile: watch with the right predicates, measure, log, back off.

use std::error::Error;
use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use boxoffice_runtime::health::Readiness;
use futures::{Stream, StreamExt};
use kube::api::Api;
use kube::runtime::controller::Action;
use kube::runtime::reflector::store::Writer;
use kube::runtime::{Config, Predicate, PredicateConfig, WatchStreamExt, predicates, watcher};
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use crate::context::{Context, key};

/// Objects that changed in a way that matters: their spec, finalizers or annotations, not their status. The store
/// behind `writer` sees every change. The process is ready while the watch is alive: from its first complete list to
/// an error, and again from the next event.
pub fn roots<K>(
    api: Api<K>,
    writer: Writer<K>,
    readiness: Readiness,
    watch: &'static str,
) -> impl Stream<Item = Result<K, watcher::Error>> + Send + use<K>
where
    K: Resource<DynamicType = ()> + Clone + Debug + DeserializeOwned + Send + Sync + 'static,
{
    let changed = predicates::generation.combine(predicates::finalizers).combine(predicates::annotations);
    readiness.not_ready(watch, "listing");
    watcher(api, watcher::Config::default())
        .modify(|object| object.managed_fields_mut().clear())
        .inspect(move |event| note(&readiness, watch, event))
        .default_backoff()
        .reflect(writer)
        .applied_objects()
        .predicate_filter(changed, PredicateConfig::default())
}

fn note<K>(readiness: &Readiness, watch: &'static str, event: &Result<watcher::Event<K>, watcher::Error>) {
    match event {
        Ok(watcher::Event::Init | watcher::Event::InitApply(_)) => {}
        Ok(_) => readiness.ready(watch),
        Err(error) => {
            tracing::warn!(watch, %error, "watch interrupted");
            readiness.not_ready(watch, error.to_string());
        }
    }
}

/// Debounce and concurrency of a controller.
pub fn config(concurrency: u16) -> Config {
    Config::default().debounce(Duration::from_millis(200)).concurrency(concurrency)
}

/// Runs one reconcile: measured, logged, its back-off reset when it completes.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_lives_from_its_first_complete_list_to_its_next_error() {
        let readiness = Readiness::waiting_for(&["shows"]);
        let alive = |event| {
            note::<()>(&readiness, "shows", &event);
            readiness.obstacles().is_empty()
        };
        assert!(!alive(Ok(watcher::Event::Init)));
        assert!(alive(Ok(watcher::Event::InitDone)));
        assert!(!alive(Err(watcher::Error::NoResourceVersion)));
        assert!(alive(Ok(watcher::Event::Apply(()))));
    }
}
