//! TLS towards a server, the same for Kafka, Redis and PostgreSQL: whom a client takes for the server, and who it is
//! itself, as text in PEM form. Clients come here from their arguments, the operator from what a ReservationService names.

use std::fmt;

/// How a client and a server know each other.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Tls {
    /// The certificates of the authorities that the server's may be signed by, in place of those that the system, or the
    /// image, trusts.
    pub authority: Option<String>,
    /// What the client shows, where the server asks for it.
    pub certificate: Option<ClientCertificate>,
}

impl Tls {
    /// With the authority of one's own.
    pub fn trusting(authority: impl Into<String>) -> Self {
        Self { authority: Some(authority.into()), certificate: None }
    }
}

/// Who a client is.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClientCertificate {
    /// Its certificate, and behind it those between that one and its authority.
    pub certificate: String,
    /// Its private key, without a password.
    pub key: String,
}

impl ClientCertificate {
    /// From arguments, of which clap has seen to it that both are given or none.
    pub fn given(certificate: Option<String>, key: Option<String>) -> Option<Self> {
        certificate.zip(key).map(|(certificate, key)| Self { certificate, key })
    }
}

impl fmt::Debug for ClientCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { certificate, key: _ } = self;
        f.debug_struct("ClientCertificate").field("certificate", certificate).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_key_is_shown_nowhere() {
        let certificate = ClientCertificate::given(Some("PEM".into()), Some("hush".into()));
        assert!(certificate.is_some());
        let shown = format!("{:?}", Tls { authority: None, certificate });
        assert!(shown.contains("PEM") && !shown.contains("hush"), "{shown}");
        assert_eq!(ClientCertificate::given(None, None), None);
    }
}
