//! The consumer worker's process: arguments and Kafka, then [`boxoffice_consumer::worker`].

use std::sync::Arc;

use boxoffice_consumer::args::Args;
use boxoffice_consumer::worker;
use boxoffice_runtime::log::kafka::{KafkaLog, Settings};
use boxoffice_runtime::{shutdown, telemetry};
use clap::Parser;

/// Batches are many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    telemetry::init(&args.service.log)?;
    let _ = rustls::crypto::ring::default_provider().install_default();
    let stop = shutdown::on_signal()?;
    let settings = Settings {
        client_id: format!("boxoffice-consumer-{}", args.group),
        security: args.kafka.kafka_security.clone().into(),
        ..Settings::new(&args.kafka.kafka_bootstrap_servers)
    };
    Box::pin(worker::run(args, Arc::new(KafkaLog::with(settings)?), stop)).await?;
    Ok(())
}
