//! `boxoffice-operator`: runs the controllers, or prints the custom resource definitions.

use std::io::{ErrorKind, Write, stdout};
use std::process::ExitCode;

use anyhow::Context;
use boxoffice_operator::args::{Cli, Command};
use boxoffice_operator::run::run;
use boxoffice_runtime::command_line;

#[tokio::main]
async fn main() -> ExitCode {
    match carry_out(command_line::read()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => command_line::failed::<Cli>(&format!("{error:#}")),
    }
}

async fn carry_out(cli: Cli) -> anyhow::Result<()> {
    match cli.command {
        Some(Command::Crd) => {
            let [service, event] =
                boxoffice_crds::manifests()?.map(|manifest| format!("---\n{}", manifest.yaml));
            match write!(stdout(), "{service}{event}") {
                // Nobody reads on, as behind `| head`.
                Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
                written => Ok(written?),
            }
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
