//! `boxoffice-operator`: runs the controllers, or prints the custom resource definitions.

use std::io::Write;

use anyhow::Context;
use boxoffice_operator::args::{Cli, Command};
use boxoffice_operator::run::run;
use clap::Parser;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Crd) => {
            for manifest in boxoffice_crds::manifests()? {
                write!(std::io::stdout(), "---\n{}", manifest.yaml)?;
            }
            Ok(())
        }
        None | Some(Command::Run) => {
            boxoffice_runtime::telemetry::init(&cli.run.log)?;
            if rustls::crypto::ring::default_provider().install_default().is_err() {
                anyhow::bail!("another TLS provider is installed already");
            }
            Box::pin(run(cli.run)).await.context("the operator ended")
        }
    }
}
