//! TLS towards the servers of a ReservationService, the same for Kafka, Redis and databases: whom it takes for them, and
//! who it is itself.

#![expect(clippy::struct_field_names, reason = "references are called so in Kubernetes")]

use k8s_openapi::api::core::v1::{ConfigMapKeySelector, SecretKeySelector};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// TLS towards a server, whose certificate has to name the host that is asked for.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = Rule::new("!(has(self.caSecretRef) && has(self.caConfigMapRef))")
    .message("tls: give either caSecretRef or caConfigMapRef; one text may hold several certificates"))]
pub struct Tls {
    /// The certificate authority that signed the server's certificate, as PEM in a Secret of the same namespace; several
    /// certificates may follow each other, 128 KiB in all. Left out, with caConfigMapRef: those that the image trusts. Another
    /// content replaces the pods that read it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_secret_ref: Option<SecretKeySelector>,
    /// The same in a ConfigMap, as trust-manager makes it, in place of caSecretRef.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ca_config_map_ref: Option<ConfigMapKeySelector>,
    /// The client's own certificate, where the server asks for one: a Secret of the same namespace, of type
    /// kubernetes.io/tls or with other keys.
    /// Example, a user of Strimzi: `{name: boxoffice, certificate: user.crt, key: user.key}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_secret_ref: Option<CertificateRef>,
}

/// A Secret with a certificate and its private key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateRef {
    /// The Secret, in the same namespace. Another content replaces the pods that read it.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,
    /// Key of the certificate in PEM form, with those between it and its authority behind it. Default: `tls.crt`.
    #[serde(default = "certificate")]
    #[schemars(length(min = 1, max = 253))]
    pub certificate: String,
    /// Key of the private key in PEM form, without a password. Default: `tls.key`.
    #[serde(default = "private_key")]
    #[schemars(length(min = 1, max = 253))]
    pub key: String,
}

fn certificate() -> String {
    "tls.crt".to_owned()
}

fn private_key() -> String {
    "tls.key".to_owned()
}
