//! `make bench`: what the platform can do on this machine, each figure beside a yardstick of the same run, because
//! absolute figures move with the machine.
//!
//! Reading order: [`scenarios`] say what is measured, on a [`stack`] with [`shows`] on sale, under a [`load`];
//! [`yardsticks`] and the [`baseline`] are what it is compared with; [`report`] tells. Tests of correctness are elsewhere
//! (`tests/tests/`): what is wrong here makes a figure miss its goal or ends the run.

mod baseline;
mod depth;
mod load;
mod report;
mod scenarios;
mod shows;
mod stack;
mod yardsticks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use boxoffice_tests::servers::{Kafka, Server};
use clap::{Parser, Subcommand, ValueEnum};
use tokio::signal::unix::{SignalKind, signal};

use report::Figure;
use scenarios::{Bench, Scenario};

/// Measures what the platform can do on this machine: prints a table, and writes a line of JSON a figure.
///
/// It starts Redis, Kafka and the workers itself, on loopback, and sends the requests too, so all of them share the
/// machine: read rates as shares of their yardsticks, which share it in the same way, and prefer CPU seconds to rates. A goal
/// that is missed is marked in the table; the exit code is 0 all the same.
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
It needs redis-server, redis-benchmark, Java, and Kafka where `tests/servers/install servers` puts it, and the release
binaries of boxoffice-command and boxoffice beside its own.";

const SMOKE: u32 = 50;

fn connections(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number @ 1..=10_000) => Ok(number),
        _ => Err("1 to 10000 connections, please".to_owned()),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    if let Some(Part::Constant { addr }) = args.part {
        return yardsticks::constant::run(addr).await;
    }
    // Whichever ends first: in both cases everything that was started ends with it.
    let mut terminate = signal(SignalKind::terminate())?;
    tokio::select! {
        measured = measure(&args) => measured,
        _ = tokio::signal::ctrl_c() => bail!("interrupted: the servers are ended"),
        _ = terminate.recv() => bail!("terminated: the servers are ended"),
    }
}

/// Measures scenario after scenario. What was measured is told also when a later one fails.
#[expect(clippy::print_stderr, reason = "progress is for whoever waits")]
async fn measure(args: &Args) -> anyhow::Result<()> {
    let scenarios = if args.only.is_empty() { Scenario::value_variants() } else { &args.only };
    let shrink = if args.smoke { SMOKE } else { 1 };
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
    let mut figures: Vec<Figure> = vec![];
    let mut failure = None;
    for (number, scenario) in scenarios.iter().enumerate() {
        let name = scenario.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
        eprintln!("[{}/{}] {name}", number + 1, scenarios.len());
        let begun = Instant::now();
        match bench.measure(*scenario).await.with_context(|| format!("measuring {name}")) {
            Ok(measured) => {
                figures.extend(measured);
                eprintln!("      took {:.0} s", begun.elapsed().as_secs_f64());
            }
            Err(error) => {
                failure = Some(error);
                break;
            }
        }
    }
    report::tell(&figures, &args.output)?;
    failure.map_or(Ok(()), Err)
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
