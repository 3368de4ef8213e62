//! The consumer worker's process: arguments and Kafka, then [`boxoffice_consumer::worker`].

use std::process::ExitCode;
use std::sync::Arc;

use boxoffice_consumer::args::Args;
use boxoffice_consumer::worker;
use boxoffice_runtime::log::kafka::{KafkaLog, Settings};
use boxoffice_runtime::{command_line, shutdown, telemetry};

/// Batches are many small allocations on several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    match run(command_line::read()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command_line::failed::<Args>(&format!("{error:#}")),
    }
}

async fn run(args: Args) -> anyhow::Result<()> {
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
