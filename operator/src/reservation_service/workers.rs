//! How the workers are, from their Deployments, their pods, and what pods say about themselves. Pure but for [`look`].

use std::collections::BTreeMap;
use std::time::Duration;

use boxoffice_crds::ReservationService;
use boxoffice_crds::common::condition::WORKERS_READY;
use boxoffice_crds::reservation_service::PodCounts;
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use k8s_openapi::api::apps::v1::{Deployment, DeploymentCondition};
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;
use tokio::time::{Instant, timeout_at};

use super::pods;
use super::rollout::is_complete;
use crate::admin::POD_TIMEOUT;
use crate::conditions::{Finding, progress};
use crate::context::Context;

/// Most unready pods of one Deployment that are asked.
const ASKED: usize = 8;
/// How long all pods of a service may take together, those asked last a moment longer than each of them.
const ALL: Duration = POD_TIMEOUT.saturating_add(Duration::from_millis(100));

/// The Deployments that should be there, and why pods are not ready, by Deployment.
#[derive(Debug, Default)]
pub struct Workers {
    /// Live Deployments by name.
    pub deployments: BTreeMap<String, Deployment>,
    /// Why a pod is not ready: `(reason, message)` by Deployment, where there is something to say.
    pub troubles: BTreeMap<String, (String, String)>,
}

/// Looks at the pods of Deployments that are not complete, and asks unready ones what is in their way.
pub async fn look(
    context: &Context,
    service: &ReservationService,
    deployments: BTreeMap<String, Deployment>,
    pods: &[Pod],
) -> Workers {
    let incomplete = deployments.iter().filter(|(_, deployment)| !is_complete(deployment));
    let asked = incomplete.map(|(name, deployment)| async move {
        Some((name.clone(), trouble(context, service, deployment, pods).await?))
    });
    let troubles = side_by_side(asked).await.into_iter().flatten().collect();
    Workers { deployments, troubles }
}

/// Awaits all of them at once; those that take longer than a pod may are left out.
pub async fn side_by_side<F: Future>(all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut waiting: FuturesUnordered<F> = all.into_iter().collect();
    let (end, mut done) = (Instant::now() + ALL, Vec::with_capacity(waiting.len()));
    while let Ok(Some(output)) = timeout_at(end, waiting.next()).await {
        done.push(output);
    }
    done
}

async fn trouble(
    context: &Context,
    service: &ReservationService,
    deployment: &Deployment,
    pods: &[Pod],
) -> Option<(String, String)> {
    let selector = deployment.spec.as_ref()?.selector.match_labels.as_ref()?;
    let unready: Vec<_> = pods
        .iter()
        .filter(|pod| pods::is_of(pod, selector) && !is_ready(pod) && !pods::is_over(pod))
        .collect();
    if let Some(trouble) = unready.iter().find_map(|pod| waiting(pod)) {
        return Some(trouble);
    }
    let (namespace, name) = (service.namespace().unwrap_or_default(), service.name_any());
    let (namespace, name) = (namespace.as_str(), name.as_str());
    let with_address = unready.iter().filter_map(|pod| Some((pod.name_any(), pods::address(pod)?)));
    let asked = with_address.take(ASKED).map(|(pod, address)| async move {
        let obstacles = context.admin.obstacles(namespace, name, address).await?;
        Some((obstacle_reason(&obstacles).to_owned(), format!("pod {pod}: {obstacles}")))
    });
    // Of several the one whose name comes first: the message stays while the trouble does (I12).
    side_by_side(asked).await.into_iter().flatten().min_by(|(_, one), (_, other)| one.cmp(other))
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
        let (mut rolling, mut absent) = (Vec::new(), Vec::new());
        for name in wanted {
            let Some(deployment) = self.deployments.get(name) else {
                absent.push(name.as_str());
                continue;
            };
            if is_complete(deployment) {
                continue;
            }
            let PodCounts { ready, desired } = counts(deployment);
            let state = format!("{name}: {ready} of {desired} pods are ready");
            match self.trouble(name, deployment) {
                Some((reason, message)) => {
                    return Finding::unmet(WORKERS_READY, &reason, format!("{state}; {message}"));
                }
                None => rolling.push(state),
            }
        }
        if !absent.is_empty() {
            let message = format!(
                "{}: started after the topics, the consumer groups and the Secrets",
                absent.join(", ")
            );
            Finding::waiting(WORKERS_READY, message)
        } else if rolling.is_empty() {
            Finding::met(WORKERS_READY, "Ready", format!("{} Deployments", wanted.len()))
        } else {
            Finding::unmet(WORKERS_READY, progress::ROLLING_OUT, rolling.join("; "))
        }
    }

    /// Why a Deployment does not get complete: pods that cannot be made come before pods that do not get ready, and what a
    /// pod says before the mere fact that it takes too long.
    fn trouble(&self, name: &str, deployment: &Deployment) -> Option<(String, String)> {
        let told = |condition: &DeploymentCondition| condition.message.clone().unwrap_or_default();
        let failure = condition(deployment, "ReplicaFailure").filter(|failure| failure.status == "True");
        if let Some(failure) = failure {
            return Some(("ReplicaFailure".to_owned(), told(failure)));
        }
        let is_late = |late: &&DeploymentCondition| late.reason.as_deref() == Some(DEADLINE);
        let late = condition(deployment, "Progressing").filter(is_late);
        let of_pod = self.troubles.get(name).filter(|(reason, _)| reason != progress::ROLLING_OUT);
        match (of_pod, late) {
            (Some(trouble), None) => Some(trouble.clone()),
            (Some((reason, message)), Some(late)) => {
                Some((reason.clone(), format!("{message}; {}", told(late))))
            }
            (None, Some(late)) => Some((DEADLINE.to_owned(), told(late))),
            (None, None) => None,
        }
    }

    /// Pods of one worker, once its Deployment is there.
    pub fn counts(&self, deployment: &str) -> Option<PodCounts> {
        self.deployments.get(deployment).map(counts)
    }
}

/// The reason of a rollout that has not gone on for its `progressDeadlineSeconds`.
const DEADLINE: &str = "ProgressDeadlineExceeded";

fn condition<'a>(deployment: &'a Deployment, kind: &str) -> Option<&'a DeploymentCondition> {
    deployment.status.as_ref()?.conditions.iter().flatten().find(|condition| condition.type_ == kind)
}

/// Its pods.
pub fn counts(deployment: &Deployment) -> PodCounts {
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
