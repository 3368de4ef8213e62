//! A Secret or a `ConfigMap` that a ReservationService names: what is in it, as far as it is there. Pure but for [`hold`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::{ConfigMap, Secret};
use kube::ResourceExt;

use super::fingerprint::fingerprint;
use crate::api::ApiError;
use crate::context::Context;

/// Which of both it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A Secret.
    Secret,
    /// A `ConfigMap`.
    ConfigMap,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
        })
    }
}

impl Kind {
    /// What is said of one that the operator may not read: which right lacks.
    pub fn unreadable(self) -> String {
        let resource = match self {
            Self::Secret => "secrets",
            Self::ConfigMap => "configmaps",
        };
        format!(
            "may not be read by the operator: its role lacks the verb get on {resource} there, grant that for this one at least"
        )
    }
}

/// It as it was found.
#[derive(Clone, Debug)]
pub enum Holding {
    /// A Secret, with what is in it.
    Secret(Arc<Secret>),
    /// A `ConfigMap`.
    ConfigMap(Arc<ConfigMap>),
    /// There is none.
    Absent,
    /// The operator may not read it.
    Forbidden,
}

/// Reads it, by its name.
pub async fn hold(
    context: &Context,
    namespace: &str,
    (kind, name): (Kind, &str),
    age: Duration,
) -> Result<Holding, ApiError> {
    let client = &context.client;
    let found = match kind {
        Kind::Secret => {
            let found = context.secrets.get(client, namespace, name, age).await;
            found.map(|found| found.map(Holding::Secret))
        }
        Kind::ConfigMap => {
            let found = context.config_maps.get(client, namespace, name, age).await;
            found.map(|found| found.map(Holding::ConfigMap))
        }
    };
    match found {
        Ok(found) => Ok(found.unwrap_or(Holding::Absent)),
        Err(error) if error.is_forbidden() => Ok(Holding::Forbidden),
        Err(error) => Err(error),
    }
}

impl Holding {
    /// What stands under a key; nothing where that is empty.
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        let value = match self {
            Self::Secret(secret) => secret.data.as_ref()?.get(key)?.0.as_slice(),
            Self::ConfigMap(map) => map.data.as_ref()?.get(key)?.as_bytes(),
            Self::Absent | Self::Forbidden => return None,
        };
        Some(value).filter(|value| !value.is_empty())
    }

    /// The fingerprint of a value of it. That of a Secret is mixed with its uid, which only those know who may read the Secret:
    /// the fingerprint stands in the open, and a weak password must not be found by trying which one fits.
    pub fn fingerprint(&self, value: &[u8]) -> String {
        match self {
            Self::Secret(secret) => fingerprint(&format!("{}\n{value:?}", secret.uid().unwrap_or_default())),
            Self::ConfigMap(_) | Self::Absent | Self::Forbidden => fingerprint(&format!("{value:?}")),
        }
    }
}

/// Whether a value has certificates in PEM form in it.
pub fn has_certificate(value: &[u8]) -> bool {
    contains(value, "-----BEGIN CERTIFICATE-----")
}

/// Whether it has a private key in PEM form that needs no password.
pub fn has_private_key(value: &[u8]) -> bool {
    contains(value, "PRIVATE KEY-----")
        && !contains(value, "BEGIN ENCRYPTED PRIVATE KEY")
        && !contains(value, "Proc-Type: 4,ENCRYPTED")
}

fn contains(value: &[u8], text: &str) -> bool {
    value.windows(text.len()).any(|window| window == text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_and_keys_are_known_by_their_form() {
        assert!(has_certificate(b"# of the cluster\n-----BEGIN CERTIFICATE-----\nMIIB"));
        assert!(!has_certificate(b"MIIB") && !has_certificate(b"-----BEGIN PRIVATE KEY-----\nMIIB"));
        for kind in ["", "RSA ", "EC "] {
            assert!(has_private_key(format!("-----BEGIN {kind}PRIVATE KEY-----\nMIIB").as_bytes()));
        }
        assert!(!has_private_key(b"-----BEGIN CERTIFICATE-----\nMIIB"));
        assert!(!has_private_key(b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB"));
        assert!(!has_private_key(b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n\nMIIB"));
    }

    #[test]
    fn the_same_in_another_config_map_is_the_same_and_in_another_secret_it_is_not() {
        let secret = |uid: &str| {
            let mut secret = Secret::default();
            secret.metadata.uid = Some(uid.into());
            Holding::Secret(Arc::new(secret)).fingerprint(b"a")
        };
        let map = |uid: &str| {
            let mut map = ConfigMap::default();
            map.metadata.uid = Some(uid.into());
            Holding::ConfigMap(Arc::new(map)).fingerprint(b"a")
        };
        assert_ne!(secret("u1"), secret("u2"));
        assert_eq!(map("u1"), map("u2"));
    }
}
