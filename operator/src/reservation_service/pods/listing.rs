//! Lists the pods of a service, where what is remembered of them is not good any more.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use boxoffice_crds::ReservationService;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use crate::api::{ApiError, beside, timed};
use crate::context::{Context, key};
use crate::reservation_service::names;

/// The pods of all workers of the service, given its Deployments.
pub async fn list(
    context: &Context,
    service: &ReservationService,
    deployments: &BTreeMap<String, Deployment>,
) -> Result<Arc<Vec<Pod>>, ApiError> {
    let key = key(service);
    if let Some(pods) = context.pods.remembered(&key, deployments, Instant::now()) {
        return Ok(pods);
    }
    let api: Api<Pod> = beside(&context.client, service);
    let parameters = ListParams::default().labels(&names::owned_by(&service.name_any()));
    let mut pods = timed("list the workers' pods", api.list(&parameters)).await?.items;
    for pod in &mut pods {
        pod.managed_fields_mut().clear();
    }
    let pods = Arc::new(pods);
    context.pods.note(key, deployments, Arc::clone(&pods), Instant::now());
    Ok(pods)
}
