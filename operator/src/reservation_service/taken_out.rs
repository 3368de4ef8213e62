//! What is taken out of an object unless the resource says it: every field that changes what runs, as whom, with what, and
//! who reaches it. This is the one list of them; `drift` goes by it. Pure.
//!
//! Server-side apply leaves such fields to whoever wrote them. A field that is in no list here is one that the operator
//! always says, so that it is compared, or is left for a reason that the tests give.

use serde_json::Value;

/// Of a Deployment.
pub const OF_DEPLOYMENT: [&str; 3] = ["minReadySeconds", "paused", "progressDeadlineSeconds"];

/// Of its pods: lists whose elements are compared one by one.
pub const LISTS_OF_PODS: [&str; 3] = ["containers", "initContainers", "volumes"];

/// Of its pods. What the resource says of one of them, by `podTemplate` or because workers need it, is all that it says.
pub const OF_PODS: [&str; 31] = [
    "affinity",
    "dnsConfig",
    "dnsPolicy",
    "hostAliases",
    "hostIPC",
    "hostNetwork",
    "hostPID",
    "hostUsers",
    "hostname",
    "hostnameOverride",
    "imagePullSecrets",
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "readinessGates",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "schedulingGates",
    "securityContext",
    "setHostnameAsFQDN",
    "shareProcessNamespace",
    "subdomain",
    "tolerations",
    "topologySpreadConstraints",
];

/// Of the worker's container: lists whose elements are compared one by one.
pub const LISTS_OF_WORKER: [&str; 5] = ["env", "envFrom", "ports", "volumeMounts", "volumeDevices"];

/// Of the worker's container.
pub const OF_WORKER: [&str; 16] = [
    "args",
    "lifecycle",
    "livenessProbe",
    "readinessProbe",
    "resizePolicy",
    "resources",
    "restartPolicy",
    "restartPolicyRules",
    "securityContext",
    "startupProbe",
    "stdin",
    "stdinOnce",
    "terminationMessagePath",
    "terminationMessagePolicy",
    "tty",
    "workingDir",
];

/// Of a Service, whose ports are compared one by one.
pub const OF_SERVICE: [&str; 11] = [
    "externalIPs",
    "externalName",
    "externalTrafficPolicy",
    "internalTrafficPolicy",
    "loadBalancerIP",
    "loadBalancerSourceRanges",
    "publishNotReadyAddresses",
    "sessionAffinity",
    "sessionAffinityConfig",
    "trafficDistribution",
    "type",
];

/// Of a `PodDisruptionBudget`: it takes one of two, and the operator says the other.
pub const OF_BUDGET: [&str; 1] = ["minAvailable"];

/// What the API server says where nobody says anything, at whatever depth: neither drift nor an addition. What is empty is
/// none either.
const DEFAULTS: [(&str, &str); 14] = [
    ("dnsPolicy", "ClusterFirst"),
    ("externalTrafficPolicy", "Cluster"),
    ("internalTrafficPolicy", "Cluster"),
    ("procMount", "Default"),
    ("progressDeadlineSeconds", "600"),
    ("protocol", "TCP"),
    ("restartPolicy", "Always"),
    ("schedulerName", "default-scheduler"),
    ("scheme", "HTTP"),
    ("sessionAffinity", "None"),
    ("successThreshold", "1"),
    ("terminationMessagePath", "/dev/termination-log"),
    ("terminationMessagePolicy", "File"),
    ("type", "ClusterIP"),
];

/// Whether that is what the API server fills in.
pub fn is_default(field: &str, value: &Value) -> bool {
    let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    DEFAULTS.iter().any(|(name, default)| *name == field && *default == text)
}

#[cfg(test)]
#[path = "taken_out_tests.rs"]
mod tests;
