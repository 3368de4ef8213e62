//! What workers are told of certificates, by the names of their environment variables: the same three for each server.
//! They come from Secrets and `ConfigMaps` and are copied nowhere.

use boxoffice_crds::tls::{CertificateRef, Tls};
use k8s_openapi::api::core::v1::{EnvVar, SecretKeySelector};

use super::env::env;
use crate::reservation_service::validate::Source;

/// Whom TLS is spoken with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Server {
    /// Kafka.
    Kafka,
    /// Redis.
    Redis,
    /// A worker's database.
    Database,
}

/// What a variable holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The authority of the server's certificate.
    Authority,
    /// The client's certificate.
    Certificate,
    /// Its private key.
    Key,
}

const SERVERS: [Server; 3] = [Server::Kafka, Server::Redis, Server::Database];
const PARTS: [Part; 3] = [Part::Authority, Part::Certificate, Part::Key];

impl Server {
    fn prefix(self) -> &'static str {
        match self {
            Self::Kafka => "BOXOFFICE_KAFKA_",
            Self::Redis => "BOXOFFICE_REDIS_",
            Self::Database => "BOXOFFICE_DATABASE_",
        }
    }
}

impl Part {
    fn suffix(self) -> &'static str {
        match self {
            Self::Authority => "CA",
            Self::Certificate => "CERTIFICATE",
            Self::Key => "KEY",
        }
    }
}

/// The variables of a worker that speaks with `server` as is declared.
pub(super) fn variables(server: Server, tls: Option<&Tls>) -> Vec<EnvVar> {
    let Some(Tls { ca_secret_ref, ca_config_map_ref, certificate_secret_ref }) = tls else {
        return Vec::new();
    };
    let variable =
        |part: Part, source: &Source| env(&format!("{}{}", server.prefix(), part.suffix()), source);
    let in_secret = ca_secret_ref.clone().map(Source::Secret);
    let authority = in_secret.or_else(|| ca_config_map_ref.clone().map(Source::ConfigMap));
    let authority = authority.map(|source| variable(Part::Authority, &source));
    let own = certificate_secret_ref.iter().flat_map(|CertificateRef { name, certificate, key }| {
        let from = |key: &str| {
            Source::Secret(SecretKeySelector { name: name.clone(), key: key.to_owned(), optional: None })
        };
        [variable(Part::Certificate, &from(certificate)), variable(Part::Key, &from(key))]
    });
    authority.into_iter().chain(own).collect()
}

/// What a variable is about, where it is one of these.
pub fn told(variable: &str) -> Option<(Server, Part)> {
    SERVERS.into_iter().find_map(|server| {
        let suffix = variable.strip_prefix(server.prefix())?;
        let part = PARTS.into_iter().find(|part| part.suffix() == suffix)?;
        Some((server, part))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_is_known_by_the_name_that_it_was_given() {
        assert_eq!(told("BOXOFFICE_KAFKA_CA"), Some((Server::Kafka, Part::Authority)));
        assert_eq!(told("BOXOFFICE_DATABASE_KEY"), Some((Server::Database, Part::Key)));
        for other in ["BOXOFFICE_DATABASE_URL", "BOXOFFICE_JWT_KEY", "BOXOFFICE_WEBHOOK_KEY"] {
            assert_eq!(told(other), None);
        }
    }
}
