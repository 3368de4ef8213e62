//! Holds on the embedded store, through HTTP: `boxoffice local` as a process of its own, distinct seats, and the
//! yardstick beside it.

use std::fmt::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::ensure;
use boxoffice_tests::process::Process;
use boxoffice_tests::servers::free_port;
use tempfile::TempDir;

use super::holds::constant;
use super::{Bench, Holders};
use crate::load::{HOST, Pace, Tally, count, run};
use crate::report::Figure;
use crate::shows::{SeatGrid, Seats};

/// SeatingEvents on sale at once, as on a big day.
const SHOWS: u32 = 4;
/// Rows and seats a row of each: 100,000 seats.
const ROWS: u32 = 500;
const SEATS: u32 = 200;

/// What came of a load on it.
struct Held {
    tally: Tally,
    took: Duration,
    cpu: f64,
}

/// All figures of the embedded store.
///
/// # Errors
/// A binary that was not built, or a server that went away.
pub async fn measure(bench: &Bench) -> anyhow::Result<Vec<Figure>> {
    let yardstick = Figure::new("embedded, HTTP, constant answer", constant(bench).await?.rate, "1/s");
    let mut figures = vec![yardstick.clone()];

    let mut held = holds(bench, "redis").await?;
    let (name, rate) = ("holds, embedded, no fsync", held.tally.rate(held.took));
    figures.push(Figure::new(name, rate, "1/s").at_least(20_000.0));
    figures.push(Figure::new("holds, embedded, no fsync, by yardstick", rate, "1/s").by(&yardstick));
    figures.push(Figure::new("holds, embedded, no fsync, median", held.tally.latency_ms(500), "ms"));
    figures.push(Figure::new("holds, embedded, no fsync, p99", held.tally.latency_ms(990), "ms"));
    figures.push(Figure::new("holds, embedded, CPU", held.cpu * 1000.0 / count(held.tally.done), "s/1000"));

    let mut synced = holds(bench, "fsync").await?;
    let rate = synced.tally.rate(synced.took);
    figures.push(Figure::new("holds, embedded, fsync", rate, "1/s").by(&yardstick));
    figures.push(Figure::new("holds, embedded, fsync, p99", synced.tally.latency_ms(990), "ms"));

    let hall = SeatGrid::new("hall", bench.up_to(ROWS / 2), SEATS);
    let name = format!("ready with {} seats", hall.seats());
    figures.push(Figure::new(name, ready(hall).await?, "s").at_most(1.0));
    Ok(figures)
}

async fn holds(bench: &Bench, durability: &str) -> anyhow::Result<Held> {
    let seats = Seats::new(1, SHOWS, bench.up_to(ROWS), SEATS);
    let folder = TempDir::new()?;
    declare(folder.path(), durability, &seats.shows)?;
    let (process, addr) = local(folder.path()).await?;
    let before = process.cpu_seconds()?;
    let (buyers, took) = run(&bench.plan(&[addr], Pace::Closed(bench.time)), Holders::of(seats)).await?;
    let (tally, cpu) = (buyers.tally, process.cpu_seconds()? - before);
    ensure!(tally.refused == 0, "{} holds of distinct seats were refused", tally.refused);
    Ok(Held { tally, took, cpu })
}

/// Seconds from the start of the process to its readiness.
async fn ready(hall: SeatGrid) -> anyhow::Result<f64> {
    let folder = TempDir::new()?;
    declare(folder.path(), "redis", &[hall])?;
    let begun = Instant::now();
    local(folder.path()).await?;
    Ok(begun.elapsed().as_secs_f64())
}

/// `boxoffice local` on what is in `folder`, ready.
pub async fn local(folder: &Path) -> anyhow::Result<(Process, SocketAddr)> {
    let port = free_port()?.to_string();
    let (files, data) = (folder.join("resources"), folder.join("data"));
    let (files, data) = (files.display().to_string(), data.display().to_string());
    let arguments = ["local", "-f", &files, "--data-dir", &data, "--port", &port, "--host", HOST];
    let addr: SocketAddr = format!("127.0.0.1:{port}").parse()?;
    let mut process = Process::start_with("boxoffice", arguments, [])?;
    process.ready(&format!("http://{addr}/readyz")).await?;
    Ok((process, addr))
}

/// Writes the resources.
pub fn declare(folder: &Path, durability: &str, shows: &[SeatGrid]) -> anyhow::Result<()> {
    let mut text = format!(
        "{{apiVersion: boxoffice.dev/v1alpha1, kind: ReservationService, metadata: {{name: main}}, spec: {{
  auth: {{allowFrom: [{{namespaceSelector: {{}}}}]}}, redis: {{url: 'redis://redis'}},
  kafka: {{bootstrapServers: 'kafka:9092', topic: {{name: seat-events, partitions: 4}}}},
  durability: {{hold: {durability}}}, outbox: {{highWatermark: 10000000}},
  consumers: [{{name: seat-view, handler: seat-view, database: {{url: 'postgres://view'}}}},
              {{name: reservations, handler: persistence, database: {{url: 'postgres://reservations'}}}},
              {{name: stats, handler: stats, database: {{url: 'postgres://stats'}}}}]}}}}\n"
    );
    for SeatGrid { id, rows, width } in shows {
        write!(
            text,
            "---\n{{apiVersion: boxoffice.dev/v1alpha1, kind: SeatingEvent, metadata: {{name: {id}}}, spec: {{
  serviceRef: {{name: main}}, title: A show, startsAt: '2099-03-01T20:00:00Z',
  priceCategories: [{{name: all, amount: 5000, currency: EUR}}],
  sections: [{{id: A, priceCategory: all, rows: [{{rows: '1-{rows}', seats: '1-{width}'}}]}}]}}}}\n"
        )?;
    }
    std::fs::create_dir(folder.join("resources"))?;
    std::fs::write(folder.join("resources/bench.yaml"), text)?;
    Ok(())
}
