//! The SeatingEvent controller: dereference -> validate -> build -> apply -> status.
//!
//! [`slim`] is what this process keeps of each: a digest in place of the definition. [`poll`] asks the services what they
//! have, [`inventories`] keeps what they said, and an object is looked at when that changed.
//!
//! It provisions seats through the command worker's admin API and never touches Redis or Postgres (I8). `build` is
//! pure and runs within `validate`, because a chart is valid when its definition expands.

pub mod build;
pub mod validate;

pub mod apply;
pub mod checks;
pub mod deletion;
pub mod dereference;
pub mod given;
pub mod inventories;
pub mod moments;
pub mod outcome;
pub mod pace;
pub mod poll;
pub mod slim;
pub mod status;

#[cfg(test)]
pub(crate) mod fixtures;

use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::common::Condition;
use boxoffice_crds::common::condition::READY;
use futures::StreamExt;
use futures::channel::mpsc;
use kube::runtime::controller::{Action, Controller};
use kube::runtime::reflector;
use kube::{Resource, ResourceExt};
use tokio::time::Instant;

use self::apply::Next;
use self::deletion::End;
use self::inventories::Key;
use self::outcome::Outcome;
use self::slim::SlimSeatingEvent;
use crate::api::{ApiError, add_finalizer, apply_status, is_settled, remove_finalizer};
use crate::backoff::jittered;
use crate::conditions::{find, progress};
use crate::context::{Context, is_paused, key};
use crate::controller::{config, reconciled, retry};
use crate::notices::transitions;
use crate::pause::paused;

const NAME: &str = "seating-event";
/// Holds a SeatingEvent until its sales are closed.
pub const FINALIZER: &str = "boxoffice.dev/inventory";
const CONCURRENCY: u16 = 16;

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
    let trigger = context.watches.roots::<SlimSeatingEvent>("seating events", writer);
    let controller = Controller::for_stream(trigger, reader.clone())
        .with_config(config(CONCURRENCY))
        .reconcile_on(woken)
        .graceful_shutdown_on(context.ending.clone().cancelled_owned())
        .run(reconcile, |show, error, context| retry(&show, &context, error), Arc::clone(&context))
        .for_each(|_| std::future::ready(()));
    let services = Arc::clone(&context);
    let counts = async {
        services.directory.ready().await;
        poll::poll(context, reader, wake).await;
    };
    tokio::select! {
        () = controller => {}
        () = counts => {}
    }
}

async fn reconcile(show: Arc<SlimSeatingEvent>, context: Arc<Context>) -> Result<Action, Error> {
    let work = async {
        if show.metadata.deletion_timestamp.is_some() {
            Box::pin(delete(&context, &show)).await
        } else if is_paused(show.as_ref()) {
            rest(&context, &show).await
        } else {
            Box::pin(converge(&context, &show)).await
        }
    };
    reconciled(NAME, show.as_ref(), &context, work).await
}

/// Says that nothing is done, and does nothing.
async fn rest(context: &Context, show: &SlimSeatingEvent) -> Result<Action, Error> {
    let mut next = show.status.clone().unwrap_or_default();
    next.conditions = paused(&next.conditions, show.metadata.generation, &(context.now)());
    if show.status.as_ref() != Some(&next) {
        apply_status(context, show, &next).await?;
    }
    Ok(Action::await_change())
}

async fn converge(context: &Context, show: &SlimSeatingEvent) -> Result<Action, Error> {
    add_finalizer(&context.client, show, FINALIZER).await?;
    if let Some(stall) = apply::check(context, show).await? {
        return report(context, show, Outcome::stalled(None, stall)).await;
    }
    // Until then it is not known whether there is a service.
    context.directory.ready().await;
    let (namespace, name) = show.service();
    let service = context.directory.service(&namespace, &name);
    if service.is_none() && context.unreadable.holds("ReservationService", &namespace, &name) {
        return report(context, show, Outcome::of(validate::unreadable(&name))).await;
    }
    match validate::validate(show, service.as_deref()) {
        Err(waiting) => report(context, show, Outcome::of(waiting)).await,
        Ok(validated) => match apply::apply(context, show, &validated).await? {
            Next::Report(outcome) => report(context, show, *outcome).await,
            Next::Later(wait) => Ok(Action::requeue(wait)),
            Next::Wait => Ok(Action::requeue(next_look(context, show))),
        },
    }
}

/// When to look at an object that nothing wakes: when its sales open or close, within a second, or when a wake-up may
/// have been lost.
fn next_look(context: &Context, show: &SlimSeatingEvent) -> Duration {
    let moment = moments::next(&show.spec, (context.now)().0);
    let moment = moment.map(|wait| wait + Duration::from_secs_f64(fastrand::f64()));
    // Should a wake-up have been lost.
    let resync = jittered(context.resync);
    moment.map_or(resync, |moment| moment.min(resync))
}

async fn delete(context: &Context, event: &SlimSeatingEvent) -> Result<Action, Error> {
    if !event.finalizers().iter().any(|finalizer| finalizer == FINALIZER) {
        return Ok(Action::await_change());
    }
    let inputs = dereference::dereference(context, event).await?;
    match deletion::end(context, event, &inputs).await {
        End::Gone(deeds) => {
            context.notices.publish(&event.object_ref(&()), deeds).await;
            forget(context, &event.key());
            remove_finalizer(&context.client, event, FINALIZER).await?;
            context.departures.is_gone(&key(event));
            Ok(Action::await_change())
        }
        End::Waits(finding) => {
            report(context, event, End::outcome(finding)).await?;
            Ok(Action::requeue(jittered(deletion::LOOK_AGAIN)))
        }
        End::Soon => Ok(Action::requeue(jittered(deletion::LOOK_AGAIN))),
    }
}

fn forget(context: &Context, show: &Key) {
    context.inventories.forget(show);
    context.checks.forget(show);
    context.pace.forget(show);
}

/// Writes the status if it changed, counts in their turn, tells what happened, and says when to come back.
async fn report(context: &Context, show: &SlimSeatingEvent, outcome: Outcome) -> Result<Action, Error> {
    let previous = show.status.as_ref();
    let next = status::next(previous, show.metadata.generation, &outcome, &(context.now)());
    let Outcome { step, mut deeds, retry, .. } = outcome;
    if previous != Some(&next) && !is_settled(context, show, &next) {
        if status::differ_in_counts(previous, &next) {
            if let Some(wait) = context.pace.wait(&show.key(), Instant::now()) {
                return Ok(Action::requeue(wait));
            }
        } else {
            context.pace.wrote(&show.key(), Instant::now());
        }
        apply_status(context, show, &next).await?;
        let before = previous.map(|status| status.conditions.as_slice()).unwrap_or_default();
        if !was_silent(before) {
            deeds.extend(transitions(before, &next.conditions));
        }
    }
    context.notices.publish(&show.object_ref(&()), deeds).await;
    if retry {
        return Err(Error::Unfinished { reason: step.reason, message: step.message });
    }
    Ok(Action::requeue(next_look(context, show)))
}

/// Whether it waited for a service that was silent: that it is back is told by the service, once.
fn was_silent(conditions: &[Condition]) -> bool {
    find(conditions, READY).is_some_and(|ready| ready.reason == progress::SERVICE_SILENT)
}
