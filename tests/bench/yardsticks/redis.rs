//! `redis-benchmark` with scripts, without pipelining: what Redis does when nobody stands before it.

use std::process::Stdio;

use anyhow::{Context, ensure};
use boxoffice_tests::servers::{Kafka, Redis, Server, child};
use rustix::process::Signal;

use super::captured::{Call, capture};
use crate::load::count;
use crate::shows::SeatGrid;
use crate::stack::{Stack, answer};

/// As redis-benchmark has it, for twelve digits, each time others.
const RANDOM: &str = "__rand_int__";
/// They are below this number: the largest that it takes.
const RANDOM_BELOW: &str = "2000000000";
/// What redis-benchmark measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Measured {
    /// Calls a second.
    pub rate: f64,
    /// In milliseconds.
    pub p99: f64,
    /// CPU seconds of Redis for a thousand calls.
    pub cpu: f64,
}

/// The worker's own hold script, called as the worker calls it, for seats that nobody has.
///
/// # Errors
/// A call that did not hold its seat.
pub async fn hold_script(kafka: &Server<Kafka>, connections: usize, calls: u64) -> anyhow::Result<Measured> {
    let mut stack = Stack::start(kafka, 1).await?;
    let shows = [SeatGrid::new("yardstick", 400, 200)];
    stack.put_on_sale(&shows).await?;
    let (path, user) = (format!("/seats/{}/hold", shows[0].seat(0)), "captured");
    let request = answer(stack.buyer(reqwest::Method::POST, &path, user)?);
    let (answered, call) = capture(&stack.redis.address(), user, request).await?;
    let hold = answered["holdId"].as_str().and_then(|id| id.split_once('.')).context("no holdId")?.1;
    let call = call
        .with(&shows[0].key(0), &format!("A-1-{RANDOM}"))
        .with(hold, &format!("{}{RANDOM}", hold.get(..24).context("holdId is no UUID")?))
        .with(user, &format!("user-{RANDOM}"));
    stack.drained(&shows).await?;
    // Nobody publishes from now on, so every hold stays in the outbox and can be counted there.
    stack.send_workers_home().await?;
    let measured = benchmark(&stack.redis, connections, calls, call).await?;
    let successes = stack.depth(&shows).await?;
    ensure!(count(successes) > 0.99 * count(calls), "only {successes} of {calls} calls held their seat");
    Ok(measured)
}

async fn benchmark(
    server: &Server<Redis>,
    connections: usize,
    calls: u64,
    call: Call,
) -> anyhow::Result<Measured> {
    let address = server.address();
    let port = address.rsplit_once(':').context("no port")?.1;
    let mut command = tokio::process::Command::from(child::bound("redis-benchmark", Signal::KILL, None));
    command.args(["-p", port, "-c", &connections.to_string(), "-n", &calls.to_string()]);
    command.args(["-r", RANDOM_BELOW, "--csv"]).args(call.0);
    let before = server.cpu_seconds()?;
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await?;
    let text = String::from_utf8_lossy(&output.stdout);
    let complaint = || format!("redis-benchmark: {text}{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), complaint());
    let (rate, p99) = read(&text).with_context(complaint)?;
    Ok(Measured { rate, p99, cpu: (server.cpu_seconds()? - before) * 1000.0 / count(calls) })
}

/// Reads what `--csv` prints: a line of titles, then the command with its rate and its latencies (average, least, p50,
/// p95, p99, most): rate and p99.
fn read(text: &str) -> Option<(f64, f64)> {
    let numbers: Vec<f64> = text
        .lines()
        .last()?
        .rsplitn(8, ',')
        .take(7)
        .map(|field| field.trim_matches('"').parse().ok())
        .collect::<Option<_>>()?;
    Some((*numbers.get(6)?, *numbers.get(1)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rate_and_p99_are_found_behind_a_command_with_commas() {
        let text = "\"test\",\"rps\",\"avg_latency_ms\",\"min_latency_ms\",\"p50_latency_ms\",\"p95_latency_ms\",\
                    \"p99_latency_ms\",\"max_latency_ms\"\n\"EVALSHA a b,c\",\"27000.50\",\"1.1\",\"0.2\",\"1.0\",\
                    \"2.0\",\"3.5\",\"9.0\"\n";
        assert_eq!(read(text), Some((27000.5, 3.5)));
        assert_eq!(read("ERR unknown command"), None);
        assert_eq!(read(""), None);
    }
}
