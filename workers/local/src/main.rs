//! The command: see [`boxoffice_local`]. Installed as `kubectl-boxoffice` it calls itself `kubectl boxoffice`.
#![expect(
    clippy::print_stderr,
    reason = "the one place where a failure is told to whoever typed the command"
)]

use std::path::Path;
use std::process::ExitCode;

use boxoffice_local::args::Args;
use boxoffice_local::run;
use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

/// A sale is many small allocations on several threads: a seventh of a hold's CPU time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let matches = Args::command().bin_name(name()).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let filter = match EnvFilter::try_new(&args.log) {
        Ok(filter) => filter,
        Err(error) => {
            eprintln!("--log: {error}: give a level, or directives such as info,boxoffice_command=debug");
            return ExitCode::from(2);
        }
    };
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).compact().init();
    // Refused only where another part of the process has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("{failure}");
            ExitCode::from(failure.exit_code())
        }
    }
}

/// How it was called: kubectl finds its plugins by the names of their files.
fn name() -> &'static str {
    let called = std::env::args_os().next();
    let file = called.as_deref().and_then(|path| Path::new(path).file_name());
    if file.is_some_and(|file| file == "kubectl-boxoffice") { "kubectl boxoffice" } else { "boxoffice" }
}
