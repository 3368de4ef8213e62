//! Reads what a ReservationService depends on beyond itself: its fellows in the cluster, and the record of its topics.

use std::collections::BTreeSet;
use std::sync::Arc;

use boxoffice_crds::ReservationService;
use kube::runtime::reflector::Store;

use super::record;
use crate::api::ApiError;
use crate::context::Context;

/// What a reconcile needs to know.
pub struct Inputs {
    /// Every service of the cluster, this one among them: one of them may have its topics already.
    pub fellows: Vec<Arc<ReservationService>>,
    /// The topics that are the service's own.
    pub owned_topics: BTreeSet<String>,
}

/// Reads them: the fellows from the watch, the record from the API server.
pub async fn dereference(
    context: &Context,
    service: &ReservationService,
    services: &Store<ReservationService>,
) -> Result<Inputs, ApiError> {
    let owned_topics = record::read(&context.client, service).await?;
    Ok(Inputs { fellows: services.state(), owned_topics })
}
