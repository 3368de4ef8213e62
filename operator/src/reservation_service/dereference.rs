//! Reads what a ReservationService depends on beyond itself: its fellows in the cluster, the record of its topics, and
//! the Secrets by which Kafka admits it.

use std::sync::Arc;

use boxoffice_crds::reservation_service::TopicStatus;
use boxoffice_crds::{ACCEPT_TOPICS_ANNOTATION, ReservationService};
use kube::ResourceExt;
use kube::runtime::reflector::Store;

use super::credentials::{self, Credentials};
use super::record::{self, Record};
use crate::api::ApiError;
use crate::conditions::Stall;
use crate::context::Context;
use crate::kafka::KafkaError;
use crate::kafka::topics::{Knowledge, Seen};

/// What a reconcile needs to know.
pub struct Inputs {
    /// Every service of the cluster, this one among them: one of them may have its topics already.
    pub fellows: Vec<Arc<ReservationService>>,
    /// What it knows of its topics.
    pub topics: Knowledge,
    /// Why it stops, where the name of the record of them is somebody else's.
    pub taken: Option<Stall>,
    /// How it reaches Kafka, or which Secret stands in the way.
    pub kafka: Result<Credentials, KafkaError>,
}

/// Reads them: the fellows and the record from watches, the rest from the API server.
pub async fn dereference(
    context: &Context,
    service: &ReservationService,
    services: &Store<ReservationService>,
) -> Result<Inputs, ApiError> {
    let (record, taken) = match record::known(context, service).await? {
        Ok(record) => (record, None),
        Err(taken) => (Record::new(), Some(taken)),
    };
    let kafka = credentials::read(context, service).await?;
    Ok(Inputs { fellows: services.state(), topics: knowledge(service, record), taken, kafka })
}

/// What the service knows of its topics: by its record, its status, and what a person accepts.
pub(super) fn knowledge(service: &ReservationService, record: Record) -> Knowledge {
    let status = service.status.as_ref();
    let seen = |topic: &TopicStatus, own| (topic.name.clone(), Seen { id: topic.id.clone(), own });
    // Versions before told of one topic, and not whose it is.
    let before = status.and_then(|status| status.topic.as_ref()).map(|topic| seen(topic, false));
    let seen = status.into_iter().flat_map(|status| &status.topics).map(|topic| seen(topic, !topic.observed));
    let accepted = service.annotations().get(ACCEPT_TOPICS_ANNOTATION);
    Knowledge {
        record,
        seen: before.into_iter().chain(seen).collect(),
        accepted: accepted
            .into_iter()
            .flat_map(|ids| ids.split(','))
            .map(|id| id.trim().to_owned())
            .collect(),
        cluster: status.and_then(|status| status.kafka_cluster_id.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reservation_service::fixtures::main_service;

    #[test]
    fn a_status_of_a_version_before_does_not_say_whose_a_topic_is() {
        let mut service = main_service();
        let topic =
            |name: &str| TopicStatus { name: name.into(), id: Some("x".into()), ..TopicStatus::default() };
        let status = service.status.get_or_insert_default();
        status.topic = Some(topic("seats"));
        assert!(!knowledge(&service, Record::new()).seen["seats"].own);
        let status = service.status.get_or_insert_default();
        status.topics = vec![topic("seats"), TopicStatus { observed: true, ..topic("payments") }];
        let known = knowledge(&service, Record::new());
        assert!(known.seen["seats"].own && !known.seen["payments"].own);
    }

    #[test]
    fn ids_are_accepted_by_annotation() {
        let mut service = main_service();
        service.annotations_mut().insert(ACCEPT_TOPICS_ANNOTATION.into(), "a-b, c_d".into());
        let accepted = knowledge(&service, Record::new()).accepted;
        assert_eq!(accepted, ["a-b".to_owned(), "c_d".to_owned()].into());
    }
}
