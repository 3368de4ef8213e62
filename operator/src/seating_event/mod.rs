//! The SeatingEvent controller: dereference -> validate -> build -> apply -> status.
//!
//! It provisions seats through the command worker's admin API and never touches Redis or Postgres (I8). `build` is
//! pure and runs within `validate`, because a chart is valid when its definition expands.

pub mod build;
pub mod validate;

pub mod apply;
pub mod deletion;
pub mod dereference;
pub mod inventories;
pub mod poll;
pub mod status;

#[cfg(test)]
pub(crate) mod fixtures;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::SeatingEvent;
use futures::StreamExt;
use futures::channel::mpsc;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector;
use kube::{Resource, ResourceExt};

use self::apply::Outcome;
use self::deletion::End;
use crate::api::{ApiError, add_finalizer, apply_status, remove_finalizer};
use crate::context::{Context, is_paused, key};
use crate::controller::{config, reconciled, retry};
use crate::notices::transitions;
use crate::pause::paused;

const NAME: &str = "seating-event";
/// Holds a SeatingEvent until its sales are closed.
pub const FINALIZER: &str = "boxoffice.dev/inventory";
const CONCURRENCY: u16 = 16;
/// A look at objects that nothing woke, should a wake-up have been lost.
const RESYNC: Duration = Duration::from_mins(5);

/// A reconcile that has to be repeated.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes API failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// The inventory is not there yet; the status says why.
    #[error("{reason}: {message}")]
    Unfinished {
        /// Reason of the condition.
        reason: String,
        /// Its message.
        message: String,
    },
}

/// Runs the controller and the counts until the process is to end, and what the controller began by then has ended.
pub async fn run(context: Arc<Context>) {
    let (reader, writer) = reflector::store();
    // Once a process, and nobody reads it before.
    drop(context.shows.set(reader.clone()));
    let (wake, woken) = mpsc::unbounded();
    let trigger = context.watches.roots::<SeatingEvent>("seating events", writer);
    let controller = Controller::for_stream(trigger, reader.clone())
        .with_config(config(CONCURRENCY))
        .reconcile_on(woken)
        .graceful_shutdown_on(context.ending.clone().cancelled_owned())
        .run(reconcile, |event, error, context| retry(&event, &context, error), Arc::clone(&context))
        .for_each(|_| std::future::ready(()));
    tokio::select! {
        () = controller => {}
        () = poll::poll(context, reader, wake) => {}
    }
}

async fn reconcile(event: Arc<SeatingEvent>, context: Arc<Context>) -> Result<Action, Error> {
    let work = async {
        if event.metadata.deletion_timestamp.is_some() {
            Box::pin(delete(&context, &event)).await
        } else if is_paused(event.as_ref()) {
            rest(&context, &event).await
        } else {
            Box::pin(converge(&context, &event)).await
        }
    };
    reconciled(NAME, event.as_ref(), &context, work).await
}

/// Says that nothing is done, and does nothing.
async fn rest(context: &Context, event: &SeatingEvent) -> Result<Action, Error> {
    let mut next = event.status.clone().unwrap_or_default();
    next.conditions = paused(&next.conditions, event.metadata.generation, &(context.now)());
    if event.status.as_ref() != Some(&next) {
        apply_status(&context.client, &context.written, event, &next).await?;
    }
    Ok(Action::await_change())
}

async fn converge(context: &Context, event: &SeatingEvent) -> Result<Action, Error> {
    add_finalizer(&context.client, event, FINALIZER).await?;
    let inputs = dereference::dereference(context, event).await?;
    let outcome = match validate::validate(event, inputs) {
        Ok(validated) => apply::apply(context, &validated).await,
        Err(unfit) => unfit.into(),
    };
    report(context, event, outcome).await
}

async fn delete(context: &Context, event: &SeatingEvent) -> Result<Action, Error> {
    if !event.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Action::await_change());
    }
    let inputs = dereference::dereference(context, event).await?;
    match deletion::end(context, event, &inputs).await {
        End::Gone(deeds) => {
            context.notices.publish(&event.object_ref(&()), deeds).await;
            context.inventories.forget(&(event.namespace().unwrap_or_default(), event.name_any()));
            remove_finalizer(&context.client, event, FINALIZER).await?;
            context.departures.is_gone(&key(event));
            Ok(Action::await_change())
        }
        End::Waits(finding) => {
            report(context, event, End::outcome(finding)).await?;
            Ok(Action::requeue(deletion::LOOK_AGAIN))
        }
        End::Soon => Ok(Action::requeue(deletion::LOOK_AGAIN)),
    }
}

/// Writes the status if it changed, tells what happened, and says when to come back.
async fn report(context: &Context, event: &SeatingEvent, outcome: Outcome) -> Result<Action, Error> {
    let previous = event.status.as_ref();
    let next = status::next(previous, event.metadata.generation, &outcome, &(context.now)());
    let Outcome { step, mut deeds, retry, .. } = outcome;
    if previous != Some(&next) && apply_status(&context.client, &context.written, event, &next).await? {
        let before = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
        deeds.extend(transitions(before, &next.conditions));
    }
    context.notices.publish(&event.object_ref(&()), deeds).await;
    if retry {
        return Err(Error::Unfinished { reason: step.reason, message: step.message });
    }
    Ok(Action::requeue(RESYNC))
}
