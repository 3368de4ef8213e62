//! The names of everything a ReservationService owns. Pure; other controllers and tools find its parts by these.

use std::collections::BTreeMap;

/// The key of the token in its Secret.
pub const ADMIN_TOKEN_KEY: &str = "token";
/// The value of `app.kubernetes.io/managed-by` on everything the operator makes.
pub const MANAGED_BY: &str = "boxoffice-operator";

/// The namespace in which the operator runs, unless it was installed in another one.
pub const OPERATOR_NAMESPACE: &str = "boxoffice-system";

/// The annotation with the fingerprint of an object as it was wanted: a field that is wanted no more changes it.
pub const WANTED: &str = "boxoffice.dev/wanted";

/// The worker that takes commands.
pub const COMMAND: &str = "command";
/// The consumer group in which the command workers read payments, behind `kafka.prefix`.
pub const COMMAND_PAYMENTS: &str = "command-payments";
/// The worker that answers queries.
pub const QUERY: &str = "query";

/// The Deployment, Service and `PodDisruptionBudget` of a worker: `main-command`, `main-<consumer>`.
pub fn worker(service: &str, component: &str) -> String {
    format!("{service}-{component}")
}

/// The immutable `ConfigMap` of a worker's settings, named after what they say: `main-command-0123456789abcdef`.
pub fn settings(service: &str, component: &str, fingerprint: &str) -> String {
    format!("{}-{fingerprint}", worker(service, component))
}

/// The Secret of the admin API's token.
pub fn admin_token(service: &str) -> String {
    format!("{service}-admin-token")
}

/// The `ConfigMap` that records which topics are the service's own; it outlives the service.
pub fn record(service: &str) -> String {
    format!("{service}-retained")
}

/// The label of the record. Tools that apply what is in a repository prune by `app.kubernetes.io/instance` what is not there;
/// this one is of nobody's business but the operator's.
pub const RECORD_OF: &str = "boxoffice.dev/record-of";

/// Labels of everything the service owns.
pub fn labels(service: &str) -> BTreeMap<String, String> {
    let mut labels = selector_of_service(service);
    labels.insert("app.kubernetes.io/managed-by".to_owned(), MANAGED_BY.to_owned());
    labels
}

/// The label that says which worker of a service a pod is.
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// The labels that pick out one worker's pods; they never change, because a Deployment's selector cannot.
pub fn selector(service: &str, component: &str) -> BTreeMap<String, String> {
    let mut labels = selector_of_service(service);
    labels.insert(COMPONENT.to_owned(), component.to_owned());
    labels
}

/// A label selector for everything that the operator made for the service.
pub fn owned_by(service: &str) -> String {
    let pairs: Vec<_> = labels(service).into_iter().map(|(key, value)| format!("{key}={value}")).collect();
    pairs.join(",")
}

/// The label that says which service an object was made for.
pub const INSTANCE: &str = "app.kubernetes.io/instance";

fn selector_of_service(service: &str) -> BTreeMap<String, String> {
    BTreeMap::from([
        ("app.kubernetes.io/name".to_owned(), "boxoffice".to_owned()),
        (INSTANCE.to_owned(), service.to_owned()),
    ])
}
