//! A Kafka that has a second listener, which admits clients by TLS and SASL alone: with a certificate for loopback, and
//! one user who may come by each mechanism and do everything. Others come by PLAIN, and may do what ACLs say: at first
//! nothing. A third listener admits clients by their certificates alone. Who comes by the first may do everything, and so may
//! the client of the third.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use tempfile::TempDir;

use super::certificates::{CLIENT, Certificates};
use super::kafka::{self, Kafka, QuorumNode};
use super::server::{Program, free_port};

/// The user that the secure listener knows.
pub const USERNAME: &str = "boxoffice";
/// Its password.
pub const PASSWORD: &str = "standing-room-only";
/// Users that may do what ACLs say; they have the same password.
pub const LIMITED: [&str; 5] = ["operator", "command", "consumer", "query", "stranger"];

/// A single-broker Kafka with secure listeners; clones are the same one.
#[derive(Debug, Clone)]
pub struct SecureKafka {
    port: u16,
    mutual_port: u16,
    certificates: Certificates,
    _folder: Arc<TempDir>,
}

impl SecureKafka {
    /// One that was not started yet, with certificates of its own.
    ///
    /// # Errors
    /// A machine without openssl, or without a free port.
    pub async fn new() -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("boxoffice-certificates-").tempdir()?;
        let certificates = Certificates::for_localhost(folder.path()).await?;
        Ok(Self { port: free_port()?, mutual_port: free_port()?, certificates, _folder: Arc::new(folder) })
    }

    /// The bootstrap servers of the secure listener.
    pub fn secure_address(&self) -> String {
        format!("localhost:{}", self.port)
    }

    /// Those of the listener that asks for certificates.
    pub fn mutual_address(&self) -> String {
        format!("localhost:{}", self.mutual_port)
    }

    /// The file with the authority that signed its certificate.
    pub fn authority(&self) -> &Path {
        &self.certificates.authority.path
    }
}

#[async_trait]
impl Program for SecureKafka {
    const NAME: &'static str = Kafka::NAME;

    async fn prepare(&self, folder: &Path, port: u16) -> anyhow::Result<()> {
        let keys = folder.join("keys.pem");
        let Certificates { authority, certificate, key, .. } = &self.certificates;
        std::fs::write(&keys, format!("{}{}", key.text, certificate.text))?;
        let secure = [("SECURE", "SASL_SSL", self.port), ("MUTUAL", "SSL", self.mutual_port)];
        let listeners = [&[("PLAINTEXT", "PLAINTEXT", port)][..], &secure].concat();
        let secured = listener(&keys) + &mutual(&keys, &authority.path);
        let scram = |mechanism| format!("{mechanism}=[name={USERNAME},password={PASSWORD}]");
        let users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].map(scram);
        kafka::format(folder, &listeners, &QuorumNode::alone()?, &secured, &users).await
    }

    fn command(&self, folder: &Path, port: u16) -> anyhow::Result<Command> {
        Kafka.command(folder, port)
    }

    async fn answers(&self, port: u16) -> anyhow::Result<()> {
        Kafka.answers(port).await
    }

    fn address(&self, port: u16) -> String {
        Kafka.address(port)
    }
}

/// What Kafka needs to know of the listener. A key and its certificate in one file are a key store to Kafka.
fn listener(keys: &Path) -> String {
    let limited = LIMITED.map(|name| format!(" user_{name}=\"{PASSWORD}\"")).concat();
    format!(
        "authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS;User:{USERNAME};User:CN={CLIENT}
listener.name.secure.ssl.keystore.type=PEM
listener.name.secure.ssl.keystore.location={}
listener.name.secure.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256,SCRAM-SHA-512
listener.name.secure.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
         user_{USERNAME}=\"{PASSWORD}\"{limited};
listener.name.secure.scram-sha-256.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.secure.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
",
        keys.display()
    )
}

/// The same of the listener that asks for certificates, and takes those that the authority signed.
fn mutual(keys: &Path, authority: &Path) -> String {
    format!(
        "listener.name.mutual.ssl.keystore.type=PEM
listener.name.mutual.ssl.keystore.location={}
listener.name.mutual.ssl.truststore.type=PEM
listener.name.mutual.ssl.truststore.location={}
listener.name.mutual.ssl.client.auth=required
",
        keys.display(),
        authority.display()
    )
}
