//! `make bench` at a fiftieth of its size: every scenario runs to its end and tells its figures. What they are means
//! nothing here, but for those that say whether a sale was honest.

use std::collections::HashMap;
use std::process::{Output, Stdio};

use boxoffice_tests::process::{self, command};
use boxoffice_tests::wait::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

/// Figures that must be reached at any size.
const HONEST: [&str; 7] = [
    "contended, seats not sold exactly once",
    "contended, refusals that do not name the seat",
    "herd, seats sold twice",
    "herd, holds of another number of seats",
    "herd, refused although seats were left together",
    "slow readers, others who were refused",
    "freshness, answers without what was asked for",
];

#[tokio::test]
async fn every_scenario_of_the_bench_tells_its_figures() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bench.jsonl");
    let arguments = ["--smoke", "--rounds", "1", "--connections", "8", "--output"];
    let arguments = arguments.into_iter().chain([file.to_str().unwrap()]);
    let Output { status, stdout, stderr } = process::run("boxoffice-bench", arguments).await.unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{said}");

    let lines = std::fs::read_to_string(file).unwrap();
    let figures: HashMap<String, Value> = lines
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|figure| (figure["name"].as_str().unwrap().to_owned(), figure))
        .collect();
    assert_eq!(figures.len(), lines.lines().count(), "every figure has a name of its own");
    for name in HONEST {
        assert_eq!(figures[name]["value"], 0.0, "{name}");
        assert_eq!(figures[name]["at_most"], true, "{name}");
    }
    let cost = &figures["holds, CPU of the worker with relay"];
    assert_eq!((&cost["yardstick"], &cost["goal"]), (&"HTTP, constant answer, CPU".into(), &3.0.into()));
    let holds = &figures["holds"];
    assert_eq!(holds["yardstick"], "redis-benchmark, our hold script");
    let yardstick = &figures["redis-benchmark, our hold script"];
    let ratio = holds["value"].as_f64().unwrap() / yardstick["value"].as_f64().unwrap();
    assert!((holds["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9, "{holds}");
    for begin in [
        "holds, embedded",
        "steady holds",
        "pairs",
        "leaderless partition",
        "door",
        "best-available script",
        "webhook",
        "local, 1,000 shows",
        "catalog",
        "a million seats, memory beyond that",
        "streams, CPU",
        "freshness, a frame",
        "slow readers",
    ] {
        assert!(figures.keys().any(|name| name.starts_with(begin)), "{begin}: {said}");
    }
    let table = String::from_utf8_lossy(&stdout);
    assert!(figures.keys().all(|name| table.contains(name.as_str())), "{table}");
}

#[tokio::test]
async fn a_run_that_ends_early_says_why_in_one_line_and_keeps_what_it_measured() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("bench.jsonl");
    let mut bench = tokio::process::Command::from(command("boxoffice-bench").unwrap());
    let scenarios = ["--smoke", "--only", "contended", "--only", "herd", "--output"];
    bench.args(scenarios).arg(&file).env("RUST_BACKTRACE", "1");
    bench.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = bench.kill_on_drop(true).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut next = async || timeout(PATIENCE, said.next_line()).await.unwrap().unwrap();
    while next().await.expect("it goes on to the second scenario") != "[2/2] herd" {}
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).unwrap();
    kill_process(pid, Signal::TERM).unwrap();

    let mut last = vec![];
    while let Some(line) = next().await {
        last.push(line);
    }
    let last: Vec<_> = last.iter().filter(|line| !line.is_empty()).collect();
    let written = format!("written to {}", file.display());
    assert_eq!(last, [&*written, "ended early: terminated"]);
    let Output { status, stdout, .. } = child.wait_with_output().await.unwrap();
    assert_eq!(status.code(), Some(1));
    let lines = std::fs::read_to_string(file).unwrap();
    let table = String::from_utf8_lossy(&stdout);
    for told in [&*lines, &*table] {
        assert!(told.contains("contended, seats not sold exactly once") && !told.contains("herd"), "{told}");
    }
}
