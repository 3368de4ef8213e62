//! `make bench`: what the platform can do on this machine, each figure beside a yardstick of the same run, because
//! absolute figures move with the machine.
//!
//! Reading order: [`scenarios`] say what is measured, on a [`stack`] with [`shows`] on sale, under a [`load`];
//! [`yardsticks`] are what it is compared with; [`report`] tells. Tests of correctness are elsewhere (`tests/tests/`): what
//! is wrong here makes a figure miss its goal or ends the run.

mod depth;
mod load;
mod memory;
mod replica;
mod report;
mod scenarios;
mod shows;
mod stack;
mod yardsticks;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use boxoffice_runtime::http::allow_open_files;
use boxoffice_tests::servers::{Kafka, Server};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

use report::Figure;
use scenarios::{Bench, Scenario};

/// That of the workers, which is a part of the HTTP stack that the yardstick answers with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures what the platform can do on this machine: prints a table, and writes a line of JSON a figure.
///
/// It starts Redis, PostgreSQL, Kafka and the workers itself, on loopback, and sends the requests too, so all of them share the
/// machine: read rates as shares of their yardsticks, which share it in the same way, and prefer CPU seconds to rates. A goal
/// that is missed is marked in the table; the exit code is 0 all the same. Where it is 1, the run ended early: what was
/// measured until then is in the table and in the file.
#[derive(Debug, Parser)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
struct Args {
    /// Measure only this; may be given several times.
    #[arg(long, value_enum, value_name = "NAME")]
    only: Vec<Scenario>,
    /// Seconds that each load lasts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// Connections that send requests, of the loads and of redis-benchmark.
    #[arg(long, default_value_t = 256, value_parser = connections)]
    connections: usize,
    /// How often distinct holds take turns with their yardsticks; medians are told.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..))]
    rounds: u8,
    /// Command workers.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..))]
    workers: u8,
    /// Only see that everything works: halls, crowds and times are fifty times smaller, and the figures mean nothing.
    #[arg(long)]
    smoke: bool,
    /// Where to write the lines.
    #[arg(long, default_value = "bench.jsonl", value_name = "FILE")]
    output: PathBuf,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Debug, Subcommand)]
enum Part {
    /// Serves the yardstick: what the measurement starts for itself
    #[command(hide = true)]
    Constant { addr: SocketAddr },
}

const EXAMPLES: &str = "Examples:
  make bench                                              everything, into target/bench.jsonl
  boxoffice-bench --only holds --rounds 5 --seconds 10    one scenario, longer
  boxoffice-bench --only pairs --workers 2                two command workers
It needs redis-server, redis-benchmark, PostgreSQL, Java, and Kafka where `tests/servers/install servers` puts it, and the
release binaries of boxoffice-command, boxoffice-consumer, boxoffice-query and boxoffice beside its own.";

const SMOKE: u32 = 50;

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err("1 to 10000 connections, please".to_owned()),
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let ended = match args.part {
        // As many threads as the workers have.
        Some(Part::Constant { addr }) => on(Builder::new_multi_thread(), yardsticks::constant::run(addr)),
        // One: the others are for what is measured.
        None => on(Builder::new_current_thread(), bench(&args)),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&format!("{error:#}"), &args.output.with_extension("log"));
            ExitCode::FAILURE
        }
    }
}

fn on(mut runtime: Builder, run: impl Future<Output = anyhow::Result<()>>) -> anyhow::Result<()> {
    runtime.enable_all().build()?.block_on(run)
}

/// Says in one line what ended the run. Where there is more, such as the end of a worker's log, it goes to `file`.
#[expect(clippy::print_stderr, reason = "the line is for whoever waits")]
fn tell(failure: &str, file: &Path) {
    match failure.split_once('\n') {
        None => eprintln!("ended early: {failure}"),
        Some((line, _)) => match std::fs::write(file, failure) {
            Ok(()) => eprintln!("ended early: {line} (more in {})", file.display()),
            Err(error) => eprintln!("ended early: {line} (more would be in {}: {error})", file.display()),
        },
    }
}

/// Measures, and tells what was measured however that ended.
#[expect(clippy::print_stderr, reason = "progress is for whoever waits")]
async fn bench(args: &Args) -> anyhow::Result<()> {
    // Each connection of the crowd is an open file here too.
    allow_open_files();
    let mut terminate = signal(SignalKind::terminate())?;
    let mut figures = vec![];
    // Whichever ends first: in each case everything that was started ends with it.
    let ended = tokio::select! {
        measured = measure(args, &mut figures) => measured,
        _ = tokio::signal::ctrl_c() => Err(anyhow!("interrupted")),
        _ = terminate.recv() => Err(anyhow!("terminated")),
    };
    report::print(&figures);
    eprintln!("\nwritten to {}", args.output.display());
    ended
}

/// Measures scenario after scenario; the file has what those measured that have ended.
#[expect(clippy::print_stderr, reason = "progress is for whoever waits")]
async fn measure(args: &Args, figures: &mut Vec<Figure>) -> anyhow::Result<()> {
    let scenarios = if args.only.is_empty() { Scenario::value_variants() } else { &args.only };
    let shrink = if args.smoke { SMOKE } else { 1 };
    report::write(figures, &args.output)?;
    eprintln!("starting kafka");
    let mut bench = Bench {
        kafka: Server::start(Kafka).await?,
        workers: args.workers.into(),
        connections: args.connections,
        time: Duration::from_secs(args.seconds) / shrink,
        rounds: args.rounds.into(),
        shrink,
        most_holds: None,
    };
    for (number, scenario) in scenarios.iter().enumerate() {
        let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        eprintln!("[{}/{}] {name}", number + 1, scenarios.len());
        let begun = Instant::now();
        figures.extend(bench.measure(*scenario).await.with_context(|| format!("measuring {name}"))?);
        report::write(figures, &args.output)?;
        eprintln!("      took {:.0} s", begun.elapsed().as_secs_f64());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
        assert!(Args::try_parse_from(["bench", "--only", "holds", "--only", "herd"]).is_ok());
        assert!(Args::try_parse_from(["bench", "--connections", "0"]).is_err());
    }
}
