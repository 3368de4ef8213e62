//! Reads what a ReservationService depends on beyond itself: its fellows in the cluster, the record of its topics, and
//! the Secrets by which Kafka admits it.

use std::sync::Arc;

use boxoffice_crds::ReservationService;
use kube::runtime::reflector::Store;

use super::credentials::{self, Credentials};
use super::record;
use crate::api::ApiError;
use crate::context::Context;
use crate::kafka::KafkaError;
use crate::kafka::converge::{Knowledge, Seen};

/// What a reconcile needs to know.
pub struct Inputs {
    /// Every service of the cluster, this one among them: one of them may have its topics already.
    pub fellows: Vec<Arc<ReservationService>>,
    /// What it knows of its topics.
    pub topics: Knowledge,
    /// How it reaches Kafka, or which Secret stands in the way.
    pub kafka: Result<Credentials, KafkaError>,
}

/// Reads them: the fellows from the watch, the rest from the API server.
pub async fn dereference(
    context: &Context,
    service: &ReservationService,
    services: &Store<ReservationService>,
) -> Result<Inputs, ApiError> {
    let owned = record::read(&context.client, service).await?;
    let seen = service.status.as_ref().and_then(|status| status.topic.as_ref());
    let seen = seen.map(|topic| Seen { name: topic.name.clone(), id: topic.id.clone() });
    let kafka = credentials::read(context, service).await?;
    Ok(Inputs { fellows: services.state(), topics: Knowledge { owned, seen }, kafka })
}
