//! What a ReservationService is admitted to Kafka by: what `kafka.tls` and `kafka.sasl` name, read for the operator's own
//! clients. Workers get the same values from the kubelet; nothing here is written anywhere. Pure but for [`read`].

use std::collections::BTreeMap;

use boxoffice_crds::ReservationService;
use boxoffice_crds::reservation_service::{Kafka, KafkaSasl, SaslMechanism};
use boxoffice_crds::tls::{CertificateRef, Tls as Declared};
use boxoffice_runtime::log::kafka::security::{Mechanism, Sasl, Security};
use boxoffice_runtime::tls::{ClientCertificate, Tls};
use kube::ResourceExt;

use super::brokers::brokers;
use super::holding::{Holding, Kind, has_certificate, has_private_key, hold};
use crate::api::ApiError;
use crate::context::Context;
use crate::kafka::KafkaError;
use crate::kafka::connection::Connection;
use crate::secrets::AGE;

/// Key of the user name in the Secret of `kafka.sasl`, where it does not stand in the resource.
pub const USERNAME: &str = "username";

/// How the operator reaches the brokers of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// For its clients.
    pub connection: Connection,
}

/// What was found of all that is named.
type Holdings<'a> = BTreeMap<(Kind, &'a str), Holding>;

/// A Secret or a `ConfigMap` that is named.
struct Named<'a> {
    field: &'static str,
    kind: Kind,
    name: &'a str,
    /// What it has to hold.
    keys: Vec<&'a str>,
}

/// Reads them. What is wrong with them is Kafka's trouble; only the API server's failures are errors.
pub async fn read(
    context: &Context,
    service: &ReservationService,
) -> Result<Result<Credentials, KafkaError>, ApiError> {
    let namespace = service.namespace().unwrap_or_default();
    let mut holdings = Holdings::new();
    for Named { kind, name, .. } in named(&service.spec.kafka) {
        holdings.insert((kind, name), hold(context, &namespace, (kind, name), AGE).await?);
    }
    Ok(credentials(service, &holdings))
}

fn named(kafka: &Kafka) -> impl Iterator<Item = Named<'_>> {
    let tls = kafka.tls.iter().flat_map(|tls| {
        let authority = authority(tls).map(|(named, _)| named);
        authority.into_iter().chain(tls.certificate_secret_ref.as_ref().map(certificate))
    });
    tls.chain(kafka.sasl.as_ref().map(login))
}

/// Where the authority is, and whether it may be absent.
fn authority(tls: &Declared) -> Option<(Named<'_>, bool)> {
    let (field, kind, name, key, optional) = match (&tls.ca_secret_ref, &tls.ca_config_map_ref) {
        (Some(from), _) => ("kafka.tls.caSecretRef", Kind::Secret, &from.name, &from.key, from.optional),
        (None, Some(from)) => {
            ("kafka.tls.caConfigMapRef", Kind::ConfigMap, &from.name, &from.key, from.optional)
        }
        (None, None) => return None,
    };
    Some((Named { field, kind, name, keys: vec![key.as_str()] }, optional == Some(true)))
}

fn certificate(from: &CertificateRef) -> Named<'_> {
    let CertificateRef { name, certificate, key } = from;
    let keys = vec![certificate.as_str(), key.as_str()];
    Named { field: "kafka.tls.certificateSecretRef", kind: Kind::Secret, name, keys }
}

fn login(sasl: &KafkaSasl) -> Named<'_> {
    let username = sasl.username.is_none().then_some(USERNAME);
    let keys = username.into_iter().chain([sasl.secret_ref.password_key()]).collect();
    Named { field: "kafka.sasl.secretRef", kind: Kind::Secret, name: &sasl.secret_ref.name, keys }
}

fn credentials(service: &ReservationService, holdings: &Holdings) -> Result<Credentials, KafkaError> {
    let kafka = &service.spec.kafka;
    let reader = Reader { namespace: service.namespace().unwrap_or_default(), holdings };
    let security = Security {
        tls: kafka.tls.as_ref().map(|tls| reader.tls(tls)).transpose()?,
        sasl: kafka.sasl.as_ref().map(|sasl| reader.sasl(sasl)).transpose()?,
    };
    Ok(Credentials { connection: Connection { bootstrap_servers: brokers(service), security } })
}

/// Takes texts out of what was found.
struct Reader<'a> {
    namespace: String,
    holdings: &'a Holdings<'a>,
}

impl<'a> Reader<'a> {
    fn tls(&self, tls: &'a Declared) -> Result<Tls, KafkaError> {
        let authority = match authority(tls) {
            Some((named, is_optional)) => self.authority(&named, is_optional)?,
            None => None,
        };
        let own = tls.certificate_secret_ref.as_ref();
        Ok(Tls { authority, certificate: own.map(|own| self.certificate(own)).transpose()? })
    }

    fn authority(&self, named: &Named<'a>, is_optional: bool) -> Result<Option<String>, KafkaError> {
        let key = named.keys.first().copied().unwrap_or_default();
        let is_forbidden = matches!(self.holdings.get(&(named.kind, named.name)), Some(Holding::Forbidden));
        if is_optional && !is_forbidden && self.value(named, key).is_none() {
            return Ok(None);
        }
        let pem = self.text(named, key)?;
        if has_certificate(pem.as_bytes()) {
            return Ok(Some(pem));
        }
        let problem = format!("has no certificate under {key}: store the authority's in PEM form");
        Err(self.unusable(named, &problem))
    }

    fn certificate(&self, from: &'a CertificateRef) -> Result<ClientCertificate, KafkaError> {
        let named = certificate(from);
        let own = ClientCertificate {
            certificate: self.text(&named, &from.certificate)?,
            key: self.text(&named, &from.key)?,
        };
        let problem = match (has_certificate(own.certificate.as_bytes()), has_private_key(own.key.as_bytes()))
        {
            (true, true) => return Ok(own),
            (false, _) => {
                format!("has no certificate under {}: store the client's in PEM form", from.certificate)
            }
            (true, false) => {
                format!("has no private key under {}: store it in PEM form, without a password", from.key)
            }
        };
        Err(self.unusable(&named, &problem))
    }

    fn sasl(&self, sasl: &'a KafkaSasl) -> Result<Sasl, KafkaError> {
        let named = login(sasl);
        let username = match &sasl.username {
            Some(username) => username.clone(),
            None => self.text(&named, USERNAME)?,
        };
        let password = self.text(&named, sasl.secret_ref.password_key())?;
        Ok(Sasl { mechanism: mechanism(sasl.mechanism), username, password })
    }

    fn value(&self, named: &Named<'a>, key: &str) -> Option<&'a [u8]> {
        self.holdings.get(&(named.kind, named.name))?.value(key)
    }

    fn text(&self, named: &Named<'a>, key: &str) -> Result<String, KafkaError> {
        match self.holdings.get(&(named.kind, named.name)) {
            Some(Holding::Secret(_) | Holding::ConfigMap(_)) => {}
            Some(Holding::Forbidden) => {
                return Err(self.unusable(named, &named.kind.unreadable()));
            }
            Some(Holding::Absent) | None => {
                let keys = named.keys.join(" and ");
                return Err(self.unusable(named, &format!("does not exist: create it with {keys}")));
            }
        }
        let value = self
            .value(named, key)
            .ok_or_else(|| self.unusable(named, &format!("has nothing under {key}: add it")))?;
        match std::str::from_utf8(value) {
            Ok(text) if !text.contains('\0') => Ok(text.to_owned()),
            _ => Err(self.unusable(named, &format!("has no text under {key}: store one"))),
        }
    }

    fn unusable(&self, named: &Named<'a>, what: &str) -> KafkaError {
        let Named { field, kind, name, keys: _ } = named;
        KafkaError::SecretUnusable(format!("{field}: {kind} {}/{name} {what}", self.namespace))
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
