//! A ReservationService on its way out: it lets its SeatingEvents go first, then keeps or deletes what is on Kafka.
//!
//! Everything in the API server goes by owner references, once the finalizer is removed. Redis is never touched (I8).

use std::time::Duration;

use boxoffice_crds::common::{DeletionPolicy, Time};
use boxoffice_crds::{ReservationService, SeatingEvent};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::children::Children;
use super::{credentials, names, record};
use crate::api::{ApiError, beside, timed};
use crate::context::Context;
use crate::kafka::KafkaError;

/// How long a service waits for SeatingEvents that are being deleted with it.
const PATIENCE: Duration = Duration::from_mins(1);
/// How often it looks again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Whether the finalizer may be removed.
#[derive(Debug, PartialEq, Eq)]
pub enum Leave {
    /// It may.
    Now,
    /// Something has to end first; look again after this time.
    Later(Duration),
}

/// What stands in the way of a deletion.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The Kubernetes API failed.
    #[error(transparent)]
    Api(#[from] ApiError),
    /// Kafka failed.
    #[error(transparent)]
    Kafka(#[from] KafkaError),
}

/// Does what is left to do before the service may go.
pub async fn leave(context: &Context, service: &ReservationService) -> Result<Leave, Error> {
    let events: Api<SeatingEvent> = beside(&context.client, service);
    let events = timed("list the seating events", events.list(&ListParams::default())).await?;
    if must_wait(service, &events.items, &(context.now)()) {
        return Ok(Leave::Later(LOOK_AGAIN));
    }
    match service.spec.kafka.topic.deletion_policy {
        DeletionPolicy::Retain => Ok(Leave::Now),
        DeletionPolicy::Delete => delete_topics(context, service).await,
    }
}

/// Whether SeatingEvents of the service are on their way out too, and it has not waited long enough.
fn must_wait(service: &ReservationService, events: &[SeatingEvent], now: &Time) -> bool {
    let leaving = |event: &SeatingEvent| {
        event.spec.service_ref.name == service.name_any() && event.metadata.deletion_timestamp.is_some()
    };
    let Some(since) = &service.metadata.deletion_timestamp else { return false };
    let waited = u64::try_from(now.0.as_second() - since.0.as_second()).unwrap_or_default();
    waited < PATIENCE.as_secs() && events.iter().any(leaving)
}

/// Stops the workers, then deletes the topics of the record, the groups and the record itself.
async fn delete_topics(context: &Context, service: &ReservationService) -> Result<Leave, Error> {
    let mut children = Children::list(&context.client, service).await?;
    if children.stop_workloads().await? || has_pods(context, service).await? {
        return Ok(Leave::Later(LOOK_AGAIN));
    }
    let resource = &service.spec.kafka;
    let connection = credentials::read(context, service).await?.map_err(with_way_out)?.connection;
    let kafka = context.kafka.get(&connection)?;
    let owned = record::read(&context.client, service).await?;
    if !owned.is_empty() {
        for consumer in &service.spec.consumers {
            kafka.delete_group(&format!("{}{}", resource.prefix, consumer.name)).await?;
        }
    }
    for topic in owned.keys() {
        kafka.delete_topic(topic).await?;
    }
    record::delete(&context.client, service).await?;
    Ok(Leave::Now)
}

/// A Secret that went before its service is not coming back by itself, as when all of a namespace is deleted.
fn with_way_out(error: KafkaError) -> KafkaError {
    match error {
        KafkaError::SecretUnusable(what) => KafkaError::SecretUnusable(format!(
            "{what}, or keep the topics: set kafka.topic.deletionPolicy to Retain"
        )),
        other => other,
    }
}

async fn has_pods(context: &Context, service: &ReservationService) -> Result<bool, ApiError> {
    let api: Api<Pod> = beside(&context.client, service);
    let parameters = ListParams::default().labels(&names::owned_by(&service.name_any())).limit(1);
    Ok(!timed("list the workers' pods", api.list_metadata(&parameters)).await?.items.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;
    use crate::seating_event::fixtures::arena_night;

    fn at(second: i64) -> Time {
        Time(jiff::Timestamp::from_second(second).unwrap())
    }

    fn leaving() -> ReservationService {
        let mut service = main_service();
        service.metadata.deletion_timestamp = Some(at(100));
        service
    }

    fn event(leaving: bool, service: &str) -> SeatingEvent {
        let mut event = arena_night();
        event.spec.service_ref.name = service.into();
        event.metadata.deletion_timestamp = leaving.then(|| at(100));
        event
    }

    #[test]
    fn waits_for_its_own_seating_events_that_leave_too() {
        assert!(must_wait(&leaving(), &[event(true, "main")], &at(159)));
        assert!(!must_wait(&leaving(), &[event(true, "other"), event(false, "main")], &at(101)));
    }

    #[test]
    fn waits_no_longer_than_a_minute() {
        assert!(!must_wait(&leaving(), &[event(true, "main")], &at(160)));
    }
}
