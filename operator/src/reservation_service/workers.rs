//! How the workers are, from their Deployments, their pods, and what unready pods say about themselves. Pure but for
//! [`look`].

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::WORKERS_READY;
use boxoffice_crds::reservation_service::PodCounts;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use kube::api::{Api, ListParams};

use super::names;
use crate::api::{ApiError, beside, timed};
use crate::conditions::{Finding, progress};
use crate::context::Context;

/// The Deployments that should be there, and why pods are not ready, by Deployment.
#[derive(Debug, Default)]
pub struct Workers {
    /// Live Deployments by name.
    pub deployments: BTreeMap<String, Deployment>,
    /// Why a pod is not ready: `(reason, message)` by Deployment, where there is something to say.
    pub troubles: BTreeMap<String, (String, String)>,
}

/// Reads the pods of Deployments that are not complete, and asks one unready pod of each what is in its way.
pub async fn look(
    context: &Context,
    service: &ReservationService,
    deployments: BTreeMap<String, Deployment>,
) -> Result<Workers, ApiError> {
    let mut troubles = BTreeMap::new();
    if deployments.values().any(|deployment| !is_complete(deployment)) {
        let api: Api<Pod> = beside(&context.client, service);
        let parameters = ListParams::default().labels(&names::owned_by(&service.name_any()));
        let pods = timed("list the workers' pods", api.list(&parameters)).await?;
        for (name, deployment) in deployments.iter().filter(|(_, deployment)| !is_complete(deployment)) {
            if let Some(trouble) = trouble(context, deployment, &pods.items).await {
                troubles.insert(name.clone(), trouble);
            }
        }
    }
    Ok(Workers { deployments, troubles })
}

async fn trouble(context: &Context, deployment: &Deployment, pods: &[Pod]) -> Option<(String, String)> {
    let selector = deployment.spec.as_ref()?.selector.match_labels.as_ref()?;
    let is_of = |pod: &&Pod| selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value));
    let unready: Vec<_> = pods.iter().filter(is_of).filter(|pod| !is_ready(pod)).collect();
    if let Some(trouble) = unready.iter().find_map(|pod| waiting(pod)) {
        return Some(trouble);
    }
    for pod in unready {
        let Some(address) = pod.status.as_ref().and_then(|status| status.pod_ip.as_deref()) else { continue };
        if let Some(obstacles) = context.admin.obstacles(address).await {
            return Some((
                obstacle_reason(&obstacles).to_owned(),
                format!("pod {}: {obstacles}", pod.name_any()),
            ));
        }
    }
    None
}

/// Why the kubelet or the scheduler cannot run the pod.
fn waiting(pod: &Pod) -> Option<(String, String)> {
    let status = pod.status.as_ref()?;
    let scheduling =
        status.conditions.iter().flatten().find(|one| one.type_ == "PodScheduled" && one.status == "False");
    if let Some(condition) = scheduling {
        let reason = condition.reason.clone().unwrap_or_else(|| "Unschedulable".to_owned());
        return Some((
            reason,
            format!("pod {}: {}", pod.name_any(), condition.message.as_deref().unwrap_or_default()),
        ));
    }
    status.container_statuses.iter().flatten().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        let reason = waiting.reason.clone().filter(|reason| reason != "ContainerCreating")?;
        let message = waiting.message.as_deref().unwrap_or("no message");
        Some((reason, format!("pod {}: {message}", pod.name_any())))
    })
}

/// The reason for what a worker says on `/readyz`: a line a part, `redis: connection refused`.
fn obstacle_reason(obstacles: &str) -> &'static str {
    let reason = |line: &str| {
        let (part, why) = line.split_once(':')?;
        match part.trim() {
            _ if why.trim() == "starting" => None,
            "redis" => Some("RedisUnreachable"),
            "recovery" => Some("Recovering"),
            "log" => Some("KafkaUnreachable"),
            "database" => Some("DatabaseUnreachable"),
            "jwks" => Some("IssuerUnreachable"),
            "partition" => Some("PartitionStopped"),
            _ => Some("PodsNotReady"),
        }
    };
    obstacles.lines().find_map(reason).unwrap_or(progress::ROLLING_OUT)
}

impl Workers {
    /// The condition, given the Deployments that should be there.
    pub fn finding(&self, wanted: &[String]) -> Finding {
        let mut rolling = Vec::new();
        for name in wanted {
            let Some(deployment) = self.deployments.get(name) else {
                return Finding::waiting(WORKERS_READY, "started after the topics and consumer groups");
            };
            if is_complete(deployment) {
                continue;
            }
            let PodCounts { ready, desired } = counts(deployment);
            let state = format!("{name}: {ready} of {desired} pods are ready");
            match self.troubles.get(name) {
                Some((reason, message)) if reason != progress::ROLLING_OUT => {
                    return Finding::unmet(WORKERS_READY, reason, format!("{state}; {message}"));
                }
                _ => rolling.push(state),
            }
        }
        if rolling.is_empty() {
            Finding::met(WORKERS_READY, "Ready", format!("{} Deployments", wanted.len()))
        } else {
            Finding::unmet(WORKERS_READY, progress::ROLLING_OUT, rolling.join("; "))
        }
    }

    /// Pods of one worker, once its Deployment is there.
    pub fn counts(&self, deployment: &str) -> Option<PodCounts> {
        self.deployments.get(deployment).map(counts)
    }
}

/// Whether every pod is of the newest template and ready, as far as the Deployment controller has seen the spec.
fn is_complete(deployment: &Deployment) -> bool {
    let Some(status) = &deployment.status else { return false };
    let desired = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    status.observed_generation >= deployment.metadata.generation
        && status.updated_replicas.unwrap_or_default() >= desired
        && status.ready_replicas.unwrap_or_default() >= desired
        && status.replicas.unwrap_or_default() <= desired
}

fn counts(deployment: &Deployment) -> PodCounts {
    let count = |number: Option<i32>| u32::try_from(number.unwrap_or_default()).unwrap_or_default();
    PodCounts {
        ready: count(deployment.status.as_ref().and_then(|status| status.ready_replicas)),
        desired: count(deployment.spec.as_ref().and_then(|spec| spec.replicas)),
    }
}

fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

#[cfg(test)]
#[path = "workers_tests.rs"]
mod tests;
