//! Where a Kafka cluster is: what clients are made for, and what they are kept by.

use boxoffice_runtime::log::kafka::security::Security;

/// Where a cluster is, and how it is reached.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Connection {
    /// Brokers to ask first: host:port with commas.
    pub bootstrap_servers: String,
    /// TLS and SASL.
    pub security: Security,
}
