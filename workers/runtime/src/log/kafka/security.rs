//! How a client proves to Kafka who it is, and makes sure that it is Kafka: TLS and SASL as librdkafka's properties.
//!
//! The one place that knows their names: workers come here from their arguments (`settings`), the operator from the
//! Secrets that a ReservationService names. It reads neither.

use std::fmt;

use clap::ValueEnum;
use rdkafka::config::ClientConfig;

use crate::tls::{ClientCertificate, Tls};

/// How connections are secured; by default not at all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Security {
    /// TLS, unless connections are in plain text: brokers are those whose certificate names the host that was asked for.
    pub tls: Option<Tls>,
    /// SASL, unless brokers ask for no credentials.
    pub sasl: Option<Sasl>,
}

/// Who the client is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Sasl {
    /// How it proves that.
    pub mechanism: Mechanism,
    /// Its name.
    pub username: String,
    /// Its password.
    pub password: String,
}

/// How a client proves who it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, ValueEnum)]
pub enum Mechanism {
    /// The password itself, for use with TLS
    #[value(name = "PLAIN")]
    Plain,
    /// Salted challenge and response with SHA-256
    #[value(name = "SCRAM-SHA-256")]
    ScramSha256,
    /// Salted challenge and response with SHA-512
    #[value(name = "SCRAM-SHA-512")]
    ScramSha512,
}

impl Mechanism {
    /// As Kafka writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha512 => "SCRAM-SHA-512",
        }
    }
}

impl fmt::Debug for Sasl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mechanism, username, password: _ } = self;
        f.debug_struct("Sasl")
            .field("mechanism", mechanism)
            .field("username", username)
            .finish_non_exhaustive()
    }
}

impl Security {
    /// The beginning of every client's configuration.
    ///
    /// librdkafka takes leave of its brokers on threads of its own, which nobody joins before the process ends. OpenSSL
    /// would free itself beneath them at `exit` (openssl/openssl#6214), so it is told first not to.
    pub fn client(&self) -> ClientConfig {
        openssl_sys::init();
        let mut config = ClientConfig::new();
        for (name, value) in self.properties() {
            config.set(name, value);
        }
        config
    }

    /// The properties of librdkafka that say so.
    pub fn properties(&self) -> Vec<(&'static str, &str)> {
        let protocol = match (&self.tls, &self.sasl) {
            (None, None) => "PLAINTEXT",
            (Some(_), None) => "SSL",
            (None, Some(_)) => "SASL_PLAINTEXT",
            (Some(_), Some(_)) => "SASL_SSL",
        };
        let mut properties = vec![("security.protocol", protocol)];
        if let Some(Tls { authority, certificate }) = &self.tls {
            properties.push(("ssl.endpoint.identification.algorithm", "https"));
            properties.push(match authority {
                // OpenSSL's own default is where it was built for, which an image need not have.
                None => ("ssl.ca.location", "probe"),
                Some(pem) => ("ssl.ca.pem", pem),
            });
            if let Some(ClientCertificate { certificate, key }) = certificate {
                properties.push(("ssl.certificate.pem", certificate));
                properties.push(("ssl.key.pem", key));
            }
        }
        if let Some(Sasl { mechanism, username, password }) = &self.sasl {
            properties.push(("sasl.mechanism", mechanism.as_str()));
            properties.push(("sasl.username", username));
            properties.push(("sasl.password", password));
        }
        properties
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rdkafka::producer::BaseProducer;

    fn sasl(mechanism: Mechanism) -> Sasl {
        Sasl { mechanism, username: "boxoffice".into(), password: "hush".into() }
    }

    fn protocol(security: &Security) -> &str {
        security.properties()[0].1
    }

    #[test]
    fn the_protocol_follows_from_what_is_given() {
        let (tls, sasl) = (Some(Tls::default()), Some(sasl(Mechanism::Plain)));
        assert_eq!(protocol(&Security::default()), "PLAINTEXT");
        assert_eq!(protocol(&Security { tls: tls.clone(), sasl: None }), "SSL");
        assert_eq!(protocol(&Security { tls: None, sasl: sasl.clone() }), "SASL_PLAINTEXT");
        assert_eq!(protocol(&Security { tls, sasl }), "SASL_SSL");
    }

    #[test]
    fn an_authority_takes_the_place_of_those_of_the_system() {
        let own = Security { tls: Some(Tls::trusting("PEM")), sasl: None };
        assert!(own.properties().contains(&("ssl.ca.pem", "PEM")));
        assert!(!own.properties().iter().any(|(name, _)| *name == "ssl.ca.location"));
        let systems = Security { tls: Some(Tls::default()), sasl: None };
        assert!(systems.properties().contains(&("ssl.ca.location", "probe")));
    }

    #[test]
    fn librdkafka_knows_every_property_and_mechanism() {
        for mechanism in Mechanism::value_variants() {
            let security = Security { tls: Some(Tls::default()), sasl: Some(sasl(*mechanism)) };
            security.client().create::<BaseProducer>().unwrap();
        }
    }

    #[test]
    fn a_client_shows_its_certificate_where_it_has_one() {
        let certificate = ClientCertificate::given(Some("CERTIFICATE".into()), Some("KEY".into()));
        let security = Security { tls: Some(Tls { authority: None, certificate }), sasl: None };
        let properties = security.properties();
        assert!(properties.contains(&("ssl.certificate.pem", "CERTIFICATE")));
        assert!(properties.contains(&("ssl.key.pem", "KEY")));
        let refused = security.client().create::<BaseProducer>().err().unwrap().to_string();
        assert!(refused.contains("ssl.certificate.pem"), "{refused}");
    }

    #[test]
    fn the_password_is_shown_nowhere() {
        let security = Security { tls: None, sasl: Some(sasl(Mechanism::Plain)) };
        assert!(!format!("{security:?}").contains("hush"));
    }
}
