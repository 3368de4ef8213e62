//! Asks the command workers about their SeatingEvents, one request to each service every few seconds for all of them, each
//! service by itself: one that hangs keeps no other waiting. Only those whose answer changed are reconciled, so a quiet
//! sale writes nothing (I12).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedSender;
use futures::stream::FuturesUnordered;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};
use tokio::time::Instant;

use super::dereference::{doubt, target};
use super::inventories::{Key, Presence};
use super::slim::SlimSeatingEvent;
use crate::admin::{AdminError, Listing};
use crate::context::Context;

/// How often it is looked whom to ask.
const TICK: Duration = Duration::from_secs(1);

/// Asks every service that has SeatingEvents, for ever, and sends those whose answer changed to `wake`.
pub async fn poll(
    context: Arc<Context>,
    store: Store<SlimSeatingEvent>,
    wake: UnboundedSender<ObjectRef<SlimSeatingEvent>>,
) {
    let mut ticks = tokio::time::interval(TICK);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut asking = FuturesUnordered::new();
    // Before that nobody knows which services have SeatingEvents. An end of the watch is the controller's.
    if store.wait_until_ready().await.is_err() {
        return;
    }
    loop {
        let services = by_service(&store);
        context.inventories.keep_only(&services);
        for (service, events) in services {
            if context.inventories.note_presence(&service, presence(&context, &service)) {
                rouse(&wake, &service.0, &events);
            }
            let begun = context.inventories.begin(&service, Instant::now(), (context.now)());
            asking.extend(begun.map(|cursor| ask(&context, service, events, cursor, &wake)));
        }
        loop {
            tokio::select! {
                _ = ticks.tick() => break,
                () = context.inventories.nudged() => break,
                Some(()) = asking.next() => {}
            }
        }
    }
}

async fn ask(
    context: &Context,
    service: Key,
    events: BTreeSet<String>,
    cursor: String,
    wake: &UnboundedSender<ObjectRef<SlimSeatingEvent>>,
) {
    // Another installation's services are asked by that one.
    if context.namespace_leases.admit(&service.0).await.is_err() {
        context.inventories.give_up(&service, Instant::now());
        return;
    }
    let answer = match context.directory.service(&service.0, &service.1) {
        Some(_) => match target(context, &service.0, &service.1).await {
            Ok(Some(target)) => context.admin.inventories(&target, &cursor).await,
            Ok(None) => Err(AdminError::Absent),
            Err(error) => {
                tracing::warn!(namespace = service.0, service = service.1, %error, "service not asked");
                context.inventories.give_up(&service, Instant::now());
                return;
            }
        },
        None => Err(AdminError::Absent),
    };
    heed(context, &service, &answer);
    rouse(wake, &service.0, &context.inventories.note_answer(&service, answer, &events, Instant::now()));
}

/// A token that is refused is read again.
fn heed(context: &Context, service: &Key, answer: &Result<Listing, AdminError>) {
    if let Err(AdminError::Refused { status: 401, .. }) = answer {
        doubt(context, service);
    }
}

fn rouse(wake: &UnboundedSender<ObjectRef<SlimSeatingEvent>>, namespace: &str, events: &BTreeSet<String>) {
    for event in events {
        // A closed channel means that the controller has ended, and this task with it.
        if wake.unbounded_send(ObjectRef::new(event).within(namespace)).is_err() {
            return;
        }
    }
}

fn presence(context: &Context, service: &Key) -> Presence {
    match context.directory.service(&service.0, &service.1).as_deref() {
        None => Presence::Absent,
        Some(ReservationService { metadata, .. }) if metadata.deletion_timestamp.is_some() => {
            Presence::Leaving
        }
        Some(_) => Presence::Here,
    }
}

fn by_service(store: &Store<SlimSeatingEvent>) -> BTreeMap<Key, BTreeSet<String>> {
    let mut services: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for show in store.state() {
        services.entry(show.service()).or_default().insert(show.name_any());
    }
    services
}
