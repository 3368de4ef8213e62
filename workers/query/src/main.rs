//! The query worker's process: arguments, then [`boxoffice_query`].

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use boxoffice_query::orders::postgres::{self as orders, PostgresOrders};
use boxoffice_query::view::postgres::PostgresSnapshots;
use boxoffice_query::{Ports, Query, READY, Topics};
use boxoffice_runtime::health::Readiness;
use boxoffice_runtime::http::{AdminToken, HttpLayer, listen};
use boxoffice_runtime::identity::Identity;
use boxoffice_runtime::identity::settings::IdentityArgs;
use boxoffice_runtime::log::kafka::{KafkaLog, Settings};
use boxoffice_runtime::postgres::DatabaseArgs;
use boxoffice_runtime::settings::{KafkaArgs, ServiceArgs, WebArgs};
use boxoffice_runtime::{address, command_line, health, postgres, shutdown, telemetry};
use clap::Parser;
use prometheus_client::registry::Registry;

/// Maps are large and short-lived, and what they took has to go back to the system.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Most connections by which the view is loaded: once, and again after trouble.
const CONNECTIONS: u32 = 2;

/// Answers what is on sale and which seats are free, from memory; what a user has, and what came of a request.
///
/// Loads the view that the seat-view consumer keeps in PostgreSQL, then follows Kafka by itself: several processes
/// share nothing and need no consumer group. Reservations, holds and traces are looked up there when they are asked for.
#[derive(Debug, Parser)]
#[command(
    name = "boxoffice-query",
    version,
    after_help = "Example:\n  boxoffice-query --service tickets/main --kafka-bootstrap-servers kafka:9092 \\\n    \
    --database-url postgres://boxoffice@postgres/view --admin-token secret"
)]
struct Args {
    #[command(flatten)]
    service: ServiceArgs,
    #[command(flatten)]
    kafka: KafkaArgs,
    #[command(flatten)]
    database: DatabaseArgs,
    #[command(flatten)]
    identity: IdentityArgs,
    #[command(flatten)]
    web: WebArgs,
    /// Where pages send commands, such as `https://tickets.example.com`; left out: to the page's own origin.
    #[arg(long, env = "BOXOFFICE_COMMAND_URL", value_parser = address::base)]
    command_url: Option<String>,
    /// Not ready where what it shows may be older than so many seconds; 0: whatever its age.
    #[arg(long, env = "BOXOFFICE_MAX_VIEW_AGE_SECONDS", default_value_t = 0)]
    max_view_age_seconds: u32,
    /// Address of the HTTP API.
    #[arg(long, env = "BOXOFFICE_HTTP_ADDR", default_value = "[::]:8081")]
    http_addr: SocketAddr,
    /// Address of the operators' API; keep it apart from buyers.
    #[arg(long, env = "BOXOFFICE_ADMIN_ADDR", default_value = "[::]:8082")]
    admin_addr: SocketAddr,
    /// Bearer token that the operators' API asks for.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: String,
    /// The token of before, which is taken too while it is exchanged.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN_PREVIOUS", hide_env_values = true)]
    admin_token_previous: Option<String>,
}

#[tokio::main]
async fn main() -> ExitCode {
    match Box::pin(run(command_line::read())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command_line::failed::<Args>(&format!("{error:#}")),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
    let Args {
        service,
        kafka,
        database,
        identity,
        web,
        command_url,
        max_view_age_seconds,
        http_addr,
        admin_addr,
        admin_token,
        admin_token_previous,
    } = args;
    telemetry::init(&service.log)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = shutdown::on_signal()?;
    let admin_token = AdminToken::new(admin_token)?.or(admin_token_previous);

    let options = database.options("boxoffice-query").context("--database-url")?;
    let log = KafkaLog::with(Settings {
        client_id: "boxoffice-query".to_owned(),
        security: kafka.kafka_security.into(),
        ..Settings::new(&kafka.kafka_bootstrap_servers)
    })?;
    let reading = postgres::reading(options.clone(), orders::CONNECTIONS, orders::LONGEST);
    let snapshots = PostgresSnapshots::new(postgres::pool(options, CONNECTIONS), &kafka.kafka_topic);
    let orders = Arc::new(PostgresOrders::new(reading));
    let ports = Ports { snapshots: Arc::new(snapshots), log: Arc::new(log), orders };
    let topics = Topics { seats: kafka.kafka_topic, stats: kafka.kafka_stats_topic };

    let mut registry = Registry::default();
    let layer = HttpLayer::new(registry.sub_registry_with_prefix("boxoffice_query"));
    let layer = layer.allowing(web.allow_origins);
    let readiness = Readiness::waiting_for(&[READY]);
    let own = registry.sub_registry_with_prefix("boxoffice_query");
    let identity = Identity::open(identity.try_into()?, own, &readiness).context("who readers are")?;
    let query = Query::new(ports, topics, identity, readiness.clone(), &mut registry, stop.clone());
    let oldest = (max_view_age_seconds > 0).then(|| Duration::from_secs(max_view_age_seconds.into()));
    let query = query.not_older_than(oldest).commanded_at(command_url);
    let listener = listen(http_addr).with_context(|| format!("listening on {http_addr}"))?;
    let admin = listen(admin_addr).with_context(|| format!("listening on {admin_addr}"))?;
    tracing::info!(service = service.service, %http_addr, %admin_addr, "serving");
    let health = health::serve(service.metrics_addr, registry, readiness, stop.clone());
    tokio::try_join!(
        async { health.await.with_context(|| format!("listening on {}", service.metrics_addr)) },
        async {
            query.serve(listener, (admin, admin_token), layer, service.drain()).await;
            Ok(())
        },
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Args::command().debug_assert();
    }
}
