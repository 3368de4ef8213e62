//! Who a caller of a ReservationService is: the user that a gateway names, or that of a token.

use k8s_openapi::api::core::v1::SecretKeySelector;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who a caller is.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct Auth {
    /// `header` (default): the gateway in front has checked the user and sends `x-user-id`. `jwt`: the workers check a
    /// bearer token themselves, and the user is its `sub`.
    pub mode: AuthMode,
    /// Who may reach the workers, at most 32 entries; it becomes the NetworkPolicy. Mode header needs it, in mode
    /// jwt nothing is everybody. Any pod of the cluster: `[{namespaceSelector: {}}]`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32))]
    pub allow_from: Vec<Peer>,
    /// Mode jwt: which tokens are good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub jwt: Option<Jwt>,
}

/// How the user is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AuthMode {
    /// By the header `x-user-id`, behind a gateway.
    #[default]
    Header,
    /// By a JSON Web Token.
    Jwt,
}

/// Who may reach the workers: pods, with both selectors those pods in those namespaces, or addresses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.namespaceSelector) || has(self.podSelector) || has(self.ipBlock)")
        .message("allowFrom: an entry needs namespaceSelector, podSelector or both ({} selects all), or ipBlock"),
    validation = Rule::new("!has(self.ipBlock) || (!has(self.namespaceSelector) && !has(self.podSelector))")
        .message("allowFrom: ipBlock stands alone, because addresses have no labels: make two entries of it")
)]
pub struct Peer {
    /// Labels of their namespace; `{}`: any. Left out: the service's own namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace_selector: Option<LabelSelector>,
    /// Labels of the pods; `{}` or left out: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pod_selector: Option<LabelSelector>,
    /// Addresses, as the workers' node sees them: of a gateway or a load balancer outside of the cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_block: Option<IpBlock>,
}

/// A block of addresses.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[x_kube(validation = Rule::new(
    "self.cidr.matches('^[0-9a-fA-F.:]+/[0-9]{1,3}$') && \
     (!has(self.except) || self.except.all(c, c.matches('^[0-9a-fA-F.:]+/[0-9]{1,3}$')))")
    .message("ipBlock: cidr and except are blocks such as 203.0.113.0/24 or 2001:db8::/64"))]
pub struct IpBlock {
    /// The block. Example: `203.0.113.0/24`.
    #[schemars(length(min = 4, max = 43))]
    pub cidr: String,
    /// Blocks within it that are not meant, at most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 32), inner(length(min = 4, max = 43)))]
    pub except: Vec<String>,
}

/// Which JSON Web Tokens are good.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("has(self.jwksUrl) != has(self.secretRef)")
    .message("auth.jwt: give either jwksUrl or secretRef"))]
pub struct Jwt {
    /// The `iss` that a token must have. Example: `https://login.example.com/`.
    #[schemars(length(min = 1, max = 2048))]
    pub issuer: String,
    /// The `aud` that a token must have. Example: `tickets`.
    #[schemars(length(min = 1, max = 2048))]
    pub audience: String,
    /// Where the issuer publishes its keys (RS256, ES256); they are fetched anew every few minutes and when a token names
    /// another one. Example: `https://login.example.com/.well-known/jwks.json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 2048))]
    pub jwks_url: Option<String>,
    /// The key in a Secret of the same namespace: a public key as PEM (RS256, ES256), or a shared secret of 32 bytes or
    /// more (HS256). Another content replaces the pods that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<SecretKeySelector>,
}
