//! The command: see [`boxoffice_local`]. Installed as `kubectl-boxoffice` it calls itself `kubectl boxoffice`.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr};
use std::path::Path;
use std::process::ExitCode;

use boxoffice_local::args::Args;
use boxoffice_local::run;
use boxoffice_runtime::telemetry;
use clap::{CommandFactory, FromArgMatches};

/// A sale is many small allocations on several threads: a seventh of a hold's CPU time went into the system's allocator.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let matches = Args::command().bin_name(name()).get_matches();
    let args = Args::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    let filter = match telemetry::filter(&args.log) {
        Ok(filter) => filter,
        Err(problem) => return failed(&problem, 2),
    };
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(stderr).compact();
    log.with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty()))
        .init();
    // Refused only where another part of the process has installed the same one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match run(args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) if failure.is_unread() => ExitCode::SUCCESS,
        Err(failure) => failed(&failure, failure.exit_code()),
    }
}

/// Tells whoever typed the command, if they still read.
fn failed(why: &dyn Display, code: u8) -> ExitCode {
    let _ = writeln!(stderr(), "{why}");
    ExitCode::from(code)
}

/// How it was called: kubectl finds its plugins by the names of their files.
fn name() -> &'static str {
    let called = std::env::args_os().next();
    let file = called.as_deref().and_then(|path| Path::new(path).file_name());
    if file.is_some_and(|file| file == "kubectl-boxoffice") { "kubectl boxoffice" } else { "boxoffice" }
}
