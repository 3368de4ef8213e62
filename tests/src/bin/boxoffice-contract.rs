//! Checks from outside that a platform keeps the contract of the HTTP API: see [`boxoffice_tests::contract`].
//!
//! It prints `ok NAME` or `FAILED NAME: why` for each check and ends with `N passed, N failed`. Exit codes: 0 all
//! passed, 1 something failed, 2 wrong usage.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, ensure};
use boxoffice_domain::SeatingEventId;
use boxoffice_tests::contract::admin::Admin;
use boxoffice_tests::contract::api::Api;
use boxoffice_tests::contract::memory::{Memory, Recalled};
use boxoffice_tests::contract::{Report, Stage, check, check_admin, check_gaps, recall, remember};
use clap::Parser;

/// Checks from outside that a platform keeps the contract of the HTTP API.
///
/// It sells seats of the SeatingEvent and gives them back, so it can run again and again. The SeatingEvent needs holds
/// of 3 to 10 seconds, a section with 40 numbered seats free, and one of general admission with fewer than 100 units.
#[derive(Debug, Parser)]
struct Args {
    /// Base URL of the command worker, or of `boxoffice local`.
    #[arg(long, value_name = "URL")]
    command_url: String,
    /// Base URL of the query worker. Left out: the same as --command-url.
    #[arg(long, value_name = "URL")]
    query_url: Option<String>,
    /// The SeatingEvent to play with.
    #[arg(long, value_name = "ID")]
    event: SeatingEventId,
    /// A SeatingEvent whose hold.noSingleSeatGaps is enforce, to check that too.
    #[arg(long, value_name = "ID")]
    strict_event: Option<SeatingEventId>,
    /// Base URL of the command worker's admin API (port 8082; of `boxoffice local` its only address), to check that too, on
    /// SeatingEvents of its own.
    #[arg(long, value_name = "URL", conflicts_with = "recall")]
    admin_url: Option<String>,
    /// Base URL of the query worker's admin API (port 8082). Left out: the same as --admin-url.
    #[arg(long, value_name = "URL", requires = "admin_url")]
    query_admin_url: Option<String>,
    /// Bearer token of the admin APIs.
    #[arg(long, env = "BOXOFFICE_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Makes reservations at the end, and writes what must be so after a restart.
    #[arg(long, value_name = "FILE", conflicts_with = "recall")]
    remember: Option<PathBuf>,
    /// Only checks that all of what --remember wrote is still so.
    #[arg(long, value_name = "FILE")]
    recall: Option<PathBuf>,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run(Args::parse()).await {
        Ok(report) if report.close() => ExitCode::SUCCESS,
        Ok(_) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(args: Args) -> anyhow::Result<Report> {
    let Args {
        command_url,
        query_url,
        event,
        strict_event,
        admin_url,
        query_admin_url,
        admin_token,
        remember: to,
        recall: from,
    } = args;
    let query_url = query_url.as_ref().unwrap_or(&command_url);
    let api = Api::new(&command_url, query_url, event.as_str())?;
    if let Some(file) = from {
        let memory = read(&file, &event)?;
        return Ok(recall(&Recalled { api, memory }).await);
    }
    let stage = Stage::open(api).await?;
    let mut report = check(&stage).await;
    if let Some(strict) = strict_event {
        report.add(check_gaps(&Api::new(&command_url, query_url, strict.as_str())?).await);
    }
    if let Some(url) = admin_url {
        let (command, query) = (command_url.clone(), query_url.clone());
        let figures = query_admin_url.unwrap_or_else(|| url.clone());
        report.add(check_admin(&Admin { command, query, url, figures, token: admin_token }).await);
    }
    if let Some(file) = to {
        let made = remember(&stage).await.and_then(|memory| write(&file, &memory));
        report.take("what_must_survive_is_remembered", made);
    }
    Ok(report)
}

fn read(file: &Path, event: &SeatingEventId) -> anyhow::Result<Memory> {
    let text = fs::read(file).with_context(|| format!("--recall {}", file.display()))?;
    let memory: Memory =
        serde_json::from_slice(&text).with_context(|| format!("--recall {}", file.display()))?;
    ensure!(
        memory.event_id == event.as_str(),
        "--recall {} is about {}: give --event {}",
        file.display(),
        memory.event_id,
        memory.event_id
    );
    Ok(memory)
}

fn write(file: &Path, memory: &Memory) -> anyhow::Result<()> {
    fs::write(file, serde_json::to_vec_pretty(memory)?)
        .with_context(|| format!("--remember {}", file.display()))
}
