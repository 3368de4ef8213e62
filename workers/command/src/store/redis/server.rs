//! Where Redis is, and how to speak to it: the address of the settings, and those of the other nodes of a cluster,
//! which have the same user, password and certificates. Opens nothing itself.

use std::time::Duration;

use boxoffice_runtime::tls::{ClientCertificate, Tls};
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ClientTlsConfig, ConnectionAddr, ConnectionInfo, ErrorKind,
    IntoConnectionInfo, RedisError, RedisResult, TlsCertificates,
};

use super::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// How long what was sent may stay without the peer's acknowledgement before the connection counts as dead. A server
/// that lost its power answers nothing at all, and the kernel alone would try for a quarter of an hour.
const UNACKNOWLEDGED: Duration = Duration::from_secs(4);

/// How many commands may stand in line for a connection before whoever gives the next one waits, and how many bytes of them
/// are sent at once. The client's own 50 and 8 KiB are fewer than requests may be at work, and a sixth of what they often have
/// to say together: a command is more than a kilobyte.
const LINE: usize = 1024;
const AT_ONCE: usize = 64 * 1024;

/// A server by name and port.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Node {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Node {
    /// As Redis writes it in redirections: `host:port`, where a missing host means the server that answered.
    pub fn parse(text: &str, answering: &Self) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let host = if host.is_empty() { answering.host.clone() } else { host.to_owned() };
        Some(Self { host, port: port.parse().ok()? })
    }
}

impl std::fmt::Display for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// What every connection has in common.
#[derive(Debug, Clone)]
pub struct Server {
    info: ConnectionInfo,
    first: Node,
}

impl Server {
    /// From `redis://` or, for TLS, `rediss://`. Only there may `tls` say how both sides know each other.
    pub fn new(url: &str, tls: &Tls) -> RedisResult<Self> {
        // Else the system keeps what is written back until Redis has acknowledged what was written before, with its answer.
        let socket = TcpSettings::default().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED);
        let mut info = url.into_connection_info()?.set_tcp_settings(socket);
        if *tls != Tls::default() {
            info = Client::build_with_tls(info, certificates(tls))?.get_connection_info().clone();
        }
        let first = match info.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                Node { host: host.clone(), port: *port }
            }
            _ => {
                return Err(RedisError::from((ErrorKind::InvalidClientConfig, "it must name host and port")));
            }
        };
        Ok(Self { info, first })
    }

    /// The server that the settings name.
    pub fn first(&self) -> &Node {
        &self.first
    }

    /// A client of `node`.
    pub fn client(&self, node: &Node) -> RedisResult<Client> {
        let Node { host, port } = node.clone();
        let addr = match self.info.addr() {
            ConnectionAddr::TcpTls { insecure, tls_params, .. } => {
                ConnectionAddr::TcpTls { host, port, insecure: *insecure, tls_params: tls_params.clone() }
            }
            _ => ConnectionAddr::Tcp(host, port),
        };
        Client::open(self.info.clone().set_addr(addr))
    }
}

fn certificates(tls: &Tls) -> TlsCertificates {
    let client = |ClientCertificate { certificate, key }: &ClientCertificate| ClientTlsConfig {
        client_cert: certificate.clone().into_bytes(),
        client_key: key.clone().into_bytes(),
    };
    let Tls { authority, certificate } = tls;
    TlsCertificates {
        client_tls: certificate.as_ref().map(client),
        root_cert: authority.as_ref().map(|pem| pem.clone().into_bytes()),
    }
}

/// How long connections wait, and how much they take at once.
pub fn patience() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(RESPONSE_TIMEOUT))
        .set_pipeline_buffer_size(LINE)
        .set_write_backpressure_boundary(AT_ONCE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_nodes_are_spoken_to_like_the_first() {
        let server = Server::new("rediss://worker:secret@first:7000", &Tls::default()).unwrap();
        let node = Node::parse("10.0.0.2:7001", server.first()).unwrap();
        let client = server.client(&node).unwrap();
        let info = client.get_connection_info();
        assert_eq!(info.addr().to_string(), "10.0.0.2:7001");
        assert!(matches!(info.addr(), ConnectionAddr::TcpTls { .. }));
        assert_eq!(info.redis_settings().username(), Some("worker"));
        assert!(info.tcp_settings().nodelay(), "several wait for an answer on it at once");
    }

    #[test]
    fn a_redirection_without_a_host_stays_with_the_one_that_answered() {
        let answering = Node { host: "here".into(), port: 1 };
        assert_eq!(Node::parse(":7002", &answering), Some(Node { host: "here".into(), port: 7002 }));
        assert_eq!(Node::parse("fe80::1:7002", &answering).unwrap().host, "fe80::1");
        assert_eq!(Node::parse("nonsense", &answering), None);
    }

    #[test]
    fn an_address_without_a_port_of_its_own_has_the_usual_one() {
        let new = |url| Server::new(url, &Tls::default());
        assert_eq!(new("redis://redis").unwrap().first().to_string(), "redis:6379");
        assert!(new("unix:///tmp/socket").is_err());
    }

    #[test]
    fn certificates_belong_to_an_address_that_speaks_tls() {
        let refused = Server::new("redis://redis", &Tls::trusting("PEM")).unwrap_err();
        assert!(refused.to_string().contains("rediss://"), "{refused}");
        let certificate = ClientCertificate { certificate: "PEM".into(), key: "no key".into() };
        let tls = Tls { authority: None, certificate: Some(certificate) };
        let refused = Server::new("rediss://redis", &tls).unwrap_err().to_string();
        assert!(refused.contains("private key") && !refused.contains("no key"), "{refused}");
    }
}
