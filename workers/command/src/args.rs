//! The command line. Every option has its environment variable, which is how the operator sets it.

use std::net::SocketAddr;
use std::num::NonZeroU32;

use boxoffice_runtime::identity::settings::IdentityArgs;
use boxoffice_runtime::settings::{KafkaArgs, ServiceArgs, WebArgs};
use clap::builder::{NonEmptyStringValueParser, RangedU64ValueParser};
use clap::{ArgAction, Parser};

use crate::durability::Guarantee;

/// Takes commands over HTTP, claims seats in Redis and publishes what happened to Kafka.
///
/// Holds and releases go on while Kafka is away; what they wrote is published when it is back.
/// SIGTERM drains: requests in flight are answered, what is written is published, exit code 0.
#[derive(Parser)]
#[command(version, after_help = EXAMPLES)]
pub struct Args {
    /// Who this worker is, and how it is watched.
    #[command(flatten)]
    pub service: ServiceArgs,
    /// Where domain events go.
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Consumer group in which payments are read: a reservation whose payment failed gives its seats back, one that was
    /// paid late gets them again. Left out: none are read.
    #[arg(long, env = "BOXOFFICE_PAYMENTS_GROUP")]
    #[arg(value_parser = NonEmptyStringValueParser::new())]
    pub payments_group: Option<String>,
    /// Who buyers are.
    #[command(flatten)]
    pub identity: IdentityArgs,
    /// Which pages may call the buyers' API.
    #[command(flatten)]
    pub web: WebArgs,
    /// Address of the buyers' API.
    #[arg(long, env = "BOXOFFICE_HTTP_ADDR", default_value = "[::]:8080")]
    pub http_addr: SocketAddr,
    /// Address of the operator's API; keep it apart from buyers.
    #[arg(long, env = "BOXOFFICE_ADMIN_ADDR", default_value = "[::]:8082")]
    pub admin_addr: SocketAddr,
    /// Bearer token that the operator's API asks for.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    pub admin_token: String,
    /// The token of before, which is taken too while it is exchanged.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN_PREVIOUS", hide_env_values = true)]
    pub admin_token_previous: Option<String>,
    /// Redis with the seats, as redis://[user:password@]host[:port][/database]; rediss:// speaks TLS.
    #[arg(long, env = "BOXOFFICE_REDIS_URL", hide_env_values = true)]
    pub redis_url: String,
    /// That it is one node of a Redis Cluster, whose other nodes are found by it.
    #[arg(long, env = "BOXOFFICE_REDIS_CLUSTER", action = ArgAction::Set, num_args = 0..=1, default_missing_value = "true", default_value_t = false)]
    pub redis_cluster: bool,
    /// Certificates in PEM that vouch for Redis over TLS, in place of those that the system trusts.
    #[arg(long, env = "BOXOFFICE_REDIS_CA", hide_env_values = true, value_name = "PEM")]
    pub redis_ca: Option<String>,
    /// This client's certificate in PEM, where Redis asks for one over TLS.
    #[arg(long, env = "BOXOFFICE_REDIS_CERTIFICATE", hide_env_values = true, value_name = "PEM")]
    #[arg(requires = "redis_key", value_parser = NonEmptyStringValueParser::new())]
    pub redis_certificate: Option<String>,
    /// Its private key in PEM, without a password; give it in the environment, as a password.
    #[arg(long, env = "BOXOFFICE_REDIS_KEY", hide_env_values = true, value_name = "PEM")]
    #[arg(requires = "redis_certificate", value_parser = NonEmptyStringValueParser::new())]
    pub redis_key: Option<String>,
    /// When a hold is acknowledged: redis (as soon as it is written), fsync (when Redis has it on disk), "replicas: <n>"
    /// (when so many replicas of Redis have it) or log (when it is on Kafka).
    #[arg(long, env = "BOXOFFICE_DURABILITY_HOLD", default_value = "redis")]
    pub durability_hold: Guarantee,
    /// When a reservation is acknowledged: as for holds; log survives the loss of Redis.
    #[arg(long, env = "BOXOFFICE_DURABILITY_RESERVE", default_value = "log")]
    pub durability_reserve: Guarantee,
    /// Domain events of one SeatingEvent that may wait for Kafka before new holds are refused.
    #[arg(long, env = "BOXOFFICE_OUTBOX_HIGH_WATERMARK", default_value_t = 100_000)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    pub outbox_high_watermark: u64,
    /// Longest body of a command, in bytes.
    #[arg(long, env = "BOXOFFICE_MAX_BODY_BYTES", default_value_t = 65_536)]
    #[arg(value_parser = RangedU64ValueParser::<usize>::new().range(128..=1_048_576))]
    pub max_body_bytes: usize,
    /// Requests that one user may send to this process in a second; more are answered 429. Left out: no limit.
    #[arg(long, env = "BOXOFFICE_REQUESTS_PER_USER_PER_SECOND")]
    pub requests_per_user_per_second: Option<NonZeroU32>,
}

const EXAMPLES: &str = "Examples:
  boxoffice-command --service tickets/main --redis-url redis://localhost --kafka-bootstrap-servers localhost:9092 --admin-token secret
  curl -X POST localhost:8080/seats/arena-night.A-12-7/hold -H 'x-user-id: alice'
  curl localhost:9090/readyz";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_durability_that_is_none_is_refused_with_those_that_are() {
        let given = ["x", "--service=a/b", "--redis-url=r", "--kafka-bootstrap-servers=k", "--admin-token=t"];
        let with = |option| Args::try_parse_from(given.into_iter().chain([option]));
        let error = with("--durability-reserve=twice").err().unwrap();
        assert!(error.to_string().contains("expected redis, fsync"), "{error}");
        assert_eq!(
            with("--durability-reserve=replicas: 2").ok().unwrap().durability_reserve,
            Guarantee::Replicas(2)
        );
        assert!(with("--redis-cluster").ok().unwrap().redis_cluster);
        assert!(!with("--redis-cluster=false").ok().unwrap().redis_cluster);
    }
}
