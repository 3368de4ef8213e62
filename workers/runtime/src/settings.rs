//! Argument groups that several workers have, each with its environment variable.

use std::net::SocketAddr;
use std::time::Duration;

use clap::Args;

/// Who this worker is, and how it is watched.
#[derive(Debug, Clone, Args)]
pub struct ServiceArgs {
    /// The ReservationService that this worker belongs to, as namespace/name.
    #[arg(long, env = "BOXOFFICE_SERVICE", value_parser = service_name)]
    pub service: String,
    /// Address of /healthz, /readyz and /metrics.
    #[arg(long, env = "BOXOFFICE_METRICS_ADDR", default_value = "0.0.0.0:9090")]
    pub metrics_addr: SocketAddr,
    /// What to log: a level, or directives such as "info,rdkafka=warn".
    #[arg(long, env = "BOXOFFICE_LOG", default_value = "info")]
    pub log: String,
    /// Seconds that a shutdown waits for work in progress.
    #[arg(long, env = "BOXOFFICE_DRAIN_SECONDS", default_value_t = 20)]
    pub drain_seconds: u64,
}

impl ServiceArgs {
    /// How long a shutdown waits for work in progress.
    pub fn drain(&self) -> Duration {
        Duration::from_secs(self.drain_seconds)
    }
}

fn service_name(text: &str) -> Result<String, String> {
    match text.split_once('/') {
        Some((namespace, name)) if !namespace.is_empty() && !name.is_empty() && !name.contains('/') => {
            Ok(text.into())
        }
        _ => Err("expected namespace/name, such as tickets/main".into()),
    }
}

/// Where domain events are published and read.
#[derive(Debug, Clone, Args)]
pub struct KafkaArgs {
    /// Kafka's bootstrap servers, host:port with commas.
    #[arg(long, env = "BOXOFFICE_KAFKA_BOOTSTRAP_SERVERS")]
    pub kafka_bootstrap_servers: String,
    /// Topic of the seats' domain events.
    #[arg(long, env = "BOXOFFICE_KAFKA_TOPIC", default_value = "seat-events")]
    pub kafka_topic: String,
    /// Topic of stats.updated.
    #[arg(long, env = "BOXOFFICE_KAFKA_STATS_TOPIC", default_value = "stats-events")]
    pub kafka_stats_topic: String,
}
