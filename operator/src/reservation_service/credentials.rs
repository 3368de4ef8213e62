//! What a ReservationService is admitted to Kafka by: the Secrets that `kafka.tls` and `kafka.sasl` name, read for the
//! operator's own clients. Workers get the same values from the kubelet; nothing here is written anywhere.

use boxoffice_crds::ReservationService;
use boxoffice_crds::reservation_service::{Kafka, SaslMechanism};
use boxoffice_runtime::log::kafka::security::{Mechanism, Sasl, Security, Tls};
use k8s_openapi::api::core::v1::SecretKeySelector;
use kube::ResourceExt;

use super::brokers::brokers;
use crate::api::ApiError;
use crate::context::Context;
use crate::kafka::KafkaError;
use crate::kafka::connection::Connection;
use crate::secrets::{AGE, Holding, UNREADABLE};

/// Key of the user name in the Secret of `kafka.sasl`.
pub const USERNAME: &str = "username";
/// Key of the password.
pub const PASSWORD: &str = "password";
const LOGIN: [&str; 2] = [USERNAME, PASSWORD];

/// How the operator reaches the brokers of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// For its clients.
    pub connection: Connection,
}

/// A Secret that is named, and whether it is there.
struct Named<'a> {
    field: &'static str,
    name: &'a str,
    /// What it has to hold.
    keys: Vec<&'a str>,
    secret: Holding,
}

/// Reads them. What is wrong with them is Kafka's trouble; only the API server's failures are errors.
pub async fn read(
    context: &Context,
    service: &ReservationService,
) -> Result<Result<Credentials, KafkaError>, ApiError> {
    let kafka = &service.spec.kafka;
    let namespace = service.namespace().unwrap_or_default();
    let get = async |field, name, keys| {
        let secret = context.secrets.hold(&context.client, &namespace, name, AGE).await?;
        Ok(Named { field, name, keys, secret })
    };
    let ca = match ca_reference(kafka) {
        Some(reference) => {
            Some(get("kafka.tls.caSecretRef", &reference.name, vec![reference.key.as_str()]).await?)
        }
        None => None,
    };
    let login = match &kafka.sasl {
        Some(sasl) => Some(get("kafka.sasl.secretRef", &sasl.secret_ref.name, LOGIN.to_vec()).await?),
        None => None,
    };
    Ok(credentials(service, ca.as_ref(), login.as_ref()))
}

fn ca_reference(kafka: &Kafka) -> Option<&SecretKeySelector> {
    kafka.tls.as_ref()?.ca_secret_ref.as_ref()
}

fn credentials(
    service: &ReservationService,
    ca: Option<&Named>,
    login: Option<&Named>,
) -> Result<Credentials, KafkaError> {
    let kafka = &service.spec.kafka;
    let namespace = service.namespace().unwrap_or_default();
    let authority = match (ca_reference(kafka), ca) {
        (Some(reference), Some(ca)) => authority(ca, reference, &namespace)?,
        _ => None,
    };
    let tls = kafka.tls.is_some().then(|| authority.map_or(Tls::SystemRoots, Tls::Authority));
    let sasl = match (&kafka.sasl, login) {
        (Some(declared), Some(login)) => Some(Sasl {
            mechanism: mechanism(declared.mechanism),
            username: login.text(USERNAME, &namespace)?,
            password: login.text(PASSWORD, &namespace)?,
        }),
        _ => None,
    };
    let security = Security { tls, sasl };
    Ok(Credentials { connection: Connection { bootstrap_servers: brokers(service), security } })
}

/// The authority's certificate; an optional one may be absent.
fn authority(
    ca: &Named,
    reference: &SecretKeySelector,
    namespace: &str,
) -> Result<Option<String>, KafkaError> {
    let may_lack = reference.optional == Some(true) && !matches!(ca.secret, Holding::Forbidden);
    if may_lack && ca.value(&reference.key).is_none() {
        return Ok(None);
    }
    let pem = ca.text(&reference.key, namespace)?;
    if pem.contains("-----BEGIN CERTIFICATE-----") {
        return Ok(Some(pem));
    }
    Err(ca.unusable(
        namespace,
        &format!("has no certificate under {}: store the authority's in PEM form", reference.key),
    ))
}

impl Named<'_> {
    fn value(&self, key: &str) -> Option<&[u8]> {
        let Holding::There(secret) = &self.secret else { return None };
        Some(secret.data.as_ref()?.get(key)?.0.as_slice())
    }

    fn text(&self, key: &str, namespace: &str) -> Result<String, KafkaError> {
        match &self.secret {
            Holding::There(_) => {}
            Holding::Absent => {
                let keys = self.keys.join(" and ");
                return Err(self.unusable(namespace, &format!("does not exist: create it with {keys}")));
            }
            Holding::Forbidden => return Err(self.unusable(namespace, UNREADABLE)),
        }
        let value =
            self.value(key).ok_or_else(|| self.unusable(namespace, &format!("has no key {key}: add it")))?;
        match std::str::from_utf8(value) {
            Ok(text) if !text.is_empty() && !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(self.unusable(namespace, &format!("has no text under {key}: store one"))),
        }
    }

    fn unusable(&self, namespace: &str, what: &str) -> KafkaError {
        let Self { field, name, keys: _, secret: _ } = self;
        KafkaError::SecretUnusable(format!("{field}: Secret {namespace}/{name} {what}"))
    }
}

/// The mechanism as the client knows it.
pub fn mechanism(declared: SaslMechanism) -> Mechanism {
    match declared {
        SaslMechanism::Plain => Mechanism::Plain,
        SaslMechanism::ScramSha256 => Mechanism::ScramSha256,
        SaslMechanism::ScramSha512 => Mechanism::ScramSha512,
    }
}

#[cfg(test)]
#[path = "credentials_tests.rs"]
mod tests;
