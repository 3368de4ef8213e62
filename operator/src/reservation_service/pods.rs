//! The pods of a service's workers, listed again only when one of its Deployments changed, is not complete, or a minute is
//! over: whatever becomes of a pod changes its Deployment.

pub mod listing;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use super::rollout::is_complete;

/// How old a list may be where nothing seems to change.
const AGE: Duration = Duration::from_mins(1);
/// What nobody asked for in this time is forgotten.
const IDLE: Duration = Duration::from_mins(5);

/// The pods of each service whose Deployments are complete.
#[derive(Default)]
pub struct Lists {
    known: Mutex<HashMap<String, List>>,
}

struct List {
    /// The Deployments as they were then, by resource version.
    at: BTreeMap<String, Option<String>>,
    pods: Arc<Vec<Pod>>,
    listed: Instant,
}

impl Lists {
    fn remembered(
        &self,
        key: &str,
        deployments: &BTreeMap<String, Deployment>,
        now: Instant,
    ) -> Option<Arc<Vec<Pod>>> {
        let known = self.known();
        let list = known.get(key)?;
        let is_good = now.saturating_duration_since(list.listed) < AGE && list.at == versions(deployments);
        is_good.then(|| Arc::clone(&list.pods))
    }

    /// Keeps the list where nothing is on its way: neither a rollout nor a pod that is leaving.
    fn note(
        &self,
        key: String,
        deployments: &BTreeMap<String, Deployment>,
        pods: Arc<Vec<Pod>>,
        now: Instant,
    ) {
        let mut known = self.known();
        known.retain(|_, list| now.saturating_duration_since(list.listed) < IDLE);
        let is_quiet = deployments.values().all(is_complete)
            && pods.iter().all(|pod| pod.metadata.deletion_timestamp.is_none());
        if is_quiet {
            known.insert(key, List { at: versions(deployments), pods, listed: now });
        } else {
            known.remove(&key);
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, List>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn versions(deployments: &BTreeMap<String, Deployment>) -> BTreeMap<String, Option<String>> {
    deployments.iter().map(|(name, deployment)| (name.clone(), deployment.resource_version())).collect()
}

/// Whether the pod is one of those that `selector` picks out.
pub fn is_of(pod: &Pod, selector: &BTreeMap<String, String>) -> bool {
    selector.iter().all(|(key, value)| pod.labels().get(key) == Some(value))
}

/// Whether its containers ended for good.
pub fn is_over(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

/// Where it answers.
pub fn address(pod: &Pod) -> Option<&str> {
    pod.status.as_ref()?.pod_ip.as_deref().filter(|_| !is_over(pod))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn deployments(version: &str, ready: i32) -> BTreeMap<String, Deployment> {
        let deployment = json!({
            "metadata": {"generation": 1, "resourceVersion": version},
            "spec": {"replicas": 1, "selector": {}, "template": {}},
            "status": {"observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": ready},
        });
        [("main-command".to_owned(), serde_json::from_value(deployment).unwrap())].into()
    }

    fn pod(leaving: bool) -> Pod {
        let time = leaving.then_some("2026-11-23T10:00:00Z");
        serde_json::from_value(json!({"metadata": {"name": "p", "deletionTimestamp": time}})).unwrap()
    }

    #[test]
    fn a_list_serves_while_its_deployments_are_complete_and_as_they_were() {
        let (lists, start) = (Lists::default(), Instant::now());
        let note = |deployments: &_, pod| lists.note("a".into(), deployments, Arc::new(vec![pod]), start);
        let serves = |deployments: &_, now| lists.remembered("a", deployments, now).is_some();
        note(&deployments("7", 1), pod(false));
        assert!(serves(&deployments("7", 1), start));
        assert!(!serves(&deployments("8", 1), start), "a pod was replaced");
        assert!(!serves(&deployments("7", 1), start + AGE));
        note(&deployments("7", 0), pod(false));
        assert!(!serves(&deployments("7", 0), start), "pods are starting");
        note(&deployments("7", 1), pod(true));
        assert!(!serves(&deployments("7", 1), start), "a pod is leaving, and not gone");
    }
}
