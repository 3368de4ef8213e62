//! How the workers are reached, and by whom.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::networking::v1::{
    IPBlock, NetworkPolicy, NetworkPolicyEgressRule, NetworkPolicyIngressRule, NetworkPolicyPeer,
    NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{ADMIN_PORT, COMMAND_PORT, METRICS_PORT, QUERY_PORT, worker_meta};
use crate::reservation_service::names;
use crate::reservation_service::validate::ValidatedService;

/// Where names are looked up.
const DNS_PORT: i32 = 53;

pub(super) fn services(service: &ValidatedService) -> [Service; 2] {
    let command = [("http", COMMAND_PORT), ("admin", ADMIN_PORT), ("metrics", METRICS_PORT)];
    let query = [("http", QUERY_PORT), ("admin", ADMIN_PORT), ("metrics", METRICS_PORT)];
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

/// One a worker. Header auth trusts whoever reaches the port: only `auth.allowFrom` may. Tokens are checked whoever brings
/// them: there everybody may where it is left out. The admin ports are the operator's, metrics are everybody's, and nobody
/// has anything else to ask of a consumer.
pub(super) fn policies(service: &ValidatedService) -> Vec<NetworkPolicy> {
    let consumers = service.consumers.iter().map(|consumer| {
        let name = &consumer.declared.name;
        if consumer.declared.handler.acts_outside() {
            of_effects(service, name)
        } else {
            allow(service, name, vec![rule(None, METRICS_PORT)], None)
        }
    });
    let buyers = [policy(service, names::COMMAND, COMMAND_PORT), policy(service, names::QUERY, QUERY_PORT)];
    buyers.into_iter().chain(consumers).collect()
}

/// Workers that call whom the resource names may reach everything, also where the namespace forbids what nobody allows,
/// but for the link-local addresses at which clouds hand out credentials: of these they need names alone.
fn of_effects(service: &ValidatedService, component: &str) -> NetworkPolicy {
    let block = |cidr: &str, except: &str| NetworkPolicyPeer {
        ip_block: Some(IPBlock { cidr: cidr.to_owned(), except: Some(vec![except.to_owned()]) }),
        ..NetworkPolicyPeer::default()
    };
    let names = ["UDP", "TCP"].map(|protocol| port_of(DNS_PORT, protocol));
    let egress = vec![
        NetworkPolicyEgressRule { to: None, ports: Some(names.into()) },
        NetworkPolicyEgressRule {
            to: Some(vec![block("0.0.0.0/0", "169.254.0.0/16"), block("::/0", "fe80::/10")]),
            ports: None,
        },
    ];
    allow(service, component, vec![rule(None, METRICS_PORT)], Some(egress))
}

fn policy(service: &ValidatedService, component: &str, buyers: i32) -> NetworkPolicy {
    let peers: Vec<_> = service
        .spec
        .auth
        .allow_from
        .iter()
        .map(|peer| NetworkPolicyPeer {
            namespace_selector: peer.namespace_selector.clone(),
            pod_selector: peer.pod_selector.clone(),
            ip_block: peer.ip_block.as_ref().map(|block| IPBlock {
                cidr: block.cidr.clone(),
                except: Some(block.except.clone()).filter(|except| !except.is_empty()),
            }),
        })
        .collect();
    let ingress = vec![
        rule(Some(peers).filter(|peers| !peers.is_empty()), buyers),
        rule(None, METRICS_PORT),
        rule(Some(vec![operator(&service.operator_namespace)]), ADMIN_PORT),
    ];
    allow(service, component, ingress, None)
}

fn allow(
    service: &ValidatedService,
    component: &str,
    ingress: Vec<NetworkPolicyIngressRule>,
    egress: Option<Vec<NetworkPolicyEgressRule>>,
) -> NetworkPolicy {
    let types = [Some("Ingress"), egress.is_some().then_some("Egress")];
    NetworkPolicy {
        metadata: worker_meta(service, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(LabelSelector {
                match_labels: Some(names::selector(&service.name, component)),
                ..LabelSelector::default()
            }),
            policy_types: Some(types.into_iter().flatten().map(str::to_owned).collect()),
            ingress: Some(ingress),
            egress,
        }),
    }
}

fn rule(from: Option<Vec<NetworkPolicyPeer>>, port: i32) -> NetworkPolicyIngressRule {
    NetworkPolicyIngressRule { from, ports: Some(vec![port_of(port, "TCP")]) }
}

fn port_of(port: i32, protocol: &str) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(port)),
        protocol: Some(protocol.to_owned()),
        ..NetworkPolicyPort::default()
    }
}

/// The operator's own pods, in the namespace in which it runs: labels alone anybody may give to a pod.
fn operator(namespace: &str) -> NetworkPolicyPeer {
    let labels = |name: &str, value: &str| {
        let labels = [(name.to_owned(), value.to_owned())].into();
        Some(LabelSelector { match_labels: Some(labels), ..LabelSelector::default() })
    };
    NetworkPolicyPeer {
        namespace_selector: labels("kubernetes.io/metadata.name", namespace),
        pod_selector: labels("app.kubernetes.io/name", names::MANAGED_BY),
        ip_block: None,
    }
}
