//! `make bench`: what the platform can do on this machine, each figure beside a yardstick of the same run, because
//! absolute figures move with the machine.

mod constant;
mod embedded;
mod load;
mod report;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};

/// Measures holds through HTTP; prints a table and writes a line a figure.
#[derive(Debug, Parser)]
struct Args {
    /// Seconds that each load lasts.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections that send requests.
    #[arg(long, default_value_t = 256)]
    connections: usize,
    /// Where to write the lines.
    #[arg(long, default_value = "bench.jsonl")]
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

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let Args { seconds, connections, output, part } = Args::parse();
    if let Some(Part::Constant { addr }) = part {
        return constant::run(addr).await;
    }
    let load = embedded::Load { connections, time: Duration::from_secs(seconds) };
    report::tell(&embedded::measure(&load).await?, &output)
}
