//! How many pods a worker has, what they may use, and where they run.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Affinity, ResourceRequirements, Toleration, TopologySpreadConstraint};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The workers' image. What is left out comes from `status.image`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Image {
    /// Registry and name, without the tag. Example: `boxoffice/workers`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 255))]
    pub repository: Option<String>,
    /// Example: `0.1.0`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128))]
    pub tag: Option<String>,
    /// `Always`, `IfNotPresent` (default) or `Never`.
    pub pull_policy: PullPolicy,
}

/// When the kubelet asks the registry.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum PullPolicy {
    /// At every start.
    Always,
    /// When the node lacks the image.
    #[default]
    IfNotPresent,
    /// Never: the node has it.
    Never,
}

/// The pods of the command or of the query worker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Worker {
    /// How many pods, 1 to 100. Default: 2. Where `autoscaling` is given, that decides.
    #[schemars(range(min = 1, max = 100))]
    pub replicas: u32,
    /// What each pod requests and may use, as in a pod. Default: `{}`, no requests and no limits.
    pub resources: ResourceRequirements,
    /// Lets a HorizontalPodAutoscaler decide how many pods there are: `{minReplicas, maxReplicas}`, or one that is not the
    /// operator's: `{external: true}`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,
}

impl Default for Worker {
    fn default() -> Self {
        Self { replicas: 2, resources: ResourceRequirements::default(), autoscaling: None }
    }
}

/// Scaling by processor time, or by somebody else.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.external ? !has(self.minReplicas) && !has(self.maxReplicas) && \
                            !has(self.targetCPUUtilization) : has(self.minReplicas) && has(self.maxReplicas)")
        .message("autoscaling: give either minReplicas and maxReplicas, or external: true alone"),
    validation = Rule::new("!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas")
        .message("autoscaling.minReplicas must not be more than autoscaling.maxReplicas")
)]
pub struct Autoscaling {
    /// `true`: `replicas` counts when the pods are made, and is left alone afterwards: somebody else scales them. Default:
    /// `false`.
    #[serde(default)]
    pub external: bool,
    /// Fewest pods, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub min_replicas: Option<u32>,
    /// Most pods, up to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub max_replicas: Option<u32>,
    /// Mean processor time to aim at, in per cent of what the pods request. Left out: 70.
    #[serde(rename = "targetCPUUtilization", default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100))]
    pub target_cpu_utilization: Option<u32>,
}

/// What every pod of the service gets besides what the operator sets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct PodTemplate {
    /// Labels to add. Those that the operator sets cannot be changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Annotations to add.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub annotations: BTreeMap<String, String>,
    /// Labels that a node must have. Example: `{topology.kubernetes.io/zone: eu-1a}`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub node_selector: BTreeMap<String, String>,
    /// Taints that the pods tolerate, as in a pod.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tolerations: Vec<Toleration>,
    /// Node and pod affinity, as in a pod.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub affinity: Option<Affinity>,
    /// How the pods spread over zones or nodes, as in a pod. Left out: over nodes, as far as possible.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topology_spread_constraints: Vec<TopologySpreadConstraint>,
}
