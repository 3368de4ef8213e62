//! Argument groups that several workers have, each with its environment variable.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use axum::http::HeaderValue;
use clap::Args;
use clap::builder::NonEmptyStringValueParser;

use crate::address::{self, InvalidAddress};
use crate::log::kafka::security::{Mechanism, Sasl, Security};
use crate::tls::{ClientCertificate, Tls};

/// Who this worker is, and how it is watched.
#[derive(Debug, Clone, Args)]
pub struct ServiceArgs {
    /// The ReservationService that this worker belongs to, as namespace/name.
    #[arg(long, env = "BOXOFFICE_SERVICE", value_parser = service_name)]
    pub service: String,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "BOXOFFICE_METRICS_ADDR", default_value = "[::]:9090")]
    pub metrics_addr: SocketAddr,
    /// What to log: a level, or directives such as "info,rdkafka=warn".
    #[arg(long, env = "BOXOFFICE_LOG", default_value = "info")]
    pub log: String,
    /// Seconds that a shutdown waits for work in progress.
    #[arg(long, env = "BOXOFFICE_DRAIN_SECONDS", default_value_t = 20)]
    #[arg(value_parser = clap::value_parser!(u64).range(..=86_400))]
    pub drain_seconds: u64,
}

impl ServiceArgs {
    /// How long a shutdown waits for work in progress.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

/// A ReservationService, as namespace/name.
///
/// # Errors
/// What is something else.
pub fn service_name(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(text.into())
        }
        _ => Err("expected namespace/name, such as tickets/main".into()),
    }
}

/// The topic that keeps a snapshot of each SeatingEvent whose domain events are on `topic`.
pub fn snapshots_topic(topic: &str) -> String {
    format!("{topic}.snapshots")
}

/// The topic that keeps what each SeatingEvent came to that is over and has its domain events on `topic`.
pub fn archive_topic(topic: &str) -> String {
    format!("{topic}.archive")
}

/// Who may call a worker from a page.
#[derive(Debug, Clone, Default, Args)]
pub struct WebArgs {
    /// Origins whose pages may call this worker, such as `https://www.example.com`, with commas. Who calls is told by a token
    /// then: the x-user-id of a page is believed nowhere.
    #[arg(long, env = "BOXOFFICE_ALLOW_ORIGINS", value_delimiter = ',', value_parser = origin)]
    pub allow_origins: Vec<HeaderValue>,
}

/// An origin as browsers name it: a list with `*` in it would end the process, and one with a path is that of no page.
///
/// # Errors
/// What is none.
pub fn origin(text: &str) -> Result<HeaderValue, String> {
    let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).unwrap_or_default();
    let is_origin = !host.is_empty() && !host.contains(['/', '?', '#', '@', '*', ',', ' ']);
    let origin = HeaderValue::from_str(text).ok().filter(|_| is_origin);
    origin
        .ok_or_else(|| "expected https://host or https://host:port, without a path and without *".to_owned())
}

fn brokers(text: &str) -> Result<String, InvalidAddress> {
    address::brokers(text).map(|()| text.to_owned())
}

/// Whether a text is a moment: Unix milliseconds, or an RFC 3339 time.
pub fn is_moment(text: &str) -> bool {
    text.parse::<i64>().is_ok() || text.parse::<jiff::Timestamp>().is_ok()
}

/// Where domain events are published and read.
#[derive(Debug, Clone, Args)]
pub struct KafkaArgs {
    /// Kafka's bootstrap servers, host:port with commas.
    #[arg(long, env = "BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS", value_parser = brokers)]
    pub kafka_bootstrap_servers: String,
    /// Topic of the seats' domain events.
    #[arg(long, env = "BOXOFFICE_KAFKA_TOPIC", default_value = "seat-events")]
    pub kafka_topic: String,
    /// Topic of stats.updated.
    #[arg(long, env = "BOXOFFICE_KAFKA_STATS_TOPIC", default_value = "stats-events")]
    pub kafka_stats_topic: String,
    /// Topic of the payments' domain events.
    #[arg(long, env = "BOXOFFICE_KAFKA_PAYMENT_TOPIC", default_value = "payment-events")]
    pub kafka_payment_topic: String,
    /// How connections to it are secured.
    #[command(flatten)]
    pub kafka_security: KafkaSecurityArgs,
}

/// How connections to Kafka are secured: left out, they are in plain text and without credentials.
#[derive(Clone, Args)]
pub struct KafkaSecurityArgs {
    /// Speak TLS with Kafka's brokers and check their certificates.
    #[arg(long, env = "BOXOFFICE_KAFKA_TLS")]
    pub kafka_tls: bool,
    /// Certificates of the authorities that sign the brokers', as text in PEM form. Left out: those that the system
    /// trusts.
    #[arg(
        long,
        env = "BOXOFFICE_KAFKA_CA",
        hide_env_values = true,
        requires = "kafka_tls",
        value_name = "PEM"
    )]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub kafka_ca: Option<String>,
    /// This client's certificate, where the brokers ask for one, as text in PEM form.
    #[arg(long, env = "BOXOFFICE_KAFKA_CERTIFICATE", hide_env_values = true, value_name = "PEM")]
    #[arg(requires_all = ["kafka_tls", "kafka_key"], value_parser = NonEmptyStringValueParser::new())]
    pub kafka_certificate: Option<String>,
    /// Its private key, as text in PEM form without a password; give it in the environment, as a password.
    #[arg(long, env = "BOXOFFICE_KAFKA_KEY", hide_env_values = true, value_name = "PEM")]
    #[arg(requires = "kafka_certificate", value_parser = NonEmptyStringValueParser::new())]
    pub kafka_key: Option<String>,
    /// How to prove to the brokers who this is.
    #[arg(long, env = "BOXOFFICE_KAFKA_SASL_MECHANISM", value_enum, value_name = "MECHANISM")]
    #[arg(requires_all = ["kafka_sasl_username", "kafka_sasl_password"])]
    pub kafka_sasl_mechanism: Option<Mechanism>,
    /// Who this is.
    #[arg(
        long,
        env = "BOXOFFICE_KAFKA_SASL_USERNAME",
        requires = "kafka_sasl_mechanism",
        value_name = "NAME"
    )]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub kafka_sasl_username: Option<String>,
    /// The password; give it in the environment, which other users of the machine do not see.
    #[arg(
        long,
        env = "BOXOFFICE_KAFKA_SASL_PASSWORD",
        hide_env_values = true,
        requires = "kafka_sasl_mechanism"
    )]
    #[arg(value_parser = NonEmptyStringValueParser::new(), value_name = "PASSWORD")]
    pub kafka_sasl_password: Option<String>,
}

impl From<KafkaSecurityArgs> for Security {
    /// Clap has seen to it that nothing is given by half.
    fn from(args: KafkaSecurityArgs) -> Self {
        let KafkaSecurityArgs { kafka_tls, kafka_ca, kafka_certificate, kafka_key, .. } = args;
        let login = args.kafka_sasl_mechanism.zip(args.kafka_sasl_username).zip(args.kafka_sasl_password);
        let certificate = ClientCertificate::given(kafka_certificate, kafka_key);
        Self {
            tls: kafka_tls.then_some(Tls { authority: kafka_ca, certificate }),
            sasl: login.map(|((mechanism, username), password)| Sasl { mechanism, username, password }),
        }
    }
}

impl fmt::Debug for KafkaSecurityArgs {
    /// As what it is turned into, which hides the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Security::from(self.clone()).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Worker {
        #[command(flatten)]
        kafka: KafkaArgs,
    }

    fn parsed(given: &[&str]) -> Result<Security, String> {
        let all = ["worker", "--kafka-bootstrap-servers=kafka:9092"].iter().chain(given);
        let worker = Worker::try_parse_from(all).map_err(|error| error.to_string())?;
        Ok(worker.kafka.kafka_security.into())
    }

    const LOGIN: [&str; 2] = ["--kafka-sasl-username=boxoffice", "--kafka-sasl-password=hush"];

    #[test]
    fn plain_text_without_credentials_unless_told_otherwise() {
        assert_eq!(parsed(&[]), Ok(Security::default()));
    }

    #[test]
    fn every_mechanism_comes_with_tls_or_without() {
        for name in ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] {
            let mechanism = format!("--kafka-sasl-mechanism={name}");
            let security =
                parsed(&[&mechanism, LOGIN[0], LOGIN[1], "--kafka-tls", "--kafka-ca=PEM"]).unwrap();
            assert_eq!(security.tls, Some(Tls::trusting("PEM")));
            assert_eq!(security.sasl.unwrap().mechanism.as_str(), name);
            assert_eq!(parsed(&[&mechanism, LOGIN[0], LOGIN[1]]).unwrap().tls, None);
        }
    }

    #[test]
    fn what_is_given_by_half_is_refused_with_what_is_missing() {
        let alone = parsed(&["--kafka-sasl-mechanism=PLAIN"]).unwrap_err();
        assert!(
            alone.contains("--kafka-sasl-username") && alone.contains("--kafka-sasl-password"),
            "{alone}"
        );
        let nameless = parsed(&LOGIN).unwrap_err();
        assert!(nameless.contains("--kafka-sasl-mechanism"), "{nameless}");
        let untrusted = parsed(&["--kafka-ca=PEM"]).unwrap_err();
        assert!(untrusted.contains("--kafka-tls"), "{untrusted}");
        let unknown = parsed(&["--kafka-sasl-mechanism=GSSAPI", LOGIN[0], LOGIN[1]]).unwrap_err();
        assert!(unknown.contains("PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"), "{unknown}");
        let keyless = parsed(&["--kafka-tls", "--kafka-certificate=PEM"]).unwrap_err();
        assert!(keyless.contains("--kafka-key"), "{keyless}");
        let in_the_open = parsed(&["--kafka-certificate=PEM", "--kafka-key=hush"]).unwrap_err();
        assert!(in_the_open.contains("--kafka-tls"), "{in_the_open}");
        let empty = parsed(&["--kafka-tls", "--kafka-ca="]).unwrap_err();
        assert!(empty.contains("--kafka-ca"), "{empty}");
    }

    #[test]
    fn a_certificate_comes_with_its_key() {
        let certificate = ["--kafka-tls", "--kafka-certificate=PEM", "--kafka-key=hush"];
        let tls = parsed(&certificate).unwrap().tls.unwrap();
        let expected = ClientCertificate { certificate: "PEM".into(), key: "hush".into() };
        assert_eq!(tls, Tls { authority: None, certificate: Some(expected) });
    }

    #[test]
    fn origins_are_those_of_pages() {
        #[derive(Debug, Parser)]
        struct Page {
            #[command(flatten)]
            web: WebArgs,
        }
        let parsed = |text: &str| Page::try_parse_from(["page", &format!("--allow-origins={text}")]);
        let origins = parsed("https://www.example.com,http://localhost:5173").unwrap().web.allow_origins;
        assert_eq!(origins.len(), 2);
        for wrong in ["*", "https://*", "https://example.com/", "example.com", "null"] {
            let told = parsed(wrong).map(|_| ()).unwrap_err().to_string();
            assert!(told.contains("expected https://host"), "{wrong}: {told}");
        }
    }

    #[test]
    fn a_service_is_named_with_its_namespace() {
        assert_eq!(service_name("tickets/main").as_deref(), Ok("tickets/main"));
        for wrong in ["main", "/main", "tickets/", "a/b/c", ""] {
            assert!(service_name(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_moment_is_a_number_or_a_time() {
        assert!(is_moment("1793527200000") && is_moment("2026-11-23T10:00:00Z"));
        assert!(!is_moment("soon") && !is_moment("2026-11-23") && !is_moment(""));
    }

    #[test]
    fn the_password_is_not_among_what_is_printed() {
        let all =
            ["worker", "--kafka-bootstrap-servers=k", "--kafka-sasl-mechanism=PLAIN", LOGIN[0], LOGIN[1]];
        assert!(!format!("{:?}", Worker::try_parse_from(all).unwrap()).contains("hush"));
    }
}
