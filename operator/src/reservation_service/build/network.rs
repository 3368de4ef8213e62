//! How the workers are reached, and by whom.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{ADMIN_PORT, COMMAND_PORT, METRICS_PORT, QUERY_PORT, worker_meta};
use crate::reservation_service::names;
use crate::reservation_service::validate::ValidatedService;

pub(super) fn services(service: &ValidatedService) -> [Service; 2] {
    let command = [("http", COMMAND_PORT), ("admin", ADMIN_PORT), ("metrics", METRICS_PORT)];
    let query = [("http", QUERY_PORT), ("metrics", METRICS_PORT)];
    [worker_service(service, names::COMMAND, &command), worker_service(service, names::QUERY, &query)]
}

fn worker_service(service: &ValidatedService, component: &str, ports: &[(&str, i32)]) -> Service {
    let port = |(name, port): &(&str, i32)| ServicePort {
        name: Some((*name).to_owned()),
        port: *port,
        target_port: Some(IntOrString::String((*name).to_owned())),
        protocol: Some("TCP".to_owned()),
        ..ServicePort::default()
    };
    Service {
        metadata: worker_meta(service, component),
        spec: Some(ServiceSpec {
            selector: Some(names::selector(&service.name, component)),
            ports: Some(ports.iter().map(port).collect()),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// Header auth trusts whoever reaches the port: only `auth.allowFrom` may. Tokens are checked whoever brings them: there
/// everybody may where it is left out. The admin port is the operator's, metrics are everybody's.
pub(super) fn policies(service: &ValidatedService) -> [NetworkPolicy; 2] {
    [policy(service, names::COMMAND, COMMAND_PORT, true), policy(service, names::QUERY, QUERY_PORT, false)]
}

fn policy(service: &ValidatedService, component: &str, buyers: i32, has_admin: bool) -> NetworkPolicy {
    let peers: Vec<_> = service
        .spec
        .auth
        .allow_from
        .iter()
        .map(|peer| NetworkPolicyPeer {
            namespace_selector: peer.namespace_selector.clone(),
            pod_selector: peer.pod_selector.clone(),
            ip_block: None,
        })
        .collect();
    let mut ingress =
        vec![rule(Some(peers).filter(|peers| !peers.is_empty()), buyers), rule(None, METRICS_PORT)];
    if has_admin {
        ingress.push(rule(Some(vec![operator()]), ADMIN_PORT));
    }
    NetworkPolicy {
        metadata: worker_meta(service, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(names::selector(&service.name, component)),
                ..LabelSelector::default()
            }),
            policy_types: Some(vec!["Ingress".to_owned()]),
            ingress: Some(ingress),
            egress: None,
        }),
    }
}

fn rule(from: Option<Vec<NetworkPolicyPeer>>, port: i32) -> NetworkPolicyIngressRule {
    let port = NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    };
    NetworkPolicyIngressRule { from, ports: Some(vec![port]) }
}

/// The operator's own pods, in whichever namespace it runs.
fn operator() -> NetworkPolicyPeer {
    let labels = [("app.kubernetes.io/name".to_owned(), names::MANAGED_BY.to_owned())].into();
    NetworkPolicyPeer {
        namespace_selector: Some(LabelSelector::default()),
        pod_selector: Some(LabelSelector { match_labels: Some(labels), ..LabelSelector::default() }),
        ip_block: None,
    }
}
