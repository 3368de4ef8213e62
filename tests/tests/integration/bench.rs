//! `make bench` at a fiftieth of its size: every scenario runs to its end and tells its figures. What they are means
//! nothing here, but for those that say whether a sale was honest.

use std::collections::HashMap;
use std::process::Output;

use boxoffice_tests::process;
use serde_json::Value;
use tempfile::TempDir;

/// Figures that must be reached at any size.
const HONEST: [&str; 5] = [
    "contended, seats not sold exactly once",
    "contended, refusals that do not name the seat",
    "herd, seats sold twice",
    "herd, holds of another number of seats",
    "herd, refused although seats were left together",
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
    let holds = &figures["holds"];
    assert_eq!(holds["yardstick"], "redis-benchmark, our hold script");
    let yardstick = &figures["redis-benchmark, our hold script"];
    let ratio = holds["value"].as_f64().unwrap() / yardstick["value"].as_f64().unwrap();
    assert!((holds["ratio"].as_f64().unwrap() - ratio).abs() < 1e-9, "{holds}");
    for begin in ["holds, embedded", "steady holds", "pairs", "best-available script"] {
        assert!(figures.keys().any(|name| name.starts_with(begin)), "{begin}: {said}");
    }
    let table = String::from_utf8_lossy(&stdout);
    assert!(figures.keys().all(|name| table.contains(name.as_str())), "{table}");
}
