//! How far a Deployment has come with its newest template.

use k8s_openapi::api::apps::v1::Deployment;

/// Whether every pod is of the newest template and ready, as far as the Deployment controller has seen the spec.
pub fn is_complete(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or_default() >= desired
        && status.ready_replicas.unwrap_or_default() >= desired
        && status.replicas.unwrap_or_default() <= desired
}
