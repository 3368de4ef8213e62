//! Asks the command workers about their SeatingEvents, one request to each service every few seconds for all of them. Only
//! those whose answer changed are reconciled, so a quiet sale writes nothing (I12).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use boxoffice_crds::SeatingEvent;
use futures::StreamExt;
use futures::channel::mpsc::UnboundedSender;
use futures::stream;
use kube::ResourceExt;
use kube::runtime::reflector::{ObjectRef, Store};

use super::dereference::target;
use super::inventories::Key;
use crate::admin::AdminError;
use crate::context::Context;

/// How often each service is asked; with the reconcile that follows, counts are well under 10 s old.
const INTERVAL: Duration = Duration::from_secs(5);
/// How many services are asked at once.
const AT_ONCE: usize = 8;

/// Asks every service that has SeatingEvents, for ever, and sends those whose answer changed to `wake`.
pub async fn poll(
    context: Arc<Context>,
    store: Store<SeatingEvent>,
    wake: UnboundedSender<ObjectRef<SeatingEvent>>,
) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        stream::iter(by_service(&store))
            .for_each_concurrent(AT_ONCE, |(service, events)| ask(&context, service, events, &wake))
            .await;
    }
}

async fn ask(
    context: &Context,
    service: Key,
    events: BTreeSet<String>,
    wake: &UnboundedSender<ObjectRef<SeatingEvent>>,
) {
    let answer = match target(context, &service.0, &service.1).await {
        Ok(Some(target)) => context.admin.inventories(&target).await,
        Ok(None) => Err(AdminError::Absent),
        Err(error) => {
            tracing::warn!(namespace = service.0, service = service.1, %error, "service not asked");
            return;
        }
    };
    for event in context.inventories.note_answer(&service, answer, &events) {
        // A closed channel means that the controller has ended, and this task with it.
        if wake.unbounded_send(ObjectRef::new(&event).within(&service.0)).is_err() {
            return;
        }
    }
}

fn by_service(store: &Store<SeatingEvent>) -> BTreeMap<Key, BTreeSet<String>> {
    let mut services: BTreeMap<Key, BTreeSet<String>> = BTreeMap::new();
    for event in store.state() {
        let service = (event.namespace().unwrap_or_default(), event.spec.service_ref.name.clone());
        services.entry(service).or_default().insert(event.name_any());
    }
    services
}
